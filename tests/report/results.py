"""Results made by hand, whose every number is known."""

from types import SimpleNamespace

from tinyticket.results.naming import ACCURACY, TICKETS
from tinyticket.store.facts import SCALARS


def run(number, density, accuracy, stop, controls=None):
    numbers = {
        "density": density,
        "weights_left": round(1000 * density),
        "early_stop_iteration": stop,
        "validation_loss": 0.5,
        "test_accuracy": accuracy,
        "final_test_accuracy": accuracy - 0.01,
        "seconds": 2.5,
    }
    assert set(numbers) == set(SCALARS)
    made = SimpleNamespace(number=number, controls=controls or {}, **numbers)
    made.scalars = lambda: numbers
    return made


def two_trials():
    """Two trials of a dense network and two rounds, the second trial without its last round; one control."""
    first = [
        run(0, 1.0, 0.90, 100),
        run(1, 0.8, 0.92, 80, {"reinit": run(1, 0.8, 0.88, 120)}),
        run(2, 0.64, 0.91, 60, {"reinit": run(2, 0.64, 0.80, 140)}),
    ]
    second = [
        run(0, 1.0, 0.94, 200),
        run(1, 0.8, 0.96, 100, {"reinit": run(1, 0.8, 0.90, 140)}),
    ]
    return SimpleNamespace(
        digest="0" * 64,
        trials=[SimpleNamespace(number=t, rounds=rounds) for t, rounds in enumerate((first, second))],
        config={"model": "mlp-[b]", "data": "mine[0].npz"},
        verdict={"text": "a verdict"},
        networks=TICKETS,
        metric=ACCURACY,
        seed=7,
    )


def one_trial():
    result = two_trials()
    result.trials = result.trials[:1]
    return result
