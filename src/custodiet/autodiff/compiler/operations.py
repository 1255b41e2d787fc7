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

__all__ = [
    "BINARY_SPECIAL", "BOOL_BINARY", "COMPARISONS", "DERIVATIVES", "FLOAT_BINARY", "INT_BINARY", "SCALAR_CALLS", "SPECIAL",
    "result_type",
]  # fmt: skip

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
        (np.floor, "floor"), (np.ceil, "ceil"), (np.trunc, "trunc"), (np.fix, "trunc"), (np.rint, "rint"), (np.round, "rint"),
        (np.around, "rint"), (np.remainder, "fmod"), (np.fmod, "cfmod"), (math.fmod, "cfmod"), (np.floor_divide, "ffloordiv"),
        (np.float_power, "fpow"), (np.copysign, "copysign"), (np.fmax, "npfmax"), (np.fmin, "npfmin"), (math.gamma, "tgamma"),
        (np.logaddexp, "logaddexp"), (np.logaddexp2, "logaddexp2"), (special.psi, "digamma"),
    ):  # fmt: skip
        found[function] = name
    for name in SPECIAL:
        if name != "digamma":
            found[getattr(special, name)] = name
    for name in ("expm1", "exp2", "cbrt", "log1p"):
        found[getattr(special, name)] = name
    return found


SPECIAL: dict[str, str] = {
    **{name: f"__pyx_fuse_1{name}" for name in ("gamma", "rgamma", "erfcx", "ndtr", "log_ndtr", "xlogy", "xlog1py")},
    **{name: f"__pyx_fuse_0{name}" for name in ("erfinv", "expit", "log_expit", "logit")},
    **{
        name: name
        for name in ("erfcinv", "entr", "ndtri", "i0", "i1", "i0e", "i1e", "j0", "j1", "exprel", "beta", "betaln", "rel_entr", "kl_div")
    },
    "digamma": "__pyx_fuse_1psi",
}  # fmt: skip
"""operation -> the C function of `scipy.special.cython_special` that computes it"""
BINARY_SPECIAL = frozenset({"xlogy", "xlog1py", "beta", "betaln", "rel_entr", "kl_div"})


SCALAR_CALLS: dict[Any, str] = _scalar_calls()

TWO_OVER_SQRT_PI = 2.0 / math.sqrt(math.pi)
LN2, LN10 = math.log(2.0), math.log(10.0)
INV_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)

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
    "trunc": (None,),
    "rint": (None,),
    "cfmod": ("g", "-g * trunc(a / b)"),
    "logaddexp": ("g * exp(a - y)", "g * exp(b - y)"),
    "logaddexp2": ("g * exp2(a - y)", "g * exp2(b - y)"),
    "tgamma": ("g * (y * digamma(a))",),
    "gamma": ("g * (y * digamma(a))",),
    "rgamma": ("-g * (y * digamma(a))",),
    "digamma": ("g * trigamma(a)",),
    "erfcx": (f"g * (2.0 * a * y - {TWO_OVER_SQRT_PI!r})",),
    "erfinv": (f"g * (exp(y * y) / {TWO_OVER_SQRT_PI!r})",),
    "erfcinv": (f"-g * (exp(y * y) / {TWO_OVER_SQRT_PI!r})",),
    "expit": ("g * (y * (1.0 - y))",),
    "log_expit": ("g * expit(-a)",),
    "logit": ("g / (a * (1.0 - a))",),
    "entr": ("g * (-log(a) - 1.0)",),
    "ndtr": (f"g * ({INV_SQRT_2PI!r} * exp(-0.5 * (a * a)))",),
    "log_ndtr": (f"g * ({INV_SQRT_2PI!r} * exp(-0.5 * (a * a) - y))",),
    "ndtri": (f"g * (exp(0.5 * (y * y)) / {INV_SQRT_2PI!r})",),
    "i0": ("g * i1(a)",),
    "i1": ("g * (i0(a) - half_over(y, a))",),
    "i0e": ("g * (i1e(a) - sign(a) * y)",),
    "i1e": ("g * (i0e(a) - sign(a) * y - half_over(y, a))",),
    "j0": ("-g * j1(a)",),
    "j1": ("g * (j0(a) - half_over(y, a))",),
    "exprel": ("g * exprel_slope(a, y)",),
    "xlogy": ("g * log_or_zero(a, b)", "g * (a / b)"),
    "xlog1py": ("g * log1p(b)", "g * (a / (1.0 + b))"),
    "rel_entr": ("g * (log(a / b) + 1.0)", "-g * (a / b)"),
    "kl_div": ("g * log(a / b)", "g * (1.0 - a / b)"),
    "betaln": ("g * (digamma(a) - digamma(a + b))", "g * (digamma(b) - digamma(a + b))"),
    "beta": ("g * (y * (digamma(a) - digamma(a + b)))", "g * (y * (digamma(b) - digamma(a + b)))"),
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
