"""Prompts with fixed wordings, and what knights and knaves say."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custodiet.errors import FormulaError, UsageError
from custodiet.logic.english.canonical import canonical_form
from custodiet.logic.english.knights import claim_premise, read_claim, render_claim
from custodiet.logic.english.prompts import LABELS, NOTES, entailment_prompt, note, numbered
from custodiet.logic.notation import parse_formula
from tests.english_formulas import all_formulas

NAMES = {"fay": "Fay", "rex": "Rex", "ida": "Ida"}
KNIGHTS = [parse_formula(f"Knight({one})") for one in NAMES]
CLAIMS = [
    *all_formulas(KNIGHTS, 2),
    *(parse_formula(one) for one in ("false", "Knight(fay) & Knight(rex) & ~Knight(ida)")),
]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(CLAIMS), st.sampled_from(sorted(NAMES)), st.integers(0, 999))
def test_claims_are_read_back(claim, speaker, seed):
    said = render_claim(speaker, claim, NAMES, random.Random(seed).randrange)
    assert read_claim(said, NAMES) == (speaker, canonical_form(claim))


def test_claims_sound_like_claims():
    claim = parse_formula("~Knight(rex) & Knight(fay)")
    assert render_claim("fay", claim, NAMES, lambda num: 0) == 'Fay says: "Rex is a knave and I am a knight."'
    assert render_claim("ida", claim, NAMES, lambda num: 0) == 'Ida says: "Rex is a knave and Fay is a knight."'
    assert read_claim('Rex claims: "I am a knave."', NAMES) == ("rex", parse_formula("~Knight(rex)"))
    assert claim_premise("fay", claim) == parse_formula("Knight(fay) <-> ~Knight(rex) & Knight(fay)")


@pytest.mark.parametrize(
    "text",
    [
        "Fay says: Rex is a knave.", 'Zed says: "Rex is a knave."', 'Fay says: "Zed is a knave."', 'Fay says: "Rex is a wizard."',
        'Fay says: "Fay is a knave."', 'Fay shouts: "Rex is a knave."', 'Fay says: "Rex is a knave." Really.',
    ],
)  # fmt: skip
def test_other_claims_are_refused(text):
    with pytest.raises(FormulaError):
        read_claim(text, NAMES)


def test_what_cannot_be_claimed():
    for text in ("Spy(fay)", "forall x: Knight(x)", "fay = rex", "Knight(zed)"):
        with pytest.raises(FormulaError):
            render_claim("fay", parse_formula(text), NAMES, lambda num: 0)
    with pytest.raises(FormulaError, match="not on the island"):
        render_claim("zed", KNIGHTS[0], NAMES, lambda num: 0)


def test_a_prompt_holds_its_parts_and_names_its_answers():
    premises, goal = ["Rex is kind.", "Every kind person plays chess."], "Rex plays chess."
    seen = set()
    for seed in range(60):
        question = entailment_prompt(
            premises, goal, random.Random(seed).randrange, notes=["inclusive or", "existential import", "closed world"]
        )
        seen.add(question.text)
        assert tuple(question.words) == LABELS
        assert numbered(premises) in question.text
        assert goal in question.text
        for about in ("inclusive or", "existential import", "closed world"):
            assert any(one in question.text for one in NOTES[about])
        for word in question.choices:
            assert f'"{word}"' in question.text
        assert len(set(question.choices)) == 3
    assert len(seen) > 40


def test_a_prompt_without_notes_starts_with_its_premises():
    text = entailment_prompt(["p", "p -> q"], "q", lambda num: 0, notes=()).text
    assert text.startswith("Premises:\n1. p\n2. p -> q\n\nStatement: q\n\n")


def test_notes_have_several_wordings_and_others_are_refused():
    for about, wordings in NOTES.items():
        assert len(wordings) == len(set(wordings)) >= 3
        assert note(about, lambda num: num - 1) == wordings[-1]
    with pytest.raises(UsageError, match="inclusive or"):
        note("exclusive or", lambda num: 0)
