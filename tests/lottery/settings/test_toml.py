"""Settings as TOML: what is written is read again, and what is wrong in a file is said with its name."""

import tomllib

import pytest

from tests.lottery.test_transfer import transferred
from tinyticket.errors import InputError
from tinyticket.lottery.settings import resolve
from tinyticket.lottery.settings.toml import from_toml, to_toml

DATA = {"data": 'my "clusters".npz', "model": "mlp-12-8-3", "training_examples": 1000}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"controls": "none", "prune": {"fc": 0.3}, "margin": 0.002, "recipe": "frankle-carbin/lenet"},
        {"schedule": "warmup:5+step:7,9", "lr": 1e-5, "augment": "flip-crop", "eager": True},
        {"one_shot": "0.5,0.2", "gradual": "2,14,3", "criterion": "movement", "scope": "erk"},
        {"rewind": "finetune", "rewind_to": 3, "mask_0": "zero", "device": "cuda"},
        {"method": "supermask", "signed_constant": True},
        {"method": "early-bird", "one_shot": 0.5, "early_bird_by": "channels", "scale_penalty": 0.0},
    ],
)
def test_what_is_written_means_the_same_settings(changes, tmp_path):
    settings, path = resolve(**DATA, **changes), tmp_path / "experiment.toml"
    path.write_text(to_toml(settings.to_plain()))
    assert resolve(training_examples=DATA["training_examples"], **from_toml(path)) == settings
    # Nothing is left to what this version takes where none is given.
    assert resolve(training_examples=60_000, **from_toml(path)) == settings


def test_masks_of_another_file_are_not_settings_and_said_to_be_missing(small):
    text = to_toml(transferred(small, controls="none").config)
    assert text.startswith('# its masks are those of "mlp-12-16-8-3 on clusters, seed 0, sha256:')
    assert not {"prune", "one_shot", "scope", "masks_from"} & tomllib.loads(text).keys()
    assert tomllib.loads(text)["rounds"] == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("iteratons = 5", "no setting is called 'iteratons' (did you mean 'iterations'?"),
        ("threads = 5", "no setting is called 'threads'"),
        ("iterations = 1.5", "iterations is a whole number of at least 1, not 1.5"),
        ("controls = [1]", "the control is a name"),
        ("seed = 2024-01-01", "seed is a whole number"),
        ("[training]\nlr = 1", "no setting is called 'training'"),
        ("lr =", "is no TOML file: Invalid value"),
        (None, "cannot be read: No such file"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_name(text, words, tmp_path):
    path = tmp_path / "wrong.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError) as error:
        from_toml(path)
    assert str(error.value).startswith(str(path))
    assert words in str(error.value)


def test_bytes_that_are_no_text_are_no_toml(tmp_path):
    (tmp_path / "wrong.toml").write_bytes(b"\xff\xfe\0")
    with pytest.raises(InputError, match="is no TOML file"):
        from_toml(tmp_path / "wrong.toml")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        from_toml(tmp_path)
