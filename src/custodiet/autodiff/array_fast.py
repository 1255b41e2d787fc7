"""The short way for common array operations on a tape.

`+ - * / ** 2` and unary ufuncs of plain arrays of one shape and dtype (or with a number) need no rule look-up, no
unbroadcasting and no views; on small arrays that is most of their cost. The operators here take such operands and
leave all others to the general way; both record the same derivatives (the tests compare them).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from custodiet.autodiff.arrays import TracedArray
from custodiet.autodiff.rules.core import RULES, scale
from custodiet.autodiff.rules.elementwise import UNARY
from custodiet.autodiff.tape import ReverseTrace, Sweep

__all__ = ["unary"]


def _product(g: Any, d: Any, sweep: Sweep) -> Any:
    """G d; with the guard of `scale` in a guarded sweep."""
    return scale(g, d) if sweep.guarded else g * d


class _Unary:
    """A unary ufunc: its slope from the result and the operand."""

    __slots__ = ("out", "parent", "slope", "x")

    def __init__(self, parent: int, slope: Callable[[Any, Any], Any], out: Any, x: Any) -> None:
        self.parent = parent
        self.slope = slope
        self.out = out
        self.x = x

    def pull(self, g: Any, sweep: Sweep, place: int) -> None:
        d = self.slope(self.out, self.x)
        if type(g) is np.ndarray:
            sweep.take(self.parent, _product(g, d, sweep))
        else:
            sweep.add(self.parent, scale(g, d))


class _Sum:
    """a + b, a - b: signs of the operands; place 0 is nobody."""

    __slots__ = ("a", "b", "sign_a", "sign_b")

    def __init__(self, a: int, sign_a: float, b: int, sign_b: float) -> None:
        self.a = a
        self.b = b
        self.sign_a = sign_a
        self.sign_b = sign_b

    def pull(self, g: Any, sweep: Sweep, place: int) -> None:
        for parent, sign in ((self.a, self.sign_a), (self.b, self.sign_b)):
            if parent:
                if sign > 0:
                    sweep.add(parent, g)
                elif type(g) is np.ndarray:
                    sweep.take(parent, -g)
                else:
                    sweep.add(parent, -g)


class _Product:
    """A product: what each operand is multiplied by; place 0 is nobody."""

    __slots__ = ("a", "b", "by_a", "by_b")

    def __init__(self, a: int, by_a: Any, b: int, by_b: Any) -> None:
        self.a = a
        self.b = b
        self.by_a = by_a
        self.by_b = by_b

    def pull(self, g: Any, sweep: Sweep, place: int) -> None:
        for parent, d in ((self.a, self.by_a), (self.b, self.by_b)):
            if parent:
                if type(g) is np.ndarray:
                    sweep.take(parent, _product(g, d, sweep))
                else:
                    sweep.add(parent, scale(g, d))


class _Quotient:
    """a / b."""

    __slots__ = ("a", "b", "below", "out")

    def __init__(self, a: int, b: int, below: Any, out: Any) -> None:
        self.a = a
        self.b = b
        self.below = below
        self.out = out

    def pull(self, g: Any, sweep: Sweep, place: int) -> None:
        for parent, d in ((self.a, None), (self.b, self.out)):
            if parent:
                slope = 1.0 / self.below if d is None else -d / self.below
                if type(g) is np.ndarray:
                    sweep.take(parent, _product(g, slope, sweep))
                else:
                    sweep.add(parent, scale(g, slope))


def _operand(x: TracedArray, other: Any, trace: Any) -> tuple[Any, int, bool]:
    """(value, place, fit) of the other operand."""
    kind = type(other)
    if kind is float or kind is int:
        return other, 0, True
    v = x._v
    if kind is TracedArray:
        w = other.v
        t = other._t
        fit = type(w) is np.ndarray and w.shape == v.shape and w.dtype == v.dtype and (t is trace or t is None)
        return w, other._i if t is trace else 0, fit
    if kind is np.ndarray and other.shape == v.shape and other.dtype == v.dtype:
        return other.copy() if other.flags["W"] else other, 0, True
    return None, 0, False


def _keep(x: Any) -> None:
    if type(x) is TracedArray:
        x.keep()


def _plus(x: TracedArray, v: Any, w: Any, j: int, other: Any) -> tuple[Any, Any]:
    return v + w, _Sum(x._i, 1.0, j, 1.0)


def _minus(x: TracedArray, v: Any, w: Any, j: int, other: Any) -> tuple[Any, Any]:
    return v - w, _Sum(x._i, 1.0, j, -1.0)


def _from(x: TracedArray, v: Any, w: Any, j: int, other: Any) -> tuple[Any, Any]:
    return w - v, _Sum(x._i, -1.0, j, 1.0)


def _times(x: TracedArray, v: Any, w: Any, j: int, other: Any) -> tuple[Any, Any]:
    _keep(other)
    if j:
        x.keep()
    return v * w, _Product(x._i, w, j, v)


def _over(x: TracedArray, v: Any, w: Any, j: int, other: Any) -> tuple[Any, Any]:
    _keep(other)
    out = v / w
    return out, _Quotient(x._i, j, w, out)


def _under(x: TracedArray, v: Any, w: Any, j: int, other: Any) -> tuple[Any, Any]:
    x.keep()
    out = w / v
    return out, _Quotient(j, x._i, v, out)


def _operator(
    ufunc: Any, general: Callable[[Any, Any], Any], special: Callable[..., tuple[Any, Any]]
) -> Callable[[Any, Any], Any]:
    rule = RULES[ufunc]

    def run(self: TracedArray, other: Any) -> Any:
        if self.base is None and RULES[ufunc] is rule:
            trace = self._t
            v = self._v
            if type(trace) is ReverseTrace and type(v) is np.ndarray:
                w, j, fit = _operand(self, other, trace)
                if fit:
                    out, entry = special(self, v, w, j, other)
                    if type(out) is np.ndarray:
                        made = TracedArray(out, trace.push(entry), trace)
                        if type(entry) is _Quotient:
                            made.shared = True
                        return made
        return general(self, other)

    return run


def _power(general: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def run(self: TracedArray, other: Any) -> Any:
        v = self.v
        if type(other) is int and other == 2 and type(self._t) is ReverseTrace and type(v) is np.ndarray and v.ndim:
            return TracedArray(v * v, self._t.push(_Product(self._i, 2.0 * v, 0, None)), self._t)
        return general(self, other)

    return run


_SLOPES = {
    getattr(np, name): (RULES[getattr(np, name)], d, "out" in reads, "0" in reads)
    for name, (d, reads, _) in UNARY.items()
}


def unary(ufunc: Any, x: Any) -> Any:
    """A unary ufunc of a traced array; NotImplemented where the short way does not apply."""
    known = _SLOPES.get(ufunc)
    if known is None or x.base is not None or RULES[ufunc] is not known[0]:
        return NotImplemented
    v, trace = x._v, x._t
    if type(trace) is not ReverseTrace or type(v) is not np.ndarray or not v.ndim:
        return NotImplemented
    _, slope, reads_out, reads_x = known
    out = ufunc(v)
    if reads_x:
        x.shared = True
    made = TracedArray(out, trace.push(_Unary(x._i, slope, out, v)), trace)
    if reads_out:
        made.shared = True
    return made


def _install() -> None:
    pairs = {
        "__add__": (np.add, _plus),
        "__radd__": (np.add, _plus),
        "__sub__": (np.subtract, _minus),
        "__rsub__": (np.subtract, _from),
        "__mul__": (np.multiply, _times),
        "__rmul__": (np.multiply, _times),
        "__truediv__": (np.true_divide, _over),
        "__rtruediv__": (np.true_divide, _under),
    }
    for name, (ufunc, special) in pairs.items():
        setattr(TracedArray, name, _operator(ufunc, getattr(TracedArray, name), special))
    TracedArray.__pow__ = _power(TracedArray.__pow__)  # type: ignore[attr-defined]


_install()
