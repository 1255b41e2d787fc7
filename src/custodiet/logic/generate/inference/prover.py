"""What premises say about goals, by two engines: tables or element types in integers, and clauses in a SAT solver."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from custodiet.errors import CustodietError
from custodiet.logic.engines.element_types import NAME as TYPES
from custodiet.logic.engines.element_types import types_of
from custodiet.logic.engines.grounding import GroundProblem
from custodiet.logic.engines.sat import SatProblem
from custodiet.logic.engines.truth_table import NAME as TABLE
from custodiet.logic.engines.truth_table import column_label, conjunction, rests, table_of
from custodiet.logic.formulas import Atom, Formula, Not, atoms_of, operands
from custodiet.logic.notation import format_formula
from custodiet.logic.semantics import UNKNOWN, Model, evaluate, label_of

__all__ = ["MAX_SYMBOLS", "Prover", "certified"]

MAX_SYMBOLS = 14  # what element types take; tables take two more


class Prover:
    """The first engine: labels of goals, and which premises a goal needs.

    Args:
        premises: ground formulas and formulas below one quantifier, over propositions and unary predicates.
        others: formulas that may be put as goals, for their symbols.
    """

    def __init__(self, premises: Sequence[Formula], others: Sequence[Formula] = ()) -> None:
        self.premises = premises
        self.propositional = all(not one[2] for formula in (*premises, *others) for one in atoms_of(formula))
        if self.propositional:
            self.engine = TABLE
            self._table = table_of([*premises, *others])
            self._columns = self._table.columns(premises)
            self._whole = conjunction(self._columns, self._table.full)
        else:
            self.engine = TYPES
            self._types = types_of([_as_monadic(one) for one in (*premises, *others)])
            self._demands = [self._types.constraint(_as_monadic(one)) for one in premises]
            self._all = self._types.combined(self._demands)

    def consistent(self) -> bool:
        """Whether the premises are true somewhere."""
        if self.propositional:
            return bool(self._whole)
        return self._all is not None and self._types.solve([self._all]) is not None

    def label(self, goal: Formula) -> str:
        """The label of a goal."""
        if self.propositional:
            return column_label(self._whole, self._table.column(goal))
        if self._all is None:
            return label_of(False, False)
        goal = _as_monadic(goal)
        with_goal, without_goal = [
            self._types.solve([self._all, self._types.constraint(goal, sign)]) is not None for sign in (True, False)
        ]
        return label_of(with_goal, without_goal)

    def needed(self, goal: Formula) -> tuple[int, ...]:
        """The premises (0-based) without which the others do not entail the goal: they stand in its every support."""
        if self.propositional:
            bad = self._table.full ^ self._table.column(goal)
            return tuple([i for i, rest in enumerate(rests(self._columns, self._table.full)) if rest & bad])
        denied = self._types.constraint(_as_monadic(goal), False)
        demands = self._demands
        return tuple(
            [i for i in range(len(demands)) if self._types.solve([*demands[:i], *demands[i + 1 :], denied]) is not None]
        )


@lru_cache(maxsize=1 << 14)
def _as_monadic(formula: Formula) -> Formula:
    """The formula with each proposition p as `p(k0)`: true somewhere exactly if it is."""
    kind = formula[0]
    if kind == "atom":
        return formula if formula[2] else Atom(formula[1], ("k0",))
    if kind == "not":
        return Not(_as_monadic(formula[1]))
    if kind == "forall" or kind == "exists":
        return formula
    parts = [_as_monadic(one) for one in operands(formula)]
    return type(formula)(*parts)


def certified(
    premises: Sequence[Formula], labels: dict[Formula, str], *, propositional: bool
) -> tuple[str, dict[Formula, tuple[Model, Model]]]:
    """Decide goals by the second engine.

    Args:
        premises: of the problem.
        labels: goal -> what the first engine says.
        propositional: whether all of it is.

    Returns:
        The engine's name; for each goal that is unknown a structure with it and one without, both evaluated.

    Raises:
        CustodietError: the engines disagree, or a structure is not what it should be; a defect.
    """
    models: dict[Formula, tuple[Model, Model]] = {}
    goals = list(labels)
    with SatProblem(premises) if propositional else GroundProblem(premises, goals) as problem:
        for goal, label in labels.items():
            found = problem.decide(goal) if label == UNKNOWN else None
            told = problem.label(goal) if found is None else found.label
            if told != label:
                raise CustodietError(
                    f"engines disagree about {format_formula(goal)}: {label}, {told}",
                    hint="This is a defect; please report it.",
                )
            if found is not None and found.with_goal is not None and found.without_goal is not None:
                models[goal] = (found.with_goal, found.without_goal)
        engine = problem.engine
    for goal, pair in models.items():
        for model, wanted in zip(pair, (True, False), strict=True):
            if evaluate(model, goal) is not wanted or not all(evaluate(model, one) for one in premises):
                raise CustodietError(
                    f"a counter-model for {format_formula(goal)} is none", hint="This is a defect; please report it."
                )
    return engine, models
