"""`tinyticket replay`: the exit code says whether all bits agree."""

import h5py
import numpy as np

from tests.cli.commands import one_sentence, save_npz
from tests.cli.test_interruption import MODEL
from tests.lottery.experiments import clusters


def test_a_training_that_comes_out_the_same(command, ticket, npz):
    for which, title in (([], "round 0, dense"), (["--round", 2, "--control", "reinit"], "round 2, reinit")):
        outcome = command("replay", ticket, *which, "--data", npz, "--quiet")
        assert outcome == (0, f"trial 0, {title}: all bits agree\n", "")


def test_one_that_does_not(command, ticket, npz, out):
    out.write_bytes(ticket.read_bytes())
    with h5py.File(out, "r+") as file:
        file["trials/1/rounds/01/trained/fc1.weight"][:7] += np.float32(1)
    outcome = command("replay", out, "--trial", 1, "--round", 1, "--data", npz, "--quiet")
    assert (outcome.code, outcome.err) == (1, "")
    assert outcome.out.startswith("trial 1, round 1, ticket: differs from the file\n")
    assert "trained fc1.weight" in outcome.out
    assert " 7 " in outcome.out


def test_what_cannot_be_repeated_is_one_sentence(command, ticket, npz, tmp_path):
    assert "say where the data are" in one_sentence(command("replay", ticket))
    assert "there is no round 9" in one_sentence(command("replay", ticket, "--round", 9, "--data", npz))
    other = save_npz(tmp_path / "other.npz", clusters(seed=3))
    assert "by their fingerprints" in one_sentence(command("replay", ticket, "--data", other))


def test_a_network_from_a_file_of_ones_own(find_command, command, npz, out):
    assert find_command(model=MODEL, rounds=1).code == 0
    assert "give the model" in one_sentence(command("replay", out, "--data", npz))
    outcome = command("replay", out, "--round", 1, "--control", "reinit", "--data", npz, "--model", MODEL, "--quiet")
    assert outcome == (0, "trial 0, round 1, reinit: all bits agree\n", "")
