"""Trainings as jobs: `job` is a training as a pure function, `executors` says where jobs are done, `submission` has them done."""
