"""Proofs about a subject and a predicate, from statements that lead from the one to the other."""

from __future__ import annotations

from collections.abc import Sequence

from custodiet.logic.formulas import FALSUM, And, Atom, Formula, Implies, Not
from custodiet.logic.generate.statements import Statement
from custodiet.logic.generate.steps import Line

__all__ = ["prove"]

_CONSTANT = "c"


def prove(
    chain: Sequence[Statement], positive: bool, goal: Statement, subject: str, predicate: str, member: Statement
) -> list[Line]:
    """The lines that prove a goal, or its negation where the chain refutes it.

    Args:
        chain: A statements from the subject, in order; for a negative chain then an E, stated in either direction, and A
            statements from the predicate on.
        positive: whether the chain leads to the predicate, or to its absence.
        goal: about the subject and the predicate, in either order.
        subject: of the chain.
        predicate: of the chain.
        member: a statement by which the subject has a member.
    """
    lines, told = _universal(chain, positive, subject, predicate)
    if goal.form in "AE":
        if (goal.form == "A") is positive:
            if told != goal:
                lines.append(_converted(told, goal))
            return lines
        return [*_turned_to(lines, told, subject), *_refuted_universal(goal, positive, subject, predicate, member)]
    lines = _turned_to(lines, told, subject)
    if (goal.form == "I") is positive:
        return [*lines, *_proved_particular(goal, positive, subject, predicate, member)]
    return [*lines, *_refuted_particular(goal, positive, subject, predicate)]


def _universal(
    chain: Sequence[Statement], positive: bool, subject: str, predicate: str
) -> tuple[list[Line], Statement]:
    """The lines up to what the chain says of all, and that statement; an E may have the predicate first."""
    lines: list[Line] = []
    said = chain[0]
    for place, one in enumerate(chain[1:], start=1):
        if one.form == "A":
            said = _linked(lines, said, one)
            continue
        if one.subject != said.predicate:
            turned = Statement("E", one.predicate, one.subject)
            lines.append(_converted(one, turned))
            one = turned
        said = _linked(lines, said, one)
        behind = chain[place + 1 :]
        if behind:
            turned = Statement("E", said.predicate, subject)
            lines.append(_converted(said, turned))
            whole = behind[0]
            for other in behind[1:]:
                whole = _linked(lines, whole, other)
            said = _linked(lines, whole, turned)
        break
    assert said in (Statement("A" if positive else "E", subject, predicate), Statement("E", predicate, subject))
    return lines, said


def _linked(lines: list[Line], first: Statement, second: Statement) -> Statement:
    """Every A is B, and every (no) B is C: every (no) A is C."""
    result = Statement(second.form, first.subject, second.predicate)
    lines.append(Line(result.formula(), "universal transitivity", (first.formula(), second.formula())))
    return result


def _converted(stated: Statement, turned: Statement) -> Line:
    """No A is B: no B is A."""
    return Line(turned.formula(), "universal contraposition", (stated.formula(),))


def _turned_to(lines: list[Line], told: Statement, subject: str) -> list[Line]:
    if told.subject == subject:
        return lines
    return [*lines, _converted(told, Statement(told.form, told.predicate, told.subject))]


def _of(kind: str) -> Atom:
    return Atom(kind, (_CONSTANT,))


def _known(positive: bool, subject: str, predicate: str) -> tuple[list[Line], Formula]:
    """From a member of the subject to what the chain says of it."""
    every = Statement("A" if positive else "E", subject, predicate).formula()
    result: Formula = _of(predicate) if positive else Not(_of(predicate))
    rule = Implies(_of(subject), result)
    lines = [
        Line(rule, "universal instantiation", (every,)),
        Line(result, "modus ponens", (rule, _of(subject))),
    ]
    return lines, result


def _instance(statement: Statement) -> Formula:
    """A particular statement said of the constant."""
    if statement.form == "X":
        return _of(statement.subject)
    predicate: Formula = _of(statement.predicate)
    return And(_of(statement.subject), Not(predicate) if statement.form == "O" else predicate)


def _assumed(statement: Statement, *wanted: Formula) -> list[Line]:
    """The instance of a particular statement, assumed, and the parts that are wanted."""
    case = _instance(statement)
    lines = [Line(case, "assumption", ())]
    return lines + [Line(one, "simplification", (case,)) for one in wanted if one != case]


def _contradiction(one: Formula) -> Line:
    negated = Not(one)
    return Line(FALSUM, "contradiction", (one, negated))


def _refuted_universal(goal: Statement, positive: bool, subject: str, predicate: str, member: Statement) -> list[Line]:
    whole = goal.formula()
    lines = [Line(whole, "assumption", ()), *_assumed(member, _of(subject))]
    more, result = _known(positive, subject, predicate)
    lines.extend(more)
    if goal.subject == subject:
        other: Formula = Not(_of(predicate)) if positive else _of(predicate)
        rule, fact, clash = Implies(_of(subject), other), _of(subject), _of(predicate)
    else:  # no P is S, and the member is P
        other = Not(_of(subject))
        rule, fact, clash = Implies(_of(predicate), other), result, _of(subject)
    lines.append(Line(rule, "universal instantiation", (whole,)))
    lines.append(Line(other, "modus ponens", (rule, fact)))
    lines.append(_contradiction(clash))
    lines.append(Line(FALSUM, "existential elimination", (member.formula(), _instance(member), FALSUM)))
    lines.append(Line(Not(whole), "reductio", (whole, FALSUM)))
    return lines


def _proved_particular(goal: Statement, positive: bool, subject: str, predicate: str, member: Statement) -> list[Line]:
    whole, case = goal.formula(), _instance(goal)
    more, result = _known(positive, subject, predicate)
    parts = (_of(subject), result) if goal.subject == subject else (result, _of(subject))
    return [
        *_assumed(member, _of(subject)),
        *more,
        Line(case, "conjunction", parts),
        Line(whole, "existential generalization", (case,)),
        Line(whole, "existential elimination", (member.formula(), _instance(member), whole)),
    ]


def _refuted_particular(goal: Statement, positive: bool, subject: str, predicate: str) -> list[Line]:
    whole = goal.formula()
    more, _ = _known(positive, subject, predicate)
    other: Formula = Not(_of(predicate)) if positive else _of(predicate)
    return [
        Line(whole, "assumption", ()),
        *_assumed(goal, _of(subject), other),
        *more,
        _contradiction(_of(predicate)),
        Line(FALSUM, "existential elimination", (whole, _instance(goal), FALSUM)),
        Line(Not(whole), "reductio", (whole, FALSUM)),
    ]
