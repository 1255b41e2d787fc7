"""np.linalg: solve, inv, det, slogdet, cholesky, eigh.

`cholesky` and `eigh` read one triangle of their argument; their cotangents lie in that triangle, so that they are the
derivative of the program as it runs. A symmetric argument that was computed symmetrically gets the usual gradient.
Formulas: Giles 2008 (collected matrix derivative results), Murray 2016 (arXiv 1602.07527).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from custodiet.autodiff.rules.core import is_plain, ndim_of, primal_of, register, shape_of, unbroadcast
from custodiet.errors import DifferentiationError

__all__: list[str] = []


def _t(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


def _up(g: Any) -> Any:
    """Two more axes, so that a number per matrix multiplies the matrix."""
    return np.reshape(g, (*shape_of(g), 1, 1))


def _eye(a: Any) -> Any:
    return np.eye(shape_of(a)[-1], dtype=primal_of(a).dtype)


def _solve_b(g: Any, out: Any, a: Any, b: Any) -> Any:
    return unbroadcast(np.linalg.solve(_t(a), g), b)


def _solve_a(g: Any, out: Any, a: Any, b: Any) -> Any:
    back = np.linalg.solve(_t(a), g)
    if ndim_of(b) == 1:
        return unbroadcast(-back[..., :, None] * out[..., None, :], a)
    return unbroadcast(-np.matmul(back, _t(out)), a)


def _solve_jvp_a(t: Any, out: Any, a: Any, b: Any) -> Any:
    return -np.linalg.solve(a, np.matmul(t, out))


def _cofactors(out: Any, a: Any) -> Any:
    """The slope of det, also where a is singular."""
    if np.all(primal_of(out) != 0.0):
        return _up(out) * _t(np.linalg.inv(a))
    if not is_plain(a):
        raise DifferentiationError("second derivatives of np.linalg.det at a singular matrix have no rule")
    u, s, vt = np.linalg.svd(a)
    n = s.shape[-1]
    others = np.stack([np.prod(np.delete(s, k, axis=-1), axis=-1) for k in range(n)], axis=-1)
    return _up(np.linalg.det(u) * np.linalg.det(vt)) * np.matmul(u * others[..., None, :], vt)


def _det_vjp(g: Any, out: Any, a: Any) -> Any:
    return _up(g) * _cofactors(out, a)


def _det_jvp(t: Any, out: Any, a: Any) -> Any:
    return np.sum(_cofactors(out, a) * t, axis=(-2, -1))


def _slogdet_vjp(g: Any, out: Any, a: Any) -> Any:
    return _up(g[1]) * _t(np.linalg.inv(a))


def _slogdet_jvp(t: Any, out: Any, a: Any) -> Any:
    change = np.trace(np.linalg.solve(a, t), axis1=-2, axis2=-1)
    return (change * 0.0, change)


def _inv_vjp(g: Any, out: Any, a: Any) -> Any:
    return -np.matmul(np.matmul(_t(out), g), _t(out))


def _inv_jvp(t: Any, out: Any, a: Any) -> Any:
    return -np.matmul(np.matmul(out, t), out)


def _lower_half(x: Any) -> Any:
    """The lower triangle with its diagonal halved."""
    return np.tril(x) - 0.5 * (x * _eye(x))


def _to_triangle(s: Any, upper: bool) -> Any:
    """The cotangent of the triangle that was read, from that of the whole symmetric matrix."""
    both = s + _t(s)
    return (np.triu(both) if upper else np.tril(both)) - s * _eye(s)


def _from_triangle(t: Any, upper: bool) -> Any:
    part = np.triu(t) if upper else np.tril(t)
    return part + _t(part) - t * _eye(t)


def _cholesky_vjp(g: Any, out: Any, a: Any, *, upper: bool = False) -> Any:
    low, g = (_t(out), _t(g)) if upper else (out, g)
    middle = _lower_half(np.matmul(_t(low), np.tril(g)))
    left = np.linalg.solve(_t(low), middle)
    s = _t(np.linalg.solve(_t(low), _t(left)))
    s = 0.5 * (s + _t(s))
    return _to_triangle(s, upper)


def _cholesky_jvp(t: Any, out: Any, a: Any, *, upper: bool = False) -> Any:
    low = _t(out) if upper else out
    whole = _from_triangle(t, upper)
    inner = np.linalg.solve(low, _t(np.linalg.solve(low, _t(whole))))
    change = np.matmul(low, _lower_half(inner))
    return _t(change) if upper else change


def _gaps(w: Any) -> Any:
    """1 / (w_j - w_i) off the diagonal and 0 on it."""
    gap = w[..., None, :] - w[..., :, None]
    eye = np.eye(shape_of(w)[-1])
    return (1.0 - eye) / (gap + eye)


def _triangle(uplo: str) -> bool:
    return str(uplo).upper() == "U"


def _eigh_vjp(g: Any, out: Any, a: Any, UPLO: str = "L") -> Any:
    w, v = out
    middle = g[0][..., :, None] * np.eye(shape_of(w)[-1])
    if not (is_plain(g[1]) and not np.any(g[1])):
        middle = middle + _gaps(w) * np.matmul(_t(v), g[1])
    s = np.matmul(np.matmul(v, middle), _t(v))
    return _to_triangle(0.5 * (s + _t(s)), _triangle(UPLO))


def _eigh_jvp(t: Any, out: Any, a: Any, UPLO: str = "L") -> Any:
    w, v = out
    inner = np.matmul(np.matmul(_t(v), _from_triangle(t, _triangle(UPLO))), v)
    return (np.diagonal(inner, axis1=-2, axis2=-1), np.matmul(v, _gaps(w) * inner))


def _eigvalsh_vjp(g: Any, out: Any, a: Any, UPLO: str = "L") -> Any:
    _, v = np.linalg.eigh(a, UPLO)  # type: ignore[call-overload]
    s = np.matmul(v * g[..., None, :], _t(v))
    return _to_triangle(0.5 * (s + _t(s)), _triangle(UPLO))


def _eigvalsh_jvp(t: Any, out: Any, a: Any, UPLO: str = "L") -> Any:
    _, v = np.linalg.eigh(a, UPLO)  # type: ignore[call-overload]
    inner = np.matmul(np.matmul(_t(v), _from_triangle(t, _triangle(UPLO))), v)
    return np.diagonal(inner, axis1=-2, axis2=-1)


def _define() -> None:
    register(
        "np.linalg.solve",
        np.linalg.solve,
        (_solve_a, _solve_b),
        (_solve_jvp_a, lambda t, out, a, b: np.linalg.solve(a, t)),
        ("out 0", "0"),
        params="a b",
    )
    register("np.linalg.inv", np.linalg.inv, (_inv_vjp,), (_inv_jvp,), ("out",), params="a")
    register("np.linalg.det", np.linalg.det, (_det_vjp,), (_det_jvp,), ("out 0",), params="a")
    register("np.linalg.slogdet", np.linalg.slogdet, (_slogdet_vjp,), (_slogdet_jvp,), ("0",), params="a")
    register("np.linalg.cholesky", np.linalg.cholesky, (_cholesky_vjp,), (_cholesky_jvp,), ("out",), params="a")
    register("np.linalg.eigh", np.linalg.eigh, (_eigh_vjp,), (_eigh_jvp,), ("out",), params="a UPLO")
    register("np.linalg.eigvalsh", np.linalg.eigvalsh, (_eigvalsh_vjp,), (_eigvalsh_jvp,), ("0",), params="a UPLO")


_define()
