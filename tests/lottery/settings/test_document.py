"""Signature, docstring and docs/format.md say what is declared."""

import inspect
from pathlib import Path

import pytest

import tinyticket as tt
from tinyticket.lottery.settings.document import DECLARED, renewed
from tinyticket.lottery.settings.table import RUNNING, SETTINGS

PAGE = Path(tt.__file__).parents[1] / "docs" / "format.md"


def test_the_page_about_files_is_up_to_date():
    page = PAGE.read_text()
    assert renewed(page) == page, "python docs/settings.py renews it"
    assert renewed(page.replace("Learning rate.", "")) == page


@pytest.mark.parametrize("function", [tt.lottery.find, tt.lottery.Experiment])
def test_signatures_have_all_settings_and_their_defaults(function):
    parameters = inspect.signature(function).parameters
    assert list(parameters)[:2] == ["model", "data"]
    assert {*parameters} - {"settings", "load_model"} == {*SETTINGS, *RUNNING}
    given = ("batch_size", "lr", "rewind", "eager", "workers")
    assert [parameters[name].default for name in given] == [60, 1.2e-3, "weights", False, 1]
    assert {parameters[name].default for name in ("rounds", "scope", "one_shot", "margin", "out")} == {None}


@pytest.mark.parametrize("function", [tt.lottery.find, tt.lottery.Experiment])
def test_the_docstring_describes_each(function):
    lines = inspect.getdoc(function).partition("settings : Settings")[0].partition("Returns")[0].splitlines()
    assert "{settings}" not in " ".join(lines)
    described = {line.partition(" : ")[0]: lines[number + 1] for number, line in enumerate(lines) if " : " in line}
    assert [*described][:2] == ["model", "data"]
    assert {*described} == {*DECLARED}
    for name, text in described.items():
        assert text.startswith("    ")
        assert text.strip() in f"{DECLARED[name].help} {DECLARED[name].python}"
    assert "rounds : int, default 8, for large data 13" in lines
    assert "rewind : {'weights', 'lr', 'finetune'}, default weights" in lines


def test_helps_name_settings_that_there_are():
    for setting in DECLARED.values():
        assert {*f"{setting.help} {setting.python}".split("`")[1::2]} <= {*DECLARED}
