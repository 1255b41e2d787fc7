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
    Operand,
    Program,
    Ref,
    Require,
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
from custodiet.autodiff.compiler.llvm_loops import Loops, num_slots
from custodiet.autodiff.compiler.llvm_operations import INTRINSICS, LIBM, LIBM_BINARY, LLVM_TYPE
from custodiet.autodiff.compiler.llvm_text import GEMM, PRELUDE, TRIGAMMA
from custodiet.autodiff.compiler.operations import BINARY_SPECIAL, SPECIAL

__all__ = ["BITS", "LLVM_TYPE", "Emitter", "num_slots", "to_llvm"]

BITS = 62
"""blocks per word of those that were entered"""


def to_llvm(name: str, program: Program, reverse: Reversed | None) -> tuple[str, list[int]]:
    """The module of one function: its value and, with `reverse`, its derivative; and the line of each of its basic blocks.

    Raises:
        Declined: a result is no number, or a statement has no native form.
    """
    emitter = Emitter(name, program, reverse)
    return emitter.module(), emitter.block_lines


class Emitter(Loops):
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
        for op in SPECIAL:
            doubles = "double, " * (2 if op in BINARY_SPECIAL else 1)
            declares.append(f"declare double @custodiet_{op}({doubles}i32)")
        declares.append(TRIGAMMA)
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
            self._leave_unless_finite()
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

    def _leave_unless_finite(self) -> None:
        """Trap where a gradient is infinite or NaN: an exact zero times an infinite slope is zero, and the tape knows where."""
        reverse = self.reverse
        if reverse is None:
            return
        bad = self.literal(Const(0.0))
        for gradient in reverse.gradients:
            if gradient is not None:
                bad = self.new(f"fadd double {bad}, {self._times_zero(self.get(gradient))}")
        slot = self.slot("unsettled", "double")
        self.put(f"store double {bad}, ptr {slot}")
        for ref in self.program.params:
            if isinstance(ref.type, Arr) and ref.name in reverse.active:
                self._add_times_zero(ref, slot)
        bad = self.new(f"load double, ptr {slot}")
        good = self.fresh_label("settled")
        self.put(f"br i1 {self.new(f'fcmp uno double {bad}, {bad}')}, label %bail, label %{good}")
        self.start(good)

    def _times_zero(self, value: str) -> str:
        """0, or NaN where a number is infinite or NaN."""
        return self.new(f"fmul double {value}, {self.literal(Const(0.0))}")

    def _add_times_zero(self, ref: Ref, slot: str) -> None:
        """Add the elements of an adjoint, each times zero, to a slot."""
        size = self.length(ref, 0)
        for axis in range(1, ref.type.ndim):  # type: ignore[union-attr]
            size = self.new(f"mul i64 {size}, {self.length(ref, axis)}")
        base = self.new(f"load ptr, ptr {self.part(ref, 's')}")
        head, work, end = (self.fresh_label(one) for one in ("settle", "settling", "settled"))
        at = self.slot(f"{head}.at", "i64")
        self.put(f"store i64 0, ptr {at}")
        self.put(f"br label %{head}")
        self.start(head)
        place = self.new(f"load i64, ptr {at}")
        self.put(f"br i1 {self.new(f'icmp slt i64 {place}, {size}')}, label %{work}, label %{end}")
        self.start(work)
        one = self._times_zero(self.new(f"load double, ptr {self._at(base, place)}"))
        total = self.new(f"fadd reassoc double {self.new(f'load double, ptr {slot}')}, {one}")
        self.put(f"store double {total}, ptr {slot}")
        self.put(f"store i64 {self.new(f'add nsw i64 {place}, 1')}, ptr {at}")
        self.put(f"br label %{head}")
        self.start(end)

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
        self.put(f"store ptr {self._shadow_memory(stmt.dst, total, stmt.blank)}, ptr {self.part(stmt.dst, 's')}")
        if stmt.fill != Const(0.0):
            self._fill(data, total, self.get(stmt.fill))

    def _shadow_memory(self, arr: Ref, num: str, blank: bool) -> str:
        """What lies beside the `num` elements of a new array; its numbers are `blank`, an adjoint's are zero."""
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
