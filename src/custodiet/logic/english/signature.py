"""What the symbols of a problem are: predicates with the sorts of their arguments, constants with their sorts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from custodiet.errors import FormulaError
from custodiet.logic.formulas import Atom, Equal, Exists, ForAll, Formula, is_variable, operands

__all__ = ["Signature", "signature_of"]


@dataclass(frozen=True, eq=False)
class Signature:
    """The symbols of a language. Made by `Signature.make`, which gives the same object for the same symbols.

    Args:
        predicates: name -> sorts of its arguments; () for a proposition. "" is the one sort of a language without sorts.
        constants: name -> sort.
    """

    predicates: Mapping[str, tuple[str, ...]]
    constants: Mapping[str, str]
    sorts: tuple[str, ...] = ()
    plans: dict[Any, Any] = field(default_factory=dict, repr=False)  # formula -> how it is said; kept by rendering.py

    @staticmethod
    def make(predicates: Mapping[str, Iterable[str]], constants: Mapping[str, str] | None = None) -> Signature:
        """The signature of these symbols.

        Args:
            predicates: name -> sorts of its arguments.
            constants: name -> sort.

        Raises:
            FormulaError: a name for both a predicate and a constant, or a constant that is written like a variable, or
                a predicate of more than three arguments, for which there is no English.
        """
        return _make(
            tuple((name, tuple(sorts)) for name, sorts in predicates.items()), tuple((constants or {}).items())
        )

    @property
    def is_sorted(self) -> bool:
        """Whether there is more than one sort."""
        return len(self.sorts) > 1


@lru_cache(maxsize=4096)
def _make(predicates: tuple[tuple[str, tuple[str, ...]], ...], constants: tuple[tuple[str, str], ...]) -> Signature:
    for name, sorts in predicates:
        if len(sorts) > 3:
            raise FormulaError(f"the predicate {name} cannot be said", expected="at most 3 arguments", got=len(sorts))
        if name in dict(constants):
            raise FormulaError(f"{name} stands for two things", expected="a predicate or a constant", got="both")
    for name, _ in constants:
        if is_variable(name):
            raise FormulaError(f"the constant {name} is written like a variable", expected="not u to z with digits")
    sorts = dict.fromkeys(
        [*[one for _, arguments in predicates for one in arguments], *[sort for _, sort in constants]]
    )
    return Signature(dict(predicates), dict(constants), tuple(sorts))


def signature_of(formulas: Iterable[Formula]) -> Signature:
    """The symbols of some formulas, with the sorts that their quantifiers give away.

    Args:
        formulas: formulas of one problem.

    Returns:
        The signature. An argument that is never bound by a quantifier and shares no constant with one that is, has the
        sort "".

    Raises:
        FormulaError: a predicate with two numbers of arguments, or a place that has two sorts.
    """
    places: dict[tuple[str, int], tuple] = {}  # union-find over argument places, constants and variables
    sorts: dict[tuple, str] = {}
    arities: dict[str, int] = {}
    constants: dict[str, None] = {}

    def root(node: tuple) -> tuple:
        while places.setdefault(node, node) != node:
            node = places[node]
        return node

    def join(first: tuple, second: tuple) -> None:
        first, second = root(first), root(second)
        if first == second:
            return
        places[first] = second
        if first in sorts and sorts.setdefault(second, sorts[first]) != sorts[first]:
            raise FormulaError("one thing has two sorts", expected=repr(sorts[second]), got=repr(sorts[first]))

    def node_of(term: str, scope: Mapping[str, tuple]) -> tuple:
        if is_variable(term):
            return scope[term]
        constants[term] = None
        return ("constant", term)

    def walk(formula: Formula, scope: dict[str, tuple]) -> None:
        if isinstance(formula, Atom):
            if arities.setdefault(formula.predicate, len(formula.args)) != len(formula.args):
                raise FormulaError(
                    f"{formula.predicate} has two numbers of arguments",
                    expected=arities[formula.predicate], got=len(formula.args),
                )  # fmt: skip
            for at, term in enumerate(formula.args):
                join(node_of(term, scope), (formula.predicate, at))
        elif isinstance(formula, Equal):
            join(node_of(formula.left, scope), node_of(formula.right, scope))
        elif isinstance(formula, (ForAll, Exists)):
            bound = ("variable", len(places))
            root(bound)
            sorts[bound] = formula.sort
            walk(formula.body, {**scope, formula.variable: bound})
        else:
            for one in operands(formula):
                walk(one, scope)

    for formula in formulas:
        walk(formula, {})
    predicates = {
        name: tuple(sorts.get(root((name, at)), "") for at in range(arity)) for name, arity in arities.items()
    }
    return Signature.make(predicates, {name: sorts.get(root(("constant", name)), "") for name in constants})
