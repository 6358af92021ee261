"""One network's arrays in a file for other programs."""

import h5py
import numpy as np
import pytest
from scipy.sparse import csr_array

from tests.lottery.experiments import find
from tinyticket.errors import InputError
from tinyticket.report.export import export
from tinyticket.store.weights import read_weights


@pytest.fixture(scope="module")
def result():
    return find(rounds=1, controls="reinit,random")


def test_an_archive_holds_all_arrays_and_masks(result, tmp_path):
    path = tmp_path / "ticket.npz"
    export(result, path, 0, 1)
    ticket, chosen = np.load(path), result.round(0, 1)
    assert set(ticket) == {*chosen.trained, *(f"mask/{name}" for name in chosen.masks)}
    for name, value in chosen.trained.items():
        assert ticket[name].tobytes() == value.tobytes()
    for name, mask in chosen.masks.items():
        assert np.array_equal(ticket[f"mask/{name}"], mask)
        assert not ticket[name][~mask].any()


def test_the_initial_weights_as_hdf5(result, tmp_path):
    path = tmp_path / "ticket.h5"
    export(result, path, 0, 1, "init")
    with h5py.File(path, "r") as file:
        mask = file["mask/fc1.weight"][()]
        assert np.array_equal(file["fc1.weight"][()], np.where(mask, result.init(0)["fc1.weight"], 0))


def test_a_control_and_where_one_started(result, tmp_path):
    path, controls = tmp_path / "control.safetensors", result.round(0, 1).controls
    export(result, path, 0, 1, control="reinit")
    found = read_weights(path)
    assert np.array_equal(found.state["fc2.weight"], controls["reinit"].trained["fc2.weight"])
    export(result, path, 0, 1, "init", control="random")
    found, mask = read_weights(path), controls["random"].masks["fc1.weight"]
    assert np.array_equal(found.masks["fc1.weight"], mask)
    assert np.array_equal(found.state["fc1.weight"], np.where(mask, result.init(0)["fc1.weight"], 0))
    with pytest.raises(InputError, match=r"reinit did not start from theta_0, and what it started from is not in"):
        export(result, path, 0, 1, "init", control="reinit")


def test_pruned_weights_that_were_frozen_are_there(tmp_path):
    result, path = find(rounds=1, mask_0="freeze", controls="none"), tmp_path / "frozen.npz"
    export(result, path, 0, 1)
    ticket, model = np.load(path), result.model(0, 1)
    assert all(np.array_equal(ticket[name], value) for name, value in model.state_dict().items())
    assert ticket["fc1.weight"][~ticket["mask/fc1.weight"]].all()


def test_matrices_of_scipy(result, tmp_path):
    path, trained = tmp_path / "sparse.npz", result.round(0, 1).trained
    export(result, path, 0, 1, to="scipy")
    ticket = np.load(path)
    for name in result.round(0, 1).masks:
        parts = [ticket[f"{name}/{part}"] for part in ("data", "indices", "indptr")]
        assert np.array_equal(csr_array(tuple(parts), tuple(ticket[f"{name}/shape"])).toarray(), trained[name])
    assert np.array_equal(ticket["fc1.bias"], trained["fc1.bias"])


def test_pytorch_takes_it(torch, result, tmp_path):
    path = tmp_path / "ticket.pt"
    export(result, path, 0, 1)
    names = {"fc1": torch.nn.Linear(12, 16), "fc2": torch.nn.Linear(16, 8), "output": torch.nn.Linear(8, 3)}
    model = torch.nn.ModuleDict(names)
    model.load_state_dict(torch.load(path, weights_only=True))
    assert np.array_equal(model["fc2"].weight.detach().numpy(), result.round(0, 1).trained["fc2.weight"])


def test_a_ticket_as_it_starts_is_what_was_rewound_to(tmp_path):
    late = find(rounds=1, rewind_to=5, controls="none")
    export(late, tmp_path / "start.npz", 0, 1, "start")
    start, mask = np.load(tmp_path / "start.npz"), late.round(0, 1).masks["fc1.weight"]
    rewound = late.rewind(0).state["fc1.weight"]
    assert np.array_equal(start["fc1.weight"], np.where(mask, rewound, 0))
    assert not np.array_equal(rewound, late.init(0)["fc1.weight"])


def test_an_ending_in_capitals_says_what_is_written_too(result, tmp_path):
    for name in ("a.npz", "b.NPZ"):
        export(result, tmp_path / name, 0, 1)
    assert (tmp_path / "b.NPZ").read_bytes() == (tmp_path / "a.npz").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "options", "says"),
    [
        (("x.txt", 0, 1), {}, "the ending says what is written"),
        (("x.npz", 0, 5), {}, "no round 5"),
        (("x.npz", 0, 1, "best"), {}, "'start' or 'init', not 'best'"),
        (("x.npz", 0, 1), {"to": "onn"}, "no format is called 'onn' .did you mean 'onnx'"),
        (("x.npz", 0, 1), {"control": "inverted"}, "no control 'inverted'; it has reinit, random"),
    ],
)
def test_what_cannot_be_written_is_refused(result, tmp_path, arguments, options, says):
    with pytest.raises(InputError, match=says):
        export(result, tmp_path / arguments[0], *arguments[1:], **options)
    assert list(tmp_path.iterdir()) == []
