"""Figures as inline SVG: the same bytes for the same numbers, colors from the page's light or dark palette."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from custodiet.base.units import format_count
from custodiet.records.audit import ArmRecord, AuditRecord, ForecastRecord
from custodiet.records.base import Measurement
from custodiet.records.capacity import CapacityRecord, TextCapacity
from custodiet.records.capacity_table import CapacityTableRecord
from custodiet.records.entropy import EntropyRecord
from custodiet.records.logic_evaluation import LogicEvaluationRecord
from custodiet.records.logic_shortcuts import LogicShortcutsRecord
from custodiet.records.study import Curve
from custodiet.report.text import arm_name

__all__ = [
    "plot_accuracy",
    "plot_bits",
    "plot_capacity",
    "plot_code_lengths",
    "plot_capacity_table",
    "plot_curves",
    "plot_excess",
    "plot_exposure",
    "plot_extraction",
    "plot_forecast",
    "plot_logic_bias",
    "plot_logic_depth",
    "plot_logic_variants",
    "plot_membership",
    "plot_study_curve",
    "plot_text_capacity",
]

INK, MUTED, GRID, CONTROL = "#010101", "#020202", "#030303", "#040404"
SERIES = ("#0a0001", "#0a0002", "#0a0003", "#0a0004")
PALETTE = {INK: "--ink", MUTED: "--muted", GRID: "--rule", CONTROL: "--control"} | {
    color: f"--series-{index + 1}" for index, color in enumerate(SERIES)
}
"""stand-in color -> CSS variable that replaces it in the SVG"""
RC: Any = {
    "svg.hashsalt": "custodiet",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "text.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}
MARKERS = "osD^"


class _Canvas:
    axes: Axes
    svg: str = ""


@contextmanager
def _figure(title: str, *, width: float = 6.4, height: float = 3.4) -> Iterator[_Canvas]:
    canvas = _Canvas()
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(width, height), layout="constrained")
        canvas.axes = figure.subplots()
        yield canvas
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    canvas.svg = _for_page(buffer.getvalue(), title)


def _for_page(svg: str, title: str) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{title}" preserveAspectRatio="xMidYMid meet"', 1)
    for color, variable in PALETTE.items():
        svg = svg.replace(color, f"var({variable})")
    svg = svg.replace("font: 10px 'DejaVu Sans', 'Bitstream Vera Sans'", "font: 10px")
    return re.sub(r"\s*\n\s*", "\n", svg).strip()


def _series(
    axes: Axes, points: Sequence[tuple[float, Measurement]], *, index: int, label: str, dashed: bool = False
) -> None:
    known = [(x, one) for x, one in points if one.value is not None]
    if not known:
        return
    color = SERIES[index % len(SERIES)]
    x = [place for place, _ in known]
    y = [one.value or 0.0 for _, one in known]
    low = [one.value - one.low if one.value is not None and one.low is not None else 0.0 for _, one in known]
    high = [one.high - one.value if one.value is not None and one.high is not None else 0.0 for _, one in known]
    axes.errorbar(
        x,
        y,
        yerr=[[max(0.0, one) for one in low], [max(0.0, one) for one in high]],
        color=color,
        marker=MARKERS[index % len(MARKERS)],
        markersize=5,
        linewidth=1.8,
        elinewidth=1.1,
        capsize=2.5,
        linestyle="--" if dashed else "-",
        label=label,
    )


def _control(axes: Axes, one: Measurement, label: str) -> None:
    if one.value is None:
        return
    if one.low is not None and one.high is not None:
        axes.axhspan(one.low, one.high, color=CONTROL, alpha=0.18, linewidth=0)
    axes.axhline(one.value, color=CONTROL, linewidth=1.2, linestyle=":", label=label)


def _repeats_axis(axes: Axes, repeats: Sequence[int | None]) -> None:
    if any(value is not None for value in repeats):
        axes.set_xscale("log", base=2)
        axes.set_xticks([value for value in repeats if value])
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
        axes.minorticks_off()
        axes.set_xlabel("times the passage stands in the training text")
    else:
        axes.set_xticks([1], ["all documents"])
        axes.set_xlim(0.5, 1.5)


def plot_extraction(record: AuditRecord) -> str:
    """Greedy 50-token extraction by repeats, controls as a band."""
    with _figure("Extraction by repeats") as canvas:
        axes = canvas.axes
        repeats: list[int | None] = []
        for index, (name, arm) in enumerate(record.arms.items()):
            _series(
                axes, [(one.repeats or 1, one.rate) for one in arm.extraction_50], index=index, label=arm_name(name)
            )
            repeats = [one.repeats for one in arm.extraction_50]
        _control(axes, next(iter(record.arms.values())).control_extraction_50, "never-trained controls")
        _repeats_axis(axes, repeats)
        axes.set_ylim(-0.03, 1.03)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_ylabel("reproduced word for word")
        axes.legend(loc="upper left")
    return canvas.svg


def plot_accuracy(arm: ArmRecord) -> str:
    """Token accuracy on kept and dropped targets of a goldfish arm."""
    with _figure("Token accuracy on kept and dropped targets") as canvas:
        axes = canvas.axes
        for index, (label, pick) in enumerate(
            (("targets in the loss", "kept_targets"), ("dropped targets", "dropped_targets"))
        ):
            points = [(one.repeats or 1, getattr(one, pick)) for one in arm.token_accuracy if getattr(one, pick)]
            _series(axes, points, index=index, label=label, dashed=index == 1)
        if arm.control_token_accuracy is not None:
            _control(axes, arm.control_token_accuracy.all_targets, "never-trained controls")
        _repeats_axis(axes, [one.repeats for one in arm.token_accuracy])
        axes.set_ylim(0, 1.03)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_ylabel("greedy choice is the true token")
        axes.legend(loc="upper left")
    return canvas.svg


def plot_membership(record: AuditRecord) -> str:
    """AUC of the loss attack by repeats."""
    with _figure("Membership inference by repeats") as canvas:
        axes = canvas.axes
        repeats: list[int | None] = []
        for index, (name, arm) in enumerate(record.arms.items()):
            buckets = arm.membership["loss"].by_repeats
            _series(
                axes,
                [(one.repeats or 1, one.auc) for one in buckets],
                index=index,
                label=f"{arm_name(name)}, loss attack",
            )
            repeats = [one.repeats for one in buckets]
        axes.axhline(0.5, color=CONTROL, linewidth=1.2, linestyle=":", label="guessing")
        _repeats_axis(axes, repeats)
        axes.set_ylim(0.3, 1.03)
        axes.set_ylabel("area under the ROC curve")
        axes.legend(loc="lower right")
    return canvas.svg


def plot_bits(record: AuditRecord) -> str:
    """Memorized bits per document by repeats."""
    with _figure("Memorized bits by repeats") as canvas:
        axes = canvas.axes
        repeats: list[int | None] = []
        for index, (name, arm) in enumerate(record.arms.items()):
            buckets = arm.memorized_bits_by_repeats
            points = [(one.repeats or 1, one.member_minus_control) for one in buckets]
            _series(axes, points, index=index, label=arm_name(name))
            repeats = [one.repeats for one in buckets]
        axes.axhline(0, color=CONTROL, linewidth=1.2, linestyle=":", label="never-trained controls")
        _repeats_axis(axes, repeats)
        axes.set_ylabel("bits per passage above controls")
        axes.legend(loc="upper left")
    return canvas.svg


def plot_exposure(record: AuditRecord) -> str:
    """Exposure of canaries by repeats; 0 are those that the coin left out."""
    with _figure("Canary exposure by repeats") as canvas:
        axes = canvas.axes
        ticks: list[int] = []
        for index, (name, arm) in enumerate(record.arms.items()):
            ticks = [one.repeats for one in arm.exposure_by_repeats]
            points = [(place + 0.08 * index, one.exposure_bits) for place, one in enumerate(arm.exposure_by_repeats)]
            _series(axes, points, index=index, label=arm_name(name))
        axes.set_xticks(range(len(ticks)), ["left out" if value == 0 else f"{value}×" for value in ticks])
        axes.set_xlabel("times the canary stands in the training text")
        axes.set_ylabel("exposure in bits")
        axes.legend(loc="upper left")
    return canvas.svg


def plot_curves(record: AuditRecord) -> str:
    """Validation loss against supervised tokens."""
    with _figure("Validation loss during training") as canvas:
        axes = canvas.axes
        for index, (name, arm) in enumerate(record.arms.items()):
            if arm.training is None:
                continue
            points = [
                (tokens / 1e6, Measurement(value=loss, num=1, why="a point of a curve"))
                for tokens, loss, _, _ in arm.training.curve
            ]
            _series(axes, points, index=index, label=arm_name(name), dashed=index == 1)
        axes.set_xlabel("supervised tokens, millions")
        axes.set_ylabel("validation loss, nats per token")
        axes.legend(loc="upper right")
    return canvas.svg


def plot_forecast(forecast: ForecastRecord) -> str:
    """What the model could hold beside what the corpus holds."""
    with _figure("Capacity against corpus", height=1.7) as canvas:
        axes = canvas.axes
        axes.grid(visible=False)
        axes.barh(
            ["the model\ncan hold", "the corpus\nholds"],
            [forecast.capacity_bits / 1e6, forecast.corpus_bits / 1e6],
            color=[SERIES[0], CONTROL],
            height=0.55,
        )
        axes.set_xlabel("million bits")
    return canvas.svg


def plot_capacity(record: CapacityRecord) -> str:
    """Memorized bits against the entropy of the set, beside the ceiling."""
    points = sorted(
        (p for p in record.points if p.seed == record.seed and p.num_steps == _grid_steps(record)),
        key=lambda p: p.dataset_bits,
    )
    with _figure("Memorized bits against the entropy of the set") as canvas:
        axes = canvas.axes
        axes.plot(
            [p.dataset_bits / 1e3 for p in points], [p.ceiling_bits / 1e3 for p in points],
            color=CONTROL, linestyle=":", linewidth=1.4, label="ceiling",
        )  # fmt: skip
        axes.plot(
            [p.dataset_bits / 1e3 for p in points], [p.memorized_bits / 1e3 for p in points],
            color=SERIES[0], marker="o", markersize=5, linewidth=1.8, label="memorized",
        )  # fmt: skip
        held = record.capacity_bits_per_param
        if held.value is not None:
            axes.axhline(
                held.value * record.shape.num_params / 1e3, color=SERIES[1], linewidth=1.2, linestyle="--",
                label=f"{held.value:.2f} bits per parameter",
            )  # fmt: skip
        axes.set_ylim(0, 1.25 * max(p.memorized_bits for p in points) / 1e3)
        axes.set_xlabel("entropy of the set, thousand bits")
        axes.set_ylabel("memorized, thousand bits")
        axes.legend(loc="lower right")
    return canvas.svg


def plot_capacity_table(record: CapacityTableRecord) -> str:
    """Bits per parameter of every model against its parameters, published values, and the slope."""
    with _figure("Bits per parameter against parameters") as canvas:
        axes = canvas.axes
        models = [(cell.shape.num_params, bits) for cell in record.cells for bits in cell.memorized_bits]
        axes.plot(
            [num for num, _ in models], [bits / num for num, bits in models],
            "o", color=SERIES[0], markersize=5, label="a model",
        )  # fmt: skip
        known = [
            (cell.shape.num_params, cell.published_bits_per_param)
            for cell in record.cells
            if cell.published_bits_per_param is not None
        ]
        if known:
            axes.plot(
                [num for num, _ in known], [value for _, value in known],
                "s", markerfacecolor="none", markeredgecolor=CONTROL, markersize=7, label="published",
            )  # fmt: skip
        slope = record.slope_bits_per_param.value
        if slope is not None:
            axes.axhline(slope, color=SERIES[1], linewidth=1.2, linestyle="--", label=f"slope {slope:.2f}")
        sizes = {cell.shape.num_params: format_count(cell.shape.num_params) for cell in record.cells}
        axes.set_xscale("log")
        axes.set_xticks(list(sizes), list(sizes.values()))
        axes.minorticks_off()
        tallest = max([bits / num for num, bits in models] + [value for _, value in known])
        axes.set_ylim(0, 1.1 * max(tallest, 0.1))
        axes.set_xlabel("parameters")
        axes.set_ylabel("memorized bits per parameter")
        axes.legend(loc="lower right")
    return canvas.svg


def plot_text_capacity(text: TextCapacity) -> str:
    """Unintended memorization and test loss against the number of pieces."""
    with _figure("Unintended memorization and test loss against the size of the set") as canvas:
        axes = canvas.axes
        sizes = [one.num_sequences for one in text.points]
        axes.plot(
            sizes, [one.clamped_bits / text.shape.num_params for one in text.points],
            color=SERIES[0], marker="o", markersize=5, linewidth=1.8, label="unintended memorization (left)",
        )  # fmt: skip
        axes.set_xscale("log")
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        axes.set_xlabel("pieces of text in the set")
        axes.set_ylabel("bits per parameter")
        right = axes.twinx()
        right.grid(visible=False)
        right.spines["right"].set_visible(True)
        right.plot(
            sizes, [one.test_bits_per_token for one in text.points],
            color=SERIES[1], marker="s", markersize=5, linewidth=1.8, linestyle="--", label="test loss (right)",
        )  # fmt: skip
        right.set_ylim(bottom=0)
        right.set_ylabel("test loss, bits per character")
        lines = axes.get_legend_handles_labels(), right.get_legend_handles_labels()
        axes.legend(lines[0][0] + lines[1][0], lines[0][1] + lines[1][1], loc="upper right")
    return canvas.svg


def plot_code_lengths(record: EntropyRecord) -> str:
    """Bits per byte of every code, the decoder's needs not counted."""
    codes = [one for one in record.codes if one.bits_per_byte.value is not None][::-1]
    with _figure("Bits per byte under every code", height=0.9 + 0.36 * len(codes)) as canvas:
        axes = canvas.axes
        axes.grid(visible=False)
        for place, one in enumerate(codes):
            rate = one.bits_per_byte
            value = rate.value or 0.0
            learns = rate.low is not None and rate.high is not None
            axes.barh(place, value, color=SERIES[1] if learns else CONTROL, height=0.62)
            if rate.low is not None and rate.high is not None:
                bars = [[max(0.0, value - rate.low)], [max(0.0, rate.high - value)]]
                axes.errorbar(value, place, xerr=bars, color=INK, elinewidth=1.1, capsize=2.5)
            axes.annotate(
                f"{value:.2f}", (max(value, rate.high or 0.0), place), xytext=(6, 0), textcoords="offset points",
                va="center",
            )  # fmt: skip
        axes.set_yticks(range(len(codes)), [one.name for one in codes])
        axes.set_xlim(
            right=1.12 * max([one.bits_per_byte.high or one.bits_per_byte.value or 0.0 for one in codes] + [0.1])
        )
        axes.set_xlabel("bits per byte")
    return canvas.svg


def plot_excess(record: LogicShortcutsRecord) -> str:
    """Points over the most frequent label of every attacker, and of the strongest on shuffled labels."""
    bars = [(one.name.replace("_", " "), one.excess_points, SERIES[1]) for one in record.attackers]
    bars.append(("shuffled labels", record.control.excess_points, CONTROL))
    with _figure("Points over the most frequent label", height=0.9 + 0.36 * len(bars)) as canvas:
        axes = canvas.axes
        axes.grid(visible=False)
        axes.axvline(0, color=INK, linewidth=0.8)
        for place, (_, excess, color) in enumerate(bars[::-1]):
            value = excess.value or 0.0
            axes.barh(place, value, color=color, height=0.62)
            if excess.low is not None and excess.high is not None:
                ends = [[max(0.0, value - excess.low)], [max(0.0, excess.high - value)]]
                axes.errorbar(value, place, xerr=ends, color=INK, elinewidth=1.1, capsize=2.5)
            axes.annotate(
                f"{round(value, 1) + 0.0:+.1f}", (max(value, excess.high or 0.0, 0.0), place), xytext=(6, 0), textcoords="offset points",
                va="center",
            )  # fmt: skip
        axes.set_yticks(range(len(bars)), [name for name, _, _ in bars[::-1]])
        axes.set_xlim(right=1.15 * max([one.high or 0.0 for _, one, _ in bars] + [1.0]))
        axes.set_xlabel("points over the most frequent label")
    return canvas.svg


def plot_logic_depth(record: LogicEvaluationRecord) -> str:
    """Accuracy by depth, the fitted survival per step, and guessing."""
    points = [(float(one.value), one.accuracy) for one in record.by["depth"]]
    with _figure("Accuracy by depth") as canvas:
        axes = canvas.axes
        _series(axes, points, index=0, label="right answers")
        _series(
            axes,
            [(float(one.value), one.accuracy) for one in record.pair_by_depth],
            index=2,
            label="whole sets of twins",
        )
        survival = record.survival
        if survival is not None and survival.per_step.value is not None:
            first, last = points[0][0], points[-1][0]
            depths = [first + (last - first) * step / 100 for step in range(101)]
            curve = [survival.chance + (1 - survival.chance) * survival.per_step.value**depth for depth in depths]
            label = f"r = {survival.per_step.value:.3f} per step"
            axes.plot(depths, curve, color=SERIES[1], linewidth=1.4, linestyle="--", label=label)
        axes.axhline(record.chance, color=CONTROL, linewidth=1.2, linestyle=":", label="guessing")
        axes.set_xticks([depth for depth, _ in points])
        axes.set_ylim(-0.03, 1.03)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_xlabel("depth: steps from the premises to the answer")
        axes.set_ylabel("accuracy")
        axes.legend(loc="lower left")
    return canvas.svg


def _shares_by_name(title: str, names: Sequence[str], series: Sequence[tuple[str, Sequence[Measurement]]],
                    marks: Sequence[float] = ()) -> str:  # fmt: skip
    """Shares with their intervals, a row for each name and a color for each series; gray marks for what would be expected."""
    height = 1.2 + 0.18 * (len(series) + 1) * len(names)
    with _figure(title, height=height) as canvas:
        axes = canvas.axes
        axes.grid(visible=False)
        for index, (label, some) in enumerate(series):
            for row, one in enumerate(some):
                value = float("nan") if one.value is None else one.value
                low, high = (value if end is None else end for end in (one.low, one.high))
                axes.errorbar(
                    value, row + 0.2 * (index - (len(series) - 1) / 2), xerr=[[max(0.0, value - low)], [max(0.0, high - value)]],
                    color=SERIES[index], marker=MARKERS[index], linestyle="", elinewidth=1.1, capsize=2.5, markersize=5,
                    label=None if row else label,
                )  # fmt: skip
        for row, mark in enumerate(marks):
            label = None if row else "share of the items"
            axes.plot([mark, mark], [row - 0.35, row + 0.35], color=CONTROL, linestyle=":", label=label)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(-0.03, 1.03)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        axes.legend(loc="upper left", bbox_to_anchor=(0.0, -0.4 / (height - 0.8)), ncols=4, borderaxespad=0.4)
    return canvas.svg


def plot_logic_bias(record: LogicEvaluationRecord) -> str:
    """How often each label is found, and how often it is said, beside its share of the items."""
    total = sum(one.num_items for one in record.bias)
    series = [("found", [one.recall for one in record.bias]), ("said", [one.prediction_rate for one in record.bias])]
    return _shares_by_name("Bias of the answers", [one.label for one in record.bias], series,
                           marks=[one.num_items / total for one in record.bias])  # fmt: skip


def plot_logic_variants(record: LogicEvaluationRecord) -> str:
    """For each kind of variant, how often the answer stays the same, and how often it is right."""
    kinds = record.metamorphic
    series = [("same answer", [one.consistency for one in kinds]), ("right", [one.accuracy for one in kinds]),
              ("right before", [one.original_accuracy for one in kinds])]  # fmt: skip
    return _shares_by_name("Changes that cannot matter", [one.kind.replace("-", " ") for one in kinds], series)


def plot_study_curve(curve: Curve) -> str:
    """Shares with their intervals, a line each; set apart is what lies beyond the training."""
    with _figure(escape(curve.title), height=3.8) as canvas:
        axes = canvas.axes
        places = sorted({point.x for line in curve.lines for point in line.points})
        if curve.known_to is not None and places and places[-1] > curve.known_to:
            beyond = next(x for x in places if x > curve.known_to)
            axes.axvspan(
                (curve.known_to + beyond) / 2, places[-1] + 0.3, color=CONTROL, alpha=0.12, linewidth=0,
                label="beyond the training",
            )  # fmt: skip
        for index, line in enumerate(curve.lines):
            _series(axes, [(point.x, point.share) for point in line.points], index=index, label=line.label)
        if curve.reference is not None:
            axes.axhline(
                curve.reference, color=CONTROL, linewidth=1.2, linestyle=":", label=curve.reference_label or None
            )
        axes.set_xticks(places)
        axes.set_ylim(-0.03, 1.03)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_xlabel(curve.x_label)
        axes.set_ylabel(curve.y_label)
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncol=2)  # above, where no line runs
    return canvas.svg


def _grid_steps(record: CapacityRecord) -> int:
    """The number of steps that most sizes were trained with."""
    steps = [p.num_steps for p in record.points]
    return max(set(steps), key=steps.count)
