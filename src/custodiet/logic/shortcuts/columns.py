"""Which columns of a file hold what, and its rows as problems to be attacked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from custodiet.errors import UsageError
from custodiet.logic.shortcuts.tokens import split_sentences
from custodiet.logic.tables import Row, RowFile, pick

__all__ = ["Columns", "Problem", "detect_columns", "iter_problems", "parse_filters"]

ROLES = ("label", "prompt", "premises", "hypothesis", "skeleton")
CANDIDATES = {
    "label": ("label", "gold_label", "gold", "answer", "target", "targets", "output", "class", "y"),
    "prompt": ("prompt", "inputs", "input", "question", "text", "instruction"),
    "premises": ("premises", "premise", "context", "theory", "facts", "paragraph", "passage", "sentence1"),
    "hypothesis": ("hypothesis", "goal", "conclusion", "query", "statement", "claim", "sentence2"),
    "skeleton": ("group", "skeleton", "template", "cluster"),
}
"""names that are looked for, in this order, whatever their case"""
QUESTIONS = ("question", "input", "inputs")
"""columns that hold the whole problem where they stand alone"""
INNER = ("text", "sentence", "formula")
"""what is taken of a column that holds objects"""


@dataclass(frozen=True, slots=True)
class Problem:
    """What an attacker may see of one row, and the label it is to guess."""

    label: str
    prompt: str | None = None
    premises: tuple[str, ...] | None = None
    hypothesis: str | None = None
    skeleton: str | None = None


@dataclass(frozen=True)
class Columns:
    """The column of each role; None where there is none."""

    label: str
    prompt: str | None = None
    premises: str | None = None
    hypothesis: str | None = None
    skeleton: str | None = None
    detected: tuple[str, ...] = ()
    """roles whose columns nobody named"""


def detect_columns(rows: RowFile, named: Mapping[str, str | None]) -> Columns:
    """Find the columns that were not named.

    Args:
        rows: an opened file; its columns and its first row decide.
        named: role -> column, for the roles that the user named; "-" says that there is none.

    Returns:
        The columns. A column of objects (`{"text": ..., "formula": ...}`) is taken by its text, else by its formula.

    Raises:
        UsageError: a named column is not there, none can be the label, or there is nothing to guess it from.
    """
    there = ", ".join(map(repr, rows.columns))
    found: dict[str, str | None] = {}
    for role in ROLES:
        name = named.get(role)
        if name == "-":
            found[role] = None
        elif name is not None:
            if name not in rows.columns and name.split(".")[0] not in rows.columns:
                raise UsageError(f"--{role} {name}: there is no such column in {rows.path}", expected=f"one of {there}")
            found[role] = _inner(rows.first, name)
    detected = [role for role in ROLES if role not in found]
    lower = {one.lower(): one for one in reversed(rows.columns)}
    for role in detected:
        taken = {one.split(".")[0] for one in found.values() if one}
        names = [lower[one] for one in CANDIDATES[role] if one in lower and lower[one] not in taken]
        found[role] = _inner(rows.first, names[0]) if names else None
    asks = {"prompt", "hypothesis"} <= set(detected) and (found["prompt"] or "").lower() in QUESTIONS
    if asks and found["premises"] and not found["hypothesis"]:  # beside a context, a question is what is asked about it
        found["hypothesis"], found["prompt"] = found["prompt"], None
    if found["label"] is None:
        raise UsageError(f"no column of {rows.path} looks like a label", expected=f"--label with one of {there}")
    if not any(found[role] for role in ("prompt", "premises", "hypothesis")):
        raise UsageError(
            f"no column of {rows.path} looks like a problem",
            expected=f"--prompt, or --premises and --hypothesis, with one of {there}",
        )
    return Columns(
        label=str(found["label"]),
        prompt=found["prompt"],
        premises=found["premises"],
        hypothesis=found["hypothesis"],
        skeleton=found["skeleton"],
        detected=tuple(role for role in detected if found[role] is not None),
    )


def _inner(row: Row, column: str) -> str:
    value = pick(row, column)
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, dict):
        for name in INNER:
            if value.get(name):
                return f"{column}.{name}"
    return column


def parse_filters(given: Iterable[str]) -> dict[str, str]:
    """`COLUMN=VALUE` texts as a mapping.

    Raises:
        UsageError: a text has no `=`.
    """
    found: dict[str, str] = {}
    for one in given:
        name, sign, value = one.partition("=")
        if not sign or not name:
            raise UsageError("--where is not a filter", expected="COLUMN=VALUE", got=repr(one))
        found[name.strip()] = value.strip()
    return found


def iter_problems(
    rows: RowFile, columns: Columns, *, where: Mapping[str, str] | None = None, skipped: dict[str, int] | None = None
) -> Iterator[Problem]:
    """The rows as problems, one at a time.

    Args:
        rows: an opened file.
        columns: which column holds what.
        where: column -> value that a row must have, compared as text.
        skipped: filled with why rows were left out, and how many.

    Raises:
        UsageError: a column of `where` is in no row.
        CorpusError: the file cannot be read to its end.
    """
    where = where or {}
    for name in where:
        if name not in rows.columns and name.split(".")[0] not in rows.columns:
            there = ", ".join(map(repr, rows.columns))
            raise UsageError(f"--where {name}: there is no such column in {rows.path}", expected=f"one of {there}")
    counts: dict[str, int] = {} if skipped is None else skipped
    for _, row in rows:
        if any(_as_label(pick(row, name)) != value for name, value in where.items()):
            counts["left out by --where"] = counts.get("left out by --where", 0) + 1
            continue
        found = _problem(row, columns)
        if isinstance(found, str):
            counts[found] = counts.get(found, 0) + 1
        else:
            yield found
    counts.update(rows.why_skipped)


def _problem(row: Row, columns: Columns) -> Problem | str:
    label = _as_label(pick(row, columns.label))
    if label is None:
        return "no label"
    prompt = _as_text(pick(row, columns.prompt)) if columns.prompt else None
    hypothesis = _as_text(pick(row, columns.hypothesis)) if columns.hypothesis else None
    premises = _as_premises(pick(row, columns.premises)) if columns.premises else None
    if columns.premises and not premises:
        return "no premises"
    if columns.hypothesis and not hypothesis:
        return "no hypothesis"
    if columns.prompt and not prompt:
        return "no prompt"
    skeleton = _as_label(pick(row, columns.skeleton)) if columns.skeleton else None
    return Problem(label, prompt, premises, hypothesis, skeleton)


def _as_label(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value).strip()
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _as_text(value: Any) -> str | None:
    if isinstance(value, list):
        value = "\n".join(str(one) for one in value if one is not None)
    if value is None:
        return None
    return str(value).strip() or None


def _as_premises(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(split_sentences(value))
    if isinstance(value, list):
        return tuple(str(one).strip() for one in value if one is not None and str(one).strip())
    return ()
