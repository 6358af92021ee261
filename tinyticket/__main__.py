"""The command `tinyticket`, also `python -m tinyticket`."""

import sys

NEEDS = {"click", "rich", "matplotlib"}


def main() -> None:
    """Run the command line, or say in one sentence that its packages are missing."""
    try:
        from tinyticket.cli import run

        code = run()
    except ModuleNotFoundError as error:
        if error.name not in NEEDS:
            raise
        print(
            f"tinyticket: the command line needs the package {error.name}: pip install 'tinyticket[app]'",
            file=sys.stderr,
        )
        code = 2
    sys.exit(code)


if __name__ == "__main__":
    main()
