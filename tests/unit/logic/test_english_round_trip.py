"""Every sentence of every formula is read back as that formula, and no sentence stands for two."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custodiet.errors import FormulaError
from custodiet.logic.english import rendering
from custodiet.logic.english.canonical import canonical_form
from custodiet.logic.english.reading import read, read_all
from custodiet.logic.english.rendering import num_forms, render, render_all, render_form
from custodiet.logic.english.signature import Signature
from custodiet.logic.english.templates import MAX_LEVELS
from custodiet.logic.english.vocabulary import KINDS, Vocabulary, draw_vocabulary
from custodiet.logic.formulas import And, Atom, Equal, Exists, ForAll, Formula, Iff, Implies, Not, Or
from custodiet.logic.notation import format_formula, parse_formula
from tests.english_formulas import (
    MONADIC,
    RELATIONAL,
    SIGNATURES,
    UNSORTED,
    all_formulas,
    all_quantified,
    formulas,
)


def check_all_forms(formula: Formula, vocabulary: Vocabulary) -> None:
    wanted = canonical_form(formula)
    for form in range(num_forms(formula, vocabulary)):
        sentence = render_form(formula, vocabulary, form)
        assert read(sentence, vocabulary) == wanted, sentence
        assert read(sentence[0].lower() + sentence[1:], vocabulary) == wanted, sentence


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fragment", SIGNATURES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_surface_form_of_a_random_formula_is_read_back(fragment, kind, data):
    signature = SIGNATURES[fragment]
    vocabulary = draw_vocabulary(kind, signature, random.Random(data.draw(st.integers(0, 999))).randrange)
    check_all_forms(data.draw(formulas(signature)), vocabulary)


@st.composite
def rules(draw: st.DrawFn) -> Formula:
    """A Datalog rule: positive literals, then denied ones over their variables, and a head."""
    variables = ["x", "y", "z"][: draw(st.integers(1, 3))]
    terms = st.sampled_from([*variables, "a"])
    positive = [Atom("L", (one, draw(terms))) for one in variables]
    positive += draw(st.lists(st.builds(lambda one: Atom("P", (one,)), terms), max_size=2))
    denied = draw(st.lists(st.builds(lambda one, other: Not(Atom("M", (one, other))), terms, terms), max_size=2))
    body = draw(st.permutations(positive + denied))
    rule: Formula = Implies(
        body[0] if len(body) == 1 else And(*body), Atom("T", (draw(terms), draw(terms), draw(terms)))
    )
    for variable in draw(st.permutations(variables)):
        rule = ForAll(variable, rule)
    return rule


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_surface_form_of_a_rule_is_read_back(kind, data):
    vocabulary = draw_vocabulary(kind, UNSORTED, random.Random(data.draw(st.integers(0, 99))).randrange)
    check_all_forms(data.draw(rules()), vocabulary)


def collisions(candidates: Sequence[Formula], vocabulary: Vocabulary) -> tuple[int, list[str]]:
    """How many sentences the formulas have, and those that stand for two canonical forms."""
    meaning: dict[str, Formula] = {}
    twofold = []
    for formula in candidates:
        wanted = canonical_form(formula)
        for form in range(num_forms(formula, vocabulary)):
            sentence = render_form(formula, vocabulary, form)
            if meaning.setdefault(sentence, wanted) != wanted:
                twofold.append(f"{sentence} {meaning[sentence]} {wanted}")
            assert read(sentence, vocabulary) == wanted, sentence
    return len(meaning), twofold


def test_no_propositional_sentence_stands_for_two_formulas():
    p, q, r = Atom("p"), Atom("q"), Atom("r")
    candidates = all_formulas([p, q, r], 2) + [
        made(one, other)
        for one, other in product(all_formulas([p, q], 1), repeat=2)
        for made in (And, Or, Implies, Iff)
    ]
    vocabulary = draw_vocabulary("neutral", SIGNATURES["propositional"], random.Random(3).randrange)
    num, twofold = collisions(candidates, vocabulary)
    assert not twofold
    assert num > 10_000


def test_no_quantified_sentence_stands_for_two_formulas():
    about_x = [Atom("P", ("x",)), Atom("Q", ("x",)), Not(Atom("P", ("x",)))]
    quantified = all_quantified(all_formulas(about_x, 1), "x", "") + all_quantified(
        [made(And(about_x[0], about_x[1]), third) for made in (Implies, And, Or) for third in about_x], "x", ""
    )
    ground: list[Formula] = [Atom("P", ("a",)), Not(Atom("Q", ("a",)))]
    simple = all_quantified([*about_x, Implies(about_x[0], about_x[1]), And(about_x[0], about_x[1])], "x", "")
    mixed = [made(*pair) for pair in product(simple + ground, repeat=2) for made in (And, Or, Implies, Iff)]
    candidates = quantified + [Not(one) for one in quantified] + mixed + [Not(one) for one in mixed]
    vocabulary = draw_vocabulary("neutral", MONADIC, random.Random(5).randrange)
    num, twofold = collisions(candidates, vocabulary)
    assert not twofold
    assert num > 5_000


def test_no_relational_sentence_stands_for_two_formulas():
    terms = ("a", "x", "y")
    atoms: list[Formula] = [Atom("L", pair) for pair in product(terms, repeat=2)]
    atoms += [Atom("P", (one,)) for one in terms] + [Equal("x", "y"), Equal("a", "x")]
    leaves = atoms + [Not(one) for one in atoms]
    bodies = leaves + [made(*pair) for pair in product(leaves, atoms) for made in (And, Implies, Or)]
    candidates = [
        outer("x", inner("y", body)) for body in bodies for outer in (ForAll, Exists) for inner in (ForAll, Exists)
    ]
    vocabulary = draw_vocabulary("nonce", UNSORTED, random.Random(7).randrange)
    num, twofold = collisions(candidates, vocabulary)
    assert not twofold
    assert num > 10_000


@pytest.mark.parametrize(
    "text",
    [
        "p", "~p", "p & q", "p | q", "p -> q", "p <-> q", "~(p & q)", "~(p | q)", "p & q & r", "p | q | r",
        "p & q -> r", "~p -> ~q", "(p -> q) -> r", "(p & q) | r", "(p <-> q) <-> r",
    ],
)  # fmt: skip
def test_a_connective_has_three_surface_forms(text):
    vocabulary = draw_vocabulary("neutral", SIGNATURES["propositional"], random.Random(1).randrange)
    forms = {
        render_form(parse_formula(text), vocabulary, at) for at in range(num_forms(parse_formula(text), vocabulary))
    }
    assert len(forms) >= (1 if text == "p" else 3)
    assert len(forms) == num_forms(parse_formula(text), vocabulary)


@pytest.mark.parametrize(
    "text",
    [
        "forall x: P(x) -> Q(x)", "forall x: P(x) -> ~Q(x)", "exists x: P(x) & Q(x)", "exists x: P(x) & ~Q(x)",
        "forall x: P(x)", "forall x: ~P(x)", "exists x: P(x)", "exists x: ~P(x)", "forall x: P(x) <-> Q(x)",
        "forall x: P(x) & Q(x) -> R(x)", "forall x: ~P(x) -> R(x)", "forall x: P(x) | Q(x)", "exists x: P(x) & Q(x) & R(x)",
        "~(forall x: P(x) -> Q(x))", "~(exists x: P(x) & Q(x))", "exists x: P(x) -> Q(x)",
    ],
)  # fmt: skip
def test_a_quantified_form_has_three_surface_forms(text):
    for kind in KINDS:
        vocabulary = draw_vocabulary(kind, MONADIC, random.Random(1).randrange)
        assert num_forms(parse_formula(text), vocabulary) >= 3


def test_wide_and_deep_formulas_have_sentences():
    vocabulary = draw_vocabulary("nonce", MONADIC, random.Random(1).randrange)
    leaf = Atom("P", ("a",))
    check_all_forms(And(*[leaf] * 40), vocabulary)
    deep: Formula = leaf
    for level in range(60):
        deep = (Not(deep), Implies(deep, leaf), Or(leaf, deep), Iff(And(deep, leaf), leaf))[level % 4]
    sentence = render(deep, vocabulary, lambda num: 0)
    assert read(sentence, vocabulary) == canonical_form(deep)
    for _ in range(MAX_LEVELS):
        deep = Not(deep)
    with pytest.raises(FormulaError, match="too deep"):
        render(deep, vocabulary, lambda num: 0)
    with pytest.raises(FormulaError, match="too wide"):
        render(Or(*[leaf] * 1000), vocabulary, lambda num: 0)
    with pytest.raises(FormulaError, match="at most") as caught:
        read("it is false that " * 400 + sentence[0].lower() + sentence[1:], vocabulary)
    assert len(str(caught.value)) < 600


def test_plans_are_forgotten_before_they_fill_the_memory(monkeypatch):
    monkeypatch.setattr(rendering, "_MAX_PLANS", 50)
    signature = Signature.make({f"p{at}": () for at in range(100)})
    vocabulary = draw_vocabulary("nonce", signature, random.Random(1).randrange)
    for at in range(100):
        check_all_forms(Atom(f"p{at}"), vocabulary)
        assert len(signature.plans) <= 50


def test_rendering_many_is_rendering_each():
    vocabulary = draw_vocabulary("neutral", RELATIONAL, random.Random(1).randrange)
    texts = [
        "forall x in person: P(x) -> Q(x)", "L(a, b)", "forall x in person: forall y in city: V(x, y) & C(y) -> P(x)", "p",
        "T(a, b, c)", "forall x in city: N(c, x) -> D(x)", "c != d",
    ]  # fmt: skip
    several = [parse_formula(one) for one in texts]
    one, other = random.Random(9), random.Random(9)
    sentences = render_all(several, vocabulary, one.randrange)
    assert sentences == [render(formula, vocabulary, other.randrange) for formula in several]
    assert read_all(sentences, vocabulary) == [canonical_form(formula) for formula in several]


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_the_canonical_form_ignores_order_and_names_and_nothing_else(data):
    formula = data.draw(formulas(UNSORTED))
    form = canonical_form(formula)
    assert canonical_form(form) == form
    assert parse_formula(format_formula(form)) == form
    assert canonical_form(_disguised(formula, random.Random(data.draw(st.integers(0, 99))), {})) == form
    assert canonical_form(Not(Not(formula))) != form


def _disguised(formula: Formula, rng: random.Random, names: dict[str, str]) -> Formula:
    """The formula with operands in another order and other variables."""
    if isinstance(formula, Atom):
        return Atom(formula.predicate, tuple(names.get(one, one) for one in formula.args))
    if isinstance(formula, Not):
        return Not(_disguised(formula.body, rng, names))
    if isinstance(formula, (And, Or)):
        parts = [_disguised(one, rng, names) for one in formula.parts]
        rng.shuffle(parts)
        return type(formula)(*parts)
    if isinstance(formula, Implies):
        return Implies(_disguised(formula.left, rng, names), _disguised(formula.right, rng, names))
    if isinstance(formula, Iff):
        sides = [_disguised(formula.left, rng, names), _disguised(formula.right, rng, names)]
        rng.shuffle(sides)
        return Iff(*sides)
    if isinstance(formula, Equal):
        return Equal(names.get(formula.right, formula.right), names.get(formula.left, formula.left))
    if isinstance(formula, (ForAll, Exists)):
        name = f"z{90 - len(names)}{rng.randrange(10)}"
        return type(formula)(name, _disguised(formula.body, rng, {**names, formula.variable: name}), formula.sort)
    return formula
