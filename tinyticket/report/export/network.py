"""One network of a result: its arrays, its masks, and what to say of it in a file that leaves this program."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from tinyticket.errors import InputError, printable
from tinyticket.lottery.losses import BINARY, MSE
from tinyticket.nn import Module
from tinyticket.prune import apply_masks
from tinyticket.results.result import Result, fill, with_frozen
from tinyticket.store.weights import Weights

OWN_CLASS = json.dumps({"layer": "custom"})[1:-1]
"""How a model's description says that a part is of a class that is not the library's."""


@dataclass(frozen=True)
class Network:
    """A network that is written: which, and what it was or became."""

    result: Result
    trial: int
    round: int
    control: str | None
    weights: Weights

    def model(self, format: str) -> Module:
        """Return the network in evaluation mode, its pruned weights at zero or wherever they are frozen.

        InputError says that it has layers of a class of its own, which `format` cannot express.
        """
        if OWN_CLASS in json.dumps(self.result.model_description):
            raise InputError(
                f"{self.result.archive.name} holds a network of a class of its own, whose computation {format} cannot express; "
                "its arrays can be written as npz, h5, safetensors, torch or scipy"
            )
        model = self.result.network()
        fill(model, {}, self.weights.state, {})
        return model.eval()

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return tuple(self.result.data["input_shape"])

    def words(self) -> list[str]:
        """Return what the network is and what it takes, in lines of a comment."""
        config, masks = self.result.config, self.weights.masks.values()
        left, count = sum(int(mask.sum()) for mask in masks), sum(mask.size for mask in masks)
        which = f"trial {self.trial}, round {self.round}{f', control {self.control}' if self.control else ''}"
        lines = [
            f"{config['model']} on {config['data']}, {which}: {left:,} of {count:,} weights.",
            f"Input: an example of {self.result.data['name']} as tinyticket.data has it, scaled as there: "
            f"{math.prod(self.input_shape):,} floats, shape {self.input_shape} in C order.",
            f"Output: {self._output()}.",
        ]
        return [printable(line) for line in lines]

    def _output(self) -> str:
        loss, data = self.result.config.get("loss"), self.result.data
        if loss == MSE:
            return f"{data.get('outputs', 1)} numbers"
        if loss == BINARY:
            return "1 logit; the class is 1 where it is above 0"
        return f"{data['classes']} logits; the class is the largest"


def chosen_network(result: Result, trial: int, round: int, control: str | None, weights: str) -> Network:
    """Return one network of a result with its "trained" weights, as it "start"s, or with theta_0 ("init") under its mask.

    InputError says that there is no such network, or that the file does not hold what it started from.
    """
    if weights not in ("trained", "start", "init"):
        raise InputError(f"weights are 'trained', 'start' or 'init', not {weights!r}")
    chosen = result.round(trial, round, control)
    if weights != "trained" and control and chosen.origin["weights"] != "init":
        raise InputError(
            f"the control {control} did not start from theta_0, and what it started from is not in the file"
        )
    masks, state = chosen.masks, chosen.trained
    if weights == "start" and not control:
        masks, state = chosen.start_masks, result.start(trial, round)
    elif weights != "trained":
        state = apply_masks(result.init(trial), masks)
    return Network(result, trial, round, control, Weights(with_frozen(state, masks, chosen.frozen), masks))
