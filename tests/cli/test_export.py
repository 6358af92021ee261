"""`tinyticket export`."""

import numpy as np

from tests.cli.commands import one_sentence


def test_a_ticket_for_elsewhere(command, ticket, tmp_path):
    path = tmp_path / "ticket.npz"
    assert command("export", ticket, "--trial", 1, "--round", 2, "-o", path) == (0, "", f"wrote {path}\n")
    assert np.load(path)["mask/fc1.weight"].sum() == np.count_nonzero(np.load(path)["fc1.weight"])
    assert "ending" in one_sentence(command("export", ticket, "--round", 2, "-o", tmp_path / "ticket.pt"))
    assert "torch.from_numpy" in command("export", "--help").out
