"""From the syntax tree to typed SSA: subscripts of arrays, read and written, and the NumPy functions that move elements."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from custodiet.autodiff.compiler.arrays import ArrayExpressions, Lazy, Transposed, is_array
from custodiet.autodiff.compiler.frontend import Declined
from custodiet.autodiff.compiler.ir import Arr, Const, Operand, Ref, Store, View
from custodiet.autodiff.compiler.values import Tup, describe, describe_value

__all__ = ["Indexing", "Region"]

Index = tuple[Operand, ...]
NEW = object()


@dataclass
class Region:
    """Some elements of an array: a shape, and where each of them lies.

    Attributes:
        owner: the array.
        dims: lengths of the selection; empty for one element.
        place: from an index into the selection to one into the array.
        plain: an element, row or range along the first axis, which the compiled code can show without copying.
        gathered: an index array picks elements, so that NumPy copies.
    """

    owner: Ref
    dims: list[Operand]
    place: Callable[[Index], Index]
    gathered: bool = False


class Indexing(ArrayExpressions):
    """The part of the lowerer that knows subscripts."""

    def value(self, node: ast.expr) -> Any:
        raise TypeError("a part of a Lowerer")

    def integer(self, value: Any, line: int) -> Operand:
        raise TypeError("a part of a Lowerer")

    def load(self, array: Ref, index: Index, line: int) -> Operand:
        raise TypeError("a part of a Lowerer")

    def store(self, array: Ref, index: Index, value: Any, line: int) -> None:
        raise TypeError("a part of a Lowerer")

    # -- reading --------------------------------------------------------------------------------------------------------

    def item(self, owner: Ref | Lazy, node: ast.Subscript) -> Any:
        """``owner[...]``."""
        line = node.lineno
        array: Any = self.materialize(owner, line)
        if isinstance(array, Lazy):
            raise Declined("a subscript of an array of bools", line=line)
        return self._array_item(array, node, line)

    def _array_item(self, owner: Ref, node: ast.Subscript, line: int) -> Any:
        parts = self._parts(node)
        if self._is_plain(parts, owner):
            return self._plain(owner, parts, line)
        if isinstance(owner.type, Arr) and owner.type.is_list:
            raise Declined("a slice of a list, which is a copy", line=line)
        region = self._region(owner, parts, line)

        def element(index: Index) -> Operand:
            return self.load(owner, region.place(index), line)

        if not region.dims:
            return element(())
        kind = owner.type.dtype if isinstance(owner.type, Arr) else "f"
        return Lazy(region.dims, kind, element, cheap=True, view_of=None if region.gathered else owner)

    def _parts(self, node: ast.Subscript) -> list[Any]:
        """Per axis an int operand, a slice node, an index array, NEW for None; Ellipsis is filled in."""
        nodes = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        found: list[Any] = []
        for one in nodes:
            if isinstance(one, ast.Slice):
                found.append(one)
            elif isinstance(one, ast.Constant) and one.value is None:
                found.append(NEW)
            elif isinstance(one, ast.Constant) and one.value is Ellipsis:
                found.append(Ellipsis)
            else:
                found += self._index_values(self.value(one), node.lineno)
        return found

    def _index_values(self, value: Any, line: int) -> list[Any]:
        if isinstance(value, Lazy) and value.dtype == "b":
            return self.places_of(value, line)
        if isinstance(value, Lazy) or is_array(value):
            array = self.materialize(value, line)
            if not isinstance(array.type, Arr) or array.type.dtype != "i":
                raise Declined("an array of floats is an index", line=line)
            return [array]
        if isinstance(value, Tup) and value.is_list:
            return self._index_values(self.listed(value, line), line)
        if isinstance(value, Tup):
            return [part for one in value.items for part in self._index_values(one, line)]
        if isinstance(value, Ref | Const) and value.type == "b":
            raise Declined("a bool is an index", line=line)
        return [self.integer(value, line)]

    def listed(self, value: Tup, line: int) -> Ref:
        """A list of numbers as an array."""
        raise TypeError("a part of a Lowerer")

    def places_of(self, mask: Lazy, line: int) -> list[Ref]:
        """Where an array of bools is true: an array of ints for each of its dimensions, in the order of NumPy's `nonzero`."""
        mask = self.lazy(self.materialize(mask, line), line)
        total = self.fold(
            mask.dims, Const(0), lambda acc, at: self.op("iadd", acc, self.op("btoi", mask.element(at))), line
        )
        found = [self.new_array("places", [total], "i", line) for _ in mask.dims]

        def write(acc: Operand, index: Index) -> Operand:
            flag = mask.element(index)

            def store() -> None:
                for array, at in zip(found, index, strict=True):
                    self.emit(Store(array, (acc,), at, line=line, initial=True))

            self.branch(flag, store, lambda: None, line=line)
            return self.op("iadd", acc, self.op("btoi", flag))

        self.fold(mask.dims, Const(0), write, line)
        return found

    def branch(self, cond: Operand, then: Callable[[], None], orelse: Callable[[], None], *, line: int) -> None:
        raise TypeError("a part of a Lowerer")

    @staticmethod
    def _is_plain(parts: list[Any], owner: Ref) -> bool:
        ndim = owner.type.ndim if isinstance(owner.type, Arr) else 0
        if all(isinstance(one, Ref | Const) and not is_array(one) for one in parts):
            return len(parts) <= ndim
        return len(parts) == 1 and isinstance(parts[0], ast.Slice) and parts[0].step is None

    def _plain(self, owner: Ref, parts: list[Any], line: int) -> Any:
        """An element, or a row or range that shows the same memory."""
        kind = owner.type
        if not isinstance(kind, Arr):
            raise Declined(f"a subscript of {describe(kind)}", line=line)
        if isinstance(parts[0], ast.Slice):
            if kind.is_list:
                raise Declined("a slice of a list, which is a copy", line=line)
            start, count, _ = self._bounds(parts[0], self.dim(owner, 0), line)
            dst = self.fresh("slice", kind)
            self.emit(View(dst, owner, low=start, high=self.op("iadd", start, count), line=line))
            self._note_view(dst, owner, [count, *self.dims(owner)[1:]])
            return dst
        if len(parts) == kind.ndim:
            return self.load(owner, tuple(parts), line)
        for one in parts:
            row = self.fresh("row", Arr(kind.dtype, owner.type.ndim - 1))  # type: ignore[union-attr]
            self.emit(View(row, owner, index=one, line=line))
            self._note_view(row, owner, self.dims(owner)[1:])
            owner = row
        return owner

    def _note_view(self, view: Ref, owner: Ref, dims: list[Operand]) -> None:
        self.views[view.name] = owner.name
        self.known_dims[view.name] = dims

    def _bounds(self, node: ast.Slice, size: Operand, line: int) -> tuple[Operand, Operand, Operand]:
        """Start, number and step of a slice, clamped as Python does."""
        step: Operand = Const(1)
        if node.step is not None:
            step = self.integer(self.value(node.step), line)
            if not isinstance(step, Const) or step.value == 0:
                raise Declined("a slice with a computed step", line=line)
        if isinstance(step, Const) and step.value < 0:
            if node.lower is not None or node.upper is not None or step.value != -1:
                raise Declined("a slice backwards from somewhere", line=line)
            return self.op("isub", size, Const(1)), size, step
        ends: list[Operand] = []
        for part, default in ((node.lower, Const(0)), (node.upper, size)):
            ends.append(default if part is None else self._clamped(self.integer(self.value(part), line), size))
        span = self.op("imax", self.op("isub", ends[1], ends[0]), Const(0))
        if ends[0] == Const(0):
            span = ends[1]
        if step != Const(1):
            rounded = self.op("iadd", span, self.op("isub", step, Const(1)))
            span = self.op("ifloordiv", rounded, step)
        return ends[0], span, step

    def _clamped(self, found: Operand, size: Operand) -> Operand:
        if isinstance(found, Const):
            wrapped = found if found.value >= 0 else self.op("iadd", size, found)
        else:
            wrapped = self.op("select", self.op("ilt", found, Const(0)), self.op("iadd", found, size), found)
        return self.op("imax", self.op("imin", wrapped, size), Const(0))

    def _region(self, owner: Ref, parts: list[Any], line: int) -> Region:
        """Any other selection: slices with steps, new axes, index arrays together."""
        ndim = owner.type.ndim if isinstance(owner.type, Arr) else 0
        used = sum(one is not NEW and one is not Ellipsis for one in parts)
        if used > ndim:
            raise Declined("more indices than dimensions", line=line)
        full = ast.Slice(lower=None, upper=None, step=None)
        if Ellipsis in parts:
            at = parts.index(Ellipsis)
            parts = [*parts[:at], *[full] * (ndim - used), *parts[at + 1 :]]
        else:
            parts = [*parts, *[full] * (ndim - used)]
        arrays = [one for one in parts if is_array(one)]
        if len(arrays) > 1 and any(not is_array(one) for one in parts):
            raise Declined("two index arrays together with ints or slices: index arrays alone are compiled", line=line)
        return self._walked(owner, parts, arrays, line)

    def _walked(self, owner: Ref, parts: list[Any], arrays: list[Ref], line: int) -> Region:
        dims: list[Operand] = []
        readers: list[Callable[[Index], Operand]] = []
        axis, gather_at = 0, -1
        for one in parts:
            if one is NEW:
                dims.append(Const(1))
                continue
            size = self.dim(owner, axis)
            axis += 1
            if isinstance(one, ast.Slice):
                start, count, step = self._bounds(one, size, line)
                readers.append(self._strided(len(dims), start, step))
                dims.append(count)
            elif is_array(one):
                if gather_at < 0:
                    gather_at = len(dims)
                    dims += self.dims(one)
                else:
                    self._same(dims[gather_at], self.dims(one)[0], line)
                readers.append(self._gathered(gather_at, one, line))
            else:
                readers.append(lambda index, one=one: one)
        return Region(owner, dims, lambda index: tuple(read(index) for read in readers), bool(arrays))

    def _strided(self, place: int, start: Operand, step: Operand) -> Callable[[Index], Operand]:
        def read(index: Index) -> Operand:
            at = index[place] if step == Const(1) else self.op("iscale", index[place], step)
            return at if start == Const(0) else self.op("iadd", start, at)

        return read

    def _gathered(self, place: int, array: Ref, line: int) -> Callable[[Index], Operand]:
        ndim = array.type.ndim if isinstance(array.type, Arr) else 1
        if ndim != 1:
            raise Declined("an index array of more than one dimension", line=line)
        return lambda index: self.load(array, (index[place],), line)

    # -- writing --------------------------------------------------------------------------------------------------------

    def set_item(self, node: ast.Subscript, value: Any) -> None:
        """``owner[...] = value``."""
        line = node.lineno
        owner = self._written(node)
        region = self._region(owner, self._parts(node), line)
        if not region.dims:
            self.store(owner, region.place(()), value, line)
            return
        self._write(region, value, line)

    def update_item(self, node: ast.Subscript, work: Callable[[Any], Any]) -> None:
        """``owner[...] op= value``."""
        line = node.lineno
        owner = self._written(node)
        region = self._region(owner, self._parts(node), line)
        if not region.dims:
            index = region.place(())
            self.store(owner, index, work(self.load(owner, index, line)), line)
            return
        kind = owner.type.dtype if isinstance(owner.type, Arr) else "f"
        old = Lazy(region.dims, kind, lambda index: self.load(owner, region.place(index), line), cheap=True)
        if region.gathered:
            raise Declined("an index array in an augmented assignment", line=line)
        self._write(region, work(old), line)

    def update_array(self, array: Ref, value: Any, line: int) -> None:
        """``array op= value``: the same memory."""
        dims = self.dims(array)
        self._write(Region(array, dims, lambda index: index), value, line)

    def _written(self, node: ast.Subscript) -> Ref:
        owner = self.value(node.value)
        if isinstance(owner, Lazy):
            raise Declined("what is written is a copy here, and a view in NumPy", line=node.lineno)
        if is_array(owner) and owner.type.is_list and isinstance(node.slice, ast.Slice):
            raise Declined("a slice of a list is written", line=node.lineno)
        if not is_array(owner):
            raise Declined(f"an element of {describe_value(owner)} is written", line=node.lineno)
        return owner

    def _write(self, region: Region, value: Any, line: int) -> None:
        """All elements of a region; what is written is computed before, for it may read what is overwritten."""
        if isinstance(value, Lazy) or is_array(value):
            whole = (
                self.materialize(Lazy(value.dims, value.dtype, value.element), line)
                if isinstance(value, Lazy)
                else value
            )
            source = self.lazy(whole, line)
            if isinstance(value, Ref) and self.may_overlap(value, region.owner):
                source = self.lazy(self.materialize(Lazy(source.dims, source.dtype, source.element), line), line)
            skip = len(region.dims) - len(source.dims)
            if skip < 0:
                raise Declined("an array of more dimensions than its place is written", line=line)
            for mine, whole_dim in zip(source.dims, region.dims[skip:], strict=True):
                if mine != Const(1):
                    self._same(mine, whole_dim, line)
            read = self._reader(source, region.dims)
        else:
            number = self.as_float(value, line)
            read = lambda index: number  # noqa: E731
        self.nest(region.dims, lambda index: self.store(region.owner, region.place(index), read(index), line), line)

    # -- moving ---------------------------------------------------------------------------------------------------------

    def transposed(self, owner: Ref | Lazy, line: int) -> Any:
        """``owner.T``."""
        if isinstance(owner, Lazy) and not isinstance(owner, Transposed):
            owner = self.materialize(owner, line)
        if isinstance(owner, Transposed) and owner.transposed is not None:
            return owner.transposed
        array = owner
        if not isinstance(array, Ref):
            raise Declined("the transpose of something else than an array", line=line)
        dims = self.dims(array)
        if len(dims) < 2:
            return array
        return Transposed(
            dims[::-1], array.type.dtype,  # type: ignore[union-attr]
            lambda index: self.load(array, index[::-1], line), cheap=True, view_of=array,
            transposed=array if len(dims) == 2 else None,
        )  # fmt: skip

    def reshaped(self, owner: Ref | Lazy, dims: list[Operand], line: int) -> Lazy:
        """The same elements in another shape, C order."""
        array = self.materialize(owner, line)
        if isinstance(array, Lazy):
            raise Declined("an array of bools gets another shape", line=line)
        old = self.dims(array)
        self._same(self._count(old), self._count(dims), line)

        def element(index: Index) -> Operand:
            flat: Operand = Const(0)
            for at, size in zip(index, dims, strict=True):
                flat = self.op("iadd", self.op("imul", flat, size), at)
            place: list[Operand] = []
            for size in reversed(old):
                place.append(self.op("imod", flat, size))
                flat = self.op("ifloordiv", flat, size)
            return self.load(array, tuple(reversed(place)), line)

        return Lazy(dims, array.type.dtype, element, cheap=True, view_of=array)
