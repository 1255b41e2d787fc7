"""Compiled = CPython: closures, globals, defaults, nested functions, what a name means at each call.

Every program is compared in plain CPython, on the tape and compiled (`agreement.agree`).
"""

import importlib
import math
import sys
import types

import numpy as np
import pytest

from custodiet.autodiff import explain, grad, value_and_grad
from custodiet.errors import DifferentiationError
from tests.unit.autodiff.agreement import agree
from tests.unit.autodiff.language_programs import scaled_by_int


def test_comprehensions_have_a_scope_of_their_own():
    def f(a, x):
        i = x * 3.0
        v = 2.0
        squares = [v * v for v in a]
        total = sum(i * x for i in squares) + sum([squares[i] for i in range(len(a))])
        return total * i * v

    agree(f, np.array([1.0, 2.0]), 1.5, differences=True)


def test_comprehension_with_a_walrus_or_a_lambda():
    def walrus(a):
        y = 0.0
        total = sum([(y := v * v) for v in a])
        return total + y

    def late(x):
        i = 10.0
        functions = [lambda t: t * i for i in (1.0, 2.0)]  # noqa: B023
        return functions[0](x) + i

    agree(walrus, np.array([1.0, 2.0]), native=None)
    agree(late, 3.0, native=None)


def test_nested_function_reads_a_name_that_is_assigned_later():
    def f(x, n):
        def inner(t):
            return t * scale + x

        scale = 2.0
        first = inner(x)
        for i in range(n):
            scale = scale * x + i
        return first + inner(x)

    agree(f, 1.5, 3, argnums=(0,), differences=True)


def test_closures_within_closures():
    def f(x, k):
        def outer(s):
            def inner(t):
                return s * t + x

            return inner

        g, h = outer(x * k), outer(2.0)
        twice = lambda t: g(g(t))  # noqa: E731
        return twice(x) * h(x)

    agree(f, 1.2, 3.0, differences=True)


def test_functions_as_arguments():
    def apply(g, t, n):
        for _ in range(n):
            t = g(t)
        return t

    def f(x, n):
        return apply(math.sin, x, n) + apply(lambda t: t * x + 1.0, x, n)

    agree(f, 1.2, 3, argnums=(0,), differences=True)


def with_defaults(x, y=3.0, *, z=2.0, n=2):
    return x**n * y + z * x


def test_default_and_keyword_arguments():
    def f(x):
        return with_defaults(x) + with_defaults(x, 1.5, z=x) + with_defaults(y=x, x=2.0, n=3)

    agree(f, 1.2, differences=True)
    agree(with_defaults, 1.2, differences=True)
    agree(with_defaults, 1.2, 0.5, differences=True)


def test_keyword_arguments_of_the_call_itself():
    expected = grad(with_defaults, mode="trace")(1.2, z=5.0)
    assert grad(with_defaults)(1.2, z=5.0) == pytest.approx(expected)
    assert explain(with_defaults, 1.2, z=5.0).path == "trace"
    with pytest.raises(DifferentiationError, match="positional"):
        grad(with_defaults, mode="compile")(1.2, z=5.0)


def test_wrong_number_of_arguments_is_pythons_error():
    for mode in ("auto", "trace"):
        with pytest.raises(TypeError, match="missing 1 required positional argument"):
            grad(scaled_by_int, mode=mode)(1.0)
        with pytest.raises(TypeError, match="3 were given"):
            grad(scaled_by_int, mode=mode)(1.0, 2, 3)
    with pytest.raises((TypeError, DifferentiationError)):
        grad(scaled_by_int, mode="compile")(1.0, 2, 3)


SCALE = 2.0
TABLE = np.array([1.0, 2.0])
PAIR = [1, 2.5]
ROWS = [[1.0, 2.0], [3.0, 4.0]]
CONFIG = types.SimpleNamespace(gain=2.0, steps=2)
WRITTEN = np.zeros(2)


def reads_globals(x):
    y = x * SCALE + TABLE[1] * x + PAIR[0] * x * PAIR[1] + ROWS[0][1] * x
    for _ in range(CONFIG.steps):
        y = y * CONFIG.gain
    return y


@pytest.mark.parametrize("mode", ["compile", "auto"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SCALE", 5.0),
        ("SCALE", 5),
        ("SCALE", True),
        ("SCALE", np.float64(5.0)),
        ("TABLE", np.array([4.0, 5.0, 6.0])),
        ("TABLE", np.array([4, 5])),
        ("TABLE", [4.0, 5.0]),
        ("TABLE", np.array([4.0, 5.0], dtype=np.float32)),
        ("PAIR", [2.5, 1]),
        ("PAIR", [2.5, 1.5]),
        ("PAIR", (3, 4)),
        ("ROWS", [[7.0, 8.0]]),
        ("CONFIG", types.SimpleNamespace(gain=3, steps=3)),
    ],
)
def test_globals_are_read_at_each_call(monkeypatch, mode, name, value):
    call = value_and_grad(reads_globals, mode=mode)
    for _ in range(2):
        assert call(1.5)[0] == pytest.approx(reads_globals(1.5))
    monkeypatch.setitem(globals(), name, value)
    if mode == "compile" and explain(reads_globals, 1.5).path == "trace":
        with pytest.raises(DifferentiationError, match="float32"):
            call(1.5)
        return
    for _ in range(2):
        got, slope = call(1.5)
        assert got == pytest.approx(reads_globals(1.5), rel=1e-12)
        assert slope == pytest.approx(got / 1.5, rel=1e-12)


@pytest.mark.parametrize("mode", ["compile", "auto"])
def test_attributes_of_globals_are_read_at_each_call(monkeypatch, mode):
    call = value_and_grad(reads_globals, mode=mode)
    for _ in range(2):
        call(1.5)
    monkeypatch.setattr(CONFIG, "gain", 7.0)
    assert call(1.5)[0] == pytest.approx(reads_globals(1.5))
    monkeypatch.setattr(CONFIG, "steps", 5)
    assert call(1.5)[0] == pytest.approx(reads_globals(1.5))
    TABLE[1], old = 11.0, TABLE[1]
    assert call(1.5)[0] == pytest.approx(reads_globals(1.5))
    TABLE[1] = old


@pytest.mark.parametrize("mode", ["compile", "auto"])
def test_attributes_of_arguments_are_read_at_each_call(mode):
    class Setting:
        gain = 2.0

    def f(x, s):
        return x * s.gain

    one = Setting()
    call = grad(f, mode=mode)
    assert [call(1.0, one) for _ in range(2)] == [2.0, 2.0]
    one.gain = 3.0
    assert call(1.0, one) == 3.0
    two = Setting()
    two.gain = 4
    assert [call(1.0, two), call(1.0, one)] == [4.0, 3.0]


@pytest.mark.parametrize("mode", ["compile", "auto"])
def test_closures_are_read_at_each_call(mode):
    k, weights = 2.0, np.array([1.0, 2.0])

    def f(x):
        return x * k + weights[0] * x

    call = grad(f, mode=mode)
    assert [call(1.0) for _ in range(3)] == [3.0] * 3
    k = 5.0
    assert call(1.0) == 6.0
    k = 7
    assert call(1.0) == 8.0
    weights[0] = 4.0
    assert call(1.0) == 11.0
    weights = np.array([10.0])
    assert call(1.0) == 17.0


def helper(x):
    return x * 2.0


def calls_helper(x):
    return helper(x) * x


def test_global_function_replaced_between_calls(monkeypatch):
    for mode in ("compile", "auto"):
        call = value_and_grad(calls_helper, mode=mode)
        for _ in range(2):
            assert call(3.0) == (18.0, 12.0)
        with monkeypatch.context() as patch:
            patch.setitem(globals(), "helper", lambda x: x + 1.0)
            assert [call(3.0) for _ in range(2)] == [(12.0, 7.0)] * 2
        assert call(3.0) == (18.0, 12.0)


def test_global_removed_between_calls(monkeypatch):
    call = grad(reads_globals, mode="auto")
    for _ in range(2):
        call(1.5)
    monkeypatch.delitem(globals(), "SCALE")
    with pytest.raises(NameError, match="SCALE"):
        call(1.5)


def test_function_of_a_module_replaced_between_calls(monkeypatch):
    module = types.ModuleType("tools")
    module.scale = helper

    def f(x):
        return module.scale(x) * 3.0

    call = grad(f, mode="compile")
    assert call(1.0) == 6.0
    module.scale = calls_helper
    assert call(1.0) == 12.0


def test_builtin_shadowed_between_calls(monkeypatch):
    def f(x):
        return abs(x) * 2.0

    call = grad(f, mode="compile")
    assert call(-1.5) == -2.0
    monkeypatch.setitem(globals(), "abs", lambda t: t * 5.0)
    assert call(-1.5) == 10.0


def writes_global(x):
    WRITTEN[0] = WRITTEN[0] + x
    return WRITTEN[0] * x


@pytest.mark.parametrize("mode", ["trace", "auto"])
def test_array_from_outside_that_is_written(mode):
    call = value_and_grad(writes_global, mode=mode)
    WRITTEN[:] = 0.0
    assert [call(3.0)[0] for _ in range(3)] == [9.0, 18.0, 27.0]
    assert WRITTEN[0] == 9.0
    WRITTEN[:] = 0.0
    assert "outside" in explain(writes_global, 3.0).reason
    assert WRITTEN[0] == 0.0


def test_function_redefined_between_calls(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    file = tmp_path / "redefined_program.py"
    file.write_text("def f(x):\n    return x * x\n")
    module = importlib.import_module("redefined_program")
    call = grad(module.f, mode="compile")
    assert [call(3.0) for _ in range(2)] == [6.0, 6.0]
    file.write_text("def f(x):\n    y = x * x\n    return y * x * 1.0\n")
    importlib.invalidate_caches()
    sys.modules.pop("redefined_program")
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    spec = importlib.util.spec_from_file_location("redefined_program", file)
    fresh = importlib.util.module_from_spec(spec)
    exec(compile(file.read_text(), str(file), "exec"), fresh.__dict__)
    sys.dont_write_bytecode = before
    assert grad(fresh.f, mode="compile")(3.0) == pytest.approx(27.0)


def test_default_arguments_are_evaluated_where_the_function_is_defined():
    """An array in a default was read when the function was called."""

    def f(a):
        g = lambda k, y=a * 2.0: y[k] * a[k]  # noqa: E731

        def h(k, *, z=a + 1.0):
            return z[k]

        a[0] = 5.0
        return g(0) * g(1) * h(0)

    agree(f, np.array([0.7, 1.3]), differences=True)


def scaled_twice(x, by=2.0):
    return x * by


def calls_scaled_twice(x):
    return scaled_twice(x) * 3.0


def reads_an_attribute(x):
    return x * reads_an_attribute.scale


reads_an_attribute.scale = 2.0


@pytest.mark.parametrize("mode", ["compile", "auto"])
def test_code_and_defaults_of_a_function_are_read_at_each_call(monkeypatch, mode):
    """A module that is reloaded in place puts other code and other defaults into the same functions."""

    def other(x, by=2.0):
        return x * by * 10.0

    for f in (scaled_twice, calls_scaled_twice):
        times = 3.0 if f is calls_scaled_twice else 1.0
        call = grad(f, mode=mode)
        assert [call(1.5) for _ in range(3)] == [2.0 * times] * 3
        with monkeypatch.context() as patch:
            patch.setattr(scaled_twice, "__defaults__", (7.0,))
            assert [call(1.5) for _ in range(3)] == [7.0 * times] * 3
            patch.setattr(scaled_twice, "__code__", other.__code__)
            assert [call(1.5) for _ in range(3)] == [70.0 * times] * 3
        assert [call(1.5) for _ in range(3)] == [2.0 * times] * 3


@pytest.mark.parametrize("mode", ["compile", "auto"])
def test_attributes_of_functions_are_read_at_each_call(monkeypatch, mode):
    call = grad(reads_an_attribute, mode=mode)
    assert [call(1.5) for _ in range(3)] == [2.0] * 3
    monkeypatch.setattr(reads_an_attribute, "scale", 5.0)
    assert [call(1.5) for _ in range(3)] == [5.0] * 3
