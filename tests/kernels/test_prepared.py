"""A prepared call is the call it was prepared for, again and again, and copies nothing."""

import copy
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from tests.kernels.threads import one_and_two_threads
from tinyticket.errors import InputError
from tinyticket.kernels import cpu
from tinyticket.kernels.cpu.packing import empty
from tinyticket.sparse import Pattern


@pytest.fixture
def layer():
    rng = np.random.default_rng(0)
    mask = rng.random((30, 50)) < 0.2
    x, dy = (cpu.pack(rng.standard_normal((70, features)).astype(np.float32)) for features in (50, 30))
    pattern = Pattern.from_mask(mask, x.shape[2])
    values, bias = (rng.standard_normal(count).astype(np.float32) for count in (pattern.count, 30))
    return pattern, values, bias, x, dy


def prepared_and_plain(layer):
    """Yield what prepares a call, the function itself, and what both are given."""
    pattern, values, bias, x, dy = layer
    yield cpu.prepare_sparse_linear, cpu.sparse_linear, (pattern, values, bias, x)
    by_column = pattern.by_column(values)
    yield cpu.prepare_sparse_linear_gradient, cpu.sparse_linear_gradient, (pattern, by_column, x, dy)
    yield cpu.prepare_sparse_linear_weight_gradient, cpu.sparse_linear_weight_gradient, (pattern, x, dy)


def same(results, expected):
    for one, other in zip(*((r if isinstance(r, tuple) else (r,)) for r in (results, expected)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_every_run_sees_what_the_arrays_hold_then(layer):
    for prepare, plain, given in prepared_and_plain(layer):
        call = prepare(*given)
        same(call(), plain(*given))
        for array in given[1:]:
            array[:] = array[::-1].copy()
        results = call()
        assert results is call.results
        same(results, plain(*given))
        one_and_two_threads(lambda threads, prepare=prepare, given=given: prepare(*given, threads=threads)())


def test_results_go_where_they_shall(layer):
    pattern, values, bias, x, _ = layer
    out = empty(x.shape[0], 30, x.shape[2])
    assert cpu.prepare_sparse_linear(pattern, values, bias, x, relu=True, out=out)() is out
    np.testing.assert_array_equal(out, cpu.sparse_linear(pattern, values, bias, x, relu=True))


def test_what_would_have_to_be_copied_is_refused(layer):
    pattern, values, bias, x, _ = layer
    for given in ((values.astype(float), bias, x), (values, np.ones(60, np.float32)[::2], x), (values, bias[1:], x)):
        with pytest.raises(InputError, match="not copied"):
            cpu.prepare_sparse_linear(pattern, *given)


def test_read_only_inputs_and_empty_masks_are_accepted(layer):
    _, _, bias, x, _ = layer
    x.flags.writeable = False
    pattern = Pattern.from_mask(np.zeros((30, 50), bool), x.shape[2])
    y = cpu.prepare_sparse_linear(pattern, np.zeros(0, np.float32), bias, x)()
    np.testing.assert_array_equal(y, np.broadcast_to(bias[:, None], y.shape))


FORK = """
import copy
import os
import pickle
import numpy as np
from tinyticket.kernels import cpu
from tinyticket.sparse import Pattern

x = cpu.pack(np.ones((5, 40), np.float32))
call = cpu.prepare_sparse_linear(Pattern.from_mask(np.ones((20, 40), bool), 16), np.ones(800, np.float32),
                                 np.zeros(20, np.float32), x, threads=2)
before = call().copy()
call.results[:] = 0
child = os.fork()
if not child:
    os._exit(not np.array_equal(call(), before))
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_a_forked_child_runs_it_alone():
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_a_prepared_call_is_neither_copied_nor_pickled():
    pattern = Pattern.from_mask(np.ones((2, 3), np.bool_), 16)
    x = cpu.pack(np.ones((4, 3), np.float32), 16)
    call = cpu.prepare_sparse_linear(pattern, np.ones(6, np.float32), np.zeros(2, np.float32), x)
    for take in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="holds the addresses of its arrays"):
            take(call)
