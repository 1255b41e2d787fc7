"""What every command shares: the four options, JSON on stdout, and the paths that a run prints."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

if TYPE_CHECKING:
    from custodiet.records.run_folder import RunFolder

__all__ = ["JsonFlag", "OutOption", "QuietFlag", "SeedOption", "command_line", "print_json", "run_paths"]

JsonFlag = Annotated[
    bool, Parameter("--json", negative=(), help="Print one JSON object on stdout, everything else on stderr.")
]
OutOption = Annotated[
    Path | None, Parameter("--out", help="Run folder to create (default: runs/<kind>-<time>-<random>).")
]
SeedOption = Annotated[int, Parameter("--seed", help="Seed of every random choice; it is logged.")]
QuietFlag = Annotated[bool, Parameter("--quiet", negative=(), help="No progress on stderr.")]


def print_json(payload: dict[str, Any]) -> None:
    """One JSON object on stdout."""
    json.dump(payload, sys.stdout, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")
    sys.stdout.flush()


def run_paths(folder: RunFolder) -> dict[str, str]:
    """Where a run lies, for the object that ``--json`` prints."""
    return {
        "run_dir": str(folder.path.resolve()),
        "report_html": str(folder.report_html.resolve()),
        "record_json": str(folder.record_json.resolve()),
    }


def command_line() -> str:
    """The command as typed, without the path of the program."""
    return shlex.join(["custodiet", *sys.argv[1:]])
