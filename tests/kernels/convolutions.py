"""What tests of dense and sparse convolutions share: plain images, agreement to rounding, and the same bits for any shares."""

import numpy as np
import pytest

from tinyticket.kernels.cpu import threads
from tinyticket.kernels.cpu.packing import Images, pack_images, unpack_images


def plain(x):
    """Return packed images as (samples, channels, rows, columns) in float64, padded lanes included."""
    return unpack_images(x, 16 * x.tiles).astype(np.float64)


def inside(x):
    """Return where the array of packed images is not their border."""
    found = np.zeros(x.array.shape, np.bool_)
    rows, columns = (slice(x.border, size - x.border) for size in x.array.shape[2:4])
    found[:, :, rows, columns] = True
    return found


def same(result, expected, atol=None):
    """Agree to float32 rounding, relative to the largest of the sums or to `atol`; images have zeros in their border."""
    if isinstance(result, Images):
        result, expected = result.array, pack_images(expected, result.border).array
    assert result.shape == expected.shape
    assert result.dtype == np.float32
    atol = 2e-5 * np.abs(expected).max(initial=1) if atol is None else atol
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=atol)


def any_shares(function, *args, counts=(1, 2, 3, 7), **options):
    """Call a function of arrays with its work cut into 1, 2, 3 and 7 shares; return what all returned: the same bits."""
    results = []
    for count in counts:
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setattr(threads, "available_threads", lambda count=count: count)
            result = function(*args, threads=count, **{name: _copied(value) for name, value in options.items()})
        parts = result if isinstance(result, tuple) else (result,)
        results.append([part.array if isinstance(part, Images) else part for part in parts])
        for one, other in zip(results[0], results[-1], strict=True):
            np.testing.assert_array_equal(one, other)
    return result


def _copied(value):
    return Images(value.array.copy(), value.border) if isinstance(value, Images) else value
