"""What becomes of pruned weights, the "mask-0 action" of Zhou, Lan, Liu and Yosinski (2019, section 3).

* "zero": they are 0, as in all of pruning.
* "freeze": they stay at w_i, their initial value.
* "freeze-away": those stay at w_i that had moved away from zero when they were pruned, |w_f| > |w_i|; the others are 0. The paper's
  best: its reading of masks is that they push weights further the way in which training was taking them, so what was moving
  toward zero is put there and what was not is not. w_f are the weights at the end of the training in which they were pruned.

Frozen weights are no survivors: they are not trained, do not count in densities, and stand apart in the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tinyticket.errors import InputError
from tinyticket.lottery.algorithm import Masks, State
from tinyticket.lottery.rewinding import changes_reset

if TYPE_CHECKING:
    from tinyticket.lottery.settings import Settings

MASK_0 = ("zero", "freeze", "freeze-away")


def check_mask_0(settings: Settings) -> None:
    """Raise InputError unless the mask-0 action fits the other settings."""
    action = settings.mask_0
    if action == "zero":
        return
    if changes_reset(settings) or settings.gradual:
        given = "rewind, rewind-to, strategy and gradual"
        raise InputError(f"mask-0 {action} freezes pruned weights where all began, at theta_0; leave {given} out")


def frozen_weights(action: str, initial: State, trained: State, before: Masks, after: Masks, held: State) -> State:
    """Return the frozen values of pruned weights, by layer: 0 under survivors and where pruned weights are zero.

    `before` and `after` are the masks before and after the pruning of `trained`, `held` what was returned for `before`: weights
    that were pruned earlier stay as they were then. For the action "zero" it is nothing.
    """
    if action == "zero":
        return {}
    frozen = {}
    for name, mask in after.items():
        zero, stays = initial[name].dtype.type(0), ~mask
        if action == "freeze-away":
            stays = before[name] & ~mask & (np.abs(trained[name]) > np.abs(initial[name]))
        frozen[name] = np.where(stays, initial[name], np.where(mask, zero, held.get(name, zero)))
    return frozen
