"""The tasks: what is asked about a proved problem, and the answer that goes with it.

A task turns the six cases of a problem (or its two proofs) into six rows. What it needs beyond the problem's own proof
is decided again, by the engines, before a row is given: that a spoiled step does not follow, that a premise offered in
vain does not help.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from custodiet.errors import FormulaError
from custodiet.logic.engines.decide import certify
from custodiet.logic.english.prompts import ASKED, CLOSED_WORLD, reading_notes
from custodiet.logic.formulas import (
    FALSUM,
    And,
    Atom,
    Exists,
    ForAll,
    Formula,
    Iff,
    Implies,
    Not,
    atoms_of,
    complement,
    is_literal,
)
from custodiet.logic.generate.datalog_distractors import near_miss
from custodiet.logic.generate.draws import Draws
from custodiet.logic.generate.items import ITEMS_PER_PROBLEM, LABELS, Case, Wording
from custodiet.logic.generate.tasks_formal import counter_model, formalize, verbalize
from custodiet.logic.kernel import check_proof
from custodiet.logic.proofs import Step, format_step
from custodiet.logic.semantics import CONTRADICTED, ENTAILED, INCONSISTENT, UNKNOWN, evaluate

__all__ = ["TASKS", "Row", "Task"]

Row = dict[str, Any]
Task = Callable[[Draws, list[Case], Wording], "list[Row] | None"]
"""(draws, the cases of a problem, wording) -> six rows with `prompt`, `answer`, `choices` and what else the task knows; or None,
where the problem does not lend itself to the task and another one must be drawn"""

_LETTERS = "ABCDEFGH"
_STEP_LOGICS = {"syllogistic": "monadic", "datalog": "relational"}
"""logic -> the one that the lines of its proofs belong to"""


def _label(case: Case, premises: Sequence[Formula], goal: Formula) -> str:
    """The label of another question about a case's symbols, by two engines."""
    logic = _STEP_LOGICS.get(case.problem.logic, case.problem.logic)
    given = [*premises, *case.problem.implicit]
    return certify(logic, given, goal, models=False, constants=case.problem.constants).label


def _program_label(premises: Sequence[Formula], goal: Formula) -> str:
    """The label of a goal in another program, by two engines; `inconsistent` if it is no stratified program."""
    try:
        return certify("datalog", premises, goal, models=False).label
    except FormulaError:
        return INCONSISTENT


def _listed(premises: Sequence[Formula], wording: Wording) -> str:
    say = wording.sentence
    return "\n".join([f"{place}. {say(one)}" for place, one in enumerate(premises, start=1)])


def _read_so(case: Case, wording: Wording) -> str:
    """What a reader must be told to have the same logic in mind."""
    problem = case.problem
    return reading_notes(
        problem.logic, notation=wording.language == "logic", existential_import=bool(problem.implicit),
        has_names=bool(problem.constants), has_equality=problem.has_equality,
    )  # fmt: skip


def _entailment(draws: Draws, cases: list[Case], wording: Wording) -> list[Row]:
    rows = []
    for case in _six(draws, cases):
        closed = case.problem.logic in CLOSED_WORLD
        question = ASKED[2 if closed else 3]
        prompt = (
            f"Premises:\n{_listed(case.premises, wording)}\n\nConclusion: {wording.sentence(case.goal)}\n\n"
            f"{_read_so(case, wording)} {question}"
        )
        choices = [ENTAILED, CONTRADICTED] if closed else list(LABELS)
        rows.append({"prompt": prompt, "answer": case.label, "choices": choices, "case": case})
    return rows


def _six(draws: Draws, cases: list[Case]) -> list[Case]:
    """All cases; where a problem has eight, those of three of the four goals."""
    if len(cases) <= ITEMS_PER_PROBLEM:
        return cases
    out = draws.pick(cases).goal
    return [one for one in cases if one.goal != out]


def _premise_selection(draws: Draws, cases: list[Case], wording: Wording) -> list[Row]:
    rows = []
    for case in _six(draws, cases):
        question = (
            "Which premises does the derivation of the conclusion, or of what it denies, use? Answer with their numbers in "
            "ascending order, separated by commas, or with `none` if neither can be derived."
            if case.problem.logic in CLOSED_WORLD
            else "Which premises are needed to prove or to refute the conclusion? Answer with their numbers in ascending "
            "order, separated by commas, or with `none` if the premises do neither."
        )
        prompt = (
            f"Premises:\n{_listed(case.premises, wording)}\n\nConclusion: {wording.sentence(case.goal)}\n\n"
            f"{_read_so(case, wording)} {question}"
        )
        answer = ", ".join([str(place + 1) for place in case.support]) or "none"
        rows.append({"prompt": prompt, "answer": answer, "choices": None, "case": case})
    return rows


def _proof_text(proof: Sequence[Step], wording: Wording, hidden: int | None = None) -> str:
    say = wording.sentence
    return "\n".join([format_step(one, "?" if one.number == hidden else say(one.formula)) for one in proof])


def _proved(cases: list[Case]) -> list[Case]:
    """One case for each of the two proofs: the goal as the problem has it."""
    return [case for case in cases if case.support and not case.negated]


def _proof_completion(draws: Draws, cases: list[Case], wording: Wording) -> list[Row] | None:
    rows = []
    for case in _proved(cases):
        open_lines = [one.number for one in case.proof if one.rule not in ("premise", "assumption")]
        if len(open_lines) < 3:
            return None
        for hidden in sorted(draws.sample(open_lines, 3)):
            prompt = (
                f"Premises:\n{_listed(case.premises, wording)}\n\nProof:\n{_proof_text(case.proof, wording, hidden)}\n\n"
                f"{_read_so(case, wording)} "
                f"What does line {hidden} say? Answer with the sentence alone."
            )
            answer = wording.sentence(case.proof[hidden - 1].formula)
            rows.append({"prompt": prompt, "answer": answer, "choices": None, "case": case, "hidden_line": hidden})
    return rows


def _bad_step(draws: Draws, cases: list[Case], wording: Wording) -> list[Row] | None:
    rows: list[Row] = []
    for case in _proved(cases):
        open_lines = [one for one in case.proof if one.rule not in ("premise", "assumption", *_DISCHARGING)]
        if len(open_lines) < 2:
            return None
        shown = [case.proof]
        for step in draws.sample(open_lines, 2):
            bad = _spoil(draws, case, step)
            if bad is None:
                return None
            shown.append(tuple([replace(one, formula=bad) if one is step else one for one in case.proof]))
        for proof in shown:
            prompt = (
                f"Premises:\n{_listed(case.premises, wording)}\n\nProof:\n{_proof_text(proof, wording)}\n\n"
                f"{_read_so(case, wording)} "
                "Which line does not follow from the lines that it cites? Answer with the number of the first such line, "
                "or with `none`."
            )
            verdict = check_proof(proof, case.given, case.goal, logic=case.problem.logic)
            changed = [one.number for one, old in zip(proof, case.proof, strict=True) if one is not old]
            if changed and (verdict.first_bad is None or verdict.first_bad.number != changed[0]):
                return None
            answer = "none" if verdict.first_bad is None else str(verdict.first_bad.number)
            rows.append({"prompt": prompt, "answer": answer, "choices": None, "case": case, "shown_proof": list(proof)})
    return rows


_DISCHARGING = ("conditional proof", "reductio", "case split", "existential elimination", "universal generalization")


def _spoil(draws: Draws, case: Case, step: Step) -> Formula | None:
    """Another formula for a line, which does not follow from what the line cites; None if none was found."""
    cited = [case.proof[number - 1].formula for number in step.cites]
    for _ in range(6):
        bad = _altered(draws, step.formula, case)
        if bad is not None and bad != step.formula and _label(case, cited, bad) != ENTAILED:
            return bad
    return None


def _altered(draws: Draws, formula: Formula, case: Case) -> Formula | None:
    if case.problem.logic == "syllogistic" and isinstance(formula, (ForAll, Exists)):
        return _altered_statement(draws, formula, case)
    at = draws.random()
    if isinstance(formula, (Implies, Iff)) and at < 0.6:
        if isinstance(formula, Implies):
            return (
                Implies(formula.right, formula.left) if at < 0.3 else Implies(formula.left, complement(formula.right))
            )
        return Iff(formula.left, complement(formula.right))
    if is_literal(formula) and at < 0.5:
        return complement(formula)
    inside = atoms_of(formula)
    if not inside:
        return None
    sorts = case.problem.predicates
    alike = {name for name, places in sorts.items() if places == sorts[inside[0].predicate]}
    names = sorted(alike - {one.predicate for one in inside})
    if not names:
        return None
    return _with_predicate(formula, inside[0].predicate, draws.pick(names))


def _altered_statement(draws: Draws, formula: ForAll | Exists, case: Case) -> Formula | None:
    """A statement of the four forms with another kind, turned, or denied."""
    kinds = [one.predicate for one in atoms_of(formula)]
    others = [one for one in sorted(case.problem.predicates) if one not in kinds]
    at = draws.random()
    body = formula.body
    if not isinstance(body, (Implies, And)) or at < 0.6:
        return _with_predicate(formula, draws.pick(kinds), draws.pick(others)) if others else None
    first, second = (body.left, body.right) if isinstance(body, Implies) else body.parts
    if at < 0.8:
        second = complement(second)
    elif not isinstance(second, Not):
        first, second = second, first
    return type(formula)(formula.variable, type(body)(first, second))


def _with_predicate(formula: Formula, old: str, new: str) -> Formula:
    if isinstance(formula, Atom):
        return Atom(new, formula.args) if formula.predicate == old else formula
    return tuple.__new__(
        type(formula),
        [
            _with_predicate(part, old, new)
            if isinstance(part, Formula)
            else tuple([_with_predicate(one, old, new) for one in part])
            if isinstance(part, tuple)
            else part
            for part in formula
        ],
    )


def _missing_premise(draws: Draws, cases: list[Case], wording: Wording) -> list[Row] | None:
    rows = []
    for case in _proved(cases):
        wanted = case.goal if case.label == ENTAILED else case.opposite
        support = list(case.support)
        if len(support) < 3 or len(case.premises) < 4:
            return None
        others = [one for version in range(len(case.problem.versions)) for one in case.problem.premises_of(version)]
        for place in draws.sample(support, 3):
            left = [one for index, one in enumerate(case.premises) if index != place]
            wrong = _vain(draws, case, left, case.premises[place], wanted, others)
            if wrong is None:
                return None
            options = [case.premises[place], *wrong]
            draws.shuffle(options)
            letter = _LETTERS[options.index(case.premises[place])]
            listed = "\n".join(
                [f"{name}. {wording.sentence(one)}" for name, one in zip(_LETTERS, options, strict=False)]
            )
            prompt = (
                f"Premises:\n{_listed(left, wording)}\n\nConclusion: {wording.sentence(wanted)}\n\n"
                f"{_read_so(case, wording)} "
                f"The conclusion does not follow. Which of these, added to the premises, makes it follow?\n{listed}\n\n"
                f"Answer with one letter."
            )
            choices = list(_LETTERS[: len(options)])
            rows.append({"prompt": prompt, "answer": letter, "choices": choices, "case": case, "stated": left})
    return rows


def _vain(
    draws: Draws, case: Case, left: list[Formula], missing: Formula, wanted: Formula, others: list[Formula]
) -> list[Formula] | None:
    """Three premises, alike the missing one, that do not make the conclusion follow and contradict nothing."""
    found: list[Formula] = []
    for attempt in range(24):
        source = missing if attempt % 3 else draws.pick(others)
        closed = case.problem.logic in CLOSED_WORLD
        candidate = _near_premise(draws, source, case) if closed else _altered(draws, source, case)
        if candidate is None or candidate in found or candidate in left or candidate == missing:
            continue
        stated = [*left, candidate]
        label = _program_label(stated, wanted) if closed else _label(case, stated, wanted)
        if label == (CONTRADICTED if closed else UNKNOWN):
            found.append(candidate)
            if len(found) == 3:
                return found
    return None


def _near_premise(draws: Draws, premise: Formula, case: Case) -> Formula | None:
    arities = {name: len(places) for name, places in case.problem.predicates.items()}
    return near_miss(draws, premise, arities, case.problem.constants)


def _consistency(draws: Draws, cases: list[Case], wording: Wording) -> list[Row] | None:
    by_key = {(case.version, case.negated): case for case in cases}
    first, second = by_key[0, False], by_key[1, False]
    sets: list[tuple[Case, list[Formula], list[int] | None]] = []
    for case, refuted in ((first, True), (second, False)):
        extra = case.opposite if refuted else case.goal
        sets.append((case, [*case.premises, extra], sorted([*case.support, len(case.premises)])))
        sets.append((case, [*case.premises, case.goal if refuted else case.opposite], None))
    third = by_key[2, False]
    sets.append((third, [*third.premises, draws.pick([third.goal, third.opposite])], None))
    both = [*first.premises, second.problem.versions[1].switch]
    moved = {second.problem.switch_at: len(first.premises)}  # the other switch stands at the end
    clash = sorted({*first.support, *[moved.get(place, place) for place in second.support]})
    sets.append((first, both, _shrunk(first, both, clash)))
    rows = []
    for case, stated, clash_places in sets:
        order = list(range(len(stated)))
        draws.shuffle(order)
        shown = [stated[index] for index in order]
        numbers = None if clash_places is None else sorted([order.index(index) + 1 for index in clash_places])
        if numbers is not None and not _is_minimal_clash(case, [shown[one - 1] for one in numbers]):
            return None
        prompt = (
            f"Statements:\n{_listed(shown, wording)}\n\n{_read_so(case, wording)} "
            "Can all of these be true together? Answer `consistent`, or give "
            "the numbers of a smallest set of statements that cannot: none of them can be left out. Separate them by commas."
        )
        answer = "consistent" if numbers is None else ", ".join(map(str, numbers))
        rows.append({"prompt": prompt, "answer": answer, "choices": None, "case": case, "stated": shown})
    draws.shuffle(rows)
    return rows


def _shrunk(case: Case, statements: list[Formula], places: list[int]) -> list[int]:
    """Those of the places whose statements contradict each other that cannot be left out one after another.

    A compound goal is put together from one fact more than two switches need to clash.
    """
    for out in places:
        rest = [place for place in places if place != out]
        if _label(case, [statements[place] for place in rest], FALSUM) == INCONSISTENT:
            places = rest
    return places


def _is_minimal_clash(case: Case, statements: list[Formula]) -> bool:
    """Whether the statements contradict each other, and no longer do so when one is left out."""
    for out in range(len(statements)):
        rest = [one for index, one in enumerate(statements) if index != out]
        if _label(case, rest, statements[out]) != CONTRADICTED:
            return False
    return True


def _counter_model(draws: Draws, cases: list[Case], wording: Wording) -> list[Row]:
    if cases[0].problem.logic != "propositional":
        return counter_model(draws, cases, wording)
    rows = []
    for case in cases:
        decision = certify(case.problem.logic, case.premises, case.goal)
        model = decision.without_goal
        if model is not None and not (
            all(evaluate(model, one) for one in case.premises) and not evaluate(model, case.goal)
        ):
            raise AssertionError("an engine gave a model that is none")
        prompt = (
            f"Premises:\n{_listed(case.premises, wording)}\n\nConclusion: {wording.sentence(case.goal)}\n\n"
            f"{_read_so(case, wording)} "
            "Describe a situation in which every premise is true and the conclusion is false, by listing the atomic "
            "statements that are true in it, separated by semicolons (all others are false; write `nothing` if none is true), "
            "or answer `none` if there is no such situation."
        )
        if model is None:
            answer = "none"
        else:
            answer = "; ".join([wording.sentence(one) for one in sorted(model.true_atoms)]) or "nothing"
        rows.append({"prompt": prompt, "answer": answer, "choices": None, "case": case, "model": model})
    return rows


TASKS: dict[str, Task] = {
    "entailment": _entailment,
    "premise-selection": _premise_selection,
    "proof-completion": _proof_completion,
    "bad-step": _bad_step,
    "missing-premise": _missing_premise,
    "consistency": _consistency,
    "counter-model": _counter_model,
    "formalize": formalize,
    "verbalize": verbalize,
}
