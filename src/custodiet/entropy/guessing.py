"""Shannon's guessing game: how many guesses each letter takes, and the bounds on its entropy that follow.

A reader who guesses until right turns a text into numbers of guesses; a twin of the reader could turn them back. So the
entropy of the numbers bounds that of the text from above.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from custodiet.base.stats import Estimate, bootstrap
from custodiet.entropy.adaptive import AdaptiveNGram
from custodiet.entropy.english import ALPHABET, to_letters
from custodiet.entropy.measures import entropy_bits
from custodiet.entropy.ngram import NGramModel
from custodiet.errors import InputError, TooFewSamplesError

__all__ = ["SHANNON_HUMAN_BITS", "guess_ranks", "guessing_bounds", "letter_ids"]

SHANNON_HUMAN_BITS = (0.6, 1.3)
"""Shannon 1951, table I: bits per letter of 27, a person who knows the 100 letters before (lower and upper bound)"""
NUM_BLOCKS = 100


def letter_ids(text: str) -> NDArray[np.int64]:
    """Text in Shannon's alphabet of 27 as ids: 0 the space, 1 to 26 the letters; int64 (T,).

    Raises:
        TooFewSamplesError: no letter is left.
    """
    codes = np.frombuffer(to_letters(text).encode("ascii"), dtype=np.uint8).astype(np.int64)
    return np.where(codes == ord(ALPHABET[0]), 0, codes - ord("a") + 1)


def guess_ranks(model: AdaptiveNGram | NGramModel, text: ArrayLike) -> NDArray[np.int64]:
    """Which guess is right when symbols are guessed in the order of their probability.

    Args:
        model: predictor; an adaptive one goes on from what it has read and learns each symbol after it is guessed.
        text: ids, shape (T,), one document for a model that does not adapt.

    Returns:
        int64 (T,), 1 where the most probable symbol is right; of equally probable symbols the lower id is guessed first.

    Raises:
        InputError: an id outside the vocabulary.

    Reference:
        Shannon 1951, Prediction and entropy of printed English, sections 3 and 4.
    """
    ids = np.asarray(text)
    if ids.ndim != 1 or (ids.size and (ids.dtype.kind not in "iu" or ids.min() < 0 or ids.max() >= model.vocab_size)):
        raise InputError("text is not a vector of ids", expected=f"integers in [0, {model.vocab_size})")
    ranks = np.empty(len(ids), dtype=np.int64)
    for place, token in enumerate(ids.tolist()):
        if isinstance(model, AdaptiveNGram):
            prob = model.next_probs()
            model.update(token)
        else:  # no more than order - 1 tokens are looked at
            prob = model.next_probs(
                ids[max(0, place - model.order + 1) : place] if place >= model.order else ids[:place]
            )
        mine = prob[token]
        ranks[place] = 1 + np.count_nonzero(prob > mine) + np.count_nonzero(prob[:token] == mine)
    return ranks


def guessing_bounds(ranks: ArrayLike, num_symbols: int, *, seed: int = 0) -> tuple[Estimate, Estimate]:
    """Lower and upper bound on the entropy of a symbol, from the numbers of guesses.

    With q_i the share of symbols that the i-th guess got, the upper bound is the entropy of q and the lower bound is
    sum_i i (q_i - q_(i+1)) log2 i. Both are taken of the shares as counted, the upper one lies too low for few symbols, by
    about (numbers seen - 1) / (2 T ln 2). The shares are sorted to fall for the lower bound (for a good guesser they do).

    Args:
        ranks: integers in 1 to `num_symbols`, shape (T,): the guess that was right.
        num_symbols: size of the alphabet.
        seed: seed of the intervals, a percentile bootstrap over up to 100 contiguous blocks.

    Returns:
        (lower, upper), bits per symbol. The upper bound holds for every guesser who could be repeated exactly; the lower one
        for a guesser who knows the true order of the probabilities, and nearly for one who nearly does: a poor guesser's
        lower bound may lie above the entropy.

    Raises:
        TooFewSamplesError: there is no rank.
        InputError: a rank outside 1 to `num_symbols`.

    Reference:
        Shannon 1951, section 5, equation 17.
    """
    values = np.asarray(ranks)
    if values.size == 0:
        raise TooFewSamplesError("bounds from no guesses", expected="at least one letter", got=0)
    if values.ndim != 1 or values.dtype.kind not in "iu" or values.min() < 1 or values.max() > num_symbols:
        raise InputError("ranks are not numbers of guesses", expected=f"integers from 1 to {num_symbols}")
    blocks = np.array_split(values - 1, min(NUM_BLOCKS, len(values)))
    counts = np.array([np.bincount(one, minlength=num_symbols) for one in blocks])
    lower = bootstrap(counts, lambda rows: _lower(_shares(rows)), seed=seed)
    upper = bootstrap(counts, lambda rows: entropy_bits(_shares(rows)), seed=seed)
    return _of(lower, len(values)), _of(upper, len(values))


def _shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    total = counts.sum(0)
    return total / total.sum()


def _lower(share: NDArray[np.float64]) -> float:
    falling = np.append(np.sort(share)[::-1], 0.0)
    rank = np.arange(1, len(falling))
    return float((rank * (falling[:-1] - falling[1:]) * np.log2(rank)).sum())


def _of(estimate: Estimate, num: int) -> Estimate:
    return Estimate(estimate.value, estimate.low, estimate.high, num, estimate.why)
