"""NumPy's functions from an array to a number, and from each lane of it: one small handler each.

A handler takes the lowerer and the call (for a method also its array) and returns a value.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from custodiet.autodiff.compiler import composites
from custodiet.autodiff.compiler.array_arguments import (
    Handler,
    Index,
    arguments,
    as_lazy,
    axes_of,
    axis_of,
    flag_of,
    flat,
    plain_number,
    told,
)
from custodiet.autodiff.compiler.arrays import Lazy, is_array
from custodiet.autodiff.compiler.frontend import Declined
from custodiet.autodiff.compiler.ir import Const, Operand, Require
from custodiet.autodiff.compiler.values import Static
from custodiet.autodiff.rules.reductions import SPREAD_NOISE

__all__ = ["REDUCTIONS", "REDUCTION_METHODS"]


def reduction(kind: str) -> Handler:
    """Sum, mean, max, min or prod."""

    def run(self: Any, node: ast.Call, owner: Any = None) -> Any:
        line = node.lineno
        given = arguments(self, node, ("a", "axis", "keepdims"), owner)
        if plain_number(given["a"]):
            return given["a"]
        array = as_lazy(self, given["a"], line)
        axes = axes_of(given, len(array.dims), line)
        return self.reduce(array, axes, kind, line, keepdims=flag_of(given, "keepdims", line))

    return run


def _lanes(self: Any, node: ast.Call, names: tuple[str, ...], owner: Any) -> tuple[Lazy, list[int], dict[str, Any]]:
    """An array that is computed, the axes that are reduced, and the arguments."""
    line = node.lineno
    given = arguments(self, node, names, owner)
    array = as_lazy(self, self.materialize(given[names[0]], line), line)
    return array, axes_of(given, len(array.dims), line), given


def variance(root: bool) -> Handler:
    """Variance or standard deviation; what is below the mean's rounding is a deviation of zero, as in the tape's rule."""

    def run(self: Any, node: ast.Call, owner: Any = None) -> Any:
        line = node.lineno
        array, axes, given = _lanes(self, node, ("a", "axis", "ddof", "keepdims"), owner)
        fewer = self.as_float(given.get("ddof", Const(0)), line)

        def work(lane: Lazy) -> Operand:
            mean = self.reduced(lane, "mean", line)
            squares = self.elementwise(
                [lane], lambda a: self.op("square", self.op("fsub", self.as_float(a, line), mean)), "f", line
            )
            size = self.as_float(self._count(lane.dims), line)
            self.emit(Require(self.op("fgt", size, fewer), line=line))
            found = self.op("fdiv", self.reduced(squares, "sum", line), self.op("fsub", size, fewer))
            if not root:
                return found
            noise = self.op("square", self.op("fmul", mean, Const(SPREAD_NOISE)))
            return self.op("sqrt", self.op("select", self.op("fgt", found, noise), found, Const(0.0)))

        return self.along(array, axes, work, "f", keepdims=flag_of(given, "keepdims", line))

    return run


def norm(self: Any, node: ast.Call) -> Any:
    """``np.linalg.norm`` of vectors, and the Frobenius norm."""
    line = node.lineno
    array, axes, given = _lanes(self, node, ("x", "ord", "axis", "keepdims"), None)
    order = given.get("ord", Const(2))
    kind = order.value if isinstance(order, Const | Static) else None
    if len(axes) > 1 and "ord" in given and kind != "fro":
        raise Declined('a norm of a matrix other than "fro"', line=line)
    if kind not in (1, 2, math.inf, "fro") or (kind == "fro" and len(axes) != 2):
        raise Declined("a norm of an order other than 1, 2 and infinity", line=line)
    sizes = self.elementwise([array], lambda a: self.op("fabs", self.as_float(a, line)), "f", line)
    squares = self.elementwise([array], lambda a: self.op("square", self.as_float(a, line)), "f", line)

    def work(lane: Lazy) -> Operand:
        if kind == math.inf:
            return self.reduced(lane, "max", line)
        total = self.reduced(lane, "sum", line)
        return total if kind == 1 else self.op("sqrt", total)

    return self.along(
        sizes if kind in (1, math.inf) else squares, axes, work, "f", keepdims=flag_of(given, "keepdims", line)
    )


def logsumexp(self: Any, node: ast.Call) -> Any:
    """``scipy.special.logsumexp``."""
    line = node.lineno
    array, axes, given = _lanes(self, node, ("a", "axis", "keepdims"), None)
    return self.along(
        array, axes, lambda lane: _logsumexp(self, lane, line), "f", keepdims=flag_of(given, "keepdims", line)
    )


def _logsumexp(self: Any, lane: Lazy, line: int) -> Operand:
    best = self.extremum(lane, "max", line)
    self.emit(Require(self.op("flt", self.op("fabs", best), Const(math.inf)), line=line))

    def step(acc: Operand, at: Index) -> Operand:
        return self.op("fadd_r", acc, self.op("exp", self.op("fsub", self.as_float(lane.element(at), line), best)))

    return self.op("fadd", best, self.op("log", self.fold(lane.dims, Const(0.0), step, line)))


def softmax(log: bool) -> Handler:
    """``scipy.special.softmax`` or its logarithm."""

    def run(self: Any, node: ast.Call) -> Any:
        line = node.lineno
        array, axes, _ = _lanes(self, node, ("x", "axis"), None)
        total = self.along(array, axes, lambda lane: _logsumexp(self, lane, line), "f", keepdims=True)

        def work(a: Operand, b: Operand) -> Operand:
            found = self.op("fsub", self.as_float(a, line), b)
            return found if log else self.op("exp", found)

        return self.elementwise([array, total], work, "f", line)

    return run


def _vector(self: Any, lane: Lazy, line: int) -> Any:
    """A lane in memory, as a vector; an array that is one already stays itself."""
    owner = lane.view_of
    return owner if owner is not None and owner.type.ndim == len(lane.dims) == 1 else self.materialize(lane, line)  # type: ignore[union-attr]


def ranked(program: Callable[..., Any], dtype: str) -> Handler:
    """A program of a vector, for each lane: the place of an extremum, the median."""

    def run(self: Any, node: ast.Call, owner: Any = None) -> Any:
        line = node.lineno
        given = arguments(self, node, ("a", "axis", "keepdims"), owner)
        array = as_lazy(self, self.materialize(given["a"], line), line)
        axis = axis_of(given, len(array.dims), None, line)
        keep = flag_of(given, "keepdims", line)
        if axis is None or len(array.dims) == 1:
            if keep:
                raise Declined(f"keepdims= of `{told(node)}` without an axis", line=line)
            return self.scalar(
                self.run(program, [_vector(self, flat(self, array.view_of or array, line), line)], line), line
            )

        def work(lane: Lazy) -> Operand:
            return self.scalar(self.run(program, [self.materialize(lane, line)], line), line)

        return self.along(array, [axis], work, dtype, keepdims=keep)

    return run


def truth_of(every: bool) -> Handler:
    """``np.all`` or ``np.any``."""

    def run(self: Any, node: ast.Call, owner: Any = None) -> Any:
        line = node.lineno
        given = arguments(self, node, ("a", "axis", "keepdims"), owner)
        array = as_lazy(self, given["a"], line)
        op, start = ("and", Const(True)) if every else ("or", Const(False))

        def work(lane: Lazy) -> Operand:
            return self.fold(
                lane.dims, start, lambda acc, at: self.op(op, acc, self._as_bool(lane.element(at), line)), line
            )

        axes = axes_of(given, len(array.dims), line)
        return self.along(array, axes, work, "b", keepdims=flag_of(given, "keepdims", line))

    return run


def count_nonzero(self: Any, node: ast.Call) -> Any:
    """``np.count_nonzero``."""
    line = node.lineno
    given = arguments(self, node, ("a", "axis", "keepdims"))
    flags = self.elementwise([as_lazy(self, given["a"], line)], lambda a: self._as_bool(a, line), "b", line)
    axes = axes_of(given, len(flags.dims), line)
    return self.reduce(flags, axes, "sum", line, keepdims=flag_of(given, "keepdims", line))


def spread(self: Any, node: ast.Call) -> Any:
    """``np.ptp``: the largest less the smallest."""
    line = node.lineno
    array, axes, given = _lanes(self, node, ("a", "axis", "keepdims"), None)
    keep = flag_of(given, "keepdims", line)
    parts = [self.reduce(array, axes, kind, line, keepdims=keep) for kind in ("max", "min")]
    return self.binary(ast.Sub(), *parts, line)


def average(self: Any, node: ast.Call) -> Any:
    """``np.average``, with weights of the array's shape."""
    line = node.lineno
    array, axes, given = _lanes(self, node, ("a", "axis", "weights"), None)
    if "weights" not in given:
        return self.reduce(array, axes, "mean", line)
    weights = as_lazy(self, self.materialize(given["weights"], line), line)
    if len(weights.dims) != len(array.dims):
        raise Declined("weights of another shape than the array", line=line)
    for mine, theirs in zip(weights.dims, array.dims, strict=True):
        self._same(mine, theirs, line)
    product = self.binary(ast.Mult(), array, weights, line)
    total, whole = (self.reduce(one, axes, "sum", line) for one in (product, weights))

    def weighed(one: Operand) -> Operand:
        one = self.as_float(one, line)
        self.emit(Require(self.op("fne", one, Const(0.0)), line=line))  # NumPy refuses the whole call
        return one

    whole = (
        self.materialize(self.elementwise([whole], weighed, "f", line), line)
        if isinstance(whole, Lazy)
        else weighed(whole)
    )
    return self.binary(ast.Div(), total, whole, line)


def trace(self: Any, node: ast.Call, owner: Any = None) -> Any:
    """``np.trace`` of a matrix, of any diagonal."""
    from custodiet.autodiff.compiler.moving_calls import diagonal

    return self.reduce(diagonal(self, node, owner), [0], "sum", node.lineno)


def lifted(program: Callable[..., Any], place: int, dtype: str, names: tuple[str, ...]) -> Handler:
    """A program of arrays and one number, over the elements of what stands at `place`."""

    def run(self: Any, node: ast.Call) -> Any:
        line = node.lineno
        given = arguments(self, node, names)
        if len(given) != len(names):
            raise Declined(f"`{told(node)}` of fewer than {len(names)} arguments", line=line)
        values = [given[name] for name in names]
        for at, one in enumerate(values):
            if at != place:
                values[at] = self.materialize(as_lazy(self, one, line) if not is_array(one) else one, line)
        number = values[place]

        def work(one: Operand) -> Operand:
            one = self.as_float(one, line)
            self.emit(Require(self.op("feq", one, one), line=line))
            return self.scalar(self.run(program, [*values[:place], one, *values[place + 1 :]], line), line)

        if isinstance(number, Lazy) or is_array(number):
            return self.elementwise([number], work, dtype, line)
        return work(self.scalar(number, line))

    return run


def searchsorted(self: Any, node: ast.Call) -> Any:
    """``np.searchsorted``."""
    side = next((self.value(one.value) for one in node.keywords if one.arg == "side"), Static("left"))
    side = side.value if isinstance(side, Static) else None
    rest = ast.Call(node.func, node.args, [one for one in node.keywords if one.arg != "side"])
    program = {"left": composites.bisect_left, "right": composites.bisect_right}.get(str(side))
    if program is None:
        raise Declined("a side of `searchsorted` that is not spelled out", line=node.lineno)
    return lifted(program, 1, "i", ("a", "v"))(self, ast.copy_location(rest, node))


REDUCTIONS: dict[Any, Handler] = {
    np.sum: reduction("sum"), np.mean: reduction("mean"), np.max: reduction("max"), np.amax: reduction("max"),
    np.min: reduction("min"), np.amin: reduction("min"), np.prod: reduction("prod"), np.var: variance(False), np.std: variance(True),
    np.linalg.norm: norm, special.logsumexp: logsumexp, special.softmax: softmax(False), special.log_softmax: softmax(True),
    np.argmax: ranked(composites.argmax, "i"), np.argmin: ranked(composites.argmin, "i"), np.median: ranked(composites.middle, "f"),
    np.any: truth_of(False), np.all: truth_of(True), np.count_nonzero: count_nonzero, np.ptp: spread, np.average: average, np.trace: trace,
    np.searchsorted: searchsorted, np.interp: lifted(composites.interp, 0, "f", ("x", "xp", "fp")),
    np.polyval: lifted(composites.polyval, 1, "f", ("p", "x")),
}  # fmt: skip
REDUCTION_METHODS: dict[str, Handler] = {
    "sum": reduction("sum"), "mean": reduction("mean"), "max": reduction("max"), "min": reduction("min"), "prod": reduction("prod"),
    "var": variance(False), "std": variance(True), "argmax": ranked(composites.argmax, "i"), "argmin": ranked(composites.argmin, "i"),
    "any": truth_of(False), "all": truth_of(True), "trace": trace,
}  # fmt: skip
