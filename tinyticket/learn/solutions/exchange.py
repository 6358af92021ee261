"""Carry a ticket to another program: fill the holes, and `tinyticket learn check exchange`.

Arrays come and go in dicts by name, as `numpy.load` gives those of an exported ticket: "fc1.weight" of shape (outputs, inputs) with
zeros where it is pruned, "fc1.bias", and the mask "mask/fc1.weight", True for survivors.
"""

import numpy as np


def compressed(arrays, name):
    """Return (starts, columns, values) of a weight, row by row: its survivors alone, those that are zero by chance included."""
    # hole: compressed sparse rows, by the mask and not by the values
    mask = arrays[f"mask/{name}"]
    starts = np.concatenate([[0], np.cumsum(mask.sum(axis=1))])
    return starts, np.nonzero(mask)[1], arrays[name][mask]
    # end


def forward(arrays, x):
    """Return the logits of a network of three layers, fc1, fc2 and output, with ReLU after the first two; x is (N, inputs)."""
    # hole: layer by layer, weights transposed; nothing comes after the last one
    for name in ("fc1", "fc2", "output"):
        x = x @ arrays[f"{name}.weight"].T + arrays[f"{name}.bias"]
        if name != "output":
            x = np.maximum(x, 0)
    return x
    # end


def to_pruned(arrays):
    """Return the arrays as torch.nn.utils.prune names them.

    A weight with a mask becomes two arrays: NAME_orig, its values, and NAME_mask, 0 and 1 in the same type. What has no mask
    keeps its name.
    """
    # hole: two names for each masked weight, one for everything else
    found = {}
    for name, value in arrays.items():
        if name.startswith("mask/"):
            continue
        mask = arrays.get(f"mask/{name}")
        if mask is None:
            found[name] = value
        else:
            found[f"{name}_orig"], found[f"{name}_mask"] = value, mask.astype(value.dtype)
    return found
    # end


def from_pruned(arrays):
    """Return arrays of torch.nn.utils.prune under the names of a ticket, weights zero where they are pruned."""
    # hole: the way back; what PyTorch keeps in NAME_orig under a mask of 0 may be any number
    found = {}
    for name, value in arrays.items():
        if name.endswith("_orig"):
            weight = name.removesuffix("_orig")
            mask = arrays[f"{weight}_mask"].astype(bool)
            found[weight], found[f"mask/{weight}"] = np.where(mask, value, 0).astype(value.dtype), mask
        elif not name.endswith("_mask"):
            found[name] = value
    return found
    # end
