"""The record of an evaluation, from its rows and what was asked of whom."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from custodiet.logic.evaluation import Mode
from custodiet.logic.evaluation_summary import summarize_rows
from custodiet.records.base import Environment
from custodiet.records.logic_evaluation import ItemsFile, LogicEvaluationRecord
from custodiet.records.run_folder import utc_now

__all__ = ["AskedModel", "make_record"]


@dataclass(frozen=True, kw_only=True)
class AskedModel:
    """Who was asked."""

    name: str
    description: str
    sha256: str | None
    """of all that the predictions depend on; None for an endpoint"""
    environment: Environment


def make_record(
    rows: Sequence[Mapping[str, Any]],
    model: AskedModel,
    items: ItemsFile,
    *,
    title: str,
    mode: Mode,
    cue: str,
    max_tokens: int | None,
    seed: int,
    started: float,
    command: str = "",
    left_out: Mapping[str, int] | None = None,
    impossible: Mapping[str, int] | None = None,
    not_tested: Sequence[str] = (),
) -> LogicEvaluationRecord:
    """Put a record together.

    Args:
        rows: from `custodiet.logic.evaluation.answer_items`.
        model: who was asked.
        items: the data set.
        title: of the record.
        mode: how it was asked.
        cue: what stood between prompt and answer.
        max_tokens: most tokens of an answer; None where choices were scored.
        seed: of the bootstrap.
        started: `time.monotonic()` of the beginning.
        command: as it was typed.
        left_out: reason -> items that were not asked for it.
        impossible: kind of variant -> items that have none.
        not_tested: what else the reader must know.

    Raises:
        TooFewSamplesError: no item fits into the model's context.
    """
    told = [f"{num} items were left out: {reason}" for reason, num in (left_out or {}).items()]
    num_too_long = sum(one["status"] == "too long" for one in rows)
    if num_too_long:
        told.append(f"{num_too_long} items (variants included) are longer than the model's context and are in no rate")
    if mode == "choices":
        told.append("what the model would write by itself, and whether it has a reason (--mode answer, --mode proof)")
    if mode == "answer":
        told.append("whether the model has a reason for its answers (--mode proof)")
    if all(one["variant"] is None for one in rows):
        told.append("whether answers change with names, order, wording or idle premises (--metamorphic)")
    told.append("other prompts, examples before the question, and sampled decoding")
    return LogicEvaluationRecord(
        title=title,
        created_utc=utc_now(),
        seed=seed,
        elapsed_s=time.monotonic() - started,
        command=command,
        environment=model.environment,
        model=model.name,
        model_description=model.description,
        model_sha256=model.sha256,
        mode=mode,
        cue=cue,
        max_tokens=max_tokens,
        items=items,
        **summarize_rows(rows, seed=seed, impossible=impossible),
        not_tested=[*told, *not_tested],
    )
