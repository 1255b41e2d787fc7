"""`custodiet audit`: the default job without a model, the user's own model with one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from custodiet.cli.common import JsonFlag, OutOption, QuietFlag, SeedOption, command_line, print_json, run_paths
from custodiet.errors import UsageError

if TYPE_CHECKING:
    from custodiet.cli.progress import ProgressPrinter
    from custodiet.records.audit import AuditRecord
    from custodiet.records.run_folder import RunFolder

__all__ = ["audit"]

DEFAULT_BATCH_TOKENS = 16384


def audit(
    model: str | None = None,
    /,
    *,
    documents: Annotated[tuple[Path, ...], Parameter(consume_multiple=True, negative=())] = (),
    controls: Annotated[tuple[Path, ...], Parameter(consume_multiple=True, negative=())] = (),
    reference: Annotated[tuple[Path, ...], Parameter(consume_multiple=True, negative=())] = (),
    text_column: str = "text",
    repeats_column: str | None = None,
    limit: int | None = None,
    strict: Annotated[bool, Parameter(negative=())] = False,
    revision: str | None = None,
    trust_remote_code: Annotated[bool, Parameter(negative=())] = False,
    device: str = "auto",
    dtype: str = "auto",
    batch_tokens: int | None = None,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    resume: Annotated[bool, Parameter(negative=())] = False,
    fail_if: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    redact: bool = True,
    out: OutOption = None,
    seed: SeedOption = 0,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Measure what a model memorized: extraction, membership, canaries, bits.

    Without MODEL, two small models are trained from scratch on English text that Python carries, one with
    cross-entropy and one with goldfish loss, and both are audited (minutes on two cores).

    Args:
        model: Hugging Face directory or hub id, or a custodiet checkpoint; safetensors only.
        documents: txt, md, JSONL(.gz|.zst), Parquet files or folders of these that the model was trained on.
        controls: documents of the same kind that the model never saw; every rate is printed beside theirs.
        reference: other text for the n-gram that memorized bits are measured against (default: embedded English).
        text_column: column or key that holds the text.
        repeats_column: column or key that says how often training showed the document.
        limit: read at most this many documents, and as many controls.
        strict: refuse broken lines instead of skipping and counting them.
        revision: branch, tag or commit of a hub model.
        trust_remote_code: run the code that comes with a hub model.
        device: auto, cpu, cuda, cuda:N.
        dtype: auto, float32, bfloat16, float16; the default job trains in it.
        batch_tokens: tokens per forward pass (default 16384).
        dry_run: read the documents, say what the audit would cost, and stop.
        resume: continue the run in --out; finished rows are kept.
        fail_if: gate such as "arms.model.extraction_50[repeats=1].rate > 0.001"; may be given several times.
        redact: keep document text out of the HTML, the JSON, the Parquet and the logs.
        out: run folder.
        seed: seed of every random choice.
        json: print one JSON object.
        quiet: no progress.
    """
    from custodiet.base.gates import parse_gate
    from custodiet.cli.progress import ProgressPrinter
    from custodiet.cli.report import render_run
    from custodiet.records.gates import raise_for_gates

    gates = [parse_gate(text) for text in fail_if]
    if model is None:
        _refuse_model_options(
            documents=documents,
            controls=controls,
            reference=reference,
            repeats_column=repeats_column,
            limit=limit,
            strict=strict,
            revision=revision,
            trust_remote_code=trust_remote_code,
            batch_tokens=batch_tokens,
        )
        if device not in ("auto", "cpu"):
            raise UsageError("the default job trains on the CPU", expected="--device auto or cpu", got=device)
    elif not documents:
        raise UsageError("--documents is missing", hint="Name the files that the model was trained on.")
    printer = ProgressPrinter(quiet=quiet)
    if dry_run:
        _dry_run(
            model,
            documents,
            controls,
            text_column,
            repeats_column,
            limit,
            strict,
            device,
            dtype,
            batch_tokens or DEFAULT_BATCH_TOKENS,
            json,
        )
        return
    from custodiet.records.run_folder import RunFolder

    folder = RunFolder.create(out, "audit", resume=resume)
    with printer:
        if model is None:
            from custodiet.studies.default_job import DefaultJobConfig, run_default_job

            config = DefaultJobConfig(seed=seed, redact=redact, dtype=dtype)
            record = run_default_job(config, folder=folder, gates=gates, command=command_line(), on_progress=printer)
        else:
            from custodiet.memorization.run import audit as run_audit

            record = run_audit(
                model,
                documents=documents,
                controls=controls,
                reference=reference,
                text_column=text_column,
                repeats_column=repeats_column,
                limit=limit,
                strict=strict,
                revision=revision,
                trust_remote_code=trust_remote_code,
                device=device,
                dtype=dtype,
                batch_tokens=batch_tokens or DEFAULT_BATCH_TOKENS,
                fail_if=fail_if,
                redact=redact,
                out=folder,
                seed=seed,
                command=command_line(),
                on_progress=printer,
            )
    render_run(folder)
    if json:
        print_json(audit_json(record, folder))
    _say_result(record, folder, printer)
    raise_for_gates(record.gates)


def audit_json(record: AuditRecord, folder: RunFolder) -> dict[str, Any]:
    """The object that ``--json`` prints."""
    dumped = record.model_dump(mode="json", by_alias=True)
    return {
        "schema": dumped["schema"],
        **run_paths(folder),
        "rows_parquet": str(folder.rows_parquet.resolve()),
        "elapsed_s": record.elapsed_s,
        "arms": dumped["arms"],
        "comparisons": dumped["comparisons"],
        "mask": dumped["mask"],
        "gates": dumped["gates"],
        "not_tested": dumped["not_tested"],
    }


def _say_result(record: AuditRecord, folder: RunFolder, printer: ProgressPrinter) -> None:
    from custodiet.report.text import headline_lines

    for line in headline_lines(record):
        printer.say(line)
    printer.say(f"report  {folder.report_html.resolve()}")
    printer.say(f"record  {folder.record_json.resolve()}")
    printer.say(f"rows    {folder.rows_parquet.resolve()}")


def _refuse_model_options(**options: object) -> None:
    given = [name for name, value in options.items() if value]
    if given:
        raise UsageError(
            f"--{given[0].replace('_', '-')} needs a model",
            expected="custodiet audit MODEL --documents D --controls C",
            hint="Without a model, the default job uses its embedded text.",
        )


def _dry_run(
    model: str | None,
    documents: tuple[Path, ...],
    controls: tuple[Path, ...],
    text_column: str,
    repeats_column: str | None,
    limit: int | None,
    strict: bool,
    device: str,
    dtype: str,
    batch_tokens: int,
    json: bool,
) -> None:
    import sys

    if model is None:
        from custodiet.studies.default_job import DefaultJobConfig, estimate_default_job_cost

        cost = estimate_default_job_cost(DefaultJobConfig(dtype=dtype))
    else:
        from custodiet.memorization.run import estimate_audit_cost

        cost = estimate_audit_cost(
            model,
            documents=documents,
            controls=controls,
            text_column=text_column,
            repeats_column=repeats_column,
            limit=limit,
            strict=strict,
            device=device,
            dtype=dtype,
            batch_tokens=batch_tokens,
        )
    if json:
        print_json(cost)
    else:
        for key, value in cost.items():
            print(f"{key:<28} {value}", file=sys.stdout)
