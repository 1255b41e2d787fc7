"""Bernays-Schönfinkel logic, many-sorted and with equality, by grounding and a SAT solver.

Formulas that say "some ... all ..." and have no functions have a model exactly if they have one whose individuals are
named by their constants and by one new (Skolem) constant for each "some"; in each sort there must be one. So every "all"
stands for finitely many cases, and a solver decides. Equality is a relation between these names; that it is transitive
and goes with every predicate is told to the solver only where a model of its violates it. A model's individuals are the
classes of equal names.

Reference: Bernays and Schönfinkel 1928; Ramsey 1930 with equality.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, product
from math import prod

from custodiet.errors import FormulaError
from custodiet.logic.engines.clausal import EQUAL, Clauses, Literal, Term, clauses_of
from custodiet.logic.engines.sat import Problem, new_solver
from custodiet.logic.formulas import Atom, Formula
from custodiet.logic.fragments import Signature, signature_of
from custodiet.logic.notation import format_formula
from custodiet.logic.semantics import Decision, Model, element_names

__all__ = ["GroundProblem", "decide_by_grounding"]

_MOST_CLAUSES = 1_000_000

_Named = list[tuple[int, str]]  # of Skolem constants: number among the names of their sort, sort


class GroundProblem(Problem):
    """Premises of Bernays-Schönfinkel logic, grounded into one solver.

    Args:
        premises: closed formulas.
        goals: the goals that will be put (their constants and Skolem constants name individuals too).
        solver: `minisat22`, `cadical153` or `glucose4`.
        selectable: whether a question may name a subset of the premises (and get cores).
        signature: of premises and goals, if it is known.

    Raises:
        FormulaError: a formula outside the fragment, names used in two ways, or more than a million ground clauses.
        MissingExtraError: python-sat is not installed.
    """

    def __init__(
        self,
        premises: Sequence[Formula],
        goals: Sequence[Formula] = (),
        *,
        solver: str = "minisat22",
        selectable: bool = False,
        signature: Signature | None = None,
    ) -> None:
        self.engine = f"grounding_{solver}"
        self.signature = signature_of([*premises, *goals]) if signature is None else signature
        self._forms = [clauses_of(one, True) for one in premises]
        self._goal_forms = {one: (clauses_of(one, True), clauses_of(one, False)) for one in goals}
        self._sizes = dict.fromkeys(self.signature.sorts, 0)  # names of each sort: constants, then Skolem constants
        self._places: dict[str, int] = {}  # constant -> its number among the names of its sort
        for name, sort in self.signature.constants.items():
            self._places[name] = self._sizes[sort]
            self._sizes[sort] += 1
        self._skolems = [self._new_terms(form.skolems) for form in self._forms]
        self._num_named = dict(self._sizes)
        self._room_for_goals()
        self._num = 1  # variable 1 is true
        self._bases: dict[str, tuple[int, tuple[int, ...]]] = {}  # predicate -> first variable, strides
        self._starts: list[int] = []
        self._predicates: list[tuple[str, tuple[str, ...]]] = []
        for name, sorts in self.signature.predicates.items():
            self._add_predicate(name, sorts)
        self._equal: dict[str, list[int]] = {}  # sort -> variable of "left = right" at left * size + right
        self._has_equality = any(
            one.equality for one in (*self._forms, *chain.from_iterable(self._goal_forms.values()))
        )
        self._mentioned: set[int] = set()  # variables of atoms in clauses; kept only if there is equality
        self._selectors = []
        self._selectable = selectable
        self._ways_of: dict[Formula, tuple[int, int]] = {}
        self._num_clauses = 0
        self._solver = new_solver(solver, [[1]])
        for form, skolems in zip(self._forms, self._skolems, strict=True):
            selector = 0
            if selectable:
                selector = self._new()
                self._selectors.append(selector)
            self._ground(form, skolems, -selector)

    def _new(self) -> int:
        self._num += 1
        return self._num

    def _new_terms(self, sorts: tuple[str, ...]) -> _Named:
        found = []
        for sort in sorts:
            found.append((self._sizes[sort], sort))
            self._sizes[sort] += 1
        return found

    def _room_for_goals(self) -> None:
        """Names for the Skolem constants of goals, which share them, and one for a sort that has none."""
        for form in chain.from_iterable(self._goal_forms.values()):
            for sort in form.skolems:
                self._sizes[sort] = max(self._sizes[sort], self._num_named[sort] + form.skolems.count(sort))
        for sort, size in self._sizes.items():
            self._sizes[sort] = max(1, size)

    def _goal_skolems(self, form: Clauses) -> _Named:
        seen = dict(self._num_named)
        found = []
        for sort in form.skolems:
            found.append((seen[sort], sort))
            seen[sort] += 1
        return found

    def _add_predicate(self, name: str, sorts: tuple[str, ...]) -> None:
        strides = [1] * len(sorts)
        for i in range(len(sorts) - 2, -1, -1):
            strides[i] = strides[i + 1] * self._sizes[sorts[i + 1]]
        self._bases[name] = (self._num + 1, tuple(strides))
        self._starts.append(self._num + 1)
        self._predicates.append((name, sorts))
        self._num += prod([self._sizes[sort] for sort in sorts])

    def _equalities(self, sort: str) -> list[int]:
        found = self._equal.get(sort)
        if found is None:
            size = self._sizes[sort]
            found = [1] * (size * size)
            for left in range(size):
                for right in range(left):
                    found[left * size + right] = found[right * size + left] = self._new()
            self._equal[sort] = found
        return found

    def _ground(self, form: Clauses, skolems: _Named, selector: int) -> None:
        """Tell the solver the clauses, for every value of their variables, unless the selector is switched off."""
        for name, sorts in form.names:
            self._add_predicate(name, sorts)  # under the same name as another formula's: only the latest is referred to
        add, bases, places = self._solver.add_clause, self._bases, self._places
        for sorts, literals in form.clauses:
            if not sorts:
                numbers = [selector] if selector else []
                for sign, predicate, terms in literals:
                    if len(terms) == 1:  # the usual case, without detours
                        term = terms[0]
                        place = places[term] if isinstance(term, str) else skolems[-1 - term][0]
                        number = bases[predicate][0] + place
                        if self._has_equality:
                            self._mentioned.add(number)
                    else:
                        number = self._address(predicate, terms, (), skolems)[0]
                    numbers.append(number if sign else -number)
                add(numbers or [-1])
                continue
            sizes = [self._sizes[sort] for sort in sorts]
            num = prod(sizes)
            self._num_clauses += num
            if self._num_clauses > _MOST_CLAUSES:
                raise FormulaError(
                    "too large to ground", expected=f"at most {_MOST_CLAUSES} ground clauses", got="more"
                )
            columns = [self._column(one, sorts, sizes, skolems) for one in literals]
            if selector:
                columns.append([selector] * num)
            for one in zip(*columns, strict=True):
                add(one)

    def _address(
        self, predicate: str, terms: tuple[Term, ...], sorts: tuple[str, ...], skolems: _Named
    ) -> tuple[int, list[int], list[int]]:
        """An atom's variable where all variables are at 0, the steps that each makes, and the table of an equality."""
        table: list[int] = []
        if predicate == EQUAL:
            sort = self._sort_of(terms[0], sorts, skolems)
            table = self._equalities(sort)
            base, strides = 0, (self._sizes[sort], 1)
        else:
            base, strides = self._bases[predicate]
        steps = [0] * len(sorts)
        for term, stride in zip(terms, strides, strict=True):
            if isinstance(term, str):
                base += stride * self._places[term]
            elif term < 0:
                base += stride * skolems[-1 - term][0]
            else:
                steps[term] += stride
        if not sorts:
            if table:
                base = table[base]
            elif self._has_equality:
                self._mentioned.add(base)
        return base, steps, table

    def _column(self, literal: Literal, sorts: tuple[str, ...], sizes: list[int], skolems: _Named) -> Sequence[int]:
        """The literal in every case of the variables, the last one changing fastest."""
        sign, predicate, terms = literal
        if terms == (0,) and len(sizes) == 1 and not self._has_equality:  # the usual case
            base = self._bases[predicate][0]
            return range(base, base + sizes[0]) if sign else range(-base, -base - sizes[0], -1)
        base, steps, table = self._address(predicate, terms, sorts, skolems)
        if len(sizes) == 1 and steps[0] and not self._has_equality:
            step, size = steps[0], sizes[0]
            return range(base, base + step * size, step) if sign else range(-base, -base - step * size, -step)
        column = [base]
        for step, size in zip(steps, sizes, strict=True):
            if step:
                column = [one + way for one in column for way in range(0, step * size, step)]
            else:
                column = [one for one in column for _ in range(size)]
        if table:
            column = [table[one] for one in column]
        elif self._has_equality:
            self._mentioned.update(column)
        return column if sign else [-one for one in column]

    def _sort_of(self, term: Term, sorts: tuple[str, ...], skolems: _Named) -> str:
        if isinstance(term, str):
            return self.signature.constants[term]
        return sorts[term] if term >= 0 else skolems[-1 - term][1]

    def _ways(self, goal: Formula) -> tuple[int, int]:
        found = self._ways_of.get(goal)
        if found is None:
            if goal not in self._goal_forms:
                raise FormulaError(
                    "a goal that was not announced",
                    expected="one of the goals given at the start",
                    got=format_formula(goal),
                )
            true, false = self._new(), self._new()
            for form, way in zip(self._goal_forms[goal], (true, false), strict=True):
                self._ground(form, self._goal_skolems(form), -way)
            found = self._ways_of[goal] = (true, false)
        return found

    def _solve(self, literals: list[int]) -> bool:
        """Solve, and tell the solver of each violated law of equality, until none is."""
        while self._solver.solve(literals):
            lemmas = self._violated() if self._equal else []
            if not lemmas:
                return True
            for one in lemmas:
                self._solver.add_clause(one)
        return False

    def _classes(self, true: set[int]) -> dict[str, list[int]]:
        """Sort -> for each name the least name that it is linked to by true equalities."""
        classes: dict[str, list[int]] = {}
        for sort, size in self._sizes.items():
            first = list(range(size))
            table = self._equal.get(sort)
            if table is not None:
                for left in range(size):
                    for right in range(left):
                        if table[left * size + right] in true:
                            low, high = sorted((first[left], first[right]))
                            if low != high:
                                first = [low if one == high else one for one in first]
            classes[sort] = first
        return classes

    def _violated(self) -> list[list[int]]:
        """Clauses of transitivity and congruence that the solver's model breaks."""
        true = set(self._solver.get_model())
        lemmas: list[list[int]] = []
        for sort, table in self._equal.items():
            size = self._sizes[sort]
            for middle in range(size):
                near = [one for one in range(size) if one != middle and table[middle * size + one] in true]
                for i, left in enumerate(near):
                    for right in near[:i]:
                        if table[left * size + right] not in true:
                            links = [-table[left * size + middle], -table[middle * size + right]]
                            lemmas.append([*links, table[left * size + right]])
        if lemmas:
            return lemmas
        classes = self._classes(true)
        joined = {sort for sort, first in classes.items() if first != list(range(len(first)))}
        for (_, sorts), start in zip(self._predicates, self._starts, strict=True):
            if joined.isdisjoint(sorts):
                continue
            groups: dict[tuple[int, ...], int] = {}
            for variable, key in enumerate(product(*[classes[sort] for sort in sorts]), start=start):
                if variable in self._mentioned:
                    other = groups.setdefault(key, variable)
                    if (variable in true) is not (other in true):
                        links = self._links(sorts, variable - start, other - start)
                        lemmas += [[*links, -variable, other], [*links, variable, -other]]
        return lemmas

    def _links(self, sorts: tuple[str, ...], left: int, right: int) -> list[int]:
        """Negated equalities of the arguments of two atoms of one predicate."""
        links = []
        for sort in sorts[::-1]:
            size = self._sizes[sort]
            (left, one), (right, other) = divmod(left, size), divmod(right, size)
            if one != other:
                links.append(-self._equal[sort][one * size + other])
        return links

    def _model(self, goal: Formula, way: int) -> Model:
        true = set(self._solver.get_model())
        form = self._goal_forms[goal][self._ways(goal).index(way)]
        classes = self._classes(true)
        if self._has_equality:
            true &= self._mentioned  # an atom that no clause has is as the same of equal individuals is, or false
        kept: dict[str, dict[int, str]] = {}
        for sort, first in classes.items():
            num = max(1, self._num_named[sort] + form.skolems.count(sort))
            kept[sort] = dict.fromkeys(first[:num], "")
        names = iter(element_names(sum(map(len, kept.values())), self.signature.constants))
        kept = {sort: {first: next(names) for first in firsts} for sort, firsts in kept.items()}
        named = {sort: [kept[sort].get(one) for one in first] for sort, first in classes.items()}
        atoms = []
        for (name, sorts), start in zip(self._predicates, self._starts, strict=True):
            if name in self.signature.predicates:
                for variable, args in enumerate(product(*[named[sort] for sort in sorts]), start=start):
                    if variable in true and None not in args:
                        atoms.append(Atom(name, args))  # type: ignore[arg-type]
        constants = {name: named[sort][self._places[name]] for name, sort in self.signature.constants.items()}
        return Model(
            {sort: tuple(firsts.values()) for sort, firsts in kept.items()},
            constants,  # type: ignore[arg-type]
            frozenset(atoms),
        )


def decide_by_grounding(
    premises: Sequence[Formula],
    goal: Formula,
    *,
    models: bool = True,
    solver: str = "minisat22",
    signature: Signature | None = None,
) -> Decision:
    """Decide what the premises say about the goal.

    Args:
        premises: closed formulas, with sorts and equality, whose "some" does not depend on an "all".
        goal: one more; its negation must be of that kind too.
        models: whether to give the two structures too.
        solver: `minisat22`, `cadical153` or `glucose4`.
        signature: of all, if it is known (it tells sorts that the formulas do not).

    Returns:
        The label and, unless switched off, a model with and one without the goal, where there are such.

    Raises:
        FormulaError: outside that fragment, names used in two ways, or more than a million ground clauses.
        MissingExtraError: python-sat is not installed.
    """
    with GroundProblem(premises, [goal], solver=solver, signature=signature) as problem:
        return problem.decide(goal) if models else Decision(problem.label(goal), engines=(problem.engine,))
