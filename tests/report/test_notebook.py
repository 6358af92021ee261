"""What notebooks show of results, networks and steps."""

from html.parser import HTMLParser

import tinyticket as tt
from tinyticket.compiler.eager import EagerStep
from tinyticket.notebook import table


class Cells(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_data(self, data):
        self.found.append(data)


def test_a_result_is_its_table_and_its_sentence(small):
    cells = Cells(small._repr_html_()).found
    assert cells[-1] == small.verdict["text"]
    accuracy = sum(trial.rounds[2].test_accuracy for trial in small.trials) / 2
    assert f"{100 * accuracy:.2f}" in cells
    assert {"dense", "344", "random: accuracy %"} <= set(cells)


def test_a_network_is_its_layers_shapes_and_densities(small):
    cells = Cells(small.model(0, 2)._repr_html_()).found
    density = small.trials[0].rounds[2].masks["fc1.weight"].mean()
    start = cells.index("fc1")
    assert cells[start : start + 4] == ["fc1", "Linear", "16 x 12", f"{density:.1%}"]


def test_a_step_is_what_it_explains():
    model = tt.models.create("mlp-4-3-2", input_shape=(4,), classes=2, rng=0)
    step = EagerStep(model, tt.optim.SGD(model.parameters(), 0.1))
    step.reason = "a loss <of one's own>"
    assert step._repr_html_() == "<pre>eager: a loss &lt;of one&#x27;s own&gt;</pre>"
    assert "fc1.weight" in tt.compile(model, batch_size=16)._repr_html_()


def test_names_are_text_wherever_they_come_from():
    assert table(["<b>"], [["</script>"]], "a & b\x1b") == (
        "<table><thead><tr><th>&lt;b&gt;</th></tr></thead><tbody><tr><td>&lt;/script&gt;</td></tr></tbody></table>"
        "<p>a &amp; b\\x1b</p>"
    )
