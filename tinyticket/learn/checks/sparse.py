"""Whether a sparse layer is right: beside the dense one and the compiled one."""

from types import ModuleType

import numpy as np

import tinyticket as tt


def _layer() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    mask = rng.random((13, 17)) < 0.3
    mask[4] = False  # a row without survivors
    return mask, rng.standard_normal(mask.shape), rng.standard_normal((17, 8))


def check_compress(module: ModuleType) -> None:
    """Rows begin where they should, an empty one included."""
    starts, columns = module.compress(np.array([[0, 1, 1], [0, 0, 0], [1, 0, 0]], bool))
    assert list(starts) == [0, 2, 2, 3], f"the rows begin at 0, 2, 2 and end at 3, not at {list(starts)}"
    assert list(columns) == [1, 2, 0], f"the survivors stand in columns 1, 2, 0, not in {list(columns)}"


def check_forward(module: ModuleType) -> None:
    """The outputs are those of the dense layer with zeros."""
    mask, weight, tile = _layer()
    y = module.forward(*module.compress(mask), weight[mask], tile)
    assert np.allclose(y, np.where(mask, weight, 0) @ tile), "they differ"


def check_beside_tinyticket(module: ModuleType) -> None:
    """The outputs are those of `tt.kernels.sparse_linear`."""
    mask, weight, tile = _layer()
    weight, tile = weight.astype(np.float32), tile.astype(np.float32)
    packed = tt.kernels.pack(np.ascontiguousarray(tile.T))
    pattern = tt.kernels.Pattern.from_mask(mask, lanes=packed.shape[2])
    want = tt.kernels.sparse_linear(pattern, weight[mask], np.zeros(len(mask), np.float32), packed)
    y = module.forward(*module.compress(mask), weight[mask], tile)
    assert np.allclose(y.T, tt.kernels.unpack(want, tile.shape[1]), atol=1e-5), "they differ"


def check_gradients(module: ModuleType) -> None:
    """The gradients are those of the dense layer, where weights survive."""
    mask, weight, tile = _layer()
    dy = np.random.default_rng(1).standard_normal((len(mask), tile.shape[1]))
    dx, dvalues = module.gradients(*module.compress(mask), weight[mask], tile, dy)
    assert np.allclose(dx, np.where(mask, weight, 0).T @ dy), "the gradient of the inputs differs"
    assert np.allclose(dvalues, (dy @ tile.T)[mask]), "the gradient of the survivors differs"


def check_intensity(module: ModuleType) -> None:
    """A survivor does half an operation for each byte, however many samples there are."""
    for samples in (16, 64):
        found = module.intensity(samples)
        assert found == 0.5, f"2 operations for every 4 bytes are 0.5, and for {samples} samples it says {found}"


def check_roofline(module: ModuleType) -> None:
    """The roofline is the lower of its two roofs."""
    low, high = module.attainable(100e9, 160e9, 16), module.attainable(100e9, 400e9, 16)
    assert low == 80e9, f"160 GB/s at half an operation for a byte feed 80 billion operations, not {low:g}"
    assert high == 100e9, f"400 GB/s would feed more than the peak of 100 billion, and it says {high:g}"
