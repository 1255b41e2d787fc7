"""The SQLite index of run folders: a cache that can be deleted at any time and is rebuilt from the folders."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from dataclasses import astuple, dataclass
from pathlib import Path

from custodiet.errors import OutputError, RecordError, UsageError
from custodiet.records.run_folder import RunFolder

__all__ = ["RunEntry", "RunIndex"]

COLUMNS = "id, kind, path, created_utc, status, title, headline, mtime_ns"


@dataclass(frozen=True)
class RunEntry:
    """One run as a list shows it."""

    id: str
    kind: str
    path: str
    created_utc: str
    status: str
    title: str
    headline: str
    mtime_ns: int


class RunIndex:
    """Runs directly below a folder.

    Args:
        root: folder that holds run folders; the index lies in it as ``.index.sqlite``.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.database = self.root / ".index.sqlite"

    def list_runs(self) -> list[RunEntry]:
        """All runs, newest first; the index is brought up to date with the folders first."""
        entries = self._refresh()
        return sorted(entries, key=lambda entry: (entry.created_utc, entry.id), reverse=True)

    def find(self, name: str) -> RunEntry:
        """The run with this id, start of an id, or folder.

        Raises:
            UsageError: no run or several runs fit.
        """
        path = Path(name)
        if (path / "run.json").is_file():
            return _read(path)
        fits = [entry for entry in self.list_runs() if entry.id.startswith(name)]
        exact = [entry for entry in fits if entry.id == name]
        if len(exact or fits) == 1:
            return (exact or fits)[0]
        if not fits:
            raise UsageError(f"no run {name!r} below {self.root}", hint="See `custodiet runs list`.")
        raise UsageError(f"{name!r} fits several runs", expected="one of " + ", ".join(entry.id for entry in fits))

    def remove(self, entry: RunEntry) -> None:
        """Delete the run's folder.

        Raises:
            OutputError: it cannot be deleted.
        """
        try:
            shutil.rmtree(entry.path)
        except OSError as error:
            raise OutputError(f"{entry.path} cannot be removed ({error.strerror})") from None

    def rebuild(self) -> list[RunEntry]:
        """Forget the index and read every folder again."""
        self.database.unlink(missing_ok=True)
        return self._refresh()

    def _folders(self) -> dict[str, int]:
        if not self.root.is_dir():
            return {}
        return {str(path.parent): path.stat().st_mtime_ns for path in self.root.glob("*/run.json")}

    def _refresh(self) -> list[RunEntry]:
        there = self._folders()
        if not there:
            return []
        try:
            return self._sync(there)
        except sqlite3.DatabaseError:
            with contextlib.suppress(OSError):
                self.database.unlink()
        try:
            return self._sync(there)
        except sqlite3.Error:  # a folder that cannot be written still lists its runs
            return [entry for path in there if (entry := _try_read(Path(path))) is not None]

    def _sync(self, there: dict[str, int]) -> list[RunEntry]:
        with contextlib.closing(sqlite3.connect(self.database, timeout=10)) as connection, connection:
            connection.execute(
                "create table if not exists runs (id text, kind text, path text primary key, created_utc text, "
                "status text, title text, headline text, mtime_ns integer)"
            )
            known = {row[2]: RunEntry(*row) for row in connection.execute(f"select {COLUMNS} from runs")}
            for path in known.keys() - there.keys():
                connection.execute("delete from runs where path = ?", (path,))
            entries: list[RunEntry] = []
            for path, mtime_ns in there.items():
                entry: RunEntry | None = known.get(path)
                if entry is None or entry.mtime_ns != mtime_ns:
                    entry = _try_read(Path(path))
                    if entry is None:
                        continue
                    connection.execute(
                        f"insert or replace into runs ({COLUMNS}) values (?,?,?,?,?,?,?,?)", astuple(entry)
                    )
                entries.append(entry)
            return entries


def _read(path: Path) -> RunEntry:
    folder = RunFolder.open(path)
    state = folder.state()
    return RunEntry(
        id=folder.path.resolve().name,
        kind=str(state.get("kind", "")),
        path=str(path),
        created_utc=str(state.get("created_utc", "")),
        status=str(state.get("status", "")),
        title=str(state.get("title", "")),
        headline=str(state.get("headline", "")),
        mtime_ns=folder.run_json.stat().st_mtime_ns,
    )


def _try_read(path: Path) -> RunEntry | None:
    try:
        return _read(path)
    except (RecordError, UsageError, OSError):
        return None
