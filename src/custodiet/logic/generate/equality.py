"""Two names for one individual: facts, or the goal, said of another name, and the equality without which nothing follows.

A structure with one individual of each sort shows of all other premises that they are needed, as it did before: it makes
the equality true, and what is said of the one name true of the other. An inequality is true in the same structure with
each individual doubled, and a rule with `x != y` among its conditions, or `x = y` among its conclusions, wherever it was
true without. That the equality itself is needed is decided by an engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from custodiet.logic.engines.grounding import GroundProblem
from custodiet.logic.formulas import (
    And,
    Equal,
    Exists,
    ForAll,
    Formula,
    Implies,
    Not,
    Or,
    atoms_of,
    constants_of,
    instantiate,
    subformulas,
)
from custodiet.logic.generate.draws import Draws
from custodiet.logic.generate.problem import Problem, Version, signature_of_problem
from custodiet.logic.generate.steps import Line
from custodiet.logic.semantics import UNKNOWN

__all__ = ["say_equal"]

_NAMES = "abcdefghijklmnopqrst"


def say_equal(draws: Draws, problem: Problem, num_places: int, num_unequal: int) -> Problem | None:
    """Say part of a lifted problem of another name.

    Args:
        draws: random choices.
        problem: made by `lift_problem`, relational.
        num_places: how many individuals it is about; they are its first constants.
        num_unequal: premises to add that say that two names are not of one individual.

    Returns:
        The problem with 1 + `num_unequal` premises more; the equality is in the support of both answers. None if there is
        nothing that would need it, or if there are no two names to call different.
    """
    problem = _with_conditions(draws, problem)
    subjects = list(problem.constants)[:num_places]
    ways = [(subject, whole) for subject in subjects for whole in (True, False)]
    draws.shuffle(ways)
    unequal = _unequal(draws, problem, num_unequal)
    if unequal is None:
        return None
    for subject, of_goal in ways:
        told = [problem.goal] if of_goal else [one.switch for one in problem.versions]
        if all(subject in constants_of(one) and not _quantified(one) for one in told):
            made = _renamed(draws, problem, subject, of_goal, unequal)
            if made is not None:
                return made
    return None


def _quantified(formula: Formula) -> bool:
    return any(isinstance(one, (ForAll, Exists)) for one in subformulas(formula))


def _with_conditions(draws: Draws, problem: Problem) -> Problem:
    """Some rules that lead nowhere get `x != y` among their conditions or `x = y` among their conclusions."""
    premises = list(problem.premises)
    for place, one in enumerate(premises):
        if place == problem.switch_at or one in problem.frame or draws.random() < 0.4:
            continue
        weaker = _weakened(draws, one)
        if weaker is not None and weaker not in premises:
            premises[place] = weaker
    return replace(problem, premises=premises)


def _weakened(draws: Draws, formula: Formula) -> Formula | None:
    outer = formula
    if not isinstance(outer, ForAll) or not isinstance(outer.body, ForAll) or outer.sort != outer.body.sort:
        return None
    inner = outer.body
    rule = inner.body
    if not isinstance(rule, Implies):
        return None
    same = Equal(outer.variable, inner.variable)
    if draws.random() < 0.6:
        parts = rule.left.parts if isinstance(rule.left, And) else (rule.left,)
        rule = Implies(And(*parts, Not(same)), rule.right)
    else:
        parts = rule.right.parts if isinstance(rule.right, Or) else (rule.right,)
        rule = Implies(rule.left, Or(same, *parts))
    return ForAll(outer.variable, ForAll(inner.variable, rule, inner.sort), outer.sort)


def _unequal(draws: Draws, problem: Problem, num: int) -> list[Formula] | None:
    """Inequalities between names of which something is said; None if there are not so many."""
    used = dict.fromkeys(
        term for one in (*problem.premises, problem.goal) for atom in atoms_of(one) for term in constants_of(atom)
    )
    sorts = problem.constants
    pairs = [(a, b) for a in used for b in used if a < b and sorts[a] == sorts[b]]
    if len(pairs) < num:
        return None
    made = []
    for a, b in draws.sample(pairs, num):
        made.append(Not(Equal(a, b) if draws.random() < 0.5 else Equal(b, a)))
    return made


def _renamed(draws: Draws, problem: Problem, subject: str, of_goal: bool, unequal: Sequence[Formula]) -> Problem | None:
    """The problem with the goal, or the switch, said of a new name of a subject, and maybe other facts with it."""
    free = [one for one in _NAMES if one not in problem.constants]
    if not free:
        return None
    new = draws.pick(free)
    terms = {subject: new}
    equality: Formula = Equal(subject, new) if draws.random() < 0.5 else Equal(new, subject)
    moved: dict[Formula, Formula] = {}
    for place, one in enumerate(problem.premises):
        known = one in problem.frame and place != problem.switch_at and not _quantified(one)
        if known and subject in constants_of(one) and draws.random() < 0.3:
            moved[one] = instantiate(one, terms)
    premises = [moved.get(one, one) for one in problem.premises]
    switches = [one.switch if of_goal else instantiate(one.switch, terms) for one in problem.versions]
    premises[problem.switch_at] = switches[0]
    places = list(range(len(premises)))  # old place -> new place
    for one in (equality, *unequal):
        at = draws.below(len(premises) + 1)
        premises.insert(at, one)
        places = [place + (place >= at) for place in places]
    at_equality = premises.index(equality)
    versions: list[Version] = []
    for version, switch in zip(problem.versions, switches, strict=True):
        lines: list[Line] = []
        if version.lines:
            cited = {one for line in version.lines for one in line.sources}
            turned = [*moved.items(), *([] if of_goal else [(version.switch, switch)])]
            lines = [Line(old, "substitution", (equality, one)) for old, one in turned if old in cited]
            lines.extend(version.lines)
            if of_goal:
                last = version.lines[-1].formula
                lines.append(Line(instantiate(last, terms), "substitution", (equality, last)))
        support = tuple(sorted([*[places[one] for one in version.support], at_equality])) if lines else ()
        num_turned = sum([line.rule == "substitution" for line in lines])
        versions.append(replace(version, switch=switch, lines=lines, support=support, num_renamings=num_turned))
    made = replace(
        problem,
        premises=premises,
        switch_at=places[problem.switch_at],
        goal=instantiate(problem.goal, terms) if of_goal else problem.goal,
        versions=tuple(versions),
        frame=frozenset([*[moved.get(one, one) for one in problem.frame], equality]),
        constants={**problem.constants, new: problem.constants[subject]},
        companion=None,
    )
    if len(set(premises)) < len(premises) or not _is_needed(made, at_equality):
        return None
    return made


def _is_needed(problem: Problem, place: int) -> bool:
    """Whether versions 0 and 1 leave the goal open without the premise at that place."""
    left = [one for at, one in enumerate(problem.premises) if at not in (place, problem.switch_at)]
    switches = [version.switch for version in problem.versions[:2]]
    signature = signature_of_problem(problem)
    with GroundProblem([*left, *switches], [problem.goal], signature=signature, selectable=True) as ground:
        return all(
            ground.decide(problem.goal, [*range(len(left)), len(left) + version]).label == UNKNOWN
            for version in range(2)
        )
