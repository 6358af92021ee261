"""What must be true of solved exercises: functions of the learner's module, whose docstrings are what learners see."""
