"""Checkpoints: a folder per step, complete or absent.

A checkpoint is written into ``step-N.tmp`` and renamed; a kill in the middle leaves a ``.tmp`` that the next run removes.
Weights and optimizer state are safetensors, the rest is JSON.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from custodiet.errors import CheckpointError, OutputError
from custodiet.nn.gpt import GPT
from custodiet.optim.adamw import FlatAdamW

__all__ = ["latest_checkpoint", "load_checkpoint", "save_checkpoint"]


def save_checkpoint(folder: Path, *, model: GPT, optimizer: FlatAdamW, progress: dict[str, Any], keep: int = 2) -> Path:
    """Write the checkpoint of a step and drop old ones.

    Args:
        folder: folder of the run's checkpoints.
        model: the GPT.
        optimizer: its optimizer.
        progress: JSON object with at least ``step``.
        keep: number of checkpoints to keep.

    Returns:
        The folder of the checkpoint.

    Raises:
        OutputError: it cannot be written; older checkpoints are untouched.
    """
    final = folder / f"step-{int(progress['step']):08d}"
    temporary = final.with_suffix(".tmp")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        weights = {name: one.detach().contiguous().clone() for name, one in model.named_parameters()}
        save_file(weights, temporary / "model.safetensors")
        save_file(
            {name: one.contiguous().clone() for name, one in optimizer.state_dict().items()},
            temporary / "optimizer.safetensors",
        )
        (temporary / "progress.json").write_text(json.dumps(progress) + "\n", encoding="utf-8")
        for one in temporary.iterdir():
            with one.open("rb+") as stream:
                os.fsync(stream.fileno())
        if final.exists():
            shutil.rmtree(final)
        temporary.rename(final)
        for old in _complete(folder)[:-keep]:
            shutil.rmtree(old)
    except OSError as error:
        raise OutputError(f"checkpoint {final} cannot be written ({error.strerror or error})") from None
    return final


def _complete(folder: Path) -> list[Path]:
    return sorted(one for one in folder.glob("step-*") if one.is_dir() and one.suffix != ".tmp")


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint, or None; half-written ones are removed."""
    for one in folder.glob("step-*.tmp"):
        shutil.rmtree(one, ignore_errors=True)
    found = _complete(folder)
    return found[-1] if found else None


def load_checkpoint(path: Path, *, model: GPT, optimizer: FlatAdamW) -> dict[str, Any]:
    """Take weights and optimizer state over, bit for bit.

    Returns:
        The progress object.

    Raises:
        CheckpointError: a file is missing or damaged, or the model has other shapes.
    """
    try:
        weights = load_file(path / "model.safetensors")
        state = load_file(path / "optimizer.safetensors")
        progress = json.loads((path / "progress.json").read_text(encoding="utf-8"))
    except (OSError, SafetensorError, ValueError) as error:
        raise CheckpointError(
            f"checkpoint {path} is damaged ({error})", hint="Remove its folder to continue from the one before."
        ) from None
    parameters = dict(model.named_parameters())
    for name, parameter in parameters.items():
        if name not in weights or weights[name].shape != parameter.shape:
            got = tuple(weights[name].shape) if name in weights else "nothing"
            raise CheckpointError(f"checkpoint {path}: {name} does not fit", expected=tuple(parameter.shape), got=got)
        parameter.data.copy_(weights[name])
    optimizer.load_state_dict(state)
    return progress
