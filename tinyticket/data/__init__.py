"""Data: from a name, a file or arrays to numbers that a network can be trained on.

Every road ends in a `Dataset`: four checked arrays (float32 inputs and int64 labels, for training and for testing).

* `load` takes a name ("digits", "mnist", "fashion-mnist") or the path of an .npz file. The table of names is
  catalogue.py; digits.py and mnist.py know one kind of published data each, idx.py and npz.py one kind of file each.
* `from_arrays` takes arrays that are already in memory. All bad input is noticed there and named in one sentence.
* Published files are looked for on this machine (folders.py, published.py) and only `fetch` downloads them: fetch.py
  goes through the mirrors, download.py holds the conversation with one of them.

A training run then needs two more things, both in indices rather than in copies of the data: `split_validation` sets
validation examples aside, and `batches` deals out the rest, epoch by epoch.
"""

from tinyticket.data.arrays import from_arrays
from tinyticket.data.batches import batches
from tinyticket.data.catalogue import describe, load, names, path
from tinyticket.data.dataset import Dataset
from tinyticket.data.fetch import fetch
from tinyticket.data.splits import split_validation

__all__ = ["Dataset", "batches", "describe", "fetch", "from_arrays", "load", "names", "path", "split_validation"]
