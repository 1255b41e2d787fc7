"""scipy.special: the gamma and error functions, the logistic family, entropies, Bessel functions, softmax."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special as sp

from custodiet.autodiff.rules.core import elementwise, primal_of, register, scale, select

__all__: list[str] = []

TWO_OVER_SQRT_PI = 2.0 / math.sqrt(math.pi)
INV_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)

UNARY: dict[Any, tuple[Any, str]] = {
    sp.gammaln: (lambda out, x: sp.psi(x), "0"),
    sp.psi: (lambda out, x: polygamma(1, x), "0"),
    sp.gamma: (lambda out, x: out * sp.psi(x), "out 0"),
    sp.rgamma: (lambda out, x: -out * sp.psi(x), "out 0"),
    sp.erf: (lambda out, x: TWO_OVER_SQRT_PI * np.exp(-x * x), "0"),
    sp.erfc: (lambda out, x: -TWO_OVER_SQRT_PI * np.exp(-x * x), "0"),
    sp.erfcx: (lambda out, x: 2.0 * x * out - TWO_OVER_SQRT_PI, "out 0"),
    sp.erfinv: (lambda out, x: np.exp(out * out) / TWO_OVER_SQRT_PI, "out"),
    sp.erfcinv: (lambda out, x: -np.exp(out * out) / TWO_OVER_SQRT_PI, "out"),
    sp.expit: (lambda out, x: out * (1.0 - out), "out"),
    sp.log_expit: (lambda out, x: sp.expit(-x), "0"),
    sp.logit: (lambda out, x: 1.0 / (x * (1.0 - x)), "0"),
    sp.entr: (lambda out, x: -np.log(x) - 1.0, "0"),
    sp.ndtr: (lambda out, x: INV_SQRT_2PI * np.exp(-0.5 * x * x), "0"),
    sp.log_ndtr: (lambda out, x: INV_SQRT_2PI * np.exp(-0.5 * x * x - out), "out 0"),
    sp.ndtri: (lambda out, x: np.exp(0.5 * out * out) / INV_SQRT_2PI, "out"),
    sp.exprel: (lambda out, x: _exprel(out, x), "out 0"),
    sp.i0: (lambda out, x: sp.i1(x), "0"),
    sp.i1: (lambda out, x: sp.i0(x) - _over(out, x, 0.5), "out 0"),
    sp.i0e: (lambda out, x: sp.i1e(x) - np.sign(x) * out, "out 0"),
    sp.i1e: (lambda out, x: sp.i0e(x) - np.sign(x) * out - _over(out, x, 0.5), "out 0"),
    sp.j0: (lambda out, x: -sp.j1(x), "0"),
    sp.j1: (lambda out, x: sp.j0(x) - _over(out, x, 0.5), "out 0"),
    sp.log1p: (lambda out, x: 1.0 / (1.0 + x), "0"),
    sp.expm1: (lambda out, x: np.exp(x), "0"),
    sp.exp2: (lambda out, x: out * math.log(2.0), "out"),
    sp.cbrt: (lambda out, x: 1.0 / (3.0 * out * out), "out"),
}


def _over(out: Any, x: Any, limit: float) -> Any:
    """The quotient out / x with its limit at 0."""
    zero = np.asarray(primal_of(x)) == 0.0
    return select(zero, limit, out / select(zero, 1.0, x)) if np.any(zero) else out / x


def _exprel(out: Any, x: Any) -> Any:
    near = np.abs(np.asarray(primal_of(x))) < 1e-2
    safe = select(near, 1.0, x)
    series = 0.5 + x * (1 / 3 + x * (1 / 8 + x * (1 / 30 + x * (1 / 144 + x * (1 / 840 + x / 5760)))))
    return select(near, series, (np.exp(safe) - select(near, 1.0, out)) / safe)


def _log_or_zero(x: Any, y: Any) -> Any:
    """The logarithm of y, and 0 where x is 0: x log y is 0 there for every y."""
    zero = np.asarray(primal_of(x) == 0.0) & np.asarray(primal_of(y) == 0.0)
    return select(zero, 0.0, np.log(select(zero, 1.0, y))) if np.any(zero) else np.log(y)


def polygamma(n: Any, x: Any) -> Any:
    """scipy.special.polygamma; differentiable in x."""
    if not hasattr(type(x), "_traced_"):
        return sp.polygamma(n, x)
    from custodiet.autodiff.core import apply
    from custodiet.autodiff.rules.core import RULES

    return apply(RULES[sp.polygamma], (n, x), {})


BINARY: dict[Any, tuple[Any, str, Any, str]] = {
    sp.xlogy: (lambda out, x, y: _log_or_zero(x, y), "0 1", lambda out, x, y: x / y, "0 1"),
    sp.xlog1py: (lambda out, x, y: np.log1p(y), "1", lambda out, x, y: x / (1.0 + y), "0 1"),
    sp.rel_entr: (lambda out, x, y: np.log(x / y) + 1.0, "0 1", lambda out, x, y: -x / y, "0 1"),
    sp.kl_div: (lambda out, x, y: np.log(x / y), "0 1", lambda out, x, y: 1.0 - x / y, "0 1"),
    sp.betaln: (
        lambda out, x, y: sp.psi(x) - sp.psi(x + y),
        "0 1",
        lambda out, x, y: sp.psi(y) - sp.psi(x + y),
        "0 1",
    ),
    sp.beta: (
        lambda out, x, y: out * (sp.psi(x) - sp.psi(x + y)),
        "out 0 1",
        lambda out, x, y: out * (sp.psi(y) - sp.psi(x + y)),
        "out 0 1",
    ),
    sp.huber: (
        lambda out, d, r: np.where(np.abs(primal_of(r)) <= primal_of(d), 0.0, 1.0) * (np.abs(r) - d),
        "0 1",
        lambda out, d, r: np.clip(r, -d, d),
        "0 1",
    ),
}


def _softmax_vjp(g: Any, out: Any, x: Any, axis: Any = None) -> Any:
    return out * (g - np.sum(g * out, axis=axis, keepdims=True))


def _log_softmax_vjp(g: Any, out: Any, x: Any, axis: Any = None) -> Any:
    return g - np.exp(out) * np.sum(g, axis=axis, keepdims=True)


def _log_softmax_jvp(t: Any, out: Any, x: Any, axis: Any = None) -> Any:
    return t - np.sum(scale(t, np.exp(out)), axis=axis, keepdims=True)


def _define() -> None:
    for function, (d, reads) in UNARY.items():
        elementwise(f"scipy.special.{function.__name__}", function, d, reads=(reads,))
    for function, (dx, rx, dy, ry) in BINARY.items():
        elementwise(f"scipy.special.{function.__name__}", function, dx, dy, reads=(rx, ry))
    elementwise(
        "scipy.special.polygamma",
        sp.polygamma,
        None,
        lambda out, n, x: polygamma(n + 1, x),
        reads=("", "0 1"),
        params="n x",
    )
    register("scipy.special.softmax", sp.softmax, (_softmax_vjp,), (_softmax_vjp,), ("out",), params="x axis")
    register(
        "scipy.special.log_softmax",
        sp.log_softmax,
        (_log_softmax_vjp,),
        (_log_softmax_jvp,),
        ("out",),
        params="x axis",
    )


_define()
