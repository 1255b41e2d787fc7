"""The frame of a three-way problem: one goal, three versions of one sentence, and what follows in each.

    switch          split chains                        shared chain
    x+     ──▶ m1 ──▶ ... ──▶ m ─┐
                                 ├──▶ c1 ◀──▶ ... ◀──▶ goal's literal
    x-     ──▶ n1 ──▶ ... ──▶ ~m ┘
    x0     ──▶ ... ─╳─▶ ... ──▶ m or ~m      (a link needs what nobody knows)

The switch is one sentence that says x+, x- or x0. Everything else is the same in all three versions, so a label flips
by one argument of one sentence, and whoever cannot trace the chains cannot tell the versions apart: all three leaves
occur in the same places. Where premises are scarce the split chains shrink to nothing and the switch is x or ~x.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from custodiet.logic.formulas import FALSUM, And, Atom, Formula, Iff, Implies, Not, Or, complement
from custodiet.logic.generate.draws import Draws
from custodiet.logic.generate.steps import Fresh, Line, follow, steps_for

__all__ = ["GOAL_FORMS", "Frame", "draw_frame", "min_premises"]

GOAL_FORMS = ("literal", "conjunction", "disjunction", "conditional", "biconditional")


@dataclass(slots=True)
class Frame:
    """Premises and proofs before distractors.

    Args:
        switch: the sentence of each version: goal follows, goal is refuted, neither.
        premises: all others.
        goal: the question.
        lines: the proof of the goal (version 0) and of its complement (version 1), premises not among them.
        literal: the goal's literal, where the goal is compound; with the other premises it is true exactly where the goal is.
        literal_lines: the proofs of that and of its complement.
        num_steps: steps of each chain, from the switch to the goal's literal.
        kinds: names of the steps' kinds, as drawn.
    """

    switch: tuple[Formula, Formula, Formula]
    premises: list[Formula]
    goal: Formula
    lines: tuple[list[Line], list[Line]]
    num_steps: int
    kinds: list[str]
    literal: Formula | None = None
    literal_lines: tuple[list[Line], list[Line]] = field(default_factory=lambda: ([], []))


def min_premises(depth: int, goal_form: str = "literal") -> int:
    """The fewest premises of a frame with chains of that many steps."""
    return 1 + depth + (0 if goal_form == "literal" else 1)


def draw_frame(draws: Draws, fresh_atom: Callable[[], Atom], *, depth: int, max_premises: int, goal_form: str) -> Frame:
    """Draw chains of `depth` steps that state at most `max_premises` premises, the switch included.

    Args:
        draws: random choices.
        fresh_atom: gives an atom that was not given before.
        depth: steps from the switch to the goal's literal, at least 1.
        max_premises: at least `min_premises(depth, goal_form)`.
        goal_form: one of `GOAL_FORMS`.

    Returns:
        The frame.
    """

    def fresh() -> Formula:
        atom = fresh_atom()
        return Not(atom) if draws.random() < 0.5 else atom

    spare = max_premises - min_premises(depth, goal_form)
    most_split = min(depth, spare - 1)  # each split step costs one premise more than a shared one, and x0 wants a rule
    split = 0 if most_split < 1 else draws.between(max(1, most_split - 2), most_split)
    spare -= split
    dead = min(split, 1 + spare) if split else 0  # of the length of the others where there is room
    spare -= max(0, dead - 1)

    joint = fresh()
    premises: list[Formula] = []
    kinds: list[str] = []
    if split:
        sign = draws.random() < 0.5
        leaves = [Not(atom) if sign else atom for atom in (fresh_atom(), fresh_atom(), fresh_atom())]
        ends = [joint, complement(joint), complement(joint) if draws.random() < 0.5 else joint]
        broken = [-1, -1, draws.below(dead)]
        lengths = [split, split, dead]
        chains: list[list[Line]] = [[], [], []]
        order = [0, 1, 2]
        draws.shuffle(order)
        for which in order:
            spare -= _chain(
                draws,
                fresh,
                leaves[which],
                ends[which],
                lengths[which],
                broken[which],
                spare,
                premises,
                chains[which],
                kinds,
            )
        switch = (leaves[0], leaves[1], leaves[2])
        lines = (chains[0], chains[1])
    else:
        other = fresh_atom()
        switch = (joint, complement(joint), Not(other) if type(joint) is Not else other)
        lines = ([], [])
    literal = joint
    for _ in range(depth - split):
        following = fresh()
        rule = Iff(literal, following) if draws.random() < 0.5 else Iff(following, literal)
        premises.append(rule)
        kinds.append("biconditional")
        lines[0].extend(follow(rule, literal))
        lines[1].extend(follow(rule, complement(literal)))
        literal = following
    if goal_form == "literal":
        return Frame(switch, premises, literal, lines, depth, kinds)
    literal_lines = (list(lines[0]), list(lines[1]))
    goal, fact = _dress(draws, fresh_atom, literal, goal_form, lines)
    premises.append(fact)
    return Frame(switch, premises, goal, lines, depth, kinds, literal, literal_lines)


def _chain(
    draws: Draws,
    fresh: Fresh,
    literal: Formula,
    end: Formula,
    length: int,
    broken: int,
    spare: int,
    premises: list[Formula],
    lines: list[Line],
    kinds: list[str],
) -> int:
    """Add a chain from a literal to an end, maybe with a broken step; returns how many premises over `length` it took."""
    taken = 0
    for step in range(length):
        following = end if step == length - 1 else fresh()
        if step == broken:
            premises.append(_broken(draws, literal, following, fresh()))
            literal = following
            continue
        options = steps_for(literal, following, 1 + max(0, spare - taken))
        kind = draws.weighted(options, [one.weight for one in options])
        made = kind.make(literal, following, fresh)
        taken += kind.num_premises - 1
        premises.extend(made.premises)
        lines.extend(made.lines)
        kinds.append(kind.name)
        literal = following
    return taken


def _broken(draws: Draws, literal: Formula, following: Formula, unknown: Formula) -> Formula:
    """A premise that would lead on if something held that no premise says."""
    at = draws.below(3)
    if at == 0:
        return Implies(And(literal, unknown) if draws.random() < 0.5 else And(unknown, literal), following)
    if at == 1:
        return Implies(literal, Implies(unknown, following))
    return Implies(literal, Or(following, unknown))


def _dress(
    draws: Draws, fresh_atom: Callable[[], Atom], literal: Formula, goal_form: str, lines: tuple[list[Line], list[Line]]
) -> tuple[Formula, Formula]:
    """A compound goal that is true with the literal and false without it, given one more fact; the goal and the fact."""
    beside = fresh_atom()
    swapped = draws.random() < 0.5
    proved, refuted = lines
    if goal_form == "conjunction":
        fact: Formula = beside
        goal: Formula = And(literal, beside) if swapped else And(beside, literal)
        proved.append(Line(goal, "conjunction", (beside, literal)))
        back = [Line(literal, "simplification", (goal,))]
    elif goal_form == "disjunction":
        fact = Not(beside)
        goal = Or(literal, beside) if swapped else Or(beside, literal)
        proved.append(Line(goal, "addition", (literal,)))
        back = [Line(literal, "disjunctive syllogism", (goal, fact))]
    else:
        fact = beside
        half = Implies(beside, literal)
        proved.append(Line(Or(Not(beside), literal), "addition", (literal,)))
        proved.append(Line(half, "material implication", (Or(Not(beside), literal),)))
        if goal_form == "conditional":
            goal = half
            back = [Line(literal, "modus ponens", (goal, beside))]
        else:
            goal = Iff(literal, beside) if swapped else Iff(beside, literal)
            other = Implies(literal, beside)
            proved.append(Line(Or(Not(literal), beside), "addition", (beside,)))
            proved.append(Line(other, "material implication", (Or(Not(literal), beside),)))
            proved.append(Line(goal, "biconditional introduction", (half, other)))
            back = [Line(half, "biconditional elimination", (goal,)), Line(literal, "modus ponens", (half, beside))]
    negated = complement(literal)
    positive, negative = (literal, negated) if type(negated) is Not else (negated, literal)
    refuted.append(Line(goal, "assumption", ()))
    refuted.extend(back)
    refuted.append(Line(FALSUM, "contradiction", (positive, negative)))
    refuted.append(Line(Not(goal), "reductio", (goal, FALSUM)))
    return goal, fact
