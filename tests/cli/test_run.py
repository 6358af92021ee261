"""The program itself: its help, its version, its exit codes, and what it says where its packages are missing."""

import re
import subprocess
import sys
from textwrap import dedent

import click
import pytest

import tinyticket
from tests.cli.commands import ENVIRONMENT, call, start
from tinyticket import cli

COMMANDS = ["find", "show", "plot", "data", "data list", "data path", "data fetch"]


@pytest.mark.parametrize("words", ["", *(name for name in COMMANDS if name != "data")])
def test_the_version_is_told_everywhere(words, command):
    assert command(*words.split(), "--version") == (0, f"tinyticket {tinyticket.__version__}\n", "")


def test_the_module_is_the_program():
    assert call(["--version"]) == (0, f"tinyticket {tinyticket.__version__}\n", "")


@pytest.mark.parametrize("words", ["", *COMMANDS])
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_explains_itself(words, flag, command):
    outcome = command(*words.split(), flag)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("Usage: tinyticket")


@pytest.mark.parametrize("words", ["", "find", "show", "plot"])
def test_help_has_examples_that_stand_on_lines_of_their_own(words, command):
    examples = command(*words.split(), "--help").out.partition("Example")[2]
    assert len(re.findall(r"^ +tinyticket .*$", examples, re.MULTILINE)) >= 1


def test_the_examples_in_the_help_are_commands_that_exist(command):
    """Every option that an example mentions is one that its command has."""
    for words in ("", "find", "show", "plot"):
        for line in re.findall(r"^ +tinyticket (.*)$", command(*words.split(), "--help").out, re.MULTILINE):
            if line.startswith("["):
                continue  # the usage
            name, *rest = re.split(r"  +| > ", line)[0].split()
            explained = command(name, "--help").out
            assert all(word in explained for word in rest if word.startswith("-")), line


def test_without_a_command_the_help_is_shown(command):
    outcome = command()
    assert "find" in outcome.out + outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("fnd", "No such command 'fnd'"),
        ("find", "Missing option '--out'"),
        ("find --out x.h5 --rounds two", "'two' is not a valid integer"),
        ("find --out x.h5 --lr fast", "'fast' is not a valid float"),
        ("find --out x.h5 --colour red", "No such option"),
        ("show", "Missing argument 'FILE'"),
        ("show a.h5 --json --csv", "--json and --csv exclude each other"),
        ("plot a.h5", "Missing option '-o'"),
        ("data path", "Missing argument 'NAME'"),
    ],
)
def test_a_command_that_is_wrongly_written_says_so_with_code_2(words, expected, command):
    outcome = command(*words.split())
    assert (outcome.code, outcome.out) == (2, "")
    assert expected in outcome.err


def test_a_bug_shows_its_traceback(monkeypatch):
    def broken(path):
        raise RuntimeError("a bug")

    monkeypatch.setattr(tinyticket, "load", broken, raising=False)
    with pytest.raises(RuntimeError, match="a bug"):
        cli.run(["show", "ticket.h5"])


@pytest.mark.parametrize("error", [KeyboardInterrupt, click.Abort])
def test_ctrl_c_has_the_code_that_shells_expect(error, command, monkeypatch):
    def stopped(path):
        raise error

    monkeypatch.setattr(tinyticket, "load", stopped, raising=False)
    outcome = command("show", "ticket.h5")
    assert (outcome.code, outcome.out, outcome.err.strip()) == (
        130,
        "",
        "tinyticket: stopped; run the same command again",
    )


@pytest.mark.parametrize("flags", [["--csv"], []], ids=["csv", "table"])
def test_whoever_reads_the_output_may_leave(flags, ticket):
    process = start(["show", ticket, *flags])
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(60) == 1


BLOCKED = """
    import sys

    class Blocker:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == blocked:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    blocked = sys.argv.pop(1)
    sys.meta_path.insert(0, Blocker())
    from tinyticket.__main__ import main
    main()
"""


@pytest.mark.parametrize(
    ("missing", "words"),
    [("click", "--version"), ("rich", "--version"), ("click", "show {}"), ("matplotlib", "plot {} -o {}.png")],
)
def test_without_the_app_extra_one_is_told_how_to_get_it(missing, words, ticket):
    arguments = [word.format(ticket) for word in words.split()]
    done = subprocess.run(
        [sys.executable, "-c", dedent(BLOCKED), missing, *arguments], capture_output=True, text=True, env=ENVIRONMENT
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"tinyticket: the command line needs the package {missing}: pip install 'tinyticket[app]'\n"


def test_another_missing_module_is_a_bug_and_shows_itself(ticket):
    done = subprocess.run(
        [sys.executable, "-c", dedent(BLOCKED), "h5py", "show", ticket], capture_output=True, text=True, env=ENVIRONMENT
    )
    assert done.returncode == 1
    assert "No module named 'h5py'" in done.stderr
