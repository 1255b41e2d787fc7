"""Problems of Datalog: everything that they say found again by the definition of the perfect model."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custodiet.errors import UsageError
from custodiet.logic.engines.clingo_engine import decide_by_clingo
from custodiet.logic.engines.closure import Program, Rule, parse_rule
from custodiet.logic.formulas import Atom, Formula, Not, instantiate
from custodiet.logic.generate.config import GenerateConfig, least_premises
from custodiet.logic.generate.datalog import draw_datalog
from custodiet.logic.generate.datalog_distractors import near_miss
from custodiet.logic.generate.datalog_steps import general
from custodiet.logic.generate.draws import Draws
from custodiet.logic.generate.items import cases_of
from custodiet.logic.generate.problem import Problem
from custodiet.logic.generate.stream import generate_rows
from custodiet.logic.notation import format_formula, parse_formula

KINDS = ("near-miss", "dead-end", "same-vocabulary")


def drawn(number: int, depth: int, num_premises: int, contrary: int = 1) -> Problem:
    return draw_datalog(
        Draws(5, "datalog", number), depth=depth, num_premises=num_premises, distractors=KINDS, contrary=contrary
    )


def perfect_model(premises: list[Formula]) -> set[Atom]:
    """What is true by the alternating fixpoint: rules in which what may be true is denied, then what must be, and so on."""
    rules = [parse_rule(one) for one in premises]
    constants = Program(premises).constants
    ground = [made for rule in rules for made in instances(rule, constants)]

    def least(denied: set[Atom]) -> set[Atom]:
        true: set[Atom] = set()
        while True:
            new = {
                head
                for head, positives, negatives in ground
                if true.issuperset(positives) and denied.isdisjoint(negatives) and head not in true
            }
            if not new:
                return true
            true |= new

    must: set[Atom] = set()
    while True:
        may = least(must)
        now = least(may)
        if now == must:
            assert may == must  # nothing is left undefined where negation is stratified
            return must
        must = now


def instances(rule: Rule, constants: tuple[str, ...]) -> list[tuple[Atom, list[Atom], list[Atom]]]:
    made = []
    for values in product(constants, repeat=len(rule.variables)):
        terms = dict(zip(rule.variables, values, strict=True))

        def said(atoms: tuple[Atom, ...], terms: dict[str, str] = terms) -> list[Atom]:
            return [instantiate(one, terms) for one in atoms]  # type: ignore[misc]

        made.append((said((rule.head,))[0], said(rule.positives), said(rule.negatives)))
    return made


def both(problem: Problem) -> list[Problem]:
    assert problem.sibling is not None
    return [problem, problem.sibling]


@pytest.mark.parametrize("number", range(16))
def test_labels_supports_and_depths_are_those_of_the_definition(number: int) -> None:
    depth = 1 + number % 4
    problem = drawn(number, depth, least_premises("datalog", depth) + number % 5)
    derived = Counter()
    for one in both(problem):
        assert one.premises == problem.premises and one.switch_at == problem.switch_at
        for version, told in enumerate(one.versions):
            premises = one.premises_of(version)
            true = perfect_model(premises)
            assert (one.goal in true) is (told.label == "entailed")
            derived[told.label] += 1
            if told.label == "contradicted":
                assert told.support == () and told.depth is None
                continue
            assert one.goal in perfect_model([premises[place] for place in told.support])
            for place in told.support:
                assert one.goal not in perfect_model([*premises[:place], *premises[place + 1 :]])
            assert told.depth is not None and told.depth == rounds_to(premises, one.goal, true) <= depth
    assert derived == {"entailed": 2, "contradicted": 2}
    assert [one.label for one in problem.versions] == ["entailed", "contradicted"]


def rounds_to(premises: list[Formula], goal: Formula, true: set[Atom]) -> int:
    """Rounds in which all rules are applied at once, what the model denies counting as known."""
    rules = [parse_rule(one) for one in premises]
    constants = Program(premises).constants
    known = {rule.head for rule in rules if not rule.positives and not rule.negatives}
    ground = [made for rule in rules for made in instances(rule, constants)]
    rounds = 0
    while goal not in known:
        known = known | {
            head for head, positives, negatives in ground if known.issuperset(positives) and true.isdisjoint(negatives)
        }
        rounds += 1
    return rounds


def test_each_question_comes_with_both_labels_and_the_switch_has_one_argument_changed() -> None:
    kinds = Counter()
    for number in range(40):
        problem = drawn(number, 1 + number % 5, 13)
        kinds.update(problem.step_kinds)
        first, second = (one.switch for one in problem.versions)
        assert isinstance(first, Atom) and isinstance(second, Atom) and first.predicate == second.predicate
        assert sum(a != b for a, b in zip(first.args, second.args, strict=True)) == 1
        cases = cases_of(Draws(1, "cases", number), problem)
        assert len(cases) == 8 and len({one.skeleton for one in cases}) == 8
        found = Counter((format_formula(one.goal), one.label) for one in cases)
        assert set(found.values()) == {1} and len(found) == 8
        signs = Counter((isinstance(one.goal, Not), one.label) for one in cases)
        assert set(signs.values()) == {2}
    assert {"join", "negation", "negation of negation", "side condition", "rule with a name", "absence"} <= set(kinds)


@pytest.mark.parametrize(("depth", "num_premises"), [(1, 5), (12, 27), (12, 64), (1, 64), (5, 16)])
def test_every_size_that_is_offered_exists(depth: int, num_premises: int) -> None:
    problem = drawn(0, depth, num_premises, contrary=2)
    assert sum(problem.distractors.values()) == num_premises - 1 - len(problem.frame)
    assert problem.distractors.get("contrary", 0) == min(2, sum(problem.distractors.values()))
    assert len(set(problem.premises)) == len(problem.premises) == num_premises
    assert problem.num_steps == depth


def test_rows_say_that_the_world_is_closed_and_ask_for_one_of_two_labels() -> None:
    rows = list(generate_rows(GenerateConfig(num=24, seed=3, logics=("datalog",), language="both")))
    for row in rows:
        assert "What does not follow from the facts and rules is false." in row["prompt"]
        assert row["choices"] == ["entailed", "contradicted"] and "unknown" not in row["prompt"]
        rests = any(one["rule"] == "rule application" for one in row["proof"])
        assert rests is (row["support"] != []) is (row["support_unique"] is True)
        assert row["certificates"] == ["closure", "clingo", "kernel"]


def test_only_the_missing_premise_makes_the_goal_follow() -> None:
    for row in generate_rows(
        GenerateConfig(num=18, seed=4, logics=("datalog",), tasks=("missing-premise",), language="logic")
    ):
        left = [parse_formula(one["formula"]) for one in row["premises"]]
        offered = [line.split(". ", 1) for line in row["prompt"].split("makes it follow?\n")[1].splitlines()[:4]]
        wanted = parse_formula(row["prompt"].split("Conclusion: ")[1].splitlines()[0])
        assert decide_by_clingo(left, wanted).label == "contradicted"
        for letter, text in offered:
            label = decide_by_clingo([*left, parse_formula(text)], wanted).label
            assert (label == "entailed") == (letter == row["answer"])


def test_no_program_contradicts_itself() -> None:
    with pytest.raises(UsageError, match="task consistency does not exist in datalog logic"):
        GenerateConfig(num=6, logics=("datalog",), tasks=("consistency",))


ARITIES = {"A": 1, "B": 1, "C": 2, "D": 2}
atoms = st.sampled_from(sorted(ARITIES)).flatmap(
    lambda name: st.tuples(*[st.sampled_from("abc")] * ARITIES[name]).map(lambda args: Atom(name, args))
)


@settings(max_examples=200, deadline=None)
@given(head=atoms, body=st.lists(atoms, min_size=1, max_size=3, unique=True), seed=st.integers(0, 999))
def test_rules_made_of_ground_literals_apply_to_them_and_near_misses_are_rules(
    head: Atom, body: list[Atom], seed: int
) -> None:
    bound = {term for one in body for term in one.args}
    if not bound.issuperset(head.args):
        return
    rule = general(body, head)
    assert head in perfect_model([rule, *body])
    kept = general(body, head, keep=("a",))
    assert (head in perfect_model([kept, *body])) and parse_rule(kept).head.args.count("a") == head.args.count("a")
    for premise in (rule, kept, head):
        missed = near_miss(Draws(seed, "miss"), premise, ARITIES, ("a", "b", "c"))
        assert missed is None or parse_rule(missed)
