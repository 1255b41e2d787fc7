"""NumPy functions that are differentiated by running an equal program of primitives, and those that are constant.

A composite gives the same values as the function that it stands for, to rounding; where it would not, it raises.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from custodiet.autodiff.rules.core import composite, ndim_of, primal_of, shape_of
from custodiet.errors import DifferentiationError

__all__ = ["CONSTANT", "REFUSED"]

CONSTANT: frozenset[Any] = frozenset(
    {
        np.shape, np.ndim, np.size, np.argmax, np.argmin, np.argsort, np.argpartition, np.argwhere, np.nonzero,
        np.flatnonzero, np.searchsorted, np.digitize, np.isclose, np.allclose, np.array_equal, np.array_equiv, np.any,
        np.all, np.count_nonzero, np.zeros_like, np.ones_like, np.empty_like, np.iscomplexobj, np.isrealobj,
        np.result_type, np.can_cast, np.may_share_memory, np.shares_memory, np.array_repr, np.array_str,
        np.array2string, np.lexsort, np.nanargmax, np.nanargmin, np.isposinf, np.isneginf, np.iscomplex, np.isreal,
        np.unravel_index, np.min_scalar_type,  np.linalg.matrix_rank, np.isin, np.common_type,
    }
)  # fmt: skip
"""Functions whose result does not vary: they see the plain values."""

REFUSED: dict[Any, str] = {
    np.linalg.qr: "Solve with np.linalg.solve or np.linalg.cholesky instead.",
    np.linalg.svd: "Use np.linalg.eigh of a.T @ a where the singular values are wanted.",
    np.linalg.eig: "Use np.linalg.eigh where the matrix is symmetric.",
    np.linalg.eigvals: "Use np.linalg.eigvalsh where the matrix is symmetric.",
    np.linalg.lstsq: "Solve the normal equations: np.linalg.solve(a.T @ a, a.T @ b).",
    np.fft.fft: "Complex numbers are not differentiated.",
    np.fft.ifft: "Complex numbers are not differentiated.",
    np.fft.rfft: "Complex numbers are not differentiated.",
    np.unique: "Sort, or find the positions on stop_gradient(x).",
    np.histogram: "Histograms are piecewise constant: count on stop_gradient(x).",
    np.histogramdd: "Histograms are piecewise constant.",
}
"""Functions that raise, with the next step."""


@composite(np.split, np.array_split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """np.split by slices, views as NumPy's are."""
    size = shape_of(ary)[axis]
    cuts = np.array_split(np.arange(size), indices_or_sections)
    if np.ndim(indices_or_sections) == 0:
        stops = np.cumsum([len(one) for one in cuts]).tolist()
        starts = [0, *stops[:-1]]
    else:
        starts, stops = [0, *indices_or_sections], [*indices_or_sections, size]
    lead = (slice(None),) * (axis % ndim_of(ary))
    return [ary[(*lead, slice(a, b))] for a, b in zip(starts, stops, strict=True)]


@composite(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """np.hsplit."""
    return np.split(ary, indices_or_sections, axis=0 if ndim_of(ary) == 1 else 1)


@composite(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """np.vsplit."""
    return np.split(ary, indices_or_sections, axis=0)


@composite(np.atleast_1d)
def atleast_1d(*arrays: Any) -> Any:
    """np.atleast_1d."""
    out = [x if ndim_of(x) else np.reshape(x, (1,)) for x in arrays]
    return out[0] if len(out) == 1 else tuple(out)


@composite(np.atleast_2d)
def atleast_2d(*arrays: Any) -> Any:
    """np.atleast_2d."""
    out = [x if ndim_of(x) > 1 else np.reshape(x, (1, -1)) for x in arrays]
    return out[0] if len(out) == 1 else tuple(out)


@composite(np.vstack)
def vstack(tup: Any, **kwargs: Any) -> Any:
    """np.vstack."""
    return np.concatenate([np.atleast_2d(x) for x in tup], axis=0)


@composite(np.hstack)
def hstack(tup: Any, **kwargs: Any) -> Any:
    """np.hstack."""
    arrays = [np.atleast_1d(x) for x in tup]
    return np.concatenate(arrays, axis=0 if ndim_of(arrays[0]) == 1 else 1)


@composite(np.column_stack)
def column_stack(tup: Any) -> Any:
    """np.column_stack."""
    return np.concatenate([x if ndim_of(x) > 1 else np.reshape(x, (-1, 1)) for x in tup], axis=1)


@composite(np.append)
def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """np.append."""
    if axis is None:
        return np.concatenate([np.ravel(arr), np.ravel(values)])
    return np.concatenate([arr, values], axis=axis)


@composite(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> Any:
    """np.broadcast_arrays."""
    shape = np.broadcast_shapes(*(shape_of(x) for x in args))
    return tuple(np.broadcast_to(x, shape) for x in args)


@composite(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1) -> Any:
    """np.diff without prepend and append."""
    lead = (slice(None),) * (axis % ndim_of(a))
    for _ in range(n):
        a = a[(*lead, slice(1, None))] - a[(*lead, slice(None, -1))]
    return a


@composite(np.ptp)
def ptp(a: Any, axis: Any = None, **kwargs: Any) -> Any:
    """np.ptp."""
    return np.max(a, axis=axis, **kwargs) - np.min(a, axis=axis, **kwargs)


@composite(np.average)
def average(a: Any, axis: Any = None, weights: Any = None) -> Any:
    """np.average."""
    if weights is None:
        return np.mean(a, axis=axis)
    if shape_of(weights) != shape_of(a):
        weights = np.reshape(weights, tuple(n if k == axis % ndim_of(a) else 1 for k, n in enumerate(shape_of(a))))
        weights = np.broadcast_to(weights, shape_of(a))
    whole = np.sum(weights, axis=axis)
    if np.any(primal_of(whole) == 0.0):
        raise ZeroDivisionError("Weights sum to zero, can't be normalized")
    return np.sum(a * weights, axis=axis) / whole


@composite(np.cross)
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """np.cross of three-vectors."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(a, axisa, -1), np.moveaxis(b, axisb, -1)
    if shape_of(a)[-1] != 3 or shape_of(b)[-1] != 3:
        raise DifferentiationError("np.cross needs vectors of three", got=(shape_of(a), shape_of(b)))
    i, j, k = (a[..., n] for n in range(3))
    x, y, z = (b[..., n] for n in range(3))
    return np.moveaxis(np.stack([j * z - k * y, k * x - i * z, i * y - j * x], axis=-1), -1, axisc)


@composite(np.interp)
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    """np.interp, in x, xp and fp; the slope at a knot is that of the segment on its right."""
    if period is not None:
        raise DifferentiationError("np.interp with period= has no derivative rule", hint="Wrap x yourself.")
    xp, fp = (np.asarray(one) if isinstance(one, (list, tuple)) else one for one in (xp, fp))
    plain, knots = primal_of(x), np.asarray(primal_of(xp))
    low = np.clip(np.searchsorted(knots, plain, side="right") - 1, 0, len(knots) - 2)
    x0, x1, y0, y1 = xp[low], xp[low + 1], fp[low], fp[low + 1]
    with np.errstate(invalid="ignore"):
        inside = y0 + (y1 - y0) / (x1 - x0) * (x - x0)
    among = (plain >= knots[0]) & (plain <= knots[-1])
    if not np.all(
        np.isfinite(primal_of(inside)) | ~among
    ):  # NaN is NaN; of what is infinite NumPy makes more than the formula
        expected = np.interp(plain, knots, np.asarray(primal_of(fp)))
        if not np.all(np.isnan(expected) | np.isfinite(primal_of(inside)) | ~among):
            raise DifferentiationError("np.interp between values that are infinite or NaN has no derivative")
    inside = np.where(plain < knots[0], fp[0] if left is None else left, inside)
    return np.where(plain > knots[-1], fp[-1] if right is None else right, inside)


@composite(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """np.trapezoid."""
    lead = (slice(None),) * (axis % ndim_of(y))
    middle = (y[(*lead, slice(1, None))] + y[(*lead, slice(None, -1))]) / 2.0
    if x is None:
        return np.sum(middle * dx, axis=axis)
    steps = np.diff(x) if ndim_of(x) == 1 else np.diff(x, axis=axis)
    if ndim_of(x) == 1:
        steps = np.reshape(steps, tuple(-1 if k == axis % ndim_of(y) else 1 for k in range(ndim_of(y))))
    return np.sum(middle * steps, axis=axis)


@composite(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """np.polyval by Horner's rule."""
    y: Any = x * 0.0
    for one in p:
        y = y * x + one
    return y


@composite(np.median)
def median(a: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """np.median of finite values: the mean of the middle elements of the sorted array."""
    if isinstance(axis, tuple):
        raise DifferentiationError("np.median over several axes has no derivative rule", hint="Reshape first.")
    if np.isnan(primal_of(a)).any():
        raise DifferentiationError("np.median of NaN has no derivative")
    flat, along = (np.reshape(a, (-1,)), 0) if axis is None else (a, axis % ndim_of(a))
    n = shape_of(flat)[along]
    middle = np.sort(flat, axis=along)[(slice(None),) * along + (slice((n - 1) // 2, n // 2 + 1),)]
    out = np.mean(middle, axis=along, keepdims=keepdims and axis is not None)
    return np.reshape(out, (1,) * ndim_of(a)) if keepdims and axis is None else out


@composite(np.convolve)
def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """np.convolve as a product with a matrix of shifted copies."""
    if shape_of(v)[0] > shape_of(a)[0]:
        a, v = v, a
    n, k = shape_of(a)[0], shape_of(v)[0]
    padded = np.concatenate([np.zeros(k - 1), a, np.zeros(k - 1)])
    windows = padded[np.arange(n + k - 1)[:, None] + np.arange(k)[None, :]]
    full = windows @ np.flip(v)
    if mode == "full":
        return full
    return full[(k - 1) // 2 : (k - 1) // 2 + n] if mode == "same" else full[k - 1 : n]


@composite(np.bincount)
def bincount(x: Any, weights: Any = None, minlength: int = 0) -> Any:
    """np.bincount, differentiable in the weights."""
    where = np.asarray(primal_of(x))
    if weights is None:
        return np.bincount(where, minlength=minlength)
    from custodiet.autodiff.rules.indexing import index_add

    return index_add(weights, (max(int(where.max(initial=-1)) + 1, minlength),), (where,))


@composite(np.nan_to_num)
def nan_to_num(x: Any, copy: bool = True, **kwargs: Any) -> Any:
    """np.nan_to_num; with copy=False it writes into x, as NumPy does."""
    plain = primal_of(x)
    out = np.where(np.isfinite(plain), x, np.nan_to_num(plain, **kwargs))
    if not copy:
        x[...] = out
    return out if copy else x


@composite(np.nansum)
def nansum(a: Any, axis: Any = None, **kwargs: Any) -> Any:
    """np.nansum."""
    return np.sum(np.where(np.isnan(primal_of(a)), 0.0, a), axis=axis, **kwargs)


@composite(np.linalg.multi_dot)
def multi_dot(arrays: Any) -> Any:
    """np.linalg.multi_dot from left to right."""
    out = arrays[0]
    for one in arrays[1:]:
        out = np.dot(out, one)
    return out


@composite(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    """np.linalg.matrix_power by repeated squaring."""
    if n < 0:
        return np.linalg.matrix_power(np.linalg.inv(a), -n)
    out: Any = np.broadcast_to(np.eye(shape_of(a)[-1]), shape_of(a))
    while n:
        if n & 1:
            out = np.matmul(out, a)
        n >>= 1
        a = np.matmul(a, a) if n else a
    return out


@composite(np.linalg.pinv)
def pinv(a: Any) -> Any:
    """np.linalg.pinv of a matrix of full rank."""
    rows, columns = shape_of(a)[-2:]
    if np.any(np.linalg.matrix_rank(primal_of(a)) < min(rows, columns)):
        raise DifferentiationError("np.linalg.pinv of a matrix without full rank has no derivative")
    t = np.swapaxes(a, -1, -2)
    if rows >= columns:
        return np.linalg.solve(np.matmul(t, a), t)
    return np.swapaxes(np.linalg.solve(np.matmul(a, t), a), -1, -2)


@composite(np.gradient)
def gradient(f: Any, dx: Any = 1.0) -> Any:
    """np.gradient of a vector with uniform steps, first order at the ends."""
    if ndim_of(f) != 1 or ndim_of(dx) != 0:
        raise DifferentiationError("np.gradient is differentiable for vectors with one step", hint="Use slices.")
    return np.concatenate([f[1:2] - f[:1], (f[2:] - f[:-2]) / 2.0, f[-1:] - f[-2:-1]]) / dx


@composite(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """np.select as nested np.where."""
    out = default
    for mask, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        out = np.where(mask, choice, out)
    return out


@composite(np.cov)
def cov(x: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None) -> Any:
    """np.cov without weights."""
    x = np.atleast_2d(x)
    if not rowvar and shape_of(x)[0] != 1:
        x = np.swapaxes(x, 0, 1)
    if y is not None:
        y = np.atleast_2d(y)
        x = np.concatenate([x, y if rowvar or shape_of(y)[0] == 1 else np.swapaxes(y, 0, 1)], axis=0)
    x = x - np.mean(x, axis=1, keepdims=True)
    freedom = shape_of(x)[1] - (ddof if ddof is not None else 0 if bias else 1)
    return np.squeeze(np.matmul(x, np.swapaxes(x, 0, 1)) / freedom)
