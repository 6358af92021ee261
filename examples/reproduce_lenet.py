"""Reproduce the Lenet results of "The Lottery Ticket Hypothesis" (Frankle and Carbin 2019, sections 1 and 2, figures 1, 3 and 4).

    python examples/reproduce_lenet.py [FOLDER]          hours on two cores; run it again to go on
    python examples/reproduce_lenet.py FOLDER --small    the same on the digits, in minutes: to see how it works

Two experiments, kept in FOLDER: iterative pruning with re-initialised and random controls, and one-shot pruning. Printed is a table
that sets the paper's headline numbers beside ours, as docs/reproduction.md has it.
"""

import hashlib
import sys
from operator import attrgetter
from pathlib import Path

import tinyticket as tt
from tinyticket.lottery import Result
from tinyticket.report.plot import plot
from tinyticket.report.series import series

PAPER = {
    "data": "mnist",
    "model": "lenet-300-100",
    "iterations": 50_000,
    "batch_size": 60,
    "optimizer": "adam",
    "lr": 1.2e-3,
}
SMALL = {
    "data": "digits",
    "model": "lenet-300-100",
    "iterations": 300,
    "batch_size": 60,
    "optimizer": "adam",
    "lr": 1.2e-3,
}
DENSITIES = (0.8, 0.675, 0.5, 0.35, 0.25, 0.176, 0.1, 0.0517, 0.029)


def means(result: Result, quantity: str, network: str = "ticket") -> dict[float, float]:
    """Return the mean over trials of a quantity by density, from dense to sparse; tickets begin with the dense network, 1.0."""
    return {point.density: point.mean for point in series(result, network, attrgetter(quantity))}


def fallen(series: dict[float, float], worse) -> str:
    """Return the densest network from which on every sparser one is worse than the dense network."""
    found = None
    for density in sorted(series):
        if density == 1 or not worse(series[density]):
            break
        found = density
    return f"{found:.1%}" if found else "not reached"


def span(series: dict[float, float], better) -> str:
    """Return the range of pruned densities in which every measured one is better than the dense network."""
    good = [density for density, value in series.items() if density < 1 and better(value)]
    return f"{max(good):.1%} to {min(good):.2%}, {len(good)} of {len(series) - 1} measured" if good else "none"


def headlines(iterative: Result, one_shot: Result) -> list[tuple[str, str, str]]:
    """Return (what, the paper's number, ours) for every headline number of the paper's Lenet."""
    stop, accuracy = means(iterative, "early_stop_iteration"), means(iterative, "test_accuracy")
    redrawn_stop, redrawn = (
        means(iterative, "early_stop_iteration", "reinit"),
        means(iterative, "test_accuracy", "reinit"),
    )
    dense_stop, dense = stop[1.0], accuracy[1.0]
    pruned = [density for density in stop if density < 1]
    fastest, best = min(pruned, key=stop.__getitem__), max(pruned, key=accuracy.__getitem__)
    near = min(pruned, key=lambda density: abs(density - 0.211))
    once_stop, once = means(one_shot, "early_stop_iteration"), means(one_shot, "test_accuracy")
    return [
        ("dense network's test accuracy", "about 98%", f"{dense:.2%}, early stop at {dense_stop:.0f}"),
        ("fastest ticket", "21.1%, 38% earlier", f"{fastest:.1%}, {1 - stop[fastest] / dense_stop:.0%} earlier"),
        ("ticket at 21.1%", "38% earlier", f"{1 - stop[near] / dense_stop:.0%} earlier"),
        (
            "most accurate ticket",
            "13.5%, more than +0.3 points",
            f"{best:.1%}, {100 * (accuracy[best] - dense):+.2f} points",
        ),
        ("less accurate than dense from", "2.9%", fallen(accuracy, lambda value: value < dense)),
        ("later than dense from", "3.6%", fallen(stop, lambda value: value > dense_stop)),
        ("re-initialised: less accurate from", "21.1%", fallen(redrawn, lambda value: value < dense)),
        ("ticket against re-initialised at 21.1%: sooner", "2.51x", f"{redrawn_stop[near] / stop[near]:.2f}x"),
        (
            "ticket against re-initialised at 21.1%: accuracy",
            "+0.5 points",
            f"{100 * (accuracy[near] - redrawn[near]):+.2f} points",
        ),
        ("one-shot: earlier than dense", "67.5% to 17.6%", span(once_stop, lambda value: value < once_stop[1.0])),
        ("one-shot: more accurate than dense", "95.0% to 5.17%", span(once, lambda value: value > once[1.0])),
    ]


def main() -> None:
    """Run or continue both experiments, plot them and print the table."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--small"]
    small = len(arguments) < len(sys.argv[1:])
    folder = Path(arguments[0] if arguments else "reproduction")
    folder.mkdir(parents=True, exist_ok=True)
    settings, trials, rounds = (SMALL, 2, 8) if small else (PAPER, 5, 16)
    iterative = tt.lottery.find(**settings, rounds=rounds, trials=trials, out=folder / "lenet.h5")
    one_shot = tt.lottery.find(
        **settings, one_shot=DENSITIES[:6] if small else DENSITIES, trials=trials, out=folder / "lenet-oneshot.h5"
    )
    for result, name in ((iterative, "lenet"), (one_shot, "lenet-oneshot")):
        plot(result, folder / f"{name}.png")
        digest = hashlib.sha256((folder / f"{name}.h5").read_bytes()).hexdigest()
        print(f"{name}.h5: sha256 {digest}\n  {result.verdict['text']}")
    print("\n| | paper | here |\n|---|---|---|")
    for what, paper, ours in headlines(iterative, one_shot):
        print(f"| {what} | {paper} | {ours} |")


if __name__ == "__main__":
    main()
