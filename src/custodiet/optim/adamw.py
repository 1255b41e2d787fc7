"""AdamW on one flat buffer, clipping included."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from custodiet.errors import CheckpointError

__all__ = ["FlatAdamW"]


class FlatAdamW:
    """AdamW with decoupled weight decay over all parameters at once.

    Parameters and gradients become views into one float32 buffer each, so that clipping is one norm and the step is one
    fused kernel, whatever the number of tensors.

    Args:
        params: float32 parameters on one device; their storage is moved into the flat buffer.
        betas: decay of the first and second moment.
        eps: added to the root of the corrected second moment.
        weight_decay: decay per step is learning rate times this, on every parameter.
        clip_norm: largest global gradient norm; None does not clip.

    Reference:
        Loshchilov & Hutter 2019, arXiv 1711.05101, decay scaled by the learning rate as in torch. The kernel is torch's
        fused one; what differs from `torch.optim.AdamW(fused=True)` with `clip_grad_norm_` is the single buffer, and that
        the clipping factor is applied by the kernel while it reads the gradient.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        *,
        betas: tuple[float, float] = (0.9, 0.95),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
    ) -> None:
        self.params = [parameter for parameter in params if parameter.requires_grad]
        device = self.params[0].device
        sizes = [parameter.numel() for parameter in self.params]
        self.flat = torch.empty(sum(sizes), dtype=torch.float32, device=device)
        self.grad = torch.zeros_like(self.flat)
        start = 0
        for parameter, size in zip(self.params, sizes, strict=True):
            view = self.flat[start : start + size].view_as(parameter)
            view.copy_(parameter.detach())
            parameter.data = view
            parameter.grad = self.grad[start : start + size].view_as(parameter)
            start += size
        self.first_moment = torch.zeros_like(self.flat)
        self.second_moment = torch.zeros_like(self.flat)
        self.num_steps = torch.zeros((), dtype=torch.float32, device=device)
        self.betas, self.eps, self.weight_decay, self.clip_norm = betas, eps, weight_decay, clip_norm

    @torch.no_grad()
    def step(self, learning_rate: float, *, grad_scale: float = 1.0) -> Tensor:
        """One step; gradients are left as they are, scaled by clipping.

        Args:
            learning_rate: of this step.
            grad_scale: factor on every gradient before clipping, such as 1 / number of targets.

        Returns:
            Global norm of the scaled gradient before clipping, float32 scalar.
        """
        norm = torch.linalg.vector_norm(self.grad) * grad_scale
        divisor = torch.full_like(norm, 1.0 / grad_scale)
        if self.clip_norm is not None:
            divisor = divisor * torch.clamp((norm + 1e-6) / self.clip_norm, min=1.0)
        self.num_steps += 1
        torch._fused_adamw_(
            [self.flat],
            [self.grad],
            [self.first_moment],
            [self.second_moment],
            [],
            [self.num_steps],
            lr=learning_rate,
            beta1=self.betas[0],
            beta2=self.betas[1],
            weight_decay=self.weight_decay,
            eps=self.eps,
            amsgrad=False,
            maximize=False,
            grad_scale=divisor,
            found_inf=torch.zeros_like(norm),
        )
        return norm

    def zero_grad(self) -> None:
        """Zero every gradient; the views stay."""
        self.grad.zero_()

    def state_dict(self) -> dict[str, Tensor]:
        """Moments and step count, all tensors."""
        return {
            "first_moment": self.first_moment,
            "second_moment": self.second_moment,
            "num_steps": self.num_steps,
        }

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take moments and step count over, bit for bit.

        Raises:
            CheckpointError: a tensor is missing or has another shape.
        """
        for name, mine in self.state_dict().items():
            if name not in state or state[name].shape != mine.shape:
                got = tuple(state[name].shape) if name in state else "nothing"
                raise CheckpointError(f"optimizer state {name} does not fit", expected=tuple(mine.shape), got=got)
            mine.copy_(state[name])
