"""The default job: wall time, memory, and whether the effects show."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from benchmarks.table import Row, absolute_row


def resident_mib(root: int) -> float:
    """Resident memory of a process and its descendants, summed, from /proc."""
    children: dict[int, list[int]] = {}
    pages: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
            pages[int(entry.name)] = int(fields[21])
    total, todo = 0, [root]
    while todo:
        one = todo.pop()
        total += pages.get(one, 0)
        todo += children.get(one, [])
    return total * os.sysconf("SC_PAGE_SIZE") / 2**20


def run_job(seed: int = 0) -> tuple[dict[str, Any], float]:
    """The default job's JSON object and the largest summed memory, sampled every half second."""
    with tempfile.TemporaryDirectory() as name:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "custodiet",
                "audit",
                "--json",
                "--quiet",
                "--seed",
                str(seed),
                "--out",
                f"{name}/run",
            ],
            stdout=subprocess.PIPE,
        )
        peak, done = [0.0], threading.Event()

        def watch() -> None:
            while not done.wait(0.5):
                peak[0] = max(peak[0], resident_mib(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        out, _ = process.communicate()
        done.set()
        watcher.join()
    if process.returncode:
        raise RuntimeError(f"the default job ended with exit code {process.returncode}")
    return json.loads(out), peak[0]


def run() -> list[Row]:
    """The rows of this benchmark."""
    found, peak_mib = run_job()
    plain, gold = found["arms"]["cross_entropy"], found["arms"]["goldfish"]
    by_repeats = {one["repeats"]: one["rate"] for one in plain["extraction_50"]}
    once, most = by_repeats[min(by_repeats)], by_repeats[max(by_repeats)]
    control = plain["control_extraction_50"]
    ratio = found["comparisons"]["goldfish_over_cross_entropy_validation_loss"]
    rates = [one["value"] for _, one in sorted(by_repeats.items())]
    what = "default job, seed 0, two arms at once"

    def row(name: str, value: float, unit: str, bar: float, better: Any, reason: str, **more: Any) -> Row:
        return absolute_row(name, value, unit=unit, input=what, bar=bar, better=better, reason=reason, **more)

    return [
        row("default_job_wall_s", found["elapsed_s"], "s", 480, "lower", "two idle cores", threads=2),
        row("default_job_memory_mib", peak_mib, "MiB", 3072, "lower", "summed over processes, sampled each half second"),
        row("cross_entropy_extraction_most_repeats", most["value"], "share", 0.8, "higher", _interval(most)),
        row("cross_entropy_rises_with_repeats", sum(b < a for a, b in zip(rates, rates[1:], strict=False)), "falls", 0,
            "lower", f"rates by bucket: {', '.join(f'{rate:.2f}' for rate in rates)}", kind="count"),
        row("cross_entropy_extraction_once_low_minus_control", once["low"] - control["value"], "share", 0, "lower",
            f"interval at one repeat {_interval(once)}, controls {control['value']:.3f}"),
        row("goldfish_extraction_pooled", gold["extraction_50_pooled"]["value"], "share", 0.05, "lower",
            _interval(gold["extraction_50_pooled"])),
        row("goldfish_extraction_largest_bucket_low", max(one["rate"]["low"] for one in gold["extraction_50"]), "share",
            0.05, "lower", "Clopper-Pearson"),
        row("goldfish_over_cross_entropy_validation_loss", ratio["value"], "ratio", 1.03, "lower", _interval(ratio)),
        row("goldfish_membership_auc_low", gold["membership"]["loss"]["auc"]["low"], "AUC", 0.55, "higher",
            "pooled, LOSS; goldfish does not stop membership inference"),
    ]  # fmt: skip


def _interval(found: dict[str, Any]) -> str:
    return f"interval [{found['low']:.3f}, {found['high']:.3f}], {found['num']} samples"
