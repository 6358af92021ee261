"""The L1 penalty of an optimizer: the gradient of strength * sum |w|, before momentum and moments."""

import numpy as np
import pytest

from tests.optim.test_masks import every_optimizer, random_weights
from tinyticket import Tensor, nn, optim

STRENGTH = 0.03


def gradients(steps=6):
    rng = np.random.default_rng(5)
    return [rng.standard_normal(random_weights().shape).astype(np.float32) for _ in range(steps)]


@every_optimizer
def test_it_is_the_penalty_in_the_loss(make):
    """The slow way: the penalty is part of what is differentiated."""
    ours, slow = nn.Parameter(random_weights()), nn.Parameter(random_weights())
    ours.data.flat[:2] = slow.data.flat[:2] = 0
    optimizer, plain = make([ours]), make([slow])
    optimizer.penalise([ours], STRENGTH)
    for slope in gradients():
        for parameter, penalty in ((ours, 0.0), (slow, STRENGTH)):
            parameter.grad = None
            ((parameter * Tensor(slope)).sum() + parameter.abs().sum() * penalty).backward()
        optimizer.step()
        plain.step()
        np.testing.assert_allclose(ours.data, slow.data, rtol=1e-6, atol=1e-7)
    assert not np.allclose(ours.data, random_weights())


@pytest.mark.parametrize("nesterov", [False, True])
def test_it_agrees_with_a_sign_added_to_the_gradient_in_pytorch(torch, nesterov):
    ours, theirs = nn.Parameter(random_weights()), torch.nn.Parameter(torch.from_numpy(random_weights()))
    settings = {"lr": 0.05, "momentum": 0.9, "weight_decay": 1e-2, "nesterov": nesterov}
    optimizer, peer = optim.SGD([ours], **settings), torch.optim.SGD([theirs], **settings)
    optimizer.penalise([ours], STRENGTH)
    for slope in gradients():
        ours.grad, theirs.grad = slope, torch.from_numpy(slope.copy())
        theirs.grad.add_(STRENGTH * torch.sign(theirs.data))
        optimizer.step()
        peer.step()
    np.testing.assert_allclose(ours.data, theirs.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_others_are_left_alone_and_so_is_the_gradient_of_the_loss():
    one, other, free = (nn.Parameter(random_weights()) for _ in range(3))
    optimizer = optim.SGD([one, other], 0.1)
    optimizer.penalise([one], STRENGTH)
    for parameter in (one, other, free):
        parameter.grad = gradients()[0]
    optimizer.step()
    optim.SGD([free], 0.1).step()
    assert other.data.tobytes() == free.data.tobytes() != one.data.tobytes()
    assert one.grad.tobytes() == gradients()[0].tobytes()


@every_optimizer
def test_a_strength_of_zero_ends_it_bit_for_bit(make):
    one, other = nn.Parameter(random_weights()), nn.Parameter(random_weights())
    optimizer, plain = make([one]), make([other])
    optimizer.penalise([one], STRENGTH)
    optimizer.penalise([one], 0)
    for slope in gradients():
        one.grad, other.grad = slope, slope
        optimizer.step()
        plain.step()
    assert one.data.tobytes() == other.data.tobytes()


def test_pruned_weights_stay_zero_under_it():
    parameter = nn.Parameter(random_weights(), random_weights(3) > 0)
    optimizer = optim.SGD([parameter], 0.1, momentum=0.9)
    optimizer.penalise([parameter], STRENGTH)
    for slope in gradients():
        parameter.grad = slope
        optimizer.step()
    assert not parameter.data[~parameter.mask].view(np.uint32).any()


@pytest.mark.parametrize("strength", [-1e-4, np.nan, np.inf])
def test_what_is_no_strength_is_refused(strength):
    parameter = nn.Parameter(random_weights())
    with pytest.raises(ValueError, match="strength of a penalty is at least 0"):
        optim.SGD([parameter], 0.1).penalise([parameter], strength)


def test_a_parameter_of_another_optimizer_is_refused():
    with pytest.raises(ValueError, match="that the optimizer does not update"):
        optim.SGD([nn.Parameter(random_weights())], 0.1).penalise([nn.Parameter(np.ones(3))], 1e-4)
