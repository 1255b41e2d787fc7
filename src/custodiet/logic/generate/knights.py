"""Knights and knaves: who always tells the truth and who always lies, told from what they say, proved by two engines.

A premise is `fay <-> statement`: Fay is a knight if and only if what she says is true. A puzzle is planted: kinds are
drawn first, then statements that those kinds allow, so that there is always a solution. The task `knights-knaves` has
puzzles with exactly one solution, `knights-knaves-three-way` such with several, where the kind of some islanders is
known all the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from custodiet.errors import CustodietError
from custodiet.logic.canonical import Coloring, outline
from custodiet.logic.engines.sat import SatProblem
from custodiet.logic.engines.truth_table import NAME as TABLE
from custodiet.logic.engines.truth_table import Table, conjunction, minimal_support, rests
from custodiet.logic.english.nonce import NUM_SHORT, nonce_word
from custodiet.logic.english.words import NAMES
from custodiet.logic.formulas import FALSUM, And, Atom, Formula, Iff, Implies, Not, Or, complement
from custodiet.logic.generate.config import GenerateConfig
from custodiet.logic.generate.draws import Draws
from custodiet.logic.generate.knights_english import counts_of, say_premise, sentences_of
from custodiet.logic.generate.knights_proof import prove
from custodiet.logic.generate.row_text import COUNTED, RowText, split_of
from custodiet.logic.kernel import check_proof
from custodiet.logic.notation import format_formula
from custodiet.logic.proofs import Step, format_proof
from custodiet.logic.semantics import CONTRADICTED, ENTAILED, UNKNOWN, Model, evaluate

__all__ = ["MAX_ISLANDERS", "PREFIX", "THREE_WAY", "Puzzle", "draw_puzzle", "knights_rows"]

PREFIX = "knights-knaves"
THREE_WAY = f"{PREFIX}-three-way"
MAX_ISLANDERS = 8
ROWS_PER_NUMBER = 6
_NUMBERS_PER_PUZZLE = 6
_MAX_ATTEMPTS = 5000
_ISLANDERS = tuple("abcdefgh")
_FORMS = {"literal": 2.0, "and": 1.5, "or": 1.5, "implies": 1.5, "iff": 2.0, "count": 1.0, "nested": 1.0}
_QUOTED = re.compile(r'"(%\(#[0-9]+\)s)"')
_ENCODE = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(slots=True)
class Puzzle:
    """What islanders say, and what follows from it.

    Args:
        islanders: propositions, in order.
        premises: `a <-> statement`.
        known: islander -> whether a knight, for those whose kind follows.
        unknown: the others, each with a structure where it is a knight and one where it is not.
        proof: of the conjunction of all that is known, in the islanders' order, checked by the kernel.
        engines: the two that agree.
        table: over the islanders.
        num_solutions: ways in which all may be of their kinds.
    """

    islanders: tuple[str, ...]
    premises: list[Formula]
    known: dict[str, bool]
    unknown: dict[str, tuple[Model, Model]]
    proof: tuple[Step, ...]
    engines: tuple[str, str]
    table: Table
    num_solutions: int
    _cache: dict[Any, Any] = field(default_factory=dict)

    def support(self, goal: Formula) -> tuple[tuple[int, ...], bool]:
        """Premises (0-based) that entail the goal, none of them idle; and whether no other set does."""
        found = self._cache.get(("support", goal))
        if found is None:
            columns = self.table.columns(self.premises)
            column = self.table.column(goal)
            support = minimal_support(columns, column, self.table.full) or ()
            bad = self.table.full ^ column
            needed = [one for one, rest in enumerate(rests(columns, self.table.full)) if rest & bad]
            found = self._cache["support", goal] = (support, needed == list(support))
        return found

    def proof_of(self, literals: Sequence[Formula]) -> tuple[Step, ...]:
        """The part of the proof that ends at one literal, or all of it."""
        if len(literals) > 1 or len(self.known) == 1:
            return self.proof
        found = self._cache.get(("proof", literals[0]))
        if found is None:
            last = max([one.number for one in self.proof if one.formula == literals[0]])
            found = self._cache["proof", literals[0]] = _part(self.proof, self.proof[-1].cites, last)
        return found

    def proof_text(self, literals: Sequence[Formula]) -> str:
        """`proof_of` as JSON, with `%(a)s` for the islander a and `%(#0)s` for the place of premise 0 among the row's."""
        key = ("text", *literals)
        found = self._cache.get(key)
        if found is None:
            places = {one: place for place, one in enumerate(self.premises)}
            lines = []
            for step in self.proof_of(literals):
                line: dict[str, Any] = {
                    "number": step.number,
                    "formula": _plain(step.formula),
                    "rule": step.rule,
                    "cites": list(step.cites),
                }
                if step.rule == "premise":
                    line["premise"] = f"%(#{places[step.formula]})s"
                lines.append(line)
            found = self._cache[key] = _QUOTED.sub(r"\1", _ENCODE(lines))
        return found

    def fingerprint(self, literals: Sequence[Formula]) -> str:
        """The skeleton of the puzzle with literals that are asked about: they count as premises that are asked for."""
        coloring = self._cache.get("coloring")
        if coloring is None:
            coloring = self._cache["coloring"] = Coloring(self.premises, FALSUM)
        key = ("skeleton", *literals)
        found = self._cache.get(key)
        if found is None:
            found = self._cache[key] = coloring.skeleton(FALSUM, literals)
        return found

    def outline(self) -> str:
        """The fingerprint of the shapes of what is said."""
        found = self._cache.get("outline")
        if found is None:
            found = self._cache["outline"] = outline(self.premises, FALSUM)
        return found


def _part(proof: Sequence[Step], ends: Sequence[int], last: int) -> tuple[Step, ...]:
    """The lines on which one of the ends of a proof rests, numbered anew."""
    last = next((one for one in ends if proof[one - 1].formula == proof[last - 1].formula), last)
    wanted = {last}
    for step in reversed(proof[:last]):
        if step.number in wanted:
            wanted.update(step.cites)
    numbers: dict[int, int] = {}
    steps = []
    for step in proof:
        if step.number in wanted:
            numbers[step.number] = len(steps) + 1
            steps.append(Step(len(steps) + 1, step.formula, step.rule, tuple([numbers[one] for one in step.cites])))
    return tuple(steps)


# --- puzzles ---------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=MAX_ISLANDERS)
def _table(num: int) -> Table:
    return Table([Atom(one) for one in _ISLANDERS[:num]])


def draw_puzzle(draws: Draws, *, num_islanders: int, unique: bool) -> Puzzle:
    """Draw a puzzle and prove what follows from it.

    Args:
        draws: random choices.
        num_islanders: 2 to 8.
        unique: whether there is exactly one solution, everybody having said something; otherwise there are several, and
            the kinds of some islanders, but not of all, are known.

    Raises:
        CustodietError: two engines disagree, or the kernel rejects a proof; a defect.
    """
    table = _table(num_islanders)
    islanders = _ISLANDERS[:num_islanders]
    for _ in range(_MAX_ATTEMPTS):
        planted = draws.below(table.num_rows)
        speakers = list(islanders)
        if not unique:
            draws.shuffle(speakers)
            speakers = sorted(speakers[: draws.between(1, num_islanders)])
        premises = [_premise(draws, islanders, one, table, planted) for one in speakers]
        whole = conjunction(table.columns(premises), table.full)
        known = {}
        for atom in table.atoms:
            rows = whole & table.column(atom)
            if rows == whole or not rows:
                known[atom[1]] = bool(rows)
        if len(known) == num_islanders if unique else 0 < len(known) < num_islanders:
            return _proved(islanders, premises, known, table, whole.bit_count())
    raise CustodietError(
        f"no puzzle of {num_islanders} islanders was found", hint="This is a defect; please report it."
    )


def _premise(draws: Draws, islanders: tuple[str, ...], speaker: str, table: Table, planted: int) -> Formula:
    """What an islander may say, given the planted kinds."""
    atom = Atom(speaker)
    while True:
        premise = Iff(atom, _statement(draws, islanders, speaker))
        if table.column(premise) >> planted & 1:
            return premise


def _statement(draws: Draws, islanders: tuple[str, ...], speaker: str) -> Formula:
    while True:
        form = draws.weighted(tuple(_FORMS), tuple(_FORMS.values()))
        others = [one for one in islanders if one != speaker]
        if form == "literal":
            return _literal(draws, draws.pick(others))
        if form == "count":
            if len(islanders) > 2:  # of two islanders these are statements of other forms
                return draws.pick(list(counts_of(islanders)))
        elif form == "nested":
            if len(others) > 1:
                first, second = draws.sample(others, 2)
                said = draws.pick([one for one in islanders if one not in (first, second)])
                return Iff(Atom(first), Iff(Atom(second), _literal(draws, said)))
        else:
            first, second = draws.sample(islanders, 2)
            if form == "iff":
                return Iff(Atom(first), _literal(draws, second))
            left, right = _literal(draws, first), _literal(draws, second)
            return {"and": And, "or": Or, "implies": Implies}[form](left, right)


def _literal(draws: Draws, islander: str) -> Formula:
    atom = Atom(islander)
    return Not(atom) if draws.chance(0.5) else atom


def _proved(
    islanders: tuple[str, ...], premises: list[Formula], known: dict[str, bool], table: Table, num: int
) -> Puzzle:
    """Certify what is known and what is not, and prove the former."""
    literals = [Atom(one) if knight else Not(Atom(one)) for one, knight in known.items()]
    goal = And(*literals) if len(literals) > 1 else literals[0]
    unknown = {}
    with SatProblem(premises) as problem:
        if problem.label(goal) != ENTAILED:
            raise _disagreement(premises, goal)
        for one in islanders:
            if one not in known:
                found = problem.decide(Atom(one))
                if found.label != UNKNOWN or found.with_goal is None or found.without_goal is None:
                    raise _disagreement(premises, Atom(one))
                unknown[one] = (found.with_goal, found.without_goal)
        engine = problem.engine
    for one, models in unknown.items():
        for model, wanted in zip(models, (True, False), strict=True):
            if evaluate(model, Atom(one)) is not wanted or not all(evaluate(model, each) for each in premises):
                raise _disagreement(premises, Atom(one))
    support = minimal_support(table.columns(premises), table.column(goal), table.full) or ()
    proof = prove([premises[one] for one in support], literals, table)
    verdict = check_proof(proof, premises, goal, logic="propositional")
    if verdict.problems or verdict.conclusion != ENTAILED:
        told = verdict.problems[0].message if verdict.problems else f"it proves {verdict.conclusion}"
        raise CustodietError(f"the kernel rejects a proof: {told}\n{format_proof(proof)}", hint="This is a defect.")
    return Puzzle(islanders, premises, known, unknown, proof, (TABLE, engine), table, num)


def _disagreement(premises: list[Formula], goal: Formula) -> CustodietError:
    told = "; ".join(map(format_formula, premises))
    return CustodietError(f"engines disagree about {format_formula(goal)} in {told}", hint="This is a defect.")


# --- rows ------------------------------------------------------------------------------------------------------------


def knights_rows(config: GenerateConfig, number: int, place: int, turn: int, task: str) -> list[RowText]:
    """Six rows as JSON text.

    Args:
        config: the data set; of its ranges none applies.
        number: of the six, in the whole data set.
        place: of the task among the configuration's.
        turn: how many sixes of this task come before.
        task: `knights-knaves` or `knights-knaves-three-way`.

    Raises:
        CustodietError: engines disagree, or the kernel rejects a proof; a defect.
    """
    index = turn // _NUMBERS_PER_PUZZLE
    puzzle = _puzzle(config.seed, place, index, task)
    draws = Draws(config.seed, PREFIX, "rows", place, turn)
    questions = list(_THREE_WAY_QUESTIONS if task == THREE_WAY else _QUESTIONS)
    draws.shuffle(questions)
    lines = []
    for row, question in enumerate(questions):
        item = ROWS_PER_NUMBER * number + row
        fields = {
            "id": f"{config.seed}-{item}",
            "seed": config.seed,
            "index": item,
            "task": task,
            "logic": "propositional",
            **_Row(config, draws, puzzle).fields(question),
            "group": f"{config.seed}-{PREFIX}-{place}-{index}",
            "split": split_of(puzzle.outline()),
        }
        proof = fields.pop("proof")
        text = f'{_ENCODE(fields)[:-1]}, "proof": {proof}}}'
        lines.append(RowText(text, tuple([fields[one] for one in COUNTED])))
    return lines


@lru_cache(maxsize=64)
def _puzzle(seed: int, place: int, index: int, task: str) -> Puzzle:
    draws = Draws(seed, PREFIX, "puzzle", place, index)
    return draw_puzzle(draws, num_islanders=draws.between(2, MAX_ISLANDERS), unique=task != THREE_WAY)


_QUESTIONS = ("who", "who", "one", "one", "how many", "which")
_THREE_WAY_QUESTIONS = (ENTAILED, ENTAILED, CONTRADICTED, CONTRADICTED, UNKNOWN, UNKNOWN)
_ISLAND = "On an island everyone is either a knight, who always tells the truth, or a knave, who always lies."
_NOTATION = "A name in small letters says that its bearer is a knight."


class _Row:
    """One row in the making: names, the order of what is said, and the sentences are its own."""

    def __init__(self, config: GenerateConfig, draws: Draws, puzzle: Puzzle) -> None:
        self.draws, self.puzzle = draws, puzzle
        self.english = config.language == "english" or (config.language == "both" and draws.chance(0.5))
        self.names = self._draw_names(config.vocabulary, len(puzzle.islanders))
        self.symbols = {one: name.lower() for one, name in self.names.items()}
        self.order = list(range(len(puzzle.premises)))
        draws.shuffle(self.order)

    def _draw_names(self, vocabulary: str, num: int) -> dict[str, str]:
        if vocabulary != "nonce":
            return dict(zip(self.puzzle.islanders, self.draws.sample(NAMES, num), strict=True))
        names: dict[str, None] = {}
        while len(names) < num:
            names[nonce_word("name", self.draws.below(NUM_SHORT["name"])).capitalize()] = None
        return dict(zip(self.puzzle.islanders, names, strict=True))

    def plain(self, formula: Formula) -> str:
        """A formula in the row's symbols."""
        return _plain(formula) % self.symbols

    def told(self, premise: Formula) -> str:
        """What an islander says."""
        if not self.english:
            return self.plain(premise)
        sentences = sentences_of(premise[2], self.puzzle.islanders, premise[1][1])
        return say_premise(premise, self.draws.pick(sentences) % self.names, self.names)

    def kind(self, islander: str, knight: bool) -> str:
        return f"{self.names[islander]} is a {'knight' if knight else 'knave'}"

    def fields(self, question: str) -> dict[str, Any]:
        """What the row holds but for its number."""
        puzzle = self.puzzle
        premises = [puzzle.premises[one] for one in self.order]
        texts = list(map(self.told, premises))
        asked, answer, choices, goal, label = self._question(question)
        goal_text = self._goal_text(goal) if self.english else self.plain(goal)
        support, is_unique = puzzle.support(complement(goal) if label == CONTRADICTED else goal)
        islander = goal[1] if goal[0] == "atom" else goal[1][1] if label == UNKNOWN else ""
        models = puzzle.unknown[islander] if label == UNKNOWN else ()
        if goal[0] == "not":
            models = models[::-1]
        return {
            "language": "english" if self.english else "logic",
            "prompt": f"{self._opening(texts)}\n\n{asked}",
            "answer": answer,
            "choices": choices,
            "label": label,
            "premises": [{"formula": self.plain(one), "text": text} for one, text in zip(premises, texts, strict=True)],
            "goal": {"formula": self.plain(goal), "text": goal_text},
            "proof": self.proof_text(goal, label),
            "support": sorted([self.order.index(one) + 1 for one in support]) if label != UNKNOWN else [],
            "support_unique": (is_unique or None) if label != UNKNOWN else None,
            "depth": None,
            "counter_models": [
                {"true": sorted([self.symbols[one[1]] for one in model.true_atoms])} for model in models
            ],
            "skeleton": puzzle.fingerprint(goal[1] if goal[0] == "and" else (goal,)),
            "outline": puzzle.outline(),
            "twins": [],
            "cell": {"islanders": len(puzzle.islanders), "premises": len(premises), "goal_form": question},
            "certificates": [*puzzle.engines, "evaluated counter-models" if label == UNKNOWN else "kernel"],
            "distractors": {},
            "vocabulary": {"kind": PREFIX, "islanders": {self.symbols[one]: name for one, name in self.names.items()}},
            "question": question,
            "num_solutions": puzzle.num_solutions,
        }

    def _opening(self, texts: list[str]) -> str:
        *first, last = self.names.values()
        met = f"{', '.join(first)} and {last}"
        if self.english:
            return f"{_ISLAND} You meet {met}. " + " ".join(texts)
        listed = "\n".join([f"{place}. {text}" for place, text in enumerate(texts, start=1)])
        return f"{_ISLAND} {_NOTATION} You meet {met}. What they say comes to this:\n{listed}"

    def _question(self, question: str) -> tuple[str, str, list[str] | None, Formula, str]:
        """What is asked, the answer, the choices, the goal and its label."""
        puzzle, draws = self.puzzle, self.draws
        if question in (ENTAILED, CONTRADICTED, UNKNOWN):
            return self._three_way(question)
        knights = [one for one in puzzle.islanders if puzzle.known[one]]
        if question == "one":
            islander = draws.pick(puzzle.islanders)
            answer = "knight" if puzzle.known[islander] else "knave"
            asked = f"Is {self.names[islander]} a knight or a knave? Answer with one word: knight or knave."
            return asked, answer, ["knight", "knave"], self._all([islander]), ENTAILED
        solution = self._all(puzzle.islanders)
        if question == "how many":
            choices = [str(one) for one in range(len(puzzle.islanders) + 1)]
            asked = "How many of them are knights? Answer with a number."
            return asked, str(len(knights)), choices, solution, ENTAILED
        if question == "which":
            asked = "Which of them are knights? Answer with their names, separated by commas, or with `none`."
            return asked, ", ".join([self.names[one] for one in knights]) or "none", None, solution, ENTAILED
        *first, last = [self.kind(one, knight) for one, knight in puzzle.known.items()]
        asked = "Who is a knight and who is a knave? Answer with one sentence that names all of them in this order."
        return asked, f"{', '.join(first)}, and {last}.", None, solution, ENTAILED

    def _three_way(self, label: str) -> tuple[str, str, list[str], Formula, str]:
        puzzle, draws = self.puzzle, self.draws
        islander = draws.pick([*puzzle.unknown] if label == UNKNOWN else [*puzzle.known])
        knight = draws.chance(0.5) if label == UNKNOWN else puzzle.known[islander] is (label == ENTAILED)
        goal = Atom(islander) if knight else Not(Atom(islander))
        asked = (
            f"Conclusion: {self._goal_text(goal) if self.english else self.plain(goal)}\n\n"
            "Is the conclusion entailed by what they say, contradicted by it, or unknown? "
            "Answer with one word: entailed, contradicted or unknown."
        )
        return asked, label, [ENTAILED, CONTRADICTED, UNKNOWN], goal, label

    def _all(self, islanders: Sequence[str]) -> Formula:
        literals = [Atom(one) if self.puzzle.known[one] else Not(Atom(one)) for one in islanders]
        return And(*literals) if len(literals) > 1 else literals[0]

    def _goal_text(self, goal: Formula) -> str:
        parts = goal[1] if goal[0] == "and" else (goal,)
        *first, last = [self.kind(one[1] if one[0] == "atom" else one[1][1], one[0] == "atom") for one in parts]
        return f"{', '.join(first)}, and {last}." if first else f"{last}."

    def proof_text(self, goal: Formula, label: str) -> str:
        """The proof of the goal, or of its negation, as JSON."""
        if label == UNKNOWN:
            return "[]"
        wanted = complement(goal) if label == CONTRADICTED else goal
        places = {f"#{old}": new for new, old in enumerate(self.order, start=1)}
        return self.puzzle.proof_text(wanted[1] if wanted[0] == "and" else (wanted,)) % {**self.symbols, **places}


@lru_cache(maxsize=1 << 14)
def _plain(formula: Formula) -> str:
    """A formula in the notation, with `%(a)s` for the islander a."""
    kind = formula[0]
    if kind == "atom":
        return f"%({formula[1]})s"
    if kind == "not":
        return f"~{_operand(formula[1])}"
    if kind == "and" or kind == "or":
        return (" & " if kind == "and" else " | ").join(map(_operand, formula[1]))
    if kind == "falsum":
        return "false"
    sides = [f"({_plain(one)})" if one[0] in ("implies", "iff") else _plain(one) for one in formula[1:]]
    return (" -> " if kind == "implies" else " <-> ").join(sides)


def _operand(formula: Formula) -> str:
    return _plain(formula) if formula[0] in ("atom", "not") else f"({_plain(formula)})"
