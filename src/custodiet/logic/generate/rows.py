"""The rows of problem number g: a function of the configuration and g alone, whoever asks and in whatever order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from custodiet.errors import CustodietError
from custodiet.logic.formulas import Formula
from custodiet.logic.generate import knights
from custodiet.logic.generate.config import ENGLISH_TASKS, GenerateConfig
from custodiet.logic.generate.control import unbalanced_case
from custodiet.logic.generate.draws import Draws
from custodiet.logic.generate.inference import rows as inference
from custodiet.logic.generate.items import ITEMS_PER_PROBLEM, Case, Wording, cases_of, outline_of
from custodiet.logic.generate.problem import Problem
from custodiet.logic.generate.row_text import COUNTED, SPLITS, RowText, split_of
from custodiet.logic.generate.source import draw_problem
from custodiet.logic.generate.tasks import TASKS, Row
from custodiet.logic.generate.wording import choose_wording
from custodiet.logic.notation import format_formula
from custodiet.logic.proofs import Step, step_to_json
from custodiet.logic.semantics import Model

__all__ = ["COUNTED", "SPLITS", "RowText", "problem_rows", "split_of"]

_MAX_ATTEMPTS = 50
_json = json.JSONEncoder(ensure_ascii=False).encode


def problem_rows(config: GenerateConfig, number: int) -> list[RowText]:
    """Six rows as JSON text.

    Args:
        config: the data set.
        number: of the problem, from 0; its rows are items 6 * number to 6 * number + 5.

    Raises:
        CustodietError: two engines disagree, the kernel rejects a proof, or no problem was found.
    """
    if not config.balanced:
        return _unbalanced_rows(config, number)
    start = number % (len(config.tasks) * len(config.logics))
    task = config.tasks[start % len(config.tasks)]
    logic = config.logics[start // len(config.tasks)]
    turn = number // (len(config.tasks) * len(config.logics))
    if task.startswith(inference.PREFIX):
        return inference.inference_rows(config, number, start, turn, task, logic)
    if task.startswith(knights.PREFIX):
        return knights.knights_rows(config, number, start, turn, task)
    step = len(config.tasks) * len(config.logics)
    if turn % 2 == 0:
        return _pair(config, number)[0]
    pair = _pair(config, number - step)
    return pair[1] if len(pair) > 1 else _pair(config, number, alone=True)[0]


@lru_cache(maxsize=64)
def _pair(config: GenerateConfig, number: int, alone: bool = False) -> tuple[list[RowText], ...]:
    """The rows of a problem and, unless it is wanted alone, of its companion, which is the next of its task and logic."""
    step = len(config.tasks) * len(config.logics)
    task = config.tasks[number % step % len(config.tasks)]
    logic = config.logics[number % step // len(config.tasks)]
    told_in = replace(config, language="english") if task in ENGLISH_TASKS else config
    for attempt in range(_MAX_ATTEMPTS):
        draws = Draws(config.seed, "logic", number, attempt)
        problem = draw_problem(config, draws, logic)
        wording = choose_wording(told_in, draws, problem)
        asked = [problem]
        if problem.companion is not None and "literal" in config.goal_forms and not alone:
            asked.append(problem.companion)
        made = [TASKS[task](draws, cases_of(draws, one), wording) for one in asked]
        if None not in made:
            told = _Told(wording, _Fragments(wording), f"{config.seed}-g{number}", outline_of(problem))
            return tuple([_rows(config, number + place * step, task, one, told, rows or [])
                          for place, (one, rows) in enumerate(zip(asked, made, strict=True))])  # fmt: skip
    raise CustodietError(f"no {logic} problem suits the task {task} in {_MAX_ATTEMPTS} tries")


class _Told(NamedTuple):
    """What the rows of a problem and its companion have in common."""

    wording: Wording
    texts: _Fragments
    group: str
    outline: str


def _unbalanced_rows(config: GenerateConfig, number: int) -> list[RowText]:
    """Six rows of the control, each of a problem of its own."""
    lines = []
    for item in range(ITEMS_PER_PROBLEM * number, ITEMS_PER_PROBLEM * (number + 1)):
        draws = Draws(config.seed, "logic", "unbalanced", item)
        problem, case = unbalanced_case(draws, draw_problem(config, draws, "propositional"))
        wording = choose_wording(config, draws, problem)
        made = TASKS["entailment"](draws, [case], wording)
        if made is None or len(made) != 1:
            raise CustodietError("a case of the control gave no row", hint="This is a defect; please report it.")
        told = _Told(wording, _Fragments(wording), f"{config.seed}-g{item}", outline_of(problem))
        lines += _rows(config, item, "entailment", problem, told, made, first=item)
    return lines


def _rows(
    config: GenerateConfig,
    number: int,
    task: str,
    problem: Problem,
    told: _Told,
    made: list[Row],
    *,
    first: int | None = None,
) -> list[RowText]:
    wording, texts, group, outline = told
    split = split_of(outline)
    first = number * ITEMS_PER_PROBLEM if first is None else first
    names = [f"{config.seed}-{first + place}" for place in range(len(made))]
    vocabulary = _json(wording.record())
    distractors = _json(problem.distractors)
    certificates = {way: _json([*problem.engines, way]) for way in ("kernel", "evaluated counter-models")}
    lines = []
    for place, row in enumerate(made):
        case: Case = row["case"]
        premises: list[Formula] = row.get("stated", case.premises)
        same = [names[other] for other, one in enumerate(made) if one["case"].goal == case.goal and other != place]
        twins = ", ".join([f'"{one}"' for one in same]) if task == "entailment" else ""
        depth, choices = case.depth(), row["choices"]
        parts = [
            f'{{"id": "{names[place]}", "seed": {config.seed}, "index": {first + place}, "task": "{task}"',
            f'"logic": "{problem.logic}", "language": "{wording.language}", "prompt": {_json(row["prompt"])}',
            f'"answer": {_json(row["answer"])}, "choices": {_list(tuple(choices)) if choices else _json(choices)}, "label": "{case.label}"',
            f'"premises": {texts.sentences(premises)}, "goal": {texts.sentence(case.goal)}, "proof": {texts.proof(case)}',
            f'"support": {[one + 1 for one in case.support]}, "support_unique": {"true" if case.support else "null"}',
            f'"depth": {_flat(depth) if depth else "null"}, "counter_models": {texts.models(case)}, "skeleton": "{case.skeleton}"',
            f'"outline": "{outline}", "group": "{group}", "twins": [{twins}]',
            f'"split": "{split}", "cell": {_flat(case.cell())}',
            f'"certificates": {certificates["kernel" if case.proof else "evaluated counter-models"]}',
        ]
        parts += [f'"{key}": {_json(_plain(value, texts))}' for key, value in row.items() if key not in _KNOWN]
        if problem.implicit:
            parts.append(f'"implicit_premises": {texts.sentences(problem.implicit)}')
        parts.append(f'"distractors": {distractors}, "vocabulary": {vocabulary}}}')
        values = (case.label, task, problem.logic, wording.language, split)
        lines.append(RowText(", ".join(parts), values))
    return lines


@lru_cache(maxsize=256)
def _list(texts: tuple[str, ...]) -> str:
    return _json(list(texts))


def _flat(values: dict[str, Any]) -> str:
    """An object of numbers and plain words."""
    return (
        "{"
        + ", ".join([f'"{key}": "{one}"' if isinstance(one, str) else f'"{key}": {one}' for key, one in values.items()])
        + "}"
    )


_KNOWN = ("prompt", "answer", "choices", "case", "stated")


class _Fragments:
    """Pieces of JSON that the rows of a problem share, each written once."""

    def __init__(self, wording: Wording) -> None:
        self._wording = wording
        self._texts: dict[Formula, tuple[str, str]] = {}
        self._lists: dict[int, str] = {}  # by identity: what rows share is the very same object

    def _quoted(self, formula: Formula) -> tuple[str, str]:
        """The formula and its sentence, as JSON strings."""
        found = self._texts.get(formula)
        if found is None:
            found = self._texts[formula] = (_json(format_formula(formula)), _json(self._wording.sentence(formula)))
        return found

    def plain(self, formula: Formula) -> dict[str, str]:
        return {"formula": format_formula(formula), "text": self._wording.sentence(formula)}

    def sentence(self, formula: Formula) -> str:
        notation, text = self._quoted(formula)
        return f'{{"formula": {notation}, "text": {text}}}'

    def sentences(self, formulas: Sequence[Formula]) -> str:
        found = self._lists.get(id(formulas))
        if found is None:
            found = self._lists[id(formulas)] = f"[{', '.join([self.sentence(one) for one in formulas])}]"
        return found

    def proof(self, case: Case) -> str:
        if not case.proof:
            return "[]"
        found = self._lists.get(id(case.proof))
        if found is None:
            places = {one: f', "premise": {place}' for place, one in enumerate(case.premises, start=1)}
            for place, one in enumerate(case.problem.implicit, start=1):
                places[one] = f', "implicit_premise": {place}'
            lines = []
            for step in case.proof:
                notation, text = self._quoted(step.formula)
                lines.append(
                    f'{{"number": {step.number}, "formula": {notation}, "rule": {_json(step.rule)}, '
                    f'"cites": {list(step.cites)}, "text": {text}{places[step.formula] if step.rule == "premise" else ""}}}'
                )
            found = self._lists[id(case.proof)] = f"[{', '.join(lines)}]"
        return found

    def models(self, case: Case) -> str:
        models = case.problem.versions[case.version].models
        if not models:
            return "[]"
        found = self._lists.get(id(models))
        if found is None:
            found = self._lists[id(models)] = _json([one.to_json() for one in models])
        return found


def _plain(value: Any, texts: _Fragments) -> Any:
    """A task's own field as plain data."""
    if isinstance(value, Formula):
        return texts.plain(value)
    if isinstance(value, Step):
        return {**step_to_json(value), "text": texts.plain(value.formula)["text"]}
    if isinstance(value, Model):
        return value.to_json()
    if isinstance(value, list):
        return [_plain(one, texts) for one in value]
    if isinstance(value, dict):
        return {key: _plain(one, texts) for key, one in value.items()}
    return value
