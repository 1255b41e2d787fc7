"""``--fail-if "PATH OP NUMBER"``: a dotted path into a record, judged by its interval.

For ``x > t`` the gate fails when low > t, passes when high <= t and is inconclusive between; the other operators mirror
this. Selectors: ``[key=value]`` picks the item of a list whose key has that value, ``[3]`` picks by position.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from custodiet.errors import UsageError

__all__ = ["Gate", "judge_gate", "parse_gate", "resolve_path"]

Operator = Literal[">", ">=", "<", "<="]
Outcome = Literal["pass", "fail", "inconclusive"]

_GATE = re.compile(r"^\s*(?P<path>.+?)\s*(?P<operator>>=|<=|>|<)\s*(?P<number>\S+)\s*$")
_STEP = re.compile(r"(?P<name>[A-Za-z_][\w-]*)(?P<selectors>(?:\[[^\]]*\])*)$")


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A parsed gate; `expression` is the text as typed."""

    path: str
    operator: Operator
    threshold: float
    expression: str


def parse_gate(expression: str) -> Gate:
    """Parse ``PATH OP NUMBER``.

    Raises:
        UsageError: the text is not a gate.
    """
    match = _GATE.match(expression)
    hint = 'For example: --fail-if "arms.model.extraction_50[repeats=1].rate > 0.001".'
    if match is None:
        raise UsageError("--fail-if is not a gate", expected="PATH OP NUMBER", got=repr(expression), hint=hint)
    try:
        threshold = float(match["number"])
    except ValueError:
        threshold = math.nan
    if not math.isfinite(threshold):
        raise UsageError("--fail-if has no number", expected="a finite number", got=repr(match["number"]), hint=hint)
    _split(match["path"])
    return Gate(
        path=match["path"],
        operator=cast(Operator, match["operator"]),
        threshold=threshold,
        expression=expression.strip(),
    )


def _split(path: str) -> list[tuple[str, list[str]]]:
    steps: list[tuple[str, list[str]]] = []
    for part in re.split(r"\.(?![^\[]*\])", path):
        match = _STEP.match(part)
        if match is None:
            raise UsageError(
                f"gate path {path!r} cannot be read at {part!r}", expected="names joined by dots, selectors in brackets"
            )
        steps.append((match["name"], re.findall(r"\[([^\]]*)\]", match["selectors"])))
    return steps


def resolve_path(record: Mapping[str, Any], path: str) -> Any:
    """What `path` leads to in a record's JSON object.

    Raises:
        UsageError: a step leads nowhere; the message says what is there.
    """
    here: Any = record
    walked = ""
    for name, selectors in _split(path):
        if not isinstance(here, Mapping) or name not in here:
            there = ", ".join(map(str, here)) if isinstance(here, Mapping) else type(here).__name__
            raise UsageError(
                f"gate path {path!r} has no {name!r}", expected=f"at {walked or 'the top'} one of: {there}"
            )
        here = here[name]
        walked = f"{walked}.{name}".lstrip(".")
        for selector in selectors:
            here = _select(here, selector, path=path, walked=walked)
            walked += f"[{selector}]"
    return here


def _select(items: Any, selector: str, *, path: str, walked: str) -> Any:
    if not isinstance(items, list):
        raise UsageError(f"gate path {path!r}: {walked} is not a list, so [{selector}] selects nothing")
    if "=" not in selector:
        try:
            return items[int(selector)]
        except (ValueError, IndexError):
            raise UsageError(f"gate path {path!r}: {walked} has {len(items)} items, no [{selector}]") from None
    key, _, wanted = (part.strip() for part in selector.partition("="))
    values = [item.get(key) if isinstance(item, Mapping) else None for item in items]
    for item, value in zip(items, values, strict=True):
        if ("null" if value is None else str(value)) == wanted:
            return item
    there = ", ".join("null" if value is None else str(value) for value in values)
    raise UsageError(f"gate path {path!r}: {walked} has no item with {key}={wanted}", expected=f"one of {there}")


def judge_gate(gate: Gate, measurement: Mapping[str, Any]) -> tuple[Outcome, str]:
    """Judge a gate on ``{"value", "low", "high", "num"}``.

    Returns:
        The outcome and its reason; an inconclusive reason says about how many samples would decide, from the interval's
        width shrinking with the square root of their number.
    """
    value, low, high = (measurement.get(key) for key in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return "inconclusive", f"no interval: {measurement.get('why') or 'not measured'}"
    limit = gate.threshold
    exact = value == low == high  # a plain number of the record, not a measurement
    shown = f"{value:.4g}" if exact else f"{value:.4g} [{low:.4g}, {high:.4g}], n={measurement['num']}"
    tests: dict[str, tuple[bool, bool]] = {
        ">": (low > limit, high <= limit),
        ">=": (low >= limit, high < limit),
        "<": (high < limit, low >= limit),
        "<=": (high <= limit, low > limit),
    }
    fails, passes = tests[gate.operator]
    if fails:
        return "fail", shown
    if passes:
        return "pass", shown
    return "inconclusive", f"{shown}; {_samples_to_decide(limit, value, low, high, int(measurement['num']))}"


def _samples_to_decide(limit: float, value: float, low: float, high: float, num: int) -> str:
    distance = abs(value - limit)
    half = (value - low) if limit < value else (high - value)
    if distance == 0 or half <= 0:
        return "the value lies on the threshold: no number of samples is sure to decide"
    # at a share of exactly 0 or 1 the open side of an exact interval shrinks with n, elsewhere with its root
    power = 1 if value in (low, high) else 2
    wanted = math.ceil(num * (half / distance) ** power - 1e-6)
    return f"about {max(1, wanted - num):,} more samples would decide if the value stays"
