"""The tape's short way for arrays: it says what the general way says, and writes into nothing that others hold."""

import contextlib
import dataclasses
import gc
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custodiet.autodiff import check, custom_vjp, grad, hvp, value_and_grad, vjp
from custodiet.autodiff.arrays import TracedArray
from custodiet.autodiff.engine import reverse_call
from custodiet.autodiff.rules import RULES
from custodiet.autodiff.rules.core import primal_of
from custodiet.autodiff.tape import ReverseTrace

X = np.array([0.3, -0.7, 1.2, 0.9])
Y = np.array([1.1, 0.4, -0.6, 2.0])
C = np.array([-0.2, 1.5, 0.8, 0.1])
NUMBER = np.float64(1.7)
CELL = np.array(-0.6)


@contextlib.contextmanager
def the_general_way():
    """With another rule for one of its operations, even an equal one, the short way stands back."""
    rule = RULES[np.add]
    RULES[np.add] = dataclasses.replace(rule)
    try:
        yield
    finally:
        RULES[np.add] = rule


def recorded(f, *args):
    """What f puts on the tape."""
    return reverse_call(f, args, {}, tuple(range(len(args)))).trace.entries[1 + len(args) :]


FORMS = {
    "sum": lambda x, y: x + y,
    "twice the same": lambda x, y: x + x,
    "a number added": lambda x, y: 2.5 + x + 1,
    "difference": lambda x, y: x - y,
    "from itself": lambda x, y: x - x,
    "from a number": lambda x, y: (2.0 - x) - 3,
    "product": lambda x, y: x * y,
    "square by product": lambda x, y: x * x,
    "whole number": lambda x, y: 3 * x,
    "negative zero": lambda x, y: x * -0.0,
    "quotient": lambda x, y: x / y,
    "quotient of one": lambda x, y: x / x,
    "by a number": lambda x, y: x / 4.0,
    "into a number": lambda x, y: 2 / x,
    "power": lambda x, y: x**2,
    "negation": lambda x, y: -x,
    "ufuncs by name": lambda x, y: np.multiply(np.add(x, y), np.divide(np.subtract(1.5, x), y)),
    "a global array": lambda x, y: (x + C) * C - C / x,
    "a global array first": lambda x, y: np.add(C, x) * (C - x) * (C / y) * (C * x),
    "NumPy's numbers": lambda x, y: NUMBER * x + x * CELL,
    "views": lambda x, y: x[::-1] * y[::-1] - x[::-1] / x,
    "a view's ufunc": lambda x, y: np.exp(x[::-1]) + np.sin(y[::-1]),
    "reads the result": lambda x, y: np.tanh(x) * np.exp(y),
    "reads nothing": lambda x, y: np.deg2rad(x) + np.floor(y) * x,
    "absolute": lambda x, y: abs(x) * np.fabs(y),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_forms_agree_with_the_general_way(form, dtype):
    x, y, g = X.astype(dtype), Y.astype(dtype), np.array([1.0, -2.0, 0.5, 3.0], dtype)
    value, pull = vjp(form, x, y)
    found = pull(g.astype(value.dtype))
    with the_general_way():
        expected_value, pull = vjp(form, x, y)
        expected = pull(g.astype(value.dtype))
        assert all(type(one) is not list for one in recorded(form, x, y))
    assert any(type(one) is list or type(one).__name__ == "_Quotient" for one in recorded(form, x, y))
    np.testing.assert_array_equal(value, expected_value)
    assert value.dtype == expected_value.dtype
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-14 if dtype is np.float64 else 1e-6)
        assert one.dtype == other.dtype == dtype


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_second_derivatives_agree_with_the_general_way(form):
    def f(x):
        return np.sum(form(x, Y) * np.cos(x))

    found = hvp(f, (X,), (C,))
    with the_general_way():
        np.testing.assert_allclose(found, hvp(f, (X,), (C,)), rtol=1e-12, atol=1e-15)


STEPS = ["add", "sub", "mul", "over", "scaled", "sin", "exp", "flip", "window", "store", "in place", "in a view"]


def run_steps(steps, x, y):
    """A program on arrays of length 4 that aliases and writes as it goes."""
    pool = [x.copy(), y.copy(), C * 1.0]
    for name, i, j, k in steps:
        a, b, c = (pool[one % len(pool)] for one in (i, j, k))
        if name == "add":
            pool.append(a + b)
        elif name == "sub":
            pool.append(a - b)
        elif name == "mul":
            pool.append(np.sin(a) * b)
        elif name == "over":
            pool.append(a / (2.0 + b**2))
        elif name == "scaled":
            pool.append(0.5 * a)
        elif name == "sin":
            pool.append(np.sin(a))
        elif name == "exp":
            pool.append(np.exp(-a * a))
        elif name == "flip":
            pool.append(a[::-1])
        elif name == "window":
            pool.append(np.concatenate([a[:2] * b[2:], b[1:3] - a[1:3]]))
        elif name == "store":
            a[1:3] = b[:2] * c[2:]
        elif name == "in place":
            a *= 0.5
            a += np.sin(b)
        else:
            a[1:] -= b[:-1] * c[1:]
    total = 0.0
    for k, one in enumerate(pool):
        total = total + np.sum(one * (k + 1.0))
    return total


places = st.integers(0, 7)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(STEPS), places, places, places), min_size=1, max_size=10))
def test_programs_that_alias_and_write_agree_with_the_general_way(steps):
    x, y = X.copy(), Y.copy()
    value, found = value_and_grad(lambda x, y: run_steps(steps, x, y), (0, 1), mode="trace")(x, y)
    with the_general_way():
        expected_value, expected = value_and_grad(lambda x, y: run_steps(steps, x, y), (0, 1), mode="trace")(x, y)
    assert value == expected_value == run_steps(steps, X, Y)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * max(1.0, np.abs(expected).max()))
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)


def _later(x, y, change):
    """Three terms with one cotangent: two are added up in x's buffer before the first is pulled."""
    first, second = x * 2.0, x * 3.0
    return (first + change(x, y)) + second


SHARING = {
    "handed on first": lambda x, y: _later(x, y, lambda x, y: x + 1.0),
    "handed on twice first": lambda x, y: _later(x, y, lambda x, y: (x + 1.0) - 2.0),
    "the second of a sum first": lambda x, y: _later(x, y, lambda x, y: y + x),
    "the first of a sum first": lambda x, y: _later(x, y, lambda x, y: x + y),
    "the first of a difference first": lambda x, y: _later(x, y, lambda x, y: x - y),
    "one cotangent for both": lambda x, y: x + y,
    "and again for both": lambda x, y: (x + y) + (x + y) * x,
    "handed on": lambda x, y: ((x + 1.0) + 2.0) + x * y,
    "handed on, then used twice": lambda x, y: (lambda z: z + z * y + np.exp(z))(x - 1.0),
    "sign changed": lambda x, y: -(x - y) - x,
    "the argument itself": lambda x, y: x,
}


@pytest.mark.parametrize("f", SHARING.values(), ids=SHARING)
def test_a_cotangent_stays_the_callers(f):
    g = np.array([1.0, -2.0, 0.5, 3.0])
    kept = g.copy()
    _, pull = vjp(f, X, Y)
    first = pull(g)
    with the_general_way():
        for one, two in zip(first, vjp(f, X, Y)[1](g), strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-14)
    np.testing.assert_array_equal(g, kept)
    copies = [one.copy() for one in first]
    second = pull(g)
    for one, two, copy in zip(first, second, copies, strict=True):
        np.testing.assert_array_equal(one, copy)
        np.testing.assert_array_equal(two, copy)
        assert not np.shares_memory(one, g) and not np.shares_memory(one, two)
    assert not np.shares_memory(*first)
    first[0][...] = 7.0
    np.testing.assert_array_equal(pull(g)[0], copies[0])


def test_arrays_that_a_custom_derivative_holds_are_not_changed():
    seen, answer = [], np.array([1.0, 2.0, 3.0, 4.0])
    kept_answer = answer.copy()
    held = custom_vjp(lambda x: x * 1.0)
    held.defvjp(lambda x: (x, None), lambda _, g: (seen.append(g) or answer,))

    def f(x):
        z = x + 1.0
        w = held(z)
        return np.sum(w * w + w) + np.sum(z * z)

    found = grad(f, mode="trace")(X)
    np.testing.assert_allclose(found, kept_answer + 2.0 * (X + 1.0))
    np.testing.assert_array_equal(answer, kept_answer)
    np.testing.assert_allclose(seen[0], 2.0 * (X + 1.0) + 1.0)


def _after(array, value, change):
    """What was computed from an array that is then written into."""
    seen = np.sum(value * (value + 1.0))
    change(array)
    return seen + np.sum(array)


def _set_one(array):
    array[2] = 5.0


def _scale_part(array):
    array[1:] *= 3.0


def _noise(x):
    plain = np.random.default_rng(0).normal(size=4)  # a plain array: no stand-in was made for it
    value = x * plain
    plain[:] = 0.0
    return np.sum(value * x)


def _constant(x):
    table = np.ones(4) * 2.0
    value = x * table
    table[1] = 9.0
    return np.sum(value * table)


def _seen_through_views(x, y, change):
    one, two, three, four = x[::-1], x[::-1], x[::-1], x[::-1]  # each is cut anew where it is used first
    change(x)
    return np.sum(one * y) + np.sum(np.sin(two)) + np.sum(y / three) + np.sum((four + 1.0) * y)


def _ratio(x, y, change):
    value = x / y
    total = np.sum(value)  # reads nothing, so that only the quotient itself reads it on the way back
    change(value)
    return total + np.sum(value)


def _exponential(x, change):
    value = np.exp(x)
    total = np.sum(value)
    change(value)
    return total + np.sum(value)


WRITES = {
    "left factor": lambda x, y, change: (lambda t: _after(t, t * y, change))(x * 2.0),
    "right factor": lambda x, y, change: (lambda t: _after(t, y * t, change))(x * 2.0),
    "factor of a view": lambda x, y, change: (lambda t: _after(t, t[::-1] * y, change))(x * 2.0),
    "view as right factor": lambda x, y, change: (lambda t: _after(t, y * t[::-1], change))(x * 2.0),
    "divisor": lambda x, y, change: (lambda t: _after(t, y / t, change))(x * 2.0),
    "divisor of a number": lambda x, y, change: (lambda t: _after(t, 2.0 / t, change))(x * 2.0),
    "a view as divisor": lambda x, y, change: (lambda t: _after(t, y / t[::-1], change))(x * 2.0),
    "operand of a ufunc": lambda x, y, change: (lambda t: _after(t, np.sin(t), change))(x * 2.0),
    "a view in a ufunc": lambda x, y, change: (lambda t: _after(t, np.sin(t[::-1]), change))(x * 2.0),
    "square": lambda x, y, change: (lambda t: _after(t, t**2, change))(x * 2.0),
    "quotient": _ratio,
    "reciprocal": lambda x, y, change: _ratio(2.0, x, change) + np.sum(y),
    "result of a ufunc": lambda x, y, change: _exponential(x, change) + np.sum(y),
    "views of what was written": lambda x, y, change: _seen_through_views(x * 2.0, y * 1.0, change),
    "plain noise": lambda x, y, change: _noise(x) + np.sum(y),
    "a constant": lambda x, y, change: _constant(x) + np.sum(y),
}


@pytest.mark.parametrize("change", [_set_one, _scale_part])
@pytest.mark.parametrize("f", WRITES.values(), ids=WRITES)
def test_what_was_recorded_keeps_its_values_when_arrays_are_written(f, change):
    report = check(lambda x, y: f(x, y, change), X, Y)
    assert report.ok, report


def test_the_callers_arrays_may_be_written_between_the_call_and_the_way_back():
    own = C.copy()
    value, pull = vjp(lambda x: x * own, X)
    own[:] = 100.0
    np.testing.assert_array_equal(pull(np.ones(4))[0], C)
    np.testing.assert_array_equal(value, X * C)


def test_a_handle_forgets_its_space_when_it_becomes_something_else():
    trace = ReverseTrace()
    x, constant = trace.lift(X.copy()), TracedArray(C.copy(), 0, None)
    assert (x * x).space is x.space is not None and (x + constant).space is x.space
    assert constant.space is None and x[1:].space is None and np.reshape(x, (2, 2)).space is None
    inner = ReverseTrace()
    y = inner.lift(x)  # a derivative within: its values are arrays of the outer one
    assert (y * y).space is None and y.space is None
    before = x.space
    for forget in (
        lambda h: setattr(h, "v", h.v),
        lambda h: setattr(h, "t", h.t),
        lambda h: h.link(x, (0, None, ..., {})),
    ):
        other = x * 1.0
        assert other.space is before
        forget(other)
        assert other.space is None
    x += y
    assert x.t is inner and x.space is None and (x * x).t is inner
    z = trace.lift(Y.copy())
    assert (z * z).space is before
    z[1] = y[0]
    assert z.t is inner and z.space is None and (z + z).space is None


def test_spaces_of_two_derivatives_are_not_mixed():
    def outer(x):
        def within(y):
            total = x * 1.0
            total += y * x
            total[1] = y[0] * x[0]
            return np.sum(total * total * y)

        return np.sum(grad(within, mode="trace")(Y * 1.0) * x)

    report = check(outer, X)
    assert report.ok, report


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("zero", [0.0, -0.0, 0, np.float64(0.0)])
def test_division_by_zero_is_numpys_on_the_way_back_too(zero, dtype):
    with np.errstate(all="ignore"):
        found = grad(lambda x: np.sum(x / zero), mode="trace")(X.astype(dtype))
        np.testing.assert_array_equal(found, np.full(4, 1.0 / np.float64(zero)))


@pytest.mark.parametrize("dtype", ["<f4", "<f8", ">f4", ">f8", "f2", "g"])
@pytest.mark.parametrize("number", [3, 2**53 + 1, 0.1, 1e-300, np.float32(0.1), np.float64(0.1), np.array(0.1), True])
def test_numbers_meet_arrays_as_in_numpy(dtype, number):
    x = X.astype(dtype)
    for f in (lambda x: x * number, lambda x: number + x, lambda x: x - number, lambda x: number / x):
        with np.errstate(over="ignore"):
            value, _ = vjp(f, x)
            expected = f(x)
        np.testing.assert_array_equal(value, expected)
        assert value.dtype == expected.dtype


def test_attributes_of_traced_arrays_are_those_of_arrays():
    def f(x):
        assert hasattr(x, "sum") and not hasattr(x, "nothing_of_an_array")
        return x.sum() + x.cumsum().max() + x.reshape(2, 2).T.ravel()[1]

    assert grad(f, mode="trace")(X) == pytest.approx([2.0, 2.0, 3.0, 2.0])


def test_a_tape_is_freed_without_the_garbage_collector():
    alive = []

    def f(x):
        y = np.sin(x) * x
        alive.append(weakref.ref(primal_of(y)))
        alive.append(weakref.ref(primal_of(C)))  # a copy: the function sees a stand-in of the global array
        return np.sum(y * C)

    derivative = grad(f, mode="trace")
    gc.disable()
    try:
        derivative(X)
        assert [one() for one in alive] == [None, None]
    finally:
        gc.enable()
