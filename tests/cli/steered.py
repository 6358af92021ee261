"""A network of one's own that, in a training step which the environment names, does to its process what a test needs.

So signals arrive and second runs start at an exact point, and no test depends on how fast the machine is.
"""

import os
import shutil
import signal
import sys

from tinyticket import nn

steps = 0


class Steered(nn.Module):
    def __init__(self, inputs, classes, rng):
        self.layers = nn.Sequential(nn.Linear(inputs, 16, rng=rng), nn.ReLU(), nn.Linear(16, classes, rng=rng))

    def forward(self, x):
        if self.training:
            count_a_step()
        return self.layers(x)


def count_a_step():
    global steps
    steps += 1
    what, _, when = os.environ.get("STEER", "").partition("@")
    if what and steps == int(when):
        if what == "wait":
            print("waiting", file=sys.stderr, flush=True)
            sys.stdin.read()
        elif what == "replace":
            shutil.copy(os.environ["OTHER"], os.environ["RESULT"])
        else:
            os.kill(os.getpid(), getattr(signal, what))


def make(input_shape, classes, rng):
    return Steered(input_shape[0], classes, rng)
