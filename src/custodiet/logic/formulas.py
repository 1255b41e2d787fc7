"""Formulas: immutable, hashable trees of plain tuples, so that comparing and hashing them costs what it costs in C.

A term is a name. Names of variables are a letter from u to z, maybe with digits (`x`, `y2`); every other lower-case name
is a constant. Quantifiers bind variables and nothing else, so a constant put in place of a variable is never captured.
A formula that leaves this room is closed: each of its variables is bound by exactly one quantifier above it.

The formulas of propositional logic are those whose atoms have no arguments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING

__all__ = [
    "FALSUM",
    "And",
    "Atom",
    "Equal",
    "Exists",
    "Falsum",
    "ForAll",
    "Formula",
    "Iff",
    "Implies",
    "Not",
    "Or",
    "atoms_of",
    "complement",
    "constants_of",
    "instantiate",
    "is_literal",
    "is_variable",
    "operands",
    "predicates_of",
    "subformulas",
]

_VARIABLE = re.compile(r"[u-z][0-9]*\Z")


@lru_cache(maxsize=1 << 12)
def is_variable(term: str) -> bool:
    """Whether a term is a variable: a letter from u to z, maybe with digits."""
    return _VARIABLE.match(term) is not None


class Formula(tuple):
    """A formula; what it is, is told by its class. Equal trees are equal, whoever made them."""

    __slots__ = ()

    def __repr__(self) -> str:
        from custodiet.logic.notation import format_formula

        return f"<{format_formula(self)}>"

    def __reduce__(self) -> tuple:
        return (_rebuild, (type(self).__name__, tuple(self)))


class Atom(Formula):
    """`predicate(args)`: a predicate's name and the terms it is said of; without terms a proposition."""

    __slots__ = ()
    if TYPE_CHECKING:
        predicate: str
        args: tuple[str, ...]

    def __new__(cls, predicate: str, args: tuple[str, ...] = ()) -> Atom:
        return tuple.__new__(cls, ("atom", predicate, args))


class Equal(Formula):
    """`left = right`, of two terms."""

    __slots__ = ()
    if TYPE_CHECKING:
        left: str
        right: str

    def __new__(cls, left: str, right: str) -> Equal:
        return tuple.__new__(cls, ("equal", left, right))


class Falsum(Formula):
    """The formula that is false everywhere."""

    __slots__ = ()

    def __new__(cls) -> Falsum:
        return tuple.__new__(cls, ("falsum",))


class Not(Formula):
    """`~body`."""

    __slots__ = ()
    if TYPE_CHECKING:
        body: Formula

    def __new__(cls, body: Formula) -> Not:
        return tuple.__new__(cls, ("not", body))


class And(Formula):
    """`part & part & ...`: two or more."""

    __slots__ = ()
    if TYPE_CHECKING:
        parts: tuple[Formula, ...]

    def __new__(cls, *parts: Formula) -> And:
        return tuple.__new__(cls, ("and", parts))


class Or(Formula):
    """`part | part | ...`: two or more; true if at least one is."""

    __slots__ = ()
    if TYPE_CHECKING:
        parts: tuple[Formula, ...]

    def __new__(cls, *parts: Formula) -> Or:
        return tuple.__new__(cls, ("or", parts))


class Implies(Formula):
    """`left -> right`, false only where `left` is true and `right` is not."""

    __slots__ = ()
    if TYPE_CHECKING:
        left: Formula
        right: Formula

    def __new__(cls, left: Formula, right: Formula) -> Implies:
        return tuple.__new__(cls, ("implies", left, right))


class Iff(Formula):
    """`left <-> right`."""

    __slots__ = ()
    if TYPE_CHECKING:
        left: Formula
        right: Formula

    def __new__(cls, left: Formula, right: Formula) -> Iff:
        return tuple.__new__(cls, ("iff", left, right))


class ForAll(Formula):
    """`forall variable: body`, over the individuals of a sort ("" is the one sort of a language without sorts)."""

    __slots__ = ()
    if TYPE_CHECKING:
        variable: str
        sort: str
        body: Formula

    def __new__(cls, variable: str, body: Formula, sort: str = "") -> ForAll:
        return tuple.__new__(cls, ("forall", variable, sort, body))


class Exists(Formula):
    """`exists variable: body`, over the individuals of a sort; sorts are never empty."""

    __slots__ = ()
    if TYPE_CHECKING:
        variable: str
        sort: str
        body: Formula

    def __new__(cls, variable: str, body: Formula, sort: str = "") -> Exists:
        return tuple.__new__(cls, ("exists", variable, sort, body))


if not TYPE_CHECKING:  # read-only attributes at the speed of C
    for _cls, _names in (
        (Atom, ("predicate", "args")),
        (Equal, ("left", "right")),
        (Not, ("body",)),
        (And, ("parts",)),
        (Or, ("parts",)),
        (Implies, ("left", "right")),
        (Iff, ("left", "right")),
        (ForAll, ("variable", "sort", "body")),
        (Exists, ("variable", "sort", "body")),
    ):
        _cls.__match_args__ = _names
        for _index, _name in enumerate(_names, start=1):
            setattr(_cls, _name, property(itemgetter(_index)))

FALSUM = Falsum()
_CLASSES: dict[str, type[Formula]] = {
    one.__name__: one for one in (Atom, Equal, Falsum, Not, And, Or, Implies, Iff, ForAll, Exists)
}


def _rebuild(name: str, fields: tuple) -> Formula:
    return tuple.__new__(_CLASSES[name], fields)


def operands(formula: Formula) -> tuple[Formula, ...]:
    """The formulas directly below the root."""
    if isinstance(formula, (And, Or)):
        return formula.parts
    if isinstance(formula, (Implies, Iff)):
        return (formula.left, formula.right)
    if isinstance(formula, (Not, ForAll, Exists)):
        return (formula.body,)
    return ()


def subformulas(formula: Formula) -> Iterator[Formula]:
    """The formula and every formula below it, roots first."""
    stack = [formula]
    while stack:
        one = stack.pop()
        yield one
        stack.extend(reversed(operands(one)))


def atoms_of(formula: Formula) -> list[Atom]:
    """The atoms, each once, in the order in which they are read."""
    found: dict[Atom, None] = {}
    _collect_atoms(formula, found)
    return list(found)


def _collect_atoms(formula: Formula, found: dict[Atom, None]) -> None:
    kind = formula[0]
    if kind == "atom":
        found[formula] = None  # type: ignore[index]
    elif kind == "not":
        _collect_atoms(formula[1], found)
    elif kind == "implies" or kind == "iff":
        _collect_atoms(formula[1], found)
        _collect_atoms(formula[2], found)
    elif kind == "and" or kind == "or":
        for one in formula[1]:
            _collect_atoms(one, found)
    elif kind == "forall" or kind == "exists":
        _collect_atoms(formula[3], found)


def constants_of(formula: Formula) -> list[str]:
    """The constants, each once, in the order in which they are read."""
    found: dict[str, None] = {}
    _collect_constants(formula, found)
    return list(found)


def _collect_constants(formula: Formula, found: dict[str, None]) -> None:
    kind = formula[0]
    if kind == "atom" or kind == "equal":
        for term in formula[2] if kind == "atom" else formula[1:3]:
            if term not in found and not is_variable(term):
                found[term] = None
    elif kind == "not":
        _collect_constants(formula[1], found)
    elif kind == "implies" or kind == "iff":
        _collect_constants(formula[1], found)
        _collect_constants(formula[2], found)
    elif kind == "and" or kind == "or":
        for one in formula[1]:
            _collect_constants(one, found)
    elif kind == "forall" or kind == "exists":
        _collect_constants(formula[3], found)


def predicates_of(formula: Formula) -> dict[str, int]:
    """Predicate -> number of arguments, in the order in which they are read."""
    return {one.predicate: len(one.args) for one in subformulas(formula) if isinstance(one, Atom)}


def is_literal(formula: Formula) -> bool:
    """Whether it is an atom or an equality, or the negation of one."""
    kind = formula[0]
    if kind == "not":
        kind = formula[1][0]
    return kind == "atom" or kind == "equal"


def complement(formula: Formula) -> Formula:
    """The negation, without a double one: `~p` gives `p`."""
    return formula.body if isinstance(formula, Not) else Not(formula)


def instantiate(formula: Formula, terms: Mapping[str, str]) -> Formula:
    """Put terms in place of free names.

    Args:
        formula: any formula.
        terms: variable (or constant) -> what stands there instead. A name that a quantifier inside binds is left alone.

    Returns:
        The formula with the names replaced. New terms must not be variables that a quantifier inside binds; constants
        never are.
    """
    kind = formula[0]
    if kind == "atom":
        args = tuple([terms.get(one, one) for one in formula[2]])
        return formula if args == formula[2] else Atom(formula[1], args)
    if kind == "not":
        return Not(instantiate(formula[1], terms))
    if kind == "implies":
        return Implies(instantiate(formula[1], terms), instantiate(formula[2], terms))
    if kind == "and":
        return And(*[instantiate(one, terms) for one in formula[1]])
    if kind == "or":
        return Or(*[instantiate(one, terms) for one in formula[1]])
    if kind == "iff":
        return Iff(instantiate(formula[1], terms), instantiate(formula[2], terms))
    if kind == "forall" or kind == "exists":
        inner = {name: term for name, term in terms.items() if name != formula[1]} if formula[1] in terms else terms
        return (ForAll if kind == "forall" else Exists)(formula[1], instantiate(formula[3], inner), formula[2])
    if kind == "equal":
        return Equal(terms.get(formula[1], formula[1]), terms.get(formula[2], formula[2]))
    return formula
