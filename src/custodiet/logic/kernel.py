"""The step kernel: whether each line of a proof follows from the lines that it cites, and what the whole proves.

Each line carries the premises and assumptions it rests on (Lemmon): those of the lines it cites, less what its rule
discharges. A line is *valid* if it is an instance of the rule that it names, or if it follows all the same: by the
structure of a discharging rule, or because its formula is true wherever the cited formulas are, which a search decides.
It is *well named* if it names no rule or is an instance of the one named. The search is complete for closed formulas in
which no existential needs a function (propositional, syllogistic, one-variable monadic, exists*forall* with sorts and
equality); what lies outside, or is too large, is undecided, never valid.

Rules that look at what lines rest on cite them so (A, B and F[c] are assumption lines, which they discharge):
    conditional proof           A, B |- A -> B
    reductio                    A, false |- ~A; instead of false also Z and ~Z, one of which A may be
    case split                  A | B, A, Z, B, Z |- Z
    existential elimination     exists x: F, F[c], Z |- Z      c being in neither F, Z nor what Z rests on otherwise
    universal generalization    F[c] |- forall x: F            c being in neither F nor what F[c] rests on
In a datalog program `closed world` gives the negation of any atom that its perfect model does not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import TYPE_CHECKING, Any

from custodiet.errors import FormulaError
from custodiet.logic.formulas import Atom, Exists, Falsum, ForAll, Formula, Implies, Not, Or, constants_of, operands
from custodiet.logic.kernel_rules import SINGLE_STEPS, canonical, is_instance_of, opposite, same_formula, witness
from custodiet.logic.kernel_search import Language, perfect_model
from custodiet.logic.notation import format_formula

if TYPE_CHECKING:
    from custodiet.logic.proofs import Step

__all__ = ["LOGICS", "Problem", "ProofVerdict", "check_proof", "follows"]

LOGICS = ("propositional", "syllogistic", "monadic", "relational", "datalog")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a line.

    Args:
        number: the line's number; None where the whole proof is meant.
        kind: `empty`, `number` (repeated or not increasing), `language` (no formula of this problem), `citation` (no
            such earlier line), `invented premise`, `not valid`, `undecided`, `misnamed` (valid, but not by the rule
            that it names), `open assumption`, `not the goal`.
        message: the same for people.
        place: the line's place in the proof, from 0; None where the whole proof is meant.
    """

    number: int | None
    kind: str
    message: str
    place: int | None = None


@dataclass(frozen=True, slots=True)
class ProofVerdict:
    """What a proof proves.

    Args:
        conclusion: `entailed` if the last line is the goal, `contradicted` if it is the goal's negation, `inconsistent`
            if it is false; None if it is something else or rests on an open assumption.
        problems: what is wrong, in the order of the lines.
        leaps: numbers of the lines that follow from what they cite, but by no single rule.
    """

    conclusion: str | None
    problems: tuple[Problem, ...]
    leaps: tuple[int, ...] = ()

    @property
    def first_bad(self) -> Problem | None:
        """The first problem that is not about a rule's name."""
        return next((one for one in self.problems if one.kind != "misnamed"), None)

    @property
    def valid(self) -> bool:
        """Whether every line is valid and the last one settles the goal."""
        return self.first_bad is None

    @property
    def well_named(self) -> bool:
        """Whether every line that names a rule and is valid is an instance of it."""
        return not any(one.kind == "misnamed" for one in self.problems)


def check_proof(steps: Sequence[Step], premises: Sequence[Formula], goal: Formula, *, logic: str) -> ProofVerdict:
    """Check every line of a proof.

    Args:
        steps: the lines.
        premises: what may be used; lines may give operands of &, |, <-> and = in any order, and bound variables any name.
        goal: what the last line must be, or be the negation of, unless it is `false`.
        logic: one of `LOGICS`; `propositional` admits no terms, `datalog` allows the closed world.

    Returns:
        The verdict; a line that is bad does not stop the check of the lines that cite it.

    Raises:
        FormulaError: no such logic, or premises and goal that do not fit one assignment of sorts.
    """
    if logic not in LOGICS:
        raise FormulaError("no such logic", expected=", ".join(LOGICS), got=repr(logic))
    proof = _Proof(premises, goal, logic)
    for step in steps:
        proof.add(step)
    if not steps:
        return ProofVerdict(None, (Problem(None, "empty", "the proof has no lines"),))
    last, number, at = proof.formulas[-1], steps[-1].number, len(steps) - 1
    conclusion = "entailed" if same_formula(last, goal) else None
    if conclusion is None:
        conclusion = "contradicted" if same_formula(last, Not(goal)) or same_formula(Not(last), goal) else None
    if conclusion is None and type(last) is Falsum:
        conclusion = "inconsistent"
    if conclusion is None:
        proof.report(
            number, "not the goal", f"the last line is {format_formula(last)}, not the goal or its negation", at
        )
    if proof.rests[-1] & proof.assumed:
        proof.report(number, "open assumption", "the last line rests on an assumption that was not discharged", at)
        conclusion = None
    return ProofVerdict(conclusion, tuple(proof.problems), tuple(proof.leaps))


def follows(given: Sequence[Formula], formula: Formula) -> bool | None:
    """Whether a formula is true wherever the given ones are; None if this is outside the fragment or takes too long."""
    return Language([*given, formula], "relational").follows(given, formula)


class _Proof:
    """The lines so far; line i is bit i of the sets that say what lines rest on."""

    def __init__(self, premises: Sequence[Formula], goal: Formula, logic: str) -> None:
        self.premises, self.given = premises, set(premises)
        self.given_in_any_order: set[Formula] | None = None
        self.language = Language([*premises, goal], logic)
        self.place: dict[int, int] = {}
        self.last_number = 0
        self.formulas: list[Any] = []
        self.rests: list[int] = []
        self.assumed = 0
        self.problems: list[Problem] = []
        self.leaps: list[int] = []
        self.model: set[Formula] | None = None

    def report(self, number: int, kind: str, message: str, place: int | None = None) -> None:
        self.problems.append(Problem(number, kind, message, len(self.formulas) if place is None else place))

    def add(self, step: Step) -> None:
        """Check one more line."""
        number, formula, rule = step.number, step.formula, step.rule
        here = 1 << len(self.formulas)
        lines = [self.place.get(one, -1) for one in step.cites]
        if number <= self.last_number:
            self.report(number, "number", "numbers of lines must be positive and increase")
        elif not self.language.admits(formula):
            self.report(number, "language", f"{format_formula(formula)} does not fit the logic or the sorts")
        elif -1 in lines:
            self.report(number, "citation", "cites a line that does not come before it")
        elif rule == "assumption":
            self.assumed |= here
            if lines:
                self.report(number, "citation", "an assumption cites no lines")
        elif rule == "premise" or (rule is None and not lines and self.is_premise(formula)):
            if lines:
                self.report(number, "citation", "a premise cites no lines")
            elif not self.is_premise(formula):
                self.report(number, "invented premise", f"{format_formula(formula)} is not one of the premises")
        else:
            here = self.derived(step, lines, here)
        self.formulas.append(formula)
        self.rests.append(here)
        self.place.setdefault(number, len(self.rests) - 1)
        self.last_number = max(number, self.last_number)

    def is_premise(self, formula: Formula) -> bool:
        if formula in self.given:
            return True
        if self.given_in_any_order is None:
            self.given_in_any_order = {canonical(one) for one in self.premises}
        return canonical(formula) in self.given_in_any_order

    def derived(self, step: Step, lines: list[int], here: int) -> int:
        """What a line that is no premise and no assumption rests on; itself too if it is not valid."""
        formula, rule = step.formula, step.rule
        given = [self.formulas[one] for one in lines]
        below = cited = 0
        for one in lines:
            below |= self.rests[one]
            cited |= 1 << one
        if rule in _STRUCTURAL:
            rests = self.by_structure(rule, lines, formula)
        elif rule == "closed world":
            rests = here if not lines and self.is_closed_out(formula) else None
        else:
            rests = below if rule is not None and is_instance_of(rule, given, formula) else None
        named = rests is not None
        if named and not (cited & self.assumed and rests & self.assumed):
            return rests
        # A name does not make a line less valid: what discharges an assumption by its structure does so.
        readings = [rests, *(self.by_structure(name, lines, formula) for name in _STRUCTURAL)]
        rests = min((one for one in readings if one is not None), key=self.num_open, default=None)
        if rests is None and not lines and (self.is_premise(formula) or self.is_closed_out(formula)):
            rests = here
        if rests is None:
            valid = self.language.follows(given, formula)
            if not valid:
                why = "is outside what can be decided" if valid is None else "does not follow from the lines it cites"
                by = f" by {rule}" if rule in _STRUCTURAL else ""
                self.report(step.number, "undecided" if valid is None else "not valid", f"the line {why}{by}")
                return below | here
            rests = below
            if not any(is_instance_of(name, given, formula) for name in SINGLE_STEPS):
                self.leaps.append(step.number)
        if rule is not None and not named:
            self.report(step.number, "misnamed", f"the line follows, but not by {rule}")
        return rests

    def is_closed_out(self, formula: Any) -> bool:
        """Whether it is the negation of an atom that the perfect model of the premises, a program, does not hold."""
        if self.language.logic != "datalog" or type(formula) is not Not or type(formula[1]) is not Atom:
            return False
        if self.model is None:
            self.model = perfect_model(self.premises)
        return formula[1] not in self.model

    def by_structure(self, rule: str, lines: list[int], formula: Formula) -> int | None:
        """What the line rests on by a rule that looks at what lines rest on; None if it is no instance.

        Lines may be cited in any order; of two ways to read them the one that leaves fewer assumptions open counts.
        """
        best = None
        for order in permutations(lines) if len(lines) <= 3 else (lines,):
            found = _STRUCTURAL[rule](self, *order, end=formula)
            if found is not None and (best is None or self.num_open(found) < self.num_open(best)):
                best = found
                if not found & self.assumed:
                    break
        return best

    def num_open(self, rests: int) -> int:
        return (rests & self.assumed).bit_count()

    def constants(self, rests: int) -> set[str]:
        return {one for line, formula in enumerate(self.formulas) if rests >> line & 1 for one in constants_of(formula)}

    def without(self, line: int, assumption: int) -> int | None:
        """What a line rests on but for an assumption; None if that line is no assumption."""
        return self.rests[line] & ~(1 << assumption) if self.assumed >> assumption & 1 else None

    def conditional_proof(self, *lines: int, end: Any) -> int | None:
        if len(lines) != 2 or type(end) is not Implies:
            return None
        right = all(same_formula(self.formulas[one], side) for one, side in zip(lines, end[1:], strict=True))
        return self.without(lines[1], lines[0]) if right else None

    def reductio(self, *lines: int, end: Any) -> int | None:
        if not 2 <= len(lines) <= 3:
            return None
        said = [self.formulas[one] for one in lines]
        if not opposite(said[0], end) and not opposite(canonical(said[0]), canonical(end)):
            return None
        if not any(type(one) is Falsum for one in said):
            said = [canonical(one) for one in said]
            if not any(opposite(one, other) for one, other in combinations(said, 2)):
                return None
        rests = [self.without(one, lines[0]) for one in lines[1:]]
        return None if rests[0] is None else rests[0] | (rests[-1] or 0)

    def case_split(self, *lines: int, end: Any) -> int | None:
        if len(lines) < 5 or len(lines) % 2 == 0 or type(split := self.formulas[lines[0]]) is not Or:
            return None
        cases = [canonical(self.formulas[one]) for one in lines[1::2]]
        if sorted(cases) != sorted(map(canonical, operands(split))):
            return None
        rests = self.rests[lines[0]]
        for case, line in zip(lines[1::2], lines[2::2], strict=True):
            more = self.without(line, case) if same_formula(self.formulas[line], end) else None
            if more is None:
                return None
            rests |= more
        return rests

    def existential_elimination(self, *lines: int, end: Any) -> int | None:
        if len(lines) != 3 or type(some := self.formulas[lines[0]]) is not Exists:
            return None
        case, result = self.formulas[lines[1]], self.formulas[lines[2]]
        if not same_formula(result, end):
            return None
        constant, rests = witness(some, case), self.without(lines[2], lines[1])
        if constant is None or rests is None:
            return None
        if constant and constant in {*constants_of(some), *constants_of(end), *self.constants(rests)}:
            return None
        return self.rests[lines[0]] | rests

    def universal_generalization(self, *lines: int, end: Any) -> int | None:
        constant = witness(end, self.formulas[lines[0]]) if len(lines) == 1 and type(end) is ForAll else None
        if constant is None or (constant and constant in {*constants_of(end), *self.constants(self.rests[lines[0]])}):
            return None
        return self.rests[lines[0]]


_STRUCTURAL: dict[str, Callable[..., int | None]] = {
    "conditional proof": _Proof.conditional_proof,
    "reductio": _Proof.reductio,
    "case split": _Proof.case_split,
    "existential elimination": _Proof.existential_elimination,
    "universal generalization": _Proof.universal_generalization,
}
