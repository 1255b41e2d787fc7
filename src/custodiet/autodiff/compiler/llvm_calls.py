"""Functions that call one another, in LLVM IR: two for each, forward and reverse.

Forward: ``{i64 record, results} @fwd.f(ptr ctx, i64 left, arguments)``. What the reverse sweep reads is left in a record, and
its address (or 1) is handed to the caller, who keeps it as it keeps any other number; 0 says that CPython has to do it.
Reverse: ``{i64 ok, adjoints of arguments} @rev.f(ptr ctx, i64 record, adjoints of results)``. So a chain of n calls costs n
records and nothing is run twice. Records, arrays and frames of loops lie in one arena, freed when the entry returns.

The context is a block of words: cursor and end of the arena's present chunk, the list of chunks, size of the last one, the lowest
address of the stack that may be used, whether that was reached, then the bits of the basic blocks that were entered. `left`
counts CPython's frames down from its recursion limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from custodiet.autodiff.compiler.adjoint import walk
from custodiet.autodiff.compiler.ir import (
    Accumulate,
    Block,
    Call,
    If,
    Operand,
    Ref,
    Restore,
    ReverseLoop,
    ShadowAdd,
    uses,
)

if TYPE_CHECKING:
    from custodiet.autodiff.compiler.llvm_ir import _Emitter as Emitter

__all__ = ["CONTEXT_WORDS", "RUNTIME", "FunctionEmitter", "emit_call", "live_in"]

SCALARS = {"f": "double", "i": "i64", "b": "i1"}
CHUNKS, FLOOR, REACHED, CONTEXT_WORDS = 2, 4, 5, 6
FIRST_CHUNK, LAST_GROWTH = 4096, 2**23
MOST_WORDS = 2**40
RUNTIME = f"""
declare ptr @llvm.frameaddress.p0(i32)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
define internal ptr @arena(ptr %ctx, i64 %num) {{
entry:
  %cursor = load i64, ptr %ctx
  %endp = getelementptr i64, ptr %ctx, i64 1
  %end = load i64, ptr %endp
  %bytes = shl i64 %num, 3
  %next = add i64 %cursor, %bytes
  %sane = icmp ult i64 %num, {MOST_WORDS}
  %fits = icmp ule i64 %next, %end
  %both = and i1 %sane, %fits
  br i1 %both, label %fast, label %slow
fast:
  store i64 %next, ptr %ctx
  %found = inttoptr i64 %cursor to ptr
  ret ptr %found
slow:
  %made = call ptr @arena_chunk(ptr %ctx, i64 %num)
  ret ptr %made
}}
define internal ptr @arena_chunk(ptr %ctx, i64 %num) noinline cold {{
entry:
  %sizep = getelementptr i64, ptr %ctx, i64 3
  %last = load i64, ptr %sizep
  %twice = shl i64 %last, 1
  %capped = call i64 @llvm.smin.i64(i64 %twice, i64 {LAST_GROWTH})
  %room = call i64 @llvm.smax.i64(i64 %capped, i64 {FIRST_CHUNK})
  %need = add i64 %num, 1
  %size = call i64 @llvm.smax.i64(i64 %room, i64 %need)
  %sane = icmp ult i64 %num, {MOST_WORDS}
  br i1 %sane, label %make, label %none
make:
  %chunk = call ptr @calloc(i64 %size, i64 8)
  %failed = icmp eq ptr %chunk, null
  br i1 %failed, label %none, label %link
link:
  store i64 %room, ptr %sizep
  %headp = getelementptr i64, ptr %ctx, i64 {CHUNKS}
  %head = load ptr, ptr %headp
  store ptr %head, ptr %chunk
  store ptr %chunk, ptr %headp
  %first = getelementptr i64, ptr %chunk, i64 1
  %after = getelementptr i64, ptr %first, i64 %num
  %end = getelementptr i64, ptr %chunk, i64 %size
  %endp = getelementptr i64, ptr %ctx, i64 1
  store ptr %after, ptr %ctx
  store ptr %end, ptr %endp
  ret ptr %first
none:
  ret ptr null
}}
"""


def live_in(block: Block) -> list[Ref]:
    """Names that a reverse sweep reads before it assigns them: what the forward sweep has to leave for it."""
    found: dict[str, Ref] = {}
    _live_in(block, set(), found)
    return list(found.values())


def _live_in(block: Block, known: set[str], found: dict[str, Ref]) -> None:
    for stmt in block:
        for ref in _reads(stmt):
            if ref.name not in known:
                found.setdefault(ref.name, ref)
        if isinstance(stmt, If):
            branches = [set(known), set(known)]
            _live_in(stmt.then, branches[0], found)
            _live_in(stmt.orelse, branches[1], found)
            known |= branches[0] & branches[1]
        elif isinstance(stmt, ReverseLoop):
            _live_in(stmt.body, {*known, stmt.loop.counter.name}, found)
        else:
            known |= {ref.name for ref in _made(stmt)}


def _reads(stmt: Any) -> Iterator[Ref]:
    if isinstance(stmt, Restore):
        return
    if isinstance(stmt, ReverseLoop):
        yield stmt.loop.count
        return
    if isinstance(stmt, If):
        yield from (one for one in (stmt.cond,) if isinstance(one, Ref))
        return
    made = {ref.name for ref in _made(stmt)}
    yield from (ref for ref in uses(stmt) if ref.name not in made)


def _made(stmt: Any) -> list[Ref]:
    if isinstance(stmt, Call):
        return list(stmt.dsts)
    if isinstance(stmt, Restore):
        return [stmt.var]
    if isinstance(stmt, ShadowAdd):
        return [] if stmt.take is None else [stmt.take]
    made = None if isinstance(stmt, Accumulate) else getattr(stmt, "dst", None)
    return [made] if isinstance(made, Ref) else []


class FunctionEmitter:
    """Writes the forward or the reverse function of one callee with an emitter of its own."""

    def __init__(self, emitter: Emitter) -> None:
        self.emitter, self.program, self.reverse = emitter, emitter.program, emitter.reverse
        self.kept: list[tuple[str, str]] = []
        """slots that the record holds, and their types"""
        if self.reverse is not None and any(self.program.active):
            for ref in live_in(self.reverse.reverse):
                if not ref.name.startswith("seed."):
                    self.kept += emitter.parts(ref)
            for stmt in walk(self.reverse.reverse):
                if isinstance(stmt, ReverseLoop) and stmt.loop.frame:
                    self.kept += [(f"%{stmt.loop.name}.base", "ptr"), (f"%{stmt.loop.name}.top", "i64")]

    def _text(self, head: str, result: str) -> str:
        emitter = self.emitter
        slots = [f"  %{slot} = alloca {kind}" for slot, kind in emitter.slots.items()]
        tail = ["bail:", f"  ret {result} zeroinitializer", "}", ""]
        return "\n".join([f"{head} {{", "entry:", *slots, *emitter.lines, *tail])

    def _stack_check(self) -> None:
        emitter = self.emitter
        here = emitter.new("call ptr @llvm.frameaddress.p0(i32 0)")
        floor = emitter.new(f"load ptr, ptr {emitter.at('%ctx', FLOOR)}")
        deep, after = emitter.fresh_label("deep"), emitter.fresh_label("shallow")
        emitter.put(f"br i1 {emitter.new(f'icmp ult ptr {here}, {floor}')}, label %{deep}, label %{after}")
        emitter.start(deep)
        emitter.put(f"store i64 1, ptr {emitter.at('%ctx', REACHED)}")
        emitter.put("br label %bail")
        emitter.start(after)

    def _returned(self, result: str, values: list[tuple[str, str]]) -> None:
        found = "poison"
        for place, (kind, value) in enumerate(values):
            found = self.emitter.new(f"insertvalue {result} {found}, {kind} {value}, {place}")
        self.emitter.put(f"ret {result} {found}")

    def forward(self) -> str:
        """The value, and the record for the reverse function."""
        emitter = self.emitter
        given = [(slot, kind) for ref in self.program.params for slot, kind in emitter.parts(ref)]
        self._stack_check()
        emitter.leave_if(emitter.new("icmp slt i64 %left, 0"))
        emitter.put(f"store i64 %left, ptr {emitter.slot('calls.left', 'i64')}")
        for place, (slot, kind) in enumerate(given):
            emitter.put(f"store {kind} %arg.{place}, ptr {slot}")
        emitter.begin()
        emitter.block(self.program.body)
        emitter.leave_if(emitter.new(f"load i1, ptr {emitter.slot('trap', 'i1')}"))
        record = self._record() if self.kept else "1"
        values = [("i64", record), *(pair for one in self.program.results for pair in _words(emitter, one))]
        result = "{" + ", ".join(kind for kind, _ in values) + "}"
        self._returned(result, values)
        arguments = ", ".join(["ptr %ctx", "i64 %left", *(f"{kind} %arg.{k}" for k, (_, kind) in enumerate(given))])
        return self._text(f"define internal {result} @fwd.{self.program.name}({arguments})", result)

    def _record(self) -> str:
        emitter = self.emitter
        record = emitter.new_words(str(len(self.kept)))
        for place, (slot, kind) in enumerate(self.kept):
            value = emitter.new(f"load {kind}, ptr {self._declared(slot, kind)}")
            if kind == "i1":
                value, kind = emitter.new(f"zext i1 {value} to i64"), "i64"
            emitter.put(f"store {kind} {value}, ptr {emitter.at(record, place)}")
        return emitter.new(f"ptrtoint ptr {record} to i64")

    def _declared(self, slot: str, kind: str) -> str:
        return self.emitter.slot(slot[1:], kind)

    def backward(self) -> str:
        """Adjoints of the arguments from those of the results."""
        emitter, reverse = self.emitter, self.reverse
        if reverse is None:
            return ""
        emitter.quiet = True
        self._stack_check()
        if self.kept:
            record = emitter.new("inttoptr i64 %record to ptr")
            for place, (slot, kind) in enumerate(self.kept):
                value = emitter.new(f"load {'i64' if kind == 'i1' else kind}, ptr {emitter.at(record, place)}")
                if kind == "i1":
                    value = emitter.new(f"icmp ne i64 {value}, 0")
                emitter.put(f"store {kind} {value}, ptr {self._declared(slot, kind)}")
        seeds = [seed for seed in reverse.seeds if seed is not None]
        for place, seed in enumerate(seeds):
            emitter.set(seed, f"%arg.{place}")
        emitter.block(reverse.reverse)
        found = [one for one in reverse.gradients if one is not None]
        result = "{" + ", ".join(["i64", *("double" for _ in found)]) + "}"
        self._returned(result, [("i64", "1"), *(("double", emitter.get(one)) for one in found)])
        arguments = ", ".join(["ptr %ctx", "i64 %record", *(f"double %arg.{k}" for k in range(len(seeds)))])
        return self._text(f"define internal {result} @rev.{self.program.name}({arguments})", result)


def emit_call(emitter: Emitter, stmt: Call) -> None:
    """A call of either function; a trap inside it is a trap here."""
    context = emitter.context
    dsts = stmt.dsts if stmt.back else stmt.dsts[:-1]
    slots = [part for dst in dsts for part in emitter.parts(dst)]
    if stmt.back:
        first = [f"i64 {emitter.get(stmt.args[0])}", *(f"double {emitter.get(one)}" for one in stmt.seeds)]
        name = f"@rev.{stmt.function}"
    else:
        left = emitter.new(f"load i64, ptr {emitter.slot('calls.left', 'i64')}")
        first = [f"i64 {emitter.new(f'sub i64 {left}, {stmt.depth}')}"]
        first += [f"{kind} {value}" for one in stmt.args for kind, value in _words(emitter, one)]
        name = f"@fwd.{stmt.function}"
    result = "{" + ", ".join(["i64", *(kind for _, kind in slots)]) + "}"
    found = emitter.new(f"call {result} {name}({', '.join([f'ptr {context}', *first])})")
    status = emitter.new(f"extractvalue {result} {found}, 0")
    good = emitter.fresh_label("returned")
    emitter.put(f"br i1 {emitter.new(f'icmp eq i64 {status}, 0')}, label %bail, label %{good}")
    emitter.start(good)
    for place, (slot, kind) in enumerate(slots):
        value = emitter.new(f"extractvalue {result} {found}, {place + 1}")
        emitter.put(f"store {kind} {value}, ptr {slot}")
    if not stmt.back:
        emitter.set(stmt.dsts[-1], status)


def _words(emitter: Emitter, operand: Operand) -> Iterator[tuple[str, str]]:
    """Types and values of all that describes an operand."""
    if isinstance(operand, Ref):
        for slot, kind in emitter.parts(operand):
            yield kind, emitter.new(f"load {kind}, ptr {slot}")
    else:
        yield SCALARS[operand.type], emitter.literal(operand)  # type: ignore[index]
