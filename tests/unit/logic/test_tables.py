"""Rows out of files, and which of their columns hold what."""

import csv
import gzip
import json

import polars as pl
import pytest

from custodiet.errors import CorpusError, UsageError
from custodiet.logic.shortcuts.columns import Columns, detect_columns, iter_problems, parse_filters
from custodiet.logic.shortcuts.features import look_at
from custodiet.logic.shortcuts.tokens import split_sentences, tokenize
from custodiet.logic.tables import open_rows, pick

ROWS = [{"premise": "All men are mortal.", "hypothesis": "A man is mortal.", "label": index % 2} for index in range(5)]


def write(path, rows):
    name = path.name
    if name.endswith(".parquet"):
        pl.DataFrame(rows).write_parquet(path)
    elif name.endswith(".csv"):
        with path.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    elif name.endswith(".json"):
        path.write_text(json.dumps(rows))
    else:
        text = "".join(json.dumps(row) + "\n" for row in rows)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.json", "a.parquet", "a.csv"])
def test_every_kind_of_file_gives_the_same_rows_twice(tmp_path, name):
    rows = open_rows(write(tmp_path / name, ROWS))
    assert rows.columns == ("premise", "hypothesis", "label")
    for _ in range(2):
        assert [{**row, "label": int(row["label"])} for _, row in rows] == ROWS
        assert rows.num_read == 5 and not rows.why_skipped
    assert [place for place, _ in rows][-1].split()[-1] in ("5", "6")
    problems = list(iter_problems(rows, detect_columns(rows, {})))
    assert problems[1].label == "1" and problems[1].premises == ("All men are mortal.",)


def test_an_object_of_objects_has_keys_for_places(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"example1": {"a": 1}, "example2": {"a": 2}}))
    assert list(open_rows(path)) == [("example1", {"a": 1}), ("example2", {"a": 2})]


def test_broken_lines_are_counted_by_reason(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"label": 1, "prompt": "p"}\n{"label"\n\n[1]\n{"label": null, "prompt": "q"}\n{"label": 2, "prompt": ""}\n'
    )
    rows, skipped = open_rows(path), {}
    assert [one.prompt for one in iter_problems(rows, detect_columns(rows, {}), skipped=skipped)] == ["p"]
    assert skipped == {"no label": 1, "no prompt": 1, "line is not JSON": 1, "line is not a JSON object": 1}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.jsonl", None, "does not exist"),
        ("a.txt", b"x", "no known kind"),
        ("a.jsonl", b"", "holds no row"),
        ("a.jsonl", b"{\n{\n", "2 broken lines"),
        ("a.jsonl", b"\xff\xfe{}", "no UTF-8"),
        ("a.json", b'{"a": 1}', "one object"),
        ("a.json", b"{", "not JSON"),
        ("a.json", b"3", "no rows"),
        ("a.parquet", b"PAR1", "not a Parquet file"),
        ("a.jsonl.gz", b"no gzip", "cannot be read"),
        ("a.csv", b"a,b\n", "holds no row"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CorpusError, match=message):
        open_rows(path)
    with pytest.raises(CorpusError, match="folder"):
        open_rows(tmp_path)


def test_columns_inside_columns():
    row = {"goal": {"text": "t", "formula": "f"}, "premises": [{"text": "a"}, {"text": "b"}], "x.y": 3}
    assert pick(row, "goal.text") == "t" and pick(row, "premises.text") == ["a", "b"] and pick(row, "x.y") == 3
    assert pick(row, "goal.text.more") is None and pick(row, "none") is None


def test_columns_are_found_by_their_names_and_taken_by_their_texts(tmp_path):
    row = {"Label": "yes", "premises": [{"formula": "p", "text": ""}], "goal": {"text": "It is so.", "formula": "p"},
           "group": 3, "skeleton": 4, "note": "n"}  # fmt: skip
    rows = open_rows(write(tmp_path / "a.jsonl", [row]))
    found = detect_columns(rows, {})
    assert found == Columns("Label", None, "premises.formula", "goal.text", "group",
                            ("label", "premises", "hypothesis", "skeleton"))  # fmt: skip
    named = detect_columns(rows, {"hypothesis": "goal.formula", "skeleton": "-", "premises": "note"})
    assert (named.hypothesis, named.skeleton, named.premises) == ("goal.formula", None, "note")
    assert named.detected == ("label",)
    for wrong, message in (({"label": "answer"}, "--label answer"), ({"premises": "-", "hypothesis": "-"}, "problem")):
        with pytest.raises(UsageError, match=message) as caught:
            detect_columns(rows, wrong)
        assert "'goal'" in str(caught.value)
    asked = open_rows(write(tmp_path / "c.jsonl", [{"context": "A.", "question": "B?", "answer": "True"}]))
    assert detect_columns(asked, {}) == Columns(
        "answer", None, "context", "question", None, ("label", "premises", "hypothesis")
    )
    assert detect_columns(asked, {"premises": "-"}).prompt == "question"
    other = open_rows(write(tmp_path / "b.jsonl", [{"a": 1}]))
    with pytest.raises(UsageError, match="looks like a label.*'a'"):
        detect_columns(other, {})


def test_filters(tmp_path):
    rows = open_rows(write(tmp_path / "a.jsonl", ROWS))
    columns, skipped = detect_columns(rows, {}), {}
    assert len(list(iter_problems(rows, columns, where=parse_filters(["label=1"]), skipped=skipped))) == 2
    assert skipped == {"left out by --where": 3}
    with pytest.raises(UsageError, match="--where task"):
        list(iter_problems(rows, columns, where={"task": "x"}))
    with pytest.raises(UsageError, match="COLUMN=VALUE"):
        parse_filters(["label"])


def test_sentences_and_tokens():
    assert split_sentences("1. A is B.\n2. C is D?\n\n E.") == ["A is B.", "C is D?", "E."]
    assert split_sentences("forall x: P(x) -> Q(x). P(a).") == ["forall x: P(x) -> Q(x).", "P(a)."]
    plural, single = (tokenize(one, notation=False) for one in ("Wumpuses are not furry", "a wumpus isn't furry"))
    assert plural[0].text == single[1].text == "wumpus" and plural[0].category == "symbol"
    assert plural[2].category == single[2].category == "not"
    formula = tokenize("∀x_1: P(x_1) → ¬Q(a)", notation=True)
    assert [one.text for one in formula if one.category != "other"] == [
        "forall",
        "var",
        "P",
        "var",
        "->",
        "~",
        "Q",
        "a",
    ]


@pytest.mark.parametrize(
    ("sentence", "occurrences"),
    [
        ("p -> ~q", [("p", False, -1), ("q", True, 1)]),
        ("~p | q", [("p", True, 0), ("q", False, 0)]),
        ("If Ann is not glad, then Bob is glad.", [("ann", True, -1), ("glad", False, -1), ("bob", False, 1), ("glad", False, 1)]),
        ("Ann sings if Bob sings.", [("ann", False, 1), ("sing", False, 1), ("bob", False, -1), ("sing", False, -1)]),
        ("Ann sings only if Bob sings.", [("ann", False, -1), ("sing", False, -1), ("bob", False, 1), ("sing", False, 1)]),
        ("Every cat is a dog.", [("cat", False, -1), ("dog", False, 1)]),
        ("Max is furry.", [("max", False, 0), ("furry", False, 0)]),
    ],
)  # fmt: skip
def test_sides_and_polarities(sentence, occurrences):
    from custodiet.logic.shortcuts.columns import Problem

    found = look_at(Problem("x", premises=(sentence,))).premises[0].occurrences
    if sentence.startswith("If Ann is not"):  # the negation reaches to the next symbol: the predicate
        occurrences = [("ann", False, -1), ("glad", True, -1), ("bob", False, 1), ("glad", False, 1)]
    assert found == occurrences
