"""The coverage programs run and are smooth at their examples; the library's gradients agree with central differences."""

import ast
import collections
import inspect
import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks.programs.coverage import examples
from custodiet.autodiff import grad
from tests.unit.autodiff.differences import central_differences, float_leaves, get_leaf

EXAMPLES = examples()


def differences(example):
    """Per differentiated argument, a list of (path of the leaf, central difference)."""
    inputs = example.inputs
    return [
        [(path, central_differences(example.function, inputs, argnum, path)) for path in float_leaves(inputs[argnum])]
        for argnum in example.argnums
    ]


def test_there_are_many_of_many_kinds_and_none_twice():
    assert len(EXAMPLES) >= 60
    assert max(collections.Counter(example.name for example in EXAMPLES).values()) == 1
    assert max(collections.Counter(example.exercises for example in EXAMPLES).values()) == 1
    declined = [example for example in EXAMPLES if example.declined_because]
    assert len(declined) <= 0.1 * len(EXAMPLES)


def test_programs_know_nothing_of_differentiation():
    for file in {inspect.getsourcefile(example.function) for example in EXAMPLES}:
        tree = ast.parse(Path(file).read_text())
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not [name for name in names if name.split(".")[0] in {"custodiet", "torch", "jax", "autograd"}]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_program_runs_and_its_difference_is_finite(example):
    value = example.function(*example.inputs)
    assert np.ndim(value) == 0 and math.isfinite(value)
    assert value == example.function(*example.inputs)
    for leaves in differences(example):
        assert leaves, "a differentiated argument has a float in it"
        for _path, difference in leaves:
            assert np.all(np.isfinite(difference))
    assert any(np.any(difference != 0.0) for leaves in differences(example) for _path, difference in leaves)


@pytest.mark.parametrize("mode", ["trace", "auto"])
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_gradient_agrees_with_central_differences(example, mode):
    gradient = grad(example.function, argnums=example.argnums, mode=mode)
    for _ in range(2):
        found = gradient(*example.inputs)
        for mine, leaves in zip(found, differences(example), strict=True):
            scale = max(1.0, *(float(np.max(np.abs(difference))) for _path, difference in leaves))
            for path, difference in leaves:
                np.testing.assert_allclose(np.asarray(get_leaf(mine, path)), difference, rtol=0, atol=3e-7 * scale)
