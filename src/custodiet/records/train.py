"""The record of a training run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from custodiet.records.audit import InputFile, TrainingSummary
from custodiet.records.base import Environment, Measurement, Record

__all__ = ["TrainRecord"]


class TrainRecord(Record):
    """A training run that reached its last step."""

    schema_id: Literal["custodiet.train/1"] = Field(default="custodiet.train/1", alias="schema")
    title: str
    created_utc: str
    seed: int
    elapsed_s: float
    environment: Environment
    inputs: list[InputFile]
    num_documents: int
    num_validation_documents: int
    training: TrainingSummary
    validation_loss_nats: Measurement
    weights_sha256: str
