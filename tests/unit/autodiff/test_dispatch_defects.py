"""A compiler that fails where it should not is no reason to fail, and none to be silent: the tape answers, with a warning."""

import warnings

import numpy as np
import pytest

from custodiet.autodiff import CompilerDefectWarning, dispatch, explain, grad, jacobian, value_and_grad
from custodiet.autodiff.compiler import lower
from custodiet.errors import DifferentiationError


def f(x, a):
    return np.sum(a) * x * x


ARGS = (1.5, np.array([1.0, 2.0]))


@pytest.fixture
def broken(monkeypatch):
    """A compiler with a defect."""

    def fail(self, node):
        raise AssertionError("a bad invariant")

    monkeypatch.setattr(lower.Lowerer, "_do_Return", fail)


@pytest.mark.usefixtures("broken")
def test_reverse_mode_warns_once_and_takes_the_tape():
    call = value_and_grad(f)
    assert call(*ARGS) == (6.75, 9.0)
    with pytest.warns(
        CompilerDefectWarning, match=r"f ran on the tape: compiler defect in .*py:\d+: AssertionError: a bad invariant"
    ):
        assert call(*ARGS) == (6.75, 9.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert call(*ARGS) == (6.75, 9.0)


@pytest.mark.usefixtures("broken")
def test_forward_mode_warns_once_and_is_interpreted():
    call = jacobian(f, mode="auto")
    with pytest.warns(CompilerDefectWarning, match="Please report the program") as told:
        for _ in range(4):
            assert call(*ARGS) == 9.0
    assert len(told) == 1


@pytest.mark.usefixtures("broken")
def test_modes_that_ask_for_the_compiler_say_what_happened():
    with pytest.warns(CompilerDefectWarning), pytest.raises(DifferentiationError, match="compiler defect in"):
        grad(f, mode="compile")(*ARGS)
    with pytest.warns(CompilerDefectWarning):
        assert explain(f, *ARGS).path == "trace"


@pytest.mark.usefixtures("broken")
def test_defect_in_the_background_is_told_at_the_next_call(monkeypatch):
    def slow(x, n):
        for _ in range(n):
            x = x * 1.0
        return x

    monkeypatch.setattr(dispatch, "HOT_AFTER_S", 0.0)
    call = grad(slow)
    assert call(1.5, 50_000) == 1.0
    with pytest.warns(CompilerDefectWarning):
        assert call(1.5, 3) == 1.0


def test_expressions_that_nest_too_deep_are_declined_without_a_warning(tmp_path, monkeypatch):
    (tmp_path / "deep_text.py").write_text("def f(x):\n    return " + "(" * 90 + "x" + " * 1.01)" * 90 + "\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import deep_text

    call = grad(deep_text.f)
    assert [call(1.0) for _ in range(3)] == [pytest.approx(1.01**90)] * 3


def test_errors_of_the_program_are_no_defects():
    def eye_of_minus_one(x):
        return x * np.sum(np.eye(-1))

    def attribute(x):
        return x * np.no_such_function(x)

    def too_few(x):
        return x * len()

    with warnings.catch_warnings():
        warnings.simplefilter("error", CompilerDefectWarning)
        for program, error in ((eye_of_minus_one, ValueError), (attribute, AttributeError), (too_few, TypeError)):
            assert explain(program, 1.5).path == "trace" or program is eye_of_minus_one
            for _ in range(3):
                with pytest.raises(error):
                    grad(program)(1.5)
