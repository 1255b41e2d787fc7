"""Native forward mode: many tangents at once agree with the reverse sweep, the interpreted path and the references; arrays come out."""

import gc
import math

import numpy as np
import pytest

from benchmarks.programs import ba, hand, small_programs
from benchmarks.programs.coverage import examples
from custodiet.autodiff import grad, jacobian, jvp
from custodiet.autodiff.compiler import forward_entry
from custodiet.autodiff.compiler import operations as ops
from custodiet.autodiff.compiler.entry import Trapped
from custodiet.autodiff.compiler.forward_entry import compile_tangent
from custodiet.autodiff.compiler.frontend import Declined
from custodiet.autodiff.compiler.tangent import Layout
from custodiet.autodiff.pytree import flatten
from custodiet.errors import DifferentiationError

EXAMPLES = [one for one in examples() if not one.declined_because]
WIDTHS = (1, 3, 16, 40)


RECURSIVE = {
    "fibonacci_like", "tree_value", "mutual", "power_by_squaring", "minor_determinant", "adaptive_simpson", "det",
}  # fmt: skip
OTHERS = {"random_noise", "random_vector", "lstm_array"}


def is_compiled(program):
    """Whether a program has native forward mode; those that have none are named above, and no others."""
    if program.name not in RECURSIVE | OTHERS:
        assert compile_tangent(program.function, program.inputs, program.argnums) is not None
        return True
    with pytest.raises(Declined, match="recursion in forward mode" if program.name in RECURSIVE else None):
        compile_tangent(program.function, program.inputs, program.argnums)
    return False


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_native_forward_is_native_reverse_and_the_tape(example):
    if not is_compiled(example):
        return
    gradients = [grad(example.function, example.argnums, mode=mode)(*example.inputs) for mode in ("auto", "trace")]
    change = jacobian(example.function, example.argnums, mode="compile")(*example.inputs)
    for gradient in gradients:
        theirs = np.concatenate([np.ravel(one) for one in flatten(gradient)[0]])
        mine = np.concatenate([np.ravel(one) for one in flatten(change)[0]])
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-11 * max(1.0, float(np.max(np.abs(theirs)))))


@pytest.mark.parametrize("program", small_programs(), ids=lambda program: program.name)
def test_benchmark_programs_agree_with_their_references(program):
    if not is_compiled(program):
        return
    found = jacobian(program.function, program.argnums, mode="compile")(*program.inputs)
    for mine, reference in zip(found, program.reference(*program.inputs), strict=True):
        assert np.max(np.abs(mine - reference)) <= 1e-8 * np.max(np.abs(reference))


def test_tall_programs_of_the_bars_are_compiled():
    for function, inputs in (
        (ba.ba_shifted, (np.zeros(15), *ba.make_inputs(2, 3, 5))),
        (hand.hand_simple, hand.make_inputs(5)),
    ):
        assert compile_tangent(function, inputs, (0,)).num_blocks > 0


# -- widths ---------------------------------------------------------------------------------------------------------------


def mixing(x):
    out = np.zeros((len(x), 2))
    running = 1.0
    for i in range(len(x)):
        running = running * math.sin(x[i]) + x[i] / (1.0 + x[i - 1] * x[i - 1])
        out[i, 0] = running
        out[i, 1] = math.sqrt(running * running + 1.0)
    return out


@pytest.mark.parametrize("width", [*WIDTHS, 2, 8, 9, 31, 33, 64, 100])
def test_every_number_of_inputs(width):
    x = np.linspace(0.3, 1.9, width)
    found = jacobian(mixing, mode="compile")(x)
    expected = jacobian(mixing, mode="trace")(x)
    assert found.shape == expected.shape == (width, 2, width)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("width", WIDTHS)
def test_every_number_of_directions(width):
    x, rng = np.linspace(0.3, 1.9, 7), np.random.default_rng(3)
    seeds = rng.standard_normal((7, width))
    _, (change,), _ = compile_tangent(mixing, (x,), (0,))((x,), seeds)
    np.testing.assert_allclose(change, jacobian(mixing, mode="trace")(x) @ seeds, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("lanes", [2, 4, 8])
@pytest.mark.parametrize("width", range(1, 41))
def test_layout_has_room_and_no_holes(width, lanes):
    layout = Layout(width, lanes)
    assert all(one & (one - 1) == 0 and one <= lanes for one in layout.chunks)
    assert width <= sum(layout.chunks) <= layout.stride


@pytest.mark.parametrize("lanes", [2, 4])
def test_narrower_vectors_give_the_same(monkeypatch, lanes):
    monkeypatch.setattr(forward_entry, "vector_lanes", lambda: lanes)
    x = np.linspace(0.3, 1.9, 13)
    np.testing.assert_allclose(
        jacobian(mixing, mode="compile")(x), jacobian(mixing, mode="trace")(x), rtol=1e-12, atol=1e-14
    )


# -- what a program may do ------------------------------------------------------------------------------------------------


def nested_branches(x, n):
    total, best = 0.0, x[0]
    for i in range(n):
        for j in range(i):
            if x[j] > 0.5:
                total += x[i] * x[j]
            elif x[j] > 0.0:
                total -= math.exp(x[j])
            else:
                total = 0.5 * total + 2.0
            best = max(best, x[i] - x[j])
    return total, best


def halving(a, tolerance):
    low, high = 0.0, a + 1.0
    steps = 0
    while high - low > tolerance:
        middle = 0.5 * (low + high)
        if middle * middle > a:
            high = middle
        else:
            low = middle
        steps += 1
        if steps > 200:
            break
    return low - (low * low - a) / (2.0 * low)


def writes_its_argument(x, y):
    for i in range(len(x)):
        x[i] = x[i] * y[i]
        y[i] = x[i] + y[i - 1]
    return y


def views(matrix):
    total = 0.0
    row = matrix[1]
    part = row[1:]
    for i in range(len(part)):
        part[i] = part[i] * matrix[0, i]
    for one in matrix:
        total += one[0] * one[-1]
    return total


def a_view_comes_out(x):
    out = np.zeros((3, len(x)))
    for i in range(len(x)):
        out[1, i] = x[i] * x[i]
        out[2, i] = out[1, i] * x[0]
    return out[1:]


def a_list_comes_out(x):
    return [one * one for one in x]


def a_nest_comes_out(x):
    tail = np.ones(2)
    tail[1] = x[0] * x[1]
    return {"first": (x[0] * 2.0, tail), "second": math.hypot(x[0], x[1])}


def constant_parts(x):
    fixed = np.full(3, 2.0)
    return fixed, x[0] * fixed[1], 7.0


def its_own_argument(x):
    return x


def new_arrays_in_a_loop(x):
    total = 0.0
    for i in range(len(x)):
        scratch = np.zeros(4)
        scratch[i % 4] = x[i] * x[i]
        total += scratch[0] - scratch[1] + scratch[3] * x[0]
    return total


PROGRAMS = [
    (nested_branches, (np.array([0.7, 0.2, -0.3, 0.9, 0.6]), 5), (0,)),
    (halving, (7.0, 1e-9), (0,)),
    (writes_its_argument, (np.array([0.7, 0.2, -0.3]), np.array([1.5, 2.5, 0.5])), (0, 1)),
    (views, (np.arange(1.0, 10.0).reshape(3, 3),), (0,)),
    (a_view_comes_out, (np.array([0.7, 0.2, -0.3]),), (0,)),
    (a_list_comes_out, (np.array([0.7, 0.2, -0.3]),), (0,)),
    (a_list_comes_out, ([0.7, 0.2, -0.3],), (0,)),
    (a_nest_comes_out, (np.array([0.7, 0.2]),), (0,)),
    (constant_parts, (np.array([0.7, 0.2]),), (0,)),
    (its_own_argument, (np.array([0.7, 0.2]),), (0,)),
    (new_arrays_in_a_loop, (np.linspace(0.1, 0.9, 9),), (0,)),
]


@pytest.mark.parametrize(("function", "inputs", "argnums"), PROGRAMS, ids=lambda one: getattr(one, "__name__", ""))
def test_native_is_interpreted(function, inputs, argnums):
    copies = [[np.copy(one) if isinstance(one, np.ndarray) else one for one in inputs] for _ in range(3)]
    expected = jacobian(function, argnums, mode="forward")(*copies[0])
    derivative = jacobian(function, argnums, mode="compile")
    for _ in range(2):
        found = derivative(*copies[1])
        mine, structure = flatten(found)
        theirs, other = flatten(expected)
        assert structure == other
        for a, b in zip(mine, theirs, strict=True):
            assert np.shape(a) == np.shape(b)
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    for before, after in zip(inputs, copies[1], strict=True):
        np.testing.assert_array_equal(before, after)  # a Jacobian leaves its arguments alone


def plain(a, b):
    return a @ b


def first_turned(a, b):
    return a.T @ b


def second_turned(a, b):
    return a @ b.T


def both_turned(a, b):
    return a.T @ b.T


def squared(a, b):
    return (a @ a) * b


def by_a_vector(a, b):
    return np.tanh(a @ b[0])


def from_a_vector(a, b):
    return b[1] @ a


@pytest.mark.parametrize(
    "function", [plain, first_turned, second_turned, both_turned, squared, by_a_vector, from_a_vector]
)
def test_products_of_matrices(function):
    rng = np.random.default_rng(7)
    a, b = rng.standard_normal((3, 3)), rng.standard_normal((3, 3))
    if function is plain:
        a, b = rng.standard_normal((2, 3)), rng.standard_normal((3, 4))
    for argnums in ((0, 1), (0,), (1,)):
        found = jacobian(function, argnums, mode="compile")(a, b)
        for mine, theirs in zip(found, jacobian(function, argnums, mode="trace")(a, b), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("mode", ["compile", "trace"])
def test_jvp_writes_into_arguments_as_cpython_does(mode):
    x, y = np.array([0.7, 0.2, -0.3]), np.array([1.5, 2.5, 0.5])
    plain = (x.copy(), y.copy())
    expected = writes_its_argument(*plain)
    value, change = jvp(writes_its_argument, (x, y), (np.ones(3), np.zeros(3)), mode=mode)
    np.testing.assert_allclose(value, expected)
    np.testing.assert_allclose(x, plain[0])
    np.testing.assert_allclose(y, plain[1])
    assert change.shape == (3,)


def test_jvp_is_native_from_the_second_call_on_and_agrees():
    x = np.array([0.7, 0.2, -0.3, 0.9, 0.6])
    t = np.array([1.0, -2.0, 0.5, 0.0, 3.0])

    def first(v):
        return mixing(v)

    answers = [jvp(first, (x,), (t,)) for _ in range(3)]
    for value, change in answers:
        np.testing.assert_allclose(value, answers[0][0], rtol=1e-14)
        np.testing.assert_allclose(change, answers[0][1], rtol=1e-12)


def test_jvp_refuses_a_mode_that_does_not_exist():
    with pytest.raises(DifferentiationError, match="mode"):
        jvp(mixing, (np.ones(2),), (np.ones(2),), mode="fast")


def test_sparse_jacobian_by_coloring_runs_natively():
    def banded(x):
        out = np.zeros(len(x))
        for i in range(len(x)):
            out[i] = x[i] * x[i] - (x[i - 1] if i > 0 else 0.0)
        return out

    n = 50
    pattern = np.eye(n) + np.eye(n, k=-1)
    x = np.linspace(0.1, 1.0, n)
    found = jacobian(banded, mode="compile", sparsity=pattern)(x)
    np.testing.assert_allclose(found.toarray(), jacobian(banded, mode="trace")(x), rtol=1e-12, atol=1e-14)
    with pytest.raises(DifferentiationError, match="misses nonzeros"):
        jacobian(banded, mode="compile", sparsity=np.eye(n))(x)


# -- never silently wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "inputs", "error"),
    [
        (lambda x, d: x[0] * (1.0 / d), (np.ones(2), 0.0), ZeroDivisionError),
        (lambda x, d: x[5] * d, (np.ones(2), 1.0), IndexError),
        (lambda x, d: math.log(x[0] - d), (np.ones(2), 1.0), ValueError),
    ],
)
def test_what_raises_in_cpython_raises(function, inputs, error):
    entry = compile_tangent(function, inputs, (0,))
    with pytest.raises(Trapped):
        entry(inputs)
    with pytest.raises(error):
        jacobian(function, mode="compile")(*inputs)


def test_a_zero_tangent_stays_zero_where_the_slope_is_infinite():
    def root(x):
        return math.sqrt(x[0]) + x[1]

    found = jacobian(root, mode="compile")(np.array([0.0, 1.0]))
    np.testing.assert_array_equal(found, [np.inf, 1.0])


@pytest.mark.parametrize("op", ["fmul", "sin", "fdiv", "sqrt"])
def test_a_broken_rule_is_noticed(monkeypatch, op):
    rule = tuple(None if text is None else f"({text}) * 1.01" for text in ops.DERIVATIVES[op])
    monkeypatch.setitem(ops.DERIVATIVES, op, rule)
    with pytest.raises(DifferentiationError, match="differs from CPython's at .*test_compiler_forward.py:"):
        jacobian(mixing, mode="compile")(np.linspace(0.3, 1.9, 5))


def test_a_block_entered_later_is_checked_then(monkeypatch):
    def two_ways(x):
        return x[0] * 2.0 if x[0] > 0.0 else math.tanh(x[1])

    monkeypatch.setitem(ops.DERIVATIVES, "tanh", ("g * (1.0 - y)",))
    derivative = jacobian(two_ways, mode="compile")
    np.testing.assert_array_equal(derivative(np.array([1.0, 0.5])), [2.0, 0.0])
    with pytest.raises(DifferentiationError, match="differs"):
        derivative(np.array([-1.0, 0.5]))


def test_long_programs_are_checked_by_differences(monkeypatch):
    def long(x):
        out = np.zeros(2)
        for _ in range(60_000):
            out[0] = 0.5 * out[0] + math.sin(x[0] * out[1])
            out[1] = math.cos(out[0]) * x[1]
        return out

    x = np.array([0.4, 0.7])
    assert np.isfinite(jacobian(long)(x)).all()  # compiled at the first call: the interpreted path would take seconds
    rule = tuple(f"({text}) * 1.01" for text in ops.DERIVATIVES["cos"] if text)
    monkeypatch.setitem(ops.DERIVATIVES, "cos", rule)

    def asked(*args):
        raise InterruptedError

    monkeypatch.setattr("custodiet.autodiff.compiler.verify_forward.forward_call", asked)
    with pytest.raises(InterruptedError):  # the differences disagree, and the interpreted path is asked
        jacobian(long)(x)


def test_what_the_compiler_declines_is_interpreted_or_said():
    def noisy(x, rng):
        return x * rng.standard_normal(3)

    x, draws = np.array([3.0, 1.0, 2.0]), np.random.default_rng(1).standard_normal((3, 3))
    derivative, rng = jacobian(noisy), np.random.default_rng(1)
    for draw in draws:
        np.testing.assert_array_equal(derivative(x, rng), np.diag(draw))
    with pytest.raises(DifferentiationError, match="cannot be compiled"):
        jacobian(noisy, mode="compile")(x, rng)


def test_an_int_has_no_derivative_on_any_path():
    derivative = jacobian(lambda x, n: x[0] * n, 1, mode="compile")
    with pytest.raises(DifferentiationError, match="no derivative"):
        derivative(np.ones(2), 3)


def test_returned_arrays_outlive_the_call_and_are_freed():
    derivative = jacobian(mixing, mode="compile")
    kept = [derivative(np.linspace(0.3, 1.9, 16) + shift) for shift in range(20)]
    gc.collect()
    again = [derivative(np.linspace(0.3, 1.9, 16) + shift) for shift in range(20)]
    for one, other in zip(kept, again, strict=True):
        np.testing.assert_array_equal(one, other)
    part = kept[3][2]
    expected = part.copy()
    del kept, again
    gc.collect()
    np.testing.assert_array_equal(part, expected)


def times(x, n):
    return x[0] * n


@pytest.mark.parametrize("transform", [jacobian, grad])
def test_ints_beyond_64_bits(transform):
    derivative = transform(times, mode="compile")
    for n in (2**40, 2**70):
        np.testing.assert_array_equal(derivative(np.ones(1), n), [float(n)])


def test_empty_inputs():
    assert jacobian(mixing, mode="compile")(np.zeros(0)).shape == (0, 2, 0)


def test_a_global_array_of_another_type_is_read_anew():
    x = np.array([1.0, 2.0])
    derivatives = [jacobian(with_a_global_array, mode="compile"), grad(with_a_global_array, mode="compile")]
    global TABLE
    before = TABLE
    try:
        for TABLE in (np.array([2.0, 3.0]), np.array([4, 5])):
            for derivative in derivatives:
                np.testing.assert_array_equal(derivative(x), TABLE)
    finally:
        TABLE = before


TABLE = np.array([1.0, 1.0])


def with_a_global_array(x):
    return x[0] * TABLE[0] + x[1] * TABLE[1]


def test_globals_are_read_at_each_call():
    derivative = jacobian(with_a_global, mode="compile")
    x = np.array([1.0, 2.0])
    global FACTOR
    before = FACTOR
    try:
        for FACTOR in (2.0, 5.0, 4):
            np.testing.assert_array_equal(derivative(x), FACTOR * np.eye(2))
    finally:
        FACTOR = before


FACTOR = 3.0


def with_a_global(x):
    out = np.zeros(len(x))
    for i in range(len(x)):
        out[i] = FACTOR * x[i]
    return out
