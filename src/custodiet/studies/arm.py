"""One arm of the default job, in a process of its own: train, measure, write.

Run as ``python -m custodiet.studies.arm WORK NAME``; progress goes to standard output as JSON lines.
Shape suffixes: D documents in order of training, B rows, T positions.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from custodiet.base.process import peak_rss_bytes
from custodiet.base.rng import derive_seed, numpy_rng
from custodiet.base.workers import print_message
from custodiet.data.embedded import DefaultSplit, SplitDocument
from custodiet.data.goldfish_mask import goldfish_mask_numpy
from custodiet.errors import CustodietError
from custodiet.records.files import atomic_path, write_text_atomic

__all__ = ["Stream", "main", "make_stream", "measure_tokens_per_s", "run_arm"]

Say = Callable[[str, float, float, str], None]


class Stream:
    """The order in which an arm sees passages, and what of them is in the loss.

    Args:
        passages: tokens of each distinct passage, without BOS.
        order_D: index into `passages`, in order of training.
        keeps: per passage, bool per token: True where the target is in the loss.
    """

    def __init__(self, passages: list[np.ndarray], order_D: np.ndarray, keeps: list[np.ndarray]) -> None:
        self.passages = passages
        self.order_D = order_D
        self.keeps = keeps
        self.num_input_tokens = int(sum(len(passages[index]) for index in order_D))
        self.num_supervised_tokens = int(sum(int(keeps[index].sum()) for index in order_D))

    def exposures(self) -> np.ndarray:
        """Times that each passage is shown, int64, one per passage."""
        return np.bincount(self.order_D, minlength=len(self.passages))


def make_stream(split: DefaultSplit, config: dict[str, Any], arm: str) -> tuple[Stream, list[str]]:
    """The arm's stream and the ids of its passages.

    Both arms share one seeded order of members (as often as their bucket says), planted canaries and background. The
    goldfish arm then goes on with the beginning of a second seeded order until its kept targets are as many as the
    cross-entropy arm's targets.
    """
    trained: list[tuple[str, np.ndarray, int]] = []
    for doc in split.documents:
        if doc.split == "member":
            trained.append((doc.id, doc.tokens, doc.repeats or 0))
        elif doc.split == "background":
            trained.append((doc.id, doc.tokens, int(config["background_epochs"])))
    for canary in split.canaries:
        if canary.inserted:
            trained.append((canary.id, split.tokenizer.encode([canary.text])[0], canary.repeats))
    passages = [tokens for _, tokens, _ in trained]
    ids = [name for name, _, _ in trained]
    once = np.repeat(np.arange(len(trained)), [count for _, _, count in trained])
    order = numpy_rng(config["seed"], "order", 0).permutation(once)
    full = [np.ones(len(tokens), dtype=bool) for tokens in passages]
    plain = Stream(passages, order, full)
    if arm == "cross_entropy":
        return plain, ids
    settings = {"k": config["goldfish_k"], "h": config["goldfish_h"], "seed": config["goldfish_seed"]}
    keeps = [goldfish_mask_numpy(tokens, **settings) for tokens in passages]
    kept = np.array([int(keep.sum()) for keep in keeps])
    second = numpy_rng(config["seed"], "order", 1).permutation(once)
    missing = plain.num_supervised_tokens - int(kept[order].sum())
    num_more = int(np.searchsorted(np.cumsum(kept[second]), missing)) + 1
    return Stream(passages, np.concatenate([order, second[:num_more]]), keeps), ids


def make_batches(stream: Stream, *, bos_id: int, batch_rows: int, row_tokens: int) -> Iterator[Any]:
    """Rows of [BOS] + passage, right-padded, in the order of the stream."""
    from custodiet.train.batches import Batch

    for start in range(0, len(stream.order_D), batch_rows):
        chosen = stream.order_D[start : start + batch_rows]
        tokens_BT = np.full((len(chosen), row_tokens), bos_id, dtype=np.int64)
        keep_BT = np.zeros((len(chosen), row_tokens), dtype=bool)
        valid_BT = np.zeros((len(chosen), row_tokens), dtype=bool)
        for row, index in enumerate(chosen):
            size = len(stream.passages[index])
            tokens_BT[row, 1 : size + 1] = stream.passages[index]
            keep_BT[row, 1 : size + 1] = stream.keeps[index]
            valid_BT[row, 1 : size + 1] = True
        yield Batch(tokens_BT=tokens_BT, keep_BT=keep_BT, valid_BT=valid_BT)


def run_arm(work: Path, arm: str, *, say: Say) -> None:
    """Train and measure one arm; ``arm.json`` is written last, so that its presence means the arm is done.

    Args:
        work: folder with ``recipe.json`` and the split.
        arm: "cross_entropy" or "goldfish".
        say: called with (task, done, total, note).
    """
    import torch

    from custodiet.nn.export import save_hf_directory
    from custodiet.nn.gpt import GPT, resolve_dtype

    torch.set_num_threads(1)
    config = json.loads((work / "recipe.json").read_text(encoding="utf-8"))
    split = DefaultSplit.load(work)
    stream, ids = make_stream(split, config, arm)
    model = GPT(_gpt_config(config, split.tokenizer.vocab_size), seed=derive_seed(config["seed"], "init"))
    dtype = resolve_dtype(config["dtype"])
    training = _train(model, stream, split, config, arm, dtype=dtype, say=say)
    folder = work / arm
    folder.mkdir(exist_ok=True)
    save_hf_directory(model, folder / "model", tokenizer=split.tokenizer)
    exposures = dict(zip(ids, stream.exposures().tolist(), strict=True))
    _measure(model, split, config, arm, folder=folder, exposures=exposures, training=training, say=say)


def _gpt_config(config: dict[str, Any], vocab_size: int) -> Any:
    from custodiet.nn.gpt import GPTConfig

    return GPTConfig(
        vocab_size=vocab_size,
        context_length=config["context_length"],
        width=config["width"],
        num_layers=config["num_layers"],
        num_heads=config["num_heads"],
    )


def _trainer(model: Any, config: dict[str, Any], num_steps: int, dtype: Any) -> Any:
    from custodiet.optim.adamw import FlatAdamW
    from custodiet.optim.schedules import Schedule
    from custodiet.train.loop import Trainer

    optimizer = FlatAdamW(
        model.parameters(),
        betas=(config["beta1"], config["beta2"]),
        weight_decay=config["weight_decay"],
        clip_norm=config["clip_norm"],
    )
    schedule = Schedule(
        peak=config["learning_rate"],
        num_steps=num_steps,
        warmup_steps=round(config["warmup_share"] * num_steps),
        kind="linear",
        final_share=config["final_lr_share"],
    )
    return Trainer(model, optimizer, schedule, dtype=dtype)


def _train(
    model: Any, stream: Stream, split: DefaultSplit, config: dict[str, Any], arm: str, *, dtype: Any, say: Say
) -> Any:
    from custodiet.nn.scorer import GPTScorer
    from custodiet.records.audit import TrainingSummary

    num_steps = math.ceil(len(stream.order_D) / config["batch_rows"])
    trainer = _trainer(model, config, num_steps, dtype)
    validation = [doc for doc in split.documents if doc.split == "validation"]
    marks = {
        math.ceil(num_steps * (place + 1) / config["num_curve_points"]) for place in range(config["num_curve_points"])
    }
    curve: list[tuple[int, float | None, float | None, float | None]] = []
    supervised = inputs = dropped = 0
    started = time.monotonic()
    bos_id = split.tokenizer.bos_id
    if bos_id is None:
        raise CustodietError("the default job's tokenizer has no BOS")
    batches = make_batches(stream, bos_id=bos_id, batch_rows=config["batch_rows"], row_tokens=config["context_length"])
    for batch in batches:
        marked = trainer.num_steps_done + 1 in marks
        metrics = trainer.step([batch], with_dropped_loss=marked)
        supervised += metrics.num_kept
        dropped += metrics.num_dropped
        inputs += metrics.num_input_tokens
        if marked:
            loss = _validation_loss(GPTScorer(model), validation, bos_id)
            curve.append((supervised, loss, metrics.kept_loss_nats, metrics.dropped_loss_nats))
        if metrics.step % 10 == 0 or metrics.step == num_steps:
            rate = inputs / (time.monotonic() - started)
            say(
                f"train {arm}", metrics.step, num_steps, f"loss {metrics.kept_loss_nats:.2f} nats, {rate:,.0f} tokens/s"
            )
    return TrainingSummary(
        num_params=model.config.num_params,
        num_steps=num_steps,
        num_input_tokens=inputs,
        num_supervised_tokens=supervised,
        num_dropped_tokens=dropped,
        dtype=str(dtype).removeprefix("torch."),
        num_threads=1,
        elapsed_s=round(time.monotonic() - started, 3),
        peak_rss_bytes=peak_rss_bytes(),
        loss="goldfish" if arm == "goldfish" else "cross_entropy",
        settings={
            key: config[key]
            for key in (
                "width", "num_layers", "num_heads", "vocab_size", "context_length", "batch_rows", "learning_rate",
                "beta1", "beta2", "weight_decay", "clip_norm", "background_epochs",
            )
        } | ({"k": config["goldfish_k"], "h": config["goldfish_h"]} if arm == "goldfish" else {}),
        curve=curve,
    )  # fmt: skip


def _validation_loss(scorer: Any, documents: list[SplitDocument], bos_id: int) -> float:
    nats = num = 0.0
    for doc in documents:
        scores = scorer.score_targets(np.concatenate([[bos_id], doc.tokens])[None, :])
        nats -= float(scores.logprob_BT.sum(dtype=np.float64))
        num += scores.logprob_BT.size
    return nats / num


def _measure(
    model: Any,
    split: DefaultSplit,
    config: dict[str, Any],
    arm: str,
    *,
    folder: Path,
    exposures: dict[str, int],
    training: Any,
    say: Say,
) -> None:
    from custodiet.entropy.ngram import WittenBellModel
    from custodiet.memorization.blind import estimate_blind_auc
    from custodiet.memorization.documents import AuditDocument, AuditSettings, GoldfishSettings
    from custodiet.memorization.exposure import score_canaries
    from custodiet.memorization.score import score_documents
    from custodiet.memorization.summary import pick_examples, summarize_arm
    from custodiet.nn.decode import GPTStepper
    from custodiet.nn.scorer import GPTScorer
    from custodiet.studies.default_job import ARMS

    started = time.monotonic()
    codec = split.tokenizer
    background = [doc.tokens for doc in split.documents if doc.split == "background"]
    reference = WittenBellModel.train(background, order=5, vocab_size=codec.vocab_size)
    mask = GoldfishSettings(k=config["goldfish_k"], h=config["goldfish_h"], seed=config["goldfish_seed"])
    settings = AuditSettings(batch_tokens=4096, redact=config["redact"], goldfish=mask if arm == "goldfish" else None)
    audited = [
        AuditDocument(
            id=doc.id,
            text=doc.text,
            tokens=doc.tokens,
            split=doc.split,
            repeats=doc.repeats,
            exposures=float(exposures[doc.id]) if doc.id in exposures else None,
        )
        for doc in split.documents
        if doc.split != "background"
    ]
    frames = score_documents(
        audited,
        arm=arm,
        scorer=GPTScorer(model),
        settings=settings,
        bos_id=codec.bos_id,
        generator=GPTStepper(model),
        decode=codec.decode,
        reference=reference,
        on_progress=lambda done, tokens: say(f"audit {arm}", done, len(audited) + len(split.canaries), "documents"),
    )
    rows = pl.concat(list(frames))
    canaries = score_canaries(
        split.canaries,
        scorer=GPTScorer(model),
        codec=codec,
        batch_tokens=settings.batch_tokens,
        on_progress=lambda done, num: say(f"audit {arm}", len(audited) + done, len(audited) + num, "canaries"),
    )
    blind = estimate_blind_auc(
        [doc.tokens for doc in audited if doc.split == "member"],
        [doc.tokens for doc in audited if doc.split == "control"],
        seed=config["seed"],
    )
    record = summarize_arm(
        rows,
        canaries,
        description=ARMS[arm],
        num_params=training.num_params,
        training=training.model_copy(update={"peak_rss_bytes": peak_rss_bytes()}),
        blind=blind,
        scoring_elapsed_s=time.monotonic() - started,
        seed=config["seed"],
    )
    texts = {doc.id: doc for doc in audited}

    def truth(name: str) -> tuple[str, str]:
        tokens = texts[name].tokens
        end = settings.prefix_tokens + settings.suffix_tokens
        return codec.decode(tokens[: settings.prefix_tokens]), codec.decode(tokens[settings.prefix_tokens : end])

    examples = pick_examples(rows, arm, suffix_tokens=settings.suffix_tokens, truth=None if settings.redact else truth)
    for name, frame in (("rows", rows), ("canaries", canaries)):
        with atomic_path(folder / f"{name}.parquet") as temporary:
            frame.write_parquet(temporary)
    control_bits = rows.filter(pl.col("split") == "control")
    bits_per_token = float(control_bits["reference_bits"].sum()) / int(control_bits["num_tokens"].sum())
    done = {
        "arm": record.model_dump(mode="json", by_alias=True),
        "examples": [one.model_dump(mode="json", by_alias=True) for one in examples],
        "environment": _environment(training.dtype),
        "reference": {
            "bits_per_token": bits_per_token,
            "num_corpus_tokens": sum(map(len, background))
            + sum(len(doc.tokens) for doc in split.documents if doc.split == "member"),
        },
    }
    write_text_atomic(folder / "arm.json", json.dumps(done, indent=1) + "\n")


def _environment(dtype: str) -> dict[str, Any]:
    import torch

    from custodiet.records.base import Environment

    here = Environment.here(
        torch=torch.__version__,
        device="cpu",
        dtype=dtype,
        num_threads=1,
        instruction_set=torch.backends.cpu.get_cpu_capability(),
    )
    return here.model_dump(mode="json")


def measure_tokens_per_s(config: dict[str, Any], *, num_steps: int = 4) -> float:
    """Training speed of the default model on this machine, tokens per second on one thread."""
    import torch

    from custodiet.nn.gpt import GPT, resolve_dtype

    torch.set_num_threads(1)
    model = GPT(_gpt_config(config, config["vocab_size"]))
    trainer = _trainer(model, config, 100, resolve_dtype(config["dtype"]))
    rng = numpy_rng(0, "speed")
    size = config["context_length"] - 1
    passages = [rng.integers(0, config["vocab_size"], size) for _ in range(config["batch_rows"])]
    stream = Stream(passages, np.arange(len(passages)), [np.ones(size, dtype=bool)] * len(passages))
    (batch,) = make_batches(stream, bos_id=0, batch_rows=len(passages), row_tokens=config["context_length"])
    trainer.step([batch])
    started = time.perf_counter()
    for _ in range(num_steps):
        trainer.step([batch])
    return num_steps * stream.num_input_tokens / (time.perf_counter() - started)


def main() -> None:
    """Entry of the child process."""
    work, arm = Path(sys.argv[1]), sys.argv[2]

    def say(task: str, done: float, total: float, note: str) -> None:
        print_message(task=task, done=done, total=total, note=note)

    try:
        run_arm(work, arm, say=say)
    except CustodietError as error:
        print(str(error), file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
