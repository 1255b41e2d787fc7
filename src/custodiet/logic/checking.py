"""Items of a data set with answers: each judged, and what all judgements come to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from custodiet.errors import FormulaError, InputError
from custodiet.logic.formulas import Formula
from custodiet.logic.judging import Judgement, judge_answer
from custodiet.logic.notation import parse_formula
from custodiet.logic.proofs import format_step, step_from_json

__all__ = ["LABELS", "CheckedItem", "check_items", "gold_answer", "judge_item", "summarize"]

LABELS = ("entailed", "contradicted", "unknown")
"""The labels in the order in which an item lists the words for them."""


@dataclass(frozen=True, slots=True)
class CheckedItem:
    """An item's name, its right label, and the judgement of an answer to it."""

    id: str
    label: str
    judgement: Judgement

    def to_json(self) -> dict[str, Any]:
        """The fields as plain data."""
        return {"id": self.id, "right_label": self.label, **self.judgement.to_json()}


def check_items(lines: Iterable[str], *, response: str = "response", gold: bool = False) -> Iterator[CheckedItem]:
    """Judge the answers of a JSONL file, one item a line; empty lines are skipped.

    Args:
        lines: objects with `premises`, `goal`, `label`, `logic`, for English `vocabulary`, and the answer.
        response: the key of the answer.
        gold: judge each item's own proof or counter-models instead.

    Yields:
        A judgement for each item, in their order.

    Raises:
        InputError: a line is no such item; names the line, counted from 1.
    """
    for place, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"line {place} is not JSON", got=str(error)) from error
        try:
            if not isinstance(item, dict):
                raise InputError("not an item", expected="an object", got=type(item).__name__)
            text = gold_answer(item) if gold else item.get(response)
            if not isinstance(text, str):
                raise InputError(
                    f"no answer under {response!r}",
                    expected="a text",
                    got=type(text).__name__,
                    hint="Name the key with --response, or judge the stored proofs with --gold.",
                )
            yield CheckedItem(str(item.get("id", place)), str(item.get("label")), judge_item(item, text))
        except InputError as error:
            raise InputError(f"line {place}: {error}") from error


def judge_item(item: Mapping[str, Any], text: str) -> Judgement:
    """Judge an answer to an item.

    Args:
        item: an object as `custodiet logic generate` writes it.
        text: the answer.

    Raises:
        InputError: a field that is needed is missing or of the wrong kind.
    """
    try:
        given = [*item["premises"], *(item.get("implicit_premises") or ())]
        premises = [parse_formula(one["formula"]) for one in given]
        goal = parse_formula(item["goal"]["formula"])
        logic, label = item["logic"], item["label"]
        words = list(item.get("choices") or ())
        derived = [one for one in item.get("proof") or () if one["rule"] not in ("premise", "assumption")]
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            "not an item of a data set",
            expected="premises and goal with a formula each, logic, label",
            got=f"{type(error).__name__}: {error}",
        ) from error
    return judge_answer(
        text,
        premises,
        goal,
        label,
        logic=logic,
        choices=dict(zip(words, LABELS, strict=True)) if len(words) == len(LABELS) else None,
        read_sentence=_reader(item),
        reference_steps=len(derived) or None,
    )


def _reader(item: Mapping[str, Any]) -> Callable[[str], Formula] | None:
    if not item.get("vocabulary"):
        return None
    from custodiet.logic.english.reading import read
    from custodiet.logic.english.vocabulary import Vocabulary

    vocabulary = Vocabulary.from_json(item["vocabulary"])
    return lambda sentence: read(sentence, vocabulary)


def gold_answer(item: Mapping[str, Any]) -> str:
    """The answer that an item itself would give: its proof or its counter-models, and its label.

    Raises:
        FormulaError: its proof cannot be read.
    """
    lines = []
    for one in item.get("proof") or ():
        lines.append(format_step(step_from_json(one), one.get("text") if item.get("vocabulary") else None))
    if not lines:
        lines = [json.dumps(one) for one in item.get("counter_models") or ()]
    if not lines:
        raise FormulaError("no proof and no counter-models", got=repr(item.get("id")))
    return "\n".join([*lines, f"Answer: {item.get('label')}"])


def summarize(checked: Sequence[CheckedItem]) -> dict[str, Any]:
    """What judgements come to.

    Args:
        checked: one or more.

    Returns:
        Counts, and shares in [0, 1] with Clopper-Pearson intervals at 95 % (items taken as independent): of all items,
        or, for rates of lines, the share of lines in all answers without an interval, since lines of an answer are not.
    """
    from custodiet.base.stats import estimate_proportion

    all_of = [one.judgement for one in checked]
    num = len(all_of)

    def share(count: int) -> dict[str, Any]:
        found = estimate_proportion(count, num)
        return {"value": found.value, "low": found.low, "high": found.high, "num": num}

    claimed = sum(one.num_premises for one in all_of)
    invented = sum(one.num_invented for one in all_of)
    over = [one.steps_over_reference for one in all_of if one.steps_over_reference is not None]
    kinds: dict[str, int] = {}
    for one in all_of:
        if one.first_bad is not None:
            kinds[one.first_bad.kind] = kinds.get(one.first_bad.kind, 0) + 1
    return {
        "num_items": num,
        "label_accuracy": share(sum(one.label_right for one in all_of)),
        "no_label": share(sum(one.label is None for one in all_of)),
        **{f"chain_{kind}": share(sum(one.chain == kind for one in all_of))
           for kind in ("valid", "wrong", "unreadable", "none")},
        "right_answer_wrong_chain": share(sum(one.right_answer_wrong_chain for one in all_of)),
        "valid_chain_wrong_answer": share(sum(one.valid_chain_wrong_answer for one in all_of)),
        "num_steps": sum(one.num_steps for one in all_of),
        "num_unreadable_steps": sum(one.num_unreadable for one in all_of),
        "num_skipped_steps": sum(one.num_skipped for one in all_of),
        "num_misnamed_steps": sum(one.num_misnamed for one in all_of),
        "hallucinated_premise_rate": invented / claimed if claimed else None,
        "mean_steps_over_reference": sum(over) / len(over) if over else None,
        "first_bad_kinds": dict(sorted(kinds.items(), key=lambda one: (-one[1], one[0]))),
    }  # fmt: skip
