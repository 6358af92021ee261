"""Every operation against PyTorch: values and gradients in float64."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.autograd.operations import OPERATIONS
from tests.autograd.problems import EXAMPLES, check_against_torch


@pytest.mark.parametrize("problems", OPERATIONS.values(), ids=OPERATIONS.keys())
@EXAMPLES
@given(data=st.data())
def test_value_and_gradient_are_pytorchs(torch, problems, data):
    check_against_torch(data.draw(problems), torch)
