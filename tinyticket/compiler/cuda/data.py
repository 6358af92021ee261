"""A data set on a device."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.kernels.cuda.memory import upload


class CudaData:
    """Examples and labels, uploaded once.

    Parameters
    ----------
    examples : array or Pixels
        Pixels stay bytes, which the gathering kernel normalises.
    labels : integer array
    images : bool
        Whether the network takes them as images; else they are numbers in a row, and pixels become float32 here.

    Attributes
    ----------
    examples, labels : device arrays, float32 or uint8, and int32
    mean, std : float32 device arrays of (channels,), or None
    size : int
        How many examples.
    """

    def __init__(self, examples: Any, labels: np.ndarray, images: bool):
        self.size, self.mean, self.std = len(examples), None, None
        pixels = getattr(examples, "pixels", None)
        if isinstance(pixels, np.ndarray) and images:
            self.mean, self.std = (upload(np.asarray(part, np.float32)) for part in (examples.mean, examples.std))
            self.examples = upload(pixels, "the data set")
        else:
            self.examples = upload(np.asarray(examples, np.float32), "the data set")
        self.labels = upload(np.asarray(labels, np.int32))
