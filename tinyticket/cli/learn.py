"""`tinyticket learn`: exercises beside the lessons."""

from __future__ import annotations

from pathlib import Path

import click

from tinyticket.cli.common import common
from tinyticket.errors import InputError

EXAMPLES = "\b\nExamples:\n  tinyticket learn\n  tinyticket learn open autograd\n  tinyticket learn check autograd"


@click.group(epilog=EXAMPLES, invoke_without_command=True)
@click.pass_context
@common
def learn(context: click.Context, quiet: bool) -> None:
    """List the exercises; `open` begins one, `check` says what is right, `solution` shows how it may be done."""
    from tinyticket.learn import EXERCISES

    if context.invoked_subcommand is None:
        for each in EXERCISES:
            there = Path(f"{each.name}.py")
            state = _standing(each, there) if each.began(there) else ""
            click.echo(f"{each.name:10} {each.title:40} {f'lesson {each.lesson}':46} {state}".rstrip())


@learn.command("open")
@click.argument("name")
@click.option("--folder", type=click.Path(path_type=Path), default=Path("."), help="Where to.  [this folder]")
@common
def open_(name: str, folder: Path, quiet: bool) -> None:
    """Write the file of an exercise, with holes to fill."""
    from tinyticket.learn import exercise, with_holes

    path = folder / f"{name}.py"
    text = with_holes(exercise(name).solution())
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError(f"{path} is there already, and is not overwritten") from None
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None
    if not quiet:
        click.echo(f"{path}: fill the holes, then: tinyticket learn check {name}")


@learn.command("check")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@common
def check_(name: str, file: Path | None, quiet: bool) -> int:
    """Run FILE, NAME.py in this folder unless given, and say what is right; exit code 1 while something is not."""
    from tinyticket.learn import check, exercise

    wrong = 0
    for outcome in check(exercise(name), file or Path(f"{name}.py")):
        wrong += not outcome.right
        click.echo(f"{'right' if outcome.right else 'wrong'}  {outcome.what}")
        if outcome.words:
            click.echo(f"       {outcome.words}")
    if not quiet and not wrong:
        click.echo(f"all of {name} is right")
    return 1 if wrong else 0


@learn.command("solution")
@click.argument("name")
@common
def solution(name: str, quiet: bool) -> None:
    """Print the solved file."""
    from tinyticket.learn import exercise

    click.echo(exercise(name).solution(), nl=False)


def _standing(exercise, path: Path) -> str:
    from tinyticket.learn import check

    try:
        outcomes = list(check(exercise, path))
    except InputError:
        return "does not run"
    return f"{sum(outcome.right for outcome in outcomes)} of {len(outcomes)} right"
