"""Loading the models people have: a custodiet checkpoint, a Hugging Face directory or hub id; safetensors only.

Nothing that is loaded can run code: pickled weights are refused, and a hub model's own code runs only when the caller
says so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from custodiet.base.protocols import Generator, NextTokenPredictor, TargetScorer, TokenCodec
from custodiet.data.tokenizer import load_tokenizer
from custodiet.errors import ModelLoadError, TokenizerError, UsageError
from custodiet.nn.decode import GPTStepper, TransformersGenerator
from custodiet.nn.export import load_gpt
from custodiet.nn.gpt import resolve_dtype
from custodiet.nn.predictors import GPTPredictor, TransformersPredictor
from custodiet.nn.scorer import GPTScorer, TransformersScorer
from custodiet.records.files import sha256_file, sha256_text

__all__ = ["LoadedModel", "load_model", "resolve_device"]

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
LONGEST_CONTEXT = 4096
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
    "spiece.model",
    "tokenizer_config.json",
)


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A model behind the protocols, with what a record says of it."""

    scorer: TargetScorer
    generator: Generator
    predictor: NextTokenPredictor
    codec: TokenCodec
    name: str
    description: str
    num_params: int
    context_length: int
    sha256: str
    """of the weights' own hashes"""
    identity_sha256: str
    """of all that its predictions depend on: weights, configuration and tokenizer"""
    weight_bytes: int
    """size of the *.safetensors files"""
    device: str
    dtype: str
    end_ids: frozenset[int] = frozenset()
    """tokens with which the model ends a text"""
    chat_prompt: Callable[[str], str] | None = None
    """puts a user's message into the form in which the model was trained to answer; None: it has none"""


class _TransformersCodec:
    """A tokenizer of `transformers` behind the protocol `TokenCodec`."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.bos_id: int | None = _leading_bos(tokenizer)

    @property
    def vocab_size(self) -> int:
        return len(self._tokenizer)

    @property
    def sha256(self) -> str:
        """Hash of the tokenizer, of its vocabulary alone where it is not a fast one."""
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        vocabulary = sorted(self._tokenizer.get_vocab().items())
        return sha256_text(repr(vocabulary) if backend is None else backend.to_str())

    def encode(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        batch = self._tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
        return [np.array(ids, dtype=np.int64) for ids in batch]

    def decode(self, ids: Sequence[int] | NDArray[np.int64]) -> str:
        # some tokenizers would tidy the spaces before punctuation, which is another text
        return str(self._tokenizer.decode([int(one) for one in ids], clean_up_tokenization_spaces=False))

    def chat_prompt(self, text: str) -> str:
        """A user's message in the model's own chat template, up to where its answer begins; without a BOS, which is added
        with every document.
        """
        messages = [{"role": "user", "content": text}]
        made = str(self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
        bos = self._tokenizer.bos_token
        return made.removeprefix(bos) if bos and self.bos_id is not None else made


def _leading_bos(tokenizer: Any) -> int | None:
    """The BOS that stands before a document: when the tokenizer puts one there itself, or is one of ours."""
    if tokenizer.bos_token_id is None:
        return None
    with_special = tokenizer("a", add_special_tokens=True)["input_ids"]
    return tokenizer.bos_token_id if with_special[:1] == [tokenizer.bos_token_id] else None


def resolve_device(name: str) -> str:
    """The device that "auto" means, or the one named.

    Raises:
        UsageError: there is no such device here.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError("--device is unknown", expected="auto, cpu, cuda or cuda:N", got=name) from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device names a GPU that torch does not see", got=name, hint="Use --device cpu.")
    return name


def load_model(
    model: str | Path,
    *,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    trust_remote_code: bool = False,
) -> LoadedModel:
    """Load a causal language model and its tokenizer.

    Args:
        model: directory (custodiet run, custodiet checkpoint or Hugging Face), or a hub id.
        revision: branch, tag or commit of a hub model.
        device: "auto" takes CUDA when there is one.
        dtype: "auto" is float32 on CPU, where audits are compared, and the checkpoint's own dtype on CUDA.
        trust_remote_code: run the code that comes with the model.

    Raises:
        ModelLoadError: missing, pickled, truncated or unknown weights.
        TokenizerError: no tokenizer, or one with ids that the model lacks.
        UsageError: no such device or dtype.
    """
    where = resolve_device(device)
    path = Path(model)
    if path.is_dir():
        if (path / "run.json").is_file() and (path / "model" / "config.json").is_file():
            path = path / "model"  # a run folder of `custodiet train`
        config = _check_directory(path)
        if "custodiet_version" in config:
            return _load_ours(path, where, dtype)
        return _load_transformers(str(path), None, where, dtype, trust_remote_code)
    if path.exists() or str(model).startswith((".", "/", "~")):
        raise ModelLoadError(
            f"{model} is not a model directory", expected="a folder with config.json and *.safetensors"
        )
    return _load_transformers(str(model), revision, where, dtype, trust_remote_code)


def _check_directory(path: Path) -> dict[str, Any]:
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelLoadError(f"{path} has no config.json", expected="a Hugging Face directory") from None
    except (OSError, ValueError) as error:
        raise ModelLoadError(f"{path / 'config.json'} cannot be read ({error})") from None
    weights = sorted(path.glob("*.safetensors"))
    if not weights:
        pickled = [one.name for one in sorted(path.iterdir()) if one.name.endswith(PICKLES)]
        if pickled:
            raise ModelLoadError(
                f"{path} holds pickled weights, which can run code when loaded",
                expected="*.safetensors",
                got=pickled[0],
                hint="Convert them with `save_pretrained(..., safe_serialization=True)` where you trust them.",
            )
        raise ModelLoadError(f"{path} has no weights", expected="*.safetensors")
    for one in weights:
        try:
            with safe_open(one, framework="pt") as handle:
                handle.keys()
        except (SafetensorError, OSError) as error:
            raise ModelLoadError(f"{one} is damaged ({error})", hint="Copy or download the file again.") from None
    if not isinstance(config, dict):
        raise ModelLoadError(f"{path / 'config.json'} is not a JSON object")
    return config


def _load_ours(path: Path, device: str, dtype: str) -> LoadedModel:
    kind = torch.float32 if dtype == "auto" else resolve_dtype(dtype, device)
    gpt = load_gpt(path).to(device)
    codec = load_tokenizer(path)
    _check_vocabulary(codec.vocab_size, gpt.config.vocab_size, str(path))
    weights = _hash_weights(path)
    return LoadedModel(
        scorer=GPTScorer(gpt, dtype=kind),
        generator=GPTStepper(gpt),
        predictor=GPTPredictor(gpt, bos_id=codec.bos_id),
        codec=codec,
        name=path.name,
        description=f"custodiet GPT, {gpt.config.num_layers} layers of width {gpt.config.width}",
        num_params=gpt.config.num_params,
        context_length=gpt.config.context_length,
        sha256=weights,
        identity_sha256=sha256_text("\0".join([weights, repr(gpt.config), codec.sha256])),
        weight_bytes=_weight_bytes(path),
        device=device,
        dtype=str(kind).removeprefix("torch."),
        end_ids=frozenset() if codec.bos_id is None else frozenset([codec.bos_id]),  # the next document's beginning
        chat_prompt=None,
    )


def _load_transformers(name: str, revision: str | None, device: str, dtype: str, trust: bool) -> LoadedModel:
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    kind: Any = ("auto" if device != "cpu" else torch.float32) if dtype == "auto" else resolve_dtype(dtype, device)
    local = Path(name).is_dir()
    options: dict[str, Any] = {"revision": revision, "trust_remote_code": trust, "local_files_only": local}
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(name, use_safetensors=True, dtype=kind, **options)
    except Exception as error:  # the library raises many kinds; each becomes one line
        raise ModelLoadError(f"{name} cannot be loaded ({_first_line(error)})") from None
    if local and not any((Path(name) / one).exists() for one in TOKENIZER_FILES):
        hint = "Save the tokenizer beside the model."
        raise TokenizerError(f"{name} has no tokenizer", expected="one of " + ", ".join(TOKENIZER_FILES), hint=hint)
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, **options)
    except Exception as error:
        hint = "Save the tokenizer beside the model."
        raise TokenizerError(f"{name} has no usable tokenizer ({_first_line(error)})", hint=hint) from None
    model = model.to(device).eval()
    config = model.config.get_text_config()
    _check_vocabulary(len(tokenizer), int(config.vocab_size), name)
    longest = (
        getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None) or LONGEST_CONTEXT
    )
    context = min(int(longest), LONGEST_CONTEXT)
    codec = _TransformersCodec(tokenizer)
    commit = getattr(model.config, "_commit_hash", None) or revision or ""
    weights = _hash_weights(Path(name)) if local else str(commit)
    return LoadedModel(
        scorer=TransformersScorer(model, context_length=context),
        generator=TransformersGenerator(model),
        predictor=TransformersPredictor(model, bos_id=codec.bos_id, context_length=context),
        codec=codec,
        name=Path(name).name if local else name,
        description=f"{type(model).__name__} from {'a local directory' if local else name}"
        + (f" at {revision}" if revision else ""),
        num_params=sum(parameter.numel() for parameter in model.parameters()),
        context_length=context,
        sha256=weights,
        identity_sha256=sha256_text("\0".join([weights, model.config.to_json_string(), codec.sha256])),
        weight_bytes=_weight_bytes(Path(name) if local else _snapshot(name, revision)),
        device=device,
        dtype=str(next(model.parameters()).dtype).removeprefix("torch."),
        end_ids=_end_ids(model, tokenizer),
        chat_prompt=codec.chat_prompt if getattr(tokenizer, "chat_template", None) else None,
    )


def _end_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    """The ends of a text that the tokenizer and the model's own generation settings name."""
    named = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    ids = [tokenizer.eos_token_id, *(named if isinstance(named, list) else [named])]
    return frozenset(int(one) for one in ids if one is not None)


def _check_vocabulary(num_ids: int, vocab_size: int, name: str) -> None:
    if num_ids > vocab_size:
        raise TokenizerError(
            f"the tokenizer of {name} has ids that the model lacks",
            expected=f"at most {vocab_size}",
            got=num_ids,
            hint="Use the tokenizer that the model was trained with.",
        )


def _hash_weights(path: Path) -> str:
    hashes = "".join(sha256_file(one) for one in sorted(path.glob("*.safetensors")))
    return hashlib.sha256(hashes.encode()).hexdigest()


def _weight_bytes(path: Path) -> int:
    return sum(one.stat().st_size for one in path.glob("*.safetensors"))


def _snapshot(name: str, revision: str | None) -> Path:
    """The folder in the cache that a hub model was just loaded from."""
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(name, revision=revision, allow_patterns="*.safetensors", local_files_only=True))


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
