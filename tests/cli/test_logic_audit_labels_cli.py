"""`custodiet logic audit-labels` as a subprocess."""

import json
import os
import subprocess
import sys

import pytest

from custodiet.cli.main import main
from tests.unit.logic import foreign_rows


def run(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "custodiet", *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd, env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=600,
    )  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labels")
    rows = [
        {"inputs": one[0], "targets": one[1]}
        for one in [*foreign_rows.LOGICINFERENCE, *foreign_rows.LOGICINFERENCE_UNREADABLE]
    ]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "prontoqa.json").write_text(json.dumps(foreign_rows.PRONTOQA))
    return folder


def test_a_run_with_gates_its_report_and_the_report_again(place):
    done = run(
        "logic", "audit-labels", "data.jsonl", "--out", "run", "--json",
        "--fail-if", "label_errors > 0.001", "--fail-if", "inconsistent_premises > 0.9",
        cwd=place,
    )  # fmt: skip
    assert done.returncode == 3 and "gate failed: label_errors > 0.001" in done.stderr
    found = json.loads(done.stdout)
    assert found["schema"] == "custodiet.logic-labels/1" and found["format"] == "logicinference" and found["detected"]
    assert found["num_claims"] == len(foreign_rows.LOGICINFERENCE) and sum(found["unreadable"].values()) == 6
    kept = [json.loads(line) for line in (place / "run" / "errors.jsonl").read_text().splitlines()]
    assert [one["outcome"] for one in kept] == ["wrong", "inconsistent premises"] and kept == found["errors"]
    page = (place / "run" / "report.html").read_bytes()
    assert b"line 3: wrong" in page and b"<script" not in page
    assert "| 3a | not entailed |" in (place / "run" / "report.md").read_text()
    (place / "run" / "report.html").unlink()
    assert run("report", "run", cwd=place).returncode == 0 and (place / "run" / "report.html").read_bytes() == page


def test_a_table_with_the_first_errors(place):
    done = run("logic", "audit-labels", "prontoqa.json", "--quiet", cwd=place)
    assert done.returncode == 0 and done.stderr == ""
    assert "Format prontoqa (found by looking at the rows)" in done.stdout
    assert "example3, test_example: wrong; says entailed, proved unknown" in done.stdout


def test_a_mistake_leaves_no_run_behind(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    (place / "other.jsonl").write_text('{"a": 1}\n')
    before = sorted(one.name for one in place.iterdir())
    for arguments, message in (
        (["other.jsonl"], "no known format"),
        (["data.jsonl", "--format", "csv"], "no such --format"),
        (["data.jsonl", "--limit", "0"], "--limit"),
        (["data.jsonl", "--fail-if", "label_errors"], "not a gate"),
        (["none.jsonl"], "does not exist"),
    ):
        with pytest.raises(SystemExit) as left:
            main(["logic", "audit-labels", *arguments])
        assert left.value.code in (1, 2) and message in capsys.readouterr().err
    assert sorted(one.name for one in place.iterdir()) == before
