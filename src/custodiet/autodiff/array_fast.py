"""The short way for common array operations on a tape.

`+ - * / ** 2`, negation and unary ufuncs of plain arrays of one shape and dtype (or with a number) need no rule look-up,
no unbroadcasting and no views; on small arrays that is most of their cost. Which operands these are is asked once per
array: it then knows its `Space`, and two arrays fit if they know the same one. All others are left to the general way;
both record the same derivatives (the tests compare them).

What is recorded is a list, which `sweep` reads:

- `[place of a, d/da, place of b, d/db]`, each derivative an array, a number, `ONE` or `MINUS`; a is never nobody;
- `[place of a, slope, x]`, where `slope(x)` is d/da, computed on the way back, in a new array.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from custodiet.autodiff.arrays import TracedArray
from custodiet.autodiff.rules.core import RULES, Rule, scale
from custodiet.autodiff.rules.elementwise import UNARY, itself
from custodiet.autodiff.sweep import MINUS, ONE, ZERO, Sweep
from custodiet.autodiff.tape import ReverseTrace

__all__ = ["Space"]

_new = object.__new__
_asarray = np.asarray
_DTYPES = frozenset({np.dtype(np.float32), np.dtype(np.float64)})


class Space:
    """The plain arrays of one shape (not `()`) and dtype on one tape.

    It does not know its tape, which knows it: without cycles a tape is gone as soon as nobody needs it.
    """

    __slots__ = ("dtype", "number", "shape")

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.shape = shape
        self.dtype = dtype
        self.number = dtype.type

    def add(self, trace: ReverseTrace, out: Any, entry: Any) -> TracedArray:
        """An array of this space, recorded."""
        entries = trace.entries
        made = _new(TracedArray)
        made._v = out
        made._i = len(entries)
        made._t = trace
        made.space = self
        entries.append(entry)
        return made


def _enter(x: TracedArray) -> Space | None:
    """The space that a handle is in, None where it is in none; views are cut anew, all others remember it."""
    if x.base is not None:
        x.sync()
    v, trace = x._v, x._t
    if type(trace) is not ReverseTrace or type(v) is not np.ndarray or not v.ndim:
        return None
    key = v.shape, v.dtype
    space = trace.spaces.get(key)
    if space is None:
        if v.dtype not in _DTYPES or not all(map(operator.is_, map(RULES.get, _KNOWN), _KNOWN.values())):
            return None  # the second: somebody has other rules for the operations here
        space = trace.spaces[key] = Space(*key)
    if x.base is None:
        x.space = space
    return space


def _plain(other: Any, space: Space, held: bool) -> Any:
    """What stands for an operand that is not of this space; None where only the general way knows.

    Args:
        held: it is recorded, so that later writes must not show in it.
    """
    kind = type(other)
    if kind is float or kind is int:  # NumPy multiplies by an array without axes in less than by a Python float
        return _asarray(float(other), space.dtype)
    if kind is space.number:
        return _asarray(other)
    if kind is TracedArray and other.t is None:
        w = other.v
        if type(w) is np.ndarray and w.shape == space.shape and w.dtype == space.dtype:
            return other.keep() if held else w
    elif kind is np.ndarray and other.dtype == space.dtype and (other.shape == space.shape or not other.ndim):
        return other.copy() if held and other.flags["W"] else other
    return None


class _Quotient:
    """a / b; place 0 is nobody."""

    __slots__ = ("a", "b", "below", "out")

    def __init__(self, a: int, b: int, below: Any, out: Any) -> None:
        self.a = a
        self.b = b
        self.below = below
        self.out = out

    def pull(self, g: Any, sweep: Sweep, place: int) -> None:
        short = type(g) is np.ndarray and not sweep.guarded
        for parent, d in ((self.a, None), (self.b, self.out)):
            if parent:
                slope = 1.0 / self.below if d is None else -d / self.below
                if short:
                    slope *= g
                    sweep.take(parent, slope)
                elif type(g) is np.ndarray:
                    sweep.take(parent, scale(g, slope))
                else:
                    sweep.add(parent, scale(g, slope))


Operator = Callable[[Any, Any], Any]


def _add(general: Operator) -> Operator:
    def run(self: TracedArray, other: Any) -> Any:
        space = self.space or _enter(self)
        if space is not None:
            if type(other) is TracedArray and (other.space or _enter(other)) is space:
                return space.add(self._t, self._v + other._v, [self._i, ONE, other._i, ONE])
            w = _plain(other, space, False)
            if w is not None:
                return space.add(self._t, self._v + w, [self._i, ONE, 0, ONE])
        return general(self, other)

    return run


def _subtract(general: Operator) -> Operator:
    def run(self: TracedArray, other: Any) -> Any:
        space = self.space or _enter(self)
        if space is not None:
            if type(other) is TracedArray and (other.space or _enter(other)) is space:
                return space.add(self._t, self._v - other._v, [self._i, ONE, other._i, MINUS])
            w = _plain(other, space, False)
            if w is not None:
                return space.add(self._t, self._v - w, [self._i, ONE, 0, ONE])
        return general(self, other)

    return run


def _subtract_from(general: Operator) -> Operator:
    def run(self: TracedArray, other: Any) -> Any:
        space = self.space or _enter(self)
        if space is not None:
            w = _plain(other, space, False)
            if w is not None:
                return space.add(self._t, w - self._v, [self._i, MINUS, 0, ONE])
        return general(self, other)

    return run


def _multiply(general: Operator) -> Operator:
    def run(self: TracedArray, other: Any) -> Any:
        space = self.space or _enter(self)
        if space is not None:
            v = self._v
            if type(other) is TracedArray and (other.space or _enter(other)) is space:
                w = other._v
                if self.space is None or other.space is None:
                    self.keep()
                    other.keep()
                else:
                    self.shared = other.shared = True
                return space.add(self._t, v * w, [self._i, w, other._i, v])
            w = _plain(other, space, True)
            if w is not None:
                return space.add(self._t, v * w, [self._i, w, 0, ONE])
        return general(self, other)

    return run


def _divide(general: Operator) -> Operator:
    def run(self: TracedArray, other: Any) -> Any:
        space = self.space or _enter(self)
        if space is not None:
            if type(other) is TracedArray and (other.space or _enter(other)) is space:
                below = other._v
                out = self._v / below
                made = space.add(self._t, out, _Quotient(self._i, other._i, below, out))
                made.shared = True
                other.keep()
                return made
            below = _plain(other, space, True)
            if below is not None:
                return space.add(self._t, self._v / below, _Quotient(self._i, 0, below, None))
        return general(self, other)

    return run


def _divide_into(general: Operator) -> Operator:
    def run(self: TracedArray, other: Any) -> Any:
        space = self.space or _enter(self)
        if space is not None:
            w = _plain(other, space, False)
            if w is not None:
                out = w / self._v
                made = space.add(self._t, out, _Quotient(0, self._i, self._v, out))
                made.shared = True
                self.keep()
                return made
        return general(self, other)

    return run


def _power(general: Operator) -> Operator:
    def run(self: TracedArray, other: Any) -> Any:
        if type(other) is int and other == 2:
            space = self.space or _enter(self)
            if space is not None:
                v = self._v
                return space.add(self._t, v * v, [self._i, 2.0 * v, 0, ONE])
        return general(self, other)

    return run


def _negative(general: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def run(self: TracedArray) -> Any:
        space = self.space or _enter(self)
        return general(self) if space is None else space.add(self._t, -self._v, [self._i, MINUS, 0, ONE])

    return run


_SLOPES = {getattr(np, name): (slope, reads) for name, (slope, reads, _) in UNARY.items()}


def _ufunc(general: Callable[..., Any], pairs: dict[Any, tuple[Operator, Operator]]) -> Callable[..., Any]:
    """`__array_ufunc__`: unary ones here, those that have an operator by it."""

    def run(self: TracedArray, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and not kwargs:
            if len(inputs) == 1:
                known = _SLOPES.get(ufunc)
                if known is not None:
                    space = self.space or _enter(self)
                    if space is not None:
                        slope, reads = known
                        v = self._v
                        out = ufunc(v)
                        if reads == "0":
                            if self.space is None:
                                self.keep()
                            else:
                                self.shared = True
                            return space.add(self._t, out, [self._i, slope, v])
                        if slope is itself:
                            made = space.add(self._t, out, [self._i, out, 0, ONE])
                        elif reads:
                            made = space.add(self._t, out, [self._i, slope, out])
                        else:
                            return space.add(self._t, out, [self._i, slope(ZERO), 0, ONE])
                        made.shared = True
                        return made
            elif ufunc in pairs:
                x, y = inputs
                if type(x) is TracedArray:
                    return pairs[ufunc][0](x, y)
                if type(x) is np.ndarray:
                    return pairs[ufunc][1](y, x)
        return general(self, ufunc, method, *inputs, **kwargs)

    return run


def _install() -> dict[Any, Rule]:
    """Put the short way in front of the operators; the rules that it stands for."""
    kind: Any = TracedArray
    both = {
        np.add: ("add", _add, _add),
        np.subtract: ("sub", _subtract, _subtract_from),
        np.multiply: ("mul", _multiply, _multiply),
        np.true_divide: ("truediv", _divide, _divide_into),
    }
    pairs = {}
    for ufunc, (name, left, right) in both.items():
        setattr(kind, f"__{name}__", left(getattr(kind, f"__{name}__")))
        setattr(kind, f"__r{name}__", right(getattr(kind, f"__r{name}__")))
        pairs[ufunc] = getattr(kind, f"__{name}__"), getattr(kind, f"__r{name}__")
    kind.__pow__ = _power(kind.__pow__)
    kind.__neg__ = _negative(kind.__neg__)
    kind.__array_ufunc__ = _ufunc(kind.__array_ufunc__, pairs)
    return {ufunc: RULES[ufunc] for ufunc in (*both, np.power, np.negative, *_SLOPES)}


_KNOWN = _install()
