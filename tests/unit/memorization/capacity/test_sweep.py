"""Capacity runs: the sweep over processes, resuming, what the record says, and its report."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from custodiet.errors import CustodietError, UsageError
from custodiet.memorization.capacity import sweep
from custodiet.memorization.capacity.fit import fit_random_tokens
from custodiet.memorization.capacity.sweep import CapacityConfig, capacity, cell_config, default_config
from custodiet.nn.ensemble import EnsembleConfig
from custodiet.records.base import load_record
from custodiet.records.capacity import CapacityPoint, CapacityRecord
from custodiet.records.run_folder import RunFolder
from custodiet.report.capacity import capacity_sentences, render_capacity_html, render_capacity_markdown

CONFIG = CapacityConfig(
    model=EnsembleConfig(vocab_size=16, sequence_length=8, width=8),
    sizes=(10, 20, 60),
    plateau_size=150,
    num_steps=60,
    num_seeds=2,
    ladder=(0.5,),
)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("capacity") / "run"
    told = []
    record = capacity(CONFIG, out=folder, on_progress=lambda *one: told.append(one), command="custodiet capacity")
    return folder, record, told


def test_a_worker_gives_the_same_bits_as_a_call(done):
    _, record, _ = done
    name, fit = next((name, fit) for name, fit in CONFIG.fits().items() if fit.num_sequences == 20)
    here, _ = fit_random_tokens(fit)
    there = next(p for p in record.points if p.num_sequences == 20)
    assert name == "n20-t60-s0"
    assert there.memorized_bits == pytest.approx(here.memorized_bits[0], rel=1e-4)


def test_the_record_holds_every_fit_and_can_be_read_again(done):
    folder, record, told = done
    assert [(p.num_sequences, p.num_steps, p.seed) for p in record.points] == [
        (10, 60, 0), (20, 60, 0), (60, 60, 0), (150, 30, 0), (150, 60, 0), (150, 60, 1),
    ]  # fmt: skip
    assert load_record(folder / "record.json", (CapacityRecord,)) == record
    at_plateau = [p.bits_per_param for p in record.points if p.num_sequences == 150 and p.num_steps == 60]
    assert record.capacity_bits_per_param.value == pytest.approx(np.mean(at_plateau))
    assert record.capacity_bits_per_param.num == 2
    assert [one.num_steps for one in record.ladder] == [30, 60]
    assert record.ladder[0].bits_per_param < record.ladder[1].bits_per_param
    assert told[-1][1] == told[-1][2] and not list((folder / "work").glob("*.safetensors"))
    for point in record.points:
        assert point.memorized_bits <= point.ceiling_bits + 1e-6
        code_length = point.dataset_bits - point.memorized_bits
        assert code_length - 1 <= point.coded_bits <= 1.001 * code_length + 64
    assert 0.999 < record.coder_bits_over_estimate.value < 1.05 and record.coder_bits_over_estimate.num == 2


def test_records_of_before_the_coder_are_read(done, tmp_path):
    folder, record, _ = done
    raw = json.loads((folder / "record.json").read_text())
    raw["schema"] = "custodiet.capacity/1"
    del raw["coder_bits_over_estimate"]
    for point in raw["points"]:
        del point["coded_bits"]
    (tmp_path / "old.json").write_text(json.dumps(raw))
    old = load_record(tmp_path / "old.json", (CapacityRecord,))
    assert old.points[0].coded_bits is None and old.coder_bits_over_estimate.value is None
    assert old.capacity_bits_per_param == record.capacity_bits_per_param


def test_resume_runs_only_what_is_missing(done, monkeypatch):
    folder, record, _ = done
    started = []
    original = sweep.run_workers
    monkeypatch.setattr(sweep, "run_workers", lambda jobs, **kw: (started.extend(jobs), original(jobs, **kw)))
    (folder / "work" / "n10-t60-s0.done.json").unlink()
    again = capacity(CONFIG, out=folder, resume=True)
    assert started == ["n10-t60-s0"]
    assert [p.memorized_bits for p in again.points] == [p.memorized_bits for p in record.points]
    with pytest.raises(UsageError, match="other options"):
        capacity(default_config(), out=folder, resume=True)


def test_a_failing_fit_is_one_clear_line(tmp_path):
    with pytest.raises(CustodietError, match=r"fit n20-t400-s0 failed: .*smaller learning rate"):
        capacity(
            CapacityConfig(
                model=CONFIG.model, sizes=(), plateau_size=20, num_steps=400, num_seeds=1, ladder=(), learning_rate=1e6
            ),
            out=tmp_path / "run",
        )


def test_the_report_says_what_was_found(done):
    _, record, _ = done
    page = render_capacity_html(record)
    assert page == render_capacity_html(record)
    assert "<script" not in page and page.count("<svg") == 1
    text = " ".join(capacity_sentences(record))
    assert f"{record.capacity_bits_per_param.value:.2f} bits" in text and "3.64" in text
    for line in record.not_tested:
        assert line in render_capacity_markdown(record)


def _point(num: int, memorized: float, test: float) -> CapacityPoint:
    return CapacityPoint(
        num_sequences=num, num_steps=1, seed=0, dataset_bits=num * 10.0, ceiling_bits=num * 9.0, memorized_bits=memorized,
        bits_per_param=1.0, test_bits_per_token=test, rounded_bits_per_param={}, num_restarts=0, coded_bits=None, train_cpu_s=0.0,
    )  # fmt: skip


def test_peak_and_linear_regime_of_a_planted_curve():
    grid = [_point(10, 89, 5), _point(20, 180, 7), _point(100, 400, 9), _point(200, 400, 6)]
    assert sweep._linear_share(grid, 1000 / 2).value == pytest.approx((89 / 90 + 180 / 180) / 2)
    peak = sweep._test_peak(grid, 500)
    assert (peak.value, peak.low, peak.high) == (2.0, 0.4, 4.0)
    assert sweep._test_peak(grid[:3], 500).why == "the peak is at the end of the grid"
    assert sweep._linear_share(grid[2:], 500).value is None


def test_cells():
    config = cell_config("1x32")
    assert config.model.num_params == 80_384
    assert len(config.fits()) == 3 and len({fit.num_sequences for fit in config.fits().values()}) == 1
    json.dumps(asdict(config))
    for wrong in ("32", "ax2", "1x33"):
        with pytest.raises(UsageError):
            cell_config(wrong)


def test_a_run_of_another_kind_is_refused(tmp_path):
    RunFolder.create(tmp_path / "run", "train")
    with pytest.raises(UsageError, match="another kind"):
        capacity(CONFIG, out=tmp_path / "run", resume=True)
