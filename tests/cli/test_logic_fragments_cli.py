"""`custodiet logic generate` in each logic, and `tasks`, as they are typed."""

import json
from collections import Counter

import pytest

from custodiet.cli.main import main


def run(argv, capsys):
    with pytest.raises(SystemExit) as left:
        main(["logic", *map(str, argv)])
    return left.value.code, *capsys.readouterr()


def generate(path, capsys, *options):
    code, out, err = run(["generate", "--num", 30, "--out", path, "--json", "--quiet", *options], capsys)
    assert code == 0, err
    return json.loads(out), [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_logic_by_its_name(tmp_path, capsys):
    told, rows = generate(
        tmp_path / "all.jsonl", capsys, "--logic", "propositional,syllogistic,monadic,relational,datalog"
    )
    assert told["counts"]["logic"] == dict(Counter(row["logic"] for row in rows)) and len(told["counts"]["logic"]) == 5
    assert all("implicit_premises" not in row for row in rows)


def test_existential_import_is_a_flag_for_syllogisms(tmp_path, capsys):
    told, rows = generate(tmp_path / "import.jsonl", capsys, "--logic", "syllogistic", "--existential-import")
    assert told["config"]["existential_import"] is True
    assert all(row["implicit_premises"] for row in rows)
    argv = ["generate", "--num", 6, "--out", tmp_path / "no.jsonl", "--logic", "datalog", "--existential-import"]
    code, _, err = run(argv, capsys)
    assert code == 2
    assert "--existential-import is about syllogistic problems" in err


def test_what_is_off_the_matrix_is_refused(tmp_path, capsys):
    code, out, _ = run(["tasks", "--json"], capsys)
    matrix = json.loads(out)
    assert code == 0 and "datalog" in matrix["entailment"] and "datalog" not in matrix["consistency"]
    argv = ["generate", "--num", 6, "--out", tmp_path / "no.jsonl", "--logic", "datalog", "--tasks", "consistency"]
    code, _, err = run(argv, capsys)
    assert code == 2 and "task consistency does not exist in datalog logic" in err
