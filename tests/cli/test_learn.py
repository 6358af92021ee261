"""`tinyticket learn`."""

from tests.cli.commands import one_sentence


def test_an_exercise_from_its_opening_to_its_solution(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command("learn").out.splitlines()[0].startswith("autograd   numbers that know their derivatives")
    assert (
        command("learn", "open", "protocol").out
        == "protocol.py: fill the holes, then: tinyticket learn check protocol\n"
    )
    assert command("learn", "check", "protocol").code == 1
    assert "already" in one_sentence(command("learn", "open", "protocol"))
    (tmp_path / "protocol.py").write_text("def split(*_):\n    return None.shape\n")
    assert "AttributeError in line 2: " in command("learn", "check", "protocol").out
    (tmp_path / "protocol.py").write_text(command("learn", "solution", "protocol").out)
    checked = command("learn", "check", "protocol")
    assert checked.code == 0
    assert checked.out.endswith("all of protocol is right\n")
    assert "7 of 7 right" in command("learn").out
    (tmp_path / "ticket.py").write_text("raise SystemExit('a file of somebody else is run')")
    assert command("learn").code == 0


def test_what_is_not_there_is_named(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "there are autograd, ticket, " in one_sentence(command("learn", "open", "nothing"))
    assert "claim.py does not exist" in one_sentence(command("learn", "check", "claim"))
