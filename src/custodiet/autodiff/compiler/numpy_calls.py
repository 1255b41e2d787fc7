"""NumPy's functions of arrays, as loops and products: one small handler each.

A handler takes the lowerer and the call and returns a value. What is not here is left to the tape.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from custodiet.autodiff.compiler.arrays import Lazy, is_array
from custodiet.autodiff.compiler.frontend import Declined
from custodiet.autodiff.compiler.ir import Arr, Const, Loop, Operand, Ref, Store
from custodiet.autodiff.compiler.values import Static, Tup

__all__ = ["ARRAY_CALLS", "METHODS", "items_to_array"]

Handler = Callable[[Any, ast.Call], Any]
Index = tuple[Operand, ...]


def _arguments(self: Any, node: ast.Call, names: tuple[str, ...]) -> dict[str, Any]:
    """Arguments by name; those that are not given are missing."""
    found: dict[str, Any] = {}
    if len(node.args) > len(names):
        raise Declined("more arguments than are compiled", line=node.lineno)
    for name, one in zip(names, node.args, strict=False):
        found[name] = self.value(one)
    for one in node.keywords:
        if one.arg not in names:
            raise Declined(f"argument {one.arg}= of a NumPy function", line=node.lineno)
        found[str(one.arg)] = self.value(one.value)
    return found


def _plain_call(node: ast.Call, num: int) -> None:
    """Refuse options, such as `out=` or `order=`, of a call that is compiled with `num` positional arguments at most."""
    if len(node.args) > num or node.keywords:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "a NumPy function")
        raise Declined(f"{name} with options", line=node.lineno)


def _array(self: Any, value: Any, line: int) -> Lazy:
    """An argument as an array; a tuple of numbers or of rows becomes one."""
    if isinstance(value, Tup):
        return self.lazy(items_to_array(self, value, line), line)
    if isinstance(value, Lazy) or is_array(value):
        return self.lazy(value, line)
    raise Declined("a number where an array is needed", line=line)


def items_to_array(self: Any, value: Tup, line: int) -> Ref:
    """An array out of numbers, or out of arrays of one shape."""
    if not value.items:
        raise Declined("an empty list", line=line)
    items = [items_to_array(self, one, line) if isinstance(one, Tup) else one for one in value.items]
    if all(isinstance(one, Ref | Const) and not is_array(one) for one in items):
        if all(one.type == "b" for one in items):
            raise Declined("an array of bools", line=line)
        ints = all(one.type in ("i", "b") for one in items)
        dst = self.new_array("array", [Const(len(items))], "i" if ints else "f", line, blank=True)
        for place, one in enumerate(items):
            source = one if ints and one.type == "i" else self.op("btoi", one) if ints else self.as_float(one, line)
            self.emit(Store(dst, (Const(place),), source, line=line, initial=True))
        return dst
    return _joined(self, [self.lazy(one, line) for one in items], 0, line, stacked=True)


def _joined(self: Any, parts: list[Lazy], axis: int, line: int, *, stacked: bool) -> Ref:
    """Arrays one behind the other along an axis, a new one with `stacked`."""
    first = parts[0]
    ndim = len(first.dims) + stacked
    axis %= ndim
    lengths = [Const(1) if stacked else one.dims[axis] for one in parts]
    total: Operand = Const(0)
    starts = []
    for one in lengths:
        starts.append(total)
        total = self.op("iadd", total, one)
    rest = list(first.dims) if stacked else [one for place, one in enumerate(first.dims) if place != axis]
    for one in parts[1:]:
        others = list(one.dims) if stacked else [size for place, size in enumerate(one.dims) if place != axis]
        if len(others) != len(rest):
            raise Declined("arrays of different dimensions are joined", line=line)
        for mine, other in zip(rest, others, strict=True):
            self._same(mine, other, line)
    kind = "i" if all(one.dtype == "i" for one in parts) else "f"
    dst = self.new_array("joined", [*rest[:axis], total, *rest[axis:]], kind, line, blank=True)
    for one, start in zip(parts, starts, strict=True):

        def write(index: Index, one: Lazy = one, start: Operand = start) -> None:
            if stacked:
                place = (*index[:axis], start, *index[axis:])
            else:
                place = (*index[:axis], self.op("iadd", start, index[axis]), *index[axis + 1 :])
            self._initial(dst, place, one.element(index), line)

        self.nest(one.dims, write, line)
    return dst


def _axis(value: Any, line: int) -> int | None:
    if value is None or (isinstance(value, Static) and value.value is None):
        return None
    if isinstance(value, Const) and value.type == "i":
        return int(value.value)
    raise Declined("a reduction over several or computed axes", line=line)


def reduction(kind: str) -> Handler:
    """Sum, mean, max, min or prod as a function."""

    def run(self: Any, node: ast.Call) -> Any:
        given = _arguments(self, node, ("a", "axis", "keepdims"))
        return _reduce(self, given["a"], given, kind, node.lineno)

    return run


def _reduce(self: Any, value: Any, given: dict[str, Any], kind: str, line: int) -> Any:
    if isinstance(value, Ref | Const) and not is_array(value):
        return value
    keep = given.get("keepdims", Const(False))
    if not isinstance(keep, Const):
        raise Declined("computed keepdims", line=line)
    array = _array(self, value, line)
    if kind in ("max", "min") and array.dtype == "i":
        raise Declined("an extremum of ints", line=line)
    axis = _axis(given.get("axis"), line)
    if axis is None and keep.value:
        raise Declined("keepdims without an axis", line=line)
    return self.reduce(array, axis, kind, bool(keep.value), line)


def method_reduction(kind: str) -> Callable[[Any, Any, ast.Call], Any]:
    """Sum, mean, max, min or prod as a method."""
    return lambda self, owner, node: _reduce(
        self, owner, _arguments(self, node, ("axis", "keepdims")), kind, node.lineno
    )


def _variance(self: Any, node: ast.Call) -> Any:
    line = node.lineno
    given = _arguments(self, node, ("a", "axis", "keepdims"))
    array = self.lazy(self.materialize(given["a"], line), line)
    axis = _axis(given.get("axis"), line)
    if axis is None:
        mean = self.reduce(array, None, "mean", False, line)
    else:
        mean = self.lazy(self.materialize(self.reduce(array, axis, "mean", True, line), line), line)
    square = self.elementwise([array, mean], lambda a, b: self.op("square", self.op("fsub", a, b)), "f", line)
    return _reduce(self, square, given, "mean", line)


def _norm(self: Any, node: ast.Call) -> Any:
    array = _array(self, self.value(node.args[0]), node.lineno)
    if len(node.args) > 1 or node.keywords:
        raise Declined("a norm with options", line=node.lineno)
    square = self.elementwise([array], lambda a: self.op("square", self.as_float(a, node.lineno)), "f", node.lineno)
    return self.op("sqrt", self.reduce(square, None, "sum", False, node.lineno))


def _dot(self: Any, node: ast.Call) -> Any:
    _plain_call(node, 2)
    return self.matmul(self.value(node.args[0]), self.value(node.args[1]), node.lineno)


def _dot_method(self: Any, owner: Any, node: ast.Call) -> Any:
    _plain_call(node, 1)
    return self.matmul(owner, self.value(node.args[0]), node.lineno)


def _transpose_method(self: Any, owner: Any, node: ast.Call) -> Any:
    _plain_call(node, 0)
    return self.transposed(owner, node.lineno)


def _outer(self: Any, node: ast.Call) -> Any:
    _plain_call(node, 2)
    a, b = (self.lazy(self.materialize(self.value(one), node.lineno), node.lineno) for one in node.args)
    if len(a.dims) != 1 or len(b.dims) != 1:
        raise Declined("outer of matrices", line=node.lineno)
    return Lazy([*a.dims, *b.dims], "f", lambda index: self.op("fmul", a.element(index[:1]), b.element(index[1:])))


def _where(self: Any, node: ast.Call) -> Any:
    if len(node.args) != 3:
        raise Declined("where with one argument", line=node.lineno)
    values = [self.value(one) for one in node.args]
    line = node.lineno

    def work(cond: Operand, a: Operand, b: Operand) -> Operand:
        flag = cond if cond.type == "b" else self.op("fne", self.as_float(cond, line), Const(0.0))
        return self.op("select", flag, self.as_float(a, line), self.as_float(b, line))

    if not any(isinstance(one, Lazy) or is_array(one) for one in values):
        return work(*(self.scalar(one, line) for one in values))
    return self.elementwise(values, work, "f", line)


def _clip(self: Any, node: ast.Call) -> Any:
    line = node.lineno
    values = [self.value(one) for one in node.args]
    if len(values) != 3 or node.keywords:
        raise Declined("clip with other arguments", line=line)

    def work(x: Operand, low: Operand, high: Operand) -> Operand:
        x, low, high = (self.as_float(one, line) for one in (x, low, high))
        above = self.op("select", self.op("flt", x, low), low, x)
        return self.op("select", self.op("fgt", above, high), high, above)

    if not any(isinstance(one, Lazy) or is_array(one) for one in values):
        return work(*(self.scalar(one, line) for one in values))
    return self.elementwise(values, work, "f", line)


def _arange(self: Any, node: ast.Call) -> Any:
    line = node.lineno
    if node.keywords:
        raise Declined("arange with keywords", line=line)
    parts = [self.scalar(self.value(one), line) for one in node.args]
    start, stop = (Const(0), parts[0]) if len(parts) == 1 else (parts[0], parts[1])
    if len(parts) > 2:
        raise Declined("arange with a step", line=line)
    if start.type == stop.type == "i":
        size = self.op("imax", self.op("isub", stop, start), Const(0))
        return Lazy([size], "i", lambda index: self.op("iadd", start, index[0]), cheap=True)
    low, high = self.as_float(start, line), self.as_float(stop, line)
    size = self.op("imax", self.op("ftoi", self.op("ceil", self.op("fsub", high, low))), Const(0))
    return Lazy([size], "f", lambda index: self.op("fadd", low, self.op("itof", index[0])), cheap=True)


def _eye(self: Any, node: ast.Call) -> Any:
    if len(node.args) != 1 or node.keywords:
        raise Declined("eye with options", line=node.lineno)
    size = self.integer(self.value(node.args[0]), node.lineno)
    return Lazy(
        [size, size], "f", lambda index: self.op("select", self.op("ieq", *index), Const(1.0), Const(0.0)), cheap=True
    )


def _triangle(lower: bool) -> Handler:
    def run(self: Any, node: ast.Call) -> Any:
        array = _array(self, self.value(node.args[0]), node.lineno)
        if len(node.args) > 1 or node.keywords or len(array.dims) != 2:
            raise Declined("a triangle with options", line=node.lineno)
        keep = "ige" if lower else "ile"

        def element(index: Index) -> Operand:
            return self.op(
                "select", self.op(keep, *index), self.as_float(array.element(index), node.lineno), Const(0.0)
            )

        return Lazy(array.dims, "f", element)

    return run


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


def _diag(self: Any, node: ast.Call) -> Any:
    array = self.lazy(self.materialize(self.value(node.args[0]), node.lineno), node.lineno)
    if len(node.args) > 1 or node.keywords:
        raise Declined("diag with options", line=node.lineno)
    if len(array.dims) == 2:
        size = self.op("imin", *array.dims)
        return Lazy(
            [size], array.dtype, lambda index: array.element((index[0], index[0])), cheap=True, view_of=array.view_of
        )
    size = array.dims[0]
    dst = self.new_array("diagonal", [size, size], "f", node.lineno)
    self.nest(
        [size], lambda index: self._initial(dst, (index[0], index[0]), array.element(index), node.lineno), node.lineno
    )
    return dst


def _trace(self: Any, node: ast.Call) -> Any:
    _plain_call(node, 1)
    array = _array(self, self.materialize(self.value(node.args[0]), node.lineno), node.lineno)
    size = self.op("imin", *array.dims)
    return self.fold(
        [size],
        Const(0.0),
        lambda acc, at: self.op("fadd", acc, self.as_float(array.element((at[0], at[0])), node.lineno)),
        node.lineno,
    )


def _join(stacked: bool) -> Handler:
    def run(self: Any, node: ast.Call) -> Any:
        given = _arguments(self, node, ("arrays", "axis"))
        items = given["arrays"]
        if not isinstance(items, Tup):
            raise Declined("what is joined is not spelled out", line=node.lineno)
        axis = _axis(given.get("axis", Const(0)), node.lineno)
        if axis is None:
            raise Declined("concatenate with axis=None", line=node.lineno)
        return _joined(
            self, [_array(self, one, node.lineno) for one in items.items], axis, node.lineno, stacked=stacked
        )

    return run


def _diff(self: Any, node: ast.Call) -> Any:
    array = self.lazy(self.materialize(self.value(node.args[0]), node.lineno), node.lineno)
    if len(node.args) > 1 or node.keywords or len(array.dims) != 1:
        raise Declined("diff with options", line=node.lineno)
    size = self.op("imax", self.op("isub", array.dims[0], Const(1)), Const(0))

    def element(index: Index) -> Operand:
        after = array.element((self.op("iadd", index[0], Const(1)),))
        return self.op("fsub", self.as_float(after, node.lineno), self.as_float(array.element(index), node.lineno))

    return Lazy([size], "f", element)


def _cumsum(self: Any, node: ast.Call) -> Any:
    array = _array(self, self.value(node.args[0]), node.lineno)
    if len(node.args) > 1 or node.keywords or len(array.dims) != 1:
        raise Declined("cumsum with options", line=node.lineno)
    dst = self.new_array("sums", array.dims, "f", node.lineno, blank=True)

    def step(acc: Operand, index: Index) -> Operand:
        total = self.op("fadd", acc, self.as_float(array.element(index), node.lineno))
        self._initial(dst, index, total, node.lineno)
        return total

    self.fold(array.dims, Const(0.0), step, node.lineno)
    return dst


def _make(self: Any, node: ast.Call) -> Any:
    given = _arguments(self, node, ("object", "dtype"))
    kind = given.get("dtype")
    if kind is not None and not (isinstance(kind, Static) and kind.value in (float, np.float64, "float64")):
        raise Declined("an array of another dtype than float64", line=node.lineno)
    array = _array(self, given["object"], node.lineno)
    if kind is not None and array.dtype != "f":
        array = self.elementwise([array], lambda a: self.as_float(a, node.lineno), "f", node.lineno)
    return Lazy(array.dims, array.dtype, array.element)


def _as_array(self: Any, node: ast.Call) -> Any:
    value = self.value(node.args[0])
    plain = len(node.args) == 1 and not node.keywords
    return value if is_array(value) and not value.type.is_list and plain else _make(self, node)


def _transpose(self: Any, node: ast.Call) -> Any:
    if len(node.args) != 1 or node.keywords:
        raise Declined("transpose with axes", line=node.lineno)
    return self.transposed(self.value(node.args[0]), node.lineno)


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


def _reshape_method(self: Any, owner: Any, node: ast.Call) -> Any:
    _plain_call(node, len(node.args))
    owner = self.materialize(owner, node.lineno)
    values = [self.value(one) for one in node.args]
    dims = _shape_of(self, values, lambda: self._count(self.dims(owner)), node.lineno)
    return self.reshaped(owner, dims, node.lineno)


def _flat_method(self: Any, owner: Any, node: ast.Call) -> Any:
    _plain_call(node, 0)
    owner = self.materialize(owner, node.lineno)
    found = self.reshaped(owner, [self._count(self.dims(owner))], node.lineno)
    if isinstance(node.func, ast.Attribute) and node.func.attr == "flatten":
        found.view_of = None
    return found


def _copy_method(self: Any, owner: Any, node: ast.Call) -> Any:
    array = self.lazy(owner, node.lineno)
    return Lazy(array.dims, array.dtype, array.element, cheap=array.cheap)


def _copy(self: Any, node: ast.Call) -> Any:
    return _copy_method(self, _array(self, self.value(node.args[0]), node.lineno), node)


def _astype(self: Any, owner: Any, node: ast.Call) -> Any:
    _plain_call(node, 1)
    kind = self.value(node.args[0])
    if not (isinstance(kind, Static) and kind.value in (float, np.float64, "float64")):
        raise Declined("an array of another dtype than float64", line=node.lineno)
    return self.elementwise([owner], lambda a: self.as_float(a, node.lineno), "f", node.lineno)


def _logsumexp(self: Any, node: ast.Call) -> Any:
    line = node.lineno
    given = _arguments(self, node, ("a", "axis", "keepdims"))
    array = self.lazy(self.materialize(given["a"], line), line)
    axis = _axis(given.get("axis"), line)
    if axis is not None:
        raise Declined("logsumexp along an axis", line=line)
    best = self.op("still", self.reduce(array, None, "max", False, line))
    total = self.fold(
        array.dims,
        Const(0.0),
        lambda acc, at: self.op("fadd_r", acc, self.op("exp", self.op("fsub", array.element(at), best))),
        line,
    )
    return self.op("fadd", best, self.op("log", total))


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


ARRAY_CALLS: dict[Any, Handler] = {
    np.sum: reduction("sum"), np.mean: reduction("mean"), np.max: reduction("max"), np.amax: reduction("max"),
    np.min: reduction("min"), np.amin: reduction("min"), np.prod: reduction("prod"), np.var: _variance, np.linalg.norm: _norm,
    np.dot: _dot, np.matmul: _dot, np.outer: _outer, np.einsum: _einsum, np.where: _where, np.clip: _clip, np.arange: _arange, np.eye: _eye,
    np.tril: _triangle(True), np.triu: _triangle(False), np.triu_indices: _triangle_indices(False),
    np.tril_indices: _triangle_indices(True), np.diag: _diag, np.trace: _trace, np.concatenate: _join(False),
    np.stack: _join(True), np.diff: _diff, np.cumsum: _cumsum, np.array: _make, np.asarray: _as_array, np.copy: _copy,
    np.transpose: _transpose, np.reshape: _reshape, np.linspace: _linspace, special.logsumexp: _logsumexp,
}  # fmt: skip

METHODS: dict[str, Callable[[Any, Any, ast.Call], Any]] = {
    "sum": method_reduction("sum"), "mean": method_reduction("mean"), "max": method_reduction("max"),
    "min": method_reduction("min"), "prod": method_reduction("prod"), "reshape": _reshape_method, "ravel": _flat_method,
    "flatten": _flat_method, "copy": _copy_method, "astype": _astype,
    "dot": _dot_method, "transpose": _transpose_method,
}  # fmt: skip
_ = (Arr, Loop)
