"""Whether pruning and resetting are right: beside tinyticket's."""

from types import ModuleType

import numpy as np

import tinyticket as tt


def _layers() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    weights = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in (("a", (7, 9)), ("b", (3, 5)))}
    return weights, {name: rng.random(value.shape) < 0.8 for name, value in weights.items()}


def check_smallest(module: ModuleType) -> None:
    """The weights of smallest magnitude go, whatever their sign."""
    kept = module.prune({"w": np.array([0.1, -3.0, -0.2, 2.0])}, {"w": np.ones(4, bool)}, 0.5)["w"]
    assert kept.tolist() == [False, True, False, True], f"of 0.1, -3, -0.2, 2 these were kept: {kept.tolist()}"


def check_count(module: ModuleType) -> None:
    """As many go as the fraction says, of the survivors of each layer, rounded half up."""
    weights, masks = _layers()
    for fraction in (0.1, 0.2, 0.5):
        kept = module.prune(weights, masks, fraction)
        for name, mask in masks.items():
            want = int(np.floor(fraction * mask.sum() + 0.5))
            gone = int(mask.sum() - kept[name].sum())
            assert gone == want, f"{fraction:.0%} of {mask.sum()} survivors are {want}, but {gone} went"


def check_pruned_stays(module: ModuleType) -> None:
    """What was pruned stays pruned, and the given masks are left as they are."""
    weights, masks = _layers()
    before = {name: mask.copy() for name, mask in masks.items()}
    kept = module.prune(weights, masks, 0.3)
    assert all(np.array_equal(masks[name], before[name]) for name in masks), "the masks that were given have changed"
    assert not any((kept[name] & ~masks[name]).any() for name in masks), "a weight came back"


def check_ties(module: ModuleType) -> None:
    """Of equal magnitudes the one with the higher flat index goes."""
    kept = module.prune({"w": np.array([1.0, -1.0, 1.0, 2.0])}, {"w": np.ones(4, bool)}, 0.25)["w"]
    assert kept.tolist() == [True, True, False, True], f"of 1, -1, 1, 2 these were kept: {kept.tolist()}"


def check_beside_tinyticket(module: ModuleType) -> None:
    """The masks are those of `tt.prune.magnitude`."""
    weights, masks = _layers()
    want = tt.prune.magnitude(weights, masks, 0.2)
    kept = module.prune(weights, masks, 0.2)
    assert all(np.array_equal(kept[name], want[name]) for name in masks), "they differ"


def check_reset(module: ModuleType) -> None:
    """Survivors go back to theta_0, what has no mask too, and theta_0 is copied."""
    weights, masks = _layers()
    theta_0 = {**weights, "bias": np.arange(3.0)}
    ticket = module.reset(theta_0, masks)
    assert ticket.keys() == theta_0.keys(), f"it holds {sorted(ticket)} instead of {sorted(theta_0)}"
    for name, value in theta_0.items():
        want = np.where(masks[name], value, 0) if name in masks else value
        assert np.array_equal(ticket[name], want), f"{name} is not what it was at the start"
        assert not np.shares_memory(ticket[name], value), f"{name} shares its memory with theta_0"


def check_density(module: ModuleType) -> None:
    """The density counts all layers together."""
    found = module.density({"a": np.array([True, False]), "b": np.ones(6, bool)})
    assert found == 7 / 8, f"7 of 8 weights survive, and it says {found}"


def check_rounds(module: ModuleType) -> None:
    """Each round prunes what training from theta_0 under the last mask has made."""
    weights, _ = _layers()
    starts = []

    def train(start: dict, masks: dict) -> dict:
        starts.append({name: value.copy() for name, value in start.items()})
        return {name: np.cos(5 * value) * masks[name] for name, value in start.items()}  # as good as any training

    found = module.find_tickets(weights, list(weights), train, 3, 0.25)
    want = list(
        tt.lottery.find_tickets(
            weights,
            list(weights),
            lambda _, start, masks: {name: np.cos(5 * value) * masks[name] for name, value in start.items()},
            lambda _, trained, masks: tt.prune.magnitude(trained, masks, 0.25),
            3,
        )
    )
    assert len(found) == len(want), f"three rounds and the dense network are 4 masks, not {len(found)}"
    for round, (mine, (_, theirs, _)) in enumerate(zip(found, want, strict=True)):
        assert all(np.array_equal(mine[name], theirs[name]) for name in theirs), (
            f"the masks of round {round} are others"
        )
    assert len(starts) == 4, f"four trainings were to be done, not {len(starts)}"
