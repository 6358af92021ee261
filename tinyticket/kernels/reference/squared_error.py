"""The mean squared error of numbers, with its gradient."""

__all__ = ["mse_loss", "mse_loss_gradient"]


def mse_loss(outputs, targets):
    """Return each example's loss, shape (N,): the mean over its outputs, of shape (N, outputs), of their squared distances."""
    return ((outputs - targets) ** 2).mean(axis=1)


def mse_loss_gradient(outputs, targets, upstream):
    """Return the gradient of the losses with respect to the outputs: 2 (outputs - targets) / outputs times `upstream`."""
    return (outputs - targets) * (2 / outputs.shape[1] * upstream)
