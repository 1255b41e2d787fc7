"""The command as a user meets it: a subprocess."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from custodiet.data.tokenizer import train_bpe
from custodiet.nn.export import save_hf_directory
from custodiet.nn.gpt import GPT, GPTConfig
from custodiet.records.audit import AuditRecord

COMMAND = [sys.executable, "-m", "custodiet"]
WORDS = [
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "red",
    "blue",
    "green",
    "old",
    "new",
    "fast",
    "slow",
    "big",
    "small",
    "far",
]


def run(*arguments, cwd=None, **environment):
    env = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", **environment}
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, env=env, check=False
    )


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    """A model that learned four of eight documents by heart, and the documents."""
    folder = tmp_path_factory.mktemp("workshop")
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, 130)) for _ in range(36)]
    codec = train_bpe(texts, vocab_size=320)
    tokens = codec.encode(texts)
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocab_size=codec.vocab_size, context_length=128, width=48, num_layers=2, num_heads=4))
    rows = torch.stack([torch.from_numpy(np.concatenate([[codec.bos_id], ids[:127]])) for ids in tokens[:6]])
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    loss = torch.tensor(torch.inf)
    for _ in range(1500):  # until it knows them, whatever the threads and kernels of this machine
        optimizer.zero_grad()
        logits = model(rows[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())
        loss.backward()
        optimizer.step()
        if loss.item() < 0.03:
            break
    assert loss.item() < 0.03
    save_hf_directory(model, folder / "model", tokenizer=codec)
    members = [{"text": codec.decode(tokens[i][:126]), "repeats": 260 if i < 6 else 1} for i in range(12)]
    (folder / "members.jsonl").write_text("".join(json.dumps(one) + "\n" for one in members))
    (folder / "controls.jsonl").write_text("".join(json.dumps({"text": one}) + "\n" for one in texts[12:]))
    return folder


def audit(workshop, out, *more):
    return run(
        "audit", workshop / "model", "--documents", workshop / "members.jsonl", "--controls", workshop / "controls.jsonl",
        "--out", out, "--json", "--quiet", *more,
    )  # fmt: skip


def test_help_imports_no_torch_and_lists_the_commands(tmp_path):
    for name in ("torch", "transformers", "polars", "numpy"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('{name} was imported')")
    done = run("--help", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    for command in ("audit", "train", "forecast", "entropy", "verify-mask", "report", "runs", "study"):
        assert command in done.stdout
    assert "what a model memorized" in done.stdout and "goldfish mask really drops" in done.stdout


@pytest.mark.parametrize(
    "command",
    [["audit"], ["train"], ["forecast"], ["entropy"], ["verify-mask"], ["report"], ["runs", "rm"], ["study", "run"]],
)
def test_every_command_has_help(command):
    done = run(*command, "--help")
    assert done.returncode == 0 and len(done.stdout) > 200


def test_audit_of_a_model_finds_what_it_learned(workshop, tmp_path):
    done = audit(workshop, tmp_path / "run", "--repeats-column", "repeats")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["schema"] == "custodiet.audit/1" and found["mask"] is None and found["not_tested"]
    arm = found["arms"]["model"]
    rates = {one["repeats"]: one["rate"]["value"] for one in arm["extraction_50"]}
    assert rates == {1: 0.0, 260: 1.0}
    assert arm["control_extraction_50"]["value"] == 0.0
    assert set(arm["membership"]) == {"loss", "zlib", "min_k", "min_k_plus_plus"}
    for key in ("report_html", "record_json", "rows_parquet"):
        assert Path(found[key]).is_absolute() and Path(found[key]).stat().st_size > 0
    record = AuditRecord.load(Path(found["record_json"]))
    for name in ("report.html", "record.json", "rows.parquet"):
        data = (tmp_path / "run" / name).read_bytes()
        assert (
            b"seven eight" not in data
            and json.loads((workshop / "members.jsonl").read_text().splitlines()[0])["text"][:30].encode() not in data
        )
    assert record.redacted

    (tmp_path / "run" / "report.html").write_text("lost")
    again = run("report", tmp_path / "run", "--json")
    assert again.returncode == 0, again.stderr
    first = (tmp_path / "run" / "report.html").read_bytes()
    assert run("report", tmp_path / "run").returncode == 0
    assert (tmp_path / "run" / "report.html").read_bytes() == first and len(first) > 30_000

    listed = json.loads(run("runs", "list", "--root", tmp_path, "--json").stdout)
    assert [one["id"] for one in listed["runs"]] == ["run"] and listed["runs"][0]["status"] == "done"
    assert "Memorization audit" in run("runs", "show", "run", "--root", tmp_path).stdout
    assert run("runs", "rm", "run", "--root", tmp_path).returncode == 2
    assert run("runs", "rm", "run", "--root", tmp_path, "--yes").returncode == 0
    assert not (tmp_path / "run").exists()


def test_audit_without_repeats_or_redaction(workshop, tmp_path):
    done = audit(workshop, tmp_path / "run", "--no-redact")
    assert done.returncode == 0, done.stderr
    arm = json.loads(done.stdout)["arms"]["model"]
    assert [one["repeats"] for one in arm["extraction_50"]] == [None]
    assert arm["extraction_50"][0]["rate"]["value"] == 0.5
    assert b"true continuation" in (tmp_path / "run" / "report.html").read_bytes()


@pytest.mark.parametrize(
    ("gate", "code"),
    [
        ("arms.model.extraction_50_pooled.value > 0.9", 0),
        ("arms.model.extraction_50_pooled > 0.1", 3),
        ("arms.model.extraction_50_pooled > 0.5", 4),
        ("arms.model.nothing > 0.5", 2),
        ("not a gate", 2),
    ],
)
def test_gates_decide_the_exit_code(workshop, tmp_path, gate, code):
    done = audit(workshop, tmp_path / "run", "--fail-if", gate)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    if code in (3, 4):
        assert (tmp_path / "run" / "record.json").exists() and gate in done.stderr


def test_resume_scores_only_what_is_missing(workshop, tmp_path):
    out = tmp_path / "run"
    whole = json.loads(audit(workshop, out, "--repeats-column", "repeats").stdout)
    refused = audit(workshop, out, "--repeats-column", "repeats")
    assert refused.returncode == 2 and "--resume" in refused.stderr
    other = audit(workshop, out, "--resume")
    assert other.returncode == 2 and "repeats_column" in other.stderr
    import polars as pl

    part = out / "rows" / "part-000000.parquet"
    pl.read_parquet(part).head(7).write_parquet(part)
    again = audit(workshop, out, "--repeats-column", "repeats", "--resume")
    assert again.returncode == 0, again.stderr
    resumed = json.loads(again.stdout)["arms"]["model"]
    first = whole["arms"]["model"]
    first.pop("scoring_elapsed_s"), resumed.pop("scoring_elapsed_s")
    assert resumed == first


def test_dry_run_costs_nothing(workshop, tmp_path):
    done = audit(workshop, tmp_path / "run", "--dry-run")
    assert done.returncode == 0, done.stderr
    cost = json.loads(done.stdout)
    assert cost["num_documents"] == 12 and cost["num_controls"] == 24 and cost["estimated_s"] > 0
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["audit", "{w}/model"], 2, "--documents"),
        (["audit", "{w}/none", "--documents", "{w}/members.jsonl"], 1, "not a model directory"),
        (["audit", "{w}/model", "--documents", "{w}/none.jsonl"], 1, "does not exist"),
        (["audit", "{w}/model", "--documents", "{w}/members.jsonl", "--text-column", "body"], 1, "'text'"),
        (["audit", "{w}/model", "--documents", "{w}/members.jsonl", "--out", "{w}/members.jsonl"], 1, "is a file"),
        (["audit", "--documents", "{w}/members.jsonl"], 2, "needs a model"),
        (["audit", "{w}/model", "--documents", "{w}/members.jsonl", "--out", "{w}/members.jsonl/run"], 1, "cannot be"),
        (["audit", "--limit", "3"], 2, "--limit needs a model"),
        (["audit", "--batch-tokens", "3"], 2, "--batch-tokens needs a model"),
        (["audit", "--device", "cuda"], 2, "on the CPU"),
        (["audit", "--no-such-flag"], 2, "no-such-flag"),
        (["train", "{w}/none.toml"], 2, "does not exist"),
        (["forecast", "--documents", "{w}/members.jsonl", "--num-params", "0"], 2, "num-params"),
        (["verify-mask", "{w}/members.jsonl", "--k", "1"], 2, "at least 2"),
        (["verify-mask"], 2, "documents"),
        (["study", "run", "alchemy"], 2, "goldfish"),
        (["report", "{w}"], 2, "not a run folder"),
        (["runs", "show", "nothing"], 2, "no run"),
        (["nonsense"], 2, "nonsense"),
    ],
)
def test_mistakes_get_one_line(workshop, tmp_path, arguments, code, says):
    done = run(*(one.replace("{w}", str(workshop)) for one in arguments), cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert says in done.stderr and "Traceback" not in done.stderr
    assert done.stderr.startswith("custodiet: ")


def test_train_then_audit_its_run(workshop, tmp_path):
    toml = tmp_path / "c.toml"
    toml.write_text(
        f"corpus = ['{workshop}/members.jsonl']\nvocab_size = 300\ncontext_length = 128\nwidth = 16\nnum_layers = 1\n"
        "num_heads = 2\nnum_steps = 6\nwarmup_steps = 1\nvalidation_share = 0.2\n"
    )
    done = run("train", toml, "--out", tmp_path / "t", "--loss", "goldfish", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["schema"] == "custodiet.train/1" and found["training"]["loss"] == "goldfish"
    done = run("audit", tmp_path / "t", "--documents", workshop / "members.jsonl", "--out", tmp_path / "a", "--quiet")
    assert done.returncode == 0, done.stderr


def test_verify_mask_and_forecast(workshop, tmp_path):
    found = json.loads(run("verify-mask", workshop / "members.jsonl", "--json").stdout)
    assert found["pack_invariance"]["value"] == 1.0 and found["torch_equals_numpy"] == {"cpu": True}
    rate = found["effective_drop_rate"]
    assert rate["low"] < 0.25 < rate["high"]
    tokens = np.random.default_rng(0).integers(0, 99, (4, 200))
    np.savez(tmp_path / "dump.npz", tokens=tokens, keep=np.random.default_rng(1).random((4, 200)) > 0.25)
    dump = json.loads(run("verify-mask", tmp_path / "dump.npz", "--json").stdout)
    assert dump["agreement_with_settings"]["value"] < 0.8
    found = json.loads(
        run("forecast", "--documents", workshop / "controls.jsonl", "--num-params", "1000", "--json").stdout
    )
    assert found["capacity_bits"] == 3640.0 and found["corpus_bits"] > 0
