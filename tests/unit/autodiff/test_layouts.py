"""Arrays that lie in memory in other ways: whether `ravel` and `reshape` make a view decides who sees what is written."""

import numpy as np
import pytest

from tests.unit.autodiff.agreement import agree

B = np.arange(12.0).reshape(3, 4) * 0.3 + 0.4
LAYOUTS = {
    "C": lambda: B.copy(),
    "F": lambda: np.asfortranarray(B),
    "transposed": lambda: B.copy().T,
    "columns": lambda: np.repeat(B, 2, axis=1)[:, ::2],
    "rows": lambda: np.repeat(B, 2, axis=0)[::2],
    "part": lambda: np.concatenate([B, B], axis=1)[:, :4],
    "backwards": lambda: B.copy()[::-1],
    "three": lambda: np.concatenate([B, B]).reshape(2, 3, 4).transpose(1, 0, 2)[:, 0],
}


def raveled(a):
    r = a.ravel()
    r[0] = 5.0 * a[1, 1]
    return a[0, 0] * a[1, 0] + r[1]


def raveled_by_columns(a):
    r = np.ravel(a, order="F")
    r[0] = 5.0 * a[1, 1]
    return a[0, 0] * a[1, 0] + r[1]


def reshaped(a):
    r = a.reshape(a.shape[0], 2, -1)
    r[0, 0, 0] = 5.0 * a[1, 1]
    return a[0, 0] * a[1, 0] + r[1, 1, 0]


def flat(a):
    r = np.reshape(a, -1)
    r[0] = 5.0 * a[1, 1]
    return a[0, 0] * a[1, 0] + r[1]


def flat_by_columns(a):
    r = a.reshape(-1, order="F")
    r[0] = 5.0 * a[1, 1]
    return a[0, 0] * a[1, 0] + r[1]


def flat_transposed(a):
    r = a.T.reshape(-1)
    r[0] = 5.0 * a[1, 1]
    return a[0, 0] * a[1, 0] + r[1]


def raveled_copy(a):
    c = a.copy()
    r = c.ravel()
    r[0] = 5.0 * a[1, 1]
    return c[0, 0] * a[1, 0] + r[1]


def raveled_copy_as_it_lies(a):
    c = np.copy(a)
    r = c.ravel()
    r[0] = 5.0 * a[1, 1]
    return c[0, 0] * a[1, 0] + r[1]


def raveled_array(a):
    c = np.array(a)
    r = c.ravel()
    r[0] = 5.0 * a[1, 1]
    return c[0, 0] * a[1, 0] + r[1]


def raveled_conversion(a):
    c = a.astype(float)
    r = c.ravel()
    r[0] = 5.0 * a[1, 1]
    return c[0, 0] * a[1, 0] + r[1]


def converted_in_place(a):
    c = a.astype(float, copy=False)
    c[0, 0] = 5.0 * a[1, 1]
    return a[0, 0] * a[1, 0]


def raveled_result(a):
    c = np.exp(a) + a
    r = c.ravel()
    r[0] = 5.0 * a[1, 1]
    return c[0, 0] * a[1, 0] + r[1]


def raveled_zeros(a):
    c = np.zeros_like(a)
    c += a
    r = c.ravel()
    r[0] = 5.0 * a[1, 1]
    return c[0, 0] * a[1, 0] + r[1]


def written_then_raveled(a):
    a[1, 1] = 2.0 * a[0, 1]
    r = a.ravel()
    r[0] = 5.0 * a[1, 1]
    return a[0, 0] * a[1, 0] + r[1]


def columns_raveled(a):
    r = a[:, :2].ravel()
    r[0] = 5.0 * a[1, 1]
    return a[0, 0] * a[1, 0] + r[1]


def contiguous(a):
    c = np.ascontiguousarray(a)
    c[0, 0] = 5.0 * a[1, 1]
    return a[0, 0] * a[1, 0] + c[1, 1]


def by_columns(a):
    c = np.asarray(a, order="F")
    c[0, 0] = 5.0 * a[1, 1]
    return a[0, 0] * a[1, 0] + c[1, 1]


PROGRAMS = [
    raveled, raveled_by_columns, reshaped, flat, flat_by_columns, flat_transposed, raveled_copy, raveled_copy_as_it_lies,
    raveled_array, raveled_conversion, converted_in_place, raveled_result, raveled_zeros, written_then_raveled,
    columns_raveled, contiguous, by_columns,
]  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_who_sees_what_is_written(f, layout):
    agree(f, LAYOUTS[layout](), native=None, differences=True)


TABLE = np.asfortranarray(B)


def test_a_global_array_keeps_its_layout():
    def f(x):
        r = TABLE.ravel()
        r[0] = x
        return TABLE[0, 0] * x + r[1] + TABLE.ravel("K")[1]

    agree(f, 1.5, native=None, differences=True)
    np.testing.assert_array_equal(TABLE, B)
