"""Which models compile, and what is said of those that do not."""

import numpy as np
import pytest

import tinyticket as tt
from tests.compiler.networks import CLASSES, examples, mlp
from tinyticket.compiler import CompiledStep, EagerStep
from tinyticket.compiler.read import read_graph
from tinyticket.nn import (
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Buffer,
    Conv2d,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    LeakyReLU,
    Linear,
    MaxPool2d,
    Module,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    Tanh,
    ZeroPad2d,
    functional,
)
from tinyticket.optim import SGD


class Forward(Module):
    """A layer, and a forward pass that is given."""

    def __init__(self, forward, layer=None):
        self.layer, self.pass_ = layer or Linear(20, CLASSES, rng=0), forward

    def forward(self, x):
        return self.pass_(self.layer, x)


class Spread(Module):
    """exp(x), for which there is no compiled kernel."""

    def forward(self, x):
        return x.exp()


def compile_(model):
    return tt.compile(model, "cross_entropy", SGD(model.parameters(), 0.1), 16)


@pytest.mark.parametrize(
    ("model", "kinds"),
    [
        (lambda: mlp(20, 8, CLASSES), ["linear", "linear"]),
        (lambda: mlp(20, 8, 6, 5, CLASSES, activations=("tanh", "sigmoid", "leaky")), None),
        (lambda: Sequential(Flatten(), Linear(20, 8), ReLU(), Linear(8, CLASSES)), ["linear", "linear"]),
        (lambda: Forward(lambda layer, x: functional.relu(layer(x))), ["linear", "copy"]),
        (lambda: Forward(lambda layer, x: layer(x).tanh()), ["linear", "tanh"]),
        (lambda: Forward(lambda layer, x: layer(x.sigmoid())), ["sigmoid", "linear"]),
        (
            lambda: Sequential(Linear(20, 9), BatchNorm1d(9), ReLU(), Linear(9, CLASSES)),
            ["linear", "batch_norm", "linear"],
        ),
        (lambda: Sequential(Linear(20, 9), Dropout(0.5, rng=0), Linear(9, CLASSES)), ["linear", "dropout", "linear"]),
    ],
)
def test_models_of_linear_layers_and_what_stands_between_compile(model, kinds):
    kinds = kinds or ["linear", "tanh", "linear", "sigmoid", "linear", "leaky_relu", "linear"]
    step = compile_(model())
    assert isinstance(step, CompiledStep), step.explain()
    assert [operation.kind for operation in step.network.graph.operations] == kinds


def test_a_module_may_stand_in_several_places():
    relu = ReLU()
    model = Sequential(Linear(20, 9, rng=0), relu, Linear(9, 8, rng=0), relu, Linear(8, CLASSES, rng=0))
    step, data = compile_(model), examples((20,))
    assert isinstance(step, CompiledStep)
    assert "forward" not in vars(relu), "what watched it is gone"
    assert step(data, np.arange(16)) > step(data, np.arange(16))


def test_models_of_images_compile_with_all_layers_that_the_library_has():
    model = Sequential(
        ZeroPad2d((1, 0, 0, 1)),
        Conv2d(3, 4, 3, padding=1, rng=0),
        BatchNorm2d(4),
        LeakyReLU(),
        MaxPool2d(2),
        Residual(Sequential(Conv2d(4, 4, 3, padding=1, rng=0), Tanh()), Sigmoid()),
        AvgPool2d(2),
        Dropout(0.3, rng=0),
        GlobalAvgPool2d(),
        Linear(4, CLASSES, rng=0),
    )
    step = tt.compile(model, "cross_entropy", SGD(model.parameters(), 0.1), 16, input_shape=(3, 8, 8))
    assert isinstance(step, CompiledStep), step.explain()
    assert {operation.kind for operation in step.network.graph.operations} == {
        "add", "avg_pool2d", "batch_norm", "conv2d", "dropout", "leaky_relu", "linear", "max_pool2d", "pad2d", "sigmoid", "tanh"
    }  # fmt: skip


def test_padding_that_keeps_the_size_of_images_compiles():
    model = Sequential(Conv2d(3, 4, 2, padding="same", rng=0), ReLU(), GlobalAvgPool2d(), Linear(4, CLASSES, rng=0))
    x = np.random.default_rng(0).standard_normal((16, 3, 8, 8)).astype(np.float32)
    step = tt.compile(model, "cross_entropy", SGD(model.parameters(), 0.1), 16, input_shape=(3, 8, 8))
    assert isinstance(step, CompiledStep), step.explain()
    np.testing.assert_allclose(step.predict(x), model.eval()(x).data, rtol=1e-4, atol=1e-6)


class Shared(Module):
    """Two normalisations with the statistics of one."""

    def __init__(self):
        self.layer, self.one, self.other = Linear(20, CLASSES, rng=0), BatchNorm1d(CLASSES), BatchNorm1d(CLASSES)
        for name, part in list(vars(self.one).items()):
            if isinstance(part, Buffer):
                setattr(self.other, name, part)

    def forward(self, x):
        return self.other(self.one(self.layer(x)))


class Unused(Module):
    """A layer that nothing depends on."""

    def __init__(self):
        self.layer, self.left = Linear(20, CLASSES, rng=0), Linear(3, 3, rng=0)

    def forward(self, x):
        return self.layer(x)


class Images(Module):
    """Something done to images of 8 x 8, and a linear layer of the means of its channels."""

    def __init__(self, layer, channels):
        self.layer, self.output = layer, Linear(channels, CLASSES, rng=0)

    def forward(self, x):
        return self.output(functional.global_avg_pool2d(self.layer(x)))


def images(layer, channels=4):
    return lambda: Images(layer, channels)


def frozen():
    model = mlp(20, 8, CLASSES)
    next(iter(model.parameters())).requires_grad = False
    return model


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (
            lambda: Sequential(Linear(20, 8), Spread(), Linear(8, 4)),
            "1 (Spread): there is no compiled kernel for exp here",
        ),
        (lambda: mlp(20, 4).astype(np.float64), "0 (Linear): compiled kernels want float32 parameters"),
        (frozen, "0 (Linear): its parameters are frozen"),
        (
            lambda: Forward(lambda layer, x: functional.dropout(layer(x), 0.5)),
            "the model (Forward): compiled steps draw for nn.Dropout only, not for functional.dropout",
        ),
        (
            lambda: Forward(lambda layer, x: layer(x) + np.ones((2, 1), np.float32)),
            "the model (Forward): compiled additions want equal shapes",
        ),
        (
            lambda: Forward(lambda layer, x: layer(x) + np.ones((2, 4), np.float32)),
            "the model (Forward): add uses a tensor that is no result of the input",
        ),
        (lambda: Forward(lambda layer, x: layer(x) + layer(x)), "two layers share a parameter"),
        (lambda: Forward(lambda layer, x: layer(x.reshape(1, -1, 20))), "the model (Forward): compiled steps reshape"),
        (
            lambda: Forward(
                lambda layer, x: functional.flatten(layer(x)), Conv2d(20, 4, 3, stride=(1, 2), padding=1, rng=0)
            ),
            "layer (Conv2d): compiled kernels want the same stride for rows and columns, not 1 and 2",
        ),
        (images(Conv2d(3, 4, 3, dilation=2, rng=0)), "layer (Conv2d): compiled kernels know no dilation"),
        (images(Conv2d(3, 6, 3, groups=3, rng=0), channels=6), "layer (Conv2d): compiled kernels know no groups"),
        (images(MaxPool2d(2, dilation=2), channels=3), "layer (MaxPool2d): compiled kernels know no dilation"),
        (images(MaxPool2d(3, ceil_mode=True), channels=3), "layer (MaxPool2d): compiled kernels know no ceil_mode"),
        (
            images(lambda x: functional.pad(x, (1, 1), value=1.0), channels=3),
            "the model (Images): there is no compiled kernel for pad here",
        ),
        (
            images(lambda x: functional.pad(x, (1, 1), "reflect"), channels=3),
            "the model (Images): there is no compiled kernel for getitem here",
        ),
        (Unused, "left.weight: a parameter that the output does not depend on"),
        (Shared, "two layers share running statistics"),
        (lambda: Sequential(Conv2d(20, 4, 3, padding=1, rng=0)), "the model's output has the shape (2, 4, "),
        (lambda: Sequential(ReLU(), Flatten(), BatchNorm1d(4)), "the model has no convolution and no linear layer"),
    ],
    ids=[
        "exp",
        "float64",
        "frozen",
        "dropout",
        "broadcast",
        "constant",
        "shared",
        "reshape",
        "stride",
        "dilation",
        "groups",
        "dilated pooling",
        "pooling rounded up",
        "padding with a value",
        "padding from inside",
        "unused",
        "statistics",
        "images",
        "nothing",
    ],
)
def test_what_cannot_be_compiled_runs_eagerly_and_names_the_layer(model, words):
    model = model()
    shape = (3, 8, 8) if isinstance(model, Images) else None
    step = tt.compile(model, "cross_entropy", SGD(model.parameters(), 0.1), 16, input_shape=shape)
    assert isinstance(step, EagerStep)
    assert f"eager: {words}" in step.explain()
    assert step.plan() == {"mode": "eager"}


def test_what_cannot_be_compiled_is_trained_all_the_same():
    step, (x, y) = compile_(Sequential(Linear(20, 8, rng=0), Spread(), Linear(8, 4, rng=0))), examples((20,))
    losses = [step((x / 10, y), np.arange(16)) for _ in range(5)]
    assert losses == sorted(losses, reverse=True)
    assert len(set(losses)) == 5


def test_an_optimizer_of_other_parameters_cannot_be_compiled():
    model = mlp(20, 8, 4)
    step = tt.compile(model, "cross_entropy", SGD(list(model.parameters())[:2], 0.1), 16)
    assert isinstance(step, EagerStep)
    assert "exactly the model's parameters" in step.explain()


@pytest.mark.parametrize("mode", [True, False])
def test_reading_leaves_the_model_as_it_was(mode):
    dropout = Dropout(0.5, rng=0)
    model = Sequential(Flatten(), Linear(20, 8, rng=0), BatchNorm1d(8), ReLU(), dropout, Linear(8, 4, rng=0))
    model.train(mode)
    before = {name: dict(vars(part)) for name, part in model.named_modules()}
    state, drawn = model.state_dict(), dropout.rng.bit_generator.state
    graph = read_graph(model, (20,))
    assert [graph.names[id(o.parameters["weight"])] for o in graph.weighted()] == ["1.weight", "5.weight"]
    assert {name: dict(vars(part)) for name, part in model.named_modules()} == before
    assert dropout.rng.bit_generator.state == drawn
    assert all(value.tobytes() == state[name].tobytes() for name, value in model.state_dict().items())
