"""The formats of arrays: everything under its name of `state_dict`, in PyTorch's shapes, with zeros where weights were pruned."""

from __future__ import annotations

import io

import numpy as np
from scipy.sparse import csr_array

from tinyticket.nn import structure_names
from tinyticket.report.export.network import Network
from tinyticket.store import weights


def to_npz(network: Network) -> bytes:
    """Return an .npz of all arrays, and of masks, boolean, as "mask/NAME"."""
    return weights.WRITERS[".npz"](network.weights.arrays())


def to_safetensors(network: Network) -> bytes:
    """Return a safetensors file of the same."""
    return weights.WRITERS[".safetensors"](network.weights.arrays())


def to_h5(network: Network) -> bytes:
    """Return an HDF5 file of the same."""
    import h5py

    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for name, value in network.weights.arrays().items():
            file.create_dataset(name, data=value)
    return content.getvalue()


def to_torch(network: Network) -> bytes:
    """Return a file of a state_dict; masks are where its weights are not zero, so that it fits the network as it is."""
    return weights.to_pytorch(network.weights.state)


def to_scipy(network: Network) -> bytes:
    """Return an .npz of CSR matrices with a row for each output, as NAME/data, /indices, /indptr and /shape; all else is whole.

    The shape is the weight's: of a convolution, whose matrix has (in, rows, columns) in its columns, it has four numbers.
    """
    arrays = dict(network.weights.state)
    graphs = network.result.connections_in(arrays)
    for name in network.weights.masks:
        weight, graph = arrays.pop(name), graphs.get(name)
        matrix = csr_array(weight.reshape(len(weight), -1)) if graph is None else graph.matrix(weight).copy()
        if graph is not None:
            matrix.eliminate_zeros()
            arrays = {key: value for key, value in arrays.items() if key not in structure_names(name)}
        parts = {
            "data": matrix.data,
            "indices": matrix.indices,
            "indptr": matrix.indptr,
            "shape": np.array(weight.shape if graph is None else graph.shape),
        }
        arrays |= {f"{name}/{part}": value for part, value in parts.items()}
    return weights.WRITERS[".npz"](arrays)
