"""What a result file says: all that reads one and trains nothing.

result       trials, rounds, networks: `load(path)`
verdict      which tickets win, by the definition; `intervals` has the statistics, `sentence` the words, `naming` those for networks
comparison   several results side by side
analyses/    tables about masks and weights
"""

from tinyticket.results.comparison import compare
from tinyticket.results.result import Result, load
from tinyticket.results.round import Round, Trial
from tinyticket.results.verdict import verdict

__all__ = ["Result", "Round", "Trial", "compare", "load", "verdict"]
