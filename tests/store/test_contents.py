"""What stands in a group, written by HDF5's own functions, is what h5py finds there and what reading gives back."""

import io
import json

import h5py
import numpy as np

from tinyticket.store.archive import Archive
from tinyticket.store.contents import LONGEST_FIXED, Contents, read, write, write_json
from tinyticket.store.layout import FORMAT_VERSION
from tinyticket.store.run import HISTORY

TABLE = np.array([(0, np.nan, 1.0, 0.5, 1.0, 0.5)], HISTORY)
ARRAYS = {
    "trained/z.weight": np.arange(6, dtype=np.float32).reshape(2, 3).T,  # not in C order
    "trained/a.weight": np.float64(2.5) * np.ones(()),
    "trained/größe": np.zeros(0, np.int64),
    "mask/z.weight": np.array([7], np.uint8),
    "history": TABLE,
}
ATTRIBUTES = {
    "": {"count": 3, "share": 0.25, "plan": {"mode": "eager"}, "name": "ticket", "long": "x" * (LONGEST_FIXED + 1)},
    "mask/z.weight": {"shape": (3, 2)},
    "trained": {"steps": 1},
}


def assert_same(found, value):
    assert (found.dtype, found.shape, found.tobytes()) == (value.dtype, value.shape, value.tobytes())


def test_what_is_written_is_what_h5py_and_the_reader_find():
    image = io.BytesIO()
    with h5py.File(image, "w") as file:
        file.attrs["format"], file.attrs["format_version"] = "tinyticket", FORMAT_VERSION
        write(file.create_group("round"), Contents(ARRAYS, ATTRIBUTES))
        write_json(file["round"], "plan", {"mode": "compiled"})  # in the place of what was there
    with h5py.File(image) as file:
        round = file["round"]
        assert list(round["trained"]) == ["z.weight", "a.weight", "größe"]  # the order in which they were written
        for path, value in ARRAYS.items():
            assert round[path].chunks is None
            assert_same(round[path][()], value)
        assert json.loads(round.attrs["plan"]) == {"mode": "compiled"}
        assert (round.attrs["name"], round.attrs["long"]) == (b"ticket", ATTRIBUTES[""]["long"])
        assert round["mask/z.weight"].attrs["shape"].tolist() == [3, 2]
    archive = Archive()
    archive._memory = image.getvalue()
    with archive.read() as root:
        found = read(root.group("round"), {"history": HISTORY})
    assert found.attributes[""] == {**ATTRIBUTES[""], "plan": '{"mode": "compiled"}'}
    assert found.arrays.keys() == ARRAYS.keys()
    assert found.attributes["trained"] == {"steps": 1}
    for path, value in ARRAYS.items():
        assert_same(found.arrays[path], value)
