"""`custodiet report RUN`: rebuild the report from the run folder alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from custodiet.cli.common import JsonFlag, QuietFlag, print_json

if TYPE_CHECKING:
    from custodiet.records.run_folder import RunFolder

__all__ = ["render_run", "report"]


def report(run: str, /, *, root: Path = Path("runs"), json: JsonFlag = False, quiet: QuietFlag = False) -> None:
    """Rebuild the HTML and Markdown of a run from its record.

    Args:
        run: run folder, or the id (or the start of the id) of a run below --root.
        root: folder that holds runs.
        json: print one JSON object.
        quiet: print no paths.
    """
    from custodiet.records.index import RunIndex
    from custodiet.records.run_folder import RunFolder

    path = Path(run) if Path(run).is_dir() else RunIndex(root).find(run).path
    folder = RunFolder.open(Path(path))
    render_run(folder)
    paths = {"report_html": str(folder.report_html.resolve()), "report_md": str(folder.report_md.resolve())}
    if json:
        print_json({"schema": "custodiet.report/1", "run_dir": str(folder.path.resolve()), **paths})
    elif not quiet:
        print("\n".join(paths.values()))


def render_run(folder: RunFolder) -> None:
    """Write HTML and Markdown beside a run's record, whatever its kind."""
    from custodiet.records.audit import AuditRecord
    from custodiet.records.base import load_record
    from custodiet.records.capacity import CapacityRecord
    from custodiet.records.capacity_table import CapacityTableRecord
    from custodiet.records.entropy import EntropyRecord
    from custodiet.records.files import write_text_atomic
    from custodiet.records.logic_evaluation import LogicEvaluationRecord
    from custodiet.records.logic_labels import LogicLabelsRecord
    from custodiet.records.logic_shortcuts import LogicShortcutsRecord
    from custodiet.records.study import StudyRecord
    from custodiet.report.capacity import render_capacity_html, render_capacity_markdown
    from custodiet.report.capacity_table import render_capacity_table_html, render_capacity_table_markdown
    from custodiet.report.entropy import render_entropy_html, render_entropy_markdown
    from custodiet.report.html import render_html
    from custodiet.report.logic_evaluation import render_logic_evaluation_html, render_logic_evaluation_markdown
    from custodiet.report.logic_labels import render_logic_labels_html, render_logic_labels_markdown
    from custodiet.report.logic_shortcuts import render_logic_shortcuts_html, render_logic_shortcuts_markdown
    from custodiet.report.markdown import render_markdown, render_study_markdown
    from custodiet.report.study import render_study_html

    renderers: dict[type, tuple[Callable[[Any], str], Callable[[Any], str]]] = {
        AuditRecord: (render_html, render_markdown),
        CapacityRecord: (render_capacity_html, render_capacity_markdown),
        CapacityTableRecord: (render_capacity_table_html, render_capacity_table_markdown),
        EntropyRecord: (render_entropy_html, render_entropy_markdown),
        LogicLabelsRecord: (render_logic_labels_html, render_logic_labels_markdown),
        LogicShortcutsRecord: (render_logic_shortcuts_html, render_logic_shortcuts_markdown),
        LogicEvaluationRecord: (render_logic_evaluation_html, render_logic_evaluation_markdown),
        StudyRecord: (render_study_html, render_study_markdown),
    }
    record = load_record(folder.record_json, tuple(renderers))
    html, markdown = renderers[type(record)]
    write_text_atomic(folder.report_html, html(record))
    write_text_atomic(folder.report_md, markdown(record))
