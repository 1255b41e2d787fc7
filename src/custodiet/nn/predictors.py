"""Models behind the protocol `NextTokenPredictor`: sequences in lockstep, keys and values cached.

Shape suffixes: B sequences, T positions, D width, H heads, K width of a head, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from custodiet.errors import InputError
from custodiet.nn.decode import GPTStepper
from custodiet.nn.ensemble import GPTEnsemble
from custodiet.nn.gpt import GPT

__all__ = ["EnsemblePredictor", "GPTPredictor", "TransformersPredictor"]


class GPTPredictor:
    """Our GPT; every window begins with its BOS.

    Args:
        model: the GPT.
        bos_id: what the model was trained to see before a document; None: the first token of a text without history is
            uniform over the vocabulary, as nothing was read yet.
    """

    max_batch: int | None = None

    def __init__(self, model: GPT, *, bos_id: int | None) -> None:
        self.vocab_size = model.config.vocab_size
        self.window_tokens: int | None = model.config.context_length
        self.bos_id = bos_id
        self._stepper = GPTStepper(model)

    def begin(self, history_BT: NDArray[np.int64]) -> NDArray[np.float32]:
        """Forget everything, read a BOS and the history; logits of the next token, float32 (B, V)."""
        self._stepper.start(len(history_BT))
        tokens_BT = _with_bos(history_BT, self.bos_id)
        if tokens_BT.shape[1] == 0:
            return np.zeros((len(history_BT), self.vocab_size), dtype=np.float32)
        return self._stepper.feed(tokens_BT)

    def step(self, tokens_B: NDArray[np.int64]) -> NDArray[np.float32]:
        """Read one more token per sequence; logits of the next one, float32 (B, V)."""
        return self._stepper.step(tokens_B)


class TransformersPredictor:
    """A causal language model of `transformers`.

    Args:
        model: the model, in evaluation mode.
        bos_id: what stands before every window, or None as in `GPTPredictor`.
        context_length: most positions that the model takes.
    """

    max_batch: int | None = None

    def __init__(self, model: Any, *, bos_id: int | None, context_length: int) -> None:
        self.model = model
        self.vocab_size = int(model.config.get_text_config().vocab_size)
        self.window_tokens: int | None = context_length
        self.bos_id = bos_id
        self.device = next(model.parameters()).device
        self._past: Any = None

    def begin(self, history_BT: NDArray[np.int64]) -> NDArray[np.float32]:
        """Forget everything, read the history; logits of the next token, float32 (B, V)."""
        self._past = None
        tokens_BT = _with_bos(history_BT, self.bos_id)
        if tokens_BT.shape[1] == 0:
            return np.zeros((len(history_BT), self.vocab_size), dtype=np.float32)
        return self._feed(tokens_BT)

    def step(self, tokens_B: NDArray[np.int64]) -> NDArray[np.float32]:
        """Read one more token per sequence; logits of the next one, float32 (B, V)."""
        return self._feed(np.asarray(tokens_B, dtype=np.int64)[:, None])

    @torch.inference_mode()
    def _feed(self, tokens_BT: NDArray[np.int64]) -> NDArray[np.float32]:
        moved = torch.from_numpy(np.ascontiguousarray(tokens_BT)).to(self.device)
        found = self.model(input_ids=moved, past_key_values=self._past, use_cache=True, logits_to_keep=1)
        self._past = found.past_key_values
        return found.logits[:, -1, : self.vocab_size].float().cpu().numpy()


class EnsemblePredictor:
    """One model of an ensemble; a window is one of its sequences, begun by the learned BOS vector.

    Args:
        ensemble: trained models.
        model: index of the one that predicts.
    """

    max_batch: int | None = None

    def __init__(self, ensemble: GPTEnsemble, model: int = 0) -> None:
        if not 0 <= model < ensemble.config.num_models:
            raise InputError("no such model", expected=f"0 to {ensemble.config.num_models - 1}", got=model)
        self.config = ensemble.config
        self.vocab_size = self.config.vocab_size
        self.window_tokens: int | None = self.config.sequence_length
        self._weights = {name: weight.detach()[model] for name, weight in ensemble.weights.items()}
        self._pairs: Tensor = torch.empty(0)
        self._place = 0

    @torch.inference_mode()
    def begin(self, history_BT: NDArray[np.int64]) -> NDArray[np.float32]:
        """Forget everything, read the history token by token; logits of the next token, float32 (B, V)."""
        config, w = self.config, self._weights
        shape = (config.num_layers, 2, len(history_BT), config.num_heads, config.sequence_length)
        self._pairs = w["bos"].new_zeros(*shape, config.width // config.num_heads)
        self._place = 0
        logits = self._advance(w["bos"].expand(len(history_BT), -1))
        for place in range(history_BT.shape[1]):
            logits = self._advance(w["tokens"][torch.from_numpy(np.ascontiguousarray(history_BT[:, place]))])
        return logits

    @torch.inference_mode()
    def step(self, tokens_B: NDArray[np.int64]) -> NDArray[np.float32]:
        """Read one more token per sequence; logits of the next one, float32 (B, V)."""
        return self._advance(self._weights["tokens"][torch.from_numpy(np.ascontiguousarray(tokens_B))])

    def _advance(self, read_BD: Tensor) -> NDArray[np.float32]:
        config, w, end = self.config, self._weights, self._place + 1
        batch, width, heads = len(read_BD), config.width, config.num_heads
        if end > config.sequence_length:
            raise InputError("the sequence is longer than the model's", expected=config.sequence_length, got=end)
        x = read_BD + w["positions"][self._place]
        for layer in range(config.num_layers):
            normed = _norm(x, w[f"{layer}.norm1"])
            qkv = torch.addmm(w[f"{layer}.qkv_bias"], normed, w[f"{layer}.qkv"])
            q, k, v = qkv.view(batch, 3, heads, width // heads).unbind(1)
            keys, values = self._pairs[layer]
            keys[:, :, self._place], values[:, :, self._place] = k, v
            scores = (keys[:, :, :end] * (q * (width // heads) ** -0.5).unsqueeze(2)).sum(3)
            mixed = (torch.softmax(scores, -1).unsqueeze(3) * values[:, :, :end]).sum(2).reshape(batch, width)
            x = x + torch.addmm(w[f"{layer}.out_bias"], mixed, w[f"{layer}.out"])
            normed = _norm(x, w[f"{layer}.norm2"])
            up = F.gelu(torch.addmm(w[f"{layer}.up_bias"], normed, w[f"{layer}.up"]), approximate="tanh")
            x = x + torch.addmm(w[f"{layer}.down_bias"], up, w[f"{layer}.down"])
        self._place = end
        return (_norm(x, w["norm"]) @ w["tokens"].T).cpu().numpy()


def _norm(x_BD: Tensor, scale_and_shift: Tensor) -> Tensor:
    return F.layer_norm(x_BD, x_BD.shape[-1:], scale_and_shift[0], scale_and_shift[1])


def _with_bos(history_BT: NDArray[np.int64], bos_id: int | None) -> NDArray[np.int64]:
    if bos_id is None:
        return history_BT
    return np.concatenate([np.full((len(history_BT), 1), bos_id, dtype=np.int64), history_BT], axis=1)
