"""Renews the table of settings in format.md from their declarations: python docs/settings.py."""

from pathlib import Path

from tinyticket.lottery.settings.document import renewed

page = Path(__file__).parent / "format.md"
page.write_text(renewed(page.read_text()))
