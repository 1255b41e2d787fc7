"""Items proved again from what a reader sees: the sentences of the prompt, read back, and one engine.

Nothing of an item is believed but its prompt, its label, its logic and what its words stand for. The formulas that it
records are not looked at, so a sentence that says something else than its formula is found like a wrong label.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal

from custodiet.errors import FormulaError, InputError, UsageError
from custodiet.logic.engines.clingo_engine import decide_by_clingo
from custodiet.logic.engines.grounding import GroundProblem
from custodiet.logic.engines.sat import Problem, SatProblem
from custodiet.logic.engines.z3_engine import Z3Problem
from custodiet.logic.english.reading import read
from custodiet.logic.english.vocabulary import Vocabulary
from custodiet.logic.formulas import Formula
from custodiet.logic.fragments import signature_of
from custodiet.logic.notation import parse_formula

__all__ = ["ENGINES", "Fault", "Reproof", "reprove", "stated_in"]

ENGINES = ("sat", "z3")
_MAX_FAULTS = 50
_SOLVER = "glucose4"  # the generator asks minisat22
_PREMISES, _CONCLUSION = "Premises:\n", "\n\nConclusion: "


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
    lines = listed.removeprefix(_PREMISES).split("\n")
    numbered = [line.partition(". ") for line in lines]
    if (
        not found
        or not listed.startswith(_PREMISES)
        or [one[0] for one in numbered] != [str(at + 1) for at in range(len(lines))]
    ):
        raise InputError("not a prompt with numbered premises and a conclusion", got=prompt[:80])
    return [one[2] for one in numbered], rest.partition("\n")[0]


def reprove(rows: Iterable[Mapping[str, Any]], *, engine: Literal["sat", "z3"] = "sat") -> Reproof:
    """Prove the labels of items again, from their prompts.

    Args:
        rows: items of the task `entailment`; those of a group stand together, and share what is read and encoded.
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
    for _, group in groupby(rows, key=lambda row: row["group"]):
        _reprove_group(list(group), engine, found)
    return found


def _reprove_group(rows: list[Mapping[str, Any]], engine: str, found: Reproof) -> None:
    reader = _Reader()
    asked: list[tuple[Mapping[str, Any], list[Formula], Formula]] = []
    for row in rows:
        found.num += 1
        if row["task"] != "entailment":
            raise InputError("only items of the task entailment are proved again", got=row["task"])
        try:
            asked.append((row, *reader.question(row)))
        except (FormulaError, InputError) as error:
            _report(found, row, str(error))
    if not asked:
        return
    logic = asked[0][0]["logic"]
    questions = [(premises, goal) for _, premises, goal in asked]
    try:
        labels = list(_labels(logic, questions, reader.constants, engine, found.engines))
    except FormulaError as error:
        labels = [str(error)] * len(asked)
    for (row, _, _), label in zip(asked, labels, strict=True):
        if label != row["label"]:
            _report(found, row, label)


def _report(found: Reproof, row: Mapping[str, Any], what: str) -> None:
    found.num_faults += 1
    if len(found.faults) < _MAX_FAULTS:
        found.faults.append(Fault(str(row["id"]), str(row["label"]), what))


class _Reader:
    """Reads the sentences of one group, each once."""

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
        if row["vocabulary"] != self._told:
            self._told, self._formulas = row["vocabulary"], {}
            self._vocabulary = None if self._told is None else Vocabulary.from_json(self._told)
        texts, goal = stated_in(row["prompt"])
        implicit = [one["text"] for one in row.get("implicit_premises") or ()]
        return [self._formula(one) for one in (*texts, *implicit)], self._formula(goal)

    def _formula(self, text: str) -> Formula:
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
