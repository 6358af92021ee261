"""
3. A winning ticket by hand
===========================

The four steps of Frankle and Carbin (2019), written out: ``python examples/3_ticket_by_hand.py``.
"""

import numpy as np

import tinyticket as tt
from tinyticket.nn import functional

digits = tt.data.load("digits")
x_test, y_test = digits.x_test, digits.y_test


def train(model, iterations=300):
    """Step 2: train for j iterations."""
    optimizer = tt.optim.Adam(model.parameters(), lr=1.2e-3)  # it leaves pruned weights at zero
    batches = tt.data.batches(len(digits.x_train), 60, rng=1)
    for _ in range(iterations):
        batch = next(batches)
        optimizer.zero_grad()
        functional.cross_entropy(model(tt.Tensor(digits.x_train[batch])), digits.y_train[batch]).backward()
        optimizer.step()
    with tt.no_grad():
        return float((model(tt.Tensor(x_test)).argmax(axis=1) == y_test).mean())


def set_masks(model, masks):
    for name, weight in model.prunable().items():
        weight.mask = masks[name]


# Step 1: randomly initialise. theta_0 is a copy: training must not change it.
model = tt.models.create("lenet-300-100", digits.input_shape, digits.classes, rng=0)
theta_0 = model.state_dict()
masks = {name: np.ones(weight.shape, bool) for name, weight in model.prunable().items()}
print(f"dense network: {train(model):.1%} test accuracy")

for round in range(1, 8):
    # Step 3: prune 20% of the surviving weights, those of smallest magnitude (10% in the output layer).
    weights = {name: weight.data for name, weight in model.prunable().items()}
    masks = tt.prune.magnitude(weights, masks, {"fc1.weight": 0.2, "fc2.weight": 0.2, "output.weight": 0.1})

    # Step 4: reset the survivors to their values in theta_0. That is the ticket; step 2 again shows what it is worth.
    set_masks(model, masks)
    model.load_state_dict(theta_0)
    ticket = train(model)

    # Control: the same mask, other initial weights. If it does as well, the weights were not the point.
    other = tt.models.create("lenet-300-100", digits.input_shape, digits.classes, rng=100 + round)
    set_masks(other, masks)
    density = sum(mask.sum() for mask in masks.values()) / sum(mask.size for mask in masks.values())
    print(f"round {round}, {density:5.1%} of the weights: ticket {ticket:.1%}, re-initialised {train(other):.1%}")
