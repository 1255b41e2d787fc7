"""The goldfish mask and loss in torch, on any device; the mask is bit for bit that of `data.goldfish_mask`.

torch has no unsigned 64-bit arithmetic, so words are int64: sums and products wrap the same way, and logical shifts are
arithmetic ones with the sign bits masked off.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from custodiet.data.goldfish_mask import (
    DEFAULT_MASK_SEED,
    GOLDEN,
    MASK64,
    RANDOM_TAG,
    SENTINEL,
    check_mask_settings,
    goldfish_mask_numpy,
    mix_word,
)
from custodiet.errors import UsageError

__all__ = ["GoldfishLoss", "goldfish_mask"]

Strategy = Literal["hash", "static", "random"]


def _signed(word: int) -> int:
    word &= MASK64
    return word - (1 << 64) if word >> 63 else word


def _shift(x: Tensor, by: int) -> Tensor:
    return (x >> by) & ((1 << (64 - by)) - 1)


def _mix(x: Tensor) -> Tensor:
    x = (x ^ _shift(x, 30)) * _signed(0xBF58476D1CE4E5B9)
    x = (x ^ _shift(x, 27)) * _signed(0x94D049BB133111EB)
    return x ^ _shift(x, 31)


def goldfish_mask(
    tokens: Tensor,
    *,
    k: int = 4,
    h: int = 13,
    seed: int = DEFAULT_MASK_SEED,
    strategy: Strategy = "hash",
    segments: Tensor | None = None,
    positions: Tensor | None = None,
    compat: Literal["hans2024"] | None = None,
) -> Tensor:
    """Which targets stay in the loss; the algorithm stands in `custodiet.data.goldfish_mask`.

    Args:
        tokens: integer ids (T,) or (B, T) on any device, without BOS; entry t is the target at t.
        k: one eligible target in k is dropped.
        h: number of preceding tokens that are hashed.
        seed: key of the hash.
        strategy: "hash", "static" or "random".
        segments: integers of the shape of `tokens`; a new value starts a new document, -1 is padding (never kept).
        positions: integers of the shape of `tokens` for "random".
        compat: "hans2024" reproduces the masks of the reference code (computed on the CPU).

    Returns:
        bool of the shape of `tokens`, on their device, True where the target is kept; the same bits on every device.

    Raises:
        UsageError: settings that mean nothing.

    Reference:
        Hans et al. 2024, arXiv 2406.10209; the hash is another one, see `custodiet.data.goldfish_mask`.
    """
    check_mask_settings(k=k, h=h, strategy=strategy, compat=compat)
    if tokens.is_floating_point() or tokens.dtype == torch.bool:
        raise UsageError("tokens are not ids", expected="an integer tensor", got=tokens.dtype)
    if compat is not None:
        parts = None if segments is None else segments.cpu().numpy()
        keep = goldfish_mask_numpy(tokens.cpu().numpy(), k=k, h=h, segments=parts, compat=compat)
        return torch.from_numpy(keep).to(tokens.device)
    ids = torch.atleast_2d(tokens).to(torch.int64)
    pieces = torch.zeros_like(ids) if segments is None else torch.atleast_2d(segments).to(torch.int64)
    if pieces.shape != ids.shape:
        raise UsageError("segments do not fit tokens", expected=tuple(ids.shape), got=tuple(pieces.shape))
    place = _place_in_document(pieces)
    if strategy == "static":
        drop = place % k == k - 1
    else:
        if strategy == "random":
            where = torch.arange(ids.numel(), device=ids.device).view_as(ids) if positions is None else positions
            base = _signed(mix_word(mix_word(seed + GOLDEN) + RANDOM_TAG))
            digest = _mix(torch.atleast_2d(where).to(torch.int64) + base)
        else:
            digest = _digests(ids, place, h=h, seed=seed)
        drop = _shift(digest, 11) < (1 << 53) // k
    return ((~drop | (place == 0)) & (pieces >= 0)).view(tokens.shape)


def _place_in_document(pieces: Tensor) -> Tensor:
    starts = torch.ones_like(pieces, dtype=torch.bool)
    starts[:, 1:] = pieces[:, 1:] != pieces[:, :-1]
    index = torch.arange(pieces.shape[1], device=pieces.device).expand_as(pieces)
    return index - torch.where(starts, index, 0).cummax(dim=1).values


def _digests(ids: Tensor, place: Tensor, *, h: int, seed: int) -> Tensor:
    key = mix_word(seed + GOLDEN)
    products = (ids + 1) * _signed(GOLDEN)
    total = torch.zeros_like(ids)
    for back in range(1, min(h, ids.shape[1] - 1) + 1):
        term = _mix(products[:, :-back] + _signed(mix_word(key + back)))
        total[:, back:] += torch.where(place[:, back:] >= back, term, 0)
    short = _mix(place.clamp(max=h) + _signed(key ^ SENTINEL))
    total += torch.where(place < h, short, 0)
    return _mix(total ^ _signed(key))


class GoldfishLoss(nn.Module):
    """Cross-entropy averaged over the targets that a goldfish mask keeps.

    Args:
        k: one eligible target in k is dropped.
        h: number of preceding tokens that are hashed.
        seed: key of the hash.
        strategy: "hash", "static" or "random".
        compat: "hans2024" for the masks of the reference code.
        ignore_index: target id that is padding: not in the loss, and not part of a document.
    """

    def __init__(
        self,
        *,
        k: int = 4,
        h: int = 13,
        seed: int = DEFAULT_MASK_SEED,
        strategy: Strategy = "hash",
        compat: Literal["hans2024"] | None = None,
        ignore_index: int = -100,
    ) -> None:
        super().__init__()
        check_mask_settings(k=k, h=h, strategy=strategy, compat=compat)
        self.k, self.h, self.seed = k, h, seed
        self.strategy: Strategy = strategy
        self.compat: Literal["hans2024"] | None = compat
        self.ignore_index = ignore_index

    def forward(self, logits: Tensor, targets: Tensor, *, segments: Tensor | None = None) -> Tensor:
        """Mean nats over kept targets.

        Args:
            logits: (B, T, V); entry t predicts ``targets[:, t]``, so shift before you call.
            targets: int64 (B, T); they are also the window that is hashed, so pass each document from its first token.
            segments: int (B, T), document of each target; a new value restarts the mask.

        Returns:
            Scalar; zero with zero gradients when nothing is kept.
        """
        real = targets != self.ignore_index
        pieces = torch.zeros_like(targets) if segments is None else segments
        keep = goldfish_mask(
            targets.clamp(min=0),
            k=self.k,
            h=self.h,
            seed=self.seed,
            strategy=self.strategy,
            segments=torch.where(real, pieces, -1),
            compat=self.compat,
        )
        chosen = torch.where(keep & real, targets, self.ignore_index)
        total = F.cross_entropy(
            logits.flatten(0, -2).float(), chosen.flatten(), ignore_index=self.ignore_index, reduction="sum"
        )
        return total / (chosen != self.ignore_index).sum().clamp(min=1)
