"""Problems of LogicInference: the rule entries, one-step consequences and targets, against definitions and brute force."""

from __future__ import annotations

from itertools import combinations, permutations, product

import pytest

from custodiet.logic.formulas import And, Atom, Exists, ForAll, Formula, Iff, Implies, Not, Or, atoms_of, complement
from custodiet.logic.generate.config import GenerateConfig
from custodiet.logic.generate.draws import Draws
from custodiet.logic.generate.inference.problem import InferenceProblem, draw_inference_problem, opposite_of
from custodiet.logic.generate.inference.schemas import (
    ENTRIES,
    FALLACIES,
    GENERALIZATION,
    INSTANTIATION,
    LURES,
    backward,
    instance,
    one_step,
    results,
    unordered,
)
from custodiet.logic.generate.stream import generate_rows
from custodiet.logic.kernel_rules import is_instance_of
from custodiet.logic.notation import format_formula, parse_formula
from custodiet.logic.semantics import CONTRADICTED, ENTAILED, INCONSISTENT, UNKNOWN, Model, evaluate

_NAMES = {
    "modus ponens", "modus tollens", "transitivity", "disjunctive syllogism", "addition", "simplification",
    "conjunction", "resolution", "disjunction elimination", "biconditional introduction", "biconditional elimination",
}  # fmt: skip


def _problems(num: int, logic: str, depth: tuple[int, int] = (1, 5)) -> list[InferenceProblem]:
    return [
        draw_inference_problem(
            Draws(7, "test", logic, one), depth=depth, max_premises=16, logic=logic, contradictory=one % 12 == 7
        )
        for one in range(num)
    ]


def _structures(formulas: list[Formula], size: int) -> list[Model]:
    """Every structure with so many individuals over the symbols of formulas."""
    atoms = {one for formula in formulas for one in atoms_of(formula)}
    propositions = sorted({one for one in atoms if not one[2]})
    predicates = sorted({one[1] for one in atoms if one[2]})
    constants = sorted({term for one in atoms for term in one[2] if term != "x"})
    names = tuple(f"e{number}" for number in range(size))
    ground = [*propositions, *[Atom(name, (element,)) for name in predicates for element in names]]
    domains = {"": names} if predicates else {}
    return [
        Model(domains, dict(zip(constants, named, strict=True)), frozenset(a for a, value in zip(ground, row, strict=True) if value))
        for row in product((False, True), repeat=len(ground))
        for named in product(names, repeat=len(constants))
    ]  # fmt: skip


def _label(premises: list[Formula], goal: Formula, sizes: tuple[int, ...]) -> str:
    found = set()
    for size in sizes:
        for model in _structures([*premises, goal], size):
            if all(evaluate(model, one) for one in premises):
                found.add(evaluate(model, goal))
    return {(): INCONSISTENT, (True,): ENTAILED, (False,): CONTRADICTED}.get(tuple(found), UNKNOWN)


def test_there_are_the_66_entries_and_the_one_that_is_missed():
    lures = [one for one in LURES if one.rule in FALLACIES]
    assert (
        len(ENTRIES) + len(lures) + 2 == 66 + 4
    )  # instantiation and generalization; p <-> q, p |- q in its four forms
    assert {one.rule.name for one in ENTRIES} == _NAMES
    names = {one.name for one in (*ENTRIES, *lures)} | {INSTANTIATION, GENERALIZATION}
    assert len(names) == 41


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda one: f"{one.name} {one.exists_at}")
def test_a_valid_entry_follows_and_is_named_as_the_kernel_names_it(entry):
    term = ("x",) if entry.mode else ()
    letters = {name: Atom(name, term) for name in "pqr"}
    for signs in product((False, True), repeat=3):
        binding = {
            name: complement(one) if flip else one for (name, one), flip in zip(letters.items(), signs, strict=True)
        }
        premises, conclusions = instance(entry, binding, lambda: Atom("s", term))
        for conclusion in conclusions:
            assert is_instance_of(entry.name, premises, conclusion)
            assert _label(premises, conclusion, (1, 2) if entry.mode else (0,)) == ENTAILED


@pytest.mark.parametrize("entry", [one for one in LURES if one.rule in FALLACIES], ids=lambda one: one.name)
def test_a_fallacy_does_not_follow(entry):
    term = ("x",) if entry.mode else ()
    premises, conclusions = instance(entry, {}, iter([Atom("p", term), Atom("q", term)]).__next__)
    assert [_label(premises, one, (1, 2) if entry.mode else (0,)) for one in conclusions] == [UNKNOWN]
    assert conclusions[0] in [one.formula for one in results(LURES, premises)]


def test_consequences_are_those_that_the_kernel_accepts():
    """Against the kernel's own table of rules: every conclusion of literals, or of two literals, tried on all premises."""
    seen = 0
    for logic, wrap in (("propositional", lambda one: one), ("monadic", lambda one: ForAll("x", one))):
        for problem in _problems(45, logic):
            premises = problem.premises
            atoms = sorted({one for premise in premises for one in atoms_of(premise)})
            quantified = {one[0] for one in premises} <= {"forall"}
            if len(atoms) > 4 or (logic == "monadic" and not quantified):
                continue
            seen += 1
            literals = [*atoms, *map(Not, atoms)]
            bodies = [*literals, *[kind(a, b) for kind in (And, Or, Iff) for a, b in combinations(literals, 2)]]
            bodies += [Implies(a, b) for a, b in permutations(literals, 2)]
            rules = [f"universal {one}" if logic == "monadic" else one for one in _NAMES - {"addition"}]
            accepted = {}
            for goal in map(wrap, bodies):
                for size in (1, 2, 3):
                    for given in combinations(premises, size):
                        for rule in rules:
                            if is_instance_of(rule, given, goal) and goal not in premises:
                                accepted.setdefault(unordered(goal), set()).add(rule)
            stated = set(map(unordered, premises))
            accepted = {goal: found for goal, found in accepted.items() if goal not in stated}
            ours = {unordered(one.formula) for one in one_step(premises)}
            assert ours <= set(accepted)
            for goal in (
                set(accepted) - ours
            ):  # the kernel takes p | q, ~p | q |- q as resolution; letters differ in ours
                body = goal[3] if logic == "monadic" else goal
                assert body in literals and all("resolution" in rule for rule in accepted[goal]), (
                    premises,
                    accepted[goal],
                )
    assert seen > 20


def test_generalizations_are_consequences():
    premises = [parse_formula("~P(a)"), parse_formula("Q(b) -> P(b)")]
    assert [(one.formula, one.rule) for one in one_step(premises)] == [
        (parse_formula("exists x: ~P(x)"), "existential generalization")
    ]


def test_backward_rules_conclude_what_they_are_asked_for():
    for text in ("p", "~p", "p -> ~q", "p | q", "p & q", "p <-> q", "forall x: P(x) | Q(x)", "exists x: ~P(x)", "P(a)"):
        goal = parse_formula(text)
        found = backward(goal, ["a"])
        assert found
        for first, second in found:
            if isinstance(first, str):
                assert is_instance_of(first, [second], goal)
            else:
                term = ("x",) if first.mode else ()
                fresh = iter([Atom(name, term) for name in "rst"])
                premises, conclusions = instance(first, second, fresh.__next__)
                assert unordered(goal) in set(map(unordered, conclusions))
                assert is_instance_of(first.name, premises, goal)


@pytest.mark.parametrize("logic", ["propositional", "monadic"])
def test_labels_are_right_by_enumeration(logic):
    """Every structure with up to three individuals: all that two quantifiers and a constant can need."""
    seen = {ENTAILED: 0, CONTRADICTED: 0, UNKNOWN: 0, INCONSISTENT: 0}
    for problem in _problems(250 if logic == "propositional" else 100, logic):
        symbols = {one[1] for premise in problem.premises for one in atoms_of(premise)}
        some = sum(one[0] == "exists" for one in problem.premises)
        if len(symbols) > (5 if logic == "propositional" else 3) or some > 1:
            continue
        for target in problem.targets:
            names = {one[1] for one in atoms_of(target.formula)} | symbols
            if len(names) <= (6 if logic == "propositional" else 3):
                sizes = (0,) if problem.propositional else (1, 2, 3)
                seen[target.label] += 1
                assert _label(problem.premises, target.formula, sizes) == target.label, target
    assert min(seen.values()) > 3, seen


@pytest.mark.parametrize("logic", ["propositional", "monadic"])
def test_no_premise_of_a_chain_can_be_left_out(logic):
    for problem in _problems(60, logic):
        for target in problem.targets:
            if target.kind in ("inference", "contradiction") and problem.consistent and problem.propositional:
                kept = [problem.premises[one] for one in target.support]
                assert _label(kept, target.formula, (0,)) == target.label
                if len({one for premise in problem.premises for one in atoms_of(premise)}) <= 6:
                    for left_out in target.support:
                        others = [one for place, one in enumerate(problem.premises) if place != left_out]
                        assert _label(others, target.formula, (0,)) != target.label


def test_chains_have_the_steps_that_were_asked_for():
    for steps in (1, 3, 7):
        for problem in _problems(8, "monadic", (steps, steps)):
            assert problem.depth in (steps, steps - 1)  # a fallacy stands for one step that is none
            for target in problem.targets:
                assert target.least <= max(len(target.chain), 0) or target.kind == "premise"


def test_long_chains_made_from_fallacies():
    """What is derived on the way may speak of what neither premises nor targets speak of."""
    for number in range(40):
        problem = draw_inference_problem(Draws(3, "x", number), depth=(12, 12), max_premises=64, logic="monadic")
        assert problem.depth in (11, 12)
        assert all(one.label in (ENTAILED, CONTRADICTED, UNKNOWN) for one in problem.targets)


def test_opposites_are_opposite():
    for text in ("p", "~p", "p & q", "forall x: P(x) -> Q(x)", "exists x: ~P(x)"):
        goal = parse_formula(text)
        sizes = (1, 2) if isinstance(goal, (ForAll, Exists)) else (0,)
        assert _label([goal], opposite_of(goal), sizes) == CONTRADICTED
        assert _label([Not(goal)], opposite_of(goal), sizes) == ENTAILED


def test_targets_of_one_form_are_told_from_others_by_what_follows_alone() -> None:
    num_alike = 0
    for seed in range(100):
        problem = draw_inference_problem(Draws(seed, "alike"), depth=(1, 3), max_premises=8, logic="monadic")
        for follows, others in problem.alike():
            num_alike += 1
            assert {one.label for one in follows} == {ENTAILED}
            assert {one.label for one in others} <= {CONTRADICTED, UNKNOWN}
            texts = [format_formula(one.formula) for one in (*follows, *others)]
            signs = ("~", " & ", " | ", " -> ", " <-> ", "forall", "exists")
            assert len({tuple(text.count(one) for one in signs) for text in texts}) == 1
    assert num_alike > 10


def test_no_form_of_a_target_has_one_answer_where_it_can_have_both() -> None:
    config = GenerateConfig(num=1800, seed=7, tasks=("logicinference-3a",), logics=("monadic",))
    found: dict[str, dict[tuple[int, ...], list[bool]]] = {}
    for row in generate_rows(config):
        if row["label"] != INCONSISTENT and row["sub_type"] != "3a-premise":
            form = tuple(row["goal"]["formula"].count(one) for one in ("~", "&", "|", "->", "<->", "forall", "exists"))
            found.setdefault(row["group"], {}).setdefault(form, []).append(row["verdict"] == "yes")
    mixed = [forms for forms in found.values() if any(len(set(one)) == 2 for one in forms.values())]
    often = [one for forms in mixed for one in forms.values() if len(one) >= 12]
    assert len(mixed) > 5 and len(often) > 5
    assert all(len(set(one)) == 2 for one in often)
