"""`tinyticket verify`: a table of checks, and an exit code."""

import re

import h5py

from tests.cli.commands import one_sentence


def test_a_sound_file(command, ticket, npz):
    outcome = command("verify", ticket, "--data", npz)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.count("passed") == 19
    assert command("verify", ticket, "--data", npz, "--quiet") == (0, "", "")


def test_without_the_data_set_the_rest_is_checked(command, ticket):
    outcome = command("verify", ticket)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.count("passed") == 16
    assert "not checked, the final accuracies are those of the networks: " in outcome.out


def test_a_file_that_was_changed(command, ticket, npz, out):
    out.write_bytes(ticket.read_bytes())
    with h5py.File(out, "r+") as file:
        file["trials/1/rounds/02"].attrs["final_test_accuracy"] = 1.0
    outcome = command("verify", out, "--data", npz)
    assert outcome.code == 1
    assert "failed, early stop and accuracies follow from the history: trial 1, round 2: final_test_acc" in outcome.out
    assert re.search(r"^failed +1 of \d+  early stop and accuracies follow", outcome.out, re.MULTILINE)
    assert command("verify", out, "--quiet").out.count("\n") == 2  # and its digest


def test_the_digest_that_was_published(command, ticket, out):
    published = command("show", ticket).out.split()[-1]
    outcome = command("verify", ticket, "--digest", published.upper())
    assert (outcome.code, outcome.err) == (0, "")
    assert "it is the file that was published" in outcome.out
    out.write_bytes(ticket.read_bytes())
    with h5py.File(out, "r+") as file:
        file["trials/0/rounds/01"].attrs["seconds"] = 1e-3
    assert command("verify", out, "--digest", published, "--quiet") == (0, "", "")
    other = command("verify", ticket, "--digest", "0" * 64, "--quiet")
    assert (other.code, other.err) == (1, "")
    assert other.out == f"failed, it is the file that was published: its digest is {published}, and not {'0' * 64}\n"
    assert "a digest is 64 hexadecimal digits" in one_sentence(command("verify", ticket, "--digest", published[:12]))


def test_some_networks_are_trained_again(command, ticket, npz):
    outcome = command("verify", ticket, "--data", npz, "--retrain", "2", "--seed", "5")
    assert (outcome.code, outcome.err.count("early stop at")) == (0, 2)
    assert outcome.out.startswith("the trainings to repeat are those that --seed 5 chooses\n")
    assert outcome.out.count("comes out the same when it is trained again") == 2
    assert command("verify", ticket, "--data", npz, "--retrain", "2", "--seed", "5").out == outcome.out
    assert "--seed" in command("verify", ticket, "--retrain", "1").out


def test_what_is_no_result_is_one_sentence(command, npz, tmp_path):
    assert "cannot be read as an HDF5 file" in one_sentence(command("verify", npz))
    assert "does not exist" in one_sentence(command("verify", tmp_path / "no.h5"))
