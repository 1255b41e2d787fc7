"""One fit in a process of its own: ``python -m custodiet.memorization.capacity.worker JOB.json [TEXT.npz]``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from custodiet.base.workers import print_message
from custodiet.errors import CustodietError
from custodiet.memorization.capacity.coding import code_sequences
from custodiet.memorization.capacity.fit import FitConfig, fit_random_tokens, random_tokens
from custodiet.memorization.capacity.text import fit_text
from custodiet.nn.ensemble import EnsembleConfig
from custodiet.records.files import write_text_atomic

__all__ = ["config_of", "main"]


def config_of(job: dict[str, Any]) -> FitConfig:
    """The fit that a job's JSON asks for."""
    return FitConfig(**{**job, "model": EnsembleConfig(**job["model"])})


def _fit_and_code(config: FitConfig, options: dict[str, Any]) -> dict[str, Any]:
    """A fit on random tokens, and what its first model's set really costs in the coder."""
    fit, ensemble = fit_random_tokens(config, **options)
    return {**asdict(fit), "coded_bits": code_sequences(ensemble, random_tokens(config))}


def main() -> None:
    """Entry of the child process: fit, with a checkpoint beside the job, and write ``<job>.done.json``."""
    job = Path(sys.argv[1])
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        config = config_of(json.loads(job.read_text(encoding="utf-8")))
        checkpoint = job.with_suffix(".safetensors")
        options: dict[str, Any] = {
            "checkpoint": checkpoint,
            "on_progress": lambda step, num_steps, note: print_message(done=step, total=num_steps, note=note),
        }
        text = sys.argv[2] if len(sys.argv) > 2 else None
        found = _fit_and_code(config, options) if text is None else fit_text(config, Path(text), **options)
        write_text_atomic(job.with_suffix(".done.json"), json.dumps(found) + "\n")
        checkpoint.unlink(missing_ok=True)
    except CustodietError as error:
        print(error, file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
