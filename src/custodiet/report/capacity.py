"""The report of a capacity run."""

from __future__ import annotations

from html import escape

from custodiet.base.units import format_duration_s
from custodiet.records.capacity import CapacityRecord, TextCapacity
from custodiet.report.html import render_environment, render_measurement, render_page, render_section, render_table
from custodiet.report.markdown import render_markdown_table
from custodiet.report.plots import plot_capacity, plot_text_capacity
from custodiet.report.text import format_measurement

__all__ = ["capacity_sentences", "render_capacity_html", "render_capacity_markdown"]


def capacity_sentences(record: CapacityRecord) -> list[str]:
    """What was found, in words."""
    held = record.capacity_bits_per_param
    value, interval = format_measurement(held, digits=2)
    sentences = [
        f"A parameter of this model holds {value} bits of random tokens ({interval}) after {_steps(record):,} steps on "
        f"{record.plateau_num_sequences:,} sequences."
    ]
    if record.published_bits_per_param is not None:
        sentences.append(f"Published: {record.published_bits_per_param} ({record.published_source}).")
    if len(record.ladder) > 1:
        steps = ", ".join(f"{one.bits_per_param:.2f} after {one.num_steps:,}" for one in record.ladder)
        sentences.append(f"More steps hold more: {steps}. The value is what this training reached, not a limit.")
    share = record.linear_regime_share_of_ceiling
    if share.value is not None:
        sentences.append(
            f"Sets of at most half that size are remembered to {100 * share.value:.1f} % of what can be saved."
        )
    text = record.text
    if text is not None and text.unintended_memorization_peak_ratio.value is not None:
        top = max(text.points, key=lambda one: one.clamped_bits)
        sentences.append(
            f"On real text, unintended memorization rises to {top.clamped_bits / text.shape.num_params:.2f} bits per parameter at "
            f"{top.num_sequences:,} pieces and falls when more text comes: to "
            f"{text.points[-1].clamped_bits / text.shape.num_params:.2f} at {text.points[-1].num_sequences:,}."
        )
    int8, int6 = (record.rounded_bits_per_param[name].value for name in ("int8", "int6"))
    sentences.append(f"With weights rounded to 8 bits {int8:.2f} bits per parameter are left, to 6 bits {int6:.2f}.")
    ratio = record.coder_bits_over_estimate.value
    if ratio is not None:
        sentences.append(
            f"A range coder driven by the model really spends {ratio:.4f} of the code length, and decodes it."
        )
    return sentences


def _steps(record: CapacityRecord) -> int:
    at_plateau = [p for p in record.points if p.num_sequences == record.plateau_num_sequences]
    per_steps = {p.num_steps: sum(q.num_steps == p.num_steps for q in at_plateau) for p in at_plateau}
    return max(per_steps, key=lambda steps: per_steps[steps])


POINT_HEAD = [
    "sequences", "steps", "seed", "set, bits", "memorized", "of ceiling", "per param.", "fresh", "restarts", "CPU",
]  # fmt: skip


def _point_rows(record: CapacityRecord) -> list[list[str]]:
    return [
        [
            f"{p.num_sequences:,}",
            f"{p.num_steps:,}",
            str(p.seed),
            f"{p.dataset_bits:,.0f}",
            f"{p.memorized_bits:,.0f}",
            f"{100 * p.memorized_bits / p.ceiling_bits:.1f} %",
            f"{p.bits_per_param:.3f}",
            f"{p.test_bits_per_token:.2f}",
            str(p.num_restarts),
            format_duration_s(p.train_cpu_s),
        ]
        for p in record.points
    ]


TEXT_HEAD = [
    "pieces", "set, bits", "unintended", "signed", "per param.", "train, per char", "test, per char", "F1", "F1, law",
]  # fmt: skip


def _text_rows(text: TextCapacity) -> list[list[str]]:
    return [
        [
            f"{p.num_sequences:,}",
            f"{p.reference_bits:,.0f}",
            f"{p.clamped_bits:,.0f}",
            f"{p.signed_bits:,.0f}",
            f"{p.clamped_bits / text.shape.num_params:.3f}",
            f"{p.train_bits_per_token:.2f}",
            f"{p.test_bits_per_token:.2f}",
            f"{p.membership_f1:.2f}",
            f"{p.membership_f1_law:.2f}",
        ]
        for p in text.points
    ]


def _text_section(text: TextCapacity | None) -> str:
    if text is None:
        return ""
    shape = text.shape
    words = (
        f"Pieces of {shape.sequence_length} characters of {text.source}; {shape.num_params:,} parameters. Unintended memorization is "
        f"what the model saves on a piece beyond a {text.reference}, which needs {text.reference_bits_per_token:.2f} bits per "
        "character: summed with negative pieces set to zero, and signed. F1 is that of a loss threshold that calls half of a "
        "balanced pool members; the law was published for models of a million parameters and more."
    )
    peaks = [
        [
            "Unintended memorization peaks at set over capacity",
            render_measurement(text.unintended_memorization_peak_ratio, digits=2),
        ],
        ["Test loss peaks at set over capacity", render_measurement(text.test_loss_peak_ratio, digits=2)],
    ]
    return render_section(
        "Real text",
        f"<p>{escape(words)}</p>",
        f"<figure>{plot_text_capacity(text)}<figcaption>Unintended memorization rises until the model is full and falls "
        "as it must generalize; the test loss peaks where it falls.</figcaption></figure>",
        render_table(TEXT_HEAD, _text_rows(text)),
        render_table(["", "measured"], peaks),
    )


def render_capacity_html(record: CapacityRecord) -> str:
    """A capacity run as one HTML file."""
    shape = record.shape
    stamp = (
        f"custodiet {record.environment.custodiet} · {record.created_utc} · seed {record.seed} · "
        f"{format_duration_s(record.elapsed_s)} min on {record.environment.cpu}"
    )
    sentences = "".join(f"<p>{escape(one)}</p>" for one in capacity_sentences(record))
    overview = [
        ["Bits per parameter", render_measurement(record.capacity_bits_per_param)],
        ["Small sets, share of the ceiling", render_measurement(record.linear_regime_share_of_ceiling, percent=True)],
        ["Test loss peaks at set over capacity", render_measurement(record.test_loss_peak_ratio, digits=2)],
        [
            "Bits that a range coder spends over the code length",
            render_measurement(record.coder_bits_over_estimate, digits=4),
        ],
        *([f"Rounded to {name}", render_measurement(one)] for name, one in record.rounded_bits_per_param.items()),
    ]
    model = [
        ["Vocabulary, tokens per sequence", f"{shape.vocab_size:,}, {shape.sequence_length}"],
        ["Layers, width, heads", f"{shape.num_layers}, {shape.width}, {shape.num_heads}"],
        ["Parameters", f"{shape.num_params:,}"],
        ["Counted", shape.counted],
    ]
    ladder = [
        [f"{one.num_steps:,}", f"{one.bits_per_param:.3f}", format_duration_s(one.train_cpu_s)] for one in record.ladder
    ]
    sizes = len({p.num_sequences for p in record.points})
    figure = (
        f"<figure>{plot_capacity(record)}<figcaption>Memorized bits against the entropy of the set. The dotted line is the "
        "ceiling: perfect memory still has to say which of the sequences it is. In the table, fresh is the code length of a "
        "token of sequences that were not trained on, in bits.</figcaption></figure>"
        if sizes > 1
        else ""
    )
    return render_page(
        record.title,
        stamp,
        [
            f'<div class="summary">{sentences}</div>',
            render_section("At a glance", render_table(["", "measured"], overview)),
            render_section(
                "What was not tested",
                '<div class="summary limits"><ul>'
                + "".join(f"<li>{escape(x)}</li>" for x in record.not_tested)
                + "</ul></div>",
            ),
            render_section("Memorized bits", figure, render_table(POINT_HEAD, _point_rows(record))),
            _text_section(record.text),
            render_section("More steps", render_table(["steps", "bits per parameter", "CPU time"], ladder))
            if len(ladder) > 1
            else "",
            render_section("The model", render_table(["", ""], model)),
            render_environment(record.environment, record.command),
        ],
    )


def render_capacity_markdown(record: CapacityRecord) -> str:
    """A capacity run as Markdown."""
    return (
        "\n\n".join(
            [
                f"## {record.title}",
                " ".join(capacity_sentences(record)),
                render_markdown_table(POINT_HEAD, _point_rows(record)),
                *([] if record.text is None else [render_markdown_table(TEXT_HEAD, _text_rows(record.text))]),
                "### Not tested\n\n" + "\n".join(f"- {one}" for one in record.not_tested),
                f"Parameters counted: {record.shape.counted}. {record.created_utc}, seed {record.seed}, {record.environment.cpu}.",
            ]
        )
        + "\n"
    )
