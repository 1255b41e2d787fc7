"""From rows to an `ArmRecord`: every rate with its interval, its control beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from custodiet.base.stats import (
    Estimate,
    bootstrap,
    difference_of_means,
    estimate_auc,
    estimate_mean,
    estimate_proportion,
    estimate_tpr_at_fpr,
)
from custodiet.records.audit import (
    ArmRecord,
    BucketAccuracy,
    BucketBits,
    BucketExposure,
    BucketExtraction,
    BucketGeneration,
    BucketMembership,
    BucketOpening,
    ExampleRecord,
    MembershipRecord,
    TrainingSummary,
)
from custodiet.records.base import Measurement

__all__ = ["ATTACKS", "pick_examples", "summarize_arm"]

Attack = Literal["loss", "zlib", "min_k", "min_k_plus_plus"]
ATTACKS: dict[Attack, tuple[str, float]] = {
    "loss": ("loss_nats", -1.0),
    "zlib": ("zlib_nats_per_byte", -1.0),
    "min_k": ("min_k_nats", 1.0),
    "min_k_plus_plus": ("min_k_plus_plus", 1.0),
}
"""attack -> (column, sign that makes a member's score the higher one)"""

MIN_CONTROLS = 2


def summarize_arm(
    rows: pl.DataFrame,
    canaries: pl.DataFrame | None = None,
    *,
    description: str,
    num_params: int,
    training: TrainingSummary | None = None,
    blind: Estimate | None = None,
    scoring_elapsed_s: float = 0.0,
    seed: int = 0,
) -> ArmRecord:
    """Summarize the rows of one arm.

    Args:
        rows: table of `score.ROW_SCHEMA`, one arm.
        canaries: table of `exposure.CANARY_SCHEMA`, or None when there are no canaries.
        description: the arm in words.
        num_params: trainable parameters.
        training: how it was trained, when that happened here.
        blind: AUC of the blind baseline.
        scoring_elapsed_s: time that scoring took.
        seed: seed of the bootstrap.

    Returns:
        The record; what the rows do not allow to measure is null with the reason.
    """
    members = rows.filter(pl.col("split") == "member")
    controls = rows.filter(pl.col("split") == "control")
    buckets = _buckets(members)
    return ArmRecord(
        description=description,
        num_params=num_params,
        validation_loss_nats=_validation_loss(rows, controls, seed=seed),
        extraction_50=[_extraction(repeats, frame) for repeats, frame in buckets],
        extraction_50_pooled=_extraction(None, members).rate,
        control_extraction_50=_extraction(None, controls).rate,
        token_accuracy=[_accuracy(repeats, frame, seed) for repeats, frame in buckets],
        control_token_accuracy=_accuracy(None, controls, seed) if len(controls) else None,
        openings=[_opening(repeats, frame, seed) for repeats, frame in buckets],
        control_opening=_opening(None, controls, seed) if len(controls) else None,
        generation=[one for repeats, frame in buckets if (one := _generation(repeats, frame)) is not None],
        control_generation=_generation(None, controls),
        membership={attack: _membership(attack, members, controls, buckets) for attack in ATTACKS},
        exposure_bits=_exposure(canaries, inserted=True),
        control_exposure_bits=None if canaries is None else _exposure(canaries, inserted=False),
        exposure_by_repeats=_exposure_by_repeats(canaries),
        memorized_bits_member_minus_control=_bits(members, controls),
        memorized_bits_by_repeats=[
            BucketBits(repeats=repeats, member_minus_control=_bits(frame, controls)) for repeats, frame in buckets
        ],
        blind_baseline_auc=None if blind is None else Measurement.of(blind),
        training=training,
        num_tokens_scored=int(rows["num_tokens"].sum() or 0),
        scoring_elapsed_s=round(scoring_elapsed_s, 3),
    )


def _buckets(members: pl.DataFrame) -> list[tuple[int | None, pl.DataFrame]]:
    repeats = members["repeats"].unique().sort().to_list()
    return [(value, members.filter(pl.col("repeats").eq_missing(value))) for value in repeats]


def _extraction(repeats: int | None, frame: pl.DataFrame) -> BucketExtraction:
    known = frame.filter(pl.col("extraction_50").is_not_null())
    exposures = frame["exposures"].mean() if len(frame) else None
    rate = (
        Measurement.of(estimate_proportion(int(known["extraction_50"].sum()), len(known)))
        if len(known)
        else Measurement.missing("no document is as long as prefix and suffix")
    )
    return BucketExtraction(
        repeats=repeats,
        exposures=float(exposures) if isinstance(exposures, int | float) else None,
        rate=rate,
        num_ties=int(known["num_ties"].sum() or 0),
    )


def _ratio(frame: pl.DataFrame, hits: str, total: str, *, seed: int, what: str) -> Measurement:
    """Sum of hits over sum of totals, bootstrapped over documents, whose tokens hang together."""
    pairs = frame.select(hits, total).drop_nulls().filter(pl.col(total) > 0).to_numpy()
    if not len(pairs):
        return Measurement.missing(f"no {what}")
    return Measurement.of(bootstrap(pairs, _sum_ratio, seed=seed, num_resamples=1000))


def _sum_ratio(pairs: NDArray[np.float64]) -> float:
    total = pairs[:, 1].sum()
    return float(pairs[:, 0].sum() / total) if total else float("nan")


def _accuracy(repeats: int | None, frame: pl.DataFrame, seed: int) -> BucketAccuracy:
    known = frame.filter(pl.col("suffix_num_correct").is_not_null())
    masked = known["kept_num"].is_not_null().any()
    return BucketAccuracy(
        repeats=repeats,
        all_targets=_ratio(known, "suffix_num_correct", "suffix_num", seed=seed, what="document is long enough"),
        kept_targets=_ratio(known, "kept_num_correct", "kept_num", seed=seed, what="kept target") if masked else None,
        dropped_targets=(
            _ratio(known, "dropped_num_correct", "dropped_num", seed=seed, what="dropped target") if masked else None
        ),
    )


def _opening(repeats: int | None, frame: pl.DataFrame, seed: int) -> BucketOpening:
    known = frame.filter(pl.col("opening_num").is_not_null())
    exact = int((known["opening_num_correct"] == known["opening_num"]).sum())
    missing = Measurement.missing("no document is as long as an opening")
    return BucketOpening(
        repeats=repeats,
        exact_rate=Measurement.of(estimate_proportion(exact, len(known))) if len(known) else missing,
        token_accuracy=_ratio(known, "opening_num_correct", "opening_num", seed=seed, what="opening"),
    )


def _generation(repeats: int | None, frame: pl.DataFrame) -> BucketGeneration | None:
    known = frame.filter(pl.col("rouge_l").is_not_null())
    if not len(known):
        return None
    return BucketGeneration(
        repeats=repeats,
        rouge_l=Measurement.of(estimate_mean(known["rouge_l"].to_numpy(), bounds=(0, 1))),
        normalized_edit_distance=Measurement.of(
            estimate_mean(known["normalized_edit_distance"].to_numpy(), bounds=(0, 1))
        ),
        exact_rate=Measurement.of(estimate_proportion(int(known["generated_exact"].sum()), len(known))),
    )


def _membership(
    attack: Attack,
    members: pl.DataFrame,
    controls: pl.DataFrame,
    buckets: Sequence[tuple[int | None, pl.DataFrame]],
) -> MembershipRecord:
    column, sign = ATTACKS[attack]

    def scores(frame: pl.DataFrame) -> NDArray[np.float64]:
        return sign * frame[column].drop_nulls().to_numpy()

    def compare(frame: pl.DataFrame, measure: Callable[..., Estimate]) -> Measurement:
        left, right = scores(frame), scores(controls)
        if len(left) == 0 or len(right) < MIN_CONTROLS:
            return Measurement.missing("there are no controls" if len(right) < MIN_CONTROLS else "there is no member")
        return Measurement.of(measure(left, right))

    by_repeats = [BucketMembership(repeats=repeats, auc=compare(frame, estimate_auc)) for repeats, frame in buckets]
    return MembershipRecord(
        auc=compare(members, estimate_auc),
        tpr_at_fpr_1pct=compare(members, estimate_tpr_at_fpr),
        by_repeats=by_repeats if len(buckets) > 1 else [],
    )


def _bits(frame: pl.DataFrame, controls: pl.DataFrame) -> Measurement:
    def gains(rows: pl.DataFrame) -> NDArray[np.float64]:
        return rows.select((pl.col("reference_bits") - pl.col("total_bits")).drop_nulls()).to_series().to_numpy()

    member, control = gains(frame), gains(controls)
    if not len(member) or not len(control):
        return Measurement.missing("no reference model or no controls")
    return Measurement.of(difference_of_means(member, control))


def _exposure(canaries: pl.DataFrame | None, *, inserted: bool) -> Measurement:
    if canaries is None:
        return Measurement.missing("no canary was planted in this model's training text")
    values = canaries.filter(pl.col("inserted") == inserted)["exposure_bits"].to_numpy()
    return Measurement.of(estimate_mean(values)) if len(values) else Measurement.missing("no such canary")


def _exposure_by_repeats(canaries: pl.DataFrame | None) -> list[BucketExposure]:
    if canaries is None:
        return []
    found = []
    for repeats in canaries["repeats"].unique().sort().to_list():
        values = canaries.filter(pl.col("repeats") == repeats)["exposure_bits"].to_numpy()
        found.append(BucketExposure(repeats=repeats, exposure_bits=Measurement.of(estimate_mean(values))))
    return found


def _validation_loss(rows: pl.DataFrame, controls: pl.DataFrame, *, seed: int) -> Measurement:
    """Nats per token over validation documents, or over controls when there are none; bootstrap over documents."""
    validation = rows.filter(pl.col("split") == "validation")
    frame, note = (validation, None) if len(validation) else (controls, "no validation documents: the controls' loss")
    pairs = frame.select(pl.col("loss_nats") * pl.col("num_tokens"), pl.col("num_tokens").alias("n")).drop_nulls()
    if not len(pairs):
        return Measurement.missing("no validation documents and no controls")
    found = Measurement.of(bootstrap(pairs.to_numpy(), _sum_ratio, seed=seed))
    return found if note is None else found.model_copy(update={"why": note})


def pick_examples(
    rows: pl.DataFrame, arm: str, *, suffix_tokens: int, truth: Callable[[str], tuple[str, str]] | None, num: int = 6
) -> list[ExampleRecord]:
    """The best remembered members, one per repeat bucket from the highest down.

    Args:
        rows: table of one arm.
        arm: its name.
        suffix_tokens: length of a suffix, for documents that were not continued freely.
        truth: document id to the texts of prefix and suffix; None redacts.
        num: at most so many.
    """
    ranked = rows.filter((pl.col("split") == "member") & pl.col("generated_num_matching").is_not_null()).sort(
        ["repeats", "generated_num_matching", "document_id"], descending=[True, True, False], nulls_last=True
    )
    chosen = ranked.unique(subset="repeats", keep="first", maintain_order=True)
    if len(chosen) < 2:
        chosen = ranked
    found: list[ExampleRecord] = []
    for row in chosen.head(num).iter_rows(named=True):
        texts: tuple[str | None, str | None] = (None, None) if truth is None else truth(row["document_id"])
        found.append(
            ExampleRecord(
                arm=arm,
                document_id=row["document_id"],
                repeats=row["repeats"],
                prefix=texts[0],
                truth=texts[1],
                generated=None if truth is None else row["generated_text"],
                num_matching_tokens=min(suffix_tokens, row["generated_num_matching"]),
            )
        )
    return found
