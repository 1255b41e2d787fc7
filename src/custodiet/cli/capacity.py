"""`custodiet capacity`: how many bits a parameter holds."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from custodiet.cli.common import JsonFlag, OutOption, QuietFlag, SeedOption, command_line, print_json, run_paths
from custodiet.errors import UsageError

__all__ = ["capacity"]


def capacity(
    *,
    cell: str | None = None,
    corpus: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative=())] = (),
    text: bool = True,
    num_steps: int | None = None,
    workers: int | None = None,
    resume: Annotated[bool, Parameter(negative=())] = False,
    out: OutOption = None,
    seed: SeedOption = 0,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Measure how many bits of random tokens a parameter of a small GPT holds.

    Args:
        cell: a cell LAYERSxWIDTH of the published table (vocabulary 2048, 64 tokens), such as 1x32, with three seeds;
            without it, eight thousand parameters on growing sets (two minutes on two cores).
        corpus: text for the part on real text: files or folders (default: the standard library's sources).
        text: also train on growing sets of real text; a cell never does.
        num_steps: optimizer steps per model instead of the default.
        workers: processes at once, one thread each (default: one per core; a cell takes one per seed).
        resume: continue the run in --out.
        out: run folder.
        seed: first seed.
        json: print one JSON object.
        quiet: no progress.
    """
    from dataclasses import replace

    from custodiet.base.workers import num_usable_cores
    from custodiet.cli.progress import ProgressPrinter
    from custodiet.cli.report import render_run
    from custodiet.memorization.capacity.sweep import capacity as run_capacity
    from custodiet.memorization.capacity.sweep import cell_config, default_config
    from custodiet.records.run_folder import RunFolder
    from custodiet.report.capacity import capacity_sentences

    config = default_config(seed=seed) if cell is None else cell_config(cell, seed=seed)
    if cell is not None and corpus:
        raise UsageError("--corpus does not go with --cell", expected="one of them")
    if config.text is not None:
        config = replace(config, text=replace(config.text, corpus=corpus) if text else None)
    if num_steps is not None:
        config = replace(config, num_steps=num_steps)
        if config.text is not None:
            config = replace(config, text=replace(config.text, num_steps=num_steps))
    if cell is not None and workers is None:
        workers = max(config.num_seeds, num_usable_cores())
    folder = RunFolder.create(out, "capacity", resume=resume)
    with ProgressPrinter(quiet=quiet) as printer:
        record = run_capacity(config, out=folder, workers=workers, command=command_line(), on_progress=printer)
        render_run(folder)
        for sentence in capacity_sentences(record):
            printer.say(sentence)
        printer.say(f"report  {folder.report_html.resolve()}")
        printer.say(f"record  {folder.record_json.resolve()}")
    if json:
        print_json({**record.model_dump(mode="json", by_alias=True), **run_paths(folder)})
