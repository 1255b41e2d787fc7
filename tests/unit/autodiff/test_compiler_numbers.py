"""Compiled = CPython: integers, division, powers, the edges of float64.

Every program is compared in plain CPython, on the tape and compiled (`agreement.agree`).
"""

import functools
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from custodiet.autodiff import value_and_grad
from custodiet.errors import DifferentiationError
from tests.unit.autodiff.agreement import agree, native_of, outcome, same_float
from tests.unit.autodiff.language_programs import scaled_by_int

# -- integers ------------------------------------------------------------------------------------------------------------


def grow(x, n, factor):
    k = 1
    for _ in range(n):
        k = k * factor
    return x * (k % 1000)


def test_integer_overflow_is_python_arithmetic():
    agree(grow, 2.0, 10, 7, argnums=(0,))
    agree(grow, 2.0, 40, 7, argnums=(0,), native=False)


def test_integer_argument_of_more_than_64_bits():
    agree(lambda x, n: x * (n % 7), 2.0, 2**70, argnums=(0,), native=False)
    agree(lambda x, n: x * (n % 7), 2.0, 2**62, argnums=(0,))
    agree(lambda x, n: x * (n % 7), 2.0, 2**70, argnums=(0,), native=False, warm=[(2.0, 5)] * 3)


def test_int_that_no_float_holds_is_rounded_as_in_cpython():
    agree(scaled_by_int, 3.0, 2**53, argnums=(0,))
    agree(scaled_by_int, 3.0, 2**53 + 1, argnums=(0,), native=False)


def test_int_constant_that_no_float_holds_is_compared_exactly():
    def f(x):
        return x * (2.0 if x < 9007199254740993 else 3.0)

    agree(f, 9007199254740992.0, native=None)
    agree(f, 9007199254740994.0, native=None)


def int_division(x, a, b):
    return x * (a // b) + x * x * (a % b)


@pytest.mark.parametrize(
    ("a", "b"), [(7, 3), (-7, 3), (7, -3), (-7, -3), (6, 3), (-6, 3), (0, -5), (2**62, -1), (-(2**63) + 1, 2)]
)
def test_integer_floor_division_and_remainder_of_all_signs(a, b):
    agree(int_division, 1.5, a, b, argnums=(0,), native=None if abs(a) > 2**53 else True)


def test_integer_division_by_zero():
    assert agree(int_division, 1.5, 7, 0, argnums=(0,), native=False, warm=[(1.5, 7, 2)]) is ZeroDivisionError


def test_smallest_int_divided_by_minus_one():
    agree(int_division, 1.5, -(2**63), -1, argnums=(0,), native=False)


def test_smallest_int_negated_and_its_absolute_value():
    agree(lambda x, n: x * ((-n) % 5) + abs(n) % 3, 1.5, -(2**63), argnums=(0,), native=False)


def int_power(x, n):
    return x * n**3 - x**n


def test_int_to_a_constant_power_and_float_to_an_int_power():
    agree(int_power, 1.3, 4, argnums=(0,), differences=True)
    agree(int_power, -1.3, -3, argnums=(0,), differences=True)
    agree(int_power, 1.3, 10**8, argnums=(0,), native=False)


def test_int_to_the_power_of_an_int():
    agree(lambda x, a, b: x * a**b, 1.3, 3, 4, argnums=(0,), native=None)
    agree(lambda x, a, b: x * a**b, 1.3, 3, -2, argnums=(0,), native=None)


def test_bools_count_as_ints():
    def f(x, n):
        odd = n % 2 == 1
        return x * (odd + 1) + x * (x > 1.0) + (-odd) * x

    agree(f, 1.3, 3, argnums=(0,), differences=True)
    agree(f, 0.3, 4, argnums=(0,), differences=True)


def test_int_turns_into_a_float_in_a_loop():
    def f(x, n):
        total = 0
        for i in range(n):
            total = total + i * x
        return total * 1.0 + x

    agree(f, 1.3, 5, argnums=(0,), differences=True)
    agree(f, 1.3, 0, argnums=(0,))


def test_int_on_one_path_and_float_on_the_other():
    def f(x, n):
        k = 1 if n > 2 else x
        for _ in range(n):
            k = k * 3
        return x * k / 7

    agree(f, 1.3, 2, argnums=(0,), differences=True)
    agree(f, 1.3, 10, argnums=(0,), differences=True)


def test_true_division_of_ints():
    agree(lambda x, a, b: x * (a / b), 1.3, 7, 3, argnums=(0,))
    kind = agree(lambda x, a, b: x * (a / b), 1.3, 7, 0, argnums=(0,), native=False, warm=[(1.3, 7, 1)])
    assert kind is ZeroDivisionError


# -- floats --------------------------------------------------------------------------------------------------------------


def float_mod(x, y):
    return x % y


def float_floordiv(x, y):
    return x // y * 1.0


FLOATS = st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([0.1, 1.0, -1.0, 3.0, -0.0, 0.3, 1e-300])


@functools.cache
def compiled(f, num):
    call = value_and_grad(f, tuple(range(num)), mode="compile")
    call(*[1.5, 0.7][:num])
    return call


@pytest.mark.parametrize("f", [float_mod, float_floordiv])
@settings(max_examples=150, deadline=None)
@given(x=FLOATS, y=FLOATS)
@example(x=-1.0, y=math.inf)
@example(x=1.0, y=0.1)
@example(x=-0.0, y=3.0)
@example(x=5e-324, y=-3.0)
@example(x=-1e-20, y=1.0)
@example(x=1.0, y=0.0)
def test_float_remainder_and_floor_division_of_all_signs(f, x, y):
    expected, _ = outcome(f, (x, y))
    got, _ = outcome(lambda *args: native_of(compiled(f, 2))(args)[0], (x, y))
    if expected[0] == "raised":
        assert "Trapped" in repr(got)
        assert outcome(compiled(f, 2), (x, y))[0] == expected
    elif got[0] == "raised":  # its slope is infinite, or NaN
        assert "Trapped" in repr(got) and not math.isfinite(x // y)
        assert same_float(outcome(compiled(f, 2), (x, y))[0][1][0], expected[1])
    else:
        assert got[0] == "value" and same_float(got[1], expected[1])


@pytest.mark.parametrize(("x", "y"), [(7.5, 2.0), (-7.5, 2.0), (7.5, -2.0), (-7.5, -2.0), (1.0, 0.1)])
def test_slope_of_the_float_remainder(x, y):
    slope_x, slope_y = agree(float_mod, x, y)
    assert (slope_x, slope_y) == (1.0, -(x // y))


@pytest.mark.parametrize(
    ("x", "n"), [(2.5, 3), (-2.5, 3), (-2.5, 2), (-2.5, -3), (2.5, 0), (0.0, 2), (0.0, 0), (-2.0, 1)]
)
def test_float_to_an_int_power_of_all_signs(x, n):
    agree(lambda x, n: x**n + x * 3.0, x, n, argnums=(0,))


@pytest.mark.parametrize("n", range(-3, 10))
def test_float_to_a_constant_power(n):
    namespace = {}
    exec(f"f = lambda x: x**{n}", namespace)
    powers = {k: v for k, v in globals().items() if k.startswith("power_")}
    f = powers[f"power_{'minus_' if n < 0 else ''}{abs(n)}"]
    assert f(1.7) == namespace["f"](1.7)
    agree(f, 1.7, differences=True)
    agree(f, -1.7, differences=True)


def power_minus_3(x):
    return x**-3


def power_minus_2(x):
    return x**-2


def power_minus_1(x):
    return x**-1


def power_0(x):
    return x**0 * 1.0


def power_1(x):
    return x**1


def power_2(x):
    return x**2


def power_3(x):
    return x**3


def power_4(x):
    return x**4


def power_5(x):
    return x**5


def power_6(x):
    return x**6


def power_7(x):
    return x**7


def power_8(x):
    return x**8


def power_9(x):
    return x**9


def test_square_that_overflows():
    def f(x):
        return 1.0 / (x**2 + 1.0)

    assert agree(f, 1e200, native=False, warm=[(2.0,)]) is OverflowError


def test_zero_to_a_negative_power():
    assert agree(power_minus_1, 0.0, native=False, warm=[(2.0,)]) is ZeroDivisionError


def test_negative_base_with_a_fractional_exponent():
    def f(x, y):
        return abs(x**y) * 1.0

    agree(f, 2.5, 0.5)
    call = value_and_grad(f, (0, 1), mode="compile")
    call(2.5, 0.5)
    with pytest.raises(DifferentiationError, match="complex"):
        call(-2.5, 0.5)


def test_float_to_a_float_power_with_active_exponent():
    agree(lambda x, y: x**y, 1.7, 2.3, differences=True)
    agree(lambda x, y: x**y, 0.0, 2.3)


def logarithm(x):
    return math.log(x)


def square_root(x):
    return math.sqrt(x)


def floored(x):
    return x * math.floor(x)


def whole(x):
    return x * int(x)


@pytest.mark.parametrize(
    ("f", "x", "kind"),
    [
        (lambda x: 1.0 / x, 0.0, ZeroDivisionError),
        (lambda x: x % 0.0, 1.0, ZeroDivisionError),
        (lambda x: x // (x - x), 1.0, ZeroDivisionError),
        (logarithm, 0.0, ValueError),
        (logarithm, -1.0, ValueError),
        (square_root, -1.0, ValueError),
        (lambda x: math.exp(x), 1000.0, OverflowError),
        (lambda x: math.asin(x), 2.0, ValueError),
        (lambda x: math.acosh(x), 0.5, ValueError),
        (lambda x: math.sin(x), math.inf, ValueError),
        (lambda x: math.log1p(x), -1.0, ValueError),
        (lambda x: math.atanh(x), 1.0, ValueError),
        (lambda x: math.sinh(x), 1000.0, OverflowError),
        (lambda x: math.pow(x, 0.5), -2.0, ValueError),
        (floored, math.inf, OverflowError),
        (floored, math.nan, ValueError),
        (whole, math.inf, OverflowError),
        (whole, math.nan, ValueError),
    ],
)
def test_exceptions_of_float_functions(f, x, kind):
    assert agree(f, x, native=False) is kind


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x / 2.0 + x * x - abs(x),
        lambda x: max(x, 1.0) * min(x, 2.0),
        lambda x: x if x > 0.0 else -x,
        lambda x: math.exp(-abs(x)),
        lambda x: math.atan(x) + math.tanh(x),
        lambda x: math.log(x) if x > 1.0 else x,
        lambda x: x * (x == x) + x * (x != x),
    ],
)
@pytest.mark.parametrize("x", [math.nan, math.inf, -math.inf, 0.0, -0.0, 1e308, 5e-324])
def test_nan_infinite_and_extreme_arguments(f, x):
    agree(f, x, native=None)


def test_min_max_and_abs_at_ties():
    def f(x, y):
        return 2.0 * max(x, y) + 3.0 * min(x, y, 5.0) + abs(x - y)

    first, second = agree(f, 2.0, 2.0)
    assert (first, second) == (5.0, 0.0)  # the first of equals, and sign(0) = 0
    agree(f, 2.0, 1.0, differences=True)
    agree(lambda x: max(x, math.nan) + min(math.nan, x), 1.0)
    agree(lambda x: max(math.nan, x) * 1.0, 1.0)


def test_numpy_maximum_at_ties_and_nan():
    def f(x, y):
        return np.maximum(x, y) * 2.0 - np.minimum(y, x)

    assert agree(f, 2.0, 2.0) == (0.5, 0.5)
    agree(f, 1.0, math.nan)
    agree(f, math.nan, 1.0)
    agree(f, 1.0, 3.0, differences=True)


def test_negative_zero_is_kept_where_paths_meet():
    def f(x, c):
        z = 0.0 if c else -0.0
        return math.copysign(x, z)

    assert agree(f, 1.5, True, argnums=(0,)) == (1.0,)
    assert agree(f, 1.5, False, argnums=(0,)) == (-1.0,)


def test_logarithm_with_a_base():
    agree(lambda x: math.log(x, 2.0), 3.0, native=None, differences=True)
    agree(lambda x: math.hypot(x, 2.0, 3.0), 3.0, native=None, differences=True)


def test_numpy_functions_of_ints_stay_ints():
    agree(lambda x, k: x * np.square(k), 1.5, 3, argnums=(0,), native=None)
    agree(lambda x, k: x * np.reciprocal(k), 1.5, 2, argnums=(0,), native=None)
