"""Compiled training of any network of convolutions, normalisations, pooling and joins: a table of operations over one arena.

`trace` reads the network off the tape and `fuse` joins what one kernel does at once; the result is a `graph` of operations and
values. `plan` gives every value its place and its border, `training` and `evaluation` write the operations down as rows of a table,
`routines` are the kernels that rows call, and `walk` is the one compiled function that works through a table. `step` puts all this
behind the methods that `tt.compile` uses.
"""
