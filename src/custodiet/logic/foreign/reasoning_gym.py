"""reasoning-gym's propositional_logic, syllogism and knights_knaves: what an entry claims.

Read from `question` and `answer`, as a model sees them. propositional_logic has no answer; its `example_answer` is taken
for the claim. Some readers of syllogisms take for granted that there are individuals of each kind, and the questions do
not say, so this is handed on as an assumption that may or may not be made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from custodiet.errors import FormulaError
from custodiet.logic.foreign.claims import Claim, Format, Unreadable, all_of
from custodiet.logic.formulas import FALSUM, And, Atom, Exists, ForAll, Formula, Iff, Implies, Not, Or, predicates_of
from custodiet.logic.notation import parse_formula
from custodiet.logic.tables import Row

__all__ = ["REASONING_GYM"]

_PROPOSITIONAL = "What can we conclude from the above statements?"
_SYLLOGISM = re.compile(
    r"Consider these statements:\n1\. (.*)\n2\. (.*)\n\nDoes it logically follow that:\n(.*)\?\n\(Answer Yes or No\)"
)
_CATEGORICAL = re.compile(r"(All|No|Some) (\w+) are (not )?(\w+)\Z")
_ISLAND = re.compile(
    r"A very special island is inhabited only by (\w+)s and (\w+)s\. .*?inhabitants: (.*?)\. (.*) So who is "
)
_QUOTED = re.compile(r'"(?P<said>[^".]+?),?"(?: -)? (?P<name>\w+)(?: declared| mentioned| claimed)?\.\s*')
_TOLD = re.compile(
    r"(?:According to |In a statement by |As |In )?(?P<name>\w+?)(?:'s words| put it| said| stated| told you| remarked"
    r"| was heard saying| expressed| asserted| commented| noted)?(?: that |[,:] )\"?(?P<said>[^\".]+)(?:\.\"|\"\.|\.)\s*"
)
_IS_A = re.compile(r"(\w+) is an? (\w+)")


class _UnreadableTextError(Exception):
    pass


def _question(row: Row) -> str:
    return row["question"] if isinstance(row.get("question"), str) else ""


def _fits(row: Row) -> bool:
    text = _question(row)
    return bool(_PROPOSITIONAL in text or _SYLLOGISM.search(text) or _ISLAND.search(text))


def _read(place: str, row: Row) -> Iterator[Claim | Unreadable]:
    text = _question(row)
    try:
        if _PROPOSITIONAL in text:
            yield _propositional(place, text, row)
        elif _SYLLOGISM.search(text):
            yield _syllogism(place, text, row)
        elif _ISLAND.search(text):
            yield _island(place, text, row)
        else:
            yield Unreadable(place, "another kind of question")
    except _UnreadableTextError as error:
        yield Unreadable(place, str(error))
    except FormulaError:
        yield Unreadable(place, "a formula that cannot be read")


def _propositional(place: str, text: str, row: Row) -> Claim | Unreadable:
    given = text[text.rindex("Given:") :] if "Given:" in text else text
    premises = tuple(parse_formula(one) for one in re.findall(r"^\.?\d+\. (.+)$", given, re.MULTILINE))
    metadata = row.get("metadata")
    answer = row.get("answer") or (metadata.get("example_answer") if isinstance(metadata, dict) else None)
    if not premises or not isinstance(answer, str):
        return Unreadable(place, "no premises" if not premises else "no answer")
    return Claim(
        place=place, kind="propositional_logic", says="entailed", premises=premises, goal=parse_formula(answer),
        logic="propositional", text=given,
    )  # fmt: skip


def _syllogism(place: str, text: str, row: Row) -> Claim | Unreadable:
    found = _SYLLOGISM.search(text)
    answer = str(row.get("answer", "")).strip().lower()
    if found is None or answer not in ("yes", "no"):
        return Unreadable(place, "an answer that is neither yes nor no")
    first, second, goal = (_categorical(one) for one in found.groups())
    kinds = {name: None for one in (first, second, goal) for name in predicates_of(one)}
    assumed = tuple(Exists("x", Atom(name, ("x",))) for name in kinds)
    says = "entailed" if answer == "yes" else "not entailed"
    return Claim(
        place=place, kind="syllogism", says=says, premises=(first, second), goal=goal, logic="monadic",
        maybe_assumes=assumed, text=text,
    )  # fmt: skip


def _categorical(text: str) -> Formula:
    found = _CATEGORICAL.match(text.strip())
    if found is None or (found[3] and found[1] != "Some"):
        raise _UnreadableTextError("a statement of another form")
    subject, said = (Atom("K_" + one.lower(), ("x",)) for one in (found[2], found[4]))
    if found[1] == "Some":
        return Exists("x", And(subject, Not(said) if found[3] else said))
    return ForAll("x", Implies(subject, Not(said) if found[1] == "No" else said))


def _island(place: str, text: str, row: Row) -> Claim | Unreadable:
    found = _ISLAND.search(text)
    answer = row.get("answer")
    if found is None or not isinstance(answer, str):
        return Unreadable(place, "no answer")
    truthful, lying = found[1], found[2]
    names = re.findall(r"\w+", found[3].replace(", and ", ", "))
    premises: list[Formula] = []
    at, said = 0, found[4]
    while at < len(said):
        one = _QUOTED.match(said, at) or _TOLD.match(said, at)
        if one is None or one["name"] not in names:
            raise _UnreadableTextError("a statement of another form")
        statement = _Statement(one["said"], names, truthful, lying).whole()
        premises.append(Iff(_truthful(one["name"]), statement))
        at = one.end()
    if len(premises) != len(names):
        raise _UnreadableTextError("not one statement for each inhabitant")
    told = _IS_A.findall(answer)
    if answer.startswith("No valid solution"):
        says, goal = "inconsistent", FALSUM
    elif sorted(name for name, _ in told) == sorted(names) and {role for _, role in told} <= {truthful, lying}:
        literals = tuple(_truthful(who) if role == truthful else Not(_truthful(who)) for who, role in told)
        says, goal = "entailed", all_of(literals)
    else:
        return Unreadable(place, "an answer of another form")
    return Claim(
        place=place, kind="knights_knaves", says=says, premises=tuple(premises), goal=goal, logic="propositional",
        text=text,
    )  # fmt: skip


def _truthful(name: str) -> Atom:
    return Atom("T_" + name)


class _Statement:
    """Reader of what an inhabitant says: `A is a knight`, `if A then B`, `A and B`, ..., inner ones in parentheses."""

    def __init__(self, text: str, names: list[str], truthful: str, lying: str) -> None:
        self._tokens = re.findall(r"[()]|\w+", text)
        self._at = 0
        self._names, self._roles = names, {truthful: True, lying: False}

    def whole(self) -> Formula:
        """The formula of the whole text."""
        found = self._statement()
        if self._at != len(self._tokens):
            raise _UnreadableTextError("a statement of another form")
        return found

    def _next(self, *words: str) -> bool:
        """Step over these words if they come next."""
        if tuple(self._tokens[self._at : self._at + len(words)]) != words:
            return False
        self._at += len(words)
        return True

    def _expect(self, *words: str) -> None:
        if not self._next(*words):
            raise _UnreadableTextError("a statement of another form")

    def _statement(self) -> Formula:
        if self._next("if") or self._next("If"):
            left = self._part()
            self._expect("then")
            return Implies(left, self._part())
        first = self._part()
        if self._next("if", "and", "only", "if"):
            return Iff(first, self._part())
        for word, made in (("and", And), ("or", Or)):
            parts = [first]
            while self._next(word):
                parts.append(self._part())
            if len(parts) > 1:
                return made(*parts)
        return first

    def _part(self) -> Formula:
        if self._next("it", "is", "not", "the", "case", "that"):
            return Not(self._part())
        if self._next("("):
            inner = self._statement()
            self._expect(")")
            return inner
        tokens = self._tokens[self._at : self._at + 4]
        denied = tokens[1:3] == ["is", "not"]  # `A is not a knight`
        if denied:
            tokens = [*tokens[:2], *self._tokens[self._at + 3 : self._at + 5]]
        if len(tokens) < 4 or tokens[0] not in self._names or tokens[1] != "is" or tokens[3] not in self._roles:
            raise _UnreadableTextError("a statement of another form")
        self._at += 5 if denied else 4
        atom = _truthful(tokens[0])
        return atom if self._roles[tokens[3]] is not denied else Not(atom)


REASONING_GYM = Format("reasoning-gym", _fits, _read)
