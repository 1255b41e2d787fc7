"""The record of an audit: what was measured, on what, beside which control, and what was not tested."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from custodiet.records.base import Environment, Measurement, Part, Record
from custodiet.records.gates import GateOutcome

__all__ = [
    "ArmRecord",
    "AuditRecord",
    "BucketAccuracy",
    "BucketBits",
    "BucketExposure",
    "BucketExtraction",
    "BucketGeneration",
    "BucketMembership",
    "BucketOpening",
    "CorpusSummary",
    "ExampleRecord",
    "ForecastRecord",
    "InputFile",
    "MaskRecord",
    "MembershipRecord",
    "TrainingSummary",
]


class InputFile(Part):
    """One file or folder that the audit read."""

    role: Literal["documents", "controls", "model", "embedded", "validation", "reference"]
    path: str
    sha256: str
    num_documents: int | None = None
    num_skipped: int = 0
    why_skipped: dict[str, int] = Field(default_factory=dict)
    """reason -> count"""


class CorpusSummary(Part):
    """How the documents were split; the coin is named by its seed."""

    num_members: int
    num_controls: int
    num_validation: int = 0
    num_background: int = 0
    num_member_tokens: int
    num_control_tokens: int
    num_validation_tokens: int = 0
    num_background_tokens: int = 0
    num_documents_too_short: int = 0
    """documents shorter than prefix + suffix: scored for loss, not for extraction"""
    control_overlap_13gram: Measurement | None = None
    """share of control documents that share a 13-gram of tokens with trained text (members and background)"""
    validation_overlap_13gram: Measurement | None = None
    coin_seed: int | None = None
    notes: list[str] = Field(default_factory=list)


class TrainingSummary(Part):
    """How an arm was trained here; absent for a model that came from elsewhere."""

    num_params: int
    num_steps: int
    num_input_tokens: int
    """real (not padding) tokens fed, summed over steps"""
    num_supervised_tokens: int
    num_dropped_tokens: int
    dtype: str
    num_threads: int
    elapsed_s: float
    peak_rss_bytes: int | None = None
    loss: Literal["cross_entropy", "goldfish"]
    settings: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    curve: list[tuple[int, float | None, float | None, float | None]] = Field(default_factory=list)
    """(supervised tokens, validation loss, kept-target loss, dropped-target loss) in nats, at some steps"""


class BucketExtraction(Part):
    """Greedy 50+50-token extraction in one repeat bucket."""

    repeats: int | None
    exposures: float | None
    """times that training really showed each document, averaged over the bucket"""
    rate: Measurement
    num_ties: int = 0


class BucketAccuracy(Part):
    """Share of suffix targets that are the greedy choice, teacher-forced."""

    repeats: int | None
    all_targets: Measurement
    kept_targets: Measurement | None = None
    dropped_targets: Measurement | None = None


class BucketOpening(Part):
    """Document openings: targets 2 to 13, from the first token on."""

    repeats: int | None
    exact_rate: Measurement
    token_accuracy: Measurement


class BucketGeneration(Part):
    """Free-running cached greedy generation of the 50-token suffix."""

    repeats: int | None
    rouge_l: Measurement
    normalized_edit_distance: Measurement
    exact_rate: Measurement


class BucketMembership(Part):
    """AUC of one bucket against all controls."""

    repeats: int | None
    auc: Measurement


class MembershipRecord(Part):
    """One membership attack, members pooled against controls."""

    auc: Measurement
    tpr_at_fpr_1pct: Measurement
    by_repeats: list[BucketMembership] = Field(default_factory=list)


class BucketBits(Part):
    """Memorized bits per document against the n-gram reference, control mean subtracted."""

    repeats: int | None
    member_minus_control: Measurement


class BucketExposure(Part):
    """Exposure of planted canaries, in bits; repeats 0 are the canaries that the coin left out."""

    repeats: int
    exposure_bits: Measurement


class ArmRecord(Part):
    """Everything measured on one model."""

    description: str
    num_params: int
    num_params_counts: str = "all trainable parameters, the tied embedding once"
    validation_loss_nats: Measurement
    extraction_50: list[BucketExtraction]
    extraction_50_pooled: Measurement
    control_extraction_50: Measurement
    token_accuracy: list[BucketAccuracy]
    control_token_accuracy: BucketAccuracy | None = None
    openings: list[BucketOpening]
    control_opening: BucketOpening | None = None
    generation: list[BucketGeneration] = Field(default_factory=list)
    control_generation: BucketGeneration | None = None
    membership: dict[Literal["loss", "zlib", "min_k", "min_k_plus_plus"], MembershipRecord]
    exposure_bits: Measurement
    control_exposure_bits: Measurement | None = None
    exposure_by_repeats: list[BucketExposure] = Field(default_factory=list)
    memorized_bits_member_minus_control: Measurement
    """per document: mean over members minus mean over controls of log2 p_model - log2 p_reference"""
    memorized_bits_by_repeats: list[BucketBits] = Field(default_factory=list)
    blind_baseline_auc: Measurement | None = None
    """AUC of a classifier that never sees the model: how far members and controls differ by their text alone"""
    training: TrainingSummary | None = None
    num_tokens_scored: int = 0
    scoring_elapsed_s: float = 0.0


class MaskRecord(Part):
    """What the goldfish mask did on this corpus."""

    strategy: str
    k: int
    h: int
    seed: int
    effective_drop_rate: Measurement
    """dropped / eligible targets over one pass of the distinct training documents"""
    key_collapse_share: Measurement | None = None
    """share of windows whose key is shared with a different window"""


class ForecastRecord(Part):
    """What could be held, before any training."""

    num_params: int
    bits_per_param: float
    bits_per_param_source: str
    capacity_bits: float
    corpus_bits: float
    corpus_bits_source: str
    num_corpus_tokens: int
    corpus_over_capacity: float
    tokens_per_param: float
    membership_f1: float | None = None
    membership_f1_source: str | None = None
    reading: str


class ExampleRecord(Part):
    """One document as an example; text is null where redacted."""

    arm: str
    document_id: str
    repeats: int | None
    prefix: str | None
    truth: str | None
    generated: str | None
    num_matching_tokens: int


class AuditRecord(Record):
    """An audit of one or more arms on the same documents."""

    schema_id: Literal["custodiet.audit/1"] = Field(default="custodiet.audit/1", alias="schema")
    title: str
    created_utc: str
    seed: int
    elapsed_s: float
    environment: Environment
    inputs: list[InputFile]
    corpus: CorpusSummary
    arms: dict[str, ArmRecord]
    comparisons: dict[str, Measurement] = Field(default_factory=dict)
    """named paired comparisons between arms, e.g. goldfish_over_cross_entropy_validation_loss"""
    mask: MaskRecord | None = None
    forecast: ForecastRecord | None = None
    examples: list[ExampleRecord] = Field(default_factory=list)
    gates: list[GateOutcome] = Field(default_factory=list)
    redacted: bool = True
    command: str = ""
    not_tested: list[str]
