"""`sum` is that of the Python that runs: from 3.12 on sums of floats are compensated, NumPy's floats are not."""

import math

import numpy as np
import pytest

from custodiet.autodiff import jvp
from custodiet.autodiff.compiler import sums
from custodiet.autodiff.stand_ins import _sum
from tests.unit.autodiff.agreement import agree, same_float

HARD = [1e16, 1.0, -1e16, 0.1]


def of_a_list(a):
    return sum(a)


def of_a_start(a):
    return sum(a, 1.0)


def of_a_generator(a):
    return sum(v * v for v in a)


def of_a_comprehension(a):
    return sum([v * 1.0 for v in a])


def of_a_tuple(a):
    return sum((a[0], a[1], -a[0]))


def of_constants(a):
    return sum([0.1] * 10) * a[1]


def of_ints_and_floats(a):
    return sum([1, a[0], 2, a[2], True, a[1]])


def of_some(a):
    return sum(v for v in a if v > 0.05) + sum(v for v in a if v < 0.0)


def of_sums(a):
    return sum(sum(v * w for v in a) for w in (1.0, 0.5))


def of_infinities(a):
    return sum([a[1] * 1e308 * 10.0, -1.0])


def of_negative_zeros(a):
    return math.copysign(1.0, sum([-0.0, -0.0 * a[1]], -0.0)) * a[1]


PROGRAMS = [
    of_a_list, of_a_start, of_a_generator, of_a_comprehension, of_a_tuple, of_constants, of_ints_and_floats, of_some,
    of_sums, of_infinities, of_negative_zeros,
]  # fmt: skip


@pytest.mark.parametrize("kind", [list, np.array])
@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_sums_are_pythons(f, kind):
    with np.errstate(all="ignore"):
        agree(f, kind(HARD), native=None)
        agree(f, kind([0.3, 1.7, -0.4, 2.2]), native=None, differences=f is not of_infinities)


def test_sums_in_the_way_of_3_12_are_compiled_on_every_python(monkeypatch):
    """Without cancellation both ways agree to the last digits, so that any Python can check the compensated one."""
    monkeypatch.setattr(sums, "COMPENSATED_SUM", True)
    for f in PROGRAMS[:9]:
        agree(f, [0.3, 1.7, -0.4, 2.2], native=True, differences=True)
        value, along = jvp(f, ([0.3, 1.7, -0.4, 2.2],), ([1.0, 0.5, -1.0, 2.0],), mode="compile")
        expected = jvp(f, ([0.3, 1.7, -0.4, 2.2],), ([1.0, 0.5, -1.0, 2.0],), mode="trace")
        assert (value, along) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        (HARD, 1.1),
        ([1, *HARD], 1.1),
        ([], 0),
        ([1, 2, True], 4),
        ([math.inf, 1.0], math.inf),
        ([1e308, 1e308, -1e308], math.inf),
        ([0.1] * 10, 1.0),
        ([1e16, np.float64(1.0), -1e16], 0.0),
        ([math.nan, 1.0], math.nan),
    ],
)
def test_the_tapes_sum_is_that_of_3_12(items, expected):
    found = _sum(items)
    assert type(found) is type(expected) or isinstance(found, float)
    assert same_float(float(found), float(expected))


def test_the_tapes_sum_refuses_what_pythons_refuses():
    with pytest.raises(TypeError, match="str"):
        _sum(["a", "b"], "")
