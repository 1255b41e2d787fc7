"""A record as Markdown, for a model card or a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from custodiet.records.audit import AuditRecord
from custodiet.records.base import Measurement
from custodiet.records.study import Curve, StudyRecord
from custodiet.report.text import arm_name, format_measurement, repeats_label, summary_sentences

__all__ = ["render_markdown_table", "render_markdown", "render_study_markdown"]


def _cell(one: Measurement | None, *, digits: int = 3, percent: bool = False) -> str:
    value, interval = format_measurement(one, digits=digits, percent=percent)
    return f"{value} ({interval})" if interval else value


def render_markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines
    )


def render_markdown(record: AuditRecord) -> str:
    """An audit as a section for a model card."""
    arms = list(record.arms.items())
    head = ["", *(arm_name(name) for name, _ in arms)]
    rows = [
        *(
            [
                f"Extracted, {repeats_label(one.repeats)}",
                *(_cell(arm.extraction_50[place].rate, percent=True) for _, arm in arms),
            ]
            for place, one in enumerate(arms[0][1].extraction_50)
        ),
        ["Extracted, controls", *(_cell(arm.control_extraction_50, percent=True) for _, arm in arms)],
        ["Membership AUC, loss", *(_cell(arm.membership["loss"].auc) for _, arm in arms)],
        [
            "Membership TPR at 1 % FPR, loss",
            *(_cell(arm.membership["loss"].tpr_at_fpr_1pct, percent=True) for _, arm in arms),
        ],
        ["Memorized bits per passage", *(_cell(arm.memorized_bits_member_minus_control, digits=1) for _, arm in arms)],
        ["Exposure of canaries, bits", *(_cell(arm.exposure_bits, digits=2) for _, arm in arms)],
        ["Validation loss, nats per token", *(_cell(arm.validation_loss_nats) for _, arm in arms)],
    ]
    machine = record.environment
    parts = [
        f"## Memorization audit: {record.title}",
        " ".join(summary_sentences(record)),
        render_markdown_table(head, rows),
        "### Not tested\n\n" + "\n".join(f"- {one}" for one in record.not_tested),
    ]
    if record.gates:
        rows = [[f"`{one.expression}`", one.outcome, one.reason] for one in record.gates]
        parts.append("### Gates\n\n" + render_markdown_table(["fail if", "outcome", "measured"], rows))
    parts.append(
        f"custodiet {machine.custodiet}, {record.created_utc}, seed {record.seed}, {machine.cpu}, {machine.device}, "
        f"{machine.dtype}; values with 95 % intervals."
    )
    return "\n\n".join(parts) + "\n"


def render_study_markdown(record: StudyRecord) -> str:
    """A study as Markdown."""
    rows = [
        [
            claim.name,
            "–" if claim.published is None else f"{claim.published:.4g}",
            "–" if claim.measured is None else f"{claim.measured:.4g}",
            "–" if claim.low is None or claim.high is None else f"{claim.low:.4g} – {claim.high:.4g}",
            claim.unit,
            claim.verdict,
        ]
        for claim in record.claims
    ]
    table = render_markdown_table(["claim", "published", "here", "interval", "unit", "verdict"], rows)
    curves = "".join(_curve(one) for one in record.curves)
    listings = "".join(f"### {one.title}\n\n```\n{one.text.rstrip()}\n```\n\n" for one in record.listings)
    reasons = "".join(f"- {one.name}: {one.why}\n" for one in record.claims if one.why)
    notes = f"Not measured:\n\n{reasons}\n" if reasons else ""
    return (
        f"## Study: {record.title}\n\n{table}\n\n{notes}{curves}{listings}Seed {record.seed}, {record.created_utc}.\n"
    )


def _curve(curve: Curve) -> str:
    """The numbers of a plot: a row for each x."""
    places = sorted({point.x for line in curve.lines for point in line.points})
    known = [{point.x: point.share for point in line.points} for line in curve.lines]
    rows = [[f"{x:g}", *[_cell(shares.get(x), percent=True) for shares in known]] for x in places]
    return f"### {curve.title}\n\n{render_markdown_table([curve.x_label, *[line.label for line in curve.lines]], rows)}\n\n"
