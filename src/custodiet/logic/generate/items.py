"""From a proved problem to the rows of a data set: the six that one problem gives, and what each carries.

Versions of the switch times the goal and its negation: two rows of each label. Every premise set and every goal comes
with each label as often as with any other, so neither tells anything by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from custodiet.errors import CustodietError
from custodiet.logic.canonical import Coloring, outline
from custodiet.logic.formulas import Formula, Not, complement
from custodiet.logic.generate.draws import Draws
from custodiet.logic.generate.problem import Problem
from custodiet.logic.generate.steps import Line
from custodiet.logic.kernel import check_proof
from custodiet.logic.proofs import Step, format_proof
from custodiet.logic.semantics import CONTRADICTED, ENTAILED, UNKNOWN

__all__ = ["ITEMS_PER_PROBLEM", "LABELS", "Case", "Wording", "cases_of", "numbered_proof", "outline_of"]

ITEMS_PER_PROBLEM = 6
LABELS = (ENTAILED, CONTRADICTED, UNKNOWN)
_FLIPPED = {ENTAILED: CONTRADICTED, CONTRADICTED: ENTAILED, UNKNOWN: UNKNOWN}


class Wording(Protocol):
    """How formulas of one problem are put into words."""

    language: str

    def sentence(self, formula: Formula) -> str:
        """One sentence, always the same for the same formula."""
        ...

    def record(self) -> dict[str, Any] | None:
        """What a reader needs to read the sentences back; None for the notation of formulas."""
        ...


@dataclass(slots=True)
class Case:
    """One question about one set of premises, with its proved answer.

    Args:
        version: of the problem's switch.
        negated: whether the question is the negation of the problem's goal.
        premises: in order.
        goal: the question.
        label: entailed, contradicted or unknown.
        proof: of the goal or of its complement, checked by the kernel; empty for unknown.
        skeleton: the fingerprint of the premises and the goal (see `canonical`).
        num_negations: signs of negation in the premises and the goal.
    """

    problem: Problem
    version: int
    negated: bool
    premises: list[Formula]
    goal: Formula
    label: str
    proof: tuple[Step, ...]
    skeleton: str
    num_negations: int

    @property
    def given(self) -> list[Formula]:
        """What may be used: the premises, and what holds without being stated."""
        return [*self.premises, *self.problem.implicit]

    @property
    def opposite(self) -> Formula:
        """What holds exactly where the goal does not."""
        if self.negated:
            return self.problem.goal
        return complement(self.goal) if self.problem.opposite is None else self.problem.opposite

    @property
    def support(self) -> tuple[int, ...]:
        """0-based places of the premises in every support."""
        return self.problem.versions[self.version].support

    def depth(self) -> dict[str, int] | None:
        """Bounds on the rounds of one-premise inference; None where no premises settle the goal."""
        if not self.support:
            return None
        more = self.problem.versions[self.version].num_renamings
        exact = self.problem.versions[self.version].depth
        if exact is not None:
            return {"at_least": exact, "at_most": exact + more}
        cases = self.problem.step_kinds.count("dilemma")
        return {"at_least": 1, "at_most": self.problem.num_steps + cases + more + (self.problem.goal_form != "literal")}

    def cell(self) -> dict[str, Any]:
        """What labels are balanced over."""
        return {
            "depth": self.problem.num_steps,
            "premises": len(self.premises),
            "negations": self.num_negations,
            "goal_form": self.problem.goal_form,
        }


def _num_negations(formula: Formula) -> int:
    kind = formula[0]
    if kind == "not":
        return 1 + _num_negations(formula[1])
    if kind == "implies" or kind == "iff":
        return _num_negations(formula[1]) + _num_negations(formula[2])
    if kind == "and" or kind == "or":
        return sum([_num_negations(one) for one in formula[1]])
    return _num_negations(formula[3]) if kind == "forall" or kind == "exists" else 0


def cases_of(draws: Draws, problem: Problem) -> list[Case]:
    """The six cases of a problem, in random order, the proofs checked; eight where it has a sibling.

    Raises:
        CustodietError: the kernel rejects a proof or does not find a rule where it is named; a defect.
    """
    cases = [case for one in (problem, problem.sibling) if one is not None for case in _cases_of(one)]
    draws.shuffle(cases)
    return cases


def _cases_of(problem: Problem) -> list[Case]:
    turned = complement(problem.goal) if problem.opposite is None else problem.opposite
    skeleton = _skeletons(problem)
    common = sum([_num_negations(one) for one in problem.premises]) - _num_negations(problem.versions[0].switch)
    cases = []
    for version, told in enumerate(problem.versions):
        premises = problem.premises_of(version)
        proof = _checked_proof(problem, premises, problem.goal, told.lines, told.label)
        for negated in (False, True):
            goal, label = (turned, _FLIPPED[told.label]) if negated else (problem.goal, told.label)
            if negated and told.opposite_lines is not None:
                proof = _checked_proof(problem, premises, goal, told.opposite_lines, label)
            num = common + _num_negations(told.switch) + _num_negations(goal)
            cases.append(Case(problem, version, negated, premises, goal, label, proof, skeleton(version, goal), num))
    return cases


def _skeletons(problem: Problem) -> Callable[[int, Formula], str]:
    """(version, goal) -> the fingerprint. What all versions share is colored once for both signs of a goal."""
    facts = problem.logic == "datalog" or problem.has_equality  # constants that are in facts alone
    common = problem.premises[: problem.switch_at] + problem.premises[problem.switch_at + 1 :]
    made: dict[Formula, Coloring] = {}

    def skeleton(version: int, goal: Formula) -> str:
        key = goal.body if isinstance(goal, Not) else goal
        found = made.get(key)
        if found is None:
            found = made[key] = Coloring(common, goal, literals=facts)
        return found.skeleton(goal, [problem.versions[version].switch])

    return skeleton


def _checked_proof(
    problem: Problem, premises: list[Formula], goal: Formula, lines: Sequence[Line], label: str
) -> tuple[Step, ...]:
    if not lines:
        return ()
    given = [*premises, *problem.implicit]
    proof = numbered_proof(lines, given)
    verdict = check_proof(proof, given, goal, logic=problem.logic)
    if verdict.problems or verdict.conclusion != label:
        told = verdict.problems[0].message if verdict.problems else f"it proves {verdict.conclusion}"
        raise CustodietError(
            f"the kernel rejects a proof: {told}\n{format_proof(proof)}", hint="This is a defect; please report it."
        )
    return proof


def outline_of(problem: Problem) -> str:
    """The fingerprint that all cases of a problem and its companion share, and all items of their skeletons."""
    return outline(problem.premises)  # not the goals: what is asked here and there may have other neighbors


def numbered_proof(lines: Sequence[Line], premises: Sequence[Formula]) -> tuple[Step, ...]:
    """Number the lines of a proof, the premises that it cites first, in their own order.

    Args:
        lines: each cites premises or formulas of earlier lines; where a formula stands twice, the later one is meant.
        premises: of the item.

    Returns:
        The steps, numbered from 1.
    """
    places = {one: place for place, one in enumerate(premises)}
    cited = {one for line in lines for one in line.sources if one in places}
    steps: list[Step] = []
    numbers: dict[Formula, int] = {}
    for one in sorted(cited, key=places.__getitem__):
        numbers[one] = len(steps) + 1
        steps.append(Step(len(steps) + 1, one, "premise"))
    for formula, rule, sources in lines:
        number = len(steps) + 1
        steps.append(Step(number, formula, rule, tuple([numbers[one] for one in sources])))
        numbers[formula] = number
    return tuple(steps)
