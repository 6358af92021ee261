"""What programs of rows keep, make again and write over."""

import numpy as np

import tinyticket as tt
from tests.compiler.networks import compiled
from tinyticket.nn import BatchNorm2d, Conv2d, Flatten, Linear, ReLU, Sequential

SHAPE = (3, 8, 8)


def rows_of(step):
    step((np.zeros((16, *SHAPE), np.float32), np.arange(16) % 4), np.arange(16))
    return step._program._passes.training


def normalised(rng, last):
    return Sequential(
        {
            "conv1": Conv2d(3, 6, 3, padding=1, bias=False, rng=rng),
            "norm1": BatchNorm2d(6),
            "relu1": ReLU(),
            "conv2": Conv2d(6, 6, 3, padding=1, bias=False, rng=rng),
            "norm2": BatchNorm2d(6),
            "relu2": ReLU(),
            "flatten": Flatten(),
            "output": Linear(6 * 64, last, rng=rng),
        }
    )


def test_what_one_convolution_reads_of_a_normalisation_is_made_again():
    rows = rows_of(compiled(normalised(np.random.default_rng(0), 4), kernels="dense"))
    [again] = [row for row in rows if row.routine == "normalise_again"]
    first = next(row for row in rows if row.routine == "normalise")
    assert again.reads[0] is first.reads[0]
    assert again.writes[0] not in first.writes
    assert again.owner is first.owner


def test_gradients_of_a_residual_network_lie_where_its_values_were():
    rows = rows_of(compiled(tt.models.create("resnet-20", SHAPE, classes=4, rng=0), kernels="dense"))
    for row in rows:
        if row.routine == "normalise_backward":
            assert row.reads[0].place == row.writes[0].place, "the input's gradient takes the place of the input"
    norms = {row.reads[0].place for row in rows if row.routine == "normalise"}
    assert len(norms) == 21, "a normalisation's input is kept"
    outputs = {row.writes[0].place for row in rows if row.routine == "normalise"}
    assert len(outputs) <= 12, "the nine that are made again make room for others meanwhile"
