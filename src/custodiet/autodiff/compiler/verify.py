"""A compiled derivative is believed only after it was compared: with the tape, or with the program itself where that is long.

Compared when a basic block is entered for the first time, not once per function: code that never ran was never checked.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from custodiet.autodiff.engine import reverse_call
from custodiet.autodiff.pytree import flatten
from custodiet.autodiff.rules.core import primal_of
from custodiet.base.rng import numpy_rng
from custodiet.errors import DifferentiationError

__all__ = ["HINT", "close", "compare_arguments", "compare_values", "copied", "verify_gradient"]

TAPE_LIMIT_S = 0.02
"""a program that takes CPython longer is not recorded: a tape of it would take a hundred times as long"""
VALUE_TOLERANCE = 1e-9
GRADIENT_TOLERANCE = 1e-7
DIFFERENCE_TOLERANCE = 1e-4
STEP = 1e-6
HINT = 'Use mode="trace", and report the program.'


def verify_gradient(
    f: Callable[..., Any],
    args: Sequence[Any],
    after: Sequence[Any],
    argnums: Sequence[int],
    has_aux: bool,
    value: Any,
    gradients: Sequence[Any],
    where: str,
) -> bool:
    """Compare a compiled value and gradient, and what was written, with what CPython and the tape say.

    Args:
        f: the function.
        args: arguments as they were before the compiled call.
        after: arguments as it left them.
        argnums: which were differentiated.
        has_aux: f returns (value, anything).
        value: what the compiled code returned.
        gradients: one per argnum.
        where: file and line of what was entered for the first time, for the error.

    Returns:
        Whether the gradient was compared: where the value is NaN or infinite there is none to compare.

    Raises:
        DifferentiationError: they differ.
    """
    given = copied(args)
    begun = time.perf_counter()
    result = f(*given)
    elapsed_s = time.perf_counter() - begun
    expected = _value(result, has_aux)
    compare_values(_value(value, has_aux), expected, where)
    if has_aux and not _same_content(value[1], result[1]):
        raise DifferentiationError(f"the second result of the compiled function is not CPython's at {where}", hint=HINT)
    compare_arguments(after, given, where)
    if not math.isfinite(expected):
        return False
    found = [leaf for one in gradients for leaf in flatten(one)[0]]
    if elapsed_s > TAPE_LIMIT_S and _agrees_with_differences(f, args, argnums, has_aux, found):
        return True
    given = copied(args)
    record = reverse_call(f, given, {}, tuple(argnums), has_aux)
    theirs = [leaf for one in record.rebuild(record.back([1.0])) for leaf in flatten(one)[0]]
    for mine, other in zip(found, theirs, strict=True):
        if not close(mine, primal_of(other), GRADIENT_TOLERANCE):
            raise DifferentiationError(
                f"the compiled derivative differs from the tape's at {where}",
                expected=np.asarray(other).ravel()[:4].tolist(),
                got=np.asarray(mine).ravel()[:4].tolist(),
                hint=HINT,
            )
    return True


def copied(args: Sequence[Any]) -> tuple[Any, ...]:
    """Arguments that the program may write into or draw from; what cannot be copied, as a module, is handed on as it is."""
    kept: dict[int, Any] = {}
    for one in args:
        if not isinstance(one, np.ndarray | tuple | list | dict):
            try:
                copy.deepcopy(one)
            except TypeError:
                kept[id(one)] = one
    return copy.deepcopy(tuple(args), kept)


def compare_values(value: float, expected: float, where: str) -> None:
    """Raise where a compiled value is not CPython's."""
    if not close(value, expected, VALUE_TOLERANCE):
        raise DifferentiationError(
            f"the compiled value differs from CPython's at {where}", expected=expected, got=value,
            hint=HINT,
        )  # fmt: skip


def compare_arguments(after: Sequence[Any], expected: Sequence[Any], where: str) -> None:
    """Raise where a compiled call left an argument other than CPython does."""
    if not all(map(_same_content, after, expected)):
        raise DifferentiationError(
            f"the compiled function leaves an argument other than CPython does at {where}", hint=HINT
        )


def _same_content(mine: Any, other: Any) -> bool:
    """Whether the numbers in two arguments agree; what holds no numbers is not looked at."""
    if isinstance(mine, np.ndarray) and mine.dtype.kind in "biuf":
        return close(mine, other, VALUE_TOLERANCE)
    if isinstance(mine, tuple | list):
        return len(mine) == len(other) and all(map(_same_content, mine, other))
    if isinstance(mine, dict):
        return mine.keys() == other.keys() and all(_same_content(one, other[key]) for key, one in mine.items())
    if isinstance(mine, float):
        return close(mine, other, VALUE_TOLERANCE)
    return not isinstance(mine, int) or mine == other


def _value(result: Any, has_aux: bool) -> float:
    value = result[0] if has_aux else result
    return float(value) if np.ndim(value) == 0 else math.nan


def close(mine: Any, other: Any, tolerance: float) -> bool:
    """Whether two numbers or arrays agree, relative to the largest finite entry, and are the same infinity or NaN at the same places."""
    a, b = np.asarray(mine, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if a.shape != b.shape:
        return False
    finite = np.isfinite(b)
    if not finite.all() and not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return False
    if not np.isfinite(a[finite]).all():
        return False
    scale = max(float(np.abs(b[finite]).max(initial=0.0)), 1e-30)
    return bool((np.abs(a[finite] - b[finite]) <= tolerance * scale + 1e-12).all())


def _agrees_with_differences(
    f: Callable[..., Any], args: Sequence[Any], argnums: Sequence[int], has_aux: bool, found: Sequence[Any]
) -> bool:
    """Whether the derivative along a random direction is that of central differences of the program in CPython."""
    rng = numpy_rng(0, "verify")
    slope = 0.0
    moved: list[list[Any]] = []
    start = 0
    for sign in (1.0, -1.0):
        moved.append(list(copied(args)))
        del sign
    for k in argnums:
        leaves, structure = flatten(args[k])
        directions = [
            rng.standard_normal(np.shape(one)) * (1.0 + np.abs(one)) if _is_float(one) else None for one in leaves
        ]
        for one, g in zip(directions, found[start : start + len(leaves)], strict=True):
            if one is not None:
                slope += float(np.sum(one * np.asarray(g)))
        start += len(leaves)
        for sign, given in zip((1.0, -1.0), moved, strict=True):
            parts = [_moved(leaf, one, sign) for leaf, one in zip(leaves, directions, strict=True)]
            given[k] = structure.build(parts)
    high, low = (_value(f(*given), has_aux) for given in moved)
    difference = (high - low) / (2 * STEP)
    noise = 1e-9 * max(abs(high), abs(low)) / STEP
    return math.isfinite(difference) and abs(slope - difference) <= DIFFERENCE_TOLERANCE * abs(difference) + noise


def _is_float(leaf: Any) -> bool:
    return isinstance(leaf, float | np.floating) or (isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f")


def _moved(leaf: Any, direction: Any, sign: float) -> Any:
    if direction is None:
        return copy.deepcopy(leaf)
    step = leaf + sign * STEP * direction
    return step if isinstance(leaf, np.ndarray) else float(step)
