"""The exercises: solutions are right, files with holes are not, and each hole is noticed."""

import re

import pytest

from tinyticket.errors import InputError
from tinyticket.learn import EXERCISES, check, exercise, with_holes
from tinyticket.learn.exercise import HOLE

each_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda each: each.name)


def outcomes(exercise, text, tmp_path):
    (path := tmp_path / f"{exercise.name}.py").write_text(text)
    return list(check(exercise, path))


@each_exercise
def test_the_solution_is_right(exercise, tmp_path):
    assert [outcome for outcome in outcomes(exercise, exercise.solution(), tmp_path) if not outcome.right] == []


@each_exercise
def test_holes_are_to_do(exercise, tmp_path):
    found = outcomes(exercise, with_holes(exercise.solution()), tmp_path)
    assert not any(outcome.right for outcome in found)
    assert all(outcome.words.startswith("to do: ") for outcome in found)


@each_exercise
def test_every_hole_is_noticed(exercise, tmp_path):
    """Filled with what does nothing, it is wrong somewhere, and said to be so in words."""
    solution = exercise.solution()
    for hole in HOLE.finditer(solution):
        text = solution.replace(hole[0], f"{hole[1]}pass\n")
        wrong = [outcome for outcome in outcomes(exercise, text, tmp_path) if not outcome.right]
        assert wrong, hole[2]
        assert all(outcome.words for outcome in wrong)


@pytest.mark.parametrize(
    ("exercise", "right", "mistake"),
    [
        ("autograd", "earlier.grad += derivative", "earlier.grad = derivative"),
        ("ticket", "fraction * len(survivors) + 0.5", "fraction * mask.size + 0.5"),
        ("ticket", "(-survivors, magnitude)", "(survivors, magnitude)"),
        ("ticket", "else value.copy()", "else value"),
        ("ticket", "(reset(theta_0, masks), masks)\n        found", "(reset(trained, masks), masks)\n        found"),
        ("protocol", "x_test - mean", "x_test - x_test.mean(axis=0)"),
        ("protocol", "rng.permutation(examples)", "np.arange(examples)"),
        ("claim", "ddof=1", "ddof=0"),
        ("claim", "level / (len(p) - i)", "level"),
        ("exchange", "arrays[name][mask]", "arrays[name][arrays[name] != 0]"),
        ("exchange", "np.where(mask, value, 0).astype(value.dtype)", "value"),
        ("sparse", "dx[column] +=", "dx[column] ="),
    ],
)  # fmt: skip
def test_usual_mistakes_are_found(exercise, right, mistake, tmp_path):
    exercise = next(each for each in EXERCISES if each.name == exercise)
    assert right in exercise.solution()
    found = outcomes(exercise, exercise.solution().replace(right, mistake), tmp_path)
    assert any(outcome.words.startswith("not yet: ") for outcome in found)


def test_a_mistake_is_told_with_its_line(tmp_path):
    text = exercise("autograd").solution().replace("math.tanh(self.value)", "math.tan_h(self.value)")
    line = text[: text.index("tan_h")].count("\n") + 1
    assert any(
        f"AttributeError in line {line}: " in each.words for each in outcomes(exercise("autograd"), text, tmp_path)
    )


def test_a_file_that_does_not_run_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match=r"autograd\.py cannot be run: SyntaxError in line 1: "):
        outcomes(exercise("autograd"), "def f(:\n", tmp_path)
    with pytest.raises(InputError, match=re.escape("there is no exercise 'autodidact'")):
        exercise("autodidact")
