"""One or more calls per primitive rule, with arguments away from the points where the derivative jumps."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special as sp

from custodiet.autodiff.array_calls import cast
from custodiet.autodiff.rules.indexing import index_add, index_set

RNG = np.random.Generator(np.random.PCG64(7))
V = RNG.uniform(0.3, 0.9, 4)
W = RNG.uniform(1.2, 2.3, 4)
M = RNG.uniform(-1.5, 1.5, (3, 4))
N = RNG.uniform(0.4, 1.6, (4, 2))
T = RNG.uniform(-1.0, 1.0, (2, 3, 4))
S = RNG.uniform(-1.0, 1.0, (3, 3)) + 3 * np.eye(3)
S2 = RNG.uniform(-1.0, 1.0, (2, 3, 3)) + 3 * np.eye(3)
Z = np.array([0.7, 0.0, -1.3, 0.4])
MASK = np.array([True, False, True, True])

Case = tuple[Callable[..., Any], Callable[..., Any], tuple[Any, ...]]
CASES: list[Case] = []


def case(rule: Any, f: Callable[..., Any], *args: Any) -> None:
    CASES.append((rule, f, args))


def unary(names: str, *args: Any) -> None:
    for name in names.split():
        ufunc = getattr(np, name)
        for x in args:
            case(ufunc, lambda x, ufunc=ufunc: ufunc(x), x)


def special(names: str, *args: Any) -> None:
    for name in names.split():
        function = getattr(sp, name)
        case(function, lambda *xs, function=function: function(*xs), *args)


unary("exp exp2 expm1 log log2 log10 log1p sqrt cbrt square reciprocal sin cos tan arcsin arccos arctan sinh cosh tanh "
      "arcsinh arctanh absolute fabs deg2rad radians rad2deg degrees negative positive conjugate sinc", V, V[1:3, None])  # fmt: skip
unary("arccosh", W)
unary("sign floor ceil rint trunc real imag real_if_close round fix", M)
for _name in [
    "add",
    "subtract",
    "multiply",
    "divide",
    "maximum",
    "minimum",
    "fmax",
    "fmin",
    "hypot",
    "arctan2",
    "logaddexp",
    "logaddexp2",
]:
    _u = getattr(np, _name)
    case(_u, lambda x, y, u=_u: u(x, y), M, W)
    case(_u, lambda x, y, u=_u: u(x, y), M[:, :1], N[:, 0])
    case(_u, lambda x, y, u=_u: u(x, y), 0.7, W)
for _name in ["power", "float_power", "remainder", "fmod", "floor_divide", "copysign"]:
    _u = getattr(np, _name)
    case(_u, lambda x, y, u=_u: u(x, y), N[:, 0] + 1.0, W[:2, None])
case(np.ldexp, lambda x: np.ldexp(x, np.array([1, 2, -1, 0])), V)
case(np.heaviside, lambda x: np.heaviside(x, 0.5), M)
case(np.nextafter, lambda x: np.nextafter(x, 9.0), V)
case(np.where, lambda x, y: np.where(MASK, x, y), M, V)
case(np.clip, lambda x, a, b: np.clip(x, a, b), M, -0.4, V)
case(np.clip, lambda x: np.clip(x, None, 0.2), M)

for _f in (np.sum, np.mean, np.prod, np.var, np.std, np.max, np.min, sp.logsumexp):
    case(_f, lambda x, f=_f: f(x), M)
    case(_f, lambda x, f=_f: f(x, axis=1), T)
    case(_f, lambda x, f=_f: f(x, axis=(0, -1), keepdims=True), T)
case(np.var, lambda x: np.var(x, axis=0, ddof=1), M)
case(np.prod, lambda x: np.prod(x), Z)
for _f in (np.cumsum, np.cumprod):
    case(_f, lambda x, f=_f: f(x), M)
    case(_f, lambda x, f=_f: f(x, axis=1), T)
case(np.cumprod, lambda x: np.cumprod(x), Z)
for _order in (None, 1, 2, 3, np.inf):
    case(np.linalg.norm, lambda x, o=_order: np.linalg.norm(x, o), V)
    case(np.linalg.norm, lambda x, o=_order: np.linalg.norm(x, o, axis=1), M)
case(np.linalg.norm, lambda x: np.linalg.norm(x), M)
case(np.linalg.norm, lambda x: np.linalg.norm(x, "fro", axis=(0, 1), keepdims=True), M)

case(np.reshape, lambda x: np.reshape(x, (2, -1)), M)
case(np.ravel, lambda x: np.ravel(x.T), M)
case(np.squeeze, lambda x: np.squeeze(x), M[None])
case(np.expand_dims, lambda x: np.expand_dims(x, 1), M)
case(np.transpose, lambda x: np.transpose(x, (1, -1, 0)), T)
case(np.transpose, lambda x: x.T, T)
case(np.swapaxes, lambda x: np.swapaxes(x, 0, 2), T)
case(np.moveaxis, lambda x: np.moveaxis(x, 0, -1), T)
case(np.matrix_transpose, lambda x: x.mT, T)
case(np.broadcast_to, lambda x: np.broadcast_to(x, (3, 4)), V)
case(np.flip, lambda x: np.flip(x, 1), M)
case(np.fliplr, lambda x: np.fliplr(x), M)
case(np.flipud, lambda x: np.flipud(x), M)
case(np.rot90, lambda x: np.rot90(x, 1), M)
case(np.roll, lambda x: np.roll(x, 1), M)
case(np.roll, lambda x: np.roll(x, (1, 2), axis=(0, 1)), M)
case(np.tile, lambda x: np.tile(x, (2, 1, 2)), M)
case(np.repeat, lambda x: np.repeat(x, 2), M)
case(np.repeat, lambda x: np.repeat(x, [1, 0, 2], axis=0), M)
case(np.tril, lambda x: np.tril(x, 1), T)
case(np.triu, lambda x: np.triu(x), T)
case(np.diagonal, lambda x: np.diagonal(x, 1), M)
case(np.diagonal, lambda x: np.diagonal(x, 0, 2, 0), T)
case(np.trace, lambda x: np.trace(x, 1), M)
case(np.trace, lambda x: np.trace(x, axis1=1, axis2=2), T)
case(np.diag, lambda x: np.diag(x), V)
case(np.diag, lambda x: np.diag(x, -1), M)
case(np.diagflat, lambda x: np.diagflat(x, 1), V)
case(np.copy, lambda x: np.copy(x), M)
case(np.pad, lambda x: np.pad(x, ((1, 0), (2, 1))), M)
case(np.concatenate, lambda x, y: np.concatenate([x, y, x], axis=1), M, M * 2)
case(np.concatenate, lambda x, y: np.concatenate([x, y], axis=None), M, V)
case(np.stack, lambda x, y: np.stack([x, y], axis=1), V, W)

case(operator.getitem, lambda x: x[1], M)
case(operator.getitem, lambda x: x[::2, None, -1], M)
case(operator.getitem, lambda x: x[np.array([0, 2, 2])], M)
case(operator.getitem, lambda x: x[MASK], V)
case(index_add, lambda x: index_add(x, (5,), np.array([0, 3, 3, 1])), V)
case(index_set, lambda x, v: index_set(x, np.array([0, 2, 0]), v), W, V[:3])
case(np.take, lambda x: np.take(x, [[0, 2], [2, 1]], axis=1), M)
case(np.take, lambda x: np.take(x, [5, -1], mode="wrap"), M)
case(np.take_along_axis, lambda x: np.take_along_axis(x, np.array([[0], [2], [2]]), axis=1), M)
case(np.sort, lambda x: np.sort(x, axis=0), M)
case(np.sort, lambda x: np.sort(x, axis=None), M)
case(np.partition, lambda x: np.partition(x, 2)[2], V)
case(np.compress, lambda x: np.compress([True, False, True], x, axis=0), M)

case(np.matmul, lambda x, y: x @ y, M, N)
case(np.matmul, lambda x, y: x @ y, T, N)
case(np.matmul, lambda x, y: x @ y, M, V)
case(np.matmul, lambda x, y: x @ y, V, N)
case(np.matmul, lambda x, y: x @ y, V, W)
case(np.dot, lambda x, y: np.dot(x, y), M, N)
case(np.dot, lambda x, y: np.dot(x, y), T, N)
case(np.dot, lambda x, y: np.dot(x, y), T, V)
case(np.tensordot, lambda x, y: np.tensordot(x, y, 1), T, N)
case(np.tensordot, lambda x, y: np.tensordot(x, y, axes=([2, 1], [1, 0])), T, RNG.standard_normal((3, 4, 2)))
case(np.outer, lambda x, y: np.outer(x, y), M, V)
case(np.inner, lambda x, y: np.inner(x, y), T, M)
case(np.kron, lambda x, y: np.kron(x, y), M, N)
case(np.kron, lambda x, y: np.kron(x, y), V, N)
case(np.vdot, lambda x, y: np.vdot(x, y), M, M + 1)
case(np.vecdot, lambda x, y: np.vecdot(x, y), M, V)
case(np.einsum, lambda x, y: np.einsum("ij,jk->ik", x, y), M, N)
case(np.einsum, lambda x, y: np.einsum("...j,j", x, y), T, V)
case(np.einsum, lambda x: np.einsum("ii->i", x), S)
case(np.einsum, lambda x: np.einsum("ijk->j", x), T)
case(np.einsum, lambda x, y, z: np.einsum("ij,jk,i->k", x, y, z), M, N, V[:3])

case(np.linalg.solve, lambda a, b: np.linalg.solve(a, b), S, V[:3])
case(np.linalg.solve, lambda a, b: np.linalg.solve(a, b), S2, M)
case(np.linalg.inv, lambda a: np.linalg.inv(a), S2)
case(np.linalg.det, lambda a: np.linalg.det(a), S2)
case(np.linalg.slogdet, lambda a: np.linalg.slogdet(a)[1], S2)
case(np.linalg.cholesky, lambda a: np.linalg.cholesky(a @ a.mT), S2)
case(np.linalg.cholesky, lambda a: np.linalg.cholesky(a, upper=True), S @ S.T)
case(np.linalg.eigh, lambda a: np.linalg.eigh(a)[0], S)
case(np.linalg.eigh, lambda a: np.abs(np.linalg.eigh(a + a.T, "U")[1]), S)
case(np.linalg.eigvalsh, lambda a: np.linalg.eigvalsh(a), S2)

special("gammaln psi gamma rgamma erf erfc erfcx erfinv expit log_expit logit entr ndtr log_ndtr ndtri exprel i0 i1 i0e "
        "i1e j0 j1 log1p expm1 exp2 cbrt erfcinv", V)  # fmt: skip
special("xlogy xlog1py rel_entr kl_div betaln beta huber", V, W)
case(sp.polygamma, lambda x: sp.polygamma(1, x), V)
case(sp.softmax, lambda x: sp.softmax(x, axis=1), M)
case(sp.log_softmax, lambda x: sp.log_softmax(x, axis=0), M)
case(cast, lambda x: x.astype(np.longdouble), V)

MATH_NAMES = """
sin cos tan asin acos atan sinh cosh tanh asinh atanh exp exp2 expm1
log log2 log10 log1p sqrt cbrt fabs erf erfc lgamma gamma degrees radians
"""
for _name in MATH_NAMES.split():
    _g = getattr(math, _name)
    case(_g, lambda x, g=_g: g(x) * 1.0, 0.6)
case(math.acosh, lambda x: math.acosh(x), 1.6)
case(math.log, lambda x, b: math.log(x, b), 0.6, 1.7)
for _name in ["pow", "atan2", "hypot", "fmod", "remainder", "copysign"]:
    _g = getattr(math, _name)
    case(_g, lambda x, y, g=_g: g(x, y), 1.6, 0.7)
case(math.hypot, lambda x, y, z: math.hypot(x, y, z), 1.6, 0.7, -0.3)
case(math.ldexp, lambda x: math.ldexp(x, 3), 0.6)
