"""Rows of the five types: formats of LogicInference, labels from the emitted text, determinism, balance, splits."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import product
from typing import Any

import pytest

from custodiet.errors import FormulaError, UsageError
from custodiet.logic.engines.element_types import decide_by_types
from custodiet.logic.engines.z3_engine import decide_by_z3
from custodiet.logic.english.canonical import canonical_form
from custodiet.logic.english.reading import read
from custodiet.logic.english.vocabulary import Vocabulary
from custodiet.logic.formulas import Formula, atoms_of
from custodiet.logic.generate.config import GenerateConfig
from custodiet.logic.generate.inference import rows as rows_module
from custodiet.logic.generate.inference.rows import TYPES
from custodiet.logic.generate.rows import problem_rows
from custodiet.logic.generate.stream import generate_rows
from custodiet.logic.kernel import check_proof
from custodiet.logic.notation import parse_formula
from custodiet.logic.proofs import step_from_json
from custodiet.logic.semantics import ENTAILED, INCONSISTENT, UNKNOWN, Model, evaluate

Row = dict[str, Any]

SUFFIXES = {"1": {""}, "2": {"", "-empty", "-cont"}, "3": {"", "-premise", "-no-1", "-no", "-unrelated", "-cont"}}


def rows_of(num: int, **options: Any) -> list[Row]:
    given = {"tasks": ("logicinference",), "logics": ("monadic",), "vocabulary": "neutral", **options}
    return list(generate_rows(GenerateConfig(num=num, seed=3, **given)))


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return rows_of(2100)


def formulas(row: Row) -> tuple[list[Formula], Formula | None]:
    premises = [parse_formula(one["formula"]) for one in row["premises"]]
    return premises, None if row["goal"] is None else parse_formula(row["goal"]["formula"])


def reader(row: Row) -> Any:
    """Reads what the row says: sentences, or LogicInference's notation, into canonical formulas."""
    if row["language"] == "logic":
        return lambda text: canonical_form(parse_formula(text))
    vocabulary = Vocabulary.from_json(row["vocabulary"])
    return lambda text: read(text, vocabulary)


def test_all_sub_types_come_and_have_their_names(rows: list[Row]) -> None:
    found = {row["sub_type"] for row in rows}
    assert found == {kind + suffix for kind in TYPES for suffix in SUFFIXES[kind[0]]}
    for row in rows:
        assert row["task"] == "logicinference"
        assert row["sub_type"].split("-")[0] == row["inference_type"]


def test_types_are_as_often_as_their_weights(rows: list[Row]) -> None:
    counts = Counter(row["inference_type"] for row in rows)
    for kind, weight in TYPES.items():
        assert abs(counts[kind] / len(rows) - weight / sum(TYPES.values())) < 0.03


def test_yes_and_no_are_as_often_as_each_other(rows: list[Row]) -> None:
    verdicts = Counter(row["verdict"] for row in rows if row["inference_type"][0] == "3")
    assert abs(verdicts["yes"] / verdicts.total() - 0.5) < 0.06
    assert sum(row["label"] == INCONSISTENT for row in rows) < 0.1 * len(rows)


def test_texts_say_the_formulas(rows: list[Row]) -> None:
    for row in rows:
        say = reader(row)
        for one in (
            *row["premises"],
            *([row["goal"]] if row["goal"] else []),
            *row["proof"],
            *row.get("consequences", []),
        ):
            assert say(one["text"]) == canonical_form(parse_formula(one["formula"])), one


def test_labels_from_the_text_by_a_third_engine(rows: list[Row]) -> None:
    for row in [one for one in rows if one["goal"]][:300]:
        say = reader(row)
        found = decide_by_z3([say(one["text"]) for one in row["premises"]], say(row["goal"]["text"]))
        assert found.label == row["label"]


def assert_unrelated(row: Row) -> None:
    """Neither the target nor its negation follows: by the two structures, from the row's text alone."""
    premises, goal = formulas(row)
    assert goal is not None
    for told, wanted in zip(row["counter_models"], (True, False), strict=True):
        model = Model.from_json(told)
        assert evaluate(model, goal) is wanted
        assert all(evaluate(model, one) for one in premises)


def test_nothing_unrelated_follows(rows: list[Row]) -> None:
    unrelated = [row for row in rows if row["sub_type"].endswith("-unrelated")]
    assert len(unrelated) > 120
    for row in unrelated:
        assert row["label"] == UNKNOWN
        assert_unrelated(row)


@pytest.mark.slow
@pytest.mark.parametrize("logic", ["propositional", "monadic"])
def test_nothing_unrelated_follows_in_many(logic: str) -> None:
    num = 0
    for row in generate_rows(GenerateConfig(num=20_000, seed=9, tasks=("logicinference-3a",), logics=(logic,))):
        if row["label"] == UNKNOWN:
            num += 1
            assert_unrelated(row)
        elif row["label"] != INCONSISTENT:
            premises, goal = formulas(row)
            assert goal is not None
            if all(atom.args for one in (*premises, goal) for atom in atoms_of(one)):
                assert decide_by_types(premises, goal, models=False).label == row["label"]
    assert num > 3000


def test_proofs_are_accepted(rows: list[Row]) -> None:
    seen = Counter()
    for row in rows:
        if row["goal"] and row["label"] != UNKNOWN:
            premises, goal = formulas(row)
            assert goal is not None
            verdict = check_proof([step_from_json(one) for one in row["proof"]], premises, goal, logic=row["logic"])
            assert verdict.problems == ()
            assert verdict.conclusion == row["label"]
            seen[row["label"]] += 1
        assert (row["label"] == UNKNOWN) == bool(row["counter_models"])
    assert min(seen.values()) > 30


def test_every_contradictory_set_is_told(rows: list[Row]) -> None:
    for row in rows[:300]:
        premises, _ = formulas(row)
        label = decide_by_z3(premises, parse_formula("false")).label
        assert (label == INCONSISTENT) == (row["label"] == INCONSISTENT)
        assert row["sub_type"].endswith("-cont") == (row["label"] == INCONSISTENT and row["inference_type"] != "1")


# --- formats -----------------------------------------------------------------------------------------------------------

ENDS = {
    "": r"(.* )?Therefore, the answer is yes\.",
    "-premise": r"That is one of the premises\. Therefore, the answer is yes\.",
    "-no-1": r"That contradicts the premises\. Therefore the answer is no\.",
    "-no": r"From .+ Finally, from .+, which contradicts .+\. Therefore, the answer is no\.",
    "-unrelated": r"We cannot infer that from the premises\. Therefore the answer is no\.",
    "-cont": r"(The premises are contradictory and we can infer anything from them\. Therefore, the answer is yes\."
    r"|.*Finally, from .+ Notice, however, that the premises were contradictory, so we can infer anything from them\.)",
}
BEGINS = {
    "": r"Yes(\.|, we can infer .+ via the .+ rule\.|, via the following inference chain\. From .+ Finally, from .+)",
    "-premise": r"Yes, that is one of the premises\.",
    "-no-1": r"No, that contradicts the premises\.",
    "-no": r"No, we can see why via the following inference chain\. From .+, which contradicts .+\.",
    "-unrelated": r"No, we cannot infer that from the premises\.",
    "-cont": r"Yes, the premises are contradictory, so we can infer anything from them\.( For example via the following .+)?",
}


@pytest.mark.parametrize(("position", "patterns"), [("end", ENDS), ("beginning", BEGINS)])
def test_answers_have_the_form_of_their_variant(position: str, patterns: dict[str, str]) -> None:
    for row in rows_of(900, answer_position=position, tasks=("logicinference-3a", "logicinference-3b")):
        suffix = row["sub_type"][2:]
        assert re.fullmatch(patterns[suffix], row["answer"]), (row["sub_type"], row["answer"])
        if position == "end":
            assert not row["answer"].startswith(("Yes", "No,"))
        assert row["prompt"].startswith("Consider the following premises. ")


def test_translations_are_named_in_order_and_read_back(rows: list[Row]) -> None:
    for row in [one for one in rows if one["inference_type"] == "1"]:
        given, _, conclusion = row["answer"].removesuffix(".").partition(". Therefore ")
        premises, goal = formulas(row)
        assert goal is not None
        assert [parse_formula(one) for one in given.split(". ")] == premises
        assert parse_formula(conclusion) == goal
        for letters in ("pqrst", "PQRSTUW", "abcdefghij"):
            names = list(dict.fromkeys(re.findall(rf"\b[{letters}]\b", row["answer"].replace("Therefore", ""))))
            assert names == list(letters[: len(names)])
        assert row["prompt"].startswith("Translate the following inference to logic notation: ")
        told = row["prompt"].partition("notation: ")[2]
        assert told.startswith(" ".join(one["text"] for one in row["premises"]) + " Therefore ")
        assert canonical_form(goal) == reader(row)(told.rpartition(" Therefore ")[2])


def test_steps_list_every_consequence_once(rows: list[Row]) -> None:
    for row in [one for one in rows if one["inference_type"][0] == "2"]:
        if row["sub_type"].endswith("-cont"):
            assert row["answer"] == "Since the premises are contradictory, we can infer anything from them."
        elif row["sub_type"].endswith("-empty"):
            assert row["answer"] == "Nothing can be inferred from these premises."
            assert row["consequences"] == []
        else:
            told = row["consequences"]
            lines = [
                f"{one['text'].removesuffix('.')} can be inferred via the {one['rule']} rule." if row["named_rules"] else
                one["text"].removesuffix(".") + "."
                for one in told
            ]  # fmt: skip
            if row["named_rules"]:
                assert row["answer"] == " ".join(lines)
            else:
                assert set(row["answer"].removesuffix(".").split(". ")) == {one.removesuffix(".") for one in lines}
            forms = [(canonical_form(parse_formula(one["formula"])), one["rule"]) for one in told]
            assert len(set(forms)) == len(forms)


_STEP = re.compile(
    r"(?:From|Finally, from) the fact that (.+?) we can infer that (.+?)(?: via ([a-z -]+))?(?:, which contradicts that (.+))?\Z"
)


def test_english_chains_can_be_split_in_one_way_only(rows: list[Row]) -> None:
    """Every way to cut a line at "that" is tried; exactly one gives sentences, and it is the right one."""
    seen = 0
    for row in rows:
        if row["inference_type"] != "3b" or "From the fact" not in row["answer"]:
            continue
        say = reader(row)
        proof = [one for one in row["proof"] if one["rule"] not in ("premise", "contradiction", "quantifier negation")]
        by_number = {one["number"]: one["text"] for one in row["proof"]}
        body = row["answer"].split(" Therefore, the answer is")[0].removesuffix(".")
        lines = re.split(r"\. (?=From the fact|Finally, from the fact)", body)
        for line in lines:
            found = _STEP.match(line)
            assert found, line
            assert len(cuts(found[1], say)) == 1, line
            seen += 1
        if row["label"] == INCONSISTENT:  # whose proof goes on to the contradiction
            continue
        for line, step in zip(lines, proof, strict=True):
            found = _STEP.match(line)
            assert found
            assert cuts(found[1], say)[0] == [say(by_number[one]) for one in step["cites"]]
            assert say(found[2] + ".") == say(step["text"])
            assert found[3] == (step["rule"] if row["named_rules"] else None)
            if found[4]:
                assert say(found[4] + ".") == say(row["goal"]["text"])
    assert seen > 100


def cuts(text: str, say: Any) -> list[list[Formula]]:
    """All ways to cut a text at ", that" and ", and that" into sentences."""
    places = [one.span() for one in re.finditer(r", (?:and )?that ", text)]
    ways = []
    for chosen in product((False, True), repeat=len(places)):
        parts, start = [], 0
        for (left, right), taken in zip(places, chosen, strict=True):
            if taken:
                parts.append(text[start:left])
                start = right
        parts.append(text[start:])
        try:
            ways.append([say(one + ".") for one in parts])
        except FormulaError:
            continue
    return ways


# --- determinism and splits -------------------------------------------------------------------------------------------


def test_rows_depend_on_seed_and_number_alone() -> None:
    config = GenerateConfig(num=1, seed=11, tasks=("logicinference", "logicinference-1", "entailment"))
    forwards = [problem_rows(config, number) for number in range(30)]
    rows_module._problem.cache_clear()
    backwards = [problem_rows(config, number) for number in reversed(range(30))][::-1]
    assert forwards == backwards
    rows_module._problem.cache_clear()
    assert problem_rows(config, 17) == forwards[17]
    for number, lines in enumerate(forwards):
        assert [json.loads(one.text)["index"] for one in lines] == list(range(6 * number, 6 * number + 6))


@pytest.mark.parametrize("kind", list(TYPES))
def test_a_single_type_can_be_asked_for(kind: str) -> None:
    made = rows_of(60, tasks=(f"logicinference-{kind}",), logics=("propositional",), vocabulary="nonce")
    assert {row["inference_type"] for row in made} == {kind}
    assert {row["logic"] for row in made} == {"propositional"}


def test_split_schemes() -> None:
    made = {scheme: rows_of(1200, split_scheme=scheme, depth=(1, 8)) for scheme in ("ood", "iid", "length", "depth")}
    for first, second in product(made["ood"], made["ood"][::50]):
        if first["outline"] == second["outline"]:
            assert first["split"] == second["split"]
    groups = Counter((row["group"], row["split"]) for row in made["iid"])
    assert len(groups) > 1.3 * len({row["group"] for row in made["iid"]})
    for row in made["length"]:
        assert row["split"] == ("train" if len(row["premises"]) <= 4 else "test")
    for row in made["depth"]:
        if row["split"] == "train":
            assert row["cell"]["depth"] <= 2
        if row["split"] == "test" and row["label"] == ENTAILED and row["depth"] and row["sub_type"][2:] == "":
            assert row["cell"]["depth"] > 2
    for scheme in made:
        assert {"train", "test"} <= {row["split"] for row in made[scheme]}


def test_split_schemes_are_for_these_tasks_only() -> None:
    with pytest.raises(UsageError, match="--split iid"):
        GenerateConfig(num=1, tasks=("entailment",), split_scheme="iid")
    with pytest.raises(UsageError, match="does not exist in relational"):
        GenerateConfig(num=1, tasks=("logicinference",), logics=("relational",))
