"""Two hundred steps of every optimizer in float64, from the same weights on the same batches, end where PyTorch's do."""

import numpy as np
import pytest

from tests.nn.bits import assert_positive_zeros
from tinyticket import nn, optim
from tinyticket.nn.functional import cross_entropy

STEPS, BATCH, SIZES = 200, 16, (6, 12, 8, 3)
KINDS = {
    "SGD": ("SGD", {"lr": 0.1}, 1e-10),
    "momentum": ("SGD", {"lr": 0.05, "momentum": 0.9}, 1e-10),
    "Nesterov": ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True}, 1e-10),
    "Adam": ("Adam", {"lr": 0.01}, 1e-8),
    "AdamW": ("AdamW", {"lr": 0.01}, 1e-8),
}


@pytest.fixture(autouse=True)
def one_thread(torch):
    """Networks this small spend a hundred times longer in waking PyTorch's threads than in computing."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("masked", [False, True], ids=["dense", "masked"])
@pytest.mark.parametrize("weight_decay", [0, 1e-3])
@pytest.mark.parametrize(("kind", "settings", "tolerance"), KINDS.values(), ids=KINDS.keys())
def test_training_ends_where_pytorchs_does(torch, kind, settings, tolerance, weight_decay, masked):
    rng = np.random.default_rng(0)
    ours = float64_network(rng)
    if masked:
        for weight in ours.prunable().values():
            weight.mask = rng.random(weight.shape) < 0.5
    theirs = the_same_in_torch(ours, torch)
    start = ours.state_dict()
    x, labels = rng.standard_normal((10 * BATCH, SIZES[0])), rng.integers(0, SIZES[-1], 10 * BATCH)
    batches = [rng.choice(len(x), BATCH, replace=False) for _ in range(STEPS)]
    settings = {**settings, "weight_decay": weight_decay}
    train_ours(ours, getattr(optim, kind)(ours.parameters(), **settings), x, labels, batches)
    masks = [parameter.mask for parameter in ours.parameters()]
    train_theirs(theirs, getattr(torch.optim, kind)(theirs.parameters(), **settings), x, labels, batches, masks, torch)
    for (name, parameter), expected in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        expected = expected.detach().numpy()
        assert parameter.dtype == np.float64
        assert np.abs(parameter.data - expected).max() <= tolerance * np.abs(expected).max()
        assert np.abs(parameter.data - start[name]).max() > 0.01  # it was trained
        if parameter.mask is not None:
            assert_positive_zeros(parameter.data[~parameter.mask])


def float64_network(rng) -> nn.Sequential:
    model = nn.models.create("mlp-" + "-".join(map(str, SIZES)), SIZES[:1], SIZES[-1], rng=rng)
    for layer in model:
        if isinstance(layer, nn.Linear):
            layer.weight = nn.Parameter(layer.weight.data.astype(np.float64))
            layer.bias = nn.Parameter(layer.bias.data.astype(np.float64))
    return model


def the_same_in_torch(model, torch):
    parts = [torch.nn.Linear(m.in_features, m.out_features) if isinstance(m, nn.Linear) else m for m in model]
    parts = [torch.nn.ReLU() if isinstance(m, nn.ReLU) else m for m in parts if not isinstance(m, nn.Flatten)]
    twin = torch.nn.Sequential(*parts).double()
    with torch.no_grad():
        for theirs, ours in zip(twin.parameters(), model.parameters(), strict=True):
            theirs.copy_(torch.tensor(ours.data))
    return twin


def train_ours(model, optimizer, x, labels, batches) -> None:
    for batch in batches:
        loss = cross_entropy(model(x[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def train_theirs(model, optimizer, x, labels, batches, masks, torch) -> None:
    x, labels = torch.tensor(x), torch.tensor(labels)
    masked = [(p, torch.tensor(mask)) for p, mask in zip(model.parameters(), masks, strict=True) if mask is not None]
    for batch in batches:
        loss = torch.nn.functional.cross_entropy(model(x[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        for parameter, mask in masked:
            parameter.grad *= mask
        optimizer.step()
        with torch.no_grad():
            for parameter, mask in masked:
                parameter *= mask
