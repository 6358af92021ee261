"""Steps of the CPU's back end by themselves, without what `tt.compile` does around them."""

import copy

import numpy as np

from tests.compiler.networks import OPTIMIZERS
from tinyticket.compiler import EagerStep
from tinyticket.compiler.network import Network
from tinyticket.compiler.rule import rule_of
from tinyticket.nn import Dropout


def cpu_step(model, shape, make="momentum", kernels="dense", batch_size=16, turns=None, **options):
    """Return a step that holds a model's values.

    `kernels` is one word for all layers that can run so, or "mixed" for sparse and dense; "tiles" are `turns` of networks that
    can be taken so.
    """
    network = Network(model, shape)
    if turns == "tiles" and network.buffers:
        turns = None
    chosen = {}
    for place, (name, weight) in enumerate(network.weights.items()):
        kernel = ("sparse", "dense")[place % 2] if kernels == "mixed" else kernels
        able = {"dense": True, "sparse": weight.mask is not None, "winograd": network.takes_winograd(name)}
        chosen[name] = kernel if able[kernel] else "dense"
    rule, settings = rule_of(OPTIMIZERS[make](model.parameters()), network.parameters)
    step = network.step(chosen, batch_size=batch_size, rule=rule, turns=turns, **settings, **options)
    step.write({parameter: [parameter.data] for parameter in network.parameters})
    return step


def values(step, model):
    """Return the bytes of all parameters, slots and running statistics that a step holds."""
    parameters = [array.tobytes() for parameter in model.parameters() for array in step.read(parameter)]
    return parameters + [step.read_buffer(buffer).tobytes() for _, buffer in model.named_buffers()]


def streams(model):
    """Return the states of the generators that dropout draws from."""
    return {m: m.rng.bit_generator.state for _, m in model.named_modules() if isinstance(m, Dropout)}


def rewind(generators):
    """Let dropout draw again what it drew from these states."""
    for module, state in generators.items():
        module.rng.bit_generator.state = state


def in_float64(model, make="momentum"):
    """Return an eager step of the same model in double precision."""
    twin = copy.deepcopy(model).astype(np.float64)
    return EagerStep(twin, OPTIMIZERS[make](twin.parameters()))


def state(step, model):
    """Return the values and the slots that a step holds of a model's parameters, by name."""
    return {name: step.read(parameter) for name, parameter in model.named_parameters()}
