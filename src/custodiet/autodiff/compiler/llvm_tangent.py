"""A program with its tangents in LLVM IR: beside every statement on active floats stands the one on their tangents.

ABI: as in `llvm_ir`, with these differences. In: an array's second pointer is that of its tangents (or null); after the parameters,
per active float the pointer of its tangent; then a pointer to room for the tangents of float results. Out: per result a number, or an
array's two pointers and lengths; the memory that holds returned arrays, which the caller frees; the bits of the blocks entered.
"""

from __future__ import annotations

from custodiet.autodiff.compiler.frontend import Declined
from custodiet.autodiff.compiler.ir import (
    Alloc,
    Arr,
    Block,
    Copy,
    Dim,
    If,
    Load,
    Loop,
    MatMul,
    Op,
    Operand,
    Ref,
    Require,
    Store,
    Update,
    View,
)
from custodiet.autodiff.compiler.llvm_ir import BITS, LLVM_TYPE, Emitter
from custodiet.autodiff.compiler.tangent import MAY_BE_INFINITE, MINUS_ONE, ONE, Layout, Partials, Tangents

__all__ = ["to_llvm_tangent"]

KNOWN = (Alloc, Copy, Dim, If, Load, Loop, MatMul, Op, Require, Store, Update, View)
ALIGNMENT = 64
HEADER_WORDS = 2
"""before an array: the next one, and the bytes of this one"""


def to_llvm_tangent(name: str, tangents: Tangents, layout: Layout) -> tuple[str, list[int]]:
    """The module of one function with its tangents, and the line of each of its basic blocks.

    Raises:
        Declined: a statement has no native form.
    """
    emitter = _TangentEmitter(name, tangents, layout)
    return emitter.module(), emitter.block_lines


class _TangentEmitter(Emitter):
    def __init__(self, name: str, tangents: Tangents, layout: Layout) -> None:
        super().__init__(name, tangents.program, None)
        self.tangents, self.layout = tangents, layout
        self.partials = Partials()
        self.kept: list[str] = []

    def module(self) -> str:
        """All of it."""
        text = super().module()
        declares = ["declare ptr @llvm.ptrmask.p0.i64(ptr, i64)"]
        for lanes in dict.fromkeys(self.layout.chunks):
            kind = self._kind(lanes)
            declares.append(f"declare {kind} @llvm.fmuladd.{self._suffix(lanes)}({kind}, {kind}, {kind})")
        return "\n".join([*declares, text])

    # -- tangents of floats -------------------------------------------------------------------------------------------

    @staticmethod
    def _kind(lanes: int) -> str:
        return "double" if lanes == 1 else f"<{lanes} x double>"

    @staticmethod
    def _suffix(lanes: int) -> str:
        return "f64" if lanes == 1 else f"v{lanes}f64"

    def tangent(self, operand: Operand) -> list[str]:
        """The vectors of a float's tangent."""
        if not isinstance(operand, Ref) or not self.tangents.is_active(operand):
            return ["zeroinitializer"] * len(self.layout.chunks)
        return [
            self.new(f"load {self._kind(lanes)}, ptr {self._slot_of(operand, place)}")
            for place, lanes in enumerate(self.layout.chunks)
        ]

    def set_tangent(self, ref: Ref, vectors: list[str]) -> None:
        """Assign a float's tangent."""
        for place, (lanes, vector) in enumerate(zip(self.layout.chunks, vectors, strict=True)):
            self.put(f"store {self._kind(lanes)} {vector}, ptr {self._slot_of(ref, place)}")

    def _slot_of(self, ref: Ref, place: int) -> str:
        return self.slot(f"{ref.name}.t{place}", self._kind(self.layout.chunks[place]))

    def _splat(self, scalar: str, lanes: int) -> str:
        if lanes == 1:
            return scalar
        kind = self._kind(lanes)
        first = self.new(f"insertelement {kind} poison, double {scalar}, i64 0")
        return self.new(f"shufflevector {kind} {first}, {kind} poison, <{lanes} x i32> zeroinitializer")

    def _do_op(self, stmt: Op) -> None:
        super()._do_op(stmt)
        if self.tangents.is_active(stmt.dst):
            self.set_tangent(stmt.dst, self._op_tangent(stmt))

    def _op_tangent(self, stmt: Op) -> list[str]:
        on = [self.tangents.is_active(arg) for arg in stmt.args]
        if not any(on):
            return self.tangent(ONE)
        if stmt.op == "copy":
            return self.tangent(stmt.args[0])
        if stmt.op == "select":
            cond, yes, no = self.get(stmt.args[0]), self.tangent(stmt.args[1]), self.tangent(stmt.args[2])
            return [
                self.new(f"select i1 {cond}, {self._kind(lanes)} {a}, {self._kind(lanes)} {b}")
                for lanes, a, b in zip(self.layout.chunks, yes, no, strict=True)
            ]
        statements, terms = self.partials.of(stmt, on)
        self.quiet = True
        for one in statements:
            Emitter._do_op(self, one)  # scalar work without a tangent of its own
        self.quiet = False
        total: list[str] = []
        for partial, arg in terms:
            total = self._plus_product(total, partial, self.tangent(arg), guarded=stmt.op in MAY_BE_INFINITE)
        return total or self.tangent(ONE)

    def _plus_product(self, total: list[str], partial: Operand, vectors: list[str], *, guarded: bool) -> list[str]:
        """``total + partial * vectors``, of which `total` may be empty."""
        scalar = "" if partial in (ONE, MINUS_ONE) else self.get(partial)
        out: list[str] = []
        for place, (lanes, vector) in enumerate(zip(self.layout.chunks, vectors, strict=True)):
            kind = self._kind(lanes)
            if guarded:
                out.append(self._guarded(total[place] if total else "", scalar, vector, lanes))
            elif partial == ONE:
                out.append(self.new(f"fadd contract {kind} {total[place]}, {vector}") if total else vector)
            elif partial == MINUS_ONE:
                out.append(
                    self.new(f"fsub contract {kind} {total[place]}, {vector}" if total else f"fneg {kind} {vector}")
                )
            elif not total:
                out.append(self.new(f"fmul contract {kind} {self._splat(scalar, lanes)}, {vector}"))
            else:
                name, wide = f"@llvm.fmuladd.{self._suffix(lanes)}", self._splat(scalar, lanes)
                out.append(self.new(f"call {kind} {name}({kind} {wide}, {kind} {vector}, {kind} {total[place]})"))
        return out

    def _guarded(self, total: str, scalar: str, vector: str, lanes: int) -> str:
        """A product in which zero stays zero, whatever the partial."""
        kind, flag = self._kind(lanes), "i1" if lanes == 1 else f"<{lanes} x i1>"
        product = self.new(f"fmul contract {kind} {self._splat(scalar, lanes)}, {vector}")
        zero = self.new(f"fcmp oeq {kind} {vector}, zeroinitializer")
        product = self.new(f"select {flag} {zero}, {kind} zeroinitializer, {kind} {product}")
        return self.new(f"fadd contract {kind} {total}, {product}") if total else product

    # -- tangents in memory -------------------------------------------------------------------------------------------

    def _stride(self, arr: Ref) -> int:
        return self.layout.width if self.tangents.is_tight(arr) else self.layout.stride

    def _scaled(self, arr: Ref, what: str, offset: str) -> str:
        return offset if what == "p" else self.new(f"mul nsw i64 {offset}, {self._stride(arr)}")

    def _elements(self, arr: Ref, offset: str) -> str:
        base = self.new(f"load ptr, ptr {self.part(arr, 's')}")
        return self._at(base, self._scaled(arr, "s", offset))

    def _read_tangent(self, pointer: str) -> list[str]:
        out, at = [], 0
        for lanes in self.layout.chunks:
            out.append(self.new(f"load {self._kind(lanes)}, ptr {self._at(pointer, at)}, align 8"))
            at += lanes
        return out

    def _write_tangent(self, pointer: str, vectors: list[str], width: int) -> None:
        """Store the first `width` numbers of a tangent."""
        at = 0
        for lanes, vector in zip(self.layout.chunks, vectors, strict=True):
            left = min(lanes, width - at)
            if left == lanes:
                self.put(f"store {self._kind(lanes)} {vector}, ptr {self._at(pointer, at)}, align 8")
            else:
                self._write_part(pointer, at, vector, lanes, left)
            at += left

    def _write_part(self, pointer: str, at: int, vector: str, lanes: int, left: int) -> None:
        """Store `left` of the lanes of a vector, in powers of two."""
        kind, start = self._kind(lanes), 0
        while start < left:
            size = 1 << ((left - start).bit_length() - 1)
            if size == 1:
                part = self.new(f"extractelement {kind} {vector}, i64 {start}")
            else:
                mask = ", ".join(f"i32 {start + one}" for one in range(size))
                part = self.new(f"shufflevector {kind} {vector}, {kind} poison, <{size} x i32> <{mask}>")
            self.put(f"store {self._kind(size)} {part}, ptr {self._at(pointer, at + start)}, align 8")
            start += size

    def _do_load(self, stmt: Load) -> None:
        offset = self._offset(stmt.arr, stmt.index, stmt.checked)
        base = self.new(f"load ptr, ptr {self.part(stmt.arr, 'p')}")
        kind = LLVM_TYPE[stmt.dst.type]  # type: ignore[index]
        self.set(stmt.dst, self.new(f"load {kind}, ptr {self._at(base, offset)}"))
        if self.tangents.is_active(stmt.dst):
            vectors = self._read_tangent(self._elements(stmt.arr, offset)) if self.tangents.carries(stmt.arr) else []
            self.set_tangent(stmt.dst, vectors or self.tangent(ONE))

    def _do_store(self, stmt: Store) -> None:
        offset = self._offset(stmt.arr, stmt.index, stmt.initial)
        base = self.new(f"load ptr, ptr {self.part(stmt.arr, 'p')}")
        kind = LLVM_TYPE[stmt.src.type]  # type: ignore[index]
        self.put(f"store {kind} {self.get(stmt.src)}, ptr {self._at(base, offset)}")
        if self.tangents.carries(stmt.arr):
            self._write_tangent(self._elements(stmt.arr, offset), self.tangent(stmt.src), self._stride(stmt.arr))

    def _do_update(self, stmt: Update) -> None:
        super()._do_update(stmt)
        if not self.tangents.is_active(stmt.src):
            return
        elements = self._elements(stmt.arr, self._offset(stmt.arr, stmt.index, True))
        kind = "fsub" if stmt.negative else "fadd"
        pairs = zip(self._read_tangent(elements), self.tangent(stmt.src), self.layout.chunks, strict=True)
        sums = [self.new(f"{kind} {self._kind(lanes)} {old}, {more}") for old, more, lanes in pairs]
        self._write_tangent(elements, sums, self._stride(stmt.arr))

    def _do_matmul(self, stmt: MatMul) -> None:
        if self.tangents.carries(stmt.dst):
            raise Declined("a matrix product in forward mode", line=stmt.line)
        super()._do_matmul(stmt)

    def _shadow_memory(self, arr: Ref, num: str) -> str:
        if not self.tangents.carries(arr):
            return "null"
        return self._new_memory(self.new(f"mul i64 {num}, {self._stride(arr)}"))

    def _new_memory(self, num: str, *, blank: bool = False) -> str:
        """Zeroed memory on the boundary of a vector, linked into the arena together with its size."""
        words = self.new(f"add i64 {num}, {HEADER_WORDS + ALIGNMENT // 8}")
        memory = self.new(f"call ptr @calloc(i64 {words}, i64 8)")
        self.leave_if(self.new(f"icmp eq ptr {memory}, null"))
        self.put(f"store ptr {self.new('load ptr, ptr %arena')}, ptr {memory}")
        self.put(f"store i64 {self.new(f'shl i64 {words}, 3')}, ptr {self._at(memory, 1)}")
        self.put(f"store ptr {memory}, ptr %arena")
        first = self._at(memory, HEADER_WORDS + ALIGNMENT // 8 - 1)
        return self.new(f"call ptr @llvm.ptrmask.p0.i64(ptr {first}, i64 -{ALIGNMENT})")

    # -- loops --------------------------------------------------------------------------------------------------------

    def block(self, block: Block) -> None:
        """Statements in order."""
        for stmt in block:
            if not isinstance(stmt, KNOWN):
                line = getattr(stmt, "line", 0)
                raise Declined(f"`{type(stmt).__name__.lower()}` has no native tangent", line=line)
        super().block(block)

    def _do_loop(self, stmt: Loop) -> None:
        for header in stmt.headers:
            if self.tangents.is_active(header.var):
                self.set_tangent(header.var, self.tangent(header.init))
        super()._do_loop(stmt)

    def _latch(self, stmt: Loop) -> None:
        moves = [(one.var, self.tangent(one.latch)) for one in stmt.headers if self.tangents.is_active(one.var)]
        super()._latch(stmt)
        for var, vectors in moves:
            self.set_tangent(var, vectors)

    # -- the function -------------------------------------------------------------------------------------------------

    def _body(self) -> None:
        self.put(f"store i1 false, ptr {self.slot('trap', 'i1')}")
        self.put(f"store ptr null, ptr {self.slot('arena', 'ptr')}")
        place = 0
        for ref in self.program.params:
            place = self._read_argument(ref, place)
        for ref in self.program.params:
            if self.tangents.is_active(ref):
                pointer = self.new(f"load ptr, ptr {self._at('%in', place)}")
                self.set_tangent(ref, self._read_tangent(pointer))
                place += 1
        room = self.new(f"load ptr, ptr {self._at('%in', place)}")
        for number, result in enumerate(self.program.results):
            if isinstance(result.type, Arr):
                for what in "ps":
                    self.kept.append(self.slot(f"kept.{number}{what}", "ptr"))
                    self.put(f"store ptr null, ptr {self.kept[-1]}")
        self.put(f"store ptr null, ptr {self.slot('owned', 'ptr')}")
        self.block(self.program.body)
        self.leave_if(self.new(f"load i1, ptr {self.slot('trap', 'i1')}"))
        at = self._write_results(room)
        for word in range(-(-len(self.block_lines) // BITS)):
            self.put(f"store i64 {self.new(f'load i64, ptr %entered{word}')}, ptr {self._at('%out', at + 1 + word)}")
        self.lines += ["  br label %good", "bail:", "  br label %done", "good:", "  br label %done"]
        self.start("done")
        code = self.new("phi i64 [1, %bail], [0, %good]")
        self._free_all()
        self.put(f"store ptr {self.new('load ptr, ptr %owned')}, ptr {self._at('%out', at)}")
        self.put(f"ret i64 {code}")

    def _write_results(self, room: str) -> int:
        """Results and the tangents of floats; the number of slots that this took."""
        at, floats = 0, 0
        for number, result in enumerate(self.program.results):
            if isinstance(result, Ref) and isinstance(result.type, Arr):
                for what in "ps":
                    pointer = self.new(f"load ptr, ptr {self.part(result, what)}")
                    self.put(f"store ptr {pointer}, ptr {self.slot(f'kept.{number}{what}', 'ptr')}")
                for slot, kind in self.parts(result):
                    self.put(f"store {kind} {self.new(f'load {kind}, ptr {slot}')}, ptr {self._at('%out', at)}")
                    at += 1
                continue
            self._write(at, result)
            at += 1
            if result.type == "f":
                self._write_tangent(
                    self._at(room, floats * self.layout.stride), self.tangent(result), self.layout.stride
                )
                floats += 1
        return at

    def _free_all(self) -> None:
        """Free what the function made, but what a result lies in goes to the caller."""
        head, body, keep, free, end = (self.fresh_label(one) for one in ("free", "freebody", "keep", "drop", "freed"))
        self.put(f"br label %{head}")
        self.start(head)
        memory = self.new("load ptr, ptr %arena")
        self.put(f"br i1 {self.new(f'icmp eq ptr {memory}, null')}, label %{end}, label %{body}")
        self.start(body)
        self.put(f"store ptr {self.new(f'load ptr, ptr {memory}')}, ptr %arena")
        size = self.new(f"load i64, ptr {self._at(memory, 1)}")
        start = self.new(f"ptrtoint ptr {memory} to i64")
        wanted = "false"
        for slot in self.kept:
            pointer = self.new(f"ptrtoint ptr {self.new(f'load ptr, ptr {slot}')} to i64")
            inside = self.new(f"icmp ult i64 {self.new(f'sub i64 {pointer}, {start}')}, {size}")
            wanted = self.new(f"or i1 {wanted}, {inside}")
        self.put(f"br i1 {wanted}, label %{keep}, label %{free}")
        self.start(keep)
        self.put(f"store ptr {self.new('load ptr, ptr %owned')}, ptr {memory}")
        self.put(f"store ptr {memory}, ptr %owned")
        self.put(f"br label %{head}")
        self.start(free)
        self.put(f"call void @free(ptr {memory})")
        self.put(f"br label %{head}")
        self.start(end)
