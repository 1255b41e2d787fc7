"""Proofs as numbered lines, and their text.

    1. p -> q [premise]
    2. p [assumption]
    3. q [modus ponens: 1, 2]
    4. p -> q [conditional proof: 2, 3]

Each line is a number, a formula, and in brackets the rule and the lines that it cites. A line may leave the rule out
(`3. q [1, 2]`) or cite nothing (`3. a = a [reflexivity]`, `3. p | ~p []`). Whether a proof proves anything is the
kernel's matter; here is only what it says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from custodiet.errors import FormulaError
from custodiet.logic.formulas import Formula
from custodiet.logic.notation import format_formula, parse_formula

__all__ = ["Step", "format_proof", "format_step", "read_proof", "read_step", "step_from_json", "step_to_json"]

_NUMBER = re.compile(r"([0-9]{1,6})\.\s")
_WHY = re.compile(r"(?:([A-Za-z][A-Za-z -]*?) ?(?:: ?(?=[0-9])|\Z))?((?:[0-9]{1,6} ?(?:, ?(?=[0-9])|\Z))*)\Z")
_HINT = "A line is a number, a formula, and the rule with the lines it cites: 3. q [modus ponens: 1, 2]"


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a proof.

    Args:
        number: the number by which later lines cite it.
        formula: what the line says.
        rule: the name of the rule, in lower case; None where the line does not name one.
        cites: the numbers of the lines it cites, in the order given.
    """

    number: int
    formula: Formula
    rule: str | None = None
    cites: tuple[int, ...] = ()


def format_step(step: Step, text: str | None = None) -> str:
    """One line; `text` stands in place of the formula's notation where it is given, such as an English sentence."""
    cites = ", ".join([str(one) for one in step.cites])
    why = f"{step.rule}: {cites}" if step.rule and cites else step.rule or cites
    return f"{step.number}. {format_formula(step.formula) if text is None else text} [{why}]"


def format_proof(steps: Iterable[Step]) -> str:
    """The lines of a proof, each with its line end."""
    return "".join([format_step(one) + "\n" for one in steps])


def read_step(text: str, read_formula: Callable[[str], Formula] = parse_formula) -> Step:
    """Read one line.

    Args:
        text: a line in the form above.
        read_formula: reads what stands between the number and the bracket.

    Returns:
        The step, its rule in lower case with single spaces.

    Raises:
        FormulaError: the line is not of that form, or its formula cannot be read.
    """
    line = text.strip()
    number = _NUMBER.match(line)
    said, opening, reason = line[number.end() : -1].partition("[") if number else ("", "", "")
    why = _WHY.match(" ".join(reason.split())) if opening and line[-1] == "]" and "[" not in reason else None
    if number is None or why is None or "]" in said or "]" in reason:
        raise FormulaError("cannot read the line", got=repr(_shortened(text)), hint=_HINT)
    rule = why[1].lower() if why[1] else None
    cites = tuple([int(one) for one in why[2].split(",")]) if why[2] else ()
    return Step(int(number[1]), read_formula(said.strip()), rule, cites)


def read_proof(text: str, read_formula: Callable[[str], Formula] = parse_formula) -> tuple[Step, ...]:
    """Read a proof, one line each; empty lines are skipped.

    Args:
        text: the lines.
        read_formula: reads what stands between a line's number and its bracket.

    Returns:
        The steps in the order in which they stand. Nothing is said about whether they follow.

    Raises:
        FormulaError: a line cannot be read; names the line of the text, counted from 1.
    """
    steps = []
    for place, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            steps.append(read_step(line, read_formula))
        except FormulaError as error:
            raise FormulaError(f"line {place} of the proof: {error}") from error
    return tuple(steps)


def step_to_json(step: Step) -> dict[str, Any]:
    """`{"number": 3, "formula": "q", "rule": "modus ponens", "cites": [1, 2]}`."""
    return {
        "number": step.number,
        "formula": format_formula(step.formula),
        "rule": step.rule,
        "cites": list(step.cites),
    }


def step_from_json(data: object) -> Step:
    """The step of such an object; keys that are not a step's are left alone.

    Raises:
        FormulaError: a key is missing or of the wrong type, or the formula cannot be read.
    """
    if isinstance(data, Mapping):
        number, text, rule, cites = (data.get(key) for key in ("number", "formula", "rule", "cites"))
        if isinstance(number, int) and isinstance(text, str) and (rule is None or isinstance(rule, str)):
            cites = [] if cites is None else cites
            if isinstance(cites, list) and all(type(one) is int for one in [number, *cites]):
                return Step(number, parse_formula(text), rule, tuple(cites))
    raise FormulaError(
        "cannot read a step", expected="number, formula, rule and cites", got=repr(_shortened(str(data)))
    )


def _shortened(text: str) -> str:
    return text if len(text) <= 200 else text[:200] + "..."
