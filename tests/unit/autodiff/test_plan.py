"""What is kept of a compiled gradient is found again by everything that it depends on, and by nothing else."""

import math

import numpy as np
import pytest

from custodiet.autodiff import grad, value_and_grad
from custodiet.autodiff.compiler import entry, plan
from custodiet.autodiff.compiler.entry import compile_gradient
from custodiet.autodiff.compiler.show import show_compiled


def settled(x, n):
    y = np.zeros(n)
    for i in range(1, n):
        if x > 0.5:
            y[i] = y[i - 1] + math.sin(x * i)
        else:
            y[i] = y[i - 1] * x
    return y[n - 1] * x


def chained(x, n):
    return x if n == 0 else math.sin(chained(x, n - 1)) * x


def stored(x, y):
    x[0] = x[1] * y
    return x[0] * x[2]


def products(a, b):
    return np.sum(a @ b)


CASES = [
    (settled, (0.7, 5), (0,)),
    (chained, (1.3, 4), (0,)),
    (stored, (np.array([1.0, 2.0, 3.0]), 1.5), (0, 1)),
    (products, (np.arange(20.0).reshape(4, 5), np.arange(30.0).reshape(5, 6)), (0, 1)),
]


def copies(args):
    return tuple(np.copy(one) if isinstance(one, np.ndarray) else one for one in args)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CUSTODIET_CACHE", str(tmp_path))
    return tmp_path / "autodiff"


def no_sweep(*_):
    raise AssertionError("the reverse sweep was made again")


def same(first, second):
    assert first[0] == second[0] and first[2] == second[2]
    for one, other in zip(first[1], second[1], strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("function", "args", "argnums"), CASES, ids=[one[0].__name__ for one in CASES])
def test_a_kept_plan_spares_the_reverse_sweep_and_answers_the_same(function, args, argnums, cache, monkeypatch):
    fresh = compile_gradient(function, args, argnums)
    with monkeypatch.context() as patch:
        patch.setattr(entry, "reverse_program", no_sweep)
        found = compile_gradient(function, args, argnums)
        assert found.plan == fresh.plan and found.block_places == fresh.block_places
        one, other = copies(args), copies(args)
        same(fresh(one), found(other))
        for mine, theirs in zip(one, other, strict=True):  # written arguments alike
            np.testing.assert_array_equal(mine, theirs)
    assert found.text == fresh.text
    if not found.program.callees:
        assert show_compiled(found) == show_compiled(fresh)


@pytest.mark.parametrize("suffix", [".plan", ".code"])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_damage_on_the_disk_is_compiled_over(suffix, damage, cache):
    function, args, argnums = CASES[0]
    want = compile_gradient(function, args, argnums)(args)
    (path,) = cache.glob(f"*{suffix}")
    data = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(data[:-1] if damage == "cut" else data[:-1] + bytes([data[-1] ^ 1]))
    same(compile_gradient(function, args, argnums)(args), want)
    assert path.read_bytes() == data


def make(constant):
    return lambda x: x * constant + constant


def test_numbers_from_outside_are_arguments_and_constants_are_not_mixed_up(cache):
    assert grad(make(2.0), mode="compile")(1.0) == 2.0
    assert grad(make(3.0), mode="compile")(1.0) == 3.0
    assert math.copysign(1.0, value_and_grad(lambda x: x * 0.0, mode="compile")(1.0)[0]) == 1.0
    assert math.copysign(1.0, value_and_grad(lambda x: x * -0.0, mode="compile")(1.0)[0]) == -1.0
    assert grad(lambda x: x * 3, mode="compile")(1.0) == 3.0
    assert grad(lambda x: x * True, mode="compile")(1.0) == 1.0


def test_the_key_changes_with_program_types_wishes_and_compiler(cache, monkeypatch):
    def key(function, args, argnums):
        return plan.plan_key(entry.read_program(function, args, argnums)[2])

    first = key(settled, (0.7, 5), (0,))
    assert key(settled, (0.2, 9), (0,)) == first
    others = {
        key(products, (np.ones((2, 2)), np.ones((2, 2))), (0,)),
        key(products, (np.ones((2, 2)), np.ones((2, 2))), (1,)),
        key(products, (np.ones((2, 1)), np.ones((1, 2))), (1,)),
    }
    assert len(others) == 3
    monkeypatch.setattr(plan, "_own_files", lambda: "other")
    assert key(settled, (0.7, 5), (0,)) != first
