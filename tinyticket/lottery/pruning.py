"""Step 3 of the algorithm: the masks of the next round."""

from __future__ import annotations

from tinyticket import prune
from tinyticket.lottery.algorithm import Masks, State
from tinyticket.lottery.plan import Plan


class Pruner:
    """Prunes as the settings of an experiment say.

    Parameters
    ----------
    plan
        Which layers lose which fraction.
    scope : {"layer", "global"}
    """

    def __init__(self, plan: Plan, scope: str):
        self.plan, self.scope = plan, scope

    def scores(self, trained: State) -> State:
        """Return the score of every weight that can be pruned; the smallest go."""
        return {name: abs(trained[name]) for name in self.plan.sizes}

    def prune(self, round: int, trained: State, masks: Masks) -> Masks:
        """Return the masks of a round from what was trained before it."""
        fractions, scores = self.plan.fractions[round - 1], self.scores(trained)
        if self.scope == "layer":
            return prune.keep_largest(scores, masks, fractions, "layer")
        chosen = [name for name, fraction in fractions.items() if fraction]
        pruned = prune.keep_largest(
            {name: scores[name] for name in chosen},
            {name: masks[name] for name in chosen},
            fractions[chosen[0]],
            "global",
        )
        return {**masks, **pruned}
