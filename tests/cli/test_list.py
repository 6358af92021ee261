"""`tinyticket list`."""

import re
import shutil

import h5py

from tests.cli.commands import one_sentence
from tests.lottery.experiments import find
from tinyticket import load


def test_every_file_of_a_folder_damaged_ones_too(command, ticket, npz, tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    whole = shutil.copy(ticket, folder / "a[red]:smile:.h5")
    with h5py.File(shutil.copy(ticket, folder / "b.h5"), "r+") as file:
        del file["trials/1/rounds/02"]
    (folder / "c.h5").write_bytes(whole.read_bytes()[:1000])
    (folder / "notes.txt").write_text("no result")
    find(data=str(npz), trials=1, rounds=1, controls="none", first_trial=3, out=folder / "d.h5")
    done = command("list", folder)
    rows = [re.split(r"  +", line.strip()) for line in done.out.splitlines() if ".h5" in line]
    assert (done.code, [name for name, *_ in rows]) == (0, ["a[red]:smile:.h5", "b.h5", "c.h5", "d.h5"])
    assert rows[0][1:] == [
        "mlp-12-16-8-3",
        "mine.npz",
        "2",
        "2",
        load(ticket).verdict["text"].split(";")[0].split(":")[0],
    ]
    assert rows[1][3:5] == ["1 of 2", "1-2 of 2"]
    assert rows[2][1].startswith("cannot be read as an HDF5 file")
    assert rows[3][2:5] == ["mine.npz", "1", "1"]


def test_where_there_is_nothing(command, tmp_path):
    assert "holds no result files" in one_sentence(command("list", tmp_path))
    assert "is no folder" in one_sentence(command("list", tmp_path / "missing"))
