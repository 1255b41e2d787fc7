"""Syllogistic problems: labels, supports and depths found again by structures that are built from every set of kinds."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custodiet.errors import UsageError
from custodiet.logic.engines.z3_engine import decide_by_z3
from custodiet.logic.formulas import And, ForAll, Formula, Implies, Not, predicates_of
from custodiet.logic.fragments import require_logic
from custodiet.logic.generate.config import GenerateConfig, least_premises
from custodiet.logic.generate.draws import Draws
from custodiet.logic.generate.items import cases_of
from custodiet.logic.generate.problem import Problem
from custodiet.logic.generate.statements import Individuals, Statement, kinds_of
from custodiet.logic.generate.stream import generate_rows
from custodiet.logic.generate.syllogisms import draw_syllogistic
from custodiet.logic.kernel import check_proof
from custodiet.logic.notation import parse_formula
from custodiet.logic.proofs import step_from_json

KINDS = ("near-miss", "dead-end", "same-vocabulary")
FORMS = {"A": (True, False), "E": (True, True), "I": (False, False), "O": (False, True)}


def drawn(number: int, depth: int, num_premises: int, *, existential_import: bool, contrary: int = 1) -> Problem:
    return draw_syllogistic(
        Draws(5, "syllogisms", number),
        depth=depth,
        num_premises=num_premises,
        distractors=KINDS,
        contrary=contrary,
        existential_import=existential_import,
    )


def reading(formula: Formula) -> tuple[str, str, str]:
    """Form, subject and predicate of a statement, "X" for `exists x: P(x)`."""
    names = list(predicates_of(formula))
    if len(names) == 1:
        return "X", names[0], ""
    body = formula.body  # type: ignore[attr-defined]
    parts = body.parts if isinstance(body, And) else (body.left, body.right)
    key = (isinstance(formula, ForAll), isinstance(parts[1], Not))
    return next(form for form, one in FORMS.items() if one == key), names[0], names[1]


def satisfiable(statements: list[tuple[str, str, str]]) -> bool:
    """By definition: the individuals that the universal statements allow; each particular one needs one of them."""
    kinds = list(dict.fromkeys(name for one in statements for name in one[1:] if name))
    allowed = []
    for row in product((False, True), repeat=len(kinds)):
        has = dict(zip(kinds, row, strict=True))
        if all(not has[s] or has[p] is (form == "A") for form, s, p in statements if form in "AE"):
            allowed.append(has)
    return all(
        any(has[s] and (form == "X" or has[p] is (form == "I")) for has in allowed)
        for form, s, p in statements
        if form in "IOX"
    ) and bool(allowed)


def follows(given_: list[tuple[str, str, str]], goal: tuple[str, str, str]) -> bool:
    form, subject, predicate = goal
    return not satisfiable([*given_, ({"A": "O", "O": "A", "E": "I", "I": "E"}[form], subject, predicate)])


@pytest.mark.parametrize("existential_import", [False, True])
@pytest.mark.parametrize("number", range(8))
def test_labels_and_supports_are_those_of_the_definition(number: int, existential_import: bool) -> None:
    depth = 1 + number % 2
    least = least_premises("syllogistic", depth) - existential_import
    problem = drawn(number, depth, least + 1, existential_import=existential_import)
    assert problem.opposite is not None
    goal, opposite = reading(problem.goal), reading(problem.opposite)
    assert {goal[0], opposite[0]} in ({"A", "O"}, {"E", "I"}) and goal[1:] == opposite[1:]
    hidden = [reading(one) for one in problem.implicit]
    assert len(hidden) == (len(problem.predicates) if existential_import else 0)
    for version, told in enumerate(problem.versions):
        stated = [reading(one) for one in problem.premises_of(version)]
        assert satisfiable([*stated, *hidden])
        found = (follows([*stated, *hidden], goal), follows([*stated, *hidden], opposite))
        assert (
            found == {"entailed": (True, False), "contradicted": (False, True), "unknown": (False, False)}[told.label]
        )
        if told.label != "unknown":
            wanted = goal if told.label == "entailed" else opposite
            assert follows([*[stated[one] for one in told.support], *hidden], wanted)
            for place in told.support:
                assert not follows([*stated[:place], *stated[place + 1 :], *hidden], wanted)
            assert told.depth == depth


def test_the_goal_forms_come_with_each_label_and_twins_differ_in_one_statement() -> None:
    found = Counter()
    for number in range(60):
        problem = drawn(number, 1 + number % 4, 11, existential_import=bool(number % 2))
        assert all(require_logic("syllogistic", problem.premises_of(one), problem.goal) for one in range(3))
        places = {
            place
            for version in (1, 2)
            for place, (one, other) in enumerate(zip(problem.premises, problem.premises_of(version), strict=True))
            if one != other
        }
        assert places == {problem.switch_at}
        cases = cases_of(Draws(1, "cases", number), problem)
        assert Counter(one.label for one in cases) == {"entailed": 2, "contradicted": 2, "unknown": 2}
        assert len({one.skeleton for one in cases}) == 6
        found.update([(reading(one.goal)[0], one.label) for one in cases])
    for form in "AEIO":
        assert found[form, "entailed"] == found[form, "contradicted"] == found[form, "unknown"] > 0


@pytest.mark.parametrize(("depth", "num_premises"), [(1, 5), (12, 27), (12, 64), (1, 64), (5, 16)])
@pytest.mark.parametrize("existential_import", [False, True])
def test_every_size_that_is_offered_exists(depth: int, num_premises: int, existential_import: bool) -> None:
    problem = drawn(0, depth, num_premises, existential_import=existential_import)
    assert len(set(problem.premises)) == len(problem.premises) == num_premises
    assert problem.distractors.get("contrary", 0) == min(1, sum(problem.distractors.values()))
    assert sum(problem.distractors.values()) == num_premises - 1 - len(problem.frame)
    assert [one.depth for one in problem.versions] == [depth, depth, None]


def test_existential_import_is_told_and_used() -> None:
    notes = set()
    for existential_import in (False, True):
        config = GenerateConfig(
            num=60, seed=2, logics=("syllogistic",), existential_import=existential_import, language="logic"
        )
        for row in generate_rows(config):
            notes.add(row["prompt"].split("\n\n")[2])
            hidden = [parse_formula(one["formula"]) for one in row.get("implicit_premises", ())]
            assert bool(hidden) is existential_import
            premises = [parse_formula(one["formula"]) for one in row["premises"]]
            goal = parse_formula(row["goal"]["formula"])
            assert decide_by_z3([*premises, *hidden], goal).label == row["label"]
            steps = [step_from_json(one) for one in row["proof"]]
            if steps:
                assert check_proof(steps, [*premises, *hidden], goal, logic="syllogistic").conclusion == row["label"]
                cited = [one["implicit_premise"] for one in row["proof"] if "implicit_premise" in one]
                universal = isinstance(goal, ForAll) is (row["label"] == "entailed")
                assert len(cited) == (0 if universal or not existential_import else 1)
                for one in cited:
                    kind = next(iter(predicates_of(hidden[one - 1])))
                    assert kind in predicates_of(goal)
    assert len(notes) == 2  # the questions differ in what is said of kinds


@pytest.mark.parametrize("existential_import", [False, True])
def test_the_tasks_about_premises_have_the_answers_that_z3_finds(existential_import: bool) -> None:
    found = Counter()
    for row in generate_rows(
        GenerateConfig(
            num=36,
            seed=8,
            logics=("syllogistic",),
            tasks=("missing-premise", "consistency", "bad-step"),
            existential_import=existential_import,
            language="logic",
        )
    ):
        hidden = [parse_formula(one["formula"]) for one in row.get("implicit_premises", ())]
        stated = [parse_formula(one["formula"]) for one in row["premises"]]
        goal = parse_formula(row["goal"]["formula"])
        found[row["task"]] += 1
        if row["task"] == "missing-premise":
            offered = [line.split(". ", 1) for line in row["prompt"].split("makes it follow?\n")[1].splitlines()[:4]]
            wanted = parse_formula(row["prompt"].split("Conclusion: ")[1].splitlines()[0])
            for letter, text in offered:
                require_logic("syllogistic", [parse_formula(text)])
                label = decide_by_z3([*stated, *hidden, parse_formula(text)], wanted).label
                assert label == ("entailed" if letter == row["answer"] else "unknown")
        elif row["task"] == "consistency":
            falsum = parse_formula("false")
            if row["answer"] == "consistent":
                assert decide_by_z3([*stated, *hidden], falsum).label == "contradicted"
                continue
            chosen = [stated[int(one) - 1] for one in row["answer"].split(", ")]
            assert decide_by_z3([*chosen, *hidden], falsum).label == "inconsistent"
            for out in chosen:
                rest = [one for one in chosen if one != out]
                assert decide_by_z3([*rest, *hidden], falsum).label == "contradicted"
        else:
            steps = [step_from_json(one) for one in row["shown_proof"]]
            bad = check_proof(steps, [*stated, *hidden], goal, logic="syllogistic").first_bad
            assert row["answer"] == ("none" if bad is None else str(bad.number))
            if bad is not None:
                lines = {one.number: one for one in steps}
                cited = [lines[one].formula for one in steps[int(row["answer"]) - 1].cites]
                assert decide_by_z3(cited, steps[int(row["answer"]) - 1].formula).label != "entailed"
    assert set(found.values()) == {12}


def test_import_without_syllogisms_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="--existential-import is about syllogistic problems"):
        GenerateConfig(num=6, existential_import=True)
    with pytest.raises(UsageError, match="does not fit into 8 premises of syllogistic logic"):
        GenerateConfig(num=6, logics=("syllogistic",), depth=(3, 5), premises=(2, 8))


statements = st.builds(Statement, st.sampled_from("AEIO"), st.sampled_from("ABCD"), st.sampled_from("ABCD")).filter(
    lambda one: one.subject != one.predicate
)


@settings(max_examples=200, deadline=None)
@given(
    given_=st.lists(statements, max_size=7),
    kinds=st.sets(st.sampled_from("ABCD")),
    denied=st.sets(st.sampled_from("ABCD")),
)
def test_individuals_accept_what_leaves_them_possible(
    given_: list[Statement], kinds: set[str], denied: set[str]
) -> None:
    """An individual with some kinds and without others: it stays possible if some set of kinds says so."""
    people = Individuals("S")
    people.place(sorted(kinds), sorted(denied))
    accepted: list[Statement] = []
    for one in given_:
        if people.state(one):
            accepted.append(one)
        else:
            assert not possible([*accepted, one], kinds, denied)
        assert people.settle() is people.hold() is possible(accepted, kinds, denied)


def possible(said: list[Statement], kinds: set[str], denied: set[str]) -> bool:
    names = sorted({*kinds_of(said), *kinds, *denied})
    return satisfiable([(one.form, one.subject, one.predicate) for one in said] or [("A", "A", "A")]) and any(
        all(has[one] for one in kinds)
        and not any(has[one] for one in denied)
        and all(not has[s] or has[p] is (form == "A") for form, s, p in said if form in "AE")
        for has in (dict(zip(names, row, strict=True)) for row in product((False, True), repeat=len(names)))
    )


def test_a_statement_says_the_same_when_it_is_turned() -> None:
    assert Statement("E", "B", "A").said() == Statement("E", "A", "B").said()
    assert Statement("A", "B", "A").said() != Statement("A", "A", "B").said()
    assert Statement("O", "B", "A").formula() == parse_formula("exists x: B(x) & ~A(x)")
    assert isinstance(Statement("A", "B", "A").formula().body, Implies)  # type: ignore[attr-defined]
