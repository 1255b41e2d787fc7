"""The n-gram model against an independent slow definition."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from custodiet.entropy.ngram import KneserNeyModel, WittenBellModel
from custodiet.errors import InputError, TooFewSamplesError


class SlowWittenBell:
    """The definition, with dictionaries of tuples."""

    def __init__(self, documents, order, vocab_size):
        self.order, self.vocab_size = order, vocab_size
        self.counts = defaultdict(Counter)
        for document in documents:
            padded = ["<s>"] * order + list(document)
            for place in range(order, len(padded)):
                for length in range(order):
                    self.counts[tuple(padded[place - length : place])][padded[place]] += 1

    def prob(self, history, token):
        padded = ["<s>"] * self.order + list(history)
        p = 1 / self.vocab_size
        for length in range(self.order):
            after = self.counts.get(tuple(padded[len(padded) - length :]))
            if after:
                p = (after[token] + len(after) * p) / (sum(after.values()) + len(after))
        return p


class SlowKneserNey:
    """Chen & Goodman's definition, with sets of tuples and no shared code."""

    def __init__(self, documents, order, vocab_size):
        self.order, self.vocab_size = order, vocab_size
        grams = [Counter() for _ in range(order + 1)]
        for document in documents:
            padded = ["<s>"] * order + list(document)
            for place in range(order, len(padded)):
                for length in range(1, order + 1):
                    grams[length][tuple(padded[place - length + 1 : place + 1])] += 1
        self.counts = [{} for _ in range(order + 1)]
        self.counts[order] = dict(grams[order])
        for length in range(1, order):
            for longer in grams[length + 1]:
                self.counts[length][longer[1:]] = self.counts[length].get(longer[1:], 0) + 1
        self.discounts = [None] + [self._discount(list(one.values())) for one in self.counts[1:]]
        self.after = [None] + [defaultdict(dict) for _ in range(order)]
        for length in range(1, order + 1):
            for gram, count in self.counts[length].items():
                self.after[length][gram[:-1]][gram[-1]] = count

    @staticmethod
    def _discount(values):
        n = [sum(value == kind for value in values) for kind in range(5)]
        if 0 in n[1:4]:
            return [0, 0.5, 1, 1.5]
        y = n[1] / (n[1] + 2 * n[2])
        found = [0] + [kind - (kind + 1) * y * n[kind + 1] / n[kind] for kind in (1, 2, 3)]
        return found if all(0 <= d <= kind for kind, d in enumerate(found)) else [0, 0.5, 1, 1.5]

    def prob(self, history, token):
        padded = ["<s>"] * self.order + list(history)
        p = 1 / self.vocab_size
        for length in range(1, self.order + 1):
            after = self.after[length].get(tuple(padded[len(padded) - length + 1 :]))
            if after:
                cut = self.discounts[length]
                kept = sum(cut[min(count, 3)] for count in after.values())
                count = after.get(token, 0)
                p = (count - cut[min(count, 3)] + kept * p) / sum(after.values())
        return p


PAIRS = [(WittenBellModel, SlowWittenBell), (KneserNeyModel, SlowKneserNey)]


@pytest.mark.parametrize(("fast_class", "slow_class"), PAIRS)
@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_equals_the_definition(order, fast_class, slow_class):
    rng = np.random.default_rng(order)
    train = [rng.zipf(1.5, size) % 7 for size in (0, 1, 2, 30, 100, 3, 1000)]
    test = [rng.integers(0, 9, size) for size in (1, 5, 40)] + [train[4][:50]]
    model = fast_class.train(train, order=order, vocab_size=9)
    slow = slow_class([list(map(int, one)) for one in train], order, 9)
    for document, fast in zip(test, model.log2_probs_of(test), strict=True):
        ids = list(map(int, document))
        want = [np.log2(slow.prob(ids[:place], ids[place])) for place in range(len(ids))]
        np.testing.assert_allclose(fast, want, rtol=0, atol=1e-11)
        np.testing.assert_allclose(model.log2_probs(document), want, rtol=0, atol=1e-11)


def test_the_estimated_discounts_are_used_where_a_text_allows_them():
    rng = np.random.default_rng(0)
    text = list(map(int, rng.zipf(1.3, 3000) % 50))
    assert SlowKneserNey([text], 3, 50).discounts[3] != [0, 0.5, 1, 1.5]
    fast, slow = KneserNeyModel.train([text], order=3, vocab_size=50), SlowKneserNey([text], 3, 50)
    want = [np.log2(slow.prob(text[:place], text[place])) for place in range(200)]
    np.testing.assert_allclose(fast.log2_probs(text)[:200], want, rtol=0, atol=1e-11)


@pytest.mark.parametrize("model_class", [WittenBellModel, KneserNeyModel])
def test_probabilities_sum_to_one_in_every_context(model_class):
    rng = np.random.default_rng(0)
    model = model_class.train([rng.zipf(1.4, 2000) % 11, rng.integers(0, 11, 50)], order=4, vocab_size=12)
    for _ in range(50):
        history = rng.integers(0, 12, rng.integers(0, 8))
        following = model.next_probs(history)
        assert abs(following.sum() - 1) < 1e-12
        one_by_one = [2 ** model.log2_probs(np.append(history, token))[-1] for token in range(12)]
        np.testing.assert_allclose(following, one_by_one, rtol=1e-12)


def test_documents_do_not_see_each_other():
    a, b = np.array([1, 2, 3, 4]), np.array([5, 6, 7])
    model = WittenBellModel.train([a, b], order=3, vocab_size=8)
    joined = model.log2_probs_of([a, b])
    np.testing.assert_array_equal(joined[1], model.log2_probs(b))
    # 5 starts a document: likelier there than after 4
    assert joined[1][0] > model.log2_probs(np.array([1, 2, 3, 4, 5]))[-1]


def test_refuses_what_it_cannot_count():
    with pytest.raises(TooFewSamplesError):
        WittenBellModel.train([], order=3, vocab_size=4)
    with pytest.raises(InputError, match="outside the vocabulary"):
        WittenBellModel.train([np.array([4])], order=3, vocab_size=4)
    with pytest.raises(InputError, match="order"):
        WittenBellModel.train([np.array([1])], order=0, vocab_size=4)
