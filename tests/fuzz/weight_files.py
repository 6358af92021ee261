"""Small files of weights and masks with something wrong in them: PyTorch's, safetensors and NumPy's."""

import io
import json
import zipfile

import numpy as np

from tests.fuzz.data_files import changed_program, mangle, maybe_mangled
from tinyticket.store.weights.pytorch import to_pytorch
from tinyticket.store.weights.safetensors import to_safetensors

NUMBERS = (-1, 0, 1, 2, 5, 8, 255, 2**31, 2**40, 2**63, 2**64, 1.5, 1e300, None, "2", True, [])
NAMES = (
    "a.weight",
    "mask/a.weight",
    "a.weight_orig",
    "a.weight_mask",
    "",
    "__metadata__",
    "\x1b[31m",
    "n.num_batches_tracked",
)


def weights(rng):
    """Return a file of a few arrays, changed as its format allows or byte by byte."""
    arrays = {rng.choice(NAMES): _array(rng) for _ in range(rng.choice((1, 2, 3)))}
    kind = rng.choice((_pytorch, _pytorch, _safetensors, _safetensors, _npz))
    return kind(arrays, rng)


def _array(rng):
    shape = rng.choice(((2, 3), (3,), (), (0, 2), (1, 2, 3)))
    return np.ones(shape, rng.choice(("<f4", "<f8", "|b1", "<i8")))


def _pytorch(arrays, rng):
    with zipfile.ZipFile(io.BytesIO(to_pytorch(arrays))) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    if rng.random() < 0.6:
        members["archive/data.pkl"] = changed_program(members["archive/data.pkl"], rng)
    if rng.random() < 0.2:
        name = rng.choice(list(members))
        members[name] = mangle(members[name], rng)
    if rng.random() < 0.1:
        del members[rng.choice(list(members))]
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for name, value in members.items():
            archive.writestr(name, value)
    return {"net.pt": maybe_mangled(content.getvalue(), rng, 0.2)}


def _safetensors(arrays, rng):
    content = to_safetensors(arrays, {})
    length = int.from_bytes(content[:8], "little")
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    if rng.random() < 0.7:
        entry = header[rng.choice(list(header))]
        if entry and rng.random() < 0.8:
            key = rng.choice(list(entry))
            value = entry[key]
            if isinstance(value, list) and value and rng.random() < 0.8:
                value[rng.randrange(len(value))] = rng.choice(NUMBERS)
            else:
                entry[key] = rng.choice((*NUMBERS, "F16", "BF16", [2, 3], [0, 8], {}))
        else:
            header[rng.choice(NAMES)] = rng.choice((*NUMBERS, {}, dict(entry or {})))
    raw = maybe_mangled(json.dumps(header).encode(), rng)
    size = len(raw) if rng.random() < 0.9 else rng.choice((0, len(raw) + 1, 2**20, 2**63, 2**64 - 1))
    return {"net.safetensors": maybe_mangled(size.to_bytes(8, "little") + raw + data, rng, 0.2)}


def _npz(arrays, rng):
    np.savez(content := io.BytesIO(), **{name: value for name, value in arrays.items() if name})
    return {"net.npz": mangle(content.getvalue(), rng)}
