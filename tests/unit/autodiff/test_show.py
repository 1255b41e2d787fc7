"""The printed derivative is Python, reads like the program, and gives the numbers of the native code: an oracle of the whole IR."""

import copy
import math

import numpy as np
import pytest

from benchmarks.programs import small_programs
from benchmarks.programs.coverage import examples
from custodiet.autodiff import grad, value_and_grad
from custodiet.autodiff.compiler.entry import Trapped, compile_gradient, flatten_argument, kind_of
from custodiet.autodiff.compiler.frontend import Declined, free_value
from custodiet.autodiff.compiler.ir import Stmt
from custodiet.autodiff.compiler.show import RUNTIME, show_compiled, show_program
from custodiet.errors import DifferentiationError
from tests.unit.autodiff import recursive_programs

PROGRAMS = [(one.name, one.function, one.inputs, one.argnums) for one in [*examples(), *small_programs()]]
PROGRAMS += [(f.__name__, f, inputs, argnums) for f, inputs, argnums in recursive_programs.PROGRAMS]
DECLINED = {
    "random_noise", "random_vector", "geometric_terms", "own_numbers", "stateful_object", "lstm_array", "ba_residuals",
    "ba_shifted", "hand_simple", "hand_complicated", "hand_shifted",
}  # fmt: skip


def run_text(entry, args):
    """Value and gradients of the text, run by CPython; one gradient per differentiated leaf."""
    given = []
    for one in args:
        flatten_argument(one, kind_of(one), given)
    for function, name, _kind in entry.free:
        value = name if function is None else free_value(function, name)
        flatten_argument(value, kind_of(value), given)
    given = [np.array(one) if isinstance(one, list | np.ndarray) else one for one in given]
    namespace = dict(RUNTIME)
    exec(show_compiled(entry), namespace)
    return namespace[f"{entry.program.name}_gradient"](*given)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program[0])
def test_text_gives_the_numbers_of_the_native_code(program):
    name, function, inputs, argnums = program
    if name in DECLINED:
        with pytest.raises(Declined):
            compile_gradient(function, inputs, argnums)
        return
    entry = compile_gradient(function, inputs, argnums)
    if name == "guarded":  # raises and catches: the native code leaves it to CPython
        with pytest.raises(Trapped):
            entry(copy.deepcopy(inputs))
        return
    value, gradients, _entered = entry(copy.deepcopy(inputs))
    found_value, found = run_text(entry, copy.deepcopy(inputs))
    native = []
    for place, gradient in zip(argnums, gradients, strict=True):
        flatten_argument(gradient, kind_of(inputs[place]), native)
    native = [one for one in native if one is not None]
    np.testing.assert_allclose(found_value, value, rtol=1e-12)
    assert len(found) == len(native)
    for mine, theirs in zip(found, native, strict=True):
        np.testing.assert_allclose(np.asarray(mine, float), np.asarray(theirs, float), rtol=1e-9, atol=1e-12)


def test_most_programs_have_a_text():
    compiled = 0
    for _name, function, inputs, argnums in PROGRAMS:
        try:
            compile_gradient(function, inputs, argnums)
            compiled += 1
        except Declined:
            continue
    assert compiled >= 60


def pendulum(angle, speed, num_steps):
    for _ in range(num_steps):
        speed = speed - 0.01 * math.sin(angle)
        angle = angle + 0.01 * speed
    return angle


def test_text_reads_like_the_program():
    derivative = grad(pendulum, (0, 1), mode="compile")
    derivative(0.3, 0.1, 5)
    text = str(derivative.source)
    assert "frames.push(angle" in text and "reversed" not in text
    assert "for _ in range(" in text and "# reverse sweep" in text
    line = pendulum.__code__.co_firstlineno + 2
    assert f"# line {line}: speed = speed - 0.01 * math.sin(angle)" in text
    assert text.count(f"# line {line}: ") == 2  # once in each sweep
    assert "speed2 = speed - 0.01 * sin(angle)" in text
    assert "* cos(angle)" in text
    assert derivative.source_for(0.3, 0.1, 5) == text
    assert repr(derivative.source) == text


def test_a_comment_stands_in_before_there_is_a_text():
    derivative = value_and_grad(pendulum)
    assert str(derivative.source).startswith("# pendulum has not been compiled yet")
    derivative(0.3, 0.1, 5)
    derivative(0.3, 0.1, 5)
    assert str(derivative.source).startswith("def pendulum_gradient(")


def test_a_program_of_the_tape_says_so():
    def strange(x):
        return x * float(str(2.0))

    derivative = grad(strange)
    for _ in range(2):
        derivative(1.0)
    assert str(derivative.source).startswith("# strange runs on the tape: ")
    with pytest.raises(DifferentiationError, match="strange runs on the tape"):
        derivative.source_for(1.0)


def test_statements_that_it_does_not_know_are_an_error():
    class Leap(Stmt):
        pass

    entry = compile_gradient(pendulum, (0.3, 0.1, 5), (0,))
    entry.program.body.append(Leap())
    with pytest.raises(DifferentiationError, match="no form for `Leap` statements"):
        show_program(entry.program, entry.reversed)


def test_names_of_python_stay_pythons():
    def sum_of(len, sqrt):
        max = len * sqrt
        return max * len

    entry = compile_gradient(sum_of, (2.0, 3.0), (0, 1))
    value, gradients = run_text(entry, (2.0, 3.0))
    assert (value, gradients) == (12.0, (12.0, 4.0))


def power(t, k):
    if k == 0:
        return 1.0
    half = power(t, k // 2)
    return half * half * t if k % 2 else half * half


def test_function_that_calls_itself_reads_like_the_program():
    text = str(grad(power).source_for(1.1, 9))
    assert "def power_call(t, k):" in text and "half, record = power_call(t, k // 2)" in text
    assert "def back(seed):" in text and "record(half_bar)" in text
    assert text.count("half = power(t, k // 2)") == 2
    namespace = dict(RUNTIME)
    exec(text, namespace)
    value, (slope,) = namespace["power_gradient"](1.1, 9)
    assert (value, slope) == (pytest.approx(1.1**9), pytest.approx(9 * 1.1**8))
