"""Ten training steps of the papers' networks in float64, beside PyTorch's from the same weights."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import tinyticket as tt
from tests.nn.models.torch_twins import twin
from tinyticket.nn import functional as F
from tinyticket.nn import models

STEPS = 10


def adam(lr):
    return (lambda p: tt.optim.Adam(p, lr)), (lambda p, torch: torch.optim.Adam(p, lr))


def momentum(lr):
    return (
        lambda p: tt.optim.SGD(p, lr, momentum=0.9, weight_decay=1e-4),
        lambda p, torch: torch.optim.SGD(p, lr, momentum=0.9, weight_decay=1e-4),
    )


@pytest.mark.parametrize(
    ("name", "shape", "optimizers"),
    [
        ("conv-2", (3, 32, 32), adam(2e-4)),
        ("lenet-5", (1, 28, 28), adam(1.2e-3)),
        ("resnet-20", (3, 32, 32), momentum(0.1)),
        ("resnet-8-identity", (1, 12, 15), momentum(0.1)),
    ],
)
@threadpool_limits.wrap(limits=1)  # the threads of two libraries would wait for each other
def test_ten_steps_end_at_pytorchs_weights_and_running_statistics(torch, name, shape, optimizers):
    ours = models.create(name, shape, rng=0).astype(np.float64)
    theirs = twin(ours, torch)
    our_optimizer, their_optimizer = optimizers[0](ours.parameters()), optimizers[1](theirs.parameters(), torch)
    rng = np.random.default_rng(1)
    for _ in range(STEPS):
        x, y = rng.standard_normal((4, *shape)), rng.integers(0, 10, 4)
        our_optimizer.zero_grad()
        loss = F.cross_entropy(ours(tt.Tensor(x)), y)
        loss.backward()
        our_optimizer.step()
        their_optimizer.zero_grad()
        their_loss = torch.nn.functional.cross_entropy(theirs(torch.tensor(x)), torch.tensor(y))
        their_loss.backward()
        their_optimizer.step()
        assert loss.item() == pytest.approx(their_loss.item(), rel=1e-8)
    their_state = theirs.state_dict()
    for key, value in ours.state_dict().items():
        expected = their_state[key].numpy()
        np.testing.assert_allclose(value, expected, rtol=0, atol=1e-8 * np.abs(expected).max(), err_msg=key)
    ours.eval()
    theirs.eval()
    np.testing.assert_allclose(ours(x).data, theirs(torch.tensor(x)).detach().numpy(), rtol=1e-7, atol=1e-8)
