"""Ctrl-C: exit code 130, one line, nothing left running, nothing lost."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest


def interrupt(arguments, *, after, cwd):
    """Start the command, send SIGINT once a line of its progress starts with `after`."""
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    lines = []
    with subprocess.Popen(
        [sys.executable, "-m", "custodiet", *map(str, arguments)], stderr=subprocess.PIPE, text=True, cwd=cwd, env=env
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            lines.append(line)
            if line.startswith(after) and process.poll() is None and lines.count("sent") == 0:
                process.send_signal(signal.SIGINT)
                lines.append("sent")
    return process.returncode, "".join(lines)


def test_training_stops_after_its_step(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "c.txt").write_text("\n\n".join(" ".join(rng.choice(["sun", "moon", "star"], 50)) for _ in range(40)))
    (tmp_path / "c.toml").write_text(
        "corpus = ['c.txt']\nvocab_size = 280\ncontext_length = 32\nwidth = 16\nnum_layers = 1\nnum_heads = 2\n"
        "num_steps = 1000000\nlog_every = 1\nvalidation_share = 0.0\n"
    )
    code, said = interrupt(["train", "c.toml", "--out", "run"], after="train", cwd=tmp_path)
    assert code == 130 and "--resume" in said and "Traceback" not in said
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "interrupted"
    assert any((tmp_path / "run" / "checkpoints").iterdir())


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for left-over processes in /proc")
def test_the_default_job_takes_its_arms_along(tmp_path):
    code, said = interrupt(["audit", "--out", tmp_path / "run"], after="train", cwd=tmp_path)
    assert code == 130 and "--resume" in said and "Traceback" not in said
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "interrupted"
    mark = str(tmp_path / "run").encode()
    left = [one for one in Path("/proc").glob("[0-9]*/cmdline") if one.exists() and mark in _read(one)]
    assert left == []


def _read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""
