"""Exposure of planted canaries."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from custodiet.base.protocols import TargetScorer, TokenCodec
from custodiet.data.canaries import Canary

__all__ = ["CANARY_SCHEMA", "score_canaries"]

CANARY_SCHEMA = {
    "canary_id": pl.String,
    "inserted": pl.Boolean,
    "repeats": pl.Int64,
    "rank": pl.Float64,
    "num_candidates": pl.Int64,
    "exposure_bits": pl.Float64,
}


def score_canaries(
    canaries: Sequence[Canary],
    *,
    scorer: TargetScorer,
    codec: TokenCodec,
    batch_tokens: int = 16384,
    chunk: int = 256,
    on_progress: Callable[[int, int], None] | None = None,
) -> pl.DataFrame:
    """Rank every canary's text among the same text with other secrets, by its total log-probability.

    Args:
        canaries: planted and left-out canaries; the true text is among the candidates.
        scorer: the model.
        codec: its tokenizer.
        batch_tokens: tokens per forward pass.
        chunk: rows of logits held at once.
        on_progress: called with canaries done and their number.

    Returns:
        Frame with `CANARY_SCHEMA`; ties take the middle rank, so that a model that knows nothing has exposure around
        log2(e) = 1.44 bits on average.

    Reference:
        Carlini et al. 2019, arXiv 1802.08232, definition of exposure: log2 of the candidates less log2 of the rank.
    """
    rows = []
    head = [] if codec.bos_id is None else [codec.bos_id]
    for done, canary in enumerate(canaries):
        ids = [np.concatenate([head, one]).astype(np.int64) for one in codec.encode(canary.candidates)]
        ids = [one[: scorer.context_length] for one in ids]
        nats = np.empty(len(ids))
        longest = max(map(len, ids))
        per_batch = max(1, batch_tokens // longest)
        for start in range(0, len(ids), per_batch):
            part = ids[start : start + per_batch]
            lengths = np.array(list(map(len, part)))
            tokens_BT = np.zeros((len(part), longest), dtype=np.int64)
            for row, one in enumerate(part):
                tokens_BT[row, : len(one)] = one
            scores = scorer.score_targets(tokens_BT, lengths_B=lengths, chunk=chunk)
            real = np.arange(longest - 1)[None, :] < (lengths - 1)[:, None]
            nats[start : start + len(part)] = np.where(real, scores.logprob_BT, 0.0).sum(axis=1)
        true = nats[canary.candidates.index(canary.text)]
        rank = 1 + float((nats > true).sum()) + 0.5 * float((nats == true).sum() - 1)
        rows.append(
            {
                "canary_id": canary.id,
                "inserted": canary.inserted,
                "repeats": canary.repeats,
                "rank": rank,
                "num_candidates": len(ids),
                "exposure_bits": math.log2(len(ids)) - math.log2(rank),
            }
        )
        if on_progress:
            on_progress(done + 1, len(canaries))
    return pl.DataFrame(rows, schema=CANARY_SCHEMA)
