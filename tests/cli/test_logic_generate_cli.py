"""`custodiet logic generate` for LogicInference's types and for knights and knaves, as a user calls it."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import polars as pl

from custodiet.cli.logic_generate import generate
from custodiet.logic.generate.chains import GOAL_FORMS


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "custodiet", "logic", *args], capture_output=True, text=True, check=False
    )


def test_compat_writes_the_five_types(tmp_path: Path) -> None:
    out = tmp_path / "li.jsonl"
    done = run(
        "generate", "--compat", "logicinference", "--num", "240", "--out", str(out), "--split", "length", "--quiet", "--answer",
        "beginning",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert {row["inference_type"] for row in rows} == {"1", "2a", "2b", "3a", "3b"}
    assert {row["answer_position"] for row in rows} == {"beginning"}
    assert all((row["split"] == "train") == (len(row["premises"]) <= 4) for row in rows)


def test_knights_as_a_folder(tmp_path: Path) -> None:
    out = tmp_path / "knights"
    done = run(
        "generate", "--tasks", "knights-knaves,knights-knaves-three-way", "--num", "300", "--out", str(out), "--format", "hf",
        "--quiet",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    frame = pl.read_parquet(out / "data" / "*.parquet")
    assert len(frame) == 300
    assert set(frame["task"]) == {"knights-knaves", "knights-knaves-three-way"}
    assert "one problem under several names" in (out / "README.md").read_text()


def test_contradictory_options_are_usage_errors(tmp_path: Path) -> None:
    out = str(tmp_path / "x.jsonl")
    both = run("generate", "--compat", "logicinference", "--tasks", "entailment", "--num", "6", "--out", out)
    assert both.returncode == 2 and "contradict each other" in both.stderr
    split = run("generate", "--split", "iid", "--num", "6", "--out", out)
    assert split.returncode == 2 and "LogicInference tasks only" in split.stderr
    assert "logicinference-3b" in run("tasks").stdout


def test_goal_forms(tmp_path: Path) -> None:
    out = tmp_path / "forms.jsonl"
    done = run("generate", "--goal-forms", "literal,conditional", "--num", "36", "--out", str(out), "--quiet")
    assert done.returncode == 0, done.stderr
    forms = [json.loads(line)["cell"]["goal_form"] for line in out.read_text().splitlines()]
    assert {one: forms.count(one) for one in set(forms)} == {"literal": 18, "conditional": 18}
    unknown = run("generate", "--goal-forms", "atom", "--num", "6", "--out", str(tmp_path / "x.jsonl"))
    assert unknown.returncode == 2 and "biconditional" in unknown.stderr
    other = run(
        "generate", "--goal-forms", "literal", "--logic", "datalog", "--num", "6", "--out", str(tmp_path / "x.jsonl")
    )
    assert other.returncode == 2 and "--goal-forms is about" in other.stderr
    assert inspect.signature(generate).parameters["goal_forms"].default == ",".join(GOAL_FORMS)
