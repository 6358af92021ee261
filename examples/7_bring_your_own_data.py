"""
7. Bring your own data and network
==================================

Arrays of your own, a network of your own, and the whole experiment on both: ``python examples/7_bring_your_own_data.py``.
"""

import tempfile
from pathlib import Path

import numpy as np

import tinyticket as tt

# %%
# Data
# ----
# Points in a plane that lie inside or outside of a ring, with four columns of noise that mean nothing. Training data train,
# test data only report; what decides anything (when to stop, which ticket) is split off from the training data by the
# experiment itself.


def ring(examples, rng):
    """Return points (examples, 6), of which the first two columns say whether one lies in the ring, and whether it does."""
    x = rng.standard_normal((examples, 6)).astype(np.float32)
    radius = np.hypot(x[:, 0], x[:, 1])
    return x, ((radius > 0.75) & (radius < 1.6)).astype(int)


rng = np.random.default_rng(0)
(x_train, y_train), (x_test, y_test) = ring(8000, rng), ring(2000, rng)

# %%
# A file
# ------
# The command line takes an ``.npz`` file with these four arrays: ``tinyticket find --data ring.npz --model mlp-6-64-32-2 --out
# ring.h5``. In Python the arrays themselves do.

folder = Path(tempfile.mkdtemp())
np.savez(folder / "ring.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
data = tt.data.load(str(folder / "ring.npz"))
print(data)

# %%
# A network
# ---------
# A function that makes it, called once for every initialisation that the experiment needs. For the command line it stands in
# a file, ``--model my_model.py:make``, and is given the shape of an example, the number of classes and a random generator. In
# Python it is given the generator alone: what it needs of the data it can be told.


def make(input_shape, classes, rng):
    """Return a network whose last layer has an output for every class."""
    features = int(np.prod(input_shape))
    return tt.nn.Sequential(
        tt.nn.Linear(features, 64, rng=rng),
        tt.nn.ReLU(),
        tt.nn.Linear(64, 64, rng=rng),
        tt.nn.ReLU(),
        tt.nn.Linear(64, classes, rng=rng),
    )


# %%
# The experiment
# --------------
# Five rounds remove a third of the survivors each. ``iterations`` should be so many that the dense network has learnt what it
# can.

result = tt.lottery.find(
    model=lambda rng: make(data.input_shape, data.classes, rng),
    data=data,
    rounds=5,
    prune=1 / 3,
    iterations=800,
    batch_size=50,
    lr=3e-3,
    trials=3,
    evaluate_every=20,
)
for rounds in zip(*(trial.rounds for trial in result.trials), strict=True):
    ticket = np.mean([round.test_accuracy for round in rounds])
    beside = {name: np.mean([round.controls[name].test_accuracy for round in rounds]) for name in rounds[0].controls}
    print(
        f"{rounds[0].density:6.1%} of the weights: {ticket:.1%}",
        *(f"{name} {mean:.1%}" for name, mean in beside.items()),
    )
print(result.verdict["text"])

# %%
# What the ticket looks at
# ------------------------
# Pruning has found out which columns mean something: the first two keep most of their connections.

mask = result.trials[0].rounds[-1].masks["0.weight"]
kept = mask.mean(axis=0)
print(f"connections kept: of the two columns that matter {kept[:2].mean():.0%}, of the others {kept[2:].mean():.0%}")
assert kept[:2].mean() > 2 * kept[2:].mean()
