"""From the syntax tree to typed SSA: NumPy's array expressions, as loops over elements and products by BLAS.

An array expression is not computed where it stands: it is a shape and a way to get an element, and becomes memory when it gets
a name. So `np.sum(a * a + b)` is one loop without temporaries. What is used more than once along an axis is computed first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from custodiet.autodiff.compiler.frontend import Declined
from custodiet.autodiff.compiler.ir import (
    Alloc,
    Arr,
    Block,
    Const,
    Dim,
    Header,
    Load,
    Loop,
    MatMul,
    Operand,
    Ref,
    Require,
    Stmt,
    Store,
    Type,
    Update,
)

__all__ = ["ArrayExpressions", "Lazy", "Mask", "Transposed", "is_array"]

Index = tuple[Operand, ...]


@dataclass
class Lazy:
    """An array that was not computed yet."""

    dims: list[Operand]
    dtype: str
    element: Callable[[Index], Operand]
    cheap: bool = False
    """an element is only read, not computed"""
    view_of: Ref | None = None
    """what NumPy would alias"""


class Mask(Lazy):
    """An array of bools that was computed: zeros and ones in memory."""


class ArrayExpressions:
    """The part of the lowerer that knows arrays; `Expressions` builds on it."""

    block: Block
    line: int
    known_dims: dict[str, list[Operand]]
    sites: dict[str, str]
    """array -> where it came from: a line, or a parameter; the same each time that the program is read"""
    snapshot_sites: frozenset[str]
    product_sites: set[str]
    """what products were taken of: where such an array is written, the program is read again with snapshots"""
    view_copies: list[tuple[str, str, int]]
    """a copy, the array of which NumPy would give a view, and the line: wrong if either is written"""
    stores: set[str]
    views: dict[str, str]
    own_params: set[str]
    """arrays that the program gets: no two of them share memory where one is written"""

    def fresh(self, name: str, kind: Type) -> Ref:
        raise TypeError("a part of a Lowerer")

    def emit(self, stmt: Stmt) -> None:
        raise TypeError("a part of a Lowerer")

    def op(self, name: str, *args: Operand, hint: str = "t") -> Operand:
        raise TypeError("a part of a Lowerer")

    def as_float(self, value: Any, line: int) -> Operand:
        raise TypeError("a part of a Lowerer")

    def place(self, line: int) -> int:
        raise TypeError("a part of a Lowerer")

    # -- shapes ---------------------------------------------------------------------------------------------------------

    def base_name(self, name: str) -> str:
        """The array that a view shows."""
        while name in self.views:
            name = self.views[name]
        return name

    def dim(self, array: Ref, axis: int) -> Operand:
        """Length along an axis."""
        known = self.known_dims.get(array.name)
        if known is not None:
            return known[axis]
        dst = self.fresh("len", "i")
        self.emit(Dim(dst, array, axis))
        return dst

    def dims(self, value: Ref | Lazy) -> list[Operand]:
        """All lengths."""
        if isinstance(value, Lazy):
            return value.dims
        return [self.dim(value, axis) for axis in range(value.type.ndim)] if isinstance(value.type, Arr) else []

    def lazy(self, value: Ref | Lazy, line: int) -> Lazy:
        """An array as something to get elements from."""
        if isinstance(value, Lazy):
            return value
        if not isinstance(value.type, Arr):
            raise Declined("an array is needed, and this is a number", line=line)
        array, dtype = value, value.type.dtype

        def element(index: Index) -> Operand:
            dst = self.fresh("x", dtype)
            self.emit(Load(dst, array, index, line=line, checked=True))
            return dst

        return Lazy(self.dims(value), dtype, element, cheap=True, view_of=value)

    def new_array(
        self, name: str, dims: Sequence[Operand], dtype: str, line: int, *, blank: bool = False, is_list: bool = False
    ) -> Ref:
        """Memory that is written next, all of it with `blank`."""
        if dtype == "b":
            raise Declined("an array of bools gets a name", line=line)
        dst = self.fresh(name, Arr(dtype, len(dims), is_list))  # type: ignore[arg-type]
        self.emit(Alloc(dst, tuple(dims), Const(0.0), line=line, blank=blank))
        self.known_dims[dst.name] = list(dims)
        self.sites[dst.name] = str(line)
        return dst

    def may_overlap(self, a: Ref, b: Ref) -> bool:
        """Whether two arrays may share memory: not where both are known, as parameters or by where they were made."""
        left, right = self.base_name(a.name), self.base_name(b.name)
        return left == right or not all(one in self.sites or one in self.own_params for one in (left, right))

    def site(self, array: Ref) -> str:
        """Where an array came from."""
        base = self.base_name(array.name)
        return self.sites.get(base, base)

    def nest(self, dims: Sequence[Operand], body: Callable[[Index], None], line: int, index: Index = ()) -> None:
        """Loops over all indices."""
        if not dims:
            body(index)
            return
        name, counter, count = self._loop_names()
        outer, self.block = self.block, []
        self.nest(dims[1:], body, line, (*index, counter))
        inner, self.block = self.block, outer
        self.emit(Loop(name, counter, count, dims[0], [], None, [], inner, line=line))

    def fold(
        self,
        dims: Sequence[Operand],
        start: Operand,
        step: Callable[[Operand, Index], Operand],
        line: int,
        index: Index = (),
    ) -> Operand:
        """A number carried through loops over all indices."""
        if not dims:
            return step(start, index)
        name, counter, count = self._loop_names()
        carried = self.fresh("acc", start.type)
        outer, self.block = self.block, []
        latch = self.fold(dims[1:], carried, step, line, (*index, counter))
        inner, self.block = self.block, outer
        self.emit(Loop(name, counter, count, dims[0], [], None, [Header(carried, start, latch)], inner, line=line))
        return carried

    def _loop_names(self) -> tuple[str, Ref, Ref]:
        counter = self.fresh("at", "i")
        return f"nest{counter.name}", counter, self.fresh("rounds", "i")

    def materialize(self, value: Any, line: int, name: str = "array") -> Any:
        """Memory for an array that was not computed yet; anything else as it is."""
        if not isinstance(value, Lazy) or isinstance(value, Mask):
            return value
        if value.dtype == "b":
            memory = self.new_array("mask", value.dims, "i", line, blank=True)
            self.nest(value.dims, lambda at: self._initial(memory, at, self.op("btoi", value.element(at)), line), line)
            ints = self.lazy(memory, line)
            return Mask(ints.dims, "b", lambda at: self.op("ine", ints.element(at), Const(0)), cheap=True)
        dst = self.new_array(name, value.dims, value.dtype, line, blank=True)
        if value.view_of is not None:
            self.view_copies.append((dst.name, value.view_of.name, self.place(line)))
        self.nest(value.dims, lambda index: self._initial(dst, index, value.element(index), line), line)
        return dst

    def _initial(self, dst: Ref, index: Index, value: Operand, line: int) -> None:
        if isinstance(dst.type, Arr) and dst.type.dtype == "f" and value.type != "f":
            value = self.as_float(value, line)
        self.emit(Store(dst, index, value, line=line, initial=True))

    # -- elementwise --------------------------------------------------------------------------------------------------

    def elementwise(self, values: Sequence[Any], work: Callable[..., Operand], dtype: str, line: int) -> Lazy:
        """A function of numbers over broadcast arrays.

        Args:
            values: arrays and scalars.
            work: takes one operand per value.
            dtype: f, i or b: of the result.
            line: of the user's source.
        """
        parts = [self.lazy(one, line) if isinstance(one, Lazy) or is_array(one) else one for one in values]
        dims = self._broadcast([one.dims for one in parts if isinstance(one, Lazy)], line)
        readers: list[Callable[[Index], Operand]] = []
        for one in parts:
            if not isinstance(one, Lazy):
                readers.append(lambda index, one=one: one)
                continue
            spread = len(one.dims) < len(dims) or any(
                mine == Const(1) != whole
                for mine, whole in zip(one.dims, dims[len(dims) - len(one.dims) :], strict=True)
            )
            if spread and not one.cheap:
                one = self.lazy(self.materialize(one, line), line)
            readers.append(self._reader(one, dims))
        return Lazy(dims, dtype, lambda index: work(*(read(index) for read in readers)))

    def _broadcast(self, shapes: Sequence[Sequence[Operand]], line: int) -> list[Operand]:
        ndim = max(map(len, shapes))
        out: list[Operand] = []
        for axis in range(ndim):
            lengths = [shape[axis - ndim + len(shape)] for shape in shapes if axis - ndim + len(shape) >= 0]
            found = lengths[0]
            for other in lengths[1:]:
                if other == found or other == Const(1):
                    continue
                if found == Const(1):
                    found = other
                    continue
                self._same(found, other, line)  # lengths of 1 are known when a program is read: see `known_dims`
            out.append(found)
        return out

    def _reader(self, one: Lazy, dims: Sequence[Operand]) -> Callable[[Index], Operand]:
        skip = len(dims) - len(one.dims)
        repeated = [mine == Const(1) and whole != Const(1) for mine, whole in zip(one.dims, dims[skip:], strict=True)]

        def read(index: Index) -> Operand:
            own = (Const(0) if again else at for at, again in zip(index[skip:], repeated, strict=True))
            return one.element(tuple(own))

        return read

    # -- reductions -----------------------------------------------------------------------------------------------------

    def along(
        self, value: Lazy, axes: Sequence[int], work: Callable[[Lazy], Operand], dtype: str, *, keepdims: bool = False
    ) -> Any:
        """A number for each lane of an array.

        Args:
            value: the array.
            axes: the lane's, in order.
            work: from a lane, an array over these axes, to a number.
            dtype: of that number.
            keepdims: the lane's axes stay, with length 1.
        """
        kept = [place for place in range(len(value.dims)) if place not in axes]

        def element(index: Index) -> Operand:
            return work(self.lane(value, axes, index))

        if not keepdims:
            return Lazy([value.dims[place] for place in kept], dtype, element) if kept else element(())
        dims = [Const(1) if place in axes else one for place, one in enumerate(value.dims)]
        return Lazy(dims, dtype, lambda index: element(tuple(index[place] for place in kept)))

    @staticmethod
    def lane(value: Lazy, axes: Sequence[int], kept: Index) -> Lazy:
        """The part of an array over some axes, the others fixed."""

        def element(inner: Index) -> Operand:
            own, other = iter(inner), iter(kept)
            return value.element(tuple(next(own if place in axes else other) for place in range(len(value.dims))))

        return Lazy([value.dims[place] for place in axes], value.dtype, element, value.cheap)

    def reduce(self, value: Lazy, axes: Sequence[int], kind: str, line: int, *, keepdims: bool = False) -> Any:
        """Sum, product, mean, max or min along axes."""
        if kind in ("max", "min") and not value.cheap:
            value = self.lazy(self.materialize(value, line), line)
        dtype = "i" if value.dtype in "ib" and kind != "mean" else "f"
        return self.along(value, axes, lambda lane: self.reduced(lane, kind, line), dtype, keepdims=keepdims)

    def reduced(self, lane: Lazy, kind: str, line: int) -> Operand:
        """Sum, product, mean, max or min of all elements; ints stay ints, but in a mean."""
        if lane.dtype in "ib" and kind != "mean":
            return self._reduced_ints(lane, kind, line)
        dims = lane.dims

        def number(index: Index) -> Operand:
            return self.as_float(lane.element(index), line)

        if kind in ("sum", "mean"):
            total = self.fold(dims, Const(0.0), lambda acc, index: self.op("fadd_r", acc, number(index)), line)
            return total if kind == "sum" else self.op("fdiv", total, self.as_float(self._count(dims), line))
        if kind == "prod":
            return self.fold(dims, Const(1.0), lambda acc, index: self.op("fmul", acc, number(index)), line)
        best = self.extremum(lane, kind, line)

        def attained(acc: Operand, index: Index) -> Operand:
            one = number(index)
            return self.op("fadd", acc, self.op("select", self.op("feq", one, best), one, Const(0.0)))

        def counted(acc: Operand, index: Index) -> Operand:
            return self.op("fadd", acc, self.op("select", self.op("feq", number(index), best), Const(1.0), Const(0.0)))

        total = self.fold(dims, Const(0.0), attained, line)
        ties = self.fold(dims, Const(0.0), counted, line)
        return self.op("select", self.op("feq", ties, Const(1.0)), total, self.op("fdiv", total, ties))

    def extremum(self, lane: Lazy, kind: str, line: int) -> Operand:
        """The largest or smallest float, NaN where there is one, without a derivative: that is the attaining elements'."""
        self.emit(Require(self.op("igt", self._count(lane.dims), Const(0)), line=line))
        better = "fgt" if kind == "max" else "flt"

        def step(acc: Operand, index: Index) -> Operand:
            one = self.as_float(lane.element(index), line)
            take = self.op("or", self.op(better, one, acc), self.op("fne", one, one))
            return self.op("select", take, one, acc)

        worst = Const(float("-inf") if kind == "max" else float("inf"))
        return self.op("still", self.fold(lane.dims, worst, step, line))

    def _reduced_ints(self, lane: Lazy, kind: str, line: int) -> Operand:
        def number(index: Index) -> Operand:
            one = lane.element(index)
            return self.op("btoi", one) if one.type == "b" else one

        if kind in ("sum", "prod"):
            op, start = ("iadd", Const(0)) if kind == "sum" else ("imul", Const(1))
            return self.fold(lane.dims, start, lambda acc, index: self.op(op, acc, number(index)), line)
        self.emit(Require(self.op("igt", self._count(lane.dims), Const(0)), line=line))
        op, start = ("imax", Const(-(2**63))) if kind == "max" else ("imin", Const(2**63 - 1))
        return self.fold(lane.dims, start, lambda acc, index: self.op(op, acc, number(index)), line)

    def _count(self, dims: Sequence[Operand]) -> Operand:
        found: Operand = Const(1)
        for one in dims:
            found = self.op("imul", found, one)
        return found

    # -- products -------------------------------------------------------------------------------------------------------

    def matmul(self, a: Any, b: Any, line: int) -> Any:
        """``a @ b`` for vectors and matrices."""
        left, flip_left = self._factor(a, line)
        right, flip_right = self._factor(b, line)
        dims_a, dims_b = self.dims(left), self.dims(right)
        if len(dims_a) == len(dims_b) == 1:
            self._same(dims_a[0], dims_b[0], line)
            x, y = self.lazy(left, line), self.lazy(right, line)
            return self.fold(
                [dims_a[0]], Const(0.0),
                lambda acc, at: self.op("fadd_r", acc, self.op("fmul", x.element(at), y.element(at))), line,
            )  # fmt: skip
        if flip_left:
            dims_a = dims_a[::-1]
        if flip_right:
            dims_b = dims_b[::-1]
        self._same(dims_a[-1], dims_b[0], line)
        dst = self.new_array("product", [*dims_a[:-1], *dims_b[1:]], "f", line, blank=True)
        rows = dims_a[0] if len(dims_a) == 2 else Const(1)
        columns = dims_b[1] if len(dims_b) == 2 else Const(1)
        self.emit(MatMul(dst, left, right, flip_left, flip_right, (rows, columns, dims_b[0]), line=line))
        return dst

    def updated_product(self, product: Ref, other: Any, negative: bool, line: int) -> Ref | None:
        """``product + other`` in the memory of a product that has no name yet; None where shapes do not allow it."""
        dims = self.dims(product)
        source = self.lazy(other, line) if isinstance(other, Lazy) or is_array(other) else None
        if source is not None:
            skip = len(dims) - len(source.dims)
            if skip < 0 or any(one == Const(1) != whole for one, whole in zip(source.dims, dims[skip:], strict=True)):
                return None
            if skip and not source.cheap:
                source = self.lazy(self.materialize(source, line), line)
            self._broadcast([dims, source.dims], line)
        read = (lambda index: other) if source is None else self._reader(source, dims)

        def update(index: Index) -> None:
            self.emit(Update(product, index, self.as_float(read(index), line), negative, line=line))

        self.nest(dims, update, line)
        return product

    def _same(self, a: Operand, b: Operand, line: int) -> None:
        if a != b:
            self.emit(Require(self.op("ieq", a, b), line=line))

    def _factor(self, value: Any, line: int) -> tuple[Ref, bool]:
        flipped = isinstance(value, Lazy) and getattr(value, "transposed", None) is not None
        array = value.transposed if flipped else self.materialize(value, line)  # type: ignore[union-attr]
        if not (
            isinstance(array, Ref) and isinstance(array.type, Arr) and array.type.dtype == "f" and array.type.ndim <= 2
        ):
            raise Declined("a product of something else than vectors and matrices of floats", line=line)
        site = self.site(array)
        self.product_sites.add(site)
        if site in self.snapshot_sites:  # it is written later: the reverse sweep needs it as it is now
            lazy = self.lazy(array, line)
            array = self.materialize(Lazy(lazy.dims, "f", lazy.element), line, "snapshot")
        return array, flipped


@dataclass
class Transposed(Lazy):
    """A matrix seen the other way; BLAS takes it as it is."""

    transposed: Ref | None = None


def is_list(value: Any) -> bool:
    """Whether a value is a Python list of numbers: its slices are copies, + joins, * repeats, and it has no shape."""
    return isinstance(value, Ref) and isinstance(value.type, Arr) and value.type.is_list


def is_array(value: Any) -> bool:
    """Whether a value is an array in memory."""
    return isinstance(value, Ref) and isinstance(value.type, Arr)
