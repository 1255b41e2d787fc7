"""Shannon's English: alphabets, F_N on sources whose entropy is known, approximations."""

import math
from collections import Counter
from pydoc_data.topics import topics

import numpy as np
import pytest

from custodiet.entropy.english import (
    SHANNON_1951_BITS,
    approximate_english,
    estimate_letter_entropies,
    estimate_word_entropy_bits,
    redundancy,
    to_letters,
)
from custodiet.errors import InputError, TooFewSamplesError

ENGLISH = "\n".join(topics[name] for name in sorted(topics))


def test_alphabets():
    assert to_letters("Don't PANIC, Zo\u00eb!\n42") == "don t panic zoe"
    assert to_letters("Don't PANIC", num_letters=26) == "dontpanic"
    with pytest.raises(TooFewSamplesError):
        to_letters("42!")
    with pytest.raises(InputError):
        to_letters("a", num_letters=30)


def test_a_fair_source_has_the_entropy_of_its_alphabet():
    rng = np.random.default_rng(0)
    text = "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), 300_000))
    table = estimate_letter_entropies(text, num_letters=26, max_order=2)
    assert [one.order for one in table] == [0, 1, 2]
    for one in table:
        assert one.bits_per_letter.value == pytest.approx(math.log2(26), abs=0.003)
    assert table[2].bits_per_letter.low <= math.log2(26) <= table[2].bits_per_letter.high


def test_a_markov_source_is_measured_at_its_rate():
    rng = np.random.default_rng(1)
    letters, state = [], 0  # a stays with chance .9, b with chance .6
    for draw in rng.random(200_000):
        stay = 0.9 if state == 0 else 0.6
        state = state if draw < stay else 1 - state
        letters.append("ab"[state])
    rate = 0.8 * _binary(0.9) + 0.2 * _binary(0.6)
    table = estimate_letter_entropies("".join(letters), num_letters=26)
    assert table[1].bits_per_letter.value == pytest.approx(_binary(0.2), abs=0.02)
    for one in table[2:]:
        assert one.bits_per_letter.value == pytest.approx(rate, abs=0.01)


def _binary(p: float) -> float:
    return -p * math.log2(p) - (1 - p) * math.log2(1 - p)


def test_one_letter_again_and_again_has_no_entropy_and_no_interval_below_zero():
    for one in estimate_letter_entropies("a" * 61)[1:]:
        assert 0 <= one.bits_per_letter.low <= one.bits_per_letter.value <= one.bits_per_letter.high < 0.1


def test_real_english_is_near_shannon():
    for num_letters in (26, 27):
        table = estimate_letter_entropies(ENGLISH, num_letters=num_letters)
        values = [one.bits_per_letter.value for one in table]
        assert values == sorted(values, reverse=True)
        for one in table:
            assert one.shannon_bits == SHANNON_1951_BITS[num_letters][f"F{one.order}"]
        for one in table[:3]:
            assert one.bits_per_letter.value == pytest.approx(one.shannon_bits, abs=0.1)
        assert 2 < values[3] < table[3].shannon_bits  # this manual repeats itself more than Shannon's tables do
    assert 8 < estimate_word_entropy_bits(ENGLISH).value < 12
    assert 0.3 < redundancy(values[3]) < 0.5
    assert redundancy(0) == 1 and redundancy(math.log2(27)) == pytest.approx(0)


@pytest.mark.parametrize(("unit", "order"), [("letter", n) for n in range(4)] + [("word", n) for n in (1, 2)])
def test_approximations_have_the_statistics_of_their_order(unit, order):
    drawn = approximate_english(ENGLISH, order=order, num_units=4000, seed=3, unit=unit)
    assert drawn == approximate_english(ENGLISH, order=order, num_units=4000, seed=3, unit=unit)
    source = to_letters(ENGLISH)
    units = list(drawn) if unit == "letter" else drawn.split()
    whole = list(source) if unit == "letter" else source.split()
    assert len(units) == 4000
    if order >= 1:
        seen = {tuple(whole[i : i + order]) for i in range(len(whole) - order + 1)}
        assert all(tuple(units[i : i + order]) in seen for i in range(len(units) - order + 1))
        share = Counter(whole)["e" if unit == "letter" else "the"] / len(whole)
        got = Counter(units)["e" if unit == "letter" else "the"] / len(units)
        assert got == pytest.approx(share, abs=0.03)
    else:
        assert len(set(units)) == 27


def test_bad_orders_are_named():
    with pytest.raises(InputError):
        approximate_english("abc", order=-1, num_units=1, seed=0)
    with pytest.raises(InputError):
        estimate_letter_entropies("abc", max_order=0)
    with pytest.raises(InputError):
        redundancy(-1)
