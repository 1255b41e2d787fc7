"""Knights and knaves: who says what, in sentences that are read back.

A claim is a formula over `Knight(c)` for constants c; a knave is who is not a knight. Of the speaker a claim says "I am a
knight"; the rest is the controlled English of propositions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from custodiet.errors import FormulaError
from custodiet.logic.english.canonical import canonical_form
from custodiet.logic.english.lexicon import entry_of
from custodiet.logic.english.reading import read
from custodiet.logic.english.rendering import render
from custodiet.logic.english.signature import Signature
from custodiet.logic.english.vocabulary import Vocabulary
from custodiet.logic.formulas import And, Atom, Falsum, Formula, Iff, Implies, Not, Or

__all__ = ["KNIGHT", "claim_premise", "read_claim", "render_claim"]

KNIGHT = "Knight"
_SAYS = ("says", "claims", "states")
_CLAIM = re.compile(rf'(?P<who>[^"]+?) (?:{"|".join(_SAYS)}): "(?P<what>[^"]+)"\Z')


def claim_premise(speaker: str, claim: Formula) -> Formula:
    """What a claim comes to: its speaker is a knight if and only if it is true."""
    return Iff(Atom(KNIGHT, (speaker,)), claim)


def render_claim(speaker: str, claim: Formula, names: Mapping[str, str], choose: Callable[[int], int]) -> str:
    """A claim in English, as in: Fay says: "Rex is a knave and I am a knight."

    Args:
        speaker: the constant of who speaks.
        claim: a formula without quantifiers over `Knight(c)`.
        names: constant -> name of everyone on the island.
        choose: number of options -> index; called for the verb, then for the form of the sentence.

    Returns:
        One line; `read_claim` gives back the speaker and the canonical form of the claim.

    Raises:
        FormulaError: the claim is about something else, or about someone who is not on the island.
    """
    vocabulary = _vocabulary(tuple(names.items()), speaker)
    said = _SAYS[choose(len(_SAYS))]
    return f'{names[speaker]} {said}: "{render(_as_propositions(claim), vocabulary, choose)}"'


def read_claim(text: str, names: Mapping[str, str]) -> tuple[str, Formula]:
    """Read a claim.

    Args:
        text: a line of the form: Fay says: "Rex is a knave."
        names: constant -> name of everyone on the island.

    Returns:
        The constant of the speaker, and the claim in its canonical form.

    Raises:
        FormulaError: the line has another form, the speaker is unknown, or the sentence cannot be read.
    """
    found = _CLAIM.match(text.strip())
    if found is None:
        raise FormulaError(f"cannot read the claim {text.strip()!r}", expected='NAME says: "SENTENCE."')
    speakers = [constant for constant, name in names.items() if name == found["who"]]
    if not speakers:
        raise FormulaError(
            f"cannot read the claim {text.strip()!r}", expected=f"one of {', '.join(names.values())}", got=found["who"]
        )
    claim = read(found["what"], _vocabulary(tuple(names.items()), speakers[0]))
    return speakers[0], canonical_form(_as_knights(claim))


@lru_cache(maxsize=1024)
def _vocabulary(names: tuple[tuple[str, str], ...], speaker: str) -> Vocabulary:
    """That c is a knight as a proposition, for each c."""
    if speaker not in dict(names):
        raise FormulaError(f"{speaker} is not on the island", expected=", ".join(dict(names)))
    entries = {
        constant: entry_of("proposition", "I am a knight", "I am a knave")
        if constant == speaker
        else entry_of("proposition", f"{name} is a knight", f"{name} is a knave")
        for constant, name in names
    }
    vocabulary = Vocabulary("knights", Signature.make(dict.fromkeys(entries, ())), entries)
    vocabulary.check()
    return vocabulary


def _as_propositions(claim: Formula) -> Formula:
    if isinstance(claim, Atom):
        if claim.predicate != KNIGHT or len(claim.args) != 1:
            raise FormulaError("a claim about something else", expected=f"{KNIGHT}(...)", got=repr(claim))
        return Atom(claim.args[0])
    return _rebuilt(claim, _as_propositions)


def _as_knights(claim: Formula) -> Formula:
    if isinstance(claim, Atom):
        return Atom(KNIGHT, (claim.predicate,))
    return _rebuilt(claim, _as_knights)


def _rebuilt(claim: Formula, change: Callable[[Formula], Formula]) -> Formula:
    if isinstance(claim, Not):
        return Not(change(claim.body))
    if isinstance(claim, (And, Or)):
        return type(claim)(*[change(one) for one in claim.parts])
    if isinstance(claim, (Implies, Iff)):
        return type(claim)(change(claim.left), change(claim.right))
    if isinstance(claim, Falsum):
        return claim
    raise FormulaError(
        "a claim with something that cannot be said on the island", expected="~ & | -> <->", got=repr(claim)
    )
