"""A record as one self-contained HTML file: no script, nothing fetched, the same bytes for the same record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape

from custodiet.base.units import format_bytes, format_duration_s
from custodiet.records.audit import ArmRecord, AuditRecord, ExampleRecord, GateOutcome
from custodiet.records.base import Environment, Measurement
from custodiet.report import plots
from custodiet.report.style import CSS
from custodiet.report.text import arm_name, format_measurement, repeats_label, summary_sentences

__all__ = [
    "render_environment",
    "render_gates",
    "render_html",
    "render_measurement",
    "render_page",
    "render_section",
    "render_table",
]

NO_BREAK = "\N{NO-BREAK SPACE}"
GLOSSARY = {
    "Extraction": "The model is given the first 50 tokens of a passage. If its most likely choice is the true token at "
    "each of the next 50 places, the passage counts as extracted. One teacher-forced pass gives the same verdict as greedy "
    "generation, exact ties aside.",
    "Opening": "Tokens 2 to 13 of a passage, predicted from its very beginning: goldfish masks hash the tokens before a "
    "target, and at a document's start there are few, so this is where a faulty mask leaks first.",
    "Membership inference": "Telling from the model's outputs whether a passage was in its training text. The area under "
    "the ROC curve is the chance that a member looks more like one than a control does; 0.5 is guessing.",
    "Memorized bits": "By how many bits the model codes a passage shorter than an n-gram model of other text does, "
    "member mean less control mean, so that what the model learned of the language in general cancels out.",
    "Exposure": "How far a planted secret's rank among random alternatives lies above chance, in bits.",
    "Interval": "95 % unless said otherwise: Clopper-Pearson for shares, DeLong for areas, Student or Welch for means, "
    "percentile bootstrap over documents for ratios.",
}


def render_measurement(one: Measurement | None, *, digits: int = 3, percent: bool = False) -> str:
    """A table cell with value and interval."""
    value, interval = format_measurement(one, digits=digits, percent=percent)
    why = ' class="why"' if one is not None and one.why else ""
    if one is not None and not one.why:  # a narrow column breaks between interval and number of samples, nowhere else
        interval = interval.replace(" ", NO_BREAK).replace(f",{NO_BREAK}n", ", n")
    return f"<td{why}>{escape(value)}" + (f"<small>{escape(interval)}</small>" if interval else "") + "</td>"


def render_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells that do not start with <td, or <th in the head, are escaped."""
    top = "".join(one if one.startswith("<th") else f"<th>{escape(one)}</th>" for one in head)
    body = "".join(
        "<tr>" + "".join(one if one.startswith("<td") else f"<td>{escape(one)}</td>" for one in row) + "</tr>\n"
        for row in rows
    )
    return f'<div class="table"><table><thead><tr>{top}</tr></thead><tbody>\n{body}</tbody></table></div>'


def render_section(title: str, *parts: str) -> str:
    """A section; empty parts are left out."""
    return f"<section><h2>{escape(title)}</h2>\n" + "\n".join(part for part in parts if part) + "</section>"


def _figure(svg: str, caption: str, table: str) -> str:
    return (
        f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>\n"
        f"<details><summary>The numbers</summary>{table}</details>"
    )


def render_page(title: str, stamp: str, body: Iterable[str]) -> str:
    """A whole page with its style sheet."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>\n{CSS}\n</style></head><body><main>\n<h1>{escape(title)}</h1>\n"
        f'<p class="stamp">{escape(stamp)}</p>\n'
        + "\n".join(part for part in body if part)
        + "\n</main></body></html>\n"
    )


def render_html(record: AuditRecord) -> str:
    """An audit as one HTML file."""
    machine = record.environment
    stamp = (
        f"custodiet {machine.custodiet} · {record.created_utc} · seed {record.seed} · "
        f"{format_duration_s(record.elapsed_s)} min on {machine.cpu}, {machine.device}, {machine.dtype}"
    ) + (f" · commit {machine.commit}" if machine.commit else "")
    sentences = "".join(f"<p>{escape(one)}</p>" for one in summary_sentences(record))
    return render_page(
        record.title,
        stamp,
        [
            f'<div class="summary">{sentences}</div>',
            render_gates(record.gates),
            _overview(record),
            _limits(record),
            _extraction(record),
            _openings(record),
            _generation(record),
            _accuracy(record),
            _membership(record),
            _bits(record),
            _exposure(record),
            _training(record),
            _forecast(record),
            _examples(record.examples, record.redacted),
            _corpus(record),
            render_environment(machine, record.command),
            render_section(
                "Words", "<dl>" + "".join(f"<dt>{k}</dt><dd>{escape(v)}</dd>" for k, v in GLOSSARY.items()) + "</dl>"
            ),
        ],
    )


def _arms(record: AuditRecord) -> list[tuple[str, ArmRecord]]:
    return list(record.arms.items())


def _overview(record: AuditRecord) -> str:
    arms = _arms(record)
    top = {name: max(arm.extraction_50, key=lambda one: one.repeats or 0, default=None) for name, arm in arms}
    lines: list[tuple[str, Callable[[str, ArmRecord], str]]] = [
        (
            "Extracted, most repeats",
            lambda name, arm: render_measurement(None if (b := top[name]) is None else b.rate, percent=True),
        ),
        ("Extracted, all members", lambda _, arm: render_measurement(arm.extraction_50_pooled, percent=True)),
        ("Extracted, controls", lambda _, arm: render_measurement(arm.control_extraction_50, percent=True)),
        ("Membership AUC, loss", lambda _, arm: render_measurement(arm.membership["loss"].auc)),
        (
            "Membership TPR at 1 % FPR, loss",
            lambda _, arm: render_measurement(arm.membership["loss"].tpr_at_fpr_1pct, percent=True),
        ),
        (
            "Memorized bits per passage",
            lambda _, arm: render_measurement(arm.memorized_bits_member_minus_control, digits=1),
        ),
        ("Exposure of canaries, bits", lambda _, arm: render_measurement(arm.exposure_bits, digits=2)),
        ("Validation loss, nats per token", lambda _, arm: render_measurement(arm.validation_loss_nats)),
        ("Blind baseline AUC", lambda _, arm: render_measurement(arm.blind_baseline_auc)),
        ("Parameters", lambda _, arm: f"{arm.num_params:,}"),
    ]
    rows = [[label, *(show(name, arm) for name, arm in arms)] for label, show in lines]
    described = "".join(f"<li><b>{escape(arm_name(name))}</b>: {escape(arm.description)}</li>" for name, arm in arms)
    return render_section(
        "At a glance", f"<ul>{described}</ul>", render_table(["", *(arm_name(name) for name, _ in arms)], rows)
    )


def _limits(record: AuditRecord) -> str:
    items = "".join(f"<li>{escape(one)}</li>" for one in record.not_tested)
    return render_section("What was not tested", f'<div class="summary limits"><ul>{items}</ul></div>')


def _bucket_table(
    record: AuditRecord, pick: Callable[[ArmRecord], Sequence[tuple[int | None, Measurement | None]]],
    control: Callable[[ArmRecord], Measurement | None], *, digits: int = 3, percent: bool = False,
) -> str:  # fmt: skip
    arms = _arms(record)
    columns = [dict(pick(arm)) for _, arm in arms]
    repeats = list(dict.fromkeys(key for column in columns for key in column))
    rows = [
        [
            repeats_label(key),
            *(render_measurement(column.get(key), digits=digits, percent=percent) for column in columns),
        ]
        for key in repeats
    ]
    if any(control(arm) is not None for _, arm in arms):
        rows.append(
            ["controls", *(render_measurement(control(arm), digits=digits, percent=percent) for _, arm in arms)]
        )
    return render_table(["repeats", *(arm_name(name) for name, _ in arms)], rows)


def _extraction(record: AuditRecord) -> str:
    exposures = render_table(
        ["repeats", *(f"{arm_name(name)}: shown" for name, _ in _arms(record))],
        [
            [repeats_label(row[0].repeats), *("–" if one.exposures is None else f"{one.exposures:.2f}×" for one in row)]
            for row in zip(*(arm.extraction_50 for _, arm in _arms(record)), strict=True)
        ],
    )
    table = _bucket_table(
        record,
        lambda arm: [(one.repeats, one.rate) for one in arm.extraction_50],
        lambda arm: arm.control_extraction_50,
        percent=True,
    )
    ties = sum(one.num_ties for _, arm in _arms(record) for one in arm.extraction_50)
    return render_section(
        "Verbatim extraction",
        "<p>Share of passages whose tokens 51 to 100 the model reproduces from the first 50, greedily and exactly.</p>",
        _figure(
            plots.plot_extraction(record), "Bars and band are 95 % intervals.",
            f"{table}<h3>How often training showed a passage</h3>{exposures}<p class='note'>Exact ties for the greedy "
            f"choice: {ties}.</p>",
        ),
    )  # fmt: skip


def _openings(record: AuditRecord) -> str:
    table = _bucket_table(
        record,
        lambda arm: [(one.repeats, one.token_accuracy) for one in arm.openings],
        lambda arm: None if arm.control_opening is None else arm.control_opening.token_accuracy,
        percent=True,
    )
    exact = _bucket_table(
        record,
        lambda arm: [(one.repeats, one.exact_rate) for one in arm.openings],
        lambda arm: None if arm.control_opening is None else arm.control_opening.exact_rate,
        percent=True,
    )
    return render_section(
        "Document openings",
        "<p>Tokens 2 to 13 from the very start of a passage, which the 50-token measure cannot see: share of tokens that "
        "are the greedy choice.</p>",
        table,
        f"<details><summary>All twelve tokens right</summary>{exact}</details>",
    )


def _generation(record: AuditRecord) -> str:
    if not any(arm.generation for _, arm in _arms(record)):
        return ""
    parts: list[str] = []
    for title, field, digits in (
        ("ROUGE-L", "rouge_l", 3),
        ("Normalized edit distance", "normalized_edit_distance", 3),
    ):
        table = _bucket_table(
            record,
            lambda arm, field=field: [(one.repeats, getattr(one, field)) for one in arm.generation],
            lambda arm, field=field: None if arm.control_generation is None else getattr(arm.control_generation, field),
            digits=digits,
        )
        parts.append(f"<h3>{title}</h3>{table}")
    return render_section(
        "Free-running generation",
        "<p>The model writes 50 tokens on its own after the true first 50, with cached greedy decoding; what it writes is "
        "compared with the truth.</p>",
        *parts,
    )


def _accuracy(record: AuditRecord) -> str:
    parts: list[str] = []
    for name, arm in _arms(record):
        if not any(one.kept_targets is not None for one in arm.token_accuracy):
            continue
        rows = [
            [
                repeats_label(one.repeats),
                *(
                    render_measurement(pick, percent=True)
                    for pick in (one.all_targets, one.kept_targets, one.dropped_targets)
                ),
            ]
            for one in arm.token_accuracy
        ]
        if arm.control_token_accuracy is not None:
            control = arm.control_token_accuracy
            picks = (control.all_targets, control.kept_targets, control.dropped_targets)
            rows.append(["controls", *(render_measurement(pick, percent=True) for pick in picks)])
        parts.append(
            f"<h3>{escape(arm_name(name))}</h3>"
            + _figure(
                plots.plot_accuracy(arm),
                "Targets that the loss never showed stay near what a control gives, however often the passage repeats.",
                render_table(["repeats", "all targets", "in the loss", "dropped"], rows),
            )
        )
    plain = _bucket_table(
        record,
        lambda arm: [(one.repeats, one.all_targets) for one in arm.token_accuracy],
        lambda arm: None if arm.control_token_accuracy is None else arm.control_token_accuracy.all_targets,
        percent=True,
    )
    return render_section(
        "Token accuracy", "<p>Share of suffix tokens that are the greedy choice, teacher-forced.</p>", plain, *parts
    )


def _membership(record: AuditRecord) -> str:
    names = {"loss": "LOSS", "zlib": "zlib", "min_k": "Min-K%", "min_k_plus_plus": "Min-K%++"}
    rows = [
        [
            f"{arm_name(name)}, {names[attack]}",
            render_measurement(one.auc),
            render_measurement(one.tpr_at_fpr_1pct, percent=True),
        ]
        for name, arm in _arms(record)
        for attack, one in arm.membership.items()
    ]
    parts = [render_table(["model, attack", "AUC", "TPR at 1 % FPR"], rows)]
    if any(arm.membership["loss"].by_repeats for _, arm in _arms(record)):
        table = _bucket_table(
            record, lambda arm: [(one.repeats, one.auc) for one in arm.membership["loss"].by_repeats], lambda arm: None
        )
        parts.insert(
            0, _figure(plots.plot_membership(record), "Each bucket against all controls, attack by loss.", table)
        )
    blind = next((arm.blind_baseline_auc for _, arm in _arms(record) if arm.blind_baseline_auc), None)
    note = ""
    if blind is not None and blind.value is not None and blind.low is not None and blind.high is not None:
        usable = blind.low <= 0.5 <= blind.high or abs(blind.value - 0.5) < 0.1
        verdict = (
            "members and controls look alike, so the figures above speak of the model"
            if usable
            else "members and controls differ by their text alone: do not read the figures above as membership"
        )
        figure = f"{blind.value:.2f} ({blind.low:.2f}–{blind.high:.2f})"
        note = f"<p>A classifier that never sees the model reaches an AUC of {figure}: {verdict}.</p>"
    return render_section("Membership inference", note, *parts)


def _bits(record: AuditRecord) -> str:
    table = _bucket_table(
        record,
        lambda arm: [(one.repeats, one.member_minus_control) for one in arm.memorized_bits_by_repeats],
        lambda arm: None,
        digits=1,
    )
    pooled = "; ".join(
        f"{arm_name(name)} {' '.join(part for part in format_measurement(arm.memorized_bits_member_minus_control, digits=1))}"
        for name, arm in _arms(record)
    )
    figure = ""
    if any(
        one.member_minus_control.value is not None for _, arm in _arms(record) for one in arm.memorized_bits_by_repeats
    ):
        figure = _figure(plots.plot_bits(record), "Member mean less control mean, against an n-gram model.", table)
    return render_section("Memorized bits", f"<p>Per passage, all members: {escape(pooled)}.</p>", figure)


def _exposure(record: AuditRecord) -> str:
    arms = _arms(record)
    if not any(arm.exposure_by_repeats for _, arm in arms):
        why = next((arm.exposure_bits.why for _, arm in arms if arm.exposure_bits.why), None)
        return render_section("Canaries", f"<p>{escape(why or 'not measured')}.</p>")
    columns = [{one.repeats: one.exposure_bits for one in arm.exposure_by_repeats} for _, arm in arms]
    rows = [
        ["left out" if key == 0 else f"{key}×", *(render_measurement(column.get(key), digits=2) for column in columns)]
        for key in columns[0]
    ]
    table = render_table(["repeats", *(arm_name(name) for name, _ in arms)], rows)
    return render_section(
        "Canaries",
        "<p>Sentences with a random six-digit secret, planted or left out by a coin. Exposure is the secret's rank among "
        "random alternatives, in bits above chance; a model that knows nothing has 1.44 on average.</p>",
        _figure(plots.plot_exposure(record), "Mean over canaries, 95 % interval.", table),
    )


def _training(record: AuditRecord) -> str:
    trained = [(name, arm.training) for name, arm in _arms(record) if arm.training is not None]
    if not trained:
        return ""
    lines = [
        ("Steps", lambda one: f"{one.num_steps:,}"),
        ("Tokens shown", lambda one: f"{one.num_input_tokens:,}"),
        ("Tokens in the loss", lambda one: f"{one.num_supervised_tokens:,}"),
        ("Tokens dropped", lambda one: f"{one.num_dropped_tokens:,}"),
        ("Time", lambda one: f"{format_duration_s(one.elapsed_s)} min"),
        ("Peak memory", lambda one: "–" if one.peak_rss_bytes is None else format_bytes(one.peak_rss_bytes)),
        ("Dtype, threads", lambda one: f"{one.dtype}, {one.num_threads}"),
    ]
    rows = [[label, *(show(one) for _, one in trained)] for label, show in lines]
    table = render_table(["", *(arm_name(name) for name, _ in trained)], rows)
    curve_rows = [
        [arm_name(name), f"{tokens:,}", f"{loss:.3f}", *("–" if x is None else f"{x:.3f}" for x in (kept, dropped))]
        for name, one in trained
        for tokens, loss, kept, dropped in one.curve
    ]
    curve = render_table(
        ["arm", "tokens in the loss", "validation", "batch, in the loss", "batch, dropped"], curve_rows
    )
    return render_section(
        "Training",
        table,
        _figure(plots.plot_curves(record), "Validation loss against tokens in the loss.", curve),
    )


def _forecast(record: AuditRecord) -> str:
    one = record.forecast
    if one is None:
        return ""
    rows = [
        [
            "Capacity",
            f"{one.capacity_bits:,.0f} bits",
            f"{one.num_params:,} parameters × {one.bits_per_param} ({one.bits_per_param_source})",
        ],
        ["Corpus", f"{one.corpus_bits:,.0f} bits", one.corpus_bits_source],
        ["Corpus over capacity", f"{one.corpus_over_capacity:.2f}", f"{one.num_corpus_tokens:,} tokens"],
        ["Tokens per parameter", f"{one.tokens_per_param:.2f}", ""],
    ]
    if one.membership_f1 is not None:
        rows.append(["Membership F1, predicted", f"{one.membership_f1:.3f}", one.membership_f1_source or ""])
    return render_section(
        "Forecast",
        f"<p>{escape(one.reading)}</p>",
        _figure(plots.plot_forecast(one), "Before any training.", render_table(["", "value", "source"], rows)),
    )


def _examples(examples: Sequence[ExampleRecord], redacted: bool) -> str:
    if not examples:
        return ""
    rows = [
        [arm_name(one.arm), one.document_id, repeats_label(one.repeats), f"{one.num_matching_tokens} of 50"]
        for one in examples
    ]
    parts = [render_table(["model", "document", "repeats", "tokens right from the start"], rows)]
    if redacted:
        parts.append('<p class="note">Texts are redacted; run with --no-redact to show them.</p>')
    for one in examples:
        if one.generated is None:
            continue
        parts.append(
            f"<details><summary>{escape(arm_name(one.arm))}, {escape(one.document_id)}, {repeats_label(one.repeats)}</summary>"
            f"<h3>given</h3><blockquote>{escape(one.prefix or '')}</blockquote>"
            f"<h3>true continuation</h3><blockquote>{escape(one.truth or '')}</blockquote>"
            f"<h3>what the model wrote</h3><blockquote>{escape(one.generated)}</blockquote></details>"
        )
    return render_section("Examples", *parts)


def _corpus(record: AuditRecord) -> str:
    one = record.corpus
    rows = [
        ["members", f"{one.num_members:,}", f"{one.num_member_tokens:,}"],
        ["controls", f"{one.num_controls:,}", f"{one.num_control_tokens:,}"],
        ["validation", f"{one.num_validation:,}", f"{one.num_validation_tokens:,}"],
        ["background", f"{one.num_background:,}", f"{one.num_background_tokens:,}"],
    ]
    notes = list(one.notes)
    if one.num_documents_too_short:
        notes.append(
            f"{one.num_documents_too_short} documents are too short for extraction and were scored for loss only"
        )
    if one.coin_seed is not None:
        notes.append(f"members and controls were assigned by a coin with seed {one.coin_seed}")
    overlaps = [
        [f"{name} that share a 13-gram with trained text", render_measurement(measured, percent=True)]
        for name, measured in (("controls", one.control_overlap_13gram), ("validation", one.validation_overlap_13gram))
        if measured is not None
    ]
    files = [
        [item.role, item.path, str(item.num_documents or "–"), str(item.num_skipped), item.sha256]
        for item in record.inputs
    ]
    mask = ""
    if record.mask is not None:
        found = record.mask
        mask = (
            f"<h3>Goldfish mask</h3><p>Strategy {escape(found.strategy)}, k = {found.k}, h = {found.h}, seed {found.seed}.</p>"
            + render_table(
                ["", "measured"],
                [
                    ["dropped share of eligible targets", render_measurement(found.effective_drop_rate, digits=4)],
                    ["targets under one collapsed key", render_measurement(found.key_collapse_share, digits=5)],
                ],
            )
        )
    return render_section(
        "Corpus",
        render_table(["", "documents", "tokens"], rows),
        "<ul>" + "".join(f"<li>{escape(note)}</li>" for note in notes) + "</ul>" if notes else "",
        render_table(["", "share"], overlaps) if overlaps else "",
        mask,
        "<h3>Inputs</h3>" + render_table(["role", "path", "documents", "skipped", "sha256"], files),
    )


def render_gates(gates: Sequence[GateOutcome]) -> str:
    """The section of the ``--fail-if`` gates; empty without any."""
    if not gates:
        return ""
    rows = [
        [
            one.expression,
            f'<td class="{one.outcome if one.outcome != "inconclusive" else ""}">{one.outcome}</td>',
            one.reason,
        ]
        for one in gates
    ]
    return render_section("Gates", render_table(["fail if", "outcome", "measured"], rows))


def render_environment(here: Environment, command: str) -> str:
    """The section that says how the numbers were made."""
    pairs = {key: value for key, value in here.model_dump().items() if value is not None}
    items = "".join(
        f"<dt>{escape(key.replace('_', ' '))}</dt><dd>{escape(str(value))}</dd>" for key, value in pairs.items()
    )
    typed = f"<p><code>{escape(command)}</code></p>" if command else ""
    return render_section("How this was run", typed, f"<dl>{items}</dl>")
