"""Propositional logic by truth tables: a column is one Python integer with a bit for each row.

Row r gives atom number i the bit i of r. All that the search for an item asks (label, minimality, every minimal
support, a model) is a handful of bitwise operations on columns, each tens of nanoseconds at twelve atoms.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from custodiet.errors import FormulaError
from custodiet.logic.bits import truth_patterns
from custodiet.logic.engines.supports import Supports
from custodiet.logic.formulas import (
    And,
    Atom,
    Falsum,
    Formula,
    Iff,
    Implies,
    Not,
    Or,
)
from custodiet.logic.notation import format_formula
from custodiet.logic.semantics import CONTRADICTED, ENTAILED, INCONSISTENT, UNKNOWN, Decision, Model

__all__ = [
    "MAX_ATOMS",
    "Table",
    "all_supports",
    "column",
    "column_label",
    "conjunction",
    "decide_by_table",
    "minimal_support",
    "rests",
    "row_in",
    "table_of",
]

NAME = "truth_table"
MAX_ATOMS = 16
_CACHE_BYTES = 4 << 20  # of columns and the formulas that they are of, for each table
_FORMULA_BYTES = 600


class Table:
    """The truth table over fixed atoms, with the columns of formulas that were asked for before.

    Args:
        atoms: at most 16, each once; atom number i is bit i of a row's number.

    Raises:
        FormulaError: more than 16 atoms, or one twice.
    """

    __slots__ = ("_cache", "_limit", "_patterns", "atoms", "full", "num_rows")

    def __init__(self, atoms: Sequence[Atom]) -> None:
        if len(atoms) > MAX_ATOMS:
            raise FormulaError(
                "too many atoms for a truth table",
                expected=f"at most {MAX_ATOMS}",
                got=len(atoms),
                hint="decide_by_sat takes any number.",
            )
        self.atoms = tuple(atoms)
        self.num_rows = 1 << len(self.atoms)
        self.full = (1 << self.num_rows) - 1
        self._patterns: dict[Formula, int] = dict(zip(self.atoms, truth_patterns(len(self.atoms)), strict=True))
        if len(self._patterns) != len(self.atoms):
            raise FormulaError("an atom stands twice in a truth table", got=[format_formula(one) for one in atoms])
        self._cache: dict[Formula, int] = {}
        self._limit = max(256, _CACHE_BYTES // (self.num_rows // 8 + _FORMULA_BYTES))

    def column(self, formula: Formula) -> int:
        """The rows where the formula is true.

        Raises:
            FormulaError: it has an atom that the table has not, or is not propositional.
        """
        found = self._cache.get(formula)
        if found is None:
            found = self._compute(formula)
            if len(self._cache) >= self._limit:
                self._cache.clear()
            self._cache[formula] = found
        return found

    def columns(self, formulas: Iterable[Formula]) -> list[int]:
        """The column of each formula."""
        return [self.column(one) for one in formulas]

    def _compute(self, formula: Formula) -> int:
        found = self._patterns.get(formula)
        if found is not None:
            return found
        kind = type(formula)
        if kind is Not:
            return self.full ^ self._compute(formula[1])
        if kind is Implies:
            return (self.full ^ self._compute(formula[1])) | self._compute(formula[2])
        if kind is Or:
            found = 0
            for one in formula[1]:
                found |= self._compute(one)
            return found
        if kind is And:
            found = self.full
            for one in formula[1]:
                found &= self._compute(one)
            return found
        if kind is Iff:
            return self.full ^ self._compute(formula[1]) ^ self._compute(formula[2])
        if kind is Falsum:
            return 0
        raise _no_column(formula, self.atoms)

    def model(self, row: int) -> Model:
        """The assignment that a row of the table is."""
        return Model({}, {}, frozenset([atom for i, atom in enumerate(self.atoms) if row >> i & 1]))


@lru_cache(maxsize=8)
def _table(atoms: tuple[Atom, ...]) -> Table:
    return Table(atoms)


def table_of(formulas: Iterable[Formula]) -> Table:
    """The table over the atoms of the formulas, in the order of their names; the latest 8 tables are kept."""
    atoms = sorted(frozenset().union(*map(_atoms, formulas)))
    return _table(tuple(atoms))  # type: ignore[arg-type]


@lru_cache(maxsize=1 << 13)
def _atoms(formula: Formula) -> frozenset[Formula]:
    found: set[Formula] = set()
    _gather(formula, found)
    return frozenset(found)


def _gather(formula: Formula, found: set[Formula]) -> None:
    kind = type(formula)
    if kind is Atom:
        found.add(formula)
    elif kind is And or kind is Or:
        for part in formula[1]:
            _gather(part, found)
    elif kind is Not or kind is Implies or kind is Iff:
        for part in formula[1:]:
            _gather(part, found)
    elif kind is not Falsum:
        raise _no_column(formula, ())


def _no_column(formula: Formula, atoms: Sequence[Formula]) -> FormulaError:
    return FormulaError(
        f"a truth table has no column for {format_formula(formula)}",
        expected="a propositional formula" + (f" over {', '.join(map(format_formula, atoms))}" if atoms else ""),
    )


def column(formula: Formula, atoms: Sequence[Atom]) -> int:
    """The rows where a formula is true, over the given atoms (see `Table`)."""
    return _table(tuple(atoms)).column(formula)


def column_label(premises: int, goal: int) -> str:
    """The label of a goal's column under the column of all premises."""
    both = premises & goal
    if both == premises:
        return ENTAILED if premises else INCONSISTENT
    return UNKNOWN if both else CONTRADICTED


def conjunction(columns: Sequence[int], full: int) -> int:
    """The rows where all are true; every row (`full`) if there are none."""
    found = full
    for one in columns:
        found &= one
    return found


def rests(columns: Sequence[int], full: int) -> list[int]:
    """For each column the conjunction of all the others, by products from the left and from the right."""
    found = [full] * len(columns)
    left = full
    for i, one in enumerate(columns):
        found[i] = left
        left &= one
    right = full
    for i in range(len(columns) - 1, -1, -1):
        found[i] &= right
        right &= columns[i]
    return found


def minimal_support(columns: Sequence[int], goal: int, full: int) -> tuple[int, ...] | None:
    """Premises that entail the goal and none of which can be left out, found by leaving out the last that can be.

    Args:
        columns: of the premises.
        goal: column of the goal; 0 asks for premises that contradict each other, `full ^ goal` for a refutation.
        full: the table's.

    Returns:
        0-based numbers of premises in ascending order; None if the premises do not entail the goal.
    """
    bad = full ^ goal
    lefts = [bad]
    for one in columns:
        lefts.append(lefts[-1] & one)
    if lefts[-1]:
        return None
    kept: list[int] = []
    right = full
    for i in range(len(columns) - 1, -1, -1):
        if lefts[i] & right:
            kept.append(i)
            right &= columns[i]
    return tuple(kept[::-1])


def all_supports(columns: Sequence[int], goal: int, full: int, *, budget: int = 2000) -> Supports:
    """Every minimal set of premises that entails the goal, as minimal hitting sets.

    A set entails the goal if each row where the goal is false makes one of its premises false; so the supports are the
    minimal sets that hit, for every such row, the premises false there.

    Args:
        columns: of the premises.
        goal: column of the goal; 0 asks for the minimal contradictory sets.
        full: the table's.
        budget: steps of the search (a step is some tens of bitwise operations); beyond it the answer is incomplete.

    Returns:
        The supports; none if the premises do not entail the goal.

    Reference:
        Murakami and Uno 2014, "Efficient algorithms for dualizing large-scale hypergraphs", algorithm MMCS. There on
        lists of edges, here on bitsets of rows, starting from the premises that every support contains.
    """
    bad = full ^ goal
    lone = [rest & bad for rest in rests(columns, full)]  # rows that this premise alone makes false
    necessary = tuple([i for i, rows in enumerate(lone) if rows])
    open_rows = bad & conjunction([columns[i] for i in necessary], full)
    if not open_rows:
        return Supports((necessary,), True, necessary)
    if bad & conjunction(columns, full):
        return Supports((), True, ())
    found: list[tuple[int, ...]] = []
    steps = 0

    def extend(chosen: list[int], alone: list[int], open_rows: int, free: list[int]) -> bool:
        """Hit the open rows; `alone[k]` are rows that of the chosen only `chosen[k]` hits. False: out of budget."""
        nonlocal steps
        steps += 1
        if steps > budget:
            return False
        row = open_rows & -open_rows
        hitting = [i for i in free if not columns[i] & row]
        later = [i for i in free if columns[i] & row]
        for i in hitting:
            true_rows = columns[i]
            still = [rows & true_rows for rows in alone]
            if all(still):
                rows_left = open_rows & true_rows
                if not rows_left:
                    found.append(tuple(sorted([*necessary, *chosen, i])))
                elif not extend([*chosen, i], [*still, open_rows & ~true_rows], rows_left, later):
                    return False
                later.append(i)  # otherwise i makes a chosen one superfluous, and will in every larger set
        return True

    # A necessary premise keeps its lone rows whatever is chosen, so only chosen ones have to be watched.
    complete = extend([], [], open_rows, [i for i in range(len(columns)) if not lone[i]])
    return Supports(tuple(sorted(found, key=lambda one: (len(one), one))), complete, necessary)


def row_in(column: int, start: int = 0) -> int:
    """A row where the column is true: the first at or after `start`, or else the first of all.

    Raises:
        ValueError: it is true nowhere.
    """
    if not column:
        raise ValueError("the column is true in no row")
    above = column >> start << start or column
    return (above & -above).bit_length() - 1


def decide_by_table(premises: Sequence[Formula], goal: Formula, *, models: bool = True) -> Decision:
    """Decide what the premises say about the goal.

    Args:
        premises: propositional formulas.
        goal: a propositional formula; together at most 16 atoms.
        models: whether to give the two structures too.

    Returns:
        The label and, unless switched off, a model with and one without the goal, where there are such.

    Raises:
        FormulaError: more than 16 atoms, or not propositional.
    """
    table = table_of([*premises, goal])
    true_rows = conjunction(table.columns(premises), table.full)
    goal_rows = table.column(goal)
    label = column_label(true_rows, goal_rows)
    if not models:
        return Decision(label, engines=(NAME,))
    with_goal, without_goal = true_rows & goal_rows, true_rows & ~goal_rows
    return Decision(
        label,
        table.model(row_in(with_goal)) if with_goal else None,
        table.model(row_in(without_goal)) if without_goal else None,
        (NAME,),
    )
