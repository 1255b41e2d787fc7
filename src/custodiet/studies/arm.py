"""One arm of the default job, in a process of its own: train, measure, write.

Run as ``python -m custodiet.studies.arm WORK NAME``; progress goes to standard output as JSON lines.
Shape suffixes: D documents in order of training, B rows, T positions.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from custodiet.base.rng import derive_seed, numpy_rng
from custodiet.data.embedded import DefaultSplit, SplitDocument
from custodiet.data.goldfish_mask import goldfish_mask_numpy
from custodiet.errors import CustodietError
from custodiet.records.files import atomic_path, write_text_atomic

__all__ = ["Stream", "main", "make_stream", "measure_tokens_per_s", "run_arm"]

Say = Callable[[str, float, float, str], None]


class Stream:
    """The order in which an arm sees passages, and what of them is in the loss.

    Args:
        passages: tokens of each distinct passage, without BOS.
        order_D: index into `passages`, in order of training.
        keeps: per passage, bool per token: True where the target is in the loss.
    """

    def __init__(self, passages: list[np.ndarray], order_D: np.ndarray, keeps: list[np.ndarray]) -> None:
        self.passages = passages
        self.order_D = order_D
        self.keeps = keeps
        self.num_input_tokens = int(sum(len(passages[index]) for index in order_D))
        self.num_supervised_tokens = int(sum(int(keeps[index].sum()) for index in order_D))

    def exposures(self) -> np.ndarray:
        """Times that each passage is shown, int64, one per passage."""
        return np.bincount(self.order_D, minlength=len(self.passages))


def make_stream(split: DefaultSplit, config: dict[str, Any], arm: str) -> tuple[Stream, list[str]]:
    """The arm's stream and the ids of its passages.

    Both arms share one seeded order of members (as often as their bucket says), planted canaries and background. The
    goldfish arm then goes on with the beginning of a second seeded order until its kept targets are as many as the
    cross-entropy arm's targets.
    """
    trained: list[tuple[str, np.ndarray, int]] = []
    for doc in split.documents:
        if doc.split == "member":
            trained.append((doc.id, doc.tokens, doc.repeats or 0))
        elif doc.split == "background":
            trained.append((doc.id, doc.tokens, int(config["background_epochs"])))
    for canary in split.canaries:
        if canary.inserted:
            trained.append((canary.id, split.tokenizer.encode([canary.text])[0], canary.repeats))
    passages = [tokens for _, tokens, _ in trained]
    ids = [name for name, _, _ in trained]
    once = np.repeat(np.arange(len(trained)), [count for _, _, count in trained])
    order = numpy_rng(config["seed"], "order", 0).permutation(once)
    full = [np.ones(len(tokens), dtype=bool) for tokens in passages]
    plain = Stream(passages, order, full)
    if arm == "cross_entropy":
        return plain, ids
    settings = {"k": config["goldfish_k"], "h": config["goldfish_h"], "seed": config["goldfish_seed"]}
    keeps = [goldfish_mask_numpy(tokens, **settings) for tokens in passages]
    kept = np.array([int(keep.sum()) for keep in keeps])
    second = numpy_rng(config["seed"], "order", 1).permutation(once)
    missing = plain.num_supervised_tokens - int(kept[order].sum())
    num_more = int(np.searchsorted(np.cumsum(kept[second]), missing)) + 1
    return Stream(passages, np.concatenate([order, second[:num_more]]), keeps), ids


def make_batches(stream: Stream, *, bos_id: int, batch_rows: int, row_tokens: int) -> Iterator[Any]:
    """Rows of [BOS] + passage, right-padded, in the order of the stream."""
    from custodiet.train.batches import Batch

    for start in range(0, len(stream.order_D), batch_rows):
        chosen = stream.order_D[start : start + batch_rows]
        tokens_BT = np.full((len(chosen), row_tokens), bos_id, dtype=np.int64)
        keep_BT = np.zeros((len(chosen), row_tokens), dtype=bool)
        valid_BT = np.zeros((len(chosen), row_tokens), dtype=bool)
        for row, index in enumerate(chosen):
            size = len(stream.passages[index])
            tokens_BT[row, 1 : size + 1] = stream.passages[index]
            keep_BT[row, 1 : size + 1] = stream.keeps[index]
            valid_BT[row, 1 : size + 1] = True
        yield Batch(tokens_BT=tokens_BT, keep_BT=keep_BT, valid_BT=valid_BT)
