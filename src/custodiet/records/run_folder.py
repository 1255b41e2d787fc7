"""A run is a folder; the folder is the truth.

run.json          kind, status, times, title; written atomically at every change
config.json       what the run was asked to do; a resumed run must ask the same
record.json       the record, once the run is done
rows.parquet      per-sample rows
report.html, report.md
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from custodiet._version import __version__
from custodiet.errors import OutputError, RecordError, UsageError
from custodiet.records.files import write_text_atomic

__all__ = ["RunFolder", "utc_now"]

Status = Literal["running", "done", "failed", "interrupted"]
DEFAULT_ROOT = Path("runs")


def utc_now() -> str:
    """The time as it stands in records: 2026-01-31T12:00:00Z."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class RunFolder:
    """Paths and state of one run; make it with `create` or `open`."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.run_json = self.path / "run.json"
        self.config_json = self.path / "config.json"
        self.record_json = self.path / "record.json"
        self.rows_parquet = self.path / "rows.parquet"
        self.report_html = self.path / "report.html"
        self.report_md = self.path / "report.md"
        self._before: dict[str, Any] | None = None

    @classmethod
    def create(cls, out: Path | None, kind: str, *, resume: bool = False) -> RunFolder:
        """Make the folder of a new run, or open the one to be resumed, before any work is done.

        Args:
            out: the folder; None makes ``runs/<kind>-<time>-<random>``.
            kind: audit, train or study.
            resume: continue the run in `out`.

        Raises:
            OutputError: the folder cannot be written, or holds files that are not a run.
            UsageError: it holds a run and `resume` is false, another kind of run, or there is nothing to resume.
        """
        if out is None:
            if resume:
                raise UsageError("--resume needs the run to continue", hint="Name its folder with --out.")
            stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
            out = DEFAULT_ROOT / f"{kind}-{stamp}-{secrets.token_hex(3)}"
        folder = cls(out)
        try:
            if folder.path.exists() and not folder.path.is_dir():
                raise OutputError(f"--out {out} is a file", expected="a folder to create")
            there = sorted(one.name for one in folder.path.iterdir()) if folder.path.exists() else []
            folder._check(there, kind, resume)
            folder.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            hint = "Name another --out."
            raise OutputError(f"--out {out} cannot be written ({error.strerror})", hint=hint) from None
        if folder.run_json.exists():
            folder._before = folder.state()
        else:
            folder._write({"kind": kind, "created_utc": utc_now(), "custodiet": __version__})
        folder._update(status="running", pid=os.getpid())
        return folder

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """An existing run.

        Raises:
            UsageError: `path` is no run folder.
        """
        folder = cls(path)
        if not folder.run_json.is_file():
            raise UsageError(f"{path} is not a run folder", expected="a folder with run.json")
        return folder

    def _check(self, there: list[str], kind: str, resume: bool) -> None:
        if not there:
            if resume:
                raise UsageError(f"there is no run in {self.path} to resume", hint="Leave out --resume to start one.")
            return
        if "run.json" not in there:
            raise OutputError(f"--out {self.path} holds other files", expected="a new or empty folder", got=there[0])
        state = self.state()
        if state.get("kind") != kind:
            raise UsageError(f"{self.path} holds another kind of run", expected=kind, got=state.get("kind"))
        if not resume:
            raise UsageError(f"{self.path} already holds a run", hint="Add --resume, or name another --out.")
        pid = state.get("pid")
        if state.get("status") == "running" and isinstance(pid, int) and pid != os.getpid() and _is_alive(pid):
            raise UsageError(f"{self.path} is in use by process {pid}", hint="Wait for it, or stop it first.")

    def state(self) -> dict[str, Any]:
        """The object in run.json.

        Raises:
            RecordError: it cannot be read.
        """
        try:
            state = json.loads(self.run_json.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RecordError(f"{self.run_json} cannot be read ({error})") from None
        if not isinstance(state, dict):
            raise RecordError(f"{self.run_json} is not a JSON object")
        return state

    def abandon(self, *also: Path) -> None:
        """Leave the folder as `create` found it, for mistakes that show before there is a result.

        Args:
            also: files of this run to remove beside its own.
        """
        if self._before is not None:
            self._write(self._before)
            return
        for path in (self.run_json, self.config_json, *also):
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # something else is in it
            self.path.rmdir()

    def begin(self, config: dict[str, Any]) -> None:
        """Write down what the run is asked to do, or check that a resumed run is asked the same.

        Raises:
            UsageError: the run was started with other options.
        """
        wanted = json.loads(json.dumps(config))
        if self.config_json.exists():
            found = self.read_config()
            different = [key for key in {**found, **wanted} if found.get(key) != wanted.get(key)]
            if different:
                raise UsageError(
                    f"run {self.path} was started with other options",
                    expected=", ".join(f"{key}={found.get(key)!r}" for key in different),
                    got=", ".join(f"{key}={wanted.get(key)!r}" for key in different),
                    hint="Resume with the same options, or name another --out.",
                )
            return
        write_text_atomic(self.config_json, json.dumps(wanted, indent=1) + "\n")

    def read_config(self) -> dict[str, Any]:
        """What the run was asked to do."""
        return json.loads(self.config_json.read_text(encoding="utf-8"))

    def finish(self, status: Status, *, title: str | None = None, headline: str | None = None) -> None:
        """Set the status and, for a run that is done, what a list of runs shows."""
        self._update(status=status, finished_utc=utc_now(), pid=None, title=title, headline=headline)

    def _update(self, **changes: Any) -> None:
        self._write(
            {**self.state(), **{key: value for key, value in changes.items() if value is not None or key == "pid"}}
        )

    def _write(self, state: dict[str, Any]) -> None:
        write_text_atomic(self.run_json, json.dumps(state, indent=1) + "\n")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
