"""Compiled = CPython: integers, division, indices, exceptions, control flow, scopes, memory, arguments, the cache, threads.

Every program is compared in plain CPython, on the tape and compiled (`agreement.agree`).
"""
# past 600 lines: one small program per rule of the language, each beside its test

import collections
import dataclasses
import functools
import importlib
import math
import sys
import threading
import types
import typing

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from custodiet.autodiff import explain, grad, value_and_grad
from custodiet.autodiff.compiler import native as native_module
from custodiet.errors import DifferentiationError
from tests.unit.autodiff.agreement import agree, native_of, outcome, same_float

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


def scaled_by_int(x, n):
    return x * n


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


# -- indices -------------------------------------------------------------------------------------------------------------


def element(a, i):
    return a[i] * a[i] + a[0]


@pytest.mark.parametrize("i", [0, 2, -1, -3])
def test_indices_count_from_both_ends(i):
    agree(element, np.array([1.5, 2.5, 3.5]), i, argnums=(0,), differences=True)
    agree(element, [1.5, 2.5, 3.5], i, argnums=(0,))


@pytest.mark.parametrize("i", [3, -4, 2**40, -(2**63)])
def test_index_out_of_range(i):
    good = (np.array([1.5, 2.5, 3.5]), 0)
    assert agree(element, np.array([1.5, 2.5, 3.5]), i, argnums=(0,), native=False, warm=[good]) is IndexError
    assert agree(element, [1.5, 2.5, 3.5], i, argnums=(0,), native=False) is IndexError


def write_element(a, i, v):
    a[i] = v
    return a[0] * v


def test_store_out_of_range_leaves_the_arguments_alone():
    assert agree(write_element, np.zeros(3), 3, 2.0, argnums=(0, 2), native=False) is IndexError
    a = np.zeros(3)
    with pytest.raises(IndexError):
        grad(write_element, 2, mode="compile")(a, 5, 2.0)
    assert not a.any()


def test_matrix_indices():
    def f(m, i, j):
        return m[i, j] * m[i][j] + m[-1, 0]

    m = np.arange(6.0).reshape(2, 3) + 1.0
    agree(f, m, 1, -2, argnums=(0,), differences=True)
    assert agree(f, m, 0, 3, argnums=(0,), native=False, warm=[(m, 0, 0)]) is IndexError
    assert agree(f, m, -3, 0, argnums=(0,), native=False, warm=[(m, 0, 0)]) is IndexError


def test_constant_index_beyond_an_empty_array():
    assert agree(lambda a: a[-1] * 2.0, np.zeros(0), native=False) is IndexError
    assert agree(lambda a: a[-1] * 2.0, np.array([3.0])) == (np.array([2.0]),)


# -- control flow --------------------------------------------------------------------------------------------------------


def test_short_circuit_evaluation_keeps_errors_away():
    def f(x, a, i):
        if i < len(a) and a[i] > x:
            return x * a[i]
        if x == 0.0 or 1.0 / x > 0.5:
            return x + 1.0
        return x * 3.0

    a = np.array([1.0, 2.0])
    for x, i in [(1.5, 1), (1.5, 7), (0.0, 7), (9.0, 0)]:
        agree(f, x, a, i, argnums=(0,))


def test_short_circuit_chains_of_three():
    def f(x, y, z):
        out = 0.0
        if x > 0.0 and y > 0.0 and 1.0 / y < 10.0:
            out += x * y
        if x > 0.0 and (y > 0.0 or z > 1.0) or not (z > 0.0 and x > 1.0):
            out += y * z
        return out + x

    for x in (0.5, -0.5, 1.5):
        for y in (0.0, 0.5):
            for z in (0.5, 1.5):
                agree(f, x, y, z)


def test_chained_comparisons():
    def f(x, lo, hi):
        if lo < x <= hi:
            return x * x
        if lo == x != hi:
            return x * 2.0
        return -x

    for x in (1.5, 1.0, 2.0, 3.0):
        agree(f, x, 1.0, 2.0, argnums=(0,))


def test_or_and_and_of_numbers_have_their_values():
    def f(x, k):
        n = k or 3
        return x * n

    agree(f, 2.0, 2, argnums=(0,), native=None)
    agree(f, 2.0, 0, argnums=(0,), native=None)
    call = grad(f, mode="auto")
    assert [call(2.0, k) for k in (1, 1, 2, 0)] == [1.0, 1.0, 2.0, 3.0]
    agree(lambda x, y: (x and y) * 2.0, 2.0, 3.0, native=None)


def test_bools_are_kept_in_names():
    def f(x, y):
        both = x > 0.0 and y > 0.0
        either = x > 1.0 or both
        return x * y if either else x - y

    for x, y in [(0.5, 0.5), (2.0, -1.0), (-1.0, 1.0)]:
        agree(f, x, y)


def test_while_whose_condition_raises():
    def f(x, a):
        i = 0
        total = 0.0
        while 1.0 / a[i] > 0.1:
            total += x * a[i]
            i += 1
        return total

    agree(f, 1.5, np.array([1.0, 2.0, 20.0]), argnums=(0,))
    assert agree(f, 1.5, np.array([1.0, 2.0]), argnums=(0,), native=False) is IndexError
    good = (1.5, [1.0, 20.0])
    assert agree(f, 1.5, [1.0, 0.0], argnums=(0,), native=False, warm=[good]) is ZeroDivisionError


def step_down(a):
    a[0] = a[0] * 0.5
    return a[0]


def test_while_whose_condition_writes():
    def f(a):
        total = 0.0
        while step_down(a) > 0.1:
            total += a[0] * a[0]
        return total

    agree(f, np.array([1.0]), native=None, differences=True)


def test_while_with_a_call_and_a_conjunction_in_its_condition():
    def far(t):
        return t * t > 0.01

    def f(x, n):
        i = 0
        y = x
        while i < n and far(y):
            y = y * 0.5 + 0.01 * x
            i = i + 1
        return y * i

    agree(f, 1.5, 30, argnums=(0,), differences=True)
    agree(f, 1.5, 2, argnums=(0,), differences=True)


def search(a, x):
    for i in range(len(a)):
        if a[i] > x:
            found = a[i] * x
            break
    else:
        found = -x * x
    k = 0
    while k < 3:
        if a[k] < x:
            break
        k += 1
    else:
        found = found * 2.0
    return found + x


def test_else_of_for_and_while():
    a = np.array([1.0, 2.0, 3.0])
    for x in (0.5, 1.5, 2.5, 3.5):
        agree(search, a, x, native=None, differences=True)


def test_else_of_an_unrolled_loop():
    def f(x, c):
        for k in (1.0, 2.0, 3.0):
            if x * k > c:
                y = x * k * k
                break
        else:
            y = x
        return y * x

    for c in (0.5, 1.5, 2.5, 10.0):
        agree(f, 1.2, c, argnums=(0,), native=None, differences=True)


def nested_exits(a, x, lo, hi):
    total = 0.0
    for i in range(len(a)):
        if a[i] < lo:
            continue
        for j in range(i, len(a)):
            if a[j] > hi:
                break
            if a[j] * x > 6.0:
                return total * 2.0 + a[j] * x
            k = 0
            while True:
                k += 1
                if k == 2:
                    continue
                total += a[i] * a[j] * x / k
                if k > j:
                    break
        total = total * 1.1
    return total + x


def test_break_continue_and_return_deep_in_nested_loops():
    a = np.array([1.0, 2.0, 0.5, 3.0])
    for lo, hi, x in [(0.0, 9.0, 1.0), (0.7, 2.5, 1.0), (0.7, 9.0, 2.5), (9.0, 9.0, 1.0), (0.0, 0.0, 1.0)]:
        agree(nested_exits, a, x, lo, hi, argnums=(0, 1), differences=True)


def test_statements_after_an_inner_early_exit():
    def f(x, n):
        y = x
        for i in range(n):
            if i == 2:
                if y > 3.0:
                    break
                y = y + 1.0
                if y > 2.5:
                    continue
                y = y * 1.5
            y = y * 1.3 + i
        y = y + x
        return y

    for x in (0.3, 1.2, 2.5):
        agree(f, x, 5, argnums=(0,), differences=True)


def test_loop_variables_after_the_loop():
    def f(x, n):
        i = 7
        for i in range(n):
            y = x * i
        for j in range(n):  # noqa: B007
            pass
        return y * i + j * x

    agree(f, 1.5, 4, argnums=(0,), differences=True)
    assert agree(f, 1.5, 0, argnums=(0,), native=False, warm=[(1.5, 1)]) is UnboundLocalError


def test_loop_variable_is_assigned_in_the_body():
    def f(x, n):
        total = 0.0
        for i in range(n):
            total += x * i
            i = i * 10
            total += i
        return total + i

    agree(f, 1.5, 3, argnums=(0,))


def test_zero_trip_loops():
    def f(x, a, n):
        y = x
        for v in a:
            y = y * v
        for i in range(n, n):
            y = y + i
        for i in range(3, 0):  # noqa: B007
            y = y * 0.0
        while y > 1e9:
            y = y * 0.5
        return y

    agree(f, 1.5, np.zeros(0), 3, argnums=(0,), differences=True)
    agree(f, 1.5, np.array([2.0]), -3, argnums=(0,), differences=True)


@pytest.mark.parametrize(("start", "stop"), [(0, 7), (7, 0), (-3, 5), (5, -3), (2, 2)])
def test_ranges_with_steps(start, stop):
    def f(x, start, stop):
        total = x
        for i in range(start, stop, 3):
            total = total * 1.1 + i
        for i in range(start, stop, -2):
            total = total * x + i
        for i in reversed(range(start, stop)):
            total += i * x
        return total

    agree(f, 1.2, start, stop, argnums=(0,), differences=True)


def test_range_with_a_computed_step():
    def f(x, step):
        total = x
        for i in range(0, 10, step):
            total += x * i
        return total

    agree(f, 1.2, 3, argnums=(0,), native=None)
    agree(f, 1.2, -3, argnums=(0,), native=None)


def test_name_defined_on_one_path_only():
    def f(x, n):
        if n > 0:
            y = x * 2.0
        else:
            z = x * 3.0
        if n > 0:
            return y * x
        return z

    for n in (1, 0):
        agree(f, 1.5, n, argnums=(0,), native=None)

    def g(x, n):
        if n > 0:
            y = x * 2.0
        return y * x

    for mode in ("auto", "trace"):
        with pytest.raises(UnboundLocalError):
            grad(g, mode=mode)(1.5, 0)


def test_none_that_becomes_a_number_in_a_loop():
    def f(x, a):
        before = None
        total = x
        for v in a:
            if before is not None:
                total += x * before * v
            before = v
        return total

    short, long = np.array([1.0]), np.array([1.0, 2.0, 3.0])
    agree(f, 2.0, long, argnums=(0,), native=None)
    call = grad(f, mode="auto")
    assert [call(2.0, a) for a in (short, short, long, long)] == [1.0, 1.0, 9.0, 9.0]


def test_function_that_changes_in_a_loop():
    def f(x, n):
        g = math.sin
        y = x
        for _ in range(n):
            y = g(y)
            g = math.cos
        return y

    call = grad(f, mode="auto")
    slopes = [call(2.0, n) for n in (1, 1, 3, 3)]
    assert slopes == [grad(f, mode="trace")(2.0, n) for n in (1, 1, 3, 3)]


def test_tuples_swapped_in_loops():
    def f(x, y, n):
        a, b = x, y
        pair = (x, 1.0)
        for _ in range(n):
            a, b = b, a + 0.5 * b
            pair = (pair[1] * x, pair[0] + y)
        return a * b + pair[0] - pair[1]

    for n in (0, 1, 2, 5):
        agree(f, 1.1, 0.7, n, argnums=(0, 1), differences=True)


def test_return_of_several_values_from_within_a_loop():
    def helper(x, n):
        for i in range(n):
            if x * i > 2.0:
                return x * i, i
        return x, -1

    def f(x, n):
        y, k = helper(x, n)
        return y * y + k * x

    agree(f, 1.5, 5, argnums=(0,), differences=True)
    agree(f, 1.5, 1, argnums=(0,), differences=True)


def test_function_returns_an_int_on_one_path_of_a_helper():
    def sign(t):
        if t > 0.0:
            return 1
        return -1

    def relu(t):
        if t < 0.0:
            return 0
        return t

    agree(lambda x: x * sign(x) + relu(x - 1.0) * 2.0, 2.0, differences=True)
    agree(lambda x: x * sign(x) + relu(x - 1.0) * 2.0, -2.0, differences=True)


def test_helper_with_a_bare_return():
    def bump(a, i):
        if a[i] < 0.0:
            return
        a[i] += 1.0

    def f(a):
        bump(a, 0)
        bump(a, 1)
        return a[0] * a[1]

    agree(f, np.array([1.5, -2.0]))


def test_raise():
    def f(x):
        if x > 10.0:
            raise ValueError("x is too large")
        return x * x

    agree(f, 2.0, differences=True)
    assert agree(f, 20.0, native=False, warm=[(2.0,)]) is ValueError


def test_lists_and_dicts_that_are_changed_hold_plain_numbers():
    def f(x, xs, table):
        xs[0] = x * x
        xs.append(x)
        table["k"] = xs[0] * 2.0
        return table["k"] * x

    for mode in ("trace", "auto"):
        for argnums in (0, (0, 1, 2)):
            call = value_and_grad(f, argnums, mode=mode)
            for _ in range(3):
                xs, table = [1.0, 2.0], {"k": 1.0}
                assert call(1.5, xs, table)[0] == pytest.approx(6.75)
                assert xs == [2.25, 2.0, 1.5] and table == {"k": 4.5}
                assert {type(one) for one in (*xs, *table.values())} == {float}


# -- scopes --------------------------------------------------------------------------------------------------------------


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


# -- memory --------------------------------------------------------------------------------------------------------------


def overwrite(a, x):
    for i in range(len(a)):
        a[i] = a[i] * a[i] + x
    return a[0] * a[-1]


def test_argument_mutation():
    agree(overwrite, np.array([1.0, 2.0, 3.0]), 0.5, differences=True)
    agree(overwrite, [1.0, 2.0, 3.0], 0.5)


def test_augmented_assignment_evaluates_its_place_first():
    def bump(a):
        a[0] = a[0] + 1.0
        return a[0]

    def f(a):
        a[0] += bump(a)
        a[1] *= a[0]
        return a[0] * a[1]

    agree(f, np.array([1.5, 2.0]), native=None, differences=True)


def test_arrays_ping_ponged_between_two_names():
    def f(u, v, n):
        for _ in range(n):
            for i in range(1, len(u) - 1):
                v[i] = u[i] + 0.1 * (u[i - 1] - 2.0 * u[i] + u[i + 1]) * u[i]
            u, v = v, u
        return u[1] * u[2] + v[1]

    for n in (0, 1, 2, 3):
        agree(f, np.array([1.0, 2.0, 3.0, 1.5]), np.zeros(4), n, argnums=(0, 1), differences=True)


def test_local_arrays_ping_ponged_between_two_names():
    def f(x, n):
        u, v = np.zeros(4), np.ones(4)
        u[1] = x
        for _ in range(n):
            for i in range(1, 3):
                v[i] = u[i] * u[i - 1] + x * u[i + 1] + 0.5
            u, v = v, u
        return u[1] * u[2] + v[1]

    for n in (0, 1, 2, 5):
        agree(f, 0.8, n, argnums=(0,), differences=True)


def test_array_chosen_by_a_branch():
    def f(a, b, x):
        c = a if x > 0.0 else b
        c[0] = c[0] * x
        return a[0] * b[0] + c[1]

    for x in (1.5, -1.5):
        agree(f, np.array([1.0, 2.0]), np.array([3.0, 4.0]), x, differences=True)


def views(m, x):
    row = m[1]
    row[0] = row[0] * x
    m[1, 1] = m[1, 1] + row[0]
    tail = row[1:]
    tail[0] = tail[0] * tail[0]
    m[1][2] += tail[0]
    return row[1] * m[1, 2] + m[0, 0] * m[1, 0]


def test_writes_through_views_and_bases():
    agree(views, np.arange(6.0).reshape(2, 3) + 1.0, 1.5, differences=True)


def test_rows_in_loops():
    def f(m):
        total = 0.0
        for row in m:
            for j in range(1, len(row)):
                row[j] = row[j] * row[j - 1]
            total += row[-1]
        for i in range(len(m)):
            mine = m[i]
            total += mine[0] * m[0][-1]
        return total

    agree(f, np.arange(6.0).reshape(3, 2) + 0.5, differences=True)


def test_slices_are_views_with_clamped_bounds():
    def f(a, i, j):
        part = a[i:j]
        for k in range(len(part)):
            part[k] = part[k] * 2.0
        return a[0] * a[1] + a[-1] * len(part)

    for i, j in [(0, 2), (1, -1), (-2, 99), (2, 1), (-99, 1), (5, 9)]:
        agree(f, np.array([1.0, 2.0, 3.0]), i, j, argnums=(0,), differences=True)


def test_slices_of_lists_are_copies():
    def f(xs):
        ys = xs[1:]
        ys[0] = 5.0
        return xs[1] * ys[1] + ys[0]

    agree(f, [1.0, 2.0, 3.0], native=None)

    def g(x, n):
        xs = [0.0] * n
        xs[1] = x
        ys = xs[:]
        ys[1] = 7.0
        return xs[1] * ys[1]

    agree(g, 1.5, 3, argnums=(0,), native=None)


def test_lists_joined_and_repeated():
    agree(lambda xs, ys: sum(xs + ys) * xs[0], [1.0, 2.0], [3.0], native=None)
    agree(lambda xs: sum(xs * 2) * xs[0], [1.0, 2.0], native=None)


def test_copies_are_no_views():
    def f(a):
        b = a.copy()
        b[0] = b[0] * 3.0
        a[1] = a[1] * b[0]
        return a[0] * a[1] + b[1]

    agree(f, np.array([1.5, 2.0]), differences=True)


def two_arrays(a, b, x):
    a[0] = a[0] * x
    b[1] = b[1] + a[0]
    return a[0] * b[0] + a[1] * b[1]


def test_same_array_passed_twice():
    a = np.array([1.5, 2.5])
    agree(lambda a, b: a[0] * b[0] + a[1], a, a, argnums=(0,))
    agree(two_arrays, [1.5, 2.5], [1.5, 2.5], 1.2)
    agree(two_arrays, a, a + 1.0, 1.2)


@pytest.mark.parametrize("mode", ["compile", "auto", "trace"])
@pytest.mark.parametrize("kind", ["same", "view", "overlap", "list"])
def test_memory_passed_twice_and_written_is_right_or_refused(mode, kind):
    def pair():
        base = np.array([1.5, 2.5, 3.5])
        xs = [1.5, 2.5]
        return {"same": (base, base), "view": (base, base[:]), "overlap": (base[:2], base[1:]), "list": (xs, xs)}[kind]

    call = value_and_grad(two_arrays, 2, mode=mode)
    call(np.array([1.5, 2.5]), np.array([1.5, 2.5]), 1.2)
    for _ in range(3):
        mine, theirs = pair(), pair()
        expected = two_arrays(*theirs, 1.2)
        try:
            value, slope = call(*mine, 1.2)
        except DifferentiationError:
            continue
        assert value == pytest.approx(expected, rel=1e-12)
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)
        high, low = (two_arrays(*pair(), 1.2 + step) for step in (1e-6, -1e-6))
        assert slope == pytest.approx((high - low) / 2e-6, rel=1e-6)


def test_argument_that_is_also_a_global(monkeypatch):
    shared = np.array([1.5, 2.5])

    def f(a, x):
        a[0] = x * x
        return shared[0] * x + shared[1]

    expected = grad(f, 1, mode="trace")(shared.copy(), 2.0)
    for mode in ("compile", "auto"):
        call = value_and_grad(f, 1, mode=mode)
        for _ in range(3):
            shared[:] = 1.5, 2.5
            value, _slope = call(shared, 2.0)
            assert value == 10.5
            assert shared.tolist() == [4.0, 2.5]
        shared[:] = 1.5, 2.5
        assert call(shared.copy(), 2.0)[1] == expected == 1.5


def weighted(a):
    total = 0.0
    for i in range(len(a)):
        total += a[i] * a[i] * (i + 1)
    return total


def test_layouts_of_arrays():
    base = np.arange(12.0).reshape(3, 4) + 1.0
    agree(weighted, base[:, 1])
    agree(weighted, base[1, ::-1])
    agree(weighted, np.zeros(0))

    def f(m):
        m_sum = 0.0
        for i in range(m.shape[0]):
            for j in range(m.shape[1]):
                m_sum += m[i, j] * m[i, j] * (i + 2 * j)
        return m_sum

    for m in (base, base.T, np.asfortranarray(base), base[::2, 1:3], base[:0], base[:, :0]):
        agree(f, m)


def test_written_arrays_of_every_layout():
    base = np.arange(12.0) + 1.0
    for make in (lambda b: b[::3], lambda b: b[::-1], lambda b: b.reshape(3, 4)[:, 1], lambda b: b[2:5]):
        for mode in ("compile", "auto"):
            call = value_and_grad(overwrite, mode=mode)
            for _ in range(3):
                mine, theirs = base.copy(), base.copy()
                expected = overwrite(make(theirs), 0.5)
                assert call(make(mine), 0.5)[0] == pytest.approx(expected)
                np.testing.assert_array_equal(mine, theirs)


def maybe_writes(a, w):
    if w > 0:
        a[0] = 2.0
    return a[0] * a[1]


def test_read_only_arrays():
    a = np.array([1.0, 3.0])
    a.setflags(write=False)
    agree(maybe_writes, a, 0, argnums=(0,), native=False)
    agree(weighted, a)


def test_store_into_a_read_only_array_is_an_error():
    a = np.array([1.0, 3.0])
    a.setflags(write=False)
    for mode in ("compile", "auto", "trace"):
        with pytest.raises(ValueError, match="read-only"):
            grad(maybe_writes, mode=mode)(a, 1)


def test_zero_dimensional_float32_and_int_arrays():
    agree(lambda a: a * a * 2.0, np.array(1.5), native=None)
    agree(weighted, np.array([1.0, 2.0], dtype=np.float32).astype(np.float32), native=None)
    for dtype in (np.int64, np.int32, np.uint8, np.bool_):
        table = np.array([1, 0, 1]).astype(dtype)
        agree(lambda x, t: x * x * t[0] + t[1] * x + x * t[-1], 1.5, table, argnums=(0,), native=None)


def test_int_arrays_as_indices_and_counters():
    def f(a, places, counts):
        total = 0.0
        for k in range(len(places)):
            i = places[k]
            total += a[i] * a[i]
            counts[i] += 1
        return total * counts[0] + counts[1] * a[0]

    a, places = np.array([1.0, 2.0, 3.0]), np.array([0, 2, 0, -1])
    agree(f, a, places, np.zeros(3, dtype=np.int64), argnums=(0,))
    agree(f, a.tolist(), places.tolist(), [0, 0, 0], argnums=(0,))


def test_byte_order_of_arrays():
    call = value_and_grad(weighted, mode="auto")
    for dtype in ("<f8", "<f8", ">f8", ">f8", "<f8"):
        value, gradient = call(np.array([1.0, 2.0], dtype=dtype))
        assert value == 9.0
        assert np.asarray(gradient).tolist() == [2.0, 8.0]


def test_subclasses_of_arrays_and_containers():
    class Strange(np.ndarray):
        def __getitem__(self, key):
            return 7.0

    strange = np.array([1.0, 2.0]).view(Strange)
    assert explain(lambda x, a: x * a[0], 1.0, strange).path == "trace"

    def f(d, x):
        return d["a"] * d["b"] ** 2 * x

    call = value_and_grad(f, 1, mode="auto")
    ordered = collections.OrderedDict
    for made in (ordered(a=2.0, b=3.0), ordered(b=2.0, a=3.0), {"a": 2.0, "b": 3.0}, {"b": 2.0, "a": 3.0}):
        for _ in range(2):
            assert call(made, 1.5)[0] == f(made, 1.5)


def test_array_too_large_for_64_bits():
    def f(x, n):
        a = np.zeros((n, n))
        a[5, 5] = x
        return a[5, 5] * x

    agree(f, 1.5, 6, argnums=(0,), differences=True)
    kind = agree(f, 1.5, 2**33, argnums=(0,), native=False, warm=[(1.5, 6)])
    assert issubclass(kind, (ValueError, MemoryError))


def test_negative_size():
    def f(x, n):
        a = np.zeros(n)
        return x * len(a)

    assert agree(f, 1.5, -1, argnums=(0,), native=False, warm=[(1.5, 2)]) is ValueError
    agree(lambda x, n: x * len([0.0] * n), 1.5, -1, argnums=(0,), native=None)


def test_allocation_in_a_loop_is_fresh_each_round():
    def f(x, n):
        total = 0.0
        for i in range(n):
            a = np.zeros(3)
            a[0] += x * i
            a[1] = a[0] * a[0] + a[2]
            total += a[1]
        return total

    agree(f, 1.5, 4, argnums=(0,), differences=True)


# -- arguments -----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Body:
    mass: float
    place: np.ndarray
    name: str = "body"
    steps: int = 2


class Point(typing.NamedTuple):
    x: float
    y: float


def energy(body, point, table):
    total = 0.0
    for i in range(body.steps):
        total += body.mass * body.place[i] * point.x
    return total * table["w"] + point.y * table["b"][1]


def test_dataclasses_named_tuples_and_dicts():
    place = np.array([1.0, 2.0])
    table = {"w": 1.5, "b": (2.0, 3.0)}
    point = Point(1.1, 1.2)
    gradient = agree(energy, Body(2.0, place), point, table, argnums=(1, 2))
    assert type(gradient[0]) is Point
    call = grad(energy, 2, mode="compile")
    for steps, mass in [(2, 2.0), (1, 2.0), (0, 3.0)]:
        body = Body(mass, place, steps=steps)
        assert call(body, point, table) == grad(energy, 2, mode="trace")(body, point, table)


def test_gradient_in_a_dataclass():
    @dataclasses.dataclass(frozen=True)
    class Line:
        slope: float
        offset: float

    def f(line, x):
        return line.slope * line.slope * x + line.offset

    gradient, slope = agree(f, Line(2.0, 3.0), 1.5)
    assert gradient == Line(6.0, 1.0)
    assert slope == 4.0


def test_gradient_in_a_dataclass_with_a_derived_field():
    @dataclasses.dataclass
    class Circle:
        radius: float
        area: float = dataclasses.field(init=False)

        def __post_init__(self):
            self.area = 3.0 * self.radius

    agree(lambda c, x: c.radius * c.radius * x + c.area, Circle(2.0), 1.5, native=None)


def test_lists_of_ints_and_mixed_lists():
    agree(lambda x, n: x * n[0] + x * x * n[1], 1.5, [1, 2], argnums=(0,))
    agree(lambda x, n: x * n[0] + x * x * n[1], 1.5, [1, 2.5], argnums=(0,))
    agree(lambda x, n: x * n[0][1] + x * x * n[1][0], 1.5, [[1.0, 2.0], [3.0]], argnums=(0,))
    agree(lambda x, n: x * len(n), 1.5, [], argnums=(0,))


def test_numpy_scalars():
    def f(x, n, b):
        return x * x * n + (x if b else 2.0 * x)

    agree(f, np.float64(1.5), np.int64(3), np.bool_(True), argnums=(0,))
    agree(f, np.float32(1.5), np.int32(3), np.bool_(False), argnums=(0,), native=None)
    gradient = grad(f, mode="compile")(np.float64(1.5), np.int64(3), True)
    assert isinstance(gradient, float)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_numpy_scalars_divide_by_zero_without_an_error():
    agree(lambda x, y: x / y, np.float64(1.5), np.float64(0.0), argnums=(0,), native=False)
    agree(lambda a: a[0] / a[1], np.array([1.5, 0.0]), native=False)


def test_argument_that_is_a_module_or_a_function():
    found = []
    for mode in ("trace", "auto", "compile"):
        call = value_and_grad(lambda x, m, g: m.sin(x) * g(x), mode=mode)
        found.append([call(1.5, math, math.cos) for _ in range(2)][-1])
    assert found[0] == pytest.approx(found[1])
    assert found[0] == pytest.approx(found[2])


def test_derivative_in_an_int_is_refused_alike():
    for mode in ("trace", "auto", "compile"):
        call = grad(scaled_by_int, 1, mode=mode)
        for _ in range(2):
            with pytest.raises(DifferentiationError, match="'n' has no derivative"):
                call(1.0, 3)


def test_derivative_in_a_list_of_ints_is_refused_alike():
    for mode in ("trace", "auto", "compile"):
        call = grad(lambda x, n: x * n[0], 1, mode=mode)
        for _ in range(2):
            with pytest.raises(DifferentiationError, match="has no derivative"):
                call(1.0, [3, 4])


def test_aux_is_handed_through():
    def f(x, n, a):
        return x * x, (x * 2.0, n, [x, 3.0], {"k": n}, None)

    expected = value_and_grad(f, has_aux=True, mode="trace")(1.5, 2, 1.0)
    for mode in ("compile", "auto"):
        call = value_and_grad(f, has_aux=True, mode=mode)
        for _ in range(3):
            assert call(1.5, 2, 1.0) == expected


def test_aux_of_every_kind():
    def f(x, p):
        return x * x, (p, lambda t: t, "text")

    point = Point(1.0, 2.0)
    call = value_and_grad(f, has_aux=True, mode="auto")
    for _ in range(3):
        (_value, aux), slope = call(1.5, point)
        assert slope == 3.0
        assert type(aux[0]) is Point and callable(aux[1]) and aux[2] == "text"


def test_wrong_return_type_is_a_clear_error():
    def nothing(x):
        x * 2.0

    def whole(x, n):
        return n

    def pair(x):
        return x, x

    def many(a):
        return a

    for f, args in [(nothing, (1.0,)), (whole, (1.0, 3)), (pair, (1.0,)), (many, (np.ones(2),))]:
        call = grad(f, mode="auto")
        for _ in range(3):
            with pytest.raises(DifferentiationError, match="did not return a number"):
                call(*args)
        with pytest.raises(
            DifferentiationError, match=f"{f.__name__}.*(not one float|an array|returned|return a number)"
        ):
            grad(f, mode="compile")(*args)


def test_int_on_one_path_of_the_function_itself_is_an_error_in_every_call():
    def f(x):
        if x < 0.0:
            return 0
        return x * x

    call = grad(f, mode="auto")
    for x in (1.5, 1.5, -1.5, -1.5, 1.5):
        if x > 0.0:
            assert call(x) == 3.0
        else:
            with pytest.raises(DifferentiationError, match="got int"):
                call(x)
    with pytest.raises(DifferentiationError, match="an int or a bool is returned"):
        grad(f, mode="compile")(1.5)


def test_shapes_and_types_that_change_between_calls():
    for mode in ("compile", "auto"):
        call = grad(weighted, mode=mode)
        for size in (3, 3, 5, 1, 0, 3):
            assert np.asarray(call(np.ones(size))).tolist() == [2.0 * (i + 1) for i in range(size)]
        assert call([1.0, 1.0]) == [2.0, 4.0]
        assert call([1.0, 1.0]) == [2.0, 4.0]
    call = grad(weighted, mode="auto")
    for _ in range(2):
        assert call(np.ones(2, dtype=np.float32)).dtype == np.float32
        assert call(np.ones(2)).dtype == np.float64
        assert call((1.0, 1.0)) == (2.0, 4.0)


def test_more_dimensions_than_before():
    def f(a):
        return a[0] * 2.0 if np.ndim(a) == 1 else a[0][1] * 3.0

    call = grad(f, mode="auto")
    for _ in range(3):
        assert call(np.ones(2)).tolist() == [2.0, 0.0]
        assert call(np.ones((1, 2))).tolist() == [[0.0, 3.0]]


# -- what is left to the tape ----------------------------------------------------------------------------------------------


def test_function_without_source_goes_to_the_tape_with_the_reason():
    namespace = {"math": math}
    exec("def f(x):\n    return math.sin(x) * x\n", namespace)
    told = explain(namespace["f"], 1.0)
    assert told.path == "trace" and "no source" in told.reason
    assert grad(namespace["f"])(1.5) == pytest.approx(math.cos(1.5) * 1.5 + math.sin(1.5))
    with pytest.raises(DifferentiationError, match=r"no source.*mode=\"auto\""):
        grad(namespace["f"], mode="compile")(1.5)


def test_generators_and_classes_go_to_the_tape():
    def parts(x, n):
        for i in range(n):
            yield x * i

    def f(x):
        return sum(parts(x, 4)) * x

    class Account:
        def __init__(self, balance):
            self.balance = balance

        def pay(self, rate):
            self.balance = self.balance * (1.0 + rate)

    def g(x):
        account = Account(x)
        account.pay(0.5)
        return account.balance * x

    for function, slope in [(f, 2.0 * 6.0 * 1.5), (g, 2.0 * 1.5 * 1.5)]:
        told = explain(function, 1.5)
        assert told.path == "trace" and ".py:" in told.reason
        call = grad(function)
        for _ in range(2):
            assert call(1.5) == pytest.approx(slope)


def test_unreachable_yield_still_makes_a_generator():
    def f(x):
        return x * 2.0
        yield

    assert explain(f, 1.0).path == "trace"
    with pytest.raises(DifferentiationError):
        grad(f)(1.0)


def test_bound_methods_and_partials():
    class Model:
        def __init__(self, w):
            self.w = w

        def loss(self, x):
            return x * x * self.w

    model = Model(2.0)
    call = grad(model.loss)
    assert [call(1.5) for _ in range(3)] == [6.0] * 3
    model.w = 3.0
    assert call(1.5) == 9.0
    assert [grad(functools.partial(scaled_by_int, n=4))(1.5) for _ in range(2)] == [4.0, 4.0]


def test_infinite_recursion_is_a_clear_error():
    def f(x):
        return f(x * 0.5) + 1.0

    for mode in ("auto", "trace"):
        with pytest.raises((DifferentiationError, RecursionError), match="calls itself too deeply|recursion"):
            grad(f, mode=mode)(1.5)
    with pytest.raises((DifferentiationError, RecursionError)):
        grad(f, mode="compile")(1.5)


def test_two_lambdas_on_one_line():
    f, g = (lambda x: x * 2.0), (lambda x: x * 3.0)
    for call in (grad(f), grad(g)):
        call(1.0)
    assert [grad(f)(1.0), grad(g)(1.0)] == [2.0, 3.0]
    one, two = grad(f), grad(g)
    assert [one(1.0), two(1.0), one(1.0), two(1.0)] == [2.0, 3.0, 2.0, 3.0]


def test_decorated_function():
    def doubled(f):
        @functools.wraps(f)
        def run(*args):
            return 2.0 * f(*args)

        return run

    @doubled
    def f(x):
        return x * x

    def g(x):
        return f(x) + x

    for function, slope in [(f, 6.0), (g, 7.0)]:
        call = grad(function)
        assert [call(1.5) for _ in range(3)] == [slope] * 3


# -- large loops, threads, the cache -----------------------------------------------------------------------------------------


def logistic(x, n):
    for _ in range(n):
        x = 0.5 * x * (1.0 - x) + 0.1
    return x


def test_huge_loop():
    value, slope = value_and_grad(logistic, mode="compile")(0.3, 200_000)
    assert value == pytest.approx(logistic(0.3, 200_000), rel=1e-12)
    assert slope == pytest.approx(0.0, abs=1e-12)


def test_loop_over_an_endless_range_that_ends_early():
    def f(x, n):
        for i in range(n):  # noqa: B007
            x = x * 0.5 + math.sin(x) * 0.1
            if x < 0.1:
                break
        return x * i

    for n in (10**9, 10**12, 2**62):
        agree(f, 3.0, n, argnums=(0,), differences=True)


def test_endless_range_that_raises_early():
    def f(x, n):
        for _ in range(n):
            x = math.sqrt(x - 1.0)
            if x < 0.0:
                raise ValueError("below")
        return x

    assert agree(f, 3.0, 2**61, argnums=(0,), native=False, warm=[(3.0, 1)]) is ValueError


def test_nested_loops_of_changing_lengths():
    def f(x, n):
        total = 0.0
        for i in range(n):
            y = x
            for j in range(i % 4):
                y = y * y + 0.1 * j
                k = 0
                while y > 0.5 and k < i:
                    y = y * 0.7
                    k += 1
            total += y * total * 0.1 + y
        return total

    for n in (0, 1, 2, 9):
        agree(f, 0.8, n, argnums=(0,), differences=True)


@pytest.mark.parametrize("mode", ["compile", "auto"])
def test_threads_compile_and_call_at_once(mode):
    call = value_and_grad(nested_exits, (0, 1), mode=mode)
    points = [(np.array([1.0, 2.0, 0.5, 3.0]) * (1.0 + 0.1 * k), 1.0, 0.1 * k, 9.0) for k in range(8)]
    expected = [value_and_grad(nested_exits, (0, 1), mode="trace")(*point) for point in points]
    found, errors = {}, []
    barrier = threading.Barrier(8)

    def work(k):
        try:
            barrier.wait()
            for _ in range(20):
                found[k] = call(*points[k])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not errors
    for k, (value, gradients) in enumerate(expected):
        assert found[k][0] == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(found[k][1][0], gradients[0], rtol=1e-9)
        assert found[k][1][1] == pytest.approx(gradients[1], rel=1e-9)


def damaged(kind, code):
    if kind == "empty":
        return b""
    if kind == "garbage":
        return b"\x7fELF" + bytes(range(256)) * 8
    if kind == "truncated":
        return code[: len(code) // 2]
    return code[:-40] + bytes(40)


@pytest.mark.parametrize("kind", ["empty", "garbage", "truncated", "zeroed end"])
def test_damaged_file_in_the_cache_is_compiled_again(tmp_path, monkeypatch, kind):
    monkeypatch.setenv("CUSTODIET_CACHE", str(tmp_path))
    assert grad(power_3, mode="compile")(2.0) == pytest.approx(12.0)
    (file,) = (tmp_path / "autodiff").glob("*.code")
    code = file.read_bytes()
    file.write_bytes(damaged(kind, code))
    assert grad(power_3, mode="compile")(2.0) == pytest.approx(12.0)
    assert file.read_bytes() == code


def test_cache_is_used(tmp_path, monkeypatch):
    monkeypatch.setenv("CUSTODIET_CACHE", str(tmp_path))
    assert grad(power_3, mode="compile")(2.0) == pytest.approx(12.0)

    def refuse(machine, text):
        raise AssertionError("compiled again")

    monkeypatch.setattr(native_module, "_compile", refuse)
    assert grad(power_3, mode="compile")(2.0) == pytest.approx(12.0)


def test_cache_folder_that_cannot_be_written(tmp_path, monkeypatch):
    place = tmp_path / "file"
    place.write_text("no folder")
    monkeypatch.setenv("CUSTODIET_CACHE", str(place))
    assert grad(power_3, mode="compile")(2.0) == pytest.approx(12.0)
    assert place.read_text() == "no folder"


def test_cache_that_is_switched_off(tmp_path, monkeypatch):
    monkeypatch.setenv("CUSTODIET_CACHE", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert native_module.cache_folder() is None
    assert grad(power_3, mode="compile")(2.0) == pytest.approx(12.0)
    assert not list(tmp_path.iterdir())


# -- dicts ---------------------------------------------------------------------------------------------------------------


def test_dicts_that_are_changed():
    def put(d, x):
        d["k"] = x * 2.0

    def in_a_helper(x):
        d = {"k": x}
        put(d, x)
        return d["k"] * x

    def under_two_names(x):
        d = {"a": x}
        e = d
        e["a"] = 3.0
        return d["a"] * x

    def local(x, c):
        d = {"a": x}
        if c > 0:
            d["a"] = x * 3.0
        return d["a"] * x

    def given(x, d):
        d["k"] = x * d["k"]
        return d["k"] * x

    agree(in_a_helper, 1.5, native=None, differences=True)
    agree(under_two_names, 1.5, native=None, differences=True)
    for c in (0, 1):
        agree(local, 1.5, c, argnums=(0,), native=None, differences=True)
    agree(given, 1.5, {"k": 2.0}, argnums=(0,), native=None)
