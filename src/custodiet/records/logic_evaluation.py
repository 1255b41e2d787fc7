"""The record of a logic evaluation: how often a model is right, on what, and whether it means it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from custodiet.records.base import Environment, Measurement, Part, Record
from custodiet.records.gates import GateOutcome

__all__ = ["ChainQuality", "ItemsFile", "LabelBias", "LogicEvaluationRecord", "MetamorphicResult", "Slice", "Survival"]


class ItemsFile(Part):
    """The data set."""

    path: str
    sha256: str
    num_items: int
    """items of the file"""
    num_asked: int
    """items that were put to the model, variants not counted"""


class Slice(Part):
    """The items that have one value of a property."""

    value: str
    num_items: int
    accuracy: Measurement


class LabelBias(Part):
    """One label: how often it is found, how often it is said."""

    label: str
    num_items: int
    """items of this label"""
    recall: Measurement
    """share of them for which it was predicted"""
    prediction_rate: Measurement
    """share of all items for which it was predicted"""
    predicted: dict[str, int]
    """for the items of this label: what was predicted how often; "" is no label that could be read"""


class Survival(Part):
    """acc = c + (1 - c) r^d over depths d: r is the chance to come through one more step, c that of guessing."""

    chance: float
    """c, not fitted: one over the number of choices, mean over items"""
    per_step: Measurement
    """r, by maximum likelihood"""
    depths: list[int]


class MetamorphicResult(Part):
    """Variants of one kind, beside the items that they were made of."""

    kind: str
    num_variants: int
    num_impossible: int
    """items that have no such variant"""
    consistency: Measurement
    """share of variants with the same prediction as the item"""
    accuracy: Measurement
    """of the variants"""
    original_accuracy: Measurement
    """of the items that have this variant"""


class ChainQuality(Part):
    """What the chains of steps are worth, over the items whose label has a proof or counter-models; shares of items."""

    valid: Measurement
    wrong: Measurement
    unreadable: Measurement
    """the first bad step cannot be read"""
    none: Measurement
    """no steps and no models"""
    right_answer_wrong_chain: Measurement
    valid_chain_wrong_answer: Measurement
    hallucinated_premises: Measurement
    """share of the lines called premises that are none"""
    num_steps: int
    num_unreadable_steps: int
    num_skipped_steps: int
    num_misnamed_steps: int
    step_by_step: Measurement = Field(default_factory=lambda: Measurement.missing("not judged by an older version"))
    """share of chains that are valid and take one rule a line"""
    num_leaps: int = 0
    """valid lines that take several rules at once"""
    mean_steps_over_reference: float | None
    first_bad_kinds: dict[str, int]


class LogicEvaluationRecord(Record):
    """A model on a data set of logic. Intervals are bootstraps over clusters of items that share a skeleton or a problem."""

    schema_id: Literal["custodiet.logic-evaluation/1"] = Field(default="custodiet.logic-evaluation/1", alias="schema")
    title: str
    created_utc: str
    seed: int
    elapsed_s: float
    command: str = ""
    environment: Environment
    model: str
    model_description: str
    model_sha256: str | None
    """of all that the predictions depend on; null for an endpoint"""
    mode: Literal["choices", "answer", "proof"]
    cue: str
    max_tokens: int | None
    """most tokens of an answer; null where choices are scored"""
    items: ItemsFile
    num_clusters: int
    accuracy: Measurement
    accuracy_per_token: Measurement
    """of the choice with the highest log-probability per token; only where choices are scored"""
    wrong: Measurement
    """share of answers with another label"""
    unreadable: Measurement
    """share of answers without a label that can be read; neither right nor wrong"""
    num_too_long: int
    """items longer than the model's context: in no rate"""
    chance: float
    by: dict[str, list[Slice]]
    """property -> its values: depth, premises, distractors, distractor kind, rule, language, logic, task, goal form, label"""
    balanced_accuracy: Measurement
    """mean of the labels' recalls"""
    bias: list[LabelBias]
    pair_accuracy: Measurement
    """share of sets of twins in which every item is right"""
    pair_chance: float | None
    """what guessing gives"""
    pair_by_depth: list[Slice] = Field(default_factory=list)
    """the same by depth; counts are of sets"""
    num_incomplete_twin_sets: int
    """sets of which not all items were asked: not counted"""
    survival: Survival | None
    metamorphic: list[MetamorphicResult]
    metamorphic_consistency: Measurement
    """over all variants"""
    chains: ChainQuality | None
    gates: list[GateOutcome] = Field(default_factory=list)
    not_tested: list[str]
