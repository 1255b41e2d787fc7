"""The wording of a report: sentences that follow from the numbers, never the other way round."""

from __future__ import annotations

from custodiet.records.audit import ArmRecord, AuditRecord
from custodiet.records.base import Measurement

__all__ = ["arm_name", "format_measurement", "format_share", "headline_lines", "repeats_label", "summary_sentences"]


def arm_name(name: str) -> str:
    """`cross_entropy` -> "cross-entropy"."""
    return {"cross_entropy": "cross-entropy"}.get(name, name.replace("_", " "))


def _model_name(name: str) -> str:
    """How a sentence calls an arm: "the cross-entropy model"; a user's own is "the model"."""
    return "the model" if name == "model" else f"the {arm_name(name)} model"


def repeats_label(repeats: int | None) -> str:
    """How a bucket is called in tables."""
    return "all" if repeats is None else f"{repeats}×"


def format_measurement(one: Measurement | None, *, digits: int = 3, percent: bool = False) -> tuple[str, str]:
    """Value and interval as texts; the interval's text is the reason where there is none."""
    if one is None:
        return "–", ""

    def show(number: float) -> str:
        return f"{100 * number:.1f} %" if percent else f"{number:.{digits}f}"

    if one.value is None:
        return "–", one.why or ""
    if one.low is None or one.high is None:
        return show(one.value), one.why or ""
    return show(one.value), f"{show(one.low)} – {show(one.high)}, n = {one.num}" + (f"; {one.why}" if one.why else "")


def format_share(one: Measurement) -> str:
    """A share in a sentence: "96 % (79–100 %)"."""
    if one.value is None:
        return "an unknown share"
    if one.low is None or one.high is None:
        return f"{one.value:.0%}".replace("%", " %")
    return f"{100 * one.value:.0f} % ({100 * one.low:.0f}–{100 * one.high:.0f} %)"


def summary_sentences(record: AuditRecord) -> list[str]:
    """The plain summary: what was found, in the order in which a reader needs it."""
    sentences: list[str] = []
    for name, arm in record.arms.items():
        sentences.append(_extraction_sentence(name, arm))
    ratio = record.comparisons.get("goldfish_over_cross_entropy_validation_loss")
    if ratio is not None and ratio.value is not None and ratio.low is not None and ratio.high is not None:
        change = 100 * (ratio.value - 1)
        sentences.append(
            f"At equal supervised tokens, goldfish loss changes the validation loss by {change:+.1f} % "
            f"({100 * (ratio.low - 1):+.1f} to {100 * (ratio.high - 1):+.1f} %)."
        )
    for name, arm in record.arms.items():
        sentences.append(_membership_sentence(name, arm))
    return [sentence for sentence in sentences if sentence]


def _extraction_sentence(name: str, arm: ArmRecord) -> str:
    known = [one for one in arm.extraction_50 if one.rate.value is not None]
    if not known:
        return f"{_model_name(name).capitalize()} could not be tested for extraction: no document is long enough."
    top = max(known, key=lambda one: one.repeats or 0)
    which = (
        "the documents" if top.repeats is None else f"the passages that stood {top.repeats} times in its training text"
    )
    control = ""
    if arm.control_extraction_50.value is not None:
        control = f"; of passages it never saw, {format_share(arm.control_extraction_50)}"
    return f"Of {which}, {_model_name(name)} continues {format_share(top.rate)} word for word for 50 tokens{control}."


def _membership_sentence(name: str, arm: ArmRecord) -> str:
    auc = arm.membership["loss"].auc
    if auc.value is None or auc.low is None or auc.high is None:
        return ""
    figure = f"area under the curve {auc.value:.2f} ({auc.low:.2f}–{auc.high:.2f}; guessing gives 0.50)"
    if auc.low > 0.5:
        caution = " Goldfish loss does not stop membership inference." if name == "goldfish" else ""
        return f"Whether a passage was in the training text of {_model_name(name)} can be told by its loss: {figure}.{caution}"
    return (
        f"Its loss does not tell reliably whether a passage was in the training text of {_model_name(name)}: {figure}."
    )


def headline_lines(record: AuditRecord) -> list[str]:
    """A few lines for a terminal."""
    lines = summary_sentences(record)
    return [*lines, f"Not tested: {len(record.not_tested)} points, listed in the report."]
