"""Two ranks over gloo take the steps that one process takes."""

import json
import os
import shutil
import socket
import subprocess
import sys

import numpy as np
import torch
from safetensors.torch import load_file

import custodiet

RANK = """
import sys
import custodiet
from custodiet.train.config import load_train_config
custodiet.train(load_train_config(sys.argv[1]), out=sys.argv[2], resume=sys.argv[3] == "resume")
"""


def run_ranks(toml, out, how="fresh"):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {
        **os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": "lo",
    }  # fmt: skip
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", RANK, str(toml), str(out), how],
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    for rank in ranks:
        _, stderr = rank.communicate(timeout=240)
        assert rank.returncode == 0, stderr


def write_config(path, **changes):
    settings = {
        "corpus": ["corpus.jsonl"], "vocab_size": 300, "context_length": 48, "width": 16, "num_layers": 2, "num_heads": 2,
        "loss": "goldfish", "batch_size": 2, "num_steps": 8, "warmup_steps": 2, "validation_share": 0.1, "log_every": 1,
        "dtype": "float32", "num_threads": 1, "checkpoint_every": 4, "learning_rate": 0.003,
    } | changes  # fmt: skip
    path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items()))
    return path


def test_two_ranks_equal_one_process_and_resume(tmp_path):
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcdefgh"), 4)) for _ in range(60)]
    texts = [" ".join(rng.choice(words, int(rng.integers(8, 60)))) for _ in range(50)]
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))

    two = write_config(tmp_path / "two.toml")
    run_ranks(two, tmp_path / "two")
    one = write_config(tmp_path / "one.toml", accumulation_steps=2)
    record = custodiet.train(one, out=tmp_path / "one")

    def read(name):
        return load_file(tmp_path / name / "model" / "model.safetensors")

    def metrics(name):
        lines = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        return [(m["step"], m["num_supervised_tokens"], m["num_dropped_tokens"]) for m in map(json.loads, lines)]

    ours, theirs = read("one"), read("two")
    assert ours.keys() == theirs.keys()
    for key in ours:
        torch.testing.assert_close(theirs[key], ours[key], rtol=1e-4, atol=2e-5)
    assert metrics("one") == metrics("two") and len(metrics("one")) == 8
    assert record.training.num_dropped_tokens > 0  # the ranks had unequal kept counts to weigh

    # kill after the first checkpoint: drop the second, continue on two ranks, same bits
    last = sorted((tmp_path / "two" / "checkpoints").iterdir())[-1]
    shutil.rmtree(last) if last.is_dir() else last.unlink()
    run_ranks(two, tmp_path / "two", "resume")
    again = read("two")
    assert all(torch.equal(again[key], theirs[key]) for key in theirs)
