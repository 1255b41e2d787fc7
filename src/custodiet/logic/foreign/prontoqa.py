"""PrOntoQA (Saparov & He 2023) and its out-of-distribution successor: what a question claims.

A row is an object with `question`, `query`, `answer`, or one of several such objects (`test_example`,
`in_context_example0`, ...). Also read: the form in which others pass it on, with `context`, `question`, `options` and a
letter for an answer. Sentences say that all of a kind, or one that is named, are of a kind or have a property.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from custodiet.logic.foreign.claims import Claim, Format, Unreadable
from custodiet.logic.formulas import And, Atom, ForAll, Formula, Implies, Not, Or
from custodiet.logic.tables import Row

__all__ = ["PRONTOQA"]

_QUERY = re.compile(r"(?:True or false: |Prove: )(.*)", re.DOTALL)
_STATEMENT = re.compile(r"Is the following statement true or false\?\s*(.*)", re.DOTALL)
_COMPOUNDS = frozenset(
    {
        "painted lady", "vascular plant", "real number", "natural number", "prime number", "mersenne prime", "even number",
        "imaginary number", "complex number", "negative number", "composite number",
    }
)  # fmt: skip
"""kinds with names of two words; other pairs are a property and a kind"""
_SENTENCE = re.compile(r"(?<=[.])\s+")
_LIST = re.compile(r",\s*(?:and|or)\s+|,\s*|\s+(?:and|or)\s+")


class _UnreadableSentenceError(Exception):
    pass


def _questions(place: str, row: Row) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(row.get("question"), str):
        yield place, row
    for key, value in row.items():
        if isinstance(value, dict) and isinstance(value.get("question"), str):
            yield f"{place}, {key}", value


def _parts(one: dict[str, Any]) -> tuple[str, str, str] | None:
    """Context, statement and answer (true, false or nothing)."""
    query = one.get("query")
    if isinstance(query, str):
        found = _QUERY.match(query.strip())
        proofs_only = query.startswith("Prove: ")
        answer = "true" if proofs_only else str(one.get("answer", "")).strip().lower()
        return (one["question"], found[1], answer) if found else None
    context, found = one.get("context"), _STATEMENT.match(one["question"].strip())
    if not isinstance(context, str) or found is None:
        return None
    answer = str(one.get("answer", "")).strip()
    for option in one.get("options") or ():
        if answer and str(option).startswith(answer + ")"):
            answer = str(option)[len(answer) + 1 :].strip()
    return context, found[1], answer.lower()


def _fits(row: Row) -> bool:
    return any(_parts(one) is not None for _, one in _questions("", row))


def _read(place: str, row: Row) -> Iterator[Claim | Unreadable]:
    for where, one in _questions(place, row):
        parts = _parts(one)
        if parts is None:
            yield Unreadable(where, "another kind of question")
            continue
        context, statement, answer = parts
        if answer not in ("true", "false"):
            yield Unreadable(where, "an answer that is neither true nor false")
            continue
        try:
            premises = tuple(_sentence(text) for text in _SENTENCE.split(context.strip()) if text)
            goal = _sentence(statement)
        except _UnreadableSentenceError:
            yield Unreadable(where, "a sentence of another form")
            continue
        says = "entailed" if answer == "true" else "contradicted"
        text = f"{context} {statement}"
        yield Claim(
            place=where, kind="true or false", says=says, premises=premises, goal=goal, logic="monadic", text=text
        )


def _sentence(text: str) -> Formula:
    words = text.strip().removesuffix(".").split()
    if len(words) < 3:
        raise _UnreadableSentenceError
    first = words[0].lower()
    if first in ("each", "every", "no", "all") or (first == "everything" and words[1] == "that"):
        return _universal(words)
    if words[1] == "is" and words[0][0].isupper():
        clauses = re.split(r",? (and|or) (?=[A-Z]\w* is )|, (?=[A-Z]\w* is )", " ".join(words))
        if len(clauses) > 1:
            signs = {one for one in clauses[1::2] if one}
            if len(signs) != 1:
                raise _UnreadableSentenceError
            parts = [_about(one.split()) for one in clauses[::2]]
            return (And if signs == {"and"} else Or)(*parts)
        return _about(words)
    if "are" in words:
        return _universal(words)
    raise _UnreadableSentenceError


def _about(words: list[str]) -> Formula:
    """`Rex is (not) ...`"""
    if len(words) < 3 or words[1] != "is" or not words[0].isalpha():
        raise _UnreadableSentenceError
    name = "n_" + words[0].lower()
    return _predicate(words[2:], name)


def _universal(words: list[str]) -> Formula:
    first = words[0].lower()
    if first == "everything":
        places = [at for at, one in enumerate(words) if one == "is"]
        if len(places) != 2 or places[0] != 2:
            raise _UnreadableSentenceError
        subject = _listed(words[3 : places[1]], "x")
        return ForAll("x", Implies(subject, _predicate(words[places[1] + 1 :], "x")))
    verb = next((at for at, one in enumerate(words) if one in ("is", "are")), None)
    if verb is None:
        raise _UnreadableSentenceError
    start = 1 if first in ("each", "every", "no", "all") else 0
    subject = _kind(words[start:verb], "x")
    said = _predicate(words[verb + 1 :], "x")
    return ForAll("x", Implies(subject, Not(said) if first == "no" else said))


def _predicate(words: list[str], term: str) -> Formula:
    if words and words[0] == "not":
        return Not(_listed(words[1:], term))
    return _listed(words, term)


def _listed(words: list[str], term: str) -> Formula:
    """`a cat`, `red`, `a cat, red, and a dog`, `a cat or a dog`."""
    text = " ".join(words)
    parts = [_kind(one.split(), term) for one in _LIST.split(text)]
    if len(parts) == 1:
        return parts[0]
    conjoined, disjoined = bool(re.search(r"\band\b", text)), bool(re.search(r"\bor\b", text))
    if conjoined == disjoined:
        raise _UnreadableSentenceError
    return (And if conjoined else Or)(*parts)


def _kind(words: list[str], term: str) -> Formula:
    if words and words[0] in ("a", "an"):
        words = words[1:]
    names = [one.lower() for one in words]
    if not names or not all(one.replace("-", "").isalpha() for one in names):
        raise _UnreadableSentenceError
    names[-1] = _singular(names[-1])
    if len(names) == 2 and " ".join(names) in _COMPOUNDS:
        names = ["_".join(names)]
    parts = [Atom("P_" + one.replace("-", "_"), (term,)) for one in names]
    return parts[0] if len(parts) == 1 else And(*parts)


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes", "puses")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


PRONTOQA = Format("prontoqa", _fits, _read)
