"""The kernels once more for NVIDIA GPUs: optional, and imported by nothing that was not asked for a device.

Activations lie feature-major with the whole batch innermost (`geometry`), so that the threads of a warp are samples beside each
other and every access to global memory is one to neighbours. A module holds one family: its kernels, and functions that choose grid
and block and return a `launch.Launch`; a `launch.Kernel` is both. `toolkit` is the only place that imports CUDA.

What they are given is called the same everywhere; arrays are flat device arrays, of float32 where nothing else is said:

    g                  the `Geometry` of the work, which says where in their blocks x and y lie
    x, y               what the forward pass reads and writes; y may be x where every number is taken by itself
    dx, dy             their gradients, which lie as they do; dy is zero in lanes beyond the last sample
    weight, bias       of (outputs, inputs, kernel height, kernel width) and of (outputs,); there may be no bias
    gradient           of a parameter; a weight's has several parts, which the update adds up in their order
    state              int32 (2,): which turn of a call it is, and how many lanes hold samples
    relu               1 to set what is negative to zero; then gradients pass where y is above zero
    add                1 to add to what dx holds
    x_is_relu_output   1 to set dx to zero where x is not above zero, because x came out of a ReLU

Where x and y are read for the last two flags alone, they may be None without them.
"""
