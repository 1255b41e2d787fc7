"""LogicInference (Ontañón et al. 2022), and its copy for Open Assistant: what a row claims.

Columns `inputs` and `targets`, or `INSTRUCTION` and `RESPONSE`; answers at the beginning or at the end. Rows in formulas
are read: translation (the inference that it translates), one-step consequences, yes or no. Rows in its English are read
where each sentence has one meaning; the others are counted apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from custodiet.errors import FormulaError
from custodiet.logic.foreign.claims import Claim, Format, Unreadable, all_of
from custodiet.logic.foreign.logicinference_english import AmbiguousEnglishError, read_english
from custodiet.logic.formulas import FALSUM, Exists, ForAll, Formula, subformulas
from custodiet.logic.notation import parse_formula
from custodiet.logic.tables import Row

__all__ = ["LOGICINFERENCE"]

_COLUMNS = (("inputs", "targets"), ("INSTRUCTION", "RESPONSE"))
_TRANSLATE = "Translate the following inference to logic notation: "
_STEP = re.compile(
    r"What can be inferred from the following premises in a single inference step \(.*?\)\? (?:Name .*?: )?(.*)"
)
_YES_NO = re.compile(r"Consider the following premises\. (.*)\. Can we infer (.*?) from them\?")
_YES_NO_ENGLISH = re.compile(
    r"Consider the following premises\. (.*) Can we infer the following from them\? "
    r"(?:If we can, name the inference rule being used: )?(.*)"
)
_INDEX = re.compile(r"\b([A-Za-z])_(\d+)\b")
_VIA = re.compile(r" can be inferred via the .*? rule$")
_ENGLISH = "English that can be read in several ways"


def _texts(row: Row) -> tuple[str, str] | None:
    for asked, answered in _COLUMNS:
        if isinstance(row.get(asked), str) and isinstance(row.get(answered), str):
            return row[asked].strip(), row[answered].strip()
    return None


def _fits(row: Row) -> bool:
    texts = _texts(row)
    if texts is None:
        return False
    asked = texts[0]
    return asked.startswith(_TRANSLATE) or bool(
        _STEP.match(asked) or _YES_NO_ENGLISH.match(asked) or _YES_NO.match(asked)
    )


def _read(place: str, row: Row) -> Iterator[Claim | Unreadable]:
    texts = _texts(row)
    if texts is None:
        yield Unreadable(place, "no inputs and targets")
        return
    asked, answered = texts
    try:
        yield _claim(place, asked, answered)
    except AmbiguousEnglishError:
        yield Unreadable(place, _ENGLISH)
    except FormulaError:
        yield Unreadable(place, "a formula or a sentence that cannot be read")


def _claim(place: str, asked: str, answered: str) -> Claim | Unreadable:
    if asked.startswith(_TRANSLATE):
        before, therefore, after = answered.rpartition("Therefore ")
        if not therefore:
            return Unreadable(place, "a translation without a conclusion")
        return _make(place, "1", "entailed", _formulas(before), _formula(after.rstrip(".")), asked)
    step = _STEP.match(asked)
    if step is not None:
        premises, read, kind = _try_formulas(step[1]), _formula, "2a"
        if premises is None:
            premises, read, kind = _sentences(step[1]), read_english, "2b"
        if "contradictory" in answered:
            return _make(place, kind, "inconsistent", premises, FALSUM, asked)
        if answered.startswith("Nothing can be inferred"):
            return Unreadable(place, "no consequence is claimed")
        inferred = [read(_VIA.sub("", one)) for one in answered.rstrip(".").split(". ")]
        return _make(place, kind, "entailed", premises, all_of(tuple(inferred)), asked)
    english = _YES_NO_ENGLISH.match(asked)
    found = english or _YES_NO.match(asked)
    if found is None:
        return Unreadable(place, "another kind of question")
    says = _says(answered)
    if says is None:
        return Unreadable(place, "an answer that is neither yes nor no")
    if english:
        return _make(place, "3b", says, _sentences(found[1]), read_english(found[2]), asked)
    return _make(place, "3a", says, _formulas(found[1]), _formula(found[2]), asked)


def _says(answered: str) -> str | None:
    """What an answer says; the reason that it gives counts, where it gives one."""
    low = answered.lower()
    end = re.search(r"the answer is (yes|no)\b", low)
    word = end[1] if end else (re.match(r"(yes|no)\b", low) or [None, None])[1]
    if "premises are contradictory" in low or "premises were contradictory" in low:
        return "inconsistent"
    if word == "yes":
        return "entailed"
    if word == "no":
        return "contradicted" if "contradicts" in low else "not entailed"
    return None


def _make(place: str, kind: str, says: str, premises: tuple[Formula, ...], goal: Formula, text: str) -> Claim:
    quantified = any(isinstance(part, ForAll | Exists) for one in (*premises, goal) for part in subformulas(one))
    has_terms = quantified or any(getattr(part, "args", ()) for one in (*premises, goal) for part in subformulas(one))
    logic = "monadic" if has_terms else "propositional"
    return Claim(place=place, kind=kind, says=says, premises=premises, goal=goal, logic=logic, text=text)


def _formula(text: str) -> Formula:
    return parse_formula(_INDEX.sub(r"\1\2", text.strip()))


def _formulas(text: str) -> tuple[Formula, ...]:
    return tuple(_formula(one) for one in text.strip().rstrip(".").split(". "))


def _sentences(text: str) -> tuple[Formula, ...]:
    return tuple(read_english(one) for one in text.strip().rstrip(".").split(". "))


def _try_formulas(text: str) -> tuple[Formula, ...] | None:
    try:
        return _formulas(text)
    except FormulaError:
        return None


LOGICINFERENCE = Format("logicinference", _fits, _read)
