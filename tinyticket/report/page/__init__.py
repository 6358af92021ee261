"""The HTML page of a result or a sweep: one file, without network.

page      which parts there are, from a result to text
parts     the data of each part: tables, provenance
drawn     images, sliders and legends
svg       charts, drawn here, so that a page needs no plotting library
png       small images of few colours
assets/   the template, its style sheet and its script
"""

from tinyticket.report.page.page import report

__all__ = ["report"]
