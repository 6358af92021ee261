"""
8. From a ticket to PyTorch and back
====================================

A ticket is found here, trained further in PyTorch, and comes back: ``python examples/8_to_pytorch_and_back.py``. Where PyTorch is
not installed, the lesson stops at the file that it would read.
"""

import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import tinyticket as tt
from tinyticket.report.export import export

folder = Path(tempfile.mkdtemp())
digits = tt.data.load("digits")
result = tt.lottery.find(data="digits", one_shot=0.2, iterations=200, trials=1, controls=[])

# %%
# Out
# ---
# ``tinyticket export RESULT.h5 --round 1 --weights init -o ticket.pt`` does the same: the initial weights of the survivors, zeros
# elsewhere, under the names of the layers, in the format of PyTorch's own files. They are written without PyTorch.

export(result, folder / "ticket.pt", trial=0, round=1, weights="init")
masks = result.trials[0].rounds[1].masks
density = result.trials[0].rounds[1].density
print(f"ticket.pt has {(folder / 'ticket.pt').stat().st_size:,} bytes, {density:.1%} of the weights survive")


# %%
# There
# -----
# A network whose layers have the same names takes the weights; ``torch.nn.utils.prune.custom_from_mask`` holds the masks while
# PyTorch trains.


def train_in_pytorch(path):
    """Train the ticket in PyTorch, and write it as torch.nn.utils.prune keeps it: NAME_orig and NAME_mask."""
    import torch
    from torch.nn.utils import prune

    torch.manual_seed(0)
    layers = {"fc1": torch.nn.Linear(64, 300), "fc2": torch.nn.Linear(300, 100), "output": torch.nn.Linear(100, 10)}
    network = torch.nn.ModuleDict(layers)
    network.load_state_dict(torch.load(folder / "ticket.pt", weights_only=True))
    for name, layer in layers.items():
        prune.custom_from_mask(layer, "weight", torch.from_numpy(masks[f"{name}.weight"]))
    x, y = torch.from_numpy(digits.x_train).flatten(1), torch.from_numpy(digits.y_train).long()
    optimizer = torch.optim.Adam(network.parameters(), lr=1.2e-3)

    def forward(x):
        return layers["output"](layers["fc2"](layers["fc1"](x).relu()).relu())

    for _ in range(200):
        batch = torch.randint(len(x), (60,))
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(forward(x[batch]), y[batch]).backward()
        optimizer.step()
    torch.save(network.state_dict(), path)
    with torch.no_grad():
        return forward(torch.from_numpy(digits.x_test).flatten(1)).numpy()


# %%
# And back
# --------
# ``tt.load_weights`` reads PyTorch's files without PyTorch, and without running anything that stands in them. The masks come along,
# and the network answers as it did there.

if find_spec("torch") is None:
    print("PyTorch is not installed: this is how far the lesson goes")
else:
    there = train_in_pytorch(folder / "trained.pt")
    model = tt.load_weights(
        tt.models.create("lenet-300-100", digits.input_shape, digits.classes), folder / "trained.pt"
    )
    here = tt.compile(model).predict(digits.x_test)
    print(
        f"test accuracy there {(there.argmax(1) == digits.y_test).mean():.1%}, here {(here.argmax(1) == digits.y_test).mean():.1%}"
    )
    assert np.allclose(here, there, atol=1e-4)
    assert all(np.array_equal(weight.mask, masks[name]) for name, weight in model.prunable().items())
    print(f"logits differ by at most {np.abs(here - there).max():.0e}")
