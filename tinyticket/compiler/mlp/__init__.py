"""Compiled training of fully-connected networks, in which every microsecond counts.

Such a step takes some tens of microseconds, so it is one compiled function that knows its layers, and meets as rarely as it can:
`trace` reads the layers off the tape, `plan` lays the arena out, `program` is the table that tells the step about a network,
`routines` are the kernels it calls, `train` and `evaluate` the compiled loops, and `step` puts them behind the methods that
`tt.compile` uses.
"""
