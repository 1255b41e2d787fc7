"""Functions that only move numbers: reshape, transpose, concatenate, stack, tile, repeat, roll, flip, pad, diagonals."""

from __future__ import annotations

from typing import Any

import numpy as np

from custodiet.autodiff.rules.core import dtype_of, linear, ndim_of, register, shape_of, unbroadcast
from custodiet.errors import DifferentiationError

__all__: list[str] = []


def _back(g: Any, out: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    return np.reshape(g, shape_of(x))


def _plain_order(order: Any) -> Any:
    """C or F; the others ask how the caller's array lies in memory, which a traced one does not know."""
    if order not in ("C", "F"):
        raise DifferentiationError(f"order={order!r} has no derivative rule", expected=("C", "F"), got=order)
    return order


def _reshape_vjp(g: Any, out: Any, x: Any, shape: Any = None, order: Any = "C", **kwargs: Any) -> Any:
    return np.reshape(g, shape_of(x), order=_plain_order(order))


def _ravel_vjp(g: Any, out: Any, x: Any, order: Any = "C") -> Any:
    return np.reshape(g, shape_of(x), order=_plain_order(order))


def _reshape_jvp(t: Any, out: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    _reshape_vjp(out, out, x, *args, **kwargs)  # refuses the same orders
    return np.reshape(t, *args, **kwargs)


def _ravel_jvp(t: Any, out: Any, x: Any, order: Any = "C") -> Any:
    return np.ravel(t, _plain_order(order))


def _transpose_vjp(g: Any, out: Any, x: Any, axes: Any = None) -> Any:
    if axes is None:
        return np.transpose(g)
    return np.transpose(g, tuple(int(k) for k in np.argsort([k % ndim_of(x) for k in axes])))


def _swapaxes_vjp(g: Any, out: Any, x: Any, axis1: int, axis2: int) -> Any:
    return np.swapaxes(g, axis1, axis2)


def _moveaxis_vjp(g: Any, out: Any, x: Any, source: Any, destination: Any) -> Any:
    return np.moveaxis(g, destination, source)


def _matrix_transpose_vjp(g: Any, out: Any, x: Any) -> Any:
    return np.swapaxes(g, -1, -2)


def _broadcast_to_vjp(g: Any, out: Any, x: Any, shape: Any, subok: bool = False) -> Any:
    return unbroadcast(g, x)


def _flip_vjp(g: Any, out: Any, x: Any, axis: Any = None) -> Any:
    return np.flip(g, axis)


def _roll_vjp(g: Any, out: Any, x: Any, shift: Any, axis: Any = None) -> Any:
    return np.roll(g, tuple(-s for s in shift) if isinstance(shift, (tuple, list)) else -shift, axis)


def _tile_vjp(g: Any, out: Any, x: Any, reps: Any) -> Any:
    shape = shape_of(x)
    reps = (reps,) if np.ndim(reps) == 0 else tuple(reps)
    rank = max(len(shape), len(reps))
    shape = (1,) * (rank - len(shape)) + shape
    reps = (1,) * (rank - len(reps)) + reps
    split = tuple(n for pair in zip(reps, shape, strict=True) for n in pair)
    return np.reshape(np.sum(np.reshape(g, split), axis=tuple(range(0, 2 * rank, 2))), shape_of(x))


def _repeat_vjp(g: Any, out: Any, x: Any, repeats: Any, axis: int | None = None) -> Any:
    shape = shape_of(x)
    along, size = (0, int(np.prod(shape))) if axis is None else (axis % len(shape), shape[axis])
    g = np.moveaxis(g, along, 0)
    times = np.broadcast_to(repeats, (size,))
    owner = np.repeat(np.arange(size), times)
    back = index_add(g, (size, *shape_of(g)[1:]), owner)
    return np.reshape(np.moveaxis(back, 0, along), shape)


def _pad_vjp(g: Any, out: Any, x: Any, pad_width: Any, mode: str = "constant", **kwargs: Any) -> Any:
    if mode != "constant" or np.any(np.asarray(kwargs.get("constant_values", 0)) != 0):
        raise DifferentiationError(
            f"np.pad with mode={mode!r} {kwargs or ''} has no derivative rule", hint="Pad with zeros, or index."
        )
    if isinstance(pad_width, dict):
        pad_width = [pad_width.get(k, (0, 0)) for k in range(ndim_of(x))]
    widths = np.broadcast_to(pad_width, (ndim_of(x), 2))
    return g[tuple(slice(int(low), int(low) + n) for (low, _), n in zip(widths, shape_of(x), strict=True))]


def _tri_vjp(function: Any) -> Any:
    def vjp(g: Any, out: Any, x: Any, k: int = 0) -> Any:
        return unbroadcast(function(g, k), x)

    return vjp


def _diagonal_index(x: Any, offset: int, axis1: int, axis2: int) -> tuple[tuple[int, ...], tuple[Any, ...]]:
    shape = shape_of(x)
    axis1, axis2 = axis1 % len(shape), axis2 % len(shape)
    rows, columns = shape[axis1], shape[axis2]
    length = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    steps = np.arange(length)
    rest = tuple(k for k in range(len(shape)) if k not in (axis1, axis2))
    order = (*rest, axis1, axis2)
    return order, (..., steps - min(offset, 0), steps + max(offset, 0))


def _diagonal_vjp(g: Any, out: Any, x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    order, index = _diagonal_index(x, offset, axis1, axis2)
    turned = index_add(g, tuple(shape_of(x)[k] for k in order), index)
    return np.transpose(turned, tuple(int(k) for k in np.argsort(order)))


def _trace_vjp(g: Any, out: Any, x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Any:
    order, index = _diagonal_index(x, offset, axis1, axis2)
    length = len(index[1])
    spread = np.broadcast_to(np.reshape(g, (*shape_of(g), 1)), (*shape_of(g), length))
    return _diagonal_vjp(spread, out, x, offset, axis1, axis2)


def _diag_vjp(g: Any, out: Any, x: Any, k: int = 0) -> Any:
    if ndim_of(x) == 1:
        return np.diagonal(g, k)
    return _diagonal_vjp(g, out, x, k)


def _diagflat_vjp(g: Any, out: Any, x: Any, k: int = 0) -> Any:
    return np.reshape(np.diagonal(g, k), shape_of(x))


def _concatenate_vjp(g: Any, out: Any, index: int, arrays: Any, axis: int | None = 0, **kwargs: Any) -> Any:
    if axis is None:
        start = sum(int(np.prod(shape_of(one))) for one in arrays[:index])
        return np.reshape(g[start : start + int(np.prod(shape_of(arrays[index])))], shape_of(arrays[index]))
    axis = axis % ndim_of(g)
    start = sum(shape_of(one)[axis] for one in arrays[:index])
    here = (slice(None),) * axis + (slice(start, start + shape_of(arrays[index])[axis]),)
    return unbroadcast(g[here], arrays[index])


def _concatenate_jvp(t: Any, out: Any, index: int, arrays: Any, axis: int | None = 0, **kwargs: Any) -> Any:
    parts = [t if k == index else np.zeros(shape_of(one), dtype_of(one)) for k, one in enumerate(arrays)]
    return np.concatenate(parts, axis=axis)


def _stack_vjp(g: Any, out: Any, index: int, arrays: Any, axis: int = 0, **kwargs: Any) -> Any:
    return unbroadcast(g[(slice(None),) * (axis % ndim_of(g)) + (index,)], arrays[index])


def _stack_jvp(t: Any, out: Any, index: int, arrays: Any, axis: int = 0, **kwargs: Any) -> Any:
    parts = [t if k == index else np.zeros(shape_of(one), dtype_of(one)) for k, one in enumerate(arrays)]
    return np.stack(parts, axis=axis)


def _pad_jvp(t: Any, out: Any, x: Any, pad_width: Any, mode: str = "constant", **kwargs: Any) -> Any:
    _pad_vjp(out, out, x, pad_width, mode, **kwargs)  # refuses the same modes
    return np.pad(t, pad_width)


def index_add(g: Any, shape: tuple[int, ...], index: Any) -> Any:
    """Zeros of `shape` with `g` added at `index`, repeated positions adding up; the transpose of indexing."""
    from custodiet.autodiff.rules.indexing import index_add as scatter

    return scatter(g, shape, index)


def _define() -> None:
    register("np.reshape", np.reshape, (_reshape_vjp,), (_reshape_jvp,), ("",), params="a shape order")
    register("np.ravel", np.ravel, (_ravel_vjp,), (_ravel_jvp,), ("",), params="a order")
    linear("np.squeeze", np.squeeze, _back, params="a axis")
    linear("np.expand_dims", np.expand_dims, _back, params="a axis")
    linear("np.transpose", np.transpose, _transpose_vjp, params="a axes")
    linear("np.swapaxes", np.swapaxes, _swapaxes_vjp, params="a axis1 axis2")
    linear("np.moveaxis", np.moveaxis, _moveaxis_vjp, params="a source destination")
    linear("np.matrix_transpose", np.matrix_transpose, _matrix_transpose_vjp, params="x")
    linear("np.broadcast_to", np.broadcast_to, _broadcast_to_vjp, params="array shape subok")
    linear("np.flip", np.flip, _flip_vjp, params="m axis")
    linear("np.fliplr", np.fliplr, lambda g, out, x: np.fliplr(g), params="m")
    linear("np.flipud", np.flipud, lambda g, out, x: np.flipud(g), params="m")
    linear("np.rot90", np.rot90, lambda g, out, x, k=1, axes=(0, 1): np.rot90(g, -k, axes), params="m k axes")
    linear("np.roll", np.roll, _roll_vjp, params="a shift axis")
    linear("np.tile", np.tile, _tile_vjp, params="A reps")
    linear("np.repeat", np.repeat, _repeat_vjp, params="a repeats axis")
    linear("np.tril", np.tril, _tri_vjp(np.tril), params="m k")
    linear("np.triu", np.triu, _tri_vjp(np.triu), params="m k")
    linear("np.diagonal", np.diagonal, _diagonal_vjp, params="a offset axis1 axis2")
    linear("np.trace", np.trace, _trace_vjp, params="a offset axis1 axis2 dtype")
    linear("np.diag", np.diag, _diag_vjp, params="v k")
    linear("np.diagflat", np.diagflat, _diagflat_vjp, params="v k")
    linear("np.copy", np.copy, _back, params="a order")
    register("np.pad", np.pad, (_pad_vjp,), (_pad_jvp,), ("",), params="array pad_width mode")
    register(
        "np.concatenate",
        np.concatenate,
        (_concatenate_vjp,),
        (_concatenate_jvp,),
        ("",),
        variadic=True,
        params="arrays axis",
    )
    register("np.stack", np.stack, (_stack_vjp,), (_stack_jvp,), ("",), variadic=True, params="arrays axis")


_define()
