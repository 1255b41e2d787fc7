"""What a text costs under a language model: windows that overlap by half, so that every token has history.

Shape suffixes: B windows, T tokens of the text or of a window.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from custodiet.base.protocols import TokenCodec
from custodiet.base.units import nats_to_bits
from custodiet.entropy.code_lengths import TokenCode
from custodiet.entropy.coder import Layout
from custodiet.errors import InputError, TokenizerError
from custodiet.nn.loading import LoadedModel

__all__ = ["exact_tokens", "layout_code_bits", "lm_code_length"]


def lm_code_length(
    loaded: LoadedModel,
    text: str,
    *,
    batch_tokens: int = 8192,
    on_progress: Callable[[int, int], None] | None = None,
) -> TokenCode:
    """Code lengths of the tokens of a text under a language model.

    The first window holds as many tokens as the model's context; each later one moves on by half a context and only its
    new tokens count, so that these see half a context of history or more. Where the model was trained with a BOS before
    a document, one stands before every window; without one the first token costs log2 of the vocabulary.

    Args:
        loaded: the model and its tokenizer.
        text: the text, with at least one character.
        batch_tokens: tokens per forward pass.
        on_progress: called with tokens done and all tokens.

    Returns:
        Code lengths; bytes per token are those of the token decoded alone, scaled to the length of the text. The code length
        is that of one tokenization: other token sequences that spell the same text would only add to its probability.

    Raises:
        TokenizerError: the tokens do not decode to the text.
        InputError: the text is empty or the model's context shorter than 2 tokens.
    """
    if loaded.context_length < 2 or not text:
        got = (loaded.context_length, len(text))
        raise InputError("nothing to score", expected="a context of 2 tokens and a text", got=got)
    tokens_T = exact_tokens(loaded.codec, text, name=loaded.name)
    head = [] if loaded.codec.bos_id is None else [loaded.codec.bos_id]
    bits_T = np.full(len(tokens_T), math.log2(loaded.scorer.vocab_size))
    stride = max(1, loaded.context_length // 2)
    spans = _spans(len(tokens_T), loaded.context_length - len(head), stride)
    rows_per_batch = max(1, batch_tokens // loaded.context_length)
    for first in range(0, len(spans), rows_per_batch):
        batch = spans[first : first + rows_per_batch]
        rows = [np.array([*head, *tokens_T[start:end]], dtype=np.int64) for start, _, end in batch]
        lengths_B = np.array([len(row) for row in rows])
        if lengths_B.max() > 1:
            tokens_BT = np.zeros((len(rows), int(lengths_B.max())), dtype=np.int64)
            for index, row in enumerate(rows):
                tokens_BT[index, : len(row)] = row
            scores = loaded.scorer.score_targets(tokens_BT, lengths_B=lengths_B)
            for index, (start, fresh, end) in enumerate(batch):
                fresh = max(fresh, start + 1 - len(head))  # the first token of a text without a BOS has no history
                columns = slice(fresh - start + len(head) - 1, end - start + len(head) - 1)
                bits_T[fresh:end] = -nats_to_bits(scores.logprob_BT[index, columns].astype(np.float64))
        if on_progress is not None:
            on_progress(batch[-1][2], len(tokens_T))
    bos = (
        "a BOS before each"
        if head
        else f"the first token without history, {math.log2(loaded.scorer.vocab_size):.1f} bits"
    )
    return TokenCode(
        name=loaded.name,
        description=f"{loaded.description}, {loaded.num_params:,} parameters; {len(tokens_T):,} tokens in {len(spans):,} windows of "
        f"at most {loaded.context_length:,} that move on by {stride:,}, {bos}",
        bits_T=bits_T,
        bytes_T=_bytes(loaded, tokens_T, len(text.encode("utf-8"))),
        decoder_bytes=loaded.weight_bytes,
        decoder_needs="the weights, *.safetensors",
    )


def layout_code_bits(loaded: LoadedModel, tokens_T: NDArray[np.int64], layout: Layout) -> NDArray[np.float64]:
    """-log2 p of every token in the windows of a coder's layout, each window in one pass of the scorer.

    Args:
        loaded: the model.
        tokens_T: int64 ids.
        layout: whose windows leave room for a BOS in the scorer's rows.

    Returns:
        float64 (T,): what the range coder should spend on each token.

    Raises:
        InputError: the windows are longer than the scorer's rows.
    """
    head = [] if loaded.codec.bos_id is None else [loaded.codec.bos_id]
    window = layout.lane_tokens if layout.window_tokens is None else layout.window_tokens
    if window + len(head) > loaded.context_length:
        raise InputError("a window is too long", expected=f"at most {loaded.context_length - len(head)}", got=window)
    bits_T = np.full(layout.num_tokens, math.log2(loaded.scorer.vocab_size))
    for lane in range(layout.num_lanes):
        lane_T = tokens_T[lane * layout.lane_tokens : (lane + 1) * layout.lane_tokens]
        for start, fresh, end in _spans(len(lane_T), window, window - layout.history_tokens):
            row = np.array([*head, *lane_T[start:end]], dtype=np.int64)
            fresh = max(fresh, start + 1 - len(head))
            if len(row) > 1 and fresh < end:
                logprob_T = loaded.scorer.score_targets(row[None]).logprob_BT[0].astype(np.float64)
                place = lane * layout.lane_tokens
                bits_T[place + fresh : place + end] = -nats_to_bits(logprob_T[fresh - start + len(head) - 1 :])
    return bits_T


def exact_tokens(codec: TokenCodec, text: str, *, name: str) -> NDArray[np.int64]:
    """Tokens that decode to the text again, every character of it.

    Args:
        codec: the tokenizer.
        text: any text.
        name: what an error calls the model.

    Raises:
        TokenizerError: the tokens do not decode to the text.
    """
    (tokens_T,) = codec.encode([text]) if text else (np.zeros(0, dtype=np.int64),)
    back = codec.decode(tokens_T)
    if back != text:
        place = next((i for i, (a, b) in enumerate(zip(text, back, strict=False)) if a != b), min(len(text), len(back)))
        raise TokenizerError(
            f"the tokenizer of {name} does not reproduce the text: they part at character {place:,}",
            expected=repr(text[place : place + 20]),
            got=repr(back[place : place + 20]),
            hint="It lacks a symbol or tidies the text; take a model whose tokenizer keeps every byte.",
        )
    return tokens_T


def _spans(num_tokens: int, room: int, stride: int) -> list[tuple[int, int, int]]:
    """Windows (start, first new token, end) that cover the text; none is longer than `room`."""
    spans = [(0, 0, min(room, num_tokens))]
    while spans[-1][2] < num_tokens:
        fresh = spans[-1][2]
        end = min(fresh + min(stride, room), num_tokens)
        spans.append((max(0, fresh + min(stride, room) - room), fresh, end))
    return spans


def _bytes(loaded: LoadedModel, tokens_T: NDArray[np.int64], num_bytes: int) -> NDArray[np.float64]:
    kinds, which_T = np.unique(tokens_T, return_inverse=True)
    alone = np.array(
        [max(1, len(loaded.codec.decode([kind]).encode("utf-8", "replace"))) for kind in kinds], dtype=np.float64
    )
    bytes_T = alone[which_T]
    return bytes_T * (num_bytes / bytes_T.sum())
