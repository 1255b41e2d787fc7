"""Greedy 50+50-token extraction: one teacher-forced pass against `generate` of transformers.

Both see the same windows and the same model. Half of the windows are the model's own greedy continuations, so that the
verdicts are of both kinds; a verdict may differ only where the best two logits are closer than rounding.
"""

from __future__ import annotations

import time

import numpy as np
import torch
import transformers

from benchmarks.table import Row, absolute_row, ratio_row
from custodiet.nn.decode import TransformersGenerator
from custodiet.nn.scorer import TransformersScorer

NUM = 64
PREFIX = SUFFIX = 50
VOCAB = 4096
NEAR_TIE_NATS = 1e-4


def make_model() -> transformers.GPT2LMHeadModel:
    """A GPT-2 of 5.8 million parameters with seeded weights."""
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=VOCAB, n_positions=128, n_embd=256, n_layer=6, n_head=8, bos_token_id=0, eos_token_id=0,
        initializer_range=0.3,
    )  # fmt: skip
    return transformers.GPT2LMHeadModel(config).eval()


def make_windows(model: transformers.GPT2LMHeadModel) -> np.ndarray:
    """Windows of prefix and suffix, int64 (NUM, PREFIX + SUFFIX); every second suffix is the model's own."""
    windows = np.random.default_rng(0).integers(1, VOCAB, (NUM, PREFIX + SUFFIX))
    windows[::2, PREFIX:] = TransformersGenerator(model).generate(windows[::2, :PREFIX], SUFFIX)
    return windows


def ours(scorer: TransformersScorer, windows: np.ndarray) -> np.ndarray:
    """Verdicts by argmax = target in one pass."""
    argmax = np.concatenate([scorer.score_targets(part).argmax_BT for part in np.array_split(windows, 4)])
    return (argmax[:, PREFIX - 1 :] == windows[:, PREFIX:]).all(axis=1)


def peer(model: transformers.GPT2LMHeadModel, windows: np.ndarray, batch: int) -> np.ndarray:
    """Verdicts by cached greedy generation."""
    found = []
    with torch.inference_mode():
        for start in range(0, len(windows), batch):
            prefix = torch.from_numpy(windows[start : start + batch, :PREFIX])
            out = model.generate(
                prefix, attention_mask=torch.ones_like(prefix), max_new_tokens=SUFFIX, min_new_tokens=SUFFIX,
                do_sample=False, use_cache=True, pad_token_id=0, eos_token_id=None,
            )  # fmt: skip
            found.append((out[:, PREFIX:].numpy() == windows[start : start + batch, PREFIX:]).all(axis=1))
    return np.concatenate(found)


def run(rounds: int = 3) -> list[Row]:
    """The rows of this benchmark."""
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    model = make_model()
    windows = make_windows(model)
    scorer = TransformersScorer(model, context_length=128)
    ties = near_ties(model, windows)
    rows, rates = [], {}
    verdict = ours(scorer, windows)
    different = 0
    for batch, bar in ((1, 20.0), (8, 3.0), (32, None), (64, None)):
        mine, theirs = [], []
        for _ in range(rounds):
            begin = time.process_time()
            verdict = ours(scorer, windows)
            mine.append(NUM / (time.process_time() - begin))
            begin = time.process_time()
            found = peer(model, windows, batch)
            theirs.append(NUM / (time.process_time() - begin))
        different += int(((found != verdict) & ~ties).sum())
        rates[batch] = (mine, theirs)
        rows.append(_row(f"extraction_vs_generate_batch_{batch}", mine, theirs, bar, f"batch {batch}"))
    best = max(rates, key=lambda batch: max(rates[batch][1]))
    rows.append(_row("extraction_vs_generate_best_batch", *rates[best], None, f"the peer's best batch, {best}"))
    rows.append(
        absolute_row(
            "extraction_verdicts_different", different, unit="windows", kind="count", bar=0, better="lower",
            input=f"{NUM} windows of which {int(verdict.sum())} are extracted, four batch sizes",
            reason=f"windows with best two logits within {NEAR_TIE_NATS:g} (counted as ties): {int(ties.sum())}",
        )
    )  # fmt: skip
    return rows


def near_ties(model: transformers.GPT2LMHeadModel, windows: np.ndarray) -> np.ndarray:
    """Windows where a suffix position's best two logits are closer than rounding."""
    with torch.inference_mode():
        logits = model(torch.from_numpy(windows)).logits[:, PREFIX - 1 : -1]
    best = logits.topk(2, dim=-1).values
    return ((best[..., 0] - best[..., 1]) < NEAR_TIE_NATS).any(dim=1).numpy()


def _row(name: str, mine: list[float], theirs: list[float], bar: float | None, what: str) -> Row:
    return ratio_row(
        name, mine, theirs, unit="windows/s (process CPU)", peer_version=f"transformers {transformers.__version__}",
        input=f"GPT-2 layout, 5.8 M parameters, {NUM} windows of 50+50 tokens, fp32, {what}", bar=bar, better="higher",
        reason="generate needs 50 passes where teacher forcing needs one; at a large batch both are limited by products",
    )  # fmt: skip
