"""Modules made of modules."""

import numpy as np
import pytest

from tinyticket import nn

X = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)


def test_sequential_applies_its_layers_in_turn():
    first, second = nn.Linear(3, 4, rng=0), nn.Linear(4, 2, rng=1)
    model = nn.Sequential(first, nn.ReLU(), second)
    np.testing.assert_array_equal(model(X).data, second(first(X).relu()).data)
    assert len(model) == 3
    assert list(model) == [first, model[1], second]
    assert model[-1] is second


def test_sequential_takes_names_from_a_mapping_and_numbers_otherwise():
    named = nn.Sequential({"fc": nn.Linear(3, 2), "relu": nn.ReLU()})
    assert [name for name, _ in named.children()] == ["fc", "relu"]
    assert named.fc is named[0]
    assert [name for name, _ in nn.Sequential(nn.ReLU(), nn.Tanh()).children()] == ["0", "1"]


def test_sequential_refuses_what_is_no_module():
    with pytest.raises(TypeError, match="wants Modules; 1 is a function"):
        nn.Sequential(nn.ReLU(), lambda x: x)
    with pytest.raises(TypeError, match="wants Modules; 0 is a list"):
        nn.Sequential([nn.ReLU()])


@pytest.mark.parametrize("name", ["forward", "training", "state_dict", "a.b", "a/b"])
def test_sequential_refuses_names_that_would_hide_its_own_or_break_paths(name):
    with pytest.raises(ValueError, match="cannot name a layer"):
        nn.Sequential({name: nn.ReLU()})


def test_a_residual_block_adds_body_and_shortcut_and_applies_relu():
    body, shortcut = nn.Linear(3, 2, rng=0), nn.Linear(3, 2, rng=1)
    np.testing.assert_array_equal(nn.Residual(body, shortcut)(X).data, (body(X) + shortcut(X)).relu().data)
    square = nn.Linear(3, 3, rng=2)
    np.testing.assert_array_equal(nn.Residual(square)(X).data, (square(X) + X).relu().data)


def test_the_parameters_of_a_residual_block_are_its_bodys_and_its_shortcuts():
    block = nn.Residual(nn.Linear(3, 2, bias=False), nn.Linear(3, 2))
    assert list(block.state_dict()) == ["body.weight", "shortcut.weight", "shortcut.bias"]
    assert list(nn.Residual(nn.Linear(3, 3, bias=False)).state_dict()) == ["body.weight"]


def test_both_ways_of_a_residual_block_must_agree_in_shape():
    with pytest.raises(ValueError, match=r"body gives shape \(4, 1\), the shortcut \(4, 3\)"):
        nn.Residual(nn.Linear(3, 1))(X)


@pytest.mark.parametrize(("parts", "words"), [((None,), "body is a NoneType"), ((nn.ReLU(), 3), "shortcut is a int")])
def test_a_residual_block_refuses_what_is_no_module(parts, words):
    with pytest.raises(TypeError, match=f"Residual wants Modules; {words}"):
        nn.Residual(*parts)
