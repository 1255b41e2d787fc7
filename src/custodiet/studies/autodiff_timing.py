"""Two ways to a derivative, checked against a reference and timed alternately in one process on one core.

A side is a factory: it prepares (compiles, converts its inputs) and returns a call without arguments. A factory that raises
`UnavailableError` is a peer that is not installed.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["TOLERANCE", "Side", "Thunk", "UnavailableError", "alternate", "max_norm_error", "one_core", "prepare_side"]

TOLERANCE = 1e-8
SAMPLE_S = 0.02
Thunk = Callable[[], Any]


class UnavailableError(Exception):
    """A side that is not installed here."""


@dataclass(frozen=True)
class Side:
    """One way to a derivative: how to prepare it, and what it is called."""

    prepare: Callable[[], Thunk]
    version: str
    missing: str | None = None


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Keep this process and its threads on one core, whatever their number."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def max_norm_error(found: Any, expected: Sequence[Any]) -> float:
    """Largest difference over the largest magnitude of the reference, over all the arguments' derivatives together."""
    found = found if isinstance(found, tuple | list) else (found,)
    pairs = [(np.asarray(mine), np.asarray(reference)) for mine, reference in zip(found, expected, strict=True)]
    for mine, reference in pairs:
        if mine.shape != reference.shape:
            raise ValueError(f"the derivative has shape {mine.shape}, the reference {reference.shape}")
    largest = max(float(np.max(np.abs(reference))) for _mine, reference in pairs)
    errors = [float(np.max(np.abs(mine - reference))) for mine, reference in pairs]
    return float("nan") if any(np.isnan(errors)) else max(errors) / largest


def calls_per_sample(thunk: Thunk) -> int:
    """So many that a sample takes about `SAMPLE_S`; the first call is not counted."""
    thunk()
    num = 1
    while True:
        elapsed = seconds_per_call(thunk, num) * num
        if elapsed >= 0.5 * SAMPLE_S:
            return max(1, round(num * SAMPLE_S / elapsed))
        num *= 4


def seconds_per_call(thunk: Thunk, num: int) -> float:
    """Process CPU seconds of one call, over `num` of them."""
    begin = time.process_time()
    for _ in range(num):
        thunk()
    return (time.process_time() - begin) / num


def alternate(thunks: Sequence[Thunk], num_pairs: int) -> list[list[float]]:
    """Seconds per call of each thunk, `num_pairs` times, one after the other and then the other way round."""
    counts = [calls_per_sample(thunk) for thunk in thunks]
    found: list[list[float]] = [[] for _ in thunks]
    for pair in range(num_pairs):
        order = range(len(thunks)) if pair % 2 == 0 else reversed(range(len(thunks)))
        for index in order:
            found[index].append(seconds_per_call(thunks[index], counts[index]))
    return found


def prepare_side(
    side: Side, expected: Sequence[Any] | None, tolerance: float = TOLERANCE
) -> tuple[Thunk | None, str, bool]:
    """The prepared thunk, a remark, and whether the side is at fault (it failed, or its derivative is wrong)."""
    if side.missing:
        return None, side.missing, False
    try:
        thunk = side.prepare()
        if expected is None:
            return thunk, "", False
        error = max_norm_error(thunk(), expected)
    except UnavailableError as missing:
        return None, str(missing), False
    except Exception as failure:
        text = (str(failure).splitlines() or [""])[0]
        return None, f"{side.version} failed: {type(failure).__name__}: {text}", True
    wrong = not error <= tolerance
    return thunk, f"{side.version} {'is WRONG by' if wrong else 'agrees to'} {error:.0e}", wrong
