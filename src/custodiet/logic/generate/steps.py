"""Ways in which one literal leads to another: the premises that it takes, and the lines of the proof.

Each kind of step says "`current` holds, therefore `following` holds" by one premise, or by one and a fact or two beside
it. Literals keep their sign, so which kinds fit depends on it: modus tollens, for one, needs a negated literal at both
ends, as the rules of the proofs never pass over a double negation in silence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from custodiet.logic.formulas import And, Formula, Iff, Implies, Not, Or, complement

__all__ = ["STEPS", "Line", "Link", "StepKind", "follow", "steps_for"]


class Line(NamedTuple):
    """A line of a proof before it has a number: what holds, by which rule, from what."""

    formula: Formula
    rule: str
    sources: tuple[Formula, ...]


class Link(NamedTuple):
    """One step of a chain: the premises to state, and the lines from `current` to `following`."""

    premises: tuple[Formula, ...]
    lines: tuple[Line, ...]


Fresh = Callable[[], Formula]
"""Gives a literal that occurs nowhere else."""


def _modus_ponens(current: Formula, following: Formula, fresh: Fresh) -> Link:
    rule = Implies(current, following)
    return Link((rule,), (Line(following, "modus ponens", (rule, current)),))


def _modus_tollens(current: Not, following: Not, fresh: Fresh) -> Link:
    rule = Implies(following.body, current.body)
    return Link((rule,), (Line(following, "modus tollens", (rule, current)),))


def _contraposition(current: Formula, following: Formula, fresh: Fresh) -> Link:
    rule = Implies(Not(following), Not(current))
    turned = Implies(current, following)
    return Link((rule,), (Line(turned, "contraposition", (rule,)), Line(following, "modus ponens", (turned, current))))


def _disjunctive_syllogism(current: Not, following: Formula, fresh: Fresh) -> Link:
    rule = Or(current.body, following)
    return Link((rule,), (Line(following, "disjunctive syllogism", (rule, current)),))


def _disjunction_first(current: Not, following: Formula, fresh: Fresh) -> Link:
    rule = Or(following, current.body)
    return Link((rule,), (Line(following, "disjunctive syllogism", (rule, current)),))


def _material(current: Formula, following: Formula, fresh: Fresh) -> Link:
    rule = Or(Not(current), following)
    turned = Implies(current, following)
    return Link(
        (rule,), (Line(turned, "material implication", (rule,)), Line(following, "modus ponens", (turned, current)))
    )


def _biconditional(current: Formula, following: Formula, fresh: Fresh) -> Link:
    rule = Iff(current, following)
    return Link((rule,), follow(rule, current))


def _biconditional_back(current: Formula, following: Formula, fresh: Fresh) -> Link:
    rule = Iff(following, current)
    return Link((rule,), follow(rule, current))


def follow(rule: Iff, known: Formula) -> tuple[Line, ...]:
    """The lines from a biconditional of literals and a literal of one side, or its negation, to that of the other."""
    left, right = rule.left, rule.right
    if known not in (left, complement(left)):
        left, right = right, left
    if known == left:
        half = Implies(left, right)
        return (
            Line(half, "biconditional elimination", (rule,)),
            Line(right, "modus ponens", (half, known)),
        )
    half = Implies(right, left)
    lines = [Line(half, "biconditional elimination", (rule,))]
    if known != Not(left):  # the side is ~p and p is known
        lines.append(Line(Not(left), "double negation", (known,)))
    lines.append(Line(Not(right), "modus tollens", (half, Not(left))))
    if complement(right) != Not(right):
        lines.append(Line(complement(right), "double negation", (Not(right),)))
    return tuple(lines)


def _both_needed(current: Formula, following: Formula, fresh: Fresh) -> Link:
    fact = fresh()
    pair = And(current, fact)
    rule = Implies(pair, following)
    return Link(
        (rule, fact),
        (Line(pair, "conjunction", (current, fact)), Line(following, "modus ponens", (rule, pair))),
    )


def _nested(current: Formula, following: Formula, fresh: Fresh) -> Link:
    fact = fresh()
    inner = Implies(fact, following)
    rule = Implies(current, inner)
    return Link(
        (rule, fact),
        (Line(inner, "modus ponens", (rule, current)), Line(following, "modus ponens", (inner, fact))),
    )


def _one_of_two(current: Formula, following: Formula, fresh: Fresh) -> Link:
    either = Or(current, fresh())
    rule = Implies(either, following)
    return Link(
        (rule,),
        (Line(either, "addition", (current,)), Line(following, "modus ponens", (rule, either))),
    )


def _both_given(current: Formula, following: Formula, fresh: Fresh) -> Link:
    pair = And(following, fresh())
    rule = Implies(current, pair)
    return Link(
        (rule,),
        (Line(pair, "modus ponens", (rule, current)), Line(following, "simplification", (pair,))),
    )


def _dilemma(current: Formula, following: Formula, fresh: Fresh) -> Link:
    first, second = fresh(), fresh()
    either = Or(first, second)
    rule = Implies(current, either)
    left, right = Implies(first, following), Implies(second, following)
    return Link(
        (rule, left, right),
        (
            Line(either, "modus ponens", (rule, current)),
            Line(following, "disjunction elimination", (either, left, right)),
        ),
    )


class StepKind(NamedTuple):
    """A kind of step.

    Args:
        name: what the item's record calls it.
        make: (current, following, fresh) -> Link.
        num_premises: how many premises it states.
        weight: how often it is drawn among those that fit.
        signs: which literals must be negated: (current, following); None where either sign will do.
        both_ways: whether the negation of `following` leads back to that of `current` and the negation of `current`
            to that of `following`.
    """

    name: str
    make: Callable[..., Link]
    num_premises: int
    weight: float
    signs: tuple[bool | None, bool | None] = (None, None)
    both_ways: bool = False


STEPS: dict[str, StepKind] = {
    kind.name: kind
    for kind in (
        StepKind("modus ponens", _modus_ponens, 1, 4.0),
        StepKind("modus tollens", _modus_tollens, 1, 4.0, (True, True)),
        StepKind("contraposition", _contraposition, 1, 1.0, (False, False)),
        StepKind("disjunctive syllogism", _disjunctive_syllogism, 1, 2.0, (True, None)),
        StepKind("disjunctive syllogism, turned", _disjunction_first, 1, 2.0, (True, None)),
        StepKind("material implication", _material, 1, 2.0, (False, None)),
        StepKind("biconditional", _biconditional, 1, 1.0, both_ways=True),
        StepKind("biconditional, turned", _biconditional_back, 1, 1.0, both_ways=True),
        StepKind("both needed", _both_needed, 2, 2.0),
        StepKind("nested conditional", _nested, 2, 1.0),
        StepKind("one of two", _one_of_two, 1, 1.0),
        StepKind("both given", _both_given, 1, 1.0),
        StepKind("dilemma", _dilemma, 3, 1.0),
    )
}


def steps_for(current: Formula, following: Formula, max_premises: int) -> list[StepKind]:
    """The kinds that fit these two literals and take at most that many premises."""
    signs = (type(current) is Not, type(following) is Not)
    return _FITTING[signs, min(max_premises, 3)]


def _fits(kind: StepKind, signs: tuple[bool, bool], max_premises: int) -> bool:
    wanted = all(want is None or want == have for want, have in zip(kind.signs, signs, strict=True))
    return wanted and kind.num_premises <= max_premises


_FITTING = {
    ((first, second), num): [kind for kind in STEPS.values() if _fits(kind, (first, second), num)]
    for first in (False, True)
    for second in (False, True)
    for num in (1, 2, 3)
}
