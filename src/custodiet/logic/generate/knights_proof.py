"""Proofs about knights and knaves: what each statement gives at once, and assumptions that are refuted.

A line that leaves out its rule is one small step from the lines that it cites: one statement and what is known of the
islanders. Where it is an instance of a common rule it is named.
"""

from __future__ import annotations

from collections.abc import Sequence

from custodiet.logic.engines.truth_table import Table
from custodiet.logic.formulas import FALSUM, And, Atom, Formula, Not, complement
from custodiet.logic.proofs import Step

__all__ = ["prove"]


def prove(premises: Sequence[Formula], goals: Sequence[Formula], table: Table) -> tuple[Step, ...]:
    """A proof of literals from what islanders say.

    Args:
        premises: `a <-> statement` each; together they entail the goals.
        goals: literals; the last line is their conjunction, or the one there is.
        table: over the islanders.

    Returns:
        The lines, the premises first.
    """
    builder = _Builder(premises, table)
    known: dict[Formula, int] = {}
    builder.spread(known, {}, set(goals))
    for goal in goals:
        if goal not in known:
            known[goal] = builder.refute(complement(goal), known, {})
            builder.spread(known, {}, set(goals))
    if len(goals) > 1:
        builder.line(And(*goals), "conjunction", [known[one] for one in goals])
    elif builder.steps[-1].formula != goals[0]:
        builder.line(goals[0], "repetition", [known[goals[0]]])
    return builder.needed()


class _Builder:
    def __init__(self, premises: Sequence[Formula], table: Table) -> None:
        self.table = table
        self.steps = [Step(number, one, "premise") for number, one in enumerate(premises, start=1)]
        self.premises = list(premises)
        self.columns = table.columns(premises)

    def line(self, formula: Formula, rule: str | None, cites: Sequence[int]) -> int:
        number = len(self.steps) + 1
        self.steps.append(Step(number, formula, rule, tuple(cites)))
        return number

    def spread(self, known: dict[Formula, int], told: dict[int, int], wanted: set[Formula] | None = None) -> bool:
        """Add to `known` (literal -> line) what single statements give; True if they give a contradiction.

        Args:
            known: is added to.
            told: premise -> line that says what its speaker's kind makes of its statement; is added to.
            wanted: where these are all known, there is no more to do.
        """
        table = self.table
        found = True
        while found:
            found = False
            for place, column in enumerate(self.columns):
                literals = [(one, table.column(one)) for one in known]
                for _, rows in literals:
                    column &= rows
                if not column:
                    self._conclude(place, FALSUM, known, told)
                    return True
                for atom in table.atoms:
                    if atom in known or Not(atom) in known:
                        continue
                    rows = table.column(atom)
                    if not column & rows or not column & ~rows:
                        literal = atom if column & rows else Not(atom)
                        known[literal] = self._conclude(place, literal, known, told)
                        found = True
                        column &= table.column(literal)
            if wanted is not None and wanted <= known.keys():
                return False
        return False

    def _conclude(self, place: int, end: Formula, known: dict[Formula, int], told: dict[int, int]) -> int:
        """The line that one statement and known literals give."""
        premise = self.premises[place]
        speaker, statement = premise[1], premise[2]
        for literal, said in ((speaker, statement), (Not(speaker), complement(statement))):
            if literal in known:
                if place not in told:
                    told[place] = self.line(said, "biconditional elimination", [place + 1, known[literal]])
                if said == end:
                    return told[place]
                cited = self._relevant(self.table.column(said), end, known)
                return self.line(end, _rule_of(said, cited, end), [told[place], *[known[one] for one in cited]])
        cited = self._relevant(self.columns[place], end, known)
        return self.line(end, _rule_of(premise, cited, end), [place + 1, *[known[one] for one in cited]])

    def _relevant(self, column: int, end: Formula, known: dict[Formula, int]) -> list[Formula]:
        """Known literals that are enough, none of them idle."""
        bad = self.table.full & ~self.table.column(end)
        kept = list(known)
        for one in list(known):
            rows = column & bad
            others = [other for other in kept if other is not one]
            for other in others:
                rows &= self.table.column(other)
            if not rows:
                kept = others
        return kept

    def refute(self, assumed: Formula, known: dict[Formula, int], told: dict[int, int]) -> int:
        """Assume a literal, come to a contradiction, and conclude its opposite; the line of that."""
        start = self.line(assumed, "assumption", [])
        known = {**known, assumed: start}
        told = dict(told)
        while not self.spread(known, told):
            atom = next(one for one in self.table.atoms if one not in known and Not(one) not in known)
            known[Not(atom)] = self.refute(atom, known, told)
        return self.line(complement(assumed), "reductio", [start, len(self.steps)])

    def needed(self) -> tuple[Step, ...]:
        """The lines on which the last one rests, numbered anew."""
        wanted = {len(self.steps)}
        for step in reversed(self.steps):
            if step.number in wanted:
                wanted.update(step.cites)
        numbers: dict[int, int] = {}
        steps = []
        for step in self.steps:
            if step.number in wanted:
                numbers[step.number] = len(steps) + 1
                steps.append(Step(len(steps) + 1, step.formula, step.rule, tuple([numbers[one] for one in step.cites])))
        return tuple(steps)


def _rule_of(formula: Formula, literals: Sequence[Formula], end: Formula) -> str | None:
    """The name of the step from a formula and literals to the end, if it has one of the common names."""
    kind = formula[0]
    if end == FALSUM:
        is_opposite = len(literals) == 1 and literals[0] == complement(formula) and isinstance(_bare(formula), Atom)
        return "contradiction" if is_opposite else None
    if kind == "and" and not literals:
        return "simplification" if end in formula[1] else None
    if kind == "implies" and len(literals) == 1:
        if literals[0] == formula[1] and end == formula[2]:
            return "modus ponens"
        return "modus tollens" if (literals[0], end) == (complement(formula[2]), complement(formula[1])) else None
    if kind == "or":
        left = [one for one in formula[1] if complement(one) not in literals]
        return "disjunctive syllogism" if left == [end] and len(literals) == len(formula[1]) - 1 else None
    if kind == "iff" and len(literals) == 1 and end[0] in ("atom", "not"):
        for here, there in (formula[1:], formula[:0:-1]):
            if literals[0] == here and end == there:
                return "biconditional elimination"
            if literals[0] == complement(here) and end == complement(there):
                return "biconditional elimination"
    return None


def _bare(formula: Formula) -> Formula:
    return formula[1] if formula[0] == "not" else formula
