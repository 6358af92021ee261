"""What cannot be a setting gets one sentence that names the setting, the value and what is expected."""

import numpy as np
import pytest

import tinyticket as tt
from tinyticket.errors import InputError
from tinyticket.lottery.settings import resolve
from tinyticket.lottery.settings.defaults import separate
from tinyticket.lottery.settings.table import Settings


class Own:
    pass


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("seed", 99999999999999999999, "seed is a whole number below 9223372036854775808, not 99999999999999999999"),
        ("seed", 10**5000, "not such a value of the type int"),
        ("iterations", 10**11, "iterations is a whole number below 2147483648, not 100000000000"),
        ("iterations", 1.5, "iterations is a whole number of at least 1, not 1.5"),
        ("iterations", "many", "not 'many'"),
        ("iterations", True, "not True"),
        ("rounds", 10**11, "rounds is a whole number below 100000"),
        ("trials", [1], "trials is a whole number of at least 1, not [1]"),
        ("rewind_to", -(10**5000), "rewind to is an iteration of the dense training, not such a value of the type int"),
        ("rewind_to", 1.5, "rewind to is an iteration of the dense training, not 1.5"),
        ("lr", "0.1", "the learning rate is above 0, not '0.1'"),
        ("lr", 10**400, "the learning rate is above 0, not 1000"),
        ("lr", 1 + 2j, "not (1+2j)"),
        ("margin", True, "the margin is a share of the test examples"),
        ("drop", Own, "drop is a number, not <class"),
        ("eager", "no", "eager is True or False, not 'no'"),
        ("rescale", 1, "rescale is True or False, not 1"),
        ("optimizer", tt.optim.Adam, "optimizer is a name such as 'adam', not <class"),
        (
            "criterion",
            len,
            "the criterion is a name or a function (final, initial) -> scores, not <built-in function len>",
        ),
        ("criterion", "magnitude\0", "no criterion is called 'magnitude\\x00'"),
        (
            "method",
            Own,
            "the method is a name or an object of a subclass of tinyticket.lottery.methods.Method, not <class",
        ),
        ("rewind", ["lr"], "rewind is a name such as 'weights', not ['lr']"),
        ("model", "mlp\0", "model is a name"),
        ("criterion", "x" * 1000, "criterion is str or function, not 'xxxx"),
        ("controls", np.array(3), "controls is str or list, not array(3)"),
        ("controls", "", "no control is called ''"),
        ("controls", [len], "the control is a name or a function (ticket, rng, origin) -> Start, not <built-in"),
        ("schedule", tt.optim.Cosine, "the schedule is one of tinyticket.optim's, or text such as"),
        ("schedule", {"kind": "cosine"}, "the schedule is one of tinyticket.optim's"),
        (
            "prune",
            [0.2],
            "prune is a fraction such as 0.2, or one for each group of layers (conv, fc, output), not [0.2]",
        ),
        ("prune", {"fc": "a fifth"}, "not {'fc': 'a fifth'}"),
        ("prune", {1: 0.5}, "no group of layers is called '1'"),
        ("one_shot", "half", "one-shot wants densities between 0 and 1, such as 0.5,0.2,0.1, not 'half'"),
        ("one_shot", {"fc": 0.5}, "one-shot wants densities"),
        ("one_shot", 10**400, "one-shot wants densities"),
        ("gradual", len, "gradual wants the iterations"),
        ("recipe", {}, "recipe is a name, not {}"),
        ("iteration", 5, "no setting is called 'iteration' (did you mean 'iterations'?"),
        ("threads", "2", "threads are at least 1, not '2'"),
        ("workers", 1.5, "workers are at least 1, not 1.5"),
        ("executor", len, "executor is a concurrent.futures.Executor or the address of a Dask scheduler, not <built"),
        ("out", "a\0.h5", "out is a path, not 'a\\x00.h5'"),
        ("data_folder", 5, "data folder is a path, not 5"),
        ("dense_from", {}, "dense from is a result or the path of its file, not {}"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isidentifier() else "",
)
def test_what_cannot_be_a_setting_is_refused_in_one_sentence(name, value, words):
    with pytest.raises(InputError) as error:
        resolve(**{"data": "digits", "model": "mlp-64-10", "training_examples": 1000, **separate({name: value})[1]})
    sentence = str(error.value)
    assert words in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("data", {"x_train": 1}),
        ("data", (1, 2, 3)),
        ("data", "digits\0"),
        ("model", Own),
        ("masks_from", 5),
        ("masks_from", "a\0"),
    ],
)
def test_what_cannot_be_data_a_network_or_a_result_is_refused_likewise(name, value):
    with pytest.raises(InputError, match=r"^(the data|the model|masks from) .*, not ") as error:
        tt.lottery.find(**{name: value})
    assert repr(value)[:20] in str(error.value)


def test_values_are_read_from_text_as_from_python():
    def settings(**changes):
        return resolve(data="digits", model="mlp-64-10", training_examples=1000, **changes)

    assert settings(one_shot="0.5, 0.25").one_shot == settings(one_shot=(0.5, np.float32(0.25))).one_shot == (0.5, 0.25)
    assert settings(schedule={"kind": "cosine", "iterations": 5}) == settings(schedule="cosine:5")
    assert settings(masks_from=np.str_("x")).masks_from == "x"
    whole = settings(seed=np.uint64(2**63 - 1)).seed
    assert (whole, type(whole)) == (2**63 - 1, int)
    assert settings(eager=np.bool_(True)).to_plain()["eager"] is True


def test_settings_made_by_hand_are_read_too():
    given = resolve(data="digits", model="mlp-64-10", training_examples=1000)
    assert Settings(**{**vars(given), "rounds": np.int64(8), "controls": "reinit,random"}) == given
    with pytest.raises(InputError, match="rounds is a whole number of at least 0, not None"):
        Settings(**{**vars(given), "rounds": None})
