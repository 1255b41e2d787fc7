"""Putting items to models that are made up here: predictions, resuming, failures, and free text."""

import json
import threading

import numpy as np
import pytest

from custodiet.base.protocols import ChoiceScores
from custodiet.errors import EndpointError, InputError
from custodiet.logic.checking import gold_answer
from custodiet.logic.evaluation import (
    answer_items,
    ask_by_choices,
    ask_by_text,
    proof_prompt,
    read_items,
    read_rows,
    with_variants,
)
from custodiet.logic.generate.config import GenerateConfig
from custodiet.logic.generate.rows import problem_rows

CONFIG = GenerateConfig(num=60, seed=1, logics=("propositional", "monadic"), language="both")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("items") / "items.jsonl"
    lines = [row.text for number in range(4) for row in problem_rows(CONFIG, number)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


class Oracle:
    """Knows the answers; fails at the n-th call if told so."""

    def __init__(self, items, fails_at=None):
        self.right = {one.prompt: one for one in items}
        self.calls, self.fails_at, self.lock = 0, fails_at, threading.Lock()

    def _count(self):
        with self.lock:
            self.calls += 1
            if self.calls == self.fails_at:
                raise EndpointError("down")

    def score_choices(self, prompts, choices):
        self._count()
        found = []
        for prompt, some in zip(prompts, choices, strict=True):
            item = self.right[prompt.removesuffix("\nAnswer:")]
            assert all(one.startswith(" ") for one in some)
            # the right one has the highest sum; per token the first one wins
            sums = np.array([-9.0 if label != item.label else -5.0 for label in item.labels])
            found.append(ChoiceScores(logprob_C=sums, num_tokens_C=np.array([100, 1, 1])))
        return found

    def generate_text(self, prompts):
        self._count()
        return [f"Surely.\nAnswer: {self.right[prompt].raw['answer']}." for prompt in prompts]


def test_choices(file, tmp_path):
    items, left_out, num = read_items(file, mode="choices")
    assert (len(items), left_out, num) == (24, {}, 24)
    oracle = Oracle(items)
    ask = ask_by_choices(oracle, lambda text: text, "\nAnswer: ")
    rows = answer_items(items, ask, tmp_path / "a.jsonl", batch_size=7)
    assert oracle.calls == 4
    assert [one["key"] for one in rows] == [one.key for one in items]
    assert all(one["right"] and one["predicted"] == one["label"] for one in rows)
    assert {one["predicted_per_token"] for one in rows} == {"entailed"}
    assert rows[0]["facts"]["depth"] == items[0].raw["cell"]["depth"]


@pytest.mark.parametrize("num_threads", [1, 4])
def test_a_failure_loses_nothing_and_the_rest_is_asked_later(file, tmp_path, num_threads):
    items, _, _ = read_items(file, mode="answer")
    path = tmp_path / "a.jsonl"
    broken = Oracle(items, fails_at=9)
    with pytest.raises(EndpointError, match="down"):
        answer_items(items, ask_by_text(broken, str, "", proof=False), path, batch_size=1, num_threads=num_threads)
    there = len(read_rows(path))
    assert there == broken.calls - 1
    with path.open("a", encoding="utf-8") as stream:
        stream.write('{"key": "cut o')  # the process died in the middle of a line
    oracle = Oracle(items)
    rows = answer_items(items, ask_by_text(oracle, str, "", proof=False), path, batch_size=1, num_threads=num_threads)
    assert oracle.calls == 24 - there
    assert all(one["right"] for one in rows) and len(read_rows(path)) == 24
    done = Oracle(items)
    assert answer_items(items, ask_by_text(done, str, "", proof=False), path) == rows
    assert done.calls == 0


def test_rows_of_other_items_are_refused(file, tmp_path):
    items, _, _ = read_items(file, mode="answer")
    path = tmp_path / "a.jsonl"
    answer_items(items, ask_by_text(Oracle(items), str, "", proof=False), path)
    with pytest.raises(InputError, match="another item"):
        answer_items(items[1:], ask_by_text(Oracle(items), str, "", proof=False), path)
    path.write_text("not json\n" + path.read_text())
    with pytest.raises(InputError, match="line 1 .* is damaged"):
        read_rows(path)


def test_proofs_are_judged(file, tmp_path):
    items, _, _ = read_items(file, mode="proof")
    answers = {proof_prompt(one.raw): gold_answer(one.raw) for one in items}

    class Gold:
        def generate_text(self, prompts):
            return [answers[one] for one in prompts]

    rows = answer_items(items, ask_by_text(Gold(), str, "", proof=True), tmp_path / "a.jsonl")
    assert all(one["right"] and one["judgement"]["chain"] == "valid" for one in rows)
    assert all(one["status"] == "answered" for one in rows)


def test_no_label_is_not_another_label(file, tmp_path):
    items, _, _ = read_items(file, mode="answer")

    class Mute:
        def generate_text(self, prompts):
            return [None, *["I would rather not say."] * (len(prompts) - 1)]

    rows = answer_items(items, ask_by_text(Mute(), str, "", proof=False), tmp_path / "a.jsonl", batch_size=24)
    assert sorted({one["status"] for one in rows}) == ["too long", "unreadable"]
    assert [one["status"] for one in rows].count("too long") == 1
    assert not any(one["right"] for one in rows)


@pytest.mark.parametrize(
    ("task", "answer", "text", "right"),
    [
        ("premise-selection", "2, 10", "They are needed.\nAnswer: 10 and 2.", True),
        ("premise-selection", "2, 10", "2, 3", False),
        ("premise-selection", "none", "**none**", True),
        ("bad-step", "4", "The answer is 4", True),
        ("bad-step", "4", "", None),
    ],
)
def test_texts_as_answers(tmp_path, task, answer, text, right):
    path = tmp_path / "items.jsonl"
    path.write_text(json.dumps({"task": task, "prompt": "?", "answer": answer, "choices": None}) + "\n")
    items, _, _ = read_items(path, mode="answer")

    class Says:
        def generate_text(self, prompts):
            return [text] * len(prompts)

    row = answer_items(items, ask_by_text(Says(), str, "", proof=False), tmp_path / "a.jsonl")[0]
    assert row["status"] == ("unreadable" if right is None else "answered")
    assert row["right"] is bool(right)


@pytest.mark.parametrize(
    ("text", "said"),
    [("B", "B"), ("I think\nAnswer: (C).", "C"), ("A man walks in", None), ("b", None), ("the answer is D", "D")],
)
def test_letters(tmp_path, text, said):
    path = tmp_path / "items.jsonl"
    path.write_text(
        json.dumps(
            {"task": "missing-premise", "prompt": "?", "answer": "B", "choices": list("ABCD"), "label": "entailed"}
        )
        + "\n"
    )
    items, _, _ = read_items(path, mode="answer")

    class Says:
        def generate_text(self, prompts):
            return [text]

    row = answer_items(items, ask_by_text(Says(), str, "", proof=False), tmp_path / "a.jsonl")[0]
    assert (row["predicted"], row["right"]) == (said, said == "B")


def test_items_that_a_mode_cannot_ask_are_counted(tmp_path, file):
    path = tmp_path / "items.jsonl"
    other = json.dumps({"id": "x", "task": "consistency", "prompt": "?", "answer": "1, 2", "choices": None})
    path.write_text(file.read_text() + other + "\n")
    for mode in ("choices", "answer", "proof"):
        items, left_out, num = read_items(path, mode=mode)
        assert len(items) == 24 and num == 25 and sum(left_out.values()) == 1
    path.write_text(other + "\n")
    with pytest.raises(InputError, match="no item for --mode choices"):
        read_items(path, mode="choices")


def test_a_limit_keeps_twins_together(file):
    items, _, _ = read_items(file, mode="choices", limit=13, seed=2)
    groups = {one.raw["group"] for one in items}
    assert len(items) == 12 and len(groups) == 1
    assert items == read_items(file, mode="choices", limit=13, seed=2)[0]


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "{",
        '{"prompt": "?", "choices": ["a", "b"], "answer": "c"}',
        '{"prompt": "?", "choices": ["a", "a"], "answer": "a"}',
    ],
)
def test_bad_lines_name_themselves(tmp_path, line):
    path = tmp_path / "items.jsonl"
    path.write_text('{"prompt": "?", "choices": ["a", "b"], "answer": "b"}\n' + line + "\n")
    with pytest.raises(InputError, match="line 2"):
        read_items(path, mode="choices")
    with pytest.raises(InputError, match="cannot be read"):
        read_items(tmp_path / "none.jsonl", mode="choices")


def test_variants_are_items(file):
    items, _, _ = read_items(file, mode="choices")
    made, impossible = with_variants(items, 3, seed=1)
    assert len({one.key for one in made}) == len(made) == 18 - sum(impossible.values())
    assert {one.key.rpartition("/")[0] for one in made} <= {one.key for one in items}
    assert all(one.variant == one.key.rpartition("/")[2] for one in made)


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """Items of which every kind has a member, of a closed world, and of open ones, in both languages."""
    path = tmp_path_factory.mktemp("items") / "items.jsonl"
    lines = []
    for logic, given in (("syllogistic", True), ("syllogistic", False), ("datalog", False), ("relational", False)):
        for language in ("logic", "english"):
            config = GenerateConfig(
                num=6, seed=1, logics=(logic,), language=language, existential_import=given, depth=(1, 2)
            )
            for row in problem_rows(config, 0):
                item = json.loads(row.text)
                lines.append(json.dumps({**item, "id": f"{logic}{given}{language}{item['id']}", "twins": []}) + "\n")
    path.write_text("".join(lines))
    return path


def test_a_proof_is_asked_for_with_all_that_the_question_says(closed, tmp_path):
    items, left_out, _ = read_items(closed, mode="proof")
    assert len(items) == 48 and not left_out
    notes = ("~ is not", "Use only what is stated", "may have no members", "has at least one member",
             "What does not follow from the facts and rules is false", "Two names may stand for one individual")  # fmt: skip
    for one in items:
        asked = proof_prompt(one.raw)
        assert [note in asked for note in notes] == [note in one.prompt for note in notes]
        assert any(note in asked for note in notes)
        assert ("may be used as a premise" in asked) is bool(one.raw.get("implicit_premises"))
        assert ("[closed world]" in asked) is (one.raw["logic"] == "datalog")
        assert ("unknown" in asked) is (one.raw["logic"] != "datalog")
    answers = {proof_prompt(one.raw): gold_answer(one.raw) for one in items}

    class Gold:
        def generate_text(self, prompts):
            return [answers[one] for one in prompts]

    rows = answer_items(items, ask_by_text(Gold(), str, "", proof=True), tmp_path / "a.jsonl")
    assert all(one["right"] and one["judgement"]["chain"] == "valid" for one in rows)
    assert all(one["judgement"]["step_by_step"] for one in rows)


def test_items_of_a_closed_world_have_variants(closed):
    items, _, _ = read_items(closed, mode="choices")
    made, _ = with_variants([one for one in items if one.raw["logic"] in ("datalog", "syllogistic")], 100, seed=1)
    assert {one.raw["logic"] for one in made} == {"datalog", "syllogistic"}
    assert {len(one.choices) for one in made if one.raw["logic"] == "datalog"} == {2}


def test_labels_of_other_tasks_are_not_those_of_entailment(tmp_path):
    path = tmp_path / "items.jsonl"
    words = ["entailed", "contradicted", "unknown"]
    path.write_text(json.dumps({"task": "knights-knaves-three-way", "prompt": "?", "answer": "unknown", "choices": words,
                                "label": "unknown", "premises": [], "goal": {"formula": "p"}}) + "\n")  # fmt: skip
    assert read_items(path, mode="choices")[0][0].label == "unknown"
    with pytest.raises(InputError, match="no item for --mode proof"):
        read_items(path, mode="proof")


@pytest.mark.parametrize("text", ["answer" + "!" * 200_000, "answer is" * 50_000, "Option" + " " * 200_000 + "B?"])
def test_long_lines_hold_no_answer(tmp_path, text):
    path = tmp_path / "items.jsonl"
    lines = [{"task": "missing-premise", "prompt": "?", "answer": "B", "choices": list("ABCD"), "label": "entailed"},
             {"task": "bad-step", "prompt": "!", "answer": "3", "choices": None}]  # fmt: skip
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    items, _, _ = read_items(path, mode="answer")

    class Says:
        def generate_text(self, prompts):
            return [text] * len(prompts)

    assert not any(
        one["right"] for one in answer_items(items, ask_by_text(Says(), str, "", proof=False), tmp_path / "a")
    )
