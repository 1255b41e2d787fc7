"""Numbers: Python's operators and the functions of `math`.

The scalar tape does not go through `Rule`: `SCALARS[callable]` gives `(callable, partials)`, where
`partials(out, *args)` is the tuple of derivatives (None: not differentiable in that argument). `math.*` is in `RULES`
as well, made from the same partials. `m.sin` and the others here take plain and traced numbers alike, so that partials
can be traced.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from custodiet.autodiff.rules.core import primal_of, register

__all__ = ["SCALARS", "m"]

Partials = Callable[..., tuple[Any, ...]]
SCALARS: dict[Callable[..., Any], tuple[Callable[..., Any], Partials]] = {}

INF, NAN = math.inf, math.nan


class _Dispatching:
    """`m.sin(x)`: math.sin for plain numbers, recorded for traced ones."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = getattr(math, name)

        def either(*args: Any) -> Any:
            for one in args:
                if hasattr(type(one), "_traced_"):
                    from custodiet.autodiff.core import apply_scalar

                    return apply_scalar(function, args)
            return function(*args)

        either.__name__ = name
        setattr(self, name, either)
        return either


m: Any = _Dispatching()


def _divide(a: Any, b: Any) -> Any:
    """The quotient, infinite or NaN where Python would raise: a derivative may be infinite where the value is not."""
    if primal_of(b) != 0.0:
        return a / b
    top = primal_of(a)
    return NAN if top == 0.0 or top != top else math.copysign(INF, top)


def _exp(x: Any) -> Any:
    try:
        return m.exp(x)
    except OverflowError:
        return INF


def _pow(out: Any, a: Any, b: Any) -> tuple[Any, Any]:
    if isinstance(primal_of(out), complex):
        from custodiet.errors import DifferentiationError

        raise DifferentiationError(f"{primal_of(a)} ** {primal_of(b)} is complex", hint="Take the power of abs(x).")
    base, exponent = primal_of(a), primal_of(b)
    if not hasattr(type(b), "_traced_") and exponent == 2:
        left = 2.0 * a
    elif not hasattr(type(b), "_traced_") and exponent == 1:
        left = 1.0
    elif base == 0.0 and exponent == 0.0:
        left = 0.0
    elif base == 0.0 and exponent < 1.0:
        left = INF if exponent > 0.0 else -INF
    else:
        try:
            left = b * a ** (b - 1)
        except OverflowError:
            left = math.copysign(INF, exponent) * (1.0 if base > 0 else NAN)
    if base == 0.0:
        right: Any = 0.0
    elif base < 0.0 or base != base:
        right = NAN
    else:
        right = out * m.log(a)
    return left, right


def _mod(out: Any, a: Any, b: Any) -> tuple[Any, Any]:
    return 1.0, -float(primal_of(a) // primal_of(b))


def _abs(out: Any, x: Any) -> tuple[Any]:
    x = primal_of(x)
    return (1.0 if x > 0 else -1.0 if x < 0 else 0.0,)


def _digamma(x: Any) -> Any:
    from scipy import special as sp

    return sp.psi(x) if hasattr(type(x), "_traced_") else float(sp.psi(x))


def _hypot(out: Any, *args: Any) -> tuple[Any, ...]:
    if primal_of(out) == 0.0:
        return tuple(0.0 for _ in args)
    return tuple(x / out for x in args)


def _atan2(out: Any, y: Any, x: Any) -> tuple[Any, Any]:
    square = x * x + y * y
    return _divide(x, square), _divide(-y, square)


def _log(out: Any, x: Any, base: Any = None) -> tuple[Any, ...]:
    if base is None:
        return (_divide(1.0, x),)
    scale = m.log(base)
    return _divide(1.0, x * scale), -out / (base * scale)


def _sqrt(out: Any, x: Any) -> tuple[Any]:
    return (_divide(0.5, out),)


OPERATORS: dict[Callable[..., Any], Partials] = {
    operator.add: lambda out, a, b: (1.0, 1.0),
    operator.sub: lambda out, a, b: (1.0, -1.0),
    operator.mul: lambda out, a, b: (b, a),
    operator.truediv: lambda out, a, b: (1.0 / b, -out / b),
    operator.floordiv: lambda out, a, b: (0.0, 0.0),
    operator.mod: _mod,
    operator.pow: _pow,
    operator.neg: lambda out, x: (-1.0,),
    operator.pos: lambda out, x: (1.0,),
    operator.abs: _abs,
}

MATH: dict[str, Partials] = {
    "sin": lambda out, x: (m.cos(x),),
    "cos": lambda out, x: (-m.sin(x),),
    "tan": lambda out, x: (1.0 + out * out,),
    "asin": lambda out, x: (_divide(1.0, m.sqrt(1.0 - x * x)),),
    "acos": lambda out, x: (_divide(-1.0, m.sqrt(1.0 - x * x)),),
    "atan": lambda out, x: (1.0 / (1.0 + x * x),),
    "sinh": lambda out, x: (m.cosh(x),),
    "cosh": lambda out, x: (m.sinh(x),),
    "tanh": lambda out, x: (1.0 - out * out,),
    "asinh": lambda out, x: (1.0 / m.sqrt(1.0 + x * x),),
    "acosh": lambda out, x: (_divide(1.0, m.sqrt(x * x - 1.0)),),
    "atanh": lambda out, x: (_divide(1.0, 1.0 - x * x),),
    "exp": lambda out, x: (out,),
    "exp2": lambda out, x: (out * math.log(2.0),),
    "expm1": lambda out, x: (_exp(x),),
    "log": _log,
    "log2": lambda out, x: (_divide(1.0, x * math.log(2.0)),),
    "log10": lambda out, x: (_divide(1.0, x * math.log(10.0)),),
    "log1p": lambda out, x: (_divide(1.0, 1.0 + x),),
    "sqrt": _sqrt,
    "cbrt": lambda out, x: (_divide(1.0, 3.0 * out * out),),
    "fabs": _abs,
    "erf": lambda out, x: (2.0 / math.sqrt(math.pi) * m.exp(-x * x),),
    "erfc": lambda out, x: (-2.0 / math.sqrt(math.pi) * m.exp(-x * x),),
    "lgamma": lambda out, x: (_digamma(x),),
    "gamma": lambda out, x: (out * _digamma(x),),
    "degrees": lambda out, x: (180.0 / math.pi,),
    "radians": lambda out, x: (math.pi / 180.0,),
    "pow": _pow,
    "atan2": _atan2,
    "hypot": _hypot,
    "fmod": lambda out, a, b: (1.0, -float(math.trunc(primal_of(a) / primal_of(b)))),
    "remainder": lambda out, a, b: (1.0, -float(round((primal_of(a) - primal_of(out)) / primal_of(b)))),
    "copysign": lambda out, a, b: (math.copysign(1.0, primal_of(a)) * math.copysign(1.0, primal_of(out)), 0.0),
    "ldexp": lambda out, a, b: (math.ldexp(1.0, b), None),
    "fma": lambda out, a, b, c: (b, a, 1.0),
}


def _as_rule(name: str, function: Callable[..., Any], partials: Partials, count: int) -> None:
    def vjp(i: int) -> Callable[..., Any]:
        def back(g: Any, out: Any, *args: Any) -> Any:
            d = partials(out, *args)[i]
            return 0.0 if not hasattr(type(g), "_traced_") and g == 0.0 else g * d

        return back

    rules = tuple(vjp(i) for i in range(count))
    register(f"math.{name}", function, rules, rules)


def _define() -> None:
    for function, partials in OPERATORS.items():
        SCALARS[function] = (function, partials)
    counts = {"pow": 2, "atan2": 2, "hypot": 8, "fmod": 2, "remainder": 2, "copysign": 2, "log": 2, "fma": 3}
    for name, partials in MATH.items():
        function = getattr(math, name, None)  # cbrt and exp2 are of Python 3.11, fma of 3.13
        if function is not None:
            SCALARS[function] = (function, partials)
            _as_rule(name, function, partials, counts.get(name, 1))


_define()
