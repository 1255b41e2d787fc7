"""The report of a shortcut audit."""

from __future__ import annotations

from html import escape

from custodiet.base.units import format_duration_s
from custodiet.records.base import Measurement
from custodiet.records.logic_shortcuts import LogicShortcutsRecord
from custodiet.report.html import render_environment, render_measurement, render_page, render_section, render_table
from custodiet.report.markdown import render_markdown_table
from custodiet.report.plots import plot_excess

__all__ = [
    "ATTACKER_HEAD", "attacker_rows", "render_logic_shortcuts_html", "render_logic_shortcuts_markdown",
    "shortcut_sentences",
]  # fmt: skip

ATTACKER_HEAD = ["attacker", "accuracy", "points over majority", "95 % interval", "sees"]


def _signed(number: float) -> str:
    return f"{round(number, 1) + 0.0:+.1f}"  # never "-0.0"


def _points(one: Measurement) -> str:
    return "–" if one.value is None else _signed(one.value)


def _range(one: Measurement) -> str:
    return one.why or "" if one.low is None or one.high is None else f"{_signed(one.low)} – {_signed(one.high)}"


def attacker_rows(record: LogicShortcutsRecord) -> list[list[str]]:
    """The attackers as rows under `ATTACKER_HEAD`, those that could not run last."""
    rows = [
        [
            one.name,
            f"{100 * (one.accuracy.value or 0.0):.1f} %",
            _points(one.excess_points),
            _range(one.excess_points),
            one.description,
        ]
        for one in record.attackers
    ]
    return rows + [[name, "–", "–", "", f"not run: {why}"] for name, why in record.not_run.items()]


def shortcut_sentences(record: LogicShortcutsRecord) -> list[str]:
    """What was found, in words."""
    best, control = record.strongest, record.control
    excess = best.excess_points
    if excess.low is not None and excess.low > 0:
        verdict = (
            f"Labels leak to who does not reason: {best.attacker} is right {_points(excess)} points more often than "
            "the most frequent label"
        )
    else:
        verdict = (
            f"No attacker is surely better than the most frequent label; the best, {best.attacker}, is {_points(excess)} "
            "points off it"
        )
    interval = f" ({_range(excess)}, over all attackers at once)"
    shares = ", ".join(f"{one.label} {100 * one.share:.1f} %" for one in record.labels)
    columns = ", ".join(
        f"{role} = {name}{' (found by its name)' if role in record.detected else ''}"
        for role, name in record.columns.items()
        if name
    )
    sampled = "" if record.num_problems == record.num_rows else f", a random sample of {record.num_rows:,}"
    skipped = "; ".join(f"{why}: {num:,}" for why, num in record.skipped.items())
    return [
        verdict + interval + ".",
        f"The same attacker on shuffled labels: {_points(control.excess_points)} ({_range(control.excess_points)}).",
        f"{record.num_problems:,} problems{sampled}, {record.num_groups:,} groups by {record.split_by}, {record.num_folds} folds; "
        f"labels: {shares}.",
        *([f"Columns: {columns}."] if columns else []),
        *([f"Rows left out: {skipped}."] if skipped else []),
    ]


def render_logic_shortcuts_html(record: LogicShortcutsRecord) -> str:
    """A shortcut audit as one HTML file."""
    stamp = (
        f"custodiet {record.environment.custodiet} · {record.created_utc} · seed {record.seed} · "
        f"{format_duration_s(record.elapsed_s)} min on {record.environment.cpu}"
    )
    rows = [
        [
            one.name,
            render_measurement(one.accuracy, percent=True),
            render_measurement(one.excess_points, digits=1),
        ]
        for one in record.attackers
    ]
    head = ["attacker", "accuracy", "points over majority"]
    recalls = [
        [one.name, *(render_measurement(recall.recall, percent=True) for recall in one.recalls)]
        for one in record.attackers
    ]
    told = "".join(
        f"<dt>{escape(one.name)}</dt><dd>{escape(one.description)}; {escape(one.model)}, {one.num_features:,} features</dd>"
        for one in record.attackers
    ) + "".join(f"<dt>{escape(name)}</dt><dd>not run: {escape(why)}</dd>" for name, why in record.not_run.items())
    gates = [[one.expression, one.outcome, one.reason] for one in record.gates]
    sentences = "".join(f"<p>{escape(one)}</p>" for one in shortcut_sentences(record))
    return render_page(
        record.title,
        stamp,
        [
            f'<div class="summary">{sentences}</div>',
            render_section(
                "Attackers",
                f"<figure>{plot_excess(record)}<figcaption>Accuracy on problems that were not learned from, less the "
                "share of the most frequent label; 95 % intervals by bootstrap over groups, widened because folds teach "
                "each other. Gray: the strongest attacker on shuffled labels.</figcaption></figure>",
                render_table(head, rows),
                f"<dl>{told}</dl>",
            ),
            render_section(
                "Which labels are guessed",
                "<p>Of the problems of each label, the share for which it was guessed.</p>",
                render_table(["attacker", *(one.label for one in record.labels)], recalls),
            ),
            render_section("Gates", render_table(["gate", "outcome", "measured"], gates)) if gates else "",
            render_section(
                "What was not tested",
                '<div class="summary limits"><ul>'
                + "".join(f"<li>{escape(one)}</li>" for one in record.not_tested)
                + "</ul></div>",
            ),
            render_environment(record.environment, record.command),
        ],
    )


def render_logic_shortcuts_markdown(record: LogicShortcutsRecord) -> str:
    """A shortcut audit as Markdown, for a data card."""
    parts = [
        f"## {record.title}",
        " ".join(shortcut_sentences(record)),
        render_markdown_table(ATTACKER_HEAD, attacker_rows(record)),
        "### Not tested\n\n" + "\n".join(f"- {one}" for one in record.not_tested),
        f"{record.created_utc}, seed {record.seed}, {record.environment.cpu}.",
    ]
    return "\n\n".join(parts) + "\n"
