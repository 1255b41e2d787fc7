"""`custodiet logic check`: is each step of an answer right, and does it prove what was asked?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from custodiet.cli.common import JsonFlag, print_json
from custodiet.errors import GateError, InputError, UsageError

if TYPE_CHECKING:
    from custodiet.logic.formulas import Formula

__all__ = ["check"]


def check(
    file: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    premises: str | None = None,
    goal: str | None = None,
    logic: Literal["propositional", "syllogistic", "monadic", "relational", "datalog"] = "relational",
    response: str = "response",
    gold: Annotated[bool, Parameter(negative=())] = False,
    strict: Annotated[bool, Parameter(negative=())] = False,
    json: JsonFlag = False,
) -> None:
    """Check every step of a proof, or of the answers to the items of a data set.

    Args:
        file: with --premises and --goal a proof, one line a step, such as `3. q [modus ponens: 1, 2]`; without them
            JSONL with items and answers. `-` reads standard input.
        premises: what the proof may use: formulas separated by semicolons, or a file with one on each line.
        goal: the formula that it is to prove or refute.
        logic: the logic of --premises and --goal; items name their own.
        response: key of the answer in each item.
        gold: judge each item's own proof or counter-models instead of an answer.
        strict: leave with exit code 3 if an answer's chain is not valid. A proof that is not valid always does.
        json: print one JSON object.
    """
    if (premises is None) != (goal is None):
        raise UsageError("--premises and --goal go together", got="one of them")
    text = _read(file)
    if premises is not None and goal is not None:
        _check_one(text, premises, goal, logic, json)
        return
    from custodiet.logic.checking import check_items, summarize

    checked = list(check_items(text.splitlines(), response=response, gold=gold))
    if not checked:
        raise InputError(f"{file} holds no items")
    summary = summarize(checked)
    if json:
        items = [one.to_json() for one in checked]
        print_json({"schema": "custodiet.logic-check/1", "summary": summary, "items": items})
    else:
        _print_summary(summary)
        for one in [one for one in checked if one.judgement.first_bad is not None][:10]:
            bad = one.judgement.first_bad
            assert bad is not None
            print(f"{one.id}: step {bad.number}: {bad.kind}: {bad.message}")
    invalid = sum(one.judgement.chain != "valid" for one in checked)
    if strict and invalid:
        raise GateError(f"{invalid} of {len(checked)} chains are not valid")


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


def _read(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot read {file}", got=error.strerror) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8 text") from error


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
