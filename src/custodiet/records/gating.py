"""``--fail-if`` gates judged on a finished record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from custodiet.base.gates import Gate, judge_gate, resolve_path
from custodiet.errors import UsageError
from custodiet.records.audit import GateOutcome
from custodiet.records.base import Measurement, Record

__all__ = ["judge_gates"]

R = TypeVar("R", bound=Record)


def judge_gates(record: R, gates: Sequence[Gate]) -> R:
    """The record, of a kind that has a field `gates`, with the outcome of every gate.

    Raises:
        UsageError: a path leads nowhere, or to something that is not a measurement.
    """
    dumped = record.model_dump(mode="json", by_alias=True)
    outcomes: list[GateOutcome] = []
    for gate in gates:
        found = resolve_path(dumped, gate.path)
        if isinstance(found, int | float) and not isinstance(found, bool):
            found = {"value": float(found), "low": float(found), "high": float(found), "num": 1, "why": None}
        if not isinstance(found, dict) or not {"value", "low", "high", "num"} <= found.keys():
            raise UsageError(
                f"gate path {gate.path!r} is not a measurement",
                expected="a path that ends in one, such as arms.model.control_extraction_50",
                got=", ".join(found) if isinstance(found, dict) else type(found).__name__,
            )
        outcome, reason = judge_gate(gate, found)
        outcomes.append(
            GateOutcome(
                expression=gate.expression,
                path=gate.path,
                operator=gate.operator,
                threshold=gate.threshold,
                measured=Measurement(**found),
                outcome=outcome,
                reason=reason,
            )
        )
    return record.model_copy(update={"gates": outcomes})
