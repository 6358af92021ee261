"""How often a verdict is wrong, and how often it finds what is there: `python -m benchmarks.verdict`, simulated experiments.

An experiment is a number of trials, each with the accuracies and early-stopping iterations of a dense network and, density by
density, of a ticket and a re-initialised control. All are compared with one dense network, accuracies come in whole test examples,
and noise is drawn from one of several distributions. The truth is known: a claim is false where the true mean is not beyond its
bound.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinyticket.results.intervals import FEWEST, holm, interval, ratio_interval
from tinyticket.results.verdict import EACH, MARGIN, WINNING, Comparison, judged

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
DRAWS: dict[str, Draw] = {  # all of mean 0 and deviation 1
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "heavy": lambda rng, shape: rng.standard_t(5, shape) / math.sqrt(5 / 3),
    "even": lambda rng, shape: rng.uniform(-math.sqrt(3), math.sqrt(3), shape),
    "skewed": lambda rng, shape: 1 - rng.exponential(1, shape),
}
DENSITIES = 0.8 ** np.arange(1, 14)


@dataclass(frozen=True)
class Truth:
    """Density by density: ticket minus dense and ticket minus control in points, and the ratio of stops."""

    accuracy: np.ndarray
    over_control: np.ndarray
    ratio: np.ndarray

    @property
    def wins(self) -> np.ndarray:
        """Where tickets win."""
        return (self.accuracy > -100 * MARGIN) & (self.over_control > 0)


PAPER = Truth(  # as Lenet on MNIST measures it
    np.array([0.10, 0.15, 0.20, 0.25, 0.30, 0.35, 0.40, 0.40, 0.38, 0.33, 0.25, 0.15, 0.05]),
    np.array([0.05, 0.10, 0.15, 0.20, 0.30, 0.40, 0.45, 0.50, 0.55, 0.60, 0.65, 0.75, 0.85]),
    np.array([0.95, 0.90, 0.82, 0.75, 0.70, 0.72, 0.80, 0.85, 0.90, 0.95, 1.00, 1.05, 1.20]),
)
TRUTHS = {
    "at the margin": Truth(np.full(13, -0.2), np.full(13, 0.5), np.full(13, 0.8)),
    "initialisation null": Truth(np.full(13, 0.1), np.zeros(13), np.full(13, 0.8)),
    "no sooner": Truth(np.full(13, 0.3), np.full(13, 0.5), np.ones(13)),
    "a third of each": Truth(
        np.where(np.arange(13) % 3 == 0, -0.2, 0.4), np.where(np.arange(13) % 3 == 1, 0.0, 0.6), np.ones(13)
    ),
    "as on MNIST": PAPER,
    "as on MNIST, one unlucky": Truth(np.where(np.arange(13) == 6, -0.3, PAPER.accuracy), PAPER.over_control, PAPER.ratio),
    "as on MNIST, sparse ones lose": Truth(PAPER.accuracy - 0.5 * (np.arange(13) > 8), PAPER.over_control, PAPER.ratio),
}  # fmt: skip


def simulate(
    rng: np.random.Generator, truth: Truth, trials: int, draw: Draw, examples: int = 10_000, dense_spread: float = 0.1
) -> list[Comparison]:
    """Return one experiment's densities; `dense_spread` is the deviation of the dense accuracy among trials, in points."""
    count, grain = len(truth.accuracy), 1 / examples
    lucky, ticket, control = draw(rng, (trials, 1)), draw(rng, (trials, count)), draw(rng, (trials, count))
    points = 97.5 + np.stack(np.broadcast_arrays(dense_spread * lucky, 0.1 * ticket, 0.1 * control))
    points[1] += truth.accuracy
    points[2] += truth.accuracy - truth.over_control
    dense, own, beside = np.round(points / 100 / grain) * grain
    stops = 6000 * np.exp(0.2 * draw(rng, (2, trials, count)))
    stops[0] = stops[0, :, :1]
    stops[1] *= truth.ratio
    stops = np.maximum(np.round(stops / 100) * 100, 100)
    found = []
    for i in range(count):
        accuracy, over = interval(own[:, i] - dense[:, i], grain), interval(own[:, i] - beside[:, i], grain)
        ratio = ratio_interval(stops[1, :, i], stops[0, :, i], 100)
        assert ratio is not None
        p = {
            "matches": accuracy.p_above(-MARGIN) if trials >= FEWEST else 1.0,
            "initialisation": over.p_above(0),
            "sooner": ratio.p_below_one(),
        }
        controls = {"reinit": (interval(beside[:, i] - dense[:, i], grain), over)}
        found.append(Comparison(i + 1, float(DENSITIES[i]), trials, accuracy, ratio, controls, accuracy, p))
    return found


def wrong(found: list[Comparison], truth: Truth) -> bool:
    """Whether any claim of an experiment's verdict is false."""
    return any(
        (each.standing in ("winning", "matching") and truth.accuracy[i] <= -100 * MARGIN)
        or (each.standing == "winning" and truth.over_control[i] <= 0)
        or (each.sooner and truth.ratio[i] >= 1)
        for i, each in enumerate(found)
    )


def before(found: list[Comparison]) -> np.ndarray:
    """Return what won by the rule of before: accuracy, and a ratio not above 1, in sequences from 20% that end where one fails."""
    passes = [
        each.accuracy.low > -MARGIN and each.early_stop is not None and each.early_stop.high <= 1 for each in found
    ]
    return in_sequences(passes)


def in_sequences(passes: list[bool]) -> np.ndarray:
    """Return what two fixed sequences prove, from the density nearest to 20% downward and upward, each until one fails."""
    anchor = int(np.argmin(np.abs(np.log(DENSITIES[: len(passes)] / 0.2))))
    down, up = np.array(passes[anchor:], int), np.array(passes[:anchor][::-1], int)
    return np.concatenate([np.cumprod(up)[::-1], np.cumprod(down)]).astype(bool)


def hochberg(p: list[float]) -> np.ndarray:
    """Return what Hochberg's step-up procedure proves, at the same 4%."""
    values, order = np.array(p), np.argsort(p)[::-1]
    passes = values[order] <= np.minimum(EACH, WINNING / np.arange(1, len(p) + 1))
    found = np.zeros(len(p), bool)
    found[order] = np.maximum.accumulate(passes)
    return found


def fallback(p: list[float]) -> np.ndarray:
    """Return what the fallback procedure proves, dense ones first: each has its share, and that of the one before if it passed."""
    found, carried = np.zeros(len(p), bool), 0.0
    for i, value in enumerate(p):
        level = carried + WINNING / len(p)
        found[i] = value <= min(EACH, level)
        carried = level * found[i]
    return found


ORDERS: dict[str, Callable[[list[float]], np.ndarray]] = {
    "Holm": lambda p: np.array(holm(p, WINNING, EACH)[0]),
    "Hochberg": hochberg,
    "fallback": fallback,
    "two sequences": lambda p: in_sequences([value <= WINNING / 2 for value in p]),
}


def main() -> None:
    """Print false claims and power of the rule, of the one before, and of other orders of the tests."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verdict", description=__doc__)
    parser.add_argument("--experiments", type=int, default=1000, metavar="N", help="of each kind (default: 1000)")
    options = parser.parse_args()
    times = range(options.experiments)
    print(
        "experiments with a false claim, %:", *DRAWS, "dense x4", "dense x4 and skewed", "1,000 test examples", sep=", "
    )
    for name in ("at the margin", "initialisation null", "no sooner", "a third of each"):
        for trials in (3, 5, 10, 20):
            kinds = [(draw, 10_000, 0.1) for draw in DRAWS.values()]
            kinds += [(DRAWS["normal"], 10_000, 0.4), (DRAWS["skewed"], 10_000, 0.4), (DRAWS["normal"], 1_000, 0.1)]
            shares = []
            for draw, examples, dense_spread in kinds:
                rng = np.random.default_rng(trials)
                made = (simulate(rng, TRUTHS[name], trials, draw, examples, dense_spread) for _ in times)
                shares.append(np.mean([wrong(judged(found), TRUTHS[name]) for found in made]))
            print(f"{name}, {trials} trials: {', '.join(f'{100 * share:.1f}' for share in shares)}", flush=True)
    print("\nshare of the winning densities that is proved, %: this rule, the one before,", ", ".join(ORDERS))
    for name in [name for name in TRUTHS if "MNIST" in name]:
        truth = TRUTHS[name]
        for trials in (2, 3, 5, 10, 20):
            rng, rows = np.random.default_rng(trials), []
            for _ in times:
                found = simulate(rng, truth, trials, DRAWS["normal"])
                now = np.array([each.standing == "winning" for each in judged(found)])
                others = [rule([each.p_wins for each in found]) for rule in ORDERS.values()]
                rows.append([np.mean(proved[truth.wins]) for proved in (now, before(found), *others)])
            print(f"{name}, {trials} trials: {', '.join(f'{100 * x:.0f}' for x in np.mean(rows, 0))}", flush=True)


if __name__ == "__main__":
    main()
