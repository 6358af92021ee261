"""draw: the graph as Graphviz text and as SVG."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

import tinyticket as tt
from tinyticket.nn.functional import cross_entropy, linear

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def loss():
    x = tt.Tensor(np.ones((2, 3), np.float32))
    weight, bias = (tt.Tensor(np.ones(shape, np.float32), requires_grad=True) for shape in [(4, 3), (4,)])
    weight.name = 'the "weight" <w>'
    return cross_entropy(linear(x, weight, bias).relu() * 2, [0, 3]) + (weight * weight).sum(axis=(0, 1))


OPERATIONS = ["linear", "relu", "multiply", "cross_entropy", "sum", "add"]


def test_the_text_is_graphviz_and_names_every_operation_and_shape(loss):
    text = tt.draw(loss)
    assert text.startswith("digraph")
    assert text.count("{") == text.count("}") == 1
    for name in [*OPERATIONS, "2 x 3", "4 x 3, requires grad", "axis=(0, 1)", "reduction=mean"]:
        assert name in text


def test_every_arrow_joins_two_boxes_and_there_is_one_arrow_per_input(loss):
    text = tt.draw(loss)
    boxes = set(re.findall(r"^  (\w+) \[label=", text, re.MULTILINE))
    arrows = re.findall(r"^  (\w+) -> (\w+);", text, re.MULTILINE)
    assert {end for arrow in arrows for end in arrow} == boxes
    assert len(arrows) == 3 + 1 + 2 + 1 + 2 + 1 + 2  # linear, relu, * 2, cross_entropy, weight * weight, sum, add


def test_labels_are_quoted(loss):
    assert r"the \"weight\" <w>\n4 x 3, requires grad" in tt.draw(loss)
    assert "&quot;weight&quot; &lt;w&gt;" in tt.draw(loss).svg


def test_the_picture_is_xml_with_every_box_and_arrow_inside_it(loss):
    drawing = tt.draw(loss)
    root = ElementTree.fromstring(drawing.svg)
    assert root.tag == f"{SVG}svg"
    texts = {element.text for element in root.iter(f"{SVG}text")}
    assert set(OPERATIONS) <= texts
    assert len(list(root.iter(f"{SVG}line"))) == drawing.count(" -> ")
    width, height = float(root.get("width")), float(root.get("height"))
    places = set()
    for box in root.iter(f"{SVG}rect"):
        x, y, w, h = (float(box.get(key)) for key in ("x", "y", "width", "height"))
        assert 0 <= x <= x + w <= width
        assert 0 <= y <= y + h <= height
        places.add((x, y))
    assert len(places) == drawing.count("label=")  # none on top of another


def test_arrows_point_downwards(loss):
    for line in ElementTree.fromstring(tt.draw(loss).svg).iter(f"{SVG}line"):
        assert float(line.get("y1")) < float(line.get("y2"))


def test_notebooks_show_the_picture(loss):
    drawing = tt.draw(loss)
    assert drawing._repr_svg_() == drawing.svg


def test_a_leaf_alone_is_one_box():
    drawing = tt.draw(tt.Tensor(1.0))
    assert "one number" in drawing
    assert "->" not in drawing
    assert len(list(ElementTree.fromstring(drawing.svg).iter(f"{SVG}rect"))) == 1


def test_drawing_changes_nothing(loss):
    tt.draw(loss)
    loss.backward()


def test_drawing_after_backward_is_refused(loss):
    loss.backward()
    with pytest.raises(RuntimeError, match=r"draw it before calling backward\(\)"):
        tt.draw(loss)
