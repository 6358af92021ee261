"""Lesson 5: look into a result file, with tinyticket and with nothing but h5py.

    python examples/5_look_into_the_file.py [lesson.h5]

The file is lesson 4's; it is made if it is not there.
"""

import json
import sys
from pathlib import Path

import h5py
import numpy as np

import tinyticket as tt

path = sys.argv[1] if len(sys.argv) > 1 else "lesson.h5"
if not Path(path).exists():
    tt.lottery.find(rounds=2, iterations=200, trials=1, out=path)

# With the library: a trained network, ready to use.
result = tt.load(path)
last = result.trials[0].rounds[-1]
model = result.model(0, last.number)
digits = tt.data.load("digits")
step = tt.compile(model)  # without an optimizer it predicts
accuracy = float((step.predict(digits.x_test).argmax(axis=1) == digits.y_test).mean())
print(
    f"{last}\nused again on the test set: {accuracy:.4f}, recorded after the last iteration: {last.final_test_accuracy:.4f}"
)
assert np.isclose(accuracy, last.final_test_accuracy)

# With h5py alone: everything is plain datasets and attributes (docs/format.md).
with h5py.File(path) as file:
    print("settings:", json.loads(file.attrs["config"])["iterations"], "iterations, seed", file.attrs["seed"])
    group = file[f"trials/0/rounds/{last.number:02d}"]
    packed = group["mask/fc1.weight"]
    shape = tuple(packed.attrs["shape"])
    mask = np.unpackbits(packed[()], count=np.prod(shape)).astype(bool).reshape(shape)
    ticket = np.where(mask, file["trials/0/init/fc1.weight"], 0)  # the winning ticket: m * theta_0
    trained = np.zeros(shape, np.float32)
    trained[mask] = group["trained/fc1.weight"]  # only survivors are stored
    best = group["history"][np.argmin(group["history"]["validation_loss"])]
print(f"fc1 keeps {mask.mean():.1%}; its survivors moved by {np.abs(trained - ticket)[mask].mean():.4f} on average")
print(f"smallest validation loss {best['validation_loss']:.4f} at iteration {best['iteration']}")
assert best["iteration"] == last.early_stop_iteration
assert np.array_equal(trained, model.prunable()["fc1.weight"].data)
