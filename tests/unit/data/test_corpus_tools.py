"""Overlap, packing, canaries, tokenizer: exact by definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custodiet.data.canaries import plant_canaries
from custodiet.data.overlap import ngram_overlap, share_of_shared_windows, unique_ngram_filter
from custodiet.data.packing import pack_documents
from custodiet.data.tokenizer import load_tokenizer, train_bpe
from custodiet.errors import TokenizerError, UsageError

tokens = st.lists(st.integers(0, 2), max_size=14).map(lambda ids: np.array(ids, dtype=np.int64))


def grams(ids, n):
    return {tuple(ids[start : start + n]) for start in range(len(ids) - n + 1)}


@settings(max_examples=100, deadline=None)
@given(left=st.lists(tokens, max_size=5), right=st.lists(tokens, max_size=5), n=st.integers(1, 5))
def test_overlap_equals_sets_of_tuples(left, right, n):
    there = set().union(*(grams(one, n) for one in right))
    np.testing.assert_array_equal(ngram_overlap(left, right, n=n), [bool(grams(one, n) & there) for one in left])
    others = [set().union(*(grams(one, n) for j, one in enumerate(left) if j != i)) for i in range(len(left))]
    want = [not grams(one, n) & other for one, other in zip(left, others, strict=True)]
    np.testing.assert_array_equal(unique_ngram_filter(left, n=n), want)


@settings(max_examples=60, deadline=None)
@given(
    documents=st.lists(
        st.lists(st.integers(1, 9), max_size=30).map(lambda x: np.array(x, dtype=np.int64)), max_size=12
    ),
    row_tokens=st.integers(2, 12),
    bos_id=st.sampled_from([None, 0]),
)
def test_packing_loses_nothing_and_keeps_documents_apart(documents, row_tokens, bos_id):
    rows = pack_documents(documents, row_tokens=row_tokens, bos_id=bos_id)
    for index, document in enumerate(documents):
        inside = rows.document_NT == index
        if bos_id is not None:
            inside &= rows.position_NT > 0
        if len(document) + (bos_id is not None) <= row_tokens:
            np.testing.assert_array_equal(rows.tokens_NT[inside], document)
        else:  # the pieces of a long document may lie in any order
            np.testing.assert_array_equal(np.sort(rows.tokens_NT[inside]), np.sort(document))
    real = rows.segment_NT >= 0
    assert real.sum() == rows.tokens_NT.size - (rows.document_NT == -1).sum()
    step = real[:, 1:] & (rows.segment_NT[:, 1:] == rows.segment_NT[:, :-1])
    assert (np.diff(rows.position_NT, axis=1)[step] == 1).all()
    starts = real[:, 1:] & ~step
    assert (rows.position_NT[:, 1:][starts] == 0).all()
    assert not rows.target_NT[rows.position_NT == 0].any()


def test_packing_refuses_rows_without_a_target():
    with pytest.raises(UsageError):
        pack_documents([np.arange(3)], row_tokens=1, bos_id=0)


def test_canaries_are_a_fair_logged_coin():
    first, again, other = (plant_canaries(seed=seed, num=24) for seed in (0, 0, 1))
    assert first == again and first != other
    assert sum(one.inserted for one in first) == 12
    assert {one.repeats for one in first if one.inserted} == {1, 4, 16, 64}
    for one in first:
        assert len(set(one.candidates)) == 512 and one.candidates.count(one.text) == 1
        assert one.secret in one.text and (one.repeats > 0) == one.inserted
    assert len({one.template for one in first}) == 24


def test_tokenizer_round_trips_any_text(tmp_path):
    codec = train_bpe(["the cat sat on the mat " * 20, "naïve café"], vocab_size=300)
    texts = ["the mat", "  spaces\n\tand tabs ", "日本語 🙂 naïve", "<|bos|> is text"[8:], ""]
    for text, ids in zip(texts, codec.encode(texts), strict=True):
        assert codec.decode(ids) == text
        assert ids.dtype == np.int64
    assert codec.vocab_size <= 300 and codec.bos_id is not None
    codec.save(tmp_path)
    again = load_tokenizer(tmp_path)
    assert again.sha256 == codec.sha256 and again.bos_id == codec.bos_id

    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(tmp_path)
    assert theirs.bos_token_id == codec.bos_id
    assert theirs("the cat naïve", add_special_tokens=False)["input_ids"] == codec.encode(["the cat naïve"])[0].tolist()


def test_tokenizer_is_deterministic():
    text = ["b a c a b a " * 30]
    assert train_bpe(text, vocab_size=290).sha256 == train_bpe(text, vocab_size=290).sha256


def test_tokenizer_errors(tmp_path):
    with pytest.raises(TokenizerError, match="too small"):
        train_bpe(["x"], vocab_size=200)
    with pytest.raises(TokenizerError, match="no tokenizer"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(TokenizerError, match="cannot be read"):
        load_tokenizer(tmp_path)


def test_share_of_windows_that_stand_elsewhere():
    rng = np.random.default_rng(5)
    text, other = rng.integers(0, 256, 1000), rng.integers(0, 256, 1000)
    assert share_of_shared_windows(text, [other], n=10) == (0.0, 991)
    assert share_of_shared_windows(text, [other, np.concatenate([other, text[200:300]])], n=10) == (91 / 991, 991)
    assert share_of_shared_windows(text, [text], n=10) == (1.0, 991)
    assert share_of_shared_windows(text[:5], [text], n=10) == (0.0, 0)
