"""One pass over a file of items that keeps the first of each skeleton."""

from __future__ import annotations

import json
from pathlib import Path

from custodiet.errors import CorpusError, OutputError
from custodiet.records.files import atomic_path

__all__ = ["dedup_file"]


def dedup_file(path: Path, out: Path, *, overwrite: bool = False) -> tuple[int, int]:
    """Write the first item of each skeleton and task.

    Memory grows by about 100 bytes for each kept item, nothing else is held.

    Args:
        path: JSONL with the fields `skeleton` and `task`.
        out: where to.
        overwrite: whether `out` may exist.

    Returns:
        How many items were read and kept.

    Raises:
        CorpusError: the file cannot be read, or a line is not such an item; nothing is written then.
        OutputError: `out` exists or cannot be written.
    """
    if out.exists() and not overwrite:
        raise OutputError(f"{out} exists", hint="Name another file, or allow it to be replaced with --overwrite.")
    seen: set[tuple[int, str]] = set()
    read = 0
    try:
        source = path.open(encoding="utf-8")
    except OSError as error:
        raise CorpusError(f"cannot read {path} ({error.strerror})") from None
    with source, atomic_path(out) as temporary, temporary.open("w", encoding="utf-8") as sink:
        for place, line in enumerate(source, start=1):
            try:
                row = json.loads(line)
                key = (int(row["skeleton"], 16), row["task"])
            except (ValueError, KeyError, TypeError):
                raise CorpusError(
                    f"{path}:{place} is not an item",
                    expected="a JSON object with `skeleton` and `task`, as `custodiet logic generate` writes it",
                    got=line[:80].strip(),
                ) from None
            read += 1
            if key not in seen:
                seen.add(key)
                sink.write(line)
    return read, len(seen)
