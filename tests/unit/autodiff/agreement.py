"""One call of a function in plain CPython, on the tape and compiled: values, gradients, exceptions and arguments afterwards."""

import math

import numpy as np

from custodiet.autodiff import explain, value_and_grad
from custodiet.autodiff.compiler.entry import CompiledGradient, Trapped
from custodiet.autodiff.pytree import flatten
from tests.unit.autodiff.differences import central_differences, copied, float_leaves

VALUE_TOLERANCE, GRADIENT_TOLERANCE = 1e-12, 1e-9


def outcome(call, args):
    """What a call did: ("value", v) or ("raised", type, message), and the arguments afterwards."""
    given = copied(args)
    try:
        return ("value", call(*given)), given
    except Exception as error:  # whatever the program raises is compared
        return ("raised", type(error), str(error)), given


def close(mine, theirs, tolerance):
    """Numbers agree relative to the largest; NaN is NaN, infinities are equal."""
    a, b = np.asarray(mine, dtype=float), np.asarray(theirs, dtype=float)
    if a.shape != b.shape:
        return False
    scale = max(1.0, float(np.max(np.abs(b[np.isfinite(b)]), initial=0.0)))
    return bool(np.allclose(a, b, rtol=0.0, atol=tolerance * scale, equal_nan=True))


def assert_same_nest(mine, theirs, tolerance, what):
    """Two nests of numbers and arrays."""
    (a, a_nest), (b, b_nest) = flatten(mine), flatten(theirs)
    assert a_nest == b_nest, f"{what}: {a_nest} is not {b_nest}"
    for one, other in zip(a, b, strict=True):
        assert close(one, other, tolerance), f"{what}: {one!r} is not {other!r}"


def native_of(call):
    """The compiled code that a wrapped function holds."""
    found = [one for one in call.state.compiled.values() if isinstance(one, CompiledGradient)]
    return found[-1] if found else None


def traps(call, args):
    """Whether native code leaves this call to CPython."""
    try:
        native_of(call)(copied(args))
    except Trapped:
        return True
    return False


def agree(f, *args, argnums=None, native=True, differences=False, warm=()):
    """Check that `f` does compiled, in both modes and in each of three calls, what it does in CPython and on the tape.

    Args:
        f: the program.
        args: where it is called.
        argnums: what is differentiated; by default every argument that holds floats only.
        native: True, native code computes this call; False, it leaves it to CPython; None, whichever.
        differences: the gradient is also compared with central differences.
        warm: arguments of earlier calls, so that this one is not the first of its kind.

    Returns:
        The gradient, or the type of the exception.
    """
    if argnums is None:
        argnums = tuple(k for k, one in enumerate(args) if float_leaves(one))
    expected, after = outcome(f, args)
    taped, _ = outcome(value_and_grad(f, argnums, mode="trace"), args)
    modes = ("compile", "auto")
    if native is None and explain(f, *copied(args)).path == "trace":
        modes = ("auto",)  # `mode="compile"` says why it cannot
    for mode in modes:
        call = value_and_grad(f, argnums, mode=mode)
        for earlier in warm:
            call(*copied(earlier))
        if native is not None:
            told = explain(f, *copied(args))
            assert told.path == "compile", told
        for number in range(3):
            got, left = outcome(call, args)
            at = f"{mode}, call {number}"
            if expected[0] == "raised":
                assert got == expected, at
            else:
                assert got[0] == "value", f"{at}: {got}"
                assert taped[0] == "value", f"the tape: {taped}"
                value, gradient = got[1]
                assert close(value, expected[1], VALUE_TOLERANCE), f"{at}: {value!r} is not {expected[1]!r}"
                if math.isfinite(value):
                    assert_same_nest(gradient, taped[1][1], GRADIENT_TOLERANCE, f"{at}: gradient")
                assert_same_nest(list(left), list(after), VALUE_TOLERANCE, f"{at}: arguments afterwards")
        if native is not None and (mode == "compile" or native_of(call) is not None):
            assert traps(call, args) is not native, f"native code {'left' if native else 'kept'} the call"
    if expected[0] == "raised":
        return expected[1]
    if differences:
        for place, k in enumerate(argnums):
            for path in float_leaves(args[k]):
                slope = central_differences(f, copied(args), k, path)
                mine = taped[1][1][place]
                for key in path:
                    mine = mine[key]
                assert close(mine, slope, 1e-6), f"central differences of argument {k}: {slope!r}, not {mine!r}"
    return taped[1][1]


def same_float(a, b):
    """Equal, or both NaN; 0.0 is not -0.0."""
    return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1.0, a) == math.copysign(1.0, b))
