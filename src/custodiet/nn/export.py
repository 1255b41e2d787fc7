"""Our GPT as a Hugging Face directory, and back: config.json, model.safetensors, tokenizer.

Hugging Face's GPT-2 stores the weights of its projections transposed ("Conv1D").
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from custodiet._version import __version__
from custodiet.data.tokenizer import Tokenizer
from custodiet.errors import ModelLoadError
from custodiet.nn.gpt import GPT, GPTConfig
from custodiet.records.files import atomic_path, write_text_atomic

__all__ = ["load_gpt", "save_hf_directory"]

_BLOCK = {
    "norm_attention": ("ln_1", False),
    "query_key_value": ("attn.c_attn", True),
    "attention_output": ("attn.c_proj", True),
    "norm_mlp": ("ln_2", False),
    "mlp_input": ("mlp.c_fc", True),
    "mlp_output": ("mlp.c_proj", True),
}
_TOP = {
    "token_embedding.weight": "transformer.wte.weight",
    "position_embedding.weight": "transformer.wpe.weight",
    "norm_final.weight": "transformer.ln_f.weight",
    "norm_final.bias": "transformer.ln_f.bias",
}


def _names(num_layers: int) -> dict[str, tuple[str, bool]]:
    """Our name -> (their name, whether the matrix is transposed)."""
    names = {mine: (theirs, False) for mine, theirs in _TOP.items()}
    for layer in range(num_layers):
        for mine, (theirs, transposed) in _BLOCK.items():
            stem = f"transformer.h.{layer}.{theirs}"
            names[f"blocks.{layer}.{mine}.weight"] = (f"{stem}.weight", transposed)
            names[f"blocks.{layer}.{mine}.bias"] = (f"{stem}.bias", False)
    return names


def save_hf_directory(model: GPT, folder: Path, *, tokenizer: Tokenizer | None = None) -> None:
    """Write a directory that `transformers.AutoModelForCausalLM.from_pretrained` loads.

    Args:
        model: the GPT; weights are written in float32.
        folder: directory to create; every file in it is replaced atomically.
        tokenizer: written beside the weights when given.
    """
    state = model.state_dict()
    tensors: dict[str, Tensor] = {}
    for mine, (theirs, transposed) in _names(model.config.num_layers).items():
        tensor = state[mine].detach().float().cpu()
        tensors[theirs] = (tensor.T if transposed else tensor).clone().contiguous()
    config = model.config
    bos_id = None if tokenizer is None else tokenizer.bos_id
    payload: dict[str, Any] = {
        "model_type": "gpt2",
        "architectures": ["GPT2LMHeadModel"],
        "custodiet_version": __version__,
        "vocab_size": config.vocab_size,
        "n_positions": config.context_length,
        "n_embd": config.width,
        "n_layer": config.num_layers,
        "n_head": config.num_heads,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5,
        "attn_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "resid_pdrop": 0.0,
        "tie_word_embeddings": True,
        "bos_token_id": bos_id,
        "eos_token_id": bos_id,
        "dtype": "float32",
    }
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / "model.safetensors") as temporary:
        save_file(tensors, temporary, metadata={"format": "pt"})
    write_text_atomic(folder / "config.json", json.dumps(payload, indent=1) + "\n")
    if tokenizer is not None:
        tokenizer.save(folder)


def load_gpt(folder: Path) -> GPT:
    """Load a directory that `save_hf_directory` wrote as our own GPT.

    Raises:
        ModelLoadError: a file is missing, damaged or of another layout.
    """
    try:
        payload = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        tensors = load_file(folder / "model.safetensors")
    except FileNotFoundError as error:
        raise ModelLoadError(
            f"{folder} is not a model", expected="config.json and model.safetensors", got=error
        ) from None
    except (SafetensorError, ValueError, OSError) as error:
        raise ModelLoadError(f"the weights in {folder} are damaged ({error})", hint="Copy the file again.") from None
    try:
        config = GPTConfig(
            vocab_size=payload["vocab_size"],
            context_length=payload["n_positions"],
            width=payload["n_embd"],
            num_layers=payload["n_layer"],
            num_heads=payload["n_head"],
        )
        model = GPT(config)
        state = {
            mine: tensors[theirs].T if transposed else tensors[theirs]
            for mine, (theirs, transposed) in _names(config.num_layers).items()
        }
        model.load_state_dict(state)
    except (KeyError, RuntimeError) as error:
        raise ModelLoadError(f"the weights in {folder} have another layout ({error})") from None
    with torch.no_grad():
        model.eval()
    return model
