"""Data: from a name, a file or arrays to numbers that a network can be trained on.

Every road ends in a `Dataset`: four checked arrays (float32 inputs and int64 labels, for training and for testing).

* `load` takes a name (`names` lists them) or the path of an .npz file. The table of names is catalogue.py; digits.py,
  mnist.py and cifar.py know one kind of published data each, idx.py, npz.py, archive.py and restricted_pickle.py (with
  pickle_machine.py) one kind of file each. Files may come from anybody: files.py bounds what is read of them.
* Large images stay bytes in memory: `Pixels` (pixels.py) index like the normalised float32 array. Of examples that are mostly zeros
  only the others are in memory: `SparseInputs` (sparse_inputs.py) index like the float32 array of a sparse matrix.
* `from_arrays` takes arrays that are already in memory. All bad input is noticed there and named in one sentence.
* `read_connections` (connections.py) reads a graph, for layers that have some connections alone.
* Published files are looked for on this machine (folders.py, published.py) and only `fetch` downloads them: fetch.py
  goes through the mirrors, download.py gets a file from one of them, connection.py keeps the patience with it bounded.

A training run then needs two more things, both in indices rather than in copies of the data: `split_validation` sets
validation examples aside, and `batches` deals out the rest, epoch by epoch. augmentation.py shifts and mirrors images.
"""

from tinyticket.data.arrays import from_arrays
from tinyticket.data.augmentation import Augmentation, augment
from tinyticket.data.batches import batches
from tinyticket.data.catalogue import describe, load, names, path
from tinyticket.data.connections import read_connections
from tinyticket.data.dataset import Dataset
from tinyticket.data.fetch import fetch
from tinyticket.data.pixels import Pixels
from tinyticket.data.sparse_inputs import SparseInputs
from tinyticket.data.splits import split_validation
from tinyticket.nn.targets import weighted

__all__ = [
    "Augmentation",
    "Dataset",
    "Pixels",
    "SparseInputs",
    "augment",
    "batches",
    "describe",
    "fetch",
    "from_arrays",
    "load",
    "names",
    "path",
    "read_connections",
    "split_validation",
    "weighted",
]
