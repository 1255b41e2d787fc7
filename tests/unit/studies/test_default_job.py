"""The default job: its streams, a small run of it end to end, and the claims that are read off it."""

import json
from dataclasses import asdict, replace

import numpy as np
import polars as pl
import pytest

from custodiet.data.embedded import build_default_split
from custodiet.errors import CustodietError, UsageError
from custodiet.memorization.score import ROW_SCHEMA
from custodiet.records.audit import AuditRecord
from custodiet.records.run_folder import RunFolder
from custodiet.studies.arm import make_batches, make_stream
from custodiet.studies.arm_process import run_arm_processes
from custodiet.studies.catalogue import STUDIES
from custodiet.studies.default_job import ARMS, DefaultJobConfig, estimate_default_job_cost, run_default_job
from custodiet.studies.goldfish import judge_goldfish_claims
from tests.sample_record import make_record

SMALL = DefaultJobConfig(
    width=32, num_layers=1, num_heads=2, passages_per_bucket=2, num_controls=30, num_validation=20, max_documents=60,
    background_epochs=1, num_canaries=8, dtype="float32", num_curve_points=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def split():
    return build_default_split(
        seed=0, vocab_size=SMALL.vocab_size, max_tokens=SMALL.context_length - 1, passages_per_bucket=2, num_controls=30,
        num_validation=20, num_canaries=8, max_background=60,
    )  # fmt: skip


def test_streams_share_the_order_and_the_number_of_supervised_tokens(split):
    plain, ids = make_stream(split, asdict(SMALL), "cross_entropy")
    gold, gold_ids = make_stream(split, asdict(SMALL), "goldfish")
    assert ids == gold_ids
    common = len(plain.order_D)
    assert (gold.order_D[:common] == plain.order_D).all() and len(gold.order_D) > 1.2 * common
    excess = gold.num_supervised_tokens - plain.num_supervised_tokens
    assert 0 <= excess < SMALL.context_length
    shown = dict(zip(ids, plain.exposures().tolist(), strict=True))
    for doc in split.documents:
        if doc.split == "member":
            assert shown[doc.id] == doc.repeats
        assert (doc.id in shown) == (doc.split in ("member", "background"))
    inserted = {canary.id for canary in split.canaries if canary.inserted}
    assert inserted == {name for name in shown if name in {canary.id for canary in split.canaries}}


def test_batches_hold_every_target_once_and_no_bos_target(split):
    gold, _ = make_stream(split, asdict(SMALL), "goldfish")
    batches = list(make_batches(gold, bos_id=split.tokenizer.bos_id, batch_rows=8, row_tokens=SMALL.context_length))
    assert sum(batch.num_targets for batch in batches) == gold.num_input_tokens
    assert sum(batch.num_kept for batch in batches) == gold.num_supervised_tokens
    assert all((batch.tokens_BT[:, 0] == split.tokenizer.bos_id).all() for batch in batches)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = RunFolder.create(tmp_path_factory.mktemp("default") / "run", "audit")
    seen = []
    record = run_default_job(
        SMALL, folder=folder, command="custodiet audit", on_progress=lambda *told: seen.append(told)
    )
    return folder, record, seen


def test_a_small_run_measures_everything(done):
    folder, record, seen = done
    assert AuditRecord.load(folder.record_json) == record
    assert list(record.arms) == ["cross_entropy", "goldfish"]
    rows = pl.read_parquet(folder.rows_parquet)
    assert rows.schema == pl.Schema(ROW_SCHEMA) and rows["text"].null_count() == len(rows)
    assert set(rows["arm"].unique()) == set(ARMS)
    for name, arm in record.arms.items():
        assert [bucket.repeats for bucket in arm.extraction_50] == [1, 2, 4, 8, 16, 32, 64, 128]
        assert arm.control_extraction_50.num == 30 and arm.validation_loss_nats.value is not None
        assert set(arm.membership) == {"loss", "zlib", "min_k", "min_k_plus_plus"}
        assert arm.exposure_bits is not None and arm.exposure_bits.value is not None
        assert arm.training is not None and arm.training.loss == name and len(arm.training.curve) == 2
    plain, gold = (record.arms[name].training for name in ARMS)
    assert plain is not None and gold is not None
    assert 0 <= gold.num_supervised_tokens - plain.num_supervised_tokens < SMALL.context_length
    assert record.mask is not None and record.mask.effective_drop_rate.low is not None
    assert record.mask.effective_drop_rate.low < 0.25 < (record.mask.effective_drop_rate.high or 0)
    assert {task for task, *_ in seen} >= {"corpus", "train cross_entropy", "train goldfish", "audit goldfish"}
    assert record.not_tested and record.corpus.control_overlap_13gram.value == 0.0


def test_resume_keeps_finished_arms_and_refuses_another_recipe(done):
    folder, record, _ = done
    told = []
    again = RunFolder.create(folder.path, "audit", resume=True)
    second = run_default_job(SMALL, folder=again, on_progress=lambda *one: told.append(one))
    assert second.arms == record.arms and {task for task, *_ in told} == {"corpus"}
    with pytest.raises(UsageError, match="seed"):
        run_default_job(replace(SMALL, seed=1), folder=RunFolder.create(folder.path, "audit", resume=True))


def test_a_failing_arm_is_one_clear_error(tmp_path, split):
    split.save(tmp_path)
    with pytest.raises(CustodietError, match=r"arm cross_entropy failed: .*heads"):
        run_arm_processes(
            tmp_path, config=asdict(replace(SMALL, num_heads=5)), arms=("cross_entropy",), on_progress=lambda *_: None
        )


def test_dry_run_of_the_default_job_counts_its_tokens(split):
    cost = estimate_default_job_cost(SMALL)
    plain, _ = make_stream(split, asdict(SMALL), "cross_entropy")
    canaries = sum(
        canary.repeats * len(split.tokenizer.encode([canary.text])[0]) for canary in split.canaries if canary.inserted
    )
    assert cost["num_training_tokens_cross_entropy"] == plain.num_supervised_tokens - canaries
    assert cost["estimated_training_s"] >= 0 and json.dumps(cost)


def test_claims_of_the_goldfish_study():
    claims = {claim.name: claim for claim in judge_goldfish_claims(make_record())}
    assert claims["cross_entropy_extraction_at_most_repeats"].verdict == "reproduced"
    assert claims["goldfish_extraction_pooled"].measured == 0.0
    assert claims["goldfish_extraction_pooled"].verdict == "inconclusive"  # 48 samples: high is .074
    assert claims["goldfish_membership_auc"].published is None
    assert set(STUDIES) == {"autodiff", "capacity", "cross-entropy", "goldfish", "logic-chains"} and np.isfinite(
        claims["goldfish_membership_auc"].measured or np.nan
    )
