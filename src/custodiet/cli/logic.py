"""`custodiet logic`: the table of its commands."""

from __future__ import annotations

from cyclopts import App

__all__ = ["app"]

app = App(name="logic", help="Problems of logic whose labels are proved, and a judge of every step.")
app.command("custodiet.cli.logic_generate:generate", name="generate", help="Write problems with proved labels.")
app.command("custodiet.cli.logic_generate:tasks", name="tasks", help="Print which task exists in which logic.")
app.command("custodiet.cli.logic_generate:dedup", name="dedup", help="Keep the first item of each skeleton.")
app.command(
    "custodiet.cli.logic_audit_shortcuts:audit_shortcuts",
    name="audit-shortcuts",
    help="Say how well the labels of a data set can be guessed without reasoning.",
)
app.command(
    "custodiet.cli.logic_audit_labels:audit_labels",
    name="audit-labels",
    help="Prove the labels of a data set again, by two engines each.",
)
app.command(
    "custodiet.cli.logic_check:check", name="check", help="Judge every step of a proof or of a model's answers."
)
app.command(
    "custodiet.cli.logic_evaluate:evaluate",
    name="evaluate",
    help="Say how often, where and how consistently a model is right.",
)
app.command(
    "custodiet.cli.logic_export:export", name="export", help="Write tasks for lm-evaluation-harness or inspect_ai."
)
