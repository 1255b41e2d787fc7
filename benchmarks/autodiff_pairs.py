"""Rows of two ways to a derivative: checked against a reference, timed alternately in one process on one core.

Sides are those of `custodiet.studies.autodiff_timing`. One that is not installed makes a row with the other side only, `holds` None and
the reason; a side of ours that fails or is wrong makes a row that does not hold, and says so.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, Literal

from benchmarks.table import Row, judge
from custodiet.studies.autodiff_timing import (
    TOLERANCE,
    Side,
    Thunk,
    UnavailableError,
    alternate,
    max_norm_error,
    one_core,
    prepare_side,
)

__all__ = ["Side", "Thunk", "UnavailableError", "agreement_row", "alternate", "max_norm_error", "one_core", "pair_row"]


def pair_row(
    name: str,
    ours: Side,
    peer: Side,
    *,
    expected: Sequence[Any] | None,
    bar: float | None,
    better: Literal["lower", "higher"],
    input: str,
    reason: str,
    num_pairs: int = 7,
    peer_expected: Sequence[Any] | None | Literal["same"] = "same",
    tolerance: float = TOLERANCE,
) -> Row:
    """Time two sides alternately. With `better` "lower" the unit is seconds a call, with "higher" calls a second.

    `expected` is the reference derivative; `peer_expected` is another for the peer, or None where it computes something else.
    """
    sides = (ours, peer)
    wanted = (expected, expected if isinstance(peer_expected, str) else peer_expected)
    prepared = [prepare_side(side, want, tolerance) for side, want in zip(sides, wanted, strict=True)]
    present = [index for index, (thunk, _remark, _fault) in enumerate(prepared) if thunk is not None]
    times = alternate([prepared[index][0] for index in present], num_pairs)
    found: list[list[float] | None] = [None, None]
    for index, seconds in zip(present, times, strict=True):
        found[index] = seconds if better == "lower" else [1.0 / value for value in seconds]
    mine, theirs = found
    ratios = [a / b for a, b in zip(mine, theirs, strict=True)] if mine and theirs else []
    median = statistics.median(ratios) if ratios else None
    holds = judge(median, bar, better) if median is not None else None
    if prepared[0][2] or (prepared[1][2] and bar is not None):
        holds = False
    remarks = "; ".join(remark for _thunk, remark, _fault in prepared if remark)
    return Row(
        name=name,
        kind="ratio",
        ours=statistics.median(mine) if mine else None,
        peer=statistics.median(theirs) if theirs else None,
        peer_version=peer.version,
        unit=f"{'s' if better == 'lower' else '1/s'} (process CPU)",
        input=f"{input}, {num_pairs} pairs",
        ratio_median=median,
        ratio_min=min(ratios) if ratios else None,
        ratio_max=max(ratios) if ratios else None,
        bar=bar,
        better=better,
        holds=holds,
        reason=f"{reason}{'. ' if remarks else ''}{remarks}",
    )


def agreement_row(name: str, ours: Side, *, expected: Sequence[Any], input: str, reason: str) -> Row:
    """Whether ours runs and agrees with the reference; the time is printed in the reason."""
    thunk, remark, fault = prepare_side(ours, expected, TOLERANCE)
    error = max_norm_error(thunk(), expected) if thunk is not None else None
    timing = ""
    if thunk is not None:
        (seconds,) = alternate([thunk], 5)
        timing = f", {statistics.median(seconds) * 1e6:.4g} µs"
    return Row(
        name=name,
        kind="absolute",
        ours=error,
        unit="max-norm relative error",
        input=input,
        bar=TOLERANCE,
        better="lower",
        holds=False if fault else None if error is None else error <= TOLERANCE,
        reason=f"{reason}{timing}{'' if error is not None else f'. {remark}'}",
    )
