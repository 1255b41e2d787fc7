"""Items of a data set with answers: each judged, and what all judgements come to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from custodiet.errors import FormulaError, InputError
from custodiet.logic.formulas import Formula
from custodiet.logic.judging import Judgement, judge_answer
from custodiet.logic.notation import parse_formula
from custodiet.logic.proofs import format_step, step_from_json
from custodiet.logic.written import STATUSES, WRITTEN_TASKS, WrittenJudgement, judge_written

__all__ = ["LABELS", "CheckTally", "CheckedAnswer", "CheckedItem", "check_items", "gold_answer", "judge_item"]

LABELS = ("entailed", "contradicted", "unknown")
"""The labels in the order in which an item lists the words for them."""
_OTHER_PREMISES = ("missing-premise", "consistency")
"""tasks whose items state other premises than their proofs use"""
_SHARES = ("label_right", "step_by_step", "right_answer_wrong_chain", "valid_chain_wrong_answer")
_TOTALS = ("num_steps", "num_unreadable", "num_skipped", "num_leaps", "num_misnamed", "num_premises", "num_invented")


@dataclass(frozen=True, slots=True)
class CheckedItem:
    """An item's name, its right label, and the judgement of an answer to it."""

    id: str
    label: str
    judgement: Judgement

    def to_json(self) -> dict[str, Any]:
        """The fields as plain data."""
        return {"id": self.id, "right_label": self.label, **self.judgement.to_json()}


@dataclass(frozen=True, slots=True)
class CheckedAnswer:
    """An item's name and task, and the judgement of an answer that is written out."""

    id: str
    task: str
    judgement: WrittenJudgement

    def to_json(self) -> dict[str, Any]:
        """The fields as plain data."""
        return {"id": self.id, "task": self.task, **self.judgement.to_json()}


def check_items(
    lines: Iterable[str], *, response: str = "response", gold: bool = False, name: str = "",
    left_out: Counter[str] | None = None,
) -> Iterator[CheckedItem | CheckedAnswer]:  # fmt: skip
    """Judge the answers of a JSONL file, one item a line; empty lines are skipped.

    Args:
        lines: objects with `premises`, `goal`, `label`, `logic`, for English `vocabulary`, and the answer.
        response: the key of the answer.
        gold: judge each item's own proof or counter-models instead.
        name: of the file, for errors.
        left_out: filled with the tasks of items that are not judged -> how many there are. Answers are judged of the task
            entailment and of those that are written out; stored proofs of all tasks that ask about the premises as they stand.

    Yields:
        A judgement for each item, in their order.

    Raises:
        InputError: a line is no such item; names the line, counted from 1.
    """
    of = f"{name}, " if name else ""
    for place, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
        except json.JSONDecodeError as error:
            hint = "Write items with `custodiet logic generate --format jsonl`."
            raise InputError(
                f"{of}line {place} is not JSON", expected="an object a line", got=str(error), hint=hint
            ) from error
        try:
            if not isinstance(item, dict):
                raise InputError("not an item", expected="an object", got=type(item).__name__)
            task = item.get("task", "entailment")
            written = task in WRITTEN_TASKS
            if not written and task != "entailment" and (not gold or task in _OTHER_PREMISES or not _has_proof(item)):
                if left_out is not None:
                    left_out[str(task)] += 1
                continue
            text = gold_answer(item) if gold else item.get(response)
            if not isinstance(text, str):
                raise InputError(
                    f"no answer under {response!r}",
                    expected="a text",
                    got=type(text).__name__,
                    hint="Name the key with --response, or judge the stored proofs with --gold.",
                )
            key = str(item.get("id", place))
            if written:
                yield CheckedAnswer(key, item["task"], judge_written(item, text))
            else:
                yield CheckedItem(key, str(item.get("label")), judge_item(item, text))
        except InputError as error:
            raise InputError(f"{of}line {place}: {error}") from error


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
        words = list(item.get("choices") or ()) if item.get("task", "entailment") == "entailment" else []
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
        choices=dict(zip(words, LABELS, strict=False)) if len(words) in (2, 3) else None,
        read_sentence=_reader(item),
        reference_steps=len(derived) or None,
    )


def _reader(item: Mapping[str, Any]) -> Callable[[str], Formula] | None:
    if not _is_controlled(item):
        return None
    from custodiet.logic.english.reading import read
    from custodiet.logic.english.vocabulary import Vocabulary

    vocabulary = Vocabulary.from_json(item["vocabulary"])
    return lambda sentence: read(sentence, vocabulary)


def _has_proof(item: Mapping[str, Any]) -> bool:
    return bool(item.get("proof") or item.get("counter_models"))


def _is_controlled(item: Mapping[str, Any]) -> bool:
    """Whether an item is in controlled English; steps about knights and knaves are in formulas."""
    vocabulary = item.get("vocabulary")
    return bool(vocabulary) and not (isinstance(vocabulary, Mapping) and vocabulary.get("kind") == "knights-knaves")


def gold_answer(item: Mapping[str, Any]) -> str:
    """The answer that an item itself would give: its proof or its counter-models, and its label; or what it wants written.

    Raises:
        FormulaError: its proof cannot be read.
    """
    if item.get("task") in WRITTEN_TASKS:
        return str(item.get("answer"))
    lines = []
    for one in item.get("proof") or ():
        lines.append(format_step(step_from_json(one), one.get("text") if _is_controlled(item) else None))
    if not lines:
        lines = [json.dumps(one) for one in item.get("counter_models") or ()]
    if not lines:
        raise FormulaError("no proof and no counter-models", got=repr(item.get("id")))
    return "\n".join([*lines, f"Answer: {item.get('label')}"])


class CheckTally:
    """What judgements come to, one after the other; its size does not grow with their number."""

    def __init__(self) -> None:
        self.num = self.num_invalid = 0
        self._counts: Counter[str] = Counter()
        self._first_bad: Counter[str] = Counter()
        self._written: dict[str, Counter[str]] = {}

    def add(self, checked: CheckedItem | CheckedAnswer) -> None:
        """Count one more."""
        self.num += 1
        if isinstance(checked, CheckedAnswer):
            self.num_invalid += checked.judgement.status != "right"
            self._written.setdefault(checked.task, Counter())[checked.judgement.status] += 1
            return
        one = checked.judgement
        self.num_invalid += one.chain != "valid"
        counts = self._counts
        counts["no label"] += one.label is None
        counts[f"chain {one.chain}"] += 1
        for field in _SHARES:
            counts[field] += bool(getattr(one, field))
        for field in _TOTALS:
            counts[field] += getattr(one, field)
        if one.steps_over_reference is not None:
            counts["compared"] += 1
            counts["over"] += one.steps_over_reference
        if one.first_bad is not None:
            self._first_bad[one.first_bad.kind] += 1

    def summary(self) -> dict[str, Any]:
        """Counts, and shares in [0, 1] with Clopper-Pearson intervals at 95 % (items taken as independent): of all items
        of a task whose answers are written out, of all others, or, for rates of lines, the share of lines in all answers
        without an interval, since lines of an answer are not.

        Raises:
            TooFewSamplesError: nothing was added.
        """
        from custodiet.base.stats import estimate_proportion

        counts = self._counts

        def share_of(count: int, num: int) -> dict[str, Any]:
            found = estimate_proportion(count, num)
            return {"value": found.value, "low": found.low, "high": found.high, "num": num}

        written = {
            f"{task}_{status}": share_of(found[status], found.total())
            for task, found in sorted(self._written.items())
            for status in STATUSES
        }
        num_chains = self.num - sum(found.total() for found in self._written.values())
        if written and not num_chains:
            return {"num_items": self.num, **written}

        def share(name: str) -> dict[str, Any]:
            return share_of(counts[name], num_chains)

        claimed, compared = counts["num_premises"], counts["compared"]
        return {
            "num_items": self.num,
            **written,
            "label_accuracy": share("label_right"),
            "no_label": share("no label"),
            **{f"chain_{kind}": share(f"chain {kind}") for kind in ("valid", "wrong", "unreadable", "none")},
            "chain_step_by_step": share("step_by_step"),
            "right_answer_wrong_chain": share("right_answer_wrong_chain"),
            "valid_chain_wrong_answer": share("valid_chain_wrong_answer"),
            "num_steps": counts["num_steps"],
            "num_unreadable_steps": counts["num_unreadable"],
            "num_skipped_steps": counts["num_skipped"],
            "num_leaps": counts["num_leaps"],
            "num_misnamed_steps": counts["num_misnamed"],
            "hallucinated_premise_rate": counts["num_invented"] / claimed if claimed else None,
            "mean_steps_over_reference": counts["over"] / compared if compared else None,
            "first_bad_kinds": dict(sorted(self._first_bad.items(), key=lambda one: (-one[1], one[0]))),
        }
