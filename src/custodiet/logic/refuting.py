"""Which proofs are wrong for certain, whoever judges them: conditions that every proof meets, decided by engines.

| a proof must | or else |
| --- | --- |
| have lines whose numbers are positive and increase | it has none, or a number stands twice |
| cite lines that stand before | the citation is of no line above |
| call premise what is a premise | the formula is none of the premises, and says the same as none |
| follow, line by line | a formula is false somewhere where the cited formulas are true |
| end at the goal, its negation or a contradiction | the last line says something else |
| rest on the premises at its end | the last line is false somewhere where the premises are true |

A discharging rule concludes what its cited lines entail as well, so only universal generalization is exempt from the
fourth. What is met here need not be a proof: who discharges what is not looked at. Nothing is shared with the kernel but
formulas; propositional lines are put to a SAT solver, the others to z3, programs to clingo.
"""

from __future__ import annotations

from collections.abc import Sequence

from custodiet.errors import CustodietError, FormulaError, UsageError
from custodiet.logic.engines.clingo_engine import decide_by_clingo
from custodiet.logic.engines.sat import SatProblem
from custodiet.logic.engines.z3_engine import Z3Problem
from custodiet.logic.formulas import FALSUM, ForAll, Formula, Not, predicates_of
from custodiet.logic.fragments import Signature, signature_of
from custodiet.logic.mutations import Proof
from custodiet.logic.semantics import ENTAILED, INCONSISTENT

__all__ = ["Refuter"]

_TIMEOUT_MS = 2000


class Refuter:
    """Says why proofs are wrong; remembers what follows from what."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, tuple[tuple[str, str], ...], tuple[Formula, ...], Formula], bool | None] = {}

    def why_wrong(self, proof: Proof) -> str | None:
        """The first condition that a proof does not meet, in words; None if it meets all that could be decided.

        Raises:
            MissingExtraError: a solver is not installed.
        """
        numbers = [step.number for step in proof.steps]
        if not numbers:
            return "it has no lines"
        if numbers[0] < 1 or any(one >= other for one, other in zip(numbers, numbers[1:], strict=False)):
            return "numbers do not increase"
        try:
            signature = signature_of([*proof.premises, proof.goal, *[step.formula for step in proof.steps]])
        except FormulaError:  # names used in two ways, or sorts that nothing tells: the engines cannot say
            return None
        said: dict[int, Formula] = {}
        for step in proof.steps:
            why = self._why_line_is_wrong(step.rule, step.cites, step.formula, said, proof, signature)
            if why is not None:
                return f"line {step.number} {why}"
            said[step.number] = step.formula
        return self._why_end_is_wrong(proof, signature)

    def follows(self, given: Sequence[Formula], end: Formula, proof: Proof, signature: Signature) -> bool | None:
        """Whether `end` is true wherever `given` is; None if z3 does not know."""
        key = (proof.logic, tuple(signature.constants.items()), tuple(given), end)
        if key not in self._known:
            self._known[key] = _follows(given, end, signature)
        return self._known[key]

    def _why_line_is_wrong(
        self,
        rule: str | None,
        cites: tuple[int, ...],
        formula: Formula,
        said: dict[int, Formula],
        proof: Proof,
        signature: Signature,
    ) -> str | None:
        if any(one not in said for one in cites):
            return "cites a line that does not come before it"
        if rule == "assumption":
            return None
        if rule == "premise":
            return None if self._is_premise(formula, proof, signature) else "is no premise"
        if len(cites) == 1 and isinstance(formula, ForAll):  # maybe a generalization
            return None
        if self.follows([said[one] for one in cites], formula, proof, signature) is not False:
            return None
        if not cites and (self._is_premise(formula, proof, signature) or _is_so_in_program(proof, formula)):
            return None
        return "does not follow from the lines that it cites"

    def _is_premise(self, formula: Formula, proof: Proof, signature: Signature) -> bool:
        if formula in proof.premises:
            return True
        names = predicates_of(formula)
        alike = [one for one in proof.premises if predicates_of(one) == names]
        return any(self._same(one, formula, proof, signature) for one in alike)

    def _same(self, one: Formula, other: Formula, proof: Proof, signature: Signature) -> bool:
        """Whether two formulas are true together, or could be for all that is known."""
        return self.follows([one], other, proof, signature) is not False and (
            self.follows([other], one, proof, signature) is not False
        )

    def _why_end_is_wrong(self, proof: Proof, signature: Signature) -> str | None:
        last = proof.steps[-1].formula
        if not any(self._same(last, one, proof, signature) for one in (proof.goal, Not(proof.goal), FALSUM)):
            return "the last line is not about the goal"
        if proof.logic == "datalog":
            return None if _is_so_in_program(proof, last) is not False else "what it ends with is not so"
        if self.follows(proof.premises, last, proof, signature) is False:
            return "what it ends with does not follow from the premises"
        return None


def _is_so_in_program(proof: Proof, formula: Formula) -> bool | None:
    """Whether a program's perfect model has a literal; None if it is no program, or no literal."""
    if proof.logic != "datalog":
        return False
    try:
        return decide_by_clingo(proof.premises, formula, models=False).label == ENTAILED
    except FormulaError:
        return None


def _follows(given: Sequence[Formula], end: Formula, signature: Signature) -> bool | None:
    if end in given:
        return True
    try:
        if not any(signature.predicates.values()):
            with SatProblem(given) as problem:
                return problem.label(end) in (ENTAILED, INCONSISTENT)
        label = Z3Problem(given, signature, timeout_ms=_TIMEOUT_MS).label(end)
    except UsageError:  # a solver is not installed
        raise
    except CustodietError:  # z3 does not know, or refuses the formulas
        return None
    return label in (ENTAILED, INCONSISTENT)
