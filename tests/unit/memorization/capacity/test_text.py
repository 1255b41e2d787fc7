"""Real text: the split, its reference, and memorization beyond it."""

import numpy as np
import pytest

from custodiet.errors import CorpusError
from custodiet.memorization.capacity.fit import FitConfig
from custodiet.memorization.capacity.sweep import CapacityConfig, TextConfig, capacity
from custodiet.memorization.capacity.text import _half_positive_f1, fit_text, make_text_split
from custodiet.nn.ensemble import EnsembleConfig
from custodiet.report.capacity import render_capacity_html, render_capacity_markdown

MODEL = EnsembleConfig(vocab_size=16, sequence_length=8, width=8)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    rng = np.random.default_rng(0)
    path.write_text("".join(rng.choice(list("abcdefghijklmnopqrst "), 40_000, p=np.arange(1, 22) / 231)))
    return path


@pytest.fixture(scope="module")
def split(corpus):
    return make_text_split([corpus], alphabet_size=16, length=8, num_pool=200, num_test=100, order=2)


def test_pieces_are_distinct_and_spell_the_text(corpus, split):
    every = np.concatenate([split.pool_NT, split.test_NT])
    assert len(np.unique(every, axis=0)) == 300 and every.max() == 15
    text = corpus.read_text()
    spelled = ["".join(split.alphabet[i] if i < 15 else "?" for i in piece) for piece in every[:20]]
    shown = "".join(char if char in split.alphabet else "?" for char in text)
    assert all(piece in shown for piece in spelled)


def test_the_reference_knows_the_language_and_nothing_of_the_pieces(split):
    entropy = -sum(p * np.log2(p) for p in np.arange(1, 22) / 231)
    pool, test = (bits.mean() / 8 for bits in (split.pool_reference_bits_N, split.test_reference_bits_N))
    assert abs(pool - test) < 0.1 and pool < entropy + 0.1


def test_a_small_set_is_memorized_beyond_the_reference_and_a_large_one_is_not(split, tmp_path):
    split.save(tmp_path / "text.npz")
    found = {}
    for num in (10, 200):
        config = FitConfig(
            model=MODEL, num_sequences=num, num_steps=250, batch_size=min(num, 50), learning_rate=0.06,
            token_table_rate=1.0, bfloat16_head=False,
        )  # fmt: skip
        found[num] = fit_text(config, tmp_path / "text.npz")
    small, large = found[10], found[200]
    assert small["clamped_bits"] == pytest.approx(small["signed_bits"])
    assert small["clamped_bits"] > 0.7 * small["reference_bits"]
    assert large["signed_bits"] < 0.5 * large["reference_bits"]
    assert small["membership_f1"] == 1.0 and small["test_bits_per_token"][0] > large["test_bits_per_token"][0]


def test_f1_of_noise_is_one_half_and_of_a_gap_is_one():
    rng = np.random.default_rng(0)
    assert _half_positive_f1(rng.normal(size=20_000), rng.normal(size=20_000)) == pytest.approx(0.5, abs=0.02)
    assert _half_positive_f1(np.zeros(10), np.ones(30)) == 1.0


def test_too_little_text_is_named(tmp_path):
    (tmp_path / "a.txt").write_text("too short for this")
    with pytest.raises(CorpusError, match="too small"):
        make_text_split([tmp_path / "a.txt"], alphabet_size=16, length=8, num_pool=5, num_test=5)


def test_a_run_with_text_and_its_report(corpus, tmp_path):
    config = CapacityConfig(
        model=MODEL,
        sizes=(10, 20),
        plateau_size=40,
        num_steps=5,
        num_seeds=1,
        ladder=(),
        text=TextConfig(
            model=MODEL,
            corpus=(str(corpus),),
            sizes=(10, 20, 40),
            num_test=50,
            num_steps=5,
            batch_size=10,
            ngram_order=2,
        ),
    )
    record = capacity(config, out=tmp_path / "run")
    assert record.text is not None and [one.num_sequences for one in record.text.points] == [10, 20, 40]
    for one in record.text.points:
        assert one.clamped_bits >= max(0.0, one.signed_bits) and 0.4 <= one.membership_f1_law <= 1.0
    page = render_capacity_html(record)
    assert page.count("<svg") == 2 and str(corpus) in page
    assert "F1, law" in render_capacity_markdown(record)
