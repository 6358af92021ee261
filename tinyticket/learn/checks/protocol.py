"""Whether a protocol keeps the test set out of every choice."""

from types import ModuleType

import numpy as np


def check_split(module: ModuleType) -> None:
    """Every example is in one part, and there are as many for validation as asked for."""
    training, validation = module.split(20, 6, np.random.default_rng(0))
    assert len(validation) == 6, f"6 are to be set aside, not {len(validation)}"
    assert sorted([*training, *validation]) == list(range(20)), "some example is in both parts or in none"


def check_split_is_random(module: ModuleType) -> None:
    """Chance decides, and the same chance decides the same."""
    one, same, other = (sorted(module.split(200, 50, np.random.default_rng(seed))[1]) for seed in (1, 1, 2))
    assert one == same, "the same generator sets other examples aside"
    assert one != other, "another generator sets the same examples aside: data often come sorted"


def check_standardise(module: ModuleType) -> None:
    """The training data have mean 0 and standard deviation 1, column by column."""
    rng = np.random.default_rng(0)
    x, _ = module.standardise(rng.normal(3, 5, (50, 4)), rng.normal(3, 5, (10, 4)))
    assert np.allclose(x.mean(axis=0), 0), f"the means are {x.mean(axis=0).round(3)}"
    assert np.allclose(x.std(axis=0), 1), f"the deviations are {x.std(axis=0).round(3)}"


def check_test_data(module: ModuleType) -> None:
    """The test data are treated with the numbers of the training data."""
    x_train = np.array([[0.0], [2.0]])
    one, other = (module.standardise(x_train, np.array([[4.0], [far]]))[1] for far in (6.0, 600.0))
    assert one[0] == other[0] == 3, f"4 lies three deviations from the mean 1, not {one[0]}, whatever else is tested"


def check_constant(module: ModuleType) -> None:
    """A constant column does no harm."""
    x, _ = module.standardise(np.full((3, 1), 7.0), np.full((2, 1), 7.0))
    assert np.array_equal(x, np.zeros((3, 1))), f"three sevens became {x.ravel()}"


def check_early_stop(module: ModuleType) -> None:
    """Training stops at the first of the smallest validation losses."""
    stop = module.early_stop(np.array([0, 100, 200, 300]), np.array([0.9, 0.3, 0.3, 0.4]))
    assert stop == 100, f"the losses 0.9, 0.3, 0.3, 0.4 are smallest at 100 first, not at {stop}"


def check_reported(module: ModuleType) -> None:
    """What is reported is the accuracy at the early stop, not the best one."""
    found = module.reported(np.array([0, 100, 200]), np.array([0.9, 0.3, 0.4]), np.array([0.1, 0.8, 0.95]))
    assert found == 0.8, f"the early stop's accuracy is 0.8, and it says {found}"
