"""The generated derivative as Python that a person can read, run and check: `grad(f).source`.

Forward sweep, frames, reverse sweep, statement by statement as the native code has them; temporaries stand where they are used.
With the names of `RUNTIME` the text runs and gives the numbers that the native code gives.
"""

from __future__ import annotations

import linecache
from collections import UserString
from collections.abc import Callable, Sequence
from typing import Any

from custodiet.autodiff.compiler.adjoint import Reversed
from custodiet.autodiff.compiler.entry import CompiledGradient, compile_gradient
from custodiet.autodiff.compiler.frontend import Declined
from custodiet.autodiff.compiler.ir import Program
from custodiet.autodiff.compiler.show_expressions import RUNTIME
from custodiet.autodiff.compiler.show_text import Writer
from custodiet.errors import DifferentiationError

__all__ = ["RUNTIME", "SourceText", "source_for", "show_compiled", "show_program"]


def show_program(program: Program, reversed_: Reversed) -> str:
    """The text of a program with its reverse sweep: one function that returns value and gradients.

    Raises:
        DifferentiationError: a statement or an operation has no printed form.
    """

    def comment(origin: tuple[str, int]) -> str:
        file, line = origin
        return f"# line {line}: {linecache.getline(file, line).strip()}".rstrip(": ")

    functions = _function_names(program)
    texts = [
        Writer(one, reversed_.callees[name], comment, functions).function_text()
        for name, one in program.callees.items()
    ]
    return "\n".join([*texts, Writer(program, reversed_, comment, functions).text()])


def _function_names(program: Program) -> dict[str, str]:
    """What the functions that a program calls are called in its text."""
    found: dict[str, str] = {}
    for name in program.callees:
        base, number = f"{name.rpartition('.')[0] or 'function'}_call", 1
        told = base
        while told in found.values() or told in RUNTIME:
            number += 1
            told = f"{base}{number}"
        found[name] = told
    return found


def show_compiled(entry: CompiledGradient) -> str:
    """The text of a compiled gradient."""
    return show_program(entry.program, entry.reversed)


class SourceText(UserString):
    """The text for the signature that was compiled last; a comment that says why there is none yet."""

    def __init__(self, name: str, compiled: dict[Any, Any]) -> None:
        self._name, self._compiled = name, compiled

    @property
    def data(self) -> str:  # type: ignore[override]
        """The text as it is now."""
        for entry in reversed(list(self._compiled.values())):
            if isinstance(entry, CompiledGradient):
                return show_compiled(entry)
        for entry in reversed(list(self._compiled.values())):
            if isinstance(entry, Declined):
                return f"# {self._name} runs on the tape: {entry}\n"
        hint = "call it a second time, or ask for .source_for(*args)"
        return f"# {self._name} has not been compiled yet: {hint}\n"

    def __repr__(self) -> str:
        return self.data


def source_for(f: Callable[..., Any], args: Sequence[Any], places: Sequence[int], has_aux: bool) -> str:
    """The text for arguments of these types.

    Raises:
        DifferentiationError: the function is not compiled for them, and why.
    """
    try:
        return show_compiled(compile_gradient(f, args, places, has_aux=has_aux))
    except Declined as declined:
        name = getattr(f, "__name__", "the function")
        raise DifferentiationError(f"{name} runs on the tape: {declined}", hint="The tape has no text.") from None
