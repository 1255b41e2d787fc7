"""Claims of study `capacity` on planted records, and the study in small."""

from custodiet.memorization.capacity.sweep import CapacityConfig, capacity
from custodiet.nn.ensemble import EnsembleConfig
from custodiet.records.base import Measurement, load_record
from custodiet.records.run_folder import RunFolder
from custodiet.records.study import StudyRecord
from custodiet.studies import capacity as study
from custodiet.studies.catalogue import STUDIES

SMALL = CapacityConfig(
    model=EnsembleConfig(vocab_size=16, sequence_length=8, width=8),
    sizes=(10, 20, 60),
    plateau_size=60,
    num_steps=10,
    num_seeds=2,
    ladder=(),
)


def _measured(value, low, high):
    return Measurement(value=value, low=low, high=high, num=3)


def test_verdicts_follow_from_the_numbers(tmp_path):
    found = capacity(SMALL, out=tmp_path / "run")
    planted = found.model_copy(
        update={
            "capacity_bits_per_param": _measured(2.9, 2.8, 3.0),
            "linear_regime_share_of_ceiling": _measured(0.99, 0.98, 1.0),
            "test_loss_peak_ratio": _measured(0.9, 0.7, 1.1),
            "rounded_bits_per_param": {"bfloat16": _measured(2.8, 2.7, 2.9)},
        }
    )
    claims = {claim.name: claim for claim in study.judge_capacity_claims(planted)}
    assert claims["capacity_bits_per_param"].verdict == "not reproduced"
    assert claims["linear_regime_share_of_ceiling"].verdict == "reproduced"
    assert claims["test_loss_peak_ratio"].verdict == "reproduced"
    assert claims["unintended_memorization_peak_ratio"].verdict == "inconclusive"
    assert claims["bf16_vs_fp32_capacity"].measured == 2.8 / 2.9
    assert (
        claims["cell_1x32_bits_per_param"].measured > 3.15
        and "measured on 20" in claims["cell_1x32_bits_per_param"].unit
    )
    assert claims["coder_bits_over_estimate"].measured == planted.coder_bits_over_estimate.value
    assert claims["membership_law_rows"].verdict == "reproduced" and claims["membership_law_rows"].measured > 0


def test_the_study_runs_and_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "default_config", lambda seed: SMALL)
    folder = RunFolder.create(tmp_path / "study", "study")
    record = STUDIES["capacity"].load()(folder=folder, seed=0, command="", on_progress=lambda *_: None)
    assert load_record(folder.record_json, (StudyRecord,)) == record
    assert len(record.claims) == 8 and record.study == "capacity"
