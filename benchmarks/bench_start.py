"""How long `custodiet --help` takes."""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks.table import Row, absolute_row


def run(rounds: int = 7) -> list[Row]:
    """The rows of this benchmark."""
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-m", "custodiet", "--help"], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - begin)
    return [
        absolute_row(
            "help_wall_s", min(times[1:]), unit="s", input=f"best of {rounds - 1} after one to warm the disk", bar=0.5,
            better="lower", reason="an interpreter that imports nothing takes about 0.02 s",
        )
    ]  # fmt: skip
