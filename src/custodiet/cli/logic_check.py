"""`custodiet logic check`: is each step of an answer right, and does it prove what was asked?"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from custodiet.cli.common import JsonFlag, QuietFlag, print_json
from custodiet.errors import GateError, InputError, UsageError

if TYPE_CHECKING:
    from custodiet.logic.checking import CheckedAnswer, CheckedItem
    from custodiet.logic.formulas import Formula

__all__ = ["check"]

MAX_SHOWN = 10
"""bad answers that are printed"""


def check(
    file: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    premises: str | None = None,
    goal: str | None = None,
    logic: Literal["propositional", "syllogistic", "monadic", "relational", "datalog"] | None = None,
    response: str = "response",
    gold: Annotated[bool, Parameter(negative=())] = False,
    strict: Annotated[bool, Parameter(negative=())] = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Check every step of a proof, or of the answers to the items of a data set.

    Args:
        file: with --premises and --goal a proof, one line a step, such as `3. q [modus ponens: 1, 2]`; without them
            JSONL with items and answers. `-` reads standard input.
        premises: what the proof may use: formulas separated by semicolons, or a file with one on each line.
        goal: the formula that it is to prove or refute.
        logic: the logic of --premises and --goal (default relational); items name their own.
        response: key of the answer in each item.
        gold: judge each item's own proof, counter-models or written answer instead of an answer.
        strict: leave with exit code 3 if an answer's chain, formula, sentence or structure is not right. A proof that is not
            valid always does.
        json: print one JSON object.
        quiet: no progress.
    """
    if (premises is None) != (goal is None):
        missing, given = ("--goal", "--premises") if goal is None else ("--premises", "--goal")
        raise UsageError(f"{missing} is missing", expected="--premises and --goal together", got=f"{given} alone")
    if premises is not None and goal is not None:
        of_items = {"--gold": gold, "--strict": strict, "--response": response != "response"}
        for name in [name for name, is_given in of_items.items() if is_given]:
            raise UsageError(f"{name} is for items", got="--premises and --goal", hint=f"Leave out {name}.")
        _check_one(_read(file), premises, goal, logic or "relational", json)
        return
    if logic is not None:
        raise UsageError("--logic goes with --premises and --goal", got="items", hint="Each item names its own logic.")
    if gold and response != "response":
        raise UsageError("--response and --gold exclude each other", got="both", hint="Leave out one of them.")
    _check_items(file, response=response, gold=gold, strict=strict, json=json, quiet=quiet)


def _check_items(file: str, *, response: str, gold: bool, strict: bool, json: bool, quiet: bool) -> None:
    from custodiet.cli.progress import ProgressPrinter
    from custodiet.logic.checking import CheckTally, check_items

    tally = CheckTally()
    shown: list[str] = []
    left_out: Counter[str] = Counter()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as judged, ProgressPrinter(quiet=quiet) as printer:
        for one in check_items(_lines(file), response=response, gold=gold, name=file, left_out=left_out):
            tally.add(one)
            told = _what_is_bad(one)
            if told is not None and len(shown) < MAX_SHOWN:
                shown.append(f"{one.id}: {told}")
            if json:  # the summary comes first, so what is judged waits in a file
                judged.write((", " if tally.num > 1 else "") + dumps(one.to_json(), ensure_ascii=False) + "\n")
            if tally.num % 200 == 0:
                printer("items", tally.num, 0, f"{tally.num_invalid:,} not valid")
        others = ", ".join(f"{num:,} of the task {task}" for task, num in left_out.items())
        if not tally.num:
            wanted = "JSONL, one item of the task entailment or of a written one a line"
            raise InputError(f"{file} holds no items that can be judged", expected=wanted, got=others or "nothing")
        summary = tally.summary()
        if json:
            judged.seek(0)
            head = dumps(
                {"schema": "custodiet.logic-check/1", "summary": summary, "left_out": left_out}, ensure_ascii=False
            )
            sys.stdout.write(head[:-1] + ', "items": [')
            shutil.copyfileobj(judged, sys.stdout)
            sys.stdout.write("]}\n")
            sys.stdout.flush()
    if not json:
        _print_summary(summary)
        if others:
            print(f"{'left out':<28} {others}")
        print("\n".join(shown), end="\n" if shown else "")
    if strict and tally.num_invalid:
        raise GateError(f"{tally.num_invalid} of {tally.num} answers are not valid")


def _what_is_bad(checked: CheckedItem | CheckedAnswer) -> str | None:
    """The first bad step of a chain, or what is wrong with an answer that is written out; None where nothing is."""
    from custodiet.logic.checking import CheckedAnswer

    if isinstance(checked, CheckedAnswer):
        judged = checked.judgement
        told = ": ".join([part for part in (judged.kind, judged.message) if part])
        return None if judged.status == "right" else f"{judged.status}: {told}" if told else judged.status
    bad = checked.judgement.first_bad
    return None if bad is None else f"step {bad.number}: {bad.kind}: {bad.message}"


def _check_one(text: str, premises: str, goal: str, logic: str, json: bool) -> None:
    from custodiet.logic.kernel import check_proof
    from custodiet.logic.notation import parse_formula
    from custodiet.logic.proofs import read_proof

    verdict = check_proof(read_proof(text), _premises(premises), parse_formula(goal), logic=logic)
    if json:
        problems = [{"number": one.number, "kind": one.kind, "message": one.message} for one in verdict.problems]
        print_json({
            "schema": "custodiet.logic-proof/1", "valid": verdict.valid, "well_named": verdict.well_named,
            "conclusion": verdict.conclusion if verdict.valid else None, "problems": problems,
        })  # fmt: skip
    else:
        for one in verdict.problems:
            print(f"{'proof' if one.number is None else f'step {one.number}'}: {one.kind}: {one.message}")
        if verdict.valid:
            print(f"valid: the goal is {verdict.conclusion}" if verdict.conclusion != "inconsistent"
                  else "valid: the premises are inconsistent")  # fmt: skip
    if not verdict.valid:
        bad = verdict.first_bad
        assert bad is not None
        raise GateError(
            "the proof is not valid" if bad.number is None else f"the proof is not valid: step {bad.number}"
        )


def _lines(file: str) -> Iterator[str]:
    """The lines of a file, one at a time."""
    try:
        if file == "-":
            yield from sys.stdin
        else:
            with Path(file).open(encoding="utf-8") as stream:
                yield from stream
    except OSError as error:
        raise InputError(f"cannot read {file}", expected="a file of text", got=error.strerror) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8 text", got=f"byte {error.start}: {error.reason}") from error


def _read(file: str) -> str:
    return "".join(_lines(file))


def _premises(text: str) -> list[Formula]:
    from custodiet.logic.notation import parse_formula

    try:
        is_file = Path(text).is_file()
    except OSError:  # longer than a path can be
        is_file = False
    pieces = _read(text).splitlines() if is_file else text.split(";")
    return [parse_formula(one) for one in pieces if one.strip()]


def _print_summary(summary: dict[str, Any]) -> None:
    for key, value in summary.items():
        if isinstance(value, dict) and "value" in value:
            print(f"{key:<28} {value['value']:.4f}  [{value['low']:.4f}, {value['high']:.4f}]  n={value['num']}")
        elif isinstance(value, dict):
            print(f"{key:<28} {', '.join(f'{kind} {num}' for kind, num in value.items()) or '-'}")
        else:
            print(f"{key:<28} {'-' if value is None else f'{value:.4f}' if isinstance(value, float) else value}")
