"""What NumPy's functions take: arguments by name, arrays out of lists, axes."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from custodiet.autodiff.compiler.arrays import Lazy, is_array, is_list
from custodiet.autodiff.compiler.frontend import Declined
from custodiet.autodiff.compiler.ir import Const, Operand, Ref, Store
from custodiet.autodiff.compiler.values import Static, Tup

__all__ = [
    "Handler", "Index", "arguments", "as_lazy", "axes_of", "axis_of", "flag_of", "flat", "in_range", "items_to_array", "joined",
    "known_int",
    "plain_number", "told",
]  # fmt: skip

Handler = Callable[..., Any]
"""takes the lowerer, the call and, for a method, its array; gives a value"""
Index = tuple[Operand, ...]


def arguments(self: Any, node: ast.Call, names: tuple[str, ...], owner: Any = None) -> dict[str, Any]:
    """Arguments by name, the first one the owner of a method; those that are not given, or are None, are missing."""
    found: dict[str, Any] = {}
    left = names
    if owner is not None:
        found[names[0]], left = owner, names[1:]
    if len(node.args) > len(left):
        raise Declined(f"`{told(node)}` with more than {len(left)} positional arguments", line=node.lineno)
    for name, one in zip(left, node.args, strict=False):
        found[name] = self.value(one)
    for one in node.keywords:
        if one.arg not in left:
            raise Declined(f"argument {one.arg}= of `{told(node)}`", line=node.lineno)
        found[str(one.arg)] = self.value(one.value)
    if names[0] not in found:
        raise Declined(f"`{told(node)}` without {names[0]}", line=node.lineno)
    return {name: one for name, one in found.items() if not (isinstance(one, Static) and one.value is None)}


def told(node: ast.Call) -> str:
    """What the program calls a function."""
    return ast.unparse(node.func) if isinstance(node.func, ast.Name | ast.Attribute) else "the function"


def plain_number(value: Any) -> bool:
    """Whether a value is a number, no array."""
    return isinstance(value, Ref | Const) and not is_array(value)


def as_lazy(self: Any, value: Any, line: int) -> Lazy:
    """An argument as an array; a tuple of numbers or of rows becomes one."""
    if isinstance(value, Tup):
        return self.lazy(items_to_array(self, value, line), line)
    if isinstance(value, Lazy) or is_array(value):
        return self.lazy(value, line)
    what = "a number" if plain_number(value) else f"{value.value!r}" if isinstance(value, Static) else "something else"
    raise Declined(f"{what} where an array is needed", line=line)


def items_to_array(self: Any, value: Tup, line: int) -> Ref:
    """An array out of numbers, or out of arrays of one shape."""
    if not value.items:
        raise Declined("an empty list", line=line)
    items = [items_to_array(self, one, line) if isinstance(one, Tup) else one for one in value.items]
    if all(map(plain_number, items)):
        if all(one.type == "b" for one in items):
            raise Declined("an array of bools", line=line)
        ints = all(one.type in ("i", "b") for one in items)
        dst = self.new_array("array", [Const(len(items))], "i" if ints else "f", line, blank=True)
        for place, one in enumerate(items):
            source = one if ints and one.type == "i" else self.op("btoi", one) if ints else self.as_float(one, line)
            self.emit(Store(dst, (Const(place),), source, line=line, initial=True))
        return dst
    if not all(isinstance(one, Lazy) or is_array(one) for one in items):
        raise Declined("a list of numbers and arrays together becomes an array", line=line)
    return joined(self, [self.lazy(one, line) for one in items], 0, line, stacked=True)


def joined(self: Any, parts: list[Lazy], axis: int, line: int, *, stacked: bool) -> Ref:
    """Arrays one behind the other along an axis, a new one with `stacked`."""
    first = parts[0]
    ndim = len(first.dims) + stacked
    axis = in_range(axis, ndim, line)
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


def in_range(axis: int, ndim: int, line: int) -> int:
    """An axis counted from the front."""
    if not -ndim <= axis < ndim:
        raise Declined(f"axis {axis} of an array of {ndim} dimensions", line=line)
    return axis % ndim


def known_int(value: Any, what: str, line: int) -> int:
    """An int that is known while the program is read."""
    if isinstance(value, Const) and value.type == "i":
        return int(value.value)
    raise Declined(f"{what} that is no int known from the source", line=line)


def axis_of(given: dict[str, Any], ndim: int, default: int | None, line: int) -> int | None:
    """The axis of a function that takes one; None for all elements."""
    if "axis" not in given:
        return None if default is None else in_range(default, ndim, line)
    return in_range(known_int(given["axis"], "an axis", line), ndim, line)


def axes_of(given: dict[str, Any], ndim: int, line: int) -> list[int]:
    """The axes of a reduction, in order; all of them where none is given."""
    value = given.get("axis")
    if value is None:
        return list(range(ndim))
    parts = value.items if isinstance(value, Tup) else [value]
    return sorted({in_range(known_int(one, "an axis", line), ndim, line) for one in parts})


def flag_of(given: dict[str, Any], name: str, line: int) -> bool:
    """An argument that is True or False, False where it is missing."""
    value = given.get(name, Const(False))
    if not isinstance(value, Const):
        raise Declined(f"{name}= that is computed", line=line)
    return bool(value.value)


def flat(self: Any, value: Any, line: int) -> Lazy:
    """An array's elements as a vector."""
    array = as_lazy(self, value, line)
    if len(array.dims) == 1:
        return array
    owner = self.materialize(value if is_array(value) and not is_list(value) else array, line)
    return self.reshaped(owner, [self._count(self.dims(owner))], line)
