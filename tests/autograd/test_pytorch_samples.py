"""tinyticket on the samples that PyTorch tests itself with: none is wrong, and those that are refused do not become more."""

import pytest

from tests.autograd.pytorch_samples import TOLERANCES, measure, table

REFUSED = {
    "div": 18,  # rounding
    "mean": 2,  # over no axes
    "prod": 2,  # another dtype
    "cumsum": 1,
    "softmax": 8,
    "log_softmax": 8,
    "cat": 1,  # an empty tensor of another shape
    "nn.functional.avg_pool2d": 6,  # ceil_mode, divisors
    "nn.functional.batch_norm": 10,  # neither (N, C) nor (N, C, H, W); one number a channel
    "nn.functional.cross_entropy": 10,  # probabilities as targets
    "nn.functional.pad": 4,
}


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.filterwarnings("ignore")
def test_samples_are_right_or_refused(torch, dtype):
    counts, others = measure(torch, dtype, every=12)
    assert not [other for other in others if other.startswith("wrong")]
    refused = {name: count for (name, word), count in counts.items() if word == "refused"}
    assert all(count <= REFUSED.get(name, 0) for name, count in refused.items()), "\n".join([table(counts), *others])
    assert sum(count for (_, word), count in counts.items() if word == "right") >= 800
