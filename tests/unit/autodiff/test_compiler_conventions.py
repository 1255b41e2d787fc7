"""Where a slope is infinite or there is none, compiled code keeps the conventions of `custodiet.autodiff.rules`.

Every program is called elsewhere first, so that nothing is compared any more when it comes to the point that matters.
"""

import math

import numpy as np
import pytest

from custodiet.autodiff import jacobian, jvp, value_and_grad
from tests.unit.autodiff.agreement import agree, native_of

CASES = {
    "where": (lambda x: np.sum(np.where(x > 0.0, np.sqrt(np.abs(x)), 0.0)), [1.0, 0.0], [0.5, 0.0]),
    "square": (lambda x: np.sum(np.sqrt(x * x)), [1.0, 0.0], [1.0, 0.0]),
    "norm": (lambda x: np.linalg.norm(x), [0.0, 0.0], [0.0, 0.0]),
    "hypot": (lambda x: math.hypot(x[0], x[1]) * 1.0, [0.0, 0.0], [0.0, 0.0]),
    "prod": (lambda x: np.prod(x), [0.0, 3.0], [3.0, 0.0]),
    "root": (lambda x: math.sqrt(x[0]) + x[1], [0.0, 1.0], [math.inf, 1.0]),
}


@pytest.mark.parametrize("name", CASES)
def test_reverse_mode_at_the_point_of_the_convention(name):
    f, point, slopes = CASES[name]
    x = np.array(point)
    call = value_and_grad(f, mode="compile")
    for _ in range(2):
        call(np.array([0.7, 1.3]))
    assert native_of(call).verified_once
    for _ in range(3):
        value, found = call(x)
        assert value == f(x)
        np.testing.assert_array_equal(found, slopes)
    agree(f, x, native=None)


@pytest.mark.parametrize("name", CASES)
def test_forward_mode_at_the_point_of_the_convention(name):
    f, point, slopes = CASES[name]
    call = jacobian(f, mode="compile")
    for _ in range(2):
        call(np.array([0.7, 1.3]))
    for _ in range(2):
        np.testing.assert_array_equal(call(np.array(point)), slopes)


def test_floats_at_the_point_of_the_convention():
    def f(x, y):
        return math.sqrt(x * x) + y

    call = value_and_grad(f, (0, 1), mode="compile")
    expected = value_and_grad(f, (0, 1), mode="trace")(0.0, 1.0)
    for _ in range(3):
        call(2.0, 1.0)
    assert [call(0.0, 1.0) for _ in range(2)] == [expected] * 2


def test_infinite_slope_does_not_leave_written_arguments_changed_twice():
    def f(a):
        a[0] = a[0] + 1.0
        return math.sqrt(a[1]) * a[0]

    call = value_and_grad(f, mode="compile")
    call(np.array([1.0, 2.0]))
    a = np.array([1.0, 0.0])
    value, slopes = call(a)
    assert (value, a.tolist()) == (0.0, [2.0, 0.0])
    assert slopes.tolist() == [0.0, math.inf]


def test_forward_mode_leaves_written_arguments_as_cpython_does():
    def f(x, a):
        a[0] = a[0] + 1.0
        return math.hypot(x, a[1]) * a[0]

    for x, y, slope in ((3.0, 4.0, 1.2), (0.0, 0.0, 0.0)):
        for _ in range(3):
            a = np.array([1.0, y])
            _, change = jvp(f, (x, a), (1.0, np.zeros(2)))
            assert change == pytest.approx(slope)
            assert a[0] == 2.0
