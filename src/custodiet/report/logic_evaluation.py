"""The report of a logic evaluation."""

from __future__ import annotations

from html import escape

from custodiet.base.units import format_duration_s
from custodiet.records.base import Measurement
from custodiet.records.logic_evaluation import LogicEvaluationRecord
from custodiet.report.html import (
    render_environment,
    render_gates,
    render_measurement,
    render_page,
    render_section,
    render_table,
)
from custodiet.report.markdown import render_markdown_table
from custodiet.report.plots import plot_logic_bias, plot_logic_depth, plot_logic_variants
from custodiet.report.text import format_measurement

__all__ = [
    "evaluation_lines",
    "evaluation_sentences",
    "render_logic_evaluation_html",
    "render_logic_evaluation_markdown",
]

_MODES = {
    "choices": "the most probable of the given answers counts",
    "answer": "the model writes, and its last label counts",
    "proof": "the model writes numbered steps or counter-models, and each is judged",
}
_CHAINS = {
    "valid": "Chain is valid",
    "step_by_step": "Chain is valid, one rule a line",
    "wrong": "Chain has a wrong step",
    "unreadable": "Chain has a step that cannot be read",
    "none": "No chain at all",
    "right_answer_wrong_chain": "Right answer, wrong chain",
    "valid_chain_wrong_answer": "Valid chain, wrong answer",
    "hallucinated_premises": "Invented among the lines called premises",
}


def _percent(one: Measurement) -> str:
    value, interval = format_measurement(one, percent=True)
    return f"{value} ({interval})" if interval else value


def _summary(record: LogicEvaluationRecord) -> list[tuple[str, Measurement]]:
    lines = [
        ("Accuracy", record.accuracy),
        ("Balanced accuracy", record.balanced_accuracy),
        ("Whole sets of twins", record.pair_accuracy),
        ("Same answer to variants", record.metamorphic_consistency),
        ("Answers that cannot be read", record.unreadable),
    ]
    if record.mode == "choices":
        lines.insert(1, ("Accuracy, log-probability per token", record.accuracy_per_token))
    return lines


def evaluation_sentences(record: LogicEvaluationRecord) -> list[str]:
    """What was found, in words."""
    acc, items = record.accuracy, record.items
    found = [
        f"{record.model} answers {_percent(acc)} of {items.num_asked - record.num_too_long:,} items rightly; guessing gives "
        f"{100 * record.chance:.1f} %."
    ]
    if acc.low is not None and acc.high is not None and acc.low <= record.chance <= acc.high:
        found.append("That cannot be told from guessing.")
    if record.pair_accuracy.value is not None:
        by_guess = "" if record.pair_chance is None else f"; guessing gives {100 * record.pair_chance:.1f} %"
        found.append(
            f"Of the sets of twins, which differ in one sentence and in their labels, {_percent(record.pair_accuracy)} are "
            f"right as a whole{by_guess}."
        )
    survival = record.survival
    if survival is not None and survival.per_step.value is not None:
        rate = survival.per_step
        bounds = "" if rate.low is None or rate.high is None else f" ({rate.low:.3f} – {rate.high:.3f})"
        found.append(f"A further step of inference is survived with probability r = {rate.value:.3f}{bounds}.")
    if record.metamorphic_consistency.value is not None:
        found.append(
            f"The answer stays the same under {_percent(record.metamorphic_consistency)} of the changes that cannot matter."
        )
    if record.bias:
        most = max(record.bias, key=lambda one: one.prediction_rate.value or 0.0)
        found.append(
            f"The answer given most often is “{most.label}”, to {_percent(most.prediction_rate)} of the items."
        )
    if record.chains is not None:
        found.append(
            f"{_percent(record.chains.valid)} of the answers have a valid chain, {_percent(record.chains.step_by_step)} one that "
            f"takes one rule a line; {_percent(record.chains.right_answer_wrong_chain)} are right with a chain that is not valid."
        )
    return found


def evaluation_lines(record: LogicEvaluationRecord) -> list[str]:
    """The result for a terminal."""
    lines = [f"{record.title}: {record.items.num_asked:,} items, {_MODES[record.mode]}", ""]
    for name, one in _summary(record):
        if one.value is not None:
            lines.append(f"{name:<40} {_percent(one)}")
    lines.append(f"{'Guessing':<40} {100 * record.chance:.1f} %")
    for one in record.by.get("depth", []):
        lines.append(f"{'  depth ' + one.value:<40} {_percent(one.accuracy)}")
    if record.survival is not None and record.survival.per_step.value is not None:
        value, interval = format_measurement(record.survival.per_step)
        lines.append(f"{'Survival per step, r':<40} {value} ({interval})")
    for one in record.metamorphic:
        lines.append(f"{'  same answer, ' + one.kind:<40} {_percent(one.consistency)}")
    lines += [f"{'gate ' + one.outcome:<40} {one.expression}: {one.reason}" for one in record.gates]
    if record.chains is not None:
        lines += [
            f"{told:<40} {_percent(getattr(record.chains, name))}"
            for name, told in _CHAINS.items()
            if name != "hallucinated_premises" or record.chains.hallucinated_premises.value is not None
        ]
    return [*lines, ""]


def _depth_section(record: LogicEvaluationRecord) -> str:
    slices = record.by.get("depth", [])
    if not slices:
        return ""
    pairs = {one.value: one.accuracy for one in record.pair_by_depth}
    head = ["depth", "items", "accuracy", *(["whole sets of twins"] if pairs else [])]
    rows = [
        [
            one.value,
            f"{one.num_items:,}",
            render_measurement(one.accuracy, percent=True),
            *([render_measurement(pairs[one.value], percent=True) if one.value in pairs else "–"] if pairs else []),
        ]
        for one in slices
    ]
    caption = "Share of right answers by the number of steps that the answer takes, with 95 % intervals."
    survival = record.survival
    if survival is not None and survival.per_step.value is not None:
        caption += (
            f" The curve is c + (1 − c) r^d with c = {survival.chance:.3f}, the chance of guessing, and "
            f"r = {survival.per_step.value:.3f}, fitted."
        )
    if pairs and record.pair_chance is not None:
        caption += f" A whole set of twins is guessed with probability {record.pair_chance:.3f}."
    figure = (
        f"<figure>{plot_logic_depth(record)}<figcaption>{escape(caption)}</figcaption></figure>"
        if len(slices) > 1
        else ""
    )
    fitted = ""
    if survival is not None:
        fitted = render_table(["", "measured"], [["Survival per step, r", render_measurement(survival.per_step)]])
    return render_section("Depth", figure, render_table(head, rows), fitted)


def _slices_section(record: LogicEvaluationRecord) -> str:
    parts = []
    for name, slices in record.by.items():
        if name == "depth" or len(slices) < 2:
            continue
        rows = [[one.value, f"{one.num_items:,}", render_measurement(one.accuracy, percent=True)] for one in slices]
        parts.append(f"<h3>By {escape(name)}</h3>" + render_table([name, "items", "accuracy"], rows))
    return render_section("Where it is right", *parts) if parts else ""


def _bias_section(record: LogicEvaluationRecord) -> str:
    if not record.bias:
        return ""
    labels = [one.label for one in record.bias]
    other = sorted({said for one in record.bias for said in one.predicted} - set(labels))
    rows = [
        [
            one.label,
            f"{one.num_items:,}",
            render_measurement(one.recall, percent=True),
            render_measurement(one.prediction_rate, percent=True),
        ]
        for one in record.bias
    ]
    answers = [[one.label, *[f"{one.predicted.get(said, 0):,}" for said in [*labels, *other]]] for one in record.bias]
    return render_section(
        "Bias of the answers",
        "<p>How often each label is found where it is right, and how often it is said at all. A model that always says one "
        "thing finds that label always and the others never.</p>",
        f"<figure>{plot_logic_bias(record)}<figcaption>Dotted: the share of the items that have the label; what is said "
        "without bias is said as often.</figcaption></figure>",
        render_table(["label", "items", "found", "said"], rows),
        render_table(["label", *[f"said {one or 'nothing that can be read'}" for one in [*labels, *other]]], answers),
    )


def _metamorphic_section(record: LogicEvaluationRecord) -> str:
    if not record.metamorphic:
        return ""
    rows = [
        [
            one.kind.replace("-", " "),
            f"{one.num_variants:,}",
            render_measurement(one.consistency, percent=True),
            render_measurement(one.accuracy, percent=True),
            render_measurement(one.original_accuracy, percent=True),
        ]
        for one in record.metamorphic
    ]
    return render_section(
        "Changes that cannot matter",
        "<p>The same items with other names, another order of premises, a double negation, a conditional turned around, an "
        "idle premise, or in the other language; two engines proved each label again. Consistency is not accuracy: a model "
        "that always says the same is perfectly consistent.</p>",
        f"<figure>{plot_logic_variants(record)}<figcaption>By kind of change, with 95 % intervals.</figcaption></figure>",
        render_table(["variant", "variants", "same answer", "accuracy", "accuracy before"], rows),
    )


def _chains_section(record: LogicEvaluationRecord) -> str:
    chains = record.chains
    if chains is None:
        return ""
    rows = [[told, render_measurement(getattr(chains, name), percent=True)] for name, told in _CHAINS.items()]
    over = chains.mean_steps_over_reference
    counts = [
        ["Steps", f"{chains.num_steps:,}"],
        ["of these unreadable", f"{chains.num_unreadable_steps:,}"],
        ["skipping something that does follow", f"{chains.num_skipped_steps:,}"],
        ["valid under another rule's name", f"{chains.num_misnamed_steps:,}"],
        ["valid, but more than one rule at once", f"{chains.num_leaps:,}"],
        ["Steps over the reference, mean of valid chains", "–" if over is None else f"{over:+.2f}"],
    ]
    kinds = [[kind, f"{num:,}"] for kind, num in chains.first_bad_kinds.items()]
    return render_section(
        "Chains of steps",
        render_table(["", "share of items"], rows),
        render_table(["", "number"], counts),
        render_table(["first bad step", "items"], kinds) if kinds else "",
    )


def render_logic_evaluation_html(record: LogicEvaluationRecord) -> str:
    """A logic evaluation as one HTML file."""
    machine = record.environment
    stamp = (
        f"custodiet {machine.custodiet} · {record.created_utc} · seed {record.seed} · "
        f"{format_duration_s(record.elapsed_s)} min on {machine.cpu}, {machine.device}, {machine.dtype}"
    )
    glance = [[name, render_measurement(one, percent=True)] for name, one in _summary(record)]
    limits = "".join(f"<li>{escape(one)}</li>" for one in record.not_tested)
    asked = [
        ["Model", record.model_description],
        ["Mode", f"{record.mode}: {_MODES[record.mode]}"],
        ["Between prompt and answer", repr(record.cue)],
        ["Items", f"{record.items.path}, {record.items.num_asked:,} of {record.items.num_items:,}"],
        ["SHA-256 of the items", record.items.sha256[:16]],
        ["Longer than the context", f"{record.num_too_long:,}"],
        ["Clusters", f"{record.num_clusters:,}"],
        ["Sets of twins not asked as a whole", f"{record.num_incomplete_twin_sets:,}"],
    ]
    return render_page(
        record.title,
        stamp,
        [
            '<div class="summary">' + "".join(f"<p>{escape(one)}</p>" for one in evaluation_sentences(record)) + "</div>",
            render_gates(record.gates),
            render_section(
                "At a glance",
                render_table(["", "measured"], glance),
                "<p class=\"note\">Intervals: 95 %, bootstrap over clusters of items that share a skeleton or a problem; n is the "
                "number of clusters. Guessing gives "
                f"{100 * record.chance:.1f} %. An interval without width: the rate is the same in every cluster, as it is where "
                "a model says the same to all items of a balanced problem.</p>",
            ),
            _depth_section(record),
            render_section("What was not tested", f'<div class="summary limits"><ul>{limits}</ul></div>'),
            _bias_section(record),
            _chains_section(record),
            _metamorphic_section(record),
            _slices_section(record),
            render_section("What was asked", render_table(['<th class="text"></th>', '<th class="text"></th>'], [
                [name, f'<td class="text">{escape(told)}</td>'] for name, told in asked
            ])),
            render_environment(machine, record.command),
        ],
    )  # fmt: skip


def render_logic_evaluation_markdown(record: LogicEvaluationRecord) -> str:
    """A logic evaluation as Markdown."""
    glance = [[name, _percent(one)] for name, one in _summary(record)]
    parts = [
        f"## Logic: {record.title}",
        " ".join(evaluation_sentences(record)),
        render_markdown_table(["", "measured"], glance),
    ]
    for name in ("depth", "label", "language", "logic"):
        slices = record.by.get(name, [])
        if len(slices) > 1:
            rows = [[one.value, f"{one.num_items:,}", _percent(one.accuracy)] for one in slices]
            parts.append(render_markdown_table([name, "items", "accuracy"], rows))
    if record.gates:
        rows = [[f"`{one.expression}`", one.outcome, one.reason] for one in record.gates]
        parts.append("### Gates\n\n" + render_markdown_table(["fail if", "outcome", "measured"], rows))
    parts += [
        "### Not tested\n\n" + "\n".join(f"- {one}" for one in record.not_tested),
        f"custodiet {record.environment.custodiet}, {record.created_utc}, seed {record.seed}; 95 % intervals, bootstrap over "
        f"{record.num_clusters:,} clusters.",
    ]
    return "\n\n".join(parts) + "\n"
