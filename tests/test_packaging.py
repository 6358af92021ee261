"""What is distributed: all that a packager builds, tests and documents from, described so that an index can show it."""

import configparser
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def settings():
    found = configparser.ConfigParser()
    found.read(ROOT / "setup.cfg")
    return found


def test_the_description_has_no_links_that_an_index_cannot_follow():
    description = settings()["metadata"]["long_description"].removeprefix("file:").strip()
    links = re.findall(r"\]\(([^)]*)\)", (ROOT / description).read_text())
    assert links
    assert all(link.startswith("https://") for link in links)


def test_the_source_distribution_holds_every_folder_of_a_checkout():
    grafted = set(re.findall(r"^graft (\S+)", (ROOT / "MANIFEST.in").read_text(), re.M))
    folders = {file.parent.name for file in ROOT.glob("*/*.*") if file.suffix in (".py", ".md")}
    ours = {name for name in folders if not name.startswith(".") and not name.endswith(".egg-info") and name != "build"}
    assert ours == {*grafted, "tinyticket"}
