"""tinyticket finds, proves and uses winning lottery tickets on a CPU, without a deep-learning framework.

    import tinyticket as tt

    result = tt.lottery.find(model="lenet-300-100", data="digits", out="ticket.h5")
    print(result.verdict["text"])

The rooms: `tt.nn`, `tt.optim`, `tt.data`, `tt.prune`, `tt.lottery`, `tt.report`, `tt.sklearn`, `tt.kernels`; docs/architecture.md
shows how they lie. They are imported when first used, so that `import tinyticket` is quick.
"""

import importlib
from typing import TYPE_CHECKING, Any

from tinyticket._version import __version__

if TYPE_CHECKING:
    from tinyticket import data, kernels, lottery, nn, optim, prune, report, sklearn
    from tinyticket.autograd import (
        Drawing,
        Tensor,
        concatenate,
        draw,
        einsum,
        gradcheck,
        maximum,
        minimum,
        no_grad,
        stack,
        where,
    )
    from tinyticket.compiler import compile, warmup
    from tinyticket.errors import InputError
    from tinyticket.nn import models
    from tinyticket.results import load
    from tinyticket.store.weights import load_weights, save_weights

_HOMES = {
    **dict.fromkeys(["data", "kernels", "lottery", "nn", "optim", "prune", "report", "sklearn"], None),
    **dict.fromkeys(
        ("Drawing", "Tensor", "concatenate", "draw", "einsum", "gradcheck", "maximum", "minimum", "no_grad"), "autograd"
    ),
    **dict.fromkeys(["stack", "where"], "autograd"),
    "InputError": "errors",
    "models": "nn",
    "load": "results",
    **dict.fromkeys(["load_weights", "save_weights"], "store.weights"),
    "compile": "compiler",
    "warmup": "compiler",
}
__all__ = [
    "Drawing",
    "InputError",
    "Tensor",
    "__version__",
    "compile",
    "concatenate",
    "data",
    "draw",
    "einsum",
    "gradcheck",
    "kernels",
    "load",
    "load_weights",
    "lottery",
    "maximum",
    "minimum",
    "models",
    "nn",
    "no_grad",
    "optim",
    "prune",
    "report",
    "save_weights",
    "sklearn",
    "stack",
    "warmup",
    "where",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tinyticket' has no attribute {name!r}")
    home = _HOMES[name]
    value = (
        getattr(importlib.import_module(f"tinyticket.{home}"), name)
        if home
        else importlib.import_module(f"tinyticket.{name}")
    )
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
