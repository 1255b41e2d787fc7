"""How a problem is worded: in the notation of formulas, or in controlled English with a vocabulary of its own."""

from __future__ import annotations

from typing import Any

from custodiet.logic.english.rendering import render
from custodiet.logic.english.signature import Signature
from custodiet.logic.english.vocabulary import Vocabulary, draw_vocabulary
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


class EnglishWording:
    """Controlled English with a vocabulary drawn for the problem; a formula is always said in the same way.

    Args:
        draws: takes a form for each sentence.
        vocabulary: what the symbols stand for.
    """

    language = "english"

    def __init__(self, draws: Draws, vocabulary: Vocabulary) -> None:
        self._draws = draws
        self._vocabulary = vocabulary
        self._texts: dict[Formula, str] = {}

    def sentence(self, formula: Formula) -> str:
        """A sentence that `custodiet.logic.english.read` reads back."""
        found = self._texts.get(formula)
        if found is None:
            found = self._texts[formula] = render(formula, self._vocabulary, self._draws.below)
        return found

    def record(self) -> dict[str, Any]:
        """The vocabulary, from which the sentences can be read back."""
        return self._vocabulary.to_json()


def choose_wording(config: GenerateConfig, draws: Draws, problem: Problem) -> Wording:
    """The wording of a problem, as the configuration asks."""
    english = config.language == "english" or (config.language == "both" and draws.random() < 0.5)
    if not english:
        return NotationWording()
    signature = Signature.make(dict(sorted(problem.predicates.items())), dict(sorted(problem.constants.items())))
    return EnglishWording(draws, draw_vocabulary(config.vocabulary, signature, draws.below))
