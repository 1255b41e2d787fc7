"""Compiled tangents are believed only after they were compared: with the interpreted forward mode along a random direction, or with
central differences where the program is long. When and why: see `verify`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from custodiet.autodiff.compiler.forward_entry import CompiledTangent
from custodiet.autodiff.compiler.verify import (
    DIFFERENCE_TOLERANCE,
    GRADIENT_TOLERANCE,
    HINT,
    STEP,
    TAPE_LIMIT_S,
    VALUE_TOLERANCE,
    close,
    compare_arguments,
    copied,
)
from custodiet.autodiff.engine import forward_call
from custodiet.autodiff.pytree import flatten
from custodiet.base.rng import numpy_rng
from custodiet.errors import DifferentiationError

__all__ = ["verify_tangent"]

Function = Callable[..., Any]


def verify_tangent(
    f: Function, entry: CompiledTangent, args: Sequence[Any], after: Sequence[Any] | None, places: Sequence[int],
    seeds: NDArray[np.float64] | None, values: Sequence[Any], changes: Sequence[NDArray[np.float64]], where: str,
) -> bool:  # fmt: skip
    """Compare compiled results and derivatives, and what was written, with CPython's.

    Args:
        f: the function.
        entry: what was compiled; it learns how CPython nests the results.
        args: arguments as they were before the compiled call.
        after: arguments as it left them, None where it was to leave them alone.
        places: which were differentiated.
        seeds: directions, as the compiled call got them.
        values: leaves of the result.
        changes: their derivatives.
        where: file and line of what was entered for the first time, for the error.

    Returns:
        Whether there was anything to compare: where a result is NaN or infinite, what it depends on was not.

    Raises:
        DifferentiationError: they differ.
        Declined: the result is an object that the compiler does not build.
    """
    given = copied(args)
    begun = time.perf_counter()
    expected = f(*given)
    elapsed_s = time.perf_counter() - begun
    entry.learn(expected)
    theirs = flatten(expected)[0]
    _compare(flatten(entry.build(values))[0], theirs, VALUE_TOLERANCE, "value", where)
    if after is not None:
        compare_arguments(after, given, where)
    finite = all(bool(np.isfinite(one).all()) for one in theirs)
    if not all(change.shape[-1] for change in changes):
        return finite
    weights = numpy_rng(0, "verify").standard_normal(changes[0].shape[-1])
    mine = flatten(entry.build([_plain(change @ weights) for change in changes]))[0]
    direction = weights if seeds is None else seeds @ weights
    if elapsed_s > TAPE_LIMIT_S:
        slopes = _differences(f, args, places, direction)
        if all(close(a, b, DIFFERENCE_TOLERANCE) for a, b in zip(mine, slopes, strict=True)):
            return finite
    tangents = _split(args, places, direction)
    _, _, moved, _, _ = forward_call(f, copied(args), {}, tuple(places), tangents)
    _compare(mine, moved, GRADIENT_TOLERANCE, "derivative", where)
    return finite


def _plain(change: Any) -> Any:
    return change if np.ndim(change) else float(change)


def _compare(mine: Sequence[Any], theirs: Sequence[Any], tolerance: float, what: str, where: str) -> None:
    for one, other in zip(mine, theirs, strict=True):
        if not close(one, other, tolerance):
            raise DifferentiationError(
                f"the compiled {what} differs from CPython's at {where}",
                expected=np.asarray(other).ravel()[:4].tolist(),
                got=np.asarray(one).ravel()[:4].tolist(),
                hint=HINT,
            )


def _split(args: Sequence[Any], places: Sequence[int], direction: NDArray[np.float64]) -> list[list[Any]]:
    """A direction as tangents of the leaves of the differentiated arguments."""
    tangents, start = [], 0
    for k in places:
        own = []
        for leaf in flatten(args[k])[0]:
            stop = start + int(np.size(leaf))
            part = direction[start:stop]
            own.append(part.reshape(leaf.shape) if isinstance(leaf, np.ndarray) else float(part[0]))
            start = stop
        tangents.append(own)
    return tangents


def _differences(f: Function, args: Sequence[Any], places: Sequence[int], direction: NDArray[np.float64]) -> list[Any]:
    ends = []
    for sign in (1.0, -1.0):
        given = list(copied(args))
        for k, tangents in zip(places, _split(args, places, direction), strict=True):
            leaves, structure = flatten(given[k])
            given[k] = structure.build([x + sign * STEP * t for x, t in zip(leaves, tangents, strict=True)])
        ends.append(flatten(f(*given))[0])
    return [(np.asarray(high) - np.asarray(low)) / (2 * STEP) for high, low in zip(*ends, strict=True)]
