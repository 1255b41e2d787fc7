"""Names of the printed derivative: which of the program's names are one, how often each is read, what each is called."""

from __future__ import annotations

import builtins
import keyword
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from custodiet.autodiff.compiler.adjoint import Reversed, inner_blocks, walk
from custodiet.autodiff.compiler.ir import (
    Accumulate,
    Arr,
    Block,
    Call,
    Const,
    Loop,
    Op,
    Operand,
    Program,
    Ref,
    Restore,
    ReverseLoop,
    Set,
    Stmt,
    uses,
)
from custodiet.autodiff.compiler.show_expressions import RUNTIME

__all__ = ["Names", "is_adjoint", "reads"]

_SUFFIX = re.compile(r"_(?:in)?\d+$")
_TEMPORARY = {"t", "as_float", "list", "int"}
_KIND = {"f": "t", "i": "num", "b": "flag"}


def is_adjoint(name: str) -> bool:
    """Whether a name holds the adjoint of another."""
    return name.endswith(".b")


def reads(stmt: Stmt, dead: set[str]) -> Iterator[Ref]:
    """Names that a statement reads itself, its inner blocks and what is read for names in `dead` aside."""
    if isinstance(stmt, Call):
        yield from (one for one in (*stmt.args, *stmt.seeds) if isinstance(one, Ref))
    elif isinstance(stmt, Loop):
        alive = [h for h in stmt.headers if h.var.name not in dead]
        operands = [stmt.trips, stmt.cond, stmt.stop, *(one for h in alive for one in (h.init, h.latch))]
        yield from (one for one in operands if isinstance(one, Ref))
    elif isinstance(stmt, ReverseLoop):
        yield stmt.loop.count
    elif isinstance(stmt, Restore):
        return
    elif isinstance(stmt, Set | Accumulate):
        if isinstance(stmt.src, Ref):
            yield stmt.src
    else:
        written = {getattr(stmt, part, None) for part in ("dst", "take", "peek")}
        yield from (ref for ref in uses(stmt) if ref not in written)


def _handed_on(stmt: Stmt) -> list[tuple[str, str]]:
    """Names that a statement only gives to others."""
    if isinstance(stmt, Op) and stmt.op == "copy" and isinstance(stmt.args[0], Ref):
        return [(stmt.args[0].name, stmt.dst.name)]
    if isinstance(stmt, Loop):
        return [(header.init.name, header.var.name) for header in stmt.headers if isinstance(header.init, Ref)]
    return []


class Names:
    """What there is to know of every name before a line is printed.

    Attributes:
        counts: name of a loop's number of rounds -> an operand that is the same number.
        forward, reverse: how often a name is read in each sweep.
        again: names that the reverse sweep computes again.
        accumulated: how often an adjoint is added to.
    """

    def __init__(self, program: Program, reversed_: Reversed, taken: Iterable[str] = ()) -> None:
        self.program, self.reversed = program, reversed_
        self.told = {name: told for name, told in program.told.items() if told.isidentifier()}
        self.same: dict[str, str] = {}
        self.dead = self._find_dead()
        self.counts: dict[str, Operand] = {}
        self.used: set[str] = {*RUNTIME, *keyword.kwlist, *dir(builtins), *taken}
        self.shown: dict[str, str] = {}
        self._find_counts()
        self._find_same()
        self.forward = self._count(program.body, [one for one in program.results if isinstance(one, Ref)])
        self.reverse = self._count(reversed_.reverse, [one for one in reversed_.gradients if one is not None])
        computed = [stmt for stmt in walk(reversed_.reverse) if not isinstance(stmt, Set | Accumulate)]
        self.again = {dst.name for stmt in computed if (dst := getattr(stmt, "dst", None)) is not None}
        self.accumulated = Counter(
            self.canonical(stmt.dst.name)
            for stmt in walk(reversed_.reverse)
            if isinstance(stmt, Accumulate) and not self.is_same(stmt) and not self.is_dead(stmt)
        )
        self.latches = {
            h.latch.name
            for loop in self._loops()
            for h in loop.headers
            if isinstance(h.latch, Ref) and h.var.name not in self.dead
        }
        for ref in program.params:
            self.show(ref)

    def _loops(self) -> list[Loop]:
        return [stmt for stmt in walk(self.program.body) if isinstance(stmt, Loop)]

    def _find_dead(self) -> set[str]:
        """Names that loops hand from round to round and that nothing reads; and their adjoints, always zero."""
        dead: set[str] = set()
        kept = {one.name for one in self.program.results if isinstance(one, Ref)}
        while True:
            read = set(kept)
            for block in (self.program.body, self.reversed.reverse):
                for stmt in walk(block):
                    read |= {ref.name for ref in reads(stmt, dead)}
            found = {h.var.name for loop in self._loops() for h in loop.headers} - read
            if found == dead:
                return self._with_adjoints(dead)
            dead = found

    def _with_adjoints(self, dead: set[str]) -> set[str]:
        dead = dead | {f"{name}.b" for name in dead}
        parts = [stmt for stmt in walk(self.reversed.reverse) if isinstance(stmt, Set)]
        return dead | {one.dst.name for one in parts if isinstance(one.src, Ref) and one.src.name in dead}

    def is_dead(self, stmt: Stmt) -> bool:
        """Whether a statement hands on an adjoint that is always zero."""
        return isinstance(stmt, Set | Accumulate) and (
            stmt.dst.name in self.dead or (isinstance(stmt.src, Ref) and stmt.src.name in self.dead)
        )

    def _find_counts(self) -> None:
        """A `for` that nothing ends early has as many rounds as it was meant to have."""
        kept = {ref.name for ref in self.program.params}
        kept |= {dst.name for stmt in self.program.body if (dst := getattr(stmt, "dst", None)) is not None}
        for loop in self._loops():
            if loop.stop is None and (
                isinstance(loop.trips, Const) or (isinstance(loop.trips, Ref) and loop.trips.name in kept)
            ):
                self.counts[loop.count.name] = loop.trips

    def _find_same(self) -> None:
        """A name that is only there to become another one is that other one."""
        readers: dict[str, set[str]] = defaultdict(set)
        for block in (self.program.body, self.reversed.reverse):
            for stmt in walk(block):
                names = Counter(ref.name for ref in reads(stmt, self.dead) if not self.is_dead(stmt))
                becomes = dict(_handed_on(stmt))
                for name, num in names.items():
                    readers[name].add(becomes[name] if num == 1 and name in becomes else f"statement {id(stmt)}")
        for result in self.program.results:
            if isinstance(result, Ref):
                readers[result.name].add("result")
        self._join(self.program.body, readers, {ref.name for ref in self.program.params})

    def _join(self, block: Block, readers: dict[str, set[str]], made: set[str]) -> None:
        for stmt in block:
            for source, target in _handed_on(stmt):
                if source in made and readers[source] == {target} and not self._is_renamed(source, target):
                    self.same[source] = target
            dst = getattr(stmt, "dst", None)
            if dst is not None:
                made.add(dst.name)
            for inner in inner_blocks(stmt):
                self._join(inner, readers, set())

    def _is_renamed(self, source: str, target: str) -> bool:
        """Whether the user calls a parameter something else inside."""
        params = {ref.name for ref in self.program.params}
        return source in params and _SUFFIX.sub("", source) != _SUFFIX.sub("", target)

    def _count(self, block: Block, more: list[Ref]) -> Counter[str]:
        found: Counter[str] = Counter(self.canonical(ref.name) for ref in more)
        for stmt in walk(block):
            if not self.is_same(stmt) and not self.is_dead(stmt):
                found.update(self.canonical(ref.name) for ref in reads(stmt, self.dead))
        return found

    def is_same(self, stmt: Stmt) -> bool:
        """Whether a statement gives a name to itself."""
        if isinstance(stmt, Op) and stmt.op == "copy":
            source = stmt.args[0]
        elif isinstance(stmt, Accumulate):
            source = stmt.src
        else:
            return False
        return isinstance(source, Ref) and self.canonical(source.name) == self.canonical(stmt.dst.name)

    def canonical(self, name: str) -> str:
        """The one of several names for the same thing."""
        if name in self.counts:
            count = self.counts[name]
            return self.canonical(count.name) if isinstance(count, Ref) else name
        base, end = (name[:-2], ".b") if is_adjoint(name) else (name, "")
        while base in self.same:
            base = self.same[base]
        return base + end

    def has_shadow(self, ref: Ref) -> bool:
        """Whether a name is an array with an adjoint."""
        return isinstance(ref.type, Arr) and ref.name in self.reversed.active

    def inlines(self, name: str, *, in_reverse: bool) -> bool:
        """Whether a computed name is written where it is used, once, instead of being given a name."""
        forward, reverse = self.forward[name], self.reverse[name]
        if self.is_told(name) and not (name in self.latches and forward == 1 and reverse == 0):
            return False
        if in_reverse:
            return reverse == 1
        return forward == 1 and (reverse == 0 or name in self.again)

    def is_unread(self, ref: Ref) -> bool:
        """Whether nobody reads a name, and the user has none for it."""
        name = self.canonical(ref.name)
        return not self.forward[name] and not self.reverse[name] and not self.is_told(name)

    def is_told(self, name: str) -> bool:
        """Whether the user has a name for it."""
        return name in self.told or any(self.same.get(one) == name and one in self.told for one in self.same)

    def show(self, ref: Ref) -> str:
        """What a name is called in the text."""
        name = self.canonical(ref.name)
        if name not in self.shown:
            if is_adjoint(name):
                self.shown[name] = self.fresh(self.show(Ref(name[:-2], "f")) + "_bar")
            else:
                self.shown[name] = self.fresh(self._base(name, ref))
        return self.shown[name]

    def _base(self, name: str, ref: Ref) -> str:
        if name in self.told:
            return self.told[name]
        if name.startswith("seed."):
            return "seed"
        base = _SUFFIX.sub("", name)
        if base.startswith("loop"):
            return "rounds" if base.endswith("rounds") else "k"
        if base.startswith("d.") or base.lstrip("$") in _TEMPORARY:
            return "buffer" if isinstance(ref.type, Arr) else _KIND[ref.type]
        if base == "len":
            return "size"
        clean = "".join(char if char.isalnum() else "_" for char in base).strip("_")
        return clean if clean.isidentifier() else "t"

    def shadow(self, ref: Ref) -> str:
        """What the adjoint of an array is called."""
        return self.show(Ref(self.canonical(ref.name) + ".b", "f"))

    def fresh(self, base: str) -> str:
        """A name that nothing has yet."""
        found, number = base, 1
        while found in self.used:
            number += 1
            found = f"{base}{number}"
        self.used.add(found)
        return found
