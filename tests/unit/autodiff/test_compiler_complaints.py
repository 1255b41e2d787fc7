"""What users of other systems complain about in their trackers, each as a program that works here."""

import math

import numpy as np
import pytest

from custodiet.autodiff import explain, grad, jvp, value_and_grad
from tests.unit.autodiff.agreement import agree, copied, native_of


def filled(x, n):
    out = np.zeros(n)
    for i in range(n):
        out[i] = x * i
        out[i] = out[i] * out[i]
    return out[n - 1] + out[1]


def test_array_assignment_is_refused():
    """HIPS autograd #58 (2015), still an ArrayBox error in #556; JAX arrays are immutable; Zygote: no mutation."""
    agree(filled, 1.5, 4, argnums=(0,), differences=True)


def newton_root(a):
    x = a
    while abs(x * x - a) > 1e-12:
        x = 0.5 * (x + a / x)
    return x


def test_while_loop_has_no_reverse_mode():
    """JAX: no reverse mode for while_loop; mujoco #1207 and #2259 met it; the bounded loop of jax#13184 is a proposal since 2022."""
    (slope,) = agree(newton_root, 2.0)
    assert slope == pytest.approx(0.5 / math.sqrt(2.0), rel=1e-6)


def counted_sum(x, n):
    total = 0.0
    for i in range(n):
        total = total + x**i
    return total


def test_loop_of_dynamic_length_has_no_reverse_mode():
    """JAX: no reverse mode for fori_loop with a bound that is traced."""
    call = grad(counted_sum, mode="compile")
    for n in (0, 1, 5, 9):
        assert call(1.1, n) == pytest.approx(sum(i * 1.1 ** (i - 1) for i in range(n)))
    assert len([one for one in call.state.compiled.values() if one is not None]) == 1


def logsumexp(a):
    top = a[0]
    for i in range(1, len(a)):
        if a[i] > top:
            top = a[i]
    total = 0.0
    for i in range(len(a)):
        total += math.exp(a[i] - top)
    return top + math.log(total)


def test_indexed_logsumexp_loop_has_a_zero_gradient():
    """Tangent #66: the gradient of an indexed log-sum-exp loop was zero without a word."""
    a = np.array([0.3, 1.7, -0.4])
    (slope,) = agree(logsumexp, a, differences=True)
    np.testing.assert_allclose(slope, np.exp(a) / np.exp(a).sum(), rtol=1e-12)


def lorenz(x, y, z, n):
    for _ in range(n):
        dx = 10.0 * (y - x)
        dy = x * (28.0 - z) - y
        dz = x * y - 8.0 / 3.0 * z
        x = x + 0.01 * dx
        y = y + 0.01 * dy
        z = z + 0.01 * dz
    return x + y * z


def test_loop_carried_locals_that_are_overwritten_give_wrong_gradients():
    """NVIDIA Warp: a dynamic loop that overwrites its locals gave a wrong gradient without a warning; taichi#602 limits them."""
    agree(lorenz, 1.0, 1.1, 1.2, 25, argnums=(0, 1, 2), differences=True)


def test_nested_functions_are_not_supported():
    """Tangent #77."""

    def f(x, y):
        def inner(t):
            def innermost(s):
                return s * y + t

            return innermost(t) * x

        return inner(x) + inner(y)

    agree(f, 1.2, 0.7, differences=True)


def data_dependent(x, threshold):
    if x * x > threshold:
        return math.sin(x)
    if x < 0.0:
        return -x
    return x**3


def test_branches_that_depend_on_data():
    """functorch #257, #1066, #1108 under vmap, and pytorch#186301 (2026); JAX asks for lax.cond."""
    for x in (0.5, -0.5, 1.5, -1.5):
        agree(data_dependent, x, 1.0, argnums=(0,), differences=True)


def test_item_breaks_the_derivative():
    """functorch #257: `.item()` inside a transformed function."""

    def f(a):
        k = int(a[0])
        total = 0.0
        for i in range(k):
            total += a[i].item() * a[i]
        return total

    call = grad(f)
    for _ in range(3):
        assert call(np.array([2.5, 3.0])).tolist() == [5.0, 6.0]


def test_compile_time_grows_with_the_number_of_rounds():
    """jax #1223, #2777 (exponential), #4924 (ten minutes), #1832: loops are unrolled. Here the code does not depend on it."""
    call = grad(lorenz, (0, 1, 2), mode="compile")
    call(1.0, 1.1, 1.2, 3)
    before = native_of(call)
    call(1.0, 1.1, 1.2, 3_000)
    assert native_of(call) is before
    assert before.text.count("\n") < 1_500


def test_mutation_in_place_gives_silently_wrong_results():
    """torch counts versions and raises; Zygote refuses; Warp and Taichi have rules that the user must keep."""

    def f(a):
        for i in range(1, len(a)):
            a[i] = a[i] * a[i - 1]
            a[i - 1] = math.sin(a[i])
        return a[0] * a[len(a) - 1] + a[1]

    a = np.array([0.7, 1.2, 0.4, 1.9])
    agree(f, a, differences=True)
    kept = a.copy()
    grad(f)(kept)
    expected = a.copy()
    f(expected)
    np.testing.assert_array_equal(kept, expected)


def test_aliases_are_not_seen():
    """torch and JAX users are told not to; here a row is the matrix."""

    def f(m):
        first, second = m[0], m[1]
        for j in range(len(first)):
            second[j] = first[j] * second[j]
            m[0, j] = second[j] + first[j]
        return first[0] * second[1] + m[1, 0]

    agree(f, np.array([[0.7, 1.2], [0.4, 1.9]]), differences=True)


def test_branches_on_integers():
    """JAX: ConcretizationTypeError for a branch on a traced integer."""

    def f(x, n):
        steps = 0
        while n != 1:
            if n % 2 == 0:
                n = n // 2
                x = x * 0.9
            else:
                n = 3 * n + 1
                x = x + 0.1 * x * x
            steps += 1
        return x * steps

    agree(f, 0.7, 6, argnums=(0,), differences=True)
    agree(f, 0.7, 27, argnums=(0,))


def test_indices_computed_from_data():
    """JAX: an out-of-bounds index is clamped without a word."""

    def f(a, x):
        i = int(x * 10.0)
        return a[i] * x

    a = np.array([1.0, 2.0, 3.0])
    agree(f, a, 0.25, differences=True)
    assert agree(f, a, 0.55, native=False, warm=[(a, 0.25)]) is IndexError


def test_python_scalars_are_slow_or_not_followed():
    """HIPS autograd takes 90 us for each operation on floats and was asked for Numba since 2016 (#47)."""
    assert explain(counted_sum, 1.1, 5).path == "compile"
    value, slope = value_and_grad(counted_sum, mode="compile")(0.5, 100_000)
    assert (value, slope) == (pytest.approx(2.0), pytest.approx(4.0))


def test_integer_arguments_become_floats_without_a_word():
    """torch: only floating tensors require gradients; JAX: grad requires real inputs, and casts."""

    def f(n, x):
        return x * n // 2 * x

    agree(f, 3, 1.7, argnums=(1,))


def test_debugging_a_nan_needs_another_mode():
    """Math errors stay Python's: what raises in CPython raises, with the same words."""
    assert agree(lambda x: math.log(x - 2.0) * x, 1.0, native=False, warm=[(3.0,)]) is ValueError


def test_slope_where_a_square_root_is_zero_in_the_branch_not_taken():
    """jax users meet NaN gradients from `where`; a branch that is not taken has no part in the derivative here."""

    def f(x):
        if x > 0.0:
            return math.sqrt(x) * x
        return x * 2.0

    assert agree(f, 0.0) == (2.0,)
    agree(f, 0.5, differences=True)


def test_forward_mode_needs_another_program():
    """What runs in reverse runs forward, unmodified."""
    point = (0.7, 1.1, 1.2)
    slopes = grad(lorenz, (0, 1, 2))(*point, 10)
    _, along = jvp(lambda x, y, z: lorenz(x, y, z, 10), point, (1.0, 2.0, 3.0))
    assert along == pytest.approx(slopes[0] + 2.0 * slopes[1] + 3.0 * slopes[2], rel=1e-12)


def test_recursion_is_not_supported():
    """Tangent and JAX: no recursion on data."""

    def power(t, k):
        if k == 0:
            return 1.0
        half = power(t, k // 2)
        return half * half * t if k % 2 else half * half

    agree(lambda x, n: power(x, n) * x, 1.1, 9, argnums=(0,), native=None, differences=True)


def test_global_state_is_frozen_at_compile_time(monkeypatch):
    """JAX: a jitted function keeps the globals that it was traced with."""
    call = grad(reads_factor, mode="compile")
    assert [call(1.0) for _ in range(2)] == [2.0, 2.0]
    monkeypatch.setitem(globals(), "FACTOR", 5.0)
    assert call(1.0) == 5.0


FACTOR = 2.0


def reads_factor(x):
    return x * FACTOR


def test_arguments_are_left_as_cpython_leaves_them():
    """A program that fills a buffer of its caller's still does."""

    def f(x, buffer):
        for i in range(len(buffer)):
            buffer[i] = x * i
        return buffer[-1] * x

    buffer = np.zeros(3)
    agree(f, 1.5, buffer, argnums=(0,), differences=True)
    call = grad(f, mode="compile")
    for x in (1.0, 2.0):
        (given,) = copied((buffer,))
        call(x, given)
        assert given.tolist() == [0.0, x, 2.0 * x]
