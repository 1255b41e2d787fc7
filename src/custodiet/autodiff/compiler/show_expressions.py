"""Scalar operations as Python expressions, and the few functions that the printed text needs beside `math`."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy import special

from custodiet.autodiff.compiler.operations import COMPARISONS, SPECIAL
from custodiet.errors import DifferentiationError

__all__ = ["RUNTIME", "expression", "literal"]

_BINARY: dict[str, type[ast.operator]] = {
    "fadd": ast.Add, "fadd_r": ast.Add, "fsub": ast.Sub, "fmul": ast.Mult, "fdiv": ast.Div, "fpow": ast.Pow, "fmod": ast.Mod,
    "ffloordiv": ast.FloorDiv, "iadd": ast.Add, "isub": ast.Sub, "imul": ast.Mult, "iscale": ast.Mult, "imod": ast.Mod,
    "ifloordiv": ast.FloorDiv, "iand": ast.BitAnd, "ior": ast.BitOr, "ixor": ast.BitXor, "ishl": ast.LShift, "ishr": ast.RShift,
}  # fmt: skip
_COMPARE: dict[str, type[ast.cmpop]] = {short: getattr(ast, name) for name, short in COMPARISONS.items()}
_CALLS = {"fabs": "abs", "iabs": "abs", "imax": "max", "imin": "min", "itof": "float", "btoi": "int", "ftoi": "int"}
_SIMPLE = (ast.Name, ast.Constant)


class Frames(list[Any]):
    """What the rounds of a loop leave for the reverse sweep."""

    def push(self, *values: Any, **named: Any) -> Any:
        """Leave values in order, or by name in a row that may get more."""
        row = values if values else SimpleNamespace(**named)
        self.append(row)
        return row


def sign(x: float) -> float:
    """-1, 0 or 1; NaN of NaN."""
    return math.copysign(1.0, x) if abs(x) > 0.0 else x + 0.0


def powd(a: float, b: float) -> float:
    """The derivative of a ** b by a."""
    return 0.0 if b == 0.0 else b * a ** (b - 1.0)


def powl(a: float, b: float, y: float) -> float:
    """The derivative of y = a ** b by b."""
    return 0.0 if a == 0.0 else y * math.log(a)


def product(
    a: np.ndarray, b: np.ndarray, rows: int, inner: int, columns: int, transpose_a: bool, transpose_b: bool
) -> np.ndarray:
    """A matrix product of memory that is a vector to somebody else."""
    left = a.reshape((inner, rows)).T if transpose_a else a.reshape((rows, inner))
    right = b.reshape((columns, inner)).T if transpose_b else b.reshape((inner, columns))
    return left @ right


def exprel_slope(a: float, y: float) -> float:
    """The derivative of y = (exp(a) - 1) / a."""
    if abs(a) >= 1e-2:
        return (math.exp(a) - y) / a
    return 0.5 + a * (1 / 3 + a * (1 / 8 + a * (1 / 30 + a * (1 / 144 + a * (1 / 840 + a / 5760)))))


def _plain(function: Callable[..., Any]) -> Callable[..., float]:
    return lambda *args: float(function(*args))


_MATH = (
    "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "exp", "exp2", "expm1", "log", "log2",
    "log10", "log1p", "sqrt", "cbrt", "erf", "erfc", "lgamma", "hypot", "atan2", "copysign", "inf", "nan",
)  # fmt: skip

RUNTIME: dict[str, Any] = {
    **{name: getattr(math, name) for name in _MATH},
    "Frames": Frames,
    **{name: _plain(getattr(special, name)) for name in SPECIAL},
    "trigamma": lambda x: float(special.polygamma(1, x)),
    "tgamma": math.gamma,
    "cfmod": math.fmod,
    "trunc": lambda x: float(math.trunc(x)),
    "rint": lambda x: float(np.rint(x)),
    "logaddexp": _plain(np.logaddexp),
    "logaddexp2": _plain(np.logaddexp2),
    "half_over": lambda y, a: 0.5 if a == 0.0 else y / a,
    "log_or_zero": lambda a, b: 0.0 if a == b == 0.0 else math.log(b),
    "exprel_slope": exprel_slope,
    "ffloordiv": lambda a, b: a // b,
    "ceil": lambda x: float(math.ceil(x)),
    "floor": lambda x: float(math.floor(x)),
    "full": np.full,
    "npmax": lambda a, b: float(np.maximum(a, b)),
    "npmin": lambda a, b: float(np.minimum(a, b)),
    "powd": powd,
    "powl": powl,
    "product": product,
    "sign": sign,
    "zeros": np.zeros,
    "zeros_like": np.zeros_like,
}
"""names that the printed text uses: ``exec(text, dict(RUNTIME))``"""


def literal(value: float | int | bool) -> ast.expr:
    """A number; negative ones as a minus sign before it, so that powers bind as they should."""
    if isinstance(value, float) and not math.isfinite(value):
        found: ast.expr = ast.Name("nan" if math.isnan(value) else "inf")
        return ast.UnaryOp(ast.USub(), found) if value < 0 else found
    if not isinstance(value, bool) and (value < 0 or (value == 0 and math.copysign(1.0, value) < 0)):
        return ast.UnaryOp(ast.USub(), ast.Constant(-value))
    return ast.Constant(value)


def call(name: str, *args: ast.expr) -> ast.expr:
    """A call of a named function."""
    return ast.Call(ast.Name(name), list(args), [])


def expression(op: str, args: list[ast.expr], where: str) -> ast.expr:
    """`op(args)` as a person would write it.

    Raises:
        DifferentiationError: there is no such operation.
    """
    if op in ("copy", "still"):
        return args[0]
    if op in ("iadd", "isub") and isinstance(args[1], ast.Constant) and args[1].value == 0:
        return args[0]
    if op in _BINARY:
        return ast.BinOp(args[0], _BINARY[op](), args[1])
    if op in ("fneg", "ineg"):
        return ast.UnaryOp(ast.USub(), args[0])
    if op == "not":
        return ast.UnaryOp(ast.Not(), args[0])
    if op in ("and", "or"):
        return ast.BoolOp(ast.And() if op == "and" else ast.Or(), args)
    if op == "select":
        return ast.IfExp(*args)
    if op[0] in "fib" and op[1:] in _COMPARE:
        return ast.Compare(args[0], [_COMPARE[op[1:]]()], [args[1]])
    if op == "xor":
        return ast.Compare(args[0], [ast.NotEq()], [args[1]])
    if op == "pow2":
        return ast.BinOp(args[0], ast.Pow(), ast.Constant(2))
    if op == "recip":
        return ast.BinOp(ast.Constant(1.0), ast.Div(), args[0])
    if op == "square":
        if isinstance(args[0], _SIMPLE):
            return ast.BinOp(args[0], ast.Mult(), args[0])
        return ast.BinOp(args[0], ast.Pow(), ast.Constant(2))
    if op == "powd" and isinstance(args[1], ast.Constant) and args[1].value not in (0, 1):
        power = float(args[1].value)  # type: ignore[arg-type]
        less: ast.expr = args[0] if power == 2 else ast.BinOp(args[0], ast.Pow(), literal(power - 1.0))
        return ast.BinOp(args[1], ast.Mult(), less)
    name = _CALLS.get(op, op)
    if name not in RUNTIME and op not in _CALLS:
        raise DifferentiationError(f"the printed derivative has no form for `{op}`", where=where)
    return call(name, *args)
