"""The embedded corpus and its coin."""

import numpy as np
import pytest

from custodiet.data.embedded import REPEATS, DefaultSplit, build_default_split


@pytest.fixture(scope="module")
def split():
    return build_default_split(seed=3)


def test_the_coin_assigns_what_it_promises(split):
    members = [doc for doc in split.documents if doc.split == "member"]
    per_bucket = len(members) // len(REPEATS)
    assert per_bucket >= 12
    assert all(sum(doc.repeats == one for doc in members) == per_bucket for one in REPEATS)
    assert sum(doc.split == "control" for doc in split.documents) >= 100
    for doc in split.documents:
        if doc.split != "background":
            assert 100 <= len(doc.tokens) <= 127
    assert sum(len(doc.tokens) for doc in split.documents if doc.split == "background") > 300_000


def test_passages_are_disjoint_and_controls_share_nothing_with_trained_text(split):
    assert len({doc.id for doc in split.documents}) == len(split.documents)
    assert not split.control_overlap.any() and not split.validation_overlap.any()
    trained = set()
    for doc in split.documents:
        if doc.split in ("member", "background"):
            trained |= (
                {tuple(window) for window in np.lib.stride_tricks.sliding_window_view(doc.tokens, 13)}
                if len(doc.tokens) >= 13
                else set()
            )
    for doc in split.documents:
        if doc.split in ("control", "validation"):
            windows = np.lib.stride_tricks.sliding_window_view(doc.tokens, 13)
            assert not any(tuple(window) in trained for window in windows)


def test_the_coin_is_seeded_and_survives_the_disk(split, tmp_path):
    split.save(tmp_path)
    again = DefaultSplit.load(tmp_path)
    assert [(doc.id, doc.split, doc.repeats) for doc in again.documents] == [
        (doc.id, doc.split, doc.repeats) for doc in split.documents
    ]
    assert all(np.array_equal(a.tokens, b.tokens) for a, b in zip(again.documents, split.documents, strict=True))
    assert again.canaries == split.canaries and again.tokenizer.sha256 == split.tokenizer.sha256
    other = build_default_split(seed=4)
    assert other.sha256 == split.sha256
    mine, theirs = ({doc.id for doc in one.documents if doc.split == "member"} for one in (split, other))
    assert mine != theirs


def test_text_is_prose(split):
    text = " ".join(doc.text for doc in split.documents if doc.split == "control")
    assert sum(char.isalpha() or char.isspace() for char in text) / len(text) > 0.85
    assert "\n===" not in text and ".. note::" not in text
