"""Simulated devices are scheduled more quickly here, and every launch is one that is compiled for its types."""

from tests.kernels.cuda.conftest import _launches_are_compiled

__all__ = ["_launches_are_compiled"]
