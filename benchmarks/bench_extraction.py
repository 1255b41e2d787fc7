"""Greedy 50+50-token extraction: teacher-forced verdicts against `generate` of transformers.

Both see the same windows and the same model: a deep and narrow one, where a pass costs mostly calls, which is what the bars
are about, and a wider one, where it costs mostly products. Half of the windows are the model's own greedy continuations, so that the
verdicts are of both kinds; a verdict may differ only where the best two logits are closer than rounding.
"""

from __future__ import annotations

import time

import numpy as np
import torch
import transformers

from benchmarks.table import Row, absolute_row, ratio_row
from custodiet.memorization.extraction import find_extracted
from custodiet.nn.decode import TransformersGenerator
from custodiet.nn.scorer import TransformersScorer

NUM = 64
PREFIX = SUFFIX = 50
VOCAB = 4096
NEAR_TIE_NATS = 1e-4


def make_model(width: int, num_layers: int) -> transformers.GPT2LMHeadModel:
    """A GPT-2 with seeded weights, in heads of 32."""
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=VOCAB, n_positions=128, n_embd=width, n_layer=num_layers, n_head=width // 32, bos_token_id=0,
        eos_token_id=0, initializer_range=0.3,
    )  # fmt: skip
    return transformers.GPT2LMHeadModel(config).eval()


def make_windows(model: transformers.GPT2LMHeadModel) -> np.ndarray:
    """Windows of prefix and suffix, int64 (NUM, PREFIX + SUFFIX); every second suffix is the model's own."""
    windows = np.random.default_rng(0).integers(1, VOCAB, (NUM, PREFIX + SUFFIX))
    windows[::2, PREFIX:] = TransformersGenerator(model).generate(windows[::2, :PREFIX], SUFFIX)
    return windows


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
    return [
        *compare(width=128, num_layers=12, bars={1: 20.0, 8: 3.0, 32: None, 64: None}, rounds=rounds),
        *compare(width=256, num_layers=6, bars={1: None, 8: None, 32: None}, rounds=rounds, suffix="_wide"),
    ]


def compare(*, width: int, num_layers: int, bars: dict[int, float | None], rounds: int, suffix: str = "") -> list[Row]:
    """Rows of one model: a ratio for each of the peer's batch sizes, and the verdicts that differ."""
    model = make_model(width, num_layers)
    num_params = sum(parameter.numel() for parameter in model.parameters())
    windows = make_windows(model)
    scorer = TransformersScorer(model, context_length=128)
    ties = near_ties(model, windows)
    verdict = find_extracted(scorer, windows)
    rows, rates, different = [], {}, 0
    for batch in bars:
        mine, theirs, found = [], [], verdict
        for _ in range(rounds):
            begin = time.process_time()
            verdict = find_extracted(scorer, windows)
            mine.append(NUM / (time.process_time() - begin))
            begin = time.process_time()
            found = peer(model, windows, batch)
            theirs.append(NUM / (time.process_time() - begin))
        different += int(((found != verdict) & ~ties).sum())
        rates[batch] = (mine, theirs)
    best = max(rates, key=lambda batch: max(rates[batch][1]))
    for name, batch, bar in [
        *((f"batch_{batch}", batch, bar) for batch, bar in bars.items()),
        ("best_batch", best, None),
    ]:
        mine, theirs = rates[batch]
        what = f"GPT-2 layout, {num_layers} x {width}, {num_params / 1e6:.1f} M parameters, {NUM} windows of 50+50 tokens, fp32"
        rows.append(
            ratio_row(
                f"extraction_vs_generate_{name}{suffix}", mine, theirs, unit="windows/s (process CPU)",
                peer_version=f"transformers {transformers.__version__}", bar=bar, better="higher",
                input=f"{what}, the peer at batch {batch}",
                reason="generate needs 50 passes where teacher forcing needs one, and windows with an early error need half",
            )
        )  # fmt: skip
    rows.append(
        absolute_row(
            f"extraction_verdicts_different{suffix}", different, unit="windows", kind="count", bar=0, better="lower",
            input=f"{NUM} windows of which {int(verdict.sum())} are extracted, {len(bars)} batch sizes",
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
