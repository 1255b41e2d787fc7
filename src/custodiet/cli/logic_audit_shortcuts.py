"""`custodiet logic audit-shortcuts FILE`: can the labels be guessed without reasoning?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from custodiet.cli.common import JsonFlag, OutOption, QuietFlag, SeedOption, command_line, print_json, run_paths

if TYPE_CHECKING:
    from custodiet.records.logic_shortcuts import LogicShortcutsRecord
    from custodiet.records.run_folder import RunFolder

__all__ = ["audit_shortcuts"]

WIDTH = 150
"""columns of a table that is not written to a terminal"""


def audit_shortcuts(
    file: Path,
    /,
    *,
    label: str | None = None,
    prompt: str | None = None,
    premises: str | None = None,
    hypothesis: str | None = None,
    skeleton: str | None = None,
    where: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    max_problems: int = 50_000,
    folds: int = 5,
    fail_if: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    out: OutOption = None,
    seed: SeedOption = 0,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Let attackers that do not reason guess the labels of a data set, and say how much better than chance they are.

    Columns that are not named are found by their names, and the output says which; --premises=- says that there is none. A dot
    leads into objects: premises.formula.

    Args:
        file: JSONL (also .gz), JSON, Parquet or CSV.
        label: column of the label.
        prompt: column of the whole problem as a model sees it.
        premises: column of the premises: a list, or a text that is split into sentences.
        hypothesis: column of what is asked about the premises.
        skeleton: column that is equal for problems that must not be torn apart into training and test.
        where: COLUMN=VALUE that a row must have; may be given several times.
        max_problems: of a larger file, attack a random sample of so many.
        folds: every problem is guessed by models that learned from the other folds.
        fail_if: gate such as "strongest.excess_points > 2" or "attackers[name=overlap].excess_points > 2"; may be given
            several times.
        out: run folder.
        seed: seed of the folds, the intervals and the sample.
        json: print one JSON object.
        quiet: no progress.
    """
    from custodiet.base.gates import parse_gate
    from custodiet.cli.progress import ProgressPrinter
    from custodiet.cli.report import render_run
    from custodiet.errors import CorpusError, TooFewSamplesError, UsageError
    from custodiet.logic.shortcuts.attackers import require_sklearn
    from custodiet.logic.shortcuts.audit import ShortcutConfig, audit_shortcuts_of_file
    from custodiet.logic.shortcuts.columns import detect_columns, parse_filters
    from custodiet.logic.tables import open_rows
    from custodiet.records.gates import judge_gates, raise_for_gates
    from custodiet.records.run_folder import RunFolder
    from custodiet.report.logic_shortcuts import shortcut_sentences

    gates = [parse_gate(text) for text in fail_if]
    for name, value, low, high in (("--folds", folds, 3, 20), ("--max-problems", max_problems, 100, None)):
        if value < low or (high is not None and value > high):
            wanted = f"at least {low}" if high is None else f"{low} to {high}"
            raise UsageError(f"{name} is out of range", expected=wanted, got=value)
    config = ShortcutConfig(num_folds=folds, max_problems=max_problems, seed=seed)
    named = {
        role: name
        for role, name in (
            ("label", label), ("prompt", prompt), ("premises", premises), ("hypothesis", hypothesis),
            ("skeleton", skeleton),
        )
        if name is not None
    }  # fmt: skip
    if label is not None:
        for name, value in (("--prompt", prompt), ("--premises", premises), ("--hypothesis", hypothesis)):
            if value == label:
                raise UsageError(
                    f"{name} is the column of the label", got=label, hint="Name the column of the problem."
                )
    filters = parse_filters(where)
    require_sklearn()
    detect_columns(open_rows(file), named)  # a mistake in the command leaves no run behind
    folder = RunFolder.create(out, "logic-shortcuts")
    try:
        folder.begin({"file": str(file), "columns": named, "where": filters, "num_folds": folds, "seed": seed,
                      "max_problems": max_problems})  # fmt: skip
        with ProgressPrinter(quiet=quiet) as printer:
            record = audit_shortcuts_of_file(
                file, config, columns=named, where=filters, command=command_line(), on_progress=printer
            )
            record.save(folder.record_json)  # kept even where a gate's path leads nowhere
            record = judge_gates(record, gates)
            record.save(folder.record_json)
            folder.finish("done", title=record.title, headline=shortcut_sentences(record)[0])
            render_run(folder)
    except (CorpusError, TooFewSamplesError, UsageError):
        if folder.record_json.exists():  # a gate whose path leads nowhere
            folder.finish("failed")
        else:
            folder.abandon()
        raise
    except BaseException as error:
        folder.finish("interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
        raise
    _print(record, folder, json=json, quiet=quiet)
    raise_for_gates(record.gates)


def _print(record: LogicShortcutsRecord, folder: RunFolder, *, json: bool, quiet: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from custodiet.report.logic_shortcuts import ATTACKER_HEAD, attacker_rows, shortcut_sentences

    paths = run_paths(folder)
    if json:
        print_json({**record.model_dump(mode="json", by_alias=True), **paths})
        return
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else WIDTH)
    console.print(f"{record.title}\n", style="bold", soft_wrap=True)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index, name in enumerate(ATTACKER_HEAD):
        table.add_column(name, justify="left" if index in (0, len(ATTACKER_HEAD) - 1) else "right")
    for row in attacker_rows(record):
        table.add_row(*row)
    console.print(table)
    console.print()
    for sentence in shortcut_sentences(record):
        console.print(sentence, soft_wrap=True)
    for gate in record.gates:
        console.print(f"gate {gate.outcome}: {gate.expression} ({gate.reason})", soft_wrap=True)
    if not quiet:
        console.print(f"report  {paths['report_html']}\nrecord  {paths['record_json']}", soft_wrap=True)
