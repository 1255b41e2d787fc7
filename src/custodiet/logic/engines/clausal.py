"""Formulas of Bernays-Schönfinkel logic as clauses: Skolem constants for "some", variables for "all".

Reference: Plaisted and Greenbaum 1986 for names of parts, which are implied in one direction only.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from custodiet.errors import FormulaError
from custodiet.logic.formulas import (
    And,
    Atom,
    Equal,
    Exists,
    Falsum,
    ForAll,
    Formula,
    Iff,
    Implies,
    Not,
    Or,
    subformulas,
)
from custodiet.logic.notation import format_formula

__all__ = ["EQUAL", "Clause", "Clauses", "Literal", "Term", "clauses_of"]

EQUAL = "="
_MOST_DISTRIBUTED = 24  # clauses; a disjunction that would give more names its parts

Term = str | int  # a constant's name; a variable's number; -1 - k for Skolem constant k
Literal = tuple[bool, str, tuple[Term, ...]]


class Clause(NamedTuple):
    """A disjunction for all values of its variables: their sorts, and literals whose variables are numbers of these."""

    sorts: tuple[str, ...]
    literals: tuple[Literal, ...]


class Clauses(NamedTuple):
    """A formula as clauses.

    `skolems`: sorts of the Skolem constants, by number. `names`: auxiliary predicate -> sorts of its arguments.
    `equality`: whether there is any.
    """

    clauses: tuple[Clause, ...]
    skolems: tuple[str, ...]
    names: tuple[tuple[str, tuple[str, ...]], ...]
    equality: bool


class _Clausifier:
    def __init__(self) -> None:
        self.variables: list[str] = []
        self.skolems: list[str] = []
        self.names: dict[str, tuple[str, ...]] = {}
        self.definitions: list[tuple[Literal, ...]] = []
        self.sides: dict[tuple, Literal] = {}

    def clauses(self, formula: Formula, sign: bool, bound: dict[str, Term]) -> list[tuple[Literal, ...]]:
        """Clauses of the formula (or, without `sign`, its negation), some variables standing for terms."""
        kind = type(formula)
        if kind is Atom:
            return [((sign, formula[1], tuple([self._term(one, bound) for one in formula[2]])),)]
        if kind is Not:
            return self.clauses(formula[1], not sign, bound)
        if kind is Implies:
            sides = [(formula[1], not sign), (formula[2], sign)]
            return self._either(sides, bound) if sign else self._both(sides, bound)
        if kind is And or kind is Or:
            parts = [(one, sign) for one in formula[1]]
            return self._both(parts, bound) if sign is (kind is And) else self._either(parts, bound)
        if kind is Iff:
            yes, no = ([self._side(one, way, bound) for one in formula[1:]] for way in (True, False))
            return [
                *self._one_of([no[0], (yes if sign else no)[1]], bound),
                *self._one_of([yes[0], (no if sign else yes)[1]], bound),
            ]
        if kind is ForAll or kind is Exists:
            variable, sort, body = formula[1:]
            if sign is (kind is ForAll):
                self.variables.append(sort)
                return self.clauses(body, sign, {**bound, variable: len(self.variables) - 1})
            if any(isinstance(bound.get(one), int) and bound[one] >= 0 for one in _free(formula)):  # type: ignore[operator]
                raise FormulaError(
                    f"what {format_formula(formula)} says to exist depends on what is said of all",
                    expected="a formula of Bernays-Schönfinkel logic: some ... all ..., without functions",
                )
            self.skolems.append(sort)
            return self.clauses(body, sign, {**bound, variable: -len(self.skolems)})
        if kind is Equal:
            left, right = self._term(formula[1], bound), self._term(formula[2], bound)
            if left == right:
                return [] if sign else [()]
            return [((sign, EQUAL, (left, right)),)]
        if kind is Falsum:
            return [()] if sign else []
        raise FormulaError("not a formula", got=repr(formula))

    @staticmethod
    def _term(name: str, bound: dict[str, Term]) -> Term:
        return bound.get(name, name)

    def _both(self, parts: list[tuple[Formula, bool]], bound: dict[str, Term]) -> list[tuple[Literal, ...]]:
        return [clause for one, sign in parts for clause in self.clauses(one, sign, bound)]

    def _either(self, parts: list[tuple[Formula, bool]], bound: dict[str, Term]) -> list[tuple[Literal, ...]]:
        return self._one_of([self.clauses(one, sign, bound) for one, sign in parts], bound)

    def _one_of(self, parts: list[list[tuple[Literal, ...]]], bound: dict[str, Term]) -> list[tuple[Literal, ...]]:
        """Clauses that one of the parts holds.

        Parts get names where the product would be long, and where two of them speak of all (else every value of the one's
        variables would meet every value of the other's).
        """
        outer = set(bound.values())
        general = [any(one not in outer for one in _variables(clauses)) for clauses in parts]
        several = sum(general) > 1
        product: list[tuple[Literal, ...]] = [()]
        for speaks_of_all, clauses in zip(general, parts, strict=True):
            if (several and speaks_of_all) or len(product) * len(clauses) > max(_MOST_DISTRIBUTED, len(product)):
                clauses = [(self._named(clauses, outer),)]
            product = [
                left + tuple([literal for literal in right if literal not in left])
                for left in product
                for right in clauses
            ]
        return product

    def _side(self, formula: Formula, sign: bool, bound: dict[str, Term]) -> list[tuple[Literal, ...]]:
        """Clauses of a side of an equivalence; where another equivalence is in it, by a name, lest they double."""
        kinds = {type(one) for one in subformulas(formula)}
        if Iff not in kinds or ForAll in kinds or Exists in kinds:
            return self.clauses(formula, sign, bound)
        key = (formula, tuple(sorted(bound.items())))
        name = self.sides.get(key)
        if name is None:
            yes, no = self.clauses(formula, True, bound), self.clauses(formula, False, bound)
            name = self.sides[key] = self._named(yes, set(bound.values()), no)
        return [((sign, *name[1:]),)]

    def _named(
        self, clauses: list[tuple[Literal, ...]], outer: set[Term], negation: Sequence[tuple[Literal, ...]] = ()
    ) -> Literal:
        """A literal, said of those of the outer variables that occur, that implies the clauses.

        If their negation is given, they also imply it.
        """
        terms = tuple([one for one in _variables([*clauses, *negation]) if one in outer])
        name = f"{len(self.names)}"
        self.names[name] = tuple([self.variables[one] for one in terms])
        self.definitions += [((False, name, terms), *clause) for clause in clauses]
        self.definitions += [((True, name, terms), *clause) for clause in negation]
        return (True, name, terms)

    def numbered(self, clause: tuple[Literal, ...]) -> Clause:
        """The clause with its own numbers for its variables."""
        variables = _variables([clause])
        own: dict[Term, int] = {one: i for i, one in enumerate(variables)}
        literals = [(sign, predicate, tuple([own.get(one, one) for one in terms])) for sign, predicate, terms in clause]
        return Clause(tuple([self.variables[one] for one in variables]), tuple(literals))


def _variables(clauses: Sequence[tuple[Literal, ...]]) -> list[int]:
    """The variables, in the order in which they are read."""
    terms = (term for clause in clauses for _, _, terms in clause for term in terms)
    return list(dict.fromkeys(one for one in terms if isinstance(one, int) and one >= 0))


@lru_cache(maxsize=1 << 13)
def _free(formula: Formula) -> frozenset[str]:
    """Names that may be free variables: all terms but those bound inside."""
    kind = type(formula)
    if kind is Atom:
        return frozenset(formula[2])
    if kind is Equal:
        return frozenset(formula[1:])
    if kind is And or kind is Or:
        return frozenset(chain.from_iterable(_free(one) for one in formula[1]))
    if kind is ForAll or kind is Exists:
        return _free(formula[3]) - {formula[1]}
    return frozenset(chain.from_iterable(_free(one) for one in formula[1:]))


@lru_cache(maxsize=1 << 13)
def clauses_of(formula: Formula, sign: bool) -> Clauses:
    """Clauses that can be met (with some Skolem constants and some names of parts) exactly where the formula is true.

    Args:
        formula: a closed formula whose "some" does not depend on an "all".
        sign: False for the formula's negation.

    Raises:
        FormulaError: something that is said to exist depends on what is said of all.
    """
    made = _Clausifier()
    clauses = made.clauses(formula, sign, {})
    return Clauses(
        tuple([made.numbered(one) for one in (*made.definitions, *clauses)]),
        tuple(made.skolems),
        tuple(made.names.items()),
        any(predicate == EQUAL for clause in (*made.definitions, *clauses) for _, predicate, _ in clause),
    )
