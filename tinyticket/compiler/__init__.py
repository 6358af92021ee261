"""Whole training steps compiled over one arena of memory."""

from tinyticket.compiler.mlp import MLPStep

__all__ = ["MLPStep"]
