"""The shortcut audit: every attacker on every problem, out of fold, with intervals and a control."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from custodiet.base.rng import derive_seed, numpy_rng
from custodiet.base.stats import Estimate
from custodiet.errors import InputError, TooFewSamplesError, UsageError
from custodiet.logic.shortcuts.attackers import ATTACKERS, Attacker, FeatureTable, guess_out_of_fold, require_sklearn
from custodiet.logic.shortcuts.columns import Columns, Problem, detect_columns, iter_problems
from custodiet.logic.shortcuts.features import look_at
from custodiet.logic.shortcuts.folds import deal_folds, group_problems
from custodiet.logic.shortcuts.intervals import (
    Draws,
    draw_recalls,
    estimate_accuracy,
    estimate_largest,
    estimate_recall,
)
from custodiet.logic.tables import open_rows
from custodiet.records.base import Environment, Measurement
from custodiet.records.files import sha256_file
from custodiet.records.logic_shortcuts import (
    AttackerResult,
    LabelShare,
    LargestExcess,
    LogicShortcutsRecord,
    RecallOfLabel,
    ShuffledControl,
)
from custodiet.records.run_folder import utc_now

__all__ = ["ShortcutConfig", "audit_shortcuts", "audit_shortcuts_of_file"]

MAX_LABELS = 20
NOT_TESTED = [
    "Attackers that reason for some steps, or that know the meaning of the words.",
    "Combinations of what two attackers see; neural attackers.",
    "Whether a model that was trained on other data takes the same shortcuts.",
    "A label that leaks through a column that was not named.",
]


@dataclass(frozen=True, kw_only=True)
class ShortcutConfig:
    """How a shortcut audit is made."""

    num_folds: int = 5
    """every problem is guessed by models that learned from the other folds"""
    max_problems: int = 50_000
    """of more, a random sample is attacked"""
    attackers: tuple[str, ...] = tuple(one.name for one in ATTACKERS)
    """which attackers run; `majority` always does"""
    seed: int = 0

    def __post_init__(self) -> None:
        if not 3 <= self.num_folds <= 20:
            raise UsageError("num_folds is out of range", expected="3 to 20", got=self.num_folds)
        if self.max_problems < 100:
            raise UsageError("max_problems is too small", expected="at least 100", got=self.max_problems)
        known = [one.name for one in ATTACKERS]
        wrong = [one for one in self.attackers if one not in known]
        if wrong:
            raise UsageError(f"there is no attacker {wrong[0]!r}", expected="one of " + ", ".join(known))


def audit_shortcuts_of_file(
    path: Path,
    config: ShortcutConfig | None = None,
    *,
    columns: Mapping[str, str | None] | None = None,
    where: Mapping[str, str] | None = None,
    command: str = "",
    on_progress: Callable[..., None] | None = None,
) -> LogicShortcutsRecord:
    """Audit a file of anyone's.

    Args:
        path: JSONL (.gz), JSON, Parquet or CSV.
        config: how.
        columns: role (label, prompt, premises, hypothesis, skeleton) -> column; those left out are found by their names,
            "-" says that there is none.
        where: column -> value that a row must have.
        command: the command line, for the record.
        on_progress: called with (task, done, total, note).

    Returns:
        The record.

    Raises:
        CorpusError: the file cannot be read.
        UsageError: a column is not there.
        TooFewSamplesError, InputError: as `audit_shortcuts`.
        MissingExtraError: scikit-learn is not installed.
    """
    require_sklearn()
    rows = open_rows(path)
    found = detect_columns(rows, columns or {})
    skipped: dict[str, int] = {}
    problems = iter_problems(rows, found, where=where, skipped=skipped)
    return audit_shortcuts(
        problems, config, name=str(path), columns=found, where=where, sha256=sha256_file(path), skipped=skipped,
        command=command, on_progress=on_progress,
    )  # fmt: skip


def audit_shortcuts(
    problems: Iterable[Problem],
    config: ShortcutConfig | None = None,
    *,
    name: str = "problems",
    columns: Columns | None = None,
    where: Mapping[str, str] | None = None,
    sha256: str | None = None,
    skipped: dict[str, int] | None = None,
    command: str = "",
    on_progress: Callable[..., None] | None = None,
) -> LogicShortcutsRecord:
    """Say how much better than the most frequent label attackers guess that do not reason.

    Args:
        problems: the problems, read once; only their features are kept. All have the same columns.
        config: how.
        name: what the record calls the data set.
        columns, where, sha256, skipped: where the problems come from, for the record; `skipped` is read at the end.
        command: the command line, for the record.
        on_progress: called with (task, done, total, note).

    Returns:
        The record. Same problems, config and versions: same numbers.

    Raises:
        TooFewSamplesError: fewer than two labels, or a label in fewer groups than there are folds.
        InputError: there are more than 20 labels: texts, not labels.
        MissingExtraError: scikit-learn is not installed.
    """
    require_sklearn()
    config, started = config or ShortcutConfig(), time.monotonic()
    tell = on_progress or (lambda *_: None)
    sample, num_rows = _sample(problems, config, tell)
    if not sample:
        reasons = ", ".join(f"{why}: {num:,}" for why, num in (skipped or {}).items())
        raise TooFewSamplesError(f"{name} holds no problem", got=reasons or None)
    groups_N, split_by = group_problems(sample)
    names, labels_N = _codes(sample, groups_N, config, name)
    has = sample[0]
    lacking = {"premises": has.premises is None, "hypothesis": has.hypothesis is None}
    chosen = [one for one in ATTACKERS if one.name in config.attackers or one.name == "majority"]
    not_run = {
        one.name: "there is no column of " + " or ".join(role for role in one.needs if lacking[role])
        for one in chosen
        if any(lacking[role] for role in one.needs)
    }
    running = tuple(one for one in chosen if one.name not in not_run)
    table = FeatureTable(running)
    for index, problem in enumerate(sample):
        table.add(look_at(problem))
        if index % 500 == 499 or index + 1 == len(sample):
            tell("features", index + 1, len(sample), "problems")
    del sample, has
    folds_N = deal_folds(groups_N, labels_N, num_folds=config.num_folds, seed=config.seed)
    guesses_AN, sizes = [], {}
    for index, one in enumerate(running):
        features = table.take(one)
        sizes[one.name] = 0 if features is None else features.shape[1]
        guesses_AN.append(guess_out_of_fold(one, features, labels_N, folds_N, seed=config.seed))
        tell("attackers", index + 1, len(running) + 1, one.name)
    draws = draw_recalls(np.stack(guesses_AN) == labels_N, labels_N, groups_N, seed=derive_seed(config.seed, "audit"))
    majority = float(draws.share_L.max())
    best, largest = estimate_largest(draws, list(range(len(running))))
    control = _control(running[best], table.take(running[best]), labels_N, groups_N, folds_N, config)
    tell("attackers", len(running) + 1, len(running) + 1, "shuffled labels")
    return LogicShortcutsRecord(
        title=f"Can the labels of {Path(name).name} be guessed without reasoning?",
        created_utc=utc_now(),
        seed=config.seed,
        elapsed_s=time.monotonic() - started,
        command=command,
        environment=_environment(),
        path=name,
        sha256=sha256,
        columns={} if columns is None else _roles(columns),
        detected=list(columns.detected) if columns else [],
        where=dict(where or {}),
        num_rows=num_rows,
        num_problems=len(labels_N),
        skipped=dict(skipped or {}),
        labels=[
            LabelShare(label=label, num=int(num), share=float(num / len(labels_N)))
            for label, num in zip(names, np.bincount(labels_N), strict=True)
        ],
        majority_share=majority,
        split_by=split_by,
        num_groups=int(groups_N.max()) + 1,
        num_folds=config.num_folds,
        attackers=[_result(one, index, sizes[one.name], draws, names, majority) for index, one in enumerate(running)],
        not_run=not_run,
        strongest=LargestExcess(attacker=running[best].name, excess_points=_points(largest, majority)),
        control=control,
        not_tested=NOT_TESTED,
    )


def _sample(
    problems: Iterable[Problem], config: ShortcutConfig, tell: Callable[..., None]
) -> tuple[list[Problem], int]:
    """At most so many problems, each with the same chance (Vitter 1985, algorithm R), and how many there were."""
    rng = numpy_rng(config.seed, "sample")
    kept: list[Problem] = []
    num = 0
    for num, problem in enumerate(problems, start=1):
        if len(kept) < config.max_problems:
            kept.append(problem)
        else:
            place = int(rng.integers(0, num))
            if place < config.max_problems:
                kept[place] = problem
        if num % 20_000 == 0:
            tell("reading", num, 0, "rows")
    return kept, num


def _codes(
    sample: list[Problem], groups_N: NDArray[np.int64], config: ShortcutConfig, name: str
) -> tuple[list[str], NDArray[np.int64]]:
    """Names of the labels, label of each problem."""
    names = sorted({one.label for one in sample})
    if len(names) > MAX_LABELS:
        raise InputError(
            f"{name} has {len(names):,} labels", expected=f"at most {MAX_LABELS}", got=f"for example {names[0][:60]!r}",
            hint="Name another column with --label; a text is not a label.",
        )  # fmt: skip
    if len(names) < 2:
        hint = "Name another column with --label, or other rows with --where."
        raise TooFewSamplesError(f"{name} has the one label {names[0]!r}; expected two or more. {hint}")
    index = {label: code for code, label in enumerate(names)}
    labels_N = np.array([index[one.label] for one in sample], dtype=np.int64)
    for code, label in enumerate(names):
        num = len(np.unique(groups_N[labels_N == code]))
        if num < config.num_folds:
            raise TooFewSamplesError(
                f"label {label!r} of {name} is in too few groups",
                expected=f"at least {config.num_folds}, one a fold",
                got=num,
            )
    return names, labels_N


def _control(
    attacker: Attacker, features: object, labels_N: NDArray[np.int64], groups_N: NDArray[np.int64],
    folds_N: NDArray[np.int64], config: ShortcutConfig,
) -> ShuffledControl:  # fmt: skip
    """The same attacker where there is nothing to find: labels shuffled within each fold."""
    rng = numpy_rng(config.seed, "control")
    shuffled = labels_N.copy()
    for fold in range(config.num_folds):
        here = np.flatnonzero(folds_N == fold)
        shuffled[here] = labels_N[rng.permutation(here)]
    guesses = guess_out_of_fold(attacker, features, shuffled, folds_N, seed=config.seed)
    draws = draw_recalls((guesses == shuffled)[None], shuffled, groups_N, seed=derive_seed(config.seed, "control"))
    excess = _points(estimate_accuracy(draws, 0), float(draws.share_L.max()))
    return ShuffledControl(attacker=attacker.name, excess_points=excess)


def _points(accuracy: Estimate, majority: float) -> Measurement:
    def shift(number: float | None) -> float | None:
        return None if number is None else round(100 * (number - majority), 9) + 0.0

    return Measurement.of(
        Estimate(shift(accuracy.value), shift(accuracy.low), shift(accuracy.high), accuracy.num, accuracy.why)
    )


def _result(
    attacker: Attacker, index: int, num_features: int, draws: Draws, names: list[str], majority: float
) -> AttackerResult:
    accuracy = estimate_accuracy(draws, index)
    return AttackerResult(
        name=attacker.name,
        description=attacker.description,
        model=attacker.model,
        num_features=num_features,
        accuracy=Measurement.of(accuracy),
        excess_points=_points(accuracy, majority),
        recalls=[
            RecallOfLabel(label=label, recall=Measurement.of(estimate_recall(draws, index, code)))
            for code, label in enumerate(names)
        ],
    )


def _roles(columns: Columns) -> dict[str, str | None]:
    return {role: getattr(columns, role) for role in ("label", "prompt", "premises", "hypothesis", "skeleton")}


def _environment() -> Environment:
    found = np.show_config(mode="dicts") or {}
    simd = found.get("SIMD Extensions", {}).get("found") or ["baseline"]
    return Environment.here(torch=None, device="cpu", dtype="float64", num_threads=1, instruction_set=simd[-1])
