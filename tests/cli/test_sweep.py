"""`tinyticket sweep`, and `compare` of its folder."""

import json

import pytest

from tests.cli.commands import one_sentence

SWEEP = """
[settings]
data = "{npz}"
model = "mlp-12-16-8-3"
rounds = 1
iterations = 20
trials = 2
batch-size = 10
validation = 20
[grid]
criterion = ["magnitude", "random"]
"""


@pytest.fixture
def sweep_file(npz, tmp_path):
    path = tmp_path / "sweep.toml"
    path.write_text(SWEEP.format(npz=npz))
    return path


def test_a_sweep_is_listed_run_gone_on_with_and_compared(command, sweep_file, tmp_path):
    folder = tmp_path / "results"
    listed = command("sweep", sweep_file, "--out", folder, "--dry-run")
    assert listed.code == 0
    assert "2 experiments; 2 dense trainings are shared" in listed.out
    assert not folder.exists()
    done = command("sweep", sweep_file, "--out", folder, "--workers", 1)
    assert done.code == 0, done.err
    assert [line.partition(":")[0] for line in done.out.splitlines()] == ["criterion=magnitude", "criterion=random"]
    again = command("sweep", sweep_file, "--out", folder, "--workers", 1)
    assert (again.code, again.out) == (0, done.out)
    found = json.loads(command("compare", folder, "--json").out)
    assert found["results"] == [str(folder / f"criterion={name}.h5") for name in ("magnitude", "random")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[settings", "is no TOML"),
        ("[setting]\nseed = 1", "has a part 'setting' (did you mean 'settings'?"),
        ("grid = 3", "settings and grid are tables"),
        ("experiments = 3", "experiments a list of tables"),
        ("[settings]\nseed = 1", "no experiments"),
        ("[grid]\nseed = [0]\nmodel = ['no.py:make']", "no.py does not exist"),
    ],
)
def test_a_bad_sweep_is_one_sentence(command, tmp_path, text, words):
    path = tmp_path / "sweep.toml"
    path.write_text(text)
    assert words in one_sentence(command("sweep", path, "--out", tmp_path / "results"))
    assert not (tmp_path / "results").exists()


def test_no_file_and_an_empty_folder_are_one_sentence(command, tmp_path):
    assert "cannot be read" in one_sentence(command("sweep", tmp_path / "no.toml", "--out", tmp_path / "results"))
    assert "holds no result files" in one_sentence(command("compare", tmp_path))
