"""The adaptive n-gram against a slow definition, and against itself read one token at a time."""

import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custodiet.entropy.adaptive import AdaptiveNGram
from custodiet.errors import InputError


class SlowAdaptive:
    """The definition, with dictionaries of tuples."""

    def __init__(self, order, vocab_size):
        self.order, self.vocab_size, self.history = order, vocab_size, []
        self.after = defaultdict(Counter)

    def start_document(self):
        self.history = []

    def contexts(self):
        most = min(self.order - 1, len(self.history))
        return [tuple(self.history[len(self.history) - length :]) for length in range(most + 1)]

    def discount(self, length):
        counts = [n for context, after in self.after.items() if len(context) == length for n in after.values()]
        return (counts.count(1) + 1) / (counts.count(1) + 2 * counts.count(2) + 2)

    def prob(self, token):
        p = 1 / self.vocab_size
        for context in self.contexts():
            after = self.after.get(context)
            if after:
                d = self.discount(len(context))
                p = (max(after[token] - d, 0) + d * len([n for n in after.values() if n]) * p) / sum(after.values())
        return p

    def update(self, token):
        for context in reversed(self.contexts()):
            known = self.after[context][token] > 0
            self.after[context][token] += 1
            if known:
                break
        self.history.append(token)


STREAMS = st.integers(1, 5).flatmap(
    lambda size: st.tuples(
        st.just(size), st.integers(1, 5), st.lists(st.lists(st.integers(0, size - 1), max_size=40), max_size=3)
    )
)


@given(STREAMS)
@settings(max_examples=60, deadline=None)
def test_equals_the_definition_and_itself_token_by_token(case):
    size, order, (*primers, text) = (case[0], case[1], [*case[2], [0]])
    whole, single = (AdaptiveNGram(order=order, vocab_size=size) for _ in range(2))
    slow = SlowAdaptive(order, size)
    for primer in primers:
        whole.prime(primer)
        single.prime(primer)
        slow.start_document()
        for token in primer:
            slow.update(token)
    slow.start_document()
    text = [*text, *(primers[0] if primers else [])]
    found = whole.log2_probs(text)
    for place, token in enumerate(text):
        prob = single.next_probs()
        assert abs(prob.sum() - 1) < 1e-12 and prob.min() > 0
        assert found[place] == np.log2(prob[token])
        assert prob[token] == pytest.approx(slow.prob(token), rel=1e-12)
        single.update(token)
        slow.update(token)
    assert whole.num_tokens == single.num_tokens == sum(map(len, primers)) + len(text)
    assert whole.num_grams == single.num_grams


def test_bytes_read_whole_in_pieces_and_one_by_one_give_the_same_floats():
    rng = np.random.default_rng(0)
    text = np.concatenate([rng.zipf(1.3, 6000) % 256, rng.integers(0, 256, 500)]).astype(np.uint8)
    whole, pieces, single = (AdaptiveNGram(order=6) for _ in range(3))
    found = whole.log2_probs(text)
    np.testing.assert_array_equal(
        found, np.concatenate([pieces.log2_probs(one) for one in np.split(text, [1, 17, 4000])])
    )
    for place, token in enumerate(text.tolist()):
        prob = single.next_probs()
        assert found[place] == np.log2(prob[token]) and abs(prob.sum() - 1) < 1e-12
        single.update(token)


def test_a_full_table_learns_no_new_gram_and_stays_a_distribution():
    rng = np.random.default_rng(1)
    text = rng.integers(0, 20, 3000)
    bounded = AdaptiveNGram(order=4, vocab_size=20, max_grams=300)
    single = AdaptiveNGram(order=4, vocab_size=20, max_grams=300)
    found = bounded.log2_probs(text)
    assert bounded.num_grams == 299
    for place, token in enumerate(text.tolist()):
        prob = single.next_probs()
        assert found[place] == np.log2(prob[token]) and abs(prob.sum() - 1) < 1e-12
        single.update(token)


def test_independent_tokens_cost_their_entropy():
    share = np.array([0.5, 0.25, 0.125, 0.125])
    text = np.random.default_rng(2).choice(4, 100_000, p=share)
    bits = -AdaptiveNGram(order=1, vocab_size=4).log2_probs(text)
    assert bits.mean() == pytest.approx(1.75, abs=0.01)
    assert -AdaptiveNGram(order=3, vocab_size=4).log2_probs(text).mean() == pytest.approx(1.75, abs=0.02)


def test_a_text_is_nearly_free_the_second_time():
    text = np.random.default_rng(3).integers(0, 256, 5000)
    twice = -AdaptiveNGram().log2_probs(np.tile(text, 2))
    assert twice[:5000].mean() > 8 and twice[5000:].mean() < 1
    primed = AdaptiveNGram()
    primed.prime(text)
    assert -primed.log2_probs(text).mean() < 1


def test_one_symbol_is_free_and_the_alphabet_of_one_costs_nothing():
    assert -AdaptiveNGram().log2_probs(np.zeros(4000, dtype=np.uint8)).sum() < 100
    assert AdaptiveNGram(vocab_size=1).log2_probs([0, 0, 0]).tolist() == [0, 0, 0]
    assert AdaptiveNGram(vocab_size=7).log2_probs([3])[0] == -math.log2(7)
    assert AdaptiveNGram().log2_probs([]).shape == (0,)


def test_refuses_what_it_cannot_read():
    with pytest.raises(InputError, match="order"):
        AdaptiveNGram(order=0)
    with pytest.raises(InputError, match="vocab_size"):
        AdaptiveNGram(vocab_size=0)
    with pytest.raises(InputError, match="max_grams"):
        AdaptiveNGram(max_grams=256)
    model = AdaptiveNGram(vocab_size=4)
    for wrong in ([4], [-1], [0, 9]):
        with pytest.raises(InputError, match="outside the vocabulary"):
            model.log2_probs(wrong)
    with pytest.raises(InputError, match="outside the vocabulary"):
        model.update(4)
    for wrong in ([0.5], [[1, 2]]):
        with pytest.raises(InputError, match="vector of integers"):
            model.prime(wrong)
    assert model.num_tokens == 0
