"""Work as processes: each tells its progress as JSON lines on standard output; the parent waits, listens and cleans up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from queue import Queue
from typing import Any

from custodiet.errors import CustodietError

__all__ = ["ONE_THREAD", "num_usable_cores", "print_message", "run_workers"]

ONE_THREAD = {  # what keeps a child's libraries to one thread
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
}
Messages = Queue[tuple[str, dict[str, Any]]]


def num_usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def print_message(**message: Any) -> None:
    """Called in a worker: hand a message to the parent."""
    print(json.dumps(message), flush=True)


def run_workers(
    jobs: Mapping[str, Sequence[str]],
    *,
    on_message: Callable[[str, dict[str, Any]], None],
    on_done: Callable[[str], None] | None = None,
    workers: int | None = None,
    noun: str = "job",
) -> None:
    """Run ``python -m ...`` once per job, one thread each.

    Args:
        jobs: name -> what follows ``python -m``, started in this order.
        on_message: called here with (name, object) for every line that a worker prints.
        on_done: called here with the name of a job that succeeded.
        workers: processes at once; None takes one per core.
        noun: what an error calls a job.

    Raises:
        CustodietError: a job failed; the message is the job's own, and the others are stopped.
    """
    waiting = list(jobs)
    at_once = max(1, min(len(jobs), workers or num_usable_cores()))
    running: dict[str, subprocess.Popen[str]] = {}
    messages: Messages = Queue()
    errors: dict[str, list[str]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                name = waiting.pop(0)
                running[name] = _start(name, jobs[name], messages, errors)
            name, message = messages.get()
            if "exit" not in message:
                on_message(name, message)
                continue
            if message["exit"] != 0:
                raise CustodietError(_explain(f"{noun} {name}", errors.get(name, []), message["exit"]))
            del running[name]
            if on_done is not None:
                on_done(name)
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait()


def _start(
    name: str, arguments: Sequence[str], messages: Messages, errors: dict[str, list[str]]
) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
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


def _explain(who: str, lines: list[str], code: int) -> str:
    told = [line.strip() for line in lines if line.strip()]
    last = told[-1] if told else f"no message; exit code {code}"
    if code == -9:
        last = "killed by the system, most likely for want of memory"
    return f"{who} failed: {last}"
