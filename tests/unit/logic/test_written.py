"""Written answers: gold ones and other forms of them are right, damaged ones wrong, and what cannot be read counted apart."""

import json
from dataclasses import replace
from itertools import product

import pytest

from custodiet.errors import FormulaError, InputError, UsageError
from custodiet.logic.checking import CheckTally, check_items
from custodiet.logic.english.rendering import num_forms, render_form
from custodiet.logic.english.vocabulary import Vocabulary
from custodiet.logic.evaluation import ask_by_text, read_items
from custodiet.logic.formulas import (
    And,
    Atom,
    Exists,
    ForAll,
    Formula,
    Iff,
    Implies,
    Not,
    Or,
    is_literal,
    predicates_of,
    subformulas,
)
from custodiet.logic.generate.config import MATRIX, GenerateConfig
from custodiet.logic.generate.stream import generate_rows
from custodiet.logic.notation import format_formula, parse_formula
from custodiet.logic.semantics import Model
from custodiet.logic.written import judge_written

PAIRS = [(task, logic) for task in ("formalize", "verbalize", "counter-model") for logic in MATRIX[task]]


def rows_of(task, logic, num=24, **options):
    config = GenerateConfig(num=num, seed=11, tasks=(task,), logics=(logic,), depth=(1, 3), premises=(9, 10), **options)
    return list(generate_rows(config))


@pytest.mark.parametrize(("task", "logic"), PAIRS)
def test_gold_answers_are_right_and_stay_right_among_other_words(task, logic):
    options = {"existential_import": True} if logic == "syllogistic" else {}
    for row in rows_of(task, logic, language="both", **options):
        assert judge_written(row, row["answer"]).status == "right"
        assert judge_written(row, f"Let me see.\n\n**Answer:** {row['answer']}\n\nThat is it.").status == "right"
        assert judge_written(row, "").status == "none"
        nonsense = judge_written(row, "I would rather not say: it depends & so on")
        assert nonsense.status == "unreadable" and nonsense.message


def mentions(formula: Formula, variable: str) -> bool:
    return any(variable in one.args for one in subformulas(formula) if isinstance(one, Atom))


def damaged(formula: Formula):
    """Formulas that say something else: a negation dropped or added, sides or arguments swapped, another scope."""
    if isinstance(formula, Not):
        yield formula.body
    else:
        yield Not(formula)
    if isinstance(formula, (ForAll, Exists)):
        other = Exists if isinstance(formula, ForAll) else ForAll
        yield other(formula.variable, formula.body, formula.sort)
        for body in damaged(formula.body):
            yield type(formula)(formula.variable, body, formula.sort)
        if isinstance(formula.body, Implies) and all(mentions(one, formula.variable) for one in formula.body[1:]):
            yield Implies(
                ForAll(formula.variable, formula.body.left, formula.sort),
                ForAll(formula.variable, formula.body.right, formula.sort),
            )
    if isinstance(formula, Implies):
        yield Implies(formula.right, formula.left)
        yield Iff(formula.left, formula.right)
        yield And(formula.left, formula.right)
        for right in damaged(formula.right):
            yield Implies(formula.left, right)
    if isinstance(formula, (And, Or)):
        yield (Or if isinstance(formula, And) else And)(*formula.parts)
    if isinstance(formula, Atom) and len(set(formula.args)) == 2:
        yield Atom(formula.predicate, (formula.args[1], formula.args[0], *formula.args[2:]))


@pytest.mark.parametrize("logic", MATRIX["formalize"])
def test_damaged_formulas_are_wrong(logic):
    kinds = set()
    for row in rows_of("formalize", logic):
        for wrong in damaged(parse_formula(row["formula"]["formula"])):
            verdict = judge_written(row, format_formula(wrong))
            assert verdict.status == "wrong", (row["answer"], format_formula(wrong))
            kinds.add(verdict.kind)
    assert len(kinds) >= 2


@pytest.mark.parametrize("logic", MATRIX["verbalize"])
def test_every_surface_form_is_right_and_damaged_sentences_are_wrong(logic):
    num_wrong = 0
    for row in rows_of("verbalize", logic):
        vocabulary = Vocabulary.from_json(row["vocabulary"])
        formula = parse_formula(row["formula"]["formula"])
        for form in range(min(num_forms(formula, vocabulary), 12)):
            assert judge_written(row, render_form(formula, vocabulary, form)).kind == "same form"
        assert judge_written(row, row["answer"].rstrip(".")).status == "right"
        for wrong in damaged(formula):
            if sorts_fit(wrong, vocabulary):
                assert judge_written(row, render_form(wrong, vocabulary, 0)).status == "wrong"
                num_wrong += 1
    assert num_wrong > 24


def sorts_fit(formula, vocabulary):
    try:
        num_forms(formula, vocabulary)
    except FormulaError:  # arguments of two sorts were swapped: there is no such sentence
        return False
    return True


def item(formula, task="formalize", logic="relational"):
    """An item with symbols P/1, R/2, a, b of one sort."""
    words = {
        "P": {"category": "adjective", "words": ["tall", "person"], "sorts": [""]},
        "R": {"category": "relation", "words": ["likes", "does not like", "is liked by", "is not liked by"], "sorts": ["", ""]},
        "a": {"category": "name", "words": ["Ann"], "sorts": [""]},
        "b": {"category": "name", "words": ["Bob"], "sorts": [""]},
    }  # fmt: skip
    vocabulary = {"kind": "own", "sorts": {"": "person"}, "symbols": words}
    return {"task": task, "logic": logic, "formula": {"formula": formula}, "vocabulary": vocabulary}


@pytest.mark.parametrize(
    ("wanted", "said", "status", "kind"),
    [
        ("forall x: P(x) -> R(x, a)", "forall z: P(z) -> R(z, a)", "right", "same form"),
        ("forall x: P(x) -> R(x, a)", "forall x: ~R(x, a) -> ~P(x)", "right", "equivalent"),
        ("forall x: P(x) -> R(x, a)", "~(exists x: P(x) & ~R(x, a))", "right", "equivalent"),
        ("forall x: P(x) -> R(x, a)", "`forall x: P(x) -> R(x, a)`.", "right", "same form"),
        ("forall x: P(x) -> R(x, a)", "forall x: P(x) -> R(a, x)", "wrong", "not equivalent"),
        ("forall x: P(x) -> R(x, a)", "forall x: R(x, a)", "wrong", "stronger"),
        ("forall x: P(x) -> R(x, a)", "P(b) -> R(b, a)", "wrong", "weaker"),
        ("forall x: P(x) -> R(x, a)", "forall x: Q(x) -> R(x, a)", "wrong", "unknown symbol"),
        ("forall x: P(x) -> R(x, a)", "forall x: P(x, x) -> R(x, a)", "wrong", "unknown symbol"),
        ("forall x: P(x) -> R(x, a)", "forall x: P(x) -> R(x, c)", "wrong", "unknown symbol"),
        ("forall x: P(x) -> R(x, a)", "forall x in dog: P(x) -> R(x, a)", "wrong", "unknown symbol"),
        ("forall x: P(x) -> R(x, a)", "P(x) -> R(x, a)", "unreadable", ""),
        ("forall x: P(x) -> R(x, a)", "forall x (P(x) => R(x, a))", "unreadable", ""),
        ("exists x: forall y: R(x, y)", "forall y: exists x: R(x, y)", "wrong", "weaker"),
        ("P(a) & P(b)", "P(b) & P(a)", "right", "same form"),
        ("P(a) -> P(b)", "false", "wrong", "stronger"),
    ],
)  # fmt: skip
def test_formulas_are_compared_by_meaning(wanted, said, status, kind):
    verdict = judge_written(item(wanted), said)
    assert (verdict.status, verdict.kind) == (status, kind)


def test_in_a_closed_world_a_rule_derives_one_thing():
    rule, turned = "forall x: P(x) & ~R(x, a) -> R(x, b)", "forall x: P(x) & ~R(x, b) -> R(x, a)"
    assert judge_written(item(rule), turned).kind == "equivalent"
    assert judge_written(item(rule, logic="datalog"), "forall x: ~R(x, a) & P(x) -> R(x, b)").status == "right"
    moved = "forall x: P(x) & ~P(a) -> R(x, b)"
    assert judge_written(item(moved, logic="datalog"), "forall x: P(x) & ~R(x, b) -> P(a)").kind == "another rule"


@pytest.mark.parametrize("logic", MATRIX["counter-model"])
def test_wrong_counter_models_are_wrong_and_other_right_ones_right(logic):
    kinds = set()
    for row in rows_of("counter-model", logic, language="logic"):
        if row["label"] == "entailed":
            assert row["answer"] == "none" and row["model"] is None
            continue
        assert judge_written(row, "none").kind == "there is one"
        model = Model.from_json(row["model"])
        if logic != "propositional":
            assert judge_written(row, f"Here: {json.dumps(row['model'])}").status == "right"
            unused = row["answer"].replace("true: ", "true: Zz9(e1), ").replace(", nothing", "")
            assert judge_written(row, unused).kind == "unknown symbol"
            assert judge_written(row, row["answer"].replace("e1", "e99", 1)).status in ("unreadable", "right")
            named = row["answer"].partition("; names: ")
            if named[1]:
                bare = f"{named[0]}; true: {row['answer'].partition('true: ')[2]}"
                assert judge_written(row, bare).kind == "incomplete"
        for change in sorted({Atom(name, args) for name, args in ground(row, model)})[:12]:
            flipped = replace(model, true_atoms=model.true_atoms ^ {change})
            text = written(row, flipped)
            kinds.add(judge_written(row, text).kind)
    assert {"premise false", "counter-model"} <= kinds


def ground(row, model):
    if row["logic"] == "propositional":
        for one in {a for p in [*row["premises"], row["goal"]] for a in predicates_of(parse_formula(p["formula"]))}:
            yield one, ()
        return
    for name, sorts in row["signature"]["predicates"].items():
        for args in product(*[model.domains.get(sort, ()) for sort in sorts]):
            yield name, args


def written(row, model):
    if row["logic"] == "propositional":
        return "; ".join(format_formula(one) for one in sorted(model.true_atoms)) or "nothing"
    return json.dumps(model.to_json())


def test_a_model_that_makes_the_conclusion_true_is_wrong():
    row = {"task": "counter-model", "logic": "monadic", "label": "unknown", "premises": [{"formula": "P(a)"}],
           "goal": {"formula": "Q(a)"}}  # fmt: skip
    for text, status, kind in [
        ("individuals: e1; names: a = e1; true: P(e1)", "right", "counter-model"),
        ("Individuals: e1, e2\nNames: a = e2\nTrue: P(e2)", "right", "counter-model"),
        ("individuals: e1; names: a = e1; true: P(e1), Q(e1)", "wrong", "conclusion true"),
        ("individuals: e1; names: a = e1; true: nothing", "wrong", "premise false"),
        ("individuals: e1; true: P(e1)", "wrong", "incomplete"),
        ("individuals: e1; names: a = e2; true: P(e1)", "unreadable", ""),
        ("individuals: ; names: a = e1; true: P(e1)", "unreadable", ""),
        ("individuals: e1; names: a = e1; true: P(a)", "unreadable", ""),
        ("individuals: e1; names: a = e1; true: P(e1, e1)", "wrong", "unknown symbol"),
        ("individuals: e1, e2; names: a = e1, a = e2; true: P(e1)", "unreadable", ""),
        ("P is true", "unreadable", ""),
    ]:
        verdict = judge_written(row, text)
        assert (verdict.status, verdict.kind) == (status, kind), text


def test_the_kinds_of_a_problem_with_existential_import_have_members_in_its_counter_models():
    row = {"task": "counter-model", "logic": "syllogistic", "label": "unknown", "goal": {"formula": "exists x: A(x) & B(x)"},
           "premises": [{"formula": "forall x: A(x) -> C(x)"}], "implicit_premises": [{"formula": "exists x: B(x)"}]}  # fmt: skip
    assert judge_written(row, "individuals: e1; true: A(e1), C(e1)").kind == "premise false"
    assert judge_written(row, "individuals: e1, e2; true: A(e1), C(e1), B(e2)").status == "right"


def test_check_counts_what_cannot_be_read_apart_and_does_not_mix_it_with_chains():
    rows = rows_of("formalize", "monadic", num=6) + rows_of("counter-model", "relational", num=6)
    rows += list(generate_rows(GenerateConfig(num=6, seed=2)))
    answers = ["what?", "false", *[row["answer"] for row in rows[2:12]], *["Answer: entailed"] * 6]
    lines = [json.dumps({**row, "response": answer}) for row, answer in zip(rows, answers, strict=True)]
    tally = CheckTally()
    for one in check_items(lines):
        tally.add(one)
    summary = tally.summary()
    assert summary["num_items"] == 18 and summary["label_accuracy"]["num"] == 6
    shares = {key: summary[f"formalize_{key}"]["value"] for key in ("right", "wrong", "unreadable", "none")}
    assert shares == {"right": 4 / 6, "wrong": 1 / 6, "unreadable": 1 / 6, "none": 0.0}
    assert summary["counter-model_right"]["value"] == 1.0
    gold = CheckTally()
    for one in check_items([json.dumps(row) for row in rows[:12]], gold=True):
        gold.add(one)
    assert gold.num_invalid == 0 and "label_accuracy" not in gold.summary()


def test_a_model_that_writes_is_evaluated(tmp_path):
    rows = rows_of("verbalize", "propositional", num=6)
    path = tmp_path / "items.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    items, left_out, _ = read_items(path, mode="answer")
    assert len(items) == 6 and not left_out

    class Writer:
        def generate_text(self, prompts):
            return [rows[0]["answer"], rows[2]["answer"], "Hm.", "", rows[4]["answer"], rows[5]["answer"]]

    found = ask_by_text(Writer(), lambda text: text, "", proof=False)(items)
    assert [one["right"] for one in found] == [True, False, False, False, True, True]
    assert [one["status"] for one in found] == [
        "answered",
        "answered",
        "unreadable",
        "unreadable",
        "answered",
        "answered",
    ]


def test_bad_requests():
    with pytest.raises(UsageError, match="formalize is about English"):
        GenerateConfig(num=6, tasks=("formalize",), language="logic")
    with pytest.raises(UsageError, match="does not exist in datalog"):
        GenerateConfig(num=6, tasks=("counter-model",), logics=("datalog",))
    with pytest.raises(InputError, match="no such written task"):
        judge_written({"task": "bad-step"}, "3")
    with pytest.raises(InputError, match="not an item"):
        judge_written({"task": "formalize"}, "p")


def test_compound_formulas_are_asked_about_and_none_twice():
    for logic in MATRIX["formalize"]:
        rows = rows_of("formalize", logic, num=6)
        formulas = [parse_formula(row["formula"]["formula"]) for row in rows]
        assert len(set(formulas)) == 6
        assert sum(is_literal(one) for one in formulas) <= (2 if logic == "datalog" else 0)
        assert {row["language"] for row in rows_of("formalize", logic, num=6, language="both")} == {"english"}
