"""Small unmodified programs of many kinds: which of them take the compiled path is a printed share, not a promise.

Every program is a function of plain Python or NumPy that returns a float, with example arguments and the construct that it exercises.
The last file holds programs that a compiler of source may well decline; they count in the share like the others.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable
from dataclasses import dataclass

FILES = ("control", "loops", "stores", "structures", "calls", "arrays", "models", "physics", "numerics", "dynamic")


@dataclass(frozen=True)
class Example:
    """A program, its example arguments, and what it exercises.

    Attributes:
        function: takes the arguments, returns a float.
        arguments: positional; `inputs` hands out fresh copies, since a program may consume or change them.
        exercises: the construct, in a few words.
        argnums: the arguments that are differentiated.
        declined_because: why a compiler of source may decline it; None where it should not.
    """

    function: Callable[..., float]
    arguments: tuple
    exercises: str
    argnums: tuple[int, ...] = (0,)
    declined_because: str | None = None

    @property
    def name(self) -> str:
        """The function's name."""
        return self.function.__name__

    @property
    def inputs(self) -> tuple:
        """A fresh copy of the arguments."""
        return copy.deepcopy(self.arguments)


def examples() -> list[Example]:
    """Every program, file by file."""
    return [
        example
        for file in FILES
        for example in importlib.import_module(f"benchmarks.programs.coverage.{file}").EXAMPLES
    ]
