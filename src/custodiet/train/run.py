"""`custodiet.train`: a corpus becomes a model, with metrics, checkpoints and a record."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from custodiet.base.rng import derive_seed, numpy_rng
from custodiet.base.stats import bootstrap
from custodiet.data.goldfish_mask import goldfish_mask_numpy
from custodiet.data.packing import PackedRows, pack_documents
from custodiet.data.readers import CorpusFile, iter_documents
from custodiet.data.tokenizer import Tokenizer, load_tokenizer, train_bpe
from custodiet.errors import CorpusError, UsageError
from custodiet.nn.export import save_hf_directory
from custodiet.nn.gpt import GPT, GPTConfig, resolve_dtype
from custodiet.nn.losses import token_losses
from custodiet.optim.adamw import FlatAdamW
from custodiet.optim.schedules import Schedule
from custodiet.records.audit import InputFile, TrainingSummary
from custodiet.records.base import Environment, Measurement
from custodiet.records.files import sha256_file
from custodiet.records.run_folder import RunFolder, utc_now
from custodiet.records.train import TrainRecord
from custodiet.train.batches import Batch
from custodiet.train.checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint
from custodiet.train.config import TrainConfig, load_train_config
from custodiet.train.distributed import process_group, rank, world_size
from custodiet.train.loop import StepMetrics, Trainer

__all__ = ["train"]

Progress = Callable[[str, float, float, str], None]


class _Corpus:
    """Tokenized documents, split by a seeded coin and packed."""

    def __init__(self, config: TrainConfig, folder: Path) -> None:
        stream = iter_documents(
            config.corpus, text_column=config.text_column, repeats_column=config.repeats_column, strict=config.strict
        )
        texts: list[str] = []
        repeats: list[int] = []
        for document in stream:
            texts.append(document.text)
            repeats.append(1 if document.repeats is None else document.repeats)
        self.files: list[CorpusFile] = stream.files
        self.tokenizer = _tokenizer(config, texts, folder)
        tokens = self.tokenizer.encode(texts)
        num_held = max(1, round(config.validation_share * len(texts))) if config.validation_share else 0
        if num_held >= len(texts):
            raise CorpusError("the corpus is too small to hold documents out", expected="at least 2", got=len(texts))
        held = set(numpy_rng(config.seed, "validation").permutation(len(texts))[:num_held].tolist())
        self.validation = [tokens[index] for index in sorted(held)]
        self.documents = [
            tokens[index] for index in range(len(texts)) if index not in held for _ in range(repeats[index])
        ]
        if not any(len(one) for one in self.documents):
            raise CorpusError("no token is left to train on")
        order = numpy_rng(config.seed, "packing").permutation(len(self.documents))
        self.rows = pack_documents(
            [self.documents[index] for index in order],
            row_tokens=config.context_length + 1,
            bos_id=self.tokenizer.bos_id,
        )


def _tokenizer(config: TrainConfig, texts: list[str], folder: Path) -> Tokenizer:
    there = folder / "tokenizer"
    if (there / "tokenizer.json").is_file():
        return load_tokenizer(there)
    codec = (
        train_bpe(texts, vocab_size=config.vocab_size)
        if config.tokenizer is None
        else load_tokenizer(Path(config.tokenizer))
    )
    if codec.bos_id is None:
        raise UsageError("the tokenizer has no BOS token", hint="Name one as bos_token in its tokenizer_config.json.")
    if rank() == 0:
        codec.save(there)
    return codec


def make_keep(rows: PackedRows, config: TrainConfig) -> NDArray[np.bool_]:
    """Which tokens of packed rows are in the loss, bool (N, T); each document's mask is the one it has alone."""
    valid = rows.target_NT
    if config.loss == "cross_entropy":
        return valid
    keep = np.zeros_like(valid)
    # the BOS is not part of a document: mark it as padding, so that a document's tokens follow one another alone
    for row in range(len(valid)):
        chosen = np.flatnonzero(valid[row])
        keep[row, chosen] = goldfish_mask_numpy(
            rows.tokens_NT[row, chosen],
            k=config.goldfish_k,
            h=config.goldfish_h,
            seed=config.goldfish_seed,
            strategy=config.goldfish_strategy,
            segments=rows.segment_NT[row, chosen],
            positions=row * valid.shape[1] + chosen,
        )
    return keep


def train(
    config: TrainConfig | str | Path,
    *,
    out: Path | str | RunFolder | None = None,
    resume: bool = False,
    on_progress: Progress | None = None,
) -> TrainRecord:
    """Train a GPT on a corpus.

    On CPU a resumed run ends with the same bits as one that was never stopped.

    Args:
        config: settings, or the path of a TOML file.
        out: run folder; None makes ``runs/train-<time>-<random>``. The model lies in its folder ``model`` afterwards, as
            a Hugging Face directory.
        resume: continue the run in `out` from its last checkpoint.
        on_progress: called with (task, done, total, note).

    Returns:
        The record, as saved in the run folder.

    Raises:
        CorpusError, UsageError, OutputError, CheckpointError: each names what is wrong.
        NonFiniteLossError: the loss is NaN or infinite; the last good checkpoint is kept.
    """
    resolved = config if isinstance(config, TrainConfig) else load_train_config(Path(config))
    with process_group():
        folder = out if isinstance(out, RunFolder) else _shared_folder(None if out is None else Path(out), resume)
        try:
            if rank() == 0:
                folder.begin({"job": "train", **asdict(resolved)})
            record = _Run(resolved, folder, on_progress or (lambda task, done, total, note: None)).run()
        except KeyboardInterrupt:
            folder.finish("interrupted")
            raise
        except BaseException:
            folder.finish("failed")
            raise
        if rank() == 0:
            loss = record.validation_loss_nats.value
            headline = "no validation documents" if loss is None else f"validation loss {loss:.3f} nats"
            folder.finish("done", title=record.title, headline=headline)
    return record


def _shared_folder(out: Path | None, resume: bool) -> RunFolder:
    if world_size() > 1 and out is None:
        raise UsageError("several ranks need one run folder", hint="Name it with out.")
    if rank() == 0:
        return RunFolder.create(out, "train", resume=resume)
    return RunFolder(Path(str(out)))


class _Run:
    """One run: everything that must be the same after a resume is a function of the config and the step."""

    def __init__(self, config: TrainConfig, folder: RunFolder, progress: Progress) -> None:
        self.config, self.folder, self.progress = config, folder, progress
        if config.num_threads is not None:
            torch.set_num_threads(config.num_threads)
        self.device = (
            "cuda" if config.device == "auto" and torch.cuda.is_available() else config.device.replace("auto", "cpu")
        )
        self.started = time.monotonic()
        self.corpus = _Corpus(config, folder.path)
        self.keep = make_keep(self.corpus.rows, config)
        self.model = GPT(
            GPTConfig(
                vocab_size=self.corpus.tokenizer.vocab_size,
                context_length=config.context_length,
                width=config.width,
                num_layers=config.num_layers,
                num_heads=config.num_heads,
            ),
            seed=derive_seed(config.seed, "init"),
        ).to(self.device)
        self.optimizer = FlatAdamW(
            self.model.parameters(),
            betas=(config.beta1, config.beta2),
            eps=config.eps,
            weight_decay=config.weight_decay,
            clip_norm=config.clip_norm,
        )
        schedule = Schedule(
            peak=config.learning_rate,
            num_steps=config.num_steps,
            warmup_steps=config.warmup_steps,
            kind=config.schedule,
            final_share=config.final_lr_share,
        )
        self.dtype = resolve_dtype(config.dtype, self.device)
        self.trainer = Trainer(self.model, self.optimizer, schedule, dtype=self.dtype)
        self.counts = {"num_input_tokens": 0, "num_supervised_tokens": 0, "num_dropped_tokens": 0}
        self.curve: list[tuple[int, float | None, float | None, float | None]] = []
        self.elapsed_before_s = 0.0
        self.checkpoints = folder.path / "checkpoints"
        self.metrics_path = folder.path / "metrics.jsonl"
        found = latest_checkpoint(self.checkpoints) if self.checkpoints.exists() else None
        if found is not None:
            self._continue_from(load_checkpoint(found, model=self.model, optimizer=self.optimizer))

    def _continue_from(self, state: dict[str, Any]) -> None:
        self.trainer.num_steps_done = state["step"]
        self.counts = state["counts"]
        self.curve = [tuple(point) for point in state["curve"]]
        self.elapsed_before_s = state["elapsed_s"]
        if rank() == 0 and self.metrics_path.exists():
            lines = self.metrics_path.read_text(encoding="utf-8").splitlines()
            kept = [line for line in lines if _is_step_up_to(line, state["step"])]
            self.metrics_path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")

    def run(self) -> TrainRecord:
        with stop_after_step() as stop:
            self._steps(stop)
        return self._finish()

    def _steps(self, stop: threading.Event) -> None:
        config, trainer = self.config, self.trainer
        while trainer.num_steps_done < config.num_steps:
            step = trainer.num_steps_done + 1
            logged = step % config.log_every == 0 or step == config.num_steps
            metrics = trainer.step(list(self._micro_batches(step - 1)), with_dropped_loss=logged)
            self.counts["num_input_tokens"] += metrics.num_kept + metrics.num_dropped
            self.counts["num_supervised_tokens"] += metrics.num_kept
            self.counts["num_dropped_tokens"] += metrics.num_dropped
            if step % config.validate_every == 0 or step == config.num_steps:
                loss = self._validation().value
                self.curve.append(
                    (self.counts["num_supervised_tokens"], loss, metrics.kept_loss_nats, metrics.dropped_loss_nats)
                )
            if logged:
                self._log(metrics)
            if step % config.checkpoint_every == 0 or step == config.num_steps or stop.is_set():
                self._save()
            if stop.is_set():
                raise KeyboardInterrupt

    def _micro_batches(self, step: int) -> Iterator[Batch]:
        """The rows of a step: consecutive places in a sequence of seeded shuffles, dealt out to ranks."""
        config, rows = self.config, self.corpus.rows
        num_rows = len(rows.tokens_NT)
        per_step = config.batch_size * config.accumulation_steps * world_size()
        for micro in range(config.accumulation_steps):
            first = step * per_step + (micro * world_size() + rank()) * config.batch_size
            chosen = []
            for place in range(first, first + config.batch_size):
                epoch, within = divmod(place, num_rows)
                chosen.append(self._order(epoch)[within])
            yield Batch(
                tokens_BT=rows.tokens_NT[chosen],
                valid_BT=rows.target_NT[chosen],
                keep_BT=self.keep[chosen],
                segment_BT=rows.segment_NT[chosen],
                position_BT=np.minimum(rows.position_NT[chosen], config.context_length - 1),
            )

    def _order(self, epoch: int) -> NDArray[np.int64]:
        cached = getattr(self, "_epoch_order", None)
        if cached is None or cached[0] != epoch:
            order = numpy_rng(self.config.seed, "order", epoch).permutation(len(self.corpus.rows.tokens_NT))
            cached = self._epoch_order = (epoch, order)
        return cached[1]

    def _elapsed_s(self) -> float:
        return self.elapsed_before_s + time.monotonic() - self.started

    def _save(self) -> None:
        if rank() != 0:
            return
        state = {
            "step": self.trainer.num_steps_done,
            "counts": self.counts,
            "curve": self.curve,
            "elapsed_s": self._elapsed_s(),
        }
        save_checkpoint(
            self.checkpoints,
            model=self.model,
            optimizer=self.optimizer,
            progress=state,
            keep=self.config.keep_checkpoints,
        )

    def _log(self, metrics: StepMetrics) -> None:
        if rank() != 0:
            return
        rate = self.counts["num_input_tokens"] / max(1e-9, self._elapsed_s())
        line = {
            "step": metrics.step,
            "kept_loss_nats": metrics.kept_loss_nats,
            "dropped_loss_nats": metrics.dropped_loss_nats,
            "validation_loss_nats": self.curve[-1][1] if self.curve else None,
            "learning_rate": metrics.learning_rate,
            "grad_norm": metrics.grad_norm,
            **self.counts,
            "tokens_per_s": round(rate, 1),
            "elapsed_s": round(self._elapsed_s(), 3),
        }
        with self.metrics_path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
        note = f"loss {metrics.kept_loss_nats:.3f} nats, {rate:,.0f} tokens/s"
        self.progress("train", metrics.step, self.config.num_steps, note)

    @torch.no_grad()
    def _validation(self) -> Measurement:
        """Nats per token over held-out documents, each alone and on its beginning; bootstrap over documents."""
        if not self.corpus.validation:
            return Measurement.missing("validation_share is 0")
        pairs: list[tuple[float, int]] = []
        bos_id = self.corpus.tokenizer.bos_id or 0
        for tokens in self.corpus.validation:
            ids = torch.from_numpy(np.concatenate([[bos_id], tokens[: self.config.context_length]])).to(self.device)
            if len(ids) < 2:
                continue
            hidden = self.model.forward_hidden(ids[None, :-1])[0]
            pairs.append((float(token_losses(hidden, self.model.head_VD, ids[1:]).sum()), len(ids) - 1))
        if not pairs:
            return Measurement.missing("every held-out document is empty")
        array = np.array(pairs)
        estimate = bootstrap(
            array, lambda sample: sample[:, 0].sum() / sample[:, 1].sum(), seed=self.config.seed, num_resamples=500
        )
        return Measurement.of(estimate)

    def _finish(self) -> TrainRecord:
        config = self.config
        validation = self._validation()
        destination = self.folder.path / "model"
        if rank() == 0:
            save_hf_directory(self.model, destination, tokenizer=self.corpus.tokenizer)
        summary = TrainingSummary(
            num_params=self.model.config.num_params,
            num_steps=config.num_steps,
            **self.counts,
            dtype=str(self.dtype).removeprefix("torch."),
            num_threads=torch.get_num_threads(),
            elapsed_s=round(self._elapsed_s(), 3),
            peak_rss_bytes=None,
            loss=config.loss,
            settings={key: value for key, value in asdict(config).items() if not isinstance(value, tuple)},
            curve=self.curve,
        )
        record = TrainRecord(
            title=f"GPT of {summary.num_params:,} parameters, {config.loss.replace('_', '-')}",
            created_utc=utc_now(),
            seed=config.seed,
            elapsed_s=summary.elapsed_s,
            environment=Environment.here(
                torch=torch.__version__,
                device=self.device,
                dtype=summary.dtype,
                num_threads=summary.num_threads,
                instruction_set=torch.backends.cpu.get_cpu_capability(),
            ),
            inputs=[
                InputFile(
                    role="documents",
                    path=file.path,
                    sha256=file.sha256,
                    num_documents=file.num_documents,
                    num_skipped=file.num_skipped,
                    why_skipped=dict(file.why_skipped),
                )
                for file in self.corpus.files
            ],
            num_documents=len(self.corpus.documents),
            num_validation_documents=len(self.corpus.validation),
            training=summary,
            validation_loss_nats=validation,
            weights_sha256=sha256_file(destination / "model.safetensors") if rank() == 0 else "",
        )
        if rank() == 0:
            record.save(self.folder.record_json)
        return record


@contextmanager
def stop_after_step() -> Iterator[threading.Event]:
    """Ctrl-C sets the event, so that no step is torn; a second Ctrl-C interrupts at once and saves nothing.

    Outside the main thread, where signals do not arrive, nothing changes.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.getsignal(signal.SIGINT)

    def ask(number: int, frame: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before if before is not None else signal.SIG_DFL)


def _is_step_up_to(line: str, step: int) -> bool:
    try:
        return int(json.loads(line)["step"]) <= step
    except (ValueError, KeyError, TypeError):
        print("a damaged line of metrics.jsonl was left out", file=sys.stderr)
        return False
