"""`mode="auto"`: a first call that runs long is compiled meanwhile, the tape stops, and nobody can tell from the answer."""

import numpy as np
import pytest

from custodiet.autodiff import dispatch, value_and_grad
from custodiet.autodiff.compiler.entry import CompiledGradient
from tests.unit.autodiff.agreement import copied


@pytest.fixture
def hot(monkeypatch):
    """Every first call counts as long: it is compiled, and the tape told to stop, when ten operations are on it."""
    timers, stopped = [], []

    class Timer:
        daemon = False

        def __init__(self, after_s, function):
            self.function = function
            timers.append(self)

        def start(self):
            pass

        def cancel(self):
            pass

    real = dispatch._run_tape

    def run(f, args, kwargs, argnums, places, has_aux, on_trace):
        class Entries(list):
            def append(self, item):
                super().append(item)
                if len(self) == 10:
                    timers[-1].function()

        def told(trace):
            on_trace(trace)
            trace.entries = Entries([None])

        try:
            return real(f, args, kwargs, argnums, places, has_aux, on_trace and told)
        except dispatch.TapeStopped:
            stopped.append(f)
            raise

    monkeypatch.setattr(dispatch.threading, "Timer", Timer)
    monkeypatch.setattr(dispatch, "_run_tape", run)
    return stopped


def smooth(a, n):
    for i in range(n):
        a[i % 3] = a[i % 3] * 0.9 + 0.1 * a[(i + 1) % 3]
    return a[0] * a[1]


def held(x, n):
    try:
        for _ in range(n):
            x = x * 1.01
    except Exception:  # the tape is not stopped by what a program catches
        x = 0.0
    finally:
        x = x * 2.0
    return x


def listed(xs, n):
    for _ in range(n):
        xs[0] = xs[0] * xs[1]
    return xs[0] + xs[1]


def halves(x, n):
    for _ in range(n):
        x = x * 0.5
    return 1.0 / (x - x)


def test_the_tape_is_stopped_and_the_answer_is_the_same(hot):
    for f, args in ((smooth, (np.array([1.0, 2.0, 3.0]), 30)), (listed, ([1.1, 1.2], 20))):
        theirs, mine = copied(args), copied(args)
        expected = value_and_grad(f, mode="trace")(*theirs)
        call = value_and_grad(f)
        value, slope = call(*mine)
        assert hot[-1] is f
        assert isinstance(next(iter(call.state.compiled.values())), CompiledGradient)
        assert value == pytest.approx(expected[0], rel=1e-12)
        np.testing.assert_allclose(slope, expected[1], rtol=1e-9)
        np.testing.assert_allclose(mine[0], theirs[0], rtol=1e-12)


def test_what_is_not_compiled_runs_to_its_end(hot):
    call = value_and_grad(held)
    expected = value_and_grad(held, mode="trace")(1.0, 30)
    assert call(1.0, 30) == pytest.approx(expected)
    assert (hot == [held]) == isinstance(next(iter(call.state.compiled.values())), CompiledGradient)


def test_a_call_that_native_code_leaves_is_the_tapes_after_all(hot):
    with pytest.raises(ZeroDivisionError):
        value_and_grad(halves)(1.0, 30)
    assert hot == [halves]


def test_a_short_first_call_is_not_compiled():
    call = value_and_grad(smooth)
    call(np.array([1.0, 2.0, 3.0]), 3)
    assert not call.state.compiled


def swallowed(x, n):
    try:
        for _ in range(n):
            x = x * 1.01
    except:  # noqa: E722 - such programs exist
        x = 0.0
    return x * 1.0


def test_a_program_that_swallows_the_stop_is_run_again(hot):
    """Its gradient was zero: the tape was stopped, and the program went on with a constant."""
    expected = value_and_grad(swallowed, mode="trace")(1.0, 30)
    assert value_and_grad(swallowed)(1.0, 30) == pytest.approx(expected)
    assert hot == [swallowed]


def test_a_stop_that_comes_when_all_is_recorded_comes_too_late(hot, monkeypatch):
    traces = []
    real = dispatch.reverse_call

    def recorded(*args, on_trace, **options):
        record = real(*args, on_trace=on_trace and traces.append, **options)
        traces[0].stop(dispatch.TapeStopped)
        return record

    monkeypatch.setattr(dispatch, "reverse_call", recorded)
    assert value_and_grad(lambda x: x * x * x)(2.0) == (8.0, 12.0)
    assert not hot
