"""What the test set must not decide: fill the holes, and `tinyticket learn check protocol`."""

import numpy as np


def split(examples, validation, rng):
    """Return (training, validation): which of so many examples train, and which of them are set aside; each exactly once."""
    # hole: a random order, cut in two
    order = rng.permutation(examples)
    return order[validation:], order[:validation]
    # end


def standardise(x_train, x_test):
    """Return both, shifted and scaled so that every column of the training data has mean 0 and standard deviation 1.

    The test data are treated with the numbers of the training data: looking at them would tell the network about them. A column
    that is constant in the training data is only shifted.
    """
    # hole: mean and deviation of the training data, applied to both
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
    deviation = np.where(deviation == 0, 1, deviation)
    return (x_train - mean) / deviation, (x_test - mean) / deviation
    # end


def early_stop(iterations, validation_loss):
    """Return the iteration at which the validation loss is smallest, the first of equals."""
    # hole: the place of the smallest loss, and the iteration there
    return iterations[int(np.argmin(validation_loss))]
    # end


def reported(iterations, validation_loss, test_accuracy):
    """Return the test accuracy that may be reported: the one at the early stop, however high others are."""
    # hole: the test accuracy where the validation loss is smallest
    return test_accuracy[int(np.argmin(validation_loss))]
    # end
