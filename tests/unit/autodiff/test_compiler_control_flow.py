"""Compiled = CPython: indices, loops, branches, early ends, exceptions.

Every program is compared in plain CPython, on the tape and compiled (`agreement.agree`).
"""

import math

import numpy as np
import pytest

from custodiet.autodiff import grad, value_and_grad
from tests.unit.autodiff.agreement import agree
from tests.unit.autodiff.language_programs import nested_exits

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


def test_a_bool_as_an_index():
    """To NumPy it is a mask, which adds an axis; to a list it is 0 or 1. It was an int to the compiler."""

    def of_an_array(x, n):
        a = np.array([x, x * x, 3.0])
        return a[n > 1].sum() * a[0]

    def of_a_list(x, n):
        return [x, x * x][n > 1] * x

    for n in (0, 2):
        agree(of_an_array, 0.7, n, argnums=(0,), native=None, differences=True, warm=[(0.7, 2)])
        agree(of_a_list, 0.7, n, argnums=(0,), native=None, differences=True)


def finally_after_return(a):
    try:
        return a[0] * a[1]
    finally:
        a[0] = 5.0


def finally_that_returns(a):
    try:
        return a[0] * a[0]
    finally:
        return a[0] * 3.0  # noqa: B012, SIM107


def finally_after_break(a, n=2):
    total = a[0]
    for i in range(4):
        try:
            if i == n:
                break
            total = total * a[1]
        finally:
            total = total + a[0]
            a[0] = a[0] * 1.2
    return total * a[0]


def finally_after_continue(a, n=2):
    total = a[0]
    for i in range(4):
        try:
            if i == n:
                continue
            total = total * a[1]
        finally:
            total = total + a[0]
            a[0] = a[0] * 1.2
        total = total * 0.9
    return total * a[0]


def finally_after_a_return_on_one_path(a):
    try:
        if a[2] > 0.0:
            return a[0] * a[1]
        a[1] = a[0] * 2.0
    finally:
        a[0] = 5.0 * a[1]
        a[2] = a[0] + 1.0
    return a[0] * a[1]


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@pytest.mark.parametrize(
    "f",
    [
        finally_after_return,
        finally_that_returns,
        finally_after_break,
        finally_after_continue,
        finally_after_a_return_on_one_path,
    ],
    ids=lambda f: f.__name__,
)
def test_finally_runs_however_control_leaves(f):
    for last in (0.3, -0.3):
        agree(f, np.array([0.7, 1.3, last]), native=None, differences=True)
