"""Propositional logic by clauses and a SAT solver (python-sat): any number of atoms, many goals over one solver.

Formulas become clauses by distribution while that stays small, and by names for subformulas (Tseitin) beyond. Clauses
are worked out once for each formula, over its own numbering, and renumbered into each problem.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Self

from custodiet.errors import FormulaError, UsageError
from custodiet.logic.engines.optional import load
from custodiet.logic.engines.supports import Supports, all_supports_by
from custodiet.logic.formulas import And, Atom, Falsum, Formula, Iff, Implies, Not, Or
from custodiet.logic.notation import format_formula
from custodiet.logic.semantics import Decision, Model, label_of

__all__ = [
    "SOLVERS",
    "ClauseForm",
    "Problem",
    "SatProblem",
    "clause_form",
    "decide_by_sat",
    "literal_form",
    "new_solver",
]

SOLVERS = {"minisat22": "Minisat22", "cadical153": "Cadical153", "glucose4": "Glucose4"}
_MOST_DISTRIBUTED = 12  # clauses; a disjunction that would give more names its parts


def new_solver(name: str, clauses: Sequence[Sequence[int]] = ()) -> Any:
    """A fresh solver of python-sat; its owner must call `delete`.

    Raises:
        UsageError: the solver is not one of `SOLVERS`.
        MissingExtraError: python-sat is not installed.
    """
    if name not in SOLVERS:
        raise UsageError("no such SAT solver", expected=" or ".join(SOLVERS), got=name)
    return getattr(load("pysat.solvers", "python-sat"), SOLVERS[name])(bootstrap_with=clauses)


class ClauseForm(NamedTuple):
    """Clauses over a numbering of their own: variable k < len(atoms) + 1 is atom k - 1, higher ones are names.

    `literal` is 0 for a formula asserted; otherwise a literal that the clauses make equivalent to the formula.
    """

    atoms: tuple[Atom, ...]
    num_variables: int
    clauses: tuple[tuple[int, ...], ...]
    literal: int


class _Encoder:
    """Clauses of one formula."""

    def __init__(self, formula: Formula) -> None:
        self.numbers: dict[Formula, int] = {}
        self._number_atoms(formula)
        self.num_atoms = len(self.numbers)
        self.num = self.num_atoms
        self.definitions: list[tuple[int, ...]] = []

    def _number_atoms(self, formula: Formula) -> None:
        kind = type(formula)
        if kind is Atom:
            self.numbers.setdefault(formula, len(self.numbers) + 1)
        elif kind is And or kind is Or:
            for one in formula[1]:
                self._number_atoms(one)
        elif kind is Not or kind is Implies or kind is Iff:
            for one in formula[1:]:
                self._number_atoms(one)
        elif kind is not Falsum:
            raise FormulaError(
                f"a SAT solver cannot read {format_formula(formula)}", expected="a formula without quantifiers and ="
            )

    def literal(self, formula: Formula) -> int:
        """A literal equivalent to the formula."""
        negative = False
        while type(formula) is Not:
            formula = formula[1]
            negative = not negative
        number = self.numbers.get(formula)
        if number is None:
            number = self._name()
            self.definitions += [(-number, *one) for one in self.clauses(formula, True)]
            self.definitions += [(number, *one) for one in self.clauses(formula, False)]
            self.numbers[formula] = number
        return -number if negative else number

    def _name(self) -> int:
        self.num += 1
        return self.num

    def clauses(self, formula: Formula, sign: bool) -> list[tuple[int, ...]]:
        """Clauses that say that the formula is true (or, without `sign`, false)."""
        kind = type(formula)
        if kind is Atom:
            number = self.numbers[formula]
            return [(number,)] if sign else [(-number,)]
        if kind is Not:
            return self.clauses(formula[1], not sign)
        if kind is Implies:
            sides = [(formula[1], not sign), (formula[2], sign)]
            return self._either(sides) if sign else self._both(sides)
        if kind is And or kind is Or:
            parts = [(one, sign) for one in formula[1]]
            return self._both(parts) if sign is (kind is And) else self._either(parts)
        if kind is Iff:
            left, right = self.literal(formula[1]), self.literal(formula[2])
            right = right if sign else -right
            return [(-left, right), (left, -right)] if abs(left) != abs(right) else [] if left == right else [()]
        return [()] if sign else []

    def _both(self, parts: list[tuple[Formula, bool]]) -> list[tuple[int, ...]]:
        return [clause for one, sign in parts for clause in self.clauses(one, sign)]

    def _either(self, parts: list[tuple[Formula, bool]]) -> list[tuple[int, ...]]:
        product: list[tuple[int, ...]] = [()]
        for one, sign in parts:
            clauses = self.clauses(one, sign)
            if len(product) * len(clauses) > _MOST_DISTRIBUTED and len(clauses) > 1:
                name = self._name()  # name -> part is enough: the part stands in one sign only
                self.definitions += [(-name, *clause) for clause in clauses]
                clauses = [(name,)]
            product = [merged for left in product for right in clauses if (merged := _merged(left, right)) is not None]
        return product


def _merged(left: tuple[int, ...], right: tuple[int, ...]) -> tuple[int, ...] | None:
    """The clause of both; None if it is true anyway."""
    if not left:
        return right
    for one in right:
        if -one in left:
            return None
        if one not in left:
            left = (*left, one)
    return left


@lru_cache(maxsize=1 << 13)
def clause_form(formula: Formula) -> ClauseForm:
    """Clauses that hold, with some choice for the names, exactly where the formula does.

    Raises:
        FormulaError: it has quantifiers or equality.
    """
    encoder = _Encoder(formula)
    clauses = encoder.clauses(formula, True)
    return _form(encoder, clauses, 0)


@lru_cache(maxsize=1 << 13)
def literal_form(formula: Formula) -> ClauseForm:
    """Clauses that some choice for the names satisfies whatever the atoms are, the literal being true where the formula is.

    Raises:
        FormulaError: it has quantifiers or equality.
    """
    encoder = _Encoder(formula)
    return _form(encoder, [], encoder.literal(formula))


def _form(encoder: _Encoder, clauses: list[tuple[int, ...]], literal: int) -> ClauseForm:
    atoms = tuple([one for one, number in encoder.numbers.items() if number <= encoder.num_atoms])
    return ClauseForm(atoms, encoder.num, (*encoder.definitions, *clauses), literal)  # type: ignore[arg-type]


class Problem(ABC):
    """Premises in a solver, to which many goals are put.

    Use as a context manager, or call `close`: the solver's memory is not Python's.
    """

    engine: str
    _solver: Any
    _selectors: list[int]  # one for each premise if selectable, otherwise none
    _selectable: bool

    @abstractmethod
    def _ways(self, goal: Formula) -> tuple[int, int]:
        """A literal under which the goal holds, and one under which it does not."""

    @abstractmethod
    def _model(self, goal: Formula, way: int) -> Model:
        """The structure that the solver just found."""

    def _solve(self, literals: list[int]) -> bool:
        return self._solver.solve(literals)

    def label(self, goal: Formula, subset: Iterable[int] | None = None) -> str:
        """The label of one goal under all premises or a subset (see `entails`)."""
        chosen = self._selectors if subset is None else self._chosen(subset)
        true, false = self._ways(goal)
        return label_of(self._solve([*chosen, true]), self._solve([*chosen, false]))

    def decide(self, goal: Formula, subset: Iterable[int] | None = None) -> Decision:
        """The label of one goal under all premises or a subset (see `entails`), with a model for each way it can be."""
        chosen = self._selectors if subset is None else self._chosen(subset)
        models = [self._model(goal, way) if self._solve([*chosen, way]) else None for way in self._ways(goal)]
        return Decision(label_of(models[0] is not None, models[1] is not None), models[0], models[1], (self.engine,))

    def entails(self, goal: Formula, subset: Iterable[int] | None = None) -> bool:
        """Whether all premises, or those with these 0-based numbers (only if `selectable`), entail the goal."""
        chosen = self._selectors if subset is None else self._chosen(subset)
        return not self._solve([*chosen, self._ways(goal)[1]])

    def _chosen(self, subset: Iterable[int]) -> list[int]:
        if not self._selectable:
            raise UsageError("a subset of the premises can be asked for only if they are selectable")
        return [self._selectors[one] for one in subset]

    def core(self, goal: Formula, subset: Iterable[int] | None = None) -> tuple[int, ...] | None:
        """Premises (0-based, ascending) that entail the goal, as the solver's refutation used them; None if none do.

        The core is a support, not always a minimal one.
        """
        if not self._selectable:
            raise UsageError("a core can be asked for only if the premises are selectable")
        if not self.entails(goal, subset):
            return None
        used = set(self._solver.get_core() or ())
        return tuple([i for i, selector in enumerate(self._selectors) if selector in used])

    def minimal_support(self, goal: Formula, subset: Iterable[int] | None = None) -> tuple[int, ...] | None:
        """Premises that entail the goal and none of which can be left out; None if the premises do not entail it.

        From the solver's core, leaving out one premise at a time, last ones first. With a subset: among these.
        """
        found = self.core(goal, subset)
        if found is None:
            return None
        kept = list(found)
        for one in found[::-1]:
            if one in kept:
                smaller = self.core(goal, [other for other in kept if other != one])
                kept = kept if smaller is None else list(smaller)
        return tuple(kept)

    def all_supports(self, goal: Formula, *, budget: int = 500) -> Supports:
        """Every minimal set of premises that entails the goal; see `supports.all_supports_by`."""
        if not self.entails(goal):
            return Supports((), True, ())
        return all_supports_by(
            lambda numbers: self.minimal_support(goal, numbers),
            self.necessary(goal),
            len(self._selectors),
            budget=budget,
        )

    def necessary(self, goal: Formula) -> tuple[int, ...]:
        """Premises without which the others do not entail the goal: those that every support has.

        Raises:
            UsageError: the premises do not entail the goal.
        """
        found = self.core(goal)
        if found is None:
            raise UsageError("the premises do not entail the goal, so it has no support")
        everything = range(len(self._selectors))
        return tuple([one for one in found if not self.entails(goal, [other for other in everything if other != one])])

    def close(self) -> None:
        """Give the solver's memory back."""
        self._solver.delete()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class SatProblem(Problem):
    """Premises without quantifiers and equality, clauses in one solver.

    Args:
        premises: the formulas; ground atoms may have arguments.
        solver: `minisat22`, `cadical153` or `glucose4`.
        selectable: whether a question may name a subset of the premises (and get cores); costs a variable for each.

    Raises:
        FormulaError: quantifiers or equality.
        MissingExtraError: python-sat is not installed.
    """

    def __init__(
        self, premises: Iterable[Formula] = (), *, solver: str = "minisat22", selectable: bool = False
    ) -> None:
        self.engine = solver
        self._numbers: dict[Atom, int] = {}
        self._num = 0
        self._goals: dict[Formula, int] = {}
        self._selectors = []
        self._selectable = selectable
        clauses: list[Sequence[int]] = []
        for one in premises:
            form = clause_form(one)
            mapped = self._mapped(form)
            if selectable:
                self._num += 1
                self._selectors.append(self._num)
                mapped = [[-self._num, *clause] for clause in mapped]
            clauses += mapped
        self._solver = new_solver(solver, clauses)

    def _mapped(self, form: ClauseForm) -> list[list[int]]:
        """The clauses in this problem's numbers."""
        if not form.clauses:
            return []
        to = self._renumbering(form)
        return [[to[one] for one in clause] for clause in form.clauses]

    def _renumbering(self, form: ClauseForm) -> list[int]:
        """Number in the form -> number here, negative ones from the list's end."""
        numbers = self._numbers
        to = [0]
        for atom in form.atoms:
            number = numbers.get(atom)
            if number is None:
                self._num += 1
                number = numbers[atom] = self._num
            to.append(number)
        names = form.num_variables - len(form.atoms)
        if names:
            to += range(self._num + 1, self._num + 1 + names)
            self._num += names
        return to + [-one for one in to[:0:-1]]

    def _ways(self, goal: Formula) -> tuple[int, int]:
        found = self._goals.get(goal)
        if found is None:
            form = literal_form(goal)
            to = self._renumbering(form)
            for clause in form.clauses:
                self._solver.add_clause([to[one] for one in clause])
            found = self._goals[goal] = to[form.literal]
        return found, -found

    def _model(self, goal: Formula, way: int) -> Model:
        true = set(self._solver.get_model())
        return Model({}, {}, frozenset([atom for atom, number in self._numbers.items() if number in true]))


def decide_by_sat(
    premises: Sequence[Formula], goal: Formula, *, models: bool = True, solver: str = "minisat22"
) -> Decision:
    """Decide what the premises say about the goal.

    Args:
        premises: formulas without quantifiers and equality; ground atoms may have arguments.
        goal: one more.
        models: whether to give the two structures too (over propositions: without domains).
        solver: `minisat22`, `cadical153` or `glucose4`.

    Returns:
        The label and, unless switched off, a model with and one without the goal, where there are such.

    Raises:
        FormulaError: quantifiers or equality.
        MissingExtraError: python-sat is not installed.
    """
    with SatProblem(premises, solver=solver) as problem:
        return problem.decide(goal) if models else Decision(problem.label(goal), engines=(solver,))
