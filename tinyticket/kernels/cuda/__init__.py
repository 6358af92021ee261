"""The kernels once more for NVIDIA GPUs: optional, and imported by nothing that was not asked for a device.

Activations lie feature-major with the whole batch innermost (`geometry`), so that the threads of a warp are samples beside each
other and every access to global memory is one to neighbours. A module holds one family: its kernels, and in front of each a
Python function that chooses grid and block and returns a `launch.Launch`. `toolkit` is the only place that imports CUDA.
"""
