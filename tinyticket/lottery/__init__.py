"""The lottery-ticket experiment.

`algorithm` is the paper's algorithm as one short function; `training` is its step 2, `pruning` (or `gradual`, in the course of a
training) its step 3, `rewinding` its step 4 and `controls` what runs beside every ticket. `settings` is everything that decides a
result, `trial` one initialisation with its rounds, `jobs/` a training as a pure function and where it is done, `record` their
file, and `experiment` the whole: going on where a run stopped. `extend` adds to a file, `merge` puts files
together. `callbacks/` are told what happens. `replay/` goes on from a file: repeats, checks, analyses.
"""

from tinyticket.lottery import recipes
from tinyticket.lottery.algorithm import find_tickets, reset
from tinyticket.lottery.callbacks import Callback, CSVLog, ProgressBar, TensorBoard
from tinyticket.lottery.experiment import Experiment, find
from tinyticket.lottery.extend import extend, resume
from tinyticket.lottery.jobs.job import Training
from tinyticket.lottery.merge import merge
from tinyticket.lottery.settings import Settings
from tinyticket.lottery.streams import stream
from tinyticket.lottery.sweep import sweep
from tinyticket.results import Result, Round, Trial, compare, load, verdict

__all__ = [
    "CSVLog",
    "Callback",
    "Experiment",
    "ProgressBar",
    "Result",
    "Round",
    "Settings",
    "TensorBoard",
    "Training",
    "Trial",
    "compare",
    "extend",
    "find",
    "find_tickets",
    "load",
    "merge",
    "recipes",
    "reset",
    "resume",
    "stream",
    "sweep",
    "verdict",
]
