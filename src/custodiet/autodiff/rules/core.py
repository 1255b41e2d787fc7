"""What a rule is, and the few functions that all rules share.

Rules are written in NumPy calls that are themselves differentiable, so that a rule can be traced: derivatives of any
order come from nesting. A rule never changes its arguments in place.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = [
    "COMPOSITES",
    "RULES",
    "Rule",
    "broadcast_like",
    "copied_alike",
    "composite",
    "dtype_of",
    "elementwise",
    "is_plain",
    "linear",
    "ndim_of",
    "primal_of",
    "register",
    "scale",
    "select",
    "shape_of",
    "unbroadcast",
]

ALL = frozenset({"out", "0", "1", "2", "3"})
NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Derivatives of one primitive.

    `vjps[i](g, out, *args, **kwargs)` is the cotangent of positional argument i, of the argument's shape and dtype;
    `jvps[i](t, out, *args, **kwargs)` the tangent of the result due to it. None: not differentiable in that argument,
    and a traced value there is an error, never a zero. `reads[i]` names the values that vjps[i] looks at (`"out"`,
    `"0"`, `"1"`, ...); shapes and dtypes are always at hand. Where `variadic`, the operands are the elements of the
    first argument (`spread` false) or the positional arguments from `spread` on, and vjps[0] and jvps[0] take the
    number of the operand: `vjps[0](g, out, index, *args, **kwargs)`.
    """

    name: str
    primal: Callable[..., Any]
    vjps: tuple[Callable[..., Any] | None, ...]
    jvps: tuple[Callable[..., Any] | None, ...]
    reads: tuple[frozenset[str], ...]
    variadic: bool = False
    spread: int = 0
    params: tuple[str, ...] = field(default=())
    """names of the positional arguments, so that keywords can be put in their place"""


RULES: dict[Callable[..., Any], Rule] = {}
"""Every primitive, keyed by the callable itself."""

COMPOSITES: dict[Callable[..., Any], Callable[..., Any]] = {}
"""NumPy functions that are differentiated by running an equal program made of primitives."""


def composite(*callables: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: the program that stands for these NumPy functions when an argument is traced."""

    def keep(program: Callable[..., Any]) -> Callable[..., Any]:
        for one in callables:
            COMPOSITES[one] = program
        return program

    return keep


def register(
    name: str,
    primal: Callable[..., Any],
    vjps: tuple[Callable[..., Any] | None, ...],
    jvps: tuple[Callable[..., Any] | None, ...],
    reads: tuple[str, ...] = (),
    *,
    params: str = "",
    variadic: bool = False,
    spread: int = 0,
) -> Rule:
    """Add a rule to `RULES`; `reads` holds one blank-separated string per argument (left out: everything)."""
    said = tuple(frozenset(one.split()) for one in reads) if reads else tuple(ALL for _ in vjps)
    rule = Rule(
        name=name,
        primal=primal,
        vjps=vjps,
        jvps=jvps,
        reads=said,
        variadic=variadic,
        spread=spread,
        params=tuple(params.split()),
    )
    RULES[primal] = rule
    return rule


def is_plain(x: Any) -> bool:
    """True for a value that no trace follows."""
    return not hasattr(type(x), "_traced_")


def primal_of(x: Any) -> Any:
    """The plain number or array under every level of tracing."""
    while hasattr(type(x), "_traced_"):
        x = x._value()
    return x


def copied_alike(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A copy that lies in memory as the original does, so that the same reshapes and ravels of it are views.

    Of strides only the order and the signs are kept, and where two axes are one run of memory, and gaps.
    """
    flags = x.flags
    if flags.c_contiguous:
        return x.copy()
    if flags.f_contiguous:
        return x.copy(order="F")
    if 0 in x.shape or 0 in x.strides:
        return x.copy(order="K")
    unit, strides, num = x.itemsize, [0] * x.ndim, 1
    before, length = unit, 1
    for axis in sorted(range(x.ndim), key=lambda k: (abs(x.strides[k]), -k)):
        size = abs(x.strides[axis])
        if size != before * length:
            num += 1  # a gap
        strides[axis] = num
        num *= x.shape[axis]
        before, length = size, x.shape[axis]
    room = np.empty(1 + sum(s * (n - 1) for s, n in zip(strides, x.shape, strict=True)), x.dtype)
    made = np.lib.stride_tricks.as_strided(room, x.shape, [s * unit for s in strides])
    made = made[tuple(slice(None, None, -1 if s < 0 else 1) for s in x.strides)]
    made[...] = x
    return made


def shape_of(x: Any) -> tuple[int, ...]:
    """Shape; () for a number."""
    try:
        return x.shape
    except AttributeError:
        return np.shape(x)


def ndim_of(x: Any) -> int:
    """Number of axes."""
    return len(shape_of(x))


def dtype_of(x: Any) -> np.dtype[Any]:
    """The dtype of the primal; float64 for a Python float."""
    found = getattr(x, "dtype", None)
    return found if found is not None else np.asarray(primal_of(x)).dtype


def unbroadcast(g: Any, x: Any) -> Any:
    """Sum the cotangent of a broadcast result back to the shape and dtype of the operand `x`."""
    shape, got = shape_of(x), shape_of(g)
    if got != shape:
        extra = len(got) - len(shape)
        if extra < 0:
            return np.broadcast_to(g, shape)
        axes = tuple(range(extra)) + tuple(extra + k for k, n in enumerate(shape) if n == 1 and got[extra + k] != 1)
        g = np.sum(g, axis=axes) if axes else g
        if shape_of(g) != shape:
            g = np.reshape(g, shape)
    dtype = getattr(x, "dtype", None)
    if dtype is not None and dtype.kind == "f" and getattr(g, "dtype", dtype) != dtype:
        g = g.astype(dtype)
    return g


def broadcast_like(t: Any, out: Any) -> Any:
    """A tangent, brought to the shape and dtype of the result."""
    shape = shape_of(out)
    if shape_of(t) != shape:
        t = np.broadcast_to(t, shape)
    dtype = getattr(out, "dtype", None)
    if dtype is not None and dtype.kind == "f" and getattr(t, "dtype", dtype) != dtype:
        t = t.astype(dtype)
    return t


def scale(g: Any, d: Any) -> Any:
    """`g * d`, where an exact zero times infinity or NaN is zero, whichever of the two is the zero.

    A zero cotangent stays zero through an infinite slope: this is what keeps the branch that `where` did not take from
    poisoning the one that it took. An infinite tangent that meets a zero slope is the same path walked forward.
    """
    r = g * d
    plain = primal_of(r)
    total = plain.sum() if isinstance(plain, np.ndarray) else plain
    if total - total == 0.0:
        return r
    left, right = np.asarray(primal_of(g)), np.asarray(primal_of(d))
    lost_right = (left == 0.0) & ~np.isfinite(right)
    lost_left = (right == 0.0) & ~np.isfinite(left)
    if not (lost_right.any() or lost_left.any()):
        return r
    # `where`, not a product with the mask: the derivative of what is kept must not see the bad entries either
    return select(lost_left, 0.0, g) * select(lost_right, 0.0, d)


def select(mask: Any, yes: Any, no: Any) -> Any:
    """`np.where` that gives a number back where all are numbers."""
    if ndim_of(mask) == 0 and ndim_of(yes) == 0 and ndim_of(no) == 0:
        return yes if primal_of(mask) else no
    return np.where(mask, yes, no)


def _elementwise_pair(i: int, d: Callable[..., Any], guard: bool) -> tuple[Callable[..., Any], Callable[..., Any]]:
    if guard:

        def vjp(g: Any, out: Any, *args: Any, **kwargs: Any) -> Any:
            return unbroadcast(scale(g, d(out, *args)), args[i])

        def jvp(t: Any, out: Any, *args: Any, **kwargs: Any) -> Any:
            return broadcast_like(scale(t, d(out, *args)), out)
    else:

        def vjp(g: Any, out: Any, *args: Any, **kwargs: Any) -> Any:
            return unbroadcast(g * d(out, *args), args[i])

        def jvp(t: Any, out: Any, *args: Any, **kwargs: Any) -> Any:
            return broadcast_like(t * d(out, *args), out)

    return vjp, jvp


def elementwise(
    name: str,
    primal: Callable[..., Any],
    *partials: Callable[..., Any] | None,
    reads: tuple[str, ...],
    guard: bool = True,
    params: str = "",
) -> Rule:
    """A function of numbers, broadcast: `partials[i](out, *args)` is its derivative in argument i."""
    pairs = [(None, None) if d is None else _elementwise_pair(i, d, guard) for i, d in enumerate(partials)]
    return register(name, primal, tuple(p[0] for p in pairs), tuple(p[1] for p in pairs), reads, params=params)


def linear(name: str, primal: Callable[..., Any], vjp: Callable[..., Any], *, params: str = "") -> Rule:
    """A function linear in its first argument: its tangent is the function of the tangent."""

    def jvp(t: Any, out: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        return primal(t, *args, **kwargs)

    return register(name, primal, (vjp,), (jvp,), ("",), params=params)


def finite(x: Any) -> bool:
    """True for a finite number."""
    return math.isfinite(primal_of(x))
