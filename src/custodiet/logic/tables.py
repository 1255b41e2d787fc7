"""Rows out of files of anyone's making: JSONL, JSON, Parquet, CSV; one at a time, so that memory stays flat.

A column may lie inside another: `goal.text` is the key `text` of the object in `goal`, and of every object in it where
`goal` is a list. Lines that are not JSON objects are counted by reason, not guessed at.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from custodiet.errors import CorpusError

__all__ = ["Row", "RowFile", "open_rows", "pick"]

Row = dict[str, Any]
LINES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
PARQUET_ROWS = 4096
_MISSING = object()


@dataclass(kw_only=True)
class RowFile:
    """A file of rows that can be read again and again.

    `num_read` and `why_skipped` say what the latest reading met.
    """

    path: Path
    columns: tuple[str, ...]
    """columns of the first row (of the schema, where the file has one)"""
    first: Row
    num_read: int = 0
    why_skipped: dict[str, int] = field(default_factory=dict)

    def __iter__(self) -> Iterator[tuple[str, Row]]:
        """Pairs of a place ("line 3", "row 3", a key) and the row.

        Raises:
            CorpusError: the file ends in the middle, or is no longer what it was.
        """
        self.num_read, self.why_skipped = 0, {}
        for place, row in _read(self.path):
            if not isinstance(row, dict):
                self.why_skipped[str(row)] = self.why_skipped.get(str(row), 0) + 1
                continue
            self.num_read += 1
            yield place, row


def open_rows(path: Path) -> RowFile:
    """Look at a file of rows.

    Args:
        path: a name ending in .jsonl (.gz), .ndjson (.gz), .json, .parquet or .csv. A .json file holds a list of
            objects, or an object of objects, whose keys are then the places.

    Raises:
        CorpusError: it does not exist, is of another kind, cannot be read, or holds no row.
    """
    if path.is_dir():
        raise CorpusError(f"{path} is a folder", expected="a file of rows", hint="Name a file in it.")
    if not path.exists():
        raise CorpusError(f"{path} does not exist")
    skipped = 0
    for _, row in _read(path):
        if isinstance(row, dict):
            columns = tuple(map(str, row))
            if path.suffix == ".parquet":
                import polars as pl

                columns = tuple(pl.read_parquet_schema(path))
            return RowFile(path=path, columns=columns, first=row)
        skipped += 1
    broken = f"{skipped:,} broken lines" if skipped else "nothing"
    raise CorpusError(f"{path} holds no row", expected="one JSON object per line, or a table", got=broken)


def pick(row: Row, column: str) -> Any:
    """The value of a column, which may lie inside another.

    Returns:
        The value; a list of the values inside where the outer one is a list; None where there is nothing.
    """
    value = row.get(column, _MISSING)
    if value is not _MISSING:
        return value
    here: Any = row
    for name in column.split("."):
        if isinstance(here, list):
            here = [one.get(name) for one in here if isinstance(one, dict)]
        elif isinstance(here, dict):
            here = here.get(name)
        else:
            return None
    return here


def _read(path: Path) -> Iterator[tuple[str, Row | str]]:
    """Places and rows; a text in place of a row is why it is none."""
    name = path.name.lower()
    try:
        if name.endswith(LINES):
            yield from _read_lines(path)
        elif name.endswith(".json"):
            yield from _read_json(path)
        elif name.endswith(".parquet"):
            yield from _read_parquet(path)
        elif name.endswith(".csv"):
            yield from _read_csv(path)
        else:
            raise CorpusError(
                f"{path} is of no known kind", expected="a name ending in .jsonl, .jsonl.gz, .json, .parquet or .csv"
            )
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path} is not text", expected="UTF-8", got=f"byte {error.start} is no UTF-8") from None
    except (OSError, EOFError) as error:
        raise CorpusError(f"{path} cannot be read ({error})", hint="Is the file complete?") from None


def _open_text(path: Path) -> TextIO:
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig")
    return path.open(encoding="utf-8-sig", newline="")


def _read_lines(path: Path) -> Iterator[tuple[str, Row | str]]:
    with _open_text(path) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                yield f"line {number}", "line is not JSON"
                continue
            yield f"line {number}", row if isinstance(row, dict) else "line is not a JSON object"


def _read_json(path: Path) -> Iterator[tuple[str, Row | str]]:
    try:
        whole = json.loads(path.read_text(encoding="utf-8-sig"))
    except (json.JSONDecodeError, RecursionError) as error:
        hint = "Is it JSONL? Then its name must end in .jsonl."
        raise CorpusError(f"{path} is not JSON ({error})", hint=hint) from None
    if isinstance(whole, dict):
        if not all(isinstance(one, dict) for one in whole.values()):
            raise CorpusError(f"{path} holds one object", expected="a list of objects, or an object of objects")
        yield from ((str(key), one) for key, one in whole.items())
    elif isinstance(whole, list):
        for number, row in enumerate(whole, start=1):
            yield f"row {number}", row if isinstance(row, dict) else "row is not a JSON object"
    else:
        raise CorpusError(f"{path} holds no rows", expected="a list of objects", got=type(whole).__name__)


def _read_parquet(path: Path) -> Iterator[tuple[str, Row | str]]:
    import polars as pl

    try:
        frame = pl.scan_parquet(path)
        total = frame.select(pl.len()).collect().item()
        for start in range(0, total, PARQUET_ROWS):
            rows = frame.slice(start, PARQUET_ROWS).collect().iter_rows(named=True)
            yield from ((f"row {start + offset}", row) for offset, row in enumerate(rows, start=1))
    except pl.exceptions.PolarsError as error:
        raise CorpusError(f"{path} is not a Parquet file ({str(error).splitlines()[0]})") from None


def _read_csv(path: Path) -> Iterator[tuple[str, Row | str]]:
    csv.field_size_limit(1 << 27)
    with _open_text(path) as lines:
        try:
            for number, row in enumerate(csv.DictReader(lines), start=1):
                yield f"row {number}", "row has more cells than the head" if None in row else row
        except csv.Error as error:
            raise CorpusError(f"{path} is not a CSV file ({error})") from None
