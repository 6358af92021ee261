"""What networks are lowered to: which kernels, what they keep, make again and write over."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinyticket as tt
from tests.compiler.networks import BLOCKS, CLASSES, architectures, masked, mlp, network
from tinyticket.compiler import lower
from tinyticket.compiler.layout import Layout, Values
from tinyticket.compiler.network import Network
from tinyticket.compiler.op import Op
from tinyticket.compiler.schedule import Places, order, place
from tinyticket.kernels.cpu.job import kernel_of
from tinyticket.kernels.cpu.update import RULES, SLOTS
from tinyticket.nn import BatchNorm2d, Conv2d, Flatten, Linear, ReLU, Sequential

SHAPE = (3, 8, 8)


def programs(model, shape, sparse=False, batch_size=16, rule="momentum"):
    """Return the operations of a network's training, gradients, evaluation and prediction."""
    network = Network(model, shape)
    masks = {parameter: parameter.mask for parameter in network.parameters}
    chosen = {weight for weight in network.weights.values() if sparse and weight.mask is not None}
    layout = Layout(network.graph, masks, chosen, SLOTS[RULES[rule]], batch_size)
    together, apart = Values(layout, layout.tiles, private=False), Values(layout, 1, private=True)
    lowered = [
        lower.training(layout, together, RULES[rule], {}),
        lower.gradients(layout, together),
        lower.evaluation(layout, together),
        lower.prediction(layout, apart),
    ]
    return [order(program.ops, program.chains) for program in lowered]


def name(op: Op) -> str:
    return kernel_of(op.job).name


def normalised():
    rng = np.random.default_rng(0)
    return Sequential(
        {
            "conv1": Conv2d(3, 6, 3, padding=1, bias=False, rng=rng),
            "norm1": BatchNorm2d(6),
            "relu1": ReLU(),
            "conv2": Conv2d(6, 6, 3, padding=1, bias=False, rng=rng),
            "norm2": BatchNorm2d(6),
            "relu2": ReLU(),
            "flatten": Flatten(),
            "output": Linear(6 * 64, CLASSES, rng=rng),
        }
    )


def test_what_one_convolution_reads_of_a_normalisation_is_made_again():
    ops = programs(normalised(), SHAPE)[0]
    [again] = [op for op in ops if name(op) == "batch_norm_again"]
    first = next(op for op in ops if name(op) == "batch_norm")
    assert again.reads[0] is first.reads[0]
    assert again.writes[0] not in first.writes
    assert again.layer is first.layer
    assert ops.index(again) > ops.index(next(op for op in ops if name(op) == "cross_entropy"))


def test_gradients_of_a_residual_network_lie_where_its_values_were():
    ops = programs(tt.models.create("resnet-20", SHAPE, classes=4, rng=0), SHAPE)[0]
    place(Places(), ops)
    for op in ops:
        if name(op) == "batch_norm_gradient":
            assert op.reads[0].place == op.writes[0].place, "the input's gradient takes the place of the input"
    norms = {op.reads[0].place for op in ops if name(op) == "batch_norm"}
    assert len(norms) == 21, "a normalisation's input is kept"
    outputs = {op.writes[0].place for op in ops if name(op) == "batch_norm"}
    assert len(outputs) <= 12, "the nine that are made again make room for others meanwhile"


def test_a_plain_network_is_what_its_layers_do_forth_and_back():
    training, _, evaluation, prediction = programs(masked(mlp(20, 9, 8, CLASSES), 0.5), (20,), sparse=True, rule="sgd")
    layers = ["sparse_linear"] * 3
    assert [name(op) for op in evaluation] == ["gather", *layers, "gather_labels", "cross_entropy_eval", "sum_losses"]
    assert [name(op) for op in prediction] == ["gather", *layers, "unpack_logits"]
    names = [name(op) for op in training]
    assert names[:7] == ["gather", *layers, "gather_labels", "cross_entropy", "sum_losses"]
    assert names.count("sparse_linear_gradient") == 2
    assert names.count("sparse_linear_weight_gradient") == 1, "the first layer has no input to give a gradient to"
    assert names.count("update") == 6
    assert names.count("reorder_survivors") == 2


@pytest.mark.parametrize("block", sorted(BLOCKS))
def test_training_has_a_gradient_for_what_an_evaluation_does(block):
    training, gradients, evaluation, _ = programs(network(("conv1", block), "linear", SHAPE), SHAPE)
    layers = {op.layer for op in evaluation if op.layer is not None}
    for program in (training, gradients):
        loss = next(i for i, op in enumerate(program) if name(op) == "cross_entropy")
        assert {op.layer for op in program[:loss]} - {None} == layers
        assert {op.layer for op in program[loss:]} - {None} == layers


@settings(max_examples=40, deadline=None)
@given(architecture=architectures(), sparse=st.booleans(), batch_size=st.sampled_from([1, 16, 40, 100]))
def test_operations_name_what_they_touch_and_write_either_what_threads_share_or_their_own(
    architecture, sparse, batch_size
):
    model, shape = architecture
    for ops in programs(model, shape, sparse, batch_size):
        written = set()
        for op in ops:
            # Every thread does all of what it writes for itself; shares of it would not be written by anyone.
            assert len({block.private for block in op.writes}) <= 1
            assert {*op.own} <= {*op.reads, *op.writes}
            assert {old for old, _ in op.may_overwrite} <= {*op.reads}
            assert {new for _, new in op.may_overwrite} <= {*op.writes}
            assert {*op.reads, *op.writes} <= {*op.blocks}
            written |= {*op.writes}
        values = {block for op in ops for block in op.blocks if block.kind is not None}
        read = {block for op in ops for block in op.reads}
        assert values & read <= written, "what is computed on the way is read after it has been written only"
