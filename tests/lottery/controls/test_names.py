"""How controls are named."""

import pytest

from tinyticket.errors import InputError
from tinyticket.lottery.controls import parse_controls
from tinyticket.results.naming import kind_of


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("reinit,random", ("reinit", "random")),
        (" random , reinit-2,", ("random", "reinit-2")),
        (["reinit", "reinit-2", "reinit-3"], ("reinit", "reinit-2", "reinit-3")),
        (("random-12",), ("random-12",)),
        ("none", ()),
        ((), ()),
    ],
)
def test_controls_are_named_in_text_or_lists(names, expected):
    assert parse_controls(names) == expected


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("shuffle", "no control is called 'shuffle'.*random, reinit"),
        ("", "no control is called ''.*none"),
        ([len], r"the control is a name or a function \(ticket, rng, origin\) -> Start, not <built-in"),
        (5, "the control is a name or a function .*, not 5"),
        ("reinitt", "'reinitt'.*did you mean 'reinit'"),
        ("reinit-1", "'reinit-1'"),
        ("reinit-x", "'reinit-x'"),
        ("reinit,reinit", "'reinit' is given twice; call a second one reinit-2"),
        ("reinit-2,reinit-2", "'reinit-2' is given twice"),
        ("none,reinit", "none"),
        ("noise-4", "no control is called 'noise-4'"),
        ("shuffle-mask", "no control is called 'shuffle-mask'"),
    ],
)
def test_unknown_and_repeated_names_are_refused(names, words):
    with pytest.raises(InputError, match=words):
        parse_controls(names)


def test_none_beside_others_does_not_suggest_itself():
    with pytest.raises(InputError) as error:
        parse_controls("none,reinit")
    assert "did you mean 'none'" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("reinit", "reinit"),
        ("reinit-2", "reinit"),
        ("random-9", "random"),
        ("random-10", "random"),
        ("noise-2", "noise-2"),
        ("noise-2-2", "noise-2"),
        ("noise-0.5", "noise-0.5"),
        ("reinit-signed-3", "reinit-signed"),
    ],
)
def test_a_number_does_not_change_a_controls_kind(name, kind):
    assert kind_of(name) == kind
