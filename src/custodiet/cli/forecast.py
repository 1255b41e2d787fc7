"""`custodiet forecast`: how much a model of this size could hold of this corpus, before any training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from custodiet.cli.common import JsonFlag, print_json
from custodiet.errors import UsageError

__all__ = ["forecast"]


def forecast(
    *,
    documents: Annotated[tuple[Path, ...], Parameter(consume_multiple=True, negative=())],
    num_params: int,
    tokenizer: Path | None = None,
    text_column: str = "text",
    limit: int | None = None,
    strict: Annotated[bool, Parameter(negative=())] = False,
    json: JsonFlag = False,
) -> None:
    """Compare what a model could memorize with what the corpus holds.

    Args:
        documents: txt, md, JSONL(.gz|.zst), Parquet files or folders of these.
        num_params: trainable parameters, the tied embedding counted once.
        tokenizer: directory with tokenizer.json (default: a byte-level BPE trained on the documents).
        text_column: column or key that holds the text.
        limit: read at most this many documents.
        strict: refuse broken lines instead of skipping and counting them.
        json: print one JSON object.
    """
    if num_params < 1:
        raise UsageError("--num-params is not a size", expected="at least 1", got=num_params)
    from custodiet.memorization.forecast import forecast as run_forecast

    record = run_forecast(
        documents=documents,
        num_params=num_params,
        tokenizer=tokenizer,
        text_column=text_column,
        limit=limit,
        strict=strict,
    )
    if json:
        print_json({"schema": "custodiet.forecast/1", **record.model_dump(mode="json")})
        return
    print(record.reading)
    print(
        f"capacity     {record.capacity_bits:,.0f} bits ({record.bits_per_param} bits/parameter: "
        f"{record.bits_per_param_source})"
    )
    print(
        f"corpus       {record.corpus_bits:,.0f} bits in {record.num_corpus_tokens:,} tokens ({record.corpus_bits_source})"
    )
    print(f"corpus/capacity {record.corpus_over_capacity:.3g}, tokens per parameter {record.tokens_per_param:.3g}")
    if record.membership_f1 is not None:
        print(f"membership F1 of a loss threshold {record.membership_f1:.3f} ({record.membership_f1_source})")
