"""`custodiet logic audit-labels FILE`: are the labels right?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from custodiet.cli.common import JsonFlag, OutOption, QuietFlag, command_line, print_json, run_paths

if TYPE_CHECKING:
    from custodiet.records.logic_labels import LabelError, LogicLabelsRecord
    from custodiet.records.run_folder import RunFolder

__all__ = ["audit_labels"]

WIDTH = 120
"""columns of a table that is not written to a terminal"""


def audit_labels(
    file: Path,
    /,
    *,
    format: str | None = None,
    limit: int | None = None,
    certify: Literal["z3"] | None = None,
    fail_if: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    out: OutOption = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Prove the labels of a data set again, each by two engines that share no code.

    Labels that are wrong, premises that cannot be true together, and labels that hang on an unsaid assumption are
    counted and written to errors.jsonl in the run folder; what cannot be read is counted by reason.

    Args:
        file: JSONL (also .gz), JSON, Parquet or CSV.
        format: custodiet (premises, goal and label as formulas), logicinference, prontoqa or reasoning-gym; found by
            looking at the rows if not given.
        limit: stop after so many rows.
        certify: z3: read items of custodiet from the sentences of their prompts instead of their formulas, all tasks whose
            answers are no proofs, and ask z3 as well (clingo alone is the second opinion on datalog).
        fail_if: gate such as "label_errors > 0.001" or "inconsistent_premises > 0"; may be given several times.
        out: run folder.
        json: print one JSON object.
        quiet: no progress.
    """
    from custodiet.base.gates import parse_gate
    from custodiet.cli.progress import ProgressPrinter
    from custodiet.cli.report import render_run
    from custodiet.errors import CorpusError, TooFewSamplesError, UsageError
    from custodiet.logic.label_audit import FORMATS, audit_labels_of_file, detect_format
    from custodiet.logic.tables import open_rows
    from custodiet.records.gates import judge_gates, raise_for_gates
    from custodiet.records.run_folder import RunFolder
    from custodiet.report.logic_labels import label_sentences

    gates = [parse_gate(text) for text in fail_if]
    if format is not None and format not in FORMATS:
        raise UsageError("no such --format", expected="one of " + ", ".join(FORMATS), got=format)
    if limit is not None and limit < 1:
        raise UsageError("--limit is too small", expected="at least 1", got=limit)
    rows = open_rows(file)  # a mistake in the command leaves no run behind
    found = FORMATS[format] if format is not None else detect_format(rows)
    if certify is not None and found is not FORMATS["custodiet"]:
        raise UsageError("--certify is for items of custodiet", expected="--format custodiet", got=found.name)
    folder = RunFolder.create(out, "logic-labels")
    try:
        folder.begin({"file": str(file), "format": format, "limit": limit, "certify": certify})
        with (
            ProgressPrinter(quiet=quiet) as printer,
            (folder.path / "errors.jsonl").open("w", encoding="utf-8") as errors,
        ):

            def keep(error: LabelError) -> None:
                errors.write(error.model_dump_json() + "\n")

            record = audit_labels_of_file(
                file,
                format_name=format,
                limit=limit,
                certify=certify,
                command=command_line(),
                on_progress=printer,
                on_error=keep,
            )
            record.save(folder.record_json)  # kept even where a gate's path leads nowhere
            record = judge_gates(record, gates)
            record.save(folder.record_json)
            folder.finish("done", title=record.title, headline=label_sentences(record)[0])
            render_run(folder)
    except (CorpusError, TooFewSamplesError, UsageError):
        if folder.record_json.exists():  # a gate whose path leads nowhere
            folder.finish("failed")
        else:
            folder.abandon(folder.path / "errors.jsonl")
        raise
    except BaseException as error:
        folder.finish("interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
        raise
    _print(record, folder, json=json, quiet=quiet)
    raise_for_gates(record.gates)


def _print(record: LogicLabelsRecord, folder: RunFolder, *, json: bool, quiet: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from custodiet.report.logic_labels import KIND_HEAD, kind_rows, label_sentences

    paths = {**run_paths(folder), "errors_jsonl": str((folder.path / "errors.jsonl").resolve())}
    if json:
        print_json({**record.model_dump(mode="json", by_alias=True), **paths})
        return
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else WIDTH)
    console.print(f"{record.title}\n", style="bold", soft_wrap=True)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index, name in enumerate(KIND_HEAD):
        table.add_column(name, justify="left" if index < 2 else "right")
    for row in kind_rows(record):
        table.add_row(*row)
    console.print(table)
    console.print()
    for sentence in label_sentences(record):
        console.print(sentence, soft_wrap=True)
    for error in record.errors[:3]:
        console.print(f"\n{error.place}: {error.outcome}; says {error.says}, proved {error.verdict}", soft_wrap=True)
        console.print("  " + "; ".join(error.premises) + f" |- {error.goal}", soft_wrap=True)
    for gate in record.gates:
        console.print(f"gate {gate.outcome}: {gate.expression} ({gate.reason})", soft_wrap=True)
    if not quiet:
        lines = f"\nreport  {paths['report_html']}\nrecord  {paths['record_json']}\nerrors  {paths['errors_jsonl']}"
        console.print(lines, soft_wrap=True)
