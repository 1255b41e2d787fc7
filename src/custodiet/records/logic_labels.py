"""The record of a label audit: which labels of a data set are wrong, as engines prove."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from custodiet.records.base import Environment, Measurement, Part, Record
from custodiet.records.gates import GateOutcome

__all__ = ["KindTally", "LabelError", "LogicLabelsRecord"]

Outcome = Literal["right", "wrong", "only with assumption", "only without assumption", "inconsistent premises"]


class KindTally(Part):
    """Claims of one kind that say the same."""

    kind: str
    says: str
    num: int
    num_right: int
    num_wrong: int
    num_only_with_assumption: int
    """right only if there are individuals of each kind, which the text does not say"""
    num_only_without_assumption: int
    num_inconsistent: int
    """premises that cannot be true together, and a label that does not say so"""


class LabelError(Part):
    """One label that is not simply right."""

    place: str
    kind: str
    outcome: Outcome
    says: str
    verdict: str
    """what the engines proved"""
    premises: list[str]
    goal: str
    text: str


class LogicLabelsRecord(Record):
    """A label audit of one data set."""

    schema_id: Literal["custodiet.logic-labels/1"] = Field(default="custodiet.logic-labels/1", alias="schema")
    title: str
    created_utc: str
    seed: int
    elapsed_s: float
    command: str = ""
    environment: Environment
    path: str
    sha256: str | None
    """of the file; null for items that never lay in one"""
    format: str
    detected: bool
    """whether the format was found by looking at the rows"""
    num_rows: int
    num_claims: int
    """labels that were decided"""
    unreadable: dict[str, int]
    """why rows, or parts of rows, were not decided -> how many"""
    label_errors: Measurement
    """share of the decided labels that are wrong, whatever is assumed, on premises that can be true together"""
    inconsistent_premises: Measurement
    """share of the decided labels whose premises cannot be true together and that do not say so"""
    assumption_dependent: Measurement
    """share of the decided labels that are right under one reading only"""
    kinds: list[KindTally]
    engines: dict[str, int]
    """engine -> decisions that it took part in; each was made by two that share no code"""
    errors: list[LabelError]
    """the first ones"""
    num_errors: int
    """labels that are not simply right: errors, inconsistent premises, dependent on an assumption"""
    gates: list[GateOutcome] = Field(default_factory=list)
    not_tested: list[str]
