"""Exercises beside the lessons: files with holes to fill, checks that tell right from wrong, and solutions.

An exercise is three things under one name: `solutions/NAME.py` is the solved file, in which comments mark what learners are to
write; `checks/NAME.py` is what must be true of it; and `EXERCISES` says what it is about. The file with holes is made of the
solution.
"""

from tinyticket.learn.exercise import EXERCISES, Exercise, Outcome, check, exercise, with_holes

__all__ = ["EXERCISES", "Exercise", "Outcome", "check", "exercise", "with_holes"]
