"""From documents to rows: every teacher-forced measure of a document comes out of one pass.

Shape suffixes: B documents of a batch, T positions.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from custodiet.base.protocols import Generator, TargetScorer
from custodiet.data.goldfish_mask import goldfish_mask_numpy
from custodiet.entropy.ngram import WittenBellModel
from custodiet.errors import InputError
from custodiet.memorization.distance import edit_distances, rouge_l
from custodiet.memorization.documents import AuditDocument, AuditSettings
from custodiet.records.files import sha256_text

__all__ = ["ROW_SCHEMA", "score_documents"]

ROW_SCHEMA: dict[str, Any] = {
    "arm": pl.String,
    "document_id": pl.String,
    "split": pl.String,
    "repeats": pl.Int64,
    "exposures": pl.Float64,
    "num_tokens": pl.Int64,
    "num_tokens_cut": pl.Int64,
    "loss_nats": pl.Float64,
    "total_bits": pl.Float64,
    "reference_bits": pl.Float64,
    "zlib_nats_per_byte": pl.Float64,
    "min_k_nats": pl.Float64,
    "min_k_plus_plus": pl.Float64,
    "extraction_50": pl.Boolean,
    "num_ties": pl.Int64,
    "suffix_num": pl.Int64,
    "suffix_num_correct": pl.Int64,
    "kept_num_correct": pl.Int64,
    "kept_num": pl.Int64,
    "dropped_num_correct": pl.Int64,
    "dropped_num": pl.Int64,
    "opening_num_correct": pl.Int64,
    "opening_num": pl.Int64,
    "rouge_l": pl.Float64,
    "normalized_edit_distance": pl.Float64,
    "generated_exact": pl.Boolean,
    "generated_num_matching": pl.Int64,
    "text_sha256": pl.String,
    "text": pl.String,
    "generated_text": pl.String,
}
"""columns of the per-sample table; num_tokens counts scored targets, texts are null where redacted"""

BUFFER_BATCHES = 8


def score_documents(
    documents: Iterable[AuditDocument],
    *,
    arm: str,
    scorer: TargetScorer,
    settings: AuditSettings,
    bos_id: int | None = None,
    generator: Generator | None = None,
    decode: Callable[[NDArray[np.int64]], str] | None = None,
    reference: WittenBellModel | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Iterator[pl.DataFrame]:
    """Measure documents as they come; memory does not grow with their number.

    Documents longer than the model's context are measured on their beginning (`num_tokens_cut` says how much is left
    out): short prefixes at the start of the context are what triggers verbatim memory best (arXiv 2505.13171).

    Args:
        documents: tokenized documents.
        arm: name of the model in the rows.
        scorer: the model.
        settings: what to measure.
        bos_id: put before each document; without one the first token is context only and is not scored.
        generator: for free-running continuation; None skips it.
        decode: ids to text, for the generated text of unredacted rows.
        reference: n-gram model that memorized bits are measured against.
        on_progress: called with documents and tokens done so far.

    Yields:
        Frames with `ROW_SCHEMA`, in the order of the documents.
    """
    left: dict[str, int] = dict.fromkeys(("member", "control"), settings.max_generated_documents)
    num_documents = num_tokens = 0
    buffer: list[AuditDocument] = []
    waiting = 0

    def flush() -> pl.DataFrame:
        generated: set[str] = set()
        for doc in buffer:
            if generator is not None and settings.generate and left.get(doc.split, 0) > 0:
                generated.add(doc.id)
                left[doc.split] -= 1
        rows = _score_buffer(buffer, generated, arm, scorer, settings, bos_id, generator, decode, reference)
        return pl.DataFrame(rows, schema=ROW_SCHEMA)

    for doc in documents:
        buffer.append(doc)
        waiting += len(doc.tokens) + 1
        if waiting >= settings.batch_tokens * BUFFER_BATCHES:
            yield flush()
            num_documents, num_tokens = num_documents + len(buffer), num_tokens + waiting
            if on_progress:
                on_progress(num_documents, num_tokens)
            buffer, waiting = [], 0
    if buffer:
        yield flush()
        if on_progress:
            on_progress(num_documents + len(buffer), num_tokens + waiting)


def _score_buffer(
    buffer: list[AuditDocument],
    generated: set[str],
    arm: str,
    scorer: TargetScorer,
    settings: AuditSettings,
    bos_id: int | None,
    generator: Generator | None,
    decode: Callable[[NDArray[np.int64]], str] | None,
    reference: WittenBellModel | None,
) -> list[dict[str, Any]]:
    """Rows of a buffer: sorted by length, so that batches hold little padding, then back in order."""
    head = [] if bos_id is None else [bos_id]
    limit = scorer.context_length
    sequences = [np.concatenate([np.array(head, dtype=np.int64), doc.tokens])[:limit] for doc in buffer]
    rows: list[dict[str, Any] | None] = [None] * len(buffer)
    order = sorted(range(len(buffer)), key=lambda index: len(sequences[index]))
    for batch in _batches(order, sequences, settings.batch_tokens):
        lengths = np.array([len(sequences[index]) for index in batch])
        tokens_BT = np.zeros((len(batch), max(2, int(lengths.max()))), dtype=np.int64)
        for row, index in enumerate(batch):
            tokens_BT[row, : lengths[row]] = sequences[index]
        scores = scorer.score_targets(tokens_BT, lengths_B=lengths, chunk=settings.chunk)
        for row, index in enumerate(batch):
            end = max(0, int(lengths[row]) - 1)
            rows[index] = _measure(
                buffer[index],
                arm=arm,
                settings=settings,
                offset=len(head),
                targets=sequences[index][1:],
                logprob=scores.logprob_BT[row, :end].astype(np.float64),
                hit=scores.argmax_BT[row, :end] == sequences[index][1:],
                tied=scores.tied_BT[row, :end],
                mean=scores.mean_BT[row, :end].astype(np.float64),
                variance=scores.variance_BT[row, :end].astype(np.float64),
            )
    done = [row for row in rows if row is not None]
    if reference is not None:
        _add_reference_bits(done, buffer, reference, limit=limit - len(head), skip=1 - len(head))
    if generator is not None:
        _add_generations(done, buffer, generated, generator, head, limit, settings, decode)
    return done


def _batches(order: list[int], sequences: list[NDArray[np.int64]], batch_tokens: int) -> Iterator[list[int]]:
    batch: list[int] = []
    for index in order:  # ascending lengths: the newest is the longest
        if batch and (len(batch) + 1) * len(sequences[index]) > batch_tokens:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _measure(
    doc: AuditDocument,
    *,
    arm: str,
    settings: AuditSettings,
    offset: int,
    targets: NDArray[np.int64],
    logprob: NDArray[np.float64],
    hit: NDArray[np.bool_],
    tied: NDArray[np.bool_],
    mean: NDArray[np.float64],
    variance: NDArray[np.float64],
) -> dict[str, Any]:
    """One row; entry i of the arrays is about token ``i + 1 - offset`` of the document (offset 1 with a BOS)."""
    num = len(logprob)
    if num and not np.isfinite(logprob).all():
        raise InputError(f"the model gives document {doc.id} a log-probability that is not finite")
    first = 1 - offset
    start, end = settings.prefix_tokens - first, settings.prefix_tokens + settings.suffix_tokens - first
    enough = num >= end
    opening = slice(settings.opening_first - 1 - first, settings.opening_last - first)
    opening_there = num >= settings.opening_last - first
    normalized = (logprob - mean) / np.sqrt(np.maximum(variance, 1e-6))
    lowest = max(1, round(settings.min_k_share * num))
    data = doc.text.encode("utf-8", "surrogatepass")
    row: dict[str, Any] = {
        "arm": arm,
        "document_id": doc.id,
        "split": doc.split,
        "repeats": doc.repeats,
        "exposures": doc.exposures,
        "num_tokens": num,
        "num_tokens_cut": len(doc.tokens) - (num + first),
        "loss_nats": float(-logprob.mean()) if num else None,
        "total_bits": float(-logprob.sum() / np.log(2.0)) if num else None,
        "zlib_nats_per_byte": float(-logprob.sum() / len(zlib.compress(data, 9))) if num else None,
        "min_k_nats": float(np.partition(logprob, lowest - 1)[:lowest].mean()) if num else None,
        "min_k_plus_plus": float(np.partition(normalized, lowest - 1)[:lowest].mean()) if num else None,
        "extraction_50": bool(hit[start:end].all()) if enough else None,
        "num_ties": int((tied[start:end] & hit[start:end]).sum()) if enough else None,
        "suffix_num": settings.suffix_tokens if enough else None,
        "suffix_num_correct": int(hit[start:end].sum()) if enough else None,
        "opening_num_correct": int(hit[opening].sum()) if opening_there else None,
        "opening_num": settings.opening_last - settings.opening_first + 1 if opening_there else None,
        "text_sha256": sha256_text(doc.text),
        "text": None if settings.redact else doc.text,
    }
    if settings.goldfish is not None and enough:
        mask = settings.goldfish
        keep = goldfish_mask_numpy(doc.tokens, k=mask.k, h=mask.h, seed=mask.seed, strategy=mask.strategy)
        kept = keep[first : first + num][start:end]
        row |= {
            "kept_num": int(kept.sum()),
            "kept_num_correct": int((hit[start:end] & kept).sum()),
            "dropped_num": int((~kept).sum()),
            "dropped_num_correct": int((hit[start:end] & ~kept).sum()),
        }
    return row


def _add_reference_bits(
    rows: list[dict[str, Any]], buffer: Sequence[AuditDocument], reference: WittenBellModel, *, limit: int, skip: int
) -> None:
    bits = reference.log2_probs_of([doc.tokens[:limit] for doc in buffer])
    for row, one in zip(rows, bits, strict=True):
        row["reference_bits"] = float(-one[skip:].sum()) if row["num_tokens"] else None


def _add_generations(
    rows: list[dict[str, Any]],
    buffer: Sequence[AuditDocument],
    generated: set[str],
    generator: Generator,
    head: list[int],
    limit: int,
    settings: AuditSettings,
    decode: Callable[[NDArray[np.int64]], str] | None,
) -> None:
    prefix, suffix = settings.prefix_tokens, settings.suffix_tokens
    if len(head) + prefix + suffix > limit + 1:
        return
    chosen = [
        index for index, doc in enumerate(buffer) if doc.id in generated and rows[index]["extraction_50"] is not None
    ]
    per_batch = max(1, settings.batch_tokens // (prefix + suffix + 1))
    for start in range(0, len(chosen), per_batch):
        batch = chosen[start : start + per_batch]
        prefixes = np.stack([np.concatenate([head, buffer[index].tokens[:prefix]]) for index in batch]).astype(np.int64)
        truth = np.stack([buffer[index].tokens[prefix : prefix + suffix] for index in batch])
        made = generator.generate(prefixes, suffix)
        rouge, edits = rouge_l(truth, made), edit_distances(truth, made)
        matching = np.cumprod(made == truth, axis=1).sum(axis=1)
        for place, index in enumerate(batch):
            rows[index] |= {
                "rouge_l": float(rouge[place]),
                "normalized_edit_distance": float(edits[place] / suffix),
                "generated_exact": bool(matching[place] == suffix),
                "generated_num_matching": int(matching[place]),
            }
            if not settings.redact and decode is not None:
                rows[index]["generated_text"] = decode(made[place])
