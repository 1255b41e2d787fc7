"""Traced arrays.

A `TracedArray` is a handle: it stands for the array as it is now. Writing into it (`a[i] = x`, `a += b`) makes the
handle point to a new version; what was recorded before keeps the old one, because a buffer that a recorded rule will
read is copied before it changes. Views alias as in NumPy: a view remembers its base and what it was cut by, is cut
anew after the base was written to, and hands what is written into it back to the base. Where NumPy's view cannot be
written through (`np.diagonal`, `np.broadcast_to`) or where we cannot (an `einsum` that only relabels), a write raises.

A handle that belongs to no trace (`t` is None) is a constant: `np.zeros(3)` in a traced function is one, so that a
traced number can be stored into it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from custodiet.autodiff.core import apply, fail, top_of, traced
from custodiet.autodiff.rules import RULES
from custodiet.autodiff.rules.core import Rule, copied_alike, primal_of
from custodiet.autodiff.rules.indexing import is_advanced

__all__ = ["TracedArray", "cell_of", "constant", "link_view", "plain", "plain_index"]

_PERMUTATIONS = frozenset(
    {
        np.reshape, np.ravel, np.squeeze, np.expand_dims, np.transpose, np.swapaxes, np.moveaxis, np.matrix_transpose,
        np.flip, np.fliplr, np.flipud, np.rot90, np.real, np.real_if_close,
    }
)  # fmt: skip
_READ_ONLY = frozenset({np.diagonal, np.diag, np.broadcast_to})


class TracedArray:
    """An array in a trace, or a constant that may enter one; see the head of this file."""

    _traced_ = True
    _is_array_ = True
    __array_priority__ = 1000.0
    __hash__ = None  # type: ignore[assignment] # as arrays

    base: TracedArray | None = None
    """the array that this is a view of"""
    cut: Any = None
    """(place, rule or None for indexing, other arguments, keywords): how to make the view anew"""
    seen = 0
    """the base's version that the view shows"""
    version = 0
    """number of writes so far"""
    shared = False
    """something recorded holds the buffer: copy before writing"""
    space: Any = None
    """what the array has in common with others (`array_fast.Space`), once that is known; None for views"""

    def __init__(self, v: Any, i: Any, t: Any) -> None:
        self._v = v
        self._i = i
        self._t = t

    @property
    def v(self) -> Any:
        """The value, one level further out."""
        if self.base is not None:
            self.sync()
        return self._v

    @v.setter
    def v(self, value: Any) -> None:
        self._v = value
        self.space = None

    @property
    def i(self) -> Any:
        """The place on the tape, or the tangent."""
        if self.base is not None:
            self.sync()
        return self._i

    @i.setter
    def i(self, value: Any) -> None:
        self._i = value

    @property
    def t(self) -> Any:
        """The trace; None for a constant."""
        if self.base is not None:
            self.sync()
        return self._t

    @t.setter
    def t(self, value: Any) -> None:
        self._t = value
        self.space = None

    def _value(self) -> Any:
        return self.v

    @property
    def __class__(self) -> Any:  # type: ignore[override]  # isinstance(x, np.ndarray) answers as for the plain array
        return np.ndarray

    def sync(self) -> None:
        """Cut a view anew if its base has been written to."""
        chain, one = [], self
        while one.base is not None:
            chain.append(one)
            one = one.base
        for view in reversed(chain):  # bases first
            base: Any = view.base
            if base.version != view.seen:
                place, rule, args, kwargs = view.cut
                again = base[args] if rule is None else apply(rule, (*args[:place], base, *args[place:]), dict(kwargs))
                view._v, view._i, view._t, view.shared = again._v, again._i, again._t, again.shared
                view.seen = base.version
                view.version += 1

    def link(self, base: TracedArray, cut: tuple[Any, ...]) -> None:
        """Become a view of `base`."""
        self.base, self.cut, self.seen, self.space = base, cut, base.version, None

    def keep(self) -> Any:
        """The value as it is now, safe against later writes through this handle and its relatives."""
        self.sync()
        one: TracedArray | None = self
        while one is not None:
            one.shared = True
            one = one.base
        return self.v

    def snapshot(self) -> TracedArray:
        """Another handle on the present version."""
        out = TracedArray(self.keep(), self.i, self.t)
        out.shared = True
        return out

    def unshare(self) -> None:
        """Make the buffer ours to write into."""
        if self.shared:
            self.v = self.v.snapshot() if traced(self.v) else copied_alike(self.v)
            self.shared = False

    def rebind(self, other: TracedArray) -> None:
        """Become the array that `other` is now; views of this handle follow."""
        self.v, self.i, self.t = other.keep(), other.i, other.t
        self.shared = True
        self.version += 1

    # ---- reading

    def __getitem__(self, key: Any) -> Any:
        if self.base is not None:
            self.sync()
        key = plain_index(key)
        if self.t is None:
            got = self.v[key]
            if not isinstance(got, np.ndarray):
                return got
            out = TracedArray(got, 0, None)
        else:
            out = self.t.getitem(self, key)
            if not out._is_array_:
                return out
        if not is_advanced(key):
            out.link(self, (0, None, key, {}))
        return out

    def __len__(self) -> int:
        return len(primal_of(self))

    def __iter__(self) -> Any:
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        return (self[k] for k in range(len(self)))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape."""
        return self.v.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.v.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return primal_of(self).size

    @property
    def dtype(self) -> Any:
        """float32 or float64."""
        return self.v.dtype

    @property
    def flags(self) -> Any:
        """NumPy's flags of the present value."""
        return primal_of(self).flags

    @property
    def T(self) -> Any:
        """The transpose, a view."""
        return np.transpose(self)

    @property
    def mT(self) -> Any:
        """The last two axes swapped, a view."""
        return np.matrix_transpose(self)

    @property
    def flat(self) -> Any:
        """The elements in order; to write, use `a.ravel()[...]`."""
        return iter(np.reshape(self, (-1,)))

    @property
    def real(self) -> Any:
        """The array itself: traced arrays are real."""
        return self

    @property
    def imag(self) -> Any:
        """Zeros."""
        return np.zeros(self.shape, self.dtype)

    # ---- writing

    def __setitem__(self, key: Any, value: Any) -> None:
        key = plain_index(key)
        if isinstance(value, (list, tuple)):
            value = calls.array_of(value)
        if self.base is not None:
            self.sync()
            changed = self.copy()
            changed[key] = value
            self._write_back(changed)
            return
        if type(value) is TracedArray:
            value.sync()
            if value.base is self and value.cut[1] is None and _same_key(value.cut[2], key):
                return  # a[k] += b has written through the view already
            value = value.snapshot() if value.t is not None else value.keep()
        self.unshare()
        top = top_of((self, value))
        if top is None:
            self.v[key] = value
        else:
            top.store(self, key, value)
        self.version += 1

    def _write_back(self, changed: Any) -> None:
        """The array that this view shows becomes `changed`: tell the base."""
        place, rule, args, kwargs = self.cut
        base: Any = self.base
        if rule is None:
            base[args] = changed
        elif rule.primal in _PERMUTATIONS and place == 0:
            base[...] = rule.vjps[0](changed, self, base, *args, **kwargs)
        elif rule.primal in _READ_ONLY:
            raise ValueError("assignment destination is read-only")
        else:
            fail(f"cannot write through the view that {rule.name} made", hint="Write into a copy: x.copy().")
        self.sync()

    def _in_place(self, op: Callable[[Any, Any], Any], other: Any) -> Any:
        out = op(self, other)
        if out.shape != self.shape:
            raise ValueError(f"non-broadcastable output operand with shape {self.shape} for result {out.shape}")
        if out.dtype != self.dtype:
            out = out.astype(self.dtype)
        if type(out) is not TracedArray:  # of arrays without axes NumPy makes numbers
            out = cell_of(out)
        if self.base is not None:
            self.sync()
            self._write_back(out)
        else:
            self.rebind(out)
        return self

    def __iadd__(self, other: Any) -> Any:
        return self._in_place(operator.add, other)

    def __isub__(self, other: Any) -> Any:
        return self._in_place(operator.sub, other)

    def __imul__(self, other: Any) -> Any:
        return self._in_place(operator.mul, other)

    def __itruediv__(self, other: Any) -> Any:
        return self._in_place(operator.truediv, other)

    def __ipow__(self, other: Any) -> Any:
        return self._in_place(operator.pow, other)

    def __imod__(self, other: Any) -> Any:
        return self._in_place(operator.mod, other)

    def __ifloordiv__(self, other: Any) -> Any:
        return self._in_place(operator.floordiv, other)

    def __imatmul__(self, other: Any) -> Any:
        return self._in_place(operator.matmul, other)

    def fill(self, value: Any) -> None:
        """Write one number everywhere."""
        self[...] = value

    def sort(self, axis: int = -1, kind: Any = None) -> None:
        """Sort in place."""
        self[...] = np.sort(self, axis=axis, kind=kind)

    def copy(self, order: str = "C") -> TracedArray:
        """An array of its own with the same numbers and derivatives."""
        if order == "C" and primal_of(self).flags.c_contiguous:
            return self.snapshot()
        return np.copy(self, order)  # type: ignore[call-overload]

    def __copy__(self) -> TracedArray:
        return self.snapshot()

    def __deepcopy__(self, memo: Any) -> TracedArray:
        return self.snapshot()

    # ---- conversions

    def astype(self, dtype: Any, **kwargs: Any) -> Any:
        """The array in another floating dtype; to integers and booleans the derivative ends."""
        dtype = np.dtype(dtype)
        if dtype.kind != "f":
            return primal_of(self).astype(calls.whole_dtype(dtype), **kwargs)
        if dtype == self.dtype:
            return self.copy(kwargs.get("order", "K")) if kwargs.get("copy", True) else self
        return apply(RULES[calls.cast], (self, dtype), {})

    def item(self, *args: Any) -> Any:
        """One element as a Python float that keeps its derivative."""
        flat = np.reshape(self, (-1,))
        if not args and self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        one = flat[0] if not args else (flat[args[0]] if len(args) == 1 and np.ndim(args[0]) == 0 else self[args])
        return one.item()

    def tolist(self) -> Any:
        """Nested lists of Python floats that keep their derivatives."""
        return self.item() if not self.shape else [one.tolist() if one.shape else one.item() for one in self]

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        if self.t is None and not traced(self.v):
            return np.array(self.v, dtype=dtype)
        fail(
            "a traced array was turned into a plain array here, which would lose its derivative",
            hint="The function that got it has no derivative rule: write it in NumPy, or pass stop_gradient(x).",
        )

    def _one(self) -> Any:
        plain_self = primal_of(self)
        if plain_self.size != 1:
            raise TypeError("only arrays of size 1 can be converted to Python scalars")
        return plain_self.reshape(-1)[0]

    def __float__(self) -> float:
        if self.t is None:
            return float(self._one())
        return float(self.item())

    def __int__(self) -> int:
        return int(self._one())

    def __bool__(self) -> bool:
        return bool(primal_of(self))

    def __repr__(self) -> str:
        return f"traced({primal_of(self)!r})"

    def __str__(self) -> str:
        return str(primal_of(self))

    def __format__(self, spec: str) -> str:
        return format(primal_of(self), spec)

    def __reduce_ex__(self, protocol: Any) -> Any:
        fail("a traced array cannot be pickled", hint="Differentiate inside the worker, or pass stop_gradient(x).")

    def __contains__(self, value: Any) -> bool:
        return primal_of(value) in primal_of(self)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return calls.array_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return calls.array_function(func, args, kwargs)


# ---- operators, made from the ufuncs

_OPERATORS = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "truediv": np.true_divide,
    "floordiv": np.floor_divide,
    "mod": np.remainder,
    "pow": np.power,
    "matmul": np.matmul,
}
_COMPARISONS = ("lt", "le", "gt", "ge", "eq", "ne")


def _operator(ufunc: Any, swap: bool) -> Callable[[Any, Any], Any]:
    rule_of = RULES.__getitem__

    def run(self: Any, other: Any) -> Any:
        kind = type(other)
        if kind is not TracedArray and kind is not float and kind is not int and kind is not np.ndarray:
            if other is None or isinstance(other, (str, dict)):
                return NotImplemented
            if isinstance(other, (list, tuple)):
                other = calls.array_of(other)
        if kind is not TracedArray and calls.is_complex(other):
            fail("complex numbers are not differentiated", hint="Write the real and imaginary parts out.")
        return apply(rule_of(ufunc), (other, self) if swap else (self, other), {})

    return run


def _comparison(name: str) -> Callable[[Any, Any], Any]:
    compare = getattr(operator, name)

    def run(self: Any, other: Any) -> Any:
        return compare(primal_of(self), primal_of(other))

    return run


def _unary(ufunc: Any) -> Callable[[Any], Any]:
    def run(self: Any) -> Any:
        return apply(RULES[ufunc], (self,), {})

    return run


for _name, _ufunc in _OPERATORS.items():
    setattr(TracedArray, f"__{_name}__", _operator(_ufunc, False))
    setattr(TracedArray, f"__r{_name}__", _operator(_ufunc, True))
for _name in _COMPARISONS:
    setattr(TracedArray, f"__{_name}__", _comparison(_name))
TracedArray.__neg__ = _unary(np.negative)  # type: ignore[attr-defined]
TracedArray.__pos__ = _unary(np.positive)  # type: ignore[attr-defined]
TracedArray.__abs__ = _unary(np.absolute)  # type: ignore[attr-defined]


# ---- the other attributes of an array: a `__getattr__` would make every attribute slower, those of the class as well


def _attribute(name: str) -> property:
    return property(lambda self: calls.method_of(self, name), doc=f"As `numpy.ndarray.{name}`.")


for _name in dir(np.ndarray):
    if not _name.startswith("__") and not hasattr(TracedArray, _name):
        setattr(TracedArray, _name, _attribute(_name))


# ---- helpers


def _same_key(one: Any, two: Any) -> bool:
    if one is two:
        return True
    try:
        return type(one) is type(two) and bool(one == two)
    except ValueError:  # arrays among the keys
        return False


def plain_index(key: Any) -> Any:
    """An index with handles taken off; a traced number cannot index."""
    if type(key) is int or type(key) is slice:
        return key
    if isinstance(key, tuple):
        return tuple(plain_index(one) for one in key)
    if traced(key):
        raise IndexError("arrays used as indices must be of integer (or boolean) type")
    return key


def constant(value: Any) -> Any:
    """Wrap a plain floating array as a handle of no trace; other values pass."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f" and not traced(value):
        return TracedArray(value, 0, None)
    return value


def cell_of(number: Any) -> Any:
    """An array without axes that holds a number."""
    if not traced(number):
        return constant(np.array(number))
    out = TracedArray(np.zeros((), getattr(number, "dtype", float)), 0, None)
    out[...] = number
    return out


def plain(value: Any) -> Any:
    """Take the handles off constants, also inside tuples and lists; traced values stay."""
    if isinstance(value, tuple) and type(value) is tuple:
        return tuple(plain(one) for one in value)
    if type(value) is list:
        return [plain(one) for one in value]
    if type(value) is TracedArray and value.t is None:
        return value._value()
    return value


def link_view(result: TracedArray, rule: Rule, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Where NumPy returned a view of an operand, let the handle know its base."""
    ground = result._v
    if type(ground) is not np.ndarray:
        ground = primal_of(ground)
    if result.base is not None or (ground.base is None and rule.primal not in _PERMUTATIONS):
        return  # linked already, or it owns its memory
    for place, one in enumerate(args):
        if type(one) is TracedArray and np.may_share_memory(ground, primal_of(one)):
            rest = (*args[:place], *args[place + 1 :])
            result.link(one, (place, rule, rest, kwargs))
            return


from custodiet.autodiff import array_calls as calls  # noqa: E402 - they need the class above
