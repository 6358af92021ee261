"""The page in a browser: every control is used, nothing is complained of, and no width cuts anything off."""

import shutil

import pytest

import tinyticket as tt
from tests.lottery.experiments import find

BROWSERS, DRIVERS = ("chromium", "chromium-browser", "google-chrome"), ("chromedriver", "chromium.chromedriver")
SWITCHES = ("headless", "no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking",
            "disable-component-update", "disable-sync", "disable-dev-shm-usage")  # fmt: skip
SORTED = """
return [...arguments[0].tHead.rows[0].cells].map((heading, column) => [1, 2].map(() => {
  heading.querySelector("button").click();
  const values = [...arguments[0].tBodies[0].rows].map((row) => row.cells[column].dataset.value);
  return {sort: heading.getAttribute("aria-sort"), values: values};
}));
"""
WIDTHS = (360, 800, 1280)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium: pip install 'tinyticket[browser]'")
    program, driver = (next(filter(None, map(shutil.which, names)), None) for names in (BROWSERS, DRIVERS))
    if program is None or driver is None:
        pytest.skip("needs Chromium and its driver (Debian: chromium and chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for switch in (*SWITCHES, f"user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(f"--{switch}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield opened
    opened.quit()


@pytest.fixture
def visit(browser, tmp_path):
    """Open a page of a result, or of several, and find in the end that the console is empty."""

    def open_page(results):
        tt.report(results, tmp_path / "page.html")
        browser.get((tmp_path / "page.html").as_uri())
        return browser

    yield open_page
    assert browser.get_log("browser") == []


def visible(browser, selector):
    return [element for element in browser.find_elements("css selector", selector) if element.is_displayed()]


def test_sliders_show_one_round_each(visit, small):
    browser = visit(small)
    for group in browser.find_elements("css selector", ".frames"):
        slider, words = group.find_element("css selector", "input"), group.find_element("css selector", "output")
        before, after = group.find_elements("css selector", "button")
        assert words.text == "round 2: 65.4% of the weights left"
        for button, said in ((after, "round 2: "), (before, "round 1: "), (before, "round 0: "), (before, "round 0: ")):
            button.click()
            assert words.text.startswith(said)
            (frame,) = [each for each in group.find_elements("css selector", ".frame") if each.is_displayed()]
            assert frame.get_attribute("data-words") == words.text == slider.get_attribute("aria-valuetext")
        slider.send_keys("\ue014")  # the arrow to the right
        assert words.text.startswith("round 1: ")
        assert frame.get_attribute("hidden")


def test_images_are_those_of_the_round(visit, small):
    images = visible(visit(small), ".frame img")
    assert [image.get_attribute("alt").split(":")[0] for image in images] == ["fc1", "fc2", "output"]
    assert all(image.get_property("naturalWidth") > 0 for image in images)


def test_every_column_of_every_table_sorts_both_ways(visit, small):
    browser = visit(small)
    for details in browser.find_elements("css selector", "details summary"):
        details.click()
    tables = browser.find_elements("css selector", "table.sortable")
    assert len(tables) == 5
    for table in tables:
        for column, (up, down) in enumerate(browser.execute_script(SORTED, table)):
            assert (up["sort"], down["sort"]) == ("ascending", "descending")
            keys = [
                list(map(float, each["values"])) if all(map(number, each["values"])) else each["values"]
                for each in (up, down)
            ]
            assert keys[0] == sorted(keys[0]), column
            assert keys[1] == sorted(keys[0], reverse=True), column
    heading = visible(browser, "th button")[0]
    heading.click()
    assert heading.find_element("xpath", "..").get_attribute("aria-sort") == "ascending"


def number(text):
    return text.replace(".", "").replace("-", "").replace("e", "").isdigit()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen_and_words_stand_out(scheme, visit, small):
    browser = visit([small, find(rounds=1, controls="none")])
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    for page in (None, small):
        if page is not None:
            visit(page)
        for width in WIDTHS:
            size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    colour = (
        "return getComputedStyle(document.documentElement).{}.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0)"
    )
    ink, paper = (browser.execute_script(colour.format(name)) for name in ("color", "backgroundColor"))
    assert (paper > ink) == (scheme == "light")
    assert abs(paper - ink) > 500


def test_links_of_a_sweep_lead_to_its_experiments(visit, small):
    browser = visit([small, find(rounds=1, controls="none")])
    for link in browser.find_elements("css selector", "td a"):
        link.click()
        name = browser.current_url.rpartition("#")[2]
        assert (
            abs(browser.execute_script(f"return document.getElementById('{name}').getBoundingClientRect().top")) < 900
        )
