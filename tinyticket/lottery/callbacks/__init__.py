"""Watching an experiment: the events that callbacks are told, and callbacks that keep them in files or show them.

The library itself prints nothing. rich and TensorBoard are imported when a callback that needs them is made.
"""

from tinyticket.lottery.callbacks.callback import Callback, in_order
from tinyticket.lottery.callbacks.csv import CSVLog
from tinyticket.lottery.callbacks.progress_bar import ProgressBar
from tinyticket.lottery.callbacks.tensorboard import TensorBoard

__all__ = ["CSVLog", "Callback", "ProgressBar", "TensorBoard", "in_order"]
