"""Learning rates as functions of the step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from custodiet.errors import UsageError

__all__ = ["Schedule"]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Linear warm-up, then constant, linear or cosine down to a share of the peak."""

    peak: float
    num_steps: int
    warmup_steps: int = 0
    kind: Literal["constant", "linear", "cosine"] = "linear"
    final_share: float = 0.0
    """rate after the last step, as a share of the peak; not used by "constant" """

    def __post_init__(self) -> None:
        if self.num_steps < 1:
            raise UsageError("num_steps is too small", expected="at least 1", got=self.num_steps)
        if not 0 <= self.warmup_steps <= self.num_steps:
            raise UsageError("warmup_steps does not fit", expected=f"0 to {self.num_steps}", got=self.warmup_steps)
        if not 0 <= self.final_share <= 1:
            raise UsageError("final_share is no share", expected="0 to 1", got=self.final_share)
        if self.kind not in ("constant", "linear", "cosine"):
            raise UsageError("schedule is unknown", expected="constant, linear or cosine", got=self.kind)

    def rate_at(self, step: int) -> float:
        """Learning rate of step 0, 1, ... num_steps - 1; the first warm-up step is not zero."""
        if step < self.warmup_steps:
            return self.peak * (step + 1) / self.warmup_steps
        if self.kind == "constant":
            return self.peak
        done = (step - self.warmup_steps) / max(1, self.num_steps - self.warmup_steps)
        shape = 1 - done if self.kind == "linear" else 0.5 * (1 + math.cos(math.pi * done))
        return self.peak * (self.final_share + (1 - self.final_share) * shape)
