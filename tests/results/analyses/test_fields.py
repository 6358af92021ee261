"""Receptive fields of a result."""

import numpy as np
import pytest

from tests.lottery.experiments import DATA, find
from tinyticket import prune
from tinyticket.data import from_arrays
from tinyticket.errors import InputError
from tinyticket.results.analyses import fields


@pytest.fixture(scope="module")
def images():
    parts = [DATA.x_train.reshape(-1, 1, 3, 4), DATA.y_train, DATA.x_test.reshape(-1, 1, 3, 4), DATA.y_test]
    return find(data=from_arrays(*parts, name="images"), trials=2)


def test_fields_of_tickets_and_of_other_masks_in_the_mean_over_trials(images):
    rows = {(row["round"], row["network"]): row for row in fields(images).rows}
    assert {network for _, network in rows} == {"ticket", "random"}
    for network in ("ticket", "random"):
        runs = [
            trial.rounds[2] if network == "ticket" else trial.rounds[2].controls[network] for trial in images.trials
        ]
        masks = [run.masks["fc1.weight"] for run in runs]
        assert rows[2, network]["locality"] == pytest.approx(np.mean([prune.locality(mask, (3, 4)) for mask in masks]))
        assert rows[2, network]["inputs"] == pytest.approx(np.mean([mask.sum() / 16 for mask in masks]))
    assert rows[0, "ticket"]["locality"] == pytest.approx(1)


def test_a_picture_of_them_has_the_same_units_in_every_round(images):
    figure = images.plot(kind="fields")
    titles = [axis.get_title() for axis in figure.axes]
    assert [title for title in titles if "left" in title] == ["100% left", "80.8% left", "65.4% left"]


def test_inputs_that_are_no_images_have_no_fields(small):
    with pytest.raises(InputError, match=r"has no receptive fields: its first layer, fc1.weight of shape \(16, 12\)"):
        fields(small)
