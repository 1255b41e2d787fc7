"""Arms as processes: one thread each, progress as JSON lines on their standard output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Queue
from typing import Any

from custodiet.errors import CustodietError
from custodiet.records.files import write_text_atomic

__all__ = ["run_arm_processes"]

Progress = Callable[[str, float, float, str], None]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}


def run_arm_processes(
    work: Path, *, config: dict[str, Any], arms: tuple[str, ...], on_progress: Progress, workers: int | None = None
) -> None:
    """Train and measure every arm that has no ``arm.json`` yet.

    Args:
        work: folder with the split; each arm gets a folder below it.
        config: the recipe, handed over as JSON.
        arms: names of the arms.
        on_progress: called with (task, done, total, note) in this process.
        workers: processes at once; None takes one per core, at most one per arm.

    Raises:
        CustodietError: an arm failed; the message is the arm's own.
    """
    write_text_atomic(work / "recipe.json", json.dumps(config, indent=1) + "\n")
    waiting = [name for name in arms if not (work / name / "arm.json").exists()]
    at_once = max(1, min(len(arms), workers or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2))
    running: dict[str, subprocess.Popen[str]] = {}
    messages: Queue[tuple[str, dict[str, Any]]] = Queue()
    errors: dict[str, list[str]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                name = waiting.pop(0)
                running[name] = _start(work, name, messages, errors)
            name, message = messages.get()
            if "exit" in message:
                if message["exit"] != 0:
                    raise CustodietError(_explain(name, errors.get(name, []), message["exit"]))
                del running[name]
            else:
                on_progress(message["task"], message["done"], message["total"], message["note"])
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait()


def _start(
    work: Path, name: str, messages: Queue[tuple[str, dict[str, Any]]], errors: dict[str, list[str]]
) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "custodiet.studies.arm", str(work), name],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, **ONE_THREAD},
    )
    errors[name] = []
    drain = threading.Thread(target=lambda: errors[name].extend(process.stderr or ()), daemon=True)
    drain.start()

    def listen() -> None:
        for line in process.stdout or ():
            messages.put((name, json.loads(line)))
        drain.join()
        code = process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        messages.put((name, {"exit": code}))

    threading.Thread(target=listen, daemon=True).start()
    return process


def _explain(name: str, lines: list[str], code: int) -> str:
    told = [line.strip() for line in lines if line.strip()]
    last = told[-1] if told else f"no message; exit code {code}"
    if code == -9:
        last = "killed by the system, most likely for want of memory"
    return f"arm {name} failed: {last}"
