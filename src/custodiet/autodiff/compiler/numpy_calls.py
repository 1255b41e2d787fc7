"""NumPy's functions of arrays, as loops and products: one small handler each.

A handler takes the lowerer and the call and returns a value. What is not here is left to the tape.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import numpy as np

from custodiet.autodiff.compiler.array_arguments import (
    Handler,
    Index,
    arguments,
    as_lazy,
    axis_of,
    flat,
    known_int,
    plain_number,
    told,
)
from custodiet.autodiff.compiler.array_arguments import joined as join_arrays
from custodiet.autodiff.compiler.arrays import Lazy, is_array, is_list
from custodiet.autodiff.compiler.frontend import Declined
from custodiet.autodiff.compiler.ir import Const, Operand, Store
from custodiet.autodiff.compiler.moving_calls import MOVES, MOVING_METHODS
from custodiet.autodiff.compiler.reduction_calls import REDUCTION_METHODS, REDUCTIONS
from custodiet.autodiff.compiler.values import Static, Tup

__all__ = ["ARRAY_CALLS", "METHODS"]


def _dot(self: Any, node: ast.Call, owner: Any = None) -> Any:
    given = arguments(self, node, ("a", "b"), owner)
    a, b = given["a"], given.get("b")
    if plain_number(a) or plain_number(b):
        return self.binary(ast.Mult(), a, b, node.lineno)
    return self.matmul(
        *(as_lazy(self, one, node.lineno) if isinstance(one, Tup) else one for one in (a, b)), node.lineno
    )


def _matmul(self: Any, node: ast.Call) -> Any:
    given = arguments(self, node, ("x1", "x2"))
    return self.matmul(given["x1"], given.get("x2"), node.lineno)


def _inner(self: Any, node: ast.Call) -> Any:
    given = arguments(self, node, ("a", "b"))
    a, b = (as_lazy(self, self.materialize(given.get(one), node.lineno), node.lineno) for one in ("a", "b"))
    if len(a.dims) > 2 or len(b.dims) != 2:
        if not len(a.dims) == len(b.dims) == 1:
            raise Declined("`inner` of these dimensions: it takes vectors, or a matrix on the right", line=node.lineno)
        return self.matmul(a, b, node.lineno)
    return self.matmul(a, self.transposed(b, node.lineno), node.lineno)


def _vdot(self: Any, node: ast.Call) -> Any:
    given = arguments(self, node, ("a", "b"))
    return self.matmul(*(flat(self, given.get(one), node.lineno) for one in ("a", "b")), node.lineno)


def _outer(self: Any, node: ast.Call) -> Any:
    given = arguments(self, node, ("a", "b"))
    a, b = (flat(self, self.materialize(given.get(one), node.lineno), node.lineno) for one in ("a", "b"))

    def element(index: Index) -> Operand:
        return self.binary(ast.Mult(), a.element(index[:1]), b.element(index[1:]), node.lineno)

    return Lazy([*a.dims, *b.dims], "i" if a.dtype == b.dtype == "i" else "f", element)


def _kron(self: Any, node: ast.Call) -> Any:
    line = node.lineno
    given = arguments(self, node, ("a", "b"))
    a, b = (as_lazy(self, self.materialize(given.get(one), line), line) for one in ("a", "b"))
    if len(a.dims) != len(b.dims):
        raise Declined("`kron` of arrays of different dimensions", line=line)

    def element(index: Index) -> Operand:
        outer = tuple(self.op("ifloordiv", at, size) for at, size in zip(index, b.dims, strict=True))
        inner = tuple(self.op("imod", at, size) for at, size in zip(index, b.dims, strict=True))
        return self.binary(ast.Mult(), a.element(outer), b.element(inner), line)

    dims = [self.op("imul", one, other) for one, other in zip(a.dims, b.dims, strict=True)]
    return Lazy(dims, "i" if a.dtype == b.dtype == "i" else "f", element)


def _matrix_power(self: Any, node: ast.Call) -> Any:
    given = arguments(self, node, ("a", "n"))
    power = known_int(given.get("n"), "a power of a matrix", node.lineno)
    if not 1 <= power <= 32:
        raise Declined("a power of a matrix that is not from 1 to 32", line=node.lineno)
    base = self.materialize(given["a"], node.lineno)
    found = base
    for _ in range(power - 1):
        found = self.matmul(found, base, node.lineno)
    return found


def _tensordot(self: Any, node: ast.Call) -> Any:
    line = node.lineno
    given = arguments(self, node, ("a", "b", "axes"))
    a, b = (as_lazy(self, self.materialize(given.get(one), line), line) for one in ("a", "b"))
    num = known_int(given.get("axes", Const(2)), "axes of `tensordot`", line)
    if not 0 <= num <= min(len(a.dims), len(b.dims)):
        raise Declined("more axes than dimensions in `tensordot`", line=line)
    keep = len(a.dims) - num
    for mine, theirs in zip(a.dims[keep:], b.dims[:num], strict=True):
        self._same(mine, theirs, line)

    def element(index: Index) -> Operand:
        def step(acc: Operand, at: Index) -> Operand:
            one, other = (
                self.as_float(part, line) for part in (a.element((*index[:keep], *at)), b.element((*at, *index[keep:])))
            )
            return self.op("fadd_r", acc, self.op("fmul", one, other))

        return self.fold(b.dims[:num], Const(0.0), step, line)

    dims = [*a.dims[:keep], *b.dims[num:]]
    return Lazy(dims, "f", element) if dims else element(())


def _nonzero(self: Any, node: ast.Call) -> Any:
    """``np.nonzero``, and ``np.where`` of a condition alone."""
    line = node.lineno
    (value,) = arguments(self, node, ("a",)).values()
    mask = self.elementwise([as_lazy(self, value, line)], lambda a: self._as_bool(a, line), "b", line)
    return Tup(self.places_of(mask, line))


def _flatnonzero(self: Any, node: ast.Call) -> Any:
    line = node.lineno
    (value,) = arguments(self, node, ("a",)).values()
    mask = self.elementwise([flat(self, value, line)], lambda a: self._as_bool(a, line), "b", line)
    return self.places_of(mask, line)[0]


def _where(self: Any, node: ast.Call) -> Any:
    if len(node.args) == 1 and not node.keywords:
        return _nonzero(self, node)
    if len(node.args) != 3 or node.keywords:
        raise Declined("`where` of other than one or three arguments", line=node.lineno)
    values = [self.value(one) for one in node.args]
    line = node.lineno

    def work(cond: Operand, a: Operand, b: Operand) -> Operand:
        flag = cond if cond.type == "b" else self.op("fne", self.as_float(cond, line), Const(0.0))
        return self.op("select", flag, self.as_float(a, line), self.as_float(b, line))

    if not any(isinstance(one, Lazy) or is_array(one) for one in values):
        return work(*(self.scalar(one, line) for one in values))
    return self.elementwise(values, work, "f", line)


def _clip(self: Any, node: ast.Call, owner: Any = None) -> Any:
    line = node.lineno
    names = ("a", "a_min", "a_max")
    if any(one.arg in ("min", "max") for one in node.keywords):
        names = ("a", "min", "max")
    given = arguments(self, node, names, owner)

    def work(x: Operand, *bounds: Operand) -> Operand:
        x = self.as_float(x, line)
        ends = iter(bounds)
        for name, compare in ((names[1], "flt"), (names[2], "fgt")):
            if name in given:
                end = self.as_float(next(ends), line)
                x = self.op("select", self.op(compare, x, end), end, x)
        return x

    values = [given[name] for name in names if name in given]
    if not any(isinstance(one, Lazy) or is_array(one) for one in values):
        return work(*(self.scalar(one, line) for one in values))
    if all(map(self._is_int, values)):
        raise Declined("`clip` of ints", line=line)
    return self.elementwise(values, work, "f", line)


def _logical(op: str) -> Handler:
    """and, or, xor or not of conditions."""

    def run(self: Any, node: ast.Call) -> Any:
        line = node.lineno
        values = [self.value(one) for one in node.args]
        if node.keywords or len(values) != (1 if op == "not" else 2):
            raise Declined(f"`{told(node)}` of other arguments than conditions", line=line)

        def work(*parts: Operand) -> Operand:
            return self.op(op, *(self._as_bool(one, line) for one in parts))

        if any(isinstance(one, Lazy) or is_array(one) for one in values):
            return self.elementwise(values, work, "b", line)
        return work(*values)

    return run


def _predicate(kind: str) -> Handler:
    """Whether a float is NaN, infinite or finite."""

    def run(self: Any, node: ast.Call) -> Any:
        line = node.lineno
        (value,) = arguments(self, node, ("x",)).values()

        def work(one: Operand) -> Operand:
            number = self.as_float(one, line)
            if kind == "nan":
                return self.op("fne", number, number)
            size = self.op("fabs", number)
            return self.op("flt" if kind == "finite" else "feq", size, Const(float("inf")))

        if isinstance(value, Lazy) or is_array(value):
            return self.elementwise([value], work, "b", line)
        return work(self.scalar(value, line))

    return run


def _arange(self: Any, node: ast.Call) -> Any:
    line = node.lineno
    if node.keywords or not 1 <= len(node.args) <= 3:
        raise Declined("`arange` with keywords", line=line)
    parts = [self.scalar(self.value(one), line) for one in node.args]
    start, stop = (Const(0), parts[0]) if len(parts) == 1 else (parts[0], parts[1])
    step = parts[2] if len(parts) > 2 else Const(1)
    if start.type == stop.type == step.type == "i":
        if not isinstance(step, Const) or step.value <= 0:
            raise Declined("`arange` with a step that is not known to be positive", line=line)
        span = self.op("isub", stop, start)
        if step != Const(1):
            span = self.op("ifloordiv", self.op("iadd", span, Const(int(step.value) - 1)), step)
        size = self.op("imax", span, Const(0))

        def place(index: Index) -> Operand:
            at = index[0] if step == Const(1) else self.op("imul", index[0], step)
            return self.op("iadd", start, at)

        return Lazy([size], "i", place, cheap=True)
    low, high, wide = (self.as_float(one, line) for one in (start, stop, step))
    rounds = self.op("ceil", self.op("fdiv", self.op("fsub", high, low), wide))
    size = self.op("imax", self.op("ftoi", rounds), Const(0))
    second = self.op(
        "fsub", self.op("fadd", low, wide), low
    )  # as NumPy does: the rounding of the second element is in every step

    def element(index: Index) -> Operand:
        return self.op("fadd", low, self.op("fmul", self.op("itof", index[0]), second))

    return Lazy([size], "f", element, cheap=True)


def _eye(self: Any, node: ast.Call) -> Any:
    line = node.lineno
    given = arguments(self, node, ("N", "M", "k"))
    rows = self.integer(given["N"], line)
    columns = self.integer(given["M"], line) if "M" in given else rows
    offset = Const(known_int(given.get("k", Const(0)), "the offset of a diagonal", line))

    def element(index: Index) -> Operand:
        edge = index[0] if offset == Const(0) else self.op("iadd", index[0], offset)
        return self.op("select", self.op("ieq", edge, index[1]), Const(1.0), Const(0.0))

    return Lazy([rows, columns], "f", element, cheap=True)


def _triangle_indices(lower: bool) -> Handler:
    """The pairs below or above a diagonal, row by row."""

    def run(self: Any, node: ast.Call) -> Any:
        line = node.lineno
        parts = [self.integer(self.value(one), line) for one in node.args]
        size, shift = parts[0], parts[1] if len(parts) > 1 else Const(0)
        if node.keywords or len(parts) > 2 or not isinstance(shift, Const):
            raise Declined("triangle indices with options", line=line)

        def inside(index: Index) -> Operand:
            bound = self.op("iadd", index[0], shift)
            return self.op("ile" if lower else "ige", index[1], bound)

        def step(acc: Operand, index: Index) -> Operand:
            return self.op("iadd", acc, self.op("btoi", inside(index)))

        total = self.fold([size, size], Const(0), step, line)
        found = [self.new_array(name, [total], "i", line) for name in ("rows", "columns")]

        def write(acc: Operand, index: Index) -> Operand:
            flag = inside(index)

            def store() -> None:
                for array, at in zip(found, index, strict=True):
                    self.emit(Store(array, (acc,), at, line=line, initial=True))

            self.branch(flag, store, lambda: None, line=line)
            return self.op("iadd", acc, self.op("btoi", flag))

        self.fold([size, size], Const(0), write, line)
        return Tup(found)

    return run


def _parts(self: Any, value: Any, line: int) -> list[Lazy]:
    """Arrays that are joined: a list of them, or the rows of a matrix."""
    if not isinstance(value, Tup):
        raise Declined("arrays are joined that are not spelled out one by one", line=line)
    return [as_lazy(self, Tup([one]) if plain_number(one) else one, line) for one in value.items]


def _join(stacked: bool) -> Handler:
    def run(self: Any, node: ast.Call) -> Any:
        line = node.lineno
        whole = [
            one
            for one in node.keywords
            if one.arg == "axis" and isinstance(one.value, ast.Constant) and one.value.value is None
        ]
        given = arguments(self, node, ("arrays", "axis"))
        if whole and not stacked and isinstance(given["arrays"], Tup):
            return join_arrays(self, [flat(self, one, line) for one in given["arrays"].items], 0, line, stacked=False)
        if stacked and isinstance(given["arrays"], Tup) and any(map(plain_number, given["arrays"].items)):
            return as_lazy(self, given["arrays"], line)
        parts = _parts(self, given["arrays"], line)
        axis = axis_of(given, len(parts[0].dims) + stacked, 0, line)
        return join_arrays(self, parts, axis or 0, line, stacked=stacked)

    return run


def _row(one: Lazy) -> Lazy:
    """A vector as a matrix of one row."""
    if len(one.dims) != 1:
        return one
    return Lazy([Const(1), *one.dims], one.dtype, lambda index: one.element(index[1:]), one.cheap)


def _column(one: Lazy) -> Lazy:
    """A vector as a matrix of one column."""
    if len(one.dims) != 1:
        return one
    return Lazy([*one.dims, Const(1)], one.dtype, lambda index: one.element(index[:1]), one.cheap)


def _vstack(self: Any, node: ast.Call) -> Any:
    given = arguments(self, node, ("tup",))
    parts = [_row(one) for one in _parts(self, given["tup"], node.lineno)]
    return join_arrays(self, parts, 0, node.lineno, stacked=False)


def _hstack(self: Any, node: ast.Call) -> Any:
    given = arguments(self, node, ("tup",))
    parts = _parts(self, given["tup"], node.lineno)
    return join_arrays(self, parts, 0 if len(parts[0].dims) == 1 else 1, node.lineno, stacked=False)


def _column_stack(self: Any, node: ast.Call) -> Any:
    given = arguments(self, node, ("tup",))
    parts = [_column(one) for one in _parts(self, given["tup"], node.lineno)]
    return join_arrays(self, parts, 1, node.lineno, stacked=False)


def _append(self: Any, node: ast.Call) -> Any:
    given = arguments(self, node, ("arr", "values", "axis"))
    both = [given["arr"], given.get("values")]
    parts = [as_lazy(self, Tup([one]) if plain_number(one) else one, node.lineno) for one in both]
    if "axis" not in given:
        parts = [flat(self, one, node.lineno) for one in parts]
    axis = axis_of(given, len(parts[0].dims), 0, node.lineno)
    return join_arrays(self, parts, axis or 0, node.lineno, stacked=False)


def _make(self: Any, node: ast.Call) -> Any:
    return _made(self, arguments(self, node, ("object", "dtype")), node)


def _made(self: Any, given: dict[str, Any], node: ast.Call) -> Any:
    kind = given.get("dtype")
    if kind is not None and not (isinstance(kind, Static) and kind.value in (float, np.float64, "float64")):
        raise Declined("an array of another dtype than float64", line=node.lineno)
    array = as_lazy(self, given["object"], node.lineno)
    if kind is not None and array.dtype != "f":
        array = self.elementwise([array], lambda a: self.as_float(a, node.lineno), "f", node.lineno)
    return Lazy(array.dims, array.dtype, array.element)


def _as_array(self: Any, node: ast.Call) -> Any:
    given = arguments(self, node, ("object", "dtype"))
    value, made = given["object"], _made(self, given, node)
    if isinstance(value, Lazy) or (is_array(value) and not is_list(value)):
        return value if as_lazy(self, value, node.lineno).dtype == made.dtype else made
    return made


def _shape_of(self: Any, values: list[Any], size: Callable[[], Operand], line: int) -> list[Operand]:
    parts = values[0].items if len(values) == 1 and isinstance(values[0], Tup) else values
    dims = [self.integer(one, line) for one in parts]
    unknown = [place for place, one in enumerate(dims) if one == Const(-1)]
    if len(unknown) > 1:
        raise Declined("two unknown lengths in a shape", line=line)
    if unknown:
        known = self._count([one for place, one in enumerate(dims) if place not in unknown])
        dims[unknown[0]] = self.op("ifloordiv", size(), known)
    return dims


def _reshape(self: Any, node: ast.Call) -> Any:
    if len(node.args) != 2 or node.keywords:
        raise Declined("reshape with options", line=node.lineno)
    owner = self.materialize(self.value(node.args[0]), node.lineno)
    dims = _shape_of(self, [self.value(node.args[1])], lambda: self._count(self.dims(owner)), node.lineno)
    return self.reshaped(owner, dims, node.lineno)


def _plain_call(node: ast.Call, num: int) -> None:
    """Refuse options, such as `order=`, of a method that is compiled with `num` positional arguments at most."""
    if len(node.args) > num or node.keywords:
        raise Declined(f"`{told(node)}` with options", line=node.lineno)


def _reshape_method(self: Any, owner: Any, node: ast.Call) -> Any:
    _plain_call(node, len(node.args))
    owner = self.materialize(owner, node.lineno)
    values = [self.value(one) for one in node.args]
    dims = _shape_of(self, values, lambda: self._count(self.dims(owner)), node.lineno)
    return self.reshaped(owner, dims, node.lineno)


def _ravel(self: Any, node: ast.Call) -> Any:
    return _flat(self, arguments(self, node, ("a",))["a"], node)


def _flat_method(self: Any, owner: Any, node: ast.Call) -> Any:
    _plain_call(node, 0)
    return _flat(self, owner, node)


def _flat(self: Any, owner: Any, node: ast.Call) -> Any:
    owner = self.materialize(as_lazy(self, owner, node.lineno) if isinstance(owner, Tup) else owner, node.lineno)
    found = self.reshaped(owner, [self._count(self.dims(owner))], node.lineno)
    if isinstance(node.func, ast.Attribute) and node.func.attr == "flatten":
        found.view_of = None
    return found


def _copy_method(self: Any, owner: Any, node: ast.Call) -> Any:
    array = self.lazy(owner, node.lineno)
    return Lazy(array.dims, array.dtype, array.element, cheap=array.cheap)


def _copy(self: Any, node: ast.Call) -> Any:
    return _copy_method(self, as_lazy(self, self.value(node.args[0]), node.lineno), node)


def _astype(self: Any, owner: Any, node: ast.Call) -> Any:
    _plain_call(node, 1)
    kind = self.value(node.args[0])
    if not (isinstance(kind, Static) and kind.value in (float, np.float64, "float64")):
        raise Declined("an array of another dtype than float64", line=node.lineno)
    return self.elementwise([owner], lambda a: self.as_float(a, node.lineno), "f", node.lineno)


def _linspace(self: Any, node: ast.Call) -> Any:
    line = node.lineno
    if len(node.args) != 3 or node.keywords:
        raise Declined("linspace with options", line=line)
    low, high = (self.as_float(self.value(one), line) for one in node.args[:2])
    size = self.integer(self.value(node.args[2]), line)
    step = self.op(
        "fdiv", self.op("fsub", high, low), self.op("itof", self.op("imax", self.op("isub", size, Const(1)), Const(1)))
    )
    return Lazy([size], "f", lambda at: self.op("fadd", low, self.op("fmul", step, self.op("itof", at[0]))), cheap=True)


def _einsum(self: Any, node: ast.Call) -> Any:
    """Any contraction whose subscripts are spelled out, as loops."""
    line = node.lineno
    spelled = self.value(node.args[0])
    if not isinstance(spelled, Static) or not isinstance(spelled.value, str) or node.keywords or "." in spelled.value:
        raise Declined("einsum with other arguments", line=line)
    left, _, right = spelled.value.replace(" ", "").partition("->")
    terms = left.split(",")
    arrays = [self.lazy(self.materialize(self.value(one), line), line) for one in node.args[1:]]
    out = right if "->" in spelled.value else "".join(sorted(one for one in set(left) - {","} if left.count(one) == 1))
    lengths: dict[str, Operand] = {}
    for term, array in zip(terms, arrays, strict=True):
        if len(term) != len(array.dims):
            raise Declined("einsum subscripts that do not fit", line=line)
        for letter, size in zip(term, array.dims, strict=True):
            if letter in lengths:
                self._same(lengths[letter], size, line)
            lengths.setdefault(letter, size)
    summed = [letter for letter in lengths if letter not in out]

    def element(index: Index) -> Operand:
        def step(acc: Operand, inner: Index) -> Operand:
            at = dict(zip([*out, *summed], [*index, *inner], strict=True))
            found: Operand | None = None
            for term, array in zip(terms, arrays, strict=True):
                one = self.as_float(array.element(tuple(at[letter] for letter in term)), line)
                found = one if found is None else self.op("fmul", found, one)
            return self.op("fadd_r", acc, found)

        return self.fold([lengths[letter] for letter in summed], Const(0.0), step, line)

    dims = [lengths[letter] for letter in out]
    return Lazy(dims, "f", element) if dims else element(())


def _as_method(handler: Handler) -> Callable[[Any, Any, ast.Call], Any]:
    """A function of an array as its method."""
    return lambda self, owner, node: handler(self, node, owner)


ARRAY_CALLS: dict[Any, Handler] = {
    **REDUCTIONS, **MOVES,
    np.dot: _dot, np.matmul: _matmul, np.inner: _inner, np.vdot: _vdot, np.outer: _outer, np.kron: _kron, np.einsum: _einsum,
    np.tensordot: _tensordot, np.linalg.matrix_power: _matrix_power, np.where: _where, np.nonzero: _nonzero, np.flatnonzero: _flatnonzero,
    np.clip: _clip,
    np.logical_and: _logical("and"), np.logical_or: _logical("or"), np.logical_xor: _logical("xor"), np.logical_not: _logical("not"),
    np.isnan: _predicate("nan"), np.isinf: _predicate("infinite"), np.isfinite: _predicate("finite"),
    np.arange: _arange, np.eye: _eye, np.identity: _eye, np.triu_indices: _triangle_indices(False),
    np.tril_indices: _triangle_indices(True), np.concatenate: _join(False), np.stack: _join(True), np.vstack: _vstack, np.hstack: _hstack,
    np.column_stack: _column_stack, np.append: _append, np.array: _make, np.asarray: _as_array, np.copy: _copy,
    np.reshape: _reshape, np.ravel: _ravel, np.linspace: _linspace,
}  # fmt: skip

METHODS: dict[str, Callable[[Any, Any, ast.Call], Any]] = {
    **{name: _as_method(one) for name, one in (REDUCTION_METHODS | MOVING_METHODS).items()},
    "dot": _as_method(_dot), "clip": _as_method(_clip), "reshape": _reshape_method, "ravel": _flat_method,
    "flatten": _flat_method, "copy": _copy_method, "astype": _astype,
}  # fmt: skip
