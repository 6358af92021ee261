"""Files that commands write: never over a result, and over others only by force."""

import pytest

from tests.cli.commands import one_sentence

COMMANDS = {
    "plot": ("plot", "{}"),
    "export": ("export", "{}", "--round", 1),
    "analyze": ("analyze", "{}", "layers"),
    "compare": ("compare", "{}", "{}"),
}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_a_file_that_is_there_is_replaced_only_by_force_and_a_result_never(words, command, ticket, tmp_path):
    asked = [ticket if word == "{}" else word for word in words]
    there, result, kept = tmp_path / "there.h5", tmp_path / "other.h5", ticket.read_bytes()
    there.write_text("notes")
    result.write_bytes(kept)
    assert "is there already; choose another name, or have it replaced with --force" in one_sentence(
        command(*asked, "-o", there)
    )
    for path in (ticket, result):
        assert "is a result file" in one_sentence(command(*asked, "--force", "-o", path))
    there.chmod(0o444)
    assert "it is read-only" in one_sentence(command(*asked, "--force", "-o", there))
    assert (there.read_text(), result.read_bytes(), ticket.read_bytes()) == ("notes", kept, kept)


def test_force_replaces_a_file(command, ticket, tmp_path):
    there = tmp_path / "there.npz"
    there.write_text("notes")
    assert command("export", ticket, "--round", 1, "-o", there, "--force").code == 0
    assert there.read_bytes().startswith(b"PK")
