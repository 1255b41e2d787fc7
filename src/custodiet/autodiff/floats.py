"""Traced numbers: `TracedFloat` on a tape, `DualFloat` in a forward sweep.

Both stand for the number they wrap: comparisons, `bool`, `int`, `round` and formatting follow its value, `isinstance`
sees its class. What would cut the derivative (`float(x)`, using it as a dictionary key) raises instead.
Every operator is written out: a helper shared by them would be a second call per operation.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from custodiet.autodiff.core import apply, apply_scalar, fail, traced
from custodiet.autodiff.rules.core import RULES, primal_of

__all__ = ["DualFloat", "ScalarOps", "TracedFloat", "scalar_ufunc"]

UFUNC_OPERATOR: dict[Any, Callable[..., Any]] = {
    np.add: operator.add,
    np.subtract: operator.sub,
    np.multiply: operator.mul,
    np.true_divide: operator.truediv,
    np.negative: operator.neg,
}


def _binary(op: Callable[..., Any], ufunc: Any, a: Any, b: Any) -> Any:
    """Every pair of operands that is not the common one."""
    other = b if isinstance(a, ScalarOps) else a
    if isinstance(other, (float, int, np.floating, np.integer, np.bool_)):
        return apply_scalar(op, (a, b))
    if isinstance(other, np.ndarray):
        return apply(RULES[ufunc], (a, b), {})
    if isinstance(other, complex):
        fail("complex numbers are not differentiated", hint="Write the real and imaginary parts out.")
    return NotImplemented


def scalar_ufunc(ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A ufunc that met a traced number or array."""
    from custodiet.autodiff.array_calls import array_ufunc

    if method == "__call__" and not kwargs and ufunc in UFUNC_OPERATOR:
        kinds = (float, int, np.floating, np.integer)
        if all(isinstance(one, kinds) for one in inputs):
            return apply_scalar(UFUNC_OPERATOR[ufunc], inputs)
    return array_ufunc(ufunc, method, inputs, kwargs)


class ScalarOps:
    """What both kinds of traced numbers share; `v` is the value, `t` the trace, `i` its place or tangent there."""

    __slots__ = ("i", "t", "v")
    _traced_ = True
    _is_array_ = False
    __array_priority__ = 1000.0

    def __init__(self, v: Any, i: Any, t: Any) -> None:
        self.v = v
        self.i = i
        self.t = t

    def _value(self) -> Any:
        return self.v

    @property
    def __class__(self) -> Any:  # type: ignore[override]  # isinstance(x, float) answers as it would for the plain number
        return type(primal_of(self))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return scalar_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from custodiet.autodiff.array_calls import array_function

        return array_function(func, args, kwargs)

    def __add__(self, other: Any) -> Any:
        return _binary(operator.add, np.add, self, other)

    def __radd__(self, other: Any) -> Any:
        return _binary(operator.add, np.add, other, self)

    def __sub__(self, other: Any) -> Any:
        return _binary(operator.sub, np.subtract, self, other)

    def __rsub__(self, other: Any) -> Any:
        return _binary(operator.sub, np.subtract, other, self)

    def __mul__(self, other: Any) -> Any:
        return _binary(operator.mul, np.multiply, self, other)

    def __rmul__(self, other: Any) -> Any:
        return _binary(operator.mul, np.multiply, other, self)

    def __truediv__(self, other: Any) -> Any:
        return _binary(operator.truediv, np.true_divide, self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _binary(operator.truediv, np.true_divide, other, self)

    def __floordiv__(self, other: Any) -> Any:
        return _binary(operator.floordiv, np.floor_divide, self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return _binary(operator.floordiv, np.floor_divide, other, self)

    def __mod__(self, other: Any) -> Any:
        return _binary(operator.mod, np.remainder, self, other)

    def __rmod__(self, other: Any) -> Any:
        return _binary(operator.mod, np.remainder, other, self)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __pow__(self, other: Any, mod: Any = None) -> Any:
        return _binary(operator.pow, np.power, self, other)

    def __rpow__(self, other: Any) -> Any:
        return _binary(operator.pow, np.power, other, self)

    def __neg__(self) -> Any:
        return apply_scalar(operator.neg, (self,))

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return apply_scalar(operator.abs, (self,))

    def __lt__(self, other: Any) -> Any:
        return primal_of(self) < primal_of(other)

    def __le__(self, other: Any) -> Any:
        return primal_of(self) <= primal_of(other)

    def __gt__(self, other: Any) -> Any:
        return primal_of(self) > primal_of(other)

    def __ge__(self, other: Any) -> Any:
        return primal_of(self) >= primal_of(other)

    def __eq__(self, other: Any) -> Any:
        return primal_of(self) == primal_of(other)

    def __ne__(self, other: Any) -> Any:
        return primal_of(self) != primal_of(other)

    def __hash__(self) -> int:
        fail(
            "a traced number cannot be hashed: a cache or a set would mix numbers that are equal and vary differently",
            hint="Use stop_gradient(x) as the key, and do not memoize a function that is differentiated.",
        )

    def __bool__(self) -> bool:
        return bool(primal_of(self))

    def __int__(self) -> int:
        return int(primal_of(self))

    def __trunc__(self) -> int:
        return math.trunc(primal_of(self))

    def __floor__(self) -> int:
        return math.floor(primal_of(self))

    def __ceil__(self) -> int:
        return math.ceil(primal_of(self))

    def __round__(self, digits: int | None = None) -> Any:
        return round(primal_of(self)) if digits is None else round(primal_of(self), digits)

    def __float__(self) -> float:
        fail(
            "a traced number was turned into a plain float here, which would lose its derivative",
            hint="A method of a class that was made before, or a library in C, got it: `from custodiet.autodiff "
            "import numpy as np, math` in that module, or pass stop_gradient(x) if no derivative is meant.",
        )

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        fail(
            "a traced number was turned into a plain array here, which would lose its derivative",
            hint="Use `from custodiet.autodiff import numpy as np` in that module, or pass stop_gradient(x).",
        )

    def __complex__(self) -> complex:
        fail("complex numbers are not differentiated", hint="Write the real and imaginary parts out.")

    def __repr__(self) -> str:
        return f"traced({primal_of(self)!r})"

    def __str__(self) -> str:
        return str(primal_of(self))

    def __format__(self, spec: str) -> str:
        return format(primal_of(self), spec)

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: Any) -> Any:
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        fail("a traced number cannot be pickled", hint="Differentiate inside the worker, or pass stop_gradient(x).")

    @property
    def real(self) -> Any:
        """The number itself: traced numbers are real."""
        return self

    @property
    def imag(self) -> float:
        """0.0."""
        return 0.0

    def conjugate(self) -> Any:
        """The number itself."""
        return self

    def is_integer(self) -> bool:
        """float.is_integer of the value."""
        return float(primal_of(self)).is_integer()

    def item(self) -> Any:
        """A Python float that keeps its derivative."""
        self._need_numpy("item")
        value = self.v.item() if hasattr(self.v, "item") else self.v
        return type(self)(value, self.i, self.t)

    def _need_numpy(self, name: str) -> None:
        if not isinstance(primal_of(self), np.generic):
            raise AttributeError(f"'float' object has no attribute {name!r}")

    def __getattr__(self, name: str) -> Any:
        plain = primal_of(self)
        if name.startswith("__") or not isinstance(plain, np.generic) or not hasattr(plain, name):
            raise AttributeError(f"{type(plain).__name__!r} object has no attribute {name!r}")
        if name in ("dtype", "shape", "ndim", "size", "itemsize", "nbytes"):
            return getattr(plain, name)
        from custodiet.autodiff.array_calls import method_of

        return method_of(self, name)

    def __getitem__(self, key: Any) -> Any:
        self._need_numpy("__getitem__")
        if key in ((), ...):
            return self
        from custodiet.autodiff.arrays import cell_of

        return cell_of(self)[key]


class TracedFloat(ScalarOps):
    """A number on a tape.

    One operation appends `(place of a, d/da, place of b, d/db)` to a list: the derivatives are taken at once, and the
    tape holds no objects that the garbage collector would have to follow. Place 0 is nobody.
    """

    __slots__ = ()

    def __add__(self, other: Any) -> Any:
        kind = type(other)
        if kind is float or kind is int:
            return TracedFloat(self.v + other, self.i, self.t)
        if kind is TracedFloat and other.t is self.t:
            trace = self.t
            place = len(trace.entries)
            trace.entries.append((self.i, 1.0, other.i, 1.0))
            return TracedFloat(self.v + other.v, place, trace)
        return _binary(operator.add, np.add, self, other)

    def __radd__(self, other: Any) -> Any:
        kind = type(other)
        if kind is float or kind is int:
            return TracedFloat(other + self.v, self.i, self.t)
        return _binary(operator.add, np.add, other, self)

    def __sub__(self, other: Any) -> Any:
        kind = type(other)
        if kind is float or kind is int:
            return TracedFloat(self.v - other, self.i, self.t)
        if kind is TracedFloat and other.t is self.t:
            trace = self.t
            place = len(trace.entries)
            trace.entries.append((self.i, 1.0, other.i, -1.0))
            return TracedFloat(self.v - other.v, place, trace)
        return _binary(operator.sub, np.subtract, self, other)

    def __rsub__(self, other: Any) -> Any:
        kind = type(other)
        if kind is float or kind is int:
            trace = self.t
            place = len(trace.entries)
            trace.entries.append((self.i, -1.0, 0, 0.0))
            return TracedFloat(other - self.v, place, trace)
        return _binary(operator.sub, np.subtract, other, self)

    def __mul__(self, other: Any) -> Any:
        kind = type(other)
        if kind is float or kind is int:
            trace = self.t
            place = len(trace.entries)
            trace.entries.append((self.i, other, 0, 0.0))
            return TracedFloat(self.v * other, place, trace)
        if kind is TracedFloat and other.t is self.t:
            trace = self.t
            place = len(trace.entries)
            trace.entries.append((self.i, other.v, other.i, self.v))
            return TracedFloat(self.v * other.v, place, trace)
        return _binary(operator.mul, np.multiply, self, other)

    def __rmul__(self, other: Any) -> Any:
        kind = type(other)
        if kind is float or kind is int:
            trace = self.t
            place = len(trace.entries)
            trace.entries.append((self.i, other, 0, 0.0))
            return TracedFloat(other * self.v, place, trace)
        return _binary(operator.mul, np.multiply, other, self)

    def __truediv__(self, other: Any) -> Any:
        kind = type(other)
        if kind is float or kind is int:
            trace = self.t
            place = len(trace.entries)
            out = self.v / other
            trace.entries.append((self.i, 1.0 / other, 0, 0.0))
            return TracedFloat(out, place, trace)
        if kind is TracedFloat and other.t is self.t:
            trace = self.t
            place = len(trace.entries)
            below = other.v
            out = self.v / below
            trace.entries.append((self.i, 1.0 / below, other.i, -out / below))
            return TracedFloat(out, place, trace)
        return _binary(operator.truediv, np.true_divide, self, other)

    def __neg__(self) -> Any:
        trace = self.t
        place = len(trace.entries)
        trace.entries.append((self.i, -1.0, 0, 0.0))
        return TracedFloat(-self.v, place, trace)

    def __lt__(self, other: Any) -> Any:
        return self.v < (other if type(other) is float else primal_of(other))

    def __gt__(self, other: Any) -> Any:
        return self.v > (other if type(other) is float else primal_of(other))

    def __pow__(self, other: Any, mod: Any = None) -> Any:
        if type(other) is int and other == 2:
            trace = self.t
            place = len(trace.entries)
            trace.entries.append((self.i, 2.0 * self.v, 0, 0.0))
            return TracedFloat(self.v**2, place, trace)
        return _binary(operator.pow, np.power, self, other)


class DualFloat(ScalarOps):
    """A number with a tangent: a number, or an array of shape (K,) where K directions are swept at once."""

    __slots__ = ()


def is_traced_scalar(x: Any) -> bool:
    """True for a traced number."""
    return traced(x) and not type(x)._is_array_
