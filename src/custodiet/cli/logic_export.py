"""`custodiet logic export`: items as tasks of other evaluation tools."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated, Literal

from cyclopts import Parameter

from custodiet.cli.common import JsonFlag, print_json

__all__ = ["export"]


def export(
    file: Path,
    /,
    *,
    to: Literal["lm-eval", "inspect"],
    out: Path,
    name: str = "custodiet_logic",
    overwrite: Annotated[bool, Parameter(negative=())] = False,
    json: JsonFlag = False,
) -> None:
    """Write a folder that lm-evaluation-harness or inspect_ai runs as it is.

    Args:
        file: items made by `custodiet logic generate`.
        to: the tool: lm-eval compares the choices, one task per depth; inspect lets the model write and judges its steps.
        out: folder to write into.
        name: of the group (lm-eval) or task (inspect).
        overwrite: replace files of the same names.
        json: print one JSON object.
    """
    from custodiet.logic.export import export_tasks

    made = export_tasks(file, out, to=to, name=name, overwrite=overwrite)
    folder = out.resolve()
    command = (
        f"lm_eval --include_path {quote(str(folder))} --tasks {name} --model hf --model_args pretrained=MODEL"
        if to == "lm-eval"
        else f"cd {quote(str(folder))} && inspect eval {name}.py --model MODEL"
    )
    if json:
        print_json({
            "schema": "custodiet.logic-export/1", "files": [str(one.resolve()) for one in made.files],
            "num_items": made.num_items, "left_out": dict(made.left_out), "run": command,
        })  # fmt: skip
        return
    print(f"{made.num_items:,} items in {len(made.files)} files in {folder}")
    for reason, num in made.left_out.items():
        print(f"{num:,} left out: {reason}")
    print(f"Run: {command}")
