"""Does the small model of the depth study answer the same where nothing changed that matters?

Its questions are put again with other names, in another order, with a conditional turned (`~B -> ~A` for `A -> B`) or
with an idle premise, in the words that it was trained on. Two engines prove each variant's label again. (Two negations
and English are not in its language.)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from custodiet.base.rng import numpy_rng
from custodiet.errors import CustodietError
from custodiet.logic.engines.decide import certify
from custodiet.logic.evaluation import Item, answer_items, read_items
from custodiet.logic.evaluation_record import AskedModel, make_record
from custodiet.logic.formulas import Atom, Formula, Implies, Not, atoms_of, complement
from custodiet.logic.notation import format_formula, parse_formula
from custodiet.records.base import Environment
from custodiet.records.files import sha256_file
from custodiet.records.logic_evaluation import ItemsFile, LogicEvaluationRecord
from custodiet.records.run_folder import RunFolder
from custodiet.studies.logic_depth import CUES, NAMES, LogicDepthConfig, Problem, way_of_asking

__all__ = ["ask_variants", "make_depth_variants"]

Progress = Callable[[str, float, float, str], None]


def make_depth_variants(problem: Problem, rng: np.random.Generator) -> dict[str, Problem]:
    """A variant of each kind.

    Args:
        problem: a question of the depth study; its chain is not looked at.
        rng: all choices.

    Returns:
        Kind, as `custodiet.logic.metamorphic` names it, -> the question with the same label, without a chain.

    Raises:
        CustodietError: the label is another one; a defect.
    """
    said = (*problem.premises, problem.goal)
    used = list(dict.fromkeys(atom for one in said for atom in atoms_of(one)))
    renamed = dict(zip(used, [NAMES[place] for place in rng.permutation(len(NAMES))], strict=False))
    idle = [name for name in NAMES if Atom(name) not in used]
    first, second = (_signed(idle[place], rng) for place in rng.permutation(len(idle))[:2].tolist())
    turned = [place for place, one in enumerate(problem.premises) if isinstance(one, Implies)]
    found = {
        "renaming": ([_renamed(one, renamed) for one in problem.premises], _renamed(problem.goal, renamed)),
        "premise-order": (_reordered(list(problem.premises), rng), problem.goal),
        "contraposition": (_turned(list(problem.premises), turned[int(rng.integers(len(turned)))]), problem.goal),
        "irrelevant-premise": (_with_one_more(list(problem.premises), Implies(first, second), rng), problem.goal),
    }
    made = {kind: Problem(tuple(premises), goal, (), problem.label) for kind, (premises, goal) in found.items()}
    for kind, one in made.items():
        label = certify("propositional", one.premises, one.goal, models=False).label
        if label != problem.label:
            raise CustodietError(f"the variant {kind} is {label}, not {problem.label}", hint="This is a defect.")
    return made


def _signed(name: str, rng: np.random.Generator) -> Formula:
    return Not(Atom(name)) if rng.random() < 0.5 else Atom(name)


def _renamed(formula: Formula, names: dict[Atom, str]) -> Formula:
    if isinstance(formula, Implies):
        return Implies(_renamed(formula.left, names), _renamed(formula.right, names))
    if isinstance(formula, Not):
        return Not(_renamed(formula.body, names))
    return Atom(names[formula]) if isinstance(formula, Atom) else formula


def _reordered(premises: list[Formula], rng: np.random.Generator) -> list[Formula]:
    """In another order; there are four premises or more, so one is found."""
    while True:
        made = [premises[place] for place in rng.permutation(len(premises)).tolist()]
        if made != premises:
            return made


def _turned(premises: list[Formula], place: int) -> list[Formula]:
    rule = premises[place]
    if isinstance(rule, Implies):
        premises[place] = Implies(complement(rule.right), complement(rule.left))
    return premises


def _with_one_more(premises: list[Formula], extra: Formula, rng: np.random.Generator) -> list[Formula]:
    premises.insert(int(rng.integers(len(premises) + 1)), extra)
    return premises


def ask_variants(
    config: LogicDepthConfig, folder: Path, *, way: str, num_items: int, on_progress: Progress, command: str = ""
) -> LogicEvaluationRecord:
    """Put items of the trained depths and their variants to the model.

    Args:
        config: of the run that lies in `folder`.
        folder: where `run_logic_depth` left `items.jsonl` and `model`; gets the run `variants`.
        way: direct, the label at once, or chain, the chain before the label.
        num_items: how many items get variants, by whole problems.
        on_progress: called with (task, done, total, note).
        command: as it was typed.

    Returns:
        The record; `metamorphic_consistency` is over all variants.
    """
    import torch

    from custodiet.nn.loading import load_model

    started = time.monotonic()
    path = folder / "items.jsonl"
    loaded = load_model(folder / "model", device="cpu", dtype="float32")
    mode, max_tokens, ask = way_of_asking(config, way, loaded)
    everything, _, num = read_items(path, mode=mode)
    items = _spread([one for one in everything if one.raw["cell"]["depth"] in config.trained_depths], num_items)
    rng = numpy_rng(config.seed, "logic depth", "variants")
    run = RunFolder.create(folder / "variants", "logic-evaluate")
    run.begin({"job": "logic-evaluate", "study": "logic depth", "way": "variants", **asdict(config)})
    asked = [*items, *_variants_of(items, rng)]
    rows = answer_items(
        asked, ask, run.path / "answers.jsonl", batch_size=192,
        on_progress=lambda task, *rest: on_progress(f"{task}, variants", *rest),
    )  # fmt: skip
    record = make_record(
        rows,
        AskedModel(
            name="GPT of the depth study", description=loaded.description, sha256=loaded.identity_sha256,
            environment=Environment.here(
                torch=str(torch.__version__), device="cpu", dtype=loaded.dtype, num_threads=torch.get_num_threads(),
                instruction_set=torch.backends.cpu.get_cpu_capability(),
            ),
        ),
        ItemsFile(path=path.name, sha256=sha256_file(path), num_items=num, num_asked=len(items)),
        title="Trained depths, and variants with the same label",
        mode=mode,
        cue=CUES[way],
        max_tokens=max_tokens,
        seed=config.seed,
        started=started,
        command=command,
        not_tested=["two negations and English, which the model's language does not have"],
    )  # fmt: skip
    record.save(run.record_json)
    run.finish("done", title=record.title)
    return record


def _spread(items: list[Item], num_items: int) -> list[Item]:
    """Whole problems, taken in turn from each depth, of so many items in all."""
    by_depth: dict[int, dict[str, list[Item]]] = {}
    for one in items:
        by_depth.setdefault(one.raw["cell"]["depth"], {}).setdefault(one.raw["group"], []).append(one)
    kept: list[Item] = []
    for turn in range(max(len(groups) for groups in by_depth.values())):
        for groups in by_depth.values():
            if turn < len(groups) and len(kept) < num_items:
                kept += list(groups.values())[turn]
    return sorted(kept, key=lambda one: one.place)


def _variants_of(items: list[Item], rng: np.random.Generator) -> Iterator[Item]:
    for item in items:
        premises = tuple([parse_formula(one["formula"]) for one in item.raw["premises"]])
        problem = Problem(premises, parse_formula(item.raw["goal"]["formula"]), (), item.label)
        for kind, one in make_depth_variants(problem, rng).items():
            key = f"{item.key}/{kind}"
            raw: dict[str, Any] = {
                **item.raw,
                "id": key,
                "prompt": one.prompt(),
                "premises": [{"formula": format_formula(premise)} for premise in one.premises],
                "goal": {"formula": format_formula(one.goal)},
            }
            yield replace(item, key=key, raw=raw, variant=kind)
