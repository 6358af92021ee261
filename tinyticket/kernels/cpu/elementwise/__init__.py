"""Passes that treat each element of packed images alone: copies, ReLUs of no other kernel, residual additions and dropout.

Input and output may have different borders; only the interior is read and written.
"""

from tinyticket.kernels.cpu.elementwise.dropout import Dropout, DropoutGradient, dropout, dropout_gradient
from tinyticket.kernels.cpu.elementwise.residual import (
    Add,
    AddGradient,
    Copy,
    CopyGradient,
    add,
    add_gradient,
    copy,
    copy_gradient,
)

__all__ = [
    "Add",
    "AddGradient",
    "Copy",
    "CopyGradient",
    "Dropout",
    "DropoutGradient",
    "add",
    "add_gradient",
    "copy",
    "copy_gradient",
    "dropout",
    "dropout_gradient",
]
