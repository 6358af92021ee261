"""`tinyticket merge`."""

from tests.cli.commands import one_sentence
from tinyticket import load


def test_two_machines(command, find_command, ticket, out, tmp_path):
    more, both = tmp_path / "more.h5", tmp_path / "both.h5"
    assert find_command("--first-trial", 2, "--workers", 1, out=more, trials=1, controls="reinit,random").code == 0
    done = command("merge", ticket, more, "-o", both)
    assert (done.code, done.err) == (0, f"{both}: 3 trials\n")
    assert done.out == load(both).verdict["text"] + "\n"
    assert "is there already" in one_sentence(command("merge", ticket, more, "-o", both))
    assert "at least two files" in one_sentence(command("merge", ticket, "-o", out))
