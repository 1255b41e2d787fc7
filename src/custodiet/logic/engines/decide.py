"""Certified decisions: two engines that share no code must agree, and every model must be one by the definition of truth.

| logic | first engine | second engine |
| --- | --- | --- |
| propositional | truth table; beyond 16 atoms clauses and SAT | clauses and SAT; beyond 16 atoms hyper tableau |
| syllogistic, monadic | element types; beyond 14 predicates grounding and SAT | grounding and SAT; beyond 14 hyper tableau |
| relational | grounding and SAT | hyper tableau |
| datalog | forward chaining | clingo |

Where a hyper tableau would take long, z3 takes its place. (All read formulas, their signature and models from the same
types; grounding and SAT are one engine.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from custodiet.errors import CustodietError
from custodiet.logic.engines.clingo_engine import decide_by_clingo
from custodiet.logic.engines.closure import Program, decide_by_closure
from custodiet.logic.engines.element_types import MAX_PREDICATES, decide_by_types
from custodiet.logic.engines.grounding import decide_by_grounding
from custodiet.logic.engines.hyper_tableau import decide_by_tableau
from custodiet.logic.engines.sat import decide_by_sat
from custodiet.logic.engines.truth_table import MAX_ATOMS, decide_by_table
from custodiet.logic.engines.z3_engine import decide_by_z3
from custodiet.logic.formulas import Formula
from custodiet.logic.fragments import Signature, require_logic
from custodiet.logic.notation import format_formula
from custodiet.logic.semantics import Decision, evaluate, label_of

__all__ = ["certify"]

Engine = Callable[..., Decision]
_TABLEAU_BUDGET = 1500  # applications of rules; about as long as z3 takes


def certify(
    logic: str,
    premises: Sequence[Formula],
    goal: Formula,
    *,
    models: bool = True,
    with_z3: bool = False,
    constants: dict[str, str] | None = None,
) -> Decision:
    """Decide what the premises say about the goal, twice.

    Args:
        logic: one of `fragments.LOGICS`.
        premises: closed formulas of it.
        goal: one more.
        models: whether to give the structures too; each is then checked by `evaluate`.
        with_z3: whether z3 must agree as well, in every logic but Datalog.
        constants: sorts of constants that no formula tells.

    Returns:
        The decision of the first engine, with the names of all that agreed.

    Raises:
        FormulaError: a formula that is not of this logic.
        UsageError: no such logic.
        MissingExtraError: a solver is not installed.
        CustodietError: two engines disagree, or a model is none: a defect of this package, and the item must not be used.
    """
    known = require_logic(logic, premises, goal, constants=constants)
    first, second = _engines(logic, known)
    sorts = {"signature": known} if isinstance(known, Signature) else {}
    decision = first(premises, goal, models=models, **(sorts if first in _READ_SIGNATURES else {}))
    found = [decision, second(premises, goal, models=False, **(sorts if second in _READ_SIGNATURES else {}))]
    if with_z3 and isinstance(known, Signature) and found[1].engines != ("z3",):
        found.append(decide_by_z3(premises, goal, models=False, signature=known))
    if len({one.label for one in found}) > 1:
        raise _defect("engines disagree", "; ".join(f"{one.engines[0]}: {one.label}" for one in found), premises, goal)
    if models:
        _check_models(decision, premises, goal)
    return replace(decision, engines=tuple([one.engines[0] for one in found]))


def _by_tableau_or_z3(
    premises: Sequence[Formula], goal: Formula, *, models: bool = True, signature: Signature | None = None
) -> Decision:
    """Decide by a hyper tableau, or by z3 where that would take long; arguments as those of `decide_by_tableau`."""
    found = decide_by_tableau(premises, goal, models=models, signature=signature, budget=_TABLEAU_BUDGET)
    return decide_by_z3(premises, goal, models=models, signature=signature) if found is None else found


_READ_SIGNATURES: tuple[Engine, ...] = (decide_by_grounding, _by_tableau_or_z3)


def _engines(logic: str, known: Signature | Program) -> tuple[Engine, Engine]:
    if logic == "datalog":
        return decide_by_closure, decide_by_clingo
    if logic == "relational":
        return decide_by_grounding, _by_tableau_or_z3
    if logic == "propositional":
        small = len(known.predicates) <= MAX_ATOMS
        return (decide_by_table, decide_by_sat) if small else (decide_by_sat, _by_tableau_or_z3)
    small = len(known.predicates) <= MAX_PREDICATES
    return (decide_by_types, decide_by_grounding) if small else (decide_by_grounding, _by_tableau_or_z3)


def _check_models(decision: Decision, premises: Sequence[Formula], goal: Formula) -> None:
    """Both models are models of the premises, the goal is as it should be, and they are there if the label says so."""
    pairs = ((decision.with_goal, True), (decision.without_goal, False))
    for model, value in pairs:
        if model is not None and not (all(evaluate(model, one) for one in premises) and evaluate(model, goal) is value):
            raise _defect(f"a model of {decision.engines[0]} is none", repr(model.to_json()), premises, goal)
    if decision.label != label_of(decision.with_goal is not None, decision.without_goal is not None):
        raise _defect(f"the models of {decision.engines[0]} do not fit its label", decision.label, premises, goal)


def _defect(message: str, got: str, premises: Sequence[Formula], goal: Formula) -> CustodietError:
    problem = "; ".join([format_formula(one) for one in premises])
    return CustodietError(
        f"{message} about premises {problem} and goal {format_formula(goal)}",
        got=got,
        hint="This is a defect of custodiet: please report it.",
    )
