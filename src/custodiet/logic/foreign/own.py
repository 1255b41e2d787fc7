"""custodiet's own items, and anything with formulas in its notation: `premises`, `goal`, `label`.

What an item has as `implicit_premises` counts as stated. Where an item is in English and has a `vocabulary`, its sentences
are read back; a sentence that says something else than the formula beside it is no claim that could be proved.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from custodiet.errors import FormulaError, InputError
from custodiet.logic.english.canonical import canonical_form
from custodiet.logic.english.reading import read
from custodiet.logic.english.vocabulary import Vocabulary
from custodiet.logic.foreign.claims import SAYINGS, Claim, Format, Unreadable
from custodiet.logic.formulas import Atom, Equal, Exists, ForAll, Formula, subformulas
from custodiet.logic.notation import parse_formula
from custodiet.logic.reproving import TASKS, PromptReader, logic_of, questions_of
from custodiet.logic.tables import Row

__all__ = ["OWN", "OWN_PROMPTS"]

_LABELS = ("entailed", "contradicted", "unknown")
_LOGICS = ("propositional", "syllogistic", "monadic", "relational", "datalog")


def _formula_text(value: Any) -> str | None:
    if isinstance(value, dict):
        value = value.get("formula")
    return value if isinstance(value, str) else None


def _fits(row: Row) -> bool:
    premises = row.get("premises")
    if not isinstance(premises, list) or not premises or _formula_text(row.get("goal")) is None:
        return False
    texts = [_formula_text(one) for one in premises]
    return all(one is not None for one in texts) and isinstance(row.get("label"), str)


def _read(place: str, row: Row) -> Iterator[Claim | Unreadable]:
    place = f"{place}, {row['id']}" if row.get("id") else place
    task = row.get("task", "entailment")
    if task != "entailment":
        yield Unreadable(place, f"task {task}: its answer is no label")
        return
    if not _fits(row) or row["label"] not in _LABELS:
        yield Unreadable(place, "no premises, goal and label (entailed, contradicted, unknown)")
        return
    try:
        given = [*row["premises"], *(row.get("implicit_premises") or ())]
        premises = tuple(parse_formula(str(_formula_text(one))) for one in given)
        goal = parse_formula(str(_formula_text(row["goal"])))
    except FormulaError:
        yield Unreadable(place, "a formula that cannot be read")
        return
    said = _what_is_said_otherwise([*given, row["goal"]], (*premises, goal), row.get("vocabulary"))
    if said is not None:
        yield Unreadable(place, said)
        return
    logic = row.get("logic")
    if logic not in _LOGICS:
        logic = guess_logic((*premises, goal))
    kind = f"{task}, {logic}"
    text = str(row.get("prompt", ""))
    yield Claim(place=place, kind=kind, says=row["label"], premises=premises, goal=goal, logic=logic, text=text)


def _what_is_said_otherwise(told: list[Any], formulas: tuple[Formula, ...], vocabulary: Any) -> str | None:
    """Why the sentences of an item are not what its formulas say; None if they are, or if there are none."""
    if not vocabulary or not all(isinstance(one, dict) and isinstance(one.get("text"), str) for one in told):
        return None
    try:
        words = Vocabulary.from_json(vocabulary)
    except InputError:
        return "a vocabulary that cannot be read"
    for one, formula in zip(told, formulas, strict=True):
        try:
            if read(one["text"], words) != canonical_form(formula):
                return "a sentence that says something else than its formula"
        except FormulaError:
            return "a sentence that cannot be read"
    return None


def guess_logic(formulas: tuple[Formula, ...]) -> str:
    """The smallest logic that has the formulas' signs: propositional, monadic or relational; never datalog."""
    parts = [part for one in formulas for part in subformulas(one)]
    if any(isinstance(one, Equal) or (isinstance(one, Atom) and len(one.args) > 1) for one in parts):
        return "relational"
    quantifiers = [one for one in parts if isinstance(one, ForAll | Exists)]
    if any(one.sort for one in quantifiers):
        return "relational"
    if any(isinstance(inner, ForAll | Exists) for one in quantifiers for inner in list(subformulas(one))[1:]):
        return "relational"
    return "monadic" if quantifiers or any(isinstance(one, Atom) and one.args for one in parts) else "propositional"


def _read_prompt(place: str, row: Row) -> Iterator[Claim | Unreadable]:
    """What an item says by the sentences of its prompt; its formulas are not looked at."""
    place = f"{place}, {row['id']}" if row.get("id") else place
    if row.get("task") not in TASKS:
        yield Unreadable(place, f"task {row.get('task')}: its answer is about a proof, or of another form")
        return
    reader = PromptReader()
    try:
        row = {**row, "vocabulary": row.get("vocabulary")}
        questions, logic = questions_of(reader, row), logic_of(row)
    except (FormulaError, InputError) as error:
        yield Unreadable(place, f"a prompt that cannot be read: {str(error).partition(';')[0]}")
        return
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        yield Unreadable(place, "a prompt or an answer of another form")
        return
    for one in questions:
        says = next((name for name, verdicts in SAYINGS.items() if set(verdicts) == set(one.allowed)), None)
        if says is None:
            yield Unreadable(place, "no label")
            continue
        yield Claim(
            place=place, kind=f"{row['task']}, {row['logic']}", says=says, premises=tuple(one.premises), goal=one.goal,
            logic=logic, text=row["prompt"], constants=reader.constants,
        )  # fmt: skip


OWN = Format("custodiet", _fits, _read)
OWN_PROMPTS = Format("custodiet", _fits, _read_prompt)
"""The same items, read from the sentences of their prompts."""
