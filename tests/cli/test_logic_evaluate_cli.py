"""`custodiet logic evaluate` and `export` as they are typed: a tiny model, an endpoint that goes down, gates, reports."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from custodiet.cli.main import main
from custodiet.data.tokenizer import train_bpe
from custodiet.logic.generate.config import GenerateConfig
from custodiet.logic.generate.rows import problem_rows
from custodiet.nn.export import save_hf_directory
from custodiet.nn.gpt import GPT, GPTConfig
from custodiet.records.logic_evaluation import LogicEvaluationRecord

CONFIG = GenerateConfig(num=60, seed=1, language="logic", depth=(1, 3), premises=(4, 8))


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    path = tmp_path_factory.mktemp("work")
    rows = [row.text for number in range(4) for row in problem_rows(CONFIG, number)]
    (path / "items.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    codec = train_bpe([json.loads(one)["prompt"] for one in rows], vocab_size=400)
    config = GPTConfig(vocab_size=codec.vocab_size, context_length=1024, width=16, num_layers=1, num_heads=2)
    save_hf_directory(GPT(config, seed=0), path / "model", tokenizer=codec)
    return path


@pytest.fixture
def server():
    """Says that everything is unknown; `state["left"]` answers are left before it goes down."""
    state: dict = {"left": None, "asked": []}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            up = state["left"] is None or state["left"] > 0
            if up and state["left"] is not None:
                state["left"] -= 1
            state["asked"].append((self.path, asked, self.headers.get("Authorization"), up))
            body = json.dumps(
                {"choices": [{"message": {"content": "Answer: unknown"}}]} if up else {"error": "gone"}
            ).encode()
            self.send_response(200 if up else 403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format, *args):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    state["url"] = f"http://127.0.0.1:{http.server_port}/v1"
    yield state
    http.shutdown()
    http.server_close()


def run(capsys, *argv):
    with pytest.raises(SystemExit) as left:
        main(["logic", *map(str, argv)])
    return left.value.code, *capsys.readouterr()


def test_a_model_by_choices(work, tmp_path, capsys):
    out = tmp_path / "run"
    argv = [
        "evaluate",
        work / "model",
        work / "items.jsonl",
        "--out",
        out,
        "--metamorphic",
        4,
        "--device",
        "cpu",
        "--quiet",
        "--json",
    ]
    code, told, _ = run(
        capsys, *argv, "--fail-if", "accuracy < 0", "--fail-if", "by.label[value=unknown].num_items < 8"
    )
    assert code == 0
    found = json.loads(told)
    record = LogicEvaluationRecord.load(out / "record.json")
    assert record.accuracy.value == found["accuracy"]["value"]
    assert record.items.num_asked == 24 and len(record.metamorphic) >= 5
    assert [one.outcome for one in record.gates] == ["pass", "pass"]
    html = (out / "report.html").read_text()
    assert html.count("<svg") == 3 and "Changes that cannot matter" in html and "<script" not in html
    depths = {json.loads(line)["cell"]["depth"] for line in (work / "items.jsonl").read_text().splitlines()}
    assert len(depths) > 1 and [one.value for one in record.pair_by_depth] == [str(one) for one in sorted(depths)]
    assert "whole sets of twins" in html
    rows = (out / "answers.jsonl").read_text().splitlines()
    assert len(rows) == 24 + sum(one.num_variants for one in record.metamorphic)
    before = (out / "answers.jsonl").read_bytes()
    assert run(capsys, *argv, "--resume")[0] == 0
    assert (out / "answers.jsonl").read_bytes() == before
    assert run(capsys, *argv)[0] == 2  # there is a run already
    code, _, error = run(capsys, *argv, "--resume", "--seed", 4)
    assert code == 2 and "other options" in error
    html_before = (out / "report.html").read_text()
    with pytest.raises(SystemExit):
        main(["report", str(out), "--quiet"])
    assert (out / "report.html").read_text() == html_before


def test_a_model_that_writes(work, tmp_path, capsys):
    argv = [
        "evaluate",
        work / "model",
        work / "items.jsonl",
        "--limit",
        6,
        "--max-tokens",
        4,
        "--device",
        "cpu",
        "--quiet",
    ]
    code, told, _ = run(capsys, *argv, "--mode", "answer", "--out", tmp_path / "a")
    assert code == 0 and "Answers that cannot be read" in told
    record = LogicEvaluationRecord.load(tmp_path / "a" / "record.json")
    assert record.max_tokens == 4 and record.items.num_asked == 6
    code, _, error = run(capsys, *argv, "--out", tmp_path / "b")
    assert code == 2 and "--max-tokens" in error
    code, _, error = run(capsys, *argv[:5], "--chat", "--device", "cpu", "--quiet", "--out", tmp_path / "c")
    assert code == 2 and "no chat template" in error


def test_an_endpoint_that_goes_down_and_comes_back(work, server, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("THE_KEY", "s3cret")
    out = tmp_path / "run"
    argv = ["evaluate", server["url"], work / "items.jsonl", "--mode", "answer", "--model-name", "m", "--out", out,
            "--api-key-env", "THE_KEY", "--concurrency", 2]  # fmt: skip
    server["left"] = 10
    code, _, error = run(capsys, *argv)
    assert code == 1 and "answered 403: gone" in error and "--resume" in error
    assert len((out / "answers.jsonl").read_text().splitlines()) == 10
    server["left"] = None
    code, told, _ = run(capsys, *argv, "--resume", "--quiet", "--json")
    assert code == 0 and json.loads(told)["accuracy"]["value"] == pytest.approx(1 / 3)
    assert sum(one[3] for one in server["asked"]) == 24  # no item was answered twice
    assert {one[2] for one in server["asked"]} == {"Bearer s3cret"}
    assert not any("s3cret" in path.read_text() for path in out.iterdir())
    record = LogicEvaluationRecord.load(out / "record.json")
    assert record.pair_accuracy.value == 0.0 and record.model_sha256 is None
    assert {one.label: one.prediction_rate.value for one in record.bias}["unknown"] == 1.0


def test_gates_decide_the_exit_code(work, server, tmp_path, capsys):
    argv = ["evaluate", server["url"], work / "items.jsonl", "--mode", "answer", "--model-name", "m", "--quiet"]
    code, _, error = run(capsys, *argv, "--out", tmp_path / "a", "--fail-if", "accuracy < 0.9")
    assert code == 3 and "gate failed: accuracy < 0.9" in error
    assert (tmp_path / "a" / "report.html").is_file()
    code, _, error = run(capsys, *argv, "--out", tmp_path / "b", "--fail-if", "survival.per_step > 2x")
    assert code == 2
    code, _, error = run(capsys, *argv, "--out", tmp_path / "c", "--fail-if", "nothing < 1")
    assert code == 2 and "no 'nothing'" in error


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--limit", 0], "--limit is too small"),
        (["--model-name", "m"], "option for an endpoint"),
        (["--timeout", 0], "--timeout"),
        (["--mode", "choices", "--max-tokens", 3], "--max-tokens"),
    ],
)
def test_options_that_mean_nothing(work, tmp_path, capsys, more, told):
    code, _, error = run(capsys, "evaluate", work / "model", work / "items.jsonl", "--out", tmp_path / "x", *more)
    assert code == 2 and told in error
    assert not (tmp_path / "x").exists()


def test_endpoints_need_a_name_and_take_no_revision(work, capsys):
    code, _, error = run(capsys, "evaluate", "http://127.0.0.1:1/v1", work / "items.jsonl")
    assert code == 2 and "--model-name is missing" in error
    code, _, error = run(
        capsys, "evaluate", "http://127.0.0.1:1/v1", work / "items.jsonl", "--model-name", "m", "--revision", "x"
    )
    assert code == 2 and "option for a local model" in error


def test_export(work, tmp_path, capsys):
    code, told, _ = run(capsys, "export", work / "items.jsonl", "--to", "lm-eval", "--out", tmp_path / "lm")
    assert code == 0 and f"lm_eval --include_path {tmp_path / 'lm'} --tasks custodiet_logic --model hf" in told
    assert told.startswith("24 items in ")
    code, told, _ = run(capsys, "export", work / "items.jsonl", "--to", "inspect", "--out", tmp_path / "in", "--json")
    found = json.loads(told)
    assert code == 0 and len(found["files"]) == 2 and (found["num_items"], found["left_out"]) == (24, {})
    assert found["run"] == f"cd {tmp_path / 'in'} && inspect eval custodiet_logic.py --model MODEL"
    assert run(capsys, "export", work / "items.jsonl", "--to", "inspect", "--out", tmp_path / "in")[0] == 1
