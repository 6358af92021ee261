"""Learning-rate schedules: values at their landmarks, and the way to JSON and back."""

import json

import pytest

from tinyticket.errors import InputError
from tinyticket.optim import Constant, Cosine, Linear, MultiStep, Warmup
from tinyticket.optim.schedules import from_plain, parse, to_plain


@pytest.mark.parametrize("iteration", [0, 1, 10**6])
def test_constant_is_one(iteration):
    assert Constant()(iteration) == 1


def test_multistep_drops_at_each_milestone_not_before():
    schedule = MultiStep((10, 20), gamma=0.5)
    assert [schedule(i) for i in (0, 9, 10, 19, 20, 10**6)] == [1, 1, 0.5, 0.5, 0.25, 0.25]


def test_multistep_divides_by_ten_unless_told_otherwise():
    assert MultiStep((5,))(5) == 0.1


def test_cosine_falls_from_one_through_a_half_to_zero_and_stays():
    values = [Cosine(100)(i) for i in (0, 25, 50, 75, 100, 1000)]
    assert values == pytest.approx([1, 0.5 + 0.5**1.5, 0.5, 0.5 - 0.5**1.5, 0, 0], abs=1e-12)


def test_linear_falls_in_a_line_to_its_end_and_stays():
    assert [Linear(100, 0.2)(i) for i in (0, 50, 100, 1000)] == pytest.approx([1, 0.6, 0.2, 0.2])
    assert Linear(100)(100) == 0


def test_warmup_rises_in_a_line_and_stays():
    assert [Warmup(10)(i) for i in (0, 1, 5, 10, 11, 1000)] == [0, 0.1, 0.5, 1, 1, 1]


def test_warmup_multiplies_the_schedule_it_precedes():
    then = MultiStep((5, 20))
    schedule = Warmup(10, then)
    assert [schedule(i) for i in (4, 5, 10, 20)] == pytest.approx([0.4, 0.5 * 0.1, 0.1, 0.01])


SCHEDULES = [
    Constant(),
    MultiStep((10, 20), 0.3),
    Cosine(50),
    Linear(50, 0.01),
    Warmup(5),
    Warmup(5, Cosine(50)),
    Warmup(5, MultiStep((7,))),
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_a_schedule_comes_back_from_json(schedule):
    again = from_plain(json.loads(json.dumps(to_plain(schedule))))
    assert again == schedule
    assert hash(again) == hash(schedule)
    assert [again(i) for i in range(60)] == [schedule(i) for i in range(60)]


def test_milestones_in_a_list_are_the_same_schedule():
    assert MultiStep([10, 20]) == MultiStep((10, 20))


def test_plain_schedules_say_their_kind():
    assert to_plain(Warmup(5, Cosine(50))) == {
        "kind": "warmup",
        "iterations": 5,
        "then": {"kind": "cosine", "iterations": 50},
    }


def test_an_unknown_kind_is_refused_with_near_names():
    with pytest.raises(InputError, match=r"no schedule is called 'cosin'.*did you mean 'cosine'"):
        from_plain({"kind": "cosin", "iterations": 3})


@pytest.mark.parametrize("kind", [Cosine, Linear, Warmup])
@pytest.mark.parametrize("iterations", [0, -1])
def test_a_schedule_over_no_iterations_is_refused(kind, iterations):
    with pytest.raises(ValueError, match="iteration"):
        kind(iterations)


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("constant", Constant()),
        ("step:20", MultiStep((20,))),
        ("step:20000,25000", MultiStep((20000, 25000))),
        ("step:5,7:0.2", MultiStep((5, 7), 0.2)),
        ("cosine:300", Cosine(300)),
        ("linear:300", Linear(300)),
        ("linear:300:0.01", Linear(300, 0.01)),
        ("warmup:10", Warmup(10)),
        ("warmup:10+step:20,30", Warmup(10, MultiStep((20, 30)))),
        (" warmup:10 + cosine:30 ", Warmup(10, Cosine(30))),
    ],
)
def test_a_schedule_as_text(text, schedule):
    assert parse(text) == schedule


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no schedule is called ''"),
        ("setp:3", "no schedule is called 'setp'.*did you mean 'step'"),
        ("step", "'step' is no schedule; write constant, step:20000,25000"),
        ("step:a", "is no schedule"),
        ("step:0,5", "is no schedule"),
        ("step:7,5", "is no schedule"),
        ("step:5:0", "is no schedule"),
        ("step:5:nan", "is no schedule"),
        ("constant:5", "is no schedule"),
        ("cosine", "is no schedule"),
        ("linear:30:2", "ends at a factor from 0 to 1, not 2"),
        ("linear:30:nan", "ends at a factor from 0 to 1, not nan"),
        ("linear:30:", "is no schedule"),
        ("cosine:0", "at least one iteration"),
        ("warmup", "is no schedule"),
        ("warmup:0", "at least one iteration"),
        ("warmup:5+", "no schedule is called ''"),
        ("warmup:5+warmup:6", "warms up twice"),
        ("step:5+warmup:6", "is no schedule"),
    ],
)
def test_text_that_is_no_schedule(text, words):
    with pytest.raises(InputError, match=words):
        parse(text)
