"""Rows: a function of (seed, number), balanced, with proofs that the kernel accepts and answers that are right."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from custodiet.logic.checking import check_items
from custodiet.logic.engines.clingo_engine import decide_by_clingo
from custodiet.logic.engines.decide import certify
from custodiet.logic.engines.z3_engine import decide_by_z3
from custodiet.logic.english.canonical import canonical_form
from custodiet.logic.english.reading import read
from custodiet.logic.english.vocabulary import Vocabulary
from custodiet.logic.foreign.claims import Claim
from custodiet.logic.foreign.own import OWN
from custodiet.logic.generate.config import LOGICS, MATRIX, GenerateConfig
from custodiet.logic.generate.items import LABELS
from custodiet.logic.generate.rows import problem_rows, split_of
from custodiet.logic.generate.stream import generate_rows
from custodiet.logic.kernel import check_proof
from custodiet.logic.label_audit import judge_claim
from custodiet.logic.minimal import propagation_rounds
from custodiet.logic.notation import parse_formula
from custodiet.logic.proofs import step_from_json

Row = dict[str, Any]


def rows_of(num: int, **options: Any) -> list[Row]:
    config = GenerateConfig(**{"num": num, "seed": 5, **options})
    return list(generate_rows(config))


@pytest.fixture(scope="module", params=LOGICS)
def rows(request: pytest.FixtureRequest) -> list[Row]:
    return rows_of(48, logics=(request.param,), language="both")


def test_labels_are_those_that_a_solver_finds_from_the_english(rows: list[Row]) -> None:
    for row in rows:
        premises, goal = stated(row)
        decide = decide_by_clingo if row["logic"] == "datalog" else decide_by_z3
        assert decide(premises, goal).label == row["label"] == row["answer"]


def stated(row: Row) -> tuple[list, Any]:
    """Premises and goal as the prompt has them, read back."""
    texts = [line.split(". ", 1)[1] for line in row["prompt"].splitlines() if line[:1].isdigit()]
    goal = next(line for line in row["prompt"].splitlines() if line.startswith("Conclusion: ")).removeprefix(
        "Conclusion: "
    )
    if row["language"] == "logic":
        return [parse_formula(one) for one in texts], parse_formula(goal)
    vocabulary = Vocabulary.from_json(row["vocabulary"])
    return [read(one, vocabulary) for one in texts], read(goal, vocabulary)


def test_what_the_prompt_says_is_what_the_row_records(rows: list[Row]) -> None:
    for row in rows:
        premises, goal = stated(row)
        recorded = [parse_formula(one["formula"]) for one in row["premises"]]
        assert [canonical_form(one) for one in premises] == [canonical_form(one) for one in recorded]
        assert canonical_form(goal) == canonical_form(parse_formula(row["goal"]["formula"]))


def test_proofs_are_accepted_and_end_at_the_goal_or_its_negation(rows: list[Row]) -> None:
    for row in rows:
        if row["label"] == "unknown":
            assert row["proof"] == [] and len(row["counter_models"]) == 2 and row["support"] == []
            continue
        premises = [parse_formula(one["formula"]) for one in row["premises"]]
        steps = [step_from_json(one) for one in row["proof"]]
        verdict = check_proof(steps, premises, parse_formula(row["goal"]["formula"]), logic=row["logic"])
        assert verdict.valid and verdict.well_named and verdict.conclusion == row["label"]
        assert [one["premise"] for one in row["proof"] if one["rule"] == "premise"] == row["support"]


@pytest.mark.parametrize("logic", LOGICS)
def test_every_gold_answer_passes_the_judge_and_every_label_the_audit(logic: str) -> None:
    options = {"existential_import": True} if logic == "syllogistic" else {}
    rows = rows_of(24, logics=(logic,), language="both", **options)
    lines = [json.dumps(row) for row in rows]
    for found in check_items(lines, gold=True):
        assert found.judgement.chain == "valid" and found.judgement.label_right and not found.judgement.num_misnamed
    claims = [claim for row in rows for claim in OWN.read("row", row)]
    assert [judge_claim(one)[0] for one in claims if isinstance(one, Claim)] == ["right"] * 24


def test_each_group_has_each_label_equally_often_and_twins_differ_in_one_sentence(rows: list[Row]) -> None:
    by_id = {row["id"]: row for row in rows}
    for group in {row["group"] for row in rows}:
        members = [row for row in rows if row["group"] == group]
        assert len(members) in (6, 12)
        labels = LABELS[:2] if members[0]["logic"] == "datalog" else LABELS
        assert Counter(row["label"] for row in members) == dict.fromkeys(labels, len(members) // len(labels))
        assert len({row["split"] for row in members}) == 1 and len({row["outline"] for row in members}) == 1
    for row in rows:
        labels = LABELS[:2] if row["logic"] == "datalog" else LABELS
        assert {row["label"], *[by_id[one]["label"] for one in row["twins"]]} == {*labels}
        assert row["choices"] == [*labels]
        for other in row["twins"]:
            assert by_id[other]["goal"] == row["goal"]
            differing = [a for a, b in zip(row["premises"], by_id[other]["premises"], strict=True) if a != b]
            assert len(differing) == 1


def test_a_problem_is_the_same_whoever_asks_and_when() -> None:
    config = GenerateConfig(num=60, seed=3, tasks=("entailment", "bad-step"), logics=("propositional", "monadic"))
    last = [row.text for row in problem_rows(config, 9)]
    first = [row.text for row in problem_rows(config, 0)]
    for number in range(140):  # more than are kept
        problem_rows(GenerateConfig(num=1, seed=5, depth=(1, 1), premises=(4, 4)), number)
    assert [row.text for row in problem_rows(config, 9)] == last
    assert [row.text for row in problem_rows(config, 0)] == first
    other = GenerateConfig(num=60, seed=4, tasks=config.tasks, logics=config.logics)
    assert [row.text for row in problem_rows(other, 9)] != last


def test_skeletons_do_not_repeat_across_splits() -> None:
    rows = rows_of(1200, depth=(1, 2), premises=(3, 5), language="logic")
    splits: dict[str, set[str]] = {}
    for row in rows:
        splits.setdefault(row["skeleton"], set()).add(row["split"])
    assert len(splits) < len(rows)  # small problems do repeat
    assert all(len(found) == 1 for found in splits.values())
    assert {split_of(f"{value:016x}") for value in (0, 2**63, 2**64 - 1)} == {"train", "test"}


@pytest.mark.parametrize(("task", "logic"), [(task, logic) for task, logics in MATRIX.items() for logic in logics])
def test_every_task_that_is_offered_gives_rows(task: str, logic: str) -> None:
    rows = rows_of(6, tasks=(task,), logics=(logic,), language="english", depth=(2, 3), premises=(8, 9))
    assert len(rows) == 6
    for row in rows:
        assert row["task"] == task and row["logic"] == logic
        assert row["choices"] is None or row["answer"] in row["choices"]
        assert json.loads(json.dumps(row)) == row


def test_a_selected_support_suffices_and_is_needed() -> None:
    for row in rows_of(24, tasks=("premise-selection",), language="logic"):
        chosen = [] if row["answer"] == "none" else [int(one) for one in row["answer"].split(", ")]
        assert chosen == row["support"]
        premises = [parse_formula(one["formula"]) for one in row["premises"]]
        goal = parse_formula(row["goal"]["formula"])
        assert decide_by_z3([premises[one - 1] for one in chosen], goal).label == row["label"]
        for out in chosen:
            assert decide_by_z3([one for at, one in enumerate(premises, 1) if at != out], goal).label == "unknown"


def test_the_bad_step_is_the_first_that_does_not_follow() -> None:
    answers = Counter()
    for row in rows_of(36, tasks=("bad-step",), language="logic"):
        premises = [parse_formula(one["formula"]) for one in row["premises"]]
        steps = [step_from_json(one) for one in row["shown_proof"]]
        bad = check_proof(steps, premises, parse_formula(row["goal"]["formula"]), logic=row["logic"]).first_bad
        assert row["answer"] == ("none" if bad is None else str(bad.number))
        if bad is not None:
            lines = {one.number: one for one in steps}
            cited = [lines[one].formula for one in lines[bad.number].cites]
            assert decide_by_z3(cited, lines[bad.number].formula).label != "entailed"
        answers[row["answer"] == "none"] += 1
    assert answers[True] == 12


def test_only_the_missing_premise_helps() -> None:
    for row in rows_of(18, tasks=("missing-premise",), language="logic"):
        left = [parse_formula(one["formula"]) for one in row["premises"]]
        offered = [line.split(". ", 1) for line in row["prompt"].split("makes it follow?\n")[1].splitlines()[:4]]
        wanted = parse_formula(row["prompt"].split("Conclusion: ")[1].splitlines()[0])
        for letter, text in offered:
            label = decide_by_z3([*left, parse_formula(text)], wanted).label
            assert (label == "entailed") == (letter == row["answer"])


def test_inconsistent_sets_are_minimal_and_consistent_ones_are_consistent() -> None:
    found = Counter()
    for row in rows_of(24, tasks=("consistency",), language="logic"):
        statements = [parse_formula(one["formula"]) for one in row["premises"]]
        falsum = parse_formula("false")
        found[row["answer"] == "consistent"] += 1
        if row["answer"] == "consistent":
            assert decide_by_z3(statements, falsum).label == "contradicted"
            continue
        chosen = [int(one) - 1 for one in row["answer"].split(", ")]
        assert decide_by_z3([statements[one] for one in chosen], falsum).label == "inconsistent"
        for out in chosen:
            assert decide_by_z3([statements[one] for one in chosen if one != out], falsum).label == "contradicted"
    assert found[True] == found[False] == 12


def test_the_hidden_line_is_what_the_proof_needs() -> None:
    for row in rows_of(18, tasks=("proof-completion",), language="logic"):
        line = next(one for one in row["proof"] if one["number"] == row["hidden_line"])
        assert row["answer"] == line["text"]
        assert f"{row['hidden_line']}. ? [" in row["prompt"]


@pytest.mark.parametrize("logic", ["propositional", "monadic", "relational"])
def test_compound_goals_and_their_literals_are_asked_of_the_same_premises(logic: str) -> None:
    rows = [
        json.loads(row.text)
        for number in range(60)
        for row in problem_rows(GenerateConfig(num=1, logics=(logic,)), number)
    ]
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    pairs = [one for one in groups.values() if len(one) == 12]
    assert len(pairs) > 10
    for pair in pairs:
        compound, literal = pair[:6], pair[6:]
        assert {one["cell"]["goal_form"] for one in literal} == {"literal"}
        assert "literal" not in {one["cell"]["goal_form"] for one in compound}
        switched = {(one["label"], tuple(p["formula"] for p in one["premises"])) for one in compound}
        assert switched == {(one["label"], tuple(p["formula"] for p in one["premises"])) for one in literal}
        for one in literal:
            parsed = [parse_formula(p["formula"]) for p in one["premises"]]
            assert certify(logic, parsed, parse_formula(one["goal"]["formula"]), models=False).label == one["label"]
            if one["depth"] and one["depth"]["at_least"] == one["depth"]["at_most"] and logic == "propositional":
                assert propagation_rounds(parsed, parse_formula(one["goal"]["formula"])) == one["depth"]["at_least"]


def test_goal_forms_without_literals_have_no_companions() -> None:
    config = GenerateConfig(num=1, goal_forms=("conditional",))
    rows = [json.loads(row.text) for number in range(4) for row in problem_rows(config, number)]
    assert {one["cell"]["goal_form"] for one in rows} == {"conditional"}
    assert len({one["group"] for one in rows}) == 4
