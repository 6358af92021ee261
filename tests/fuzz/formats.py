"""The formats of strange files, and how a case of one is drawn."""

import random

from tests.fuzz.data_files import idx, npz, pickles, records, sparse, table, tar
from tests.fuzz.weight_files import weights

FORMATS = {
    "idx": idx,
    "npz": npz,
    "sparse": sparse,
    "tar": tar,
    "records": records,
    "pickles": pickles,
    "table": table,
    "weights": weights,
}


def draw(form, number):
    """Return the files of a case, contents by path."""
    return FORMATS[form](random.Random(f"{form} {number}"))
