"""`custodiet logic generate`, `custodiet logic tasks` and `custodiet logic dedup`: data whose every label is proved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from custodiet.cli.common import JsonFlag, QuietFlag, SeedOption, print_json
from custodiet.errors import UsageError

__all__ = ["dedup", "generate", "tasks"]

_DISTRACTORS = "near-miss,dead-end,same-vocabulary,contrary:1"
_GOAL_FORMS = "literal,conjunction,disjunction,conditional,biconditional"


def generate(
    *,
    num: int,
    out: Path,
    tasks: str | None = None,
    logic: str | None = None,
    compat: Literal["logicinference"] | None = None,
    depth: str = "1-5",
    premises: str = "8-16",
    distractors: str = _DISTRACTORS,
    vocabulary: Literal["nonce", "neutral", "counterfactual"] = "nonce",
    language: Literal["logic", "english", "both"] = "english",
    goal_forms: str = _GOAL_FORMS,
    existential_import: Annotated[bool, Parameter(negative=())] = False,
    split: Literal["ood", "iid", "length", "depth"] = "ood",
    answer: Literal["end", "beginning"] = "end",
    format: Literal["jsonl", "parquet", "hf"] = "jsonl",
    certify: Literal["z3"] | None = None,
    workers: int = 1,
    seed: SeedOption = 0,
    resume: Annotated[bool, Parameter(negative=())] = False,
    overwrite: Annotated[bool, Parameter(negative=())] = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Write problems of logic whose labels are proved and confirmed, with proofs, supports and counter-models.

    Args:
        num: how many items.
        out: file to write (for --format hf: folder).
        tasks: names, separated by commas; `custodiet logic tasks` lists them and the logics in which they exist. Without:
            entailment.
        logic: names of logics, separated by commas. Without: propositional.
        compat: logicinference: the five types of that data set, in its mix and its forms of answers (as --tasks
            logicinference --logic monadic).
        depth: steps from the facts to the goal, LOW-HIGH within 1-12, or one number.
        premises: number of premises, LOW-HIGH within 2-64, or one number.
        distractors: kinds of premises that lead nowhere: near-miss, dead-end, same-vocabulary, and contrary:K for K
            premises per problem that would decide the goal if something unknown held.
        vocabulary: words of English: invented, everyday, or everyday against the facts.
        language: the notation of formulas, controlled English, or each problem in one of the two.
        goal_forms: of what is asked in propositional, monadic and relational logic: literal, conjunction, disjunction,
            conditional, biconditional. With literal and others every compound goal is asked, and the literal in it.
        existential_import: in syllogistic problems every kind has a member; the prompt says which of both holds.
        split: ood: no shape of premises is in two splits. For LogicInference tasks also: iid, by item; length: training
            has at most four premises; depth: training has chains of at most two steps.
        answer: where LogicInference tasks have their yes or no.
        format: jsonl, parquet, or a folder in the layout of Hugging Face data sets.
        certify: z3: prove each item again with z3 (labels of datalog: clingo) from the sentences of its prompt; if one is not
            what it says, nothing is written. `custodiet logic audit-labels --certify z3` does it with a finished file.
        workers: processes; the bytes do not depend on it.
        seed: seed of every choice; item i depends on the seed and i alone.
        resume: go on where an earlier run was stopped.
        overwrite: replace a finished file of that name.
        json: print one JSON object.
        quiet: no progress.
    """
    from custodiet.cli.progress import ProgressPrinter
    from custodiet.logic.generate.config import GenerateConfig
    from custodiet.logic.generate.stream import generate_data_set

    kinds, contrary = _distractors(distractors)
    if compat is not None:
        if tasks is not None:
            raise UsageError("--compat and --tasks contradict each other", hint="Leave one of them out.")
        tasks, logic = compat, logic or "monadic"
    config = GenerateConfig(
        num=num,
        seed=seed,
        tasks=_names(tasks or "entailment"),
        logics=_names(logic or "propositional"),
        depth=_bounds("--depth", depth),
        premises=_bounds("--premises", premises),
        distractors=kinds,
        contrary=contrary,
        vocabulary=vocabulary,
        language=language,
        goal_forms=_names(goal_forms),
        existential_import=existential_import,
        split_scheme=split,
        answer_position=answer,
    )
    with ProgressPrinter(quiet=quiet) as progress:
        written = generate_data_set(
            config,
            out,
            data_format=format,
            workers=workers,
            resume=resume,
            overwrite=overwrite,
            certify=certify,
            progress=progress,
        )
    if json:
        print_json(
            {
                "path": str(written.path.resolve()),
                "num_items": written.num_items,
                "counts": written.counts,
                "elapsed_s": written.elapsed_s,
                "num_resumed": written.num_resumed,
                "config": config.to_json(),
            }
        )
        return
    new = written.num_items - written.num_resumed
    print(f"{written.num_items} items in {written.path}; {new} made now, {new / written.elapsed_s:.0f} per second")
    for name, found in written.counts.items():
        print(f"  {name:<9} " + ", ".join(f"{key} {count}" for key, count in found.items()))


def tasks(*, json: JsonFlag = False) -> None:
    """Print which task exists in which logic.

    Args:
        json: print one JSON object.
    """
    from custodiet.logic.generate.config import LOGICS, MATRIX

    if json:
        print_json({task: list(logics) for task, logics in MATRIX.items()})
        return
    print(f"{'task':<26}" + "".join(f"{logic:<15}" for logic in LOGICS).rstrip())
    for task, logics in MATRIX.items():
        print(f"{task:<26}" + "".join(f"{'yes' if logic in logics else '-':<15}" for logic in LOGICS).rstrip())


def dedup(
    path: Path,
    *,
    out: Path,
    overwrite: Annotated[bool, Parameter(negative=())] = False,
    json: JsonFlag = False,
) -> None:
    """Keep the first item of each skeleton (the item without names and order), in one pass over a JSONL file.

    Args:
        path: items made by `custodiet logic generate`.
        out: file to write.
        overwrite: replace it if it exists.
        json: print one JSON object.
    """
    from custodiet.logic.generate.dedup import dedup_file

    read, kept = dedup_file(path, out, overwrite=overwrite)
    if json:
        print_json({"path": str(out.resolve()), "num_read": read, "num_kept": kept})
        return
    print(f"{kept} of {read} items kept in {out}")


def _names(text: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in text.split(",") if one.strip())


def _bounds(option: str, text: str) -> tuple[int, int]:
    low, _, high = text.partition("-")
    try:
        return int(low), int(high or low)
    except ValueError:
        raise UsageError(option, expected="LOW-HIGH or one number", got=text) from None


def _distractors(text: str) -> tuple[tuple[str, ...], int]:
    kinds, contrary = [], 0
    for one in _names(text):
        name, _, number = one.partition(":")
        if name != "contrary":
            kinds.append(one)
        elif number.isdigit():
            contrary = int(number)
        else:
            raise UsageError("--distractors", expected="contrary:K with a number K", got=one)
    return tuple(kinds), contrary
