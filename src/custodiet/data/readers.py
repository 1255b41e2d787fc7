"""Documents out of files, one at a time: txt, md, JSONL (.gz, .zst), Parquet, and folders of these.

Memory does not grow with the number of documents; what was skipped is counted by reason.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import zstandard

from custodiet.errors import CorpusError
from custodiet.records.files import sha256_file

__all__ = ["CorpusFile", "Document", "DocumentStream", "iter_documents"]

TEXT_SUFFIXES = (".txt", ".md")
JSONL_SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".ndjson")
PARQUET_SUFFIXES = (".parquet",)
SUFFIXES = TEXT_SUFFIXES + JSONL_SUFFIXES + PARQUET_SUFFIXES
PARQUET_ROWS = 2048


@dataclass(frozen=True, kw_only=True)
class Document:
    """One document."""

    id: str
    """file and place in it; unique within a corpus"""
    text: str
    repeats: int | None = None
    """times that the corpus holds it, from the column that says so"""


@dataclass(kw_only=True)
class CorpusFile:
    """What was read out of one file; counts grow while it is read."""

    path: str
    sha256: str
    num_documents: int = 0
    num_skipped: int = 0
    why_skipped: dict[str, int] = field(default_factory=dict)

    def skip(self, why: str) -> None:
        """Count a document that was left out."""
        self.num_skipped += 1
        self.why_skipped[why] = self.why_skipped.get(why, 0) + 1


class DocumentStream:
    """An iterator over documents that says in `files` what it read; it can be iterated again from the start."""

    def __init__(
        self,
        paths: Sequence[Path | str],
        *,
        text_column: str,
        repeats_column: str | None,
        limit: int | None,
        strict: bool,
    ) -> None:
        self._paths = _find_files(paths)
        self._text_column, self._repeats_column = text_column, repeats_column
        self._limit, self._strict = limit, strict
        self.files: list[CorpusFile] = []

    def __iter__(self) -> Iterator[Document]:
        known = {one.path: one.sha256 for one in self.files}
        self.files = []
        num = 0
        for path, name in self._paths:
            file = CorpusFile(path=str(path), sha256=known.get(str(path)) or sha256_file(path))
            self.files.append(file)
            for document in self._read(path, name, file):
                if self._limit is not None and num >= self._limit:
                    return
                num += 1
                file.num_documents += 1
                yield document
            if file.num_documents == 0 and file.num_skipped == 0:
                raise CorpusError(f"{path} holds no document", hint="Leave the file out, or check it.")
        if num == 0:
            raise CorpusError("no document could be read", got=", ".join(str(path) for path, _ in self._paths[:3]))

    def _read(self, path: Path, name: str, file: CorpusFile) -> Iterator[Document]:
        if path.name.endswith(JSONL_SUFFIXES):
            yield from self._read_jsonl(path, name, file)
        elif path.name.endswith(PARQUET_SUFFIXES):
            yield from self._read_parquet(path, name, file)
        else:
            yield from self._read_text(path, name, file)

    def _read_text(self, path: Path, name: str, file: CorpusFile) -> Iterator[Document]:
        data = path.read_bytes()
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise CorpusError(f"{path} is not text", expected="UTF-8", got=f"byte {error.start} is no UTF-8") from None
        if "\0" in text:
            raise CorpusError(f"{path} is not text", expected="UTF-8 text", got="NUL characters: a binary file?")
        if text.strip():
            yield Document(id=name, text=text)

    def _read_jsonl(self, path: Path, name: str, file: CorpusFile) -> Iterator[Document]:
        try:
            for number, line in enumerate(_open_lines(path), start=1):
                if not line.strip():
                    continue
                try:
                    value = json.loads(line)
                except (ValueError, UnicodeDecodeError, RecursionError):
                    self._reject(file, f"line {number} of {path} is not JSON", "line is not JSON")
                    continue
                if not isinstance(value, dict):
                    self._reject(file, f"line {number} of {path} is not an object", "line is not an object")
                    continue
                yield from self._document(value, f"{name}:{number}", f"line {number} of {path}", file)
        except (OSError, EOFError, zstandard.ZstdError) as error:
            raise CorpusError(f"{path} cannot be read ({error})", hint="Is the file complete?") from None

    def _read_parquet(self, path: Path, name: str, file: CorpusFile) -> Iterator[Document]:
        try:
            columns = list(pl.read_parquet_schema(path))
        except Exception as error:  # polars raises its own family and OSError
            raise CorpusError(f"{path} is not a Parquet file ({str(error).splitlines()[0]})") from None
        wanted = [self._text_column, *([self._repeats_column] if self._repeats_column else [])]
        for column in wanted:
            if column not in columns:
                raise _wrong_column(column, columns, str(path))
        frame = pl.scan_parquet(path).select(wanted)
        total = pl.scan_parquet(path).select(pl.len()).collect().item()
        for start in range(0, total, PARQUET_ROWS):
            for offset, row in enumerate(frame.slice(start, PARQUET_ROWS).collect().iter_rows(named=True)):
                place = start + offset
                yield from self._document(row, f"{name}:{place + 1}", f"row {place + 1} of {path}", file)

    def _document(self, value: dict[str, Any], name: str, where: str, file: CorpusFile) -> Iterator[Document]:
        if self._text_column not in value:
            if file.num_documents == 0 and file.num_skipped == 0:
                raise _wrong_column(self._text_column, list(value), where)
            self._reject(file, f"{where} has no {self._text_column!r}", f"no {self._text_column!r}")
            return
        text = value[self._text_column]
        if not isinstance(text, str) or not text.strip():
            self._reject(file, f"{where} has no text in {self._text_column!r}", "empty or not a string")
            return
        repeats = None
        if self._repeats_column is not None:
            repeats = value.get(self._repeats_column)
            if not isinstance(repeats, int) or isinstance(repeats, bool) or repeats < 0:
                if self._repeats_column not in value and file.num_documents == 0:
                    raise _wrong_column(self._repeats_column, list(value), where)
                self._reject(file, f"{where} has no count in {self._repeats_column!r}", "repeats are not a count")
                return
        yield Document(id=name, text=text, repeats=repeats)

    def _reject(self, file: CorpusFile, message: str, why: str) -> None:
        if self._strict:
            raise CorpusError(message, hint="Mend it, or leave out --strict to skip and count such documents.")
        file.skip(why)


def iter_documents(
    paths: Iterable[Path | str],
    *,
    text_column: str = "text",
    repeats_column: str | None = None,
    limit: int | None = None,
    strict: bool = False,
) -> DocumentStream:
    """Stream documents.

    Args:
        paths: files, or folders that are searched for files with a known suffix.
        text_column: column or key that holds the text.
        repeats_column: column or key with the number of times that the corpus holds the document.
        limit: stop after so many documents.
        strict: refuse what would be skipped.

    Returns:
        An iterable with `files`; a document is a whole text file, a line of JSONL or a row of Parquet.

    Raises:
        CorpusError: a path is missing, a folder holds nothing readable; while reading: empty or binary files, broken
            lines under `strict`, a wrong column.
    """
    return DocumentStream(
        list(paths), text_column=text_column, repeats_column=repeats_column, limit=limit, strict=strict
    )


def _find_files(paths: Sequence[Path | str]) -> list[tuple[Path, str]]:
    if not paths:
        raise CorpusError("no documents were named")
    found: list[tuple[Path, str]] = []
    for given in paths:
        path = Path(given)
        if path.is_dir():
            inside = [one for one in sorted(path.rglob("*")) if one.is_file() and one.name.endswith(SUFFIXES)]
            if not inside:
                raise CorpusError(
                    f"folder {path} holds no documents", expected="files ending in " + ", ".join(SUFFIXES)
                )
            found += [(one, one.relative_to(path.parent).as_posix()) for one in inside]
        elif not path.exists():
            raise CorpusError(f"{path} does not exist")
        elif not path.name.endswith(SUFFIXES):
            raise CorpusError(f"{path} is of no known kind", expected="a name ending in " + ", ".join(SUFFIXES))
        else:
            found.append((path, path.name))
    names: dict[str, int] = {}
    unique: list[tuple[Path, str]] = []
    for path, name in found:
        names[name] = names.get(name, 0) + 1
        unique.append((path, name if names[name] == 1 else f"{name}~{names[name]}"))
    return unique


def _open_lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as raw:
        if path.name.endswith(".gz"):
            yield from gzip.GzipFile(fileobj=raw)
        elif path.name.endswith(".zst"):
            yield from io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(raw))  # type: ignore[arg-type]
        else:
            yield from raw


def _wrong_column(column: str, there: list[str], where: str) -> CorpusError:
    return CorpusError(
        f"{where} has no column {column!r}",
        expected="one of " + ", ".join(map(repr, there[:20])),
        hint="Name it with --text-column or --repeats-column.",
    )
