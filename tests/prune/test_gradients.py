"""Derivatives that scores are made of, against exact ones: PyTorch's, and a whole Hessian by finite differences."""

import numpy as np
import pytest

from tests.prune.networks import batch, convnet, mlp, torch_forward
from tinyticket import nn
from tinyticket.errors import InputError
from tinyticket.prune import gradients

NETWORKS = {
    "tanh": (lambda: mlp(nn.Tanh), (6,)),
    "relu": (lambda: mlp(nn.ReLU), (6,)),
    "wide relu": (lambda: mlp(nn.ReLU, (64, 100, 50, 4)), (64,)),
    "convolutions": (lambda: convnet(norm=False), (2, 8, 8)),
    "batch normalisation": (convnet, (2, 8, 8)),
}


def exact(model, x, y, temperature, torch, masks=None):
    """The gradient to the prunable weights and the Hessian-gradient product, by differentiating twice."""
    tensors = {name: torch.tensor(p.data.astype(np.float64)) for name, p in model.named_parameters()}
    names = list(model.prunable())
    for name in names:
        tensors[name].requires_grad_()
    logits = torch_forward(model, torch)(tensors, torch.tensor(x.astype(np.float64)))
    loss = torch.nn.functional.cross_entropy(logits / temperature, torch.tensor(y))
    inputs = [tensors[name] for name in names]
    first = torch.autograd.grad(loss, inputs, create_graph=True)
    along = [g.detach() * (1 if masks is None else torch.tensor(masks[n])) for n, g in zip(names, first, strict=True)]
    products = torch.autograd.grad(sum((g * u).sum() for g, u in zip(first, along, strict=True)), inputs)
    return tuple(
        {name: value.detach().numpy() for name, value in zip(names, values, strict=True)}
        for values in (first, products)
    )


@pytest.mark.parametrize("temperature", [1.0, 200.0])
@pytest.mark.parametrize("network", NETWORKS)
def test_gradients_and_hessian_gradient_products_are_exact(torch, network, temperature):
    make, shape = NETWORKS[network]
    model, (x, y) = make(), batch(shape)
    twin = gradients.working_copy(model)
    first, products = exact(model, x, y, temperature, torch)
    mine = gradients.loss_gradients(twin, x, y, temperature)
    measured = gradients.hessian_gradient_product(twin, x, y, temperature)
    size = np.sqrt(sum((product**2).sum() for product in products.values()))
    for name in model.prunable():
        np.testing.assert_allclose(mine[name], first[name], rtol=1e-9, atol=1e-14)
        assert np.abs(measured[name] - products[name]).max() < 1e-6 * size


def test_the_product_equals_a_whole_hessian_times_the_gradient():
    model, (x, y) = mlp(nn.Tanh, (3, 4, 3)), batch((3,), classes=3)
    twin = gradients.working_copy(model)
    names, h = list(twin.prunable()), 1e-5
    flat = lambda parts: np.concatenate([parts[name].ravel() for name in names])  # noqa: E731
    columns = []
    for name in names:
        weight = twin.prunable()[name]
        for place in np.ndindex(weight.shape):
            sides = []
            for side in (h, -h):
                weight.data[place] += side
                sides.append(flat(gradients.loss_gradients(twin, x, y)))
                weight.data[place] -= side
            columns.append((sides[0] - sides[1]) / (2 * h))
    hessian = np.stack(columns, axis=1)
    expected = hessian @ flat(gradients.loss_gradients(twin, x, y))
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-8)
    found = flat(gradients.hessian_gradient_product(twin, x, y, temperature=1))
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.linalg.norm(expected))


def test_pruned_weights_are_no_direction_of_the_product(torch):
    model, (x, y) = mlp(nn.Tanh), batch((6,))
    masks = {name: np.arange(w.size).reshape(w.shape) % 3 > 0 for name, w in model.prunable().items()}
    for name, weight in model.prunable().items():
        weight.mask = masks[name]
    measured = gradients.hessian_gradient_product(gradients.working_copy(model), x, y)
    _, products = exact(model, x, y, 200.0, torch, masks)
    for name, mask in masks.items():
        np.testing.assert_allclose(measured[name][mask], products[name][mask], rtol=1e-5, atol=1e-12)


def test_a_loss_without_slope_has_no_product():
    model, (x, y) = mlp(), batch((6,))
    twin = gradients.working_copy(model)
    for weight in twin.prunable().values():
        weight.mask = np.zeros(weight.shape, bool)
    assert all((part == 0).all() for part in gradients.hessian_gradient_product(twin, x, y).values())


def test_the_product_puts_the_weights_back():
    model, (x, y) = mlp(), batch((6,))
    twin = gradients.working_copy(model)
    before = twin.state_dict()
    gradients.hessian_gradient_product(twin, x, y)
    assert all(np.array_equal(before[name], value) for name, value in twin.state_dict().items())


def test_a_working_copy_is_float64_trains_without_dropout_and_leaves_the_model_alone():
    model, (x, y) = convnet().eval(), batch((2, 8, 8))
    before = {name: value.tobytes() for name, value in model.state_dict().items()}
    twin = gradients.working_copy(model)
    gradients.loss_gradients(twin, x, y)
    assert all(parameter.dtype == np.float64 for parameter in twin.parameters())
    assert {name for name, part in twin.named_modules() if not part.training} == {"drop"}
    assert {name: value.tobytes() for name, value in model.state_dict().items()} == before
    assert not model.training
    assert all(parameter.grad is None and parameter.dtype == np.float32 for parameter in model.parameters())


@pytest.mark.parametrize("make", [lambda: mlp(nn.ReLU), lambda: convnet(norm=False), convnet])
def test_flow_is_conserved_from_layer_to_layer(make):
    """Without biases every layer's sum of w dR/dw is R (Tanaka et al. 2020, conservation by layer)."""
    model = make()
    twin = gradients.linearise(gradients.working_copy(model))
    shape = (2, 8, 8) if "conv1.weight" in twin.prunable() else (6,)
    found = gradients.flow_gradients(twin, shape)
    flows = [(weight.data * found[name]).sum() for name, weight in twin.prunable().items()]
    assert flows == pytest.approx([flows[0]] * len(flows), rel=1e-12)
    assert flows[0] > 0


def test_flow_gradients_are_those_of_absolute_weights_and_ones(torch):
    model = convnet()
    for name, parameter in model.named_parameters():  # biases and batch normalisation take part, so give them something
        if "weight" not in name or name.startswith("bn"):
            parameter.data = np.random.default_rng(5).standard_normal(parameter.shape)
    found = gradients.flow_gradients(gradients.linearise(gradients.working_copy(model)), (2, 8, 8))
    tensors = {
        name: torch.tensor(np.abs(p.data.astype(np.float64)), requires_grad=True)
        for name, p in model.named_parameters()
    }
    torch_forward(model, torch, training=False)(tensors, torch.ones(1, 2, 8, 8, dtype=torch.float64)).sum().backward()
    for name in model.prunable():
        np.testing.assert_allclose(found[name], tensors[name].grad.numpy(), rtol=1e-6)


def test_deep_networks_do_not_overflow_and_an_overflow_is_told():
    deep = mlp(nn.ReLU, (50, *[50] * 60, 4))
    twin = gradients.linearise(gradients.working_copy(deep))
    assert all(np.isfinite(part).all() for part in gradients.flow_gradients(twin, (50,)).values())
    for weight in twin.prunable().values():
        weight.data = weight.data * 1e10
    with pytest.raises(InputError, match=r"the gradient of fc1\.weight is not finite"):
        gradients.flow_gradients(twin, (50,))


def test_a_layer_that_the_output_does_not_use_is_named():
    class Idle(nn.Module):
        def __init__(self):
            self.used, self.idle = nn.Linear(6, 4, rng=0), nn.Linear(6, 4, rng=0)

        def forward(self, x):
            return self.used(x)

    with pytest.raises(InputError, match=r"does not depend on idle\.weight"):
        gradients.loss_gradients(gradients.working_copy(Idle()), *batch((6,)))
