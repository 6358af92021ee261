"""Compiled training on an NVIDIA GPU: the graph of `compiler.network` as one list of kernel launches over one arena there.

`layout` gives values, gradients and parameters (`weights`, `patterns`) their blocks in the device's layout; `pass_layers` and
`pass_images` write each operation down as rows, a kernel of `kernels.cuda` with its blocks (`work`), and `passes` puts training and
evaluation together. `feeds` are what changes from step to step: it is uploaded for a whole call, and kernels pick the row of their
turn, so that every launch of a step has the same arguments every time and the host waits for the device once a call.

`step` puts this behind the methods that `tt.compile` uses, and `model` is what it sees of the network. Nothing here is imported
unless a device was asked for.
"""
