"""What an audit asks of its documents, and how it asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from custodiet.data.goldfish_mask import DEFAULT_MASK_SEED
from custodiet.errors import UsageError

__all__ = ["AuditDocument", "AuditSettings", "GoldfishSettings"]


@dataclass(frozen=True, kw_only=True)
class AuditDocument:
    """One tokenized document."""

    id: str
    text: str
    tokens: NDArray[np.int64]
    """int64 ids without BOS"""
    split: Literal["member", "control", "validation"]
    repeats: int | None = None
    """times that the corpus holds it; None when that is not known"""
    exposures: float | None = None
    """times that training showed it; None when that is not known"""


@dataclass(frozen=True, kw_only=True)
class GoldfishSettings:
    """The mask that the model was trained with, to tell kept targets from dropped ones."""

    k: int = 4
    h: int = 13
    seed: int = DEFAULT_MASK_SEED
    strategy: Literal["hash", "static"] = "hash"


@dataclass(frozen=True, kw_only=True)
class AuditSettings:
    """How documents are measured."""

    prefix_tokens: int = 50
    suffix_tokens: int = 50
    opening_first: int = 2
    """first token of a document's opening, counted from 1"""
    opening_last: int = 13
    min_k_share: float = 0.2
    batch_tokens: int = 16384
    chunk: int = 256
    """rows of logits held at once"""
    generate: bool = True
    max_generated_documents: int = 1024
    """documents that are also continued freely; the first so many of each split"""
    goldfish: GoldfishSettings | None = None
    redact: bool = True

    def __post_init__(self) -> None:
        if min(self.prefix_tokens, self.suffix_tokens, self.batch_tokens, self.chunk) < 1:
            raise UsageError("an audit setting is too small", expected="at least 1 token")
        if not 0 < self.min_k_share <= 1:
            raise UsageError("min_k_share is no share", expected="in (0, 1]", got=self.min_k_share)
