"""Documents into rows: first fit, every document an island.

Shape suffixes: N rows, T positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from custodiet.errors import UsageError

__all__ = ["PackedRows", "pack_documents"]


@dataclass(frozen=True, kw_only=True)
class PackedRows:
    """Packed rows; -1 in `segment_NT` is padding."""

    tokens_NT: NDArray[np.int64]
    segment_NT: NDArray[np.int64]
    """number of the document within its row"""
    position_NT: NDArray[np.int64]
    """position within the document, its BOS being 0"""
    document_NT: NDArray[np.int64]
    """index of the document in the list that was packed"""

    @property
    def target_NT(self) -> NDArray[np.bool_]:
        """True where a token is predicted from a token of its own document: everything but each first token."""
        return (self.segment_NT >= 0) & (self.position_NT > 0)


def pack_documents(documents: Sequence[NDArray[np.int64]], *, row_tokens: int, bos_id: int | None) -> PackedRows:
    """Pack documents into rows in their order, first fit.

    Args:
        documents: token ids without BOS.
        row_tokens: tokens per row, at least 2.
        bos_id: put before every piece; None puts nothing.

    Returns:
        The rows. A document longer than a row is cut into pieces, each a document of its own: it starts with a BOS, its
        positions start at 0, and nothing attends across the cut.
    """
    if row_tokens < 2:
        raise UsageError("rows are too short", expected="at least 2 tokens", got=row_tokens)
    head = [] if bos_id is None else [bos_id]
    room = row_tokens - len(head)
    rows: list[list[tuple[int, NDArray[np.int64]]]] = []
    free: list[int] = []
    first_open = 0
    for index, tokens in enumerate(documents):
        for start in range(0, len(tokens), room):
            piece = np.concatenate([head, tokens[start : start + room]]).astype(np.int64)
            place = next((row for row in range(first_open, len(rows)) if free[row] >= len(piece)), None)
            if place is None:
                rows.append([])
                free.append(row_tokens)
                place = len(rows) - 1
            rows[place].append((index, piece))
            free[place] -= len(piece)
            while first_open < len(rows) and free[first_open] < 2 + len(head):
                first_open += 1
            first_open = max(first_open, len(rows) - 64)  # a bounded search keeps packing linear
    shape = (len(rows), row_tokens)
    packed = PackedRows(
        tokens_NT=np.zeros(shape, dtype=np.int64),
        segment_NT=np.full(shape, -1, dtype=np.int64),
        position_NT=np.zeros(shape, dtype=np.int64),
        document_NT=np.full(shape, -1, dtype=np.int64),
    )
    for row, pieces in enumerate(rows):
        end = 0
        for segment, (index, piece) in enumerate(pieces):
            part = slice(end, end + len(piece))
            packed.tokens_NT[row, part] = piece
            packed.segment_NT[row, part] = segment
            packed.position_NT[row, part] = np.arange(len(piece))
            packed.document_NT[row, part] = index
            end += len(piece)
    return packed
