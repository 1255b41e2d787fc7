"""What drives the arithmetic coder: a language model or an n-gram of bytes, and how bytes become its tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from custodiet._version import __version__
from custodiet.base.process import instruction_set_digest
from custodiet.base.protocols import NextTokenPredictor
from custodiet.entropy.ngram_predictor import AdaptivePredictor
from custodiet.errors import InputError, UsageError

__all__ = ["HASH_DIGITS", "ModelSpec", "TokenModel", "open_model", "read_file"]

Ints = NDArray[np.int64]
DEFAULT_ORDER = 8
HASH_DIGITS = 32


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """What predicts: a language model, or ``ngram[:ORDER]``, an n-gram of bytes that learns as it reads."""

    model: str
    train_on: tuple[str, ...] = ()
    """files that an n-gram learns first; the decoder needs the same ones"""
    device: str = "cpu"
    dtype: str = "auto"
    revision: str | None = None
    trust_remote_code: bool = False

    @property
    def order(self) -> int | None:
        """Order of the n-gram; None: the model is no n-gram.

        Raises:
            UsageError: the order is no number, or a language model is to be trained.
        """
        kind, _, order = self.model.partition(":")
        if kind != "ngram" or Path(self.model).exists():
            if self.train_on:
                raise UsageError("--train-on goes with --model ngram", got=self.model)
            return None
        if order and not (order.isdigit() and int(order) >= 1):
            raise UsageError("--model names no n-gram", expected="ngram:ORDER, for example ngram:8", got=self.model)
        return int(order or DEFAULT_ORDER)


@dataclass(frozen=True, kw_only=True)
class TokenModel:
    """A predictor, how bytes become its tokens, and all that a decoder must have alike."""

    predictor: NextTokenPredictor
    to_tokens: Callable[[bytes, str], Ints]
    to_bytes: Callable[[Ints], bytes]
    name: str
    sha256: str
    dtype: str
    fingerprint: str


def open_model(spec: ModelSpec) -> TokenModel:
    """Load what predicts.

    Raises:
        UsageError, ModelLoadError, TokenizerError, InputError: each names what is wrong.
    """
    order = spec.order
    if order is not None:
        return _open_ngram(order, spec.train_on)
    import torch

    from custodiet.nn.code_length import exact_tokens
    from custodiet.nn.loading import load_model
    from custodiet.nn.predictors import TransformersPredictor

    loaded = load_model(
        spec.model,
        revision=spec.revision,
        device=spec.device,
        dtype=spec.dtype,
        trust_remote_code=spec.trust_remote_code,
    )

    def to_tokens(data: bytes, name: str) -> Ints:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                f"{name} is not UTF-8 text at byte {error.start}",
                hint="A language model reads text; use --model ngram for other bytes.",
            ) from None
        return exact_tokens(loaded.codec, text, name=loaded.name)

    def to_bytes(tokens: Ints) -> bytes:
        return loaded.codec.decode(tokens).encode("utf-8", "surrogatepass")

    libraries = [f"torch {torch.__version__}", torch.backends.cpu.get_cpu_capability()]
    if isinstance(loaded.predictor, TransformersPredictor):
        libraries.append(f"transformers {version('transformers')}")
    if loaded.device != "cpu":
        libraries.append(torch.cuda.get_device_name(loaded.device))
    return TokenModel(
        predictor=loaded.predictor,
        to_tokens=to_tokens,
        to_bytes=to_bytes,
        name=loaded.name,
        sha256=loaded.identity_sha256[:HASH_DIGITS],
        dtype=loaded.dtype,
        fingerprint=_fingerprint(libraries),
    )


def _open_ngram(order: int, train_on: Sequence[str]) -> TokenModel:
    identity = hashlib.sha256(f"adaptive n-gram of bytes, order {order}".encode())
    texts: list[NDArray[np.uint8]] = []
    for path in train_on:
        data = read_file(Path(path), "--train-on file")
        identity.update(hashlib.sha256(data).digest())
        texts.append(np.frombuffer(data, dtype=np.uint8))
    return TokenModel(
        predictor=AdaptivePredictor(order=order, primed_with=texts),
        to_tokens=lambda data, name: np.frombuffer(data, dtype=np.uint8).astype(np.int64),
        to_bytes=lambda tokens: tokens.astype(np.uint8).tobytes(),
        name=f"ngram:{order}" + (" trained on " + ", ".join(Path(one).name for one in train_on) if train_on else ""),
        sha256=identity.hexdigest()[:HASH_DIGITS],
        dtype="float64",
        fingerprint=_fingerprint([f"numba {version('numba')}"]),
    )


def _fingerprint(libraries: list[str]) -> str:
    told = [
        f"custodiet {__version__}",
        *libraries,
        f"numpy {np.__version__}",
        f"constriction {version('constriction')}",
    ]
    return ", ".join([*told, f"cpu {instruction_set_digest()}"])


def read_file(path: Path, what: str = "file") -> bytes:
    """All bytes of a file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{what} {path} cannot be read ({error.strerror})") from None
