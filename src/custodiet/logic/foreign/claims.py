"""What a row of a data set claims: that a goal stands in some relation to premises."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from custodiet.logic.formulas import And, Formula
from custodiet.logic.tables import Row

__all__ = ["SAYINGS", "Claim", "Format", "Unreadable", "all_of"]

SAYINGS = {
    "entailed": ("entailed",),
    "contradicted": ("contradicted",),
    "unknown": ("unknown",),
    "not entailed": ("contradicted", "unknown"),
    "inconsistent": ("inconsistent",),
}
"""what a label says -> the verdicts under which it is right"""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One label with what it is about."""

    place: str
    """where it stands in the file"""
    kind: str
    """which sort of item it is, as its maker names it"""
    says: str
    """one of `SAYINGS`"""
    premises: tuple[Formula, ...]
    goal: Formula
    logic: str
    """propositional, monadic, relational or datalog (closed world, unique names)"""
    maybe_assumes: tuple[Formula, ...] = ()
    """premises that some readers take for granted and the text does not say: that there are individuals of each kind"""
    text: str = ""
    """the question, for a report"""
    constants: Mapping[str, str] = field(default_factory=dict)
    """sorts of constants that no formula tells"""


class Unreadable(NamedTuple):
    """A row, or a part of one, that claims nothing that could be read."""

    place: str
    why: str


class Format(NamedTuple):
    """A maker's format."""

    name: str
    fits: Callable[[Row], bool]
    """whether a row looks like one of this format"""
    read: Callable[[str, Row], Iterator[Claim | Unreadable]]
    """the claims of a row at a place"""


def all_of(formulas: tuple[Formula, ...]) -> Formula:
    """Their conjunction; of one formula, itself."""
    return formulas[0] if len(formulas) == 1 else And(*formulas)
