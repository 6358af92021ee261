"""The page as HTML: well-formed, whole, without network, and every word of a file as text."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import h5py
import pytest

import tinyticket as tt
from tests.lottery.experiments import find
from tests.lottery.networks import Counting
from tinyticket.errors import InputError

ALONE = {"meta", "link", "img", "input", "br"}
STRANGE = "</script><script>alert(1)</script><b a='\"&\x1b"


class Page(HTMLParser):
    """A page's text, tags and attributes; it fails where a tag is not closed."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.words, self.html = [], [], [], html
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ALONE:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def page(small):
    return Page(small.report())


@pytest.fixture
def strange(small, tmp_path):
    """A result whose file says what would be markup, in every place that takes words."""
    path = tmp_path / "a<i>.h5"
    small.save(path)
    with h5py.File(path, "r+") as file:
        for name, keys in {
            "config": ("model", "data", "optimizer", "scope"),
            "data": ("name",),
            "versions": ("numpy", STRANGE),
            "machine": ("system",),
            "networks": ("label", "sought", "how"),
        }.items():
            held = json.loads(file.attrs[name])
            file.attrs[name] = json.dumps({**held, **dict.fromkeys(keys, STRANGE)})
        for trial in "01":
            for number in ("01", "02"):
                group = f"trials/{trial}/rounds/{number}/controls"
                file.move(f"{group}/reinit", f"{group}/<script>x")
                file.attrs["x"] = 0
    return tt.load(path)


def test_it_says_the_verdict_and_every_number(page, small):
    sentence = re.sub(r"\s", "", small.verdict["text"])
    assert sentence in re.sub(r"\s", "", page.text)
    for trial in small.trials:
        for round in trial.rounds:
            for run in (round, *round.controls.values()):
                assert f"{100 * run.test_accuracy:.2f}" in page.text
                assert f"{run.validation_loss:.4f}" in page.text


def test_it_has_a_frame_of_curves_and_masks_for_every_round(page):
    frames = [attributes for _, attributes in page.tags if attributes.get("class") == "frame"]
    assert len(frames) == 2 * 3
    assert [frame["data-words"] for frame in frames[:3]][1:] == [
        "round 1: 80.8% of the weights left",
        "round 2: 65.4% of the weights left",
    ]
    assert sum("hidden" not in frame for frame in frames) == 2


def test_every_picture_says_what_it_shows(page):
    shown = [attributes for tag, attributes in page.tags if tag == "img"]
    assert shown
    assert all(image["alt"] and image["src"].startswith("data:image/png;base64,") for image in shown)
    charts = [attributes for tag, attributes in page.tags if tag == "svg" and "x" not in attributes]
    assert len(charts) >= 2 + 2 * 3 + 3
    assert all(chart["aria-label"] and chart["role"] == "img" for chart in charts)


def test_it_fetches_nothing_and_runs_its_own_script_alone(page):
    assert "http" not in page.html.replace('http-equiv="Content', "")
    for _, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        assert attributes.get("href", "#").startswith(("#", "data:"))
    (script,) = re.findall(r"<script>(.*?)</script>", page.html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = [a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert policy.endswith(f"script-src 'sha256-{digest}'")


def test_it_says_how_to_repeat_the_experiment(page, small):
    assert "tinyticket find --config again.toml --out again.h5" in page.text
    assert 'model = "mlp-12-16-8-3"' in page.text
    assert small.versions["numpy"] in page.text
    assert small.data["fingerprints"]["x_train"] in page.text


def test_every_word_of_a_file_is_text(strange):
    page = Page(strange.report())
    assert page.html.count("<script") == 1
    assert "\x1b" not in page.html
    assert [tag for tag, _ in page.tags if tag in ("b", "i")] == ["b"] * page.html.count("<figcaption>")
    assert "</script><script>alert(1)</script><b a='\"&\\x1b" in page.text
    assert "<script>x" in page.text
    several = Page(tt.report([strange, strange]))
    assert several.html.count("<script") == 1
    assert "\x1b" not in several.html


def test_several_results_are_one_page_that_says_how_they_differ(small):
    other = find(rounds=1, trials=1, controls="none", seed=3)
    page = Page(tt.report([small, other]))
    assert "2 experiments" in page.text
    headings = re.findall(r"<th[^>]*><button[^>]*>([^<]*)", page.html)
    assert headings[0] == "experiment"
    assert {"rounds", "trials", "controls", "seed"} <= set(headings)
    targets = {a["id"] for _, a in page.tags if "id" in a}
    assert {a["href"] for tag, a in page.tags if tag == "a"} == {f"#{target}" for target in targets}


@pytest.mark.parametrize("rounds", [0, 1])
def test_a_result_that_has_hardly_begun_has_a_page(rounds):
    text = Page(find(rounds=rounds, controls="none").report()).text
    assert ("Nothing has been pruned yet." in text) == (rounds == 0)


def test_a_result_that_has_hardly_begun_stands_beside_others(small):
    begun = find(rounds=0, controls="none")
    for results in ([begun, small], [begun, begun]):
        assert "Nothing has been pruned yet." in Page(tt.report(results)).text


def test_a_network_of_a_class_of_ones_own_has_no_costs_but_a_page():
    assert "cannot be made" in Page(find(Counting(), rounds=1, controls="none").report()).text


def test_other_methods_have_pages(small):
    for options in (
        {"method": "rigl", "rounds": None, "one_shot": 0.5, "controls": "static", "update_every": 5},
        {"method": "supermask", "rounds": None},
        {"one_shot": 0.5, "rounds": None, "gradual": "5,10,5", "controls": "none"},
    ):
        page = Page(find(**options).report())
        assert "Accuracy and early stop" in page.text


def test_it_is_small(page):
    assert len(page.html) < 100_000


def test_bad_input_is_refused(small, tmp_path):
    with pytest.raises(InputError, match=r"has no ending that says what it is: \.html"):
        small.report(tmp_path / "page.txt")
    with pytest.raises(InputError, match="at least one result"):
        tt.report([])
    for wrong in ("ticket.h5", ["ticket.h5", small]):
        with pytest.raises(InputError, match=r"made of results, as tt\.load returns them, not of 'ticket\.h5'"):
            tt.report(wrong)
    assert list(tmp_path.iterdir()) == []
