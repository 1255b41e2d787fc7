"""Train an ensemble on a small set of sequences until it stops storing more, and count what it stored.

Shape suffixes: M models, N sequences, T positions, B sequences of a batch, P parameters of one model.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from torch import Tensor

from custodiet.base.rng import numpy_rng
from custodiet.entropy.measures import uniform_bits
from custodiet.errors import UsageError
from custodiet.memorization.capacity.rounding import Rounding, round_weights
from custodiet.memorization.capacity.state import SNAPSHOT_STEPS, FitState, adam_direction, judge_losses
from custodiet.nn.ensemble import EnsembleConfig, GPTEnsemble
from custodiet.optim.schedules import Schedule

__all__ = [
    "Fit",
    "FitConfig",
    "batch_places",
    "fit_random_tokens",
    "fit_tokens",
    "make_ensemble",
    "measure_fit",
    "rate_factors",
    "random_tokens",
]


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """One training run on random tokens; the defaults of the rates are those of `docs/log.md`."""

    model: EnsembleConfig
    num_sequences: int
    num_steps: int
    batch_size: int | None = None
    """sequences per step; None takes all of them"""
    learning_rate: float = 0.04
    token_table_rate: float = 2.0
    """learning rate of the token table over that of the other weights"""
    position_rate: float = 0.5
    beta1: float = 0.85
    beta2: float = 0.95
    eps: float = 1e-10
    warmup_share: float = 0.1
    final_share: float = 0.001
    bfloat16_head: bool = True
    bfloat16_body: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.num_sequences < 1 or self.num_steps < 1:
            raise UsageError(
                "num_sequences and num_steps are too small",
                expected="at least 1",
                got=(self.num_sequences, self.num_steps),
            )
        if self.batch_size is not None and not 1 <= self.batch_size <= self.num_sequences:
            raise UsageError("batch_size does not fit", expected=f"1 to {self.num_sequences}", got=self.batch_size)

    @property
    def step_sequences(self) -> int:
        """Sequences of one step."""
        return self.batch_size or self.num_sequences

    @property
    def schedule(self) -> Schedule:
        """Warm-up and linear decay over all steps."""
        return Schedule(
            peak=self.learning_rate,
            num_steps=self.num_steps,
            warmup_steps=min(self.num_steps, round(self.warmup_share * self.num_steps)),
            final_share=self.final_share,
        )

    @property
    def dataset_bits(self) -> float:
        """Entropy of the data set of one model."""
        return self.num_sequences * uniform_bits(self.model.vocab_size, self.model.sequence_length)

    @property
    def ceiling_bits(self) -> float:
        """What perfect memory of the set can save: which of the N sequences it is still costs log2 N bits each."""
        return self.dataset_bits - self.num_sequences * math.log2(self.num_sequences)


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What came out, one entry per model in every list."""

    memorized_bits: list[float]
    """dataset bits less code length, float32 logits, all T tokens of all sequences"""
    bits_per_param: list[float]
    test_bits_per_token: list[float]
    """code length of as many fresh random sequences; log2 V is what a model that stored nothing needs"""
    rounded_memorized_bits: dict[str, list[float]]
    """the same count with the weights rounded: bfloat16, int8, int6"""
    num_restarts: list[int]
    """how often a diverging model went back to its last good weights at half the learning rate"""
    num_params: int
    num_steps: int
    train_cpu_s: float
    train_wall_s: float
    curve: list[tuple[int, list[float]]]
    """(step, mean nats per token of the last batches)"""


def random_tokens(config: FitConfig, name: str = "random tokens") -> Tensor:
    """The data: int64 (M, N, T), uniform over the vocabulary, one stream per model; another name is other data."""
    shape = (config.num_sequences, config.model.sequence_length)
    parts = [
        numpy_rng(config.seed, name, model).integers(0, config.model.vocab_size, size=shape)
        for model in range(config.model.num_models)
    ]
    return torch.from_numpy(np.stack(parts))


def fit_random_tokens(
    config: FitConfig,
    *,
    device: str = "cpu",
    checkpoint: Path | None = None,
    checkpoint_s: float = 60.0,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> tuple[Fit, GPTEnsemble]:
    """`fit_tokens` on uniform random tokens, tested on fresh ones.

    Reference:
        Morris et al. 2025, arXiv 2505.24832, section 3: memorized bits of random data are its entropy less the code length.
        There a million steps of 2048 sequences; here as many as `num_steps` says.
    """
    return fit_tokens(
        config,
        random_tokens(config),
        random_tokens(config, "test tokens"),
        device=device,
        checkpoint=checkpoint,
        checkpoint_s=checkpoint_s,
        on_progress=on_progress,
    )


def fit_tokens(
    config: FitConfig,
    tokens_MNT: Tensor,
    test_MNT: Tensor,
    *,
    device: str = "cpu",
    checkpoint: Path | None = None,
    checkpoint_s: float = 60.0,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> tuple[Fit, GPTEnsemble]:
    """Adam with a rate per table, warm-up and linear decay to nearly zero; no weight decay.

    A model whose loss is not finite, or leaps by 30 % and 0.3 nats over its running mean, goes back to weights that are 50 to
    100 steps old, at half its learning rate; the others go on.

    Args:
        config: what to train.
        tokens_MNT: int64 ids, N being `config.num_sequences`.
        test_MNT: int64 ids that are not trained on; any N.
        device: "cpu" or a CUDA device.
        checkpoint: file that is written every `checkpoint_s` seconds and continued from when it is there; the result
            is bit for bit that of a run without a pause (CPU, one thread).
        checkpoint_s: seconds between checkpoints.
        on_progress: called with (step, num_steps, note).

    Returns:
        What came out, and the trained models.

    Raises:
        NonFiniteLossError: a model diverged more than eight times.
        CheckpointError: `checkpoint` is damaged or of another fit.
    """
    ensemble = make_ensemble(config, device)
    tokens_MNT = tokens_MNT.to(device)
    state = FitState(ensemble)
    if checkpoint is not None and checkpoint.exists():
        state.load(checkpoint, config)
    factor_P, schedule = rate_factors(config, ensemble), config.schedule
    saved, begun = time.monotonic(), time.process_time() - state.cpu_s
    begun_wall = saved - state.wall_s
    note_steps = max(1, config.num_steps // 50)
    while state.step < config.num_steps:
        losses_M, grad_MP = ensemble.gradients(_batch(tokens_MNT, config, state.step))
        if _guard(state, losses_M, after_warmup=state.step >= schedule.warmup_steps):
            if state.step % SNAPSHOT_STEPS == 0:
                state.snapshot()
            _adam(state, grad_MP, factor_P, config, schedule.rate_at(state.step))
        state.step += 1
        if state.step % note_steps == 0 or state.step == config.num_steps:
            state.curve.append((state.step, state.running_M.tolist()))
            if on_progress is not None:
                on_progress(state.step, config.num_steps, f"loss {state.running_M.mean().item():.3f} nats")
        if checkpoint is not None and time.monotonic() - saved > checkpoint_s:
            state.cpu_s, state.wall_s = time.process_time() - begun, time.monotonic() - begun_wall
            state.save(checkpoint, config)
            saved = time.monotonic()
    state.cpu_s, state.wall_s = time.process_time() - begun, time.monotonic() - begun_wall
    return measure_fit(config, ensemble, state, tokens_MNT, test_MNT.to(device)), ensemble


def make_ensemble(config: FitConfig, device: str) -> GPTEnsemble:
    """The models before the first step."""
    return GPTEnsemble(
        config.model,
        seed=config.seed,
        device=device,
        head_dtype=torch.bfloat16 if config.bfloat16_head else torch.float32,
        body_dtype=torch.bfloat16 if config.bfloat16_body else torch.float32,
    )


def rate_factors(config: FitConfig, ensemble: GPTEnsemble) -> Tensor:
    """Learning rate of each weight over that of the schedule, float32 (P,)."""
    factor_P = torch.ones(config.model.num_params, device=ensemble.flat.device)
    factor_P[ensemble.places["tokens"]] = config.token_table_rate
    factor_P[ensemble.places["positions"]] = config.position_rate
    return factor_P


def measure_fit(config: FitConfig, ensemble: GPTEnsemble, state: FitState, tokens_MNT: Tensor, test_MNT: Tensor) -> Fit:
    """Count what trained models stored; the ensemble is left as it is."""
    memorized = _memorized_bits(ensemble, tokens_MNT, config)
    test = ensemble.sequence_bits(test_MNT).mean(1) / config.model.sequence_length
    trained = ensemble.flat.detach().clone()
    rounded: dict[str, list[float]] = {}
    for how in get_args(Rounding):
        ensemble.flat.detach().copy_(round_weights(ensemble, how))
        rounded[how] = _memorized_bits(ensemble, tokens_MNT, config)
        ensemble.flat.detach().copy_(trained)
    return Fit(
        memorized_bits=memorized,
        bits_per_param=[bits / config.model.num_params for bits in memorized],
        test_bits_per_token=test.tolist(),
        rounded_memorized_bits=rounded,
        num_restarts=state.num_restarts_M.tolist(),
        num_params=config.model.num_params,
        num_steps=config.num_steps,
        train_cpu_s=state.cpu_s,
        train_wall_s=state.wall_s,
        curve=state.curve,
    )


def _memorized_bits(ensemble: GPTEnsemble, tokens_MNT: Tensor, config: FitConfig) -> list[float]:
    return [config.dataset_bits - bits for bits in ensemble.sequence_bits(tokens_MNT).sum(1).tolist()]


def batch_places(config: FitConfig, step: int) -> np.ndarray:
    """Which sequences a step takes, int64: epochs of a seeded order, one behind the other, so that any step can be had alone."""
    first, num, wanted = step * config.step_sequences, config.num_sequences, config.step_sequences
    if wanted == num:
        return np.arange(num)
    picked: list[np.ndarray] = []
    while wanted:
        epoch, place = divmod(first, num)
        part = numpy_rng(config.seed, "batches", epoch).permutation(num)[place : place + wanted]
        picked.append(part)
        first, wanted = first + len(part), wanted - len(part)
    return np.concatenate(picked)


def _batch(tokens_MNT: Tensor, config: FitConfig, step: int) -> Tensor:
    if config.step_sequences == config.num_sequences:
        return tokens_MNT
    return tokens_MNT[:, torch.from_numpy(batch_places(config, step)).to(tokens_MNT.device)]


def _guard(state: FitState, losses_M: Tensor, *, after_warmup: bool) -> bool:
    """Update the running loss; False when a model had to go back, and this step does not count."""
    bad_M, running_M = judge_losses(losses_M, state.running_M, after_warmup=after_warmup)
    if bool(bad_M.any()):
        state.restore(bad_M)
        state.check_restarts()
        return False
    state.running_M.copy_(running_M)
    return True


def _adam(state: FitState, grad_MP: Tensor, factor_P: Tensor, config: FitConfig, rate: float) -> None:
    done = state.step + 1
    step = adam_direction(state, grad_MP, factor_P, config, second_share=1 - config.beta2**done)
    state.weights_MP.sub_(step, alpha=rate / (1 - config.beta1**done))
