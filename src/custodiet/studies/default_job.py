"""The embedded default job: the same English learned twice, with cross-entropy and with goldfish loss, then audited.

Nothing is shipped or cached: the corpus comes out of the running Python, the tokenizer and both models are trained in
this run. Each arm is a process of its own with one thread (`studies.arm`), so that two cores take both at once and the
numbers do not depend on how many there are.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from custodiet.base.gates import Gate
from custodiet.base.stats import bootstrap, estimate_proportion
from custodiet.data.embedded import DefaultSplit, build_default_split
from custodiet.data.goldfish_mask import goldfish_mask_numpy, key_collapse_share
from custodiet.errors import CustodietError
from custodiet.memorization.forecast import estimate_forecast
from custodiet.records.audit import (
    ArmRecord,
    AuditRecord,
    CorpusSummary,
    ExampleRecord,
    ForecastRecord,
    InputFile,
    MaskRecord,
)
from custodiet.records.base import Environment, Measurement
from custodiet.records.files import atomic_path
from custodiet.records.gates import judge_gates
from custodiet.records.run_folder import RunFolder
from custodiet.studies.arm_process import run_arm_processes

__all__ = ["ARMS", "DefaultJobConfig", "estimate_default_job_cost", "run_default_job"]

Progress = Callable[[str, float, float, str], None]
ARMS = {
    "cross_entropy": "GPT trained with cross-entropy on every target",
    "goldfish": "the same GPT trained with goldfish loss on the same order, continued until supervised tokens are equal",
}
NOT_TESTED = [
    "Models of other sizes: one GPT of about 1.5 million parameters on about one million tokens.",
    "Other seeds: both arms share one seed; intervals cover the choice of passages, not of initialization or order.",
    "Sampled, beam-search or adversarially prompted extraction: only greedy decoding from the true prefix.",
    "Prefixes that start inside a document: every prefix starts at the document's first token.",
    "Near-verbatim memory beyond ROUGE-L and edit distance: paraphrase and translation are not looked for.",
    "Near-duplicates with another tokenization, which get another goldfish mask.",
    "Membership attacks with reference models (LiRA, RMIA) and white-box attacks.",
    "Fine-tuning, instruction tuning and deduplication.",
    "Goldfish settings other than the one in this record.",
]


@dataclass(frozen=True, kw_only=True)
class DefaultJobConfig:
    """The whole recipe of the default job."""

    seed: int = 0
    redact: bool = True
    vocab_size: int = 1024
    context_length: int = 128
    width: int = 192
    num_layers: int = 3
    num_heads: int = 6
    passages_per_bucket: int = 24
    num_controls: int = 120
    num_validation: int = 96
    num_canaries: int = 24
    background_epochs: int = 2
    batch_rows: int = 8
    learning_rate: float = 1.5e-3
    final_lr_share: float = 0.05
    warmup_share: float = 0.05
    beta1: float = 0.9
    beta2: float = 0.98
    weight_decay: float = 0.05
    clip_norm: float = 1.0
    goldfish_k: int = 4
    goldfish_h: int = 13
    goldfish_seed: int = 2971215073
    dtype: str = "auto"
    num_curve_points: int = 8
    num_workers: int | None = None
    """arm processes at once; None takes one per core, at most two"""
    max_documents: int | None = None
    """cut of the background, for tests; None takes all of it"""


def run_default_job(
    config: DefaultJobConfig,
    *,
    folder: RunFolder,
    gates: Sequence[Gate] = (),
    command: str = "",
    on_progress: Progress | None = None,
) -> AuditRecord:
    """Train both arms from scratch, audit both, write rows and record into `folder`.

    Args:
        config: the recipe.
        folder: run folder; finished arms in it are kept when it is resumed.
        gates: ``--fail-if`` gates, judged on the finished record.
        command: the command line, for the record.
        on_progress: called with (task, done, total, note).

    Returns:
        The record, as saved in ``folder.record_json``.

    Raises:
        UsageError: `folder` holds a default job with another recipe.
        CustodietError: an arm failed.
    """
    started = time.monotonic()
    progress: Progress = on_progress or (lambda task, done, total, note: None)
    folder.begin({"job": "default", **asdict(replace(config, num_workers=None))})
    try:
        work = folder.path / "work"
        work.mkdir(exist_ok=True)
        progress("corpus", 0, 1, "embedded English")
        split = build_default_split(
            seed=config.seed,
            vocab_size=config.vocab_size,
            max_tokens=config.context_length - 1,
            passages_per_bucket=config.passages_per_bucket,
            num_controls=config.num_controls,
            num_validation=config.num_validation,
            num_canaries=config.num_canaries,
            max_background=config.max_documents,
        )
        split.save(work)
        note = f"{len(split.documents):,} passages, control 13-gram overlap {_overlap_note(split)}"
        progress("corpus", 1, 1, note)
        run_arm_processes(
            work, config=asdict(config), arms=tuple(ARMS), on_progress=progress, workers=config.num_workers
        )
        record = _assemble(config, split, work=work, folder=folder, elapsed_s=0.0, command=command)
        record = judge_gates(record, gates)
        record = record.model_copy(update={"elapsed_s": round(time.monotonic() - started, 3)})
        record.save(folder.record_json)
    except KeyboardInterrupt:
        folder.finish("interrupted")
        raise
    except BaseException:
        folder.finish("failed")
        raise
    folder.finish("done", title=record.title, headline=_headline(record))
    return record


def estimate_default_job_cost(config: DefaultJobConfig) -> dict[str, Any]:
    """What the default job costs, from its recipe and a short measurement of this machine.

    Returns:
        JSON object with tokens, parameters, estimated seconds and memory.
    """
    from custodiet.nn.gpt import GPTConfig
    from custodiet.studies.arm import measure_tokens_per_s

    split = build_default_split(
        seed=config.seed,
        vocab_size=config.vocab_size,
        max_tokens=config.context_length - 1,
        passages_per_bucket=config.passages_per_bucket,
        num_controls=config.num_controls,
        num_validation=config.num_validation,
        num_canaries=config.num_canaries,
        max_background=config.max_documents,
    )
    trained = sum(
        len(doc.tokens) * (config.background_epochs if doc.split == "background" else (doc.repeats or 0))
        for doc in split.documents
        if doc.split in ("background", "member")
    )
    factor = config.goldfish_k / (config.goldfish_k - 1)
    rate = measure_tokens_per_s(asdict(config))
    num_workers = config.num_workers or min(2, os.cpu_count() or 1)
    seconds = trained * (factor if num_workers > 1 else 1 + factor) / rate
    gpt = GPTConfig(
        vocab_size=split.tokenizer.vocab_size,
        context_length=config.context_length,
        width=config.width,
        num_layers=config.num_layers,
        num_heads=config.num_heads,
    )
    return {
        "schema": "custodiet.dry-run/1",
        "num_params": gpt.num_params,
        "num_training_tokens_cross_entropy": trained,
        "num_training_tokens_goldfish": math.ceil(trained * factor),
        "tokens_per_s_per_core": round(rate),
        "num_workers": num_workers,
        "estimated_training_s": round(seconds),
        "estimated_memory_bytes": 1_100_000_000 * num_workers + 400_000_000,
    }


def _assemble(
    config: DefaultJobConfig, split: DefaultSplit, *, work: Path, folder: RunFolder, elapsed_s: float, command: str
) -> AuditRecord:
    arms: dict[str, ArmRecord] = {}
    examples: list[ExampleRecord] = []
    frames: list[pl.DataFrame] = []
    environment: Environment | None = None
    for name in ARMS:
        done = json.loads((work / name / "arm.json").read_text(encoding="utf-8"))
        arms[name] = ArmRecord.model_validate_json(json.dumps(done["arm"]))
        examples += [ExampleRecord.model_validate_json(json.dumps(one)) for one in done["examples"]]
        environment = Environment.model_validate_json(json.dumps(done["environment"]))
        frames.append(pl.read_parquet(work / name / "rows.parquet"))
    if environment is None:
        raise CustodietError("no arm finished")
    rows = pl.concat(frames)
    with atomic_path(folder.rows_parquet) as temporary:
        rows.write_parquet(temporary)
    return AuditRecord(
        title="What two small models memorized of the same English",
        created_utc=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        seed=config.seed,
        elapsed_s=elapsed_s,
        environment=environment,
        inputs=[
            InputFile(
                role="embedded",
                path="pydoc_data.topics and the standard library's docstrings",
                sha256=split.sha256,
                num_documents=len(split.documents),
            )
        ],
        corpus=_summarize_corpus(config, split),
        arms=arms,
        comparisons={"goldfish_over_cross_entropy_validation_loss": _validation_ratio(rows, seed=config.seed)},
        mask=_summarize_mask(config, split),
        forecast=_make_forecast(split, work, num_params=arms["cross_entropy"].num_params),
        examples=examples,
        redacted=config.redact,
        command=command,
        not_tested=NOT_TESTED,
    )


def _summarize_corpus(config: DefaultJobConfig, split: DefaultSplit) -> CorpusSummary:
    counts = {
        name: (
            sum(1 for doc in split.documents if doc.split == name),
            sum(len(doc.tokens) for doc in split.documents if doc.split == name),
        )
        for name in ("member", "control", "validation", "background")
    }
    return CorpusSummary(
        num_members=counts["member"][0],
        num_controls=counts["control"][0],
        num_validation=counts["validation"][0],
        num_background=counts["background"][0],
        num_member_tokens=counts["member"][1],
        num_control_tokens=counts["control"][1],
        num_validation_tokens=counts["validation"][1],
        num_background_tokens=counts["background"][1],
        control_overlap_13gram=_share(split.control_overlap),
        validation_overlap_13gram=_share(split.validation_overlap),
        coin_seed=config.seed,
        notes=split.notes,
    )


def _share(overlap_D: np.ndarray) -> Measurement:
    return Measurement.of(estimate_proportion(int(np.sum(overlap_D)), len(overlap_D)))


def _overlap_note(split: DefaultSplit) -> str:
    return f"{int(np.sum(split.control_overlap))}/{len(split.control_overlap)}"


def _validation_ratio(rows: pl.DataFrame, *, seed: int) -> Measurement:
    """Goldfish over cross-entropy validation loss per token, paired bootstrap over validation documents."""
    wide = (
        rows.filter(pl.col("split") == "validation")
        .select("arm", "document_id", "num_tokens", (pl.col("loss_nats") * pl.col("num_tokens")).alias("sum_nats"))
        .pivot(on="arm", index=["document_id", "num_tokens"], values="sum_nats")
        .sort("document_id")
    )
    pairs = wide.select("goldfish", "cross_entropy").to_numpy()
    estimate = bootstrap(pairs, lambda sample: sample[:, 0].sum() / sample[:, 1].sum(), seed=seed)
    return Measurement.of(estimate)


def _summarize_mask(config: DefaultJobConfig, split: DefaultSplit) -> MaskRecord:
    settings: Any = {"k": config.goldfish_k, "h": config.goldfish_h, "seed": config.goldfish_seed}
    trained = [doc.tokens for doc in split.documents if doc.split in ("member", "background")]
    kept = np.concatenate([goldfish_mask_numpy(tokens, **settings)[1:] for tokens in trained])
    segments = np.repeat(np.arange(len(trained)), [len(tokens) for tokens in trained])
    collapse = key_collapse_share(np.concatenate(trained), h=config.goldfish_h, segments=segments)
    return MaskRecord(
        strategy="hash",
        **settings,
        effective_drop_rate=Measurement.of(estimate_proportion(int((~kept).sum()), len(kept))),
        key_collapse_share=Measurement(
            value=float(collapse), num=len(kept), why="counted over every distinct window, no sampling"
        ),
    )


def _make_forecast(split: DefaultSplit, work: Path, *, num_params: int) -> ForecastRecord:
    measured = json.loads((work / "cross_entropy" / "arm.json").read_text(encoding="utf-8"))["reference"]
    return estimate_forecast(
        num_params=num_params,
        corpus_bits=measured["bits_per_token"] * measured["num_corpus_tokens"],
        num_tokens=measured["num_corpus_tokens"],
        corpus_bits_source=(
            "Witten-Bell 5-gram trained on background text, its bits per token on the controls times the distinct "
            "trained tokens"
        ),
    )


def _headline(record: AuditRecord) -> str:
    def top(arm: str) -> str:
        rate = max(record.arms[arm].extraction_50, key=lambda bucket: bucket.repeats or 0).rate
        return "?" if rate.value is None else f"{rate.value:.0%}"

    return f"extraction at most repeats: cross-entropy {top('cross_entropy')}, goldfish {top('goldfish')}"
