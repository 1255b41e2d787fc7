"""What the functions of one program know of one another: which parameters and results are active, which arrays are written.

A fact holds for a function if it holds at any of its calls. An array that a call hands over is the callee's array: what is
written or active on one side is so on the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from custodiet.autodiff.compiler.ir import Arr, Block, Call, If, Loop, Program, Ref

__all__ = ["Facts", "settle"]

Base = Callable[[Ref], str]


class Facts:
    """Facts about every function of a program, grown until nothing changes.

    Attributes:
        programs: the functions that are called, by name. Their `active` is one of the facts.
        results: per function and result, whether it is active.
        written: per function and parameter, whether its memory is written by anyone.
        changed: a fact was added.
    """

    def __init__(self, program: Program) -> None:
        self.programs = program.callees
        self.results = {name: [False] * len(one.results) for name, one in program.callees.items()}
        self.written = {name: [False] * len(one.params) for name, one in program.callees.items()}
        self.changed = False
        for one in program.callees.values():
            one.active = [False] * len(one.params)

    def _note(self, facts: list[bool], place: int, value: bool) -> None:
        if value and not facts[place]:
            facts[place] = self.changed = True

    def spread_written(self, program: Program, base: Base, written: set[str]) -> None:
        """Between a program's arrays, its own parameters and those of the functions that it calls."""
        own = self.written.get(program.name) if self.programs.get(program.name) is program else None
        for _ in range(2):
            for place, ref in enumerate(program.params):
                if own is not None and isinstance(ref.type, Arr):
                    if own[place]:
                        written.add(base(ref))
                    self._note(own, place, base(ref) in written)
            for call in calls(program.body):
                theirs = self.written[call.function]
                for place, arg in _arrays(call):
                    if theirs[place]:
                        written.add(base(arg))
                    self._note(theirs, place, base(arg) in written)

    def spread_call(self, call: Call, base: Base, active: set[str]) -> None:
        """Between the operands of a call and the parameters and results of its function."""
        theirs = self.programs[call.function].active
        for place, arg in enumerate(call.args):
            if isinstance(arg, Ref) and arg.type == "f":
                self._note(theirs, place, arg.name in active)
        for place, arg in _arrays(call):
            if arg.type.dtype == "f":  # type: ignore[union-attr]
                if theirs[place]:
                    active.add(base(arg))
                self._note(theirs, place, base(arg) in active)
        for dst, on in zip(call.dsts, self.results[call.function], strict=False):
            if on and dst.type == "f":
                active.add(dst.name)

    def spread_parameters(self, program: Program, base: Base, active: set[str]) -> None:
        """From a function's body back to its array parameters."""
        if self.programs.get(program.name) is not program:
            return
        for place, ref in enumerate(program.params):
            if isinstance(ref.type, Arr) and ref.type.dtype == "f":
                self._note(program.active, place, base(ref) in active)

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


def _arrays(call: Call) -> Iterator[tuple[int, Ref]]:
    for place, arg in enumerate(call.args):
        if isinstance(arg, Ref) and isinstance(arg.type, Arr):
            yield place, arg
