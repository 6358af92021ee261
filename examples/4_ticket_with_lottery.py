"""
4. A winning ticket with tt.lottery
===================================

The same with trials, controls, validation, early stopping, and one file that keeps everything:
``python examples/4_ticket_with_lottery.py [lesson.h5]``.
"""

import sys

import tinyticket as tt

out = sys.argv[1] if len(sys.argv) > 1 else "lesson.h5"
result = tt.lottery.find(
    model="lenet-300-100",
    data="digits",
    rounds=4,
    iterations=200,
    trials=2,
    controls=["reinit", "random"],
    seed=0,
    out=out,  # run it again: the file is read, nothing is trained twice
)
for trial in result.trials:
    for round in trial.rounds:
        beside = ", ".join(f"{name} {control.test_accuracy:.1%}" for name, control in round.controls.items())
        print(
            f"trial {trial.number}, {round.density:6.1%} density: test accuracy {round.test_accuracy:.1%} "
            f"at its early stop, iteration {round.early_stop_iteration}" + (f" ({beside})" if beside else "")
        )
print(result.verdict["text"])

# %%
# Two trials are too few to prove anything, and the verdict says so: it takes three at least. With larger ``trials`` and the same
# file the call goes on from here.

# %%
# A network of your own
# ---------------------
# Anything with parameters and a forward(), or layers in a row. Every trial draws its initial weights anew. Without ``out`` the
# result stays in memory.
mine = tt.nn.Sequential(tt.nn.Flatten(), tt.nn.Linear(64, 40), tt.nn.Tanh(), tt.nn.Linear(40, 10))
print(tt.lottery.find(model=mine, data="digits", rounds=2, iterations=200, trials=1).verdict["text"])
