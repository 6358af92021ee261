"""One network in a file for other programs."""

import h5py
import numpy as np
import pytest

from tests.lottery.experiments import find
from tinyticket.errors import InputError
from tinyticket.report.export import export


@pytest.fixture(scope="module")
def result():
    return find(rounds=1)


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


def test_a_ticket_as_it_starts_is_what_was_rewound_to(tmp_path):
    late = find(rounds=1, rewind_to=5, controls="none")
    export(late, tmp_path / "start.npz", 0, 1, "start")
    start, mask = np.load(tmp_path / "start.npz"), late.round(0, 1).masks["fc1.weight"]
    rewound = late.rewind(0).state["fc1.weight"]
    assert np.array_equal(start["fc1.weight"], np.where(mask, rewound, 0))
    assert not np.array_equal(rewound, late.init(0)["fc1.weight"])


def test_pytorch_takes_it(torch, result, tmp_path):
    path = tmp_path / "ticket.npz"
    export(result, path, 0, 1)
    names = {"fc1": torch.nn.Linear(12, 16), "fc2": torch.nn.Linear(16, 8), "output": torch.nn.Linear(8, 3)}
    model = torch.nn.ModuleDict(names)
    ticket = np.load(path)
    model.load_state_dict({n: torch.from_numpy(ticket[n]) for n in ticket if not n.startswith("mask/")})
    assert np.array_equal(model["fc2"].weight.detach().numpy(), result.round(0, 1).trained["fc2.weight"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("x.pt", 0, 1), "ending"),
        (("x.npz", 0, 5), "no round 5"),
        (("x.npz", 0, 1, "best"), "'start' or 'init', not 'best'"),
    ],
)
def test_what_cannot_be_written_is_refused(result, tmp_path, arguments, says):
    with pytest.raises(InputError, match=says):
        export(result, tmp_path / arguments[0], *arguments[1:])
    assert list(tmp_path.iterdir()) == []
