"""Lines of Python, and the expressions and zeros that wait to become one.

An expression waits (`pending`) until the one statement that uses it; it is written under a name of its own when something
that it reads changes first. An adjoint that is set to zero waits too: its first addend is then an assignment.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from custodiet.autodiff.compiler.adjoint import Reversed, walk
from custodiet.autodiff.compiler.ir import Accumulate, Block, Const, Operand, Program, Ref, Set, Stmt
from custodiet.autodiff.compiler.show_expressions import literal
from custodiet.autodiff.compiler.show_names import Names, is_adjoint, reads
from custodiet.errors import DifferentiationError

__all__ = ["Lines", "Origin", "Waiting", "WIDTH"]

Origin = tuple[str, int]
WIDTH = 72
"""an expression that is longer gets a name"""


@dataclass
class Waiting:
    """An expression that is not written yet, and how many will read it."""

    found: ast.expr
    origin: Origin | None
    left: int = 1


class Lines:
    """The text so far."""

    def __init__(
        self, program: Program, reversed_: Reversed, comment: Callable[[Origin], str], functions: Mapping[str, str]
    ) -> None:
        self.program, self.reversed, self.comment, self.functions = program, reversed_, comment, functions
        self.names = Names(program, reversed_, functions.values())
        self.lines: list[str] = []
        self.depth = 1
        self.in_reverse = False
        self.pending: dict[str, Waiting] = {}
        self.zeros: dict[str, Ref] = {}
        self.origin: Origin | None = None
        self.told_last: Origin | None = None
        self.frames: dict[str, str] = {}
        self.rows: dict[str, str] = {}

    # -- lines --------------------------------------------------------------------------------------------------------

    def put(self, text: str, origin: Origin | None = None) -> None:
        """One line, under a comment with the line of the user's source that it comes from."""
        if origin is not None and origin != self.told_last:
            self.told_last = origin
            self.lines.append("    " * self.depth + self.comment(origin))
        self.lines.append(("    " * self.depth + text).rstrip())

    def give(self, targets: Iterable[str], values: Iterable[str], origin: Origin | None = None) -> None:
        """Assignments at once, those that change nothing left out."""
        pairs = [(a, b) for a, b in zip(targets, values, strict=True) if a != b]
        if pairs:
            left, right = (", ".join(side) for side in zip(*pairs, strict=True))
            self.put(f"{left} = {right}", origin)

    def value(self, operand: Operand) -> ast.expr:
        """An operand as an expression; a pending one is used up."""
        if isinstance(operand, Const):
            return literal(operand.value)
        names = self.names
        if operand.name in names.counts:
            return self.value(names.counts[operand.name])
        name = names.canonical(operand.name)
        if name in self.pending:
            waiting = self.pending[name]
            waiting.left -= 1
            if not waiting.left:
                del self.pending[name]
            own = self.program.origins.get(operand.name[:-2]) if is_adjoint(name) else None
            self.origin = own or waiting.origin or self.origin
            return waiting.found
        if name in self.zeros:
            self.write_zeros([name])
        if is_adjoint(name):
            self.origin = self.program.origins.get(operand.name[:-2], self.origin)
        return ast.Name(names.show(operand))

    def wait(self, ref: Ref, found: ast.expr, origin: Origin | None) -> None:
        """Name an expression, now or never."""
        name = self.names.canonical(ref.name)
        if self.names.inlines(name, in_reverse=self.in_reverse) and len(ast.unparse(found)) <= WIDTH:
            self.pending[name] = Waiting(found, origin)
            return
        self.assign(self.names.show(ref), ast.unparse(found), origin)

    def assign(self, target: str, text: str, origin: Origin | None, sign: str = "=") -> None:
        """Write an assignment, and before it what still waits for the old value."""
        self.flush(lambda found: any(isinstance(one, ast.Name) and one.id == target for one in ast.walk(found)))
        self.put(f"{target} {sign} {text}", origin)

    def flush(self, wanted: Callable[[ast.expr], bool] = lambda _: True) -> None:
        """Write pending expressions under names of their own."""
        for name in [name for name, waiting in self.pending.items() if wanted(waiting.found)]:
            waiting = self.pending.pop(name)
            self.put(f"{self.names.show(Ref(name, 'f'))} = {ast.unparse(waiting.found)}", waiting.origin)

    def flush_memory(self) -> None:
        """Write pending expressions that read memory."""
        self.flush(lambda found: any(isinstance(one, ast.Subscript) for one in ast.walk(found)))

    def write_zeros(self, wanted: Iterable[str]) -> None:
        """Write the zeros that waited."""
        due = [self.names.show(self.zeros.pop(name)) for name in list(wanted)]
        if due:
            self.flush(lambda found: any(isinstance(one, ast.Name) and one.id in due for one in ast.walk(found)))
            self.put(f"{' = '.join(due)} = 0.0")

    def block(self, block: Block, *, last: bool = True) -> None:
        """Statements in order."""
        for stmt in block:
            if self.names.is_dead(stmt):
                continue
            method = getattr(self, f"_{type(stmt).__name__.lower()}", None)
            if method is None:
                raise DifferentiationError(
                    f"the printed derivative has no form for `{type(stmt).__name__}` statements",
                    where=f"line {getattr(stmt, 'line', 0)} of {self.program.name}",
                )
            self.origin = None
            method(stmt)
        if last:
            self.flush()
            self.write_zeros(self._still_read(block))
            self.zeros.clear()

    def _still_read(self, block: Block) -> list[str]:
        """Adjoints that wait to be zero and that something outside the block, or its next run, may read."""
        inside: dict[str, int] = {}
        first: dict[str, Stmt] = {}
        for stmt in walk(block):
            for ref in reads(stmt, self.names.dead):
                name = self.names.canonical(ref.name)
                inside[name] = inside.get(name, 0) + 1
                first.setdefault(name, stmt)
            if isinstance(stmt, Set):
                first.setdefault(self.names.canonical(stmt.dst.name), stmt)
        return [
            name
            for name in self.zeros
            if self.names.reverse[name] > inside.get(name, 0) or not isinstance(first.get(name), Set) or _reads_itself(first[name])
        ]  # fmt: skip

    def nested(self, blocks: list[Block]) -> None:
        """Before a statement with inner blocks: nothing waits that they touch."""
        self.flush()
        touched: set[str] = set()
        for stmt in (one for block in blocks for one in walk(block)):
            touched |= {self.names.canonical(ref.name) for ref in reads(stmt, self.names.dead)}
            if isinstance(stmt, Set | Accumulate):
                touched.add(self.names.canonical(stmt.dst.name))
        self.write_zeros([name for name in self.zeros if name in touched])

    def inner(self, block: Block) -> None:
        """A block one level deeper."""
        outer, self.zeros = self.zeros, {}
        self.depth += 1
        start = len(self.lines)
        self.told_last = None
        self.block(block)
        if len(self.lines) == start:
            self.put("pass")
        self.depth -= 1
        self.zeros = outer
        self.told_last = None


def _reads_itself(stmt: Stmt) -> bool:
    return isinstance(stmt, Set) and isinstance(stmt.src, Ref)
