"""The training step: sums over micro-batches and ranks, divided once by the number of kept targets."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from custodiet.errors import NonFiniteLossError
from custodiet.nn.gpt import GPT
from custodiet.nn.losses import linear_cross_entropy, token_losses
from custodiet.optim.adamw import FlatAdamW
from custodiet.optim.schedules import Schedule
from custodiet.train.batches import Batch, DeviceBatch
from custodiet.train.distributed import sum_over_ranks

__all__ = ["StepMetrics", "Trainer"]


@dataclass(frozen=True, kw_only=True)
class StepMetrics:
    """One optimizer step; losses are means over the step's own targets, before the step."""

    step: int
    learning_rate: float
    grad_norm: float
    kept_loss_nats: float
    dropped_loss_nats: float | None
    """None when it was not asked for or nothing was dropped"""
    num_input_tokens: int
    num_kept: int
    num_dropped: int


class Trainer:
    """Takes optimizer steps on one model.

    Args:
        model: the GPT; its parameters must be the optimizer's.
        optimizer: with its clipping.
        schedule: learning rate per step.
        dtype: of the products; weights, sums and optimizer stay float32.
        step: number of steps already taken.
    """

    def __init__(
        self, model: GPT, optimizer: FlatAdamW, schedule: Schedule, *, dtype: torch.dtype = torch.float32, step: int = 0
    ) -> None:
        self.model, self.optimizer, self.schedule, self.dtype = model, optimizer, schedule, dtype
        self.num_steps_done = step
        self.device = next(model.parameters()).device

    def step(self, micro_batches: Sequence[Batch], *, with_dropped_loss: bool = False) -> StepMetrics:
        """One step on the union of the micro-batches, whatever their sizes and kept shares.

        The gradient is that of the sum over all kept targets of all micro-batches and ranks, divided by their number:
        a row with few kept targets does not weigh more than its targets. A step without any kept target moves nothing
        but the moments' decay.

        Raises:
            NonFiniteLossError: the loss or the gradient is NaN or infinite; the weights are those before the step.
        """
        self.optimizer.zero_grad()
        sums = torch.zeros(4, dtype=torch.float64)  # kept nats, kept, dropped nats, dropped
        num_input_tokens = 0
        for batch in micro_batches:
            moved = batch.to(self.device)
            hidden = self._hidden(moved)
            kept = moved.keep_BT.reshape(-1)
            loss = linear_cross_entropy(hidden, self.model.head_VD, moved.targets_BT.reshape(-1), kept, reduction="sum")
            loss.backward()
            dropped_nats = self._dropped_nats(hidden.detach(), moved) if with_dropped_loss else 0.0
            sums += torch.tensor([loss.item(), batch.num_kept, dropped_nats, batch.num_targets - batch.num_kept])
            num_input_tokens += batch.num_targets
        sums = sum_over_ranks(sums)
        sum_over_ranks(self.optimizer.grad)
        kept_nats, num_kept, dropped_sum, num_dropped = sums.tolist()
        self._check(kept_nats, "loss")
        learning_rate = self.schedule.rate_at(self.num_steps_done)
        if not bool(torch.isfinite(self.optimizer.grad.sum())):
            self._check(math.nan, "gradient")
        norm = self.optimizer.step(learning_rate, grad_scale=1.0 / max(1.0, num_kept)).item()
        self.num_steps_done += 1
        return StepMetrics(
            step=self.num_steps_done,
            learning_rate=learning_rate,
            grad_norm=norm,
            kept_loss_nats=kept_nats / max(1.0, num_kept),
            dropped_loss_nats=dropped_sum / num_dropped if with_dropped_loss and num_dropped else None,
            num_input_tokens=num_input_tokens,
            num_kept=int(num_kept),
            num_dropped=int(num_dropped),
        )

    def _hidden(self, batch: DeviceBatch) -> Tensor:
        with self.autocast():
            hidden = self.model.forward_hidden(
                batch.inputs_BT, segment_BT=batch.segment_BT, position_BT=batch.position_BT
            )
        return hidden.to(self.dtype).reshape(-1, hidden.shape[-1])

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """The context in which products run in this trainer's dtype."""
        if self.dtype == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def _dropped_nats(self, hidden_ND: Tensor, batch: DeviceBatch) -> float:
        rows = batch.dropped_BT.reshape(-1).nonzero().squeeze(1)
        targets = batch.targets_BT.reshape(-1)[rows]
        return float(token_losses(hidden_ND[rows], self.model.head_VD, targets).sum())

    def _check(self, number: float, name: str) -> None:
        if not math.isfinite(number):
            raise NonFiniteLossError(
                f"the {name} is not finite at step {self.num_steps_done + 1}",
                hint="Lower the learning rate or the gradient clip; the last good checkpoint is kept.",
            )
