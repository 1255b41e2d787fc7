"""Weights, moments and the guard of an ensemble in training: what a checkpoint holds, and the arithmetic of a step.

`FitState` asks the host which models went astray; `DeviceState` does the same with no question to the host, so that a step
can be recorded as a CUDA graph. Judgment (`judge_losses`) and Adam (`adam_direction`) are the same for both.

Shape suffixes: M models, P parameters of one model.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from custodiet.errors import CheckpointError, NonFiniteLossError
from custodiet.nn.ensemble import GPTEnsemble
from custodiet.records.files import write_bytes_atomic

if TYPE_CHECKING:
    from custodiet.memorization.capacity.fit import FitConfig

__all__ = ["MAX_RESTARTS", "SNAPSHOT_STEPS", "DeviceState", "FitState", "adam_direction", "judge_losses"]

SNAPSHOT_STEPS = 50
MAX_RESTARTS = 8


class FitState:
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
        self.wall_s = 0.0
        self.curve: list[tuple[int, list[float]]] = []
        self.good, self.better = self._copy(), self._copy()

    def _live(self) -> tuple[Tensor, ...]:
        return self.weights_MP, self.first_MP, self.second_MP, self.running_M

    def _copy(self) -> tuple[Tensor, ...]:
        return tuple(one.clone() for one in self._live())

    def snapshot(self) -> None:
        """Keep the weights of now; the guard goes back to those of the snapshot before."""
        self.good, self.better = self.better, self._copy()

    def restore(self, bad_M: Tensor) -> None:
        """Take the models marked bad back, at half their learning rate."""
        for now, then in zip(self._live(), self.good, strict=True):
            now[bad_M] = then[bad_M]
        self.better = tuple(_choose(bad_M, then, old) for old, then in zip(self.better, self.good, strict=True))
        self.rate_M[bad_M] *= 0.5
        self.num_restarts_M[bad_M] += 1

    def check_restarts(self) -> None:
        """Ask the host whether a model went back too often.

        Raises:
            NonFiniteLossError: more than eight times.
        """
        if int(self.num_restarts_M.max()) > MAX_RESTARTS:
            raise NonFiniteLossError(
                f"the loss left its course {MAX_RESTARTS + 1} times, the last time at step {self.step}",
                hint="Take a smaller learning rate.",
            )

    def tensors(self) -> dict[str, Tensor]:
        """Name -> tensor of everything that a step changes."""
        names = ("weights", "first", "second", "running")
        return {
            **dict(zip(names, self._live(), strict=True)),
            **{f"good_{name}": one for name, one in zip(names, self.good, strict=True)},
            **{f"better_{name}": one for name, one in zip(names, self.better, strict=True)},
            "rate": self.rate_M,
            "num_restarts": self.num_restarts_M,
        }

    def save(self, path: Path, config: FitConfig) -> None:
        """Write a checkpoint, atomically."""
        told = {
            "config": asdict(config), "step": self.step, "cpu_s": self.cpu_s, "wall_s": self.wall_s, "curve": self.curve
        }  # fmt: skip
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
                self.step, self.cpu_s, self.wall_s = told["step"], told["cpu_s"], told["wall_s"]
        except (SafetensorError, KeyError, ValueError, OSError) as error:
            raise CheckpointError(f"{path} cannot be read ({error})", hint="Remove it to start over.") from None
        self.curve = [(step, losses) for step, losses in told["curve"]]


class DeviceState(FitState):
    """The same with buffers that stay where they are and choices made by `torch.where`: no step waits for the host."""

    def __init__(self, ensemble: GPTEnsemble) -> None:
        super().__init__(ensemble)
        self.restored_M = torch.zeros(ensemble.config.num_models, dtype=torch.bool, device=ensemble.flat.device)

    def snapshot(self) -> None:
        """Keep the weights of now; models that went back since the last snapshot stay with the one before it."""
        for good, better, now in zip(self.good, self.better, self._live(), strict=True):
            good.copy_(_choose(self.restored_M, good, better))
            better.copy_(now)
        self.restored_M.zero_()

    def restore(self, bad_M: Tensor) -> None:
        """Take the models marked bad back, at half their learning rate; with none marked nothing changes."""
        for now, then in zip(self._live(), self.good, strict=True):
            now.copy_(_choose(bad_M, then, now))
        self.rate_M.mul_(1 - 0.5 * bad_M)
        self.num_restarts_M.add_(bad_M)
        self.restored_M.logical_or_(bad_M)

    def tensors(self) -> dict[str, Tensor]:
        """Name -> tensor of everything that a step changes."""
        return {**super().tensors(), "restored": self.restored_M}


def _choose(which_M: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    return torch.where(which_M.view(-1, *[1] * (no.dim() - 1)), yes, no)


def judge_losses(losses_M: Tensor, running_M: Tensor, *, after_warmup: bool | Tensor) -> tuple[Tensor, Tensor]:
    """Which models left their course, and the running losses of the others.

    Args:
        losses_M: nats per token of this step, float32.
        running_M: running means, NaN before the first step.
        after_warmup: whether a leap by 30 % and 0.3 nats counts; a loss that is not finite always does.

    Returns:
        bool (M,), and the updated means, float32 (M,).
    """
    first = torch.isnan(running_M)
    leap = after_warmup & (losses_M > 1.3 * running_M + 0.3) & ~first
    bad_M = ~torch.isfinite(losses_M) | leap
    return bad_M, torch.where(first, losses_M, 0.98 * running_M + 0.02 * losses_M)


def adam_direction(
    state: FitState, grad_MP: Tensor, factor_P: Tensor, config: FitConfig, *, second_share: float | Tensor
) -> Tensor:
    """Update the moments and return what is to be subtracted times the learning rate, (M, P).

    Args:
        state: its moments are changed in place.
        grad_MP: gradient of each model's own loss, float32.
        factor_P: learning rate of each weight over that of the schedule.
        config: betas and eps.
        second_share: 1 - beta2^t, the bias correction of the second moment; that of the first is left to the caller.

    Reference:
        Kingma & Ba 2015, algorithm 1, with a learning rate per model and weight.
    """
    state.first_MP.lerp_(grad_MP, 1 - config.beta1)
    state.second_MP.mul_(config.beta2).addcmul_(grad_MP, grad_MP, value=1 - config.beta2)
    root = (state.second_MP / second_share).sqrt_().add_(config.eps)
    return (state.first_MP / root).mul_(factor_P).mul_(state.rate_M.unsqueeze(1))
