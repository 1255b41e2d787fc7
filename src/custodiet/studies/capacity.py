"""Study `capacity`: the claims of Morris et al. 2025 (arXiv 2505.24832), judged on `custodiet.capacity`."""

from __future__ import annotations

from collections.abc import Callable

from custodiet.base.stats import Estimate
from custodiet.memorization.capacity.sweep import capacity, default_config
from custodiet.memorization.forecast import membership_f1_law
from custodiet.records.base import Measurement
from custodiet.records.capacity import CapacityRecord
from custodiet.records.run_folder import RunFolder, utc_now
from custodiet.records.study import Claim, StudyRecord, claim_of
from custodiet.studies.dated import last_dated_record

__all__ = ["judge_capacity_claims", "run_capacity_study"]

PAPER = "Morris et al. 2025, arXiv 2505.24832"
LAW_ROWS = (
    (1_556_075_200, 170_654_583, 0.55),
    (1_556_075_200, 76_795_021, 0.75),
    (1_556_075_200, 18_851_574, 0.95),
    (123_702_528, 13_566_442, 0.55),
    (123_702_528, 6_104_935, 0.75),
    (123_702_528, 1_498_634, 0.95),
)
"""parameters, samples of 64 tokens, F1 that the paper's table predicts"""


def run_capacity_study(
    *, folder: RunFolder, seed: int, command: str, on_progress: Callable[[str, float, float, str], None]
) -> StudyRecord:
    """Run `custodiet.capacity` below `folder` and judge the paper's claims on it."""
    folder.begin({"job": "study", "study": "capacity", "seed": seed})
    inner = RunFolder.create(folder.path / "capacity", "capacity")
    found = capacity(default_config(seed=seed), out=inner, command=command, on_progress=on_progress)
    record = StudyRecord(
        study="capacity",
        title="Memorization and generalization",
        created_utc=utc_now(),
        seed=seed,
        elapsed_s=found.elapsed_s,
        environment=found.environment,
        claims=judge_capacity_claims(found),
    )
    record.save(folder.record_json)
    folder.finish("done", title=record.title, headline="; ".join(f"{c.name}: {c.verdict}" for c in record.claims[:3]))
    return record


def judge_capacity_claims(found: CapacityRecord) -> list[Claim]:
    """The claims, each with its tolerance beside it."""
    shape = found.shape
    text_peak = Measurement.missing("no text") if found.text is None else found.text.unintended_memorization_peak_ratio
    return [
        claim_of(
            "capacity_bits_per_param",
            f"bits per parameter, {shape.num_params:,} parameters",
            published=3.64,
            source=f"{PAPER}: slope over models of 0.1 to 20 million parameters, a million steps",
            tolerance=(3.5, 3.8),
            measured=found.capacity_bits_per_param,
        ),
        claim_of(
            "linear_regime_share_of_ceiling",
            "share of what can be saved, sets below half of the capacity",
            published=1.0,
            source=f"{PAPER}: below capacity all of the set is memorized",
            tolerance=(0.97, 1.0),
            measured=found.linear_regime_share_of_ceiling,
        ),
        claim_of(
            "test_loss_peak_ratio",
            "set over capacity where fresh tokens cost most",
            published=1.0,
            source=f"{PAPER}: double descent begins where the set exceeds the capacity",
            tolerance=(0.67, 1.5),
            measured=found.test_loss_peak_ratio,
        ),
        claim_of(
            "unintended_memorization_peak_ratio",
            "reference bits of the set over capacity where it is largest, real text",
            published=1.0,
            source=f"{PAPER}: unintended memorization rises until the capacity is full",
            tolerance=(0.67, 1.5),
            measured=text_peak,
        ),
        claim_of(
            "bf16_vs_fp32_capacity",
            "ratio; here float32 weights rounded after training",
            published=0.92,
            source=f"{PAPER}: 3.51 against 3.83 bits per parameter, trained in either precision",
            tolerance=(0.85, 1.0),
            measured=_ratio(found.rounded_bits_per_param["bfloat16"], found.capacity_bits_per_param),
        ),
        claim_of(
            "coder_bits_over_estimate",
            "bits that a range coder spends over the code length that memory is counted from",
            published=1.0,
            source=f"{PAPER}: arithmetic coding is invoked for its ideal length, and not run",
            tolerance=(0.999, 1.005),
            measured=found.coder_bits_over_estimate,
        ),
        _cell_claim(),
        claim_of(
            "membership_law_rows",
            "largest miss of the corrected law on six published rows, F1",
            published=0.0,
            source=f"{PAPER}: the table of predictions; the printed formula does not give it",
            tolerance=(0.0, 0.002),
            measured=_law_miss(),
        ),
    ]


def _cell_claim() -> Claim:
    """The cell 1 x 32 takes twenty minutes: its last dated record is shipped, and read."""
    date, cell = last_dated_record("capacity-cell-1x32", CapacityRecord)
    return claim_of(
        "cell_1x32_bits_per_param",
        f"bits per parameter, {cell.shape.num_params:,} parameters; measured on {date} by `custodiet capacity --cell 1x32`",
        published=3.93,
        source=f"{PAPER}: table of cells, bfloat16, a million steps",
        tolerance=(3.73, 4.13),
        measured=cell.capacity_bits_per_param,
    )


def _ratio(part: Measurement, whole: Measurement) -> Measurement:
    if part.value is None or not whole.value:
        return Measurement.missing("one of them was not measured")
    return Measurement(value=part.value / whole.value, num=part.num, why="a ratio of means over the same models")


def _law_miss() -> Measurement:
    misses = [abs(membership_f1_law(num_samples=n, num_params=p) - f1) for p, n, f1 in LAW_ROWS]
    return Measurement.of(Estimate(max(misses), None, None, len(misses), "arithmetic"))
