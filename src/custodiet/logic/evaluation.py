"""Putting items to a model: prompts, what counts as its answer, and a file of answers that an interrupted run goes on with.

A model is seen through the protocols `ChoiceScorer` and `TextGenerator` only. Each answer is one line of JSON, written as
soon as it is there; `custodiet.logic.evaluation_summary` turns the lines into a record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from custodiet.base.protocols import ChoiceScorer, TextGenerator
from custodiet.base.rng import numpy_rng
from custodiet.errors import InputError, OutputError
from custodiet.logic.checking import LABELS, judge_item
from custodiet.logic.english.prompts import ASKED, CLOSED_WORLD, numbered
from custodiet.logic.metamorphic import METAMORPHIC_KINDS, make_variant
from custodiet.logic.said import MAX_LINE, said_word
from custodiet.logic.written import WRITTEN_TASKS, judge_written

__all__ = [
    "Item",
    "Mode",
    "answer_items",
    "ask_by_choices",
    "ask_by_text",
    "proof_prompt",
    "read_items",
    "read_rows",
    "with_variants",
]

Mode = Literal["choices", "answer", "proof"]
Row = dict[str, Any]
Ask = Callable[[Sequence["Item"]], list[Row]]
_EXACT = ("premise-selection", "bad-step")
"""tasks without choices whose right answer is one text; others have many, which are judged if they are `WRITTEN_TASKS`"""
_MARKS = " \t*_`\"'“”.!#>-"
_NEEDED = {
    "choices": "items with choices",
    "answer": "items whose answer is one of their choices or one text",
    "proof": "items of the task entailment, with premises and goal",
}
_PREMISE_RULES = ("premise", "assumption")
_CUES = ("answer", "choice", "option", "label", "verdict", "conclusion")


@dataclass(frozen=True, slots=True)
class Item:
    """One question.

    Args:
        key: unlike all others of a run.
        place: its number in the file; variants have that of their item.
        raw: the object of the file.
        choices: the words of the answers; empty where the answer is a text.
        labels: what each choice stands for.
        label: the right one of them, or the right text.
        variant: kind of metamorphic variant; None for an item of the file.
    """

    key: str
    place: int
    raw: Mapping[str, Any]
    choices: tuple[str, ...]
    labels: tuple[str, ...]
    label: str
    variant: str | None = None

    @property
    def prompt(self) -> str:
        """The question as it stands in the file."""
        return self.raw["prompt"]

    @property
    def is_entailment(self) -> bool:
        """Whether the answer is a label of `checking.LABELS` (in a closed world, of the first two), so that a chain can
        be judged with it.
        """
        return self.raw.get("task", "entailment") == "entailment" and self.labels in (LABELS, LABELS[:2])

    def facts(self) -> dict[str, Any]:
        """What answers are grouped by."""
        raw = self.raw
        cell, depth = raw.get("cell") or {}, raw.get("depth") or {}
        kinds = raw.get("distractors")
        return {
            "task": raw.get("task"),
            "logic": raw.get("logic"),
            "language": raw.get("language"),
            "depth": cell.get("depth", depth.get("at_most")),
            "premises": len(raw["premises"]) if isinstance(raw.get("premises"), list) else None,
            "distractors": sum(kinds.values()) if isinstance(kinds, Mapping) else None,
            "distractor kinds": sorted(kinds) if isinstance(kinds, Mapping) else [],
            "rules": sorted({one["rule"] for one in raw.get("proof") or ()} - set(_PREMISE_RULES)),
            "goal form": cell.get("goal_form"),
            "skeleton": raw.get("skeleton"),
            "group": raw.get("group"),
            "twins": list(raw.get("twins") or ()),
        }


# --------------------------------------------------------------------------------------------------------------- reading


def read_items(
    path: Path, *, mode: Mode, limit: int | None = None, seed: int = 0
) -> tuple[list[Item], dict[str, int], int]:
    """The items of a JSONL file that a mode can put to a model.

    Args:
        path: one object a line, as `custodiet logic generate` writes it; of other data sets `prompt`, `choices` and
            `answer` are enough.
        mode: choices need words to choose from, proofs need premises and a goal.
        limit: put at most this many, drawn by whole groups so that twins stay together; None: all.
        seed: of the drawing.

    Returns:
        The items, how many were left out for which reason, and how many lines there were.

    Raises:
        InputError: the file cannot be read, a line is no item, two items have one id, or none is left.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path} cannot be read", expected="a JSONL file in UTF-8", got=why) from None
    items: list[Item] = []
    left_out: dict[str, int] = {}
    keys: set[str] = set()
    num_lines = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        num_lines += 1
        try:
            item = _item(json.loads(line), num_lines - 1, number)
        except ValueError as error:
            hint = "Write items with `custodiet logic generate --format jsonl`."
            raise InputError(
                f"line {number} of {path} is not JSON", expected="an object a line", got=str(error), hint=hint
            ) from None
        except InputError as error:
            raise InputError(f"{path}, {error}") from None
        if item.key in keys:
            raise InputError(f"line {number} of {path}: two items have one id", got=item.key)
        keys.add(item.key)
        reason = _unfit(item, mode)
        if reason is None:
            items.append(item)
        else:
            left_out[reason] = left_out.get(reason, 0) + 1
    if not items:
        told = "; ".join(f"{num} {reason}" for reason, num in left_out.items())
        raise InputError(
            f"{path} holds no item for --mode {mode}", expected=_NEEDED[mode], got=told or "no items at all"
        )
    return _limited(items, limit, seed), left_out, num_lines


def _item(raw: Any, place: int, number: int) -> Item:
    if not isinstance(raw, dict) or not isinstance(raw.get("prompt"), str):
        raise InputError(f"line {number} is no item", expected="an object with prompt, choices and answer")
    choices = raw.get("choices") or ()
    if not all(isinstance(one, str) and one for one in choices) or len(set(choices)) < len(choices):
        raise InputError(f"line {number}: choices are not different words", got=repr(choices)[:80])
    entailment = raw.get("task", "entailment") == "entailment" and "label" in raw and (
        len(choices) == 3 or (len(choices) == 2 and raw.get("logic") in CLOSED_WORLD)
    )  # fmt: skip
    labels = LABELS[: len(choices)] if entailment else tuple(choices)
    label = raw.get("label") if entailment else raw.get("answer")
    if not isinstance(label, str) or (labels and label not in labels):
        raise InputError(
            f"line {number}: no right answer under {'label' if entailment else 'answer'!r}",
            expected=", ".join(labels) or "a text", got=repr(label),
        )  # fmt: skip
    return Item(str(raw.get("id", place)), place, raw, tuple(choices), labels, label)


def _unfit(item: Item, mode: Mode) -> str | None:
    """Why a mode cannot put an item to a model."""
    task = item.raw.get("task")
    if mode == "choices" and len(item.choices) < 2:
        return f"items of the task {task} have no choices"
    if mode == "answer" and not item.choices and task not in (*_EXACT, *WRITTEN_TASKS):
        return f"items of the task {task} have more than one right answer"
    if mode == "proof" and not (item.is_entailment and "premises" in item.raw and "goal" in item.raw):
        return f"items of the task {task} ask for no proof"
    return None


def _limited(items: list[Item], limit: int | None, seed: int) -> list[Item]:
    if limit is None or limit >= len(items):
        return items
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(str(item.raw.get("group") or item.key), []).append(item)
    chosen: list[Item] = []
    for index in numpy_rng(seed, "evaluate", "limit").permutation(len(groups)).tolist():
        some = list(groups.values())[index]
        if len(chosen) + len(some) <= limit:
            chosen += some
    return sorted(chosen or items[:limit], key=lambda one: one.place)


def with_variants(items: Sequence[Item], num: int, *, seed: int) -> tuple[list[Item], dict[str, int]]:
    """Variants of some items, for metamorphic consistency.

    Args:
        items: to draw from; only those of the task `entailment` have variants.
        num: how many of them get their variants.
        seed: of the drawing and of the variants.

    Returns:
        The variants, and for each kind how many of the drawn items have none.

    Raises:
        InputError: no item has variants.
    """
    able = [one for one in items if one.is_entailment and {"premises", "goal", "logic"} <= one.raw.keys()]
    if not able:
        raise InputError("no item has variants", expected="items of the task entailment with premises and goal")
    drawn = numpy_rng(seed, "evaluate", "variants").permutation(len(able))[:num]
    made: list[Item] = []
    impossible = dict.fromkeys(METAMORPHIC_KINDS, 0)
    for index in sorted(drawn.tolist()):
        item = able[index]
        for kind in METAMORPHIC_KINDS:
            raw = make_variant(item.raw, kind, seed=seed)
            if raw is None:
                impossible[kind] += 1
            else:
                made.append(Item(f"{item.key}/{kind}", item.place, raw, item.choices, item.labels, item.label, kind))
    return made, impossible


# ---------------------------------------------------------------------------------------------------------------- asking


def ask_by_choices(scorer: ChoiceScorer, wrap: Callable[[str], str], cue: str) -> Ask:
    """Score every choice after its prompt.

    Args:
        scorer: the model.
        wrap: puts a prompt into the form that the model expects.
        cue: stands between prompt and choice; white space at its end goes with the choice, as it does in text.

    Returns:
        A function from items to rows; the prediction is the choice with the highest log-probability.
    """
    stem = cue.rstrip()
    lead = cue[len(stem) :]

    def ask(items: Sequence[Item]) -> list[Row]:
        prompts = [wrap(one.prompt) + stem for one in items]
        found = scorer.score_choices(prompts, [[lead + word for word in one.choices] for one in items])
        rows = []
        for item, scores in zip(items, found, strict=True):
            if scores is None:
                rows.append(_row(item, "too long", None))
                continue
            per_token = scores.logprob_C / np.maximum(scores.num_tokens_C, 1)
            more = {
                "logprobs_nats": [round(one, 6) for one in scores.logprob_C.tolist()],
                "num_tokens": scores.num_tokens_C.tolist(),
                "predicted_per_token": item.labels[int(per_token.argmax())],
            }
            rows.append(_row(item, "answered", item.labels[int(scores.logprob_C.argmax())], more))
        return rows

    return ask


def ask_by_text(generator: TextGenerator, wrap: Callable[[str], str], cue: str, *, proof: bool) -> Ask:
    """Let the model write, and read its answer.

    Args:
        generator: the model.
        wrap: puts a prompt into the form that the model expects.
        cue: stands after the prompt.
        proof: ask for numbered steps and judge them.

    Returns:
        A function from items to rows; those of entailment items hold the judgement of the whole answer.
    """

    def ask(items: Sequence[Item]) -> list[Row]:
        prompts = [wrap(proof_prompt(one.raw) if proof else one.prompt) + cue for one in items]
        rows = []
        for item, text in zip(items, generator.generate_text(prompts), strict=True):
            rows.append(_row(item, "too long", None) if text is None else _judged(item, text))
        return rows

    return ask


def proof_prompt(item: Mapping[str, Any]) -> str:
    """The question of an entailment item, asking for a proof or for two counter-models.

    What the item's own prompt says about how to read its sentences (whether kinds may be empty, whether the world is
    closed, what the signs mean) is said here too.
    """
    listed = numbered([one.get("text") or one["formula"] for one in item["premises"]])
    goal = item["goal"].get("text") or item["goal"]["formula"]
    words = list(item.get("choices") or LABELS)
    notes = _notes_of(str(item.get("prompt", "")), goal, len(words))
    if item.get("implicit_premises"):
        notes += " That a kind has a member may be used as a premise."
    asked = "Do the premises entail the conclusion, or do they contradict it? Prove the"
    otherwise = (
        " That something which cannot be derived is false is a step `3. <statement> [closed world]`. "
        f"End with a line `Answer: {words[0]}` or `Answer: {words[1]}`."
    )
    if len(words) > 2:
        asked = "Do the premises entail the conclusion, do they contradict it, or is it unknown? If they decide it, prove the"
        otherwise = (
            " If it is unknown, describe two situations in which all premises are true, the conclusion in one of them but "
            "not in the other, by what is true in them: `Model 1: <statement>; <statement>` and `Model 2: ...`. "
            f"End with a line `Answer: {words[0]}`, `Answer: {words[1]}` or `Answer: {words[2]}`."
        )
    return (
        f"Premises:\n{listed}\n\nConclusion: {goal}\n\n{notes + ' ' if notes else ''}{asked} "
        "conclusion or its negation in numbered steps, one a line. Each step is one statement in the form of the premises, "
        "then its rule and the numbers of the earlier steps that it follows from, in brackets: a premise that you use is "
        f"stated as `1. <statement> [premise]`, a conclusion as `3. <statement> [modus ponens: 1, 2]`.{otherwise}"
    )


def _notes_of(prompt: str, goal: str, num_labels: int) -> str:
    """What stands between the conclusion and the question of an entailment prompt; empty if that is made otherwise."""
    before, found, after = prompt.partition(f"Conclusion: {goal}\n\n")
    asked = ASKED.get(num_labels, "")
    return after.removesuffix(asked).strip() if found and asked and after.endswith(asked) else ""


def _judged(item: Item, text: str) -> Row:
    more: Row = {"response": text}
    if item.is_entailment and "premises" in item.raw:
        judgement = judge_item(item.raw, text)
        more["judgement"] = judgement.to_json()
        said = judgement.label
    elif item.choices:
        said = _said(text, dict(zip(item.choices, item.labels, strict=True)))
    elif item.raw.get("task") in WRITTEN_TASKS:
        written = judge_written(item.raw, text)
        more["written"] = written.to_json()
        read = written.status in ("right", "wrong")
        said = item.label if written.status == "right" else f"wrong: {written.kind}" if read else None
    else:
        said = _last_line(text)
        if said is not None and _plain(said) == _plain(item.label):
            said = item.label
    return _row(item, "unreadable" if said is None else "answered", said, more)


def _said(text: str, words: Mapping[str, str]) -> str | None:
    """The label that the last line that gives one gives; letters as choices count in their own case only."""
    exact = all(len(one) == 1 for one in words)
    known = {word.strip(_MARKS) if exact else word.strip(_MARKS).lower(): label for word, label in words.items()}
    found = None
    for line in text.splitlines():
        if len(line) <= MAX_LINE:
            word = said_word(line, known, cues=_CUES, fold=not exact)
            found = known[word] if word else found
    return found


def _last_line(text: str) -> str | None:
    lines = [one.strip(_MARKS) for one in text.splitlines() if one.strip(_MARKS)]
    if not lines:
        return None
    given = re.match(r"(?:.*\banswer\b\W*(?:is\b)?\W*)?(.*)\Z", lines[-1][-MAX_LINE // 10 :], re.IGNORECASE)
    return given[1].strip(_MARKS) or None if given else None


def _plain(text: str) -> str:
    """An answer without marks; of a list of numbers, the set."""
    text = " ".join(text.lower().strip(_MARKS).split())
    if re.fullmatch(r"[0-9]+(?:(?:,| and|, and)? [0-9]+|,[0-9]+)*", text):
        return ",".join(sorted(set(re.findall("[0-9]+", text)), key=int))
    return text


def _row(item: Item, status: str, predicted: str | None, more: Row | None = None) -> Row:
    return {
        "key": item.key,
        "place": item.place,
        "variant": item.variant,
        "status": status,
        "label": item.label,
        "labels": list(item.labels),
        "predicted": predicted,
        "right": predicted == item.label,
        **(more or {}),
        "facts": item.facts(),
    }


# ---------------------------------------------------------------------------------------------------------------- running


def answer_items(
    items: Sequence[Item],
    ask: Ask,
    path: Path,
    *,
    batch_size: int = 32,
    num_threads: int = 1,
    on_progress: Callable[[str, float, float, str], None] = lambda task, done, total, note: None,
) -> list[Row]:
    """Put every item to the model that was not put to it yet.

    Args:
        items: what is to be asked, with different keys.
        ask: from `ask_by_choices` or `ask_by_text`.
        path: JSONL of rows; those that are there are kept, new ones are added batch by batch.
        batch_size: items of one call.
        num_threads: calls at once.
        on_progress: called with (task, done, total, note).

    Returns:
        A row for each item, in their order.

    Raises:
        CustodietError: what a call raises; all batches that were answered are in the file by then.
        InputError: the file holds rows of other items.
        OutputError: the file cannot be written.
    """
    done = {row["key"]: row for row in read_rows(path)}
    wanted = {one.key for one in items}
    strange = next((key for key in done if key not in wanted), None)
    if strange is not None:
        raise InputError(f"{path} holds the answer to another item", got=strange, hint="Name another --out.")
    left = [one for one in items if one.key not in done]
    left.sort(key=lambda one: (len(one.prompt), one.place))  # like lengths together; ties in the order of the file
    batches = [left[start : start + batch_size] for start in range(0, len(left), batch_size)]
    try:
        with path.open("a", encoding="utf-8") as stream:
            for rows in _answered(batches, ask, num_threads):
                stream.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
                stream.flush()
                done.update((row["key"], row) for row in rows)
                right = sum(row["right"] for row in done.values())
                on_progress("answers", len(done), len(items), f"{right / len(done):.1%} right")
    except OSError as error:
        raise OutputError(f"cannot write {path} ({error.strerror})") from None
    return [done[one.key] for one in items]


def _answered(batches: Sequence[Sequence[Item]], ask: Ask, num_threads: int) -> Iterator[list[Row]]:
    """The rows of each batch, as they come; after a failure those under way are still given, then it is raised."""
    if num_threads <= 1:
        yield from map(ask, batches)
        return
    waiting = iter(batches)
    failure: BaseException | None = None
    with ThreadPoolExecutor(num_threads) as pool:
        running: set[Future[list[Row]]] = set()
        while True:
            while failure is None and len(running) < num_threads and (batch := next(waiting, None)) is not None:
                running.add(pool.submit(ask, batch))
            if not running:
                break
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for one in ended:
                error = one.exception()
                if error is None:
                    yield one.result()
                else:
                    failure = failure or error
    if failure is not None:
        raise failure


def read_rows(path: Path) -> list[Row]:
    """The rows of an earlier run; a last line that was cut off is removed from the file.

    Raises:
        InputError: a line in the middle is damaged.
    """
    if not path.exists():
        return []
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        with path.open("rb+") as stream:
            stream.truncate(len(whole))
    rows = []
    for number, line in enumerate(whole.decode("utf-8").split("\n")[:-1], start=1):
        try:
            row = json.loads(line)
            rows.append({**row, "key": row["key"]})
        except (ValueError, KeyError, TypeError):
            raise InputError(f"line {number} of {path} is damaged", hint="Name another --out.") from None
    return rows
