"""The judge's commands on input that cannot be used: one line that says what is wrong, an exit code, nothing left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from custodiet.cli.main import main
from custodiet.data.tokenizer import train_bpe
from custodiet.logic.generate.config import GenerateConfig
from custodiet.logic.generate.rows import problem_rows
from custodiet.nn.export import save_hf_directory
from custodiet.nn.gpt import GPT, GPTConfig


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    path = tmp_path_factory.mktemp("work")
    config = GenerateConfig(num=6, seed=1, language="logic", depth=(1, 2), premises=(4, 6))
    rows = [row.text for row in problem_rows(config, 0)]
    (path / "items.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    codec = train_bpe([json.loads(one)["prompt"] for one in rows], vocab_size=300)
    model = GPT(GPTConfig(vocab_size=codec.vocab_size, context_length=512, width=16, num_layers=1, num_heads=2), seed=0)
    save_hf_directory(model, path / "model", tokenizer=codec)
    return path


def run(capsys, *argv):
    with pytest.raises(SystemExit) as left:
        main(["logic", *map(str, argv)])
    return left.value.code, *capsys.readouterr()


FILES = {
    "empty": b"",
    "blank": b"\n\n",
    "no text": b"\xff\xfe\x00\x01",
    "no JSON": b"premise,label\n",
    "cut off": b'{"prompt": "Premises:',
    "no object": b"[1, 2]\n",
    "other columns": b'{"a": 1}\n{"a": 2}\n',
    "numbers": b'{"prompt": 1, "answer": 2, "choices": 3, "label": 4}\n',
}
COMMANDS = {
    "check": ["check", "FILE", "--gold"],
    "evaluate": ["evaluate", "MODEL", "FILE", "--out", "OUT", "--device", "cpu"],
    "audit-shortcuts": ["audit-shortcuts", "FILE", "--out", "OUT"],
    "audit-labels": ["audit-labels", "FILE", "--out", "OUT"],
    "export lm-eval": ["export", "FILE", "--to", "lm-eval", "--out", "OUT"],
    "export inspect": ["export", "FILE", "--to", "inspect", "--out", "OUT"],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("file", [*FILES, "missing", "folder"])
def test_files_that_cannot_be_used(work, tmp_path, capsys, command, file):
    path = tmp_path / "given.jsonl"
    if file in FILES:
        path.write_bytes(FILES[file])
    elif file == "folder":
        path.mkdir()
    words = {"FILE": path, "OUT": tmp_path / "out", "MODEL": work / "model"}
    code, out, error = run(capsys, *[words.get(one, one) for one in COMMANDS[command]])
    assert code in (1, 2) and out == ""
    assert error.startswith("custodiet: ") and "given.jsonl" in error and "Traceback" not in error
    assert len(error.strip().splitlines()) == 1
    assert sorted(one.name for one in tmp_path.iterdir()) == ([] if file == "missing" else ["given.jsonl"])


@pytest.mark.parametrize(("command", "more", "told"), [
    ("evaluate", ["--concurrency", 2], "--concurrency is an option for an endpoint"),
    ("evaluate", ["--api", "chat", "--mode", "answer"], "--api is an option for an endpoint"),
    ("evaluate", ["--timeout", 3], "--timeout is an option for an endpoint"),
    ("evaluate", ["--mode", "proof", "--batch-tokens", 9], "--batch-tokens goes with --mode choices"),
    ("evaluate", ["--api", "chat"], "--api goes with --mode answer or proof"),
    ("evaluate", ["--device", "tpu"], "tpu"),
    ("evaluate", ["--dtype", "int3"], "int3"),
    ("audit-shortcuts", ["--folds", 1], "--folds is out of range; expected 3 to 20; got 1"),
    ("audit-shortcuts", ["--max-problems", 5], "--max-problems is out of range"),
    ("audit-shortcuts", ["--label", "label", "--prompt", "label"], "--prompt is the column of the label"),
    ("audit-shortcuts", ["--label", "nope"], "no such column"),
    ("audit-shortcuts", ["--where", "task=other"], "holds no problem"),
    ("audit-labels", ["--format", "other"], "no such --format"),
    ("audit-labels", ["--limit", 0], "--limit is too small"),
    ("export lm-eval", ["--name", "My tasks"], "--name cannot be a task's"),
])  # fmt: skip
def test_options_that_cannot_be(work, tmp_path, capsys, command, more, told):
    argv = [one if one != "--device" or "--device" not in more else None for one in COMMANDS[command]]
    argv = [one for at, one in enumerate(argv) if one is not None and (at == 0 or argv[at - 1] is not None)]
    words = {"FILE": work / "items.jsonl", "OUT": tmp_path / "out", "MODEL": work / "model"}
    code, out, error = run(capsys, *[words.get(one, one) for one in argv], *more)
    assert code in (1, 2) and out == "" and told in error and len(error.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--device", "--dtype", "--batch-tokens", "--revision"])
def test_endpoints_take_no_options_of_local_models(work, tmp_path, capsys, option):
    argv = ["evaluate", "http://127.0.0.1:1/v1", work / "items.jsonl", "--model-name", "m", "--out", tmp_path / "out"]
    code, _, error = run(capsys, *argv, option, 1)
    assert code == 2 and f"{option} is an option for a local model" in error and not (tmp_path / "out").exists()


def test_a_run_that_is_done_stays_done_when_it_is_resumed_with_other_options(work, tmp_path, capsys):
    argv = ["evaluate", work / "model", work / "items.jsonl", "--device", "cpu", "--quiet", "--out", tmp_path / "out"]
    assert run(capsys, *argv)[0] == 0
    before = {one.name: one.read_bytes() for one in (tmp_path / "out").iterdir()}
    code, _, error = run(capsys, *argv, "--resume", "--cue", " So: ")
    assert code == 2 and "other options" in error
    assert {one.name: one.read_bytes() for one in (tmp_path / "out").iterdir()} == before
    assert json.loads(before["run.json"])["status"] == "done"


def test_what_lies_in_the_way_is_left_alone(work, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("x")
    for command in ("evaluate", "audit-labels", "audit-shortcuts"):
        words = {"FILE": work / "items.jsonl", "OUT": tmp_path / "out", "MODEL": work / "model"}
        code, _, error = run(capsys, *[words.get(one, one) for one in COMMANDS[command]])
        assert code == 1 and "holds other files" in error
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_a_process_of_its_own_leaves_with_the_code_and_no_traceback(tmp_path):
    """As a user's shell sees it."""
    (tmp_path / "items.jsonl").write_text("{")
    done = subprocess.run(
        [sys.executable, "-m", "custodiet", "logic", "check", "items.jsonl"],
        cwd=tmp_path, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "300"},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("custodiet: items.jsonl, line 1 is not JSON; expected an object a line; got ")
