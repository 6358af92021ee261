"""The back end for NVIDIA GPUs: operations become launches of `kernels.cuda` over one arena on the device.

`layout` says what is different there, and how survivors are read; `launches` turns each operation into one launch or a few.
`arena` is the memory, and `feeds` are a data set and what changes from step to step: uploaded for a whole call, and kernels pick
the row of their turn, so that every launch of a step has the same arguments every time and the host waits for the device once a
call. `program` makes launch graphs of all this, `step` puts them behind the methods that `tt.compile` uses, and
`choice` says which layers run sparse. Nothing here is imported unless a device was asked for.
"""
