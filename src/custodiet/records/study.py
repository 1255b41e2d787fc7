"""The record of a study: claims, each with what was published and what was measured here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from custodiet.records.base import Environment, Measurement, Part, Raw, Record, migration

__all__ = ["Claim", "Curve", "CurveLine", "CurvePoint", "Listing", "StudyRecord", "claim_of", "judge_claim"]

Verdict = Literal["reproduced", "not reproduced", "inconclusive", "new"]


class Claim(Part):
    """One claim; its tolerance stands beside it and the verdict follows from it."""

    name: str
    unit: str
    published: float | None
    source: str
    tolerance: tuple[float, float] | None
    """closed interval in which `measured` reproduces the claim"""
    measured: float | None
    low: float | None
    high: float | None
    verdict: Verdict
    why: str | None = None
    """why there is no measured value"""


class Listing(Part):
    """A text that the report shows beside others, as it is."""

    title: str
    text: str


class CurvePoint(Part):
    """A place on a line."""

    x: float
    share: Measurement


class CurveLine(Part):
    """One of the lines of a plot."""

    label: str
    points: list[CurvePoint]


class Curve(Part):
    """A plot of shares, with their intervals."""

    title: str
    x_label: str
    y_label: str
    lines: list[CurveLine]
    reference: float | None = None
    """share at which a flat line is drawn"""
    reference_label: str = ""
    known_to: float | None = None
    """the x to which the model was trained; what lies beyond is set apart"""


class StudyRecord(Record):
    """A study that ran."""

    schema_id: Literal["custodiet.study/3"] = Field(default="custodiet.study/3", alias="schema")
    study: str
    title: str
    created_utc: str
    seed: int
    elapsed_s: float
    environment: Environment
    claims: list[Claim]
    listings: list[Listing] = Field(default_factory=list)
    """side by side in the report"""
    curves: list[Curve] = Field(default_factory=list)


@migration("custodiet.study/1", "custodiet.study/2")
def _add_listings(raw: Raw) -> Raw:
    """Studies of before there were listings, and reasons beside a claim."""
    return {**raw, "claims": [{**claim, "why": None} for claim in raw["claims"]], "listings": []}


@migration("custodiet.study/2", "custodiet.study/3")
def _add_curves(raw: Raw) -> Raw:
    """Studies of before there were curves."""
    return {**raw, "curves": []}


def judge_claim(
    *, tolerance: tuple[float, float] | None, measured: float | None, low: float | None, high: float | None
) -> Verdict:
    """Verdict of a claim: reproduced when the interval lies inside the tolerance, not reproduced when it excludes it.

    Without a published tolerance the claim is new; without a measured value it is inconclusive. A value without an
    interval is treated as exact.
    """
    if tolerance is None:
        return "new"
    if measured is None:
        return "inconclusive"
    bottom, top = (measured if low is None else low), (measured if high is None else high)
    if bottom >= tolerance[0] and top <= tolerance[1]:
        return "reproduced"
    if top < tolerance[0] or bottom > tolerance[1]:
        return "not reproduced"
    return "inconclusive"


def claim_of(
    name: str,
    unit: str,
    *,
    published: float | None,
    source: str,
    tolerance: tuple[float, float] | None,
    measured: Measurement,
) -> Claim:
    """A claim with its verdict, from what was measured."""
    return Claim(
        name=name,
        unit=unit,
        published=published,
        source=source,
        tolerance=tolerance,
        measured=measured.value,
        low=measured.low,
        high=measured.high,
        verdict=judge_claim(tolerance=tolerance, measured=measured.value, low=measured.low, high=measured.high),
        why=measured.why if measured.value is None else None,
    )
