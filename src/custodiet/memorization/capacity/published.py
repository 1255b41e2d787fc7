"""What the paper printed: bits per parameter by layers and width, vocabulary 2048, 64 tokens, a million steps.

Reference:
    Morris et al. 2025, arXiv 2505.24832, the table of capacities by model size and precision and the means over it.
"""

from __future__ import annotations

from typing import Literal

__all__ = [
    "PUBLISHED_BITS_PER_PARAM",
    "PUBLISHED_CELLS",
    "PUBLISHED_MEANS",
    "PUBLISHED_SOURCE",
    "Precision",
    "published_bits_per_param",
]

Precision = Literal["bfloat16", "float32"]
PUBLISHED_SOURCE = "Morris et al. 2025, arXiv 2505.24832"
PUBLISHED_BITS_PER_PARAM = 3.64
"""the paper's headline"""
PUBLISHED_MEANS: dict[Precision, float] = {"bfloat16": 3.51, "float32": 3.83}
"""mean over the cells of the table, each with +-0.1 there"""
PUBLISHED_CELLS: dict[str, dict[Precision, float]] = {
    "1x32": {"bfloat16": 3.93, "float32": 4.23},
    "1x128": {"bfloat16": 3.61, "float32": 3.65},
    "2x128": {"bfloat16": 3.89, "float32": 3.99},
    "4x256": {"bfloat16": 3.51, "float32": 3.68},
    "8x32": {"bfloat16": 2.86},
    "8x256": {"bfloat16": 3.65, "float32": 3.96},
}
"""layers x width -> precision of training -> bits per parameter; the cells whose values are known here"""


def published_bits_per_param(cell: str | None, precision: Precision) -> float | None:
    """The paper's value of a cell such as "1x32"; None where none is known here."""
    return PUBLISHED_CELLS.get(cell or "", {}).get(precision)
