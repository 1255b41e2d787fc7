"""Tasks about what sentences and structures mean: formalize, verbalize, and counter-models of any logic without a closed
world.

Their answers have many right forms, so a row states a key of symbols and the form of the answer, and carries the symbols
with their sorts (`signature`); `custodiet.logic.written` judges what is answered.
"""

from __future__ import annotations

from typing import Any

from custodiet.errors import CustodietError
from custodiet.logic.engines.decide import certify
from custodiet.logic.english.lexicon import TO
from custodiet.logic.english.prompts import NOTES, numbered, reading_notes
from custodiet.logic.english.vocabulary import Vocabulary
from custodiet.logic.formulas import Formula, constants_of, is_literal, predicates_of
from custodiet.logic.generate.draws import Draws
from custodiet.logic.generate.items import ITEMS_PER_PROBLEM, Case, Wording
from custodiet.logic.notation import format_formula
from custodiet.logic.semantics import Model, evaluate

__all__ = ["counter_model", "formalize", "symbol_key", "verbalize"]

Row = dict[str, Any]
_NOTATION = (
    "~ is not, & is and, | is or (maybe both), -> is if ... then, <-> is if and only if, `forall x:` and `exists x:` are "
    "quantifiers{sorts}, = says that two names are one individual's; operands that are compound stand in parentheses."
)
_MORE_SYMBOLS = 3
_EXAMPLES = 3
_VARIABLES = "xyz"


def formalize(draws: Draws, cases: list[Case], wording: Wording) -> list[Row]:
    """A sentence is to be put into the notation of formulas."""
    vocabulary = _vocabulary(wording)
    rows = []
    for case, formula in _asked(draws, cases):
        signature = _signature(draws, case, [formula], more=_MORE_SYMBOLS)
        prompt = (
            f"Sentence: {wording.sentence(formula)}\n\nSymbols:\n{symbol_key(signature, vocabulary)}\n\n"
            f"{_notation(signature)} {NOTES['inclusive or'][2]} "
            "Write the sentence as one formula with these symbols. Answer with the formula alone."
        )
        rows.append(_row(case, formula, prompt, format_formula(formula), signature))
    return rows


def verbalize(draws: Draws, cases: list[Case], wording: Wording) -> list[Row]:
    """A formula is to be said in controlled English, of which the prompt has examples."""
    vocabulary = _vocabulary(wording)
    rows = []
    for case, formula in _asked(draws, cases):
        others = [one for one in _formulas(case) if one != formula]
        shown = draws.sample(others, min(_EXAMPLES, len(others)))
        signature = _signature(draws, case, [formula, *shown])
        examples = "\n".join([f"{format_formula(one)}: {wording.sentence(one)}" for one in shown])
        prompt = (
            f"Formula: {format_formula(formula)}\n\nSymbols:\n{symbol_key(signature, vocabulary)}\n\n"
            f"Examples:\n{examples}\n\n{_notation(signature)} {NOTES['inclusive or'][2]} "
            "Say the formula in one sentence, with the phrases of the symbols and in the manner of the examples. "
            "Answer with the sentence alone."
        )
        rows.append(_row(case, formula, prompt, wording.sentence(formula), signature))
    return rows


def counter_model(draws: Draws, cases: list[Case], wording: Wording) -> list[Row]:
    """A finite structure is to be described in which the premises are true and the conclusion is not."""
    vocabulary = None if wording.language == "logic" else _vocabulary(wording)
    rows = []
    for case in cases[:ITEMS_PER_PROBLEM]:
        # a syllogistic problem's implicit premises say that kinds have members, which is no syllogistic form
        logic = "monadic" if case.problem.logic == "syllogistic" else case.problem.logic
        model = certify(logic, case.given, case.goal, constants=case.problem.constants).without_goal
        if (model is None) != (case.label == "entailed"):
            raise CustodietError("a counter-model and a label contradict each other", hint="This is a defect.")
        if model is not None and (evaluate(model, case.goal) or not all(evaluate(model, one) for one in case.given)):
            raise CustodietError("an engine gave a counter-model that is none", hint="This is a defect.")
        signature = _signature(draws, case, [*case.given, case.goal])
        notes = reading_notes(
            case.problem.logic, notation=vocabulary is None, existential_import=bool(case.problem.implicit),
            has_names=bool(signature["constants"]), has_equality=True,
        )  # fmt: skip
        listed = numbered([wording.sentence(one) for one in case.premises])
        prompt = (
            f"Premises:\n{listed}\n\nConclusion: {wording.sentence(case.goal)}\n\n"
            f"Symbols:\n{symbol_key(signature, vocabulary)}\n\n{notes} "
            "Describe a situation in which every premise is true and the conclusion is false: its individuals"
            f"{' with their sorts' if _sorts(signature) else ''}, which of them each name is the name of, and the atomic "
            f"statements that are true of them (all others are false), in one line of this form: `{_form(signature)}`. "
            "Write `true: nothing` if none is true. If there is no such situation, answer `none`."
        )
        answer = "none" if model is None else _described(model, signature)
        rows.append({"prompt": prompt, "answer": answer, "choices": None, "case": case, "model": model,
                     "signature": signature})  # fmt: skip
    return rows


def _row(case: Case, formula: Formula, prompt: str, answer: str, signature: Row) -> Row:
    return {"prompt": prompt, "answer": answer, "choices": None, "case": case, "formula": formula,
            "signature": signature}  # fmt: skip


def _vocabulary(wording: Wording) -> Vocabulary:
    told = wording.record()
    if told is None:
        raise CustodietError("a task about English was given no vocabulary", hint="This is a defect.")
    return Vocabulary.from_json(told)


def _formulas(case: Case) -> list[Formula]:
    return list(dict.fromkeys([*case.premises, case.goal]))


def _asked(draws: Draws, cases: list[Case]) -> list[tuple[Case, Formula]]:
    """A formula of each of six cases: compound ones rather than literals, and none twice as long as there are others."""
    used: set[Formula] = set()
    asked = []
    for case in cases[:ITEMS_PER_PROBLEM]:
        options = [one for one in _formulas(case) if one not in used] or _formulas(case)
        compound = [one for one in options if not is_literal(one)]
        formula = draws.pick(compound or options)
        used.add(formula)
        asked.append((case, formula))
    return asked


def _signature(draws: Draws, case: Case, formulas: list[Formula], more: int = 0) -> Row:
    """The symbols of formulas with their sorts, and a few that the formulas do not have."""
    predicates = {name for one in formulas for name in predicates_of(one)}
    constants = {name for one in formulas for name in constants_of(one)}
    everywhere = _formulas(case)
    others = sorted({name for one in everywhere for name in predicates_of(one)} - predicates)
    predicates |= set(draws.sample(others, min(more, len(others))))
    names = sorted({name for one in everywhere for name in constants_of(one)} - constants)
    constants |= set(draws.sample(names, min(more, len(names))))
    return {
        "predicates": {one: list(case.problem.predicates[one]) for one in sorted(predicates)},
        "constants": {one: case.problem.constants[one] for one in sorted(constants)},
    }


def _sorts(signature: Row) -> list[str]:
    told = [sort for places in signature["predicates"].values() for sort in places]
    return [one for one in dict.fromkeys([*told, *signature["constants"].values()]) if one]


def _notation(signature: Row) -> str:
    sorts = _sorts(signature)
    return _NOTATION.format(sorts=f" (with a sort: `forall x in {sorts[0]}:`)" if sorts else "")


def symbol_key(signature: Row, vocabulary: Vocabulary | None) -> str:
    """A line for each symbol: its arguments with their sorts, and what it stands for.

    Args:
        signature: `predicates` (name -> sorts of its arguments) and `constants` (name -> sort).
        vocabulary: None where formulas are not put into words; then lines tell arguments only.
    """
    lines = []
    for name, sorts in signature["predicates"].items():
        variables = _VARIABLES[: len(sorts)]
        head = f"{name}({', '.join(variables)})" if sorts else name
        told = [f"{one} is a {sort}" for one, sort in zip(variables, sorts, strict=True) if sort]
        where = f" ({', '.join(told)})" if told else ""
        lines.append(f"{head}{where}" if vocabulary is None else f"{head}: {_said(name, variables, vocabulary)}{where}")
    for name, sort in signature["constants"].items():
        phrase = "" if vocabulary is None else f": {vocabulary.phrases[name][0]}"
        lines.append(f"{name}{phrase}" + (f" ({'a name of ' if vocabulary is None else ''}a {sort})" if sort else ""))
    return "\n".join(lines)


def _said(predicate: str, variables: str, vocabulary: Vocabulary) -> str:
    """A predicate said of variables."""
    forms = vocabulary.phrases[predicate]
    if not variables:
        return forms[0]
    if len(variables) == 3:
        return f"{variables[0]} {forms[0]} {variables[1]} {forms[TO]} {variables[2]}"
    return " ".join([variables[0], forms[0], *variables[1:]])


def _form(signature: Row) -> str:
    """An example of how a structure is described; nothing in it depends on the problem but its symbols' kinds."""
    sorts = _sorts(signature)
    of_sort = {sort: f"e{at}" for at, sort in enumerate(sorts, start=1)}
    individuals = ", ".join([f"{one} in {sort}" for sort, one in of_sort.items()]) or "e1, e2"
    names = ", ".join(
        [f"{name} = {of_sort.get(sort, 'e1')}" for name, sort in list(signature["constants"].items())[:2]]
    )
    atoms = []
    for name, places in list(signature["predicates"].items())[:2]:
        terms = [of_sort.get(sort, f"e{min(at, 2)}") for at, sort in enumerate(places, start=1)]
        atoms.append(f"{name}({', '.join(terms)})")
    return f"individuals: {individuals}{f'; names: {names}' if names else ''}; true: {', '.join(atoms)}"


def _described(model: Model, signature: Row) -> str:
    """A structure in the form that a prompt asks for."""
    sorts = bool(_sorts(signature))
    individuals = [f"{one} in {sort}" if sorts else one for sort, found in model.domains.items() for one in found]
    names = [f"{name} = {one}" for name, one in sorted(model.constants.items())]
    true = [format_formula(one) for one in sorted(model.true_atoms)]
    middle = f"; names: {', '.join(names)}" if names else ""
    return f"individuals: {', '.join(individuals)}{middle}; true: {', '.join(true) or 'nothing'}"
