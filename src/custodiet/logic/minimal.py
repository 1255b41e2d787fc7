"""Depth: how many premises must be used one after another.

In a round, every literal is drawn that follows from one premise and the literals known so far; a literal that is a
premise is known from the start. The depth of a goal is the number of the first round after which the known literals
decide it (one more for a compound goal, which is put together last). This is exact and does not depend on a list of
rules: a rule that uses one premise and literals draws nothing that a round does not draw. A goal that needs cases or a
reductio is not reached; its depth is then bounded by its proof.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from custodiet.logic.bits import truth_patterns
from custodiet.logic.formulas import And, Atom, Falsum, Formula, Iff, Implies, Not, Or, atoms_of, is_literal

__all__ = ["propagation_rounds"]


@lru_cache(maxsize=1 << 14)
def _small_table(formula: Formula) -> tuple[tuple[Atom, ...], int]:
    """The atoms of a premise, and the rows over them in which it is true."""
    atoms = tuple(atoms_of(formula))
    patterns = dict(zip(atoms, truth_patterns(len(atoms)), strict=True))
    full = (1 << (1 << len(atoms))) - 1
    return atoms, _rows(formula, patterns, full)


def _rows(formula: Formula, patterns: dict[Atom, int], full: int) -> int:
    if isinstance(formula, Atom):
        return patterns[formula]
    if isinstance(formula, Not):
        return full ^ _rows(formula.body, patterns, full)
    if isinstance(formula, Implies):
        return (full ^ _rows(formula.left, patterns, full)) | _rows(formula.right, patterns, full)
    if isinstance(formula, Iff):
        return full ^ _rows(formula.left, patterns, full) ^ _rows(formula.right, patterns, full)
    if isinstance(formula, And):
        found = full
        for one in formula.parts:
            found &= _rows(one, patterns, full)
        return found
    if isinstance(formula, Or):
        found = 0
        for one in formula.parts:
            found |= _rows(one, patterns, full)
        return found
    if isinstance(formula, Falsum):
        return 0
    raise TypeError(f"not propositional: {formula!r}")


def propagation_rounds(premises: Sequence[Formula], goal: Formula) -> int | None:
    """The number of rounds of one-premise inference after which the goal is decided.

    Args:
        premises: propositional, consistent, of at most 8 atoms each.
        goal: propositional, of at most 8 atoms.

    Returns:
        0 for a literal that is a premise (or whose negation is), and so on; None if no number of rounds decides it.
    """
    goal_atoms, goal_rows = _small_table(goal)
    simple = is_literal(goal)
    known: dict[Atom, bool] = {}
    rows_left: list[int] = []  # of each compound premise, under what is known
    missing: list[dict[Atom, int]] = []  # its atoms that are not known, and their columns
    using: dict[Atom, list[int]] = {}
    for one in premises:
        if is_literal(one):
            body = one.body if isinstance(one, Not) else one
            if isinstance(body, Atom):
                known[body] = body is one
            continue
        atoms, rows = _small_table(one)
        for atom in atoms:
            using.setdefault(atom, []).append(len(rows_left))
        rows_left.append(rows)
        missing.append(dict(zip(atoms, truth_patterns(len(atoms)), strict=True)))
    new = known
    touched: Iterable[int] = range(len(rows_left))
    rounds = 0
    while True:
        if _decided(goal_atoms, goal_rows, known):
            return rounds if simple else rounds + 1
        for atom, value in new.items():
            for place in using.get(atom, ()):
                pattern = missing[place].pop(atom, None)
                if pattern is not None:
                    rows_left[place] &= pattern if value else ~pattern
        gained: dict[Atom, bool] = {}
        for place in touched:
            rows = rows_left[place]
            for atom, pattern in missing[place].items():
                if not rows & pattern:
                    gained[atom] = False
                elif not rows & ~pattern:
                    gained[atom] = True
        if not gained:
            return None
        new = gained
        known = {**known, **gained}
        touched = {place for atom in gained for place in using[atom]}
        rounds += 1


def _decided(atoms: tuple[Atom, ...], rows: int, known: dict[Atom, bool]) -> bool:
    patterns = truth_patterns(len(atoms))
    left = (1 << (1 << len(atoms))) - 1
    for atom, pattern in zip(atoms, patterns, strict=True):
        value = known.get(atom)
        if value is not None:
            left &= pattern if value else ~pattern
    return left & rows in (0, left)
