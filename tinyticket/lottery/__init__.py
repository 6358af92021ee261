"""The lottery-ticket experiment.

`algorithm` is the paper's algorithm as one short function; `training` is its step 2, `controls` what runs beside every ticket;
`settings` everything that decides a result, `experiment` the whole: trials, rounds, the file, and going on where a run stopped.
"""

from tinyticket.lottery import recipes
from tinyticket.lottery.algorithm import find_tickets, reset
from tinyticket.lottery.experiment import Experiment, find
from tinyticket.lottery.progress import Progress
from tinyticket.lottery.result import Result, Round, Trial, load
from tinyticket.lottery.settings import Settings
from tinyticket.lottery.streams import stream
from tinyticket.lottery.verdict import verdict

__all__ = [
    "Experiment",
    "Progress",
    "Result",
    "Round",
    "Settings",
    "Trial",
    "find",
    "find_tickets",
    "load",
    "recipes",
    "reset",
    "stream",
    "verdict",
]
