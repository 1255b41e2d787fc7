"""Sentences that a person can read, and what is refused with the place and the nearest accepted form."""

from __future__ import annotations

import pytest

from custodiet.errors import FormulaError
from custodiet.logic.english.canonical import canonical_form
from custodiet.logic.english.reading import read
from custodiet.logic.english.rendering import num_forms, render, render_form
from custodiet.logic.english.vocabulary import Vocabulary
from custodiet.logic.formulas import Atom
from custodiet.logic.notation import format_formula, parse_formula


def _symbol(category: str, sorts: list[str], *words: str) -> dict:
    return {"category": category, "words": list(words), "sorts": sorts}


PEOPLE = Vocabulary.from_json(
    {
        "kind": "hand-written",
        "sorts": {"": "person"},
        "symbols": {
            "B": _symbol("noun", [""], "baker", "bakers", "person"),
            "A": _symbol("noun", [""], "actor", "actors", "person"),
            "K": _symbol("adjective", [""], "kind", "person"),
            "C": _symbol("verb", [""], "play chess", "plays chess", "person"),
            "L": _symbol("relation", ["", ""], "likes", "does not like", "is liked by", "is not liked by"),
            "M": _symbol("relation", ["", ""], "admires", "does not admire", "is admired by", "is not admired by"),
            "I": _symbol("ternary", ["", "", ""], "introduces", "does not introduce", "to"),
            "p": _symbol("proposition", [], "the lamp is on", "the lamp is not on"),
            "q": _symbol("proposition", [], "the door is open", "the door is not open"),
            "r": _symbol("proposition", [], "it is raining", "it is not raining"),
            "rex": _symbol("name", [""], "Rex"),
            "fay": _symbol("name", [""], "Fay"),
            "ida": _symbol("name", [""], "Ida"),
        },
    }
)
PLACES = Vocabulary.from_json(
    {
        "kind": "hand-written",
        "sorts": {"person": "person", "city": "city"},
        "symbols": {
            "B": _symbol("noun", ["person"], "baker", "bakers", "person"),
            "O": _symbol("adjective", ["city"], "old", "city"),
            "V": _symbol(
                "relation", ["person", "city"], "visits", "does not visit", "is visited by", "is not visited by"
            ),
            "rex": _symbol("name", ["person"], "Rex"),
            "ulm": _symbol("name", ["city"], "Ulm"),
        },
    }
)

# formula -> sentences that are among its forms
SPOKEN = {
    "~p": ["The lamp is not on.", "It is not the case that the lamp is on."],
    "p & q": ["The lamp is on and the door is open.", "Both the lamp is on and the door is open."],
    "p | q": ["The lamp is on or the door is open, or both.", "Either the lamp is on or the door is open."],
    "p & q & r": ["The lamp is on, the door is open, and it is raining."],
    "p -> q": [
        "If the lamp is on, then the door is open.",
        "The door is open if the lamp is on.",
        "The lamp is on only if the door is open.",
        "Whenever the lamp is on, the door is open.",
        "That the lamp is on implies that the door is open.",
    ],
    "p & q -> ~r": ["If the lamp is on and the door is open, then it is not raining."],
    "p <-> q": ["The lamp is on if and only if the door is open."],
    "~(p | q)": ["Neither the lamp is on nor the door is open."],
    "(p -> q) -> r": ["If it holds that the lamp is on only if the door is open, then it is raining."],
    "K(rex)": ["Rex is kind."],
    "~B(rex)": ["Rex is not a baker."],
    "~C(fay)": ["Fay does not play chess."],
    "L(rex, fay)": ["Rex likes Fay.", "Fay is liked by Rex."],
    "I(rex, fay, ida)": ["Rex introduces Fay to Ida."],
    "rex = fay": ["Rex is Fay.", "Rex is the same person as Fay."],
    "forall x: B(x) -> K(x)": [
        "Every baker is kind.",
        "All bakers are kind.",
        "Any baker is kind.",
        "Anyone who is a baker is kind.",
        "If someone is a baker, then that person is kind.",
    ],
    "forall x: A(x) -> ~B(x)": [
        "No actor is a baker.",
        "Not one actor is a baker.",
        "No one who is an actor is a baker.",
    ],
    "exists x: A(x) & ~C(x)": [
        "Some actor does not play chess.",
        "There is an actor who does not play chess.",
        "At least one actor does not play chess.",
    ],
    "forall x: C(x) -> K(x)": ["Every person who plays chess is kind.", "All people who play chess are kind."],
    "forall x: K(x)": ["Everyone is kind.", "All people are kind."],
    "forall x: ~K(x)": ["No one is kind."],
    "exists x: C(x)": ["Someone plays chess.", "There is a person who plays chess."],
    "~(exists x: B(x) & K(x))": ["There is no baker who is kind."],
    "~(forall x: B(x) -> K(x))": ["Not every baker is kind."],
    "forall x: B(x) <-> K(x)": ["A person is a baker if and only if that person is kind."],
    "forall x: L(x, rex) -> M(x, fay)": ["Everyone who likes Rex admires Fay."],
    "forall x: B(x) & L(x, rex) -> ~M(fay, x)": ["No baker who likes Rex is admired by Fay."],
    "forall x: forall y: L(x, y) -> M(y, x)": ["If a person X likes a person Y, then Y admires X."],
    "forall x: forall y: forall z: L(x, y) & L(y, z) -> L(x, z)": [
        "If a person X likes a person Y and Y likes a person Z, then X likes Z."
    ],
    "exists x: forall y: L(x, y)": ["There is a person X such that everyone is liked by X."],
}


@pytest.mark.parametrize("text", SPOKEN)
def test_common_shapes_are_said_as_people_say_them(text):
    formula = parse_formula(text)
    forms = [render_form(formula, PEOPLE, at) for at in range(num_forms(formula, PEOPLE))]
    for sentence in SPOKEN[text]:
        assert sentence in forms
        assert read(sentence, PEOPLE) == canonical_form(formula)


@pytest.mark.parametrize(
    ("sentence", "text"),
    [
        ("It is false that Rex is kind or Fay is kind.", None),
        ("If a person X likes Rex, then X is kind.", "forall x: L(x, rex) -> K(x)"),
        ("each person who plays chess and is kind likes Rex.", "forall x: C(x) & K(x) -> L(x, rex)"),
        ("For every person X and every person Y, X likes Y.", "forall x: forall y: L(x, y)"),
        ("For each person X, for each person Y, X likes Y.", "forall x: forall y: L(x, y)"),
        ("All three of these hold: the lamp is on; Rex is kind; and Rex is Fay.", "p & K(rex) & fay = rex"),
        ("If if the lamp is on, then the door is open, then it is raining.", "(p -> q) -> r"),
        ("If the lamp is on, then if the door is open, then it is raining.", "p -> (q -> r)"),
        ("Not both the lamp is on and the door is open.", "~(p & q)"),
        ("A contradiction holds.", "false"),
    ],
)
def test_other_accepted_sentences(sentence, text):
    if text is None:
        with pytest.raises(FormulaError):
            read(sentence, PEOPLE)
    else:
        assert read(sentence, PEOPLE) == canonical_form(parse_formula(text))


@pytest.mark.parametrize(
    ("sentence", "at", "says"),
    [
        ("Rex is kind", 12, "expected a period at the end"),
        ("Rex is kund.", 8, "Nearest known words: 'is kind'"),
        ("Zed is kind.", 1, "of this vocabulary"),
        ("Rex is kind or Fay is kind and Ida is kind.", 28, "the end of the sentence"),
        ("The lamp is on and the door is open or it is raining.", 37, "the end of the sentence"),
        ("If the lamp is on, the door is open.", 18, "expected \", then\""),
        ("If the lamp is on and the door is open or it is raining, then Rex is kind.", 40, "expected \", then\""),
        ("If the lamp is on, then the door is open if it is raining.", 42, "the end of the sentence"),
        ("It is not the case that the lamp is on and the door is open.", 40, "before this word"),
        ("Every baker is not kind.", 13, '"no ..." or "not every ..."'),
        ("All bakers are not actors.", 12, '"no ..." or "not every ..."'),
        ("No baker is not kind.", 10, "without a negation"),
        ("Some baker is kind if the lamp is on.", 20, "before this word"),
        ("If someone likes Rex, then that person is kind.", 12, "a variable"),
        ("X is kind.", 1, "has been introduced"),
        ("For every person X, for every person X, X is kind.", 38, "not in use"),
        ("There is a person X such that X likes a person Y.", 39, "a name or a variable"),
        ("Every baker likes.", 18, "a name, or a variable"),
        ("Rex is.", 7, "a name, or a variable"),
        ("Rex is the lamp is on.", 8, "a name, or a variable"),
        (".", 1, "a clause"),
        ("", 1, "a period at the end"),
        ("Rex is kind. Fay is kind.", 12, "of this vocabulary"),
        ("All three of these hold: the lamp is on; and Rex is kind.", 40, 'expected ";"'),
        ("Both Rex is kind or Fay is kind.", 18, 'expected "and"'),
    ],
)  # fmt: skip
def test_what_is_refused_and_where(sentence, at, says):
    with pytest.raises(FormulaError) as caught:
        read(sentence, PEOPLE)
    assert f"at character {at};" in str(caught.value), str(caught.value)
    assert says in str(caught.value), str(caught.value)


def test_a_refusal_names_the_nearest_accepted_form():
    with pytest.raises(FormulaError, match="Nearest accepted form: 'If A, then B.'"):
        read("If the lamp is on, the door is open.", PEOPLE)


@pytest.mark.parametrize(
    ("sentence", "says"),
    [
        ("Ulm visits Rex.", "expected something of the kind 'person'; got something of the kind 'city'"),
        ("Every city is a baker.", "expected something of the kind 'person'"),
        ("Rex is Ulm.", "of the kind"),
        ("Rex is the same city as Rex.", "expected something of the kind 'city'"),
        ("Every old city visits Ulm.", "expected something of the kind 'person'"),
    ],
)
def test_sorts_are_kept_apart(sentence, says):
    with pytest.raises(FormulaError, match=says):
        read(sentence, PLACES)


def test_sorts_have_their_nouns():
    formula = parse_formula("forall x in person: forall y in city: V(x, y) & O(y) -> B(x)")
    sentence = "If a person X visits a city Y and Y is old, then X is a baker."
    assert render(formula, PLACES, lambda num: 0) == sentence
    assert read(sentence, PLACES) == canonical_form(formula)
    assert format_formula(read("Every old city is visited by Rex.", PLACES)) == "forall x in city: O(x) -> V(rex, x)"


@pytest.mark.parametrize("text", ["Z(rex)", "B(rex, fay)", "B(zoe)", "forall x in city: B(x)"])
def test_what_the_vocabulary_does_not_have_cannot_be_said(text):
    with pytest.raises(FormulaError):
        render(parse_formula(text), PEOPLE, lambda num: 0)


def test_a_variable_of_another_sort_cannot_be_said():
    with pytest.raises(FormulaError, match="the variable x is of another sort"):
        render(parse_formula("forall x in city: B(x)"), PLACES, lambda num: 0)
    with pytest.raises(FormulaError, match="the constant ulm is of another sort"):
        render(Atom("B", ("ulm",)), PLACES, lambda num: 0)
