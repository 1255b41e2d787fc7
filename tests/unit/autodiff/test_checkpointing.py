"""Binomial checkpointing: the schedule against the published counts, gradients against the whole tape, memory."""

import math
import tracemalloc
from collections import deque
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custodiet.autodiff import checkpoint, checkpointed_loop, grad, hessian, jvp, value_and_grad, vjp
from custodiet.autodiff.checkpointing import num_forward_steps, revolve
from custodiet.errors import DifferentiationError


@cache
def _fewest(steps, snapshots):
    """The optimum by dynamic programming."""
    if steps <= 1:
        return 0
    if snapshots == 1:
        return steps * (steps - 1) // 2
    return min(k + _fewest(steps - k, snapshots - 1) + _fewest(k, snapshots) for k in range(1, steps))


def _follow(steps, snapshots):
    """Run a schedule on step numbers; returns (forward steps, most snapshots held)."""
    state, stack, taped, advanced, most = 0, [0], [], 0, 1
    for kind, a, b in revolve(steps, snapshots):
        if kind == "restore":
            assert stack[-1] == a
            state = a
        elif kind == "advance":
            assert state == a < b
            advanced, state = advanced + b - a, b
        elif kind == "keep":
            assert state == a
            stack.append(a)
            most = max(most, len(stack))
        elif kind == "drop":
            assert stack.pop() == a
        else:
            assert kind == "tape" and state == a
            taped.append(a)
            state = None
    assert taped == list(range(steps - 1, -1, -1)) and not stack
    return advanced, most


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 60), st.integers(1, 12))
def test_the_schedule_is_optimal(steps, snapshots):
    advanced, most = _follow(steps, snapshots)
    assert advanced == num_forward_steps(steps, snapshots) == _fewest(steps, snapshots)
    assert most <= snapshots


def test_published_reach():
    """Griewank and Walther 2000: beta(c, r) = C(c + r, c) steps with r repetitions each at most."""
    assert _follow(math.comb(10 + 3, 10), 10)[0] == 3 * 286 - math.comb(11 + 2, 11)
    advanced, most = _follow(100_000, 20)
    assert advanced == num_forward_steps(100_000, 20) < 6 * 100_000 and most == 20


def step(k, state, rate, weights):
    x, v = state
    return x + 0.1 * v, v - 0.1 * np.sin(x) * weights + rate * math.cos(k * 0.1)


def run(x, v, rate, weights, steps=23, snapshots=4):
    x, v = checkpointed_loop(step, (x, v), steps, rate, weights, snapshots=snapshots)
    return np.sum(x * x) + np.sum(v**3)


def plain(x, v, rate, weights, steps=23):
    state = (x, v)
    for k in range(steps):
        state = step(k, state, rate, weights)
    return np.sum(state[0] * state[0]) + np.sum(state[1] ** 3)


ARGS = (np.array([0.3, 1.0]), np.array([0.1, -0.4]), 0.2, np.array([1.0, 2.0]))


@pytest.mark.parametrize("snapshots", [1, 2, 4, 50])
def test_gradients_equal_the_whole_tape(snapshots):
    value, got = value_and_grad(run, (0, 1, 2, 3))(*ARGS, snapshots=snapshots)
    want_value, want = value_and_grad(plain, (0, 1, 2, 3))(*ARGS)
    assert value == want_value == run(*ARGS)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    assert run(*ARGS, steps=0) == plain(*ARGS, steps=0)
    assert grad(run, 2)(*ARGS, steps=1) == pytest.approx(grad(plain, 2)(*ARGS, steps=1))


def test_other_directions_and_orders():
    t = (ARGS[0], ARGS[1], 1.0, ARGS[3])
    assert jvp(run, ARGS, t)[1] == pytest.approx(jvp(plain, ARGS, t)[1])
    np.testing.assert_allclose(hessian(run)(*ARGS), hessian(plain)(*ARGS), rtol=1e-10)
    np.testing.assert_allclose(
        grad(lambda x: np.sum(grad(run)(x, *ARGS[1:]) ** 2))(ARGS[0]),
        grad(lambda x: np.sum(grad(plain)(x, *ARGS[1:]) ** 2))(ARGS[0]),
        rtol=1e-10,
    )


def test_pulling_twice():
    value, pull = vjp(lambda x: checkpointed_loop(lambda k, s: s * s * 0.9, x, 9, snapshots=3), 0.8)
    assert pull(1.0) == pull(1.0) and pull(2.0)[0] == pytest.approx(2 * pull(1.0)[0])


def test_forward_steps_are_those_of_the_formula():
    calls = deque()  # the library's own type: tracing leaves it alone

    def counted(k, x):
        calls.append(k)
        return x * 0.99 + 0.01 * x * x

    for steps, snapshots in ((1, 1), (10, 1), (30, 3), (100, 7)):
        calls.clear()
        grad(lambda x: checkpointed_loop(counted, x, steps, snapshots=snapshots))(0.5)  # noqa: B023
        assert len(calls) == num_forward_steps(steps, snapshots) + steps


def test_a_step_that_writes_into_its_state():
    def heat(k, u, a):
        u[1:-1] += a * (u[2:] - 2 * u[1:-1] + u[:-2])
        return u

    def total(u, a):
        return np.sum(checkpointed_loop(heat, u, 20, a, snapshots=3) ** 2)

    def whole(u, a):
        for k in range(20):
            u = heat(k, u, a)
        return np.sum(u**2)

    u = np.sin(np.linspace(0, 3, 12))
    got, want = grad(total, (0, 1))(u.copy(), 0.2), grad(whole, (0, 1))(u.copy(), 0.2)
    np.testing.assert_allclose(got[0], want[0], rtol=1e-12)
    assert got[1] == pytest.approx(want[1])


def test_memory_stays_at_the_snapshots():
    def heat(k, u):
        return u + 0.1 * (np.roll(u, 1) - 2 * u + np.roll(u, -1))

    u = np.sin(np.linspace(0, 3, 20_000))
    tracemalloc.start()
    grad(lambda u: np.sum(checkpointed_loop(heat, u, 200, snapshots=5) ** 2))(u)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * u.nbytes  # the whole tape would hold some 800 arrays


def test_errors_of_the_loop():
    with pytest.raises(DifferentiationError, match="snapshots >= 1"):
        checkpointed_loop(lambda k, s: s, 1.0, 3, snapshots=0)
    with pytest.raises(DifferentiationError, match="not among its arguments"):
        grad(lambda x: checkpointed_loop(lambda k, s: s * x, x, 3))(1.0)
    with pytest.raises(DifferentiationError, match="structure"):
        grad(lambda x: checkpointed_loop(lambda k, s: (s, s), x, 3)[0])(1.0)


def test_checkpoint_of_a_function():
    calls = []

    def f(x, scale, n):
        calls.append(1)
        y = x
        for _ in range(n):
            y = np.sin(y) * scale
        return {"y": y, "n": n}

    x = np.array([0.4, 1.3])
    loss = lambda f: lambda x, s: np.sum(f(x, s, 3)["y"] ** 2)  # noqa: E731
    want = grad(loss(f), (0, 1))(x, 0.9)
    calls.clear()
    got = grad(loss(checkpoint(f)), (0, 1))(x, 0.9)
    assert len(calls) == 2
    np.testing.assert_allclose(got[0], want[0])
    assert got[1] == pytest.approx(want[1])
    assert checkpoint(f)(x, 0.9, 2)["n"] == 2
    np.testing.assert_allclose(hessian(loss(checkpoint(f)))(x, 0.9), hessian(loss(f))(x, 0.9), rtol=1e-12)
    with pytest.raises(DifferentiationError, match="not among its arguments"):
        grad(lambda x: checkpoint(lambda y: y * x)(2.0) + checkpoint(lambda y: y * x)(x))(1.0)
