"""The report of a label audit."""

from __future__ import annotations

from html import escape

from custodiet.base.units import format_duration_s
from custodiet.records.base import Measurement
from custodiet.records.logic_labels import LabelError, LogicLabelsRecord
from custodiet.report.html import render_environment, render_measurement, render_page, render_section, render_table
from custodiet.report.markdown import render_markdown_table

__all__ = ["KIND_HEAD", "kind_rows", "label_sentences", "render_logic_labels_html", "render_logic_labels_markdown"]

KIND_HEAD = ["kind", "says", "labels", "right", "wrong", "depends on an assumption", "inconsistent premises"]
SHOWN = 20


def _share(one: Measurement) -> str:
    if one.value is None or one.low is None or one.high is None:
        return "unknown"
    if one.value == 0:
        return f"none (at most {100 * one.high:.2g} %)"
    return f"{100 * one.value:.2f} % ({100 * one.low:.2f} – {100 * one.high:.2f} %)"


def kind_rows(record: LogicLabelsRecord) -> list[list[str]]:
    """The kinds of labels as rows under `KIND_HEAD`."""
    return [
        [
            one.kind,
            one.says,
            f"{one.num:,}",
            f"{one.num_right:,}",
            f"{one.num_wrong:,}",
            f"{one.num_only_with_assumption + one.num_only_without_assumption:,}",
            f"{one.num_inconsistent:,}",
        ]
        for one in record.kinds
    ]


def label_sentences(record: LogicLabelsRecord) -> list[str]:
    """What was found, in words."""
    unread = sum(record.unreadable.values())
    reasons = "; ".join(f"{why}: {num:,}" for why, num in record.unreadable.items())
    found = " (found by looking at the rows)" if record.detected else ""
    return [
        f"Of {record.num_claims:,} labels that were proved again, wrong: {_share(record.label_errors)}.",
        f"Premises that cannot be true together, unmentioned: {_share(record.inconsistent_premises)}.",
        *(
            [
                f"Right only if there are individuals of each kind, or only if not: {_share(record.assumption_dependent)}."
            ]
            if record.assumption_dependent.value
            else []
        ),
        f"Format {record.format}{found}; {record.num_rows:,} rows; decided by two engines each: {', '.join(record.engines)}.",
        *([f"Not decided: {unread:,} ({reasons})."] if unread else []),
    ]


def _error(one: LabelError) -> str:
    premises = "".join(f"<li><code>{escape(text)}</code></li>" for text in one.premises)
    return (
        f"<h3>{escape(one.place)}: {escape(one.outcome)}</h3>"
        f"<p>{escape(one.kind)}; the label says {escape(one.says)}, the engines {escape(one.verdict)}.</p>"
        f"<ol>{premises}</ol><p>Goal: <code>{escape(one.goal)}</code></p>"
        + (f"<blockquote>{escape(one.text)}</blockquote>" if one.text else "")
    )


def render_logic_labels_html(record: LogicLabelsRecord) -> str:
    """A label audit as one HTML file."""
    stamp = (
        f"custodiet {record.environment.custodiet} · {record.created_utc} · "
        f"{format_duration_s(record.elapsed_s)} min on {record.environment.cpu}"
    )
    shares = [
        ["Wrong labels", render_measurement(record.label_errors, percent=True)],
        ["Inconsistent premises, unmentioned", render_measurement(record.inconsistent_premises, percent=True)],
        ["Right under one reading only", render_measurement(record.assumption_dependent, percent=True)],
    ]
    gates = [[one.expression, one.outcome, one.reason] for one in record.gates]
    more = record.num_errors - min(len(record.errors), SHOWN)
    listed = "".join(_error(one) for one in record.errors[:SHOWN]) + (f"<p>And {more:,} more.</p>" if more else "")
    return render_page(
        record.title,
        stamp,
        [
            '<div class="summary">' + "".join(f"<p>{escape(one)}</p>" for one in label_sentences(record)) + "</div>",
            render_section(
                "Labels",
                render_table(["share of the labels", "measured"], shares),
                render_table(KIND_HEAD, kind_rows(record)),
            ),
            render_section("Gates", render_table(["gate", "outcome", "measured"], gates)) if gates else "",
            render_section("Labels that are not simply right", listed) if record.errors else "",
            render_section(
                "What was not tested",
                '<div class="summary limits"><ul>'
                + "".join(f"<li>{escape(one)}</li>" for one in record.not_tested)
                + "</ul></div>",
            ),
            render_environment(record.environment, record.command),
        ],
    )


def render_logic_labels_markdown(record: LogicLabelsRecord) -> str:
    """A label audit as Markdown, for a data card."""
    parts = [
        f"## {record.title}",
        " ".join(label_sentences(record)),
        render_markdown_table(KIND_HEAD, kind_rows(record)),
        "### Not tested\n\n" + "\n".join(f"- {one}" for one in record.not_tested),
        f"{record.created_utc}, {record.environment.cpu}.",
    ]
    return "\n\n".join(parts) + "\n"
