"""How a problem is worded: in the notation of formulas, or in controlled English with a vocabulary of its own."""

from __future__ import annotations

from custodiet.logic.formulas import Formula
from custodiet.logic.generate.config import GenerateConfig
from custodiet.logic.generate.draws import Draws
from custodiet.logic.generate.items import Wording
from custodiet.logic.generate.problem import Problem
from custodiet.logic.notation import format_formula

__all__ = ["NotationWording", "choose_wording"]


class NotationWording:
    """Formulas in the notation of `custodiet.logic.notation`."""

    language = "logic"

    def __init__(self) -> None:
        self._texts: dict[Formula, str] = {}

    def sentence(self, formula: Formula) -> str:
        """The formula as it is printed."""
        found = self._texts.get(formula)
        if found is None:
            found = self._texts[formula] = format_formula(formula)
        return found

    def record(self) -> None:
        """Nothing but the notation is needed to read it back."""
        return None


def choose_wording(config: GenerateConfig, draws: Draws, problem: Problem) -> Wording:
    """The wording of a problem, as the configuration asks."""
    return NotationWording()
