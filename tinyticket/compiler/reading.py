"""Which kind of network a model is read as, and for which device."""

from __future__ import annotations

from tinyticket.compiler.mlp.model import MLPModel
from tinyticket.compiler.network.model import NetworkModel
from tinyticket.compiler.tape import UnsupportedError
from tinyticket.errors import InputError, near
from tinyticket.nn import Module

DEVICES = ("cpu", "cuda")


def require_device(device: str) -> None:
    """Raise InputError unless there is a device of that name here."""
    check_device(device)
    if device != "cpu":
        from tinyticket.kernels.cuda import toolkit  # CUDA is imported when somebody asks for it, not before

        toolkit.require()


def check_device(device: str) -> None:
    """Raise InputError unless a device may be called so, here or elsewhere."""
    if device not in DEVICES:
        raise InputError(f"no device is called {device!r}{near(str(device), DEVICES)}")


def read(model: Module, input_shape: tuple[int, ...] | None, device: str) -> MLPModel | NetworkModel:
    """Return the model as the kind of network that suits it and the device best.

    Raises
    ------
    UnsupportedError
        If there is none.
    """
    if device != "cpu":
        from tinyticket.compiler.device.model import DeviceModel

        return DeviceModel.of(model, input_shape)
    try:
        return MLPModel.of(model, input_shape)
    except UnsupportedError:
        return NetworkModel.of(model, input_shape)
