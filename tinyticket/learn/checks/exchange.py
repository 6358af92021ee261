"""Whether a ticket is the same in another program: beside tinyticket's own networks and files."""

import tempfile
from pathlib import Path
from types import ModuleType

import numpy as np

import tinyticket as tt


def _ticket() -> tuple[tt.nn.Module, dict[str, np.ndarray]]:
    """Return a network with masks, and its arrays as they are exported."""
    model, rng, masks = tt.models.create("mlp-9-8-7-4", (9,), 4, rng=0), np.random.default_rng(0), {}
    for name, weight in model.prunable().items():
        mask = rng.random(weight.shape) < 0.5
        mask[0, 0], weight.data[0, 0] = True, 0  # a survivor that is zero by chance
        weight.mask, weight.data[~mask] = mask, 0
        masks[f"mask/{name}"] = mask
    return model, {**model.state_dict(), **masks}


def check_compressed(module: ModuleType) -> None:
    """Survivors are those of the mask, one that is zero by chance included."""
    _, arrays = _ticket()
    starts, columns, values = module.compressed(arrays, "fc1.weight")
    mask = arrays["mask/fc1.weight"]
    assert len(values) == mask.sum(), f"{mask.sum()} weights survive, and it has {len(values)}"
    rows = np.repeat(np.arange(len(mask)), np.diff(starts))
    whole = np.zeros(mask.shape, values.dtype)
    whole[rows, columns] = values
    assert np.array_equal(whole, arrays["fc1.weight"]), "put back into a matrix they are not the weight"


def check_forward(module: ModuleType) -> None:
    """The logits are those of the network that was exported."""
    model, arrays = _ticket()
    x = np.random.default_rng(1).standard_normal((5, 9), dtype=np.float32)
    with tt.no_grad():
        want = model(tt.Tensor(x)).data
    found = module.forward(arrays, x)
    assert found.shape == want.shape, f"5 examples of 4 classes have logits of shape (5, 4), not {found.shape}"
    assert np.allclose(found, want, atol=1e-5), "they differ"


def check_to_pruned(module: ModuleType) -> None:
    """The names are those of torch.nn.utils.prune, and what has no mask keeps its own."""
    _, arrays = _ticket()
    found = module.to_pruned(arrays)
    names = {f"{layer}.{name}" for layer in ("fc1", "fc2", "output") for name in ("weight_orig", "weight_mask", "bias")}
    assert found.keys() == names, f"there are {sorted(found)}"
    mask = found["fc1.weight_mask"]
    assert mask.dtype == arrays["fc1.weight"].dtype, f"PyTorch's masks are numbers like the weights, not {mask.dtype}"
    assert np.array_equal(mask, arrays["mask/fc1.weight"]), "the mask is another one"


def check_tinyticket_reads_it(module: ModuleType) -> None:
    """A file with these names is the ticket again for `tt.load_weights`."""
    model, arrays = _ticket()
    other = tt.models.create("mlp-9-8-7-4", (9,), 4, rng=1)
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "ticket.npz", **module.to_pruned(arrays))
        tt.load_weights(other, Path(folder) / "ticket.npz")
    for name, weight in other.prunable().items():
        assert np.array_equal(weight.data, model.prunable()[name].data), f"{name} is another one"
        assert weight.mask is not None, f"{name} has no mask"
        assert np.array_equal(weight.mask, arrays[f"mask/{name}"]), f"the mask of {name} is another one"


def check_back(module: ModuleType) -> None:
    """The way back gives the same arrays, whatever PyTorch keeps under a mask."""
    _, arrays = _ticket()
    there = module.to_pruned(arrays)
    trained = {name: np.where(there["fc1.weight_mask"] == 0, 7, value) if name == "fc1.weight_orig" else value
               for name, value in there.items()}  # fmt: skip
    back = module.from_pruned(trained)
    assert back.keys() == arrays.keys(), f"there are {sorted(back)}"
    for name, value in arrays.items():
        assert np.array_equal(back[name], value), f"{name} is another one"
    assert back["mask/fc1.weight"].dtype == bool, "masks of a ticket are boolean"
