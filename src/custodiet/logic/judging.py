"""What is wrong with a model's answer: its label, its chain of steps, its counter-models.

An answer is free text. Lines that begin with a number and a period are steps of a proof (see `custodiet.logic.proofs`);
a line that says `Answer: ...`, or that is nothing but a label, gives the label; `Model 1: p; q` lists what is true in a
counter-model (all else is false), and an object `{"true": ["p", "q"]}` does the same. All other lines are prose. If the
numbers start again from the first, the last such run that cites anything is the proof: whoever starts over is judged by
the last attempt. So it is with counter-models, of which the last two count, and with labels: the last one counts, and none
does if a later line `Answer: ...` says something else. What is a step is read strictly, and a step that cannot be read is
not called wrong but counted apart.

Answers may be hostile or endless: lines of more than 10,000 characters, proofs of more than 1,000 lines and lines that cite
more than 200 others are unreadable, so are structures of too many individuals, and all searches of an answer share a budget.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any

from custodiet.errors import FormulaError
from custodiet.logic.formulas import Atom, Exists, ForAll, Formula, Not, constants_of, operands
from custodiet.logic.kernel import Problem, check_proof
from custodiet.logic.kernel_search import Language, perfect_model
from custodiet.logic.notation import parse_formula
from custodiet.logic.proofs import Step, read_step
from custodiet.logic.said import MARKS, MAX_LINE, MODEL, STEP, last_word
from custodiet.logic.semantics import CONTRADICTED, ENTAILED, INCONSISTENT, UNKNOWN, Model, evaluate

__all__ = ["Answer", "BadStep", "Judgement", "Unreadable", "judge_answer", "read_answer"]

_LABELS = (ENTAILED, CONTRADICTED, UNKNOWN, INCONSISTENT)
_OBJECT = re.compile(r'\{ ?"')
_MAX_STEPS = 1_000
_MAX_CITES = 200
_MAX_OBJECTS = 16
_MAX_CASES = 100_000
_SKIP_BUDGET = 500_000
_SYNONYMS = {"given": "premise", "assume": "assumption", "suppose": "assumption", "hypothesis": "assumption"}
_OF_THE_WHOLE = ("not the goal", "open assumption")


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
        step_by_step: whether the chain is valid and each of its lines takes one rule: nobody who lists all premises and
            then says the goal does that. A valid pair of counter-models does.
        first_bad: the first bad step; None if there is none.
        num_steps: numbered lines.
        num_unreadable: those that cannot be read.
        num_misnamed: valid ones that are no instance of the rule they name.
        num_skipped: bad ones that follow from the premises and the lines cited, though not from these alone.
        num_leaps: valid ones that are an instance of no rule at all, and so take several at once.
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
    step_by_step: bool
    first_bad: BadStep | None
    num_steps: int
    num_unreadable: int
    num_misnamed: int
    num_skipped: int
    num_leaps: int
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
    skipped = _skips(bad, steps, premises, logic)
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
        step_by_step=chain == "valid" and not verdict.leaps,
        first_bad=first,
        num_steps=len(answer.lines),
        num_unreadable=len(answer.lines) - len(steps),
        num_misnamed=sum(one.kind == "misnamed" for one in verdict.problems),
        num_skipped=len(skipped),
        num_leaps=len(verdict.leaps),
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


def _skips(bad: Sequence[Problem], steps: Sequence[Step], premises: Sequence[Formula], logic: str) -> set[int | None]:
    """Places of the lines that do not follow from what they cite, but do with the premises."""
    found: set[int | None] = set()
    left = _SKIP_BUDGET
    model = None
    for problem in bad:
        if problem.kind != "not valid" or problem.place is None:
            continue
        step = steps[problem.place]
        if logic == "datalog" and isinstance(step.formula, Atom):
            model = perfect_model(premises) if model is None else model
            follows = step.formula in model
        else:
            cited = [one.formula for one in steps[: problem.place] if one.number in step.cites]
            try:
                language = Language([*premises, *cited, step.formula], "relational")
            except FormulaError:  # a line that is cited does not fit the sorts
                continue
            language.left = left
            follows = language.follows([*premises, *cited], step.formula)
            left = language.left
        if follows:
            found.add(problem.place)
    return found


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
        word.strip(MARKS).lower(): label for word, label in (choices or {}).items()
    }
    models: list[Model | str | None] = []
    runs: list[list[tuple[Step | Unreadable, bool]]] = [[]]
    for given in text.splitlines():
        if len(given) > MAX_LINE and not STEP.match(" ".join(given[:80].split())):
            continue
        line = " ".join(given[: MAX_LINE + 1].split())
        if not line:
            continue
        numbered, model = STEP.match(line), MODEL.match(line)
        if numbered:
            number = int(numbered[1])
            if runs[-1] and number <= runs[-1][0][0].number:
                runs.append([])
            if len(runs[-1]) <= _MAX_STEPS:
                one = _read_line(number, numbered[2].strip(" *`"), read_formula, len(given), len(runs[-1]))
                runs[-1].append((one, "[" in given))
        elif model and not model[1].startswith("{"):
            models.append(model[1])
        else:
            models += _objects(line)
    proofs = [one for one in runs if any(cites for _, cites in one)]
    shown = [
        _listed_model(one, premises, goal, logic, read_formula) if isinstance(one, str) else one for one in models[-2:]
    ]
    word = last_word(text, words)
    few = [one if one is None or _is_small(one, [*premises, goal]) else None for one in shown]
    lines = tuple([one for one, _ in proofs[-1]]) if proofs else ()
    return Answer(None if word is None else words[word], lines, tuple(few))


def _is_small(model: Model, formulas: Sequence[Formula]) -> bool:
    """Whether looking at all individuals for all quantifiers is little work."""
    size = max((len(one) for one in model.domains.values()), default=1)
    return size ** max(map(_num_quantifiers, formulas)) <= _MAX_CASES


def _num_quantifiers(formula: Formula) -> int:
    """The most that stand one below the other."""
    below = max(map(_num_quantifiers, operands(formula)), default=0)
    return below + isinstance(formula, (ForAll, Exists))


def _read_line(
    number: int, rest: str, read_formula: Callable[[str], Formula], length: int, place: int
) -> Step | Unreadable:
    if length > MAX_LINE:
        return Unreadable(number, f"the line has {length:,} characters; expected at most {MAX_LINE:,}")
    if place >= _MAX_STEPS:
        return Unreadable(number, f"the proof has more than {_MAX_STEPS:,} lines")
    try:
        step = read_step(f"{number}. {rest}" if rest.endswith("]") else f"{number}. {rest} []", read_formula)
    except FormulaError as error:
        return Unreadable(number, str(error))
    if len(step.cites) > _MAX_CITES:
        return Unreadable(number, f"the line cites {len(step.cites):,} lines; expected at most {_MAX_CITES}")
    return replace(step, rule=_SYNONYMS[step.rule]) if step.rule in _SYNONYMS and not step.cites else step


def _objects(line: str) -> Iterator[Model | None]:
    """The counter-models that a line gives as JSON."""
    decoder, end = json.JSONDecoder(), 0
    for found in islice(_OBJECT.finditer(line), _MAX_OBJECTS):
        if found.start() < end:  # inside one that was read
            continue
        try:
            value, end = decoder.raw_decode(line, found.start())
        except (json.JSONDecodeError, RecursionError):
            continue
        if "true" in value:
            try:
                yield Model.from_json(value)
            except FormulaError:
                yield None


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
