"""``--fail-if`` gates judged on a finished record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeVar

from custodiet.base.gates import Gate, judge_gate, resolve_path
from custodiet.errors import GateError, UsageError
from custodiet.records.base import Measurement, Part, Record

__all__ = ["GateOutcome", "judge_gates", "raise_for_gates"]

R = TypeVar("R", bound=Record)


class GateOutcome(Part):
    """One ``--fail-if`` gate."""

    expression: str
    path: str
    operator: Literal[">", ">=", "<", "<="]
    threshold: float
    measured: Measurement
    outcome: Literal["pass", "fail", "inconclusive"]
    reason: str


def judge_gates(record: R, gates: Sequence[Gate]) -> R:
    """The record with the outcome of every gate, in its field `gates`.

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


def raise_for_gates(gates: Sequence[GateOutcome]) -> None:
    """Leave with the exit code of the gates, once everything is written.

    Raises:
        GateError: a gate failed (exit code 3), or none failed and one could not be decided (exit code 4).
    """
    failed = [gate for gate in gates if gate.outcome == "fail"]
    open_ = [gate for gate in gates if gate.outcome == "inconclusive"]
    if failed:
        raise GateError("; ".join(f"gate failed: {gate.expression} ({gate.reason})" for gate in failed))
    if open_:
        lines = "; ".join(f"gate inconclusive: {gate.expression} ({gate.reason})" for gate in open_)
        raise GateError(lines, inconclusive=True)
