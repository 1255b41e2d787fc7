"""What a text costs under a code: real compressors by what they write, models by the sum of -log2 p.

Shape suffixes: T tokens of the text (bytes are tokens too).
"""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import zstandard
from numpy.typing import ArrayLike, NDArray

from custodiet.base.stats import Estimate, bootstrap
from custodiet.entropy.adaptive import AdaptiveNGram
from custodiet.errors import InputError, TooFewSamplesError

__all__ = ["COMPRESSORS", "TokenCode", "estimate_bits_per_byte", "ngram_code", "xz_size"]

NUM_BLOCKS = 100
COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip -9": lambda data: gzip.compress(data, compresslevel=9, mtime=0),
    "bzip2 -9": lambda data: bz2.compress(data, compresslevel=9),
    "xz -9e": lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
    "zstd -19": lambda data: zstandard.ZstdCompressor(level=19).compress(data),
}
"""name -> what it writes for some bytes, headers and checksums included"""


@dataclass(frozen=True, kw_only=True)
class TokenCode:
    """Code lengths of the tokens of a text under a model, and what a decoder must have."""

    name: str
    description: str
    bits_T: NDArray[np.float64]
    bytes_T: NDArray[np.float64]
    """bytes of the text that each token stands for; they sum to the length of the text"""
    decoder_bytes: int
    decoder_needs: str


def estimate_bits_per_byte(
    bits_T: ArrayLike, bytes_T: ArrayLike, *, num_blocks: int = NUM_BLOCKS, seed: int = 0
) -> Estimate:
    """Code length over length, with an interval from contiguous blocks of the text.

    Args:
        bits_T: float, code length of each token in bits.
        bytes_T: float, bytes that each token stands for, not all zero.
        num_blocks: number of blocks of equally many tokens; at most as many as there are tokens.
        seed: seed of the resampling.

    Returns:
        Estimate with a percentile bootstrap over blocks, `num` the number of blocks. It says how much the value would vary
        over texts of such blocks; that an adaptive code learns from block to block is in it as variation, too.

    Raises:
        TooFewSamplesError: there is no token.
        InputError: the two differ in length.

    Reference:
        Künsch 1989, here with blocks that do not overlap (Carlstein 1986).
    """
    bits, sizes = np.asarray(bits_T, dtype=np.float64), np.asarray(bytes_T, dtype=np.float64)
    if bits.shape != sizes.shape or bits.ndim != 1:
        raise InputError("bits_T and bytes_T differ in shape", expected=bits.shape, got=sizes.shape)
    if not len(bits):
        raise TooFewSamplesError("a code length of no tokens", expected="at least 1", got=0)
    starts = np.unique(np.linspace(0, len(bits), min(num_blocks, len(bits)), endpoint=False).astype(np.int64))
    blocks = np.column_stack([np.add.reduceat(bits, starts), np.add.reduceat(sizes, starts)])
    return bootstrap(blocks, lambda rows: float(rows[:, 0].sum() / rows[:, 1].sum()), seed=seed)


def xz_size(data: bytes) -> int:
    """Bytes of `data` under xz at its best."""
    return len(COMPRESSORS["xz -9e"](data))


def ngram_code(data: bytes, *, order: int, other: bytes | None = None) -> TokenCode:
    """Code lengths of bytes under the adaptive n-gram.

    Args:
        data: the text.
        order: longest n-gram in bytes.
        other: text that the n-gram learns first; the decoder must have it, which is counted at its size under xz.

    Raises:
        InputError: `order` is below 1.
    """
    model = AdaptiveNGram(order=order)
    if other is not None:
        model.prime(np.frombuffer(other, dtype=np.uint8))
    bits = -model.log2_probs(np.frombuffer(data, dtype=np.uint8))
    how = f"adaptive interpolated Kneser-Ney over bytes, order {order}"
    return TokenCode(
        name="n-gram" if other is None else "n-gram, primed",
        description=how if other is None else f"{how}, after reading {len(other):,} bytes of other text",
        bits_T=bits,
        bytes_T=np.ones(len(bits)),
        decoder_bytes=0 if other is None else xz_size(other),
        decoder_needs="" if other is None else "the other text, under xz",
    )
