"""Kernels: arrays in, arrays out. Nothing here knows a Tensor.

`reference` holds the plain NumPy versions in the usual layouts, a few lines each: the specification that every fast kernel is
tested against, and what the eager operations call.
"""
