"""What islanders say, in English that is read back: every sentence stands for one formula.

The proposition `fay` says that Fay is a knight. A statement speaks of islanders by name, of its speaker as "I", and of all
of them as "us". `read_statement` knows exactly the sentences that `sentences_of` makes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from custodiet.errors import FormulaError
from custodiet.logic.formulas import And, Atom, Formula, Iff, Implies, Not, Or, complement

__all__ = ["counts_of", "read_premise", "read_statement", "say_premise", "sentences_of"]


@lru_cache(maxsize=1024)
def counts_of(islanders: tuple[str, ...]) -> dict[Formula, tuple[str, ...]]:
    """Formula -> sentences, for what is said of the number of knights and knaves among all islanders (at least two)."""
    knights = [Atom(one) for one in islanders]
    found: dict[Formula, tuple[str, ...]] = {}
    for literals, kind in ((knights, "knight"), ([Not(one) for one in knights], "knave")):
        sentences = {
            _exactly_one(literals): (
                f"exactly one of us is a {kind}",
                f"there is exactly one {kind} among us",
                f"only one of us is a {kind}",
            ),
            Or(*literals): (
                f"at least one of us is a {kind}",
                f"there is at least one {kind} among us",
                f"one or more of us are {kind}s",
            ),
            And(*literals): (f"all of us are {kind}s", f"each of us is a {kind}", f"we are all {kind}s"),
        }
        for formula, said in sentences.items():
            found[formula] = said
    return found


def _exactly_one(literals: Sequence[Formula]) -> Formula:
    return Or(*[And(*[one if one is chosen else complement(one) for one in literals]) for chosen in literals])


def _is_literal(formula: Formula) -> bool:
    return formula[0] == "atom" or (formula[0] == "not" and formula[1][0] == "atom")


@lru_cache(maxsize=1 << 15)
def sentences_of(formula: Formula, islanders: tuple[str, ...], speaker: str) -> tuple[str, ...]:
    """Every sentence of a statement.

    Args:
        formula: a literal; `&`, `|`, `->` or `<->` of two literals of different islanders; `y <-> (z <-> l)`, what the
            islander y would say that z would say; or one of `counts_of`.
        islanders: all of them, in their order.
        speaker: who says it; is no y or z.

    Returns:
        Sentences with a capital and a period, in which `%(fay)s` stands for the name of `fay`; at least two, of two
        islanders at least three.

    Raises:
        FormulaError: the formula is none of these.
    """
    texts = list(counts_of(islanders).get(formula, ()))
    kind = formula[0]
    if _is_literal(formula):
        texts += [_literal(formula, speaker), _habit(formula, speaker)]
    elif kind in ("and", "or", "implies", "iff"):
        parts = formula[1] if kind in ("and", "or") else formula[1:]
        if len(parts) == 2 and all(map(_is_literal, parts)):
            texts += _of_two(kind, parts, speaker)
        elif kind == "iff" and parts[0][0] == "atom" and parts[1][0] == "iff":
            texts += _nested(parts[0], parts[1], speaker)
    if not texts:
        raise FormulaError("islanders have no sentence for this formula", got=repr(formula))
    return tuple([f"{one[0].upper()}{one[1:]}." for one in texts])


def _name(atom: Formula, speaker: str) -> str:
    return "I" if atom[1] == speaker else f"%({atom[1]})s"


def _split(literal: Formula) -> tuple[Formula, bool]:
    return (literal[1], False) if literal[0] == "not" else (literal, True)


def _literal(literal: Formula, speaker: str) -> str:
    atom, positive = _split(literal)
    name = _name(atom, speaker)
    return f"{name} {'am' if name == 'I' else 'is'} a {'knight' if positive else 'knave'}"


def _habit(literal: Formula, speaker: str) -> str:
    atom, positive = _split(literal)
    name = _name(atom, speaker)
    if name == "I":
        return f"I always {'tell the truth' if positive else 'lie'}"
    return f"{name} always {'tells the truth' if positive else 'lies'}"


def _of_two(kind: str, parts: Sequence[Formula], speaker: str) -> list[str]:
    left, right = [_literal(one, speaker) for one in parts]
    (first, positive), (second, also) = map(_split, parts)
    names = [_name(first, speaker), _name(second, speaker)]
    if kind == "and":
        texts = [f"both {left} and {right}", f"{left}, and {right}", f"it is true that {left} and that {right}"]
        if positive is also:
            texts.append(f"{names[0]} and {names[1]} are both {'knights' if positive else 'knaves'}")
        return texts
    if kind == "or":
        return [
            f"either {left}, or {right}, or both",
            f"{left}, or {right}, or both",
            f"at least one of these is true: {left}; {right}",
        ]
    if kind == "implies":
        return [f"if {left}, then {right}", f"{right} if {left}", f"{left} only if {right}"]
    texts = [f"{left} {word} {right}" for word in ("if and only if", "exactly when", "just in case")]
    if positive:
        texts.append(f"{names[0]} and {names[1]} are of {'the same kind' if also else 'different kinds'}")
        if names[0] != "I":
            texts.append(f"{names[0]} would say that {right}")
    return texts


def _nested(first: Formula, said: Formula, speaker: str) -> list[str]:
    second, literal = said[1], said[2]
    if second[0] != "atom" or not _is_literal(literal) or speaker in (first[1], second[1]):
        return []
    inner = f"{_name(second, speaker)} would say that {_literal(literal, speaker)}"
    name = _name(first, speaker)
    return [f"{name} would say that {inner}", f"asked about it, {name} would say that {inner}",
            f"{name} would claim that {inner}"]  # fmt: skip


# --- reading ---------------------------------------------------------------------------------------------------------

_NAME = r"(I|[A-Z][a-z]+)"
_LIT = r"(I am a (?:knight|knave)|[A-Z][a-z]+ is a (?:knight|knave))"
_Maker = Callable[[Sequence[str], Callable[[str], Formula]], Formula]


def _two(made: Callable[[Formula, Formula], Formula]) -> _Maker:
    return lambda found, read: made(read(found[0]), read(found[1]))


def _converse(found: Sequence[str], read: Callable[[str], Formula]) -> Formula:
    return Implies(read(found[1]), read(found[0]))


def _alike(found: Sequence[str], read: Callable[[str], Formula]) -> Formula:
    literals = [read(f"{one} knight") for one in found[:2]]
    return And(*literals) if found[2] == "knights" else And(*map(Not, literals))


def _kinds(found: Sequence[str], read: Callable[[str], Formula]) -> Formula:
    left, right = [read(f"{one} knight") for one in found[:2]]
    return Iff(left, right if found[2] == "the same kind" else Not(right))


def _would(found: Sequence[str], read: Callable[[str], Formula]) -> Formula:
    return Iff(read(f"{found[0]} knight"), read(found[1]))


def _would_twice(found: Sequence[str], read: Callable[[str], Formula]) -> Formula:
    return Iff(read(f"{found[0]} knight"), Iff(read(f"{found[1]} knight"), read(found[2])))


def _one(found: Sequence[str], read: Callable[[str], Formula]) -> Formula:
    return read(found[0])


def _habitual(found: Sequence[str], read: Callable[[str], Formula]) -> Formula:
    return read(f"{found[0]} {'knave' if found[1] in ('lie', 'lies') else 'knight'}")


_PATTERNS: tuple[tuple[re.Pattern[str], _Maker], ...] = tuple(
    (re.compile(pattern), maker)
    for pattern, maker in (
        (_LIT, _one),
        (r"(I) always (tell the truth|lie)", _habitual),
        (r"([A-Z][a-z]+) always (tells the truth|lies)", _habitual),
        (rf"[Bb]oth {_LIT} and {_LIT}", _two(And)),
        (rf"{_LIT}, and {_LIT}", _two(And)),
        (rf"[Ii]t is true that {_LIT} and that {_LIT}", _two(And)),
        (rf"{_NAME} and {_NAME} are both (knights|knaves)", _alike),
        (rf"(?:[Ee]ither )?{_LIT}, or {_LIT}, or both", _two(Or)),
        (rf"[Aa]t least one of these is true: {_LIT}; {_LIT}", _two(Or)),
        (rf"[Ii]f {_LIT}, then {_LIT}", _two(Implies)),
        (rf"{_LIT} if {_LIT}", _converse),
        (rf"{_LIT} only if {_LIT}", _two(Implies)),
        (rf"{_LIT} (?:if and only if|exactly when|just in case) {_LIT}", _two(Iff)),
        (rf"{_NAME} and {_NAME} are of (the same kind|different kinds)", _kinds),
        (rf"([A-Z][a-z]+) would say that {_LIT}", _would),
        (
            rf"(?:[Aa]sked about it, )?([A-Z][a-z]+) would (?:say|claim) that ([A-Z][a-z]+) would say that {_LIT}",
            _would_twice,
        ),
    )
)


def read_statement(sentence: str, names: Mapping[str, str], speaker: str) -> Formula:
    """The formula of a sentence.

    Args:
        sentence: one sentence with its period.
        names: islander (a proposition) -> name, in the order in which they stand in counts.
        speaker: who says it, one of the islanders.

    Returns:
        The formula, its operands as they are said (in `if` sentences the condition on the left).

    Raises:
        FormulaError: a sentence that islanders do not say, or somebody who is not of them.
    """
    islander_of = {name: one for one, name in names.items()}

    def literal(text: str) -> Formula:
        name, kind = text.split()[0], text.split()[-1]
        islander = speaker if name == "I" else islander_of.get(name)
        if islander is None:
            raise FormulaError(f"{name} is not on the island", expected=", ".join(islander_of), got=repr(sentence))
        atom = Atom(islander)
        return atom if kind == "knight" else Not(atom)

    text = sentence[:-1] if sentence.endswith(".") else ""
    for formula, said in counts_of(tuple(names)).items():
        if text[:1].lower() + text[1:] in said:
            return formula
    for pattern, maker in _PATTERNS:
        found = pattern.fullmatch(text)
        if found is not None:
            return maker(found.groups(), literal)
    raise FormulaError("not a sentence of the island", expected="as in: Fay is a knave.", got=repr(sentence[:200]))


_SAYS = re.compile(r'([A-Z][a-z]+) says, "(.+)"\Z')


def say_premise(premise: Formula, text: str, names: Mapping[str, str]) -> str:
    """`a <-> statement` as what the islander a says, in a sentence that was chosen from `sentences_of` and filled."""
    return f'{names[premise[1][1]]} says, "{text}"'


def read_premise(text: str, names: Mapping[str, str]) -> Formula:
    """The formula `a <-> statement` of what an islander says.

    Args:
        text: as in `Fay says, "Gus is a knave."`.
        names: islander (a proposition) -> name, in their order.

    Raises:
        FormulaError: not of that form, or nobody of that name.
    """
    found = _SAYS.match(text)
    speaker = next((one for one, name in names.items() if found and name == found[1]), None)
    if found is None or speaker is None:
        raise FormulaError(
            "nobody of the island says that", expected='as in: Fay says, "Gus is a knave."', got=repr(text)
        )
    return Iff(Atom(speaker), read_statement(found[2], names, speaker))
