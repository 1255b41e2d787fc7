"""The studies `capacity` and `cross-entropy` as a user runs them: within their times, and what they find."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.table import Row, absolute_row

LAW_TOLERANCE = 0.002


def run_command(*arguments: str) -> tuple[dict[str, Any], float]:
    """The JSON object that a command prints, and its wall time."""
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "custodiet", *arguments, "--json", "--quiet"], stdout=subprocess.PIPE, check=True
    )
    return json.loads(done.stdout), time.monotonic() - begin


def study_rows(folder: Path) -> list[Row]:
    """Rows of both studies, run below `folder`; that of `cross-entropy` stays in ``folder/cross-entropy``."""
    _, random_s = run_command("capacity", "--no-text", "--out", str(folder / "random"))
    capacity, capacity_s = run_command("study", "run", "capacity", "--out", str(folder / "capacity"))
    cross, cross_s = run_command("study", "run", "cross-entropy", "--out", str(folder / "cross-entropy"))
    rows = [
        _wall("capacity_random_part_wall_s", random_s, 120, "custodiet capacity --no-text"),
        _wall("capacity_study_wall_s", capacity_s, 240, "custodiet study run capacity"),
        _wall("cross_entropy_study_wall_s", cross_s, 180, "custodiet study run cross-entropy"),
        *_cell_rows(),
    ]
    law = next(one for one in capacity["claims"] if one["name"] == "membership_law_rows")
    rows.append(
        absolute_row(
            "membership_law_largest_miss", law["measured"], unit="F1", input="six published rows", bar=LAW_TOLERANCE,
            better="lower", reason="the printed formula misses them by .2 and more",
        )
    )  # fmt: skip
    for study in (capacity, cross):
        rows += [_claim_row(study["study"], one) for one in study["claims"] if one["name"] != "membership_law_rows"]
    return rows


def _wall(name: str, seconds: float, bar: float, text: str) -> Row:
    return absolute_row(
        name, seconds, unit="s", input=text, bar=bar, better="lower", reason="two idle cores", threads=2
    )


def _cell_rows() -> list[Row]:
    from custodiet.records.capacity import CapacityRecord
    from custodiet.studies.dated import last_dated_record

    date, cell = last_dated_record("capacity-cell-1x32", CapacityRecord)
    held = cell.capacity_bits_per_param
    text = f"read from the record of {date}, {cell.points[0].num_steps:,} steps, {held.num} seeds"
    median = sorted(point.bits_per_param for point in cell.points)[len(cell.points) // 2]
    return [
        absolute_row(
            "cell_1x32_bits_per_param_median", median, unit="bits per parameter", input=text, bar=3.15, better="higher",
            reason="published 3.93 after a million steps; more steps still gain",
        ),
        absolute_row(
            "cell_1x32_wall_s", cell.elapsed_s, unit="s", input=text, bar=1200, better="lower",
            reason="three processes on two cores that also ran other work", threads=2,
        ),
    ]  # fmt: skip


def _claim_row(study: str, claim: dict[str, Any]) -> Row:
    published = "nothing published" if claim["published"] is None else f"published {claim['published']:g}"
    bounds = "no interval" if claim["low"] is None else f"[{claim['low']:.4g}, {claim['high']:.4g}]"
    measured = claim["measured"]
    return Row(
        name=f"{study}_{claim['name']}".replace("-", "_"),
        kind="absolute",
        ours=measured,
        peer=claim["published"],
        unit="see the study",
        input=claim["unit"],
        bar=None,
        better="higher",
        holds=None,
        reason=f"{published}, {bounds}: {claim['verdict']}",
    )
