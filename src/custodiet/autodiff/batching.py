"""vmap: a function over a batch, by a loop that stacks.

It is a convenience, not a speed-up: f runs once per element of the batch, branches and loops included, and everything
that f may contain is allowed. It differentiates, and is differentiated, like any other code.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from custodiet.autodiff.core import traced
from custodiet.autodiff.engine import reached
from custodiet.autodiff.pytree import flatten, is_leaf
from custodiet.autodiff.rules.core import shape_of
from custodiet.errors import DifferentiationError

__all__ = ["vmap"]


def _axes_of(axes: Any, tree: Any, name: str) -> list[int | None]:
    """An axis per leaf, from a number, None, or a nest of them."""
    leaves, structure = flatten(tree)
    if axes is None or isinstance(axes, int):
        return [axes] * len(leaves)
    found, other = flatten(axes, leaf=lambda x: x is None or is_leaf(x))
    if len(found) != len(leaves):
        raise DifferentiationError(
            f"in_axes of {name} has another structure", expected=repr(structure), got=repr(other)
        )
    return found


def vmap(f: Callable[..., Any], in_axes: Any = 0, out_axes: int = 0) -> Callable[..., Any]:
    """A function that maps f over an axis of its arguments and stacks the results.

    Args:
        f: any function of numbers, arrays and nests of them.
        in_axes: the axis to map over: a number for all arguments, or a tuple with one entry per argument (a number,
            None for an argument that is the same for all, or a nest like the argument).
        out_axes: where the batch goes in every result.

    Returns:
        A function of f's positional arguments; keyword arguments are handed through as they are.

    Raises:
        DifferentiationError: nothing is mapped over, or the batches differ in length.
    """

    @functools.wraps(f, assigned=("__module__", "__name__", "__qualname__", "__doc__"), updated=())
    def run(*args: Any, **kwargs: Any) -> Any:
        per = tuple(in_axes) if isinstance(in_axes, (tuple, list)) else (in_axes,) * len(args)
        if len(per) != len(args):
            raise DifferentiationError(
                "in_axes has another length than the arguments", expected=len(args), got=len(per)
            )
        nests = [flatten(one) for one in args]
        axes = [_axes_of(axis, one, f"argument {k}") for k, (axis, one) in enumerate(zip(per, args, strict=True))]
        lengths = {
            shape_of(leaf)[axis]
            for (leaves, _), own in zip(nests, axes, strict=True)
            for leaf, axis in zip(leaves, own, strict=True)
            if axis is not None
        }
        if len(lengths) != 1:
            raise DifferentiationError("vmap needs one length to map over", got=sorted(lengths) or "none")
        moving = any(traced(leaf) for leaves, _ in nests for leaf in leaves)
        results = []
        for k in range(lengths.pop()):
            given = tuple(
                structure.build([_pick(leaf, axis, k) for leaf, axis in zip(leaves, own, strict=True)])
                for (leaves, structure), own in zip(nests, axes, strict=True)
            )
            results.append(flatten(reached(f, given, kwargs) if moving else f(*given, **kwargs)))
        if not results:
            raise DifferentiationError("vmap over an empty axis has no result to take a shape from")
        stacked = [np.stack(column) for column in zip(*(leaves for leaves, _ in results), strict=True)]
        return results[0][1].build([np.moveaxis(one, 0, out_axes) if out_axes else one for one in stacked])

    return run


def _pick(leaf: Any, axis: int | None, k: int) -> Any:
    return leaf if axis is None else leaf[(slice(None),) * (axis % len(shape_of(leaf))) + (k,)]
