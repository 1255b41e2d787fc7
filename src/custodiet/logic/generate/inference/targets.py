"""Targets of a problem of LogicInference, and the problem: what may be asked about the premises, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from custodiet.logic.canonical import skeleton
from custodiet.logic.formulas import Formula, subformulas
from custodiet.logic.generate.inference.schemas import Inference
from custodiet.logic.proofs import Step
from custodiet.logic.semantics import Model

__all__ = ["KINDS", "InferenceProblem", "Target"]

KINDS = ("inference", "contradiction", "unrelated", "premise")


@dataclass(slots=True)
class Target:
    """Something that may be asked about the premises.

    Args:
        formula: the target.
        kind: one of `KINDS`.
        label: entailed, contradicted, unknown or inconsistent.
        chain: the steps to it (or to what it contradicts), last one last.
        support: 0-based places of premises that suffice; empty for unknown and inconsistent.
        unique: whether every support holds all of these.
        least: at least so many steps are needed.
        models: for unknown a structure with and one without it.
        proof: checked by the kernel; empty for unknown.
    """

    formula: Formula
    kind: str
    label: str
    chain: tuple[Inference, ...] = ()
    support: tuple[int, ...] = ()
    unique: bool = False
    least: int = 0
    models: tuple[Model, ...] = ()
    proof: tuple[Step, ...] = ()


@dataclass(slots=True)
class InferenceProblem:
    """Premises, what follows from them in one step, and targets.

    Args:
        premises: each once.
        consistent: whether they are true somewhere.
        depth: steps of the whole chain.
        consequences: of one step, by rule.
        targets: at least one; several of a kind.
        propositional: whether there are no terms.
        engines: the two that agreed on every label.
        outline: the fingerprint of the premises' shapes.
    """

    premises: list[Formula]
    consistent: bool
    depth: int
    consequences: list[Inference]
    targets: list[Target]
    propositional: bool
    engines: tuple[str, str]
    outline: str = ""
    by_kind: dict[str, list[Target]] = field(default_factory=dict)
    _skeletons: dict[Formula, str] = field(default_factory=dict)
    _alike: list[tuple[list[Target], list[Target]]] | None = None

    def alike(self) -> list[tuple[list[Target], list[Target]]]:
        """For each form that targets of either answer have, those that follow and those that do not."""
        if self._alike is None:
            forms: dict[tuple[int, ...], tuple[list[Target], list[Target]]] = {}
            for one in self.targets:
                if one.kind in ("inference", "contradiction", "unrelated"):
                    forms.setdefault(_num_signs(one.formula), ([], []))[one.kind != "inference"].append(one)
            self._alike = [pair for _, pair in sorted(forms.items()) if all(pair)]
        return self._alike

    def skeleton_of(self, goal: Formula) -> str:
        """The fingerprint of the premises and a goal (FALSUM where there is none)."""
        found = self._skeletons.get(goal)
        if found is None:
            found = self._skeletons[goal] = skeleton(self.premises, goal)
        return found


def _num_signs(formula: Formula) -> tuple[int, ...]:
    """How many of each connective and quantifier a formula has."""
    tags = [one[0] for one in subformulas(formula)]
    return tuple([tags.count(one) for one in ("not", "and", "or", "implies", "iff", "forall", "exists")])
