"""Statements of the four forms, and the smallest individuals that show what they leave open.

    A  every S is P       E  no S is P       I  some S is P       O  some S is not P       (and X: some S exists)

Over universal statements the individuals that must have some kinds and must not have others exist exactly if the least
set of kinds that follows from the first meets none of the second and breaks no E. So a handful of least individuals,
each under its own statements, tell without search whether one more statement changes what follows. Individuals stand
side by side: bit j of a kind's integer says whether individual j has it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from custodiet.logic.formulas import And, Atom, Exists, ForAll, Formula, Implies, Not

__all__ = ["Individuals", "Statement", "kinds_of"]


class Statement(NamedTuple):
    """A form (`A`, `E`, `I`, `O`, `X`), its subject and its predicate ("" for `X`)."""

    form: str
    subject: str
    predicate: str

    def formula(self) -> Formula:
        """The statement as a formula of one variable."""
        subject = Atom(self.subject, ("x",))
        if self.form == "X":
            return Exists("x", subject)
        predicate: Formula = Atom(self.predicate, ("x",))
        if self.form in "EO":
            predicate = Not(predicate)
        if self.form in "AE":
            return ForAll("x", Implies(subject, predicate))
        return Exists("x", And(subject, predicate))

    def said(self) -> Statement:
        """The same for all statements that say the same: E and I may be turned."""
        if self.form in "EI" and self.predicate < self.subject:
            return Statement(self.form, self.predicate, self.subject)
        return self


def kinds_of(statements: Iterable[Statement]) -> list[str]:
    """The kinds, each once, in the order in which they are read."""
    found: dict[str, None] = {}
    for one in statements:
        found[one.subject] = None
        if one.predicate:
            found[one.predicate] = None
    return list(found)


class Individuals:
    """Individuals side by side, and the statements that hold of each.

    Args:
        subject: the kind that a problem is about. Individuals that are there because some statement says so, do not have
            it, so whatever is said of all that have it is true of them.
    """

    __slots__ = ("denied", "had", "num", "particular", "subject", "universal")

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.num = 0
        self.had: dict[str, int] = {}
        self.denied: dict[str, int] = {}
        self.universal: list[tuple[Statement, int]] = []  # a universal statement, and the individuals exempt from it
        self.particular: dict[Statement, int] = {}  # a particular one, and who makes it true

    def place(self, kinds: Iterable[str], denied: Iterable[str] = ()) -> int:
        """Add an individual with these kinds and without those; returns its number."""
        bit = 1 << self.num
        self.num += 1
        for one in kinds:
            self.had[one] = self.had.get(one, 0) | bit
        for one in denied:
            self.denied[one] = self.denied.get(one, 0) | bit
        return self.num - 1

    def state(self, statement: Statement, exempt: int = 0) -> bool:
        """Add a statement if that changes nothing about what was denied; returns whether it was added.

        A particular statement gets an individual of its own.
        """
        before = self.had, self.denied, self.num
        self.had, self.denied = dict(self.had), dict(self.denied)
        if statement.form in "AE":
            self.universal.append((statement, exempt))
            if self.settle():
                return True
            self.universal.pop()
        else:
            kinds = [statement.subject] if statement.form in "OX" else [statement.subject, statement.predicate]
            lacking = [statement.predicate, self.subject] if statement.form == "O" else [self.subject]
            at = self.place(kinds, lacking)
            if self.settle():
                self.particular[statement] = 1 << at
                return True
        self.had, self.denied, self.num = before
        return False

    def settle(self) -> bool:
        """Give every individual the kinds that follow; returns whether none has what it must not have."""
        had = self.had
        changed = True
        while changed:
            changed = False
            for (form, subject, predicate), exempt in self.universal:
                new = had.get(subject, 0) & ~exempt
                if not new:
                    continue
                if form == "A":
                    old = had.get(predicate, 0)
                    if new & ~old:
                        had[predicate] = old | new
                        changed = True
                elif new & had.get(predicate, 0):
                    return False
        return all(not had.get(kind, 0) & denied for kind, denied in self.denied.items())

    def hold(self) -> bool:
        """Whether each statement is true of the individuals as they are, read off word by word."""
        everyone = (1 << self.num) - 1
        for (form, subject, predicate), exempt in self.universal:
            wrong = self.had.get(predicate, 0) if form == "E" else everyone & ~self.had.get(predicate, 0)
            if self.had.get(subject, 0) & wrong & ~exempt:
                return False
        for (form, subject, predicate), who in self.particular.items():
            having = self.had.get(predicate, 0)
            right = having if form == "I" else ~having if form == "O" else who
            if not self.had.get(subject, 0) & right & who:
                return False
        return all(not self.had.get(kind, 0) & denied for kind, denied in self.denied.items())
