"""Masks as images."""

from types import SimpleNamespace

import numpy as np
import pytest

from tinyticket.nn import Connections
from tinyticket.report.masks import mask_images
from tinyticket.results.analyses.fields import picture_shape


def images(masks, shape, side=128, graphs=None):
    rng = np.random.default_rng(0)
    trained = {name: rng.normal(size=mask.shape) for name, mask in masks.items()}
    result = SimpleNamespace(data={"input_shape": shape}, connections=lambda trial, round: graphs or {})
    (found,) = mask_images(result, 0, [SimpleNamespace(number=3, masks=masks, trained=trained)], side).values()
    return {image.name: image for image in found}


def test_of_an_image_every_pixel_has_the_connections_that_it_keeps():
    mask = np.zeros((5, 12), bool)
    mask[:3, 7] = mask[0, 0] = True
    found = images({"fc1.weight": mask}, [1, 3, 4])
    pixels = found["input pixels"].values
    assert pixels.shape == (3, 4)
    assert (pixels[1, 3], pixels[0, 0], np.count_nonzero(pixels)) == (1, 1 / 3, 2)
    assert "3 at most; 10 of 12 pixels keep none" in found["input pixels"].words


def test_a_layer_that_was_never_dense_is_shown_as_the_dense_one_of_its_survivors():
    graph, rng = Connections.random(12, 300, 0.2, 0), np.random.default_rng(1)
    mask, whole = rng.random(graph.count) < 0.5, np.zeros(300 * 12, bool)
    whole[graph.positions()[mask]] = True
    found = images({"fc1.weight": mask}, [1, 3, 4], 60, {"fc1.weight": graph})
    dense = images({"fc1.weight": whole.reshape(300, 12)}, [1, 3, 4], 60)
    for name in ("input pixels", "fc1"):
        np.testing.assert_array_equal(found[name].values, dense[name].values)
    assert f"{mask.mean():.1%} of its weights left" in found["fc1"].words


def test_receptive_fields_are_trained_weights_side_by_side_scaled_each():
    mask = np.zeros((10, 4), bool)
    mask[2], mask[7, 1] = True, True
    fields = images({"fc1.weight": mask}, [2, 2])["receptive fields of the first layer"].values
    assert fields.shape == (2 * 3 - 1, 8 * 3 - 1)  # two rows of eight, a cell between each
    assert np.abs(fields).max() == 1
    assert np.count_nonzero(fields) == 5


def test_kernels_of_a_convolution_are_shown_instead():
    found = images({"conv1.weight": np.ones((4, 3, 3, 3), bool)}, [3, 8, 8])
    assert list(found) == ["kernels of the first layer", "conv1"]
    assert found["conv1"].values.shape == (4, 27)


def test_inputs_that_are_no_images_have_layers_alone():
    assert list(images({"fc1.weight": np.ones((4, 12), bool)}, [12])) == ["fc1"]
    assert picture_shape([12]) == ()


@pytest.mark.parametrize("shape", [(7, 5), (128, 1), (300, 784), (129, 257)])
def test_a_cell_is_the_share_of_its_weights_that_are_left(shape):
    mask = np.random.default_rng(1).random(shape) < 0.3
    values = images({"a.weight": mask}, [9], side=64)["a"].values ** 2
    assert max(values.shape) <= 64
    steps = [-(-size // 64) for size in shape]
    rows, columns = (np.arange(0, size, step) for size, step in zip(shape, steps, strict=True))
    for i, row in enumerate(rows[[0, -1]]):
        for j, column in enumerate(columns[[0, -1]]):
            cell = mask[row : row + steps[0], column : column + steps[1]]
            assert np.isclose(values[-i, -j], cell.mean())
