"""The record of a capacity table: how many bits models of several shapes hold, and the line through them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from custodiet.records.base import Environment, Measurement, Part, Record
from custodiet.records.capacity import CapacityShape

__all__ = ["CapacityTableCell", "CapacityTableRecord"]


class CapacityTableCell(Part):
    """Models of one shape, trained side by side: each has its own data and first weights, all share the order of batches."""

    cell: str
    """layers x width"""
    shape: CapacityShape
    num_models: int
    num_sequences: int
    batch_size: int
    learning_rate: float
    dataset_bits: float
    """entropy of the data set of one model"""
    ceiling_bits: float
    step_s: float
    """one step of all models, measured before the number of steps was fixed"""
    time_share: float
    """of the time that is left for training"""
    num_steps: int
    num_epochs: float
    step_mode: str
    """"CUDA graph", or "step by step" and why"""
    memorized_bits: list[float]
    bits_per_param: Measurement
    """over models"""
    rounded_bits_per_param: dict[str, Measurement]
    test_bits_per_token: Measurement
    num_restarts: list[int]
    train_wall_s: float
    published_bits_per_param: float | None


class CapacityTableRecord(Record):
    """Cells of the published table within a budget of time, and the slope of memorized bits over parameters."""

    schema_id: Literal["custodiet.capacity-table/1"] = Field(default="custodiet.capacity-table/1", alias="schema")
    title: str
    created_utc: str
    seed: int
    elapsed_s: float
    """wall time of all sessions of the run, from the first measurement to the last evaluation"""
    budget_s: float
    command: str = ""
    environment: Environment
    precision: Literal["bfloat16", "float32"]
    precision_means: str
    """what is computed in which dtype"""
    cells: list[CapacityTableCell]
    slope_bits_per_param: Measurement
    """least squares through the origin and the means of the cells; the interval is that of the spread over cells"""
    slope_with_intercept_bits_per_param: Measurement
    mean_bits_per_param: Measurement
    """over cells, of the mean over models: what the paper's figure beside it is"""
    published_mean_bits_per_param: float
    published_source: str
    not_tested: list[str]
