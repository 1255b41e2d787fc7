"""Scalar operations: what Python and NumPy call them, their types, and their derivatives in the same language.

A derivative is written with the operands `a`, `b` and the result `y` as text over the operations themselves, so that one
table serves the reverse sweep, forward mode and the printed source.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

__all__ = ["BOOL_BINARY", "COMPARISONS", "DERIVATIVES", "FLOAT_BINARY", "INT_BINARY", "SCALAR_CALLS", "result_type"]

FLOAT_BINARY = {
    "Add": "fadd", "Sub": "fsub", "Mult": "fmul", "Div": "fdiv", "Pow": "fpow", "Mod": "fmod", "FloorDiv": "ffloordiv",
}  # fmt: skip
INT_BINARY = {
    "Add": "iadd", "Sub": "isub", "Mult": "imul", "Mod": "imod", "FloorDiv": "ifloordiv", "BitAnd": "iand", "BitOr": "ior",
    "BitXor": "ixor", "LShift": "ishl", "RShift": "ishr",
}  # fmt: skip
BOOL_BINARY = {"BitAnd": "and", "BitOr": "or", "BitXor": "xor"}
COMPARISONS = {"Lt": "lt", "LtE": "le", "Gt": "gt", "GtE": "ge", "Eq": "eq", "NotEq": "ne"}

_UNARY = (
    "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "exp", "exp2", "expm1", "log",
    "log2", "log10", "log1p", "sqrt", "cbrt", "erf", "erfc", "lgamma",
)  # fmt: skip
_NUMPY_NAMES = {
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "asinh": "arcsinh",
    "acosh": "arccosh",
    "atanh": "arctanh",
}


def _scalar_calls() -> dict[Any, str]:
    found: dict[Any, str] = {}
    for name in _UNARY:
        for module, theirs in ((math, name), (np, _NUMPY_NAMES.get(name, name))):
            function: Callable[..., Any] | None = getattr(module, theirs, None)
            if function is not None:
                found[function] = name
    for function, name in (
        (math.fabs, "fabs"), (np.abs, "fabs"), (np.fabs, "fabs"), (np.absolute, "fabs"), (math.hypot, "hypot"), (np.hypot, "hypot"),
        (math.atan2, "atan2"), (np.arctan2, "atan2"), (math.pow, "fpow"), (np.power, "fpow"), (np.square, "square"),
        (math.copysign, "copysign"), (np.negative, "fneg"), (np.maximum, "npmax"), (np.minimum, "npmin"), (np.add, "fadd"),
        (np.sign, "sign"), (special.gammaln, "lgamma"), (special.erf, "erf"), (special.erfc, "erfc"),
        (np.subtract, "fsub"), (np.multiply, "fmul"), (np.true_divide, "fdiv"), (np.reciprocal, "recip"),
    ):  # fmt: skip
        found[function] = name
    return found


SCALAR_CALLS: dict[Any, str] = _scalar_calls()

TWO_OVER_SQRT_PI = 2.0 / math.sqrt(math.pi)
LN2, LN10 = math.log(2.0), math.log(10.0)

# g is the adjoint of the result, or the tangent of the operand
DERIVATIVES: dict[str, tuple[str | None, ...]] = {
    "fadd": ("g", "g"),
    "fadd_r": ("g", "g"),
    "still": (None,),
    "sign": (None,),
    "lgamma": ("g * digamma(a)",),
    "fsub": ("g", "-g"),
    "fmul": ("g * b", "g * a"),
    "fdiv": ("g / b", "-g * (y / b)"),
    "fneg": ("-g",),
    "fpow": ("g * powd(a, b)", "g * powl(a, b, y)"),
    "fmod": ("g", "-g * ffloordiv(a, b)"),
    "ffloordiv": (None, None),
    "floor": (None,),
    "ceil": (None,),
    "fabs": ("g * sign(a)",),
    "square": ("g * (2.0 * a)",),
    "pow2": ("g * (2.0 * a)",),
    "recip": ("-g * (y * y)",),
    "sin": ("g * cos(a)",),
    "cos": ("-g * sin(a)",),
    "tan": ("g * (1.0 + y * y)",),
    "asin": ("g / sqrt(1.0 - a * a)",),
    "acos": ("-g / sqrt(1.0 - a * a)",),
    "atan": ("g / (1.0 + a * a)",),
    "sinh": ("g * cosh(a)",),
    "cosh": ("g * sinh(a)",),
    "tanh": ("g * (1.0 - y * y)",),
    "asinh": ("g / sqrt(a * a + 1.0)",),
    "acosh": ("g / sqrt(a * a - 1.0)",),
    "atanh": ("g / (1.0 - a * a)",),
    "exp": ("g * y",),
    "exp2": (f"g * (y * {LN2!r})",),
    "expm1": ("g * (y + 1.0)",),
    "log": ("g / a",),
    "log2": (f"g / (a * {LN2!r})",),
    "log10": (f"g / (a * {LN10!r})",),
    "log1p": ("g / (1.0 + a)",),
    "sqrt": ("g * 0.5 / y",),
    "cbrt": ("g / (3.0 * (y * y))",),
    "erf": (f"g * ({TWO_OVER_SQRT_PI!r} * exp(-(a * a)))",),
    "erfc": (f"-g * ({TWO_OVER_SQRT_PI!r} * exp(-(a * a)))",),
    "hypot": ("g * (a / y)", "g * (b / y)"),
    "atan2": ("g * (b / (a * a + b * b))", "-g * (a / (a * a + b * b))"),
    "copysign": ("g * sign(a) * sign(y)", None),
}
"""Operation -> per operand the adjoint that it receives; None where the derivative is zero everywhere it exists"""

_BOOLEAN = {"not", "and", "or", "xor", *(f"{kind}{name}" for kind in "fib" for name in COMPARISONS.values())}


def result_type(op: str) -> str:
    """f, i or b."""
    if op in _BOOLEAN:
        return "b"
    if op in {*INT_BINARY.values(), "ineg", "iabs", "imin", "imax", "iscale", "ftoi", "btoi"}:
        return "i"
    return "f"
