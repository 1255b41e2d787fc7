"""Knights and knaves: sentences read back, solutions by trying everybody's kind, proofs by the kernel, balance."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import product
from typing import Any

import pytest

from custodiet.errors import FormulaError
from custodiet.logic.engines.z3_engine import decide_by_z3
from custodiet.logic.formulas import And, Atom, Formula, Iff, Implies, Not, Or
from custodiet.logic.generate import knights
from custodiet.logic.generate.config import GenerateConfig
from custodiet.logic.generate.draws import Draws
from custodiet.logic.generate.knights import THREE_WAY, draw_puzzle
from custodiet.logic.generate.knights_english import counts_of, read_premise, read_statement, sentences_of
from custodiet.logic.generate.rows import problem_rows
from custodiet.logic.generate.stream import generate_rows
from custodiet.logic.kernel import check_proof
from custodiet.logic.notation import parse_formula
from custodiet.logic.proofs import step_from_json
from custodiet.logic.semantics import CONTRADICTED, ENTAILED, UNKNOWN, Model, evaluate

Row = dict[str, Any]
TASKS = ("knights-knaves", THREE_WAY)


def rows_of(num: int, task: str, **options: Any) -> list[Row]:
    return list(generate_rows(GenerateConfig(**{"num": num, "seed": 4, "tasks": (task,), **options})))


@pytest.fixture(scope="module", params=TASKS)
def rows(request: pytest.FixtureRequest) -> list[Row]:
    return rows_of(1500, request.param)


# --- sentences -------------------------------------------------------------------------------------------------------


def statements(islanders: tuple[str, ...], speaker: str) -> list[Formula]:
    """Everything that the islander may say."""
    literals = [kind(Atom(one)) for one in islanders for kind in (lambda one: one, Not)]
    pairs = [(x, y) for x, y in product(literals, repeat=2) if str(x).strip("<~>") != str(y).strip("<~>")]
    found: list[Formula] = [one for one in literals if speaker not in str(one).strip("<~>")]
    found += [kind(x, y) for kind in (And, Or, Implies) for x, y in pairs]
    found += [Iff(x, y) for x, y in pairs if isinstance(x, Atom)]
    others = [one for one in islanders if one != speaker]
    found += [
        Iff(Atom(x), Iff(Atom(y), z))
        for x, y in product(others, repeat=2)
        for z in literals
        if len({x, y, str(z).strip("<~>")}) == 3
    ]
    return found + list(counts_of(islanders))


@pytest.mark.parametrize("num", [2, 3, 4])
def test_every_sentence_is_read_back_as_its_formula(num: int) -> None:
    islanders = ("ann", "bob", "cleo", "dan")[:num]
    names = {one: one.capitalize() for one in islanders}
    meaning: dict[str, Formula] = {}
    for formula in statements(islanders, "ann"):
        sentences = [one % names for one in sentences_of(formula, islanders, "ann")]
        assert len(set(sentences)) == len(sentences) >= (2 if formula[0] in ("atom", "not") else 3)
        for one in sentences:
            assert read_statement(one, names, "ann") == formula
            assert meaning.setdefault(one, formula) == formula  # no sentence stands for two formulas


def test_what_is_not_said_on_the_island_is_refused() -> None:
    names = {"fay": "Fay", "gus": "Gus"}
    for text in (
        "Fay is a knight", "Hal is a knight.", "Fay is a spy.", "Fay is a knight and Gus is a knave or Fay is a knave.", "",
        "Both Fay is a knight, and Gus is a knave.", "I would say that Gus is a knave.",
    ):  # fmt: skip
        with pytest.raises(FormulaError):
            read_statement(text, names, "fay")
    for text in ('Hal says, "Gus is a knave."', "Fay says, Gus is a knave.", 'Fay says, "Gus is a knave.'):
        with pytest.raises(FormulaError):
            read_premise(text, names)
    with pytest.raises(FormulaError):
        sentences_of(parse_formula("fay & (gus | ~fay)"), ("fay", "gus"), "fay")
    assert read_premise('Fay says, "Gus and I are of different kinds."', names) == parse_formula(
        "fay <-> (gus <-> ~fay)"
    )


def test_a_count_is_what_it_says() -> None:
    islanders = ("a", "b", "c")
    wanted = {"exactly one": lambda num: num == 1, "at least one": lambda num: num >= 1, "all of": lambda num: num == 3}
    seen = 0
    for formula, sentences in counts_of(islanders).items():
        kind = "knave" if "knave" in sentences[0] else "knight"
        for row in product((False, True), repeat=3):
            model = Model({}, {}, frozenset(Atom(one) for one, value in zip(islanders, row, strict=True) if value))
            num = sum(row) if kind == "knight" else 3 - sum(row)
            (rule,) = [rule for start, rule in wanted.items() if sentences[0].startswith(start)]
            assert evaluate(model, formula) is rule(num)
            seen += 1
    assert seen == 48


# --- rows ------------------------------------------------------------------------------------------------------------


def said(row: Row) -> list[Formula]:
    """The premises, read from the prompt."""
    names = row["vocabulary"]["islanders"]
    told = re.findall(r'[A-Z][a-z]+ says, ".+?"', row["prompt"])
    assert told == [one["text"] for one in row["premises"]]
    return [read_premise(one, names) for one in told]


def solutions(row: Row) -> list[dict[str, bool]]:
    """Every way in which everybody's kind goes with what is said: by trying them all."""
    islanders = list(row["vocabulary"]["islanders"])
    premises = said(row)
    found = []
    for kinds in product((False, True), repeat=len(islanders)):
        knights_ = frozenset(Atom(one) for one, knight in zip(islanders, kinds, strict=True) if knight)
        if all(evaluate(Model({}, {}, knights_), one) for one in premises):
            found.append(dict(zip(islanders, kinds, strict=True)))
    return found


def test_answers_are_right_by_trying_everything(rows: list[Row]) -> None:
    seen = Counter()
    for row in [one for one in rows if one["cell"]["islanders"] <= 6][:500]:
        found = solutions(row)
        assert len(found) == row["num_solutions"]
        names = row["vocabulary"]["islanders"]
        seen[row["question"]] += 1
        if row["task"] == THREE_WAY:
            values = {
                evaluate(Model({}, {}, frozenset(Atom(k) for k, v in one.items() if v)), goal_of(row)) for one in found
            }
            assert len(found) > 1
            wanted = UNKNOWN if len(values) == 2 else ENTAILED if True in values else CONTRADICTED
            assert row["label"] == row["answer"] == wanted
            assert f"Conclusion: {row['goal']['text']}" in row["prompt"]
            continue
        (solution,) = found
        if row["question"] == "who":
            told = [f"{names[one]} is a {'knight' if knight else 'knave'}" for one, knight in solution.items()]
            assert row["answer"] == f"{', '.join(told[:-1])}, and {told[-1]}."
        elif row["question"] == "one":
            name = re.findall(r"Is ([A-Z][a-z]+) a knight or a knave\?", row["prompt"])[0]
            assert row["answer"] == ("knight" if solution[name.lower()] else "knave")
        elif row["question"] == "how many":
            assert row["answer"] == str(sum(solution.values()))
        else:
            assert row["answer"] == (", ".join(names[one] for one, knight in solution.items() if knight) or "none")
        assert row["choices"] is None or row["answer"] in row["choices"]
    assert len(seen) >= 3


def goal_of(row: Row) -> Formula:
    return parse_formula(row["goal"]["formula"])


def test_premises_in_the_row_are_those_of_the_text(rows: list[Row]) -> None:
    for row in rows:
        assert said(row) == [parse_formula(one["formula"]) for one in row["premises"]]
        speakers = [one["formula"].split(" ")[0] for one in row["premises"]]
        assert len(set(speakers)) == len(speakers)


def test_labels_are_those_of_z3(rows: list[Row]) -> None:
    for row in rows[:200]:
        assert decide_by_z3(said(row), goal_of(row)).label == row["label"]


def test_proofs_and_counter_models(rows: list[Row]) -> None:
    for row in rows[:700]:
        premises = [parse_formula(one["formula"]) for one in row["premises"]]
        if row["label"] == UNKNOWN:
            assert row["proof"] == []
            for told, wanted in zip(row["counter_models"], (True, False), strict=True):
                model = Model.from_json(told)
                assert evaluate(model, goal_of(row)) is wanted
                assert all(evaluate(model, one) for one in premises)
            continue
        steps = [step_from_json(one) for one in row["proof"]]
        verdict = check_proof(steps, premises, goal_of(row), logic="propositional")
        assert verdict.problems == ()
        assert verdict.conclusion == row["label"]
        for line in row["proof"]:
            if line["rule"] == "premise":
                assert row["premises"][line["premise"] - 1]["formula"] == line["formula"]


def test_supports_are_minimal(rows: list[Row]) -> None:
    for row in rows[:60]:
        if row["label"] != UNKNOWN:
            premises = [parse_formula(one["formula"]) for one in row["premises"]]
            kept = [premises[one - 1] for one in row["support"]]
            assert decide_by_z3(kept, goal_of(row)).label == row["label"]
            for place in range(len(kept)):
                assert decide_by_z3(kept[:place] + kept[place + 1 :], goal_of(row)).label == UNKNOWN
            if row["support_unique"]:
                for one in row["support"]:
                    others = [premise for place, premise in enumerate(premises, start=1) if place != one]
                    assert decide_by_z3(others, goal_of(row)).label == UNKNOWN


def test_kinds_are_balanced() -> None:
    answers = Counter(row["answer"] for row in rows_of(6000, "knights-knaves") if row["question"] == "one")
    assert abs(answers["knight"] / answers.total() - 0.5) < 0.08
    labels = Counter((row["label"], row["goal"]["formula"][0] == "~") for row in rows_of(6000, THREE_WAY))
    for label in (ENTAILED, CONTRADICTED, UNKNOWN):
        assert labels[label, False] + labels[label, True] == 2000
        assert abs(labels[label, False] / 2000 - 0.5) < 0.12


def test_all_sizes_come_and_rows_depend_on_seed_and_number_alone() -> None:
    config = GenerateConfig(num=1, seed=8, tasks=("knights-knaves", THREE_WAY, "entailment"), language="both")
    forwards = [problem_rows(config, number) for number in range(24)]
    knights._puzzle.cache_clear()
    assert [problem_rows(config, number) for number in reversed(range(24))][::-1] == forwards
    sizes = {row["cell"]["islanders"] for row in rows_of(2400, "knights-knaves")}
    assert sizes == set(range(2, 9))
    told = [json.loads(one.text) for lines in forwards for one in lines]
    assert {row["language"] for row in told} == {"logic", "english"}
    assert [row["index"] for row in told] == list(range(6 * 24))


@pytest.mark.parametrize("unique", [True, False])
@pytest.mark.parametrize("num", [2, 3, 8])
def test_puzzles_of_every_size(num: int, unique: bool) -> None:
    for number in range(5):
        puzzle = draw_puzzle(Draws(1, "puzzle", number), num_islanders=num, unique=unique)
        assert len(puzzle.known) == num if unique else 0 < len(puzzle.known) < num
        assert set(puzzle.known) | set(puzzle.unknown) == set("abcdefgh"[:num])
        assert (puzzle.num_solutions == 1) is unique
