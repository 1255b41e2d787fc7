"""One-variable monadic logic by element types.

With k unary predicates an individual is of one of 2^k types: bit i of a type's number is whether predicate i is true of
it. A set of types is an integer with 2^k bits. As no quantifier stands inside another, a structure matters only through
the types that occur in it and the type of each constant: `forall x: B` allows only the types of B, `exists x: B` asks for
one of them, a ground formula about one constant restricts that constant's type. What remains of "or" is searched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from custodiet.errors import FormulaError
from custodiet.logic.bits import truth_patterns
from custodiet.logic.formulas import (
    And,
    Atom,
    Exists,
    Falsum,
    ForAll,
    Formula,
    Iff,
    Implies,
    Not,
    Or,
    operands,
    predicates_of,
    subformulas,
)
from custodiet.logic.notation import format_formula
from custodiet.logic.semantics import Decision, Model, element_names, label_of

__all__ = ["MAX_PREDICATES", "Constraint", "Types", "decide_by_types", "types_of"]

NAME = "element_types"
MAX_PREDICATES = 14
_CACHE_BYTES = 2 << 20  # of constraints, and as much again of negations, for each set of predicates
_FORMULA_BYTES = 1200  # of a formula and what a constraint has besides types


class Constraint(NamedTuple):
    """What a formula demands: all of the following, together.

    `every`: types that individuals may have. `some`: of each of these sets a type must occur. `named`: (constant, types
    that it may have). `choices`: of each tuple of constraints one must hold.
    """

    every: int
    some: tuple[int, ...] = ()
    named: tuple[tuple[str, int], ...] = ()
    choices: tuple[tuple[Constraint, ...], ...] = ()


class _State:
    """Demands gathered so far."""

    __slots__ = ("choices", "every", "named", "some")

    def __init__(
        self, every: int, some: list[int], named: dict[str, int], choices: list[tuple[Constraint, ...]]
    ) -> None:
        self.every = every
        self.some = some
        self.named = named
        self.choices = choices

    def add(self, one: Constraint) -> None:
        every, some, named, choices = one
        self.every &= every
        if some:
            self.some += some
        for name, types in named:
            self.named[name] = self.named.get(name, types) & types
        if choices:
            self.choices += choices

    def possible(self) -> bool:
        """Whether the demands, choices aside, can be met."""
        allowed = self.every.__and__
        return self.every != 0 and all(map(allowed, self.some)) and all(map(allowed, self.named.values()))

    def allows(self, one: Constraint) -> bool:
        """Whether a further constraint, its choices aside, can be met too."""
        every = self.every & one.every
        allowed = every.__and__
        if not every or not all(map(allowed, one.some)):
            return False
        if every != self.every and not (all(map(allowed, self.some)) and all(map(allowed, self.named.values()))):
            return False
        named = self.named
        return all(types & every & named.get(name, types) for name, types in one.named)

    def implies(self, one: Constraint) -> bool:
        """Whether a constraint holds already (not always found)."""
        every = self.every
        if one.choices or every & ~one.every:
            return False
        if any(self.named.get(name, every) & every & ~types for name, types in one.named):
            return False
        known = [every, *[types & every for types in (*self.named.values(), *self.some)]] if one.some else ()
        return all(any(not each & ~types for each in known) for types in one.some)

    def settled(self) -> bool:
        """Carry out the choices that leave one way; False if the demands cannot be met (not always found)."""
        if not self.possible():
            return False
        while self.choices:
            left: list[tuple[Constraint, ...]] = []
            forced: list[Constraint] = []
            for choice in self.choices:
                open_ones = [one for one in choice if self.allows(one)]
                if not open_ones:
                    return False
                if len(open_ones) == 1:
                    forced.append(open_ones[0])
                elif not any(map(self.implies, open_ones)):
                    left.append(choice if len(open_ones) == len(choice) else tuple(open_ones))
            self.choices = left
            if not forced:
                break
            for one in forced:
                self.add(one)
            if not self.possible():
                return False
        return True

    def solved(self) -> _State | None:
        """A state that meets every demand, without choices; None if there is none."""
        if not self.settled():
            return None
        if not self.choices:
            return self
        best = min(self.choices, key=len)
        rest = [choice for choice in self.choices if choice is not best]
        for one in best:
            branch = _State(self.every, list(self.some), dict(self.named), list(rest))
            branch.add(one)
            if (found := branch.solved()) is not None:
                return found
        return None

    def constraint(self) -> Constraint:
        return Constraint(self.every, tuple(self.some), tuple(self.named.items()), tuple(self.choices))


class Types:
    """The types over fixed predicates, with the constraints of formulas that were asked for before.

    Args:
        predicates: unary, at most 14, each once.

    Raises:
        FormulaError: more than 14 predicates.
    """

    def __init__(self, predicates: Sequence[str]) -> None:
        if len(predicates) > MAX_PREDICATES:
            raise FormulaError(
                "too many predicates for element types",
                expected=f"at most {MAX_PREDICATES}",
                got=len(predicates),
                hint="decide_by_grounding takes any number.",
            )
        self.predicates = tuple(predicates)
        num_types = 1 << len(self.predicates)
        self.full = (1 << num_types) - 1
        self._patterns = dict(zip(self.predicates, truth_patterns(len(self.predicates)), strict=True))
        self._true = Constraint(self.full)
        self._false = Constraint(0)
        self._cache: dict[Formula, Constraint] = {}
        self._negations: dict[Formula, Constraint] = {}
        self._limit = max(256, _CACHE_BYTES // (num_types // 8 + _FORMULA_BYTES))

    def constraint(self, formula: Formula, sign: bool = True) -> Constraint:
        """What the formula (or, without `sign`, its negation) demands.

        Raises:
            FormulaError: it is not of one-variable monadic logic over these predicates.
        """
        cache = self._cache if sign else self._negations
        found = cache.get(formula)
        if found is None:
            found = self._compile(formula, sign)
            if len(cache) >= self._limit:
                cache.clear()
            cache[formula] = found
        return found

    def combined(self, constraints: Iterable[Constraint]) -> Constraint | None:
        """All constraints in one, choices that leave one way carried out; None if they were seen not to go together.

        For premises to which several goals are put.
        """
        state = _State(self.full, [], {}, [])
        for one in constraints:
            state.add(one)
        return state.constraint() if state.settled() else None

    def solve(self, constraints: Iterable[Constraint]) -> Constraint | None:
        """Meet all constraints.

        Returns:
            What individuals a structure may have so as to meet them, free of choices; None if no structure does.
        """
        state = _State(self.full, [], {}, [])
        for one in constraints:
            state.add(one)
        solved = state.solved()
        return None if solved is None else solved.constraint()

    def model(self, solution: Constraint, constants: Iterable[str] = ()) -> Model:
        """The structure that a solution allows, with an individual for each constant and few others.

        Args:
            solution: from `solve`.
            constants: all that the structure must name.
        """
        named = dict.fromkeys(constants, solution.every) | dict(solution.named)
        found = [_lowest(types & solution.every) for types in named.values()]
        for types in sorted(solution.some, key=int.bit_count):
            if not any(types >> one & 1 for one in found):
                found.append(_lowest(types & solution.every))
        if not found:
            found.append(_lowest(solution.every))
        names = element_names(len(found), named)
        true = [
            Atom(predicate, (name,))
            for name, one in zip(names, found, strict=True)
            for i, predicate in enumerate(self.predicates)
            if one >> i & 1
        ]
        return Model({"": names}, dict(zip(named, names, strict=False)), frozenset(true))

    def _compile(self, formula: Formula, sign: bool) -> Constraint:
        kind = type(formula)
        if kind is Not:
            return self._compile(formula[1], not sign)
        if kind is ForAll or kind is Exists:
            return self._quantified(formula, sign, {})
        constants = _ground_constants(formula)
        if constants is not None and len(constants) == 1:
            types = self._types(formula, constants[0], {})
            return Constraint(self.full, (), ((constants[0], types if sign else self.full ^ types),))
        if kind is Falsum:
            return self._false if sign else self._true
        if kind is Implies:
            sides = [self._compile(formula[1], not sign), self._compile(formula[2], sign)]
            return self._either(sides) if sign else self._both(sides)
        if kind is And or kind is Or:
            parts = [self._compile(one, sign) for one in formula[1]]
            return self._both(parts) if sign is (kind is And) else self._either(parts)
        if kind is Iff:
            left, right = formula[1], formula[2]
            both = self._both([self._compile(left, True), self._compile(right, sign)])
            none = self._both([self._compile(left, False), self._compile(right, not sign)])
            return self._either([both, none])
        raise _not_monadic(formula)

    def _quantified(self, formula: Formula, sign: bool, values: Mapping[Formula, bool]) -> Constraint:
        """A quantified formula; ground atoms below its quantifier are tried both ways."""
        kind, variable, sort, body = type(formula), *formula[1:]
        ground = next(
            (one for one in subformulas(body) if type(one) is Atom and one[2] != (variable,) and one not in values),
            None,
        )
        if ground is not None:
            if len(ground[2]) != 1 or ground[1] not in self._patterns:
                raise _not_monadic(formula)
            ways = []
            for value in (True, False):
                known = self._compile(ground, value)
                ways.append(self._both([known, self._quantified(formula, sign, {**values, ground: value})]))
            return self._either(ways)
        if sort:
            raise _not_monadic(formula)
        types = self._types(body, variable, values)
        if sign is (kind is Exists):
            return Constraint(self.full, (types if sign else self.full ^ types,))
        return Constraint(types if sign else self.full ^ types)

    def _types(self, formula: Formula, term: str, values: Mapping[Formula, bool]) -> int:
        """The types of which a quantifier-free formula about one term is true, given values of other atoms."""
        kind = type(formula)
        if kind is Atom:
            if formula[2] == (term,) and formula[1] in self._patterns:
                return self._patterns[formula[1]]
            if formula in values:
                return self.full if values[formula] else 0
            raise _not_monadic(formula)
        if kind is Not:
            return self.full ^ self._types(formula[1], term, values)
        if kind is Implies:
            return (self.full ^ self._types(formula[1], term, values)) | self._types(formula[2], term, values)
        if kind is And:
            found = self.full
            for one in formula[1]:
                found &= self._types(one, term, values)
            return found
        if kind is Or:
            found = 0
            for one in formula[1]:
                found |= self._types(one, term, values)
            return found
        if kind is Iff:
            return self.full ^ self._types(formula[1], term, values) ^ self._types(formula[2], term, values)
        if kind is Falsum:
            return 0
        raise _not_monadic(formula)

    def _both(self, parts: Iterable[Constraint]) -> Constraint:
        state = _State(self.full, [], {}, [])
        for one in parts:
            state.add(one)
        return state.constraint() if state.possible() else self._false

    def _either(self, parts: Iterable[Constraint]) -> Constraint:
        """One of the parts; those that speak of one constant, or only of existence, become one."""
        named: dict[str, int] = {}
        some = 0
        others: dict[Constraint, None] = {}
        stack = list(parts)[::-1]
        while stack:
            one = stack.pop()
            if len(one.choices) == 1 and one == Constraint(self.full, (), (), one.choices):
                stack += one.choices[0][::-1]
            elif not _State(one.every, list(one.some), dict(one.named), []).possible():
                continue
            elif one == self._true:
                return self._true
            elif one.every == self.full and not one.choices and len(one.named) + len(one.some) == 1:
                if one.some:
                    some |= one.some[0]
                else:
                    name, types = one.named[0]
                    named[name] = named.get(name, 0) | types
            else:
                others[one] = None
        ways = [Constraint(self.full, (), ((name, types),)) for name, types in named.items()]
        ways += [Constraint(self.full, (some,))] if some else []
        if any(types == self.full for types in (*named.values(), some)):
            return self._true
        ways += others
        if not ways:
            return self._false
        return ways[0] if len(ways) == 1 else Constraint(self.full, (), (), (tuple(ways),))


def _lowest(types: int) -> int:
    return (types & -types).bit_length() - 1


def _not_monadic(formula: Formula) -> FormulaError:
    return FormulaError(
        f"element types do not decide {format_formula(formula)}",
        expected="unary predicates, constants, one sort, no quantifier inside another, no =",
    )


@lru_cache(maxsize=1 << 13)
def _ground_constants(formula: Formula) -> tuple[str, ...] | None:
    """The constants of a formula without quantifiers, as far as two; None if it has quantifiers."""
    kind = type(formula)
    if kind is Atom:
        return formula[2][:2]
    if kind is ForAll or kind is Exists:
        return None
    found: dict[str, None] = {}
    for one in operands(formula):
        part = _ground_constants(one)
        if part is None:
            return None
        found.update(dict.fromkeys(part))
    return tuple(found)


@lru_cache(maxsize=1 << 13)
def _names(formula: Formula) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Predicates and constants."""
    constants: dict[str, None] = {}
    _gather(formula, "", constants)
    return tuple(predicates_of(formula)), tuple(constants)


def _gather(formula: Formula, variable: str, constants: dict[str, None]) -> None:
    if isinstance(formula, Atom):
        constants.update((term, None) for term in formula.args if term != variable)
    else:
        inner = formula.variable if isinstance(formula, (ForAll, Exists)) else variable
        for part in operands(formula):
            _gather(part, inner, constants)


@lru_cache(maxsize=8)
def _types_over(predicates: tuple[str, ...]) -> Types:
    return Types(predicates)


def types_of(formulas: Iterable[Formula]) -> Types:
    """The types over the predicates of the formulas, in the order of their names; the latest 8 are kept."""
    return _types_over(tuple(sorted({name for one in formulas for name in _names(one)[0]})))


def decide_by_types(premises: Sequence[Formula], goal: Formula, *, models: bool = True) -> Decision:
    """Decide what the premises say about the goal.

    Args:
        premises: formulas of one-variable monadic logic: Boolean combinations of `forall x: B`, `exists x: B` with B free
            of quantifiers, and of ground atoms; unary predicates, one sort.
        goal: one more; together at most 14 predicates.
        models: whether to give the two structures too.

    Returns:
        The label and, unless switched off, a model with and one without the goal, where there are such.

    Raises:
        FormulaError: another logic, or too many predicates.
    """
    types = types_of([*premises, goal])
    demands = types.combined([types.constraint(one) for one in premises])
    with_goal = without_goal = None
    if demands is not None:
        with_goal = types.solve([demands, types.constraint(goal)])
        without_goal = types.solve([demands, types.constraint(goal, False)])
    label = label_of(with_goal is not None, without_goal is not None)
    if not models:
        return Decision(label, engines=(NAME,))
    constants = dict.fromkeys(name for one in (*premises, goal) for name in _names(one)[1])
    return Decision(
        label,
        None if with_goal is None else types.model(with_goal, constants),
        None if without_goal is None else types.model(without_goal, constants),
        (NAME,),
    )
