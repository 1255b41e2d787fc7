"""Progress on standard error: bars with an ETA at a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as Eta

from custodiet.base.units import format_duration_s

__all__ = ["ProgressPrinter"]

PLAIN_INTERVAL_S = 15.0


class ProgressPrinter:
    """A callable ``(task, done, total, note)`` that library functions report to.

    Args:
        quiet: print nothing at all.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._console = Console(stderr=True, quiet=quiet)
        self._rich = None if quiet or not sys.stderr.isatty() else self._make_bars()
        self._tasks: dict[str, TaskID] = {}
        self._started: dict[str, float] = {}
        self._printed: dict[str, float] = {}

    def _make_bars(self) -> Progress:
        return Progress(
            TextColumn("{task.description:<28}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            Eta(),
            TextColumn("[dim]{task.fields[note]}"),
            console=self._console,
        )

    def __enter__(self) -> Self:
        if self._rich is not None:
            self._rich.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._rich is not None:
            self._rich.stop()

    def __call__(self, task: str, done: float, total: float, note: str = "") -> None:
        """Show that `done` of `total` units of `task` are finished."""
        if self._quiet:
            return
        if self._rich is not None:
            if task not in self._tasks:
                self._tasks[task] = self._rich.add_task(task, total=total, note=note)
            self._rich.update(self._tasks[task], completed=done, total=total, note=note)
            return
        now = time.monotonic()
        first = task not in self._started
        self._started.setdefault(task, now)
        finished = done >= total > 0
        if finished and self._printed.get(task) == float("inf"):
            return
        if not first and not finished and now - self._printed[task] < PLAIN_INTERVAL_S:
            return
        self._printed[task] = float("inf") if finished else now
        elapsed = now - self._started[task]
        share = f"{done / total:4.0%}" if total else "    "
        left = f", {format_duration_s(elapsed * (total - done) / done)} left" if 0 < done < total else ""
        print(f"{task:<28} {share}  {format_duration_s(elapsed)}{left}  {note}".rstrip(), file=sys.stderr, flush=True)

    def say(self, line: str) -> None:
        """One line for a person, on standard error."""
        if not self._quiet:
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)
