"""A model as `tt.compile` sees it: a graph of operations, and the steps that are made of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinyticket.compiler.fuse import lay_out
from tinyticket.compiler.graph import Graph
from tinyticket.compiler.read import read_graph
from tinyticket.compiler.tape import UnsupportedError
from tinyticket.errors import InputError, near
from tinyticket.nn import Module, Prunable
from tinyticket.nn.losses import Loss


class UnknownShapeError(UnsupportedError):
    """Nothing but examples tells their shape."""


DEVICES = ("cpu", "cuda")

SINGLES = 2
"""The most samples that are predicted one by one, by steps that do not train and whose batches are no larger: a tile of sixteen
samples takes as long as three alone."""

SIDES = (32, 28, 8, 16, 64, 24, 12, 20, 40, 48, 96, 128, 224)
"""Sides of the images that a network is read with where no input shape is given; the first batch decides."""


def check_device(device: str) -> None:
    """Raise InputError unless a device may be called so, here or elsewhere."""
    if device not in DEVICES:
        raise InputError(f"no device is called {device!r}{near(str(device), DEVICES)}")


def require_device(device: str) -> None:
    """Raise InputError unless there is a device of that name here."""
    check_device(device)
    if device != "cpu":
        from tinyticket.kernels.cuda import toolkit  # CUDA is imported when it is asked for, not before

        toolkit.require()


class Network:
    """A graph of operations that all have kernels: else an UnsupportedError is raised.

    Where no `input_shape` of one example is given, it is the first one that the model accepts.
    """

    def __init__(
        self,
        model: Module,
        input_shape: tuple[int, ...] | None = None,
        device: str = "cpu",
        loss: Loss | None = None,
    ):
        self.model, self.device = model, device
        self.input_shape, self.graph = _read(model, input_shape)
        self.graph.loss = loss or self.graph.loss
        lay_out(self.graph)
        if device != "cpu" and (connected := [o for o in self.graph.weighted() if o.connected]):
            raise UnsupportedError(f"{connected[0].where}: there is no kernel there for layers of some connections")
        if device != "cpu" and (units := self.graph.of_kind("srelu")):
            raise UnsupportedError(f"{units[0].where}: there is no kernel there for S-shaped ReLUs")
        self._any_shape = device == "cpu" and self.graph.is_mlp
        self.layers = {self.graph.names[id(o.parameters["weight"])]: o for o in self.graph.weighted()}
        self.weights = {name: operation.parameters["weight"] for name, operation in self.layers.items()}
        self.parameters = self.graph.parameters()
        self.buffers = self.graph.buffers()

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether examples of a shape can be bound; those of an MLP are features on the CPU, whatever their shape."""
        return shape == self.input_shape or self._any_shape

    def fastest(self, name: str, exact: bool = False) -> str:
        """Return the kernel that is expected to be fastest for a layer under its present mask.

        It is "dense", "sparse" if that is clearly faster, or, unless convolutions are to be `exact`, "winograd".
        """
        from tinyticket.sparse import choice  # which needs Numba

        operation, mask = self.layers[name], self.weights[name].mask
        if operation.connected:
            return "sparse"
        shape, density = operation.weight_shape, self.density(name)
        if self.device != "cpu":
            from tinyticket.compiler.cuda.choice import runs_sparse

            return "sparse" if mask is not None and runs_sparse(operation, density) else "dense"
        first, y = not operation.inputs[0].needs_gradient, operation.output
        if operation.kind == "linear":
            return "sparse" if mask is not None and choice.sparse_is_faster(shape, density, first) else "dense"
        winograd = not exact and self.takes_winograd(name)
        return choice.fastest_convolution(shape, density, (y.height, y.width), first, winograd)

    def density(self, name: str) -> float:
        """Return the share of all pairs of a layer's inputs and outputs that have a weight under its present mask."""
        operation, weight = self.layers[name], self.weights[name]
        kept = 1.0 if weight.mask is None else float(weight.mask.mean())
        return kept * operation.connected.connections.density if operation.connected else kept

    def takes_winograd(self, name: str) -> bool:
        """Whether Winograd's algorithm computes a layer."""
        from tinyticket.compiler.layout import window_of
        from tinyticket.kernels.cpu.convolution import takes_winograd

        operation = self.layers[name]
        return self.device == "cpu" and operation.kind == "conv2d" and takes_winograd(window_of(operation, 1))

    def expected(self, name: str, density: float, kernel: str) -> float | None:
        """Return the nanoseconds on one core that a layer should take of a step of 64 samples, if a model of costs tells."""
        return self._cost(name, density, kernel) if self.device == "cpu" else None

    def _cost(self, name: str, density: float, kernel: str) -> float:
        from tinyticket.sparse import choice

        operation, shape = self.layers[name], self.layers[name].weight_shape
        first, y = not operation.inputs[0].needs_gradient, operation.output
        if operation.kind == "linear":
            return choice.expected(shape, density, first, kernel == "sparse")
        return choice.expected_convolution(shape, density, (y.height, y.width), first, kernel)

    def step(self, kernels: Mapping[str, str], **options: Any) -> Any:
        """Return its compiled step for the present masks, whose layers run by such kernels.

        Numba is imported when something is compiled, not before.
        """
        sparse, winograd = (
            {weight for name, weight in self.weights.items() if kernels[name] == kernel}
            for kernel in ("sparse", "winograd")
        )
        masks = {parameter: parameter.mask for parameter in self.parameters}
        if self.device == "cpu":
            from tinyticket.compiler.cpu.step import CpuStep

            return CpuStep(self.graph, masks, sparse, winograd=winograd, **options)
        from tinyticket.compiler.cuda.step import CudaStep

        return CudaStep(self.graph, masks, sparse, **options)


def _read(model: Module, input_shape: tuple[int, ...] | None) -> tuple[tuple[int, ...], Graph]:
    """Return the shape of an example, and the graph that the model is for such examples."""
    if input_shape is not None:
        return input_shape, read_graph(model, input_shape)
    layer = next((module for _, module in model.named_modules() if isinstance(module, Prunable)), None)
    if layer is None:
        raise UnsupportedError("the model has no convolution and no linear layer")
    features, channels = getattr(layer, "in_features", None), layer.weight.shape[:2][-1]
    for shape in [(channels, side, side) for side in SIDES] if features is None else [(features,)]:
        try:
            return shape, read_graph(model, shape)
        except UnsupportedError:
            raise
        except Exception:  # whatever a model's own code makes of images of a wrong size
            continue
    raise UnknownShapeError("nothing tells the shape of an example: give `compile` an input_shape")
