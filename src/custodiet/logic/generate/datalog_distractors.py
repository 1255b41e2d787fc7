"""Facts and rules that lead nowhere, for programs; each is tried, and kept if nothing that is asked depends on it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from custodiet.logic.engines.closure import parse_rule
from custodiet.logic.formulas import Atom, Formula, Not, instantiate, is_variable
from custodiet.logic.generate.datalog_steps import Names, general
from custodiet.logic.generate.draws import Draws

__all__ = ["draw_candidate", "near_miss"]


def draw_candidate(
    draws: Draws,
    names: Names,
    kind: str,
    *,
    arities: dict[str, int],
    constants: Sequence[str],
    frame: Sequence[Formula],
    goals: Sequence[Atom],
) -> Formula | None:
    """A fact or a rule.

    Args:
        draws: random choices.
        names: of new predicates and constants.
        kind: of distractor, or `contrary`.
        arities: predicates that it may use.
        constants: individuals that it may speak of.
        frame: premises that near-misses imitate.
        goals: what `contrary` rules would prove.
    """

    def about(name: str) -> Atom:
        return Atom(name, tuple([draws.pick(constants) for _ in range(arities[name])]))

    if kind == "contrary":
        goal = draws.pick(goals)
        beside = about(draws.pick(sorted(arities)))
        body: list[Formula] = [Atom(names.predicate(), goal.args)]
        if draws.random() < 0.5:
            shared = Atom(beside.predicate, (goal.args * 2)[: len(beside.args)])
            body.append(Not(shared) if draws.random() < 0.3 else shared)
        return general(body, goal)
    if kind == "near-miss":
        return near_miss(draws, draws.pick(frame), arities, constants)
    if kind == "dead-end":
        if draws.random() < 0.2:
            return Atom(names.predicate(), tuple([draws.pick(constants) for _ in range(draws.between(1, 2))]))
        start = _apart(about(draws.pick(sorted(arities))))
        args = start.args[:1] if draws.random() < 0.4 else start.args
        return general(_body(draws, start, arities), Atom(names.predicate(), args))
    if draws.random() < 0.35:
        return about(draws.pick(sorted(arities)))
    start = _apart(about(draws.pick(sorted(arities))))
    heads = [one for one in sorted(arities) if arities[one] <= len(start.args) and one != start.predicate]
    if not heads:
        return None
    head = draws.pick(heads)
    return general(_body(draws, start, arities), Atom(head, start.args[: arities[head]]))


def _apart(atom: Atom) -> Atom:
    """The atom said of different individuals, whoever they are: a rule of it has a variable for each."""
    return Atom(atom.predicate, tuple([f"c{place}" for place in range(len(atom.args))]))


def _body(draws: Draws, start: Atom, arities: dict[str, int]) -> list[Formula]:
    at = draws.random()
    if at < 0.4:
        return [start]
    beside = draws.pick(sorted(arities))
    shared = draws.pick(start.args)
    if at < 0.7 or arities[beside] > len(start.args):
        fact = Atom(beside, (shared,) if arities[beside] == 1 else (shared, "c9"))
        return [start] if fact == start else [start, fact]
    absent = Atom(beside, start.args[: arities[beside]])
    return [start] if absent == start else [start, Not(absent)]


def near_miss(draws: Draws, premise: Formula, arities: dict[str, int], constants: Collection[str]) -> Formula | None:
    """A fact with another individual or of another predicate; a rule with another predicate or a sign turned.

    Returns:
        The premise; None if there is none of the kind that was drawn.
    """
    rule = parse_rule(premise)
    atoms = [rule.head, *rule.positives, *rule.negatives]
    place = draws.below(len(atoms))
    alike = [one for one in sorted(arities) if arities[one] == len(atoms[place].args) and one != atoms[place].predicate]
    if not rule.positives and not rule.negatives:
        if draws.random() < 0.6:
            others = [one for one in sorted(constants) if one not in rule.head.args]
            if not others:
                return None
            args = list(rule.head.args)
            args[draws.below(len(args))] = draws.pick(others)
            return Atom(rule.head.predicate, tuple(args))
        return Atom(draws.pick(alike), rule.head.args) if alike else None
    num_positives = len(rule.positives)
    turned = draws.random() < 0.35 and place > 0 and num_positives > 1
    if not turned:
        if not alike:
            return None
        atoms[place] = Atom(draws.pick(alike), atoms[place].args)
    head, positives, negatives = atoms[0], atoms[1 : 1 + num_positives], atoms[1 + num_positives :]
    if turned:
        if place > num_positives:
            positives.append(negatives.pop(place - 1 - num_positives))
        else:
            negatives.append(positives.pop(place - 1))
    bound = {term for one in positives for term in one.args}
    if not all(bound.issuperset(one.args) for one in (head, *negatives)) or head in positives:
        return None
    body: list[Formula] = [*positives, *[Not(one) for one in negatives]]
    kept = sorted({term for one in atoms for term in one.args if not is_variable(term)})
    wrong = {}
    if kept and draws.random() < 0.5:
        wrong = {kept[0]: draws.pick(sorted(constants))}
    return general([instantiate(one, wrong) for one in body], instantiate(head, wrong), keep=[*kept, *wrong.values()])
