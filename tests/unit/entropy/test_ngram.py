"""The n-gram model against an independent slow definition."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from custodiet.entropy.ngram import WittenBellModel
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


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_equals_the_definition(order):
    rng = np.random.default_rng(order)
    train = [rng.integers(0, 7, size) for size in (0, 1, 2, 30, 100, 3)]
    test = [rng.integers(0, 9, size) for size in (1, 5, 40)] + [train[4][:50]]
    model = WittenBellModel.train(train, order=order, vocab_size=9)
    slow = SlowWittenBell([list(map(int, one)) for one in train], order, 9)
    for document, fast in zip(test, model.log2_probs_of(test), strict=True):
        ids = list(map(int, document))
        want = [np.log2(slow.prob(ids[:place], ids[place])) for place in range(len(ids))]
        np.testing.assert_allclose(fast, want, rtol=0, atol=1e-12)
        np.testing.assert_allclose(model.log2_probs(document), want, rtol=0, atol=1e-12)


def test_probabilities_sum_to_one_in_every_context():
    rng = np.random.default_rng(0)
    model = WittenBellModel.train([rng.integers(0, 11, 500)], order=4, vocab_size=12)
    for _ in range(20):
        history = rng.integers(0, 12, rng.integers(0, 8))
        total = sum(2 ** model.log2_probs(np.append(history, token))[-1] for token in range(12))
        assert abs(total - 1) < 1e-12


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
