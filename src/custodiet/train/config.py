"""What a training run is asked to do: a flat TOML file."""

from __future__ import annotations

import difflib
import tomllib
import types
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from custodiet.data.goldfish_mask import DEFAULT_MASK_SEED, check_mask_settings
from custodiet.errors import UsageError

__all__ = ["TrainConfig", "load_train_config"]


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Settings of `custodiet train`; every field is a key of the TOML file."""

    corpus: tuple[str, ...]
    """txt, md, JSONL(.gz|.zst), Parquet files or folders of these"""
    text_column: str = "text"
    repeats_column: str | None = None
    """column that says how often a document is shown per epoch"""
    strict: bool = False
    tokenizer: str | None = None
    """folder with tokenizer.json; without one a byte-level BPE is trained on the corpus"""
    vocab_size: int = 4096
    """of the BPE that is trained"""
    validation_share: float = 0.02
    """share of documents held out by a seeded coin, at least one"""
    context_length: int = 256
    width: int = 256
    num_layers: int = 4
    num_heads: int = 4
    loss: Literal["cross_entropy", "goldfish"] = "cross_entropy"
    goldfish_k: int = 4
    goldfish_h: int = 13
    goldfish_seed: int = DEFAULT_MASK_SEED
    goldfish_strategy: Literal["hash", "static", "random"] = "hash"
    batch_size: int = 8
    """rows per micro-batch and rank"""
    accumulation_steps: int = 1
    """micro-batches per optimizer step"""
    num_steps: int = 1000
    learning_rate: float = 1e-3
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    warmup_steps: int = 50
    final_lr_share: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-8
    weight_decay: float = 0.1
    clip_norm: float | None = 1.0
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    device: str = "auto"
    num_threads: int | None = None
    """torch threads; None leaves torch's choice"""
    seed: int = 0
    log_every: int = 10
    validate_every: int = 200
    checkpoint_every: int = 200
    keep_checkpoints: int = 2

    def __post_init__(self) -> None:
        for name in (
            "vocab_size", "context_length", "width", "num_layers", "num_heads", "batch_size", "accumulation_steps",
            "num_steps", "log_every", "validate_every", "checkpoint_every", "keep_checkpoints",
        ):  # fmt: skip
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is too small", expected="at least 1", got=getattr(self, name))
        if not self.corpus:
            raise UsageError("corpus is empty", hint="Name files or folders: corpus = ['data/']")
        if not 0 <= self.validation_share < 1:
            raise UsageError("validation_share is no share", expected="in [0, 1)", got=self.validation_share)
        if self.learning_rate <= 0:
            raise UsageError("learning_rate is not positive", got=self.learning_rate)
        if self.warmup_steps > self.num_steps:
            raise UsageError(
                "warmup_steps is longer than the run", expected=f"<= {self.num_steps}", got=self.warmup_steps
            )
        check_mask_settings(k=self.goldfish_k, h=self.goldfish_h, strategy=self.goldfish_strategy, compat=None)


def load_train_config(path: Path, overrides: Mapping[str, Any] | None = None) -> TrainConfig:
    """Read a TOML file; `overrides` win.

    Relative paths of the corpus and the tokenizer are taken from the file's folder, those of overrides as they are.

    Raises:
        UsageError: the file is missing or no TOML, a key is unknown (the nearest one is named), a value has another type.
    """
    try:
        raw = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist", expected="a TOML file") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} is not TOML ({error})") from None
    known = {field.name for field in fields(TrainConfig)}
    for key in raw:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            raise UsageError(f"{path} has an unknown key {key!r}", hint=f"Did you mean {near[0]!r}?" if near else None)
    base = Path(path).parent
    if isinstance(raw.get("corpus"), str):
        raw["corpus"] = [raw["corpus"]]
    if isinstance(raw.get("corpus"), list):
        raw["corpus"] = tuple(str(base / one) for one in raw["corpus"])
    if isinstance(raw.get("tokenizer"), str):
        raw["tokenizer"] = str(base / raw["tokenizer"])
    values = {**raw, **(overrides or {})}
    if "corpus" not in values:
        raise UsageError(f"{path} names no corpus", hint="Add: corpus = ['data/']")
    hints = get_type_hints(TrainConfig)
    return TrainConfig(**{key: _typed(key, value, hints[key]) for key, value in values.items()})


def _typed(key: str, value: Any, hint: Any) -> Any:
    options = list(get_args(hint)) if isinstance(hint, types.UnionType) else [hint]
    for option in options:
        if option is float and type(value) is int:
            return float(value)
        if get_origin(option) is Literal:
            if value in get_args(option):
                return value
        elif get_origin(option) is tuple:
            if isinstance(value, tuple) and all(isinstance(one, str) for one in value):
                return value
        elif type(value) is option or (value is None and option is type(None)):
            return value
    names = [
        ", ".join(map(repr, get_args(option)))
        if get_origin(option) is Literal
        else getattr(option, "__name__", str(option))
        for option in options
    ]
    raise UsageError(f"{key} has a value of another kind", expected=" or ".join(names), got=repr(value))
