"""Forward mode: values that carry tangents, over the same rules as the tape.

A sweep has one direction, or K at once: then a number's tangent is an array of shape (K,), an array's of shape
(K, *shape); primitives compute their value once and their tangent per direction.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from custodiet.autodiff.arrays import TracedArray
from custodiet.autodiff.core import Trace, fail, operands, run_primal, traced
from custodiet.autodiff.floats import DualFloat
from custodiet.autodiff.rules.core import Rule, broadcast_like, scale, shape_of
from custodiet.autodiff.rules.indexing import freeze_index, index_set

__all__ = ["ForwardTrace"]


class ForwardTrace(Trace):
    """A forward sweep; `width` None: one direction; K: K directions, on the first axis of every tangent."""

    __slots__ = ("closed", "width")

    def __init__(self, width: int | None = None) -> None:
        super().__init__()
        self.width = width
        self.closed = False

    def close(self) -> None:
        """No more recording."""
        self.closed = True

    def _open(self) -> None:
        if self.closed:
            fail(
                "a traced value was used after the derivative that it belonged to was finished",
                hint="Return what is needed from the function (has_aux=True) instead of keeping it in an object.",
            )

    def lift(self, value: Any, tangent: Any) -> Any:
        """A value with its tangent."""
        if isinstance(value, np.ndarray):
            handle = TracedArray(value.snapshot() if type(value) is TracedArray else value, tangent, self)
            handle.shared = True
            return handle
        return DualFloat(value, tangent, self)

    def wrap(self, out: Any, tangent: Any) -> Any:
        """A result with its tangent."""
        return TracedArray(out, tangent, self) if isinstance(out, np.ndarray) else DualFloat(out, tangent, self)

    def scalar(self, out: Any, args: tuple[Any, ...], partials: tuple[Any, ...]) -> Any:
        self._open()
        tangent: Any = 0.0
        with np.errstate(all="ignore"):
            for one, d in zip(args, partials, strict=False):
                if traced(one) and one.t is self:
                    if d is None:
                        fail("not differentiable in that argument", hint="Pass a plain value: stop_gradient(x).")
                    tangent = tangent + scale(one.i, d)
        return DualFloat(out, tangent, self)

    def _each(self, move: Any, tangent: Any) -> Any:
        """Apply a linear map to a tangent, direction by direction."""
        if self.width is None:
            return move(tangent)
        columns = np.broadcast_to(tangent, (self.width,)) if shape_of(tangent) == () else tangent
        rows = [move(columns[k]) for k in range(self.width)]
        if isinstance(rows[0], tuple):
            return tuple(np.stack([row[j] for row in rows]) for j in range(len(rows[0])))
        return np.stack(rows)

    def getitem(self, handle: TracedArray, key: Any) -> Any:
        """`handle[key]`."""
        self._open()
        out = handle.v[key]
        tangent = self._each(lambda t: t[key], handle.i)
        if traced(tangent) and tangent._is_array_:
            tangent = tangent.snapshot()
        elif isinstance(tangent, np.ndarray) and self.width is None:
            tangent = tangent.copy()
        return self.wrap(out, tangent)

    def _zero(self, like: Any) -> Any:
        shape = like.shape if self.width is None else (self.width, *like.shape)
        return np.zeros(shape, like.dtype)

    def store(self, handle: TracedArray, key: Any, value: Any) -> None:
        self._open()
        key = freeze_index(key)
        if handle.t is self:
            below, tangent = handle.v, handle.i
        elif handle.t is None:
            below, tangent = handle.v, self._zero(handle.v)
        else:
            below = TracedArray(handle.v, handle.i, handle.t)
            below.shared = handle.shared
            tangent = self._zero(handle)
        inner, change = (value.v, value.i) if traced(value) and value.t is self else (value, None)
        if type(below) is np.ndarray and traced(inner):
            below = TracedArray(below, 0, None)
        below[key] = inner
        if self.width is None:
            tangent = index_set(tangent, key, 0.0 if change is None else change)
        else:
            rows = [
                index_set(tangent[k], key, 0.0 if change is None else np.broadcast_to(change, (self.width,))[k])
                if np.ndim(change if change is not None else 0.0) < 1
                else index_set(tangent[k], key, change[k])  # type: ignore[index]
                for k in range(self.width)
            ]
            tangent = np.stack(rows)
        handle.v, handle.t, handle.i = below, self, tangent

    def process(self, rule: Rule, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self._open()
        values = operands(rule, args)
        kept, tangents = [], []
        for k, one in enumerate(values):
            if traced(one):
                if one.t is self:
                    if not rule.variadic and (k >= len(rule.jvps) or rule.jvps[k] is None):
                        fail(f"{rule.name} is not differentiable in argument {k}", hint="Pass stop_gradient(x) there.")
                    one._value()
                    tangents.append((k, one.i))
                if one._is_array_:
                    one = one.keep() if one.t in (self, None) else one.snapshot()
                elif one.t is self:
                    one = one.v
            kept.append(one)
        full = tuple(kept)
        if rule.variadic:
            full = (*args[: rule.spread], *kept) if rule.spread else (kept, *args[1:])
        out = run_primal(rule, full, kwargs)
        total: Any = None
        with np.errstate(all="ignore"):
            for k, tangent in tangents:
                if rule.variadic:
                    change = self._each(lambda t, k=k: rule.jvps[0](t, out, k, *full, **kwargs), tangent)  # type: ignore[misc]
                else:
                    change = self._each(lambda t, k=k: rule.jvps[k](t, out, *full, **kwargs), tangent)  # type: ignore[misc]
                total = change if total is None else _plus(total, change)
        if isinstance(out, tuple):
            parts = [self.wrap(one, total[k]) for k, one in enumerate(out)]  # type: ignore[index]
            for one in parts:
                if one._is_array_:
                    one.shared = True
            return type(out)(*parts) if hasattr(out, "_fields") else tuple(parts)
        if self.width is None:
            total = broadcast_like(total, out)
        result = self.wrap(out, total)
        if result._is_array_:
            result.shared = True
        return result


def _plus(a: Any, b: Any) -> Any:
    if isinstance(a, tuple):
        return tuple(x + y for x, y in zip(a, b, strict=True))
    return a + b
