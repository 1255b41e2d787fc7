"""`custodiet train CONFIG.toml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from custodiet.cli.common import JsonFlag, OutOption, QuietFlag, print_json

__all__ = ["train"]


def train(
    config: Path,
    /,
    *,
    corpus: Annotated[tuple[Path, ...], Parameter(consume_multiple=True, negative=())] = (),
    loss: Literal["cross_entropy", "goldfish"] | None = None,
    num_steps: int | None = None,
    learning_rate: float | None = None,
    batch_size: int | None = None,
    accumulation_steps: int | None = None,
    dtype: Literal["auto", "float32", "bfloat16"] | None = None,
    device: str | None = None,
    seed: int | None = None,
    out: OutOption = None,
    resume: Annotated[bool, Parameter(negative=())] = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Train a GPT-2-layout model on your own corpus, with cross-entropy or goldfish loss.

    Args:
        config: TOML file; every option below overrides the key of the same name.
        corpus: txt, md, JSONL(.gz|.zst), Parquet files or folders of these.
        loss: cross_entropy or goldfish.
        num_steps: optimizer steps.
        learning_rate: peak learning rate.
        batch_size: rows per micro-batch.
        accumulation_steps: micro-batches per optimizer step.
        dtype: dtype of the forward and backward pass; weights stay float32.
        device: auto, cpu, cuda.
        seed: seed of initialization, split and order.
        out: run folder.
        resume: continue the run in --out from its last checkpoint.
        json: print one JSON object.
        quiet: no progress.
    """
    from custodiet.cli.progress import ProgressPrinter
    from custodiet.records.run_folder import RunFolder
    from custodiet.train.config import load_train_config
    from custodiet.train.run import train as run_train

    given: dict[str, Any] = {
        "corpus": tuple(str(path) for path in corpus) or None,
        "loss": loss,
        "num_steps": num_steps,
        "learning_rate": learning_rate,
        "batch_size": batch_size,
        "accumulation_steps": accumulation_steps,
        "dtype": dtype,
        "device": device,
        "seed": seed,
    }
    resolved = load_train_config(config, {key: value for key, value in given.items() if value is not None})
    folder = RunFolder.create(out, "train", resume=resume)
    with ProgressPrinter(quiet=quiet) as printer:
        record = run_train(resolved, out=folder, resume=resume, on_progress=printer)
        model_dir = (folder.path / "model").resolve()
        printer.say(f"model   {model_dir}")
        printer.say(f"record  {folder.record_json.resolve()}")
    if json:
        dumped = record.model_dump(mode="json", by_alias=True)
        print_json({"run_dir": str(folder.path.resolve()), "model_dir": str(model_dir), **dumped})
