"""Networks of images on a device, simulated where there is none, against eager ones: every kind of operation."""

import numpy as np
import pytest

from tests.compiler.networks import CLASSES, assert_equal_to_rounding, examples, masked, network, twins
from tinyticket.data import Augmentation, Pixels
from tinyticket.nn import Conv2d, Flatten, Linear, Sequential

SHAPE, BATCH = (2, 2, 2), 5
NETWORKS = {
    "dense": (("conv3", "relu", "max"), "linear", (2, 4, 4), None, None),
    "stride": (("conv3 stride",), "global", (2, 3, 4), 0.5, "sparse"),
    "norm": (("conv1", "norm relu", "avg"), "linear", (1, 4, 4), 0.5, {"0.weight": "sparse"}),
    "residual": (("conv1", "residual"), "global", SHAPE, None, None),
    "projection": (("projection",), "global", (1, 3, 3), 0.6, None),
    "shortcut": (("shortcut", "plain norm"), "global", (1, 3, 4), None, None),
    "pools": (("conv wide", "max overlapping", "avg padded", "pad"), "relu", (1, 2, 2), 0.5, "sparse"),
    "dropout": (("conv1", "dropout", "plain residual"), "layers", SHAPE, None, None),
    "activations": (("conv1", "leaky", "smooth residual"), "global", (1, 3, 3), None, None),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_steps_agree_with_eager_ones_to_rounding(name):
    blocks, end, shape, density, kernels = NETWORKS[name]
    model = network(blocks, end, shape)
    if density is not None:
        masked(model, density)
    if kernels == "sparse":
        kernels = dict.fromkeys(model.prunable(), "sparse")
    step, eager = twins(model, "momentum", BATCH, kernels=kernels, input_shape=shape, device="cuda")
    x, y = examples(shape, BATCH)
    batches = np.arange(BATCH)[None]
    np.testing.assert_allclose(step.run((x, y), batches), eager.run((x, y), batches), rtol=1e-4)
    assert step.evaluate((x, y))[0] == pytest.approx(eager.evaluate((x, y))[0], rel=1e-3)
    np.testing.assert_allclose(step.predict(x), eager.predict(x), rtol=1e-3, atol=1e-4)
    assert_equal_to_rounding(step.model, eager.model, 1e-4)
    for weight in step.model.prunable().values():
        if weight.mask is not None:
            assert not weight.data[~weight.mask].view(np.uint32).any()


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_images_of_one_pixel_have_borders_too(device):
    model = Sequential(Conv2d(2, 3, 3, padding=1, rng=0), Flatten(), Linear(3, CLASSES, rng=1))
    step, eager = twins(model, "sgd", BATCH, input_shape=(2, 1, 1), device=device)
    data, batches = examples((2, 1, 1), BATCH), np.arange(BATCH)[None]
    np.testing.assert_allclose(step.run(data, batches), eager.run(data, batches), rtol=1e-5)
    assert_equal_to_rounding(step.model, eager.model, 1e-5)


def test_pixels_are_gathered_as_bytes_shifted_and_mirrored():
    rng = np.random.default_rng(0)
    x = Pixels(rng.integers(0, 256, (7, *SHAPE), np.uint8), [0.4, 0.5], [0.2, 0.3])
    y, draws = rng.integers(0, 4, 7), np.array([Augmentation(pad=2).draw(rng, BATCH) for _ in range(2)])
    step, eager = twins(network((), "linear", SHAPE), "sgd", BATCH, input_shape=SHAPE, device="cuda")
    batches = rng.integers(0, 7, (2, BATCH))
    for given in (draws, None):
        losses = [one.run((x, y), batches, [0.1, 0.2], given) for one in (step, eager)]
        np.testing.assert_allclose(*losses, rtol=1e-4)
    assert step.evaluate((x, y))[0] == pytest.approx(eager.evaluate((x, y))[0], rel=1e-4)


def test_dropout_masks_of_a_long_call_go_in_pieces(monkeypatch):
    monkeypatch.setattr("tinyticket.compiler.cuda.step.FED_AT_MOST", 1)
    model = network(("dropout",), "linear", SHAPE)
    step, eager = twins(model, "sgd", BATCH, input_shape=SHAPE, device="cuda")
    data, batches = examples(SHAPE, 10), np.arange(BATCH)[None].repeat(2, axis=0)
    np.testing.assert_allclose(step.run(data, batches), eager.run(data, batches), rtol=1e-4)
