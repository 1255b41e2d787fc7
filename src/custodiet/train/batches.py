"""Rows that go through the model together.

Shape suffixes: B rows, T positions; entry t of the masks is about the target ``tokens_BT[:, t]``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Batch", "DeviceBatch"]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One micro-batch as NumPy arrays."""

    tokens_BT: NDArray[np.int64]
    valid_BT: NDArray[np.bool_]
    """True where the token is a target of its own document: not padding, not a BOS"""
    keep_BT: NDArray[np.bool_]
    """True where the target is in the loss"""
    segment_BT: NDArray[np.int64] | None = None
    """document of each token within its row, for packed rows"""
    position_BT: NDArray[np.int64] | None = None
    """position of each token within its document, for packed rows"""

    @property
    def num_targets(self) -> int:
        """Targets, in the loss or not."""
        return int(self.valid_BT[:, 1:].sum())

    @property
    def num_kept(self) -> int:
        """Targets in the loss."""
        return int((self.keep_BT & self.valid_BT)[:, 1:].sum())

    def to(self, device: torch.device | str) -> DeviceBatch:
        """As tensors, trailing columns without any target cut off."""
        used = np.flatnonzero(self.valid_BT.any(axis=0))
        length = int(used[-1]) + 1 if len(used) else 2

        def move(array: NDArray[np.int64] | NDArray[np.bool_]) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(device)

        valid = self.valid_BT[:, 1:length]
        return DeviceBatch(
            inputs_BT=move(self.tokens_BT[:, : length - 1]),
            targets_BT=move(self.tokens_BT[:, 1:length]),
            keep_BT=move(self.keep_BT[:, 1:length] & valid),
            dropped_BT=move(~self.keep_BT[:, 1:length] & valid),
            segment_BT=None if self.segment_BT is None else move(self.segment_BT[:, : length - 1]),
            position_BT=None if self.position_BT is None else move(self.position_BT[:, : length - 1]),
        )


@dataclass(frozen=True, kw_only=True)
class DeviceBatch:
    """A micro-batch on its device: inputs, and per input its target and whether it is in the loss."""

    inputs_BT: Tensor
    targets_BT: Tensor
    keep_BT: Tensor
    dropped_BT: Tensor
    segment_BT: Tensor | None
    position_BT: Tensor | None
