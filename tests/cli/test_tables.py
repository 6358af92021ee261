"""`tinyticket find` on a table, whose column to predict is a setting of the experiment."""

import numpy as np

import tinyticket as tt
from tests.cli.commands import one_sentence


def test_a_column_of_numbers_is_predicted_and_its_file_goes_on_replays_and_extends(
    find_command, command, out, tmp_path
):
    path, rng = tmp_path / "houses.csv", np.random.default_rng(0)
    rows = rng.normal(size=(60, 3))
    lines = [f"{size},{size - age + 0.1 * noise},{age}" for size, age, noise in rows]
    path.write_text("\n".join(["size,price,age", *lines]))
    changes = {"data": path, "target": "price", "loss": "mse", "model": "mlp-2-16-1", "validation": 10, "lr": 0.05}
    assert find_command(**changes, rounds=1).code == 0
    outcome = find_command(**changes, rounds=2)
    assert "; R2: on the test set there" in outcome.out
    assert "points of R2" in outcome.out
    assert "test R2" in outcome.err
    result = tt.load(out)
    assert (result.config["target"], result.data["outputs"]) == ("price", 1)
    assert result.round(0, 0).test_accuracy > 0.5
    again = command("replay", out, "--round", 2, "--data", path, "--quiet")
    assert again == (0, "trial 0, round 2, ticket: all bits agree\n", "")
    assert "target was price and is now age" in one_sentence(find_command(**{**changes, "target": "age"}))


def test_a_network_of_ones_own_is_told_how_many_numbers_there_are(find_command, tmp_path):
    (data := tmp_path / "sums.csv").write_text("a,b\n" + "".join(f"{i},{i % 7}\n" for i in range(60)))
    (model := tmp_path / "own.py").write_text(
        "import tinyticket as tt\n\ndef make(input_shape, classes, rng):\n"
        "    return tt.nn.Sequential(tt.nn.Linear(*input_shape, 8, rng=rng), tt.nn.ReLU(), tt.nn.Linear(8, classes, rng=rng))\n"
    )
    changes = {
        "data": data,
        "loss": "mse",
        "model": f"{model}:make",
        "validation": 10,
        "lr": 0.001,
        "rounds": 1,
        "controls": "none",
    }
    assert find_command(**changes).code == 0
