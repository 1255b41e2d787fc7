"""Elementwise functions: NumPy's ufuncs, `where` and `clip`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from custodiet.autodiff.rules.core import (
    RULES,
    broadcast_like,
    elementwise,
    primal_of,
    register,
    select,
    unbroadcast,
)

__all__ = ["BINARY", "UNARY", "itself"]

LN2, LN10 = float(np.log(2.0)), float(np.log(10.0))
DEGREE = float(np.pi / 180.0)


def _zero(out: Any, *args: Any) -> Any:
    return 0.0


def _one(out: Any, *args: Any) -> Any:
    return 1.0


def _add_linear() -> None:
    """`add`, `subtract`, `negative`: nothing is read."""

    def keep(i: int, sign: float) -> tuple[Any, Any]:
        def vjp(g: Any, out: Any, *args: Any, **kwargs: Any) -> Any:
            return unbroadcast(g if sign > 0 else -g, args[i])

        def jvp(t: Any, out: Any, *args: Any, **kwargs: Any) -> Any:
            return broadcast_like(t if sign > 0 else -t, out)

        return vjp, jvp

    (a, at), (b, bt), (c, ct) = keep(0, 1.0), keep(1, 1.0), keep(1, -1.0)
    register("np.add", np.add, (a, b), (at, bt), ("", ""))
    register("np.subtract", np.subtract, (a, c), (at, ct), ("", ""))
    n, nt = keep(0, -1.0)
    register("np.negative", np.negative, (n,), (nt,), ("",))
    register("np.positive", np.positive, (a,), (at,), ("",))


def _power_base(out: Any, x: Any, y: Any) -> Any:
    # y == 0: the derivative is 0 even at x == 0, where x ** -1 is infinite
    plain = primal_of(y)
    if np.ndim(plain) == 0 and plain == 2:
        return y * x
    hole = (np.asarray(plain) == 0.0) & (np.asarray(primal_of(x)) == 0.0)
    return y * select(hole, 0.0, np.power(select(hole, 1.0, x), y - 1)) if np.any(hole) else y * np.power(x, y - 1)


def _power_exponent(out: Any, x: Any, y: Any) -> Any:
    zero = np.asarray(primal_of(x)) == 0.0
    if not np.any(zero):
        return out * np.log(x)
    return select(zero, 0.0, out * np.log(select(zero, 1.0, x)))


def _share(out: Any, mine: Any, other: Any) -> Any:
    """1 where mine was taken, 1/2 at ties and 0 elsewhere; NaN, which is its own answer, counts as taken."""
    mine, other, out = primal_of(mine), primal_of(other), primal_of(out)
    took_mine = (mine == out) | (np.isnan(out) & np.isnan(mine))
    took_other = (other == out) | (np.isnan(out) & np.isnan(other))
    return np.where(took_mine, np.where(took_other, 0.5, 1.0), 0.0)


def _hypot(out: Any, mine: Any) -> Any:
    zero = np.asarray(primal_of(out)) == 0.0
    return select(zero, 0.0, mine / select(zero, 1.0, out)) if np.any(zero) else mine / out


def _arctan2_part(mine: Any, x: Any, y: Any) -> Any:
    return mine / (x * x + y * y)


def _logaddexp_part(out: Any, x: Any, y: Any) -> Any:
    # exp(x - out); both -inf: either share is a subgradient, take halves as for ties
    both = np.asarray(primal_of(x) == -np.inf) & np.asarray(primal_of(y) == -np.inf)
    return select(both, 0.5, np.exp(x - select(both, 0.0, out))) if np.any(both) else np.exp(x - out)


def _sinc(out: Any, x: Any) -> Any:
    zero = np.asarray(primal_of(x)) == 0.0
    safe = select(zero, 1.0, x)
    return select(zero, -(np.pi**2) / 3.0 * x, (np.cos(np.pi * safe) - np.sinc(safe)) / safe)


def itself(out: Any) -> Any:
    """The slope of the exponential function."""
    return out


UNARY: dict[str, tuple[Any, str, bool]] = {
    # name: (derivative from the value that it reads, which that is, may it be infinite or multiply an infinity); all but
    # `itself` give a new array for an array, or a number
    "exp": (itself, "out", True),
    "exp2": (lambda out: out * LN2, "out", True),
    "expm1": (np.exp, "0", True),
    "log": (lambda x: 1.0 / x, "0", True),
    "log2": (lambda x: 1.0 / (x * LN2), "0", True),
    "log10": (lambda x: 1.0 / (x * LN10), "0", True),
    "log1p": (lambda x: 1.0 / (1.0 + x), "0", True),
    "sqrt": (lambda out: 0.5 / out, "out", True),
    "cbrt": (lambda out: 1.0 / (3.0 * out * out), "out", True),
    "square": (lambda x: 2.0 * x, "0", True),
    "reciprocal": (lambda out: -out * out, "out", True),
    "sin": (np.cos, "0", True),
    "cos": (lambda x: -np.sin(x), "0", True),
    "tan": (lambda out: 1.0 + out * out, "out", True),
    "arcsin": (lambda x: 1.0 / np.sqrt(1.0 - x * x), "0", True),
    "arccos": (lambda x: -1.0 / np.sqrt(1.0 - x * x), "0", True),
    "arctan": (lambda x: 1.0 / (1.0 + x * x), "0", True),
    "sinh": (np.cosh, "0", True),
    "cosh": (np.sinh, "0", True),
    "tanh": (lambda out: 1.0 - out * out, "out", True),
    "arcsinh": (lambda x: 1.0 / np.sqrt(1.0 + x * x), "0", True),
    "arccosh": (lambda x: 1.0 / np.sqrt(x * x - 1.0), "0", True),
    "arctanh": (lambda x: 1.0 / (1.0 - x * x), "0", True),
    "absolute": (np.sign, "0", False),
    "fabs": (np.sign, "0", False),
    "deg2rad": (lambda _: DEGREE, "", False),
    "radians": (lambda _: DEGREE, "", False),
    "rad2deg": (lambda _: 1.0 / DEGREE, "", False),
    "degrees": (lambda _: 1.0 / DEGREE, "", False),
    "sign": (lambda _: 0.0, "", False),
    "floor": (lambda _: 0.0, "", False),
    "ceil": (lambda _: 0.0, "", False),
    "rint": (lambda _: 0.0, "", False),
    "trunc": (lambda _: 0.0, "", False),
    "conjugate": (lambda _: 1.0, "", False),
}

BINARY: dict[str, tuple[Any, str, Any, str]] = {
    # name: (derivative in x, values read, derivative in y, values read)
    "multiply": (lambda out, x, y: y, "1", lambda out, x, y: x, "0"),
    "divide": (lambda out, x, y: 1.0 / y, "1", lambda out, x, y: -out / y, "out 1"),
    "power": (_power_base, "0 1", _power_exponent, "out 0"),
    "float_power": (_power_base, "0 1", _power_exponent, "out 0"),
    "maximum": (_share, "out 0 1", lambda out, x, y: _share(out, y, x), "out 0 1"),
    "minimum": (_share, "out 0 1", lambda out, x, y: _share(out, y, x), "out 0 1"),
    "fmax": (_share, "out 0 1", lambda out, x, y: _share(out, y, x), "out 0 1"),
    "fmin": (_share, "out 0 1", lambda out, x, y: _share(out, y, x), "out 0 1"),
    "hypot": (lambda out, x, y: _hypot(out, x), "out 0", lambda out, x, y: _hypot(out, y), "out 1"),
    "arctan2": (
        lambda out, y, x: _arctan2_part(x, x, y),
        "0 1",
        lambda out, y, x: _arctan2_part(-y, x, y),
        "0 1",
    ),
    "logaddexp": (_logaddexp_part, "out 0 1", lambda out, x, y: _logaddexp_part(out, y, x), "out 0 1"),
    "logaddexp2": (
        lambda out, x, y: np.exp2(x - out),
        "out 0",
        lambda out, x, y: np.exp2(y - out),
        "out 1",
    ),
    "remainder": (_one, "", lambda out, x, y: -np.floor_divide(x, y), "0 1"),
    "fmod": (_one, "", lambda out, x, y: -np.trunc(x / y), "0 1"),
    "floor_divide": (_zero, "", _zero, ""),
    "copysign": (lambda out, x, y: np.sign(x) * np.sign(out), "out 0", _zero, ""),
    "ldexp": (lambda out, x, y: np.exp2(y), "1", None, ""),
    "heaviside": (_zero, "", lambda out, x, y: np.where(primal_of(x) == 0.0, 1.0, 0.0), "0"),
    "nextafter": (_one, "", _zero, ""),
}


def _where_vjp(took: bool) -> Any:
    def vjp(g: Any, out: Any, mask: Any, yes: Any, no: Any) -> Any:
        mask = primal_of(mask)
        return unbroadcast(np.where(mask, g, 0.0) if took else np.where(mask, 0.0, g), yes if took else no)

    return vjp


def _where_jvp(took: bool) -> Any:
    def jvp(t: Any, out: Any, mask: Any, yes: Any, no: Any) -> Any:
        mask = primal_of(mask)
        return broadcast_like(np.where(mask, t, 0.0) if took else np.where(mask, 0.0, t), out)

    return jvp


def _clip_partials() -> tuple[Any, Any, Any]:
    def inner(out: Any, x: Any, low: Any = None, high: Any = None) -> Any:
        x, low, high = primal_of(x), primal_of(low), primal_of(high)
        above = True if low is None else x >= low
        below = True if high is None else x <= high
        return np.where(np.logical_and(above, below), 1.0, 0.0)

    def lower(out: Any, x: Any, low: Any = None, high: Any = None) -> Any:
        x, low, high = primal_of(x), primal_of(low), primal_of(high)
        return np.where((x < low) & (True if high is None else low <= high), 1.0, 0.0)

    def upper(out: Any, x: Any, low: Any = None, high: Any = None) -> Any:
        x, low, high = primal_of(x), primal_of(low), primal_of(high)
        return np.where((x > high) | (False if low is None else low > high), 1.0, 0.0)

    return inner, lower, upper


def _of_result(d: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda out, x: d(out)


def _of_operand(d: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda out, x: d(x)


def _define() -> None:
    _add_linear()
    for name, (d, reads, guard) in UNARY.items():
        partial = _of_result(d) if reads == "out" else _of_operand(d)
        elementwise(f"np.{name}", getattr(np, name), partial, reads=(reads,), guard=guard)
    for name, (dx, rx, dy, ry) in BINARY.items():
        elementwise(f"np.{name}", getattr(np, name), dx, dy, reads=(rx, ry))
    register(
        "np.where",
        np.where,
        (None, _where_vjp(True), _where_vjp(False)),
        (None, _where_jvp(True), _where_jvp(False)),
        ("", "0", "0"),
    )
    elementwise(
        "np.clip",
        np.clip,
        *_clip_partials(),
        reads=("0 1 2", "0 1 2", "0 1 2"),
        guard=False,
        params="a a_min a_max",
    )
    elementwise("np.sinc", np.sinc, _sinc, reads=("0",), params="x")
    for name in ("real", "real_if_close"):  # traced arrays are real
        elementwise(f"np.{name}", getattr(np, name), _one, reads=("",), guard=False)
    elementwise("np.imag", np.imag, _zero, reads=("",), guard=False)
    elementwise("np.round", np.round, _zero, reads=("",), guard=False)
    RULES[np.around] = RULES[np.round]
    elementwise("np.fix", np.fix, _zero, reads=("",), guard=False)


_define()
