"""Memory of an audit of many short documents: the growth from a thousand to a hundred thousand."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.table import Row, absolute_row

FEW, MANY = 1_000, 100_000


def make_inputs(folder: Path) -> None:
    """A tiny model and JSONL files of FEW and MANY short documents, half of them controls."""
    from custodiet.data.tokenizer import train_bpe
    from custodiet.nn.export import save_hf_directory
    from custodiet.nn.gpt import GPT, GPTConfig

    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), 6)) for _ in range(400)]
    codec = train_bpe([" ".join(words)] * 2, vocab_size=600)
    model = GPT(GPTConfig(vocab_size=codec.vocab_size, context_length=128, width=16, num_layers=1, num_heads=1), seed=0)
    save_hf_directory(model, folder / "model", tokenizer=codec)
    for num in (FEW, MANY):
        for name in ("members", "controls"):
            with (folder / f"{name}-{num}.jsonl").open("w") as file:
                for row in rng.integers(0, len(words), (num // 2, 12)):
                    file.write(json.dumps({"text": " ".join(words[index] for index in row)}) + "\n")


def measure(folder: Path, num: int) -> float:
    """Peak resident MiB of the audit process over `num` documents."""
    code = (
        "import runpy, sys; from custodiet.base.process import peak_rss_bytes\n"
        "sys.argv = ['custodiet', *sys.argv[1:]]\n"
        "try: runpy.run_module('custodiet', run_name='__main__')\n"
        "finally: print(peak_rss_bytes() / 2**20)"
    )
    arguments = [
        "audit", folder / "model", "--documents", folder / f"members-{num}.jsonl", "--controls",
        folder / f"controls-{num}.jsonl", "--out", folder / f"run-{num}", "--quiet", "--batch-tokens", "4096",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], check=True, capture_output=True, text=True
    )
    return float(done.stdout.split()[-1])


def run() -> list[Row]:
    """The rows of this benchmark."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_inputs(folder)
        few, many = (measure(folder, num) for num in (FEW, MANY))
    return [
        absolute_row(
            "audit_memory_growth_mib", many - few, unit="MiB", bar=200.0, better="lower",
            input=f"peak of the process at {MANY:,} short documents ({many:.0f} MiB) less at {FEW:,} ({few:.0f} MiB)",
            reason="rows go to disk in chunks; what stays is one number per document and measure",
        )
    ]  # fmt: skip
