"""The guessing game: Shannon's bounds on small exact examples and on texts that the guesser itself wrote."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custodiet.entropy.adaptive import AdaptiveNGram
from custodiet.entropy.guessing import guess_ranks, guessing_bounds, letter_ids
from custodiet.entropy.measures import entropy_bits
from custodiet.entropy.ngram import WittenBellModel
from custodiet.errors import InputError, TooFewSamplesError


def test_letters_are_numbered_from_the_space():
    assert letter_ids("A b, z!").tolist() == [1, 0, 2, 0, 26]
    with pytest.raises(TooFewSamplesError):
        letter_ids("42")


def test_bounds_of_an_exact_example():
    ranks = np.repeat([1, 2, 3], [6, 3, 1])
    lower, upper = guessing_bounds(ranks, 27)
    assert lower.value == pytest.approx(2 * (0.3 - 0.1) * math.log2(2) + 3 * 0.1 * math.log2(3), abs=1e-12)
    assert upper.value == pytest.approx(entropy_bits([0.6, 0.3, 0.1]), abs=1e-12)
    assert lower.num == upper.num == 10
    assert lower.low <= lower.value <= lower.high and upper.low <= upper.value <= upper.high


def test_always_right_costs_nothing_and_never_better_than_chance_costs_all():
    lower, upper = guessing_bounds(np.ones(500, dtype=int), 27)
    assert lower.value == upper.value == upper.high == 0
    lower, upper = guessing_bounds(np.arange(270) % 27 + 1, 27)
    assert lower.value == pytest.approx(math.log2(27)) and upper.value == pytest.approx(math.log2(27))
    assert guessing_bounds([3], 27)[0].low is None


def test_ties_are_guessed_in_the_order_of_ids():
    assert guess_ranks(AdaptiveNGram(order=1, vocab_size=9), [4]).tolist() == [5]
    model = AdaptiveNGram(order=1, vocab_size=9)
    assert guess_ranks(model, [4, 4, 0, 0]).tolist() == [5, 1, 2, 2]
    assert model.num_tokens == 4


def test_ranks_of_a_fixed_model_are_those_of_its_whole_context():
    rng = np.random.default_rng(0)
    model = WittenBellModel.train([rng.zipf(1.5, 800) % 9], order=3, vocab_size=9)
    text = rng.zipf(1.5, 60) % 9
    want = []
    for place, token in enumerate(text):
        prob = model.next_probs(text[:place])
        want.append(1 + sum((p, -i) > (prob[token], -token) for i, p in enumerate(prob)))
    assert guess_ranks(model, text).tolist() == want


@given(seed=st.integers(0, 10**6), size=st.integers(2, 8), sharpness=st.floats(0.05, 3))
@settings(max_examples=25, deadline=None)
def test_the_bounds_hold_for_a_guesser_of_its_own_text(seed, size, sharpness):
    """A first-order chain whose guesser knows its probabilities."""
    rng = np.random.default_rng(seed)
    chain = rng.dirichlet(np.full(size, sharpness), size)
    num, state = 3000, 0
    ranks, bits = np.empty(num, dtype=int), 0.0
    order = np.argsort(-chain, axis=1, kind="stable")
    place_of = np.argsort(order, axis=1)
    steps = chain.cumsum(axis=1)
    for index, draw in enumerate(rng.random(num)):
        bits += entropy_bits(chain[state] / chain[state].sum())
        token = min(int(np.searchsorted(steps[state], draw)), size - 1)
        ranks[index], state = place_of[state, token] + 1, token
    lower, upper = guessing_bounds(ranks, size, seed=seed)
    noise = 4 * math.log2(size) / math.sqrt(num)
    assert lower.value - noise <= bits / num <= upper.value + noise


def test_refuses_what_are_no_guesses():
    with pytest.raises(TooFewSamplesError):
        guessing_bounds([], 27)
    for wrong in ([0], [28], [1.5]):
        with pytest.raises(InputError):
            guessing_bounds(wrong, 27)
    with pytest.raises(InputError):
        guess_ranks(AdaptiveNGram(vocab_size=27), [27])
