"""The label audit: every label of a data set that can be read is proved again, by two engines."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from custodiet.base.stats import estimate_proportion
from custodiet.errors import CorpusError, FormulaError, MissingExtraError, UsageError
from custodiet.logic.engines.decide import certify
from custodiet.logic.foreign.claims import SAYINGS, Claim, Format, Unreadable
from custodiet.logic.foreign.logicinference import LOGICINFERENCE
from custodiet.logic.foreign.own import OWN, OWN_PROMPTS
from custodiet.logic.foreign.prontoqa import PRONTOQA
from custodiet.logic.foreign.reasoning_gym import REASONING_GYM
from custodiet.logic.notation import format_formula
from custodiet.logic.semantics import INCONSISTENT
from custodiet.logic.tables import RowFile, open_rows
from custodiet.records.base import Environment, Measurement
from custodiet.records.files import sha256_file
from custodiet.records.logic_labels import KindTally, LabelError, LogicLabelsRecord, Outcome
from custodiet.records.run_folder import utc_now

__all__ = [
    "FORMATS",
    "audit_labels",
    "audit_labels_of_file",
    "audit_reasoning_gym",
    "detect_format",
    "error_share",
    "judge_claim",
]

FORMATS = {one.name: one for one in (OWN, LOGICINFERENCE, PRONTOQA, REASONING_GYM)}
LOOKED_AT = 50
"""rows that decide the format"""
MAX_ERRORS = 50
MAX_TEXT = 1500
NOT_TESTED = [
    "Rows that were not read; they are counted by reason.",
    "Explanations and proofs beside the labels.",
    "Whether a question's words mean what its formulas say, beyond the forms of sentences that the format defines.",
    "Intervals take items as independent; copies of one problem make them too narrow.",
]


def audit_labels_of_file(
    path: Path,
    *,
    format_name: str | None = None,
    limit: int | None = None,
    certify: str | None = None,
    command: str = "",
    on_progress: Callable[..., None] | None = None,
    on_error: Callable[[LabelError], None] | None = None,
) -> LogicLabelsRecord:
    """Prove again the labels of a file.

    Args:
        path: JSONL (.gz), JSON, Parquet or CSV.
        format_name: one of `FORMATS`; found by looking at the rows if not given.
        limit: stop after so many rows.
        certify: `z3`: read own items from the sentences of their prompts, and ask z3 as well (not about Datalog).
        command: the command line, for the record.
        on_progress: called with (task, done, total, note).
        on_error: called with each label that is not simply right; the record holds the first ones only.

    Returns:
        The record.

    Raises:
        CorpusError: the file cannot be read, or its rows are of no known format.
        UsageError: no such format.
        MissingExtraError: a solver is not installed.
    """
    rows = open_rows(path)
    found = detect_format(rows) if format_name is None else _format(format_name)
    if certify is not None:
        if certify != "z3":
            raise UsageError("--certify", expected="z3", got=certify)
        if found is not OWN:
            raise UsageError("--certify is for items of custodiet", expected=OWN.name, got=found.name)
        found = OWN_PROMPTS
    return audit_labels(
        _items(rows, found, limit), name=str(path), format_name=found.name, detected=format_name is None,
        sha256=sha256_file(path), rows=rows, with_z3=certify is not None, command=command, on_progress=on_progress,
        on_error=on_error,
    )  # fmt: skip


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise UsageError("no such format of data sets", expected="one of " + ", ".join(FORMATS), got=name)
    return FORMATS[name]


def _items(rows: RowFile, found: Format, limit: int | None) -> Iterator[Claim | Unreadable]:
    for index, (place, row) in enumerate(rows):
        if limit is not None and index >= limit:
            rows.num_read = limit
            return
        yield from found.read(place, row)


def detect_format(rows: RowFile) -> Format:
    """The format that most of the first rows fit.

    Raises:
        CorpusError: none fits any of them.
    """
    votes: Counter[str] = Counter()
    for index, (_, row) in enumerate(rows):
        if index >= LOOKED_AT:
            break
        votes.update(name for name, one in FORMATS.items() if one.fits(row))
    if not votes:
        raise CorpusError(
            f"{rows.path} is of no known format",
            expected="rows of " + ", ".join(FORMATS),
            got="columns " + ", ".join(map(repr, rows.columns)),
            hint="Own data: premises (a list of formulas), goal (a formula), label (entailed, contradicted or unknown).",
        )
    return FORMATS[votes.most_common(1)[0][0]]


def judge_claim(claim: Claim, *, with_z3: bool = False) -> tuple[Outcome, str, tuple[str, ...]]:
    """Whether a claim is right, the verdict of the engines, and their names.

    Where some readers would assume more premises, the claim is judged under both readings. With z3 a third engine must agree
    on it, in every logic but Datalog.

    Raises:
        FormulaError: the formulas do not belong to the claim's logic.
        MissingExtraError: a solver is not installed.
    """
    constants = dict(claim.constants)
    decision = certify(claim.logic, claim.premises, claim.goal, models=False, with_z3=with_z3, constants=constants)
    verdicts = SAYINGS[claim.says]
    if decision.label == INCONSISTENT and claim.says != "inconsistent":
        return "inconsistent premises", decision.label, decision.engines
    right = decision.label in verdicts
    if claim.maybe_assumes:
        other = certify(claim.logic, (*claim.premises, *claim.maybe_assumes), claim.goal, models=False)
        also_right = right if other.label == INCONSISTENT else other.label in verdicts
        if right != also_right:
            verdict = f"{decision.label}; with the assumption {other.label}"
            return "only without assumption" if right else "only with assumption", verdict, decision.engines
    return "right" if right else "wrong", decision.label, decision.engines


def audit_labels(
    items: Iterable[Claim | Unreadable],
    *,
    name: str = "items",
    format_name: str = "custodiet",
    detected: bool = False,
    sha256: str | None = None,
    rows: RowFile | None = None,
    with_z3: bool = False,
    command: str = "",
    on_progress: Callable[..., None] | None = None,
    on_error: Callable[[LabelError], None] | None = None,
) -> LogicLabelsRecord:
    """Prove again the labels of items, one at a time; memory does not grow with their number.

    Args:
        items: what a format's `read` gives.
        name: what the record calls the data set.
        format_name, detected, sha256, rows: where the items come from, for the record.
        with_z3: whether z3 must agree as well.
        command: the command line, for the record.
        on_progress: called with (task, done, total, note).
        on_error: called with each label that is not simply right.

    Returns:
        The record. An interval is Clopper-Pearson's; where nothing was found it is the one-sided bound, about 3/n.

    Raises:
        CorpusError: nothing could be read.
        MissingExtraError: a solver is not installed.
    """
    started = time.monotonic()
    tallies: dict[tuple[str, str], Counter[Outcome]] = {}
    unreadable: Counter[str] = Counter()
    engines: Counter[str] = Counter()
    errors: list[LabelError] = []
    num_claims = num_errors = num_items = 0
    for num_items, item in enumerate(items, start=1):
        if on_progress is not None and num_items % 200 == 0:
            on_progress("labels", num_items, 0, "labels")
        if isinstance(item, Unreadable):
            unreadable[item.why] += 1
            continue
        try:
            outcome, verdict, used = judge_claim(item, with_z3=with_z3)
        except FormulaError:
            unreadable[f"formulas that are not {item.logic}"] += 1
            continue
        num_claims += 1
        engines.update(used)
        tallies.setdefault((item.kind, item.says), Counter())[outcome] += 1
        if outcome == "right":
            continue
        num_errors += 1
        error = LabelError(
            place=item.place, kind=item.kind, outcome=outcome, says=item.says, verdict=verdict,
            premises=[format_formula(one) for one in item.premises], goal=format_formula(item.goal),
            text=item.text[:MAX_TEXT],
        )  # fmt: skip
        if len(errors) < MAX_ERRORS:
            errors.append(error)
        if on_error is not None:
            on_error(error)
    if rows is not None:
        unreadable.update(rows.why_skipped)
    if not num_claims:
        reasons = "; ".join(f"{why}: {num:,}" for why, num in unreadable.most_common(5))
        raise CorpusError(f"no label of {name} can be decided", expected=f"rows of {format_name}", got=reasons or None)
    total: Counter[Outcome] = sum(tallies.values(), Counter())
    dependent = total["only with assumption"] + total["only without assumption"]
    return LogicLabelsRecord(
        title=f"Are the labels of {Path(name).name} right?",
        created_utc=utc_now(),
        seed=0,
        elapsed_s=time.monotonic() - started,
        command=command,
        environment=_environment(),
        path=name,
        sha256=sha256,
        format=format_name,
        detected=detected,
        num_rows=num_items if rows is None else rows.num_read,
        num_claims=num_claims,
        unreadable=dict(unreadable.most_common()),
        label_errors=error_share(total["wrong"], num_claims),
        inconsistent_premises=error_share(total["inconsistent premises"], num_claims),
        assumption_dependent=error_share(dependent, num_claims),
        kinds=[_tally(kind, says, counts) for (kind, says), counts in sorted(tallies.items())],
        engines=dict(sorted(engines.items())),
        errors=errors,
        num_errors=num_errors,
        not_tested=NOT_TESTED,
    )


def _tally(kind: str, says: str, counts: Counter[Outcome]) -> KindTally:
    return KindTally(
        kind=kind,
        says=says,
        num=counts.total(),
        num_right=counts["right"],
        num_wrong=counts["wrong"],
        num_only_with_assumption=counts["only with assumption"],
        num_only_without_assumption=counts["only without assumption"],
        num_inconsistent=counts["inconsistent premises"],
    )


def error_share(num: int, of: int) -> Measurement:
    """Share of errors among decided labels.

    Args:
        num: errors.
        of: labels, at least one.

    Returns:
        The share with Clopper-Pearson's interval; where nothing was found the one-sided bound, about 3/n.
    """
    if num:
        return Measurement.of(estimate_proportion(num, of))
    bound = 1 - 0.05 ** (1 / of)
    return Measurement(value=0.0, low=0.0, high=bound, num=of, why=f"none found: at most 3/n, one-sided, {bound:.2g}")


def audit_reasoning_gym(
    num: int, *, seed: int = 0, tasks: tuple[str, ...] = ("syllogism", "propositional_logic", "knights_knaves")
) -> dict[str, LogicLabelsRecord]:
    """Prove again labels that reasoning-gym makes now, with the settings that it has by itself.

    Args:
        num: entries of each task.
        seed: seed of its data sets.
        tasks: names of its data sets.

    Returns:
        A record for each task.

    Raises:
        MissingExtraError: reasoning-gym, or a solver, is not installed.
    """
    try:
        import reasoning_gym  # pyright: ignore[reportMissingImports]
    except ImportError:
        hint = "Install it: pip install reasoning-gym"
        raise MissingExtraError("reasoning-gym is not installed, so its labels cannot be audited", hint=hint) from None
    from importlib.metadata import version

    name = f"reasoning-gym {version('reasoning-gym')}"

    def items(task: str) -> Iterator[Claim | Unreadable]:
        entries: Any = reasoning_gym.create_dataset(task, size=num, seed=seed)
        for index in range(num):
            yield from REASONING_GYM.read(f"{task} {index}", entries[index])

    return {task: audit_labels(items(task), name=f"{name} {task}", format_name=REASONING_GYM.name) for task in tasks}


def _environment() -> Environment:
    found: Any = np.show_config(mode="dicts") or {}
    simd = found.get("SIMD Extensions", {}).get("found") or ["baseline"]
    return Environment.here(torch=None, device="cpu", dtype="int", num_threads=1, instruction_set=simd[-1])
