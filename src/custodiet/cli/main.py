"""The table of commands and the exit codes.

Exit codes: 0 done, 1 failed, 2 usage, 3 gate failed, 4 gate inconclusive, 130 interrupted.
"""

from __future__ import annotations

import sys

from cyclopts import App
from cyclopts.exceptions import CycloptsError

from custodiet._version import __version__
from custodiet.errors import CustodietError

__all__ = ["app", "main"]

app = App(
    name="custodiet",
    version=__version__,
    help="Train language models and find out what the training put into them.",
    help_format="plaintext",
    suppress_keyboard_interrupt=False,  # `main` says what is kept
)
app.command(
    "custodiet.cli.audit:audit",
    name="audit",
    help="Measure what a model memorized: extraction, membership, canaries, bits.",
)
app.command("custodiet.cli.train:train", name="train", help="Train a GPT-2-layout model on your own corpus.")
app.command(
    "custodiet.cli.forecast:forecast",
    name="forecast",
    help="Say what a model of a size could memorize, before any training.",
)
app.command(
    "custodiet.cli.capacity:capacity",
    name="capacity",
    help="Measure how many bits a parameter holds, on random tokens.",
)
app.command(
    "custodiet.cli.entropy:entropy",
    name="entropy",
    help="Say how many bits a byte of a text is worth, to whom.",
)
app.command(
    "custodiet.cli.capacity_table:capacity_table",
    name="capacity-table",
    help="Measure it for six shapes of the published table within ten minutes of a GPU, and fit the slope.",
)
app.command(
    "custodiet.cli.verify_mask:verify_mask",
    name="verify-mask",
    help="Check what a goldfish mask really drops on a corpus.",
)
app.command(
    "custodiet.cli.compress:compress",
    name="compress",
    help="Compress files in as many bits as a model's cross-entropy.",
)
app.command("custodiet.cli.compress:decompress", name="decompress", help="Give back the exact bytes, or fail.")
app.command(
    "custodiet.cli.logic:app", name="logic", help="Make problems of logic with proved labels, and judge answers."
)
app.command("custodiet.cli.report:report", name="report", help="Rebuild the HTML and Markdown of a run.")
app.command("custodiet.cli.runs:app", name="runs", help="List, show and remove runs.")
app.command(
    "custodiet.cli.study:app", name="study", help="Run a study: claims, published values, values here, verdicts."
)


def main(argv: list[str] | None = None) -> None:
    """Run the command line and leave with an exit code; a user's mistake never prints a traceback."""
    code = 0
    try:
        app(argv, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        print(f"custodiet: {_one_line(error)}\nTry: custodiet --help", file=sys.stderr)
        code = 2
    except CustodietError as error:
        print(f"custodiet: {error}", file=sys.stderr)
        code = error.exit_code
    except KeyboardInterrupt:
        print("custodiet: interrupted; what was finished is kept, runs go on with --resume", file=sys.stderr)
        code = 130
    except BrokenPipeError:
        sys.stderr.close()
        code = 1
    sys.exit(code)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
