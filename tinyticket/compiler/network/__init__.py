"""Compiled training of any network of convolutions, normalisations, pooling and joins: a table of operations over one arena.

From the model to the table: `trace` reads the network off the tape and `fuse` joins what one kernel does at once; the result is a
`graph` of operations and values, and `borders` says which of them have zeros around them. `layout` gives values, gradients and
parameters (`weights`) their blocks; the `pass_` files write each operation down as rows (`program`) with a `writer`, `passes` puts
the two programs together, a training step and an evaluation; `arena` gives blocks their places.

At run time: `walk` is the one compiled function that works through a table, `routines` are the kernels that rows call, and `step`
puts them behind the methods that `tt.compile` uses, `model` being what it sees of the network.
"""
