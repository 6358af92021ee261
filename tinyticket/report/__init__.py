"""What people look at: `summary` as JSON values and CSV rows, `table` for a terminal, `plot` as a picture."""

from tinyticket.report.summary import rows, summary, to_csv

__all__ = ["rows", "summary", "to_csv"]
