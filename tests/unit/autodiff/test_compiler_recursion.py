"""Recursion compiles to an adjoint per function: right, linear in its depth, and never beyond the stack."""

import copy
import math
import sys
import threading

import numpy as np
import pytest

from benchmarks.programs.coverage import calls as coverage
from benchmarks.programs.det import det, make_inputs
from custodiet.autodiff import explain, grad, value_and_grad
from custodiet.autodiff.compiler.entry import CompiledGradient, Trapped, compile_gradient
from custodiet.errors import DifferentiationError
from tests.unit.autodiff import recursive_programs as programs
from tests.unit.autodiff.differences import central_differences, get_leaf

RECURSIVE = [
    coverage.fibonacci_like,
    coverage.tree_value,
    coverage.mutual,
    coverage.power_by_squaring,
    coverage.minor_determinant,
    coverage.adaptive_simpson,
]
EXAMPLES = [(det, make_inputs(4), (0,))]
EXAMPLES += [(one.function, one.arguments, one.argnums) for one in coverage.EXAMPLES if one.function in RECURSIVE]


@pytest.fixture
def deep():
    """CPython's limit out of the way."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000_000)
    yield
    sys.setrecursionlimit(before)


def inputs(arguments):
    return copy.deepcopy(arguments)


@pytest.mark.parametrize(
    ("function", "arguments", "argnums"), EXAMPLES + programs.PROGRAMS, ids=lambda one: getattr(one, "__name__", "")
)
def test_compiled_agrees_with_tape_and_differences(function, arguments, argnums):
    assert explain(function, *inputs(arguments)).path == "compile"
    compile_gradient(function, inputs(arguments), argnums)(inputs(arguments))  # and does not trap
    given, taped = inputs(arguments), inputs(arguments)
    value, found = value_and_grad(function, argnums, mode="compile")(*given)
    same, expected = value_and_grad(function, argnums, mode="trace")(*taped)
    assert value == pytest.approx(same, rel=1e-14)
    for one, other, argnum in zip(found, expected, argnums, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(one, central_differences(function, inputs(arguments), argnum), rtol=2e-6, atol=2e-7)
    for one, other in zip(given, taped, strict=True):  # arguments are changed as CPython changes them
        np.testing.assert_array_equal(one, other)


def test_recursion_is_in_the_program_and_not_read_in_place():
    compiled = compile_gradient(coverage.adaptive_simpson, (1.3, 1.5), (0, 1))
    assert len(compiled.program.callees) == 1
    assert "@fwd.recurse" in compiled.text and "@rev.recurse" in compiled.text


def body_of(text, name):
    start = text.index(f" @{name}")
    return text[start : text.index("\n}", start)]


def test_the_reverse_function_runs_nothing_again():
    """One forward call in the forward function, one reverse call in the reverse function: n levels cost 2 n calls."""
    compiled = compile_gradient(programs.chain, (3, 0.3), (1,))
    (name,) = compiled.program.callees
    forward, back = body_of(compiled.text, f"fwd.{name}"), body_of(compiled.text, f"rev.{name}")
    assert forward.count(f"@fwd.{name}(") == 2 and "@rev." not in forward  # itself and the call
    assert back.count(f"@rev.{name}(") == 2 and "@fwd." not in back


def chain_gradient(n, x):
    """What the tape would say, by a loop."""
    value, slope = x, 1.0
    for _ in range(n):
        value, slope = math.sin(value) + 0.1 * x, math.cos(value) * slope + 0.1
    return value, slope


@pytest.mark.parametrize("depth", [900, 20_000, 100_000])
def test_deep_recursion(deep, depth):
    gradient = value_and_grad(programs.chain, 1, mode="compile")
    gradient(3, 0.3)
    value, slope = gradient(depth, 0.3)
    expected, expected_slope = chain_gradient(depth, 0.3)
    assert value == pytest.approx(expected, rel=1e-13) and slope == pytest.approx(expected_slope, rel=1e-12)


def test_deep_recursion_that_changes_its_argument(deep):
    gradient = grad(programs.argument_changed, mode="compile")
    gradient(np.full(4, 0.3))
    a = np.full(50_000, 0.3)
    found = gradient(a)
    expected = np.full(50_000, 0.3)
    for i in range(1, len(expected)):
        expected[i] = expected[i] * expected[i - 1] + math.sin(expected[i])
    np.testing.assert_allclose(a, expected, rtol=1e-13)  # changed once, though it was run twice
    assert np.isfinite(found).all() and found[-1] != 0.0
    assert compile_gradient(programs.argument_changed, (a,), (0,))((np.full(50_000, 0.3),))[0] == a[-1] * a[1]


def test_deep_recursion_in_threads(deep):
    gradient = value_and_grad(programs.chain, 1, mode="compile")
    gradient(3, 0.3)
    expected = gradient(30_000, 0.3)
    found = []
    threads = [threading.Thread(target=lambda: found.append(gradient(30_000, 0.3))) for _ in range(4)]
    size = threading.stack_size()
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert found == [expected] * 4
    assert threading.stack_size() == size


def test_the_same_program_gives_the_same_text():
    first, second = (compile_gradient(coverage.adaptive_simpson, (1.3, 1.5), (0, 1)).text for _ in range(2))
    assert first == second  # it is the key of the cache on disk


def bits(x, n, m):
    k = (n << m) ^ (n >> 1) | (n & 5)
    odd = (n > 3) ^ (m > 2)
    return x * (k + ~n) + (1.0 if odd & True else 2.0)


@pytest.mark.parametrize(("n", "m"), [(3, 4), (-3, 2), (5, 1), (0, 63), (-1, 40), (2**40, 9)])
def test_bitwise_operations_are_those_of_python(n, m):
    value, (slope,), _ = compile_gradient(bits, (0.5, n, m), (0,))((0.5, n, m))
    assert (value, slope) == (bits(0.5, n, m), bits(1.5, n, m) - bits(0.5, n, m))


@pytest.mark.parametrize(("n", "m"), [(1, 63), (1, 64), (5, -1), (-7, 62), (2**62, 1)])
def test_shifts_beyond_64_bits_are_for_cpython(n, m):
    with pytest.raises(Trapped):
        compile_gradient(bits, (0.5, n, m), (0,))((0.5, n, m))


def infinite(n, x):
    return infinite(n + 1, x) * x


def infinite_with_an_end(n, x):
    if n < 0:
        return x
    return infinite_with_an_end(n + 1, x) * x


def infinite_pair(x, n):
    return infinite_partner(x * 0.5, n) + x


def infinite_partner(x, n):
    total = 0.0
    for _ in range(n):
        total += infinite_pair(x, n)
    return total


@pytest.mark.parametrize("mode", ["compile", "auto", "trace"])
@pytest.mark.parametrize(
    ("function", "arguments", "argnum"),
    [(infinite, (1, 0.3), 1), (infinite_with_an_end, (1, 0.3), 1), (infinite_pair, (0.3, 2), 0)],
)
def test_infinite_recursion_is_a_clear_error(function, arguments, argnum, mode):
    assert explain(function, *arguments).path == "compile"
    gradient = grad(function, argnum, mode=mode)
    for _ in range(2):
        with pytest.raises(DifferentiationError, match="calls itself too deeply"):
            gradient(*arguments)


def test_no_stack_is_large_enough_for_an_infinite_recursion(deep):
    sys.setrecursionlimit(2**31 - 1)
    compiled = compile_gradient(programs.loop_of_self, (3, 0.3), (1,))
    assert isinstance(compiled, CompiledGradient)
    compiled = compile_gradient(infinite_with_an_end, (1, 0.3), (1,))
    with pytest.raises(Trapped):
        compiled((1, 0.3))


def test_without_a_large_stack_it_is_cpythons_turn(deep, monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    compiled = compile_gradient(programs.chain, (3, 0.3), (1,))
    monkeypatch.setattr(threading.Thread, "start", refuse)
    size = threading.stack_size()
    with pytest.raises(Trapped):
        compiled((1_000_000, 0.3))
    assert threading.stack_size() == size


def test_recursion_limit_counts_as_in_cpython():
    """Beyond the limit CPython's turn comes, and CPython raises."""
    compiled = compile_gradient(programs.chain, (3, 0.3), (1,))
    limit = sys.getrecursionlimit()
    assert math.isfinite(compiled((limit // 2, 0.3))[0])
    with pytest.raises(Trapped):
        compiled((limit + 10, 0.3))


def logarithms(n, x):
    return math.log(x) if n == 0 else logarithms(n - 1, x - 1.0) * x


def test_an_error_deep_inside_is_cpythons():
    gradient = grad(logarithms, 1, mode="compile")
    assert gradient(3, 5.0) == pytest.approx(central_differences(logarithms, (3, 5.0), 1), rel=1e-6)
    with pytest.raises(ValueError, match="math domain error"):
        gradient(3, 2.0)
    with pytest.raises(IndexError):
        grad(programs.horner, 3, mode="compile")(np.array([0.5]), np.array([0, 1]), 0, 0.3)


def test_a_failed_call_leaves_its_argument_alone():
    def run(a, i):
        if i == 3:
            return a[0] / a[2]
        a[i] = a[i] * 2.0
        return run(a, i + 1)

    compiled = compile_gradient(run, (np.ones(4), 0), (0,))
    a = np.array([1.0, 2.0, 0.0, 3.0])
    with pytest.raises(Trapped):
        compiled((a, 0))
    np.testing.assert_array_equal(a, [1.0, 2.0, 0.0, 3.0])


def test_every_block_of_a_recursive_function_is_checked_when_it_is_first_entered():
    def run(n, x):
        if n > 5:
            return run(n - 5, x) * 2.0
        if n == 0:
            return x
        return run(n - 1, x * x)

    gradient = value_and_grad(run, 1, mode="compile")
    gradient(2, 0.9)
    (compiled,) = gradient.state.compiled.values()
    some = compiled.verified
    gradient(8, 0.9)
    assert some & ~compiled.verified == 0 and compiled.verified != some


def test_what_is_declined_says_so():
    def growing(n, t):
        return t[0] if n == 0 else growing(n - 1, (*t, t[0]))

    assert explain(growing, 3, (0.5,)).path == "trace"
    assert grad(growing, 1)(3, (0.5,)) == (1.0,)

    def lists(n, x):
        return [x] if n == 0 else [*lists(n - 1, x), x]

    told = explain(lambda x: sum(lists(3, x)), 0.3)
    assert told.path == "trace" and told.reason
    assert grad(lambda x: sum(lists(3, x)))(0.3) == 4.0

    def different(n, x):
        return (x, x) if n == 0 else different(n - 1, x)[0]

    assert explain(lambda x: different(1, x) * x, 0.3).path == "trace"


def test_names_of_a_float_and_an_int_are_two_programs():
    def power(base, n):
        return base if n == 0 else power(base * 0.5, n - 1)

    compiled = compile_gradient(lambda x: power(3, 4) * x, (0.3,), (0,))
    assert compiled((2.0,))[0] == 3 * 0.5**4 * 2.0
    assert get_leaf(compiled((2.0,))[1][0], ()) == 3 * 0.5**4
