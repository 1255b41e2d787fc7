"""The kernel's search: does a formula follow, by meaning alone, from a few others; and what a program makes true.

Formulas are put in negation normal form, existentials become constants, universals the conjunction over the constants
of their sort (one more where a sort has none), equalities atoms with the axioms of equality, and what is left is split
on atoms with unit propagation. This is complete for exists*forall*; a step has few lines, so the plainest search will do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, permutations
from typing import Any

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
    constants_of,
    instantiate,
    is_variable,
    subformulas,
)
from custodiet.logic.kernel_rules import canonical, matched, rule_parts

__all__ = ["Language", "perfect_model"]

_BUDGET = 50_000  # nodes that a search may visit: under a second
_BUDGET_OF_ALL = 500_000  # nodes that all searches of a proof may visit together
_Key = tuple[str, Any]


class _UndecidedError(Exception):
    """The formulas are outside the fragment, or the search is too long."""


class Language:
    """Which formulas belong to a problem, and of which sort its terms are.

    In a language with sorts each constant and each place of a predicate has one. They are found from the quantifiers of
    the premises and the goal; a line may settle the sorts only of names that these do not have.

    Args:
        formulas: the premises and the goal.
        logic: `propositional` admits no terms.

    Raises:
        FormulaError: a name would have two sorts.
    """

    def __init__(self, formulas: Sequence[Formula], logic: str) -> None:
        self.logic = logic
        self.left = _BUDGET_OF_ALL
        self.parent: dict[_Key, _Key] | None = None
        if logic != "propositional" and any(map(_has_sorts, formulas)):
            self.parent = {}
            for formula in formulas:
                if not self.admits(formula):
                    raise FormulaError("sorts clash", expected="one sort for each name and place", got=repr(formula))
            for key in list(self.parent):
                if (root := self._root(key))[0] != "sort":
                    self.parent[root] = ("sort", root)  # a sort that has no name

    def admits(self, formula: Formula) -> bool:
        """Whether a formula is closed, binds no variable twice on the way to an atom, and has the sorts of the others."""
        return _is_propositional(formula) if self.logic == "propositional" else self._admits(formula, {})

    def _admits(self, formula: Any, bound: dict[str, str]) -> bool:
        kind = type(formula)
        if kind is Atom or kind is Equal:
            terms = formula[2] if kind is Atom else formula[1:]
            if not terms:
                return True
            for one in terms:
                if one[0] >= "u" and one not in bound and is_variable(one):
                    return False
            if self.parent is None:
                return True
            keys = [("sort", bound[one]) if one in bound else ("constant", one) for one in terms]
            places = (
                [(formula[1], (len(terms), place)) for place in range(len(terms))] if kind is Atom else keys[:1] * 2
            )
            return all(map(self._join, keys, [("place", one) for one in places] if kind is Atom else places))
        if kind is ForAll or kind is Exists:
            if formula[1] in bound or (formula[2] and self.parent is None):
                return False
            return self._admits(formula[3], {**bound, formula[1]: formula[2]})
        for one in formula[1] if kind is And or kind is Or else formula[1:]:  # noqa: SIM110 (a loop is twice as fast)
            if not self._admits(one, bound):
                return False
        return True

    def _root(self, key: _Key) -> _Key:
        assert self.parent is not None
        while (above := self.parent.setdefault(key, key)) != key:
            key = above
        return key

    def _join(self, one: _Key, other: _Key) -> bool:
        one, other = self._root(one), self._root(other)
        if one[0] == "sort":
            one, other = other, one
        if one[0] == "sort" and one != other:
            return False
        if one != other:
            assert self.parent is not None
            self.parent[one] = other
        return True

    def sort_of(self, constant: str) -> _Key:
        """The sort of a constant."""
        return ("sort", "") if self.parent is None else self._root(("constant", constant))

    def follows(self, given: Sequence[Formula], formula: Formula) -> bool | None:
        """Whether the formula is true wherever the given ones are; None where the search is not complete or too long."""
        formulas = [*given, Not(formula)]
        quantified = any(isinstance(part, (ForAll, Exists)) for one in formulas for part in subformulas(one))
        for opaque in (True, False) if quantified else (False,):
            try:
                if not _Search(self, formulas, opaque).satisfiable():
                    return True
            except (_UndecidedError, RecursionError):
                if not opaque:
                    return None
        return False


class _Search:
    """Whether closed formulas are true together in some structure. Ground formulas are literals (a number, negative if
    negated), truth values, and pairs of "is a conjunction" and parts. Where `opaque`, whatever is quantified is an atom:
    what cannot be true together then cannot be so at all, whatever stands below the quantifiers.
    """

    def __init__(self, language: Language, formulas: Sequence[Formula], opaque: bool) -> None:
        self.left = _BUDGET
        self.language, self.opaque = language, opaque
        self.constants: dict[str, _Key] = {
            one: language.sort_of(one) for formula in formulas for one in constants_of(formula)
        }
        self.numbers: dict[Formula, int] = {}
        self.formulas = [self.normal(one, True, frozenset()) for one in formulas]
        for one in [part for formula in self.formulas for part in subformulas(formula) if isinstance(part, ForAll)]:
            if not opaque and ("sort", one.sort) not in self.constants.values():
                self.constants[f"#{len(self.constants)}"] = ("sort", one.sort)

    def spend(self) -> None:
        self.left -= 1
        self.language.left -= 1
        if self.left < 0 or self.language.left < 0:
            raise _UndecidedError

    def normal(self, formula: Any, positive: bool, universals: frozenset[str]) -> Any:
        """Negation normal form, with a new constant for each existential."""
        self.spend()
        kind = type(formula)
        if kind is Not:
            return self.normal(formula[1], not positive, universals)
        if kind is And or kind is Or:
            made = And if (kind is And) is positive else Or
            return made(*[self.normal(one, positive, universals) for one in formula[1]])
        if kind is Implies:
            made = Or if positive else And
            return made(
                self.normal(formula[1], not positive, universals), self.normal(formula[2], positive, universals)
            )
        if kind is Iff:
            (left, right), made = formula[1:], self.normal
            return Or(
                And(made(left, True, universals), made(right, positive, universals)),
                And(made(left, False, universals), made(right, not positive, universals)),
            )
        if (kind is ForAll or kind is Exists) and not self.opaque:
            _, variable, sort, body = formula
            if (kind is ForAll) is positive:
                return ForAll(variable, self.normal(body, positive, universals | {variable}), sort)
            if universals and any(universals.intersection(_terms(one)) for one in subformulas(body)):
                raise _UndecidedError
            name = f"#{len(self.constants)}"
            self.constants[name] = ("sort", sort)
            return self.normal(instantiate(body, {variable: name}), positive, universals)
        return formula if positive else Not(formula)

    def number(self, atom: Formula) -> int:
        return self.numbers.setdefault(atom, len(self.numbers) + 1)

    def ground(self, formula: Any, terms: dict[str, str]) -> Any:
        """The ground formula, over the constants, with these terms for free variables."""
        self.spend()
        kind = type(formula)
        if kind is Atom:
            return self.number(instantiate(formula, terms))
        if kind is Equal:
            return self.same(*[str(terms.get(one, one)) for one in formula[1:]])
        if kind is Not:
            found = self.ground(formula[1], terms)
            return not found if isinstance(found, bool) else -found
        if self.opaque and (kind is ForAll or kind is Exists):
            return self.number(canonical(formula))
        if kind is ForAll:
            domain = [one for one, sort in self.constants.items() if sort == ("sort", formula[2])]
            return (True, [self.ground(formula[3], {**terms, formula[1]: one}) for one in domain])
        return False if kind is Falsum else (kind is And, [self.ground(one, terms) for one in formula[1]])

    def same(self, one: str, other: str) -> int | bool:
        return True if one == other else self.number(Equal(*sorted((one, other))))

    def equality_axioms(self) -> Iterator[Any]:
        """That equality is transitive and that equals have the same properties, over the constants and atoms at hand."""
        for one, two, three in permutations(self.constants, 3):
            if one < three and self.constants[one] == self.constants[two] == self.constants[three]:
                self.spend()
                yield (False, [-self.same(one, two), -self.same(two, three), self.same(one, three)])
        for here, there in combinations([one for one in self.numbers if isinstance(one, Atom)], 2):
            if here.predicate == there.predicate and len(here.args) == len(there.args):
                self.spend()
                pairs = [(x, y) for x, y in zip(here.args, there.args, strict=True) if x != y]
                differ = [-self.same(x, y) for x, y in pairs]
                yield (False, [*differ, -self.numbers[here], self.numbers[there]])
                yield (False, [*differ, self.numbers[here], -self.numbers[there]])

    def satisfiable(self) -> bool:
        nodes = [self.ground(one, {}) for one in self.formulas]
        if any(isinstance(one, Equal) for one in self.numbers):
            nodes += self.equality_axioms()
        return self.split(nodes, {})

    def split(self, nodes: list[Any], values: dict[int, bool]) -> bool:
        """Whether the nodes are true together somewhere where the atoms have these values."""
        waiting = list(nodes)
        nodes, known = [], -1
        while waiting or known != len(values):  # until no pass finds a new literal
            if not waiting:
                waiting, nodes, known = nodes, [], len(values)
                if not waiting:
                    break
            node = self.simplified(waiting.pop(), values)
            if node is False:
                return False
            if type(node) is int:
                values[abs(node)] = node > 0
            elif node is not True and node[0]:
                waiting += node[1]
            elif node is not True:
                nodes.append(node)
        if not nodes:
            return True
        literal = min(nodes, key=lambda node: len(node[1]))
        while type(literal) is not int:
            literal = literal[1][0]
        return any(self.split(nodes, {**values, abs(literal): value}) for value in (literal > 0, literal < 0))

    def simplified(self, node: Any, values: dict[int, bool]) -> Any:
        self.spend()
        if isinstance(node, bool):
            return node
        if isinstance(node, int):
            value = values.get(abs(node))
            return node if value is None else value is (node > 0)
        both, parts = node[0], []
        for one in node[1]:
            part = self.simplified(one, values)
            if part is (not both):
                return part
            if part is not both:
                parts.append(part)
        return (both, parts) if len(parts) > 1 else parts[0] if parts else both


def _is_propositional(formula: Any) -> bool:
    kind = type(formula)
    if kind is Atom:
        return not formula[2]
    if kind is Equal or kind is ForAll or kind is Exists:
        return False
    for one in formula[1] if kind is And or kind is Or else formula[1:]:  # noqa: SIM110 (a loop is twice as fast)
        if not _is_propositional(one):
            return False
    return True


def _has_sorts(formula: Any) -> bool:
    kind = type(formula)
    if kind is Atom or kind is Equal:
        return False
    if (kind is ForAll or kind is Exists) and formula[2]:
        return True
    for one in formula[1] if kind is And or kind is Or else formula[3:] or formula[1:]:  # noqa: SIM110 (a loop is twice as fast)
        if _has_sorts(one):
            return True
    return False


def _terms(formula: Formula) -> Sequence[str]:
    return formula.args if isinstance(formula, Atom) else formula[1:] if isinstance(formula, Equal) else ()


def perfect_model(program: Iterable[Formula]) -> set[Formula]:
    """What a stratified program makes true: its facts, and stratum by stratum what its rules give until nothing is new.

    Args:
        program: facts and rules.

    Returns:
        The ground atoms that hold; all others do not.

    Raises:
        FormulaError: it is no such program.
    """
    rules = [rule_parts(one) for one in program]
    level: dict[tuple, int] = {}
    for body, head, variables in rules:
        positive = {term for one in body if isinstance(one, Atom) for term in one.args}
        literals = [one.body if isinstance(one, Not) else one for one in [head, *body]]
        if isinstance(head, Not) or not all(isinstance(one, Atom) for one in literals):
            raise FormulaError("not a program", expected="facts, and rules from literals to an atom", got=repr(head))
        if {term for one in literals for term in _terms(one) if term in variables} - positive:
            raise FormulaError("not a safe rule", expected="each variable in a positive literal", got=repr(head))
        level[_predicate(head)] = 0
    for _ in range(len(level) + 1):
        before = dict(level)
        for body, head, _ in rules:
            low = [level.get(_predicate(one), 0) + isinstance(one, Not) for one in body]
            level[_predicate(head)] = max(level[_predicate(head)], *low, 0)
        if level == before:
            break
    else:
        raise FormulaError("not a stratified program", expected="no predicate that rests on its own negation")
    model: set[Formula] = set()
    for stratum in sorted(set(level.values())):
        here = [one for one in rules if level[_predicate(one[1])] == stratum]
        while more := {instantiate(head, terms) for body, head, free in here
                       for terms in _solutions(sorted(body, key=lambda one: isinstance(one, Not)), free, model)} - model:  # fmt: skip
            model |= more
    return model


def _predicate(literal: Any) -> tuple[str, int]:
    atom = literal[1] if type(literal) is Not else literal
    return atom[1], len(atom[2])


def _solutions(body: list[Any], terms: dict[str, str], model: set[Formula]) -> Iterator[dict[str, str]]:
    """The terms for which every literal of a body holds; its positive literals come first."""
    if not body:
        yield terms
    elif type(body[0]) is Not:
        if instantiate(body[0][1], terms) not in model:
            yield from _solutions(body[1:], terms, model)
    else:
        for fact in model:
            found = matched(body[0], fact, terms)
            if found is not None:
                yield from _solutions(body[1:], found, model)
