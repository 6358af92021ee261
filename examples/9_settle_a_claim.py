"""
9. Settle a claim
=================

"The initial values do not matter; the signs do." Zhou and others (2019) found that a ticket whose survivors begin at one
constant with the signs of theta_0 trains about as well as the ticket itself. Does that hold here? ``python
examples/9_settle_a_claim.py``.
"""

import numpy as np

import tinyticket as tt

# %%
# The question as an experiment
# -----------------------------
# Each control changes one thing about a ticket and keeps the rest: ``reinit`` draws new values, ``reinit-signed`` draws new
# values with the old signs, ``constant-signed`` keeps the signs alone. A ticket and its controls see the same batches in the
# same order, so that they can be compared pair by pair: what chance does to all of them alike cancels. Here each of six dense
# networks is pruned once, to 15%.

controls = ["reinit", "reinit-signed", "constant-signed"]
result = tt.lottery.find(data="digits", one_shot=0.15, trials=6, iterations=300, controls=controls, seed=0)
print(result.verdict["text"])

# %%
# Differences with intervals
# --------------------------
# Six trials give six differences. Their mean says little without its uncertainty: a 95% interval of a mean of n values is the
# mean and t standard errors to both sides, with t from Student's distribution with n - 1 degrees of freedom (2.57 for six
# values).

T = 2.571
last = [trial.rounds[-1] for trial in result.trials]
print(f"at {last[0].density:.1%} of the weights, control minus ticket in points of accuracy:")
for name in controls:
    difference = 100 * np.array([round.controls[name].test_accuracy - round.test_accuracy for round in last])
    mean, spread = difference.mean(), T * difference.std(ddof=1) / np.sqrt(len(difference))
    print(f"{name:>16}: {mean:+.2f} [{mean - spread:+.2f}, {mean + spread:+.2f}]")

# %%
# What may be said
# ----------------
# An interval below zero refutes "as good as the ticket" for that control. An interval that holds zero proves nothing: it may
# be wide. To claim equality one names beforehand a margin that would not matter, half a point say, and asks whether the whole
# interval lies above minus the margin. That is how the verdict decides whether a ticket matches the dense network
# (docs/verdict.md). ``tinyticket compare`` shows such intervals between two files, of tickets or, with ``--network``, of a
# control.
#
# Three intervals are three chances to be wrong by luck: at 95% each, all three hold less often than that. The verdict allows for
# this; here it is to be kept in mind.
#
# More trials narrow the intervals with the square root of their number. They are cheap to add: with an ``out=`` file the same call
# with larger ``trials`` goes on where it stopped. How many there will be is to be fixed before looking.
