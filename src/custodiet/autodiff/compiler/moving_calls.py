"""NumPy's functions that move elements, or run along an axis: one small handler each.

A handler takes the lowerer and the call (for a method also its array) and returns a value.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import numpy as np

from custodiet.autodiff.compiler import composites
from custodiet.autodiff.compiler.array_arguments import (
    Handler,
    Index,
    arguments,
    as_lazy,
    axis_of,
    flat,
    in_range,
    items_to_array,
    known_int,
    plain_number,
    told,
)
from custodiet.autodiff.compiler.arrays import Lazy, is_array, is_list
from custodiet.autodiff.compiler.frontend import Declined
from custodiet.autodiff.compiler.ir import Const, Operand, Require
from custodiet.autodiff.compiler.values import Static, Tup

__all__ = ["MOVES", "MOVING_METHODS", "diagonal", "permuted"]


def _whole(self: Any, value: Any, line: int) -> Lazy:
    """An array that is computed."""
    return as_lazy(self, self.materialize(value, line), line)


def _along_axis(
    self: Any, array: Lazy, axis: int, dtype: str, line: int, fill: Callable[[Lazy, Callable[[Index, Operand], None]], None]
) -> Any:  # fmt: skip
    """A new array of the same shape, each lane written by `fill`."""
    dst = self.new_array("along", array.dims, dtype, line, blank=True)
    kept = [one for place, one in enumerate(array.dims) if place != axis]

    def body(index: Index) -> None:
        def write(at: Index, value: Operand) -> None:
            self._initial(dst, (*index[:axis], *at, *index[axis:]), value, line)

        fill(self.lane(array, [axis], index), write)

    self.nest(kept, body, line)
    return dst


def running(op: str) -> Handler:
    """``cumsum`` or ``cumprod``."""

    def run(self: Any, node: ast.Call, owner: Any = None) -> Any:
        line = node.lineno
        given = arguments(self, node, ("a", "axis"), owner)
        array = as_lazy(self, given["a"], line)
        axis = axis_of(given, len(array.dims), None, line)
        if axis is None:
            array, axis = flat(self, given["a"], line), 0
        ints = array.dtype in "ib"
        start: Operand = {"add": Const(0), "mul": Const(1)}[op] if ints else {"add": Const(0.0), "mul": Const(1.0)}[op]

        def fill(lane: Lazy, write: Callable[[Index, Operand], None]) -> None:
            def step(acc: Operand, at: Index) -> Operand:
                one = lane.element(at)
                one = (self.op("btoi", one) if one.type == "b" else one) if ints else self.as_float(one, line)
                found = self.op(f"{'i' if ints else 'f'}{op}", acc, one)
                write(at, found)
                return found

            self.fold(lane.dims, start, step, line)

        return _along_axis(self, array, axis, "i" if ints else "f", line, fill)

    return run


def ordered(places: bool) -> Handler:
    """``sort`` or ``argsort``: the order is found on plain numbers, and elements are taken in it."""

    def run(self: Any, node: ast.Call, owner: Any = None) -> Any:
        line = node.lineno
        if owner is not None and not places:
            raise Declined("`.sort()`, which sorts in place: np.sort gives a sorted copy", line=line)
        given = arguments(self, node, ("a", "axis", "kind"), owner)
        if any(
            one.arg == "axis" and isinstance(one.value, ast.Constant) and one.value.value is None
            for one in node.keywords
        ) or (len(node.args) > 1 and isinstance(node.args[1], ast.Constant) and node.args[1].value is None):
            array, axis = flat(self, given["a"], line), 0
        else:
            array = _whole(self, given["a"], line)
            axis = axis_of(given, len(array.dims), -1, line) or 0
        kind = given.get("kind")
        stable = isinstance(kind, Static) and kind.value in ("stable", "mergesort")
        program = composites.stable_order if stable or not places else composites.strict_order

        def fill(lane: Lazy, write: Callable[[Index, Operand], None]) -> None:
            vector = self.materialize(Lazy(lane.dims, lane.dtype, lane.element), line)
            order = self.run(program, [vector], line)

            def one(at: Index) -> None:
                place = self.load(order, at, line)
                write(at, place if places else self.load(vector, (place,), line))

            self.nest(lane.dims, one, line)

        return _along_axis(self, array, axis, "i" if places or array.dtype == "i" else "f", line, fill)

    return run


def taken(self: Any, node: ast.Call, owner: Any = None) -> Any:
    """``np.take``; an index out of range is CPython's business."""
    line = node.lineno
    given = arguments(self, node, ("a", "indices", "axis"), owner)
    array = _whole(self, given["a"], line)
    axis = axis_of(given, len(array.dims), None, line)
    if axis is None:
        array, axis = flat(self, array.view_of or array, line), 0
    source = self.materialize(_owner(array), line)
    where = given.get("indices")
    if isinstance(where, Tup):
        where = items_to_array(self, where, line)
    if plain_number(where):
        spot = self.integer(where, line)
        rest = [*array.dims[:axis], *array.dims[axis + 1 :]]

        def element(index: Index) -> Operand:
            return self.load(source, (*index[:axis], spot, *index[axis:]), line)

        return Lazy(rest, array.dtype, element, cheap=True) if rest else element(())
    places = _whole(self, where, line)
    if places.dtype != "i":
        raise Declined("indices that are no ints", line=line)
    wide = len(places.dims)

    def gathered(index: Index) -> Operand:
        spot = places.element(index[axis : axis + wide])
        return self.load(source, (*index[:axis], spot, *index[axis + wide :]), line)

    return Lazy([*array.dims[:axis], *places.dims, *array.dims[axis + 1 :]], array.dtype, gathered, cheap=True)


def _owner(array: Lazy) -> Any:
    """The array in memory that a lazy one shows whole; the lazy one where it shows it otherwise."""
    owner = array.view_of
    return owner if owner is not None and owner.type.ndim == len(array.dims) else array  # type: ignore[union-attr]


def taken_along(self: Any, node: ast.Call) -> Any:
    """``np.take_along_axis``."""
    line = node.lineno
    given = arguments(self, node, ("arr", "indices", "axis"))
    array, places = _whole(self, given["arr"], line), _whole(self, given.get("indices"), line)
    axis = axis_of(given, len(array.dims), -1, line)
    if axis is None or len(places.dims) != len(array.dims) or places.dtype != "i":
        raise Declined("`take_along_axis` of indices of other dimensions than the array's", line=line)
    for place, (mine, theirs) in enumerate(zip(places.dims, array.dims, strict=True)):
        if place != axis:
            self._same(mine, theirs, line)
    source = self.materialize(_owner(array), line)

    def element(index: Index) -> Operand:
        return self.load(source, (*index[:axis], places.element(index), *index[axis + 1 :]), line)

    return Lazy(places.dims, array.dtype, element, cheap=True)


def difference(self: Any, node: ast.Call) -> Any:
    """``np.diff``."""
    line = node.lineno
    given = arguments(self, node, ("a", "n", "axis"))
    array = _whole(self, given["a"], line)
    axis = axis_of(given, len(array.dims), -1, line) or 0
    times = known_int(given.get("n", Const(1)), "a number of differences", line)
    for _ in range(times):
        array = _one_difference(self, array, axis, line)
    return array


def _one_difference(self: Any, array: Lazy, axis: int, line: int) -> Lazy:
    if not array.cheap:
        array = _whole(self, array, line)
    size = self.op("imax", self.op("isub", array.dims[axis], Const(1)), Const(0))
    op = "isub" if array.dtype == "i" else "fsub"

    def element(index: Index) -> Operand:
        after = array.element((*index[:axis], self.op("iadd", index[axis], Const(1)), *index[axis + 1 :]))
        return self.op(op, after, array.element(index))

    return Lazy([*array.dims[:axis], size, *array.dims[axis + 1 :]], array.dtype, element)


def _moved(work: Callable[[Any, Operand, Operand, dict[str, Any], int], Operand], names: tuple[str, ...]) -> Handler:
    """A function that reads another place along one axis; without an axis all elements move as one vector, or along every axis."""

    def run(self: Any, node: ast.Call, owner: Any = None) -> Any:
        line = node.lineno
        given = arguments(self, node, names, owner)
        array = as_lazy(self, given[names[0]], line)
        axis = axis_of(given, len(array.dims), None, line)
        if axis is None and len(array.dims) > 1:
            raise Declined(f"`{told(node)}` of several dimensions without an axis", line=line)
        axis = axis or 0

        def element(index: Index) -> Operand:
            place = work(self, index[axis], array.dims[axis], given, line)
            return array.element((*index[:axis], place, *index[axis + 1 :]))

        return Lazy(array.dims, array.dtype, element, array.cheap, array.view_of if names == ("m", "axis") else None)

    return run


def _backwards(self: Any, at: Operand, size: Operand, given: dict[str, Any], line: int) -> Operand:
    return self.op("isub", self.op("isub", size, Const(1)), at)


def _rolled(self: Any, at: Operand, size: Operand, given: dict[str, Any], line: int) -> Operand:
    if "shift" not in given:
        raise Declined("`roll` without a shift", line=line)
    return self.op("imod", self.op("isub", at, self.integer(given["shift"], line)), size)


def repeated(self: Any, node: ast.Call, owner: Any = None) -> Any:
    """``np.repeat`` by one number."""
    line = node.lineno
    given = arguments(self, node, ("a", "repeats", "axis"), owner)
    array = as_lazy(self, given["a"], line)
    axis = axis_of(given, len(array.dims), None, line)
    if axis is None:
        array, axis = flat(self, given["a"], line), 0
    times = self.integer(given.get("repeats"), line)
    self.emit(Require(self.op("ige", times, Const(0)), line=line))
    size = self.op("imul", array.dims[axis], times)

    def element(index: Index) -> Operand:
        return array.element((*index[:axis], self.op("ifloordiv", index[axis], times), *index[axis + 1 :]))

    return Lazy([*array.dims[:axis], size, *array.dims[axis + 1 :]], array.dtype, element)


def tiled(self: Any, node: ast.Call) -> Any:
    """``np.tile`` of a vector by one number."""
    line = node.lineno
    given = arguments(self, node, ("A", "reps"))
    array = as_lazy(self, given["A"], line)
    if len(array.dims) != 1 or isinstance(given.get("reps"), Tup):
        raise Declined("`tile` of something else than a vector, a number of times", line=line)
    times = self.op("imax", self.integer(given.get("reps"), line), Const(0))
    size = array.dims[0]
    return Lazy(
        [self.op("imul", size, times)], array.dtype, lambda index: array.element((self.op("imod", index[0], size),))
    )


def squeezed(self: Any, node: ast.Call, owner: Any = None) -> Any:
    """``np.squeeze``: axes whose length is known to be 1."""
    line = node.lineno
    given = arguments(self, node, ("a", "axis"), owner)
    array = as_lazy(self, given["a"], line)
    axis = axis_of(given, len(array.dims), None, line)
    gone = [place for place, one in enumerate(array.dims) if one == Const(1) and axis in (None, place)]
    if axis is not None and not gone:
        raise Declined("an axis is squeezed that is not known to be of length 1", line=line)
    for place, one in enumerate(array.dims):
        if axis is None and place not in gone:
            self.emit(Require(self.op("ine", one, Const(1)), line=line))

    def element(index: Index) -> Operand:
        rest = iter(index)
        return array.element(tuple(Const(0) if place in gone else next(rest) for place in range(len(array.dims))))

    dims = [one for place, one in enumerate(array.dims) if place not in gone]
    return Lazy(dims, array.dtype, element, array.cheap, array.view_of) if dims else element(())


def expanded(self: Any, node: ast.Call) -> Any:
    """``np.expand_dims`` by one axis."""
    line = node.lineno
    given = arguments(self, node, ("a", "axis"))
    array = as_lazy(self, given["a"], line)
    axis = in_range(known_int(given.get("axis"), "an axis", line), len(array.dims) + 1, line)
    dims: list[Operand] = [*array.dims[:axis], Const(1), *array.dims[axis:]]
    return Lazy(
        dims, array.dtype, lambda index: array.element((*index[:axis], *index[axis + 1 :])), array.cheap, array.view_of
    )


def permuted(self: Any, owner: Any, order: list[int], line: int) -> Any:
    """An array with its axes in another order."""
    if order == list(range(len(order))):
        return owner
    if order == [1, 0]:
        return self.transposed(owner, line)
    array = as_lazy(self, owner, line)

    def element(index: Index) -> Operand:
        return array.element(tuple(index[order.index(place)] for place in range(len(order))))

    return Lazy([array.dims[place] for place in order], array.dtype, element, array.cheap, array.view_of)


def transposed(self: Any, node: ast.Call, owner: Any = None) -> Any:
    """``np.transpose``: axes backwards, or as they are spelled out."""
    line = node.lineno
    if owner is not None and len(node.args) > 1:
        parts = [known_int(self.value(one), "an axis", line) for one in node.args]
        given: dict[str, Any] = {"a": owner, "axes": Tup([Const(one) for one in parts])}
    else:
        given = arguments(self, node, ("a", "axes"), owner)
    ndim = len(as_lazy(self, given["a"], line).dims)
    order = list(range(ndim))[::-1]
    if "axes" in given:
        if not isinstance(given["axes"], Tup) or len(given["axes"].items) != ndim:
            raise Declined("axes of a transpose that are not all spelled out", line=line)
        order = [in_range(known_int(one, "an axis", line), ndim, line) for one in given["axes"].items]
        if sorted(order) != list(range(ndim)):
            raise Declined("an axis of a transpose stands twice", line=line)
    return permuted(self, given["a"], order, line)


def swapped(self: Any, node: ast.Call, owner: Any = None) -> Any:
    """``np.swapaxes``."""
    line = node.lineno
    given = arguments(self, node, ("a", "axis1", "axis2"), owner)
    ndim = len(as_lazy(self, given["a"], line).dims)
    first, second = (in_range(known_int(given.get(one), "an axis", line), ndim, line) for one in ("axis1", "axis2"))
    order = list(range(ndim))
    order[first], order[second] = second, first
    return permuted(self, given["a"], order, line)


def moved_axis(self: Any, node: ast.Call) -> Any:
    """``np.moveaxis`` of one axis."""
    line = node.lineno
    given = arguments(self, node, ("a", "source", "destination"))
    ndim = len(as_lazy(self, given["a"], line).dims)
    source, to = (in_range(known_int(given.get(one), "an axis", line), ndim, line) for one in ("source", "destination"))
    order = [one for one in range(ndim) if one != source]
    order.insert(to, source)
    return permuted(self, given["a"], order, line)


def broadcast(self: Any, node: ast.Call) -> Any:
    """``np.broadcast_to``."""
    line = node.lineno
    given = arguments(self, node, ("array", "shape"))
    array = as_lazy(self, given["array"], line)
    shape = given.get("shape")
    dims = [self.integer(one, line) for one in (shape.items if isinstance(shape, Tup) else [shape])]
    if len(dims) < len(array.dims):
        raise Declined("an array is broadcast to fewer dimensions", line=line)
    for mine, whole in zip(array.dims, dims[len(dims) - len(array.dims) :], strict=True):
        if mine != Const(1):
            self._same(mine, whole, line)
    if not array.cheap:
        array = _whole(self, array, line)
    return Lazy(dims, array.dtype, self._reader(array, dims), cheap=True, view_of=array.view_of)


def _offset(given: dict[str, Any], name: str, line: int) -> int:
    return known_int(given.get(name, Const(0)), "the offset of a diagonal", line)


def diagonal(self: Any, node: ast.Call, owner: Any = None) -> Any:
    """``np.diagonal`` of a matrix."""
    line = node.lineno
    given = arguments(self, node, ("a", "offset"), owner)
    array = as_lazy(self, given["a"], line)
    return _diagonal(self, array, _offset(given, "offset", line), line)


def _diagonal(self: Any, array: Lazy, offset: int, line: int) -> Lazy:
    if len(array.dims) != 2:
        raise Declined("the diagonal of something else than a matrix", line=line)
    down, right = max(-offset, 0), max(offset, 0)
    height, width = (
        self.op("isub", one, Const(gone)) if gone else one for one, gone in zip(array.dims, (down, right), strict=True)
    )
    size = self.op("imin", height, width)
    if offset:
        size = self.op("imax", size, Const(0))

    def shifted(at: Operand, by: int) -> Operand:
        return self.op("iadd", at, Const(by)) if by else at

    def element(index: Index) -> Operand:
        return array.element((shifted(index[0], down), shifted(index[0], right)))

    return Lazy([size], array.dtype, element, array.cheap, array.view_of)


def diag(self: Any, node: ast.Call) -> Any:
    """``np.diag``: a diagonal of a matrix, or a matrix of one."""
    line = node.lineno
    given = arguments(self, node, ("v", "k"))
    array, offset = _whole(self, given["v"], line), _offset(given, "k", line)
    if len(array.dims) == 2:
        return _diagonal(self, array, offset, line)
    if len(array.dims) != 1:
        raise Declined("`diag` of more than two dimensions", line=line)
    size = self.op("iadd", array.dims[0], Const(abs(offset))) if offset else array.dims[0]
    down, right = Const(max(-offset, 0)), Const(max(offset, 0))
    dst = self.new_array("diagonal", [size, size], array.dtype, line)

    def write(index: Index) -> None:
        place = (self.op("iadd", index[0], down), self.op("iadd", index[0], right)) if offset else (index[0], index[0])
        self._initial(dst, place, array.element(index), line)

    self.nest(array.dims, write, line)
    return dst


def triangle(lower: bool) -> Handler:
    """``tril`` or ``triu`` of a matrix."""

    def run(self: Any, node: ast.Call) -> Any:
        line = node.lineno
        given = arguments(self, node, ("m", "k"))
        array, offset = as_lazy(self, given["m"], line), Const(_offset(given, "k", line))
        if len(array.dims) != 2:
            raise Declined(f"`{told(node)}` of something else than a matrix", line=line)

        def element(index: Index) -> Operand:
            edge = index[0] if offset == Const(0) else self.op("iadd", index[0], offset)
            inside = self.op("ile" if lower else "ige", index[1], edge)
            return self.op("select", inside, self.as_float(array.element(index), line), Const(0.0))

        return Lazy(array.dims, "f", element)

    return run


def at_least_1d(self: Any, node: ast.Call) -> Any:
    """``np.atleast_1d`` of one array."""
    value = arguments(self, node, ("a",))["a"]
    if plain_number(value) or isinstance(value, Tup):
        return items_to_array(self, value if isinstance(value, Tup) else Tup([value]), node.lineno)
    array = as_lazy(self, value, node.lineno)
    if is_list(value):  # NumPy makes an array of it
        return Lazy(array.dims, array.dtype, array.element)
    return value if is_array(value) else array


MOVES: dict[Any, Handler] = {
    np.cumsum: running("add"), np.cumprod: running("mul"), np.sort: ordered(False), np.argsort: ordered(True), np.take: taken,
    np.take_along_axis: taken_along, np.diff: difference, np.flip: _moved(_backwards, ("m", "axis")),
    np.roll: _moved(_rolled, ("a", "shift", "axis")), np.repeat: repeated, np.tile: tiled, np.squeeze: squeezed,
    np.expand_dims: expanded, np.transpose: transposed, np.swapaxes: swapped, np.moveaxis: moved_axis, np.broadcast_to: broadcast,
    np.diagonal: diagonal, np.diag: diag, np.tril: triangle(True), np.triu: triangle(False), np.atleast_1d: at_least_1d,
}  # fmt: skip
MOVING_METHODS: dict[str, Handler] = {
    "cumsum": running("add"), "cumprod": running("mul"), "argsort": ordered(True), "sort": ordered(False), "take": taken,
    "squeeze": squeezed,
    "repeat": repeated, "transpose": transposed, "swapaxes": swapped, "diagonal": diagonal,
}  # fmt: skip
