"""From the program to its reverse sweep, in the same language.

Straight code at the top keeps its values in names. A round of a loop does not: it leaves in a frame only what the reverse
sweep cannot compute again from it (the headers, elements read from memory that is written, results of inner loops), and of
these only what an adjoint really reads. In reverse a round is first computed again, in names of its own, and then
taken back. Memory is never restored: an element that an adjoint needs was kept when it was read.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from custodiet.autodiff.compiler.adjoint_calls import Facts, settle
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
    Stmt,
    Store,
    Update,
    View,
    uses,
)
from custodiet.autodiff.compiler.operations import DERIVATIVES

__all__ = ["Reversed", "Sweep", "parsed_rule", "reverse_program", "walk"]

ZERO = Const(0.0)


class Reversed:
    """A program with its reverse sweep.

    Attributes:
        program: the forward sweep, with frames.
        reverse: what comes after it.
        seeds: per result the name of its incoming adjoint, None where it has none.
        gradients: per parameter the name of its adjoint; None where it has none. That of an array lies in memory.
        active: names that depend on the differentiated parameters.
        callees: the functions that it calls, with theirs.
    """

    def __init__(
        self, program: Program, reverse: Block, seeds: list[Ref | None], gradients: list[Ref | None], active: set[str]
    ) -> None:
        self.program, self.reverse, self.seeds, self.gradients, self.active = program, reverse, seeds, gradients, active
        self.callees: dict[str, Reversed] = {}


def adjoint_of(ref: Ref) -> Ref:
    """The name that holds the adjoint of a float."""
    return Ref(f"{ref.name}.b", "f")


def reverse_program(program: Program) -> Reversed:
    """Build the reverse sweep.

    Raises:
        Declined: an operation on active values has no derivative rule.
    """
    facts = settle(program, Sweep)
    found = _reverse_one(program, facts)
    found.callees = {name: _reverse_one(one, facts) for name, one in program.callees.items()}
    return found


def _reverse_one(program: Program, facts: Facts) -> Reversed:
    sweep = Sweep(program, facts)
    program.stores |= {
        ref.name for ref in program.params if isinstance(ref.type, Arr) and sweep.base(ref) in sweep.written
    }
    reverse: Block = []
    zeroed: list[Ref] = [*_defined(program.body)]
    zeroed += [ref for ref in program.params if ref.type == "f"]
    for ref in zeroed:
        if ref.type == "f" and ref.name in sweep.active:
            reverse.append(Set(adjoint_of(ref), ZERO))
    seeds: list[Ref | None] = []
    for place, result in enumerate(program.results):
        if isinstance(result, Ref) and result.type == "f" and result.name in sweep.active:
            seed = Ref(f"seed.{place}", "f")
            seeds.append(seed)
            reverse.append(Accumulate(adjoint_of(result), seed))
        else:
            seeds.append(None)
    reverse += sweep.reversed_block(program.body)
    gradients = [
        adjoint_of(ref) if wanted and ref.type == "f" else None
        for ref, wanted in zip(program.params, program.active, strict=True)
    ]
    return Reversed(program, reverse, seeds, gradients, sweep.active)


def inner_blocks(stmt: Stmt) -> list[Block]:
    """Blocks inside a statement."""
    if isinstance(stmt, If):
        return [stmt.then, stmt.orelse]
    if isinstance(stmt, Loop):
        return [stmt.pre, stmt.body]
    if isinstance(stmt, ReverseLoop):
        return [stmt.body]
    return []


def walk(block: Block) -> Iterator[Stmt]:
    """Every statement, outer before inner."""
    for stmt in block:
        yield stmt
        for inner in inner_blocks(stmt):
            yield from walk(inner)


def _defined(block: Block, *, into_loops: bool = False) -> Iterator[Ref]:
    """Names that a block assigns, those inside its loops aside."""
    for stmt in block:
        if isinstance(stmt, Op | Load | Dim | View | Alloc | Copy):
            yield stmt.dst
        elif isinstance(stmt, Call):
            yield from stmt.dsts
        elif isinstance(stmt, Loop):
            yield from (header.var for header in stmt.headers)
            if into_loops:
                yield from _defined(stmt.body, into_loops=True)
        elif isinstance(stmt, If):
            yield from _defined(stmt.then, into_loops=into_loops)
            yield from _defined(stmt.orelse, into_loops=into_loops)


class Sweep:
    """What depends on what in a program, and its reverse sweep."""

    def __init__(self, program: Program, facts: Facts) -> None:
        self.program, self.facts = program, facts
        self.numbers = itertools.count()
        self.alias: dict[str, str] = {}
        self._find_aliases(program.body)
        self.written = {
            self.base(stmt.arr) for stmt in walk(program.body) if isinstance(stmt, Store) and not stmt.initial
        }
        facts.spread_written(program, self.base, self.written)
        self.active = self._find_active()

    # -- analysis -----------------------------------------------------------------------------------------------------

    def base(self, array: Ref) -> str:
        """One name for all names of the same memory."""
        name = array.name
        while name in self.alias:
            name = self.alias[name]
        return name

    def _join(self, a: Ref, b: Ref) -> None:
        left, right = self.base(a), self.base(b)
        if left != right:
            self.alias[left] = right

    def _find_aliases(self, block: Block) -> None:
        for stmt in walk(block):
            if isinstance(stmt, View):
                self._join(stmt.dst, stmt.arr)
            elif isinstance(stmt, Copy):
                self._join(stmt.dst, stmt.src)
            elif isinstance(stmt, Call):  # what is returned may be what was handed over
                for dtype in "fi":
                    arrays = [
                        one
                        for one in (*stmt.dsts, *stmt.args)
                        if isinstance(one, Ref) and isinstance(one.type, Arr) and one.type.dtype == dtype
                    ]
                    if any(one in stmt.dsts for one in arrays):
                        for one in arrays[1:]:
                            self._join(arrays[0], one)
            elif isinstance(stmt, Loop):
                for header in stmt.headers:
                    for other in (header.init, header.latch):
                        if isinstance(header.var.type, Arr) and isinstance(other, Ref):
                            self._join(header.var, other)

    def _find_active(self) -> set[str]:
        program = self.program
        active: set[str] = set()
        for ref, wanted in zip(program.params, program.active, strict=True):
            if wanted:
                active.add(self.base(ref) if isinstance(ref.type, Arr) else ref.name)
        size = -1
        while size != len(active):
            size = len(active)
            for stmt in walk(program.body):
                self._spread(stmt, active)
            self.facts.spread_own(program, self.base, active)
        names = {
            ref.name for ref in [*program.params, *_defined(program.body, into_loops=True)] if isinstance(ref.type, Arr)
        }
        return active | {name for name in names if self.base(Ref(name, "f")) in active}

    def _spread(self, stmt: Stmt, active: set[str]) -> None:
        def on(operand: Operand) -> bool:
            return isinstance(operand, Ref) and operand.name in active

        if isinstance(stmt, Op) and stmt.dst.type == "f":
            rule = DERIVATIVES.get(stmt.op)
            carries = [
                on(arg) and (rule is None or place >= len(rule) or rule[place] is not None)
                for place, arg in enumerate(stmt.args)
            ]
            if any(carries) and stmt.op != "itof":
                active.add(stmt.dst.name)
        elif isinstance(stmt, Load) and self.base(stmt.arr) in active and stmt.dst.type == "f":
            active.add(stmt.dst.name)
        elif isinstance(stmt, Store | Update) and on(stmt.src):
            active.add(self.base(stmt.arr))
        elif isinstance(stmt, MatMul) and (self.base(stmt.a) in active or self.base(stmt.b) in active):
            active.add(self.base(stmt.dst))
        elif isinstance(stmt, Call):
            self.facts.spread_call(stmt, self.base, active)
        elif isinstance(stmt, Loop):
            for header in stmt.headers:
                if header.var.type == "f" and (on(header.init) or on(header.latch)):
                    active.add(header.var.name)

    def is_active(self, operand: Operand) -> bool:
        """Whether an operand is a float that depends on the differentiated parameters."""
        return isinstance(operand, Ref) and operand.type == "f" and operand.name in self.active

    # -- reverse ------------------------------------------------------------------------------------------------------

    def reversed_block(self, block: Block) -> Block:
        """Adjoint statements of a block, last statement first."""
        out: Block = []
        for stmt in reversed(block):
            out += self._reversed(stmt)
        return out

    def _reversed(self, stmt: Stmt) -> Block:
        if isinstance(stmt, Op):
            return self._reversed_op(stmt)
        if isinstance(stmt, Load):
            if self.is_active(stmt.dst):
                return [ShadowAdd(stmt.arr, stmt.index, src=adjoint_of(stmt.dst))]
            return []
        if isinstance(stmt, Store):
            if stmt.arr.name not in self.active:
                return []
            taken = self._temp()
            once = stmt.initial  # nobody asks for the adjoint of what was there before
            out: Block = [
                ShadowAdd(stmt.arr, stmt.index, peek=taken) if once else ShadowAdd(stmt.arr, stmt.index, take=taken)
            ]
            if self.is_active(stmt.src):
                out.append(Accumulate(adjoint_of(stmt.src), taken))  # type: ignore[arg-type]
            return out
        if isinstance(stmt, If):
            then, orelse = self.reversed_block(stmt.then), self.reversed_block(stmt.orelse)
            return [If(stmt.cond, then, orelse, line=stmt.line)] if then or orelse else []
        if isinstance(stmt, Loop):
            return self._reversed_loop(stmt)
        if isinstance(stmt, MatMul):
            return self._reversed_product(stmt)
        if isinstance(stmt, Update):
            if not self.is_active(stmt.src):
                return []
            part = self._temp()
            out = [ShadowAdd(stmt.arr, stmt.index, peek=part)]
            if stmt.negative:
                part = self._emit(out, "fneg", part)
            return [*out, Accumulate(adjoint_of(stmt.src), part)]  # type: ignore[arg-type]
        if isinstance(stmt, Call):
            return self._reversed_call(stmt)
        return []

    def _reversed_product(self, stmt: MatMul) -> Block:
        """A += g op(b)^T and b += op(a)^T g, each the other way round where the factor was transposed."""
        if stmt.dst.name not in self.active:
            return []
        for factor in (stmt.a, stmt.b):
            if self.base(factor) in self.written:
                raise Declined("a product of an array that is written", line=stmt.line)
        out: Block = []
        g, a, b, ta, tb = stmt.dst, stmt.a, stmt.b, stmt.transpose_a, stmt.transpose_b
        m, n, k = stmt.sizes
        if a.name in self.active:
            part = (
                MatMul(a, g, b, False, not tb, (m, k, n), "ssp")
                if not ta
                else MatMul(a, b, g, tb, True, (k, m, n), "sps")
            )
            out.append(replace(part, add=True, line=stmt.line))
        if b.name in self.active:
            part = (
                MatMul(b, a, g, not ta, False, (k, n, m), "sps")
                if not tb
                else MatMul(b, g, a, True, ta, (n, k, m), "ssp")
            )
            out.append(replace(part, add=True, line=stmt.line))
        return out

    def _reversed_call(self, stmt: Call) -> Block:
        """The reverse function takes the adjoints of active results and the record, and gives those of active floats."""
        callee = self.facts.programs[stmt.function]
        if not any(callee.active):
            return []
        results = self.facts.results[stmt.function]
        seeds = tuple(adjoint_of(dst) for dst, on in zip(stmt.dsts, results, strict=False) if on and dst.type == "f")
        out: Block = []
        dsts: list[Ref] = []
        for param, wanted, arg in zip(callee.params, callee.active, stmt.args, strict=True):
            if wanted and param.type == "f":
                dsts.append(self._temp())
                if self.is_active(arg):
                    out.append(Accumulate(adjoint_of(arg), dsts[-1]))  # type: ignore[arg-type]
        call = Call(tuple(dsts), stmt.function, (stmt.dsts[-1],), seeds, line=stmt.line, back=True)
        return [call, *out]

    def _temp(self) -> Ref:
        return Ref(f"d.{next(self.numbers)}", "f")

    def _reversed_op(self, stmt: Op) -> Block:
        if not self.is_active(stmt.dst):
            return []
        g = adjoint_of(stmt.dst)
        out: Block = []
        if stmt.op == "copy":
            return [Accumulate(adjoint_of(stmt.args[0]), g)] if self.is_active(stmt.args[0]) else []  # type: ignore[arg-type]
        if stmt.op == "itof":  # an int on this path, a float that varies on another
            return []
        if stmt.op == "select":
            cond, *branches = stmt.args
            for place, branch in enumerate(branches):
                if self.is_active(branch):
                    part = self._temp()
                    choice = (cond, g, ZERO) if place == 0 else (cond, ZERO, g)
                    out += [Op(part, "select", choice), Accumulate(adjoint_of(branch), part)]  # type: ignore[arg-type]
            return out
        rule = DERIVATIVES.get(stmt.op)
        if rule is None:
            raise Declined(f"`{stmt.op}` has no compiled derivative", line=stmt.line)
        names: dict[str, Operand] = {"g": g, "y": stmt.dst, **dict(zip("ab", stmt.args, strict=False))}
        for text, arg in zip(rule, stmt.args, strict=True):
            if text is not None and self.is_active(arg):
                out.append(Accumulate(adjoint_of(arg), self.expand(text, names, out)))  # type: ignore[arg-type]
        return out

    def expand(self, text: str, names: dict[str, Operand], out: Block) -> Operand:
        """The statements of a rule's text, appended to `out`; its value."""
        return self._expand(parsed_rule(text), names, out)

    def _expand(self, node: ast.expr, names: dict[str, Operand], out: Block) -> Operand:
        if isinstance(node, ast.Name):
            return names[node.id]
        if isinstance(node, ast.Constant):
            return Const(float(node.value))  # type: ignore[arg-type]
        if isinstance(node, ast.UnaryOp):
            inner = self._expand(node.operand, names, out)
            if isinstance(inner, Const):
                return Const(-inner.value)
            return self._emit(out, "fneg", inner)
        if isinstance(node, ast.BinOp):
            left, right = self._expand(node.left, names, out), self._expand(node.right, names, out)
            kind = {"Add": "fadd", "Sub": "fsub", "Mult": "fmul", "Div": "fdiv"}[type(node.op).__name__]
            return self._emit(out, kind, left, right)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self._emit(out, node.func.id, *(self._expand(one, names, out) for one in node.args))
        raise Declined("a derivative rule that cannot be read")

    def _emit(self, out: Block, op: str, *args: Operand) -> Ref:
        dst = self._temp()
        out.append(Op(dst, op, args))
        return dst

    # -- loops --------------------------------------------------------------------------------------------------------

    def _reversed_loop(self, loop: Loop) -> Block:
        restored = [Restore(loop.name, header.var) for header in loop.headers]
        recomputed = self._recomputed(loop, loop.body)
        zeroed: Block = [Set(adjoint_of(ref), ZERO) for ref in _defined(loop.body) if self.is_active(ref)]
        latches: Block = []
        moved: list[tuple[Ref, Operand]] = []
        for header in loop.headers:
            if self.is_active(header.var):
                part = self._temp()
                latches += [Set(part, adjoint_of(header.var)), Set(adjoint_of(header.var), ZERO)]
                moved.append((part, header.latch))
        latches += [Accumulate(adjoint_of(latch), part) for part, latch in moved if self.is_active(latch)]  # type: ignore[arg-type]
        work = self.reversed_block(loop.body)
        out: Block = []
        if work or latches:
            body = _without_dead([*restored, *recomputed, *zeroed, *latches, *work])
            self._keep(loop, body)
            out.append(ReverseLoop(loop, body))
        for header in loop.headers:
            if self.is_active(header.var) and self.is_active(header.init):
                out.append(Accumulate(adjoint_of(header.init), adjoint_of(header.var)))  # type: ignore[arg-type]
        return out

    def _recomputed(self, loop: Loop, block: Block) -> Block:
        """The block again, with what cannot be computed again taken from the frame."""
        out: Block = []
        for stmt in block:
            if isinstance(stmt, Op | Dim | View | Copy):
                out.append(stmt)
            elif isinstance(stmt, Load):
                kept = self.base(stmt.arr) in self.written
                out.append(Restore(loop.name, stmt.dst) if kept else replace(stmt, checked=True))
            elif isinstance(stmt, Alloc):
                out.append(Restore(loop.name, stmt.dst))
            elif isinstance(stmt, Call):
                out += [Restore(loop.name, ref) for ref in stmt.dsts]
            elif isinstance(stmt, Loop):
                out += [Restore(loop.name, ref) for ref in (stmt.count, *(header.var for header in stmt.headers))]
            elif isinstance(stmt, If):
                then, orelse = self._recomputed(loop, stmt.then), self._recomputed(loop, stmt.orelse)
                if then or orelse:
                    out.append(If(stmt.cond, then, orelse, line=stmt.line))
        return out

    def _keep(self, loop: Loop, body: Block) -> None:
        """Have the forward sweep save what the reverse body restores."""
        wanted = {
            stmt.var.name: stmt.var for stmt in walk(body) if isinstance(stmt, Restore) and stmt.loop == loop.name
        }
        loop.frame = list(wanted.values())
        headers = [header.var for header in loop.headers if header.var.name in wanted]
        _insert_saves(loop.body, loop.name, {name for name in wanted if name not in {ref.name for ref in headers}})
        loop.body[:0] = [Save(loop.name, ref) for ref in headers]


def _insert_saves(block: Block, name: str, wanted: set[str]) -> None:
    place = 0
    while place < len(block):
        stmt = block[place]
        made: Sequence[Ref] = ()
        if isinstance(stmt, Load | Alloc):
            made = (stmt.dst,)
        elif isinstance(stmt, Call):
            made = stmt.dsts
        elif isinstance(stmt, Loop):
            made = (stmt.count, *(header.var for header in stmt.headers))
        elif isinstance(stmt, If):
            _insert_saves(stmt.then, name, wanted)
            _insert_saves(stmt.orelse, name, wanted)
        saves = [Save(name, ref) for ref in made if ref.name in wanted]
        block[place + 1 : place + 1] = saves
        place += 1 + len(saves)


def _without_dead(block: Block) -> Block:
    """Drop computations of names that nothing reads."""
    while True:
        read: set[str] = set()
        for stmt in walk(block):
            read |= {ref.name for ref in _read_by(stmt)}
        smaller = _filtered(block, read)
        if sum(1 for _ in walk(smaller)) == sum(1 for _ in walk(block)):
            return smaller
        block = smaller


def _read_by(stmt: Stmt) -> Iterator[Ref]:
    if isinstance(stmt, Op):
        yield from (arg for arg in stmt.args if isinstance(arg, Ref))
    elif isinstance(stmt, Set | Accumulate):
        if isinstance(stmt.src, Ref):
            yield stmt.src
        if isinstance(stmt, Accumulate):
            yield stmt.dst
    elif isinstance(stmt, Load):
        yield stmt.arr
        yield from (one for one in stmt.index if isinstance(one, Ref))
    elif isinstance(stmt, Dim):
        yield stmt.arr
    elif isinstance(stmt, Copy):
        yield stmt.src
    elif isinstance(stmt, View):
        yield stmt.arr
        yield from (one for one in (stmt.index, stmt.low, stmt.high) if isinstance(one, Ref))
    elif isinstance(stmt, If):
        if isinstance(stmt.cond, Ref):
            yield stmt.cond
    elif isinstance(stmt, ReverseLoop):
        yield stmt.loop.count
    elif isinstance(stmt, MatMul):
        yield from (stmt.dst, stmt.a, stmt.b)
        yield from (one for one in stmt.sizes if isinstance(one, Ref))
    elif isinstance(stmt, ShadowAdd):
        yield stmt.arr
        yield from (one for one in (*stmt.index, stmt.src) if isinstance(one, Ref))
    elif not isinstance(stmt, Restore | Require):
        yield from uses(stmt)


def _filtered(block: Block, read: set[str]) -> Block:
    out: Block = []
    for stmt in block:
        if isinstance(stmt, Op | Load | Dim | View | Copy) and stmt.dst.name not in read:
            continue
        if isinstance(stmt, Restore) and stmt.var.name not in read:
            continue
        if isinstance(stmt, If):
            then, orelse = _filtered(stmt.then, read), _filtered(stmt.orelse, read)
            if then or orelse:
                out.append(If(stmt.cond, then, orelse, line=stmt.line))
            continue
        out.append(stmt)
    return out


@lru_cache(maxsize=256)
def parsed_rule(text: str) -> ast.expr:
    """The tree of a rule's text."""
    return ast.parse(text, mode="eval").body
