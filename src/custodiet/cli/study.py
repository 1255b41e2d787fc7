"""`custodiet study list|run`: does the famous result hold, here, now?"""

from __future__ import annotations

from cyclopts import App

from custodiet.cli.common import JsonFlag, OutOption, QuietFlag, SeedOption, command_line, print_json
from custodiet.errors import UsageError

__all__ = ["app"]

app = App(name="study", help="Run a study: claims, published values, values here, verdicts.", help_format="plaintext")


@app.command(name="list")
def list_studies(*, json: JsonFlag = False) -> None:
    """List the studies that this version can run.

    Args:
        json: print one JSON object.
    """
    from custodiet.studies.catalogue import STUDIES

    if json:
        rows = [{"study": name, "title": study.title, "summary": study.summary} for name, study in STUDIES.items()]
        print_json({"schema": "custodiet.studies/1", "studies": rows})
        return
    for name, study in STUDIES.items():
        print(f"{name:<16} {study.summary}")


@app.command
def run(
    name: str, /, *, out: OutOption = None, seed: SeedOption = 0, json: JsonFlag = False, quiet: QuietFlag = False
) -> None:
    """Run a study and print its claims; an honest `not reproduced` is a result and exits 0.

    Args:
        name: slug of the study, see `custodiet study list`.
        out: run folder.
        seed: seed of every random choice.
        json: print one JSON object.
        quiet: no progress.
    """
    from custodiet.cli.progress import ProgressPrinter
    from custodiet.cli.report import render_run
    from custodiet.records.run_folder import RunFolder
    from custodiet.studies.catalogue import STUDIES

    if name not in STUDIES:
        raise UsageError(f"there is no study {name!r}", expected=f"one of {', '.join(STUDIES)}")
    folder = RunFolder.create(out, "study")
    with ProgressPrinter(quiet=quiet) as printer:
        record = STUDIES[name].load()(folder=folder, seed=seed, command=command_line(), on_progress=printer)
        inner = [RunFolder(path.parent) for path in sorted(folder.path.glob("*/record.json"))]
        for one in (folder, *inner):
            render_run(one)
        for claim in record.claims:
            measured = (
                f"not measured ({claim.why or 'no reason'})" if claim.measured is None else f"{claim.measured:.4g}"
            )
            bounds = "" if claim.low is None or claim.high is None else f" [{claim.low:.4g}, {claim.high:.4g}]"
            published = "nothing published" if claim.published is None else f"published {claim.published:.4g}"
            printer.say(f"{claim.name:<44} {measured}{bounds} {claim.unit} ({published}): {claim.verdict}")
        for one in (folder, *inner):
            printer.say(f"report  {one.report_html.resolve()}")
    if json:
        dumped = record.model_dump(mode="json", by_alias=True)
        keep = ("schema", "study", "elapsed_s", "claims")
        print_json({**{key: dumped[key] for key in keep}, "run_dir": str(folder.path.resolve())})
