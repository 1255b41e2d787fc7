"""Indexing, gathering and sorting.

Python's own `x[i]` is the primitive `operator.getitem`; its transpose is `index_add`. Sorting gathers by a permutation
that is found on the plain values.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from custodiet.autodiff.rules.core import RULES, dtype_of, ndim_of, primal_of, register, shape_of, unbroadcast

__all__ = ["freeze_index", "index_add", "index_set", "is_advanced", "winning_writes"]


def is_advanced(index: Any) -> bool:
    """True where NumPy would gather by an integer or boolean array instead of making a view."""
    if isinstance(index, tuple):
        return any(is_advanced(one) for one in index)
    return isinstance(index, (np.ndarray, list, bool, np.bool_))


def freeze_index(index: Any) -> Any:
    """A copy of an index that later changes of the caller's arrays do not reach."""
    if isinstance(index, tuple):
        return tuple(freeze_index(one) for one in index)
    if isinstance(index, (np.ndarray, list)):
        return np.array(index)
    return index


def index_add(g: Any, shape: tuple[int, ...], index: Any) -> Any:
    """Zeros of `shape` and g's dtype with `g` added at `index`; repeated positions add up.

    Args:
        g: array or number that broadcasts to `zeros(shape)[index]`.
        shape: shape of the result.
        index: anything that indexes an array of that shape.
    """
    if not hasattr(type(g), "_traced_"):
        out = np.zeros(shape, dtype=dtype_of(g))
        if is_advanced(index):
            np.add.at(out, index, g)
        else:
            out[index] = g
        return out
    from custodiet.autodiff.core import apply

    return apply(RULES[index_add], (g, shape, index), {})


def index_set(x: Any, index: Any, value: Any) -> Any:
    """A copy of `x` with `value` written at `index`: what `x[index] = value` leaves, the last write winning."""
    if not (hasattr(type(x), "_traced_") or hasattr(type(value), "_traced_")):
        out = np.array(x)
        out[index] = value
        return out
    from custodiet.autodiff.core import apply

    return apply(RULES[index_set], (x, index, value), {})


def winning_writes(shape: tuple[int, ...], index: Any) -> np.ndarray[Any, Any] | None:
    """Which of the writes `x[index] = values` survive where positions repeat; None where none repeats."""
    if not is_advanced(index):
        return None
    probe = np.zeros(shape, dtype=np.int64)
    found = probe[index]
    if np.ndim(found) == 0:
        return None
    ticket = np.arange(found.size).reshape(found.shape)
    probe[index] = ticket
    won = probe[index] == ticket
    return None if won.all() else won


def _getitem_vjp(g: Any, out: Any, x: Any, index: Any) -> Any:
    return unbroadcast(index_add(g, shape_of(x), index), x)


def _index_set_base_vjp(g: Any, out: Any, x: Any, index: Any, value: Any) -> Any:
    return index_set(g, index, 0.0)


def _index_set_value_vjp(g: Any, out: Any, x: Any, index: Any, value: Any) -> Any:
    got = g[index]
    won = winning_writes(shape_of(x), index)
    return unbroadcast(got if won is None else np.where(won, got, 0.0), value)


def _index_set_value_jvp(t: Any, out: Any, x: Any, index: Any, value: Any) -> Any:
    return index_set(np.zeros(shape_of(x), dtype_of(x)), index, t)


def take_index(x: Any, indices: Any, axis: int | None, mode: str) -> tuple[Any, Any]:
    """The array and the index that make np.take an ordinary gather."""
    flat, axis = (np.reshape(x, (-1,)), 0) if axis is None else (x, axis % ndim_of(x))
    indices = np.asarray(indices)
    size = shape_of(flat)[axis]
    if mode == "wrap":
        indices = indices % size
    elif mode == "clip":
        indices = np.clip(indices, 0, size - 1)
    return flat, (slice(None),) * axis + (indices,)


def _take_vjp(g: Any, out: Any, x: Any, indices: Any, axis: int | None = None, mode: str = "raise", **kw: Any) -> Any:
    flat, index = take_index(x, indices, axis, mode)
    return np.reshape(index_add(g, shape_of(flat), index), shape_of(x))


def _take_jvp(t: Any, out: Any, x: Any, indices: Any, axis: int | None = None, mode: str = "raise", **kw: Any) -> Any:
    flat, index = take_index(t, indices, axis, mode)
    return flat[index]


def along_index(indices: Any, axis: int) -> tuple[Any, ...]:
    """The index tuple by which take_along_axis gathers."""
    indices = np.asarray(indices)
    grid = [np.arange(n).reshape((1,) * k + (n,) + (1,) * (indices.ndim - k - 1)) for k, n in enumerate(indices.shape)]
    grid[axis % indices.ndim] = indices
    return tuple(grid)


def _along_index_for(x: Any, indices: Any, axis: int) -> tuple[Any, ...]:
    shape = list(shape_of(x))
    indices = np.asarray(indices)
    shape[axis % len(shape)] = indices.shape[axis % len(shape)]
    return along_index(np.broadcast_to(indices, shape), axis)


def _along_vjp(g: Any, out: Any, x: Any, indices: Any, axis: int | None = -1) -> Any:
    if axis is None:
        return np.reshape(index_add(g, (int(np.prod(shape_of(x))),), (np.asarray(indices),)), shape_of(x))
    return index_add(g, shape_of(x), _along_index_for(x, indices, axis))


def _along_jvp(t: Any, out: Any, x: Any, indices: Any, axis: int | None = -1) -> Any:
    return np.take_along_axis(t, indices, axis)


def _order(x: Any, axis: int | None, kind: Any, kth: Any = None) -> tuple[Any, int]:
    plain = primal_of(x)
    plain = plain.reshape(-1) if axis is None else plain
    along = -1 if axis is None else axis
    if kth is not None:
        return np.argpartition(plain, kth, axis=along), along
    return np.argsort(plain, axis=along, kind=kind or "stable"), along


def _sorted_rules(partition: bool) -> tuple[Any, Any]:
    """Tangent and cotangent of sort or partition: a gather by the plain permutation."""

    def split(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, int | None, Any]:
        rest = list(args)
        kth = (rest.pop(0) if rest else kwargs["kth"]) if partition else None
        axis = rest.pop(0) if rest else kwargs.get("axis", -1)
        return kth, axis, kwargs.get("kind")

    def vjp(g: Any, out: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        kth, axis, kind = split(args, kwargs)
        order, along = _order(x, axis, None if partition else kind, kth)
        return np.reshape(index_add(g, shape_of(order), along_index(order, along)), shape_of(x))

    def jvp(t: Any, out: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        kth, axis, kind = split(args, kwargs)
        order, along = _order(x, axis, None if partition else kind, kth)
        return (np.reshape(t, (-1,)) if axis is None else t)[along_index(order, along)]

    return vjp, jvp


def _compress_index(condition: Any, x: Any, axis: int | None) -> tuple[Any, Any]:
    where = np.flatnonzero(np.asarray(primal_of(condition)))
    return take_index(x, where, axis, "raise")


def _define() -> None:
    register(
        "operator.getitem",
        operator.getitem,
        (_getitem_vjp, None),
        (lambda t, out, x, index: t[index], None),
        ("1", ""),
    )
    register(
        "index_add",
        index_add,
        (lambda g, out, x, shape, index: unbroadcast(g[index], x), None, None),
        (lambda t, out, x, shape, index: index_add(t, shape, index), None, None),
        ("2", "", ""),
    )
    register(
        "index_set",
        index_set,
        (_index_set_base_vjp, None, _index_set_value_vjp),
        (lambda t, out, x, index, value: index_set(t, index, 0.0), None, _index_set_value_jvp),
        ("1", "", "1"),
    )
    register("np.take", np.take, (_take_vjp, None), (_take_jvp, None), ("1", ""), params="a indices axis")
    register(
        "np.take_along_axis",
        np.take_along_axis,
        (_along_vjp, None),
        (_along_jvp, None),
        ("1", ""),
        params="arr indices axis",
    )
    vjp, jvp = _sorted_rules(False)
    register("np.sort", np.sort, (vjp,), (jvp,), ("0",), params="a axis")
    vjp, jvp = _sorted_rules(True)
    register("np.partition", np.partition, (vjp, None), (jvp, None), ("0", ""), params="a kth axis")

    def compress_vjp(g: Any, out: Any, condition: Any, x: Any, axis: int | None = None) -> Any:
        flat, index = _compress_index(condition, x, axis)
        return np.reshape(index_add(g, shape_of(flat), index), shape_of(x))

    def compress_jvp(t: Any, out: Any, condition: Any, x: Any, axis: int | None = None) -> Any:
        flat, index = _compress_index(condition, t, axis)
        return flat[index]

    register(
        "np.compress",
        np.compress,
        (None, compress_vjp),
        (None, compress_jvp),
        ("", "0"),
        params="condition a axis",
    )


_define()
