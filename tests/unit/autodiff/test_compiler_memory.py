"""Compiled = CPython: stores, views, aliases, lists, dicts.

Every program is compared in plain CPython, on the tape and compiled (`agreement.agree`).
"""

import collections

import numpy as np
import pytest

from custodiet.autodiff import explain, grad, value_and_grad
from custodiet.errors import DifferentiationError
from tests.unit.autodiff.agreement import agree
from tests.unit.autodiff.language_programs import weighted

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


def test_dicts_that_are_changed_in_loops():
    """Only the first round's item was seen: the loop did not carry what it assigned under a key."""

    def replaced(a, n):
        d = {"u": a[0], "k": 0}
        for i in range(n):
            d["u"] = d["u"] * a[i] + 1.0
            d["k"] = d["k"] + 2
        return d["u"] * (1 + d["k"])

    def arrays(a, n):
        d = {"u": a, "v": a * 2.0}
        for i in range(n):
            d["u"][i] = d["v"][i + 1] * a[0]
            d["v"] = d["v"] + d["u"]
        return (d["u"] * d["v"]).sum()

    def in_branches(a, n):
        d = {"u": a[0]}
        i = 0
        while i < n:
            if a[i] > 0.0:
                d["u"] = d["u"] * 1.1 + a[i]
            i += 1
        return d["u"] * d["u"]

    def int_then_float(a, n):
        d = {"u": 1}
        for i in range(n):
            d["u"] = d["u"] * a[i]
        return d["u"] * a[0]

    a = np.array([0.7, 1.3, -0.4, 2.1])
    for f in (replaced, arrays, in_branches, int_then_float):
        for n in (0, 1, 3):
            agree(f, a, n, argnums=(0,), native=None, differences=True, warm=[(a, 0)])
