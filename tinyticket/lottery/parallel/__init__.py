"""Trials side by side, each in a process of its own; only the parent writes the file.

`channel` carries messages between the processes, `worker` is what each of them does, `pool` what the parent does meanwhile.

The processes are started as programs of their own, not forked and not spawned by `multiprocessing`: OpenMP's threads do not survive
a fork, and a spawned process runs the user's script once more, which in a script without `if __name__ == "__main__"` would begin
the whole experiment again. The price is that a model of a class or function of the script itself cannot be sent.
"""

from tinyticket.lottery.parallel.pool import UnshareableError, run_trials

__all__ = ["UnshareableError", "run_trials"]
