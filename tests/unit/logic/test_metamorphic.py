"""Variants: the label again by the engines, the text again by the reader, and what each kind may change."""

import json

import pytest

from custodiet.errors import CustodietError, InputError, UsageError
from custodiet.logic.canonical import skeleton
from custodiet.logic.engines.decide import certify
from custodiet.logic.english.canonical import canonical_form
from custodiet.logic.english.reading import read
from custodiet.logic.english.vocabulary import Vocabulary
from custodiet.logic.formulas import constants_of, predicates_of
from custodiet.logic.generate.config import GenerateConfig
from custodiet.logic.generate.rows import problem_rows
from custodiet.logic.metamorphic import METAMORPHIC_KINDS, make_variant, make_variants
from custodiet.logic.notation import parse_formula

CONFIGS = {
    (logic, language, vocabulary): GenerateConfig(
        num=6, seed=3, logics=(logic,), language=language, vocabulary=vocabulary, depth=(2, 3), premises=(8, 10)
    )
    for logic in ("propositional", "monadic", "relational")
    for language, vocabulary in (("logic", "nonce"), ("english", "nonce"), ("english", "neutral"))
}


def items_of(key):
    return [json.loads(row.text) for row in problem_rows(CONFIGS[key], 0)]


def formulas(item):
    return [parse_formula(one["formula"]) for one in item["premises"]], parse_formula(item["goal"]["formula"])


def names(some):
    return {name for one in some for name in (*predicates_of(one), *constants_of(one))}


@pytest.mark.parametrize("key", CONFIGS, ids="-".join)
def test_every_variant_has_the_label_and_reads_back(key):
    for item in items_of(key):
        variants = make_variants(item, seed=5)
        assert set(variants) == set(METAMORPHIC_KINDS)
        for kind, one in variants.items():
            if one is None:
                assert kind == "contraposition"
                continue
            premises, goal = formulas(one)
            vocabulary = Vocabulary.from_json(one["vocabulary"]) if one["vocabulary"] else None
            constants = dict(vocabulary.signature.constants) if vocabulary and key[0] != "propositional" else None
            assert certify(item["logic"], premises, goal, constants=constants).label == item["label"] == one["label"]
            assert one["id"] == f"{item['id']}/{kind}"
            assert "proof" not in one and "counter_models" not in one
            for place, told in enumerate(one["premises"], start=1):
                assert f"\n{place}. {told['text']}\n" in one["prompt"]
                if vocabulary:
                    assert read(told["text"], vocabulary) == canonical_form(parse_formula(told["formula"]))
            assert f"Conclusion: {one['goal']['text']}\n" in one["prompt"]
            assert one["prompt"].endswith("contradicted or unknown.")
        assert make_variants(item, seed=5) == variants
        assert make_variants(item, seed=6) != variants


@pytest.mark.parametrize("key", CONFIGS, ids="-".join)
def test_each_kind_changes_what_it_says(key):
    item = items_of(key)[0]
    premises, goal = formulas(item)
    made = {kind: one for kind, one in make_variants(item, seed=1).items() if one}
    renamed, renamed_goal = formulas(made["renaming"])
    assert skeleton(renamed, renamed_goal) == skeleton(premises, goal)
    old, new = ({one["text"] for one in some["premises"]} for some in (item, made["renaming"]))
    assert not old & new
    if key[1] == "logic":
        assert not names(renamed) & names(premises)
    moved, _ = formulas(made["premise-order"])
    assert moved != premises and sorted(moved) == sorted(premises)
    doubled, _ = formulas(made["double-negation"])
    changed = [(a, b) for a, b in zip(premises, doubled, strict=True) if a != b]
    assert len(changed) == 1 and changed[0][1][0] == "not" and changed[0][1][1][1] == changed[0][0]
    more, _ = formulas(made["irrelevant-premise"])
    extra = [one for one in more if one not in premises]
    assert len(more) == len(premises) + 1 and len(extra) == 1
    assert not names(extra) & names([*premises, goal])
    kept = [one["text"] for one in item["premises"]]
    assert [one["text"] for one in made["irrelevant-premise"]["premises"] if one["text"] in kept] == kept
    other = made["language"]
    assert (other["language"] == "english") is (key[1] == "logic")
    assert formulas(other) == (premises, goal)
    if "contraposition" in made:
        turned, _ = formulas(made["contraposition"])
        pairs = [(a, b) for a, b in zip(premises, turned, strict=True) if a != b]
        assert len(pairs) == 1


def test_a_wrong_label_is_found_out():
    item = {**items_of(("propositional", "logic", "nonce"))[0]}
    item["label"] = {"entailed": "unknown", "contradicted": "unknown", "unknown": "entailed"}[item["label"]]
    with pytest.raises(CustodietError, match="the item is said to be"):
        make_variant(item, "premise-order", seed=0)


def test_a_prompt_of_another_making_has_no_variants():
    item = items_of(("propositional", "logic", "nonce"))[0]
    assert make_variant({**item, "prompt": "Is it so?"}, "premise-order", seed=0) is None
    assert make_variant({**item, "prompt": item["prompt"] + "\n" + item["prompt"]}, "renaming", seed=0) is None
    with pytest.raises(UsageError, match="no such kind"):
        make_variant(item, "translation", seed=0)
    with pytest.raises(InputError, match="not an item"):
        make_variant({"prompt": "x"}, "renaming", seed=0)


CLOSED = {
    (logic, language): GenerateConfig(
        num=6, seed=3, logics=(logic,), language=language, depth=(1, 3), existential_import=given
    )
    for logic, given in (("syllogistic", True), ("datalog", False))
    for language in ("logic", "english")
}


@pytest.mark.parametrize("key", CLOSED, ids="-".join)
def test_kinds_that_have_members_and_a_closed_world_stay_so(key):
    logic, language = key
    for row in problem_rows(CLOSED[key], 0):
        item = json.loads(row.text)
        made = {kind: one for kind, one in make_variants(item, seed=2).items() if one}
        assert {"renaming", "premise-order", "irrelevant-premise", "language"} == set(made)
        for kind, one in made.items():
            premises, goal = formulas(one)
            implicit = [parse_formula(said["formula"]) for said in one.get("implicit_premises", ())]
            assert certify(logic, [*premises, *implicit], goal, models=False).label == item["label"]
            there = names([*premises, goal])
            assert (names(implicit) == {name for name in there if name[0].isupper()}) is (logic == "syllogistic")
            vocabulary = Vocabulary.from_json(one["vocabulary"]) if one["vocabulary"] else None
            for said in one.get("implicit_premises", ()) if vocabulary else ():
                assert read(said["text"], vocabulary) == canonical_form(parse_formula(said["formula"]))
            assert ("~ is not" in one["prompt"]) is ((language == "logic") is not (kind == "language"))
            told = "has at least one member" if logic == "syllogistic" else "What does not follow"
            assert told in one["prompt"]


def test_another_language_says_how_to_read_it():
    for key in CONFIGS:
        item = items_of(key)[0]
        other = make_variant(item, "language", seed=1)
        assert ("~ is not" in item["prompt"], "~ is not" in other["prompt"]) == (key[1] == "logic", key[1] != "logic")
        assert ("not what you know of the world" in other["prompt"]) is (key[1] == "logic")
