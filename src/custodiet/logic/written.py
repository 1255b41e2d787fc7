"""Answers that are written out and have many right forms: formulas, sentences, structures.

What is asked for is read strictly and then judged by meaning. A formula or sentence is right if it is the one that was
asked about up to the order of operands and the names of variables (`same form`), or equivalent to it by two engines; a
structure is right if, by the definition of truth, all premises are true in it and the conclusion is false. What cannot be
read is counted apart from what is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from custodiet.errors import CustodietError, FormulaError, InputError
from custodiet.logic.engines.decide import certify
from custodiet.logic.engines.z3_engine import decide_by_z3
from custodiet.logic.english.canonical import canonical_form
from custodiet.logic.english.reading import read
from custodiet.logic.english.vocabulary import Vocabulary
from custodiet.logic.formulas import (
    Atom,
    Exists,
    ForAll,
    Formula,
    Implies,
    Not,
    constants_of,
    predicates_of,
    subformulas,
)
from custodiet.logic.fragments import signature_of
from custodiet.logic.notation import parse_formula
from custodiet.logic.semantics import ENTAILED, Model, evaluate

__all__ = ["STATUSES", "WRITTEN_TASKS", "WrittenJudgement", "judge_written"]

WRITTEN_TASKS = ("formalize", "verbalize", "counter-model")
STATUSES = ("right", "wrong", "unreadable", "none")
_MAX_CHARS = 20_000
_MARKS = " \t*_`\"'“”"
_ANSWER = re.compile(r"^[\s>*_`#-]*(?:the\s+|final\s+)*answer(?:\s+is)?[*_`]*\s*:[*_\s]*", re.IGNORECASE | re.MULTILINE)
_STRUCTURE = re.compile(
    r"individuals\s*:\s*(?P<individuals>[^;:]*?)\s*[;\n]\s*(?:names\s*:\s*(?P<names>[^;:]*?)\s*[;\n]\s*)?"
    r"true\s*:\s*(?P<true>[^\n]*)",
    re.IGNORECASE,
)
_OUTSIDE_COMMA = re.compile(r"[;,](?![^(]*\))")


@dataclass(frozen=True, slots=True)
class WrittenJudgement:
    """What a written answer is worth.

    Args:
        status: `right`, `wrong`, `unreadable` (it is of no form that was asked for) or `none` (there is no answer).
        kind: how it is right (`same form`, `equivalent`, `counter-model`, `no counter-model`) or what is wrong with it
            (`not equivalent`, `stronger`, `weaker`, `unknown symbol`, `another rule`, `not decided`, `incomplete`,
            `premise false`, `conclusion true`, `there is one`, `there is none`); of others empty.
        message: for people.
    """

    status: str
    kind: str = ""
    message: str = ""

    def to_json(self) -> dict[str, Any]:
        """The fields as plain data."""
        return asdict(self)


def judge_written(item: Mapping[str, Any], text: str) -> WrittenJudgement:
    """Judge an answer to an item of one of `WRITTEN_TASKS`.

    Args:
        item: an object as `custodiet logic generate` writes it.
        text: the answer: what stands behind the last `Answer:`, or else its last line that is not empty (of structures
            all of it).

    Raises:
        InputError: a field that is needed is missing or of the wrong kind.
    """
    try:
        if item["task"] not in WRITTEN_TASKS:
            raise InputError("no such written task", expected=" or ".join(WRITTEN_TASKS), got=repr(item["task"]))
        if item["task"] == "counter-model":
            return _judge_structure(item, text)
        wanted = parse_formula(item["formula"]["formula"])
        vocabulary = Vocabulary.from_json(item["vocabulary"])
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            "not an item of a data set",
            expected="task, formula and vocabulary; of counter-models premises, goal, label and signature",
            got=f"{type(error).__name__}: {error}",
        ) from error
    said = _said(text)
    if not said:
        return WrittenJudgement("none")
    if len(said) > _MAX_CHARS:
        return WrittenJudgement("unreadable", message=f"longer than {_MAX_CHARS} characters")
    try:
        if item["task"] == "formalize":
            found = parse_formula(said.rstrip("."))
        else:
            found = read(said if said.endswith(".") else f"{said}.", vocabulary)
    except (FormulaError, RecursionError) as error:
        return WrittenJudgement("unreadable", message=str(error))
    return _compare(found, wanted, vocabulary, closed=item.get("logic") == "datalog")


def _said(text: str) -> str:
    """What an answer comes down to: one line."""
    marks = list(_ANSWER.finditer(text))
    lines = [_bare(one) for one in (text[marks[-1].end() :] if marks else text).splitlines()]
    lines = [one for one in lines if one]
    if not lines:
        return ""
    return lines[0] if marks else lines[-1]


def _bare(line: str) -> str:
    """A line without marks around it, be its period inside or outside of them."""
    line = line.strip(_MARKS)
    inner = line.rstrip(".").rstrip(_MARKS)
    return inner if line.endswith(".") and line[:-1] != inner else line


def _compare(said: Formula, wanted: Formula, vocabulary: Vocabulary, *, closed: bool) -> WrittenJudgement:
    """Whether two formulas say the same."""
    known = vocabulary.signature
    for name, arity in predicates_of(said).items():
        if name not in known.predicates:
            return WrittenJudgement("wrong", "unknown symbol", f"{name} is no symbol of the key")
        if arity != len(known.predicates[name]):
            return WrittenJudgement("wrong", "unknown symbol", f"{name} has {len(known.predicates[name])} arguments")
    strange = [one for one in constants_of(said) if one not in known.constants]
    if strange:
        return WrittenJudgement("wrong", "unknown symbol", f"{strange[0]} is no symbol of the key")
    if canonical_form(said) == canonical_form(wanted):
        return WrittenJudgement("right", "same form")
    try:
        signature_of([wanted, said], constants=dict(known.constants))
    except FormulaError as error:
        return WrittenJudgement("wrong", "unknown symbol", str(error))
    if closed and _head(said) != _head(wanted):
        return WrittenJudgement("wrong", "another rule", "in a closed world rules with different heads differ")
    try:
        forth, back = (_follows(one, other, known.constants) for one, other in ((wanted, said), (said, wanted)))
    except CustodietError as error:
        return WrittenJudgement("wrong", "not decided", str(error))
    if forth and back:
        return WrittenJudgement("right", "equivalent")
    if back:
        return WrittenJudgement("wrong", "stronger", "it says more than was asked for")
    if forth:
        return WrittenJudgement("wrong", "weaker", "it says less than was asked for")
    return WrittenJudgement("wrong", "not equivalent")


def _head(formula: Formula) -> str | None:
    """The predicate that a rule derives; None for what is no rule."""
    while isinstance(formula, ForAll):
        formula = formula.body
    if isinstance(formula, Implies) and isinstance(formula.right, Atom):
        return formula.right.predicate
    return None


def _follows(premise: Formula, goal: Formula, constants: Mapping[str, str]) -> bool:
    """Whether one formula entails another, by two engines; by z3 alone where quantifiers alternate."""
    parts = [part for one in (premise, goal) for part in subformulas(one)]
    plain = not any(isinstance(one, ForAll | Exists) or (isinstance(one, Atom) and one.args) for one in parts)
    logic = "propositional" if plain and all(one[0] != "equal" for one in parts) else "relational"
    try:
        return certify(logic, [premise], goal, models=False, constants=dict(constants)).label in (
            ENTAILED,
            "inconsistent",
        )
    except FormulaError:
        signature = signature_of([premise, goal], constants=dict(constants))
        return decide_by_z3([premise], goal, models=False, signature=signature).label in (ENTAILED, "inconsistent")


# ------------------------------------------------------------------------------------------------------------ structures


def _judge_structure(item: Mapping[str, Any], text: str) -> WrittenJudgement:
    given = [parse_formula(one["formula"]) for one in (*item["premises"], *(item.get("implicit_premises") or ()))]
    goal = parse_formula(item["goal"]["formula"])
    exists = item["label"] != ENTAILED
    marks = list(_ANSWER.finditer(text))
    said = (text[marks[-1].end() :] if marks else text).strip()
    if not said:
        return WrittenJudgement("none")
    if len(said) > _MAX_CHARS:
        return WrittenJudgement("unreadable", message=f"longer than {_MAX_CHARS} characters")
    if _said(text).rstrip(".").lower() == "none":
        if exists:
            return WrittenJudgement("wrong", "there is one", "the premises can be true and the conclusion false")
        return WrittenJudgement("right", "no counter-model")
    try:
        model = _situation(item, _said(text)) if item["logic"] == "propositional" else _structure(said)
    except FormulaError as error:
        return WrittenJudgement("unreadable", message=str(error))
    problem = _misfit(model, item.get("signature"), [*given, goal])
    if problem is not None:
        return problem
    try:
        false = next((place for place, one in enumerate(given, start=1) if not evaluate(model, one)), None)
        is_true = evaluate(model, goal)
    except FormulaError as error:
        return WrittenJudgement("wrong", "incomplete", str(error))
    if false is not None:
        stated = false <= len(item["premises"])
        what = f"premise {false}" if stated else "that a kind has a member"
        return WrittenJudgement("wrong", "premise false", f"{what} is false in it")
    if is_true:
        return WrittenJudgement("wrong", "conclusion true", "the conclusion is true in it")
    if not exists:
        raise InputError("a counter-model to an item that says there is none", got=repr(item.get("id")))
    return WrittenJudgement("right", "counter-model")


def _structure(said: str) -> Model:
    """The structure that a text describes.

    Raises:
        FormulaError: it describes none.
    """
    described = list(_STRUCTURE.finditer(said))
    if not described:
        return _from_object(said)
    found = described[-1]
    domains: dict[str, list[str]] = {}
    for one in _pieces(found["individuals"]):
        name, _, sort = one.partition(" in ")
        domains.setdefault(sort.strip(), []).append(name.strip())
    constants: dict[str, str] = {}
    for one in _pieces(found["names"] or ""):
        name, equals, individual = (part.strip() for part in one.partition("="))
        if not equals or constants.setdefault(name, individual) != individual:
            raise FormulaError("cannot read a name", expected="each name once, as in a = e1", got=one)
    listed = found["true"].strip(_MARKS + ".")
    true = [] if listed.lower() == "nothing" else _pieces(listed)
    return Model.from_json({"domains": domains, "constants": constants, "true": true})


def _pieces(text: str) -> list[str]:
    return [one.strip(_MARKS) for one in _OUTSIDE_COMMA.split(text) if one.strip(_MARKS)]


def _from_object(said: str) -> Model:
    """A structure as the JSON object in which items store theirs."""
    at = said.find("{")
    try:
        if at >= 0:
            return Model.from_json(json.JSONDecoder().raw_decode(said, at)[0])
    except (json.JSONDecodeError, RecursionError):
        pass
    raise FormulaError("no structure", expected="individuals: e1, e2; names: a = e1; true: P(e1)", got=said[:80])


def _situation(item: Mapping[str, Any], said: str) -> Model:
    """The propositions that are listed as true; those that are listed as denied must not be."""
    vocabulary = Vocabulary.from_json(item["vocabulary"]) if item.get("vocabulary") else None
    true: set[Formula] = set()
    false: set[Formula] = set()
    if said.rstrip(".").lower() != "nothing":
        for one in [part.strip(_MARKS) for part in said.split(";") if part.strip(_MARKS)]:
            formula = (
                parse_formula(one.rstrip("."))
                if vocabulary is None
                else read(one if one.endswith(".") else f"{one}.", vocabulary)
            )
            body = formula.body if isinstance(formula, Not) else formula
            if not isinstance(body, Atom):
                raise FormulaError("not an atomic statement", expected="atomic statements, separated by ;", got=one)
            (false if isinstance(formula, Not) else true).add(body)
    if true & false:
        raise FormulaError("a statement is listed as true and as false", got=repr(sorted(true & false)[0]))
    return Model({}, {}, frozenset([one for one in true if isinstance(one, Atom)]))


def _misfit(model: Model, signature: Any, formulas: list[Formula]) -> WrittenJudgement | None:
    """What a structure says with symbols, sorts or numbers of arguments that the key does not have."""
    if isinstance(signature, Mapping):
        predicates: dict[str, list[str]] = {name: list(sorts) for name, sorts in signature["predicates"].items()}
        constants: dict[str, str] = dict(signature["constants"])
    else:
        predicates = {name: [""] * arity for one in formulas for name, arity in predicates_of(one).items()}
        constants = {name: "" for one in formulas for name in constants_of(one)}
    sort_of = {one: sort for sort, found in model.domains.items() for one in found}
    for atom in sorted(model.true_atoms):
        sorts = predicates.get(atom.predicate)
        if sorts is None or [sort_of[one] for one in atom.args] != sorts:
            return WrittenJudgement("wrong", "unknown symbol", f"{atom!r} does not fit the key")
    for name, individual in model.constants.items():
        if name not in constants or sort_of[individual] != constants[name]:
            return WrittenJudgement("wrong", "unknown symbol", f"{name} = {individual} does not fit the key")
    return None
