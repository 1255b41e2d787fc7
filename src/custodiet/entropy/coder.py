"""The arithmetic coder: any predictor of the next token drives a range coder.

Encoder and decoder are one walk over the same calls of the predictor, in the same shapes: a model that answers in
floating point answers the same only to the very same question. The two differ in where a token comes from.

The tokens are cut into lanes that go in lockstep, one batch; a lane is read in windows, each of which begins with some
tokens of the one before it as history.

Shape suffixes: B lanes, L tokens of a lane, V vocabulary, K blocks of the vocabulary, S symbols of a block.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import constriction
import numpy as np
from numpy.typing import ArrayLike, NDArray

from custodiet.base.protocols import NextTokenPredictor
from custodiet.errors import DecodeError, InputError, UsageError

__all__ = ["Coded", "Layout", "decode_tokens", "encode_tokens"]

WORD_BITS = 32
LARGEST_SINGLE_BLOCK = 64
DIGEST_BYTES = 8
STREAM: Any = vars(constriction)["stream"]  # an extension module without types
TINY = 1e-300
"""added within a block, so that a block whose probabilities underflow can still be coded"""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How tokens are laid into lanes and windows; the decoder must use the encoder's."""

    num_tokens: int
    num_lanes: int
    window_tokens: int | None
    """tokens of a window, its history included; None: a lane is one window"""
    history_tokens: int
    """tokens of the window before that a window begins with"""

    def __post_init__(self) -> None:
        if self.num_tokens < 0 or self.num_lanes < 1:
            raise UsageError("no such layout", expected="num_tokens >= 0, num_lanes >= 1", got=self)
        if self.num_lanes > 1 and (self.num_lanes - 1) * self.lane_tokens >= self.num_tokens:
            raise UsageError(
                "a lane would be empty", expected=f"fewer than {self.num_lanes} lanes", got=self.num_tokens
            )
        if self.window_tokens is not None and not 0 <= self.history_tokens < self.window_tokens:
            raise UsageError(
                "history_tokens does not fit", expected=f"0 to {self.window_tokens - 1}", got=self.history_tokens
            )

    @property
    def lane_tokens(self) -> int:
        """Tokens of every lane but the last, which may be shorter."""
        return -(-self.num_tokens // self.num_lanes)

    @property
    def last_lane_tokens(self) -> int:
        return self.num_tokens - (self.num_lanes - 1) * self.lane_tokens

    @classmethod
    def choose(
        cls, num_tokens: int, predictor: NextTokenPredictor, *, num_lanes: int | None = None, history: float = 0.5
    ) -> Layout:
        """A layout for a predictor: a lane holds four windows at least, and there are at most 64.

        Args:
            num_tokens: tokens to be coded.
            predictor: whose window and batch limit the layout.
            num_lanes: take so many, or fewer where tokens are few.
            history: share of a window that repeats the end of the one before.
        """
        window = predictor.window_tokens
        wanted = num_lanes or (1 if window is None else max(1, min(64, num_tokens // (4 * window))))
        wanted = max(1, min(wanted, predictor.max_batch or wanted, num_tokens))
        while wanted > 1 and (wanted - 1) * -(-num_tokens // wanted) >= num_tokens:
            wanted -= 1
        kept = 0 if window is None else min(window - 1, int(history * window))
        return cls(num_tokens=num_tokens, num_lanes=wanted, window_tokens=window, history_tokens=kept)


@dataclass(frozen=True, kw_only=True)
class Coded:
    """What the encoder made."""

    payload: bytes
    """little-endian 32-bit words of the range coder"""
    layout: Layout
    probability_digest: bytes
    """BLAKE2b of every distribution that was coded with, 8 bytes"""
    model_bits: float
    """cross-entropy of the tokens under the predictor: what the payload would be without overhead"""

    @property
    def payload_bits(self) -> int:
        return 8 * len(self.payload)


def encode_tokens(
    predictor: NextTokenPredictor, tokens: ArrayLike, layout: Layout, *, on_progress: OnProgress | None = None
) -> Coded:
    """Code tokens in about as many bits as their cross-entropy under the predictor.

    The probabilities are rounded to 24 bits in the range coder. A vocabulary of more than 64 is coded in two steps, the
    block and the symbol within it, about sqrt(V) of each: rounding then costs some 1e-5 bits per token whatever V is.

    Args:
        predictor: what predicts; its `begin` is called first, so that it may have been used before.
        tokens: int ids in [0, V), (num_tokens,).
        layout: lanes and windows.
        on_progress: called with (coded, num_tokens).

    Raises:
        InputError: a token is outside the vocabulary, the predictor's logits are not finite, or the layout is of another
            number of tokens.

    Reference:
        Martin 1979 for the range coder; Bamler 2022, arXiv 2201.01741, for the implementation (constriction).
    """
    ids = np.ascontiguousarray(tokens, dtype=np.int64)
    if ids.ndim != 1 or len(ids) != layout.num_tokens:
        raise InputError("tokens do not fit the layout", expected=f"({layout.num_tokens},)", got=ids.shape)
    if ids.size and (ids.min() < 0 or ids.max() >= predictor.vocab_size):
        wrong = int(ids.max() if ids.max() >= predictor.vocab_size else ids.min())
        raise InputError("a token is outside the vocabulary", expected=f"[0, {predictor.vocab_size})", got=wrong)
    lanes_BL = np.zeros((layout.num_lanes, layout.lane_tokens), dtype=np.int64)
    lanes_BL.reshape(-1)[: len(ids)] = ids
    encoder: Any = STREAM.queue.RangeEncoder()
    model_bits = 0.0

    def encode(place: int, logits: Floats, coder: _TokenCoder) -> Ints:
        nonlocal model_bits
        wanted = lanes_BL[: len(logits), place]
        model_bits += coder.encode(encoder, logits, wanted)
        return wanted

    digest = _walk(predictor, layout, encode, on_progress)
    payload = np.asarray(encoder.get_compressed()).astype("<u4").tobytes()
    return Coded(payload=payload, layout=layout, probability_digest=digest, model_bits=model_bits)


def decode_tokens(
    predictor: NextTokenPredictor, payload: bytes, layout: Layout, *, on_progress: OnProgress | None = None
) -> tuple[Ints, bytes]:
    """Tokens out of a payload, and the digest of the distributions met on the way.

    Where the digest is not the encoder's, the predictor did not repeat what it said then, and the tokens are wrong.

    Raises:
        DecodeError: the payload is none, or the predictor's logits are not finite.
    """
    if len(payload) % (WORD_BITS // 8):
        raise DecodeError("the payload is damaged", expected="whole 32-bit words", got=f"{len(payload)} bytes")
    decoder: Any = STREAM.queue.RangeDecoder(np.frombuffer(payload, dtype="<u4").astype(np.uint32))
    lanes_BL = np.zeros((layout.num_lanes, layout.lane_tokens), dtype=np.int64)

    def decode(place: int, logits: Floats, coder: _TokenCoder) -> Ints:
        found = coder.decode(decoder, logits)
        lanes_BL[: len(found), place] = found
        return found

    digest = _walk(predictor, layout, decode, on_progress)
    return lanes_BL.reshape(-1)[: layout.num_tokens].copy(), digest


def _walk(
    predictor: NextTokenPredictor,
    layout: Layout,
    code: Callable[[int, Floats, _TokenCoder], Ints],
    on_progress: OnProgress | None,
) -> bytes:
    """Every place of the lanes in order: ask for logits, code one token per lane; the digest of what was coded with."""
    coder = _TokenCoder(predictor.vocab_size)
    window, history = layout.window_tokens, layout.history_tokens
    read_BL = np.zeros((layout.num_lanes, layout.lane_tokens), dtype=np.int64)
    begun = 0  # place of the first token that the running window holds
    logits: NDArray[np.floating] | None = None
    for place in range(layout.lane_tokens):
        if logits is None or (window is not None and place - begun == window):
            begun = max(0, place - history)
            logits = predictor.begin(read_BL[:, begun:place])
        else:
            logits = predictor.step(read_BL[:, place - 1])
        active = layout.num_lanes - (place >= layout.last_lane_tokens)  # a lane that is over is fed zeros
        if active == 0:
            break
        read_BL[:active, place] = code(place, np.asarray(logits[:active], dtype=np.float64), coder)
        if on_progress is not None and place % 16 == 0:
            on_progress(place * layout.num_lanes, layout.num_tokens)
    if on_progress is not None:
        on_progress(layout.num_tokens, layout.num_tokens)
    return coder.hash.digest()


class _TokenCoder:
    """Logits to and from the range coder, in one or two steps; hashes every distribution that it uses."""

    def __init__(self, vocab_size: int) -> None:
        self.vocab_size = vocab_size
        small = max(2, vocab_size)  # the range coder knows no distribution over a single symbol
        self.block_size = small if small <= LARGEST_SINGLE_BLOCK else 1 << math.ceil(math.log2(small) / 2)
        self.num_blocks = -(-vocab_size // self.block_size)
        self.family: Any = STREAM.model.Categorical(perfect=False)
        self.hash = blake2b(digest_size=DIGEST_BYTES)

    def encode(self, encoder: Any, logits_BV: Floats, tokens_B: Ints) -> float:
        """Code one token per row; their cross-entropy in bits."""
        probs_BKS, log_norm_B = self._probs(logits_BV)
        rows = np.arange(len(tokens_B))
        blocks_B, within_B = np.divmod(tokens_B, self.block_size)
        if self.num_blocks > 1:
            block_probs_BK = probs_BKS.sum(2)
            self.hash.update(block_probs_BK.tobytes())
            encoder.encode(blocks_B.astype(np.int32), self.family, block_probs_BK)
        probs_BS = probs_BKS[rows, blocks_B] + TINY
        self.hash.update(probs_BS.tobytes())
        encoder.encode(within_B.astype(np.int32), self.family, probs_BS)
        return float((log_norm_B - logits_BV[rows, tokens_B]).sum() / math.log(2.0))

    def decode(self, decoder: Any, logits_BV: Floats) -> Ints:
        """One token per row."""
        probs_BKS, _ = self._probs(logits_BV)
        rows = np.arange(len(logits_BV))
        blocks_B = np.zeros(len(logits_BV), dtype=np.int64)
        if self.num_blocks > 1:
            block_probs_BK = probs_BKS.sum(2)
            self.hash.update(block_probs_BK.tobytes())
            blocks_B = decoder.decode(self.family, block_probs_BK).astype(np.int64)
        probs_BS = probs_BKS[rows, blocks_B] + TINY
        self.hash.update(probs_BS.tobytes())
        tokens_B = blocks_B * self.block_size + decoder.decode(self.family, probs_BS).astype(np.int64)
        if (tokens_B >= self.vocab_size).any():
            raise DecodeError(
                "the payload names a token that the model lacks", hint="The file or the model is another."
            )
        return tokens_B

    def _probs(self, logits_BV: Floats) -> tuple[Floats, Floats]:
        """Probabilities (B, K, S), zero past the vocabulary, and the log of the sum of exponentials (B,)."""
        top_B = logits_BV.max(1, keepdims=True)
        if not np.isfinite(top_B).all() or np.isnan(logits_BV).any():
            raise DecodeError("the model's logits are not finite", hint="Its weights may be damaged.")
        exps_BV = np.exp(logits_BV - top_B)
        sums_B = exps_BV.sum(1, keepdims=True)
        exps_BV /= sums_B
        pad = self.num_blocks * self.block_size - self.vocab_size
        if pad:
            exps_BV = np.pad(exps_BV, ((0, 0), (0, pad)))
        return exps_BV.reshape(len(exps_BV), self.num_blocks, self.block_size), (top_B + np.log(sums_B))[:, 0]
