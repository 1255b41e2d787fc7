"""`fit_tokens` for a GPU: all that changes from step to step lies in buffers there, and the host looks in once a block.

The arithmetic is that of `fit.fit_tokens`, but for the rounding of the last product and for one thing: while a model goes
back to its snapshot, the others take their step.

Shape suffixes: M models, N sequences, T positions, B sequences of a step, S steps of a block, P parameters of one model,
K the three scalars of a step.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from custodiet.memorization.capacity.fit import (
    Fit,
    FitConfig,
    batch_places,
    make_ensemble,
    measure_fit,
    random_tokens,
    rate_factors,
)
from custodiet.memorization.capacity.graph import record_step
from custodiet.memorization.capacity.state import SNAPSHOT_STEPS, DeviceState, adam_direction, judge_losses
from custodiet.nn.ensemble import GPTEnsemble

__all__ = ["BLOCK_STEPS", "CellCost", "StaticStep", "fit_random_tokens_on_device", "measure_cost"]

BLOCK_STEPS = 100
"""steps between two looks of the host; a multiple of SNAPSHOT_STEPS"""
TIMED_STEPS = 64
TIMED_S = 0.25
EVALUATION_BATCH = 64
NUM_EVALUATIONS = 5
"""passes over as many sequences as the set has: the set, the set with three roundings, fresh sequences"""


class StaticStep:
    """One training step on fixed buffers: gradients, guard and Adam, with no question to the host.

    Args:
        config: what is trained.
        ensemble: the models, on any device.
        tokens_MNT: int64 ids on the same device.
        state: weights, moments and guard of `ensemble`.
    """

    def __init__(self, config: FitConfig, ensemble: GPTEnsemble, tokens_MNT: Tensor, state: DeviceState) -> None:
        self.config, self.ensemble, self.tokens_MNT, self.state = config, ensemble, tokens_MNT, state
        device = ensemble.flat.device
        self.factor_P = rate_factors(config, ensemble)
        self.picks_SB = torch.zeros(BLOCK_STEPS, config.step_sequences, dtype=torch.int64, device=device)
        self.scalars_SK = torch.zeros(BLOCK_STEPS, 3, device=device)
        self.row_1 = torch.zeros(1, dtype=torch.int64, device=device)

    def block(self, first_step: int) -> tuple[Tensor, Tensor]:
        """What the steps from `first_step` on need, on the host: int64 (S, B) and float32 (S, K), cut at the last step."""
        config, schedule = self.config, self.config.schedule
        steps = range(first_step, min(first_step + BLOCK_STEPS, config.num_steps))
        picks_SB = np.stack([batch_places(config, step) for step in steps])
        scalars = [
            (
                schedule.rate_at(step) / (1 - config.beta1 ** (step + 1)),
                1 - config.beta2 ** (step + 1),
                float(step >= schedule.warmup_steps),
            )
            for step in steps
        ]
        return torch.from_numpy(picks_SB), torch.tensor(scalars, dtype=torch.float32)

    def load(self, block: tuple[Tensor, Tensor]) -> None:
        """Copy a block into the buffers and point at its first step."""
        for buffer, part in zip((self.picks_SB, self.scalars_SK), block, strict=True):
            buffer[: len(part)].copy_(part)
        self.row_1.zero_()

    def run(self) -> None:
        """Make the step that `row_1` points at, and point at the next; this is what a graph records."""
        state = self.state
        rate, second_share, after_warmup = self.scalars_SK.index_select(0, self.row_1)[0].unbind()
        picks_B = self.picks_SB.index_select(0, self.row_1)[0]
        losses_M, grad_MP = self.ensemble.gradients(self.tokens_MNT.index_select(1, picks_B))
        bad_M, running_M = judge_losses(losses_M, state.running_M, after_warmup=after_warmup > 0)
        direction = adam_direction(state, grad_MP, self.factor_P, self.config, second_share=second_share)
        state.weights_MP.sub_(direction.mul_(rate))
        state.running_M.copy_(running_M)
        state.restore(bad_M)
        self.row_1.add_(1)

    def record(self) -> tuple[Callable[[], None], str]:
        """`run` as a CUDA graph where that can be done, and how it runs (`graph.record_step`)."""
        return record_step(self.run, [*self.state.tensors().values(), self.row_1], str(self.ensemble.flat.device))


def fit_random_tokens_on_device(
    config: FitConfig,
    *,
    device: str,
    checkpoint: Path | None = None,
    checkpoint_s: float = 120.0,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> tuple[Fit, GPTEnsemble, str]:
    """Train on uniform random tokens, one recorded step after the other, and count what was stored.

    Args:
        config: what to train.
        device: "cpu" or a CUDA device.
        checkpoint: file that is written every `checkpoint_s` seconds, between blocks, and continued from.
        checkpoint_s: seconds between checkpoints.
        on_progress: called after every block with (step, num_steps, note).

    Returns:
        What came out, the trained models, and how steps were run.

    Raises:
        NonFiniteLossError: a model went back more than eight times.
        CheckpointError: `checkpoint` is damaged or of another fit.
    """
    ensemble = make_ensemble(config, device)
    tokens_MNT = random_tokens(config).to(device)
    state = DeviceState(ensemble)
    if checkpoint is not None and checkpoint.exists():
        state.load(checkpoint, config)
    step = StaticStep(config, ensemble, tokens_MNT, state)
    saved, begun = time.monotonic(), time.process_time() - state.cpu_s
    begun_wall = saved - state.wall_s
    block = step.block(min(state.step, config.num_steps - 1))
    step.load(block)
    replay, how = step.record()
    while state.step < config.num_steps:
        for done in range(len(block[0])):
            if (state.step + done) % SNAPSHOT_STEPS == 0:
                state.snapshot()
            replay()
        state.step += len(block[0])
        if state.step < config.num_steps:
            block = step.block(state.step)  # while the device works
            step.load(block)
        state.check_restarts()
        running = state.running_M.tolist()
        state.curve.append((state.step, running))
        if on_progress is not None:
            on_progress(state.step, config.num_steps, f"loss {sum(running) / len(running):.3f} nats")
        if checkpoint is not None and time.monotonic() - saved > checkpoint_s:
            state.cpu_s, state.wall_s = time.process_time() - begun, time.monotonic() - begun_wall
            state.save(checkpoint, config)
            saved = time.monotonic()
    state.cpu_s, state.wall_s = time.process_time() - begun, time.monotonic() - begun_wall
    return (
        measure_fit(config, ensemble, state, tokens_MNT, random_tokens(config, "test tokens").to(device)),
        ensemble,
        how,
    )


@dataclass(frozen=True, kw_only=True)
class CellCost:
    """What a fit takes, measured on its own shapes."""

    step_s: float
    """one step, after warm-up"""
    fixed_s: float
    """building, recording and evaluating"""


def measure_cost(config: FitConfig, *, device: str) -> CellCost:
    """Build the fit, record its step, time it and one batch of the evaluation, and throw all of it away.

    Raises:
        torch.OutOfMemoryError: it does not fit into the GPU's memory.
    """
    begun = time.monotonic()
    ensemble = make_ensemble(config, device)
    tokens_MNT = random_tokens(config).to(device)
    step = StaticStep(config, ensemble, tokens_MNT, DeviceState(ensemble))
    block = step.block(0)
    step.load(block)
    replay, _ = step.record()
    replay()
    _wait(device)
    fixed_s = time.monotonic() - begun
    num, longest, step_s = 1, min(TIMED_STEPS, len(block[0])), math.inf
    while True:
        step.load(block)
        _wait(device)
        begun = time.monotonic()
        for _ in range(num):
            replay()
        _wait(device)
        spent = time.monotonic() - begun
        step_s = spent / num
        if num == longest or spent > TIMED_S:
            break
        num = min(2 * num, longest)
    batch_s = math.inf
    for _ in range(2):  # the first loads kernels
        begun = time.monotonic()
        ensemble.sequence_bits(tokens_MNT[:, :EVALUATION_BATCH])
        _wait(device)
        batch_s = min(batch_s, time.monotonic() - begun)
    num_batches = math.ceil(config.num_sequences / EVALUATION_BATCH)
    return CellCost(step_s=step_s, fixed_s=fixed_s + NUM_EVALUATIONS * num_batches * batch_s)


def _wait(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
