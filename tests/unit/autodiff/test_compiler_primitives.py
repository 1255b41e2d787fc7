"""Library functions that compile: native reverse and forward = the tape = central differences, and the printed text gives the same."""

import linecache
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import special

from custodiet.autodiff import jacobian, value_and_grad
from custodiet.autodiff.compiler import composites
from custodiet.autodiff.compiler.entry import compile_gradient, flatten_argument, kind_of
from custodiet.autodiff.compiler.show import RUNTIME, show_compiled
from custodiet.errors import DifferentiationError
from tests.unit.autodiff.agreement import agree, native_of, traps
from tests.unit.autodiff.primitive_programs import POINT, PROGRAMS

V, W, M, M2, S = POINT


def told(f):
    """The program's own text."""
    return linecache.getline(f.__code__.co_filename, f.__code__.co_firstlineno).split(": ", 1)[1].strip().rstrip(",")


@pytest.mark.parametrize("f", PROGRAMS, ids=told)
def test_native_reverse_is_the_tape_and_differences(f):
    agree(f, *POINT, differences=True)


@pytest.mark.parametrize("f", PROGRAMS, ids=told)
def test_native_forward_is_reverse(f):
    places = tuple(range(len(POINT)))
    _, slopes = value_and_grad(f, places, mode="compile")(*POINT)
    for mine, theirs in zip(jacobian(f, places, mode="compile")(*POINT), slopes, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("f", PROGRAMS, ids=told)
def test_printed_text_gives_the_same(f):
    places = tuple(range(len(POINT)))
    entry = compile_gradient(f, POINT, places)
    given = []
    for one in POINT:
        flatten_argument(one, kind_of(one), given)
    for function, name, _kind in entry.free:
        given.append(name if function is None else getattr(f, "__globals__", {})[name])
    namespace = dict(RUNTIME)
    exec(show_compiled(entry), namespace)
    value, found = namespace[f"{entry.program.name}_gradient"](*[np.array(one) for one in given])
    native_value, native, _ = entry(POINT)
    np.testing.assert_allclose(value, native_value, rtol=1e-12)
    for mine, theirs in zip(found, native, strict=True):
        np.testing.assert_allclose(np.asarray(mine, float), np.asarray(theirs, float), rtol=1e-9, atol=1e-12)


# -- ties and kinks: the conventions of `custodiet.autodiff.rules` -----------------------------------------------------------

TIED = np.array([2.0, 1.0, 2.0, 1.0, 3.0])
WEIGHTS = np.array([1.0, 10.0, 100.0, 1000.0, 10000.0])


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(np.sort(x) * WEIGHTS),
        lambda x: np.sum(np.sort(x)[::-1] * WEIGHTS),
        lambda x: np.sum(x[np.argsort(x, kind="stable")] * WEIGHTS),
        lambda x: np.median(x) + np.median(x[:4]) + np.median(x[:2]),
        lambda x: np.max(x[:3]) + np.min(x) + np.max(x),
        lambda x: x[np.argmax(x[:3])] + x[np.argmin(x)],
        lambda x: np.sum(np.maximum(x, 2.0)) + np.sum(np.fmin(x, 1.0)),
        lambda x: np.linalg.norm(x - 2.0, np.inf) + np.linalg.norm(x, 1) + np.linalg.norm(x - 1.0, 1),
        lambda x: np.sum(np.clip(x, 1.0, 2.0) * WEIGHTS),
        lambda x: np.ptp(x) + np.sum(np.abs(x - 2.0)),
        lambda x: np.prod(x - 1.0) + np.sum(np.cumprod(x - 2.0)) + np.sum(np.cumprod(x - 1.0)),
        lambda x: np.logaddexp(x[0], x[2]) + special.logsumexp(x),
        lambda x: max(x[0], x[2]) * 3.0 + min(x[1], x[3]) * 5.0,
    ],
)  # fmt: skip
def test_ties(f):
    agree(f, TIED)


def test_order_of_equals_is_nobodys():
    def f(x):
        return np.sum(x[np.argsort(x)] * WEIGHTS)

    call = value_and_grad(f, mode="compile")
    call(np.array([2.0, 1.0, 5.0, 4.0, 3.0]))
    assert traps(call, (TIED,))
    assert not traps(call, (np.array([2.0, 1.0, 5.0, 4.0, 3.0]),))


@pytest.mark.parametrize(
    "f", [lambda x: np.max(x), lambda x: np.min(x) * 2.0, lambda x: np.sum(np.max(x[None], axis=1))]
)
def test_extremum_of_nan_is_nan(f):
    call = value_and_grad(f, mode="compile")
    call(np.array([1.0, 2.0, 3.0]))
    for place in range(3):
        x = np.array([1.0, 2.0, 3.0])
        x[place] = np.nan
        assert math.isnan(call(x)[0])


@pytest.mark.parametrize(
    "f",
    [
        lambda x: special.logsumexp(x),
        lambda x: np.sum(special.softmax(x) * x[0]),
        lambda x: np.median(x),
        lambda x: np.sum(x[np.argsort(x)]),
    ],
)
@pytest.mark.parametrize("odd", [math.inf, -math.inf, math.nan])
def test_odd_numbers_are_left_to_cpython(f, odd):
    call = value_and_grad(f, mode="compile")
    call(np.array([1.0, 2.0, 3.0]))
    x = np.array([1.0, odd, 3.0])
    with np.errstate(invalid="ignore"):
        try:
            expected = value_and_grad(f, mode="trace")(x)
        except Exception as error:
            with pytest.raises(type(error)):
                call(x)
            return
        value, slope = call(x)
    np.testing.assert_allclose(value, expected[0], rtol=1e-12)
    np.testing.assert_allclose(slope, expected[1], rtol=1e-12, atol=1e-15)


# -- every length ------------------------------------------------------------------------------------------------------------

NUMBERS = st.floats(-3.0, 3.0).map(lambda one: round(one, 1) + 0.0)


def sorted_sum(x):
    return np.sum(np.sort(x) * np.arange(len(x)))


def running(x):
    return np.sum(np.cumsum(x) * x) + np.sum(np.cumprod(x))


def chosen(x):
    return np.sum(x[x > 0.0] ** 2) + np.sum(np.where(x > 1.0, x, 0.0)) + np.count_nonzero(x > 0.5) * 1.0


def moved(x):
    return (
        np.sum(np.roll(x, 2) * x)
        + np.sum(np.flip(x) * np.arange(len(x)))
        + np.sum(np.repeat(x, 2))
        + np.sum(np.diff(x) ** 2)
    )


def spread(x):
    return np.std(x) + np.var(x) + np.linalg.norm(x)


CALLS = {}


@pytest.mark.parametrize("f", [sorted_sum, running, chosen, moved, spread])
@settings(max_examples=60, deadline=None)
@given(numbers=st.lists(NUMBERS, min_size=2, max_size=9))
@example(numbers=[0.0, 0.0])
@example(numbers=[1.0, 1.0, 1.0])
@example(numbers=[0.8, 0.8, 0.8])
def test_every_length_and_tie(f, numbers):
    x = np.array(numbers)
    if f not in CALLS:
        CALLS[f] = value_and_grad(f, mode="compile")
    value, slope = CALLS[f](x)
    expected, theirs = value_and_grad(f, mode="trace")(x)
    np.testing.assert_allclose(value, expected, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(slope, theirs, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("f", [sorted_sum, running, chosen, moved])
@pytest.mark.parametrize("size", [0, 1])
def test_no_element_and_one(f, size):
    agree(f, np.linspace(0.7, 0.9, size), native=None)


# -- the programs that stand for library functions ------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(numbers=st.lists(NUMBERS | st.just(math.nan), min_size=1, max_size=20))
def test_order_and_places_are_numpys(numbers):
    x = np.array(numbers)
    assert composites.stable_order(x).tolist() == np.argsort(x, kind="stable").tolist()
    assert composites.argmax(x) == np.argmax(x)
    assert composites.argmin(x) == np.argmin(x)
    np.testing.assert_equal(composites.sort(x), np.sort(x))


@settings(max_examples=200, deadline=None)
@given(x=st.floats(-5.0, 5.0), steps=st.lists(st.floats(0.1, 2.0), min_size=2, max_size=6))
def test_interpolation_and_polynomials_are_numpys(x, steps):
    knots, values = np.cumsum(steps), np.sin(np.cumsum(steps))
    assert composites.interp(x, knots, values) == pytest.approx(np.interp(x, knots, values), abs=1e-12)
    assert composites.polyval(values, x) == pytest.approx(np.polyval(values, x), rel=1e-9, abs=1e-9)
    assert composites.trapezoid(values, knots) == pytest.approx(np.trapezoid(values, knots), abs=1e-12)
    np.testing.assert_allclose(composites.convolve(values, knots), np.convolve(values, knots), rtol=1e-12, atol=1e-12)


@settings(max_examples=300, deadline=None)
@given(x=st.floats(-700.0, 700.0), y=st.floats(-700.0, 700.0))
@example(x=0.0, y=0.0)
@example(x=1e-3, y=-2.0)
@example(x=-0.5, y=0.5)
def test_special_functions_are_scipys(x, y):
    def f(x, y):
        return (
            special.expit(x) + special.log_expit(y) + special.ndtr(x) + special.j0(y) + special.i0e(x) + special.i1e(y)
            + np.logaddexp(x, y) + np.logaddexp2(x, y) + special.log_ndtr(y)
        )  # fmt: skip

    if "special" not in CALLS:
        CALLS["special"] = value_and_grad(f, (0, 1), mode="compile")
        CALLS["special"](1.0, 2.0)
    value, slopes = CALLS["special"](x, y)
    expected, theirs = value_and_grad(f, (0, 1), mode="trace")(x, y)
    assert value == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert slopes == pytest.approx(theirs, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("x", [-3.7, -0.5, 1e-3, 0.3, 1.0, 5.5, 40.0, 1e5])
def test_trigamma_is_scipys(x):
    slope = value_and_grad(lambda x: special.psi(x), mode="compile")(x)[1]
    assert slope == pytest.approx(float(special.polygamma(1, x)), rel=1e-13)


def test_trigamma_far_below_zero_and_at_poles_is_the_tapes():
    call = value_and_grad(lambda x: special.psi(x) * 1.0, mode="compile")
    call(1.0)
    for x in (-1e7 - 0.5, math.nan):
        assert traps(call, (x,))
    assert native_of(call) is not None


# -- masks and places -----------------------------------------------------------------------------------------------------------


def test_mask_with_a_name():
    def f(x, m):
        mask = x > 0.5
        rows = m[mask]
        m[~mask] = 2.0
        y = np.where(mask, x, 0.0)
        y[mask] = y[mask] * x[mask]
        return np.sum(rows**2) + np.sum(m * 3.0) + np.sum(y) + np.sum(mask) * x[0]

    agree(f, np.array([0.7, 0.2, 0.9]), M.copy(), differences=True)


def test_mask_of_two_dimensions():
    agree(lambda m, m2: np.sum(m[(m > 0.0) & (m2 < 0.5)] * 2.0) + np.sum(m2[np.nonzero(m)]), M, M2, differences=True)


def test_mask_in_a_loop():
    def f(x, n):
        total = 0.0
        for k in range(n):
            inside = x > 0.1 * k
            total += np.sum(x[inside]) * np.mean(np.where(inside, x, 1.0))
        return total

    agree(f, np.array([0.15, 0.25, 0.33]), 4, argnums=(0,), differences=True)


def test_pairs_of_a_triangle_as_indices():
    def f(x, n):
        return np.sum(np.outer(x, x * x)[np.triu_indices(n)]) + np.sum(np.outer(x, x)[np.tril_indices(n, -1)] ** 2)

    agree(f, V, 4, argnums=(0,), differences=True)


def test_list_as_an_index():
    agree(lambda m: np.sum(m[[0, 2]] ** 2) + m[[0, 1], [1, 2]][0] + np.sum(m[:, [1, 1]]), M, differences=True)


def test_check_that_raises_before_an_array_is_returned():
    def checked(x):
        if len(x) > 5:
            raise ValueError("too long")
        if x[0] < 0.0:
            raise ValueError("negative")
        return x * 2.0

    def f(x):
        return np.sum(checked(x) ** 2)

    agree(f, V, differences=True)
    assert agree(f, -V, native=False, warm=[(V,)]) is ValueError
    assert agree(f, np.ones(6), native=False, warm=[(V,)]) is ValueError


# -- what is no finite number, in a later call --------------------------------------------------------------------------------


def test_sign_of_nan_is_nan_and_of_zero_has_none():
    def f(a, b):
        return np.sum(np.sign(a) * b)

    for one in (math.nan, -0.0, math.inf, -math.inf):
        agree(f, np.array([one, 2.0]), W[:2], native=None, warm=[(V[:2], W[:2])])
    assert math.copysign(1.0, value_and_grad(lambda a: np.sign(a) + 0.0 * a, mode="compile")(-0.0)[0]) == 1.0


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("one", [math.inf, -math.inf, math.nan])
def test_interpolation_between_infinite_values_is_numpys_or_refused(place, one):
    knots, values = np.array([-1.0, 0.0, 1.0]), np.array([2.0, 3.0, 5.0])

    def f(x, values):
        return np.interp(x, knots, values)

    spoilt = values.copy()
    spoilt[place] = one
    compiled, taped = value_and_grad(f, mode="compile"), value_and_grad(f, mode="trace")
    compiled(0.3, values)
    with np.errstate(invalid="ignore"):
        for x in (-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5):
            expected, given = np.interp(x, knots, spoilt), []
            for run in (compiled, taped):
                try:
                    given.append(run(x, spoilt)[0])
                except DifferentiationError:
                    assert abs(x) <= 1.0
                    continue
                np.testing.assert_array_equal(given[-1], expected)
            touched = knots[max(place - 1, 0)] <= x <= knots[min(place + 1, 2)]
            assert len(given) == 2 or touched


def test_an_average_of_weights_that_sum_to_zero_is_refused():
    def f(a, w):
        return np.average(a, axis=0, weights=w)[0]

    a, good, bad = np.ones((2, 2)), np.ones((2, 2)), np.array([[1.0, 1.0], [1.0, -1.0]])
    agree(f, a, bad, native=False, warm=[(a, good)])
    with pytest.raises(ZeroDivisionError):
        value_and_grad(f, mode="trace")(a, bad)
