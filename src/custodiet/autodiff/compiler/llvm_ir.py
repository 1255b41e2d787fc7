"""From the language of `ir` to LLVM IR, as text.

Every name is a stack slot; LLVM's own passes turn these into registers. Where CPython would raise (division by zero, a
domain error, an int beyond 64 bits, an index out of bounds) the forward sweep raises a flag or leaves at once, and the
caller runs the program in CPython instead, which raises what it raises.

ABI: ``i64 name(ptr in, ptr out)``, both arrays of 8-byte slots. In: per float, int or bool one slot; per array data pointer,
pointer of the adjoint (or null), lengths. Then the seeds; where functions call one another (`llvm_calls`) also CPython's recursion
limit and how many bytes of the stack may be used. Out: results, the float gradients, the bits of the blocks that were entered. Returned:
0, or 1 for a trap, or 2 for more stack.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence

from custodiet.autodiff.compiler.adjoint import Reversed, walk
from custodiet.autodiff.compiler.frontend import Declined
from custodiet.autodiff.compiler.ir import (
    Accumulate,
    Alloc,
    Arr,
    Block,
    Call,
    Const,
    Copy,
    Dim,
    If,
    Load,
    Loop,
    MatMul,
    Op,
    Operand,
    Program,
    Ref,
    Require,
    Restore,
    ReverseLoop,
    Save,
    Set,
    ShadowAdd,
    Store,
    Update,
    View,
)
from custodiet.autodiff.compiler.llvm_calls import (
    CHUNKS,
    CONTEXT_WORDS,
    FLOOR,
    REACHED,
    RUNTIME,
    FunctionEmitter,
    emit_call,
)

__all__ = ["BITS", "LLVM_TYPE", "Emitter", "num_slots", "to_llvm"]

LLVM_TYPE = {"f": "double", "i": "i64", "b": "i1"}
INTRINSICS = ("sin", "cos", "exp", "exp2", "log", "log2", "log10", "sqrt", "fabs", "floor", "ceil")
LIBM = (
    "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "expm1", "log1p", "cbrt", "erf", "erfc", "lgamma",
)  # fmt: skip
LIBM_BINARY = ("hypot", "atan2")
FLOAT_COMPARE = {"lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge", "eq": "oeq", "ne": "une"}
INT_COMPARE = {"lt": "slt", "le": "sle", "gt": "sgt", "ge": "sge", "eq": "eq", "ne": "ne"}
TRAPS_IF_NOT_FINITE = {
    "exp", "exp2", "expm1", "sinh", "cosh", "tan", "asin", "acos", "acosh", "atanh", "fpow", "lgamma", "log1p", "sin", "cos", "hypot",
}  # fmt: skip
EXACT_INT = 2**53
LONG = 2**32
"""rounds of a loop that CPython has to start: it may raise early, which the flag would tell only at the end"""
BITS = 62
"""blocks per word of those that were entered"""
PRELUDE = """
declare ptr @calloc(i64, i64)
declare ptr @malloc(i64)
declare ptr @realloc(ptr, i64)
declare void @free(ptr)
declare {i64, i1} @llvm.sadd.with.overflow.i64(i64, i64)
declare {i64, i1} @llvm.ssub.with.overflow.i64(i64, i64)
declare {i64, i1} @llvm.smul.with.overflow.i64(i64, i64)
declare i64 @llvm.smax.i64(i64, i64)
declare i64 @llvm.smin.i64(i64, i64)
declare i64 @llvm.umin.i64(i64, i64)
declare double @llvm.pow.f64(double, double)
declare double @custodiet_digamma(double)
declare double @llvm.copysign.f64(double, double)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
"""


GEMM = """
declare void @custodiet_dgemm(ptr, ptr, ptr, ptr, ptr, ptr, ptr, ptr, ptr, ptr, ptr, ptr, ptr)
@flag_n = private constant i8 78
@flag_t = private constant i8 84

define private void @custodiet_gemm(i1 %ta, i1 %tb, i64 %m, i64 %n, i64 %k, i64 %lda, i64 %ldb, double %beta, ptr %c, ptr %a, ptr %b) {
  %any0 = icmp sgt i64 %m, 0
  %any1 = icmp sgt i64 %n, 0
  %any = and i1 %any0, %any1
  br i1 %any, label %work, label %none
work:
  %slots = alloca [6 x i32]
  %scale = alloca [2 x double]
  %pm = getelementptr i32, ptr %slots, i64 0
  %pn = getelementptr i32, ptr %slots, i64 1
  %pk = getelementptr i32, ptr %slots, i64 2
  %pa = getelementptr i32, ptr %slots, i64 3
  %pb = getelementptr i32, ptr %slots, i64 4
  %m4 = trunc i64 %m to i32
  %n4 = trunc i64 %n to i32
  %k4 = trunc i64 %k to i32
  %la0 = trunc i64 %lda to i32
  %lb0 = trunc i64 %ldb to i32
  %la = call i32 @llvm.smax.i32(i32 %la0, i32 1)
  %lb = call i32 @llvm.smax.i32(i32 %lb0, i32 1)
  store i32 %m4, ptr %pm
  store i32 %n4, ptr %pn
  store i32 %k4, ptr %pk
  store i32 %la, ptr %pa
  store i32 %lb, ptr %pb
  %beta_at = getelementptr double, ptr %scale, i64 1
  store double 1.0, ptr %scale
  store double %beta, ptr %beta_at
  %fa = select i1 %ta, ptr @flag_t, ptr @flag_n
  %fb = select i1 %tb, ptr @flag_t, ptr @flag_n
  call void @custodiet_dgemm(
    ptr %fb, ptr %fa, ptr %pn, ptr %pm, ptr %pk, ptr %scale, ptr %b, ptr %pb, ptr %a, ptr %pa, ptr %beta_at, ptr %c, ptr %pn)
  br label %none
none:
  ret void
}
declare i32 @llvm.smax.i32(i32, i32)
"""
"""c = op(a) @ op(b) + beta c, row-major, with BLAS's dgemm"""


def num_slots(ref: Ref) -> int:
    """8-byte slots that a name takes in a frame or an argument block."""
    return 2 + ref.type.ndim if isinstance(ref.type, Arr) else 1


def to_llvm(name: str, program: Program, reverse: Reversed | None) -> tuple[str, list[int]]:
    """The module of one function: its value and, with `reverse`, its derivative; and the line of each of its basic blocks.

    Raises:
        Declined: a result is no number, or a statement has no native form.
    """
    emitter = Emitter(name, program, reverse)
    return emitter.module(), emitter.block_lines


class Emitter:
    """Writes one function; `llvm_tangent` adds tangents to what it writes."""

    def __init__(self, name: str, program: Program, reverse: Reversed | None) -> None:
        self.name, self.program, self.reverse = name, program, reverse
        self.lines: list[str] = []
        self.slots: dict[str, str] = {}
        self.count = 0
        self.label = "entry"
        self.quiet = False
        self.loops: list[Loop] = [stmt for stmt in walk(program.body) if isinstance(stmt, Loop)]
        self.block_lines: list[int] = []
        self.gemms: list[int] = []
        """lines of matrix products, those of callees included"""
        self.context = "%ctx" if program.callees else ""
        self.is_callee = False

    # -- text ---------------------------------------------------------------------------------------------------------

    def module(self) -> str:
        """All of it."""
        functions = [text for name in self.program.callees for text in self._functions(name)]
        self._body()
        slots = [f"  %{slot} = alloca {kind}" for slot, kind in self.slots.items()]
        if self.context:
            size = CONTEXT_WORDS + len(self.block_lines) // BITS + 1
            slots.append(f"  %ctx = alloca [{size} x i64], align 16")
            slots.append(f"  call void @llvm.memset.p0.i64(ptr %ctx, i8 0, i64 {8 * size}, i1 false)")
        slots += [f"  store i64 0, ptr %entered{word}" for word in range(-(-len(self.block_lines) // BITS))]
        declares = [f"declare double @llvm.{one}.f64(double)" for one in INTRINSICS]
        declares += [f"declare double @{one}(double)" for one in LIBM]
        declares += [f"declare double @{one}(double, double)" for one in LIBM_BINARY]
        head = f"define i64 @{self.name}(ptr noalias %in, ptr noalias %out) {{\nentry:"
        runtime = [RUNTIME, *functions] if self.context else []
        if self.gemms:
            declares.append(GEMM)
        return "\n".join([PRELUDE, *declares, *runtime, head, *slots, *self.lines, "}", ""])

    def _functions(self, name: str) -> Iterator[str]:
        """Forward and reverse function of a callee; its basic blocks are numbered on with the others."""
        reverse = None if self.reverse is None else self.reverse.callees[name]
        for back in (False, True):
            inner = type(self)(name, self.program.callees[name], reverse)
            inner.block_lines, inner.context, inner.is_callee = self.block_lines, self.context, True
            inner.gemms = self.gemms
            function = FunctionEmitter(inner)
            yield function.backward() if back else function.forward()

    def put(self, text: str) -> None:
        """One instruction."""
        self.lines.append("  " + text)

    def new(self, text: str) -> str:
        """An instruction with a result; its name."""
        self.count += 1
        self.put(f"%v{self.count} = {text}")
        return f"%v{self.count}"

    def start(self, label: str) -> None:
        """Begin a basic block."""
        self.lines.append(f"{label}:")
        self.label = label

    def fresh_label(self, hint: str) -> str:
        """A label that was not used yet."""
        self.count += 1
        return f"{hint}{self.count}"

    def slot(self, name: str, kind: str) -> str:
        """The stack slot of a name."""
        clean = name.replace("$", "_")
        self.slots.setdefault(clean, kind)
        return f"%{clean}"

    # -- values -------------------------------------------------------------------------------------------------------

    def get(self, operand: Operand) -> str:
        """A scalar's value."""
        if isinstance(operand, Const):
            return self.literal(operand)
        kind = LLVM_TYPE[operand.type]  # type: ignore[index]
        return self.new(f"load {kind}, ptr {self.slot(operand.name, kind)}")

    @staticmethod
    def literal(const: Const) -> str:
        """A number as LLVM writes it."""
        if const.type == "b":
            return "true" if const.value else "false"
        if const.type == "i":
            return str(const.value)
        return f"0x{struct.unpack('<Q', struct.pack('<d', float(const.value)))[0]:016X}"

    def set(self, ref: Ref, value: str) -> None:
        """Assign a scalar."""
        kind = LLVM_TYPE[ref.type]  # type: ignore[index]
        self.put(f"store {kind} {value}, ptr {self.slot(ref.name, kind)}")

    def part(self, ref: Ref, what: str) -> str:
        """The slot of a part of an array: p data, s adjoint, 0 1 ... lengths."""
        return self.slot(f"{ref.name}.{what}", "ptr" if what in "ps" else "i64")

    def parts(self, ref: Ref) -> list[tuple[str, str]]:
        """Slots and types of all that describes a name."""
        if isinstance(ref.type, Arr):
            dims = [(self.part(ref, str(axis)), "i64") for axis in range(ref.type.ndim)]
            return [(self.part(ref, "p"), "ptr"), (self.part(ref, "s"), "ptr"), *dims]
        kind = LLVM_TYPE[ref.type]
        return [(self.slot(ref.name, kind), kind)]

    def length(self, ref: Ref, axis: int) -> str:
        """Length of an array along an axis."""
        return self.new(f"load i64, ptr {self.part(ref, str(axis))}")

    def trap_if(self, cond: str) -> None:
        """Raise the flag, and go on."""
        if self.quiet:
            return
        slot = self.slot("trap", "i1")
        old = self.new(f"load i1, ptr {slot}")
        self.put(f"store i1 {self.new(f'or i1 {old}, {cond}')}, ptr {slot}")

    def leave_if(self, cond: str) -> None:
        """Leave at once."""
        if self.quiet:
            return
        after = self.fresh_label("go")
        self.put(f"br i1 {cond}, label %bail, label %{after}")
        self.start(after)

    def _entered(self, line: int) -> None:
        """Note that a basic block was entered: the caller checks a derivative where it goes for the first time."""
        if self.quiet:
            return
        word, bit = divmod(len(self.block_lines), BITS)
        self.block_lines.append(line)
        slot = self._at("%ctx", CONTEXT_WORDS + word) if self.is_callee else self.slot(f"entered{word}", "i64")
        before = self.new(f"load i64, ptr {slot}")
        self.put(f"store i64 {self.new(f'or i64 {before}, {1 << bit}')}, ptr {slot}")

    # -- the function -------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start values of the slots that are none of the program's."""
        self.put(f"store i1 false, ptr {self.slot('trap', 'i1')}")
        for loop in self.loops:
            if loop.frame:
                self.put(f"store ptr null, ptr {self.slot(f'{loop.name}.base', 'ptr')}")
                self.put(f"store i64 0, ptr {self.slot(f'{loop.name}.top', 'i64')}")
                self.put(f"store i64 0, ptr {self.slot(f'{loop.name}.room', 'i64')}")

    def _body(self) -> None:
        self.begin()
        self.put(f"store ptr null, ptr {self.slot('arena', 'ptr')}")
        place = 0
        for ref in self.program.params:
            place = self._read_argument(ref, place)
        if self.context:
            self._limits(place + (0 if self.reverse is None else len(self.reverse.seeds)))
        self.block(self.program.body)
        trapped = self.new(f"load i1, ptr {self.slot('trap', 'i1')}")
        self.leave_if(trapped)
        at = 0
        for result in self.program.results:
            if isinstance(result.type, Arr):
                raise Declined("an array is returned")
            self._write(at, result)
            at += 1
        if self.reverse is not None:
            self.quiet = True
            for seed in self.reverse.seeds:
                if seed is not None:
                    self.set(seed, self.new(f"load double, ptr {self._at('%in', place)}"))
                place += 1
            self.block(self.reverse.reverse)
            for gradient in self.reverse.gradients:
                if gradient is not None:
                    self._write(at, gradient)
                    at += 1
        for word in range(-(-len(self.block_lines) // BITS)):
            bits = self.new(f"load i64, ptr {self.slot(f'entered{word}', 'i64')}")
            if self.context:
                theirs = self.new(f"load i64, ptr {self._at('%ctx', CONTEXT_WORDS + word)}")
                bits = self.new(f"or i64 {bits}, {theirs}")
            self.put(f"store i64 {bits}, ptr {self._at('%out', at + word)}")
        self.lines += ["  br label %good", "bail:", "  br label %done", "good:", "  br label %done"]
        self.start("done")
        code = self.new("phi i64 [1, %bail], [0, %good]")
        if self.context:  # 2 where the stack was too small
            reached, chunks = self._at("%ctx", REACHED), self._at("%ctx", CHUNKS)
            code = self.new(f"add i64 {code}, {self.new(f'load i64, ptr {reached}')}")
            self.put(f"store ptr {self.new(f'load ptr, ptr {chunks}')}, ptr %arena")
        self._free_all()
        self.put(f"ret i64 {code}")

    def _limits(self, place: int) -> None:
        """CPython's recursion limit, and the lowest address of the stack that may be used."""
        left = self.new(f"load i64, ptr {self._at('%in', place)}")
        self.put(f"store i64 {left}, ptr {self.slot('calls.left', 'i64')}")
        here = self.new("ptrtoint ptr %ctx to i64")
        size = self.new(f"load i64, ptr {self._at('%in', place + 1)}")
        self.put(f"store i64 {self.new(f'sub i64 {here}, {size}')}, ptr {self._at('%ctx', FLOOR)}")

    def _at(self, base: str, place: int | str) -> str:
        return self.new(f"getelementptr i64, ptr {base}, i64 {place}")

    at = _at

    def _read_argument(self, ref: Ref, place: int) -> int:
        for slot, kind in self.parts(ref):
            pointer = self._at("%in", place)
            if kind == "i1":
                word = self.new(f"load i64, ptr {pointer}")
                value = self.new(f"icmp ne i64 {word}, 0")
            else:
                value = self.new(f"load {kind}, ptr {pointer}")
            self.put(f"store {kind} {value}, ptr {slot}")
            place += 1
        return place

    def _write(self, place: int, operand: Operand) -> None:
        value = self.get(operand)
        kind = LLVM_TYPE[operand.type]  # type: ignore[index]
        if kind == "i1":
            value, kind = self.new(f"zext i1 {value} to i64"), "i64"
        self.put(f"store {kind} {value}, ptr {self._at('%out', place)}")

    def _free_all(self) -> None:
        for loop in self.loops:
            if loop.frame:
                self.put(f"call void @free(ptr {self.new(f'load ptr, ptr %{loop.name}.base')})")
        loop, body, end = (self.fresh_label(one) for one in ("free", "freebody", "freed"))
        self.put(f"br label %{loop}")
        self.start(loop)
        head = self.new("load ptr, ptr %arena")
        self.put(f"br i1 {self.new(f'icmp eq ptr {head}, null')}, label %{end}, label %{body}")
        self.start(body)
        self.put(f"store ptr {self.new(f'load ptr, ptr {head}')}, ptr %arena")
        self.put(f"call void @free(ptr {head})")
        self.put(f"br label %{loop}")
        self.start(end)

    # -- statements ---------------------------------------------------------------------------------------------------

    def block(self, block: Block) -> None:
        """Statements in order."""
        for stmt in block:
            getattr(self, f"_do_{type(stmt).__name__.lower()}")(stmt)

    def _do_set(self, stmt: Set) -> None:
        self.set(stmt.dst, self.get(stmt.src))

    def _do_accumulate(self, stmt: Accumulate) -> None:
        self.set(stmt.dst, self.new(f"fadd double {self.get(stmt.dst)}, {self.get(stmt.src)}"))

    def _do_call(self, stmt: Call) -> None:
        emit_call(self, stmt)

    def _do_copy(self, stmt: Copy) -> None:
        self._copy(stmt.dst, stmt.src)

    def _copy(self, dst: Ref, src: Ref) -> None:
        values = [(kind, self.new(f"load {kind}, ptr {slot}")) for slot, kind in self.parts(src)]
        for (slot, _), (kind, value) in zip(self.parts(dst), values, strict=True):
            self.put(f"store {kind} {value}, ptr {slot}")

    def _do_dim(self, stmt: Dim) -> None:
        self.set(stmt.dst, self.length(stmt.arr, stmt.axis))

    def _do_require(self, stmt: Require) -> None:
        self.leave_if(self.new(f"xor i1 {self.get(stmt.cond)}, true"))

    def _do_if(self, stmt: If) -> None:
        then, orelse, after = (self.fresh_label(one) for one in ("then", "else", "endif"))
        self.put(f"br i1 {self.get(stmt.cond)}, label %{then}, label %{orelse}")
        for label, block in ((then, stmt.then), (orelse, stmt.orelse)):
            self.start(label)
            self._entered(stmt.line)
            self.block(block)
            self.put(f"br label %{after}")
        self.start(after)

    def _do_alloc(self, stmt: Alloc) -> None:
        total = "1"
        lengths = [self.get(one) for one in stmt.shape]
        for axis, length in enumerate(lengths):
            self.leave_if(self.new(f"icmp slt i64 {length}, 0"))
            self.put(f"store i64 {length}, ptr {self.part(stmt.dst, str(axis))}")
            pair = self.new(f"call {{i64, i1}} @llvm.smul.with.overflow.i64(i64 {total}, i64 {length})")
            self.leave_if(self.new(f"extractvalue {{i64, i1}} {pair}, 1"))
            total = self.new(f"extractvalue {{i64, i1}} {pair}, 0")
        data = self._new_memory(total, blank=stmt.blank)
        self.put(f"store ptr {data}, ptr {self.part(stmt.dst, 'p')}")
        self.put(f"store ptr {self._shadow_memory(stmt.dst, total)}, ptr {self.part(stmt.dst, 's')}")
        if stmt.fill != Const(0.0):
            self._fill(data, total, self.get(stmt.fill))

    def _shadow_memory(self, arr: Ref, num: str) -> str:
        """What lies beside the `num` elements of a new array."""
        wanted = self.reverse is not None and arr.name in self.reverse.active
        return self._new_memory(num) if wanted else "null"

    def _scaled(self, arr: Ref, what: str, offset: str) -> str:
        """How far apart elements that are `offset` apart lie in a part of an array."""
        return offset

    def _new_memory(self, num: str, *, blank: bool = False) -> str:
        """Memory for `num` doubles, linked into the arena; zeroed unless `blank`."""
        if self.context:
            return self.new_words(num)
        words = self.new(f"add i64 {num}, 2")
        if blank:
            memory = self.new(f"call ptr @malloc(i64 {self.new(f'shl i64 {words}, 3')})")
        else:
            memory = self.new(f"call ptr @calloc(i64 {words}, i64 8)")
        self.leave_if(self.new(f"icmp eq ptr {memory}, null"))
        self.put(f"store ptr {self.new('load ptr, ptr %arena')}, ptr {memory}")
        self.put(f"store ptr {memory}, ptr %arena")
        return self._at(memory, 2)

    def new_words(self, num: str) -> str:
        """Zeroed memory of the arena that functions share."""
        memory = self.new(f"call ptr @arena(ptr %ctx, i64 {num})")
        self.leave_if(self.new(f"icmp eq ptr {memory}, null"))
        return memory

    def _fill(self, data: str, num: str, value: str) -> None:
        head, body, end = (self.fresh_label(one) for one in ("fill", "fillbody", "filled"))
        slot = self.slot(f"{head}.at", "i64")
        self.put(f"store i64 0, ptr {slot}")
        self.put(f"br label %{head}")
        self.start(head)
        at = self.new(f"load i64, ptr {slot}")
        self.put(f"br i1 {self.new(f'icmp slt i64 {at}, {num}')}, label %{body}, label %{end}")
        self.start(body)
        self.put(f"store double {value}, ptr {self._at(data, at)}")
        self.put(f"store i64 {self.new(f'add i64 {at}, 1')}, ptr {slot}")
        self.put(f"br label %{head}")
        self.start(end)

    # -- elements -----------------------------------------------------------------------------------------------------

    def _offset(self, arr: Ref, index: Sequence[Operand], checked: bool) -> str:
        """Element number of an index, negative ones counted from the end."""
        offset = ""
        for axis, one in enumerate(index):
            length = self.length(arr, axis)
            at = self._wrapped(one, length)
            if not checked:
                self.leave_if(self.new(f"icmp uge i64 {at}, {length}"))
            offset = at if not offset else self.new(f"add nsw i64 {self.new(f'mul nsw i64 {offset}, {length}')}, {at}")
        return offset

    def _wrapped(self, one: Operand, length: str) -> str:
        if isinstance(one, Const):
            return str(one.value) if one.value >= 0 else self.new(f"add i64 {length}, {one.value}")
        at = self.get(one)
        negative = self.new(f"icmp slt i64 {at}, 0")
        return self.new(f"select i1 {negative}, i64 {self.new(f'add i64 {at}, {length}')}, i64 {at}")

    def _pointer(self, arr: Ref, index: Sequence[Operand], checked: bool, what: str) -> str:
        offset = self._offset(arr, index, checked)
        base = self.new(f"load ptr, ptr {self.part(arr, what)}")
        return self._at(base, offset)

    def _do_load(self, stmt: Load) -> None:
        pointer = self._pointer(stmt.arr, stmt.index, stmt.checked or self.quiet, "p")
        self.set(stmt.dst, self.new(f"load {LLVM_TYPE[stmt.dst.type]}, ptr {pointer}"))  # type: ignore[index]

    def _do_store(self, stmt: Store) -> None:
        pointer = self._pointer(stmt.arr, stmt.index, stmt.initial, "p")
        kind = LLVM_TYPE[stmt.src.type]  # type: ignore[index]
        self.put(f"store {kind} {self.get(stmt.src)}, ptr {pointer}")

    def _do_update(self, stmt: Update) -> None:
        pointer = self._pointer(stmt.arr, stmt.index, True, "p")
        kind = "fsub" if stmt.negative else "fadd"
        old = self.new(f"load double, ptr {pointer}")
        self.put(f"store double {self.new(f'{kind} double {old}, {self.get(stmt.src)}')}, ptr {pointer}")

    def _do_shadowadd(self, stmt: ShadowAdd) -> None:
        pointer = self._pointer(stmt.arr, stmt.index, True, "s")
        old = self.new(f"load double, ptr {pointer}")
        if stmt.peek is not None:
            self.set(stmt.peek, old)
        elif stmt.take is not None:
            self.set(stmt.take, old)
            self.put(f"store double {self.literal(Const(0.0))}, ptr {pointer}")
        elif stmt.src is not None:
            self.put(f"store double {self.new(f'fadd double {old}, {self.get(stmt.src)}')}, ptr {pointer}")

    def _do_matmul(self, stmt: MatMul) -> None:
        """Row-major by a column-major BLAS: the product of the transposes, in the other order."""
        rows, columns, inner = (self.get(one) for one in stmt.sizes)
        data = [
            self.new(f"load ptr, ptr {self.part(ref, what)}")
            for ref, what in zip((stmt.dst, stmt.a, stmt.b), stmt.which, strict=True)
        ]
        lengths = [rows if stmt.transpose_a else inner, inner if stmt.transpose_b else columns]
        beta = self.literal(Const(1.0 if stmt.add else 0.0))
        arguments = ", ".join(f"i64 {one}" for one in (rows, columns, inner, *lengths))
        flags = f"i1 {str(stmt.transpose_a).lower()}, i1 {str(stmt.transpose_b).lower()}"
        pointers = ", ".join(f"ptr {one}" for one in data)
        self.put(f"call void @custodiet_gemm({flags}, {arguments}, double {beta}, {pointers})")
        self.gemms.append(stmt.line)

    def _do_view(self, stmt: View) -> None:
        kind = stmt.arr.type
        if not isinstance(kind, Arr):
            raise Declined("a view of a number", line=stmt.line)
        row = "1"
        for axis in range(1, kind.ndim):
            row = self.new(f"mul nsw i64 {row}, {self.length(stmt.arr, axis)}")
        if stmt.index is not None:
            length = self.length(stmt.arr, 0)
            at = self._wrapped(stmt.index, length)
            if not self.quiet:
                self.leave_if(self.new(f"icmp uge i64 {at}, {length}"))
            rest = range(1, kind.ndim)
        else:
            at, high = self.get(stmt.low or Const(0)), self.get(stmt.high or Const(0))
            self.put(f"store i64 {self.new(f'sub i64 {high}, {at}')}, ptr {self.part(stmt.dst, '0')}")
            rest = range(1, kind.ndim)
        shift = 0 if stmt.index is None else 1
        for axis in rest:
            self.put(f"store i64 {self.length(stmt.arr, axis)}, ptr {self.part(stmt.dst, str(axis - shift))}")
        offset = self.new(f"mul nsw i64 {at}, {row}")
        for what in "ps":
            base = self.new(f"load ptr, ptr {self.part(stmt.arr, what)}")
            self.put(
                f"store ptr {self._at(base, self._scaled(stmt.arr, what, offset))}, ptr {self.part(stmt.dst, what)}"
            )

    # -- loops --------------------------------------------------------------------------------------------------------

    def _do_loop(self, stmt: Loop) -> None:
        head, body, end = (self.fresh_label(one) for one in ("loop", "round", "after"))
        for header in stmt.headers:
            if isinstance(header.var.type, Arr):
                self._copy(header.var, header.init)  # type: ignore[arg-type]
            else:
                self.set(header.var, self.get(header.init))
        trips = None if stmt.trips is None else self.get(stmt.trips)
        at_once = trips is not None and stmt.stop is None  # a loop that may end early takes room as it goes
        if at_once:
            self.leave_if(self.new(f"icmp sgt i64 {trips}, {LONG}"))
            if stmt.frame:
                self._reserve(stmt, trips or "0")
        self.set(stmt.counter, "0")
        self.put(f"br label %{head}")
        self.start(head)
        if trips is not None:
            go = self.new(f"icmp slt i64 {self.get(stmt.counter)}, {trips}")
        else:
            trapped = self.new(f"load i1, ptr {self.slot('trap', 'i1')}")
            self.leave_if(trapped)  # a program that should have raised may not end here
            self.block(stmt.pre)
            go = self.get(stmt.cond or Const(True))
        self.put(f"br i1 {go}, label %{body}, label %{end}")
        self.start(body)
        self._entered(stmt.line)
        if trips is not None and not at_once:
            self.leave_if(self.new(f"load i1, ptr {self.slot('trap', 'i1')}"))
        if stmt.frame:
            if not at_once:
                self._reserve(stmt, "1")
            self._push(stmt)
        self.block(stmt.body)
        self._latch(stmt)
        rounds = self.new(f"add nsw i64 {self.get(stmt.counter)}, 1")
        self.set(stmt.counter, rounds)
        if stmt.stop is not None:
            self.put(f"br i1 {self.get(stmt.stop)}, label %{end}, label %{head}")
        else:
            self.put(f"br label %{head}")
        self.start(end)
        self.set(stmt.count, self.get(stmt.counter))

    def _latch(self, stmt: Loop) -> None:
        moves: list[tuple[str, str, str]] = []
        for header in stmt.headers:
            if isinstance(header.var.type, Arr):
                sources = self.parts(header.latch)  # type: ignore[arg-type]
                for (slot, kind), (source, _) in zip(self.parts(header.var), sources, strict=True):
                    moves.append((kind, self.new(f"load {kind}, ptr {source}"), slot))
            else:
                kind = LLVM_TYPE[header.var.type]
                moves.append((kind, self.get(header.latch), self.slot(header.var.name, kind)))
        for kind, value, slot in moves:
            self.put(f"store {kind} {value}, ptr {slot}")

    def _frame_size(self, loop: Loop) -> int:
        return sum(num_slots(ref) for ref in loop.frame)

    def _reserve(self, loop: Loop, more: str) -> None:
        """Room for `more` frames; doubled at least, so that growing costs nothing on the whole."""
        top = self.new(f"load i64, ptr %{loop.name}.top")
        room = self.new(f"load i64, ptr %{loop.name}.room")
        need = self.new(f"add i64 {top}, {more}")
        grow, after = self.fresh_label("grow"), self.fresh_label("roomy")
        self.put(f"br i1 {self.new(f'icmp sgt i64 {need}, {room}')}, label %{grow}, label %{after}")
        self.start(grow)
        self.leave_if(self.new(f"icmp sgt i64 {need}, {2**48 // max(1, self._frame_size(loop))}"))
        twice = self.new(f"shl i64 {room}, 1")
        size = self.new(f"call i64 @llvm.smax.i64(i64 {need}, i64 {twice})")
        size = self.new(f"call i64 @llvm.smax.i64(i64 {size}, i64 16)")
        base = self.new(f"load ptr, ptr %{loop.name}.base")
        if self.is_callee:  # frames outlive this call
            memory = self.new_words(self.new(f"mul i64 {size}, {self._frame_size(loop)}"))
            num_bytes = self.new(f"mul i64 {top}, {8 * self._frame_size(loop)}")
            self.put(f"call void @llvm.memcpy.p0.p0.i64(ptr {memory}, ptr {base}, i64 {num_bytes}, i1 false)")
        else:
            num_bytes = self.new(f"mul i64 {size}, {8 * self._frame_size(loop)}")
            memory = self.new(f"call ptr @realloc(ptr {base}, i64 {num_bytes})")
            self.leave_if(self.new(f"icmp eq ptr {memory}, null"))
        self.put(f"store ptr {memory}, ptr %{loop.name}.base")
        self.put(f"store i64 {size}, ptr %{loop.name}.room")
        self.put(f"br label %{after}")
        self.start(after)

    def _push(self, loop: Loop) -> None:
        top = self.new(f"load i64, ptr %{loop.name}.top")
        self._frame(loop, top)
        self.put(f"store i64 {self.new(f'add i64 {top}, 1')}, ptr %{loop.name}.top")

    def _frame(self, loop: Loop, number: str) -> None:
        base = self.new(f"load ptr, ptr %{loop.name}.base")
        offset = self.new(f"mul i64 {number}, {self._frame_size(loop)}")
        self.put(f"store ptr {self._at(base, offset)}, ptr {self.slot(f'{loop.name}.frame', 'ptr')}")

    def _frame_slots(self, name: str, var: Ref) -> Iterator[tuple[str, str, str]]:
        loop = next(one for one in self.loops if one.name == name)
        place = 0
        for ref in loop.frame:
            if ref.name == var.name:
                break
            place += num_slots(ref)
        frame = self.new(f"load ptr, ptr %{loop.name}.frame")
        for slot, kind in self.parts(var):
            yield slot, kind, self._at(frame, place)
            place += 1

    def _do_save(self, stmt: Save) -> None:
        for slot, kind, pointer in self._frame_slots(stmt.loop, stmt.var):
            value = self.new(f"load {kind}, ptr {slot}")
            if kind == "i1":
                value, kind = self.new(f"zext i1 {value} to i64"), "i64"
            self.put(f"store {kind} {value}, ptr {pointer}")

    def _do_restore(self, stmt: Restore) -> None:
        for slot, kind, pointer in self._frame_slots(stmt.loop, stmt.var):
            if kind == "i1":
                word = self.new(f"load i64, ptr {pointer}")
                value = self.new(f"icmp ne i64 {word}, 0")
            else:
                value = self.new(f"load {kind}, ptr {pointer}")
            self.put(f"store {kind} {value}, ptr {slot}")

    def _do_reverseloop(self, stmt: ReverseLoop) -> None:
        loop = stmt.loop
        head, body, end = (self.fresh_label(one) for one in ("back", "undo", "undone"))
        self.set(loop.counter, self.get(loop.count))
        self.put(f"br label %{head}")
        self.start(head)
        left = self.get(loop.counter)
        self.put(f"br i1 {self.new(f'icmp sgt i64 {left}, 0')}, label %{body}, label %{end}")
        self.start(body)
        self.set(loop.counter, self.new(f"sub nsw i64 {left}, 1"))
        if loop.frame:
            top = self.new(f"sub i64 {self.new(f'load i64, ptr %{loop.name}.top')}, 1")
            self.put(f"store i64 {top}, ptr %{loop.name}.top")
            self._frame(loop, top)
        self.block(stmt.body)
        self.put(f"br label %{head}")
        self.start(end)

    # -- operations ---------------------------------------------------------------------------------------------------

    def _do_op(self, stmt: Op) -> None:
        self.set(stmt.dst, self._operation(stmt))

    def _operation(self, stmt: Op) -> str:
        op, args = stmt.op, [self.get(one) for one in stmt.args]
        special = getattr(self, f"_op_{op}", None)
        if special is not None:
            return special(*args)
        if op == "digamma":
            return self.new(f"call double @custodiet_digamma(double {args[0]})")
        if op in ("iand", "ior", "ixor"):
            return self.new(f"{op[1:]} i64 {args[0]}, {args[1]}")
        if op in ("copy", "still"):
            return args[0]
        if op == "fadd_r":  # NumPy's own sums are not in order either
            return self.new(f"fadd reassoc double {args[0]}, {args[1]}")
        if op == "iscale":
            return self.new(f"mul nsw i64 {args[0]}, {args[1]}")
        if op == "select":
            kind = LLVM_TYPE[stmt.dst.type]  # type: ignore[index]
            return self.new(f"select i1 {args[0]}, {kind} {args[1]}, {kind} {args[2]}")
        if op in ("fadd", "fsub", "fmul"):
            return self.new(f"{op} double {args[0]}, {args[1]}")
        if op in ("iadd", "isub", "imul"):
            return self._overflowing(op, args)
        if op[1:] in FLOAT_COMPARE and op[0] == "f":
            return self.new(f"fcmp {FLOAT_COMPARE[op[1:]]} double {args[0]}, {args[1]}")
        if op[1:] in INT_COMPARE and op[0] == "i":
            return self.new(f"icmp {INT_COMPARE[op[1:]]} i64 {args[0]}, {args[1]}")
        if op in INTRINSICS:
            return self._checked(op, args, self.new(f"call double @llvm.{op}.f64(double {args[0]})"))
        if op in LIBM:
            return self._checked(op, args, self.new(f"call double @{op}(double {args[0]})"))
        if op in LIBM_BINARY:
            return self._checked(op, args, self.new(f"call double @{op}(double {args[0]}, double {args[1]})"))
        raise Declined(f"`{op}` has no native form", line=stmt.line)

    def _overflowing(self, op: str, args: list[str]) -> str:
        kind = {"iadd": "sadd", "isub": "ssub", "imul": "smul"}[op]
        if self.quiet:
            return self.new(f"{op[1:]} nsw i64 {args[0]}, {args[1]}")
        pair = self.new(f"call {{i64, i1}} @llvm.{kind}.with.overflow.i64(i64 {args[0]}, i64 {args[1]})")
        self.trap_if(self.new(f"extractvalue {{i64, i1}} {pair}, 1"))
        return self.new(f"extractvalue {{i64, i1}} {pair}, 0")

    def _finite(self, value: str) -> str:
        size = self.new(f"call double @llvm.fabs.f64(double {value})")
        return self.new(f"fcmp olt double {size}, {self.literal(Const(math.inf))}")

    def _checked(self, op: str, args: list[str], value: str) -> str:
        if self.quiet:
            return value
        if op in ("log", "log2", "log10"):
            self.trap_if(self.new(f"fcmp ole double {args[0]}, {self.literal(Const(0.0))}"))
        elif op == "sqrt":
            self.trap_if(self.new(f"fcmp olt double {args[0]}, {self.literal(Const(0.0))}"))
        elif op in TRAPS_IF_NOT_FINITE:
            bad = self.new(f"xor i1 {self._finite(value)}, true")
            for one in args:
                bad = self.new(f"and i1 {bad}, {self._finite(one)}")
            self.trap_if(bad)
            if op in ("sin", "cos", "tan"):  # math.sin(inf) is an error
                self.trap_if(self.new(f"xor i1 {self._finite(args[0])}, true"))
        return value

    def _op_fdiv(self, a: str, b: str) -> str:
        self.trap_if(self.new(f"fcmp oeq double {b}, {self.literal(Const(0.0))}"))
        return self.new(f"fdiv double {a}, {b}")

    def _op_recip(self, a: str) -> str:
        return self._op_fdiv(self.literal(Const(1.0)), a)

    def _op_fneg(self, a: str) -> str:
        return self.new(f"fneg double {a}")

    def _op_square(self, a: str) -> str:
        return self.new(f"fmul double {a}, {a}")

    def _op_pow2(self, a: str) -> str:
        """``a ** 2``, an OverflowError where it leaves the floats."""
        value = self.new(f"fmul double {a}, {a}")
        if not self.quiet:
            self.trap_if(self.new(f"fcmp oeq double {value}, {self.literal(Const(math.inf))}"))
        return value

    def _op_ineg(self, a: str) -> str:
        return self._overflowing("isub", ["0", a])

    def _op_not(self, a: str) -> str:
        return self.new(f"xor i1 {a}, true")

    def _op_and(self, a: str, b: str) -> str:
        return self.new(f"and i1 {a}, {b}")

    def _op_or(self, a: str, b: str) -> str:
        return self.new(f"or i1 {a}, {b}")

    def _op_xor(self, a: str, b: str) -> str:
        return self.new(f"xor i1 {a}, {b}")

    def _op_iand(self, a: str, b: str) -> str:
        return self.new(f"and i64 {a}, {b}")

    def _op_ior(self, a: str, b: str) -> str:
        return self.new(f"or i64 {a}, {b}")

    def _op_ixor(self, a: str, b: str) -> str:
        return self.new(f"xor i64 {a}, {b}")

    def _op_ishr(self, a: str, b: str) -> str:
        self.trap_if(self.new(f"icmp slt i64 {b}, 0"))
        return self.new(f"ashr i64 {a}, {self.new(f'call i64 @llvm.umin.i64(i64 {b}, i64 63)')}")

    def _op_ishl(self, a: str, b: str) -> str:
        """Beyond 63 places, or where bits are lost, CPython goes on with a longer int."""
        self.trap_if(self.new(f"icmp ugt i64 {b}, 63"))
        places = self.new(f"call i64 @llvm.umin.i64(i64 {b}, i64 63)")
        moved = self.new(f"shl i64 {a}, {places}")
        back = self.new(f"ashr i64 {moved}, {places}")
        self.trap_if(self.new(f"icmp ne i64 {back}, {a}"))
        return moved

    def _op_btoi(self, a: str) -> str:
        return self.new(f"zext i1 {a} to i64")

    def _op_itof(self, a: str) -> str:
        shifted = self.new(f"add i64 {a}, {EXACT_INT}")
        self.trap_if(self.new(f"icmp ugt i64 {shifted}, {2 * EXACT_INT}"))
        return self.new(f"sitofp i64 {a} to double")

    def _op_ftoi(self, a: str) -> str:
        size = self.new(f"call double @llvm.fabs.f64(double {a})")
        good = self.new(f"fcmp olt double {size}, {self.literal(Const(9.0e18))}")
        self.leave_if(self.new(f"xor i1 {good}, true"))
        return self.new(f"fptosi double {a} to i64")

    def _shift_count(self, b: str) -> str:
        bad = self.new(f"icmp ugt i64 {b}, 63")  # CPython's ints are longer, or it raises
        self.trap_if(bad)
        return self.new(f"select i1 {bad}, i64 0, i64 {b}")

    def _op_ishr(self, a: str, b: str) -> str:
        return self.new(f"ashr i64 {a}, {self._shift_count(b)}")

    def _op_ishl(self, a: str, b: str) -> str:
        count = self._shift_count(b)
        found = self.new(f"shl i64 {a}, {count}")
        self.trap_if(self.new(f"icmp ne i64 {self.new(f'ashr i64 {found}, {count}')}, {a}"))
        return found

    def _op_imax(self, a: str, b: str) -> str:
        return self.new(f"call i64 @llvm.smax.i64(i64 {a}, i64 {b})")

    def _op_imin(self, a: str, b: str) -> str:
        return self.new(f"call i64 @llvm.smin.i64(i64 {a}, i64 {b})")

    def _op_iabs(self, a: str) -> str:
        return self._op_imax(a, self._op_ineg(a))

    def _int_division(self, a: str, b: str) -> tuple[str, str, str]:
        zero = self.new(f"icmp eq i64 {b}, 0")
        low = self.new(f"icmp eq i64 {b}, -1")
        odd = self.new(f"and i1 {low}, {self.new(f'icmp eq i64 {a}, {-(2**63)}')}")
        self.trap_if(self.new(f"or i1 {zero}, {odd}"))
        safe = self.new(f"select i1 {self.new(f'or i1 {zero}, {odd}')}, i64 1, i64 {b}")
        quotient, remainder = self.new(f"sdiv i64 {a}, {safe}"), self.new(f"srem i64 {a}, {safe}")
        differ = self.new(f"icmp slt i64 {self.new(f'xor i64 {remainder}, {safe}')}, 0")
        adjust = self.new(f"and i1 {differ}, {self.new(f'icmp ne i64 {remainder}, 0')}")
        return quotient, remainder, self.new(f"zext i1 {adjust} to i64") + "|" + safe

    def _op_ifloordiv(self, a: str, b: str) -> str:
        quotient, _, adjust = self._int_division(a, b)
        return self.new(f"sub i64 {quotient}, {adjust.split('|')[0]}")

    def _op_imod(self, a: str, b: str) -> str:
        _, remainder, adjust = self._int_division(a, b)
        step, safe = adjust.split("|")
        return self.new(f"add i64 {remainder}, {self.new(f'mul i64 {step}, {safe}')}")

    def _op_fmod(self, a: str, b: str) -> str:
        zero = self.literal(Const(0.0))
        self.trap_if(self.new(f"fcmp oeq double {b}, {zero}"))
        rest = self.new(f"frem double {a}, {b}")
        is_zero = self.new(f"fcmp oeq double {rest}, {zero}")
        differ = self.new(
            f"xor i1 {self.new(f'fcmp olt double {rest}, {zero}')}, {self.new(f'fcmp olt double {b}, {zero}')}"
        )
        moved = self.new(f"select i1 {differ}, double {self.new(f'fadd double {rest}, {b}')}, double {rest}")
        signed = self.new(f"call double @llvm.copysign.f64(double {zero}, double {b})")
        return self.new(f"select i1 {is_zero}, double {signed}, double {moved}")

    def _op_ffloordiv(self, a: str, b: str) -> str:
        """As CPython's float_divmod, which does not correct the remainder before it divides."""
        zero, one = self.literal(Const(0.0)), self.literal(Const(1.0))
        self.trap_if(self.new(f"fcmp oeq double {b}, {zero}"))
        rest = self.new(f"frem double {a}, {b}")
        quotient = self.new(f"fdiv double {self.new(f'fsub double {a}, {rest}')}, {b}")
        differ = self.new(
            f"xor i1 {self.new(f'fcmp olt double {rest}, {zero}')}, {self.new(f'fcmp olt double {b}, {zero}')}"
        )
        differ = self.new(f"and i1 {differ}, {self.new(f'fcmp une double {rest}, {zero}')}")
        quotient = self.new(
            f"select i1 {differ}, double {self.new(f'fsub double {quotient}, {one}')}, double {quotient}"
        )
        floor = self.new(f"call double @llvm.floor.f64(double {quotient})")
        far = self.new(f"fcmp ogt double {self.new(f'fsub double {quotient}, {floor}')}, {self.literal(Const(0.5))}")
        floor = self.new(f"select i1 {far}, double {self.new(f'fadd double {floor}, {one}')}, double {floor}")
        signed = self.new(f"call double @llvm.copysign.f64(double {zero}, double {self.new(f'fdiv double {a}, {b}')})")
        return self.new(f"select i1 {self.new(f'fcmp oeq double {quotient}, {zero}')}, double {signed}, double {floor}")

    def _op_fpow(self, a: str, b: str) -> str:
        return self._checked("fpow", [a, b], self.new(f"call double @llvm.pow.f64(double {a}, double {b})"))

    def _op_copysign(self, a: str, b: str) -> str:
        return self.new(f"call double @llvm.copysign.f64(double {a}, double {b})")

    def _op_sign(self, a: str) -> str:
        zero = self.literal(Const(0.0))
        one = self.new(f"call double @llvm.copysign.f64(double {self.literal(Const(1.0))}, double {a})")
        return self.new(f"select i1 {self.new(f'fcmp oeq double {a}, {zero}')}, double {zero}, double {one}")

    def _op_powd(self, a: str, b: str) -> str:
        """The derivative of a ** b by a: b a ** (b - 1), zero where b is."""
        zero = self.literal(Const(0.0))
        less = self.new(f"fsub double {b}, {self.literal(Const(1.0))}")
        full = self.new(f"fmul double {b}, {self.new(f'call double @llvm.pow.f64(double {a}, double {less})')}")
        return self.new(f"select i1 {self.new(f'fcmp oeq double {b}, {zero}')}, double {zero}, double {full}")

    def _op_powl(self, a: str, b: str, y: str) -> str:
        """The derivative of a ** b by b: a ** b log a; zero at a = 0, where it is the limit for b > 0."""
        zero = self.literal(Const(0.0))
        full = self.new(f"fmul double {y}, {self.new(f'call double @llvm.log.f64(double {a})')}")
        return self.new(f"select i1 {self.new(f'fcmp oeq double {a}, {zero}')}, double {zero}, double {full}")
