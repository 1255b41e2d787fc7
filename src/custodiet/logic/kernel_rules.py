"""What is an instance of which named rule: the kernel's table of rules.

Each rule is told by structure alone, with no search, so that checking a line costs microseconds. Operands of &, |, <-> and
= may stand in any order, and the lines of a rule may be cited in any order. Where a rule speaks of a negation, the *opposite*
is meant: of p it is ~p, of ~p it is p (or ~~p). Every rule here is sound, so an instance needs no further check.
Beside these the kernel knows those that discharge or generalize, which look at what lines rest on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import permutations
from typing import Any

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
    constants_of,
    instantiate,
    is_variable,
    operands,
)  # fmt: skip

__all__ = [
    "RULES",
    "SINGLE_STEPS",
    "canonical",
    "is_instance_of",
    "matched",
    "opposite",
    "rule_parts",
    "same_formula",
    "witness",
]

_Given = Sequence[Any]
_MAX_TRIES = 10_000  # ways to put facts for the body of a rule; what needs more is told by meaning, if at all


def opposite(one: Formula, other: Formula) -> bool:
    """Whether one is the other with a negation before it."""
    return (type(one) is Not and one[1] == other) or (type(other) is Not and other[1] == one)


def _opposites(some: Iterable[Formula], others: Iterable[Formula]) -> bool:
    """Whether they pair off, each with its opposite."""
    left = list(others)
    for one in some:
        found = next((place for place, other in enumerate(left) if opposite(one, other)), None)
        if found is None:
            return False
        del left[found]
    return not left


def _either(rule: Callable[[Any, Any, Any], bool]) -> Callable[[_Given, Any], bool]:
    """A rule of two lines that may be cited in either order."""
    return lambda given, end: (
        len(given) == 2 and (rule(given[0], given[1], end) or rule(given[1], given[0], end))
    )  # fmt: skip


def _one(rule: Callable[[Any, Any], bool], both_ways: bool = False) -> Callable[[_Given, Any], bool]:
    """A rule of one line, maybe an equivalence."""
    return lambda given, end: len(given) == 1 and (rule(given[0], end) or (both_ways and rule(end, given[0])))


def _with_disjunction(rule: Callable[[list, list, Any], bool]) -> Callable[[_Given, Any], bool]:
    """A rule of a disjunction, of which it takes the parts, and of other lines."""
    return lambda given, end: any(
        type(one) is Or and rule(list(one[1]), [*given[:place], *given[place + 1 :]], end)
        for place, one in enumerate(given)
    )


def _disjunctive_syllogism(parts: list, others: list, end: Any) -> bool:
    for other in others:
        found = next((place for place, part in enumerate(parts) if opposite(part, other)), None)
        if found is None:
            return False
        del parts[found]
    return bool(others) and (parts == [end] or (len(parts) > 1 and type(end) is Or and sorted(end[1]) == sorted(parts)))


def _dilemma(parts: list, others: list, end: Any) -> bool:
    if not others or any(type(one) is not Implies for one in others):
        return False
    return sorted(parts) == sorted([one[1] for one in others]) and type(end) is Or and (
        sorted(end[1]) == sorted([one[2] for one in others])
    )  # fmt: skip


def _clause(one: Formula) -> set[Formula]:
    return set(one[1]) if type(one) is Or else set() if type(one) is Falsum else {one}


def _resolution(one: Any, other: Any, end: Any) -> bool:
    left, right, wanted = _clause(one), _clause(other), (_clause(end), {end})
    return any(opposite(x, y) and (left - {x}) | (right - {y}) in wanted for x in left for y in right)


def _de_morgan(one: Any, other: Any) -> bool:
    dual = {And: Or, Or: And}.get(type(one[1])) if type(one) is Not else None
    return dual is not None and type(other) is dual and _opposites(one[1][1], other[1])


def _material_implication(one: Any, other: Any) -> bool:
    if type(one) is Implies and type(other) is Or and len(other[1]) == 2:
        return any(opposite(one[1], x) and one[2] == y for x, y in permutations(other[1]))
    if type(one) is Not and type(one[1]) is Implies and type(other) is And and len(other[1]) == 2:
        return any(one[1][1] == x and opposite(one[1][2], y) for x, y in permutations(other[1]))
    return False


def _biconditional_elimination(given: _Given, end: Any) -> bool:
    for iff, *others in (given, given[::-1]) if given else ():
        if type(iff) is Iff and not others:
            return type(end) is Implies and (end[1:] == iff[1:] or end[1:] == iff[:0:-1])
        if type(iff) is Iff and len(others) == 1:
            for here, there in (iff[1:], iff[:0:-1]):
                if (others[0] == here and end == there) or (opposite(others[0], here) and opposite(end, there)):
                    return True
    return False


def _absurdity(given: _Given, end: Any) -> bool:
    if not given or any(type(one) is not Implies or not opposite(one[1], end) for one in given):
        return False
    if len(given) == 1:
        return type(given[0][2]) is Falsum or given[0][2] == end
    return len(given) == 2 and given[0][1] == given[1][1] and opposite(given[0][2], given[1][2])


def _addition(one: Any, end: Any) -> bool:
    return type(end) is Or and (one in end[1] or (type(one) is Or and set(one[1]) <= set(end[1])))


def _simplification(one: Any, end: Any) -> bool:
    return type(one) is And and (end in one[1] or (type(end) is And and set(end[1]) <= set(one[1])))


def _modus_tollens(rule: Any, other: Any, end: Any) -> bool:
    return type(rule) is Implies and opposite(rule[2], other) and opposite(rule[1], end)


_PROPOSITIONAL: dict[str, Callable[[_Given, Any], bool]] = {
    "modus ponens": _either(lambda rule, fact, end: type(rule) is Implies and rule[2] == end and rule[1] == fact),
    "modus tollens": _either(_modus_tollens),
    "transitivity": _either(lambda one, two, end: (
        type(one) is type(two) is type(end) is Implies and one[2] == two[1] and end[1:] == (one[1], two[2]))),
    "disjunctive syllogism": _with_disjunction(_disjunctive_syllogism),
    "addition": _one(_addition),
    "simplification": _one(_simplification),
    "conjunction": lambda given, end: type(end) is And and sorted(end[1]) == sorted(given),
    "resolution": _either(_resolution),
    "disjunction elimination": _with_disjunction(lambda parts, others, end: (
        sorted(map(Implies, parts, [end] * len(parts))) == sorted(others))),
    "constructive dilemma": _with_disjunction(_dilemma),
    "biconditional introduction": _either(lambda one, two, end: (
        type(one) is type(two) is Implies and type(end) is Iff and end[1:] == one[1:] == two[:0:-1])),
    "biconditional elimination": _biconditional_elimination,
    "double negation": _one(lambda one, end: one == Not(Not(end)), both_ways=True),
    "contraposition": _one(lambda one, end: (
        type(one) is type(end) is Implies and opposite(one[1], end[2]) and opposite(one[2], end[1]))),
    "de morgan": _one(_de_morgan, both_ways=True),
    "material implication": _one(_material_implication, both_ways=True),
    "contradiction": _either(lambda one, two, end: type(end) is Falsum and opposite(one, two)),
    "explosion": _one(lambda one, end: type(one) is Falsum),
    "repetition": _one(lambda one, end: one == end),
    "conditional weakening": _one(lambda one, end: type(end) is Implies and (one == end[2] or opposite(one, end[1]))),
    "absurdity": _absurdity,
}  # fmt: skip


def canonical(formula: Any, names: dict[str, str] | None = None) -> Any:
    """The same formula with operands of &, |, <-> and = in order, and bound variables named by depth."""
    kind = type(formula)
    names = {} if names is None else names
    if kind is Atom:
        return Atom(formula[1], tuple([str(names.get(one, one)) for one in formula[2]]))
    if kind is Equal:
        return Equal(*sorted([str(names.get(one, one)) for one in formula[1:]]))
    if kind is And or kind is Or:
        return kind(*sorted([canonical(one, names) for one in formula[1]]))
    if kind is Iff:
        return Iff(*sorted([canonical(one, names) for one in formula[1:]]))
    if kind is ForAll or kind is Exists:
        name = f"%{len(names)}"
        return kind(name, canonical(formula[3], {**names, formula[1]: name}), formula[2])
    return kind(*[canonical(one, names) for one in formula[1:]])


def same_formula(one: Formula, other: Formula) -> bool:
    """Whether they are one formula up to the order of operands of &, |, <-> and =, and the names of bound variables."""
    return one == other or (type(one) is type(other) and canonical(one) == canonical(other))


def matched(pattern: Any, formula: Any, terms: dict[str, str]) -> dict[str, str] | None:
    """The terms that make the pattern the formula.

    Args:
        pattern: a formula with free variables.
        formula: a formula.
        terms: the variables that stand for a constant: "" where it is still open which.

    Returns:
        `terms` with constants filled in ("" stays where the variable does not occur); None if nothing fits.
    """
    found = dict(terms)
    return found if _fits(pattern, formula, found) else None


def _fits(pattern: Any, formula: Any, terms: dict[str, str]) -> bool:
    kind = type(pattern)
    if kind is not type(formula):
        return False
    if kind is Atom or kind is Equal:
        some, others = (pattern[2], formula[2]) if kind is Atom else (pattern[1:], formula[1:])
        if len(some) != len(others) or (kind is Atom and pattern[1] != formula[1]):
            return False
        for one, value in zip(some, others, strict=True):
            known = terms.get(one, one)
            if known == "" and not is_variable(value):
                terms[one] = value
            elif known != value:
                return False
        return True
    if len(pattern) == 4:
        return pattern[1:3] == formula[1:3] and _fits(pattern[3], formula[3], terms)
    parts, others = operands(pattern), operands(formula)
    return len(parts) == len(others) and all(_fits(x, y, terms) for x, y in zip(parts, others, strict=True))


def witness(quantified: Any, formula: Formula) -> str | None:
    """The constant that stands in the formula where the quantified variable stood.

    Returns:
        The constant; "" if the variable does not occur, so that any would do; None if the formula is no instance.
    """
    variable, _, body = quantified[1:]
    found = matched(body, formula, {variable: ""})
    if found is not None:
        return found[variable]
    for one in ("", *constants_of(formula)):
        if same_formula(instantiate(body, {variable: one}), formula):
            return one
    return None


def _is_instance(quantified: Any, formula: Formula, kind: type) -> bool:
    """Whether constants in place of one or more leading quantifiers give the formula."""
    if type(quantified) is kind and witness(quantified, formula) is not None:
        return True
    terms: dict[str, str] = {}
    while type(quantified) is kind:
        terms[quantified[1]] = ""
        quantified = quantified[3]
        if matched(quantified, formula, terms) is not None:
            return True
    return False


def _quantifier_negation(one: Any, other: Any) -> bool:
    dual = {ForAll: Exists, Exists: ForAll}.get(type(one[1])) if type(one) is Not else None
    if dual is None or type(other) is not dual or one[1][2] != other[2]:
        return False
    return opposite(instantiate(one[1][3], {one[1][1]: "#"}), instantiate(other[3], {other[1]: "#"}))


def _lifted(rule: str, given: _Given, end: Any, depth: int = 1) -> bool:
    """A propositional rule below `forall` (all formulas) or `exists` (one premise and the conclusion)."""
    kind, _, inner = rule.partition(" ")
    made = {"universal": ForAll, "existential": Exists}.get(kind)
    if inner not in _PROPOSITIONAL or type(end) is not made or not given or any(len(one) != 4 for one in given):
        return False
    if sum(type(one) is Exists for one in given) != (made is Exists) or any(one[2] != end[2] for one in given):
        return False
    *bodies, last = [
        one[3] if all(other[1] == end[1] for other in given) else instantiate(one[3], {one[1]: "#" * depth})
        for one in [*given, end]
    ]
    return is_instance_of(inner, bodies, last) or (made is ForAll and _lifted(rule, bodies, last, depth + 1))


def _replaced(one: Any, other: Any, pair: set[str]) -> bool:
    """Whether the two differ at most in one term of a pair standing for the other."""
    if one == other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, (Atom, Equal)):
        some, others = (one[2], other[2]) if type(one) is Atom else (one[1:], other[1:])
        if len(some) != len(others) or (type(one) is Atom and one[1] != other[1]):
            return False
        turned = (others, others[::-1]) if type(one) is Equal else (others,)
        return any(all(x == y or {x, y} == pair for x, y in zip(some, turn, strict=True)) for turn in turned)
    if len(one) == 4 and one[1:3] != other[1:3]:
        return False
    parts, others = operands(one), operands(other)
    return len(parts) == len(others) and all(_replaced(x, y, pair) for x, y in zip(parts, others, strict=True))


def rule_parts(formula: Any) -> tuple[list[Any], Any, dict[str, str]]:
    """The literals of the body and the head of a rule (a fact has no body), and its variables, each still open."""
    variables: dict[str, str] = {}
    while type(formula) is ForAll:
        variables[formula[1]] = ""
        formula = formula[3]
    if type(formula) is not Implies:
        return [], formula, variables
    return list(formula[1][1]) if type(formula[1]) is And else [formula[1]], formula[2], variables


def _rule_application(given: _Given, end: Any) -> bool:
    left = _MAX_TRIES

    def filled(body: list, terms: dict[str, str], used: frozenset[int]) -> bool:
        nonlocal left
        left -= 1
        if left < 0:
            return False
        if len(facts) - len(used) > len(body) or not body:
            return len(used) == len(facts)
        found = ((place, matched(body[0], fact, terms)) for place, fact in enumerate(facts))
        return any(more is not None and filled(body[1:], more, used | {place}) for place, more in found)

    for place, rule in enumerate(given):
        body, head, variables = rule_parts(rule)
        facts = [*given[:place], *given[place + 1 :]]
        terms = matched(head, end, variables) if body else None
        if terms is not None and filled(body, terms, frozenset()):
            return True
    return False


RULES: dict[str, Callable[[_Given, Any], bool]] = {
    **_PROPOSITIONAL,
    "universal instantiation": _one(lambda one, end: _is_instance(one, end, ForAll)),
    "existential generalization": _one(lambda one, end: _is_instance(end, one, Exists)),
    "quantifier negation": _one(_quantifier_negation, both_ways=True),
    "reflexivity": lambda given, end: not given and type(end) is Equal and end[1] == end[2],
    "symmetry": _one(lambda one, end: Equal in (type(one), type(one[-1])) and _replaced(one, end, set())),
    "substitution": _either(lambda one, two, end: type(one) is Equal and _replaced(two, end, set(one[1:]))),
    "rule application": _rule_application,
}

SINGLE_STEPS = (*RULES, *[f"{kind} {name}" for kind in ("universal", "existential") for name in _PROPOSITIONAL])
"""every name of a rule that looks at formulas alone"""
_FILLS_VARIABLES = {"universal instantiation", "existential generalization", "rule application"}


def is_instance_of(rule: str, given: _Given, end: Formula) -> bool:
    """Whether the formulas that are given and the one at the end are an instance of the rule.

    Args:
        rule: its name; before the name of a propositional rule `universal` or `existential` may stand.
        given: the formulas of the lines that are cited.
        end: the formula of the line.

    Returns:
        Whether they are; no, if the table has no such rule.
    """
    check = RULES.get(rule)
    if check is None:
        return _lifted(rule, given, end)
    if check(given, end):
        return True
    # Canonical names are no variables to `is_variable`, so rules that put constants for variables see formulas as they are.
    return rule not in _FILLS_VARIABLES and check([canonical(one) for one in given], canonical(end))
