"""Which names of a program show the same memory, and which memory is written.

One answer for the whole program, its recursive functions with it: two names are of one kind if they may ever be one array.
"""

from __future__ import annotations

from collections.abc import Iterator

from custodiet.autodiff.compiler.adjoint import walk
from custodiet.autodiff.compiler.ir import Arr, Call, Copy, Loop, Operand, Program, Ref, Store, View

__all__ = ["Aliases"]


class Aliases:
    """Groups of names that may show the same memory.

    Attributes:
        names: every array that the program defines.
    """

    def __init__(self, program: Program) -> None:
        self._above: dict[str, str] = {}
        self.names: set[str] = set()
        stored: list[str] = []
        for one in (program, *program.callees.values()):
            self.names.update(ref.name for ref in one.params if isinstance(ref.type, Arr))
            for stmt in walk(one.body):
                self.names.update(ref.name for ref in _defined(stmt))
                if isinstance(stmt, Store) and not stmt.initial:
                    stored.append(stmt.arr.name)
                elif isinstance(stmt, View):
                    self._join(stmt.dst, stmt.arr)
                elif isinstance(stmt, Copy):
                    self._join(stmt.dst, stmt.src)
                elif isinstance(stmt, Loop):
                    for header in stmt.headers:
                        self._join(header.var, header.init)
                        self._join(header.var, header.latch)
                elif isinstance(stmt, Call):
                    callee = program.callees[stmt.function]
                    for mine, theirs in zip(stmt.args, callee.params, strict=True):
                        self._join(mine, theirs)
                    for mine, result in zip(stmt.dsts, callee.results, strict=False):
                        self._join(mine, result)
        self._written = {self.group(name) for name in stored}

    def group(self, name: str) -> str:
        """One name for all that may show this memory."""
        while name in self._above:
            name = self._above[name]
        return name

    def is_written(self, name: str) -> bool:
        """Whether an element of this memory may be assigned after it was made."""
        return self.group(name) in self._written

    def _join(self, a: Operand, b: Operand) -> None:
        if isinstance(a, Ref) and isinstance(b, Ref) and isinstance(a.type, Arr) and isinstance(b.type, Arr):
            left, right = self.group(a.name), self.group(b.name)
            if left != right:
                self._above[left] = right


def _defined(stmt: object) -> Iterator[Ref]:
    refs = [header.var for header in stmt.headers] if isinstance(stmt, Loop) else getattr(stmt, "dsts", ())
    for ref in (*refs, getattr(stmt, "dst", None)):
        if isinstance(ref, Ref) and isinstance(ref.type, Arr):
            yield ref
