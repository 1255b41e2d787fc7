"""Memory under several names: copies that the compiler makes where NumPy shows the array itself, and names that meet.

The first call of each program hides the mistake (it writes what was there), so that no comparison of results could catch it.
"""

import numpy as np
import pytest

from custodiet.autodiff import explain, grad, jacobian, jvp, value_and_grad
from custodiet.errors import DifferentiationError
from tests.unit.autodiff.agreement import agree


def reshaped(x, m, v):
    r = m.reshape(4)
    r[0] = v
    return x * m[0, 0] * m[1, 1]


def raveled(x, m, v):
    r = m.ravel()
    r[0] = v
    return x * m[0, 0] * m[1, 1]


def transposed(x, m, v):
    r = m.T
    r[0, 0] = v
    return x * m[0, 0] * m[1, 1]


def column(x, m, v):
    r = m[:, 0]
    r[0] = v
    return x * m[0, 0] * m[1, 1]


def stepped(x, m, v):
    r = m[::-1]
    r[1, 0] = v
    return x * m[0, 0] * m[1, 1]


def new_axis(x, m, v):
    r = m[:, None]
    r[0, 0, 0] = v
    return x * m[0, 0] * m[1, 1]


def as_an_array(x, m, v):
    r = np.asarray(m.T)
    r[0, 0] = v
    return x * m[0, 0] * m[1, 1]


def as_an_array_of_floats(x, m, v):
    r = np.asarray(m, dtype=float)
    r[0, 0] = v
    return x * m[0, 0] * m[1, 1]


def by_branch(x, m, v):
    r = m[:, 0] if v < 9.0 else m[0]
    r[0] = v
    return x * m[0, 0] * m[1, 1]


def scaled(r, v):
    r[0] *= v / 2.0
    return r[0]


def in_a_helper(x, m, v):
    return x * scaled(m[:, 0], v) * m[0, 0] * m[1, 1]


VIEWS = [
    reshaped,
    raveled,
    transposed,
    column,
    stepped,
    new_axis,
    as_an_array,
    as_an_array_of_floats,
    by_branch,
    in_a_helper,
]


@pytest.mark.parametrize("f", VIEWS, ids=lambda f: f.__name__)
def test_a_view_that_is_written_writes_its_array(f):
    m = np.array([[2.0, 3.0], [5.0, 7.0]])
    agree(f, 1.5, m, 4.0, argnums=(0, 1, 2), native=None, warm=[(1.5, m, 2.0)], differences=True)


def test_the_diagonal_is_a_view():
    def f(x, m, v):
        d = np.diag(m)
        m[0, 0] = v
        return x * d[0] * d[1]

    m = np.array([[2.0, 3.0], [5.0, 7.0]])
    agree(f, 1.5, m, 4.0, argnums=(0, 1, 2), native=None, warm=[(1.5, m, 2.0)], differences=True)


def test_views_of_what_nobody_writes_are_compiled():
    def f(m):
        return m.reshape(4)[1] * m[:, 1].sum() * m.T[0, 1] * np.diag(m)[0]

    agree(f, np.array([[2.0, 3.0], [5.0, 7.0]]), differences=True)


def shifted_later(a, b, n):
    u, v = a, b
    for i in range(n):
        v[1:] = u[:-1]
        v[0] *= 1.1
        if i == 1:
            u = v
    return (u * v).sum()


def test_shift_between_names_that_become_one_array():
    a, b = np.array([0.7, 1.3, -0.4, 2.1]), np.array([0.3, -1.3, 0.9, 1.1])
    for n in (0, 3, 6):
        agree(shifted_later, a, b, n, argnums=(0, 1), differences=True, warm=[(a, b, 2)])


def shifted_by_branch(a, n):
    c = a[1:] if n > 0 else a[:-1]
    a[1:] = c
    return (a * np.arange(4.0)).sum() * a[1]


def test_shift_onto_a_part_that_a_branch_chose():
    a = np.array([0.7, 1.3, -0.4, 2.1])
    for n in (1, -1):
        agree(shifted_by_branch, a, n, argnums=(0,), differences=True, warm=[(a, 1)])


def shift_down(u, v, n):
    u[1:] = v[: len(u) - 1]
    if n == 0:
        return u[-1] * u[1] + v[0]
    return shift_down(v, u, n - 1) + u[1]


def test_shift_between_arguments_of_a_recursion():
    def f(a, n):
        return shift_down(a, a, n) * a[0]

    agree(f, np.array([0.7, 1.3, -0.4, 2.1]), 2, argnums=(0,), native=None, differences=True)


def swapping(a, b, n):
    u, v = a, b
    for i in range(n):
        v[i] = u[i] * u[i + 1]
        u, v = v, u
    return u * v


def test_forward_mode_leaves_arguments_alone_that_are_written_under_other_names():
    """Two sweeps of a wide Jacobian begin with the same arguments."""
    a, b = np.linspace(0.3, 1.7, 60), np.linspace(1.9, 0.4, 60)
    kept = a.copy(), b.copy()
    for mode in ("forward", "reverse"):
        found = jacobian(swapping, (0, 1), mode=mode)
        for _ in range(3):
            mine = kept[0].copy(), kept[1].copy()
            got = found(*mine, 5)
            for place, one in enumerate(got):
                moved = [list(kept), list(kept)]
                step = np.cos(np.arange(60.0))
                for sign, given in zip((1e-6, -1e-6), moved, strict=True):
                    given[place] = given[place] + sign * step
                high, low = (swapping(x.copy(), y.copy(), 5) for x, y in moved)
                np.testing.assert_allclose(one @ step, (high - low) / 2e-6, rtol=1e-6, atol=1e-8)


def test_forward_mode_refuses_to_write_read_only_memory_under_another_name():
    a, b = np.linspace(0.3, 1.7, 6), np.linspace(1.9, 0.4, 6)
    b.setflags(write=False)
    for mode in ("compile", "trace"):
        with pytest.raises(ValueError, match="read-only"):
            jvp(lambda a, b: swapping(a, b, 1), (a, b), (a, b), mode=mode)
    assert b[0] == 1.9


def test_arguments_afterwards_are_compared_too(monkeypatch):
    """A compiled function that leaves its argument as it was, where CPython writes it, is an error."""
    from custodiet.autodiff.compiler.entry import CompiledGradient

    def f(x, a):
        a[0] = a[1] + 1.0
        return x * x

    assert explain(f, 1.5, np.ones(2)).path == "compile"
    real = CompiledGradient.__call__

    def forgets(self, args, **options):
        kept = [one.copy() if isinstance(one, np.ndarray) else one for one in args]
        found = real(self, args, **options)
        for one, before in zip(args, kept, strict=True):
            if isinstance(one, np.ndarray):
                one[...] = before
        return found

    monkeypatch.setattr(CompiledGradient, "__call__", forgets)
    with pytest.raises(DifferentiationError, match="argument"):
        grad(f, mode="compile")(1.5, np.ones(2))
    monkeypatch.undo()
    a = np.ones(2)
    assert value_and_grad(f, mode="compile")(1.5, a) == (2.25, 3.0)
    assert a.tolist() == [2.0, 1.0]


def test_the_second_result_is_compared_too(monkeypatch):
    from custodiet.autodiff.compiler.entry import CompiledGradient

    def f(x):
        return x * x, (x, {"twice": 2.0 * x})

    real = CompiledGradient.__call__

    def forgets(self, args, **options):
        (value, (x, named)), gradients, entered = real(self, args, **options)
        return (value, (x, {"twice": named["twice"] + 1.0})), gradients, entered

    monkeypatch.setattr(CompiledGradient, "__call__", forgets)
    with pytest.raises(DifferentiationError, match="second result"):
        grad(f, has_aux=True, mode="compile")(1.5)
    monkeypatch.undo()
    assert grad(f, has_aux=True, mode="compile")(1.5) == (3.0, (1.5, {"twice": 3.0}))


def test_forward_mode_verifies_nothing_where_results_are_no_numbers(monkeypatch):
    from custodiet.autodiff.compiler.operations import DERIVATIVES

    monkeypatch.setitem(DERIVATIVES, "fmul", ("2.0 * b", "a"))

    def f(x):
        return x * x

    assert np.isnan(jvp(f, (np.nan,), (1.0,), mode="compile")[1])
    with pytest.raises(DifferentiationError, match="derivative differs"):
        jvp(f, (1.0,), (1.0,), mode="compile")
