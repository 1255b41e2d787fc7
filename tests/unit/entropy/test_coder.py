"""The arithmetic coder: exact, as short as the cross-entropy, and loud when its predictor changes its mind."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custodiet.entropy.coder import Layout, decode_tokens, encode_tokens
from custodiet.entropy.ngram_predictor import AdaptivePredictor
from custodiet.errors import DecodeError, InputError, UsageError


class TablePredictor:
    """Logits from a hash of the last token and the place in the window; records what it is asked."""

    max_batch = None

    def __init__(self, vocab_size, window_tokens=None, scale=2.0):
        self.vocab_size, self.window_tokens = vocab_size, window_tokens
        self.table = np.random.default_rng(vocab_size).normal(size=(vocab_size + 1, vocab_size)) * scale
        self.asked = []

    def begin(self, history_BT):
        self.asked.append(("begin", history_BT.shape))
        self.place = history_BT.shape[1]
        last = history_BT[:, -1] if history_BT.shape[1] else np.full(len(history_BT), self.vocab_size)
        return self.table[last]

    def step(self, tokens_B):
        self.asked.append(("step", tokens_B.shape))
        self.place += 1
        assert self.window_tokens is None or self.place < self.window_tokens
        return self.table[tokens_B]


def round_trip(predictor, tokens, layout):
    coded = encode_tokens(predictor, tokens, layout)
    found, digest = decode_tokens(predictor, coded.payload, layout)
    assert digest == coded.probability_digest
    np.testing.assert_array_equal(found, tokens)
    return coded


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 300), st.integers(0, 60), st.integers(1, 9), st.sampled_from([None, 1, 2, 5, 16]), st.floats(0, 0.99)
)
def test_every_layout_and_vocabulary_comes_back(vocab_size, num_tokens, num_lanes, window, history):
    predictor = TablePredictor(vocab_size, window)
    tokens = np.random.default_rng(num_tokens).integers(0, vocab_size, num_tokens)
    layout = Layout.choose(num_tokens, predictor, num_lanes=num_lanes, history=history)
    coded = round_trip(predictor, tokens, layout)
    assert coded.payload_bits <= coded.model_bits * 1.001 + 64


def test_both_sides_ask_the_same_questions():
    predictor = TablePredictor(50, 8)
    tokens = np.arange(45) % 50
    layout = Layout(num_tokens=45, num_lanes=4, window_tokens=8, history_tokens=3)
    coded = encode_tokens(predictor, tokens, layout)
    asked, predictor.asked = predictor.asked, []
    decode_tokens(predictor, coded.payload, layout)
    assert asked == predictor.asked
    assert [one for one in asked if one[0] == "begin"] == [("begin", (4, 0)), ("begin", (4, 3))]


@pytest.mark.parametrize("vocab_size", [2, 64, 65, 2048, 50_257])
def test_length_is_the_cross_entropy(vocab_size):
    predictor = TablePredictor(vocab_size) if vocab_size < 3000 else WidePredictor(vocab_size)
    tokens = np.random.default_rng(0).integers(0, vocab_size, 3000)
    layout = Layout(num_tokens=3000, num_lanes=30, window_tokens=None, history_tokens=0)
    coded = encode_tokens(predictor, tokens, layout)
    assert coded.payload_bits <= coded.model_bits * 1.001 + 64
    floored = 0.01 * coded.model_bits if vocab_size > 3000 else 1  # tokens below 2^-24 twice cost less than they should
    assert coded.payload_bits >= coded.model_bits - floored
    found, _ = decode_tokens(predictor, coded.payload, layout)
    np.testing.assert_array_equal(found, tokens)


class WidePredictor(TablePredictor):
    """A vocabulary of a large model without a table of its square."""

    def __init__(self, vocab_size):
        self.vocab_size, self.window_tokens, self.asked = vocab_size, None, []
        base = np.random.default_rng(1).normal(size=vocab_size) * 3
        self.table = _Rolled(base)


class _Rolled:
    def __init__(self, base):
        self.base = base

    def __getitem__(self, tokens):
        return np.stack([np.roll(self.base, int(one)) for one in tokens])


def test_impossible_tokens_and_hidden_ids_are_still_coded():
    predictor = TablePredictor(200)
    predictor.table[:, 150:] = -np.inf
    predictor.table[:, 3] = -2000.0
    coded = encode_tokens(predictor, [3, 3, 1], Layout.choose(3, predictor))
    assert coded.model_bits > 5000 and decode_tokens(predictor, coded.payload, coded.layout)[0].tolist() == [3, 3, 1]


def test_model_bits_are_the_cross_entropy():
    predictor = TablePredictor(7)
    log_probs = predictor.table - np.log(np.exp(predictor.table).sum(1, keepdims=True))
    tokens = [2, 2, 5, 0, 6]
    expected = -sum(log_probs[before, now] for before, now in zip([7, *tokens], tokens, strict=False)) / math.log(2)
    assert encode_tokens(predictor, tokens, Layout.choose(5, predictor)).model_bits == pytest.approx(
        expected, rel=1e-12
    )


def test_a_predictor_that_differs_in_the_last_bit_has_another_digest():
    predictor, other = TablePredictor(300), TablePredictor(300)
    other.table = np.nextafter(other.table, np.inf)
    tokens = np.random.default_rng(0).integers(0, 300, 400)
    coded = encode_tokens(predictor, tokens, Layout.choose(400, predictor))
    try:
        _, digest = decode_tokens(other, coded.payload, coded.layout)
    except DecodeError:
        return
    assert digest != coded.probability_digest


def test_bad_input():
    predictor = TablePredictor(10)
    with pytest.raises(InputError, match=r"\[0, 10\); got 10"):
        encode_tokens(predictor, [10], Layout.choose(1, predictor))
    with pytest.raises(InputError, match="got -1"):
        encode_tokens(predictor, [-1], Layout.choose(1, predictor))
    with pytest.raises(InputError, match="layout"):
        encode_tokens(predictor, [1, 2], Layout.choose(1, predictor))
    with pytest.raises(DecodeError, match="32-bit"):
        decode_tokens(predictor, b"abc", Layout.choose(1, predictor))
    with pytest.raises(UsageError, match="empty"):
        Layout(num_tokens=5, num_lanes=4, window_tokens=None, history_tokens=0)
    with pytest.raises(UsageError, match="history"):
        Layout(num_tokens=5, num_lanes=1, window_tokens=4, history_tokens=4)
    predictor.table[:] = np.nan
    with pytest.raises(DecodeError, match="finite"):
        encode_tokens(predictor, [1], Layout.choose(1, predictor))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=80), st.binary(max_size=40), st.integers(1, 6))
def test_adaptive_ngram(data, other, order):
    predictor = AdaptivePredictor(order=order, primed_with=[np.frombuffer(other, dtype=np.uint8)])
    tokens = np.frombuffer(data, dtype=np.uint8).astype(np.int64)
    layout = Layout.choose(len(tokens), predictor, num_lanes=8)
    assert layout.num_lanes == 1
    coded = round_trip(predictor, tokens, layout)
    assert coded.payload_bits <= coded.model_bits * 1.001 + 64


def test_what_was_learned_first_makes_the_code_shorter():
    text = np.frombuffer(b"the quick brown fox jumps over the lazy dog. " * 8, dtype=np.uint8)
    cold, warm = AdaptivePredictor(order=4), AdaptivePredictor(order=4, primed_with=[text[:180]])
    bits = [round_trip(one, text[180:], Layout.choose(180, one)).model_bits for one in (cold, warm)]
    assert bits[1] < 0.5 * bits[0]
