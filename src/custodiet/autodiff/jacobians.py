"""Jacobians, dense and sparse, and Hessians."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from custodiet.autodiff.api import grad
from custodiet.autodiff.coloring import color_columns, recover, seeds_of, sparsity_of
from custodiet.autodiff.core import traced
from custodiet.autodiff.dispatch import State
from custodiet.autodiff.engine import argument_name, check_argnums, forward_call, reverse_call
from custodiet.autodiff.forward_dispatch import Forward, native_forward
from custodiet.autodiff.pytree import Structure, flatten, flatten_differentiable, is_float_leaf
from custodiet.autodiff.rules.core import primal_of, shape_of
from custodiet.errors import DifferentiationError

__all__ = ["hessian", "jacobian"]

Argnums = int | Sequence[int]
MODES = ("auto", "forward", "reverse", "compile", "trace")
WIDE = 64
"""more inputs than this a result, and one reverse sweep a result on the tape beats native forward sweeps over all inputs"""


def _size(x: Any) -> int:
    return int(np.prod(shape_of(x)))


def _copies(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Arguments that f may write into without the caller's noticing, as f may run more than once."""
    out = []
    for one in args:
        leaves, structure = flatten(one)
        arrays = any(isinstance(x, np.ndarray) for x in leaves)
        out.append(structure.build([x.copy() if isinstance(x, np.ndarray) else x for x in leaves]) if arrays else one)
    return tuple(out)


def _check_outputs(leaves: list[Any]) -> None:
    for one in leaves:
        if not is_float_leaf(one):
            raise DifferentiationError(
                "the function returned something that has no derivative",
                expected="floats and floating arrays",
                got=type(primal_of(one)).__name__,
            )


def _identity(own: list[list[Any]]) -> tuple[list[list[Any]], int]:
    """Tangents of all leaves along every input, on a leading axis."""
    sizes = [[_size(x) for x in leaves] for leaves in own]
    total = sum(map(sum, sizes))
    out, start = [], 0
    for leaves, counts in zip(own, sizes, strict=True):
        rows = []
        for x, count in zip(leaves, counts, strict=True):
            block = np.zeros((total, count), dtype=getattr(x, "dtype", float))
            block[np.arange(start, start + count), np.arange(count)] = 1.0
            rows.append(block.reshape((total, *shape_of(x))))
            start += count
        out.append(rows)
    return out, total


def _nest(blocks: list[list[Any]], outs: Structure, ins: list[Structure], single: bool) -> Any:
    """blocks[out leaf][in leaf] as a nest of results, each a nest of the arguments."""
    rows = []
    for line in blocks:
        parts, start = [], 0
        for structure in ins:
            stop = start + structure.num_leaves
            parts.append(structure.build(line[start:stop]))
            start = stop
        rows.append(parts[0] if single else tuple(parts))
    return outs.build(rows)


def _forward_blocks(f: Any, args: Any, kwargs: Any, places: tuple[int, ...], own: list[list[Any]]) -> tuple[Any, Any]:
    tangents, total = _identity(own)
    _, leaves, moved, structure, _ = forward_call(f, args, kwargs, places, tangents, total)
    _check_outputs(leaves)
    flat = [x for one in own for x in one]
    blocks = []
    for out, change in zip(leaves, moved, strict=True):
        line, start = [], 0
        for x in flat:
            count = _size(x)
            turned = np.moveaxis(change[start : start + count], 0, -1)
            line.append(np.reshape(turned, (*shape_of(out), *shape_of(x))))
            start += count
        blocks.append(line)
    return blocks, structure


def _reverse_blocks(record: Any) -> tuple[Any, Any]:
    _check_outputs(record.out_leaves)
    blocks = []
    for k, out in enumerate(record.out_leaves):
        rows: list[list[Any]] = []
        for j in range(_size(out)):
            seeds: list[Any] = [None] * len(record.out_leaves)
            if shape_of(out):
                unit = np.zeros(_size(out), dtype=out.dtype)
                unit[j] = 1.0
                seeds[k] = unit.reshape(shape_of(out))
            else:
                seeds[k] = 1.0
            rows.append(record.back(seeds))
        line = []
        for i, x in enumerate(record.in_leaves):
            if not rows:
                line.append(np.zeros((*shape_of(out), *shape_of(x))))
                continue
            line.append(np.reshape(np.stack([row[i] for row in rows]), (*shape_of(out), *shape_of(x))))
        blocks.append(line)
    return blocks, record.out_structure


def jacobian(
    f: Callable[..., Any], argnums: Argnums = 0, *, mode: str = "auto", sparsity: Any = None
) -> Callable[..., Any]:
    """A function that returns the Jacobian of f.

    Args:
        f: any function of floats, arrays and nests of them; it may be run more than once, on copies of its arguments.
        argnums: which arguments to differentiate in.
        mode: "auto": native forward mode, all directions at once, from the second call on, or at once where f runs long;
            interpreted where the compiler declines f or the matrix is very wide. "compile": native, or an error.
            "trace": interpreted; reverse where there are fewer results than inputs (or where an argument is an object,
            such as a random generator, that a second run would find changed), else forward. "forward" and "reverse"
            say which, interpreted.
        sparsity: None for a dense Jacobian; a matrix (results, inputs) that is nonzero wherever the Jacobian may be;
            or "detect" for f of one vector: the pattern is found by probing at the point, so that entries that happen
            to be zero there are left out.

    Returns:
        A function of f's arguments. Dense: for an array result and argument an array of shape out.shape + in.shape;
        nests give a nest of the results whose leaves are nests of the arguments. Sparse: a scipy.sparse.csr_matrix of
        shape (results, inputs), by as many forward directions as the coloring has colors.

    Raises:
        DifferentiationError: a result or an argument has no derivative; the sparsity does not fit.
    """
    if mode not in MODES:
        raise DifferentiationError("mode is not one of the modes", expected=", ".join(MODES), got=mode)
    state, wanted = State(), argnums if isinstance(argnums, int) else tuple(argnums)

    @functools.wraps(f, assigned=("__module__", "__name__", "__qualname__", "__doc__"), updated=())
    def run(*args: Any, **kwargs: Any) -> Any:
        places = check_argnums(wanted, args)
        if sparsity is not None:
            return _sparse(f, args, kwargs, places, sparsity, mode, state)
        native = None
        if mode == "compile" or (mode == "auto" and not state.wide):
            native = None if kwargs else native_forward(f, args, places, None, mode, state)
            if native is not None and native.entry.only_changes:
                return native.changes[0] if isinstance(wanted, int) else (native.changes[0],)
        pairs = [flatten_differentiable(args[k], argument_name(f, k)) for k in places]
        own, ins = [one[0] for one in pairs], [one[1] for one in pairs]
        if native is not None:
            state.wide = mode == "auto" and _wide(native)
            if not state.wide:
                return _native_nest(native, own, ins, isinstance(wanted, int))
        return _interpreted(f, args, kwargs, places, own, ins, mode, isinstance(wanted, int))

    run.state = state  # type: ignore[attr-defined]
    return run


def _interpreted(
    f: Any, args: Any, kwargs: Any, places: tuple[int, ...], own: list[list[Any]], ins: list[Structure], mode: str, single: bool
) -> Any:  # fmt: skip
    inputs = sum(_size(x) for leaves in own for x in leaves)
    chosen, record = mode, None
    if mode != "forward":
        record = reverse_call(f, _copies(args), kwargs, places)
        outputs = sum(map(_size, record.out_leaves))
        if mode != "reverse":
            chosen = "reverse" if outputs < inputs or not _repeatable(args, kwargs) else "forward"
    if chosen == "reverse":
        blocks, outs = _reverse_blocks(record)
    else:
        blocks, outs = _forward_blocks(f, _copies(args), kwargs, places, own)
    return _nest(blocks, outs, ins, single)


def _wide(native: Forward) -> bool:
    outputs = sum(change[..., 0].size for change in native.changes)
    return native.changes[0].shape[-1] > WIDE * outputs


def _native_nest(native: Forward, own: list[list[Any]], ins: list[Structure], single: bool) -> Any:
    """The nest of results around native derivatives."""
    if native.entry.spec == "leaf" and len(ins) == 1 and ins[0].kind is None and np.ndim(own[0][0]) == 1:
        native.entry.only_changes = True
        return native.changes[0] if single else (native.changes[0],)
    flat = [x for one in own for x in one]
    blocks = []
    for change in flatten(native.entry.build([_Rows(one) for one in native.changes]), leaf=_is_row)[0]:
        line, start = [], 0
        for x in flat:
            count = _size(x)
            line.append(np.reshape(change.array[..., start : start + count], (*change.array.shape[:-1], *shape_of(x))))
            start += count
        blocks.append(line)
    return _nest(blocks, flatten(native.entry.build(native.values))[1], ins, single)


class _Rows:
    """The derivative of one leaf of a result."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def tolist(self) -> list[_Rows]:
        """Of a list: one for each number in it."""
        return [_Rows(one) for one in self.array]


def _is_row(x: Any) -> bool:
    return isinstance(x, _Rows)


def _repeatable(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """No argument is an object with a state of its own."""

    def still(structure: Structure) -> bool:
        if structure.kind == "static":
            return structure.keys[0] is None or isinstance(structure.keys[0], (str, bytes))
        return all(still(one) for one in structure.children)

    return still(flatten((args, kwargs))[1])


def _sparse(
    f: Any, args: tuple[Any, ...], kwargs: Any, places: tuple[int, ...], sparsity: Any, mode: str, state: State
) -> Any:
    if len(places) != 1:
        raise DifferentiationError("a sparse Jacobian is of one argument", got=f"argnums {places}")
    x = args[places[0]]
    if not isinstance(x, np.ndarray) or traced(x):
        raise DifferentiationError(
            "a sparse Jacobian is of a plain array",
            got=type(x).__name__,
            hint="Leave sparsity out where derivatives nest.",
        )
    if isinstance(sparsity, str):
        if sparsity != "detect":
            raise DifferentiationError("sparsity is not a pattern", expected='a matrix or "detect"', got=sparsity)
        record = reverse_call(f, _copies(args), kwargs, places)
        outputs = sum(map(_size, record.out_leaves))
        pattern = sparsity_of(_probe(f, args, kwargs, places, x), (outputs, x.size))
    else:
        pattern = sparsity_of(sparsity, (np.shape(sparsity)[0], x.size))
    colors = color_columns(pattern)
    seeds = seeds_of(colors).astype(x.dtype)
    width = len(seeds)
    if not width:
        return recover(pattern, colors, np.zeros((0, pattern.shape[0])))
    compressed = _compressed(f, args, kwargs, places, seeds, mode, state)
    if compressed.shape[1] != pattern.shape[0]:
        raise DifferentiationError(
            "sparsity does not fit the results", expected=compressed.shape[1], got=pattern.shape[0]
        )
    _verify(f, args, kwargs, places, x, pattern, colors, compressed, mode, state)
    return recover(pattern, colors, compressed)


def _compressed(f: Any, args: Any, kwargs: Any, places: Any, seeds: Any, mode: str, state: State) -> Any:
    """The derivatives of all results along the seeds, (colors, results)."""
    width = len(seeds)
    if mode in ("auto", "compile") and not kwargs:
        native = native_forward(f, args, places, seeds.T, mode, state)
        if native is not None:
            return np.concatenate([one.reshape(-1, width) for one in native.changes]).T
    tangent = seeds.reshape((width, *args[places[0]].shape))
    _, leaves, moved, _, _ = forward_call(f, _copies(args), kwargs, places, [[tangent]], width)
    _check_outputs(leaves)
    return np.concatenate([np.reshape(one, (width, -1)) for one in moved], axis=1)


def _verify(
    f: Any, args: Any, kwargs: Any, places: Any, x: Any, pattern: Any, colors: Any, compressed: Any, mode: str, state: State
) -> None:  # fmt: skip
    """A random direction must agree with the recovered matrix: a pattern that is too small is not silent."""
    rng = np.random.Generator(np.random.PCG64(20040229))
    direction = rng.uniform(0.5, 1.5, x.size).astype(x.dtype)
    told = _compressed(f, args, kwargs, places, direction[None, :], mode, state)[0]
    matrix = recover(pattern, colors, compressed)
    found = matrix @ direction
    size = abs(matrix) @ direction + np.abs(told)
    tolerance = 1e-3 if x.dtype == np.float32 else 1e-8
    wrong = np.flatnonzero(~(np.abs(found - told) <= tolerance * np.maximum(size, 1e-300)) & np.isfinite(told))
    if len(wrong):
        raise DifferentiationError(
            f"the sparsity pattern misses nonzeros in row {wrong[0]}",
            hint="Add them, or leave sparsity out for a dense Jacobian.",
        )


def _probe(f: Any, args: Any, kwargs: Any, places: Any, x: Any) -> Any:
    """The pattern of the Jacobian at this point, by forward directions in blocks."""
    columns = []
    block = 256
    for start in range(0, x.size, block):
        stop = min(x.size, start + block)
        tangent = np.zeros((stop - start, x.size), dtype=x.dtype)
        tangent[np.arange(stop - start), np.arange(start, stop)] = 1.0
        tangents = [[tangent.reshape((stop - start, *x.shape))]]
        _, _, moved, _, _ = forward_call(f, _copies(args), kwargs, places, tangents, stop - start)
        columns.append(np.concatenate([np.reshape(one, (stop - start, -1)) for one in moved], axis=1) != 0.0)
    return np.concatenate(columns, axis=0).T if columns else np.zeros((0, 0), dtype=bool)


def hessian(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """A function that returns the Hessian of f: forward mode, all directions at once, over reverse mode.

    Args:
        f: returns a float.

    Returns:
        A function of f's arguments: for an array argument an array of shape in.shape + in.shape; nests give a nest of
        nests.
    """
    return jacobian(grad(f, argnums, mode="trace"), argnums, mode="forward")
