"""Layers of weights in C: what is not zero, where it is (in integers as small as they can be), and the layer's loop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinyticket.errors import InputError

LINEAR = """
static void {name}_layer(const float *x, float *y) {{
    for (size_t i = 0, k = 0; i < {outputs}; i++) {{
        float sum = {bias};
        for (; k < {name}_end[i]; k++)
            sum += {name}_value[k] * x[{name}_index[k]];
        y[i] = sum;
    }}
}}
"""

CONVOLUTION = """
static void {name}_layer(const float *x, float *y) {{
    for (size_t i = 0, first = 0; i < {outputs}; first = {name}_end[i++])
        for (size_t row = 0; row < {rows}; row++)
            for (size_t column = 0; column < {columns}; column++) {{
                const float *at = x + row * {down} + column * {right};
                float sum = {bias};
                for (size_t k = first; k < {name}_end[i]; k++)
                    sum += {name}_value[k] * at[{name}_index[k]];
                *y++ = sum;
            }}
}}
"""


def array(name: str, values: np.ndarray) -> str:
    """Return the declaration of an array: float, or the smallest kind of whole numbers from 0 on that holds it."""
    values = values if values.size else np.zeros(1, values.dtype)  # C has no empty arrays
    if values.dtype.kind == "f":
        return f"static const float {name}[{values.size}] = {{\n{_lines(map(number, values.ravel()))}}};\n"
    kind = np.min_scalar_type(int(values.max())).name
    return f"static const {kind}_t {name}[{values.size}] = {{\n{_lines(map(str, values.ravel()))}}};\n"


def number(value: Any) -> str:
    """Return a float32 as C writes it, exactly."""
    if not np.isfinite(value):
        raise InputError(f"C has no way to write the weight {value}")
    text = f"{np.float32(value):.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def _lines(words: Iterable[str]) -> str:
    """Return words separated by commas, in lines of some hundred characters."""
    lines, line = [], "   "
    for word in words:
        if len(line) + len(word) > 110:
            lines.append(line)
            line = "   "
        line += f" {word},"
    return "\n".join([*lines, line]) + "\n"


def survivors(name: str, weight: np.ndarray, index: np.ndarray, bias: np.ndarray | None) -> str:
    """Return the arrays of a weight (outputs, inputs): values, each one's index, and where those of each output end."""
    kept = weight != 0
    where = np.broadcast_to(index, weight.shape)[kept]
    parts = [
        array(f"{name}_value", weight[kept]),
        array(f"{name}_index", where),
        array(f"{name}_end", np.cumsum(kept.sum(1))),
    ]
    return "\n".join(parts + ([] if bias is None else [array(f"{name}_bias", bias)]))


def linear(name: str, weight: np.ndarray, bias: np.ndarray | None) -> str:
    """Return a fully-connected layer: its arrays and the function NAME_layer(x, y)."""
    start = "0.0f" if bias is None else f"{name}_bias[i]"
    arrays = survivors(name, weight, np.arange(weight.shape[1]), bias)
    return arrays + LINEAR.format(name=name, outputs=len(weight), bias=start)


def convolution(
    name: str, layer: Any, weight: np.ndarray, bias: np.ndarray | None, padded: tuple[int, ...], shape: tuple[int, ...]
) -> str:
    """Return a convolution of images of shape `padded`, the zeros around them included, to `shape`.

    A weight's index is how far the pixel that it meets lies from its window's first one.
    """
    outputs, channels, rows, columns = weight.shape
    _, height, width = padded
    group = np.arange(outputs) // (outputs // layer.groups) * channels
    channel = (group[:, None] + np.arange(channels)) * height * width
    row, column = np.arange(rows) * layer.dilation[0] * width, np.arange(columns) * layer.dilation[1]
    index = channel[:, :, None, None] + row[:, None] + column
    start = "0.0f" if bias is None else f"{name}_bias[i]"
    arrays = survivors(name, weight.reshape(outputs, -1), index.reshape(outputs, -1), bias)
    down, right = layer.stride[0] * width, layer.stride[1]
    loop = {"rows": shape[1], "columns": shape[2], "down": down, "right": right, "bias": start}
    return arrays + CONVOLUTION.format(name=name, outputs=outputs, **loop)
