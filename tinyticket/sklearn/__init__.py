"""Winning tickets as estimators of scikit-learn (extra `app`): fit finds tickets, predict asks the sparse network.

`estimator` is what both share: an experiment in memory, and which of its networks predicts.
"""

try:
    import sklearn  # noqa: F401
except ImportError as error:
    raise ImportError("tinyticket.sklearn needs scikit-learn: pip install 'tinyticket[app]'") from error

from tinyticket.sklearn.classifier import LotteryTicketClassifier
from tinyticket.sklearn.regressor import LotteryTicketRegressor

__all__ = ["LotteryTicketClassifier", "LotteryTicketRegressor"]
