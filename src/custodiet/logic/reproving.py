"""Items proved again from what a reader sees: the sentences of the prompt, read back, and one engine.

Nothing of an item is believed but its prompt, its label or answer, its logic and what its words stand for. The formulas that it
records are not looked at, so a sentence that says something else than its formula is found like a wrong label.

What is proved depends on the task: the label (entailment, counter-model); that the premises chosen give it by themselves
(premise-selection); that the right option makes the conclusion follow and no other does (missing-premise); that statements can
be true together, or that those named cannot and none of them can be left out (consistency); that sentence and formula are
equivalent (formalize, verbalize).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal, NamedTuple

from custodiet.errors import FormulaError, InputError, UsageError
from custodiet.logic.engines.clingo_engine import decide_by_clingo
from custodiet.logic.engines.grounding import GroundProblem
from custodiet.logic.engines.sat import Problem, SatProblem
from custodiet.logic.engines.z3_engine import Z3Problem
from custodiet.logic.english.reading import read
from custodiet.logic.english.vocabulary import Vocabulary
from custodiet.logic.formulas import FALSUM, Formula
from custodiet.logic.fragments import signature_of
from custodiet.logic.notation import parse_formula
from custodiet.logic.semantics import CONTRADICTED, ENTAILED, INCONSISTENT, UNKNOWN

__all__ = [
    "ENGINES",
    "TASKS",
    "Fault",
    "PromptReader",
    "Question",
    "Reproof",
    "logic_of",
    "questions_of",
    "reprove",
    "stated_in",
]

ENGINES = ("sat", "z3")
TASKS = ("entailment", "premise-selection", "missing-premise", "consistency", "counter-model", "formalize", "verbalize")
"""tasks whose answers can be proved again; those about proofs are the kernel's"""
_MAX_FAULTS = 50
_SOLVER = "glucose4"  # the generator asks minisat22
_PREMISES, _STATEMENTS, _CONCLUSION = "Premises:\n", "Statements:\n", "\n\nConclusion: "
_OPTION = re.compile(r"^([A-H])\. (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Fault:
    """An item whose label is not what its text says.

    Args:
        item: its id.
        label: what it says of itself.
        found: the engine's label, or why the text could not be read.
    """

    item: str
    label: str
    found: str


@dataclass(slots=True)
class Reproof:
    """What came of proving items again.

    Args:
        num: items.
        num_faults: those whose label is another one, or whose text cannot be read.
        faults: the first ones.
        engines: engine -> items that it decided.
    """

    num: int = 0
    num_faults: int = 0
    faults: list[Fault] = field(default_factory=list)
    engines: Counter[str] = field(default_factory=Counter)

    def add(self, other: Reproof) -> None:
        """Take the counts of another lot of items in."""
        self.num += other.num
        self.num_faults += other.num_faults
        self.faults = [*self.faults, *other.faults][:_MAX_FAULTS]
        self.engines.update(other.engines)


def stated_in(prompt: str) -> tuple[list[str], str]:
    """The premises and the conclusion of a prompt of the task `entailment`, as they stand there.

    Raises:
        InputError: a prompt of another form.
    """
    listed, found, rest = prompt.partition(_CONCLUSION)
    if not found:
        raise InputError("not a prompt with numbered premises and a conclusion", got=prompt[:80])
    return _numbered(listed, _PREMISES), rest.partition("\n")[0]


def _numbered(listed: str, heading: str) -> list[str]:
    """The texts of lines numbered from 1 below a heading."""
    lines = listed.removeprefix(heading).split("\n")
    numbered = [line.partition(". ") for line in lines]
    if not listed.startswith(heading) or [one[0] for one in numbered] != [str(at + 1) for at in range(len(lines))]:
        raise InputError("not a prompt with numbered premises and a conclusion", got=listed[:80])
    return [one[2] for one in numbered]


def reprove(rows: Iterable[Mapping[str, Any]], *, engine: Literal["sat", "z3"] = "sat") -> Reproof:
    """Prove the labels or answers of items again, from their prompts.

    Args:
        rows: items of `TASKS`; those of a group stand together, and share what is read and encoded.
        engine: `sat` (propositions: clauses; individuals: grounding; Datalog: clingo) or `z3` (for Datalog clingo too).

    Returns:
        The counts. A prompt that cannot be read is a fault.

    Raises:
        UsageError: another engine.
        InputError: an item of another task.
        MissingExtraError: the solver is not installed.
        CustodietError: z3 did not decide in time.
    """
    if engine not in ENGINES:
        raise UsageError("no such engine", expected=" or ".join(ENGINES), got=engine)
    found = Reproof()
    for _, group in groupby(rows, key=lambda row: (row["group"], row["task"])):
        _reprove_group(list(group), engine, found)
    return found


class Question(NamedTuple):
    """Premises, a goal, and the labels that an item's answer allows."""

    premises: list[Formula]
    goal: Formula
    allowed: tuple[str, ...]


def _reprove_group(rows: list[Mapping[str, Any]], engine: str, found: Reproof) -> None:
    reader = PromptReader()
    asked: list[tuple[Mapping[str, Any], Question]] = []
    for row in rows:
        found.num += 1
        if row["task"] not in TASKS:
            raise InputError(
                "items of this task cannot be proved again", expected=", ".join(TASKS), got=row["task"],
                hint="Answers about proofs are judged by `custodiet logic check`.",
            )  # fmt: skip
        try:
            asked += [(row, one) for one in questions_of(reader, row)]
        except (FormulaError, InputError, ValueError) as error:
            _report(found, row, str(error))
    if not asked:
        return
    logic = logic_of(asked[0][0])
    used: Counter[str] = Counter()
    try:
        labels = list(_labels(logic, [(one.premises, one.goal) for _, one in asked], reader.constants, engine, used))
    except FormulaError as error:
        labels = [str(error)] * len(asked)
    found.engines.update({name: len({row["id"] for row, _ in asked}) for name in used})
    faulty = set()
    for (row, question), label in zip(asked, labels, strict=True):
        if label not in question.allowed and row["id"] not in faulty:
            faulty.add(row["id"])
            _report(found, row, label)


def logic_of(row: Mapping[str, Any]) -> str:
    """The logic in which an item is proved again.

    Whether a rule of Datalog is what a sentence says is not Datalog's to decide, and that statements contradict each other is
    no syllogistic goal.
    """
    logic = row["logic"]
    if logic == "datalog" and row["task"] in ("formalize", "verbalize"):
        return "relational"
    return "monadic" if logic == "syllogistic" and row["task"] != "entailment" else logic


def questions_of(reader: PromptReader, row: Mapping[str, Any]) -> list[Question]:
    """What must hold if an item of one of `TASKS` is right.

    Raises:
        FormulaError: a sentence that cannot be read.
        InputError: a prompt of another form.
        ValueError: an answer of another form.
    """
    task, prompt = row["task"], row["prompt"]
    answer = str(row.get("answer"))
    if task in ("formalize", "verbalize"):
        opening, text = prompt.partition("\n")[0].split(": ", 1)
        if opening != ("Sentence" if task == "formalize" else "Formula"):
            raise InputError("not a prompt with a sentence or a formula", got=prompt[:80])
        sentence, formula = (text, answer) if task == "formalize" else (answer, text)
        said, written = reader.formula(row, sentence), parse_formula(formula)
        return [Question([one], other, (ENTAILED,)) for one, other in ((said, written), (written, said))]
    if task == "consistency":
        stated = reader.formulas(row, _numbered(prompt.partition("\n\n")[0], _STATEMENTS))
        implicit = reader.implicit(row)
        if answer == "consistent":
            return [Question([*stated, *implicit], FALSUM, (CONTRADICTED,))]
        chosen = [stated[int(one) - 1] for one in answer.split(", ")]
        fewer = [[one for one in chosen if one is not out] for out in chosen]
        return [Question([*chosen, *implicit], FALSUM, (INCONSISTENT,))] + [
            Question([*rest, *implicit], FALSUM, (CONTRADICTED,)) for rest in fewer
        ]
    premises, goal = reader.question(row)
    if task == "missing-premise":
        options = _OPTION.findall(prompt)
        if answer not in [letter for letter, _ in options]:
            raise InputError("not a prompt with the right option", expected=answer, got=prompt[-80:])
        return [
            Question([*premises, reader.formula(row, text)], goal,
                      (ENTAILED,) if letter == answer else (CONTRADICTED, UNKNOWN))
            for letter, text in options
        ]  # fmt: skip
    asked = [Question(premises, goal, (row["label"],))]
    if task == "premise-selection" and answer != "none":
        texts, _ = stated_in(prompt)
        chosen = [texts[int(one) - 1] for one in answer.split(", ")]
        asked.append(Question([*reader.formulas(row, chosen), *reader.implicit(row)], goal, (row["label"],)))
    return asked


def _report(found: Reproof, row: Mapping[str, Any], what: str) -> None:
    found.num_faults += 1
    if len(found.faults) < _MAX_FAULTS:
        found.faults.append(Fault(str(row["id"]), str(row["label"]), what))


class PromptReader:
    """Reads the sentences of items, each once as long as the words mean the same."""

    def __init__(self) -> None:
        self._vocabulary: Vocabulary | None = None
        self._told: Any = None
        self._formulas: dict[str, Formula] = {}

    @property
    def constants(self) -> dict[str, str]:
        """Constant -> sort."""
        return {} if self._vocabulary is None else dict(self._vocabulary.signature.constants)

    def question(self, row: Mapping[str, Any]) -> tuple[list[Formula], Formula]:
        """Premises, those that the prompt states once for all included, and the conclusion."""
        texts, goal = stated_in(row["prompt"])
        return [*self.formulas(row, texts), *self.implicit(row)], self.formula(row, goal)

    def implicit(self, row: Mapping[str, Any]) -> list[Formula]:
        """What the prompt of an item states once for all."""
        return self.formulas(row, [one["text"] for one in row.get("implicit_premises") or ()])

    def formulas(self, row: Mapping[str, Any], texts: Iterable[str]) -> list[Formula]:
        """The formulas of an item's sentences."""
        return [self.formula(row, one) for one in texts]

    def formula(self, row: Mapping[str, Any], text: str) -> Formula:
        """The formula of one sentence of an item."""
        if row["vocabulary"] != self._told:
            self._told, self._formulas = row["vocabulary"], {}
            self._vocabulary = None if self._told is None else Vocabulary.from_json(self._told)
        known = self._formulas.get(text)
        if known is None:
            known = parse_formula(text) if self._vocabulary is None else read(text, self._vocabulary)
            self._formulas[text] = known
        return known


def _labels(
    logic: str,
    asked: Sequence[tuple[list[Formula], Formula]],
    constants: Mapping[str, str],
    engine: str,
    used: Counter[str],
) -> Iterator[str]:
    """The label of each question."""
    if logic == "datalog":
        for premises, goal in asked:
            used["clingo"] += 1
            yield decide_by_clingo(premises, goal, models=False).label
        return
    everything = list(dict.fromkeys([one for premises, _ in asked for one in premises]))
    goals = list(dict.fromkeys([goal for _, goal in asked]))
    if engine == "z3":
        signature = signature_of([*everything, *goals], constants=constants)
        solvers: dict[tuple[Formula, ...], Z3Problem] = {}
        for premises, goal in asked:
            key = tuple(premises)
            if key not in solvers:
                solvers[key] = Z3Problem(premises, signature)
            used["z3"] += 1
            yield solvers[key].label(goal)
        return
    places = {one: place for place, one in enumerate(everything)}
    problem: Problem
    if logic == "propositional":
        problem = SatProblem(everything, solver=_SOLVER, selectable=True)
    else:
        signature = signature_of([*everything, *goals], constants=constants)
        problem = GroundProblem(everything, goals, solver=_SOLVER, selectable=True, signature=signature)
    with problem:
        for premises, goal in asked:
            used[problem.engine] += 1
            yield problem.label(goal, [places[one] for one in premises])
