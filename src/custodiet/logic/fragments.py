"""Which language formulas speak, and which logic they belong to.

`signature_of` finds the predicates, constants and sorts, and refuses names used in two ways. `require_logic` refuses a
formula that the engines of a logic do not decide, and says which one and why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from custodiet.errors import FormulaError, UsageError
from custodiet.logic.engines.closure import Program
from custodiet.logic.formulas import (
    And,
    Atom,
    Equal,
    Exists,
    ForAll,
    Formula,
    Iff,
    Implies,
    Not,
    Or,
    is_variable,
    operands,
    subformulas,
)
from custodiet.logic.notation import format_formula

__all__ = ["LOGICS", "Signature", "require_logic", "signature_of"]

LOGICS = ("propositional", "syllogistic", "monadic", "relational", "datalog")


@dataclass(frozen=True, slots=True)
class Signature:
    """The names of a language.

    Args:
        predicates: predicate -> sorts of its arguments; () for a proposition.
        constants: constant -> its sort.
        sorts: all of them, in the order in which they are met; `("",)` for a language with individuals but without
            sorts, () for one of propositions only.
    """

    predicates: Mapping[str, tuple[str, ...]]
    constants: Mapping[str, str]
    sorts: tuple[str, ...]


class _Names(NamedTuple):
    """What one formula says about its names; a term is a constant's name or, for a variable, the 1-tuple of its sort."""

    uses: tuple[tuple[str, tuple[str | tuple[str], ...]], ...]
    equalities: tuple[tuple[str | tuple[str], str | tuple[str]], ...]
    sorts: tuple[str, ...]
    arities: tuple[tuple[str, int], ...]
    constants: tuple[str, ...]


@lru_cache(maxsize=1 << 13)
def _names(formula: Formula) -> _Names:
    uses: dict[tuple[str, tuple], None] = {}
    equalities: dict[tuple, None] = {}
    sorts: dict[str, None] = {}
    try:
        _describe(formula, {}, uses, equalities, sorts)
    except FormulaError as error:
        raise FormulaError(f"{error} in {format_formula(formula)}", expected="a quantifier that binds it") from None
    terms = [term for args in (*[args for _, args in uses], *equalities) for term in args]
    return _Names(
        tuple(uses),
        tuple(equalities),
        tuple(sorts),
        tuple(dict.fromkeys((predicate, len(args)) for predicate, args in uses)),
        tuple(dict.fromkeys(term for term in terms if isinstance(term, str))),
    )


def _describe(formula: Formula, bound: dict[str, str], uses: dict, equalities: dict, sorts: dict) -> None:
    kind = type(formula)
    if kind is Atom:
        uses[formula[1], tuple([_described(term, bound) for term in formula[2]]) if formula[2] else ()] = None
    elif kind is Equal:
        equalities[_described(formula[1], bound), _described(formula[2], bound)] = None
    elif kind is ForAll or kind is Exists:
        sorts[formula[2]] = None
        _describe(formula[3], {**bound, formula[1]: formula[2]}, uses, equalities, sorts)
    else:
        for part in operands(formula):
            _describe(part, bound, uses, equalities, sorts)


def _described(term: str, bound: dict[str, str]) -> str | tuple[str]:
    if term in bound:
        return (bound[term],)
    if is_variable(term):
        raise FormulaError(f"the variable {term} is free")
    return term


def signature_of(formulas: Iterable[Formula], *, constants: Mapping[str, str] | None = None) -> Signature:
    """The names that formulas use, with sorts as the quantifiers give them.

    Args:
        formulas: closed formulas of one language.
        constants: sorts of constants, where no formula tells them; of those that no formula has, nothing is made.

    Returns:
        The signature. In a language with sorts an argument's sort comes from the variables and constants that stand
        there, a constant's from the arguments where it stands.

    Raises:
        FormulaError: a free variable, a predicate with two numbers of arguments, a name with two sorts or with none,
            sorted and unsorted quantifiers together.
    """
    facts = [_names(one) for one in formulas]
    arities: dict[str, int] = {}
    for fact in facts:
        for predicate, arity in fact.arities:
            if arities.setdefault(predicate, arity) != arity:
                raise FormulaError(
                    f"the predicate {predicate} is used with two numbers of arguments",
                    expected=arities[predicate],
                    got=arity,
                )
    named = {name: "" for fact in facts for name in fact.constants}
    given = {name: sort for name, sort in (constants or {}).items() if name in named}
    sorts = list(dict.fromkeys([*[sort for fact in facts for sort in fact.sorts], *given.values()]))
    if sorts and sorts != [""]:
        if "" in sorts:
            raise FormulaError(
                "quantifiers with and without sorts in one language",
                expected="a sort for each",
                got=", ".join(sort or "none" for sort in sorts),
            )
        return _sorted_signature(facts, arities, given, tuple(sorts))
    individuals = bool(sorts) or bool(named)
    return Signature({name: ("",) * arity for name, arity in arities.items()}, named, ("",) if individuals else ())


def _sorted_signature(
    facts: Sequence[_Names], arities: Mapping[str, int], constants: dict[str, str], sorts: tuple[str, ...]
) -> Signature:
    """Sorts spread from variables and given constants to places of predicates, from there to constants, and so on."""
    links: dict[tuple, None] = {}  # places that share a sort: (predicate, number), a constant's (name,) or a sort's
    for fact in facts:
        for predicate, terms in fact.uses:
            for i, term in enumerate(terms):
                links[(predicate, i), term if isinstance(term, tuple) else ("the constant", term)] = None
        for pair in fact.equalities:
            left, right = (one if isinstance(one, tuple) else ("the constant", one) for one in pair)
            links[left, right] = None
    known: dict[tuple, str] = {(sort,): sort for sort in sorts}
    known |= {("the constant", name): sort for name, sort in constants.items()}
    changed = True
    while changed:
        changed = False
        for left, right in links:
            if left in known and right in known:
                if known[left] != known[right]:
                    raise FormulaError(_clash(left, right), expected=known[left], got=known[right])
            elif left in known or right in known:
                known[left] = known[right] = known.get(left) or known[right]
                changed = True
    for left, right in links:
        for place in (right, left):
            if place not in known:
                what = (
                    f"{place[0]} {place[1]}" if place[0] == "the constant" else f"argument {place[1] + 1} of {place[0]}"
                )
                raise FormulaError(
                    f"no formula tells the sort of {what}",
                    expected=" or ".join(sorts),
                    got="neither a variable nor a constant of known sort in its place",
                    hint="Give it: signature_of(formulas, constants={name: sort}).",
                )
    return Signature(
        {name: tuple([known[name, i] for i in range(arity)]) for name, arity in arities.items()},
        {place[1]: sort for place, sort in known.items() if place[0] == "the constant" and len(place) == 2},
        sorts,
    )


def _clash(left: tuple, right: tuple) -> str:
    for place in (right, left):
        if len(place) == 2 and place[0] == "the constant":
            return f"the constant {place[1]} is used as of two sorts"
    if len(left) == 2:
        return f"argument {left[1] + 1} of the predicate {left[0]} is used as of two sorts"
    return "= between two sorts"


def require_logic(
    logic: str,
    premises: Sequence[Formula],
    goal: Formula | None = None,
    *,
    constants: Mapping[str, str] | None = None,
) -> Signature | Program:
    """Make sure that formulas belong to a logic.

    Args:
        logic: one of `LOGICS`.
        premises: closed formulas.
        goal: one more, where there is a goal. In the relational logic its negation must belong too.
        constants: sorts of constants that no formula tells.

    Returns:
        The signature; for `datalog` the program (which has one).

    Raises:
        FormulaError: the first formula that does not, and why; or names used in two ways.
        UsageError: no such logic.
    """
    if logic not in LOGICS:
        raise UsageError("no such logic", expected=" or ".join(LOGICS), got=logic)
    if logic == "datalog":
        return Program(premises, goal)
    formulas: list[Formula] = [*premises] if goal is None else [*premises, goal]
    if logic == "propositional":
        found: dict[str, tuple[str, ...]] = {}
        for one in formulas:
            names = _propositions(one)
            if names is None:
                break
            found |= names
        else:
            return Signature(found, {}, ())
    tests = {
        "propositional": _not_propositional,
        "syllogistic": _not_syllogistic,
        "monadic": _not_monadic,
        "relational": _not_relational,
    }
    for number, one in enumerate(formulas, start=1):
        is_goal = number > len(premises)
        reason = tests[logic](one)
        if reason is None and logic == "relational" and is_goal:
            reason = _not_relational(Not(one))
        if reason is not None:
            raise FormulaError(
                f"{'the goal' if is_goal else f'premise {number}'}, {format_formula(one)}, is not {logic}: {reason}"
            )
    return signature_of(formulas, constants=constants)


@lru_cache(maxsize=1 << 13)
def _propositions(formula: Formula) -> dict[str, tuple[str, ...]] | None:
    """The propositions, as a signature has them, in the order in which they are read; None if there is anything else."""
    found: dict[str, tuple[str, ...]] = {}
    return found if _gathered(formula, found) else None


def _gathered(formula: Formula, found: dict[str, tuple[str, ...]]) -> bool:
    kind = type(formula)
    if kind is Atom:
        found[formula[1]] = ()
        return not formula[2]
    for part in formula[1] if kind is And or kind is Or else formula[1:]:
        if not isinstance(part, Formula) or not _gathered(part, found):
            return False
    return kind is not Equal and kind is not ForAll and kind is not Exists


@lru_cache(maxsize=1 << 13)
def _not_propositional(formula: Formula) -> str | None:
    for one in subformulas(formula):
        if isinstance(one, Atom) and one.args:
            return f"{format_formula(one)} has arguments"
        if isinstance(one, (ForAll, Exists)):
            return "it has a quantifier"
        if isinstance(one, Equal):
            return "it has an equality"
    return None


@lru_cache(maxsize=1 << 13)
def _not_syllogistic(formula: Formula) -> str | None:
    forms = (
        "it is none of forall x: P(x) -> Q(x), forall x: P(x) -> ~Q(x), exists x: P(x) & Q(x), exists x: P(x) & ~Q(x), "
        "exists x: P(x)"
    )
    if not isinstance(formula, (ForAll, Exists)):
        return forms
    if formula.sort:
        return "it has a sort"

    def says(one: Formula) -> bool:
        return isinstance(one, Atom) and one.args == (formula.variable,)

    body = formula.body
    if isinstance(formula, Exists):
        if says(body):
            return None
        parts = body.parts if isinstance(body, And) else ()
    else:
        parts = (body.left, body.right) if isinstance(body, Implies) else ()
    if len(parts) != 2 or not says(parts[0]):
        return forms
    return None if says(parts[1].body if isinstance(parts[1], Not) else parts[1]) else forms


@lru_cache(maxsize=1 << 13)
def _not_monadic(formula: Formula) -> str | None:
    def walk(one: Formula, inside: bool) -> str | None:
        if isinstance(one, Atom):
            return None if len(one.args) == 1 else f"{format_formula(one)} has {len(one.args)} arguments instead of 1"
        if isinstance(one, Equal):
            return "it has an equality"
        if isinstance(one, (ForAll, Exists)):
            if inside:
                return "a quantifier stands inside another"
            if one.sort:
                return f"it has the sort {one.sort}"
            inside = True
        return next((reason for part in operands(one) if (reason := walk(part, inside)) is not None), None)

    return walk(formula, False)


@lru_cache(maxsize=1 << 13)
def _free(formula: Formula) -> frozenset[str]:
    """The free variables."""
    if isinstance(formula, Atom):
        return frozenset(one for one in formula.args if is_variable(one))
    if isinstance(formula, Equal):
        return frozenset(one for one in (formula.left, formula.right) if is_variable(one))
    found = frozenset(one for part in operands(formula) for one in _free(part))
    return found - {formula.variable} if isinstance(formula, (ForAll, Exists)) else found


@lru_cache(maxsize=1 << 13)
def _not_relational(formula: Formula) -> str | None:
    """Bernays-Schönfinkel: what is said to exist must not depend on what is said of all."""

    def walk(one: Formula, sign: bool, of_all: frozenset[str]) -> str | None:
        if isinstance(one, (ForAll, Exists)):
            if isinstance(one, ForAll) is sign:
                of_all |= {one.variable}
            elif depends := sorted(_free(one) & of_all):
                return f"what {format_formula(one)} says to exist depends on {', '.join(depends)}, said of all" + (
                    "" if sign else " (under a negation, forall and exists change places)"
                )
            return walk(one.body, sign, of_all)
        if isinstance(one, Not):
            return walk(one.body, not sign, of_all)
        if isinstance(one, Implies):
            return walk(one.left, not sign, of_all) or walk(one.right, sign, of_all)
        signs = (True, False) if isinstance(one, Iff) else (sign,)
        return next(
            (reason for part in operands(one) for way in signs if (reason := walk(part, way, of_all)) is not None), None
        )

    return walk(formula, True, frozenset())
