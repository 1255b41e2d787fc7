"""The studies that this version can run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from custodiet.records.study import StudyRecord

__all__ = ["STUDIES", "Study"]


@dataclass(frozen=True, kw_only=True)
class Study:
    """An entry of the catalogue; the code behind it is imported when it runs."""

    title: str
    summary: str
    function: str
    """module:function, called with folder, seed, command and on_progress"""

    def load(self) -> Callable[..., StudyRecord]:
        """Import the function that runs the study."""
        module, _, name = self.function.partition(":")
        loaded: Any = getattr(import_module(module), name)
        return loaded


STUDIES: dict[str, Study] = {
    "autodiff": Study(
        title="Automatic differentiation",
        summary="Plain Python programs have derivatives at native speed; against torch, JAX, autograd, Numba and derivatives by hand.",
        function="custodiet.studies.autodiff:run_autodiff_study",
    ),
    "capacity": Study(
        title="Memorization and generalization",
        summary="A parameter holds a few bits of random tokens; on text, memorization rises to capacity and falls.",
        function="custodiet.studies.capacity:run_capacity_study",
    ),
    "cross-entropy": Study(
        title="Cross-entropy",
        summary="A model's cross-entropy is the length of a code that decodes; Shannon's figures of English, again.",
        function="custodiet.studies.cross_entropy:run_cross_entropy_study",
    ),
    "goldfish": Study(
        title="Goldfish loss",
        summary="Dropping a fourth of the targets stops verbatim extraction at equal loss; membership still shows.",
        function="custodiet.studies.goldfish:run_goldfish_study",
    ),
    "logic-chains": Study(
        title="Data for testing logical inference",
        summary="Labels proved again from the English, proofs damaged and judged, shortcuts with and without balance.",
        function="custodiet.studies.logic_chains:run_logic_chains_study",
    ),
}
