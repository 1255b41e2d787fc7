"""The training step of the default model against a plain torch eager loop on the same module."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.table import Row, ratio_row
from custodiet.nn.gpt import GPT, GPTConfig, resolve_dtype
from custodiet.optim.adamw import FlatAdamW
from custodiet.optim.schedules import Schedule
from custodiet.studies.default_job import DefaultJobConfig
from custodiet.train.batches import Batch
from custodiet.train.loop import Trainer

STEPS = 20


def make_gpt() -> GPT:
    """The default job's model, seeded."""
    job = DefaultJobConfig()
    config = GPTConfig(
        vocab_size=job.vocab_size, context_length=job.context_length, width=job.width, num_layers=job.num_layers,
        num_heads=job.num_heads,
    )  # fmt: skip
    return GPT(config, seed=0)


def make_ours(dtype: torch.dtype, tokens: torch.Tensor) -> Callable[[], float]:
    """One step of ours."""
    job, model = DefaultJobConfig(), make_gpt()
    optimizer = FlatAdamW(
        model.parameters(), betas=(job.beta1, job.beta2), weight_decay=job.weight_decay, clip_norm=job.clip_norm
    )
    trainer = Trainer(model, optimizer, Schedule(peak=job.learning_rate, num_steps=10**6, kind="constant"), dtype=dtype)
    everything = np.ones(tokens.shape, dtype=bool)
    batch = Batch(tokens_BT=tokens.numpy(), valid_BT=everything, keep_BT=everything)
    return lambda: trainer.step([batch]).kept_loss_nats


def make_peer(dtype: torch.dtype, tokens: torch.Tensor) -> Callable[[], float]:
    """One step of the plain loop: F.cross_entropy, AdamW(fused=True), clip_grad_norm_."""
    job, model = DefaultJobConfig(), make_gpt()
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=job.learning_rate,
        betas=(job.beta1, job.beta2),
        weight_decay=job.weight_decay,
        fused=True,
    )
    inputs, targets = tokens[:, :-1].contiguous(), tokens[:, 1:].reshape(-1)

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
            logits = model.logits(model.forward_hidden(inputs))
        loss = F.cross_entropy(logits.float().reshape(len(targets), -1), targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), job.clip_norm)
        optimizer.step()
        return loss.item()

    return step


def run(rounds: int = 7) -> list[Row]:
    """The rows of this benchmark."""
    torch.set_num_threads(1)
    job = DefaultJobConfig()
    tokens = torch.from_numpy(
        np.random.default_rng(0).integers(0, job.vocab_size, (job.batch_rows, job.context_length))
    )
    rows = []
    default = resolve_dtype("auto")
    for dtype in dict.fromkeys((default, torch.float32)):
        ours, peer = make_ours(dtype, tokens), make_peer(dtype, tokens)
        for _ in range(5):
            ours(), peer()
        mine, theirs = [], []
        for _ in range(rounds):
            mine.append(_rate(ours))
            theirs.append(_rate(peer))
        name = str(dtype).removeprefix("torch.")
        rows.append(
            ratio_row(
                f"training_step_{name}", mine, theirs, unit="steps/s (process CPU)",
                peer_version=f"torch {torch.__version__} eager", bar=0.98 if dtype == default else None, better="higher",
                input=f"default model, {job.batch_rows} rows of {job.context_length - 1} targets, {name}",
                reason="the products are the same on both sides and take most of the step; goal 1.3",
            )
        )  # fmt: skip
    return rows


def _rate(step: Callable[[], float]) -> float:
    begin = time.process_time()
    for _ in range(STEPS):
        step()
    return STEPS / (time.process_time() - begin)
