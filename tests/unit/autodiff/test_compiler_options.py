"""Options of calls in compiled code: followed, or the program is for the tape. An option that is overlooked is a wrong answer."""

import numpy as np
import pytest

from tests.unit.autodiff.agreement import agree

S = np.array([[2.0, 0.3, 0.1], [0.2, 3.0, 0.5], [0.7, 0.1, 1.5]])


def dot_out(a):
    c = np.zeros((3, 3))
    np.dot(a, a, out=c)
    return c[0, 1] * a[0, 0]


def matmul_out(a):
    c = np.zeros((3, 3))
    d = np.matmul(a, a, out=c)
    return c[0, 1] * d[0, 0]


def outer_out(a):
    c = np.zeros((3, 3))
    np.outer(a[0], a[1], out=c)
    return c[0, 1] * a[0, 0]


def rectangle(a):
    i, j = np.triu_indices(2, 0, 3)
    return a[i, j].sum() * a[0, 0] + len(i)


def converted_in_place(a):
    b = a.astype(float, copy=False)
    b[0, 0] = 5.0 * a[1, 0]
    return a[0, 0] * b[0, 2]


CALLS = [
    lambda a: a.reshape(9, order="F")[1] * a[0, 0],
    lambda a: a.ravel(order="F")[1] * a[0, 0],
    lambda a: a.ravel("F")[1] * a[0, 0],
    lambda a: a.flatten("F")[1] * a[0, 0],
    lambda a: a.transpose(0, 1)[0, 1] * a[0, 0],
    lambda a: a.transpose((0, 1))[0, 1] * a[0, 0],
    lambda a: np.trace(a, 1) * a[0, 0],
    lambda a: np.trace(a, offset=-1) * a[0, 0],
    lambda a: sum(a[0], start=2.0 * a[0, 0]),
    lambda a: sum(a[0], a[1, 1]) * a[0, 1],
    dot_out,
    matmul_out,
    outer_out,
    rectangle,
    converted_in_place,
]


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_options_of_numpy_calls(number):
    agree(CALLS[number], S, native=None, differences=True)


def strictly(a, b):
    total = 0.0
    for u, v in zip(a, b, strict=True):
        total += u * v
    return total


def strictly_known(a, b):
    return sum([u * v for u, v in zip(a, (b[0], b[1], b[2]), strict=True)])


@pytest.mark.parametrize("f", [strictly, strictly_known])
def test_zip_strict_raises_where_lengths_differ(f):
    a, b = np.array([0.7, 1.3, -0.4]), np.array([1.0, 2.0, 3.0])
    agree(f, a, b, differences=True)
    longer = np.array([0.7, 1.3, -0.4, 2.1])
    assert agree(f, longer, b, native=False, warm=[(a, b)]) is ValueError


def test_zip_that_is_not_strict_stops_with_the_shorter():
    def f(a, b):
        return sum([u * v for u, v in zip(a, b, strict=False)])

    agree(f, np.array([0.7, 1.3, -0.4]), np.array([1.0, 2.0]), differences=True)


def test_list_that_becomes_an_array_is_copied():
    def f(xs):
        b = np.asarray(xs)
        b[0] = 5.0 * xs[1]
        return xs[0] * b[0]

    agree(f, [0.7, 1.3, -0.4], native=None, differences=True)


def full_of_ints(x, v):
    b = np.full(3, 1)
    b[0] = v
    return x * b[0] + b[1]


def test_array_full_of_an_int_holds_ints():
    """A float that is stored there is cut off, which shows only where it is not whole."""
    agree(full_of_ints, 0.7, 2.75, native=None, argnums=(0,), differences=True, warm=[(0.7, 2.0)])
    agree(lambda x, n: (np.full(3, n, dtype=float) * x).sum(), 0.7, 2, argnums=(0,), differences=True)


def test_array_of_bools_is_a_mask():
    def read(a):
        return a[np.array([True, False, True])].sum() * a[0]

    def written(a):
        a[np.array([True, False, True])] = 2.0 * a[0]
        return a.sum() * a[1]

    for f in (read, written):
        agree(f, np.array([0.7, 1.3, -0.4]), native=None, differences=True)


@pytest.mark.parametrize("counts", [[2, 3], [2**40, 2**40], [2**62, 2**62], [-(2**63), 1]])
def test_sums_and_products_of_ints_are_those_of_64_bits(counts):
    """NumPy's ints overflow; what compiled code cannot say is left to it."""
    k = np.array(counts)
    with np.errstate(all="ignore"):
        agree(lambda x, k: x * np.prod(k), 0.7, k, argnums=(0,), native=None, warm=[(0.7, np.array([2, 3]))])
        agree(lambda x, k: x * np.sum(k), 0.7, k, argnums=(0,), native=None, warm=[(0.7, np.array([2, 3]))])


def test_sum_of_ints_is_an_int():
    def f(x, k):
        a = np.array([x, x * x, x**3, 1.0])
        return a[np.sum(k)] * a[k.sum() - 2] + k.sum() // 2 * x + k.sum(axis=0) % 2 * x + (k > 1).sum() * x

    agree(f, 0.7, np.array([2, 1]), argnums=(0,), native=None, differences=True)


def test_extremum_of_an_array_with_nan_is_nan():
    def f(a):
        m, n = np.max(a), a.min()
        return a[0] if m == m and n == n else a[1] * a[1]

    for place in (0, 1, 2):
        a = np.array([0.7, 1.3, 0.2])
        a[place] = np.nan
        call_at = np.array([0.7, 1.3, 0.2])
        agree(f, a, native=None, warm=[(call_at,)])
    agree(lambda a: np.max(a) * a[0], np.array([-np.inf, -np.inf, 1.0]), native=None)
