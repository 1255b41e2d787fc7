"""Byte-level BPE, trained on the corpus at hand, in the layout that `transformers` loads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import tokenizers
from numpy.typing import NDArray
from tokenizers import decoders, models, pre_tokenizers, trainers

from custodiet.errors import TokenizerError
from custodiet.records.files import sha256_text, write_text_atomic

__all__ = ["BOS_TOKEN", "Tokenizer", "load_tokenizer", "train_bpe"]

BOS_TOKEN = "<|bos|>"
BYTES = 256


class Tokenizer:
    """A tokenizer behind the protocol `TokenCodec`.

    Args:
        inner: tokenizer of the `tokenizers` library.
        bos_token: the token that stands before a document, or None.
    """

    def __init__(self, inner: tokenizers.Tokenizer, *, bos_token: str | None = BOS_TOKEN) -> None:
        self._inner = inner
        self.bos_token = bos_token
        self.bos_id: int | None = None if bos_token is None else inner.token_to_id(bos_token)

    @property
    def vocab_size(self) -> int:
        """Ids lie in [0, vocab_size)."""
        return self._inner.get_vocab_size(with_added_tokens=True)

    @property
    def sha256(self) -> str:
        """Hash of the whole tokenizer."""
        return sha256_text(self._inner.to_str())

    def encode(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """Ids of each text without any special token, int64."""
        batch = self._inner.encode_batch_fast(list(texts), add_special_tokens=False)
        return [np.array(encoding.ids, dtype=np.int64) for encoding in batch]

    def decode(self, ids: Sequence[int] | NDArray[np.int64]) -> str:
        """Text of ids; bytes that are no UTF-8 become the replacement character."""
        return self._inner.decode([int(one) for one in ids], skip_special_tokens=False)

    def save(self, folder: Path) -> None:
        """Write ``tokenizer.json`` and ``tokenizer_config.json``, as `transformers.AutoTokenizer` reads them."""
        config = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": self.bos_token,
            "eos_token": self.bos_token,
            "clean_up_tokenization_spaces": False,
            "model_max_length": 1_000_000,
        }
        write_text_atomic(folder / "tokenizer.json", self._inner.to_str())
        write_text_atomic(folder / "tokenizer_config.json", json.dumps(config, indent=1) + "\n")


def train_bpe(texts: Iterable[str], *, vocab_size: int) -> Tokenizer:
    """Train a byte-level BPE (Sennrich et al. 2016 on bytes, GPT-2's pre-tokenization).

    Args:
        texts: the training text.
        vocab_size: number of ids, the 256 bytes and the BOS included.

    Raises:
        TokenizerError: `vocab_size` has no room for the bytes and the BOS.
    """
    if vocab_size < BYTES + 1:
        raise TokenizerError("vocab_size is too small", expected=f"at least {BYTES + 1}", got=vocab_size)
    inner = tokenizers.Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
    inner.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[BOS_TOKEN],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    inner.train_from_iterator(texts, trainer)
    return Tokenizer(inner)


def load_tokenizer(folder: Path) -> Tokenizer:
    """Load ``tokenizer.json`` and, if there is one, the BOS named by ``tokenizer_config.json``.

    Raises:
        TokenizerError: the file is missing or damaged.
    """
    path = folder if folder.is_file() else folder / "tokenizer.json"
    if not path.is_file():
        raise TokenizerError(f"there is no tokenizer in {folder}", expected="tokenizer.json")
    try:
        inner = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception for a damaged file
        raise TokenizerError(f"tokenizer {path} cannot be read ({error})") from None
    bos: str | None = None
    config = path.with_name("tokenizer_config.json")
    if config.is_file():
        named = json.loads(config.read_text(encoding="utf-8")).get("bos_token")
        bos = named.get("content") if isinstance(named, dict) else named
    elif inner.token_to_id(BOS_TOKEN) is not None:
        bos = BOS_TOKEN
    if bos is not None and inner.token_to_id(bos) is None:
        raise TokenizerError(f"tokenizer {path} lacks its own BOS token", got=bos)
    return Tokenizer(inner, bos_token=bos)
