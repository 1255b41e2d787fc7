"""Train an ensemble on a small set of sequences until it stops storing more, and count what it stored.

Shape suffixes: M models, N sequences, T positions, B sequences of a batch, P parameters of one model.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from custodiet.base.rng import numpy_rng
from custodiet.entropy.measures import uniform_bits
from custodiet.errors import CheckpointError, NonFiniteLossError, UsageError
from custodiet.memorization.capacity.rounding import Rounding, round_weights
from custodiet.nn.ensemble import EnsembleConfig, GPTEnsemble
from custodiet.optim.schedules import Schedule
from custodiet.records.files import write_bytes_atomic

__all__ = ["Fit", "FitConfig", "fit_random_tokens", "fit_tokens", "random_tokens"]

SNAPSHOT_STEPS = 50
MAX_RESTARTS = 8


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


class _State:
    """Weights, moments and the guard; what a checkpoint holds."""

    def __init__(self, ensemble: GPTEnsemble) -> None:
        models, device = ensemble.config.num_models, ensemble.flat.device
        self.weights_MP = ensemble.flat.detach()
        self.first_MP, self.second_MP = torch.zeros_like(self.weights_MP), torch.zeros_like(self.weights_MP)
        self.rate_M = torch.ones(models, dtype=torch.float32, device=device)
        self.running_M = torch.full((models,), math.nan, device=device)
        self.num_restarts_M = torch.zeros(models, dtype=torch.int64, device=device)
        self.step = 0
        self.cpu_s = 0.0
        self.curve: list[tuple[int, list[float]]] = []
        self.good = self.better = self._copy()

    def _copy(self) -> tuple[Tensor, ...]:
        return tuple(one.clone() for one in (self.weights_MP, self.first_MP, self.second_MP, self.running_M))

    def snapshot(self) -> None:
        """Keep the weights of now; the guard goes back to those of the snapshot before."""
        self.good, self.better = self.better, self._copy()

    def restore(self, bad_M: Tensor) -> None:
        """Take the models marked bad back, at half their learning rate."""
        for now, then in zip((self.weights_MP, self.first_MP, self.second_MP, self.running_M), self.good, strict=True):
            now[bad_M] = then[bad_M]
        self.better = tuple(
            torch.where(bad_M.view(-1, *[1] * (old.dim() - 1)), then, old)
            for old, then in zip(self.better, self.good, strict=True)
        )
        self.rate_M[bad_M] *= 0.5
        self.num_restarts_M[bad_M] += 1

    def tensors(self) -> dict[str, Tensor]:
        names = ("weights", "first", "second", "running")
        return {
            **dict(zip(names, (self.weights_MP, self.first_MP, self.second_MP, self.running_M), strict=True)),
            **{f"good_{name}": one for name, one in zip(names, self.good, strict=True)},
            **{f"better_{name}": one for name, one in zip(names, self.better, strict=True)},
            "rate": self.rate_M,
            "num_restarts": self.num_restarts_M,
        }

    def save(self, path: Path, config: FitConfig) -> None:
        told = {"config": asdict(config), "step": self.step, "cpu_s": self.cpu_s, "curve": self.curve}
        write_bytes_atomic(
            path, save({k: v.contiguous() for k, v in self.tensors().items()}, {"fit": json.dumps(told)})
        )

    def load(self, path: Path, config: FitConfig) -> None:
        """Continue from `path`.

        Raises:
            CheckpointError: the file is damaged or belongs to another fit.
        """
        try:
            with safe_open(path, "pt") as file:
                told = json.loads((file.metadata() or {})["fit"])
                if told["config"] != asdict(config):
                    raise CheckpointError(f"{path} belongs to another fit", hint="Remove it, or name another folder.")
                for name, tensor in self.tensors().items():
                    tensor.copy_(file.get_tensor(name))
        except (SafetensorError, KeyError, ValueError, OSError) as error:
            raise CheckpointError(f"{path} cannot be read ({error})", hint="Remove it to start over.") from None
        self.step, self.cpu_s = told["step"], told["cpu_s"]
        self.curve = [(step, losses) for step, losses in told["curve"]]


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
    ensemble = GPTEnsemble(
        config.model,
        seed=config.seed,
        device=device,
        head_dtype=torch.bfloat16 if config.bfloat16_head else torch.float32,
    )
    tokens_MNT = tokens_MNT.to(device)
    state = _State(ensemble)
    if checkpoint is not None and checkpoint.exists():
        state.load(checkpoint, config)
    factor_P = torch.ones(config.model.num_params, device=device)
    factor_P[ensemble.places["tokens"]] = config.token_table_rate
    factor_P[ensemble.places["positions"]] = config.position_rate
    schedule = Schedule(
        peak=config.learning_rate,
        num_steps=config.num_steps,
        warmup_steps=min(config.num_steps, round(config.warmup_share * config.num_steps)),
        final_share=config.final_share,
    )
    saved, begun = time.monotonic(), time.process_time() - state.cpu_s
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
            state.cpu_s = time.process_time() - begun
            state.save(checkpoint, config)
            saved = time.monotonic()
    train_cpu_s = time.process_time() - begun
    memorized = _memorized_bits(ensemble, tokens_MNT, config)
    test = ensemble.sequence_bits(test_MNT.to(device)).mean(1) / config.model.sequence_length
    trained = ensemble.flat.detach().clone()
    rounded: dict[str, list[float]] = {}
    for how in get_args(Rounding):
        ensemble.flat.detach().copy_(round_weights(ensemble, how))
        rounded[how] = _memorized_bits(ensemble, tokens_MNT, config)
        ensemble.flat.detach().copy_(trained)
    fit = Fit(
        memorized_bits=memorized,
        bits_per_param=[bits / config.model.num_params for bits in memorized],
        test_bits_per_token=test.tolist(),
        rounded_memorized_bits=rounded,
        num_restarts=state.num_restarts_M.tolist(),
        num_params=config.model.num_params,
        num_steps=config.num_steps,
        train_cpu_s=train_cpu_s,
        curve=state.curve,
    )
    return fit, ensemble


def _memorized_bits(ensemble: GPTEnsemble, tokens_MNT: Tensor, config: FitConfig) -> list[float]:
    return [config.dataset_bits - bits for bits in ensemble.sequence_bits(tokens_MNT).sum(1).tolist()]


def _batch(tokens_MNT: Tensor, config: FitConfig, step: int) -> Tensor:
    """Sequences of a step: epochs of a seeded order, one behind the other, so that any step can be had on its own."""
    if config.batch_size is None or config.batch_size == config.num_sequences:
        return tokens_MNT
    first, num = step * config.batch_size, config.num_sequences
    picked: list[np.ndarray] = []
    wanted = config.batch_size
    while wanted:
        epoch, place = divmod(first, num)
        part = numpy_rng(config.seed, "batches", epoch).permutation(num)[place : place + wanted]
        picked.append(part)
        first, wanted = first + len(part), wanted - len(part)
    return tokens_MNT[:, torch.from_numpy(np.concatenate(picked)).to(tokens_MNT.device)]


def _guard(state: _State, losses_M: Tensor, *, after_warmup: bool) -> bool:
    """Update the running loss; False when a model had to go back, and this step does not count."""
    first = torch.isnan(state.running_M)
    leap = after_warmup & (losses_M > 1.3 * state.running_M + 0.3) & ~first
    bad_M = ~torch.isfinite(losses_M) | leap
    if bool(bad_M.any()):
        state.restore(bad_M)
        if int(state.num_restarts_M.max()) > MAX_RESTARTS:
            raise NonFiniteLossError(
                f"the loss left its course {MAX_RESTARTS + 1} times, the last time at step {state.step}",
                hint="Take a smaller learning rate.",
            )
        return False
    state.running_M.copy_(torch.where(first, losses_M, 0.98 * state.running_M + 0.02 * losses_M))
    return True


def _adam(state: _State, grad_MP: Tensor, factor_P: Tensor, config: FitConfig, rate: float) -> None:
    """One step of Adam (Kingma & Ba 2015), a learning rate per model and weight."""
    state.first_MP.lerp_(grad_MP, 1 - config.beta1)
    state.second_MP.mul_(config.beta2).addcmul_(grad_MP, grad_MP, value=1 - config.beta2)
    done = state.step + 1
    root = (state.second_MP / (1 - config.beta2**done)).sqrt_().add_(config.eps)
    step = (state.first_MP / root).mul_(factor_P).mul_(state.rate_M.unsqueeze(1))
    state.weights_MP.sub_(step, alpha=rate / (1 - config.beta1**done))
