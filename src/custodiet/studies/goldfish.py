"""Study `goldfish`: the claims of Hans et al. 2024 (arXiv 2406.10209), judged on the embedded default job."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from custodiet.records.audit import ArmRecord, AuditRecord
from custodiet.records.base import Measurement
from custodiet.records.run_folder import RunFolder
from custodiet.records.study import Claim, StudyRecord, claim_of
from custodiet.studies.default_job import DefaultJobConfig, run_default_job

__all__ = ["judge_goldfish_claims", "run_goldfish_study"]

PAPER = "Hans et al. 2024, arXiv 2406.10209"


def run_goldfish_study(
    *, folder: RunFolder, seed: int, command: str, on_progress: Callable[[str, float, float, str], None]
) -> StudyRecord:
    """Run the default job below `folder` and judge the paper's claims on it."""
    folder.begin({"job": "study", "study": "goldfish", "seed": seed})
    inner = RunFolder.create(folder.path / "audit", "audit")
    audit = run_default_job(DefaultJobConfig(seed=seed), folder=inner, command=command, on_progress=on_progress)
    record = StudyRecord(
        study="goldfish",
        title="Goldfish loss",
        created_utc=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        seed=seed,
        elapsed_s=audit.elapsed_s,
        environment=audit.environment,
        claims=judge_goldfish_claims(audit),
    )
    record.save(folder.record_json)
    folder.finish("done", title=record.title, headline="; ".join(f"{c.name}: {c.verdict}" for c in record.claims[:3]))
    return record


def judge_goldfish_claims(audit: AuditRecord) -> list[Claim]:
    """The claims, each with its tolerance beside it."""
    plain, goldfish = audit.arms["cross_entropy"], audit.arms["goldfish"]
    return [
        claim_of(
            "cross_entropy_extraction_at_most_repeats",
            "share of documents",
            published=0.84,
            source=f"{PAPER}: 84 of 100 articles after 100 epochs, Llama-2-7B",
            tolerance=(0.5, 1.0),
            measured=_highest_bucket(plain),
        ),
        claim_of(
            "goldfish_extraction_pooled",
            "share of documents",
            published=0.0,
            source=f"{PAPER}: none of 100 articles at k=4",
            tolerance=(0.0, 0.05),
            measured=goldfish.extraction_50_pooled,
        ),
        claim_of(
            "goldfish_over_cross_entropy_validation_loss",
            "ratio at equal supervised tokens",
            published=1.0,
            source=f"{PAPER}: losses match at equal supervised tokens",
            tolerance=(0.97, 1.03),
            measured=audit.comparisons["goldfish_over_cross_entropy_validation_loss"],
        ),
        claim_of(
            "goldfish_membership_auc",
            "area under the ROC curve, loss attack",
            published=None,
            source=f"{PAPER} finds membership attacks only marginally weaker; no single figure is comparable",
            tolerance=None,
            measured=goldfish.membership["loss"].auc,
        ),
    ]


def _highest_bucket(arm: ArmRecord) -> Measurement:
    return max(arm.extraction_50, key=lambda bucket: bucket.repeats or 0).rate
