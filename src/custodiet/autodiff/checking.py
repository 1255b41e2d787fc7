"""check: does the derivative agree with itself and with differences?

Reverse mode, forward mode, central differences and, where f takes complex numbers, the complex step (Squire and Trapp
1998) are compared along a few directions. Differences need no trace, so that they judge the derivative from outside.
"""

from __future__ import annotations

import cmath
import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from custodiet.autodiff.core import traced
from custodiet.autodiff.engine import argument_name, forward_call, reverse_call
from custodiet.autodiff.pytree import Structure, flatten, flatten_differentiable, is_float_leaf
from custodiet.autodiff.rules.core import primal_of, shape_of
from custodiet.errors import DifferentiationError

__all__ = ["CheckReport", "DirectionCheck", "check"]


@dataclass(frozen=True, kw_only=True)
class DirectionCheck:
    """The derivative along one direction, by each method; None where a method does not apply."""

    reverse: float
    forward: float | None
    central: float
    central_error: float
    """how far the two step sizes behind `central` disagree"""
    complex_step: float | None


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    """What `check` found."""

    directions: tuple[DirectionCheck, ...]
    tolerance: float
    ok: bool
    failures: tuple[str, ...]

    def __str__(self) -> str:
        head = "derivatives agree" if self.ok else "derivatives DISAGREE: " + "; ".join(self.failures)
        lines = [f"  reverse {d.reverse:.12g}  forward {_show(d.forward)}  central {d.central:.12g} +- "
                 f"{d.central_error:.1g}  complex step {_show(d.complex_step)}" for d in self.directions]  # fmt: skip
        return "\n".join([head, *lines])


def _show(x: float | None) -> str:
    return "-" if x is None else f"{x:.12g}"


def _dot(a: list[Any], b: list[Any]) -> Any:
    return sum((np.sum(np.multiply(x, y)) for x, y in zip(a, b, strict=True)), 0.0)


class _Point:
    """f around a point: its arguments cut into the leaves that move and the rest."""

    def __init__(
        self, f: Callable[..., Any], args: tuple[Any, ...], places: tuple[int, ...], kwargs: dict[str, Any]
    ) -> None:
        self.f, self.args, self.places, self.kwargs = f, args, places, kwargs
        pairs = [flatten_differentiable(args[k], argument_name(f, k)) for k in places]
        self.own: list[list[Any]] = [one[0] for one in pairs]
        self.structures: list[Structure] = [one[1] for one in pairs]
        self.single = any(getattr(x, "dtype", None) == np.float32 for leaves in self.own for x in leaves)

    def fresh(self) -> list[Any]:
        """Arguments of their own, random generators in the state in which they came."""
        return [copy.deepcopy(one) for one in self.args]

    def value(self, direction: list[list[Any]], step: Any) -> list[Any]:
        given = self.fresh()
        for k, leaves, structure, moves in zip(self.places, self.own, self.structures, direction, strict=True):
            given[k] = structure.build([_moved(x, d, step) for x, d in zip(leaves, moves, strict=True)])
        out, _ = flatten(self.f(*given, **self.kwargs))
        return [one for one in out if isinstance(one, (float, complex, np.inexact, np.ndarray))]

    def central(self, direction: list[list[Any]], weights: list[Any]) -> tuple[float, float]:
        """Central differences with Richardson's correction, and the distance between its two levels."""
        size = max([1.0, *(float(np.max(np.abs(x), initial=0.0)) for leaves in self.own for x in leaves)])
        h = (3e-2 if self.single else 1e-4) * size
        slopes = []
        for step in (h, h / 2):
            up, down = self.value(direction, step), self.value(direction, -step)
            slopes.append(
                float(_dot([np.subtract(a, b, dtype=float) for a, b in zip(up, down, strict=True)], weights))
                / (2 * step)
            )
        best = (4 * slopes[1] - slopes[0]) / 3
        return best, abs(slopes[1] - slopes[0])

    def complex_step(self, direction: list[list[Any]], weights: list[Any]) -> float | None:
        """The complex step; None where f does not take complex numbers or does not carry them through."""
        h = 1e-30
        try:
            with np.errstate(all="ignore"):
                out = self.value(direction, 1j * h)
        except Exception:  # f may do anything with a complex number
            return None
        if not any(np.iscomplexobj(one) for one in out) or not all(np.all(np.isfinite(one)) for one in out):
            return None
        return float(_dot([np.imag(one) / h for one in out], weights))


def _moved(x: Any, d: Any, step: Any) -> Any:
    out = x + step * d
    if isinstance(step, complex):
        return out
    return (
        x.dtype.type(out)
        if isinstance(x, np.generic)
        else out.astype(x.dtype)
        if isinstance(x, np.ndarray)
        else float(out)
    )


def check(
    f: Callable[..., Any],
    *args: Any,
    argnums: int | tuple[int, ...] | None = None,
    tolerance: float | None = None,
    num_directions: int = 3,
    seed: int = 0,
    **kwargs: Any,
) -> CheckReport:
    """Compare f's derivatives by reverse mode, forward mode, central differences and the complex step.

    Args:
        f: any function of floats, arrays and nests of them; it is run many times, on copies of its arguments.
        args: where to differentiate.
        argnums: which arguments; None: all that consist of floats.
        tolerance: relative; None: 1e-6 in float64 and 2e-2 in float32 against differences.
        num_directions: random directions, and random weights of the results where there are several.

    Returns:
        A CheckReport; `ok` is False where reverse and forward mode differ by more than rounding, or reverse mode and
        central differences by more than the tolerance and the differences' own error. The complex step is shown, and
        judged where it agrees with the central differences: it says nothing about functions such as abs.
    """
    places = _float_places(args) if argnums is None else ((argnums,) if isinstance(argnums, int) else tuple(argnums))
    if not places:
        raise DifferentiationError("check found no argument of floats", hint="Pass 3.0 for 3.")
    if any(traced(x) for x in flatten(args)[0]):
        raise DifferentiationError("check runs outside of derivatives, on plain numbers")
    point = _Point(f, args, places, kwargs)
    limit = tolerance if tolerance is not None else (2e-2 if point.single else 1e-6)
    rng = np.random.Generator(np.random.PCG64(seed))
    record = reverse_call(f, tuple(point.fresh()), kwargs, places)
    weights = [np.asarray(rng.uniform(0.5, 1.5, shape_of(x))) if is_float_leaf(x) else None for x in record.out_leaves]
    if len(weights) == 1 and not shape_of(record.out_leaves[0]):
        weights = [np.asarray(1.0)]
    gradient = record.back(
        [None if w is None else _typed(w, x) for w, x in zip(weights, record.out_leaves, strict=True)]
    )
    floats = [w for w in weights if w is not None]
    rows, failures = [], []
    for _ in range(num_directions):
        direction = [[_typed(np.asarray(rng.standard_normal(shape_of(x))), x) for x in leaves] for leaves in point.own]
        flat = [d for moves in direction for d in moves]
        reverse = float(_dot(gradient, flat))
        forward = _forward(point, direction, weights)
        central, error = point.central(direction, floats)
        rows.append(
            DirectionCheck(
                reverse=reverse,
                forward=forward,
                central=central,
                central_error=error,
                complex_step=point.complex_step(direction, floats),
            )
        )
        failures += _judge(rows[-1], limit, point.single)
    return CheckReport(
        directions=tuple(rows), tolerance=limit, ok=not failures, failures=tuple(dict.fromkeys(failures))
    )


def _typed(w: Any, x: Any) -> Any:
    dtype = getattr(primal_of(x), "dtype", None)
    if not shape_of(x):
        return float(w) if dtype is None else dtype.type(w)
    return w.astype(dtype)


def _forward(point: _Point, direction: list[list[Any]], weights: list[Any]) -> float | None:
    _, leaves, moved, _, _ = forward_call(point.f, tuple(point.fresh()), point.kwargs, point.places, direction)
    kept = [(t, w) for t, w in zip(moved, weights, strict=True) if w is not None]
    return float(_dot([t for t, _ in kept], [w for _, w in kept]))


def _judge(row: DirectionCheck, limit: float, single: bool) -> list[str]:
    if any(not math.isfinite(x) for x in (row.reverse, row.central)):
        same = row.reverse == row.central or (math.isnan(row.reverse) and math.isnan(row.central))
        return [] if same else ["not finite"]
    scale = max(abs(row.reverse), abs(row.central), 1e-3)
    out = []
    if row.forward is not None and not abs(row.forward - row.reverse) <= (1e-3 if single else 1e-9) * scale:
        out.append("reverse and forward mode differ")
    if abs(row.reverse - row.central) > limit * scale + row.central_error:
        out.append("reverse mode and central differences differ")
    step = row.complex_step
    believable = step is not None and cmath.isclose(step, row.central, rel_tol=1e-4, abs_tol=1e-8)
    if step is not None and believable and not single and abs(step - row.reverse) > 1e-9 * scale:
        out.append("reverse mode and complex step differ")
    return out


def _float_places(args: tuple[Any, ...]) -> tuple[int, ...]:
    out = []
    for k, one in enumerate(args):
        try:
            leaves, _ = flatten_differentiable(one, str(k))
        except DifferentiationError:
            continue
        if leaves:
            out.append(k)
    return tuple(out)
