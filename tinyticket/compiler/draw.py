"""What compiled steps draw as eager layers do."""

import numpy as np

from tinyticket.compiler.graph import Operation


def draw_kept(dropout: Operation, samples: int) -> np.ndarray:
    """Draw what a dropout keeps of a batch, from its module's generator as it is now.

    Returns
    -------
    bool array of shape (samples, numbers in one sample)
    """
    given = dropout.attributes
    return given["module"].rng.random((samples, dropout.inputs[0].size), dtype=np.float32) >= given["p"]
