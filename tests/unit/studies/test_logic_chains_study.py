"""Study `logic-chains` in small, and its claims on planted figures."""

from collections import Counter
from dataclasses import replace

import pytest

from custodiet.logic.generate.config import MATRIX
from custodiet.logic.reproving import Reproof
from custodiet.records.base import Measurement, load_record
from custodiet.records.logic_evaluation import LogicEvaluationRecord
from custodiet.records.logic_shortcuts import LogicShortcutsRecord
from custodiet.records.run_folder import RunFolder
from custodiet.records.study import StudyRecord
from custodiet.studies import logic_chains
from custodiet.studies.catalogue import STUDIES
from custodiet.studies.logic_chains import (
    LogicChainsConfig,
    MutantCounts,
    judge_logic_chains_claims,
    run_logic_chains_study,
)
from custodiet.studies.logic_depth import LogicDepthConfig

SMALL = LogicChainsConfig(
    num_reproved=24,
    num_reproved_by_z3=12,
    num_peer=40,
    num_audited=120,
    num_control=150,
    num_timed=6,
    num_mutants=2,
    num_varied=12,
    depth=LogicDepthConfig(
        num_steps=2, batch_rows=8, width=16, num_layers=1, num_heads=2, num_problems=2, trained_depths=(1, 2),
        tested_depths=(1, 2, 3),
    ),
)  # fmt: skip
NAMES = [
    "label_errors", "peer_label_errors_reasoning_gym", "peer_contradictory_premises_reasoning_gym",
    "shortcut_excess_points", "own_rules_shortcut_without_balance", "items_per_second", "mutants_rejected",
    "whole_proofs_accepted", "depth_generalization_r", "depth_generalization_r_label_at_once", "metamorphic_consistency",
]  # fmt: skip


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = RunFolder.create(tmp_path_factory.mktemp("study") / "run", "study")
    told, kept = [], []
    judge = logic_chains.judge_logic_chains_claims
    patch = pytest.MonkeyPatch()
    patch.setattr(logic_chains, "judge_logic_chains_claims", lambda found: kept.append(found) or judge(found))
    with patch.context():
        record = run_logic_chains_study(
            folder=folder, seed=0, command="", on_progress=lambda *one: told.append(one[0]), config=SMALL
        )
    patch.undo()
    return folder, record, told, kept[0]


def test_the_study_runs_and_is_kept(done):
    folder, record, told, found = done
    assert load_record(folder.record_json, (StudyRecord,)) == record
    claims = {claim.name: claim for claim in record.claims}
    assert list(claims) == NAMES
    parts = {"generate", "mutants", "shortcuts", "control", "train to depth", "answers, direct", "answers, chain"}
    assert parts | {"answers, variants"} | {f"labels, {logic}" for logic in found.reproofs} <= set(told)
    assert STUDIES["logic-chains"].load() is run_logic_chains_study
    assert set(found.reproofs) == set(MATRIX["entailment"])
    for reproof in found.reproofs.values():
        assert reproof.num == 24 and reproof.num_faults == 0
    assert sum(found.reproofs["propositional"].engines.values()) == 24 + 12
    assert claims["label_errors"].measured == 0.0
    assert claims["label_errors"].high == pytest.approx(3 / (24 * len(found.reproofs)), rel=0.05)
    assert claims["label_errors"].verdict == "inconclusive"  # so few items cannot show so small a share
    assert claims["mutants_rejected"].measured == claims["whole_proofs_accepted"].measured == 1.0
    assert found.mutants.num_kinds == 25
    assert found.mutants.num_wrong + found.mutants.num_not_shown == 50
    assert claims["depth_generalization_r"].measured is None
    assert "not learned" in (claims["depth_generalization_r"].why or "")


def test_the_control_leaks_and_the_default_data_leak_less(done):
    folder, record, _, found = done
    claims = {claim.name: claim for claim in record.claims}
    control = claims["own_rules_shortcut_without_balance"].measured
    ours = claims["shortcut_excess_points"].measured
    assert control is not None and ours is not None and control > 10 and control > ours
    assert load_record(folder.path / "control" / "record.json", (LogicShortcutsRecord,)) == found.control
    assert found.shortcuts.num_problems == 120


def test_variants_are_asked_beside_their_questions(done):
    folder, _, _, found = done
    assert load_record(folder.path / "variants" / "record.json", (LogicEvaluationRecord,)) == found.variants
    kinds = {one.kind: one.num_variants for one in found.variants.metamorphic}
    assert kinds == dict.fromkeys(("renaming", "premise-order", "contraposition", "irrelevant-premise"), 12)


def test_a_peer_that_is_not_there_is_said_not_to_be(done):
    _, _, _, found = done
    claims = {one.name: one for one in judge_logic_chains_claims(replace(found, peer="reasoning-gym is not installed"))}
    for name in NAMES[1:3]:
        assert claims[name].verdict == "inconclusive" and claims[name].why == "reasoning-gym is not installed"


def test_verdicts_follow_from_the_numbers(done):
    _, _, _, found = done
    wrong = Reproof(num=3000, num_faults=30, engines=Counter(z3=3000))
    right = Reproof(num=5000, engines=Counter(z3=5000))
    counts = MutantCounts(
        num_kinds=25, num_wrong=4000, num_wrong_rejected=4000, num_not_shown=9, num_not_shown_accepted=3, num_whole=500,
        num_whole_accepted=500,
    )  # fmt: skip

    def verdicts(**changes):
        return {one.name: one.verdict for one in judge_logic_chains_claims(replace(found, **changes))}

    assert verdicts(reproofs={"propositional": right})["label_errors"] == "reproduced"
    assert verdicts(reproofs={"propositional": right, "monadic": wrong})["label_errors"] == "not reproduced"
    assert verdicts(mutants=counts)["mutants_rejected"] == "reproduced"
    assert verdicts(mutants=counts)["whole_proofs_accepted"] == "reproduced"
    missed = replace(counts, num_wrong_rejected=3900)
    assert verdicts(mutants=missed)["mutants_rejected"] == "not reproduced"
    strongest = found.shortcuts.strongest.model_copy(
        update={"excess_points": Measurement(value=1.0, low=0.1, high=1.9, num=9000)}
    )
    assert verdicts(shortcuts=found.shortcuts.model_copy(update={"strongest": strongest}))[NAMES[3]] == "reproduced"
    blind = found.control.strongest.model_copy(
        update={"excess_points": Measurement(value=1.0, low=0.1, high=1.9, num=9000)}
    )
    assert verdicts(control=found.control.model_copy(update={"strongest": blind}))[NAMES[4]] == "not reproduced"
