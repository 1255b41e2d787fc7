"""`custodiet logic`: data of inference whose labels are proved, and judges of it."""

from __future__ import annotations

from cyclopts import App

__all__ = ["app"]

app = App(name="logic", help="Generate, judge and audit data of logical inference.", help_format="plaintext")
app.command(
    "custodiet.cli.logic_audit_shortcuts:audit_shortcuts",
    name="audit-shortcuts",
    help="Say how well the labels of a data set can be guessed without reasoning.",
)
