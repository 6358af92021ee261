import struct
import zipfile

import numpy as np
import pytest
from scipy import sparse

from tinyticket.data import SparseInputs, files, zipped
from tinyticket.data.arrays import from_arrays
from tinyticket.data.npz import load_npz
from tinyticket.errors import InputError

from .strangers import memory_below, not_a_file

X = np.linspace(0, 1, 60).reshape(20, 3)
Y = np.arange(20) % 4


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mine.npz"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_keras_keys(path, save):
    save(path, x_train=X, y_train=Y, x_test=X[:5], y_test=Y[:5], extra=np.array(["unread"], dtype=object))
    data = load_npz(path)
    assert (data.name, data.classes, data.sizes) == ("mine.npz", 4, {"train": 20, "test": 5})
    np.testing.assert_array_equal(data.x_test, X[:5].astype(np.float32))


@pytest.mark.parametrize("keys", [("x", "y"), ("x_train", "y_train")])
def test_without_a_test_part(path, keys):
    np.savez(path, **dict(zip(keys, (X, Y), strict=True)))
    assert load_npz(str(path)).sizes == {"train": 16, "test": 4}


@pytest.mark.parametrize("keys", [("x_train", "y"), ("x_test", "y_test"), ("images", "labels")])
def test_missing_keys(path, keys):
    np.savez(path, **dict(zip(keys, (X, Y), strict=True)))
    with pytest.raises(InputError, match=f"mine.npz holds the keys {keys[0]}, {keys[1]}; expected x_train and y_train"):
        load_npz(path)


def test_no_keys(path):
    zipfile.ZipFile(path, "w").close()
    with pytest.raises(InputError, match=r"holds the keys \(none\)"):
        load_npz(path)


def test_half_a_test_part(path):
    np.savez(path, x_train=X, y_train=Y, x_test=X)
    with pytest.raises(InputError, match=r"mine\.npz: x_test and y_test belong together"):
        load_npz(path)


def test_what_the_arrays_hold_is_checked(path):
    np.savez(path, x=X, y=Y[:7])
    with pytest.raises(InputError, match=r"mine.npz: .*20 examples but y_train 7 labels"):
        load_npz(path)


def test_missing_file(path):
    with pytest.raises(InputError, match=r"mine\.npz does not exist"):
        load_npz(path)


def test_a_folder(path):
    path.mkdir()
    with pytest.raises(InputError, match=r"mine\.npz cannot be read: Is a directory"):
        load_npz(path)


def test_truncated(path):
    np.savez(path, x=X, y=Y)
    whole = path.read_bytes()
    for length in 2, 100, len(whole) - 30:
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"mine\.npz is truncated"):
            load_npz(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x93NUMPY\x01\x00", b"\x80\x04K\x01."])
def test_something_else(path, content):
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"mine\.npz is not an .npz file"):
        load_npz(path)


def test_pickled_objects(path):
    np.savez(path, x=X.astype(object), y=Y)
    with pytest.raises(InputError, match=r"mine\.npz holds pickled Python objects under x"):
        load_npz(path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_in_the_middle(path, save):
    save(path, x=X, y=Y)
    content = bytearray(path.read_bytes())
    content[250:300] = bytes(50)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"mine\.npz is damaged"):
        load_npz(path)


def test_an_array_cut_short_inside_a_sound_zip(path):
    np.savez(path, x=X, y=Y)
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x.npy", members["x.npy"][:-8])
        file.writestr("y.npy", members["y.npy"])
    with pytest.raises(InputError, match=r"mine\.npz is damaged: x is no array"):
        load_npz(path)


def test_a_member_that_is_no_array(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x", "hello")
        file.writestr("y", "hello")
    with pytest.raises(InputError, match=r"mine\.npz is damaged: x is no array"):
        load_npz(path)


# -- files of strangers


@pytest.mark.parametrize("kind", ["fifo", "symlink", "socket", "device"])
def test_a_file_that_is_none(path, kind):
    not_a_file(path, kind)
    with pytest.raises(InputError, match=r"mine\.npz cannot be read: it is a pipe, a device or a socket"):
        load_npz(path)


def npy(header, data=b"", version=(1, 0)):
    """Return an array's bytes with a header of one's own."""
    size = struct.pack("<H" if version == (1, 0) else "<I", len(header))
    return b"\x93NUMPY" + bytes(version) + size + header.encode("latin1") + data


def write(path, x, method=zipfile.ZIP_DEFLATED, name="x.npy"):
    """Write an .npz file whose x is these bytes."""
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(name, x)
        with archive.open("y.npy", "w") as file:
            np.save(file, Y)


def header(descr="<f8", shape=(20, 3), order=False):
    return repr({"descr": descr, "fortran_order": order, "shape": shape}) + "\n"


@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        (npy(header(shape=(20, -3)), X.tobytes()), r"x is no array \(shape \(20, -3\)"),
        (npy(header(shape=(-20, -3)), X.tobytes()), r"x is no array \(shape \(-20, -3\)"),
        (npy(header(shape=(True, 60)), X.tobytes()), r"x is no array \(shape \(True, 60\)"),
        (npy(header(shape=(20, 4)), X.tobytes()), "makes [0-9]+ bytes, not"),
        (npy(header(shape=(20, 2)), X.tobytes()), "makes [0-9]+ bytes, not"),
        (npy(header(shape=(2**62, 2**62)), X.tobytes()), "makes [0-9]+ bytes, not"),
        (npy(header(shape=(0, 2**62, 2**62))), "is damaged"),
        (npy(header(shape=(1,) * 65), bytes(8)), "is damaged"),
        (npy(header("|S2147483647", (1,))), r"holds x with dtype \|S2147483647"),
        (npy(header([("\x1b[31m", "<f4")], (1,))), r"holds x with dtype \[\('.{0,4}\[31m"),
        (npy(header("|O")), "holds pickled Python objects under x"),
        (npy(header("no")), "x is no array"),
        (npy("(" * 500), "x is no array"),
        (npy("-" * 9000), "x is no array"),
        (npy("{" + " " * 20000), "x is no array"),
        (npy("\x1b[31m"), "x is no array"),
        (npy(f"{{'descr': '<f8', 'fortran_order': False, 'shape': (0x{'f' * 9000},)}}"), "is damaged"),
        (npy(header(), version=(3, 0)), "x is no array"),
        (npy(header(), version=(9, 9)), "x is no array"),
        (b"\x93NUMPY\2\0\xff\xff\xff\xff" + bytes(100), "x is no array"),
        (b"\x93NUM", "x is no array"),
        (b"", "x is no array"),
    ],
)
def test_arrays_that_are_none(path, x, sentence):
    write(path, x)
    with memory_below(1 << 24), pytest.raises(InputError, match=rf"mine\.npz .*{sentence}") as caught:
        load_npz(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packed_in_another_way(path, method):
    write(path, npy(header(), X.tobytes()), method)
    with pytest.raises(InputError, match="holds x encrypted or packed in an unusual way"):
        load_npz(path)


def change(path, signature, place, form, number):
    """Put a number into an entry of a zip file."""
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, content.index(signature) + place, number)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("place", "form", "number", "sentence"),
    [
        (8, "<H", 1, "holds x encrypted"),
        (8, "<H", 0x40, "is damaged"),  # strong encryption
        (10, "<H", 99, "holds x encrypted or packed in an unusual way"),
        (6, "<H", 99, "is damaged"),  # a later version of zip
        (24, "<I", 2**32 - 2, r"unpacks to 429496[0-9]{4} bytes, from [0-9]+; expected at most 134217728"),
        (24, "<I", 7, "is damaged"),
        (20, "<I", 7, "is damaged"),
        (42, "<I", 2**31, "is damaged"),
        (16, "<I", 7, "is damaged"),
    ],
)
def test_entries_that_lie(path, place, form, number, sentence):
    np.savez_compressed(path, x=X, y=Y)
    change(path, b"PK\1\2", place, form, number)
    with memory_below(1 << 24), pytest.raises(InputError, match=rf"mine\.npz .*{sentence}"):
        load_npz(path)


def test_an_array_cut_short_whose_checksum_is_right(path):
    content = npy(header(), X.tobytes())
    write(path, content[:-80])
    for signature, place in ((b"PK\1\2", 24), (b"PK\3\4", 22)):
        change(path, signature, place, "<I", len(content))
    with pytest.raises(InputError, match=r"mine\.npz is damaged"):
        load_npz(path)


def test_a_table_of_contents_that_is_too_large(path, monkeypatch):
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(1000):
            archive.writestr(f"{number}", "")
    monkeypatch.setattr(zipped, "MOST_PIECE", 40_000)
    with pytest.raises(InputError, match="its table of contents is too large"):
        load_npz(path)


def test_zeros_are_not_unpacked(path, monkeypatch):
    np.savez_compressed(path, x=np.zeros((1 << 15, 80)), y=np.zeros(1 << 15))
    monkeypatch.setattr(files, "HARMLESS", 1 << 20)
    with (
        memory_below(1 << 24),
        pytest.raises(InputError, match=r"unpacks to 2123[0-9]+ bytes, from [0-9]+; expected at"),
    ):
        load_npz(path)


def test_keys_are_shown_without_control_characters(path):
    np.savez(path, **{"\x1b[31m" + "x" * 5000: X})
    with pytest.raises(InputError, match=r"holds the keys \?\[31mx+\.\.\.; expected") as caught:
        load_npz(path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("code", ["u1", ">f8"])
@pytest.mark.parametrize("shape", [(1000, 12, 80), (960_000, 1), (8, 1, 120_000)])
def test_large_arrays_are_read_in_any_order_and_lie_in_memory_once(path, order, code, shape):
    x = np.asarray(np.arange(960_000).reshape(shape) % 251, code, order)
    y = np.arange(len(x)) % 2
    np.savez(path, x_train=x, y_train=y, x_test=x[:1], y_test=y[:1])
    content = x.nbytes + 4 * x.size + 2 * y.nbytes
    with memory_below(1.1 * content + (4 << 20)):
        found = load_npz(path)
    np.testing.assert_array_equal(found.x_train, x.astype(np.float32) / np.float32(255 if code == "u1" else 1))


@pytest.mark.parametrize("code", ["u1", "<f4", "<f8"])
def test_holding_out_takes_no_more_memory(path, code):
    x = (np.arange(1_000_000).reshape(1000, 1000) % 251).astype(code)
    np.savez(path, x=x, y=np.arange(1000) % 2)
    with memory_below(1.5 * max(4 * x.size, x.nbytes) + (3 << 19)):
        found = load_npz(path)
    expected = from_arrays(x, np.arange(1000) % 2)
    np.testing.assert_array_equal(found.x_train, expected.x_train)
    np.testing.assert_array_equal(found.x_test, expected.x_test)
    assert found.x_train.flags.c_contiguous


# -- sparse matrices

SPARSE = sparse.random_array((20, 30), density=0.1, format="csr", rng=0)


def parts(matrix, prefix=""):
    return {prefix + name: getattr(matrix, name) for name in ("data", "indices", "indptr", "shape")}


def test_what_save_npz_writes_with_labels_beside(path):
    sparse.save_npz(path, SPARSE)
    with zipfile.ZipFile(path, "a") as archive, archive.open("y.npy", "w") as file:
        np.save(file, Y)
    found = load_npz(path)
    assert isinstance(found.x_train, SparseInputs)
    np.testing.assert_array_equal(found.x_test[:], from_arrays(SPARSE.toarray(), Y).x_test)


def test_sparse_matrices_under_names(path):
    np.savez(path, x_train=SPARSE.toarray(), **parts(SPARSE[:5], "x_test."), y_train=Y, y_test=Y[:5])
    found = load_npz(path)
    np.testing.assert_array_equal(found.x_test[:], found.x_train[:5])
    np.savez(path, **parts(SPARSE, "x."), y=Y)
    assert load_npz(path).sizes == {"train": 16, "test": 4}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": np.array(b"csc")}, "sparse matrix in another format than csr"),
        ({"format": np.array("coo")}, "sparse matrix in another format than csr"),
        ({"format": np.array(3)}, "holds format with dtype int64; expected text"),
        ({"shape": np.array([20, 2**50])}, "sparse matrix of shape"),
        ({"shape": np.array([20.0, 30.0])}, "shape of dtype float64"),
        ({"shape": np.array(20)}, "expected two integers"),
        ({"indices": SPARSE.indices.astype("i8") + 2**40}, "names the column 1099511627"),
        ({"indptr": SPARSE.indptr.astype("u8") - 1}, "do not rise from 0"),
        ({"data": SPARSE.data[:-1]}, "59 numbers; expected 60"),
        ({"data": np.array([b"a"])}, r"holds data with dtype \|S1"),
        ({"y": Y[:3]}, "20 examples but y_train 3 labels"),
    ],
)
def test_sparse_matrices_that_are_none(path, change, sentence):
    np.savez(path, **parts(SPARSE) | {"y": Y, "format": np.array(b"csr")} | change)
    with pytest.raises(InputError, match=rf"mine\.npz.*{sentence}"):
        load_npz(path)


def test_a_sparse_matrix_lacks_a_part(path):
    given = parts(SPARSE) | {"y": Y}
    del given["indptr"]
    np.savez(path, **given)
    with pytest.raises(InputError, match="holds the keys data, indices, shape, y; expected"):
        load_npz(path)


def test_a_sparse_matrix_is_never_dense(path):
    wide = sparse.random_array((200, 1 << 20), density=1e-5, format="csr", rng=0)  # 800 MB if it were dense
    np.savez(path, **parts(wide), y=np.arange(200) % 2)
    with memory_below(1 << 22):
        assert load_npz(path).input_shape == (1 << 20,)
