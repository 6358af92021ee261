"""The command `tinyticket`, also `python -m tinyticket`."""

import sys

NEEDS = {"click", "rich", "matplotlib"}


def main() -> None:
    """Run the command line, or say in one sentence that its packages are missing."""
    try:
        from tinyticket.cli import run
    except ModuleNotFoundError as error:
        if error.name not in NEEDS:
            raise
        sys.exit(_missing(error.name))
    sys.exit(run())


def _missing(package: str) -> int:
    print(f"tinyticket: the command line needs the package {package}: pip install 'tinyticket[app]'", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
