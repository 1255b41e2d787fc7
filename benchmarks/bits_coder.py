"""The arithmetic coder: how long its code is, and how fast it is, with the models of the studies."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.table import Row, absolute_row

ROUNDS = 5
MAX_HEADER_BYTES = 512


@dataclass(frozen=True, kw_only=True)
class Job:
    """Tokens, the layout they are coded in, and their cross-entropy over the same windows by another path."""

    name: str
    predictor: Any
    tokens: np.ndarray
    layout: Any
    cross_entropy_bits: float
    bar: float
    text: str


def coder_rows(study: Path) -> list[Row]:
    """Rows for the model of the capacity study and for one of the default audit's shape.

    Args:
        study: folder of a run of study `cross-entropy`, whose model has that shape.
    """
    import torch

    torch.set_num_threads(1)
    rows: list[Row] = []
    for job in (_capacity_job(), _audit_job(study)):
        rows += _job_rows(job)
    return [*rows, _header_row(study)]


def _job_rows(job: Job) -> list[Row]:
    from custodiet.entropy.coder import decode_tokens, encode_tokens

    coded = encode_tokens(job.predictor, job.tokens, job.layout)
    found, digest = decode_tokens(job.predictor, coded.payload, job.layout)
    wrong = int((found != job.tokens).sum()) + int(digest != coded.probability_digest)
    num = len(job.tokens)
    bound = 1.001 * job.cross_entropy_bits + 64
    encode_s = _best(lambda: encode_tokens(job.predictor, job.tokens, job.layout))
    decode_s = _best(lambda: decode_tokens(job.predictor, coded.payload, job.layout))
    speed = f"{job.text}, {num:,} tokens in {job.layout.num_lanes} lanes, one thread, best of {ROUNDS}"
    why = "a pass of the model per token and lane, one batched step at a time on both sides"
    return [
        absolute_row(
            f"coder_payload_over_bound_{job.name}", coded.payload_bits / bound, unit="share of 1.001 cross-entropy + 64 bits",
            input=f"{job.text}, {num:,} tokens", bar=1.0, better="lower",
            reason=f"{coded.payload_bits:,} bits against a cross-entropy of {job.cross_entropy_bits:,.1f}",
        ),
        absolute_row(
            f"coder_wrong_tokens_{job.name}", wrong, unit="tokens", input=f"{job.text}, {num:,} tokens", bar=0.0, better="lower",
            reason="decoded again", kind="count",
        ),
        absolute_row(
            f"coder_encode_{job.name}", num / encode_s, unit="tokens/s (process CPU)", input=speed, bar=job.bar, better="higher",
            reason=why,
        ),
        absolute_row(
            f"coder_decode_{job.name}", num / decode_s, unit="tokens/s (process CPU)", input=speed, bar=job.bar, better="higher",
            reason=why,
        ),
    ]  # fmt: skip


def _best(work: Callable[[], object]) -> float:
    found = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        work()
        found.append(time.process_time() - begin)
    return min(found)


def _capacity_job() -> Job:
    from custodiet.entropy.coder import Layout
    from custodiet.memorization.capacity.fit import fit_random_tokens, random_tokens
    from custodiet.memorization.capacity.sweep import default_config
    from custodiet.nn.predictors import EnsemblePredictor

    fits = [one for one in default_config().fits().values() if one.num_sequences == 300]
    config = min(fits, key=lambda one: one.num_steps)
    _, ensemble = fit_random_tokens(config)
    tokens = random_tokens(config)
    ids = tokens[0].reshape(-1).numpy()
    return Job(
        name="capacity",
        predictor=EnsemblePredictor(ensemble),
        tokens=ids,
        layout=Layout(num_tokens=len(ids), num_lanes=300, window_tokens=16, history_tokens=0),
        cross_entropy_bits=float(ensemble.sequence_bits(tokens)[0].sum()),
        bar=30_000,
        text=f"the capacity study's model after {config.num_steps} steps, its own sequences",
    )


def _audit_job(study: Path) -> Job:
    from custodiet.entropy.coder import Layout
    from custodiet.nn.code_length import layout_code_bits
    from custodiet.nn.loading import load_model

    loaded = load_model(study / "work" / "train", device="cpu", dtype="float32")
    text = (study / "work" / "training.jsonl").read_text(encoding="utf-8")[:150_000]
    tokens = loaded.codec.encode([text])[0]
    window = loaded.context_length - 1
    chosen = Layout.choose(len(tokens), loaded.predictor)
    layout = Layout(
        num_tokens=len(tokens), num_lanes=chosen.num_lanes, window_tokens=window, history_tokens=window // 2
    )
    return Job(
        name="audit",
        predictor=loaded.predictor,
        tokens=tokens,
        layout=layout,
        cross_entropy_bits=float(layout_code_bits(loaded, tokens, layout).sum()),
        bar=3_000,
        text="a model of the default audit's shape (3 x 192, V = 1024), windows of 127 that repeat 63",
    )


def _header_row(study: Path) -> Row:
    import tempfile

    import custodiet

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text"
        path.write_bytes((study / "work" / "training.jsonl").read_bytes()[:3000])
        found = custodiet.compress(path, model=str(study / "work" / "train"))
    return absolute_row(
        "coder_header_bytes", found.header_bytes, unit="bytes", input="a file of 3,000 bytes", bar=MAX_HEADER_BYTES,
        better="lower", reason="hashes of model, data and probabilities, layout, libraries and processor", kind="count",
    )  # fmt: skip
