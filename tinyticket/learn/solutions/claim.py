"""A verdict from six trials: fill the holes, and `tinyticket learn check claim`.

Each trial gives a pair: the accuracy of a ticket and that of its dense network, of the same initialisation and on the same batches.
"""

import numpy as np
from scipy import stats


def paired(ticket, dense):
    """Return the differences ticket - dense, trial by trial, in points of accuracy (accuracies are fractions)."""
    # hole: the differences in points
    return 100 * (np.asarray(ticket) - np.asarray(dense))
    # end


def interval(differences, confidence=0.95):
    """Return (mean, low, high): Student's interval of the mean of independent values.

    To both sides of the mean reach t standard errors; the standard error is the sample's standard deviation (n - 1 below the line)
    over the root of n, and t the quantile of Student's distribution with n - 1 degrees of freedom, `stats.t.ppf`.
    """
    # hole: mean, standard error, quantile
    values = np.asarray(differences, float)
    error = values.std(ddof=1) / np.sqrt(len(values))
    reach = stats.t.ppf((1 + confidence) / 2, len(values) - 1) * error
    return values.mean(), values.mean() - reach, values.mean() + reach
    # end


def matches(ticket, dense, margin):
    """Whether it is proved that the ticket is worse by less than a margin in points: the whole 95% interval lies above -margin."""
    # hole: the lower bound of the interval against the margin
    return bool(interval(paired(ticket, dense))[1] > -margin)
    # end


def holm(p, level=0.05):
    """Return which claims are proved when several are tested together, by Holm's rule.

    The smallest of n p-values must be at most level / n, the next one level / (n - 1), and so on; the first that fails ends it, and
    it and all larger ones are not proved.
    """
    proved = np.zeros(len(p), bool)
    # hole: from the smallest p-value on, each against its own level
    for i, place in enumerate(np.argsort(p)):
        if p[place] > level / (len(p) - i):
            break
        proved[place] = True
    # end
    return proved
