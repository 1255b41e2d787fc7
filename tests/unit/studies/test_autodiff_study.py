"""Study `autodiff` in small, its claims on planted outcomes, and what its report shows."""

import json

import pytest

from custodiet.records.base import Measurement, load_record
from custodiet.records.run_folder import RunFolder
from custodiet.records.study import StudyRecord
from custodiet.report.markdown import render_study_markdown
from custodiet.report.study import render_study_html
from custodiet.studies import autodiff_claims, autodiff_peers, dated
from custodiet.studies.autodiff import AutodiffConfig, run_autodiff_study
from custodiet.studies.autodiff_claims import BARS, Outcome, dated_outcomes, judge_autodiff_claims
from custodiet.studies.autodiff_timing import Side, UnavailableError, prepare_side
from custodiet.studies.catalogue import STUDIES

SMALL = AutodiffConfig(
    num_steps=20, num_variables=9, small_gmm=(2, 2, 5), large_gmm=(3, 4, 12), num_pairs=2, num_latency_runs=1
)
REQUIRED = {
    "lorenz_gradient_over_objective", "lorenz_vs_torch", "lorenz_vs_jax_checkpointed", "lorenz_vs_cpython_objective",
    "gmm_28k_vs_hand_numpy", "ba_vs_c", "hand_vs_c", "coverage_compiled_share", "compile_latency_cold_s", "published_gmm_manual_ratio",
}  # fmt: skip


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(autodiff_peers.MODULES, "jax", "a_package_that_is_not_there")
        folder = RunFolder.create(tmp_path_factory.mktemp("study") / "run", "study")
        told = []
        record = run_autodiff_study(
            folder=folder, seed=0, command="", on_progress=lambda *one: told.append(one[3]), config=SMALL
        )
    return folder, record, told


def test_every_bar_has_a_claim_and_nothing_of_ours_failed(done):
    folder, record, told = done
    assert load_record(folder.record_json, (StudyRecord,)) == record
    claims = {claim.name: claim for claim in record.claims}
    assert list(claims) == [bar.name for bar in BARS] and set(claims) >= REQUIRED
    for name in (
        "lorenz_gradient_over_objective",
        "lorenz_vs_torch",
        "gmm_28k_vs_hand_numpy",
        "compile_latency_cold_s",
    ):
        assert claims[name].measured is not None, claims[name].why
        assert claims[name].low <= claims[name].measured <= claims[name].high
    assert "lorenz_vs_torch" in told
    assert STUDIES["autodiff"].load() is run_autodiff_study


def test_a_peer_that_is_not_installed_is_named(done):
    _, record, _ = done
    claim = next(one for one in record.claims if one.name == "lorenz_vs_jax_checkpointed")
    assert claim.measured is None and claim.verdict == "inconclusive"
    assert claim.why == "a_package_that_is_not_there is not installed: pip install a_package_that_is_not_there"
    assert claim.why in render_study_html(record) and claim.why in render_study_markdown(record)


def test_program_tape_and_derivative_stand_side_by_side(done):
    _, record, _ = done
    program, tape, derivative = record.listings
    assert "while level &gt; 1.0:" in render_study_html(record)
    assert program.text.startswith("def decay(rate, level):")
    assert "  3  d/d[1] = 2,  d/d[2] = 0.1" in tape.text
    assert "frames.push(level)" in derivative.text and "# reverse sweep" in derivative.text
    page = render_study_html(record)
    assert page.count("<pre>") == 3
    assert "### The program\n\n```\ndef decay" in render_study_markdown(record)


def test_verdicts_follow_from_the_intervals():
    def outcome(value, low, high):
        return Outcome(Measurement(value=value, low=low, high=high, num=15))

    outcomes = {
        "lorenz_gradient_over_objective": outcome(2.5, 2.4, 2.6),
        "lorenz_vs_jax_checkpointed": outcome(1.0, 0.9, 1.1),
        "gmm_28k_vs_hand_numpy": outcome(1.5, 1.4, 1.6),
        "lorenz_vs_torch": Outcome(Measurement.missing("custodiet.autodiff is WRONG by 1e-2"), failed=True),
        "published_gmm_manual_ratio": outcome(1.7, 1.6, 1.8),
    }
    verdicts = {claim.name: claim.verdict for claim in judge_autodiff_claims(outcomes)}
    assert verdicts["lorenz_gradient_over_objective"] == "reproduced"
    assert verdicts["lorenz_vs_jax_checkpointed"] == "inconclusive"
    assert verdicts["gmm_28k_vs_hand_numpy"] == "not reproduced"
    assert verdicts["lorenz_vs_torch"] == "not reproduced"
    assert verdicts["published_gmm_manual_ratio"] == "new"
    assert verdicts["ba_vs_c"] == "inconclusive"


def test_dated_rows_are_read_with_their_date(tmp_path, monkeypatch):
    def row(name, kind="ratio", **values):
        given = {"kind": kind, "ours": 1.0, "ratio_median": None, "ratio_min": None, "ratio_max": None, "better": "lower",
                 "reason": "no compiler", "peer_version": "hand-written C"}  # fmt: skip
        return {"name": name, **given, **values}

    rows = [
        row("ba_vs_c"),
        row("hand_simple_vs_c", ratio_median=2.0, ratio_min=1.9, ratio_max=2.1),
        row("hand_complicated_vs_c", ratio_median=4.0, ratio_min=3.9, ratio_max=4.1),
        row("tape_vs_autograd_arrays", ratio_median=4.0, ratio_min=2.0, ratio_max=5.0, better="higher"),
        row("coverage_compiled_share", kind="count", ours=0.95, peer_version=None),
    ]
    (tmp_path / "2026-01-30-autodiff.json").write_text(json.dumps({"rows": []}))
    (tmp_path / "2026-01-31-autodiff.json").write_text(json.dumps({"rows": rows}))
    monkeypatch.setattr(dated, "files", lambda _: tmp_path)
    found = dated_outcomes()
    assert found["ba_vs_c"].measured.why == "no compiler"
    assert found["hand_vs_c"].measured.value == 4.0 and "2026-01-31" in found["hand_vs_c"].peer
    tape = found["tape_vs_autograd_arrays"].measured
    assert (tape.value, tape.low, tape.high) == (0.25, 0.2, 0.5)
    assert found["coverage_compiled_share"].measured.value == 0.95
    assert found["lstm_vs_torch"].measured.why == autodiff_claims.WITH_BENCHMARKS
    verdicts = {claim.name: claim.verdict for claim in judge_autodiff_claims(found)}
    assert verdicts["hand_vs_c"] == "not reproduced" and verdicts["coverage_compiled_share"] == "reproduced"
    assert verdicts["tape_vs_autograd_arrays"] == "inconclusive"


def test_a_wrong_derivative_is_a_fault_and_a_missing_peer_is_not():
    def unavailable():
        raise UnavailableError("not here")

    assert prepare_side(Side(lambda: lambda: 2.0, "mine"), (1.0,))[2]
    assert not prepare_side(Side(lambda: lambda: 1.0, "mine"), (1.0,))[2]
    assert prepare_side(Side(unavailable, "peer"), (1.0,)) == (None, "not here", False)


def test_records_of_before_there_were_listings_and_curves_are_read(done, tmp_path):
    _, record, _ = done
    raw = json.loads(record.to_json())
    raw["schema"] = "custodiet.study/1"
    del raw["listings"], raw["curves"]
    for claim in raw["claims"]:
        del claim["why"]
    (tmp_path / "record.json").write_text(json.dumps(raw))
    old = load_record(tmp_path / "record.json", (StudyRecord,))
    assert old.schema_id == "custodiet.study/3" and old.listings == [] and old.curves == []
    assert "<pre>" not in render_study_html(old)
