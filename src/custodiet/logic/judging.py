"""What is wrong with a model's answer: its label, its chain of steps, its counter-models.

An answer is free text. Lines that begin with a number and a period are steps of a proof (see `custodiet.logic.proofs`);
a line that says `Answer: ...`, or that is nothing but a label, gives the label; `Model 1: p; q` lists what is true in a
counter-model (all else is false), and an object `{"true": ["p", "q"]}` does the same. All other lines are prose. If the
numbers start again from the first, the last such run that cites anything is the proof: whoever starts over is judged by
the last attempt. What is a step is read strictly, and a step that cannot be read is not called wrong but counted apart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from custodiet.errors import FormulaError
from custodiet.logic.formulas import Atom, Formula, Not, constants_of
from custodiet.logic.kernel import Problem, check_proof, follows
from custodiet.logic.kernel_search import Language, perfect_model
from custodiet.logic.notation import parse_formula
from custodiet.logic.proofs import Step, read_step
from custodiet.logic.semantics import CONTRADICTED, ENTAILED, INCONSISTENT, UNKNOWN, Model, evaluate

__all__ = ["Answer", "BadStep", "Judgement", "Unreadable", "judge_answer", "read_answer"]

_LABELS = (ENTAILED, CONTRADICTED, UNKNOWN, INCONSISTENT)
_STEP = re.compile(r"[\s>*\-#]*(?:step\s+)?([0-9]{1,6})[.)]\**\s+(.*)\Z", re.IGNORECASE)
_MODEL = re.compile(
    r"[\s>*\-#]*(?:counter-?model|model|situation|assignment)\s*[0-9A-Za-z]?\**\s*:\**\s*(.*)\Z", re.IGNORECASE
)
_SYNONYMS = {"given": "premise", "assume": "assumption", "suppose": "assumption", "hypothesis": "assumption"}
_OF_THE_WHOLE = ("not the goal", "open assumption")
_MARKS = " \t*_`\"'“”.!"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A numbered line that is no step: its number and why it cannot be read."""

    number: int
    message: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer says.

    Args:
        label: `entailed`, `contradicted`, `unknown` or `inconsistent`; None where it gives none.
        lines: the steps of its proof in their order, readable or not.
        models: the structures that it gives; None in place of one that cannot be read.
    """

    label: str | None
    lines: tuple[Step | Unreadable, ...] = ()
    models: tuple[Model | None, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps that can be read."""
        return tuple([one for one in self.lines if isinstance(one, Step)])


@dataclass(frozen=True, slots=True)
class BadStep:
    """The first step that is not right: its number in the answer, the kind (`unreadable`, `skipped`, or one of the
    kernel's), and a sentence for people.
    """

    number: int | None
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an answer is worth. Counts are of lines; rates are shares in [0, 1], None where there is nothing to count.

    Args:
        label: the label that the answer gives; None where it gives none that can be read.
        label_right: whether that is the right one.
        chain: `valid`, `wrong`, `unreadable` (the first bad step cannot be read) or `none` (no steps, no models). For
            the label unknown the chain is the pair of counter-models.
        conclusion: what the steps, if they are valid, prove: `entailed`, `contradicted` or `inconsistent`.
        well_named: whether each valid step that names a rule is an instance of it; None without steps.
        first_bad: the first bad step; None if there is none.
        num_steps: numbered lines.
        num_unreadable: those that cannot be read.
        num_misnamed: valid ones that are no instance of the rule they name.
        num_skipped: bad ones that follow from the premises and the lines cited, though not from these alone.
        num_premises: lines that are called premises.
        num_invented: those that are not among the premises.
        hallucinated_premise_rate: their share.
        steps_over_reference: derived lines more than those of the reference; None without valid steps or a reference.
        right_answer_wrong_chain: the label is right; there is a chain and it is not valid.
        valid_chain_wrong_answer: the chain is valid; the label is wrong or missing.
        num_models: counter-models given, readable or not.
        model_with_goal: whether one of them makes the premises and the goal true; None where none is given.
        model_without_goal: whether one makes the premises true and the goal false; None where none is given.
    """

    label: str | None
    label_right: bool
    chain: str
    conclusion: str | None
    well_named: bool | None
    first_bad: BadStep | None
    num_steps: int
    num_unreadable: int
    num_misnamed: int
    num_skipped: int
    num_premises: int
    num_invented: int
    hallucinated_premise_rate: float | None
    steps_over_reference: int | None
    right_answer_wrong_chain: bool
    valid_chain_wrong_answer: bool
    num_models: int
    model_with_goal: bool | None
    model_without_goal: bool | None

    def to_json(self) -> dict[str, Any]:
        """The fields as plain data."""
        return asdict(self)


def judge_answer(
    text: str,
    premises: Sequence[Formula],
    goal: Formula,
    label: str,
    *,
    logic: str,
    choices: Mapping[str, str] | None = None,
    read_sentence: Callable[[str], Formula] | None = None,
    reference_steps: int | None = None,
) -> Judgement:
    """Judge a model's answer.

    Args:
        text: the answer.
        premises: what the problem gives.
        goal: what it asks about.
        label: the right label.
        logic: one of the kernel's `LOGICS`.
        choices: words of an answer -> label, beside the labels themselves.
        read_sentence: reads a sentence of controlled English; without it steps are read as formulas only.
        reference_steps: derived lines of a proof to compare with, such as the shortest one known.

    Returns:
        The judgement. Any valid proof passes, whatever its order and its length; nothing is compared with another proof.

    Raises:
        FormulaError: the problem itself is none: no such logic or label, sorts that clash, no program where one is needed.
    """
    if label not in _LABELS:
        raise FormulaError("no such label", expected=", ".join(_LABELS), got=repr(label))
    answer = read_answer(text, premises, goal, logic=logic, choices=choices, read_sentence=read_sentence)
    steps = answer.steps
    verdict = check_proof(steps, premises, goal, logic=logic)
    bad = [one for one in verdict.problems if one.kind != "misnamed"] if steps else []
    skipped = {one.place for one in bad if _is_skip(one, steps, premises, logic)}
    first = _first_bad(answer.lines, bad, skipped)
    with_goal, without_goal = _shown(answer.models, premises, goal)
    if label == UNKNOWN and (answer.models or not answer.lines):
        chain = "valid" if with_goal and without_goal else "wrong" if any(answer.models) else "none"
        chain = "unreadable" if chain != "valid" and None in answer.models else chain
    elif not answer.lines:
        chain = "none"
    else:
        chain = "valid" if first is None else "unreadable" if first.kind == "unreadable" else "wrong"
    invented = sum(one.kind == "invented premise" for one in bad)
    claimed = sum(one.rule == "premise" for one in steps)
    derived = sum(one.rule not in ("premise", "assumption") for one in steps)
    known = reference_steps is not None and chain == "valid" and bool(steps)
    right = answer.label == label
    return Judgement(
        label=answer.label,
        label_right=right,
        chain=chain,
        conclusion=verdict.conclusion if chain == "valid" and steps else None,
        well_named=verdict.well_named if steps else None,
        first_bad=first,
        num_steps=len(answer.lines),
        num_unreadable=len(answer.lines) - len(steps),
        num_misnamed=sum(one.kind == "misnamed" for one in verdict.problems),
        num_skipped=len(skipped),
        num_premises=claimed,
        num_invented=invented,
        hallucinated_premise_rate=invented / claimed if claimed else None,
        steps_over_reference=derived - reference_steps if known and reference_steps is not None else None,
        right_answer_wrong_chain=right and chain in ("wrong", "unreadable"),
        valid_chain_wrong_answer=chain == "valid" and not right,
        num_models=len(answer.models),
        model_with_goal=with_goal,
        model_without_goal=without_goal,
    )


def _is_skip(problem: Problem, steps: Sequence[Step], premises: Sequence[Formula], logic: str) -> bool:
    if problem.kind != "not valid" or problem.place is None:
        return False
    step = steps[problem.place]
    formula = step.formula
    if logic == "datalog" and isinstance(formula, Atom):
        return formula in perfect_model(premises)
    cited = [one.formula for one in steps[: problem.place] if one.number in step.cites]
    try:
        return follows([*premises, *cited], formula) is True
    except FormulaError:  # a line that is cited does not fit the sorts
        return False


def _first_bad(lines: Sequence[Step | Unreadable], bad: Sequence[Problem], skipped: set[int | None]) -> BadStep | None:
    places = [place for place, one in enumerate(lines) if isinstance(one, Step)]
    found = [
        (len(lines) if one.place is None or one.kind in _OF_THE_WHOLE else places[one.place],
         BadStep(one.number, "skipped" if one.place in skipped and one.kind == "not valid" else one.kind, one.message))
        for one in bad
    ]  # fmt: skip
    found += [(place, BadStep(one.number, "unreadable", one.message)) for place, one in enumerate(lines)
              if isinstance(one, Unreadable)]  # fmt: skip
    return min(found, key=lambda one: one[0])[1] if found else None


def _shown(
    models: Sequence[Model | None], premises: Sequence[Formula], goal: Formula
) -> tuple[bool | None, bool | None]:
    """Whether the premises are shown to be true together with the goal, and without it."""
    if not models:
        return None, None
    seen = set()
    for model in models:
        try:
            if model is not None and all(evaluate(model, one) for one in premises):
                seen.add(evaluate(model, goal))
        except FormulaError:  # a structure that does not say what the formulas speak of shows nothing
            continue
    return True in seen, False in seen


# --------------------------------------------------------------------------------------------------------------- reading


def read_answer(
    text: str,
    premises: Sequence[Formula],
    goal: Formula,
    *,
    logic: str,
    choices: Mapping[str, str] | None = None,
    read_sentence: Callable[[str], Formula] | None = None,
) -> Answer:
    """Split an answer into label, steps and counter-models. The arguments are those of `judge_answer`."""

    def read_formula(sentence: str) -> Formula:
        if read_sentence is None:
            return parse_formula(sentence)
        try:
            return read_sentence(sentence)
        except FormulaError as error:
            try:
                return parse_formula(sentence)
            except FormulaError:
                raise error from None

    words = {one: one for one in _LABELS} | {
        word.strip(_MARKS).lower(): label for word, label in (choices or {}).items()
    }
    said = re.compile(
        r"(?:.*\b(?:answer|label|verdict|conclusion)\b\W*(?:is\b)?\W*)?("
        + "|".join(re.escape(one) for one in sorted(words, key=len, reverse=True))
        + r")\Z"
    )
    label, models = None, []
    runs: list[list[tuple[Step | Unreadable, bool]]] = [[]]
    for line in text.splitlines():
        numbered, model = _STEP.match(line), _MODEL.match(line)
        if numbered:
            one = _read_line(int(numbered[1]), numbered[2].strip(" *`"), read_formula)
            if runs[-1] and one.number <= runs[-1][0][0].number:
                runs.append([])
            runs[-1].append((one, "[" in numbered[2]))
        elif model and not model[1].lstrip().startswith("{"):
            models.append(_listed_model(model[1], premises, goal, logic, read_formula))
        else:
            models += _objects(line)
            found = said.match(line.strip(_MARKS + "\\#>-").lower())
            label = words[found[1]] if found else label
    proofs = [one for one in runs if any(cites for _, cites in one)]
    return Answer(label, tuple([one for one, _ in proofs[-1]]) if proofs else (), tuple(models))


def _read_line(number: int, rest: str, read_formula: Callable[[str], Formula]) -> Step | Unreadable:
    try:
        step = read_step(f"{number}. {rest}" if rest.endswith("]") else f"{number}. {rest} []", read_formula)
        return replace(step, rule=_SYNONYMS[step.rule]) if step.rule in _SYNONYMS and not step.cites else step
    except FormulaError as error:
        return Unreadable(number, str(error))


def _objects(line: str) -> Iterator[Model | None]:
    """The counter-models that a line gives as JSON."""
    decoder, at = json.JSONDecoder(), line.find("{")
    while at >= 0:
        try:
            found, end = decoder.raw_decode(line, at)
        except (json.JSONDecodeError, RecursionError):
            at = line.find("{", at + 1)
            continue
        if "true" in found:
            try:
                yield Model.from_json(found)
            except FormulaError:
                yield None
        at = line.find("{", end)


def _listed_model(
    text: str, premises: Sequence[Formula], goal: Formula, logic: str, read_formula: Callable[[str], Formula]
) -> Model | None:
    """The structure in which the listed atoms are true and all others false; each constant names one of its own."""
    text = text.strip(" *`")
    pieces = [one.strip() for one in re.split(r";|,(?![^(]*\))", text) if one.strip()]
    if text.rstrip(".").lower() in ("nothing", "none"):
        pieces = []
    try:
        literals = [read_formula(one) for one in pieces]
    except FormulaError:
        return None
    true = frozenset(one for one in literals if isinstance(one, Atom))
    false = {one.body for one in literals if isinstance(one, Not)}
    if any(not isinstance(one.body if isinstance(one, Not) else one, Atom) for one in literals) or true & false:
        return None
    language = Language([*premises, goal], logic)
    domains: dict[str, tuple[str, ...]] = {}
    constants = list(dict.fromkeys(name for one in [*premises, goal, *literals] for name in constants_of(one)))
    for name in constants:
        kind, sort = language.sort_of(name)
        key = sort if kind == "sort" and isinstance(sort, str) else str(sort)
        domains[key] = (*domains.get(key, ()), name)
    return Model(domains, {name: name for name in constants}, true)
