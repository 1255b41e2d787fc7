"""The safety net: a wrong derivative rule is caught by the first compiled call that uses it, with the line."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from custodiet.autodiff import grad, jacobian, value_and_grad
from custodiet.autodiff.compiler import verify
from custodiet.autodiff.compiler.operations import DERIVATIVES
from custodiet.errors import DifferentiationError

HERE = Path(__file__).name

PROGRAMS = {
    "fadd": lambda x, y: x + y * 2.0,
    "fsub": lambda x, y: x - y,
    "fmul": lambda x, y: x * y,
    "fdiv": lambda x, y: x / y,
    "fneg": lambda x, y: -x + y,
    "fpow": lambda x, y: x**y,
    "fmod": lambda x, y: (5.0 * x) % y,
    "fabs": lambda x, y: abs(x) + abs(y),
    "square": lambda x, y: np.square(x) + y,
    "pow2": lambda x, y: x**2 + y,
    "recip": lambda x, y: np.reciprocal(x) + y,
    "sin": lambda x, y: math.sin(x) + y,
    "cos": lambda x, y: math.cos(x) + y,
    "tan": lambda x, y: math.tan(x) + y,
    "asin": lambda x, y: math.asin(x) + y,
    "acos": lambda x, y: math.acos(x) + y,
    "atan": lambda x, y: math.atan(x) + y,
    "sinh": lambda x, y: math.sinh(x) + y,
    "cosh": lambda x, y: math.cosh(x) + y,
    "tanh": lambda x, y: math.tanh(x) + y,
    "asinh": lambda x, y: math.asinh(x) + y,
    "acosh": lambda x, y: math.acosh(x + 1.0) + y,
    "atanh": lambda x, y: math.atanh(x) + y,
    "exp": lambda x, y: math.exp(x) + y,
    "exp2": lambda x, y: np.exp2(x) + y,
    "expm1": lambda x, y: math.expm1(x) + y,
    "log": lambda x, y: math.log(x) + y,
    "log2": lambda x, y: math.log2(x) + y,
    "log10": lambda x, y: math.log10(x) + y,
    "log1p": lambda x, y: math.log1p(x) + y,
    "sqrt": lambda x, y: math.sqrt(x) + y,
    "cbrt": lambda x, y: np.cbrt(x) + y,
    "erf": lambda x, y: math.erf(x) + y,
    "erfc": lambda x, y: math.erfc(x) + y,
    "lgamma": lambda x, y: math.lgamma(x) + y,
    "hypot": lambda x, y: math.hypot(x, y),
    "atan2": lambda x, y: math.atan2(x, y),
    "copysign": lambda x, y: math.copysign(x, -1.0) + y,
    "cfmod": lambda x, y: math.fmod(5.0 * x, y),
    "tgamma": lambda x, y: math.gamma(x) + y,
    "logaddexp": lambda x, y: np.logaddexp(x, y),
    "logaddexp2": lambda x, y: np.logaddexp2(x, y),
    "digamma": lambda x, y: special.psi(x) + y,
    "gamma": lambda x, y: special.gamma(x) + y,
    "rgamma": lambda x, y: special.rgamma(x) + y,
    "erfcx": lambda x, y: special.erfcx(x) + y,
    "erfinv": lambda x, y: special.erfinv(x) + y,
    "erfcinv": lambda x, y: special.erfcinv(x) + y,
    "expit": lambda x, y: special.expit(x) + y,
    "log_expit": lambda x, y: special.log_expit(x) + y,
    "logit": lambda x, y: special.logit(x) + y,
    "entr": lambda x, y: special.entr(x) + y,
    "ndtr": lambda x, y: special.ndtr(x) + y,
    "log_ndtr": lambda x, y: special.log_ndtr(x) + y,
    "ndtri": lambda x, y: special.ndtri(x) + y,
    "i0": lambda x, y: special.i0(x) + y,
    "i1": lambda x, y: special.i1(x) + y,
    "i0e": lambda x, y: special.i0e(x) + y,
    "i1e": lambda x, y: special.i1e(x) + y,
    "j0": lambda x, y: special.j0(x) + y,
    "j1": lambda x, y: special.j1(x) + y,
    "exprel": lambda x, y: special.exprel(x) + y,
    "xlogy": lambda x, y: special.xlogy(x, y),
    "xlog1py": lambda x, y: special.xlog1py(x, y),
    "rel_entr": lambda x, y: special.rel_entr(x, y),
    "kl_div": lambda x, y: special.kl_div(x, y),
    "betaln": lambda x, y: special.betaln(x, y),
    "beta": lambda x, y: special.beta(x, y),
}
REDUCTIONS = {"fadd_r": lambda a: np.sum(a * a)}
CASES = [
    (name, place)
    for name, rule in DERIVATIVES.items()
    for place, text in enumerate(rule)
    if text is not None and name not in REDUCTIONS
]
POINT = (0.7, 0.9)


def mutate(monkeypatch, name, place):
    rule = list(DERIVATIVES[name])
    rule[place] = f"1.01 * ({rule[place]})"
    monkeypatch.setitem(DERIVATIVES, name, tuple(rule))


def test_every_rule_has_a_program():
    assert {name for name, _ in CASES} == set(PROGRAMS)


@pytest.mark.parametrize("name", PROGRAMS)
def test_rules_as_they_are_pass(name):
    call = grad(PROGRAMS[name], (0, 1), mode="compile")
    expected = grad(PROGRAMS[name], (0, 1), mode="trace")(*POINT)
    for _ in range(3):
        assert call(*POINT) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("name", "place"), CASES)
def test_wrong_rule_is_caught_by_the_first_compiled_call(monkeypatch, name, place):
    mutate(monkeypatch, name, place)
    call = grad(PROGRAMS[name], (0, 1), mode="compile")
    for _ in range(2):  # and by every other: nothing was verified
        with pytest.raises(DifferentiationError, match=rf"differs from the tape's at .*{HERE}:\d+"):
            call(*POINT)


def test_wrong_rule_is_caught_by_the_second_call_in_auto_mode(monkeypatch):
    mutate(monkeypatch, "tanh", 0)
    call = grad(PROGRAMS["tanh"], mode="auto")
    assert call(*POINT) == pytest.approx(1.0 - math.tanh(POINT[0]) ** 2)
    with pytest.raises(DifferentiationError, match=HERE):
        call(*POINT)


def branching(x):
    y = x * x
    if x > 2.0:
        y = math.sin(y)
    return y * 3.0


def test_wrong_rule_in_a_branch_is_caught_when_the_branch_is_entered(monkeypatch):
    mutate(monkeypatch, "sin", 0)
    call = grad(branching, mode="compile")
    assert [call(x) for x in (1.0, 1.5)] == [6.0, 9.0]
    line = branching.__code__.co_firstlineno + 2
    with pytest.raises(DifferentiationError, match=f"{HERE}:{line}"):
        call(3.0)
    assert call(1.0) == 6.0
    with pytest.raises(DifferentiationError, match=HERE):
        call(3.0)


def looping(x, n, m):
    y = x
    for _ in range(n):
        y = y * 1.5
        k = 0
        while k < m:
            y = math.cos(y)
            k += 1
    return y


def test_wrong_rule_in_an_inner_loop_is_caught_in_its_first_round(monkeypatch):
    mutate(monkeypatch, "cos", 0)
    call = grad(looping, mode="compile")
    assert [call(1.0, 0, 0), call(1.0, 0, 5), call(1.0, 2, 0)] == [1.0, 1.0, 2.25]
    with pytest.raises(DifferentiationError, match=f"{HERE}:{looping.__code__.co_firstlineno + 5}"):
        call(1.0, 2, 1)


def early(x, n):
    for i in range(n):
        x = x * 0.9
        if i == 3:
            return math.exp(x)
    return x


def test_wrong_rule_behind_an_early_return_is_caught_when_it_is_taken(monkeypatch):
    mutate(monkeypatch, "exp", 0)
    call = grad(early, mode="compile")
    assert call(1.0, 0) == 1.0
    assert call(1.0, 3) == pytest.approx(0.9**3)
    with pytest.raises(DifferentiationError, match=HERE):
        call(1.0, 4)


def test_program_with_more_blocks_than_a_word_holds(monkeypatch, tmp_path):
    lines = ["import math", "", "", "def f(x, n):", "    y = x"]
    for k in range(70):
        lines += [f"    if n == {k}:", f"        y = y + {'math.sinh(x)' if k == 66 else 'x'} * {k}.0"]
    (tmp_path / "many_blocks.py").write_text("\n".join([*lines, "    return y", ""]))
    monkeypatch.syspath_prepend(str(tmp_path))
    import many_blocks

    mutate(monkeypatch, "sinh", 0)
    call = grad(many_blocks.f, mode="compile")
    assert [call(1.0, n) for n in (0, 30, 31, 65, 69, 70)] == [1.0, 31.0, 32.0, 66.0, 70.0, 1.0]
    with pytest.raises(DifferentiationError, match=f"many_blocks.py:{6 + 2 * 66}"):
        call(1.0, 66)


def long_program(x, y, n):
    total = 0.0
    for i in range(n):
        total = total + math.atan(x * i) * y
    return total


@pytest.fixture
def taped(monkeypatch):
    """Every program counts as a long one; the list tells which of them the tape saw in the end."""
    seen = []
    real = verify.reverse_call

    def record(*args, **kwargs):
        seen.append(args[0])
        return real(*args, **kwargs)

    monkeypatch.setattr(verify, "TAPE_LIMIT_S", -1.0)
    monkeypatch.setattr(verify, "reverse_call", record)
    return seen


def test_long_program_is_compared_with_differences(taped):
    call = value_and_grad(long_program, (0, 1), mode="compile")
    expected = value_and_grad(long_program, (0, 1), mode="trace")(0.3, 0.4, 50)
    value, slopes = call(0.3, 0.4, 50)
    assert value == pytest.approx(expected[0], rel=1e-12)
    assert slopes == pytest.approx(expected[1], rel=1e-9)
    assert not taped


@pytest.mark.parametrize("name", ["atan", "fmul", "fadd"])
def test_wrong_rule_in_a_long_program_is_caught(monkeypatch, taped, name):
    mutate(monkeypatch, name, 0)
    with pytest.raises(DifferentiationError, match=HERE):
        grad(long_program, (0, 1), mode="compile")(0.3, 0.4, 50)
    assert taped == [long_program]


def test_differences_of_arrays_lists_and_written_arguments(taped):
    def f(a, xs, table):
        a[0] = a[0] * xs[1]
        return a[0] * a[1] + xs[0] * table["w"]

    args = (np.array([1.0, 2.0]), [3.0, 4.0], {"w": 5.0})
    call = grad(f, (0, 1, 2), mode="compile")
    slopes = call(*args)
    assert slopes[0].tolist() == [8.0, 4.0]
    assert slopes[1] == [5.0, 2.0]
    assert slopes[2] == {"w": 3.0}
    assert args[0].tolist() == [4.0, 2.0]
    assert not taped


def test_function_with_a_jump_nearby_is_decided_by_the_tape(taped):
    def f(x):
        return x * 2.0 if x > 0.5 else x * 3.0

    assert grad(f, mode="compile")(0.5 + 1e-9) == 2.0
    assert taped == [f]


def test_wrong_value_is_caught():
    verify.compare_values(1.0, 1.0, "file.py:3")
    for value, expected in [(1.0, 1.0 + 1e-6), (math.nan, 1.0), (1.0, math.inf)]:
        with pytest.raises(DifferentiationError, match=r"value differs from CPython's at file.py:3"):
            verify.compare_values(value, expected, "file.py:3")


def test_value_that_is_no_number_verifies_nothing(monkeypatch):
    mutate(monkeypatch, "fmul", 0)
    call = grad(lambda x: x * 3.0, mode="compile")
    assert math.isnan(value_and_grad(lambda x: x * 3.0, mode="compile")(math.nan)[0])
    for _ in range(2):
        call(math.nan)
    with pytest.raises(DifferentiationError):
        call(1.0)


def test_reductions_are_checked_too(monkeypatch):
    mutate(monkeypatch, "fmul", 1)
    with pytest.raises(DifferentiationError, match=HERE):
        grad(REDUCTIONS["fadd_r"], mode="compile")(np.array([1.0, 2.0]))


def test_arguments_that_the_program_draws_from_are_copied_for_the_check():
    class Coin:
        sides = 2.0

    def f(x, coin, a):
        a[0] = a[0] + 1.0
        return x * coin.sides * a[0]

    call = grad(f, mode="compile")
    a = np.zeros(1)
    assert [call(1.5, Coin, a) for _ in range(3)] == [2.0, 4.0, 6.0]
    assert a[0] == 3.0


def test_infinities_of_two_signs_and_nan_are_three_things():
    for value, expected in [(math.inf, -math.inf), (math.nan, math.inf), (-math.inf, math.nan)]:
        with pytest.raises(DifferentiationError, match="value differs"):
            verify.compare_values(value, expected, "file.py:3")
    verify.compare_values(math.nan, math.nan, "file.py:3")
    verify.compare_values(-math.inf, -math.inf, "file.py:3")


HELPERS = """import math


SCALE = 2.0


def bent(x, n):
    if n > 3:
        return math.sinh(x) * SCALE
    return x


def summed(a):
    total = 0.0
    for one in a:
        total += bent(one, 9)
    return total


def outer(x, n):
    def inner(y):
        if n > 5:
            return math.sinh(y)
        return y

    return inner(x)
"""


@pytest.fixture
def helpers(monkeypatch, tmp_path):
    """A module in another file."""
    (tmp_path / "verify_helpers.py").write_text(HELPERS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "verify_helpers", raising=False)
    import verify_helpers

    return verify_helpers


def test_line_of_a_helper_in_another_file(monkeypatch, helpers):
    def f(x, n):
        y = x * 2.0
        return helpers.bent(y, n) + 1.0

    mutate(monkeypatch, "sinh", 0)
    call = grad(f, mode="compile")
    assert call(1.0, 1) == 2.0
    with pytest.raises(DifferentiationError, match=r"verify_helpers.py:8\b"):
        call(1.0, 4)


def test_line_of_a_nested_function_of_a_helper(monkeypatch, helpers):
    mutate(monkeypatch, "sinh", 0)
    call = grad(lambda x, n: helpers.outer(x, n) * 2.0, mode="compile")
    assert call(1.0, 1) == 2.0
    with pytest.raises(DifferentiationError, match=r"verify_helpers.py:22\b"):
        call(1.0, 6)


def test_line_of_a_helper_in_forward_mode(monkeypatch, helpers):
    mutate(monkeypatch, "sinh", 0)
    call = jacobian(lambda x, n: helpers.bent(x, n) * 2.0, mode="compile")
    assert call(1.0, 1) == 2.0
    with pytest.raises(DifferentiationError, match=r"verify_helpers.py:8\b"):
        call(1.0, 4)


def test_line_of_a_helper_from_a_kept_plan(monkeypatch, helpers, tmp_path):
    monkeypatch.setenv("CUSTODIET_CACHE", str(tmp_path / "cache"))

    def f(x, n):
        return helpers.bent(x, n) + 1.0

    mutate(monkeypatch, "sinh", 0)
    for _ in range(2):
        with pytest.raises(DifferentiationError, match=r"verify_helpers.py:8\b"):
            grad(f, mode="compile")(1.0, 4)


def helper_below(x, n):
    if n > 3:
        return math.cosh(x)
    return x


def test_line_of_a_helper_in_the_same_file(monkeypatch):
    def f(x, n):
        return helper_below(x, n) + 1.0

    mutate(monkeypatch, "cosh", 0)
    call = grad(f, mode="compile")
    call(1.0, 1)
    with pytest.raises(DifferentiationError, match=rf"{HERE}:{helper_below.__code__.co_firstlineno + 1}\b"):
        call(1.0, 4)


def test_line_of_a_library_function_is_that_of_its_call(monkeypatch):
    def f(a, b):
        y = a[0] * 2.0

        return np.linalg.solve(a.reshape((2, 2)), b)[0] + y

    mutate(monkeypatch, "fsub", 1)
    with pytest.raises(DifferentiationError, match=rf"{HERE}:{f.__code__.co_firstlineno + 3}\b"):
        grad(f, mode="compile")(np.array([2.0, 0.3, 0.4, 3.0]), np.array([1.0, 2.0]))
    trapped = value_and_grad(f, mode="compile")
    with pytest.raises(np.linalg.LinAlgError):
        trapped(np.zeros(4), np.ones(2))
