"""Rows of other makers are read into claims, and the engines say which of them are right."""

import json

import pytest

from custodiet.errors import CorpusError, FormulaError, MissingExtraError, UsageError
from custodiet.logic.engines.decide import certify
from custodiet.logic.foreign.claims import Claim, Unreadable
from custodiet.logic.foreign.logicinference import LOGICINFERENCE
from custodiet.logic.foreign.logicinference_english import AmbiguousEnglishError, read_english
from custodiet.logic.foreign.own import OWN
from custodiet.logic.foreign.prontoqa import PRONTOQA
from custodiet.logic.foreign.reasoning_gym import REASONING_GYM
from custodiet.logic.generate.config import GenerateConfig
from custodiet.logic.generate.rows import problem_rows
from custodiet.logic.label_audit import (
    FORMATS,
    audit_labels,
    audit_labels_of_file,
    audit_reasoning_gym,
    detect_format,
    judge_claim,
)
from custodiet.logic.notation import format_formula, parse_formula
from custodiet.logic.tables import open_rows
from tests.unit.logic import foreign_rows


def only(form, row):
    (found,) = form.read("here", row)
    return found


@pytest.mark.parametrize(("asked", "answered", "says", "outcome"), foreign_rows.LOGICINFERENCE)
@pytest.mark.parametrize("columns", [("inputs", "targets"), ("INSTRUCTION", "RESPONSE")])
def test_logicinference(asked, answered, says, outcome, columns):
    row = dict(zip(columns, (asked, answered), strict=True))
    assert LOGICINFERENCE.fits(row)
    claim = only(LOGICINFERENCE, row)
    assert isinstance(claim, Claim) and claim.says == says
    assert judge_claim(claim)[0] == outcome


def test_logicinference_formulas_are_read_as_they_stand():
    claim = only(LOGICINFERENCE, dict(zip(("inputs", "targets"), foreign_rows.LOGICINFERENCE[0][:2], strict=True)))
    assert [format_formula(one) for one in claim.premises] == ["forall x1: P(x1) -> Q(x1)", "P(a)"]
    assert format_formula(claim.goal) == "Q(a)" and claim.logic == "monadic" and claim.kind == "3a"
    steps = only(LOGICINFERENCE, dict(zip(("inputs", "targets"), foreign_rows.LOGICINFERENCE[9][:2], strict=True)))
    assert format_formula(steps.goal) == "p & q & r" and steps.kind == "2a"


@pytest.mark.parametrize(("asked", "answered", "why"), foreign_rows.LOGICINFERENCE_UNREADABLE)
def test_what_logicinference_rows_are_counted_apart(asked, answered, why):
    found = only(LOGICINFERENCE, {"inputs": asked, "targets": answered})
    assert isinstance(found, Unreadable) and why in found.why


@pytest.mark.parametrize(("asked", "answered", "says", "outcome", "kind"), foreign_rows.LOGICINFERENCE_ENGLISH)
def test_logicinference_in_english(asked, answered, says, outcome, kind):
    row = {"inputs": asked, "targets": answered}
    assert LOGICINFERENCE.fits(row)
    claim = only(LOGICINFERENCE, row)
    assert isinstance(claim, Claim), claim
    assert (claim.kind, claim.says, judge_claim(claim)[0]) == (kind, says, outcome)


@pytest.mark.parametrize(
    ("sentence", "formula"),
    [
        ("Mary writes a letter.", "P_does_writ_a_letter(n_mary)"),
        ("Mary is writing a letter.", "P_does_writ_a_letter(n_mary)"),
        ("Mary will not write a letter.", "~P_does_writ_a_letter(n_mary)"),
        ("Mary doesn't write a letter.", "~P_does_writ_a_letter(n_mary)"),
        ("It will not be cloudy.", "~P_is_cloudy(n_it)"),
        ("It doesn't rain.", "~P_does_rain(n_it)"),
        ("For all z, z is an artist and z is not happy.", "forall z: P_is_an_artist(z) & ~P_is_happy(z)"),
        ("If it rains, then it is late or it is cold.", "P_does_rain(n_it) -> P_is_late(n_it) | P_is_cold(n_it)"),
        ("It is late and it is cold and it is windy.", "P_is_late(n_it) & P_is_cold(n_it) & P_is_windy(n_it)"),
    ],
)
def test_sentences_of_logicinference(sentence, formula):
    said, meant = read_english(sentence), parse_formula(formula)
    assert certify("monadic", [said], meant, models=False).label == "entailed"
    assert certify("monadic", [meant], said, models=False).label == "entailed"


@pytest.mark.parametrize(
    "sentence",
    [
        "It is late or it is cold and it is windy.",
        "If it rains, then it is late and it is cold.",
        "For all x, x is a poet or it is late and x is rich.",
    ],
)
def test_sentences_of_several_meanings_are_told(sentence):
    with pytest.raises(AmbiguousEnglishError):
        read_english(sentence)


@pytest.mark.parametrize(
    "sentence", ["", "x is a poet.", "Rain.", "If it rains, it is late.", "James thinks that it is late.", "It"]
)
def test_what_is_no_sentence_of_logicinference(sentence):
    with pytest.raises(FormulaError, match="cannot read the sentence"):
        read_english(sentence)


def test_a_sentence_of_very_many_clauses_is_refused_at_once():
    with pytest.raises(FormulaError, match="too many clauses"):
        read_english("It is late or " * 2000 + "it is cold.")


_ROLES = [
    ("knight", "a"),
    ("pioneer", "a"),
    ("saint", "a"),
    ("hero", "a"),
    ("angel", "an"),
    ("altruist", "an"),
    ("sage", "a"),
]
_LIARS = [
    ("knave", "a"),
    ("laggard", "a"),
    ("sinner", "a"),
    ("villain", "a"),
    ("devil", "a"),
    ("egoist", "an"),
    ("fool", "a"),
]
_SAYINGS = [
    "{0} said that {1}.", "{0} told you that {1}.", '{0} said, "{1}."', '{0} stated, "{1}".', 'According to {0}, "{1}".',
    'In {0}\'s words: "{1}".', '{0} remarked, "{1}".', '"{1}," {0} declared.', '{0} was heard saying, "{1}".',
    "{0} expressed that {1}.", '"{1}" - {0}.', 'As {0} put it, "{1}".', '{0} asserted: "{1}".', '"{1}," {0} mentioned.',
    '{0} commented, "{1}".', 'In a statement by {0}: "{1}".', '{0} noted, "{1}".', '"{1}," {0} claimed.',
]  # fmt: skip


@pytest.mark.parametrize("saying", _SAYINGS)
@pytest.mark.parametrize("place", range(len(_ROLES)))
def test_every_pair_of_roles_and_every_way_of_saying_is_read(place, saying):
    (good, a_good), (bad, a_bad) = _ROLES[place], _LIARS[place]
    one = saying.format("Nora", f"If Otto is not {a_bad} {bad} then Nora is {a_good} {good}")
    two = saying.format("Otto", f"Nora is {a_good} {good} and Otto is not {a_bad} {bad}")
    question = (
        f"A very special island is inhabited only by {good}s and {bad}s. {good.capitalize()}s always tell the truth, and {bad}s "
        f"always lie. You meet 2 inhabitants: Nora, and Otto. {one} {two} So who is {a_good} {good} and who is {a_bad} {bad}?"
    )
    right = f"Nora is {a_good} {good}, and Otto is {a_good} {good}."
    claim = only(REASONING_GYM, {"question": question, "answer": right})
    assert [format_formula(one) for one in claim.premises] == [
        "T_Nora <-> (T_Otto -> T_Nora)", "T_Otto <-> T_Nora & T_Otto",
    ]  # fmt: skip
    verdict = certify("propositional", claim.premises, claim.goal, models=False).label
    assert judge_claim(claim)[0] == ("right" if verdict == "entailed" else "wrong")


def test_prontoqa():
    outcomes = {}
    for name, row in foreign_rows.PRONTOQA.items():
        assert PRONTOQA.fits(row)
        outcomes |= {claim.place: judge_claim(claim)[0] for claim in PRONTOQA.read(name, row)}
    assert outcomes == {
        "example1, in_context_example0": "right",
        "example1, test_example": "right",
        "example2, test_example": "right",
        "example3, test_example": "wrong",
    }
    passed_on = only(PRONTOQA, foreign_rows.PRONTOQA_PASSED_ON)
    assert passed_on.says == "contradicted" and judge_claim(passed_on)[0] == "right"
    opposite = only(PRONTOQA, {**foreign_rows.PRONTOQA_PASSED_ON, "answer": "A"})
    assert judge_claim(opposite)[:2] == ("wrong", "contradicted")


@pytest.mark.parametrize(
    ("sentence", "formula"),
    [
        ("Every painted lady is a butterfly.", "forall x: P_painted_lady(x) -> P_butterfly(x)"),
        ("Butterflies are not painted ladies.", "forall x: P_butterfly(x) -> ~P_painted_lady(x)"),
        ("Each red wumpus is luminous.", "forall x: P_red(x) & P_wumpus(x) -> P_luminous(x)"),
        ("No snakes are cows.", "forall x: P_snake(x) -> ~P_cow(x)"),
        ("Everything that is a cat or a dog is not shy.", "forall x: P_cat(x) | P_dog(x) -> ~P_shy(x)"),
        ("Alex is a wumpus, red, and a dumpus.", "P_wumpus(n_alex) & P_red(n_alex) & P_dumpus(n_alex)"),
        ("Alex is not a wumpus or a dumpus.", "~(P_wumpus(n_alex) | P_dumpus(n_alex))"),
        ("Alex is a wumpus or Stella is sour.", "P_wumpus(n_alex) | P_sour(n_stella)"),
        ("Alex is a cat, Alex is not red, and Alex is shy.", "P_cat(n_alex) & ~P_red(n_alex) & P_shy(n_alex)"),
    ],
)
def test_sentences_of_prontoqa(sentence, formula):
    row = {"question": sentence, "query": "True or false: Max is shy.", "answer": "True"}
    assert only(PRONTOQA, row).premises == (parse_formula(formula),)


@pytest.mark.parametrize(
    "sentence", ["Cats sleep.", "Rex likes cats.", "Rex is a cat and a dog or a cow.", "Is a cat."]
)
def test_other_sentences_are_counted_apart(sentence):
    row = {"question": sentence, "query": "True or false: Max is shy.", "answer": "True"}
    assert only(PRONTOQA, row) == Unreadable("here", "a sentence of another form")


@pytest.mark.parametrize(("question", "answer", "example", "says", "outcome"), foreign_rows.REASONING_GYM)
def test_reasoning_gym(question, answer, example, says, outcome):
    row = {"question": question, "answer": answer, "metadata": {"example_answer": example}}
    assert REASONING_GYM.fits(row)
    claim = only(REASONING_GYM, row)
    assert isinstance(claim, Claim) and claim.says == says
    assert judge_claim(claim)[0] == outcome


def test_what_islanders_say():
    question = foreign_rows.REASONING_GYM[-1][0].replace("Jack is a sage and (", "Jack is a sage if and only if (")
    claim = only(REASONING_GYM, {"question": question, "answer": "Mia is a fool, Jack is a sage, and Ella is a fool."})
    assert [format_formula(one) for one in claim.premises] == [
        "T_Mia <-> ~(T_Jack & T_Ella)",
        "T_Jack <-> ~T_Mia | ~T_Ella",
        "T_Ella <-> (T_Jack <-> ~T_Mia | T_Jack)",
    ]
    assert format_formula(claim.goal) == "~T_Mia & T_Jack & ~T_Ella"


def test_the_only_solution_of_an_island_is_right():
    question = foreign_rows.REASONING_GYM[-1][0]
    claim = only(REASONING_GYM, {"question": question, "answer": "Mia is a fool, Jack is a sage, and Ella is a sage."})
    assert judge_claim(claim)[0] == "right"


@pytest.mark.parametrize(("question", "answer", "example", "why"), foreign_rows.REASONING_GYM_UNREADABLE)
def test_what_reasoning_gym_rows_are_counted_apart(question, answer, example, why):
    found = only(REASONING_GYM, {"question": question, "answer": answer, "metadata": {"example_answer": example}})
    assert isinstance(found, Unreadable) and why in found.why


OWN_ROWS = [
    {"id": "a", "premises": [{"formula": "p -> q", "text": ""}, {"formula": "p", "text": ""}],
     "goal": {"formula": "q", "text": ""}, "label": "entailed", "task": "entailment", "logic": "propositional"},
    {"premises": ["forall x: P(x) -> Q(x)", "P(a)"], "goal": "~Q(a)", "label": "contradicted"},
    {"premises": ["forall x: forall y: R(x, y) -> R(y, x)", "R(a, b)"], "goal": "R(b, c)", "label": "entailed"},
    {"premises": ["P(a)", "forall x: P(x) & ~Q(x) -> R(x)"], "goal": "R(a)", "label": "entailed", "logic": "datalog"},
    {"premises": ["P(a)", "forall x: P(x) & ~Q(x) -> R(x)"], "goal": "R(a)", "label": "unknown", "logic": "monadic"},
    {"premises": ["p", "~p"], "goal": "q", "label": "unknown"},
    {"premises": ["p"], "goal": "q", "label": "unknown", "task": "bad-step"},
    {"premises": ["p q"], "goal": "q", "label": "unknown"},
    {"premises": ["forall x: exists y: R(x, y)"], "goal": "q", "label": "unknown"},
    {"premises": ["p"], "goal": "q", "label": "maybe"},
]  # fmt: skip


def test_own_items_and_the_whole_record(tmp_path):
    path = tmp_path / "own.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in OWN_ROWS) + "broken\n")
    kept = []
    record = audit_labels_of_file(path, on_error=kept.append)
    assert record.format == "custodiet" and record.detected and record.num_rows == len(OWN_ROWS)
    assert record.num_claims == 6 and record.num_errors == 2 == len(kept)
    assert [(one.place, one.outcome, one.verdict) for one in record.errors] == [
        ("line 3", "wrong", "unknown"),
        ("line 6", "inconsistent premises", "inconsistent"),
    ]
    assert record.label_errors.value == pytest.approx(1 / 6) and record.label_errors.num == 6
    assert record.label_errors.low < 1 / 6 < record.label_errors.high
    assert record.unreadable == {
        "task bad-step: its answer is no label": 1,
        "a formula that cannot be read": 1,
        "formulas that are not relational": 1,
        "no premises, goal and label (entailed, contradicted, unknown)": 1,
        "line is not JSON": 1,
    }
    assert record.engines["clingo"] == 1 and sum(record.engines.values()) == 12
    first = audit_labels_of_file(path, format_name="custodiet", limit=2)
    assert first.num_claims == first.num_rows == 2 and not first.detected


def test_no_error_has_a_one_sided_bound():
    claim = Claim(place="x", kind="k", says="entailed", premises=(parse_formula("p"),), goal=parse_formula("p"),
                  logic="propositional")  # fmt: skip
    record = audit_labels([claim] * 300)
    assert record.label_errors.value == 0 and record.label_errors.high == pytest.approx(3 / 300, rel=0.01)
    assert "one-sided" in record.label_errors.why


def test_formats_are_told_apart(tmp_path):
    rows = {
        "custodiet": OWN_ROWS[0],
        "logicinference": dict(zip(("inputs", "targets"), foreign_rows.LOGICINFERENCE[0][:2], strict=True)),
        "prontoqa": foreign_rows.PRONTOQA["example1"],
        "reasoning-gym": {"question": foreign_rows.REASONING_GYM[0][0], "answer": "", "metadata": {}},
    }
    assert set(rows) == set(FORMATS)
    for name, row in rows.items():
        path = tmp_path / f"{name}.jsonl"
        path.write_text(json.dumps(row) + "\n")
        assert detect_format(open_rows(path)).name == name
        assert [one for one in FORMATS.values() if one.fits(row)] == [FORMATS[name]]
    other = tmp_path / "other.jsonl"
    other.write_text('{"a": 1, "question": "Why?"}\n')
    with pytest.raises(CorpusError, match="no known format.*'a'"):
        audit_labels_of_file(other)
    with pytest.raises(CorpusError, match="no label of .* can be decided"):
        audit_labels_of_file(other, format_name="prontoqa")
    with pytest.raises(UsageError, match="no such format"):
        audit_labels_of_file(other, format_name="csv")


def test_an_object_of_examples_is_read(tmp_path):
    path = tmp_path / "prontoqa.json"
    path.write_text(json.dumps(foreign_rows.PRONTOQA))
    record = audit_labels_of_file(path)
    assert (
        record.num_claims == 4
        and record.num_rows == 3
        and [one.place for one in record.errors] == ["example3, test_example"]
    )


def test_own_reader_says_why():
    assert isinstance(only(OWN, {"label": "entailed"}), Unreadable)


def test_without_reasoning_gym_it_is_said(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "reasoning_gym", None)
    with pytest.raises(MissingExtraError, match="pip install reasoning-gym"):
        audit_reasoning_gym(10)


def test_sentences_that_say_something_else_than_their_formulas_are_counted(tmp_path):
    config = GenerateConfig(num=6, seed=1, logics=("monadic",), language="english", depth=(1, 2))
    rows = [json.loads(one.text) for one in problem_rows(config, 0)]
    rows[0]["premises"][0]["text"] = rows[0]["premises"][1]["text"]
    rows[1]["goal"]["text"] = "What is said here is no sentence."
    rows[2]["vocabulary"] = {"kind": "neutral"}
    path = tmp_path / "items.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    record = audit_labels_of_file(path)
    assert record.num_claims == 3 and record.label_errors.value == 0.0
    assert record.unreadable == {
        "a sentence that says something else than its formula": 1,
        "a sentence that cannot be read": 1,
        "a vocabulary that cannot be read": 1,
    }
