"""Forward chaining against the definition of the perfect model, and against clingo."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custodiet.errors import FormulaError
from custodiet.logic.engines.clingo_engine import decide_by_clingo
from custodiet.logic.engines.closure import Program, decide_by_closure, parse_rule
from custodiet.logic.formulas import And, Atom, ForAll, Formula, Implies, Not, instantiate
from custodiet.logic.notation import parse_formula
from custodiet.logic.semantics import Model, evaluate
from tests.unit.logic.random_formulas import check_models

ARITIES = {"P": 1, "Q": 1, "R": 2, "S": 2, "t": 0, "U": 1}


def random_program(rng: random.Random, num_facts: int, num_rules: int, negation: float = 0.4) -> list[Formula]:
    """Facts and safe rules; negation may turn out not to be stratified."""

    def atom(terms: list[str]) -> Atom:
        name = rng.choice(list(ARITIES))
        return Atom(name, tuple(rng.choice(terms) for _ in range(ARITIES[name])))

    made: list[Formula] = [atom(list("abc")) for _ in range(num_facts)]
    for _ in range(num_rules):
        positives = [atom(["x", "y", "z", rng.choice("abc")]) for _ in range(rng.choice([1, 1, 2, 3]))]
        bound = sorted({term for one in positives for term in one.args} | {rng.choice("abc")})
        body: list[Formula] = [*positives, *[Not(atom(bound)) for _ in range(2) if rng.random() < negation / 2]]
        rng.shuffle(body)
        rule: Formula = Implies(body[0] if len(body) == 1 else And(*body), atom(bound))
        for variable in sorted({term for one in positives for term in one.args} & set("xyz")):
            rule = ForAll(variable, rule)
        made.append(rule)
    rng.shuffle(made)
    return made


def is_stratified(premises: list[Formula]) -> bool:
    """No predicate reaches itself over an edge that negates: by transitive closure."""
    rules = [parse_rule(one) for one in premises]
    uses = {(rule.head.predicate, one.predicate) for rule in rules for one in (*rule.positives, *rule.negatives)}
    for middle, left, right in itertools.product(ARITIES, repeat=3):
        if (left, middle) in uses and (middle, right) in uses:
            uses.add((left, right))
    return not any(
        one.predicate == rule.head.predicate or (one.predicate, rule.head.predicate) in uses
        for rule in rules
        for one in rule.negatives
    )


def ground_rules(premises: list[Formula], constants: str) -> list[tuple[Atom, list[Atom], list[Atom]]]:
    made = []
    for rule in map(parse_rule, premises):
        for values in itertools.product(constants, repeat=len(rule.variables)):
            named = dict(zip(rule.variables, values, strict=True))
            head, *body = [instantiate(one, named) for one in (rule.head, *rule.positives, *rule.negatives)]
            made.append((head, body[: len(rule.positives)], body[len(rule.positives) :]))
    return made


def perfect_model(premises: list[Formula], constants: str) -> dict[Atom, int]:
    """True atom -> depth, by rounds over all ground rules, layer after layer."""
    grounded = ground_rules(premises, constants)
    layers = Program(premises).strata
    true: set[Atom] = set()
    for layer in range(max(layers.values(), default=0) + 1):
        for _ in itertools.count():
            new = {
                head
                for head, positives, negatives in grounded
                if layers[head.predicate] == layer and true.issuperset(positives) and true.isdisjoint(negatives)
            }
            if new <= true:
                break
            true |= new
    depths = {head: 0 for head, positives, negatives in grounded if not positives and not negatives}
    for depth in range(1, len(true) + 1):
        for head in {
            head
            for head, positives, negatives in grounded
            if true.isdisjoint(negatives) and all(one in depths for one in positives)
        }:
            depths.setdefault(head, depth)
    assert set(depths) == true
    return depths


@given(st.integers(0, 2**32), st.integers(0, 6), st.integers(0, 5))
@settings(max_examples=200, deadline=None)
def test_perfect_model_and_depths_by_definition(seed: int, num_facts: int, num_rules: int) -> None:
    premises = random_program(random.Random(seed), num_facts, num_rules)
    if not is_stratified(premises):
        with pytest.raises(FormulaError, match="depends on its own negation"):
            Program(premises)
        return
    closure = Program(premises).closure()
    assert closure.depths == perfect_model(premises, "abc")
    fired = {
        (head, tuple(positives), tuple(negatives))
        for head, positives, negatives in ground_rules(premises, "abc")
        if closure.derivations.keys() >= set(positives) and closure.derivations.keys().isdisjoint(negatives)
    }
    listed = [(one.head, one.positives, one.negatives) for made in closure.derivations.values() for one in made]
    assert set(listed) == fired


def test_agrees_with_clingo() -> None:
    rng = random.Random(21)
    labels = []
    while len(labels) < 300:
        premises = random_program(rng, rng.randint(1, 8), rng.randint(1, 6))
        if not is_stratified(premises):
            continue
        name = rng.choice(list(ARITIES))
        atom = Atom(name, tuple(rng.choice("abcd") for _ in range(ARITIES[name])))
        goal = atom if rng.random() < 0.5 else Not(atom)
        decision, other = decide_by_closure(premises, goal), decide_by_clingo(premises, goal)
        assert (decision.engines, other.engines) == (("closure",), ("clingo",))
        assert decision.label == other.label
        for one in (decision, other):
            check_models(one, premises, goal)
        for left, right in ((decision.with_goal, other.with_goal), (decision.without_goal, other.without_goal)):
            assert (left and left.true_atoms) == (right and right.true_atoms)
        assert decide_by_closure(premises, goal, models=False).label == decision.label
        labels.append(decision.label)
    assert 50 < labels.count("entailed") < 250


def test_proofs_apply_premises_to_what_is_proved() -> None:
    rng = random.Random(22)
    deep = 0
    for _ in range(400):
        premises = random_program(rng, rng.randint(3, 6), rng.randint(4, 12), 0.1)
        if not is_stratified(premises):
            continue
        closure = Program(premises).closure()
        for atom in closure.depths:
            proof = closure.proof(atom)
            depths: dict[Atom, int] = {}
            for step in proof:
                rule = parse_rule(premises[step.premise])
                ways = itertools.product("abc", repeat=len(rule.variables))
                instances = [dict(zip(rule.variables, values, strict=True)) for values in ways]
                assert any(
                    (step.head, step.positives, step.negatives)
                    == (
                        instantiate(rule.head, one),
                        tuple(instantiate(part, one) for part in rule.positives),
                        tuple(instantiate(part, one) for part in rule.negatives),
                    )
                    for one in instances
                )
                assert all(part in depths for part in step.positives)
                assert not any(closure.holds(part) for part in step.negatives)
                fact = not step.positives and not step.negatives
                depths[step.head] = 0 if fact else 1 + max([depths[part] for part in step.positives], default=0)
            assert proof[-1].head == atom
            assert depths[atom] == closure.depths[atom]
            deep += closure.depths[atom] >= 2
    assert deep > 30


def test_planted() -> None:
    premises = [
        parse_formula(one)
        for one in (
            "Edge(a, b)",
            "Edge(b, c)",
            "Edge(c, d)",
            "forall x: forall y: Edge(x, y) -> Path(x, y)",
            "forall x: forall y: forall z: Path(x, y) & Edge(y, z) -> Path(x, z)",
            "forall x: forall y: Edge(x, y) & ~Path(y, x) -> OneWay(x)",
            "~OneWay(d) -> end",
        )
    ]
    closure = Program(premises).closure()
    assert closure.depths[Atom("Path", ("a", "d"))] == 3
    assert closure.depths[Atom("OneWay", ("a",))] == 1
    assert closure.depths[Atom("end")] == 1
    assert [step.premise for step in closure.proof(Atom("Path", ("a", "c")))] == [0, 3, 1, 4]
    assert closure.holds(Not(Atom("OneWay", ("d",))))
    model = closure.model()
    assert model.constants["a"] == "a"
    assert all(evaluate(model, one) for one in premises)
    with pytest.raises(FormulaError, match=r"no proof of what is not derived; got OneWay\(d\)"):
        closure.proof(Atom("OneWay", ("d",)))


def test_propositional_programs_have_no_individuals() -> None:
    premises = [parse_formula(one) for one in ("p", "p & ~q -> r")]
    for decide in (decide_by_closure, decide_by_clingo):
        assert decide(premises, Atom("r")).with_goal == Model({}, {}, frozenset([Atom("p"), Atom("r")]))
    rule = parse_formula("forall x: P(x) -> Q(x)")
    for decide in (decide_by_closure, decide_by_clingo):
        assert decide([rule], Not(Atom("t"))).with_goal == Model({"": ("e1",)}, {}, frozenset())


@pytest.mark.parametrize(
    ("premises", "goal", "message"),
    [
        (["forall x: P(x)"], "P(a)", r"premise 1, forall x: P\(x\), is not datalog: the variable x of its head"),
        (["P(a)", "forall x: P(x) -> R(x) & S(x)"], "P(a)", "premise 2, .* what it concludes is no atom"),
        (["P(a) | Q(a)"], "P(a)", "what it concludes is no atom"),
        (["~P(a)"], "P(a)", "what it concludes is no atom"),
        (["(P(a) | Q(a)) -> R(a)"], "P(a)", r"a part of its body is no literal; .* got P\(a\) \| Q\(a\)"),
        (["P(a) & a = b -> Q(a)"], "P(a)", "a part of its body is no literal"),
        (["forall x: P(x) & ~R(x) -> R(x)"], "P(a)", "R depends on its own negation: R negates R"),
        (["p & ~q -> r", "r -> s", "s -> q"], "p", "r depends on its own negation: r negates q uses s uses r"),
        (["forall x: forall y: P(x) & ~R(x, y) -> Q(x)"], "P(a)", r"the variable y of ~R\(x, y\) is in no positive"),
        (["forall x in s: P(x) -> Q(x)"], "P(a)", "it has the sort s"),
        (["P(a)", "P(a, b) -> Q(a)"], "Q(a)", "P is used with two numbers of arguments; expected 1; got 2"),
        (["P(a)"], "P(a, b)", "P is used with two numbers of arguments; expected 1; got 2"),
        (["P(a)"], "P(a) & P(a)", "the goal is no ground literal of datalog"),
        (["P(a)"], "forall x: P(x)", "the goal is no ground literal of datalog"),
    ],
)
def test_what_is_no_program(premises: list[str], goal: str, message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        decide_by_closure([parse_formula(one) for one in premises], parse_formula(goal))


@pytest.mark.parametrize(
    ("premises", "goal", "message"),
    [
        (["forall x: P(x)"], "P(a)", "clingo refuses the program; got .*unsafe"),
        (["P(a) | Q(a)"], "P(a)", "neither a fact nor a rule"),
        (["p & ~q -> q", "p"], "p", "no perfect model; expected one stable model; got none"),
        (["~q -> p", "~p -> q"], "p", "no perfect model; expected one stable model; got two or more"),
        (["P(a)"], "P(a) | P(a)", "the goal is no ground literal"),
    ],
)
def test_what_clingo_refuses(premises: list[str], goal: str, message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        decide_by_clingo([parse_formula(one) for one in premises], parse_formula(goal))


def test_words_of_clingo_are_names_like_others() -> None:
    premises = [parse_formula("Show(const, not1)"), parse_formula("forall x: forall y: Show(x, y) -> external(y)")]
    assert decide_by_clingo(premises, parse_formula("external(not1)")).label == "entailed"
