"""Datalog with negation by clingo, an answer-set solver that grounds and solves by itself.

A stratified program has exactly one stable model, and that is its perfect model.

Reference: Gebser et al. 2019, "Multi-shot ASP solving with clingo"; Apt, Blair and Walker 1988 for the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from custodiet.errors import FormulaError
from custodiet.logic.engines.optional import load
from custodiet.logic.formulas import And, Atom, ForAll, Formula, Implies, Not, constants_of, is_variable, predicates_of
from custodiet.logic.notation import format_formula
from custodiet.logic.semantics import CONTRADICTED, ENTAILED, Decision, Model, element_names

__all__ = ["decide_by_clingo", "program_text"]

NAME = "clingo"


def decide_by_clingo(premises: Sequence[Formula], goal: Formula, *, models: bool = True) -> Decision:
    """Decide what a program says about a goal.

    Args:
        premises: facts and rules (see `closure`).
        goal: a ground literal.
        models: whether to give the perfect model too.

    Returns:
        `entailed` with the model as `with_goal`, or `contradicted` with it as `without_goal`.

    Raises:
        FormulaError: a premise or goal that is not Datalog, or a program without exactly one stable model.
        MissingExtraError: clingo is not installed.
    """
    atom = goal.body if isinstance(goal, Not) else goal
    if not isinstance(atom, Atom) or any(map(is_variable, atom.args)):
        raise FormulaError("the goal is no ground literal", got=format_formula(goal))
    true = _stable_model("\n".join([program_text(one) for one in premises]))
    model = None
    if models:
        formulas = (*premises, goal)
        constants = dict.fromkeys(name for one in formulas for name in constants_of(one))
        individuals = bool(constants) or any(arity for one in formulas for arity in predicates_of(one).values())
        domain = tuple(constants) or element_names(1)
        model = Model({"": domain} if individuals else {}, {one: one for one in constants}, true)
    if (atom in true) is (atom is goal):
        return Decision(ENTAILED, model, None, (NAME,))
    return Decision(CONTRADICTED, None, model, (NAME,))


def _stable_model(text: str) -> frozenset[Atom]:
    clingo = load("clingo", "clingo")
    complaints: list[str] = []
    control = clingo.Control(["0", "--warn=none"], logger=lambda _, message: complaints.append(message))
    try:
        control.add("base", [], text)
        control.ground([("base", [])])
    except RuntimeError as error:
        raise FormulaError("clingo refuses the program", got="; ".join(complaints) or str(error)) from error
    found: list[frozenset[Atom]] = []

    def keep(model: Any) -> bool:
        found.append(frozenset(_read(symbol) for symbol in model.symbols(atoms=True)))
        return len(found) < 2

    control.solve(on_model=keep)
    if len(found) != 1:
        raise FormulaError(
            "the program has no perfect model", expected="one stable model", got="two or more" if found else "none"
        )
    return found[0]


def _read(symbol: Any) -> Atom:
    return Atom(symbol.name[2:], tuple([one.name[2:] for one in symbol.arguments]))


@lru_cache(maxsize=1 << 13)
def program_text(formula: Formula) -> str:
    """A fact or rule in the language of clingo; names get prefixes, so that none is a word of that language.

    Raises:
        FormulaError: it is neither.
    """
    rule = formula
    while isinstance(rule, ForAll) and not rule.sort:
        rule = rule.body
    if isinstance(rule, Implies):
        parts = rule.left.parts if isinstance(rule.left, And) else (rule.left,)
        body = ", ".join(
            [f"not {_said(one.body, formula)}" if isinstance(one, Not) else _said(one, formula) for one in parts]
        )
        return f"{_said(rule.right, formula)} :- {body}."
    return f"{_said(rule, formula)}."


def _said(atom: Formula, formula: Formula) -> str:
    if not isinstance(atom, Atom):
        raise FormulaError("neither a fact nor a rule of datalog", got=format_formula(formula))
    terms = [f"V_{one}" if is_variable(one) else f"c_{one}" for one in atom.args]
    return f"p_{atom.predicate}({','.join(terms)})" if terms else f"p_{atom.predicate}"
