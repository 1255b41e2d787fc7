"""Premises that lead nowhere, of named kinds, none of which may change what follows.

A candidate is taken if it is true in every witness: models that show, for each version of the problem, that the
premises are consistent, that no premise of the support can be spared, and that what is unknown is unknown. Whatever is
true in all of them leaves all of that as it was. Over a few dozen witnesses a formula's truth is one small integer. An atom
that occurs nowhere yet is given the values that make its first premise true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from custodiet.logic.formulas import And, Atom, Formula, Iff, Implies, Not, Or, atoms_of, complement
from custodiet.logic.generate.draws import Draws

__all__ = ["DISTRACTORS", "Witnesses", "draw_distractors"]

DISTRACTORS = ("near-miss", "dead-end", "same-vocabulary", "contrary")
_TRIES, _TRIES_OF_A_KIND = 60, 20


class Witnesses:
    """Models side by side: bit j of an atom's integer says whether it is true in model j.

    Args:
        num: how many models.
        values: atom -> integer.
        draws: new atoms get random values.
    """

    __slots__ = ("draws", "full", "num", "values")

    def __init__(self, num: int, values: dict[Formula, int], draws: Draws) -> None:
        self.num = num
        self.full = (1 << num) - 1
        self.values = values
        self.draws = draws

    def settle(self, atom: Formula, formula: Formula) -> bool:
        """Give an atom that occurs nowhere yet a random value in each model, so that the formula is true; whether that can be."""
        self.values[atom] = 0
        without = self.truth(formula)
        self.values[atom] = self.full
        with_it = self.truth(formula)
        if without | with_it != self.full:
            del self.values[atom]
            return False
        self.values[atom] = with_it & (self._any() | (self.full ^ without))
        return True

    def _any(self) -> int:
        """Random bits, one for each model."""
        draw = self.draws.random
        found = int(draw() * (1 << 52))
        for _ in range(52, self.num, 52):
            found = found << 52 | int(draw() * (1 << 52))
        return found & self.full

    def truth(self, formula: Formula) -> int:
        """The models where a propositional formula is true."""
        kind = formula[0]
        if kind == "atom":
            return self.values[formula]
        if kind == "not":
            return self.full ^ self.truth(formula[1])
        if kind == "implies":
            return (self.full ^ self.truth(formula[1])) | self.truth(formula[2])
        if kind == "iff":
            return self.full ^ self.truth(formula[1]) ^ self.truth(formula[2])
        if kind == "and":
            found = self.full
            for one in formula[1]:
                found &= self.truth(one)
            return found
        if kind == "or":
            found = 0
            for one in formula[1]:
                found |= self.truth(one)
            return found
        return 0  # false

    def allow(self, formula: Formula) -> bool:
        """Whether the formula is true in all of them."""
        return self.truth(formula) == self.full


def draw_distractors(
    draws: Draws,
    fresh_atom: Callable[[], Atom],
    witnesses: Witnesses,
    *,
    num: int,
    kinds: Sequence[str],
    contrary: int,
    goal: Formula,
    stated: Iterable[Formula],
    untouched: Iterable[Formula],
    rules: Sequence[Formula],
    max_new_atoms: int,
) -> list[tuple[str, Formula]]:
    """Draw distinct premises that are true in every witness.

    Args:
        draws: random choices.
        fresh_atom: gives an atom that was not given before.
        witnesses: what must stay possible; grows by the new atoms.
        num: how many are wanted.
        kinds: of those in `DISTRACTORS` that have no number; one is drawn for each, and another where it does not work.
        contrary: how many of them shall lead to the goal, or to its negation, from what nobody knows.
        goal: the goal.
        stated: the premises so far, which are not stated again.
        untouched: atoms that no distractor may mention: those of the switch, which must occur alike.
        rules: compound premises of the frame, which near-misses imitate.
        max_new_atoms: how many atoms may be new.

    Returns:
        (kind, formula) pairs; fewer than `num` if the tries ran out.
    """
    seen = set(stated)
    atoms = [one for one in witnesses.values if isinstance(one, Atom) and one not in untouched]
    ends: list[Formula] = []  # of dead ends so far
    found: list[tuple[str, Formula]] = []
    goal_atoms = atoms_of(goal)
    unused: Atom | None = None
    room = max_new_atoms
    for number in range(num):
        kind = "contrary" if number < contrary else draws.pick(kinds)
        for attempt in range(_TRIES):
            if attempt >= _TRIES_OF_A_KIND and number >= contrary:
                kind = draws.pick(kinds)
            if unused is None and room > 0:
                unused = fresh_atom()
            into = draws.pick(atoms) if unused is None else unused
            end: Formula | None = None
            if kind == "contrary":
                formula = _conditional(draws, _sign(draws, into), _sign(draws, draws.pick(goal_atoms)))
            elif kind == "near-miss":
                formula = _near_miss(draws, draws.pick(rules), into, atoms)
            elif kind == "dead-end":
                start = draws.pick(ends) if ends and draws.random() < 0.5 else _sign(draws, draws.pick(atoms))
                end = _sign(draws, into)
                formula = _conditional(draws, start, end)
            else:
                formula = _random_formula(draws, atoms, witnesses)
            if formula is None or formula in seen:
                continue
            if unused is not None and unused in atoms_of(formula):
                if not witnesses.settle(unused, formula):
                    continue
                atoms.append(unused)
                unused = None
                room -= 1
            elif not witnesses.allow(formula):
                continue
            if end is not None:
                ends.append(end)
            seen.add(formula)
            found.append((kind, formula))
            break
    return found


def _sign(draws: Draws, atom: Formula) -> Formula:
    return Not(atom) if draws.random() < 0.5 else atom


def _conditional(draws: Draws, left: Formula, right: Formula) -> Formula | None:
    if left in (right, complement(right)):
        return None
    at = draws.random()
    if at < 0.5:
        return Implies(left, right)
    if at < 0.7:
        return Or(complement(left), right)
    if at < 0.9:
        return Implies(complement(right), complement(left))
    return Iff(left, right)


def _near_miss(draws: Draws, rule: Formula, into: Formula, atoms: Sequence[Formula]) -> Formula | None:
    """A premise of the frame with one atom exchanged or one sign turned."""
    inside = atoms_of(rule)
    changed = [one for one in inside if one in atoms]
    if not changed:
        return None
    out = draws.pick(changed)
    at = draws.random()
    if at < 0.25:
        return _replace(rule, out, Not(out))
    if at < 0.5:
        into = draws.pick(atoms)
    return None if into in inside else _replace(rule, out, into)


def _replace(formula: Formula, old: Formula, new: Formula) -> Formula:
    if formula == old:
        return new
    if isinstance(formula, Not):
        body = _replace(formula.body, old, new)
        return body.body if isinstance(body, Not) else Not(body)
    if isinstance(formula, (Implies, Iff)):
        return type(formula)(_replace(formula.left, old, new), _replace(formula.right, old, new))
    if isinstance(formula, (And, Or)):
        return type(formula)(*[_replace(one, old, new) for one in formula.parts])
    return formula


def _random_formula(draws: Draws, atoms: Sequence[Formula], witnesses: Witnesses) -> Formula | None:
    """A small formula over atoms in use."""
    if len(atoms) < 2:
        return None
    at = draws.random()
    if at < 0.15:
        return _sign(draws, draws.pick(atoms))
    if at < 0.75 or len(atoms) < 3:
        first, second = [_sign(draws, one) for one in draws.sample(atoms, 2)]
        if witnesses.truth(first) & ~witnesses.truth(second):
            return None
        return _conditional(draws, first, second)
    first, second, third = [_sign(draws, one) for one in draws.sample(atoms, 3)]
    if at < 0.85:
        return Implies(And(first, second), third)
    if at < 0.95:
        return Implies(first, Or(second, third))
    return Implies(first, And(second, third))
