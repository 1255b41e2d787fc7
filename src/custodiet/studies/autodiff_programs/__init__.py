"""Plain Python programs whose derivatives the study and the benchmarks time: as a person writes who has never heard of differentiation.

Each family has `make_inputs`, seeded, and a reference derivative by hand or by complex step. The programs know neither the library
nor a peer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Program"]


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program with a small seeded input and its reference derivative.

    Attributes:
        name: unique among the programs.
        function: the plain Python function.
        inputs: its arguments, positional.
        argnums: the arguments that are differentiated.
        reference: takes the arguments; the derivative in each of `argnums`, a tuple (of gradients, or of Jacobians whose
            last axes are those of the argument when the function returns an array).
    """

    name: str
    function: Callable[..., Any]
    inputs: tuple
    argnums: tuple[int, ...]
    reference: Callable[..., tuple]
