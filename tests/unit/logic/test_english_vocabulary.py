"""Vocabularies: words without end, none of which can be taken for another; files; nouns with articles and plurals."""

from __future__ import annotations

import json
import random

import pytest

from custodiet.errors import FormulaError, InputError, UsageError
from custodiet.logic.english import words
from custodiet.logic.english.lexicon import article, entry_of, plural
from custodiet.logic.english.nonce import NUM_SHORT, nonce_word
from custodiet.logic.english.signature import Signature, signature_of
from custodiet.logic.english.vocabulary import KINDS, Vocabulary, draw_vocabulary
from custodiet.logic.notation import parse_formula
from tests.english_formulas import RELATIONAL, SIGNATURES, UNSORTED

WIDE = Signature.make(
    {f"p{at}": () for at in range(64)}
    | {f"P{at}": ("",) for at in range(40)}
    | {f"R{at}": ("", "") for at in range(20)}
    | {f"T{at}": ("", "", "") for at in range(4)},
    {f"c{at}": "" for at in range(40)},
)
SORTED = Signature.make(
    {f"P{at}": ("person",) for at in range(20)}
    | {f"C{at}": ("city",) for at in range(20)}
    | {f"R{at}": ("person", "person") for at in range(16)}
    | {f"V{at}": ("person", "city") for at in range(12)}
    | {f"B{at}": ("book", "city") for at in range(12)}
    | {f"T{at}": ("person", "book", "city") for at in range(6)},
    {f"a{at}": ("person", "city", "book")[at % 3] for at in range(60)},
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("signature", [WIDE, SORTED, *SIGNATURES.values()])
@pytest.mark.parametrize("seed", range(3))
def test_no_phrase_of_a_drawn_vocabulary_can_be_taken_for_another(kind, signature, seed):
    vocabulary = draw_vocabulary(kind, signature, random.Random(seed).randrange)
    vocabulary.check()
    assert set(vocabulary.entries) == {
        *signature.predicates,
        *signature.constants,
        *(f"@{one}" for one in signature.sorts),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_every_word_of_the_lists_can_be_drawn_with_every_other(kind):
    """Signatures that exhaust the lists, so that every pair of words meets."""
    person = "person" if kind != "counterfactual" else "thing"
    sizes = {"neutral": (50, 44, 20), "counterfactual": (90, 44, 14), "nonce": (200, 200, 50)}[kind]
    signature = Signature.make(
        {f"P{at}": (person,) for at in range(sizes[0])}
        | {f"R{at}": (person, person) for at in range(sizes[1])}
        | {f"T{at}": (person,) * 3 for at in range(min(sizes[2], 14))},
        {f"a{at}": person for at in range(80)},
    )
    for seed in range(8):
        draw_vocabulary(kind, signature, random.Random(seed).randrange).check()


def test_a_seed_decides_the_vocabulary():
    for kind in KINDS:
        one, same, other = (draw_vocabulary(kind, UNSORTED, random.Random(seed).randrange) for seed in (1, 1, 2))
        assert one == same
        assert one != other


@pytest.mark.parametrize("kind", KINDS)
def test_a_vocabulary_survives_its_file(kind):
    vocabulary = draw_vocabulary(kind, RELATIONAL, random.Random(4).randrange)
    again = Vocabulary.from_json(json.loads(json.dumps(vocabulary.to_json())))
    assert again == vocabulary
    assert again.phrases == vocabulary.phrases
    assert again.glossary() == vocabulary.glossary()
    assert set(again.glossary()) == {*RELATIONAL.predicates, *RELATIONAL.constants}


def test_invented_words_are_all_different():
    seen: dict[str, tuple[str, int]] = {}
    for category, size in NUM_SHORT.items():
        for number in [*range(size + 3000), *range(size * 30, size * 30 + 500)]:
            word = nonce_word(category, number)
            assert seen.setdefault(word, (category, number)) == (category, number)
    known = {one for text in _all_listed() for one in text.lower().split()}
    assert not known & set(seen)
    assert not known & {plural(one) for one in seen}


def _all_listed() -> list[str]:
    singles = (words.NAMES, words.CITIES, words.BOOKS, words.PROFESSIONS, words.ADJECTIVES, words.QUALITIES)
    pairs = (words.ACTIVITIES, words.STATES, words.DEEDS, words.REGARDS, words.LINKS, words.GIVING, words.ABSURDITIES)
    return [
        *(one for text in (*singles, words.TYPES, words.CATEGORIES) for one in text),
        *(one for text in pairs for pair in text for one in pair),
    ]


def test_invented_words_never_run_out():
    signature = Signature.make({f"p{at}": () for at in range(3000)} | {f"P{at}": ("",) for at in range(3000)})
    vocabulary = draw_vocabulary("nonce", signature, random.Random(1).randrange)
    assert len({one.forms[0] for one in vocabulary.entries.values()}) == 6001
    with pytest.raises(UsageError, match="Use the vocabulary nonce"):
        draw_vocabulary("counterfactual", signature, random.Random(1).randrange)


def test_neutral_propositions_last_as_long_as_their_lists():
    total = len(words.STATES) + len(words.PROFESSIONS)
    for seed in range(3):
        signature = Signature.make({f"p{at}": () for at in range(total)})
        vocabulary = draw_vocabulary("neutral", signature, random.Random(seed).randrange)
        vocabulary.check()
        assert len(set(vocabulary.glossary().values())) == total
    with pytest.raises(UsageError):
        draw_vocabulary(
            "neutral", Signature.make({f"p{at}": () for at in range(total + 1)}), random.Random(1).randrange
        )


def test_the_lists_repeat_nothing():
    for one in (
        words.NAMES, words.CITIES, words.BOOKS, words.PROFESSIONS, words.ADJECTIVES, words.QUALITIES, words.TYPES,
        words.CATEGORIES, words.ACTIVITIES, words.STATES, words.DEEDS, words.REGARDS, words.LINKS, words.GIVING,
    ):  # fmt: skip
        assert len(set(one)) == len(one)
    assert len({subject for subject, _ in words.STATES}) == len(words.STATES)
    subjects = [subject for subject, _ in words.ABSURDITIES]
    assert subjects[::2] == subjects[1::2]
    assert len(set(subjects)) * 2 == len(subjects) >= 128


def test_the_lists_hold_no_connective():
    """Since "both lightning is silent and dark and ..." would be hard to read."""
    grammatical = {"and", "or", "if", "not", "both", "either", "neither", "nor", "every", "only", "whenever", "no"}
    assert not [one for one in _all_listed() if grammatical & set(one.lower().split())]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("wumpus", "a wumpus"), ("apple", "an apple"), ("hour", "an hour"), ("honest person", "an honest person"),
        ("horse", "a horse"), ("unicorn", "a unicorn"), ("umbrella", "an umbrella"), ("usual city", "a usual city"),
        ("useful thing", "a useful thing"), ("unusual thing", "an unusual thing"), ("unimportant thing", "an unimportant thing"),
        ("uninspired book", "an uninspired book"), ("one-eyed cat", "a one-eyed cat"), ("European city", "a European city"),
        ("Zorvath", "a Zorvath"), ("ugly thing", "an ugly thing"), ("yak", "a yak"), ("iceberg", "an iceberg"),
    ],
)  # fmt: skip
def test_a_or_an(word, expected):
    assert article(word) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("wumpus", "wumpuses"), ("baker", "bakers"), ("city", "cities"), ("day", "days"), ("fox", "foxes"),
        ("watch", "watches"), ("person", "people"), ("wolf", "wolves"), ("kind person", "kind people"), ("potato", "potatoes"),
        ("tomato", "tomatoes"), ("violin", "violins"), ("mouse", "mice"), ("craftsman", "craftsmen"), ("piano", "pianos"),
        ("volcano", "volcanoes"), ("torpedo", "torpedoes"),
    ],
)  # fmt: skip
def test_plurals(word, expected):
    assert plural(word) == expected


def _one(category: str, words: str, *sorts: str) -> dict:
    return {"category": category, "words": words.split("; "), "sorts": list(sorts)}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"L": _one("noun", "dog; dogs; person", "", "")}, "2 arguments"),
        ({"a": _one("name", "Rex", ""), "b": _one("name", "Rex", "")}, "two symbols"),
        ({"a": _one("name", "both", "")}, "cannot stand"),
        ({"a": _one("name", "Rex  Rex", "")}, "cannot stand"),
        ({"a": _one("name", "X", "")}, "cannot stand"),
        ({"a": _one("name", "St. Ives", "")}, "cannot stand"),
        (
            {"P": _one("verb", "play; plays; person", ""), "Q": _one("verb", "play go; plays go; person", "")},
            "begins with",
        ),
        ({"P": _one("color", "red", "")}, "unknown category"),
        ({"P": _one("noun", "dog", "")}, "wrong number of words"),
        ({"P": {"category": "noun"}}, "cannot be used"),
    ],
)
def test_a_vocabulary_with_two_readings_is_refused(change, says):
    good = draw_vocabulary("neutral", UNSORTED, random.Random(1).randrange).to_json()
    with pytest.raises(InputError, match=says):
        Vocabulary.from_json({**good, "symbols": {**good["symbols"], **change}})


def test_a_vocabulary_without_its_sorts_is_refused():
    good = draw_vocabulary("neutral", UNSORTED, random.Random(1).randrange).to_json()
    with pytest.raises(InputError, match="sort without a noun"):
        Vocabulary.from_json({**good, "sorts": {}})


def test_unknown_kinds_are_refused():
    with pytest.raises(UsageError, match="nonce, neutral, counterfactual"):
        draw_vocabulary("klingon", UNSORTED, random.Random(1).randrange)
    with pytest.raises(UsageError):
        nonce_word("preposition", 1)


def test_the_signature_of_formulas():
    formulas = [
        parse_formula("forall x in person: forall y in city: V(x, y) -> P(x)"), parse_formula("V(a, c) & q"),
        parse_formula("c = d | B(e)"),
    ]  # fmt: skip
    signature = signature_of(formulas)
    assert signature.predicates == {"V": ("person", "city"), "P": ("person",), "q": (), "B": ("",)}
    assert signature.constants == {"a": "person", "c": "city", "d": "city", "e": ""}
    assert signature is signature_of(formulas)
    assert signature_of([parse_formula("p & q")]).sorts == ()
    with pytest.raises(FormulaError, match="two sorts"):
        signature_of([parse_formula("(forall x in person: P(x)) & (forall x in city: P(x))")])
    with pytest.raises(FormulaError, match="two numbers of arguments"):
        signature_of([parse_formula("P(a)"), parse_formula("P(a, b)")])


def test_signatures_that_cannot_be_said():
    for predicates, constants in (({"F": ("",) * 4}, {}), ({"a": ()}, {"a": ""}), ({"P": ("",)}, {"x": ""})):
        with pytest.raises(FormulaError):
            Signature.make(predicates, constants)


def test_an_entry_is_decided_by_its_words():
    assert entry_of("noun", "actor", "actors", "person").forms[4] == "an actor"
    assert entry_of("verb", "play chess", "plays chess", "person").forms[1] == "does not play chess"
