"""Training: sums over micro-batches, resume, kills, NaN."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import custodiet
from custodiet.data.goldfish_mask import goldfish_mask_numpy
from custodiet.errors import CheckpointError, CorpusError, NonFiniteLossError, UsageError
from custodiet.nn.gpt import GPT, GPTConfig
from custodiet.optim.adamw import FlatAdamW
from custodiet.optim.schedules import Schedule
from custodiet.records.run_folder import RunFolder
from custodiet.records.train import TrainRecord
from custodiet.train.batches import Batch
from custodiet.train.config import TrainConfig, load_train_config
from custodiet.train.loop import Trainer
from custodiet.train.run import _Run

WORDS = [
    "the",
    "cat",
    "sat",
    "on",
    "a",
    "mat",
    "and",
    "the",
    "dog",
    "ran",
    "to",
    "the",
    "red",
    "barn",
    "while",
    "rain",
    "fell",
    "over",
    "all",
    "of",
    "it",
]


@pytest.fixture
def corpus(tmp_path):
    rng = np.random.default_rng(0)
    lines = [json.dumps({"text": " ".join(rng.choice(WORDS, 40))}) for _ in range(60)]
    path = tmp_path / "corpus.jsonl"
    path.write_text("\n".join(lines))
    return path


def make_config(corpus, **changes):
    settings = {
        "corpus": (str(corpus),), "vocab_size": 300, "context_length": 32, "width": 16, "num_layers": 1,
        "num_heads": 2, "num_steps": 12, "warmup_steps": 2, "batch_size": 4, "checkpoint_every": 4, "validate_every": 6,
        "log_every": 3, "dtype": "float32", "num_threads": 1, "validation_share": 0.1, "loss": "goldfish", "device": "cpu",
    }  # fmt: skip
    return TrainConfig(**(settings | changes))


def weights(folder):
    return load_file(folder / "model" / "model.safetensors")


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def make_trainer(seed=0, **options):
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocab_size=50, context_length=16, width=16, num_layers=1, num_heads=2), seed=seed)
    optimizer = FlatAdamW(model.parameters(), clip_norm=1.0)
    return Trainer(model, optimizer, Schedule(peak=1e-2, num_steps=100), **options)


def make_batch(rng, rows, keep_share=0.7):
    tokens = rng.integers(0, 50, (rows, 16))
    valid = np.ones_like(tokens, dtype=bool)
    valid[:, 0] = False
    return Batch(tokens_BT=tokens, valid_BT=valid, keep_BT=valid & (rng.random(tokens.shape) < keep_share))


def split(batch, rows):
    pick = [np.s_[:rows], np.s_[rows:]]
    return [Batch(tokens_BT=batch.tokens_BT[p], valid_BT=batch.valid_BT[p], keep_BT=batch.keep_BT[p]) for p in pick]


def test_accumulation_is_the_sum_over_all_kept_targets():
    rng = np.random.default_rng(1)
    whole, parts = make_trainer(), make_trainer()
    for _ in range(5):
        batch = make_batch(rng, 6)
        uneven = split(batch, 1)
        a, b = whole.step([batch]), parts.step(uneven)
        assert a.kept_loss_nats == pytest.approx(b.kept_loss_nats, rel=1e-5)
        assert (a.num_kept, a.num_dropped) == (b.num_kept, b.num_dropped)
    for mine, other in zip(whole.model.parameters(), parts.model.parameters(), strict=True):
        torch.testing.assert_close(mine, other, atol=2e-5, rtol=1e-4)


def test_the_step_is_that_of_a_plain_loop():
    rng = np.random.default_rng(2)
    trainer = make_trainer()
    model = GPT(trainer.model.config, seed=0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, betas=(0.9, 0.95), weight_decay=0.0)
    for step in range(5):
        batch = make_batch(rng, 4)
        trainer.step([batch], with_dropped_loss=True)
        tokens, keep = torch.from_numpy(batch.tokens_BT), torch.from_numpy(batch.keep_BT)[:, 1:]
        optimizer.param_groups[0]["lr"] = trainer.schedule.rate_at(step)
        optimizer.zero_grad()
        logits = model(tokens[:, :-1])
        torch.nn.functional.cross_entropy(logits[keep], tokens[:, 1:][keep]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    for mine, other in zip(trainer.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(mine, other, atol=1e-4, rtol=1e-3)


def test_dropped_losses_are_reported_apart():
    rng = np.random.default_rng(3)
    trainer = make_trainer()
    batch = make_batch(rng, 3)
    with torch.no_grad():
        logits = trainer.model(torch.from_numpy(batch.tokens_BT)[:, :-1])
    nats = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), torch.from_numpy(batch.tokens_BT)[:, 1:].flatten(), reduction="none"
    ).view(3, 15)
    found = trainer.step([batch], with_dropped_loss=True)
    keep = torch.from_numpy(batch.keep_BT)[:, 1:]
    assert found.kept_loss_nats == pytest.approx(nats[keep].mean().item(), rel=1e-5)
    assert found.dropped_loss_nats == pytest.approx(nats[~keep].mean().item(), rel=1e-5)


def test_a_step_without_any_kept_target_changes_no_weight():
    trainer = make_trainer()
    before = trainer.optimizer.flat.clone()
    metrics = trainer.step([make_batch(np.random.default_rng(4), 2, keep_share=0.0)])
    assert metrics.kept_loss_nats == 0.0 and metrics.num_kept == 0
    assert torch.equal(before, trainer.optimizer.flat)


def test_nan_stops_before_the_weights_are_touched():
    trainer = make_trainer()
    with torch.no_grad():
        trainer.model.norm_final.bias[0] = float("nan")
    before = trainer.optimizer.flat.clone()
    with pytest.raises(NonFiniteLossError, match="step 1"):
        trainer.step([make_batch(np.random.default_rng(5), 2)])
    assert torch.equal(before.nan_to_num(9), trainer.optimizer.flat.nan_to_num(9))


def test_the_mask_of_a_pack_is_the_mask_of_its_documents(corpus, tmp_path):
    run = _Run(make_config(corpus), RunFolder.create(tmp_path / "run", "train"), lambda *_: None)
    rows = run.corpus.rows
    order = custodiet_order(run)
    for place, index in enumerate(order):
        inside = (rows.document_NT == place) & rows.target_NT
        document = run.corpus.documents[index][: run.config.context_length]
        if inside.sum() == len(document) == len(run.corpus.documents[index]):
            np.testing.assert_array_equal(run.keep[inside], goldfish_mask_numpy(document))
    assert 0.7 < run.keep[rows.target_NT].mean() < 0.85


def custodiet_order(run):
    from custodiet.base.rng import numpy_rng

    return numpy_rng(run.config.seed, "packing").permutation(len(run.corpus.documents))


def test_resume_is_bit_identical(corpus, tmp_path, monkeypatch):
    config = make_config(corpus, accumulation_steps=2)
    record = custodiet.train(config, out=tmp_path / "whole")
    saves = []

    import custodiet.train.run as module

    real = module.save_checkpoint

    def save_then_die(*args, **kwargs):
        real(*args, **kwargs)
        saves.append(1)
        if len(saves) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(module, "save_checkpoint", save_then_die)
    with pytest.raises(KeyboardInterrupt):
        custodiet.train(config, out=tmp_path / "parts")
    assert RunFolder.open(tmp_path / "parts").state()["status"] == "interrupted"
    monkeypatch.undo()
    again = custodiet.train(config, out=tmp_path / "parts", resume=True)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    assert again.weights_sha256 == record.weights_sha256
    steps = [json.loads(line)["step"] for line in (tmp_path / "parts" / "metrics.jsonl").read_text().splitlines()]
    assert steps == [3, 6, 9, 12]
    assert TrainRecord.load(tmp_path / "parts" / "record.json") == again
    assert again.training.num_dropped_tokens > 0


KILLED = """
import os, signal, sys
import safetensors.torch, custodiet
import custodiet.train.checkpoint as module
from custodiet.train.config import load_train_config
real, calls = module.save_file, []
def die(tensors, path):
    calls.append(1)
    if len(calls) == 4:  # the second checkpoint's optimizer: half a file, then kill -9
        real(tensors, path)
        data = open(path, "rb").read()
        open(path, "wb").write(data[: len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    real(tensors, path)
module.save_file = die
custodiet.train(load_train_config(sys.argv[1]), out=sys.argv[2])
"""


def test_kill_in_the_middle_of_a_checkpoint(corpus, tmp_path):
    toml = tmp_path / "c.toml"
    config = make_config(corpus)
    toml.write_text(
        "\n".join(
            f"{key} = {json.dumps(list(value) if isinstance(value, tuple) else value)}"
            for key, value in vars(config).items()
            if value is not None
        )
    )
    custodiet.train(toml, out=tmp_path / "whole")
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(toml), str(tmp_path / "killed")], capture_output=True, check=False
    )
    assert run.returncode == -signal.SIGKILL, run.stderr
    there = [path.name for path in (tmp_path / "killed" / "checkpoints").iterdir()]
    assert "step-00000004" in there and "step-00000008.tmp" in there
    custodiet.train(toml, out=tmp_path / "killed", resume=True)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "killed"))
    assert not list((tmp_path / "killed" / "checkpoints").glob("*.tmp"))


def test_a_damaged_checkpoint_is_named(corpus, tmp_path):
    config = make_config(corpus, num_steps=4)
    custodiet.train(config, out=tmp_path / "run")
    (tmp_path / "run" / "checkpoints" / "step-00000004" / "optimizer.safetensors").write_bytes(b"xx")
    with pytest.raises(CheckpointError, match="step-00000004"):
        custodiet.train(config, out=tmp_path / "run", resume=True)


def test_nan_keeps_the_last_good_checkpoint(corpus, tmp_path):
    config = make_config(corpus, learning_rate=1e30, warmup_steps=0, clip_norm=None, checkpoint_every=1, num_steps=30)
    with pytest.raises(NonFiniteLossError, match="last good checkpoint"):
        custodiet.train(config, out=tmp_path / "run")
    assert RunFolder.open(tmp_path / "run").state()["status"] == "failed"
    assert list((tmp_path / "run" / "checkpoints").iterdir())


@pytest.mark.parametrize("loss", ["cross_entropy", "goldfish"])
def test_it_learns(corpus, tmp_path, loss):
    record = custodiet.train(make_config(corpus, num_steps=60, learning_rate=1e-2, loss=loss), out=tmp_path / "r")
    assert record.validation_loss_nats.value < 3.6  # 5.7 at the start, 3.0 is the entropy of the words
    assert record.validation_loss_nats.low < record.validation_loss_nats.high


def test_config_errors(tmp_path, corpus):
    path = tmp_path / "c.toml"
    for text, says in [
        ("corpus = ['x']\nlearning_rat = 1", "Did you mean 'learning_rate'"),
        ("corpus = ['x']\nnum_steps = 'many'", "num_steps has a value of another kind; expected int"),
        ("corpus = ['x']\nloss = 'mse'", "'cross_entropy', 'goldfish'"),
        ("width = 3", "names no corpus"),
        ("corpus = [", "is not TOML"),
        ("corpus = []", "corpus is empty"),
        ("corpus = ['x']\nbatch_size = 0", "batch_size is too small"),
    ]:
        path.write_text(text)
        with pytest.raises(UsageError, match=says):
            load_train_config(path)
    path.write_text("corpus = 'corpus.jsonl'\nlearning_rate = 1\nclip_norm = 2")
    config = load_train_config(path, {"num_steps": 3, "warmup_steps": 1})
    assert config.corpus == (str(tmp_path / "corpus.jsonl"),) and config.learning_rate == 1.0 and config.num_steps == 3
    with pytest.raises(UsageError, match="does not exist"):
        load_train_config(tmp_path / "none.toml")
    one = tmp_path / "one.txt"
    one.write_text("only one document")
    with pytest.raises(CorpusError, match="too small to hold"):
        custodiet.train(make_config(one), out=tmp_path / "r")


def test_ctrl_c_ends_after_the_step_and_resumes_with_the_same_bits(corpus, tmp_path):
    config = make_config(corpus, num_steps=9, log_every=1, checkpoint_every=100)
    custodiet.train(config, out=tmp_path / "whole")

    def interrupt(task, done, total, note):
        if task == "train" and done == 4:
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        custodiet.train(config, out=tmp_path / "cut", on_progress=interrupt)
    assert signal.getsignal(signal.SIGINT) is before
    assert json.loads((tmp_path / "cut" / "run.json").read_text())["status"] == "interrupted"
    assert len((tmp_path / "cut" / "metrics.jsonl").read_text().splitlines()) == 4
    custodiet.train(config, out=tmp_path / "cut", resume=True)
    whole, cut = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(whole[key], cut[key]) for key in whole)


def test_without_validation_documents_the_loss_is_null_with_its_reason(corpus, tmp_path):
    record = custodiet.train(make_config(corpus, validation_share=0.0), out=tmp_path / "run")
    assert record.validation_loss_nats.value is None and "validation_share is 0" in (
        record.validation_loss_nats.why or ""
    )
    assert record.training.curve and all(point[1] is None for point in record.training.curve)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["headline"] == "no validation documents"
    assert TrainRecord.load(tmp_path / "run" / "record.json") == record
