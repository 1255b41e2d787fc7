"""What the functions of one program know of one another: which parameters and results are active, which arrays are written.

A fact holds for a function if it holds at any of its calls. An array that a call hands over is the callee's array: what is
written or active on one side is so on the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from custodiet.autodiff.compiler.ir import Arr, Block, Call, If, Loop, Operand, Program, Ref

__all__ = ["Facts", "settle"]

Base = Callable[[Ref], str]


class Facts:
    """Facts about every function of a program, grown until nothing changes.

    Attributes:
        programs: the functions that are called, by name. Their `active` is one of the facts.
        results: per function and result, whether it is active.
        written: per function and parameter, and after them result, whether its memory is written by anyone.
        changed: a fact was added.
    """

    def __init__(self, program: Program) -> None:
        self.programs = program.callees
        self.results = {name: [False] * len(one.results) for name, one in program.callees.items()}
        self.written = {name: [False] * (len(one.params) + len(one.results)) for name, one in program.callees.items()}
        self.changed = False
        for one in program.callees.values():
            one.active = [False] * len(one.params)

    def _note(self, facts: list[bool], place: int, value: bool) -> None:
        if value and not facts[place]:
            facts[place] = self.changed = True

    def spread_written(self, program: Program, base: Base, written: set[str]) -> None:
        """Between a program's arrays, its own parameters and those of the functions that it calls."""
        own = self.written[program.name] if self.programs.get(program.name) is program else []
        for _ in range(2):
            if own:
                self._share(own, [*program.params, *program.results], base, written)
            for call in calls(program.body):
                self._share(self.written[call.function], [*call.args, *call.dsts[:-1]], base, written)

    def _share(self, facts: list[bool], operands: Sequence[Operand], base: Base, found: set[str]) -> None:
        """Make facts about arrays, and what is known of these arrays where they have other names, the same."""
        for place, one in enumerate(operands):
            if isinstance(one, Ref) and isinstance(one.type, Arr):
                if facts[place]:
                    found.add(base(one))
                self._note(facts, place, base(one) in found)

    def spread_call(self, call: Call, base: Base, active: set[str]) -> None:
        """Between the operands of a call and the parameters and results of its function."""
        theirs = self.programs[call.function].active
        for place, arg in enumerate(call.args):
            if isinstance(arg, Ref) and arg.type == "f":
                self._note(theirs, place, arg.name in active)
        results = self.results[call.function]
        self._share(theirs, call.args, base, active)
        self._share(results, call.dsts[:-1], base, active)
        for dst, on in zip(call.dsts, results, strict=False):
            if on and dst.type == "f":
                active.add(dst.name)

    def spread_own(self, program: Program, base: Base, active: set[str]) -> None:
        """Between a function's body and its own arrays."""
        if self.programs.get(program.name) is program:
            self._share(program.active, program.params, base, active)
            self._share(self.results[program.name], program.results, base, active)

    def spread_results(self, program: Program, active: set[str]) -> None:
        """From a function's body to its results."""
        for place, one in enumerate(program.results):
            on = isinstance(one, Ref) and one.type == "f" and one.name in active
            self._note(self.results[program.name], place, on)


def settle(program: Program, sweep: Callable[[Program, Facts], Any]) -> Facts:
    """All facts about a program and its callees.

    Args:
        program: the one that was asked for.
        sweep: makes the analysis of one function, with its `active` names; adds to the facts on the way.
    """
    facts = Facts(program)
    while program.callees:
        facts.changed = False
        sweep(program, facts)
        for one in program.callees.values():
            facts.spread_results(one, sweep(one, facts).active)
        if not facts.changed:
            break
    return facts


def calls(block: Block) -> Iterator[Call]:
    """Every call in a block."""
    for stmt in block:
        if isinstance(stmt, Call):
            yield stmt
        elif isinstance(stmt, If):
            yield from calls(stmt.then)
            yield from calls(stmt.orelse)
        elif isinstance(stmt, Loop):
            yield from calls(stmt.pre)
            yield from calls(stmt.body)
