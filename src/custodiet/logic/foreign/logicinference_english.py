"""The English of LogicInference: all formulas that a sentence can stand for.

Its sentences have no brackets, so "A or B and C" stands for two formulas. Every reading is found; a sentence is taken for
what it says only if all its readings are equivalent. Statements are of a subject (a name, `it`, a variable) that is
something or does something; "is making tea", "makes tea", "will make tea" are one. Propositions are read as said of
their subject, which changes no label, since different ones differ in what is said.
"""

from __future__ import annotations

import re
from functools import lru_cache

from custodiet.errors import FormulaError
from custodiet.logic.engines.decide import certify
from custodiet.logic.english.canonical import canonical_form
from custodiet.logic.formulas import (
    And,
    Atom,
    Exists,
    ForAll,
    Formula,
    Iff,
    Implies,
    Not,
    Or,
    instantiate,
    subformulas,
)

__all__ = ["AmbiguousEnglishError", "read_english"]

_OPENERS = ("It", "If", "For", "There", "Some", "Neither", "Either", "The")
_MAX_CONNECTIVES = 6
"""beyond that readings are too many to be listed; the generator's sentences have three at most"""
_ATOM = re.compile(
    r"(?P<subject>[A-Z][a-z]+|it|[xyz])(?: (?P<verb>is not|is|were not|were|will not|will|doesn't|does not))? (?P<rest>.+)\Z"
)
_WORDS = re.compile(r"[a-z]+(?: [a-z]+){0,4}\Z")
_SOME = re.compile(r"some (\w+)s (?:are (\w+)s|will ([a-z ]+))\Z")
_CONNECTIVES = re.compile(r"\b(?:then|and|or|nor|imply)\b")
_CLAUSE_WORDS = re.compile(r"\b(?:if|then|and|or|nor|either|neither|for|that|there)\b")


class AmbiguousEnglishError(FormulaError):
    """A sentence with readings that are not equivalent."""


def read_english(sentence: str) -> Formula:
    """The formula of a sentence.

    Args:
        sentence: with or without its period and its capital.

    Raises:
        AmbiguousEnglishError: its readings are not equivalent.
        FormulaError: it has no reading.
    """
    text = " ".join(sentence.strip().rstrip(".").split())
    if len(_CONNECTIVES.findall(text)) > _MAX_CONNECTIVES:
        raise FormulaError(
            "a sentence of too many clauses", expected=f"at most {_MAX_CONNECTIVES} connectives", got=repr(text[:80])
        )
    first, _, rest = text.partition(" ")
    if first in _OPENERS:
        text = f"{first.lower()} {rest}"
    found = [one for one in _readings(text) if not _free(one)]
    distinct = list({canonical_form(one): one for one in found}.values())
    if not distinct:
        raise FormulaError("cannot read the sentence", got=repr(sentence))
    for other in distinct[1:]:
        if not (_follows(distinct[0], other) and _follows(other, distinct[0])):
            raise AmbiguousEnglishError("a sentence with several meanings", got=repr(sentence))
    return distinct[0]


def _follows(premise: Formula, goal: Formula) -> bool:
    return certify("monadic", [premise], goal, models=False).label in ("entailed", "inconsistent")


def _free(formula: Formula) -> bool:
    """Whether a variable stands outside of its quantifier."""
    return any(instantiate(formula, {variable: "somebody"}) != formula for variable in "xyz")


@lru_cache(maxsize=4096)
def _readings(text: str) -> tuple[Formula, ...]:
    """All readings of a clause."""
    found: list[Formula] = []
    for opening, middle, closing, make in _FORMS:
        if not text.startswith(opening) or not text.endswith(closing):
            continue
        inner = text[len(opening) : len(text) - len(closing)]
        at = inner.find(middle)
        while at >= 0:
            lefts = _readings(inner[:at])
            if lefts:
                rights = _readings(inner[at + len(middle) :])
                found += [make(left, right) for left in lefts for right in rights]
            at = inner.find(middle, at + 1)
    quantified = re.match(r"(for all|there is at least one) ([xyz])(?:, | for which )(.+)\Z", text)
    if quantified:
        make = ForAll if quantified[1] == "for all" else Exists
        found += [make(quantified[2], one) for one in _readings(quantified[3]) if not _binds(one, quantified[2])]
    some = _SOME.match(text)
    if some:
        kind = Atom(_predicate(f"is a {some[1]}"), ("x",))
        said = f"is a {some[2]}" if some[2] else f"does {_base(some[3])}"
        found.append(Exists("x", And(kind, Atom(_predicate(said), ("x",)))))
    atom = _atom(text)
    if atom is not None:
        found.append(atom)
    return tuple(dict.fromkeys(found))


def _binds(formula: Formula, variable: str) -> bool:
    return any(isinstance(one, ForAll | Exists) and one.variable == variable for one in subformulas(formula))


_FORMS = (
    ("if ", ", then ", "", Implies),
    ("", " if and only if ", "", Iff),
    ("if is not true that ", " if and only if ", "", lambda left, right: Not(Iff(left, right))),
    ("the fact that ", " does not imply that ", "", lambda left, right: Not(Implies(left, right))),
    ("neither ", " nor ", "", lambda left, right: Not(Or(left, right))),
    ("either ", " or ", " are not true", lambda left, right: Not(And(left, right))),
    ("", " or ", "", Or),
    ("", " and ", "", And),
)
"""opening, what stands between the two clauses, end, connective"""


def _atom(text: str) -> Formula | None:
    """A statement of a subject, maybe denied."""
    found = _ATOM.match(text)
    if found is None or not _WORDS.match(found["rest"]) or _CLAUSE_WORDS.search(found["rest"]):
        return None
    verb, rest = found["verb"] or "", found["rest"]
    denied = verb.endswith("not") or verb.endswith("n't")
    if verb.startswith(("is", "were")):
        said = f"does {_base(rest)}" if rest.partition(" ")[0].endswith("ing") else f"is {rest}"
    elif rest.startswith("be ") and verb.startswith("will"):
        said = f"is {rest[3:]}"
    else:
        said = f"does {_base(rest)}"
    subject = found["subject"]
    term = subject if len(subject) == 1 else f"n_{subject.lower()}"
    atom = Atom(_predicate(said), (term,))
    return Not(atom) if denied else atom


def _base(words: str) -> str:
    """What somebody does, in one form for "makes tea", "making tea" and "make tea"."""
    verb, space, rest = words.partition(" ")
    if verb == "running" or (verb in ("go", "goes") and rest == "running"):
        return "go running"
    if verb.endswith("ing"):
        verb = verb[:-3]
    elif verb.endswith("oes"):
        verb = verb[:-2]
    elif verb.endswith("s") and not verb.endswith("ss"):
        verb = verb[:-1]
    return verb.removesuffix("e") + space + rest


def _predicate(said: str) -> str:
    return "P_" + said.replace(" ", "_")
