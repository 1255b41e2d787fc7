"""Scoring, distances, exposure, summaries: a model with planted memories, measured from the outside."""

import functools

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from custodiet.base.protocols import TargetScores
from custodiet.data.canaries import plant_canaries
from custodiet.data.goldfish_mask import goldfish_mask_numpy
from custodiet.data.tokenizer import train_bpe
from custodiet.entropy.ngram import WittenBellModel
from custodiet.errors import UsageError
from custodiet.memorization.blind import estimate_blind_auc
from custodiet.memorization.distance import common_subsequence_lengths, edit_distances, rouge_l
from custodiet.memorization.documents import AuditDocument, AuditSettings, GoldfishSettings
from custodiet.memorization.exposure import score_canaries
from custodiet.memorization.forecast import estimate_forecast, membership_f1_law
from custodiet.memorization.score import ROW_SCHEMA, score_documents
from custodiet.memorization.summary import pick_examples, summarize_arm
from tests.sample_record import make_canaries, make_rows

VOCAB = 60
BOS = 0


class PlantedModel:
    """Knows some documents by heart: gives their next token probability `sure`, and is uniform elsewhere."""

    vocab_size = VOCAB
    context_length = 128

    def __init__(self, known, sure=0.9):
        self.sure = sure
        self.after = {}
        for document in known:
            ids = [BOS, *map(int, document)]
            for place in range(1, len(ids)):
                self.after[tuple(ids[max(0, place - 8) : place])] = ids[place]

    def probs(self, history):
        p = np.full(VOCAB, 1 / VOCAB)
        known = self.after.get(tuple(map(int, history[-8:])))
        if known is not None:
            p[:] = (1 - self.sure) / (VOCAB - 1)
            p[known] = self.sure
        return p

    def score_targets(self, tokens_BT, *, lengths_B=None, chunk=256):
        B, T = tokens_BT.shape
        out = {name: np.zeros((B, T - 1), dtype) for name, dtype in
               [("logprob", "f4"), ("argmax", "i8"), ("tied", "?"), ("mean", "f4"), ("variance", "f4")]}  # fmt: skip
        for b in range(B):
            for t in range(T - 1):
                p = self.probs(tokens_BT[b, : t + 1])
                log = np.log(p)
                out["logprob"][b, t] = log[tokens_BT[b, t + 1]]
                out["argmax"][b, t] = p.argmax()
                out["tied"][b, t] = (p == p.max()).sum() > 1
                out["mean"][b, t] = (p * log).sum()
                out["variance"][b, t] = (p * (log - (p * log).sum()) ** 2).sum()
        return TargetScores(**{f"{name}_BT": value for name, value in out.items()})

    def generate(self, prefix_BT, num_tokens):
        rows = [list(row) for row in prefix_BT]
        for row in rows:
            for _ in range(num_tokens):
                row.append(int(self.probs(row).argmax()))
        return np.array([row[-num_tokens:] for row in rows])


@functools.cache
def planted():
    rng = np.random.default_rng(0)
    documents = [
        AuditDocument(
            id=f"{split}{index}",
            text=" ".join(map(str, ids := rng.integers(1, VOCAB, 110))),
            tokens=ids,
            split=split,
            repeats=None if split != "member" else (1 if index < 4 else 64),
            exposures=None if split != "member" else 2.0,
        )
        for split, num in (("member", 8), ("control", 6), ("validation", 3))
        for index in range(num)
    ]
    known = [one.tokens for one in documents if one.split == "member" and one.repeats == 64]
    return documents, PlantedModel(known)


def score(settings=None, documents=None, **options):
    found, model = planted()
    reference = WittenBellModel.train([np.arange(1, VOCAB)], order=2, vocab_size=VOCAB)
    frames = score_documents(
        found if documents is None else documents,
        arm="m",
        scorer=model,
        settings=settings or AuditSettings(batch_tokens=512),
        bos_id=BOS,
        generator=model,
        reference=reference,
        **options,
    )
    return pl.concat(list(frames))


def test_what_was_planted_is_found_and_nothing_else():
    rows = score()
    assert dict(rows.schema) == ROW_SCHEMA
    assert rows["document_id"].to_list() == [one.id for one in planted()[0]]
    planted_ids = rows.filter(pl.col("repeats") == 64)["document_id"]
    assert rows.filter(pl.col("extraction_50"))["document_id"].equals(planted_ids)
    assert rows.filter(pl.col("generated_exact"))["document_id"].equals(planted_ids)
    known = rows.filter(pl.col("repeats") == 64)
    assert (known["suffix_num_correct"] == 50).all() and (known["opening_num_correct"] == 12).all()
    assert (known["rouge_l"] == 1).all() and (known["normalized_edit_distance"] == 0).all()
    first = -np.log(0.1 / (VOCAB - 1))  # all begin alike, so of their first tokens the model can know one only
    expected = np.full(4, (first - 109 * np.log(0.9)) / 110)
    expected[-1] = -np.log(0.9)
    np.testing.assert_allclose(known["loss_nats"], expected, rtol=1e-5)
    np.testing.assert_allclose(known["total_bits"], 110 * expected / np.log(2), rtol=1e-5)
    uniform = rows.filter(pl.col("split") == "control")
    np.testing.assert_allclose(uniform["loss_nats"], (first + 109 * np.log(VOCAB)) / 110, rtol=1e-5)
    assert (uniform["rouge_l"] < 0.5).all() and uniform["text"].is_null().all()


def test_one_pass_equals_the_definitions():
    document = planted()[0][0]
    _, model = planted()
    rows = score(documents=[document])
    p = [model.probs([BOS, *document.tokens[:t]]) for t in range(110)]
    logs = np.array([np.log(q[x]) for q, x in zip(p, document.tokens, strict=True)])
    normalized = [
        (log - (q * np.log(q)).sum()) / max(1e-3, ((q * np.log(q) ** 2).sum() - (q * np.log(q)).sum() ** 2) ** 0.5)
        for q, log in zip(p, logs, strict=True)
    ]
    assert rows["min_k_nats"][0] == pytest.approx(np.sort(logs)[:22].mean(), rel=1e-4)
    assert rows["min_k_plus_plus"][0] == pytest.approx(np.sort(normalized)[:22].mean(), abs=1e-2)
    assert rows["reference_bits"][0] > 0


def test_batches_do_not_change_the_rows():
    a, b = score(AuditSettings(batch_tokens=111)), score(AuditSettings(batch_tokens=100_000))
    assert a.equals(b)


def test_kept_and_dropped_targets_are_told_apart():
    mask = GoldfishSettings(k=3, h=5, seed=7)
    rows = score(AuditSettings(goldfish=mask))
    for row, document in zip(rows.iter_rows(named=True), planted()[0], strict=True):
        kept = goldfish_mask_numpy(document.tokens, k=3, h=5, seed=7)[50:100]
        assert (row["kept_num"], row["dropped_num"]) == (kept.sum(), (~kept).sum())
        if row["repeats"] == 64:
            assert (row["kept_num_correct"], row["dropped_num_correct"]) == (kept.sum(), (~kept).sum())


def test_short_and_long_documents():
    ids = np.arange(1, 50)
    short = AuditDocument(id="s", text="s", tokens=ids, split="member")
    one = AuditDocument(id="o", text="o", tokens=ids[:1], split="member")
    none = AuditDocument(id="n", text="n", tokens=ids[:0], split="member")
    long = AuditDocument(id="l", text="l", tokens=np.tile(ids, 5), split="member")
    rows = score(documents=[short, one, none, long])
    assert rows["extraction_50"].is_null().to_list() == [True, True, True, False]
    assert rows["num_tokens"].to_list() == [49, 1, 0, 127]
    assert rows["num_tokens_cut"].to_list() == [0, 0, 0, 245 - 127]
    assert rows["opening_num"].to_list() == [12, None, None, 12]
    assert rows["loss_nats"].is_null().to_list() == [False, False, True, False]


def test_without_a_bos_the_first_token_is_context_only():
    documents, model = planted()
    (frame,) = score_documents(documents[:1], arm="m", scorer=model, settings=AuditSettings(), bos_id=None)
    assert frame["num_tokens"][0] == 109 and frame["num_tokens_cut"][0] == 0


def test_text_is_kept_only_when_asked():
    rows = score(AuditSettings(redact=False), decode=lambda ids: " ".join(map(str, ids)))
    assert rows["text"].null_count() == 0
    assert rows.filter(pl.col("generated_exact"))["generated_text"].null_count() == 0
    with pytest.raises(UsageError, match="min_k_share"):
        AuditSettings(min_k_share=0)


def test_summary_finds_the_planted_effect():
    record = summarize_arm(score(), None, description="d", num_params=10)
    assert [one.repeats for one in record.extraction_50] == [1, 64]
    assert [one.rate.value for one in record.extraction_50] == [0.0, 1.0]
    assert record.control_extraction_50.value == 0.0
    assert record.extraction_50_pooled.value == 0.5
    assert record.membership["loss"].by_repeats[1].auc.value == 1.0
    once = record.membership["loss"].by_repeats[0].auc
    assert once.low < 0.5 < once.high
    assert record.membership["loss"].tpr_at_fpr_1pct.value is None  # six controls cannot resolve one percent
    gain = record.memorized_bits_by_repeats[1].member_minus_control
    assert gain.value == pytest.approx(110 * np.log2(0.9 * VOCAB), rel=0.02)
    assert (
        record.memorized_bits_by_repeats[0].member_minus_control.low
        < 0
        < record.memorized_bits_by_repeats[0].member_minus_control.high
    )
    first = -np.log(0.1 / (VOCAB - 1))  # of the first token the model is sure, and wrong
    assert record.validation_loss_nats.value == pytest.approx((first + 109 * np.log(VOCAB)) / 110, rel=1e-4)
    assert record.exposure_bits.value is None and "canary" in record.exposure_bits.why
    assert [one.num_matching_tokens for one in pick_examples(score(), "m", suffix_tokens=50, truth=None)][0] == 50


def test_summary_without_controls_says_so():
    record = summarize_arm(score().filter(pl.col("split") == "member"), None, description="d", num_params=1)
    for one in (
        record.membership["zlib"].auc,
        record.memorized_bits_member_minus_control,
        record.control_extraction_50,
    ):
        assert one.value is None and one.why


def test_membership_figures_are_calibrated_without_a_signal():
    p_low = 0
    for seed in range(60):
        rows = make_rows(repeats=(1,), num=40, num_controls=40, seed=seed)
        rng = np.random.default_rng(seed)
        rows = rows.with_columns(loss_nats=pl.Series(rng.normal(size=len(rows))))
        auc = summarize_arm(rows, make_canaries(), description="d", num_params=1).membership["loss"].auc
        p_low += not auc.low <= 0.5 <= auc.high
    assert p_low <= 9  # 5 % of 60 is 3


def slow_distances(a, b):
    edit = np.zeros((len(a) + 1, len(b) + 1), dtype=int)
    lcs = edit.copy()
    edit[:, 0], edit[0, :] = range(len(a) + 1), range(len(b) + 1)
    for i, x in enumerate(a, 1):
        for j, y in enumerate(b, 1):
            edit[i, j] = min(edit[i - 1, j] + 1, edit[i, j - 1] + 1, edit[i - 1, j - 1] + (x != y))
            lcs[i, j] = lcs[i - 1, j - 1] + 1 if x == y else max(lcs[i - 1, j], lcs[i, j - 1])
    return edit[-1, -1], lcs[-1, -1]


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 10**6))
def test_distances_equal_the_tables(truth_size, generated_size, seed):
    rng = np.random.default_rng(seed)
    truth, made = rng.integers(0, 3, (4, truth_size)), rng.integers(0, 3, (4, generated_size))
    want = [slow_distances(a, b) for a, b in zip(truth, made, strict=True)]
    np.testing.assert_array_equal(edit_distances(truth, made), [one[0] for one in want])
    np.testing.assert_array_equal(common_subsequence_lengths(truth, made), [one[1] for one in want])
    np.testing.assert_allclose(rouge_l(truth, made), [2 * one[1] / (truth_size + generated_size) for one in want])


class CanaryModel:
    """Prefers some texts; knows nothing of the others."""

    vocab_size = 400
    context_length = 64

    def __init__(self, codec, loved, seed=0):
        self.loved = {tuple(ids) for ids in codec.encode(loved)}
        self.rng = np.random.default_rng(seed)

    def score_targets(self, tokens_BT, *, lengths_B=None, chunk=256):
        B, T = tokens_BT.shape
        logprob = self.rng.normal(-3, 0.1, (B, T - 1)).astype("f4")
        for row, size in enumerate(lengths_B):
            if tuple(tokens_BT[row, 1:size]) in self.loved:
                logprob[row] = -0.1
        empty = np.zeros((B, T - 1))
        return TargetScores(
            logprob_BT=logprob, argmax_BT=empty.astype("i8"), tied_BT=empty.astype(bool),
            mean_BT=empty.astype("f4"), variance_BT=empty.astype("f4"),
        )  # fmt: skip


def test_exposure_finds_planted_canaries_and_is_calibrated_on_the_others():
    canaries = plant_canaries(seed=0, num=60, num_candidates=128)
    codec = train_bpe([one.template for one in canaries], vocab_size=400)
    model = CanaryModel(codec, [one.text for one in canaries if one.inserted])
    rows = score_canaries(canaries, scorer=model, codec=codec)
    planted_rows, others = rows.filter(pl.col("inserted")), rows.filter(~pl.col("inserted"))
    assert (planted_rows["exposure_bits"] == 7).all()
    ranks = others["rank"].to_numpy() / 128
    assert stats.kstest(ranks, "uniform").pvalue > 0.001


def test_blind_baseline_sees_a_shift_and_nothing_else():
    values = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        same = [rng.integers(0, 500, 100) for _ in range(120)]
        values.append(estimate_blind_auc(same[:60], same[60:], seed=seed).value)
    assert 0.45 < np.mean(values) < 0.55
    shifted = [rng.integers(200, 700, 100) for _ in range(60)]
    assert estimate_blind_auc(same[:60], shifted).low > 0.9
    assert estimate_blind_auc(same[:5], same[5:10]).value is None


@pytest.mark.parametrize(
    ("num_params", "num_samples", "published"),
    [
        (1_556_075_200, 170_654_583, 0.55), (1_556_075_200, 76_795_021, 0.75), (1_556_075_200, 18_851_574, 0.95),
        (123_702_528, 13_566_442, 0.55), (123_702_528, 6_104_935, 0.75), (123_702_528, 1_498_634, 0.95),
    ],
)  # fmt: skip
def test_the_corrected_law_gives_the_published_rows(num_params, num_samples, published):
    assert membership_f1_law(num_samples=num_samples, num_params=num_params) == pytest.approx(published, abs=0.002)


def test_forecast():
    record = estimate_forecast(num_params=1000, corpus_bits=7280.0, num_tokens=2000, corpus_bits_source="x")
    assert record.capacity_bits == 3640 and record.corpus_over_capacity == 2.0 and record.tokens_per_param == 2.0
    assert "2.0 times" in record.reading
    with pytest.raises(UsageError):
        estimate_forecast(num_params=0, corpus_bits=1.0, num_tokens=1, corpus_bits_source="x")
