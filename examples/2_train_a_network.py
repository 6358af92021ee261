"""
2. Train a network
==================

A network learns handwritten digits by gradient descent, batch by batch: ``python examples/2_train_a_network.py``.
"""

import numpy as np

import tinyticket as tt
from tinyticket.nn import functional

digits = tt.data.load("digits")
print(digits)

rng = np.random.default_rng(0)
model = tt.models.create("lenet-300-100", digits.input_shape, digits.classes, rng)
optimizer = tt.optim.Adam(model.parameters(), lr=1.2e-3)
print(model)


# %%
# The loop
# --------
# A batch of examples, the loss, its gradient, a step of the optimizer; and again. The accuracy is that on images which the network
# has never been trained on.


def accuracy(x, y):
    with tt.no_grad():
        return float((model(tt.Tensor(x)).argmax(axis=1) == y).mean())


batches = tt.data.batches(len(digits.x_train), 60, rng)
for iteration in range(1, 301):
    batch = next(batches)
    optimizer.zero_grad()
    loss = functional.cross_entropy(model(tt.Tensor(digits.x_train[batch])), digits.y_train[batch])
    loss.backward()
    optimizer.step()
    if iteration % 50 == 0:
        print(
            f"iteration {iteration:3}: loss {loss.item():.3f}, test accuracy {accuracy(digits.x_test, digits.y_test):.1%}"
        )

assert accuracy(digits.x_test, digits.y_test) > 0.95
