"""Memorized bits made real: the set through the arithmetic coder, and back."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from custodiet.entropy.coder import Layout, decode_tokens, encode_tokens
from custodiet.errors import DecodeError
from custodiet.nn.ensemble import GPTEnsemble
from custodiet.nn.predictors import EnsemblePredictor

__all__ = ["code_sequences"]


def code_sequences(ensemble: GPTEnsemble, tokens_MNT: Tensor, *, model: int = 0) -> int:
    """Bits of the payload that one model codes its sequences in, all of them in lockstep, decoded again to be sure.

    Memorized bits are counted from a code length that nobody wrote down; this writes it down.

    Args:
        ensemble: trained models.
        tokens_MNT: int64 ids of each model's sequences, as long as the models' own.
        model: which of them.

    Raises:
        DecodeError: the tokens did not come back.
    """
    num_sequences, length = tokens_MNT.shape[1:]
    tokens = tokens_MNT[model].reshape(-1).cpu().numpy()
    layout = Layout(num_tokens=len(tokens), num_lanes=num_sequences, window_tokens=length, history_tokens=0)
    predictor = EnsemblePredictor(ensemble, model)
    coded = encode_tokens(predictor, tokens, layout)
    found, digest = decode_tokens(predictor, coded.payload, layout)
    if digest != coded.probability_digest or not np.array_equal(found, tokens):
        raise DecodeError("the model's sequences did not come back from the coder", hint="Run the fit again.")
    return coded.payload_bits
