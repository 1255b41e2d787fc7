"""Reductions and running reductions: sum, prod, mean, var, std, max, min, cumsum, cumprod, logsumexp, norm."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special as sp

from custodiet.autodiff.rules.core import (
    RULES,
    dtype_of,
    linear,
    ndim_of,
    primal_of,
    register,
    scale,
    select,
    shape_of,
)
from custodiet.errors import DifferentiationError

#: A standard deviation of at most this part of the mean is what rounding the mean leaves of a constant sample.
SPREAD_NOISE = 8 * float(np.finfo(np.float64).eps)

__all__ = ["expand", "num_reduced"]

Axis = Any


def _axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(ndim))
    return tuple(k % ndim for k in ((axis,) if not isinstance(axis, (tuple, list)) else axis)) if ndim else ()


def expand(g: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Put the reduced axes back into the cotangent, each of length 1."""
    if keepdims or ndim_of(x) == 0:
        return g
    axes = _axes(axis, ndim_of(x))
    shape = tuple(1 if k in axes else n for k, n in enumerate(shape_of(x)))
    return np.reshape(g, shape)


def num_reduced(x: Any, axis: Axis = None) -> int:
    """How many numbers fall into one."""
    count = 1
    for k in _axes(axis, ndim_of(x)):
        count *= shape_of(x)[k]
    return count


def _refuse(name: str, kwargs: dict[str, Any]) -> None:
    for key, value in kwargs.items():
        if value is not np._NoValue and value is not None and key != "dtype" and (key, value) != ("initial", 0):
            raise DifferentiationError(
                f"{name} with {key}= has no derivative rule", hint=f"Select first: {name}(np.where(mask, x, neutral))."
            )


def _like(g: Any, x: Any) -> Any:
    return np.broadcast_to(g, shape_of(x)).astype(dtype_of(x)) if ndim_of(x) else g


def _sum_vjp(
    g: Any, out: Any, x: Any, axis: Axis = None, dtype: Any = None, keepdims: Any = False, **kwargs: Any
) -> Any:
    _refuse("np.sum", kwargs)
    return _like(expand(g, x, axis, keepdims is True), x)


def _mean_vjp(
    g: Any, out: Any, x: Any, axis: Axis = None, dtype: Any = None, keepdims: Any = False, **kwargs: Any
) -> Any:
    _refuse("np.mean", kwargs)
    return _like(expand(g, x, axis, keepdims is True) / num_reduced(x, axis), x)


def _spread(x: Any, axis: Axis) -> Any:
    return x - np.mean(x, axis=axis, keepdims=True) if ndim_of(x) else x * 0.0


def _var_slope(x: Any, axis: Axis, ddof: float) -> Any:
    return 2.0 * _spread(x, axis) / (num_reduced(x, axis) - ddof)


def _var_vjp(
    g: Any, out: Any, x: Any, axis: Axis = None, *, ddof: float = 0, keepdims: Any = False, **kwargs: Any
) -> Any:
    _refuse("np.var", kwargs)
    return expand(g, x, axis, keepdims is True) * _var_slope(x, axis, ddof)


def _var_jvp(
    t: Any, out: Any, x: Any, axis: Axis = None, *, ddof: float = 0, keepdims: Any = False, **kwargs: Any
) -> Any:
    _refuse("np.var", kwargs)
    return np.sum(t * _var_slope(x, axis, ddof), axis=axis, keepdims=keepdims is True)


def _half_inverse(out: Any, x: Any, axis: Axis, keepdims: Any) -> Any:
    """1 / (2 out), 0 where out is 0 or no more than what rounding the mean leaves: the sample is constant there, and 0 is a
    subgradient.
    """
    noise = SPREAD_NOISE * np.abs(np.mean(primal_of(x), axis=axis, keepdims=keepdims is True))
    flat = np.asarray(primal_of(out)) <= noise
    return select(flat, 0.0, 0.5 / select(flat, 1.0, out)) if np.any(flat) else 0.5 / out


def _std_vjp(g: Any, out: Any, x: Any, axis: Axis = None, *, keepdims: Any = False, **kwargs: Any) -> Any:
    return _var_vjp(g * _half_inverse(out, x, axis, keepdims), out, x, axis, keepdims=keepdims, **kwargs)


def _std_jvp(t: Any, out: Any, x: Any, axis: Axis = None, *, keepdims: Any = False, **kwargs: Any) -> Any:
    return _half_inverse(out, x, axis, keepdims) * _var_jvp(t, out, x, axis, keepdims=keepdims, **kwargs)


def _exclusive(x: Any, axis: int) -> Any:
    """Product along an axis of all the elements before each one."""
    n = shape_of(x)[axis]
    x = np.moveaxis(x, axis, -1)
    ones = np.ones((*shape_of(x)[:-1], min(n, 1)), dtype=dtype_of(x))
    return np.moveaxis(np.concatenate([ones, np.cumprod(x[..., : max(n - 1, 0)], axis=-1)], axis=-1), -1, axis)


def _prod_slope(out: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """Slope of a product: the product of all the others, also where some are zero."""
    if ndim_of(x) == 0:
        return 1.0
    if np.all(primal_of(x) != 0.0):
        return expand(out, x, axis, keepdims) / x
    axes = _axes(axis, ndim_of(x))
    keep = tuple(k for k in range(ndim_of(x)) if k not in axes)
    order = keep + axes
    turned = np.transpose(x, order)
    flat = np.reshape(turned, (*shape_of(turned)[: len(keep)], -1))
    others = _exclusive(flat, -1) * np.flip(_exclusive(np.flip(flat, -1), -1), -1)
    return np.transpose(np.reshape(others, shape_of(turned)), tuple(np.argsort(order)))


def _prod_vjp(
    g: Any, out: Any, x: Any, axis: Axis = None, dtype: Any = None, keepdims: Any = False, **kwargs: Any
) -> Any:
    _refuse("np.prod", kwargs)
    return scale(expand(g, x, axis, keepdims is True), _prod_slope(out, x, axis, keepdims is True))


def _prod_jvp(
    t: Any, out: Any, x: Any, axis: Axis = None, dtype: Any = None, keepdims: Any = False, **kwargs: Any
) -> Any:
    _refuse("np.prod", kwargs)
    return np.sum(scale(t, _prod_slope(out, x, axis, keepdims is True)), axis=axis, keepdims=keepdims is True)


def _winners(out: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """Shares of the elements that attain the extremum: equal at ties, summing to 1."""
    x, out = primal_of(x), primal_of(out)
    best = expand(out, x, axis, keepdims)
    took = (x == best) | (np.isnan(best) & np.isnan(x))
    return took / np.maximum(np.sum(took, axis=None if axis is None else _axes(axis, ndim_of(x)), keepdims=True), 1)


def _extremum_vjp(g: Any, out: Any, x: Any, axis: Axis = None, *, keepdims: Any = False, **kwargs: Any) -> Any:
    _refuse("np.max", kwargs)
    return _like(scale(expand(g, x, axis, keepdims is True), _winners(out, x, axis, keepdims is True)), x)


def _extremum_jvp(t: Any, out: Any, x: Any, axis: Axis = None, *, keepdims: Any = False, **kwargs: Any) -> Any:
    _refuse("np.max", kwargs)
    return np.sum(scale(t, _winners(out, x, axis, keepdims is True)), axis=axis, keepdims=keepdims is True)


def _reverse_cumsum(g: Any, axis: int) -> Any:
    return np.flip(np.cumsum(np.flip(g, axis), axis=axis), axis)


def _cumsum_vjp(g: Any, out: Any, x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    back = _reverse_cumsum(g, 0 if axis is None else axis)
    return _like(np.reshape(back, shape_of(x)), x)


def _cumprod_rows(g: Any, x: Any) -> Any:
    """The cotangent of a running product along the last axis by its recurrence; right where elements are zero."""
    n = shape_of(x)[-1]
    before = _exclusive(x, -1)
    rows, carry = [], 0.0
    for k in range(n - 1, -1, -1):
        carry = g[..., k] + (x[..., k + 1] * carry if k + 1 < n else 0.0)
        rows.append(before[..., k] * carry)
    return np.stack(rows[::-1], axis=-1)


def _cumprod_vjp(g: Any, out: Any, x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    shape = shape_of(x)
    flat, along = (np.reshape(x, (-1,)), 0) if axis is None else (x, axis)
    if 0 in shape_of(flat):
        return x * 0.0
    if np.all(primal_of(x) != 0.0):
        return np.reshape(_reverse_cumsum(g * out, along) / flat, shape)
    moved = np.moveaxis(flat, along, -1)
    return np.reshape(np.moveaxis(_cumprod_rows(np.moveaxis(g, along, -1), moved), -1, along), shape)


def _cumprod_jvp(t: Any, out: Any, x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    flat, along = (np.reshape(x, (-1,)), 0) if axis is None else (x, axis)
    t = np.moveaxis(np.reshape(t, shape_of(flat)), along, -1)
    moved = np.moveaxis(flat, along, -1)
    columns, product, tangent = [], 1.0, 0.0
    for k in range(shape_of(moved)[-1]):
        tangent = tangent * moved[..., k] + product * t[..., k]
        product = product * moved[..., k]
        columns.append(tangent)
    return np.moveaxis(np.stack(columns, axis=-1), -1, along) if columns else out


def _softmax_weights(out: Any, x: Any, axis: Axis, b: Any, keepdims: bool) -> Any:
    if b is not None:
        raise DifferentiationError("scipy.special.logsumexp with b= has no derivative rule", hint="Add np.log(b) to a.")
    best = expand(out, x, axis, keepdims)
    empty = np.asarray(primal_of(best)) == -np.inf
    return np.exp(x - (select(empty, 0.0, best) if np.any(empty) else best))


def _logsumexp_vjp(
    g: Any, out: Any, x: Any, axis: Axis = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    return scale(expand(g, x, axis, keepdims), _softmax_weights(out, x, axis, b, keepdims))


def _logsumexp_jvp(
    t: Any, out: Any, x: Any, axis: Axis = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    return np.sum(scale(t, _softmax_weights(out, x, axis, b, keepdims)), axis=axis, keepdims=keepdims)


def _norm_slope(out: Any, x: Any, order: Any, axis: Axis, keepdims: bool) -> Any:
    """Slope of a norm; 0 where the norm is 0."""
    ndim = ndim_of(x)
    matrix = (axis is None and ndim == 2 and order is not None) or (isinstance(axis, tuple) and len(axis) == 2)
    best = expand(out, x, axis, keepdims)
    zero = np.asarray(primal_of(best)) == 0.0
    safe = select(zero, 1.0, best) if np.any(zero) else best
    if order is None or (matrix and order == "fro") or (not matrix and order == 2):
        slope = x / safe
    elif matrix or (axis is None and ndim > 1):
        raise DifferentiationError(
            f"np.linalg.norm of a matrix with ord={order!r} has no derivative rule", hint="Use ord='fro' or an axis."
        )
    elif order == 1:
        return np.sign(x)
    elif order in (np.inf, -np.inf):
        return np.sign(x) * _winners(primal_of(out), np.abs(primal_of(x)), axis, keepdims)
    elif order == 0:
        return x * 0.0
    else:
        size = np.abs(x)
        hole = np.asarray(primal_of(size)) == 0.0
        ratio = select(hole, 1.0, size) / safe if np.any(hole) else size / safe
        slope = np.sign(x) * ratio ** (order - 1)
    return select(np.broadcast_to(zero, shape_of(x)), 0.0, slope) if np.any(zero) else slope


def _norm_vjp(g: Any, out: Any, x: Any, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Any:
    return scale(expand(g, x, axis, keepdims), _norm_slope(out, x, ord, axis, keepdims))


def _norm_jvp(t: Any, out: Any, x: Any, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Any:
    slope = _norm_slope(out, x, ord, axis, keepdims)
    return np.sum(scale(t, slope), axis=axis, keepdims=keepdims)


def _define() -> None:
    linear("np.sum", np.sum, _sum_vjp, params="a axis dtype")
    linear("np.mean", np.mean, _mean_vjp, params="a axis dtype")
    linear("np.cumsum", np.cumsum, _cumsum_vjp, params="a axis dtype")
    register("np.var", np.var, (_var_vjp,), (_var_jvp,), ("0",), params="a axis")
    register("np.std", np.std, (_std_vjp,), (_std_jvp,), ("out 0",), params="a axis")
    register("np.prod", np.prod, (_prod_vjp,), (_prod_jvp,), ("out 0",), params="a axis dtype")
    for name in ("max", "min"):
        function = getattr(np, name)
        register(f"np.{name}", function, (_extremum_vjp,), (_extremum_jvp,), ("out 0",), params="a axis")
        RULES[getattr(np, f"a{name}")] = RULES[function]
    register("np.cumprod", np.cumprod, (_cumprod_vjp,), (_cumprod_jvp,), ("out 0",), params="a axis dtype")
    register(
        "scipy.special.logsumexp",
        sp.logsumexp,
        (_logsumexp_vjp,),
        (_logsumexp_jvp,),
        ("out 0",),
        params="a axis b keepdims",
    )
    register("np.linalg.norm", np.linalg.norm, (_norm_vjp,), (_norm_jvp,), ("out 0",), params="x ord axis keepdims")


_define()
