"""`custodiet runs list|show|rm`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from custodiet.cli.common import JsonFlag, print_json
from custodiet.errors import UsageError

__all__ = ["app"]

app = App(name="runs", help="List, show and remove runs.", help_format="plaintext")


@app.command(name="list")
def list_runs(*, root: Path = Path("runs"), json: JsonFlag = False) -> None:
    """List the runs below a folder, newest first.

    Args:
        root: folder that holds runs.
        json: print one JSON object.
    """
    from custodiet.records.index import RunIndex

    entries = RunIndex(root).list_runs()
    if json:
        rows = [
            {
                "id": entry.id,
                "kind": entry.kind,
                "status": entry.status,
                "created_utc": entry.created_utc,
                "title": entry.title,
                "headline": entry.headline,
                "run_dir": str(Path(entry.path).resolve()),
            }
            for entry in entries
        ]
        print_json({"schema": "custodiet.runs/1", "runs": rows})
        return
    if not entries:
        print(f"no runs below {root}; `custodiet audit` makes one", file=sys.stderr)
    for entry in entries:
        print(f"{entry.id:<40} {entry.status:<12} {entry.created_utc:<20} {entry.headline or entry.title or ''}")


@app.command
def show(run: str, /, *, root: Path = Path("runs"), json: JsonFlag = False) -> None:
    """Show one run: the Markdown of its report, or its record as JSON.

    Args:
        run: id, start of an id, or folder.
        root: folder that holds runs.
        json: print the record.
    """
    import json as json_module

    from custodiet.records.index import RunIndex
    from custodiet.records.run_folder import RunFolder

    folder = RunFolder.open(Path(RunIndex(root).find(run).path))
    if not folder.record_json.exists():
        raise UsageError(f"run {folder.path} has no record yet", hint="Finish it with --resume.")
    if json:
        print_json(json_module.loads(folder.record_json.read_text(encoding="utf-8")))
    elif folder.report_md.exists():
        print(folder.report_md.read_text(encoding="utf-8"))
    else:
        print(folder.record_json.read_text(encoding="utf-8"))


@app.command
def rm(
    run: str,
    /,
    *,
    root: Path = Path("runs"),
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative=())] = False,
) -> None:
    """Remove one run folder.

    Args:
        run: id, start of an id, or folder.
        root: folder that holds runs.
        yes: do not ask.
    """
    from custodiet.records.index import RunIndex

    index = RunIndex(root)
    entry = index.find(run)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"removing {entry.path} needs a confirmation", hint="Add --yes.")
        if input(f"remove {entry.path}? [y/N] ").strip().lower() != "y":
            print("kept", file=sys.stderr)
            return
    index.remove(entry)
    print(f"removed {entry.path}", file=sys.stderr)
