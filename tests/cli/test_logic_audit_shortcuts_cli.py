"""`custodiet logic audit-shortcuts` as a subprocess."""

import json
import os
import subprocess
import sys
from dataclasses import asdict

import pytest

from custodiet.cli.main import main
from tests.unit.logic.problems import make_problems


def run(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "custodiet", *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd, env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=600,
    )  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shortcuts")
    rows = [asdict(one) for one in make_problems(400, 1, plant="negation", strength=0.95)]
    for row in rows:
        del row["skeleton"]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "{broken\n")
    return folder


def test_a_run_with_gates_its_report_and_the_report_again(place):
    done = run(
        "logic", "audit-shortcuts", "data.jsonl", "--folds", "3", "--out", "run", "--json",
        "--fail-if", "strongest.excess_points > 2", "--fail-if", "attackers[name=majority].excess_points > 2",
        cwd=place,
    )  # fmt: skip
    assert done.returncode == 3 and "gate failed: strongest.excess_points > 2" in done.stderr
    found = json.loads(done.stdout)
    assert found["schema"] == "custodiet.logic-shortcuts/1" and found["num_problems"] == 400
    assert found["skipped"] == {"line is not JSON": 1} and [one["outcome"] for one in found["gates"]] == [
        "fail",
        "pass",
    ]
    assert found["detected"] == ["label", "prompt", "premises", "hypothesis"] and len(found["attackers"]) == 10
    page = (place / "run" / "report.html").read_bytes()
    assert b"<svg" in page and b"<script" not in page and b"hypothesis_only" in page
    assert "| overlap |" in (place / "run" / "report.md").read_text()
    (place / "run" / "report.html").unlink()
    assert run("report", "run", cwd=place).returncode == 0 and (place / "run" / "report.html").read_bytes() == page


def test_a_table_that_says_which_columns_were_found(place):
    done = run("logic", "audit-shortcuts", "data.jsonl", "--folds", "3", "--premises=-", "--quiet", cwd=place)
    assert done.returncode == 0 and done.stderr == ""
    assert "hypothesis = hypothesis (found by its name)" in done.stdout
    assert "not run: there is no column of premises" in done.stdout and "shuffled labels" in done.stdout


def test_a_mistake_leaves_no_run_behind(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    before = sorted(one.name for one in place.iterdir())
    for arguments, message in (
        (["data.jsonl", "--label", "gold"], "--label gold"),
        (["data.jsonl", "--where", "label"], "COLUMN=VALUE"),
        (["data.jsonl", "--fail-if", "strongest"], "not a gate"),
        (["data.jsonl", "--folds", "1"], "--folds is out of range"),
        (["none.jsonl"], "does not exist"),
    ):
        with pytest.raises(SystemExit) as left:
            main(["logic", "audit-shortcuts", *arguments])
        assert left.value.code in (1, 2) and message in capsys.readouterr().err
    assert sorted(one.name for one in place.iterdir()) == before
