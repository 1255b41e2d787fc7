"""Study `logic-chains`: are the labels right, are the proofs checked, and can the answers be had without reasoning?

The generator's own items are proved again from their English; proofs are damaged, and what engines show to be wrong must
be rejected; attackers that do not reason guess labels, of the default data and of a control without balance. The labels
of a peer are proved with the same auditor.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np

from custodiet.base.rng import derive_seed
from custodiet.base.stats import estimate_mean, estimate_proportion
from custodiet.errors import FormulaError, MissingExtraError
from custodiet.logic.generate.config import MATRIX, GenerateConfig
from custodiet.logic.generate.items import ITEMS_PER_PROBLEM
from custodiet.logic.generate.stream import generate_data_set, rows_of_problems
from custodiet.logic.kernel import check_proof
from custodiet.logic.label_audit import audit_reasoning_gym, error_share
from custodiet.logic.mutations import MUTATIONS, Proof, proof_of_item
from custodiet.logic.refuting import Refuter
from custodiet.logic.reproving import Reproof, reprove
from custodiet.logic.shortcuts.audit import ShortcutConfig, audit_shortcuts_of_file
from custodiet.records.base import Environment, Measurement, Record
from custodiet.records.logic_evaluation import LogicEvaluationRecord
from custodiet.records.logic_labels import LogicLabelsRecord
from custodiet.records.logic_shortcuts import LogicShortcutsRecord
from custodiet.records.run_folder import RunFolder, utc_now
from custodiet.records.study import Claim, Curve, CurveLine, CurvePoint, StudyRecord, claim_of
from custodiet.studies.logic_depth import LogicDepthConfig, LogicDepthResult, run_logic_depth
from custodiet.studies.logic_depth_variants import ask_variants

__all__ = ["Found", "LogicChainsConfig", "MutantCounts", "judge_logic_chains_claims", "run_logic_chains_study"]

Progress = Callable[[str, float, float, str], None]
LOGICS = MATRIX["entailment"]
PEER_TASKS = ("syllogism", "propositional_logic")
PEER = "reasoning-gym 0.1.25 as it was measured for this study"
_PROBLEMS_AT_ONCE = 100
_MAX_PROBLEMS_FOR_MUTANTS = 5000


@dataclass(frozen=True, kw_only=True)
class LogicChainsConfig:
    """Sizes."""

    seed: int = 0
    num_reproved: int = 4800
    """items of each logic, by SAT or clingo"""
    num_reproved_by_z3: int = 1200
    """of these, by z3 as well"""
    num_peer: int = 2000
    """entries of each task of the peer"""
    num_audited: int = 24_000
    """items of the default data that are attacked"""
    num_control: int = 3000
    """items of the control that are attacked"""
    num_timed: int = 900
    """items of each of five lots that are timed"""
    num_mutants: int = 160
    """damaged proofs of each kind"""
    num_varied: int = 360
    """items that the small model is asked again, with names, order, form or an idle premise changed"""
    depth: LogicDepthConfig = field(default_factory=LogicDepthConfig)
    """of the small model; its seed is that of the study"""


@dataclass(frozen=True, kw_only=True)
class MutantCounts:
    """What became of damaged proofs."""

    num_kinds: int
    num_wrong: int
    """shown to be wrong by an engine"""
    num_wrong_rejected: int
    num_not_shown: int
    """of which no engine showed that they are wrong; they may be proofs"""
    num_not_shown_accepted: int
    num_whole: int
    """undamaged proofs"""
    num_whole_accepted: int


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was measured, before it is judged."""

    reproofs: dict[str, Reproof]
    """logic -> its items"""
    peer: dict[str, LogicLabelsRecord] | str
    """task -> record; or why there is none"""
    shortcuts: LogicShortcutsRecord
    control: LogicShortcutsRecord
    rates: list[float]
    """items per second, one of each lot"""
    mutants: MutantCounts
    depth: LogicDepthResult
    variants: LogicEvaluationRecord
    """of the same model"""


def run_logic_chains_study(
    *, folder: RunFolder, seed: int, command: str, on_progress: Progress, config: LogicChainsConfig | None = None
) -> StudyRecord:
    """Measure everything below `folder`, and judge the claims.

    Args:
        folder: run folder; the audits of shortcuts and of the peer's labels, and what the small model was asked, lie below
            it, each with its own report.
        seed: of every random choice.
        command: what was typed.
        on_progress: told of every step.
        config: sizes, for tests.

    Raises:
        MissingExtraError: the extra `logic` is not installed. (Of the peer it is only said that it is not.)
    """
    config = config or LogicChainsConfig(seed=seed)
    folder.begin({"job": "study", "study": "logic-chains", **asdict(config)})
    started = time.monotonic()
    rates = _time_items(config, on_progress)
    reproofs = {logic: _reprove(config, logic, on_progress) for logic in LOGICS}
    mutants = _damage(config, on_progress)
    shortcuts = _attack(config, folder, True, command, on_progress)
    control = _attack(config, folder, False, command, on_progress)
    peer = _audit_peer(config, folder, on_progress)
    sizes = replace(config.depth, seed=config.seed)
    depth = run_logic_depth(sizes, folder.path, on_progress=on_progress, command=command)
    variants = ask_variants(
        sizes, folder.path, way=depth.best_way, num_items=config.num_varied, on_progress=on_progress, command=command
    )  # fmt: skip
    found = Found(
        reproofs=reproofs, peer=peer, shortcuts=shortcuts, control=control, rates=rates, mutants=mutants, depth=depth,
        variants=variants,
    )  # fmt: skip
    record = StudyRecord(
        study="logic-chains",
        title="Data for testing logical inference",
        created_utc=utc_now(),
        seed=seed,
        elapsed_s=time.monotonic() - started,
        environment=_environment(),
        claims=judge_logic_chains_claims(found),
        curves=[_curve_of(depth, sizes)],
    )
    record.save(folder.record_json)
    folder.finish("done", title=record.title, headline="; ".join(f"{c.name}: {c.verdict}" for c in record.claims[:3]))
    return record


def _curve_of(depth: LogicDepthResult, config: LogicDepthConfig) -> Curve:
    said = {"chain": "chain before the label", "direct": "label at once"}
    return Curve(
        title="Right answers of the small model by depth",
        x_label="depth: steps from the stated literal to the goal",
        y_label="right answers",
        lines=[
            CurveLine(
                label=said[way],
                points=[CurvePoint(x=float(one.value), share=one.accuracy) for one in depth.records[way].by["depth"]],
            )
            for way in said
        ],
        reference=depth.records["direct"].chance,
        reference_label="guessing",
        known_to=float(max(config.trained_depths)),
    )


def _rows(config: GenerateConfig, first: int, num: int) -> Iterator[dict[str, Any]]:
    """The items of problems, as whoever reads a file has them."""
    for row in rows_of_problems(config, range(first, first + num)):
        yield json.loads(row.text)


def _num_problems(num_items: int) -> int:
    return -(-num_items // ITEMS_PER_PROBLEM)


def _time_items(config: LogicChainsConfig, on_progress: Progress) -> list[float]:
    """Items of the default data per second of CPU time, by lots; first, while the caches are as cold as a user's."""
    wanted = GenerateConfig(num=1, seed=derive_seed(config.seed, "logic-chains", "rate"))
    num = _num_problems(config.num_timed)
    rows_of_problems(wanted, range(num // 3))
    rates = []
    for lot in range(1, 6):
        begin = time.process_time()
        rows_of_problems(wanted, range(lot * num, (lot + 1) * num))
        rates.append(num * ITEMS_PER_PROBLEM / (time.process_time() - begin))
        on_progress("generate", lot, 5, "items that are timed")
    return rates


def _reprove(config: LogicChainsConfig, logic: str, on_progress: Progress) -> Reproof:
    wanted = GenerateConfig(num=1, seed=derive_seed(config.seed, "logic-chains", "labels"), logics=(logic,))
    found = Reproof()
    num, by_z3 = _num_problems(config.num_reproved), _num_problems(config.num_reproved_by_z3)
    for first in range(0, num, _PROBLEMS_AT_ONCE):
        rows = list(_rows(wanted, first, min(_PROBLEMS_AT_ONCE, num - first)))
        lot = reprove(rows)
        if first < by_z3:
            again = reprove(rows[: (by_z3 - first) * ITEMS_PER_PROBLEM], engine="z3")
            known = {one.item for one in lot.faults}
            new = [one for one in again.faults if one.item not in known]
            lot.add(Reproof(0, len(new), new, again.engines))
        found.add(lot)
        on_progress(f"labels, {logic}", min(num, first + _PROBLEMS_AT_ONCE), num, "problems, from their English")
    return found


def _damage(config: LogicChainsConfig, on_progress: Progress) -> MutantCounts:
    """Damage the proofs of items until every kind of damage has its number, and have them judged."""
    seed = derive_seed(config.seed, "logic-chains", "mutants")
    wanted = GenerateConfig(num=1, seed=seed, logics=LOGICS, language="logic")
    rng, refuter, counts = random.Random(seed), Refuter(), Counter[str]()
    left = dict.fromkeys(MUTATIONS, config.num_mutants)
    used: set[str] = set()
    for number in range(_MAX_PROBLEMS_FOR_MUTANTS):
        if not left:
            break
        proofs = {one.steps: one for one in map(proof_of_item, _rows(wanted, number, 1)) if one.steps}
        for proof in proofs.values():
            counts["whole"] += 1
            counts["whole accepted"] += _is_accepted(proof)
            for kind in list(left):
                mutant = MUTATIONS[kind](proof, rng)
                if mutant is None or mutant == proof:
                    continue
                used.add(kind)
                accepted = _is_accepted(mutant)
                wrong = refuter.why_wrong(mutant) is not None
                counts["wrong" if wrong else "not shown"] += 1
                counts["wrong rejected"] += wrong and not accepted
                counts["not shown accepted"] += not wrong and accepted
                left[kind] -= 1
                if not left[kind]:
                    del left[kind]
        total = config.num_mutants * len(MUTATIONS)
        on_progress("mutants", total - sum(left.values()), total, "damaged proofs")
    return MutantCounts(
        num_kinds=len(used),
        num_wrong=counts["wrong"],
        num_wrong_rejected=counts["wrong rejected"],
        num_not_shown=counts["not shown"],
        num_not_shown_accepted=counts["not shown accepted"],
        num_whole=counts["whole"],
        num_whole_accepted=counts["whole accepted"],
    )


def _is_accepted(proof: Proof) -> bool:
    try:
        return check_proof(proof.steps, proof.premises, proof.goal, logic=proof.logic).valid
    except FormulaError:  # the premises and the goal are no problem any more
        return False


def _attack(
    config: LogicChainsConfig, folder: RunFolder, balanced: bool, command: str, on_progress: Progress
) -> LogicShortcutsRecord:
    name = "shortcuts" if balanced else "control"
    seed = derive_seed(config.seed, "logic-chains", name)
    path = folder.path / "work" / ("default-items.jsonl" if balanced else "items-without-balance.jsonl")
    path.parent.mkdir(exist_ok=True)
    wanted = GenerateConfig(num=config.num_audited if balanced else config.num_control, seed=seed, balanced=balanced)
    generate_data_set(wanted, path, progress=lambda task, done, total: on_progress(name, done, total, "items"))
    record = audit_shortcuts_of_file(path, ShortcutConfig(seed=seed), command=command, on_progress=on_progress)
    _keep(folder, name, "logic-shortcuts", record, record.title)
    return record


def _audit_peer(
    config: LogicChainsConfig, folder: RunFolder, on_progress: Progress
) -> dict[str, LogicLabelsRecord] | str:
    try:
        found: dict[str, LogicLabelsRecord] = {}
        for place, task in enumerate(PEER_TASKS):
            on_progress("peer", place, len(PEER_TASKS), f"{task} of reasoning-gym")
            found |= audit_reasoning_gym(config.num_peer, seed=config.seed, tasks=(task,))
    except MissingExtraError as error:
        if "reasoning-gym" not in str(error):
            raise
        return (
            "reasoning-gym is not installed (pip install reasoning-gym); a file of its entries is audited by "
            "custodiet logic audit-labels"
        )
    for task, record in found.items():
        _keep(folder, f"peer-{task}", "logic-labels", record, record.title)
    return found


def _keep(
    folder: RunFolder, name: str, kind: Literal["logic-shortcuts", "logic-labels"], record: Record, title: str
) -> None:
    inner = RunFolder.create(folder.path / name, kind)
    inner.begin({"job": kind, "of": "study logic-chains"})
    record.save(inner.record_json)
    inner.finish("done", title=title)


def _environment() -> Environment:
    shown: Any = np.show_config(mode="dicts") or {}
    simd = shown.get("SIMD Extensions", {}).get("found") or ["baseline"]
    return Environment.here(torch=None, device="cpu", dtype="float64", num_threads=1, instruction_set=simd[-1])


def judge_logic_chains_claims(found: Found) -> list[Claim]:
    """The claims, each with its tolerance beside it."""
    return [*_label_claims(found), *_shortcut_claims(found), *_proof_claims(found), *_model_claims(found)]


def _label_claims(found: Found) -> list[Claim]:
    num = sum(one.num for one in found.reproofs.values())
    faults = sum(one.num_faults for one in found.reproofs.values())
    engines = sum((one.engines for one in found.reproofs.values()), Counter[str]())
    logics = ", ".join(f"{logic} {one.num:,}" for logic, one in found.reproofs.items())
    decided = ", ".join(f"{name} {times:,}" for name, times in sorted(engines.items()))
    peer = found.peer
    syllogisms = Measurement.missing(peer) if isinstance(peer, str) else peer["syllogism"].label_errors
    vacuous = Measurement.missing(peer) if isinstance(peer, str) else peer["propositional_logic"].inconsistent_premises
    return [
        claim_of(
            "label_errors",
            f"share of items whose English says another label; {logics}; decided by {decided}",
            published=None,
            source="nothing published: no generator of such data says how many of its labels are wrong",
            tolerance=(0.0, 0.001),
            measured=error_share(faults, num),
        ),
        claim_of(
            "peer_label_errors_reasoning_gym",
            "share of syllogisms with a label that is wrong whatever is assumed",
            published=0.125,
            source=f"{PEER}: 376 of 3,000; issue 536 of its repository names the two forms",
            tolerance=(0.1, 0.15),
            measured=syllogisms,
        ),
        claim_of(
            "peer_contradictory_premises_reasoning_gym",
            "share of propositional problems whose premises contradict each other, so that any answer follows",
            published=0.233,
            source=f"{PEER}: 466 of 2,000; issue 528 of its repository says 37 %",
            tolerance=(0.2, 0.265),
            measured=vacuous,
        ),
    ]


def _shortcut_claims(found: Found) -> list[Claim]:
    ours, control = found.shortcuts, found.control
    return [
        claim_of(
            "shortcut_excess_points",
            f"points over the majority of the strongest of {len(ours.attackers)} attackers ({ours.strongest.attacker}), "
            f"{ours.num_problems:,} items of the default data",
            published=None,
            source="nothing published; the aim is at most 2",
            tolerance=(-100.0, 2.0),
            measured=ours.strongest.excess_points,
        ),
        claim_of(
            "own_rules_shortcut_without_balance",
            f"the same with the balance left out ({control.strongest.attacker}), {control.num_problems:,} items: what the "
            "attackers find where there is something to be found",
            published=None,
            source="the negative control: an audit that finds nothing here finds nothing",
            tolerance=(10.0, 100.0),
            measured=control.strongest.excess_points,
        ),
    ]


def _proof_claims(found: Found) -> list[Claim]:
    rate = estimate_mean(np.array(found.rates))
    mutants = found.mutants
    rejected = estimate_proportion(mutants.num_wrong_rejected, mutants.num_wrong)
    return [
        claim_of(
            "items_per_second",
            "items per second of CPU time of one core, propositional, with text and all certificates",
            published=None,
            source="nothing published that was measured here",
            tolerance=None,
            measured=Measurement.of(rate),
        ),
        claim_of(
            "mutants_rejected",
            f"share of damaged proofs, shown to be wrong by SAT, z3 or clingo, that the kernel rejects; "
            f"{mutants.num_kinds} kinds of damage; of {mutants.num_not_shown:,} others it accepts "
            f"{mutants.num_not_shown_accepted:,}",
            published=None,
            source="nothing published; graders of the field compare with one proof, or with their own grammar",
            tolerance=(0.995, 1.0),
            measured=Measurement.of(rejected),
        ),
        claim_of(
            "whole_proofs_accepted",
            "share of the undamaged proofs that the kernel accepts",
            published=None,
            source="the other half of the same claim: who rejects everything rejects all mutants",
            tolerance=(0.98, 1.0),
            measured=Measurement.of(estimate_proportion(mutants.num_whole_accepted, mutants.num_whole)),
        ),
    ]


def _model_claims(found: Found) -> list[Claim]:
    model = found.depth.records["direct"]
    kinds = ", ".join(
        f"{one.kind} {'?' if one.consistency.value is None else format(one.consistency.value, '.2f')}"
        for one in found.variants.metamorphic
    )
    ways = {"chain": "depth_generalization_r", "direct": "depth_generalization_r_label_at_once"}
    said = {"chain": "the chain written before the label", "direct": "the label at once"}
    return [
        *[
            claim_of(
                name,
                f"chance that a step more is survived, {said[way]}; {model.model}, asked to depth "
                f"{model.by['depth'][-1].value}",
                published=None,
                source="nothing published of this model; acc = c + (1 - c) r^d",
                tolerance=None,
                measured=found.depth.survival(way),
            )
            for way, name in ways.items()
        ],
        claim_of(
            "metamorphic_consistency",
            f"share of variants that the same model answers as the question itself, {said[found.depth.best_way]} ({kinds}); "
            f"of the questions it answers "
            f"{100 * (found.variants.accuracy.value or 0.0):.0f} % right",
            published=None,
            source="nothing published of this model; the labels are the same, as two engines prove",
            tolerance=None,
            measured=found.variants.metamorphic_consistency,
        ),
    ]
