"""The shape of a benchmark's result, and its Markdown."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison; `ratio` is ours over the peer's, in `unit`."""

    name: str
    kind: Literal["ratio", "absolute", "count"]
    ours: float | None
    peer: float | None = None
    peer_version: str | None = None
    unit: str
    threads: int = 1
    input: str
    ratio_median: float | None = None
    ratio_min: float | None = None
    ratio_max: float | None = None
    bar: float | None
    better: Literal["lower", "higher"]
    holds: bool | None
    reason: str


def judge(value: float, bar: float | None, better: str) -> bool | None:
    """Whether `value` is on the right side of `bar`; None where there is no bar."""
    if bar is None:
        return None
    return value <= bar if better == "lower" else value >= bar


def ratio_row(
    name: str,
    ours: Sequence[float],
    peers: Sequence[float],
    *,
    unit: str,
    peer_version: str,
    input: str,
    bar: float | None,
    better: Literal["lower", "higher"],
    reason: str,
) -> Row:
    """A row from paired measurements, judged by the median of the pairs' ratios."""
    ratios = [a / b for a, b in zip(ours, peers, strict=True)]
    median = statistics.median(ratios)
    return Row(
        name=name,
        kind="ratio",
        ours=statistics.median(ours),
        peer=statistics.median(peers),
        peer_version=peer_version,
        unit=unit,
        input=input,
        ratio_median=median,
        ratio_min=min(ratios),
        ratio_max=max(ratios),
        bar=bar,
        better=better,
        holds=judge(median, bar, better),
        reason=reason,
    )


def absolute_row(
    name: str,
    ours: float,
    *,
    unit: str,
    input: str,
    bar: float | None,
    better: Literal["lower", "higher"],
    reason: str,
    threads: int = 1,
    kind: Literal["absolute", "count"] = "absolute",
) -> Row:
    """A row without a peer."""
    return Row(
        name=name,
        kind=kind,
        ours=ours,
        unit=unit,
        threads=threads,
        input=input,
        bar=bar,
        better=better,
        holds=judge(ours, bar, better),
        reason=reason,
    )


def describe_machine() -> dict[str, Any]:
    """What the figures were measured on."""
    import numpy
    import torch

    from custodiet.records.base import Environment

    here = Environment.here(
        torch=torch.__version__,
        device="cpu",
        dtype="float32",
        num_threads=1,
        instruction_set=torch.backends.cpu.get_cpu_capability(),
    )
    return {
        "cpu": here.cpu,
        "num_cores": os.cpu_count(),
        "instruction_set": here.instruction_set,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "commit": here.commit,
    }


def as_object(bench: str, rows: Sequence[Row]) -> dict[str, Any]:
    """The JSON object of a benchmark."""
    return {
        "schema": "custodiet.bench/1",
        "bench": bench,
        "machine": describe_machine(),
        "rows": [asdict(row) for row in rows],
    }


def write_results(found: dict[str, Any]) -> list[Path]:
    """Write ``DATE-BENCH.json`` and ``.md`` under ``benchmarks/results``; the paths."""
    from custodiet.records.files import write_text_atomic

    RESULTS.mkdir(exist_ok=True)
    stem = f"{datetime.now(UTC):%Y-%m-%d}-{found['bench']}"
    paths = [RESULTS / f"{stem}.json", RESULTS / f"{stem}.md"]
    write_text_atomic(paths[0], json.dumps(found, indent=2) + "\n")
    write_text_atomic(paths[1], as_markdown(found))
    return paths


def as_markdown(found: dict[str, Any]) -> str:
    """The table that people read."""
    machine = ", ".join(f"{key} {value}" for key, value in found["machine"].items() if value is not None)
    lines = [
        f"# {found['bench']}",
        "",
        f"{machine}.",
        "",
        "| row | ours | peer | unit | ours / peer (min–max) | bar | holds | |",
        "| --- | ---: | ---: | --- | --- | --- | --- | --- |",
    ]
    for row in found["rows"]:
        bar = "" if row["bar"] is None else f"{'≤' if row['better'] == 'lower' else '≥'} {row['bar']:g}"
        ratio = "" if row["ratio_median"] is None else (
            f"{row['ratio_median']:.3g} ({row['ratio_min']:.3g}–{row['ratio_max']:.3g})"
        )  # fmt: skip
        holds = {True: "yes", False: "**no**", None: "–"}[row["holds"]]
        cells = [row["name"], _short(row["ours"]), _short(row["peer"]), row["unit"], ratio, bar, holds]
        lines.append(f"| {' | '.join(cells)} | {row['input']}. {row['reason']} |")
    return "\n".join([*lines, ""])


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
