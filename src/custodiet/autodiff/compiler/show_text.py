"""Writes statements of `ir` as lines of Python: one method per kind of statement."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable

from custodiet.autodiff.compiler.adjoint import inner_blocks, walk
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
    place_key,
)
from custodiet.autodiff.compiler.show_expressions import expression
from custodiet.autodiff.compiler.show_lines import WIDTH, Lines, Origin, Waiting
from custodiet.autodiff.compiler.show_names import is_adjoint

__all__ = ["Writer"]


class Writer(Lines):
    """The text of one program and its reverse sweep."""

    def text(self) -> str:
        """All of it."""
        names, program = self.names, self.program
        params = [names.show(ref) for ref in program.params]
        seeds = [names.show(one) for one in self.reversed.seeds if one is not None]
        given = [*params, *(f"{one}={1.0 if place == 0 else 0.0}" for place, one in enumerate(seeds))]
        self._frames()
        for ref in program.params:
            if names.has_shadow(ref):
                self.put(f"{names.shadow(ref)} = zeros_like({names.show(ref)})")
        self.block(program.body, last=False)
        results = [ast.unparse(self.value(one)) for one in program.results]
        value = names.fresh("value")
        self.flush()
        self.put(f"{value} = {', '.join(results)}")
        self.put("")
        self.put("# reverse sweep")
        self.told_last, self.in_reverse = None, True
        self.block(self.reversed.reverse, last=False)
        gradients = []
        for ref, gradient, wanted in zip(program.params, self.reversed.gradients, program.active, strict=True):
            if gradient is not None:
                gradients.append(ast.unparse(self.value(gradient)))
            elif wanted:
                gradients.append(names.shadow(ref) if names.has_shadow(ref) else f"zeros_like({names.show(ref)})")
        self.put(f"return {value}, ({', '.join(gradients)}{',' if len(gradients) == 1 else ''})")
        head = f"def {program.name}_gradient({', '.join(given)}):"
        return "\n".join([head, *self.lines, ""])

    def _frames(self) -> None:
        for loop in (stmt for stmt in walk(self.program.body) if isinstance(stmt, Loop)):
            if self._frame_of(loop):
                self.frames[loop.name] = self.names.fresh("frames")
                self.put(f"{self.frames[loop.name]} = Frames()")

    # -- functions that call themselves -------------------------------------------------------------------------------

    def function_text(self) -> str:
        """A function that is called: it answers its results and `back`, which takes their adjoints to those of its floats."""
        names, program = self.names, self.program
        given = [part for ref in program.params for part in self._parts(ref)]
        seeds = [names.show(one) for one in self.reversed.seeds if one is not None]
        self._frames()
        self.block(program.body, last=False)
        results: list[str] = []
        for one in program.results:
            array = isinstance(one, Ref) and isinstance(one.type, Arr)
            results += self._parts(one) if array else [ast.unparse(self.value(one))]  # type: ignore[arg-type]
        kept = [names.fresh("result") for _ in results]
        self.flush()
        for name, one in zip(kept, results, strict=True):
            self.put(f"{name} = {one}")
        back = names.fresh("back")
        forward, self.lines = self.lines, []
        self.depth += 1
        self.told_last, self.in_reverse = None, True
        self.block(self.reversed.reverse, last=False)
        gradients = [ast.unparse(self.value(one)) for one in self.reversed.gradients if one is not None]
        self.put(f"return ({', '.join(gradients)}{',' if len(gradients) == 1 else ''})")
        self.depth -= 1
        reverse, self.lines = self.lines, []
        shared = sorted((_assigned(forward) | set(given)) & (_assigned(reverse) - set(seeds)))
        self.put("")
        self.put(f"def {back}({', '.join(seeds)}):")
        if shared:
            self.put(f"    nonlocal {', '.join(shared)}")
        head = f"def {self.functions[program.name]}({', '.join(given)}):"
        return "\n".join([head, *forward, *self.lines, *reverse, "", f"    return {', '.join([*kept, back])}", "", ""])

    def _call(self, stmt: Call) -> None:
        if stmt.back:
            targets = [self.names.show(ref) for ref in stmt.dsts]
            (record,) = (ast.unparse(self.value(one)) for one in stmt.args)
            found = f"{record}({', '.join(ast.unparse(self.value(one)) for one in stmt.seeds)})"
        else:
            targets = [part for ref in stmt.dsts for part in self._parts(ref)]
            given: list[str] = []
            for one in stmt.args:
                array = isinstance(one, Ref) and isinstance(one.type, Arr)
                given += self._parts(one) if array else [ast.unparse(self.value(one))]  # type: ignore[arg-type]
            found = f"{self.functions[stmt.function]}({', '.join(given)})"
        self.flush_memory()
        self.flush(lambda one: any(isinstance(part, ast.Name) and part.id in targets for part in ast.walk(one)))
        origin = None if stmt.back else self.program.origins.get(stmt.dsts[-1].name, self.origin)
        left = f"{', '.join(targets)}{',' if len(targets) == 1 and stmt.back else ''} = " if targets else ""
        self.put(left + found, origin)

    # -- scalars ------------------------------------------------------------------------------------------------------

    def _op(self, stmt: Op) -> None:
        if self.names.is_same(stmt) or self.names.is_unread(stmt.dst):
            return
        args = [self.value(one) for one in stmt.args]
        found = expression(stmt.op, args, f"line {stmt.line} of {self.program.name}")
        self.wait(stmt.dst, found, self.program.origins.get(stmt.dst.name, self.origin))

    def _set(self, stmt: Set) -> None:
        name = self.names.canonical(stmt.dst.name)
        if stmt.src == Const(0.0) and is_adjoint(name):
            self.zeros[name] = stmt.dst
            return
        self.wait(stmt.dst, self.value(stmt.src), self.origin)

    def _accumulate(self, stmt: Accumulate) -> None:
        if self.names.is_same(stmt):
            return
        name = self.names.canonical(stmt.dst.name)
        found = self.value(stmt.src)
        if name in self.zeros:
            del self.zeros[name]
            if isinstance(found, ast.Name) and found.id == self.names.show(stmt.dst):
                return  # it holds that already
            num_reads = self.names.reverse[name]
            once = self.names.accumulated[name] == 1 and (num_reads == 1 or (num_reads and isinstance(found, ast.Name)))
            if once and len(ast.unparse(found)) <= WIDTH:
                self.pending[name] = Waiting(found, self.origin, num_reads)
            else:
                self.assign(self.names.show(stmt.dst), ast.unparse(found), self.origin)
        elif isinstance(found, ast.UnaryOp) and isinstance(found.op, ast.USub):
            self.assign(self.names.show(stmt.dst), ast.unparse(found.operand), self.origin, "-=")
        else:
            self.assign(self.names.show(stmt.dst), ast.unparse(found), self.origin, "+=")

    def _require(self, stmt: Require) -> None:
        self.put(f"assert {ast.unparse(self.value(stmt.cond))}")

    # -- arrays -------------------------------------------------------------------------------------------------------

    def element(self, array: str, index: Iterable[Operand]) -> ast.expr:
        """`array[index]`."""
        parts = [self.value(one) for one in index]
        return ast.Subscript(ast.Name(array), parts[0] if len(parts) == 1 else ast.Tuple(parts))

    def _load(self, stmt: Load) -> None:
        found = self.element(self.names.show(stmt.arr), stmt.index)
        self.wait(stmt.dst, found, self.program.origins.get(stmt.dst.name))

    def _store(self, stmt: Store) -> None:
        source = self.value(stmt.src)
        target = self.element(self.names.show(stmt.arr), stmt.index)
        self.flush_memory()
        origin = self.program.origins.get(place_key(stmt.arr, stmt.index))
        self.put(f"{ast.unparse(target)} = {ast.unparse(source)}", origin)

    def _update(self, stmt: Update) -> None:
        source = ast.unparse(self.value(stmt.src))
        target = ast.unparse(self.element(self.names.show(stmt.arr), stmt.index))
        self.flush_memory()
        self.put(f"{target} {'-=' if stmt.negative else '+='} {source}", self._line_of(stmt))

    def _matmul(self, stmt: MatMul) -> None:
        """Into memory that is there: `out[...] = a @ b`."""
        shown = [
            self.names.show(ref) if what == "p" else self.names.shadow(ref)
            for ref, what in zip((stmt.dst, stmt.a, stmt.b), stmt.which, strict=True)
        ]
        dst, a, b = shown
        product = f"{a}{'.T' if stmt.transpose_a else ''} @ {b}{'.T' if stmt.transpose_b else ''}"
        rows, columns, inner = (self.value(one) for one in stmt.sizes)
        self.flush_memory()
        if any(isinstance(ref.type, Arr) and ref.type.ndim != 2 for ref in (stmt.dst, stmt.a, stmt.b)):
            sizes = [ast.unparse(one) for one in (rows, inner, columns)]
            product = (
                f"product({a}, {b}, {', '.join(sizes)}, {stmt.transpose_a}, {stmt.transpose_b}).reshape({dst}.shape)"
            )
        self.put(f"{dst}[...] {'+=' if stmt.add else '='} {product}", self._line_of(stmt))

    def _line_of(self, stmt: Stmt) -> Origin | None:
        """Origin of a statement that names an array that is there."""
        return self.program.origins.get(stmt.dst.name) if isinstance(stmt, MatMul) else self.origin

    def _shadowadd(self, stmt: ShadowAdd) -> None:
        if stmt.peek is not None:
            found = self.element(self.names.shadow(stmt.arr), stmt.index)
            self.wait(stmt.peek, found, self.program.origins.get(place_key(stmt.arr, stmt.index)))
            return
        place = ast.unparse(self.element(self.names.shadow(stmt.arr), stmt.index))
        if stmt.take is not None:
            origin = self.program.origins.get(place_key(stmt.arr, stmt.index))
            self.flush_memory()
            if self.names.reverse[stmt.take.name]:
                self.put(f"{self.names.show(stmt.take)} = {place}", origin)
            self.put(f"{place} = 0.0", origin)
        elif stmt.src is not None:
            found, sign = self.value(stmt.src), "+="
            if isinstance(found, ast.UnaryOp) and isinstance(found.op, ast.USub):
                found, sign = found.operand, "-="
            self.put(f"{place} {sign} {ast.unparse(found)}", self.origin)

    def _dim(self, stmt: Dim) -> None:
        shape = ast.Attribute(ast.Name(self.names.show(stmt.arr)), "shape")
        self.wait(
            stmt.dst,
            ast.Subscript(shape, ast.Constant(stmt.axis)),
            self.program.origins.get(stmt.dst.name, self.origin),
        )

    def _copy(self, stmt: Copy) -> None:
        self._bind(stmt.dst, self._parts(stmt.src))

    def _view(self, stmt: View) -> None:
        if stmt.index is not None:
            index = ast.unparse(self.value(stmt.index))
        else:
            low, high = (self.value(one or Const(0)) for one in (stmt.low, stmt.high))
            index = f"{ast.unparse(low)}:{ast.unparse(high)}"
        self._bind(stmt.dst, [f"{one}[{index}]" for one in self._parts(stmt.arr)])

    def _alloc(self, stmt: Alloc) -> None:
        shape = [ast.unparse(self.value(one)) for one in stmt.shape]
        size = shape[0] if len(shape) == 1 else f"({', '.join(shape)})"
        new = f"zeros({size})" if stmt.fill == Const(0.0) else f"full({size}, {ast.unparse(self.value(stmt.fill))})"
        if isinstance(stmt.dst.type, Arr) and stmt.dst.type.dtype == "i":
            new = f"zeros({size}, int)"
        self._bind(stmt.dst, [new, f"zeros_like({self.names.show(stmt.dst)})"], self.program.origins.get(stmt.dst.name))

    def _parts(self, ref: Ref) -> list[str]:
        """A name, and that of its adjoint where it is an array with one."""
        names = self.names
        return [names.show(ref), *([names.shadow(ref)] if names.has_shadow(ref) else [])]

    def _bind(self, dst: Ref, values: list[str], origin: Origin | None = None) -> None:
        for target, one in zip(self._parts(dst), values, strict=False):
            if target != one:
                self.assign(target, one, origin)

    # -- branches and loops -------------------------------------------------------------------------------------------

    def _if(self, stmt: If) -> None:
        cond = self.value(stmt.cond)
        self.nested(inner_blocks(stmt))
        then, orelse = (self._drafted(block) for block in (stmt.then, stmt.orelse))
        if not then and not orelse:
            return
        if not then:
            cond, then, orelse = ast.UnaryOp(ast.Not(), cond), orelse, []
        self.put(f"if {ast.unparse(cond)}:")
        self.lines += then
        if orelse:
            self.put("else:")
            self.lines += orelse

    def _drafted(self, block: Block) -> list[str]:
        """The lines of a block, not yet written; none where it does nothing."""
        outer, self.lines = self.lines, []
        self.inner(block)
        drafted, self.lines = self.lines, outer
        return [] if drafted == ["    " * (self.depth + 1) + "pass"] else drafted

    def _frame_of(self, loop: Loop) -> list[Ref]:
        return [ref for ref in loop.frame if ref.name not in self.names.counts]

    def _in_order(self, loop: Loop) -> bool:
        """Whether a round leaves no more than what it began with."""
        return {ref.name for ref in self._frame_of(loop)} <= {header.var.name for header in loop.headers}

    def _loop(self, stmt: Loop) -> None:
        names = self.names
        trips = None if stmt.trips is None else ast.unparse(self.value(stmt.trips))
        alive = [h for h in stmt.headers if h.var.name not in names.dead]
        starts = [(names.show(h.var), h) for h in alive]
        for target, header in starts:
            if isinstance(header.var.type, Arr):
                self._bind(header.var, self._parts(header.init))  # type: ignore[arg-type]
            elif not (isinstance(header.init, Ref) and names.show(header.init) == target):
                self.assign(target, ast.unparse(self.value(header.init)), names.program.origins.get(header.var.name))
        self.nested(inner_blocks(stmt))
        rounds = ""
        if stmt.count.name not in names.counts and (names.forward[stmt.count.name] or names.reverse[stmt.count.name]):
            rounds = names.show(stmt.count)
            self.put(f"{rounds} = 0")
        begun = self._head(stmt, trips)
        self.depth += 1
        self.told_last = None
        self.lines += begun
        saved = self._push(stmt)
        self._body(stmt, saved, rounds)
        self.depth -= 1
        self.told_last = None

    def _head(self, stmt: Loop, trips: str | None) -> list[str]:
        """The line that begins a loop; the lines that begin its rounds."""
        if trips is not None:
            counter = self.names.show(stmt.counter) if self.names.forward[stmt.counter.name] else "_"
            self.put(f"for {counter} in range({trips}):")
            return []
        outer, self.lines = self.lines, []
        self.depth += 1
        for one in stmt.pre:
            self.origin = None
            getattr(self, f"_{type(one).__name__.lower()}")(one)
        cond = self.value(stmt.cond or Const(True))
        self.flush()
        drafted, self.lines = self.lines, outer
        self.depth -= 1
        if drafted:
            self.put("while True:")
            inside = "    " * (self.depth + 1)
            return [*drafted, f"{inside}if not ({ast.unparse(cond)}):", f"{inside}    break"]
        self.put(f"while {ast.unparse(cond)}:")
        return []

    def _push(self, stmt: Loop) -> int:
        """Begin a frame; how many of the body's statements that was."""
        if stmt.name not in self.frames:
            return 0
        num = 0
        while num < len(stmt.body) and isinstance(stmt.body[num], Save):
            num += 1
        frame = self.frames[stmt.name]
        parts = [part for one in stmt.body[:num] for part in self._parts(one.var)]  # type: ignore[attr-defined]
        if self._in_order(stmt):
            self.put(f"{frame}.push({', '.join(parts)})")
        else:
            self.rows[stmt.name] = row = self.rows.get(stmt.name) or self.names.fresh("row")
            self.put(f"{row} = {frame}.push({', '.join(f'{part}={part}' for part in parts)})")
        return num

    def _body(self, stmt: Loop, start: int, rounds: str) -> None:
        """A round, and what it hands to the next."""
        self.block(stmt.body[start:], last=False)
        targets, values = [], []
        self.origin = None
        for header in (one for one in stmt.headers if one.var.name not in self.names.dead):
            if isinstance(header.var.type, Arr):
                targets += self._parts(header.var)
                values += self._parts(header.latch)  # type: ignore[arg-type]
            else:
                targets.append(self.names.show(header.var))
                values.append(ast.unparse(self.value(header.latch)))
        origin = self.origin if len(targets) == 1 else None
        self.flush()
        self.give(targets, values, origin)
        if rounds:
            self.put(f"{rounds} += 1")
        if stmt.stop is not None:
            self.put(f"if {ast.unparse(self.value(stmt.stop))}:")
            self.put("    break")
        elif not (stmt.body[start:] or targets or rounds or stmt.name in self.frames):
            self.put("pass")

    def _reverseloop(self, stmt: ReverseLoop) -> None:
        names, loop = self.names, stmt.loop
        count = ast.unparse(self.value(loop.count))
        self.nested([stmt.body])
        counter = names.show(loop.counter) if names.reverse[loop.counter.name] else "_"
        self.put(f"for {counter} in reversed(range({count})):" if counter != "_" else f"for _ in range({count}):")
        self.depth += 1
        if loop.name in self.frames:
            frame = self.frames[loop.name]
            if self._in_order(loop):
                parts = [part for ref in self._frame_of(loop) for part in self._parts(ref)]
                self.put(f"{', '.join(parts) if len(parts) > 1 else f'({parts[0]},)'} = {frame}.pop()")
            else:
                self.put(f"{self.rows[loop.name]} = {frame}.pop()")
        self.depth -= 1
        self.inner(stmt.body)

    def _save(self, stmt: Save) -> None:
        if stmt.var.name in self.names.counts:
            return
        for part in self._parts(stmt.var):
            self.put(f"{self.rows[stmt.loop]}.{part} = {part}")

    def _restore(self, stmt: Restore) -> None:
        loop = next(one for one in walk(self.program.body) if isinstance(one, Loop) and one.name == stmt.loop)
        if stmt.var.name in self.names.counts or self._in_order(loop):
            return
        for part in self._parts(stmt.var):
            self.assign(part, f"{self.rows[stmt.loop]}.{part}", None)


def _assigned(lines: list[str]) -> set[str]:
    """Names that the lines of a function's body assign."""
    tree = ast.parse(textwrap.dedent("\n".join(lines)))
    return {one.id for one in ast.walk(tree) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
