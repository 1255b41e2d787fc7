"""`custodiet capacity-table`: bits per parameter through several cells of the published table, on one GPU."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from custodiet.cli.common import JsonFlag, OutOption, QuietFlag, SeedOption, command_line, print_json, run_paths

__all__ = ["capacity_table"]


def capacity_table(
    *,
    cells: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative=())] = (),
    num_models: int = 3,
    dtype: Literal["bfloat16", "float32"] = "bfloat16",
    device: str = "auto",
    budget_s: float = 600.0,
    resume: Annotated[bool, Parameter(negative=())] = False,
    out: OutOption = None,
    seed: SeedOption = 0,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Measure how many bits of random tokens a parameter holds, for several shapes, and fit the slope.

    The time of a step is measured first; the number of steps of every shape is then fixed so that all of it fits the budget.

    Args:
        cells: shapes LAYERSxWIDTH, vocabulary 2048 and 64 tokens (default: 1x32 1x64 1x128 2x128 4x128 4x256).
        num_models: models per shape, trained side by side, each on its own data.
        dtype: bfloat16 takes the products of body and head in bfloat16 and keeps float32 weights; float32 is float32.
        device: auto, cpu, cuda, cuda:N. The six default shapes need a GPU; small ones run on the CPU too.
        budget_s: wall time of the whole table, seconds.
        resume: continue the run in --out.
        out: run folder.
        seed: seed of data, first weights and batches.
        json: print one JSON object.
        quiet: no progress.
    """
    from custodiet.cli.progress import ProgressPrinter
    from custodiet.cli.report import render_run
    from custodiet.memorization.capacity.table import DEFAULT_CELLS, table_config
    from custodiet.memorization.capacity.table import capacity_table as run_table
    from custodiet.nn.loading import resolve_device
    from custodiet.records.run_folder import RunFolder
    from custodiet.report.capacity_table import capacity_table_sentences

    config = table_config(
        cells or DEFAULT_CELLS,
        num_models=num_models,
        precision=dtype,
        device=resolve_device(device),
        budget_s=budget_s,
        seed=seed,
    )
    folder = RunFolder.create(out, "capacity-table", resume=resume)
    with ProgressPrinter(quiet=quiet) as printer:
        record = run_table(config, out=folder, command=command_line(), on_progress=printer)
        render_run(folder)
        for sentence in capacity_table_sentences(record):
            printer.say(sentence)
        printer.say(f"report  {folder.report_html.resolve()}")
        printer.say(f"record  {folder.record_json.resolve()}")
    if json:
        print_json({**record.model_dump(mode="json", by_alias=True), **run_paths(folder)})
