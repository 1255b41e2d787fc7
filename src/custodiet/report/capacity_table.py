"""The report of a capacity table."""

from __future__ import annotations

from html import escape

from custodiet.base.units import format_duration_s
from custodiet.records.capacity_table import CapacityTableCell, CapacityTableRecord
from custodiet.report.html import render_environment, render_measurement, render_page, render_section, render_table
from custodiet.report.markdown import render_markdown_table
from custodiet.report.plots import plot_capacity_table
from custodiet.report.text import format_measurement

__all__ = ["capacity_table_sentences", "render_capacity_table_html", "render_capacity_table_markdown"]

CELL_HEAD = ["cell", "parameters", "models", "sequences", "per param.", "published", "bfloat16", "int8", "fresh"]
TRAINING_HEAD = ["cell", "batch", "rate", "share of time", "ms a step", "steps", "epochs", "trained in", "restarts"]


def capacity_table_sentences(record: CapacityTableRecord) -> list[str]:
    """What was found, in words."""
    slope, interval = format_measurement(record.slope_bits_per_param, digits=2)
    mean, mean_interval = format_measurement(record.mean_bits_per_param, digits=2)
    num = sum(cell.num_models for cell in record.cells)
    shapes = f"{len(record.cells)} shapes" if len(record.cells) > 1 else "one shape"
    within = "within" if record.elapsed_s <= record.budget_s else "past"
    sentences = [
        f"The line from the origin through {num} models of {shapes} rises by {slope} bits of random tokens per parameter "
        f"({interval}), trained in {record.precision}.",
        f"The mean over the cells is {mean} ({mean_interval}); published: {record.published_mean_bits_per_param} "
        f"({record.published_source}).",
    ]
    if record.elapsed_s > 0:
        sentences.append(
            f"All of it took {format_duration_s(record.elapsed_s)} min, {within} the budget of "
            f"{format_duration_s(record.budget_s)}, on {record.environment.device}."
        )
    restarts = sum(sum(cell.num_restarts) for cell in record.cells)
    if restarts:
        sentences.append(
            f"Models left their course {restarts} times and went on from older weights at half the learning rate."
        )
    return sentences


def _cell_row(cell: CapacityTableCell, held: str) -> list[str]:
    return [
        cell.cell,
        f"{cell.shape.num_params:,}",
        str(cell.num_models),
        f"{cell.num_sequences:,}",
        held,
        "–" if cell.published_bits_per_param is None else f"{cell.published_bits_per_param:.2f}",
        *(format_measurement(cell.rounded_bits_per_param.get(how))[0] for how in ("bfloat16", "int8")),
        format_measurement(cell.test_bits_per_token, digits=2)[0],
    ]


def _held(cell: CapacityTableCell) -> str:
    value, interval = format_measurement(cell.bits_per_param)
    return f"{value} ({interval})" if interval else value


def _training_row(cell: CapacityTableCell) -> list[str]:
    return [
        cell.cell,
        f"{cell.batch_size:,}",
        f"{cell.learning_rate:.4g}",
        f"{100 * cell.time_share:.0f} %",
        f"{1e3 * cell.step_s:.3g}",
        f"{cell.num_steps:,}",
        f"{cell.num_epochs:,.0f}",
        format_duration_s(cell.train_wall_s),
        " ".join(str(one) for one in cell.num_restarts),
    ]


def _how_trained(record: CapacityTableRecord) -> str:
    modes: dict[str, list[str]] = {}
    for cell in record.cells:
        modes.setdefault(cell.step_mode, []).append(cell.cell)
    ran = "; ".join(f"{mode}: {', '.join(cells)}" for mode, cells in modes.items())
    return (
        f"Precision: {record.precision_means}. The steps of a cell were fixed before training, from the measured time of a "
        f"step and the cell's share of the budget. How they ran: {ran}."
    )


def render_capacity_table_html(record: CapacityTableRecord) -> str:
    """A capacity table as one HTML file."""
    stamp = (
        f"custodiet {record.environment.custodiet} · {record.created_utc} · seed {record.seed} · "
        f"{format_duration_s(record.elapsed_s)} min on {record.environment.device}"
    )
    overview = [
        ["Slope through the origin", render_measurement(record.slope_bits_per_param)],
        ["Slope with an intercept", render_measurement(record.slope_with_intercept_bits_per_param)],
        ["Mean over cells", render_measurement(record.mean_bits_per_param)],
        ["Published mean over cells", f"{record.published_mean_bits_per_param:.2f}"],
    ]
    caption = (
        "Bits per parameter of every model. Hollow marks are published values, the dashed line is the slope through the origin. In "
        "the table, bfloat16 and int8 are bits per parameter with rounded weights, and fresh is the code length of a token of "
        "sequences that were not trained on, in bits."
    )
    return render_page(
        record.title,
        stamp,
        [
            '<div class="summary">'
            + "".join(f"<p>{escape(one)}</p>" for one in capacity_table_sentences(record))
            + "</div>",
            render_section("Bits per parameter", render_table(["", "measured"], overview)),
            render_section(
                "What was not tested",
                '<div class="summary limits"><ul>'
                + "".join(f"<li>{escape(one)}</li>" for one in record.not_tested)
                + "</ul></div>",
            ),
            render_section(
                "Cells",
                f"<figure>{plot_capacity_table(record)}<figcaption>{caption}</figcaption></figure>",
                render_table(
                    CELL_HEAD, [_cell_row(cell, render_measurement(cell.bits_per_param)) for cell in record.cells]
                ),
            ),
            render_section(
                "Training",
                f"<p>{escape(_how_trained(record))}</p>",
                render_table(TRAINING_HEAD, [_training_row(cell) for cell in record.cells]),
            ),
            render_environment(record.environment, record.command),
        ],
    )


def render_capacity_table_markdown(record: CapacityTableRecord) -> str:
    """A capacity table as Markdown."""
    return (
        "\n\n".join(
            [
                f"## {record.title}",
                " ".join(capacity_table_sentences(record)),
                render_markdown_table(CELL_HEAD, [_cell_row(cell, _held(cell)) for cell in record.cells]),
                render_markdown_table(TRAINING_HEAD, [_training_row(cell) for cell in record.cells]),
                "### Not tested\n\n" + "\n".join(f"- {one}" for one in record.not_tested),
                f"{_how_trained(record)} Parameters counted: {record.cells[0].shape.counted}. "
                f"{record.created_utc}, seed {record.seed}, {record.environment.device}, torch {record.environment.torch}.",
            ]
        )
        + "\n"
    )
