"""The record of a shortcut audit: how well the labels of a data set can be guessed without reasoning."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from custodiet.records.base import Environment, Measurement, Part, Record
from custodiet.records.gates import GateOutcome

__all__ = ["AttackerResult", "LabelShare", "LargestExcess", "LogicShortcutsRecord", "RecallOfLabel", "ShuffledControl"]


class LabelShare(Part):
    """One label of the data set."""

    label: str
    num: int
    share: float


class RecallOfLabel(Part):
    """How many problems with a label an attacker guesses."""

    label: str
    recall: Measurement


class AttackerResult(Part):
    """What one attacker achieves on problems that it never saw."""

    name: str
    description: str
    model: str
    num_features: int
    accuracy: Measurement
    excess_points: Measurement
    """accuracy less the share of the most frequent label, in points of a hundred"""
    recalls: list[RecallOfLabel]


class LargestExcess(Part):
    """The strongest attacker; its interval covers all attackers at once, so choosing it costs no honesty."""

    attacker: str
    excess_points: Measurement


class ShuffledControl(Part):
    """The strongest attacker, learned and tested on shuffled labels: what it finds where there is nothing."""

    attacker: str
    excess_points: Measurement


class LogicShortcutsRecord(Record):
    """A shortcut audit of one data set."""

    schema_id: Literal["custodiet.logic-shortcuts/1"] = Field(default="custodiet.logic-shortcuts/1", alias="schema")
    title: str
    created_utc: str
    seed: int
    elapsed_s: float
    command: str = ""
    environment: Environment
    path: str
    sha256: str | None
    """of the file; null for problems that never lay in one"""
    columns: dict[str, str | None]
    """role (label, prompt, premises, hypothesis, skeleton) -> column"""
    detected: list[str]
    """roles whose columns were found by their names, not given"""
    where: dict[str, str]
    """column -> value that a row must have"""
    num_rows: int
    """rows with a label and a problem"""
    num_problems: int
    """those that were attacked: all, or a random sample"""
    skipped: dict[str, int]
    """why rows were left out -> how many"""
    labels: list[LabelShare]
    majority_share: float
    split_by: str
    """what keeps problems in one fold"""
    num_groups: int
    num_folds: int
    attackers: list[AttackerResult]
    not_run: dict[str, str]
    """attacker -> why it could not run"""
    strongest: LargestExcess
    control: ShuffledControl
    gates: list[GateOutcome] = Field(default_factory=list)
    not_tested: list[str]
