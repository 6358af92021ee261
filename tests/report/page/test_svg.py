"""Charts as SVG."""

from xml.etree import ElementTree

from tinyticket.report.charts import Chart, Series
from tinyticket.report.page.svg import svg


def drawn(series, **changes):
    axes = {"x": (100, 1), "y": (0, 10), "x_label": "x", "y_label": "y", "densities": [100, 10, 1], **changes}
    return ElementTree.fromstring(svg(Chart(series, "what it <shows>", **axes)))


def points(tree):
    return [(float(c.get("cx")), float(c.get("cy"))) for c in tree.iter("circle")]


def test_points_lie_where_their_values_are():
    tree = drawn([Series("a", "n1", [(100, 0), (10, 5), (1, 10)], filled=[True, False, True])])
    (x0, y0), (x1, y1), (x2, y2) = points(tree)
    assert abs((x1 - x0) - (x2 - x1)) < 0.2  # equal steps on a logarithmic axis
    assert abs((y0 - y1) - (y1 - y2)) < 0.2
    assert x0 < x1
    assert y0 > y1
    assert [c.get("class") for c in tree.iter("circle")] == ["point", "point hollow", "point"]


def test_points_of_several_networks_with_intervals_lie_beside_each_other():
    series = [Series(name, "n1", [(10, 5)], [(4, 6)], [True]) for name in "ab"]
    (x0, _), (x1, _) = points(drawn(series))
    assert x1 - x0 > 3


def test_words_are_text():
    tree = drawn([], x_label="<script>")
    assert tree.get("aria-label") == "what it <shows>"
    assert "<script>" in [text.text for text in tree.iter("text")]
    assert not list(tree.iter("script"))


def test_endless_intervals_stay_finite():
    series = [Series("a", "n1", [(10, 5)], [(-1e300, 1e300)], [True])]
    text = svg(Chart(series, "w", (100, 1), (0, 10), "y", densities=[10]))
    assert "inf" not in text
    assert "nan" not in text
    assert len(text) < 3000


def test_what_is_no_number_is_left_out():
    nan = float("nan")
    series = Series("a", "n1", [(100, nan), (10, 5), (1, nan)], filled=[True] * 3, band=[(nan, nan), (4, 6), (4, nan)],
                    stop=(10, nan))  # fmt: skip
    tree = drawn([series, Series("b", "n2", [(10, nan)])])
    assert len(points(tree)) == 1
    assert "nan" not in ElementTree.tostring(tree, encoding="unicode")
