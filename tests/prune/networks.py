"""Small networks, and the same ones as functions of their weights in PyTorch."""

import numpy as np

from tinyticket import nn


def mlp(activation=nn.ReLU, sizes=(6, 8, 7, 4), rng=0):
    rng = np.random.default_rng(rng)
    layers = {"flatten": nn.Flatten()}
    for i in range(len(sizes) - 2):
        layers |= {f"fc{i + 1}": nn.Linear(sizes[i], sizes[i + 1], rng=rng), f"act{i + 1}": activation()}
    return nn.Sequential(layers | {"output": nn.Linear(sizes[-2], sizes[-1], rng=rng)})


def convnet(rng=0, norm=True, dropout=0.5):
    """Two convolutions with everything between them that a chain may have, for images of 2 x 8 x 8."""
    rng = np.random.default_rng(rng)
    layers = {"conv1": nn.Conv2d(2, 6, 3, padding=1, rng=rng)}
    if norm:
        layers["bn1"] = nn.BatchNorm2d(6)
    layers |= {"relu1": nn.ReLU(), "pool1": nn.MaxPool2d(2), "conv2": nn.Conv2d(6, 5, 3, rng=rng)}
    if norm:
        layers["bn2"] = nn.BatchNorm2d(5)
    layers |= {"relu2": nn.ReLU(), "flatten": nn.Flatten(), "drop": nn.Dropout(dropout, rng=0)}
    layers |= {"fc1": nn.Linear(20, 9, rng=rng), "relu3": nn.ReLU(), "output": nn.Linear(9, 4, rng=rng)}
    return nn.Sequential(layers)


def batch(shape, n=12, classes=4, seed=1):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, *shape)).astype(np.float32), rng.integers(0, classes, n)


def torch_forward(model, torch, training=True):
    """Return a function (tensors by parameter name, input) -> logits that computes what a chain of layers does."""
    f = torch.nn.functional

    def forward(tensors, x):
        for name, layer in model.children():
            weight, bias = tensors.get(f"{name}.weight"), tensors.get(f"{name}.bias")
            kind = type(layer).__name__
            if kind == "Linear":
                x = f.linear(x, weight, bias)
            elif kind == "Conv2d":
                x = f.conv2d(x, weight, bias, layer.stride, layer.padding)
            elif kind == "BatchNorm2d":
                mean, var = (torch.zeros(len(weight), dtype=x.dtype), torch.ones(len(weight), dtype=x.dtype))
                x = f.batch_norm(x, mean, var, weight, bias, training, 0.1, layer.eps)
            elif kind == "MaxPool2d":
                x = f.max_pool2d(x, layer.kernel_size)
            elif kind in ("ReLU", "Tanh"):
                x = torch.relu(x) if kind == "ReLU" else torch.tanh(x)
            elif kind == "Flatten":
                x = x.flatten(1)
            else:
                assert kind == "Dropout"  # off when scores are taken
        return x

    return forward
