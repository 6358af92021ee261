"""Files of torch.save, without PyTorch; and what PyTorch itself makes of them."""

import pickle
import zipfile

import numpy as np
import pytest

from tests.data.strangers import memory_below
from tinyticket.errors import InputError
from tinyticket.store.weights import from_arrays
from tinyticket.store.weights.pytorch import STORAGES, read_pytorch, to_pytorch


def arrays():
    rng = np.random.default_rng(0)
    found = {kind: rng.integers(0, 2, (2, 3)).astype(code) for kind, code in STORAGES.items()}
    return found | {
        "empty": np.zeros((0, 4), np.float32),
        "one": np.array(1.5, np.float32),
        "turned": found["IntStorage"].T,
    }


def test_what_is_written_is_read(tmp_path):
    (path := tmp_path / "x.pt").write_bytes(to_pytorch(arrays()))
    found = read_pytorch(path)
    assert found.keys() == arrays().keys()
    for name, value in arrays().items():
        assert (found[name].dtype, found[name].tolist()) == (value.dtype, value.tolist())
    assert to_pytorch(arrays()) == path.read_bytes()
    with pytest.raises(InputError, match="a PyTorch file cannot hold an array of complex64"):
        to_pytorch({"x": np.ones(2, np.complex64)})


def test_pytorch_reads_it(torch, tmp_path):
    (path := tmp_path / "x.pt").write_bytes(to_pytorch(arrays()))
    found = torch.load(path, weights_only=True)
    assert found.keys() == arrays().keys()
    for name, value in arrays().items():
        assert (found[name].numpy().dtype, found[name].tolist()) == (value.dtype, value.tolist())


def test_what_pytorch_writes_of_a_pruned_network(torch, tmp_path):
    from torch.nn.utils import prune

    model = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.BatchNorm1d(5), torch.nn.Linear(5, 3))
    prune.l1_unstructured(model[0], "weight", amount=0.4)
    torch.save(model.state_dict(), path := tmp_path / "x.pt")
    found = from_arrays(read_pytorch(path))
    assert found.masks["0.weight"].sum() == 18
    assert np.array_equal(found.state["0.weight"], model[0].weight_orig.detach().numpy())
    assert set(found.state) == {
        *(f"{layer}.{own}" for layer in "012" for own in ("weight", "bias")),
        "1.running_mean",
        "1.running_var",
    }


def test_views_and_parameters(torch, tmp_path):
    whole = torch.arange(12.0).reshape(3, 4)
    kept = {"row": whole[1], "column": whole[:, 2], "turned": whole.T, "own": torch.nn.Parameter(torch.ones(2))}
    torch.save(kept, path := tmp_path / "x.pt")
    found = read_pytorch(path)
    assert all(found[name].tolist() == value.tolist() for name, value in kept.items())
    torch.save({"wide": torch.ones(1).expand(1000)}, path)
    with pytest.raises(InputError, match="more numbers than are stored"):
        read_pytorch(path)


@pytest.mark.parametrize("what", ["model", "checkpoint", "tensor"])
def test_what_is_no_state_dict_is_refused(torch, what, tmp_path):
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    kept = {"model": model, "checkpoint": {"state": optimizer.state_dict()}, "tensor": torch.ones(2)}[what]
    torch.save(kept, path := tmp_path / "x.pt")
    with pytest.raises(
        InputError, match=r"x\.pt (asks for|is damaged|holds something else).*expected a file of a state_dict"
    ):
        read_pytorch(path)


class Evil:
    def __reduce__(self):
        return (open, ("was-run", "w"))


def replaced(path, **members):
    """Write the file of two tensors with other members in place of its own; None takes one away."""
    path.write_bytes(to_pytorch({"a": np.ones(3, np.float32), "b": np.ones((2, 2), np.float32)}))
    with zipfile.ZipFile(path) as archive:
        kept = {info.filename: archive.read(info) for info in archive.infolist()}
    kept |= {f"archive/{name.replace('_', '/')}": value for name, value in members.items()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in kept.items():
            if value is not None:
                archive.writestr(name, value)
    return path


def pickled(path):
    with zipfile.ZipFile(path) as archive:
        return archive.read("archive/data.pkl")


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"data.pkl": pickle.dumps(Evil())}, "asks for (io|_io).open, which is not run"),
        ({"data.pkl": b"\x80\x02cos\nsystem\n."}, "asks for os.system, which is not run"),
        ({"data.pkl": pickle.dumps([1])}, "holds something else than tensors by name"),
        ({"data.pkl": b"\x80\x02]Q."}, "asks for something else than a storage of numbers"),
        ({"data.pkl": b"\x80\x02}q"}, "is damaged"),
        ({"data.pkl": None}, "holds no pickle of tensors"),
        ({"data_1": b"\0" * 12}, "is damaged: the numbers 1 are not there"),
        ({"data_1": None}, "is damaged: the numbers 1 are not there"),
        ({"byteorder": b"big"}, "holds big-endian numbers"),
    ],
)
def test_strange_files(members, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=rf"x\.pt {says}"):
        read_pytorch(replaced(tmp_path / "x.pt", **members))
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize(
    ("old", "new"), [(b"K\3t", b"K\x7ft"), (b"K\2K\2t", b"K\2K\x7ft"), (b"K\0(K\3t", b"K\x05(K\3t")]
)
def test_tensors_larger_than_their_numbers(old, new, tmp_path):
    path = replaced(tmp_path / "x.pt")
    assert old in pickled(path)
    with pytest.raises(InputError, match=r"x\.pt (is damaged|holds tensors of more numbers)"):
        read_pytorch(replaced(path, **{"data.pkl": pickled(path).replace(old, new)}))


def test_many_tensors_of_one_storage_take_no_memory(tmp_path):
    path = tmp_path / "x.pt"
    path.write_bytes(to_pytorch({"a": np.ones(1 << 18, np.float32)}))
    entry = pickled(path).split(b"(", 1)[1].removesuffix(b"u.")
    many = b"".join(entry.replace(b"\1\0\0\0a", b"\4\0\0\0" + b"%04d" % number) for number in range(1000))
    content = {"data.pkl": b"\x80\x02}(" + many + b"u.", "data/0": np.ones(1 << 18, np.float32).tobytes()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in content.items():
            archive.writestr(f"archive/{name}", value)
    with memory_below(1 << 25), pytest.raises(InputError, match="holds tensors of more numbers than are stored"):
        read_pytorch(path)


def test_other_files_are_told_apart(tmp_path):
    (path := tmp_path / "x.pt").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(
        InputError, match=r"x\.pt is not a file of a state_dict, as torch\.save writes it; expected a zip"
    ):
        read_pytorch(path)
