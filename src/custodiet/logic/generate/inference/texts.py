"""Prompts and answers in the form of LogicInference: what is asked, and the chain that answers it.

The answer stands at the end, or at the beginning, as in that data set's two variants. What differs: sentences are of our
controlled English, each with one reading; a step that is neither named nor long is said as such, where the original
prints a bare "Yes." even in the variant whose answers stand at the end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from custodiet.logic.formulas import Exists, ForAll, Formula
from custodiet.logic.generate.inference.problem import Target
from custodiet.logic.generate.inference.schemas import Inference
from custodiet.logic.notation import format_formula
from custodiet.logic.semantics import INCONSISTENT

__all__ = ["ANYTHING", "NOTHING", "Template", "Words", "chain_answer", "chain_prompt", "step_answer", "step_prompt"]

NOTHING = "Nothing can be inferred from these premises."
ANYTHING = "Since the premises are contradictory, we can infer anything from them."
_SYMBOL = re.compile(r"\b(?:[pPa][0-9]+|x)\b")
_SIGNS = {"and": "and", "or": "or", "implies": "->", "iff": "<->"}


class Template(NamedTuple):
    """A formula's texts with `%s` for each symbol.

    Args:
        plain: in the notation of `custodiet.logic.notation`.
        compat: in LogicInference's: words for & and |, each operand that is no literal in parentheses.
        symbols: in the order in which they stand, the same in both.
    """

    plain: str
    compat: str
    symbols: tuple[str, ...]


@lru_cache(maxsize=1 << 15)
def template_of(formula: Formula) -> Template:
    """The texts of a formula of a problem."""
    plain, compat = format_formula(formula), _compat(formula)[0]
    return Template(_SYMBOL.sub("%s", plain), _SYMBOL.sub("%s", compat), tuple(_SYMBOL.findall(plain)))


def _compat(formula: Formula) -> tuple[str, bool]:
    """The text, and whether it needs no parentheses."""
    kind = formula[0]
    if kind == "not":
        text, bare = _compat(formula[1])
        return (f"~{text}", True) if bare else (f"~({text})", False)
    if isinstance(formula, (ForAll, Exists)):
        return f"{kind} {formula.variable}: {_compat(formula.body)[0]}", False
    sign = _SIGNS.get(kind)
    if sign is None:
        return format_formula(formula), True
    parts = formula[1] if kind in ("and", "or") else formula[1:]
    return f" {sign} ".join([text if bare else f"({text})" for text, bare in map(_compat, parts)]), False


class Words(NamedTuple):
    """How a row says formulas.

    Args:
        english: whether in sentences.
        stated: a formula by itself: a sentence with its period, or notation without one.
        within: a formula inside a sentence.
    """

    english: bool
    stated: Callable[[Formula], str]
    within: Callable[[Formula], str]

    def listed(self, formulas: Sequence[Formula]) -> str:
        """Formulas one after another, each with a period."""
        if self.english:
            return " ".join(map(self.stated, formulas))
        return ". ".join(map(self.stated, formulas)) + "."


def step_prompt(words: Words, premises: Sequence[Formula], named: bool) -> str:
    """What is asked in types 2a and 2b."""
    return (
        "What can be inferred from the following premises in a single inference step (ignoring inferences that add new "
        f"predicates or constants)? {'Name the inference rule being used: ' if named else ''}{words.listed(premises)}"
    )


def step_answer(words: Words, consequences: Sequence[Inference], named: bool) -> str:
    """What follows in one step: every consequence once, or once with each rule that gives it.

    Args:
        words: of the row.
        consequences: at least one.
        named: whether rules are named.
    """
    if named:
        say = (lambda one: words.stated(one)[:-1]) if words.english else words.stated
        return ". ".join([f"{say(one.formula)} can be inferred via the {one.rule} rule" for one in consequences]) + "."
    return words.listed(list(dict.fromkeys([one.formula for one in consequences])))


def chain_prompt(words: Words, premises: Sequence[Formula], target: Formula, named: bool) -> str:
    """What is asked in types 3a and 3b."""
    opening = f"Consider the following premises. {words.listed(premises)}"
    if words.english:
        naming = "If we can, name the inference rule being used: " if named else ""
        return f"{opening} Can we infer the following from them? {naming}{words.stated(target)}"
    naming = " If possible, name the inference rules being used at each step." if named else ""
    return f"{opening} Can we infer {words.stated(target)} from them?{naming}"


def chain_answer(words: Words, target: Target, *, named: bool, at_end: bool) -> tuple[str, str, str]:
    """The answer of types 3a and 3b.

    Args:
        words: of the row.
        target: what was asked.
        named: whether rules are named.
        at_end: whether "the answer is ..." ends it, or "Yes" or "No" begins it.

    Returns:
        The answer, what is added to the type's name ("", "-premise", "-no-1", "-no", "-unrelated", "-cont"), and yes or no.
    """
    if target.label == INCONSISTENT:
        return _anything(words, target, named, at_end), "-cont", "yes"
    if target.kind == "premise":
        text = "That is one of the premises. Therefore, the answer is yes."
        return text if at_end else "Yes, that is one of the premises.", "-premise", "yes"
    if target.kind == "inference":
        return _yes(words, target, named, at_end), "", "yes"
    if target.kind == "unrelated":
        text = "We cannot infer that from the premises. Therefore the answer is no."
        return text if at_end else "No, we cannot infer that from the premises.", "-unrelated", "no"
    if len(target.chain) == 1:
        text = "That contradicts the premises. Therefore the answer is no."
        return text if at_end else "No, that contradicts the premises.", "-no-1", "no"
    that = "that " if words.english else ""
    chain = f"{_chain(words, target.chain, named)[:-1]}, which contradicts {that}{words.within(target.formula)}."
    if at_end:
        return f"{chain} Therefore, the answer is no.", "-no", "no"
    return f"No, we can see why via the following inference chain. {chain}", "-no", "no"


def _yes(words: Words, target: Target, named: bool, at_end: bool) -> str:
    first, *others = target.chain
    if others:
        chain = _chain(words, target.chain, named)
        return (
            f"{chain} Therefore, the answer is yes." if at_end else f"Yes, via the following inference chain. {chain}"
        )
    what = "this" if words.english else words.within(target.formula)
    how = f"via the {first.rule} rule" if named else "in a single step"
    if at_end:
        return f"We can infer {what} {how}. Therefore, the answer is yes."
    return f"Yes, we can infer {what} {how}." if named else "Yes."


def _anything(words: Words, target: Target, named: bool, at_end: bool) -> str:
    if not target.chain:
        if at_end:
            return "The premises are contradictory and we can infer anything from them. Therefore, the answer is yes."
        return "Yes, the premises are contradictory, so we can infer anything from them."
    chain = _chain(words, target.chain, named)
    if at_end:
        return (
            f"{chain} Therefore, the answer is yes. Notice, however, that the premises were contradictory, so we can "
            "infer anything from them."
        )
    return (
        "Yes, the premises are contradictory, so we can infer anything from them. For example via the following "
        f"inference chain. {chain}"
    )


def _chain(words: Words, chain: Sequence[Inference], named: bool) -> str:
    say = words.within
    lines = []
    for place, (formula, rule, sources) in enumerate(chain, start=1):
        opening = "Finally, from" if place == len(chain) else "From"
        told = [say(one) for one in sources]
        if words.english:
            others = ", that ".join(told[:-1]) + ", and that " if len(told) > 1 else ""
            line = f"{opening} the fact that {others}{told[-1]} we can infer that {say(formula)}"
        else:
            line = f"{opening} {', '.join(told)} we can infer {say(formula)}"
        lines.append(f"{line} via {rule}." if named else f"{line}.")
    return " ".join(lines)
