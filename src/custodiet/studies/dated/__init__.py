"""Records of runs that are too long for a study: files ``DATE-NAME.json``, as the commands that they name wrote them."""

from __future__ import annotations

import json
from importlib.resources import as_file, files
from typing import Any, TypeVar

from custodiet.errors import RecordError
from custodiet.records.base import Record

__all__ = ["last_dated_record", "last_dated_rows"]

R = TypeVar("R", bound=Record)
DATE_CHARS = len("2026-01-31")


def last_dated_record(name: str, kind: type[R]) -> tuple[str, R]:
    """The newest record of that name, and its date.

    Raises:
        RecordError: there is none, or it cannot be read.
    """
    found = sorted(one.name for one in files(__name__).iterdir() if one.name[DATE_CHARS:] == f"-{name}.json")
    if not found:
        raise RecordError(f"there is no dated record {name}", hint="Install custodiet again.")
    with as_file(files(__name__) / found[-1]) as path:
        return found[-1][:DATE_CHARS], kind.load(path)


def last_dated_rows(name: str) -> tuple[str, dict[str, Any]]:
    """The newest result of ``python -m benchmarks NAME`` that is shipped: its date, and its rows by name; empty where there is none."""
    found = sorted(one.name for one in files(__name__).iterdir() if one.name[DATE_CHARS:] == f"-{name}.json")
    if not found:
        return "", {}
    raw = json.loads((files(__name__) / found[-1]).read_text(encoding="utf-8"))
    return found[-1][:DATE_CHARS], {row["name"]: row for row in raw["rows"]}
