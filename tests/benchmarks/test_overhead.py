"""`benchmarks.overhead` with few jobs: a row for every way. Nothing here asserts a time."""

from click.testing import CliRunner

from benchmarks.overhead import WAYS, main


def test_every_way_has_a_row_of_times():
    rows = CliRunner().invoke(main, ["--jobs", "4"], catch_exceptions=False).stdout.splitlines()[1:]
    assert len(rows) == len(WAYS)
    for row, way in zip(rows, WAYS, strict=True):
        assert way in row
        assert all(float(number) > 0 for number in row.split()[-2:])
