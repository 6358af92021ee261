"""`tinyticket export`."""

import numpy as np

from tests.cli.commands import one_sentence


def test_a_ticket_for_elsewhere(command, ticket, tmp_path):
    path = tmp_path / "ticket.npz"
    assert command("export", ticket, "--trial", 1, "--round", 2, "-o", path) == (0, "", f"wrote {path}\n")
    assert np.load(path)["mask/fc1.weight"].sum() == np.count_nonzero(np.load(path)["fc1.weight"])
    assert "ending" in one_sentence(command("export", ticket, "--round", 2, "-o", tmp_path / "ticket.txt"))


def test_formats_and_controls(command, ticket, tmp_path):
    path = tmp_path / "control"
    assert command("export", ticket, "--round", 2, "--control", "random", "--to", "c", "-o", path, "-q").code == 0
    assert "round 2, control random: " in path.read_text()
    said = command("export", "--help").out
    assert "c (.c)" in said
    assert "torch.from_numpy" in said
