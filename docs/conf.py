"""How Sphinx builds the site: `python -m sphinx -W -b html docs docs/_build` (extra `docs`)."""

import re
import sys
from pathlib import Path

from tinyticket._version import __version__

project, author, release = "tinyticket", "the tinyticket developers", __version__
copyright = author
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_click",
    "sphinx_gallery.gen_gallery",
]
html_theme, html_title = "furo", "tinyticket"
exclude_patterns = ["_build", "package_index.md", "sg_execution_times.rst", "lessons/*.ipynb", "lessons/*.py", "lessons/*.md5", "lessons/*.zip"]

# Links to files of the checkout that are no pages (sources, examples) stay links to files.
# Words of a type in a docstring, such as the shape of an array, are no references to attributes of that name.
suppress_warnings = ["myst.xref_missing", "config.cache", "ref.python"]
myst_heading_anchors = 4
myst_enable_extensions = ["deflist"]

autodoc_default_options = {"members": True, "member-order": "bysource", "show-inheritance": True}
autodoc_typehints = "none"  # docstrings give shapes and units, signatures the types
autosummary_generate = False
napoleon_google_docstring = False

ROOT = Path(__file__).parent.parent

sys.path.insert(0, str(ROOT / "docs"))  # where lesson_arguments is
sphinx_gallery_conf = {
    "examples_dirs": str(ROOT / "examples"),
    "gallery_dirs": "lessons",
    "filename_pattern": r"/\d_",
    "ignore_pattern": r"reproduce_",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "abort_on_example_error": True,
    "reset_argv": "lesson_arguments.of",
    "remove_config_comments": True,
}


def as_text(app, what, name, obj, options, lines):
    """Take bars and asterisks in docstrings for mathematics and not for markup, and leave the introduction of a module to its page."""
    lines[:] = [] if what == "module" else [re.sub(r"[|*]", r"\\\g<0>", line) for line in lines]


def setup(app):
    """Connect what this file defines."""
    app.connect("autodoc-process-docstring", as_text, priority=1)
