"""The control without balance: its labels are right, its items stand alone, and they can be told apart by counting."""

import json
from collections import Counter

import pytest

from custodiet.errors import UsageError
from custodiet.logic.formulas import atoms_of
from custodiet.logic.generate.config import GenerateConfig
from custodiet.logic.generate.rows import problem_rows
from custodiet.logic.generate.stream import generate_rows
from custodiet.logic.kernel import check_proof
from custodiet.logic.notation import parse_formula
from custodiet.logic.proofs import step_from_json
from custodiet.logic.reproving import reprove
from custodiet.logic.semantics import Model, evaluate


@pytest.fixture(scope="module")
def rows():
    return list(generate_rows(GenerateConfig(num=120, seed=4, balanced=False)))


def test_labels_proofs_and_models_are_right(rows):
    for engine in ("sat", "z3"):
        assert reprove(rows, engine=engine).num_faults == 0
    for row in rows:
        premises = [parse_formula(one["formula"]) for one in row["premises"]]
        goal = parse_formula(row["goal"]["formula"])
        if row["label"] == "unknown":
            first, second = (Model.from_json(one) for one in row["counter_models"])
            assert all(evaluate(model, one) for model in (first, second) for one in premises)
            assert evaluate(first, goal) is not evaluate(second, goal)
        else:
            verdict = check_proof([step_from_json(one) for one in row["proof"]], premises, goal, logic=row["logic"])
            assert verdict.valid and verdict.conclusion == row["label"]
            assert row["support"] == [one["premise"] for one in row["proof"] if one["rule"] == "premise"]


def test_items_stand_alone_and_are_a_function_of_their_number(rows):
    assert len({row["group"] for row in rows}) == len({row["id"] for row in rows}) == 120
    assert [row["index"] for row in rows] == list(range(120)) and not any(row["twins"] for row in rows)
    assert min(Counter(row["label"] for row in rows).values()) > 25
    config = GenerateConfig(num=120, seed=4, balanced=False)
    assert [json.loads(one.text) for one in problem_rows(config, 7)] == rows[42:48]


def test_what_is_unknown_begins_nothing(rows):
    """The leak itself: a fact whose atom no other premise has tells that nothing follows."""

    def has_lonely_fact(row):
        premises = [parse_formula(one["formula"]) for one in row["premises"]]
        counts = Counter(atom for one in premises for atom in set(atoms_of(one)))
        return any(len(atoms_of(one)) == 1 and counts[atoms_of(one)[0]] == 1 for one in premises)

    told = Counter((row["label"] == "unknown", has_lonely_fact(row)) for row in rows)
    assert told[True, True] / (told[True, True] + told[True, False]) > 0.8
    assert told[False, True] / (told[False, True] + told[False, False]) < 0.4


def test_it_is_there_for_one_task_and_one_logic():
    with pytest.raises(UsageError, match="without balance"):
        GenerateConfig(num=6, balanced=False, logics=("monadic",))
    with pytest.raises(UsageError, match="without balance"):
        GenerateConfig(num=6, balanced=False, tasks=("bad-step",))
