"""A study as one self-contained HTML file: its claims, its curves, its listings."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from custodiet.base.units import format_duration_s
from custodiet.records.study import Claim, Curve, Listing, StudyRecord
from custodiet.report.html import render_environment, render_measurement, render_page, render_section, render_table
from custodiet.report.plots import plot_study_curve

__all__ = ["render_study_html"]


def render_study_html(record: StudyRecord) -> str:
    """A study as one HTML file."""
    machine = record.environment
    rows = [
        [
            claim.name.replace("_", " "),
            "–" if claim.published is None else f"{claim.published:.4g}",
            _measured_cell(claim),
            "–" if claim.tolerance is None else f'<td class="range">{_range(*claim.tolerance)}</td>',
            f'<td class="text">{escape(claim.unit)}</td>',
            f'<td class="text">{claim.verdict}</td>',
        ]
        for claim in record.claims
    ]
    head = ["claim", "published", "here", "tolerance", '<th class="text">unit</th>', '<th class="text">verdict</th>']
    sources = "".join(
        f"<li>{escape(claim.name.replace('_', ' '))}: {escape(claim.source)}</li>" for claim in record.claims
    )
    stamp = f"custodiet {machine.custodiet} · {record.created_utc} · seed {record.seed} · {format_duration_s(record.elapsed_s)} min"
    return render_page(
        record.title,
        stamp,
        [
            render_section("Claims", render_table(head, rows), f"<ul>{sources}</ul>"),
            _curves(record.curves),
            _listings(record.listings),
            render_environment(machine, ""),
        ],
    )


def _range(low: float, high: float) -> str:
    return f"{low:.4g} – {high:.4g}"


def _measured_cell(claim: Claim) -> str:
    """The value with its interval below it, or why there is none."""
    if claim.measured is None:
        return "–" if claim.why is None else f'<td class="why">–<small>{escape(claim.why)}</small></td>'
    known = claim.low is not None and claim.high is not None
    interval = f"<small>{_range(claim.low, claim.high)}</small>" if known else ""  # type: ignore[arg-type]
    return f"<td>{claim.measured:.4g}{interval}</td>"


def _listings(listings: Sequence[Listing]) -> str:
    """Texts side by side; below one another where there is no room."""
    if not listings:
        return ""
    parts = "".join(
        f"<figure><figcaption>{escape(one.title)}</figcaption><pre>{escape(one.text.rstrip())}</pre></figure>\n"
        for one in listings
    )
    return render_section("Side by side", f'<div class="listings">{parts}</div>')


def _curves(curves: Sequence[Curve]) -> str:
    """Each plot with its numbers below it."""
    parts = []
    for one in curves:
        places = sorted({point.x for line in one.lines for point in line.points})
        known = [{point.x: point.share for point in line.points} for line in one.lines]
        rows = [[f"{x:g}", *[render_measurement(shares.get(x), percent=True) for shares in known]] for x in places]
        table = render_table([one.x_label, *[line.label for line in one.lines]], rows)
        caption = f"{one.title}; bars are 95 % intervals."
        if one.known_to is not None:
            caption += f" To the right of {one.known_to:g} lies what the model was never trained on."
        parts.append(f"<figure>{plot_study_curve(one)}<figcaption>{escape(caption)}</figcaption></figure>\n{table}")
    return render_section("Curves", *parts) if parts else ""
