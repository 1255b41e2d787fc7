"""The record of a capacity run: how many bits of random tokens models of one shape hold."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from custodiet.records.base import Environment, Measurement, Part, Raw, Record, migration

__all__ = ["CapacityPoint", "CapacityRecord", "CapacityShape", "LadderStep", "TextCapacity", "TextPoint"]


class CapacityShape(Part):
    """The models of the run."""

    vocab_size: int
    sequence_length: int
    width: int
    num_layers: int
    num_heads: int
    num_params: int
    counted: str
    """what the number of parameters counts"""


class CapacityPoint(Part):
    """One trained model."""

    num_sequences: int
    num_steps: int
    seed: int
    dataset_bits: float
    ceiling_bits: float
    """what perfect memory of the set would save: which of the N sequences it is costs log2 N bits each"""
    memorized_bits: float
    bits_per_param: float
    test_bits_per_token: float
    rounded_bits_per_param: dict[str, float]
    coded_bits: int | None
    """bits that the arithmetic coder really spends on the set, decoded again to the same tokens; None in old records"""
    num_restarts: int
    train_cpu_s: float


class LadderStep(Part):
    """Bits per parameter of the plateau size after a number of steps, each its own full schedule."""

    num_steps: int
    bits_per_param: float
    train_cpu_s: float


class TextPoint(Part):
    """One model trained on pieces of real text."""

    num_sequences: int
    num_steps: int
    reference_bits: float
    """code length of the set under a model of other text"""
    clamped_bits: float
    """sum over pieces of reference less model, negative pieces set to zero: unintended memorization"""
    signed_bits: float
    """the same sum with its negative pieces"""
    train_bits_per_token: float
    test_bits_per_token: float
    membership_f1: float
    """of a loss threshold that calls half of a balanced pool members"""
    membership_f1_law: float
    """what the published law says for this number of parameters and samples of 64 tokens"""
    num_restarts: int
    train_cpu_s: float


class TextCapacity(Part):
    """Models of one shape on growing sets of real text."""

    shape: CapacityShape
    source: str
    reference: str
    reference_bits_per_token: float
    points: list[TextPoint]
    unintended_memorization_peak_ratio: Measurement
    """reference bits of the set over capacity where unintended memorization is largest; neighbors on the grid are bounds"""
    test_loss_peak_ratio: Measurement


class CapacityRecord(Record):
    """Models of one shape on growing sets of uniform random tokens, and of another on real text."""

    schema_id: Literal["custodiet.capacity/2"] = Field(default="custodiet.capacity/2", alias="schema")
    title: str
    created_utc: str
    seed: int
    elapsed_s: float
    command: str = ""
    environment: Environment
    shape: CapacityShape
    points: list[CapacityPoint]
    plateau_num_sequences: int
    capacity_bits_per_param: Measurement
    """over seeds, at the size and number of steps named beside it"""
    linear_regime_share_of_ceiling: Measurement
    """memorized bits over the ceiling, where the set is at most half of what the models can hold"""
    test_loss_peak_ratio: Measurement
    """dataset bits over capacity where fresh random tokens cost most; the neighbors on the grid of sizes are its bounds"""
    rounded_bits_per_param: dict[str, Measurement]
    coder_bits_over_estimate: Measurement
    """what the coder spends on the plateau's sets over the code length that memorized bits are counted from, over seeds"""
    ladder: list[LadderStep]
    text: TextCapacity | None
    published_bits_per_param: float | None
    published_source: str
    not_tested: list[str]


@migration("custodiet.capacity/1", "custodiet.capacity/2")
def _add_coder(raw: Raw) -> Raw:
    """Runs of before the coder: nothing was coded."""
    missing = Measurement.missing("made before there was a coder").model_dump()
    points = [{**point, "coded_bits": None} for point in raw["points"]]
    return {**raw, "points": points, "coder_bits_over_estimate": missing}
