"""Arms as processes, one thread each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from custodiet.base.workers import run_workers
from custodiet.records.files import write_text_atomic

__all__ = ["run_arm_processes"]

Progress = Callable[[str, float, float, str], None]


def run_arm_processes(
    work: Path, *, config: dict[str, Any], arms: tuple[str, ...], on_progress: Progress, workers: int | None = None
) -> None:
    """Train and measure every arm that has no ``arm.json`` yet.

    Args:
        work: folder with the split; each arm gets a folder below it.
        config: the recipe, handed over as JSON.
        arms: names of the arms.
        on_progress: called with (task, done, total, note) in this process.
        workers: processes at once; None takes one per core.

    Raises:
        CustodietError: an arm failed; the message is the arm's own.
    """
    write_text_atomic(work / "recipe.json", json.dumps(config, indent=1) + "\n")
    jobs = {
        name: ["custodiet.studies.arm", str(work), name] for name in arms if not (work / name / "arm.json").exists()
    }

    def listen(_: str, message: dict[str, Any]) -> None:
        on_progress(message["task"], message["done"], message["total"], message["note"])

    run_workers(jobs, on_message=listen, workers=workers, noun="arm")
