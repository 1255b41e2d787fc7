"""Data sets on disk: blocks of problems by any number of workers, in order, resumable, in flat memory.

A data set is written as shards of whole blocks (`NAME.partial/00000000.jsonl`, ...), each put in place at once, and put
together when all are there. What is there is kept: a run that was stopped goes on with the next block. The bytes do not
depend on the number of workers or on where a run was stopped.
"""

from __future__ import annotations

import json
import multiprocessing
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from custodiet._version import __version__
from custodiet.base.collector import collector_paused
from custodiet.base.workers import ONE_THREAD
from custodiet.errors import CustodietError, OutputError, UsageError
from custodiet.logic.generate.config import GenerateConfig
from custodiet.logic.generate.items import ITEMS_PER_PROBLEM
from custodiet.logic.generate.rows import COUNTED, RowText, problem_rows
from custodiet.records.files import atomic_path, write_text_atomic

__all__ = ["FORMATS", "Written", "generate_data_set", "generate_rows", "rows_of_problems"]

FORMATS = ("jsonl", "parquet", "hf")
_BLOCK = 200  # problems
Progress = Callable[[str, float, float], None]


@dataclass(frozen=True, slots=True)
class Written:
    """What a data set came to.

    Args:
        path: the file or folder.
        num_items: rows.
        counts: of labels, tasks, logics, languages and splits.
        elapsed_s: of this run.
        num_resumed: rows that an earlier run had written.
    """

    path: Path
    num_items: int
    counts: dict[str, dict[str, int]]
    elapsed_s: float
    num_resumed: int


def generate_rows(config: GenerateConfig) -> Iterator[dict[str, Any]]:
    """The rows of a data set, one after another, in this process."""
    left = config.num
    for number in range(_num_problems(config)):
        for row in problem_rows(config, number)[:left]:
            left -= 1
            yield json.loads(row.text)


def rows_of_problems(config: GenerateConfig, numbers: range) -> list[RowText]:
    """The rows of a block of problems, by their numbers."""
    with collector_paused():
        return [row for number in numbers for row in problem_rows(config, number)]


def generate_data_set(
    config: GenerateConfig,
    out: Path,
    *,
    data_format: str = "jsonl",
    workers: int = 1,
    resume: bool = False,
    overwrite: bool = False,
    certify: str | None = None,
    progress: Progress | None = None,
) -> Written:
    """Generate a data set and write it.

    Args:
        config: what is in it.
        out: the file (`jsonl`, `parquet`) or folder (`hf`: a file of Parquet per split and a data card).
        data_format: one of `FORMATS`.
        workers: processes; the bytes do not depend on it.
        resume: go on with what an earlier run of the same configuration left.
        overwrite: replace a finished data set of that name.
        certify: `z3`: prove each item again from its prompt before it is written (see `reproving`).
        progress: called with (task, items done, items in all).

    Raises:
        OutputError: `out` exists, or cannot be written.
        UsageError: what lies there to be resumed has another configuration, or a task's items cannot be proved again.
        CustodietError: an item is not what z3 finds; then nothing is left of the data set.
    """
    started = time.monotonic()
    if data_format not in FORMATS:
        raise UsageError("--format", expected=" or ".join(FORMATS), got=data_format)
    if workers < 1:
        raise UsageError("--workers", expected="at least 1", got=workers)
    if certify is not None:
        _require_certifiable(config, certify)
    if out.exists() and not overwrite:
        raise OutputError(f"{out} exists", hint="Name another file, or allow it to be replaced with --overwrite.")
    parts = out.with_name(out.name + ".partial")
    _prepare(config, parts, resume, certify)
    blocks = range(-(-_num_problems(config) // _BLOCK))
    missing = [block for block in blocks if not _shard(parts, block).exists()]
    resumed = sum(min(config.num - block * _BLOCK * ITEMS_PER_PROBLEM, _BLOCK * ITEMS_PER_PROBLEM) for block in blocks)
    resumed -= sum(_num_rows(config, block) for block in missing)
    done = resumed
    for block, made in _made(config, missing, workers, certify):
        if made.faults:
            shutil.rmtree(parts)
            raise CustodietError(
                f"{len(made.faults)} items of a block are not what {certify} finds in their prompts; nothing was written: "
                + "; ".join(made.faults[:3]),
                hint="This is a defect of custodiet: please report it.",
            )
        write_text_atomic(_counts_file(parts, block), json.dumps(made.counts) + "\n")
        write_text_atomic(_shard(parts, block), made.text)  # last: its being there says that the block is done
        done += _num_rows(config, block)
        if progress is not None:
            progress("generate", done, config.num)
    counts = _count(parts, blocks)
    _finish(config, out, data_format, parts, blocks, counts)
    shutil.rmtree(parts)
    return Written(out, config.num, counts, time.monotonic() - started, resumed)


def _num_problems(config: GenerateConfig) -> int:
    return -(-config.num // ITEMS_PER_PROBLEM)


def _num_rows(config: GenerateConfig, block: int) -> int:
    rows = _BLOCK * ITEMS_PER_PROBLEM
    return min(rows, config.num - block * rows)


def _shard(parts: Path, block: int) -> Path:
    return parts / f"{block:08d}.jsonl"


def _counts_file(parts: Path, block: int) -> Path:
    return parts / f"{block:08d}.counts.json"


class _Block(NamedTuple):
    """The lines of a block, how often each value of `COUNTED` stands in them, and the items that are not what they say."""

    text: str
    counts: dict[str, dict[str, int]]
    faults: tuple[str, ...] = ()


def _prepare(config: GenerateConfig, parts: Path, resume: bool, certify: str | None) -> None:
    way = {} if certify is None else {"certify": certify}
    told = json.dumps({"version": __version__, **config.to_json(), **way}, indent=1) + "\n"
    manifest = parts / "config.json"
    if parts.exists() and not resume:
        raise OutputError(
            f"{parts} exists: an earlier run was stopped",
            hint="Go on with --resume, or remove that folder.",
        )
    if manifest.exists() and manifest.read_text(encoding="utf-8") != told:
        raise UsageError(
            f"{parts} holds part of another data set",
            hint="Resume with the options of the earlier run, or remove that folder.",
        )
    write_text_atomic(manifest, told)


def _make_block(config: GenerateConfig, block: int) -> _Block:
    first = block * _BLOCK
    last = min(first + _BLOCK, _num_problems(config))
    rows = rows_of_problems(config, range(first, last))[: _num_rows(config, block)]
    counts = {name: dict(Counter([row.values[place] for row in rows])) for place, name in enumerate(COUNTED)}
    return _Block("".join([row.text + "\n" for row in rows]), counts)


def _proved_block(config: GenerateConfig, block: int, certify: str | None) -> _Block:
    made = _make_block(config, block)
    return made if certify is None else made._replace(faults=_faults(made.text, certify))


def _require_certifiable(config: GenerateConfig, engine: str) -> None:
    from custodiet.logic.engines.optional import load
    from custodiet.logic.reproving import TASKS

    if engine != "z3":
        raise UsageError("--certify", expected="z3", got=engine)
    left = [one for one in config.tasks if one not in TASKS]
    if left:
        raise UsageError(
            f"--certify does not know the task {left[0]}", expected=", ".join(TASKS), got=", ".join(config.tasks),
            hint="Make those tasks without --certify, and judge their proofs with `custodiet logic check --gold`.",
        )  # fmt: skip
    load("z3", "z3-solver")


def _faults(text: str, engine: str) -> tuple[str, ...]:
    """The items of a block that an engine finds to be others than they say, from their prompts."""
    from custodiet.logic.reproving import reprove

    found = reprove([json.loads(line) for line in text.splitlines()], engine="z3" if engine == "z3" else "sat")
    return tuple([f"{one.item} says {one.label}, found {one.found}" for one in found.faults])


def _made(config: GenerateConfig, blocks: list[int], workers: int, certify: str | None) -> Iterator[tuple[int, _Block]]:
    """The blocks, in order."""
    if workers == 1 or len(blocks) < 2:
        for block in blocks:
            yield block, _proved_block(config, block, certify)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(workers, len(blocks)), initializer=_start, initargs=(config, certify)) as pool:
        # imap keeps finished blocks until they are asked for; writing is far cheaper than making, so few ever wait
        yield from zip(blocks, pool.imap(_work, blocks), strict=True)


_CONFIG: tuple[GenerateConfig, str | None] | None = None


def _start(config: GenerateConfig, certify: str | None) -> None:
    import os
    import signal

    global _CONFIG
    os.environ.update(ONE_THREAD)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told, and stops the pool
    _CONFIG = config, certify


def _work(block: int) -> _Block:
    if _CONFIG is None:
        raise RuntimeError("the worker was not started")
    config, certify = _CONFIG
    return _proved_block(config, block, certify)


def _count(parts: Path, blocks: range) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = {name: Counter() for name in COUNTED}
    for block in blocks:
        for name, found in json.loads(_counts_file(parts, block).read_text(encoding="utf-8")).items():
            counts[name].update(found)
    return {name: dict(sorted(found.items())) for name, found in counts.items()}


def _finish(
    config: GenerateConfig, out: Path, data_format: str, parts: Path, blocks: range, counts: dict[str, dict[str, int]]
) -> None:
    if data_format == "jsonl":
        with atomic_path(out) as temporary, temporary.open("wb") as stream:
            for block in blocks:
                with _shard(parts, block).open("rb") as shard:
                    shutil.copyfileobj(shard, stream)
        return
    if data_format == "parquet":
        with atomic_path(out) as temporary:
            _write_parquet(temporary, parts, blocks, None)
        return
    folder = out.with_name(out.name + ".finishing")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "data").mkdir(parents=True)
    for split in counts["split"]:
        _write_parquet(folder / "data" / f"{split}.parquet", parts, blocks, split)
    write_text_atomic(folder / "README.md", data_card(config, counts))
    if out.exists():
        shutil.rmtree(out)
    folder.rename(out)


_NESTED = (
    "choices",
    "premises",
    "goal",
    "proof",
    "support",
    "depth",
    "counter_models",
    "twins",
    "cell",
    "certificates",
)


def _write_parquet(path: Path, parts: Path, blocks: range, split: str | None) -> None:
    """One Parquet file, streamed from one per block; what is nested is JSON text, so that all rows have the same columns."""
    import polars as pl

    schema = {name: pl.Int64 if name in ("seed", "index") else pl.String for name in _COLUMNS}
    for block in blocks:
        shard = _shard(parts, block)
        if not shard.with_suffix(".parquet").exists():
            with shard.open(encoding="utf-8") as stream, atomic_path(shard.with_suffix(".parquet")) as temporary:
                pl.DataFrame([_flat(json.loads(line)) for line in stream], schema=schema).write_parquet(temporary)
    frame = pl.scan_parquet(parts / "*.parquet")
    if split is not None:
        frame = frame.filter(pl.col("split") == split)
    frame.sink_parquet(path, compression="zstd")


_PLAIN = ("id", "task", "logic", "language", "prompt", "answer", "label", "skeleton", "outline", "group", "split")
_COLUMNS = ("seed", "index", *_PLAIN, *_NESTED, "distractors", "vocabulary", "extras")


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat = {name: row[name] for name in ("seed", "index", *_PLAIN)}
    for name in (*_NESTED, "distractors", "vocabulary"):
        flat[name] = json.dumps(row[name], ensure_ascii=False)
    flat["extras"] = json.dumps(
        {name: value for name, value in row.items() if name not in _COLUMNS}, ensure_ascii=False
    )
    return flat


def data_card(config: GenerateConfig, counts: dict[str, dict[str, int]]) -> str:
    """The README of a data set folder: what is in it, how it was made, what was proved and what was not."""
    splits = "\n".join(f"  - split: {name}\n    path: data/{name}.parquet" for name in counts["split"])
    tables = "\n".join(
        f"| {name} | " + ", ".join(f"{key} {num}" for key, num in found.items()) + " |"
        for name, found in counts.items()
    )
    options = "\n".join(f"| {key} | {value} |" for key, value in config.to_json().items())
    return f"""---
configs:
- config_name: default
  data_files:
{splits}
---
# Chains of inference

{config.num} items made by custodiet {__version__}. Every label was found by a solver and confirmed by what shares no code with it:
tables of truth or of types, forward chaining, or (where tables would be too large, and of relations) the kernel and the definition
of truth. Every proof was checked line by line; every item that is unknown carries one model of its premises where the goal is true
and one where it is false.{_grouping(config)}

| what | how many |
| --- | --- |
{tables}

| option | value |
| --- | --- |
{options}

{_residue(config)}Not measured here: whether a model can guess the labels without reasoning. `custodiet logic audit-shortcuts` tells.
"""


def _grouping(config: GenerateConfig) -> str:
    """What items of one group are, and what splits keep apart."""
    kept = {
        "ood": "all in one split. No `skeleton` (the item without names and order) is in two splits.",
        "iid": "in any split: items were put into splits one by one, so that copies of a problem are in several.",
        "length": "all in one split: training has at most four premises, testing more.",
        "depth": "all in one split: training has chains of at most two steps, testing has premises from which something "
        "follows only in more, and validation what lies between.",
    }[config.split_scheme]
    copied = [one for one in config.tasks if one.startswith(("logicinference", "knights-knaves"))]
    if not copied:
        return (
            " Items of one `group` ask for one compound or one literal goal of the same sentences but for one argument; those "
            f"with the same goal are twins. They are {kept}"
        )
    others = (
        ""
        if len(copied) == len(config.tasks)
        else "twins (the same sentences but for one argument) or, in some tasks, "
    )
    return f" Items of one `group` are {others}one problem under several names and in several orders, and {kept}"


def _residue(config: GenerateConfig) -> str:
    """What is known of guessing, for tasks whose form gives something away."""
    if not any(one.startswith("logicinference") for one in config.tasks):
        return ""
    return (
        "As in LogicInference, there are no distractors, so that a question gives part of its answer away: whether 3a ends in yes "
        "was guessed in 81 of 100 from which symbols of the target occur where in the premises, in 79 from counts of connectives, "
        "quantifiers and negations, in 60 from the target alone (24,000 items, split by shape of premises; half are yes). Targets "
        "of either answer have the same forms where a problem has such; but with a single chain the signs of its premises give away "
        "the sign of what follows.\n\n"
    )
