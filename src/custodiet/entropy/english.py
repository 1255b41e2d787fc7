"""Shannon's two papers on a text of one's own: N-gram entropies of letters and words, redundancy, approximations.

Letters are A to Z, with a space between words in the alphabet of 27 and without one in that of 26.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from custodiet.base.rng import numpy_rng
from custodiet.base.stats import Estimate
from custodiet.entropy.estimators import EntropyEstimator, estimate_entropy_bits
from custodiet.entropy.measures import block_counts
from custodiet.errors import InputError, TooFewSamplesError

__all__ = [
    "SHANNON_1951_BITS",
    "NGramEntropy",
    "approximate_english",
    "estimate_letter_entropies",
    "estimate_word_entropy_bits",
    "redundancy",
    "to_letters",
]

ALPHABET = " abcdefghijklmnopqrstuvwxyz"
SHANNON_1951_BITS: dict[int, dict[str, float]] = {
    26: {"F0": 4.70, "F1": 4.14, "F2": 3.56, "F3": 3.3, "word": 2.62},
    27: {"F0": 4.76, "F1": 4.03, "F2": 3.32, "F3": 3.1, "word": 2.14},
}
"""Shannon 1951, table on page 54: bits per letter, from tables of letter, digram, trigram and word frequencies"""


@dataclass(frozen=True, kw_only=True)
class NGramEntropy:
    """F_N: bits of a letter when the N - 1 before it are known."""

    order: int
    bits_per_letter: Estimate
    shannon_bits: float | None
    """Shannon's figure of 1951, where he gives one"""


def to_letters(text: str, *, num_letters: Literal[26, 27] = 27) -> str:
    """Lower-case letters a to z, accents taken off; with 27 letters every run of anything else is one space.

    Raises:
        TooFewSamplesError: no letter is left.
        InputError: `num_letters` is neither 26 nor 27.
    """
    if num_letters not in (26, 27):
        raise InputError("num_letters is not one of Shannon's alphabets", expected="26 or 27", got=num_letters)
    plain = unicodedata.normalize("NFKD", text).lower()
    kept = "".join(char if "a" <= char <= "z" else "" if unicodedata.combining(char) else " " for char in plain)
    words = kept.split()
    if not words:
        raise TooFewSamplesError("the text has no letter from a to z", expected="at least one", got=0)
    return ("" if num_letters == 26 else " ").join(words)


def _ids(letters: str) -> NDArray[np.int64]:
    return np.frombuffer(letters.encode("ascii"), dtype=np.uint8).astype(np.int64)


def estimate_letter_entropies(
    text: str,
    *,
    num_letters: Literal[26, 27] = 27,
    max_order: int = 3,
    method: EntropyEstimator = "grassberger",
    seed: int = 0,
) -> list[NGramEntropy]:
    """Shannon's table F_0, F_1, ... on a text, beside his figures.

    Args:
        text: any text.
        num_letters: 27 with the space, 26 without.
        max_order: largest N.
        method: estimator of the block entropies; Shannon used the plug-in on published tables.
        seed: seed of the intervals.

    Returns:
        One entry per N; the interval of F_N takes the two block entropies it is the difference of as independent, which
        makes it too wide rather than too narrow.

    Raises:
        TooFewSamplesError: the text is shorter than `max_order` letters.
        InputError: `max_order` is below 1.

    Reference:
        Shannon 1951, Prediction and entropy of printed English, equation 1 and section 2.
    """
    if max_order < 1:
        raise InputError("max_order is too small", expected="at least 1", got=max_order)
    ids = _ids(to_letters(text, num_letters=num_letters))
    shannon = SHANNON_1951_BITS[num_letters]
    uniform = Estimate(math.log2(num_letters), None, None, len(ids), "a logarithm, not an estimate")
    found = [NGramEntropy(order=0, bits_per_letter=uniform, shannon_bits=shannon["F0"])]
    shorter = Estimate(0.0, 0.0, 0.0, len(ids))
    for order in range(1, max_order + 1):
        block = estimate_entropy_bits(block_counts(ids, order), method=method, seed=seed)
        found.append(
            NGramEntropy(
                order=order, bits_per_letter=_difference(block, shorter), shannon_bits=shannon.get(f"F{order}")
            )
        )
        shorter = block
    return found


def _difference(longer: Estimate, shorter: Estimate) -> Estimate:
    if longer.value is None or shorter.value is None:
        return Estimate(None, None, None, longer.num, "a block entropy could not be had")
    value = max(0.0, longer.value - shorter.value)  # a corrected estimate may fall with the length, an entropy does not
    if longer.low is None or longer.high is None or shorter.low is None or shorter.high is None:
        return Estimate(value, None, None, longer.num, longer.why or shorter.why)
    half = math.hypot(longer.high - longer.value, shorter.high - shorter.value)
    return Estimate(value, max(0.0, value - half), value + half, longer.num)


def estimate_word_entropy_bits(text: str, *, method: EntropyEstimator = "chao-shen", seed: int = 0) -> Estimate:
    """Entropy of the words of a text, bits per word; most words are rare, so that the estimator matters.

    Reference:
        Shannon 1951, section 2: 11.82 bits per word from Zipf's law, 2.62 bits per letter at 4.5 letters a word.
    """
    words = Counter(to_letters(text).split())
    return estimate_entropy_bits(np.array(list(words.values())), method=method, seed=seed)


def redundancy(bits_per_letter: float, *, num_letters: int = 27) -> float:
    """1 less the entropy over that of equally likely letters (Shannon 1948, section 7)."""
    if num_letters < 2 or bits_per_letter < 0:
        raise InputError(
            "redundancy of nothing", expected="at least 2 letters and bits >= 0", got=(num_letters, bits_per_letter)
        )
    return 1.0 - bits_per_letter / math.log2(num_letters)


def approximate_english(
    text: str, *, order: int, num_units: int, seed: int, unit: Literal["letter", "word"] = "letter"
) -> str:
    """Shannon's approximations: letters or words drawn as often as in the text, given the `order` - 1 before them.

    Args:
        text: text whose statistics are taken; it is read in the alphabet of 27.
        order: 0 draws all units alike, 1 by their frequency, 2 and more given those before, backing off to fewer where the
            text ends.
        num_units: letters or words to draw.
        seed: seed of the draws.
        unit: what is drawn.

    Raises:
        InputError: `order` is negative, or the unit unknown.

    Reference:
        Shannon 1948, section 3, letters to order 3 and words to order 2.
    """
    if order < 0 or unit not in ("letter", "word"):
        raise InputError("no such approximation", expected="order >= 0 of letters or words", got=(order, unit))
    letters = to_letters(text)
    units = list(letters) if unit == "letter" else letters.split()
    rng = numpy_rng(seed, "approximation", unit, order)
    if order == 0:
        kinds = list(ALPHABET) if unit == "letter" else sorted(set(units))
        return ("" if unit == "letter" else " ").join(kinds[i] for i in rng.integers(0, len(kinds), num_units))
    following: dict[tuple[str, ...], list[int]] = {}
    for length in range(order):
        for place in range(length, len(units)):
            following.setdefault(tuple(units[place - length : place]), []).append(place)
    drawn: list[str] = []
    for _ in range(num_units):
        context = tuple(drawn[len(drawn) - min(order - 1, len(drawn)) :])
        while context not in following:
            context = context[1:]
        places = following[context]
        drawn.append(units[places[int(rng.integers(0, len(places)))]])
    return ("" if unit == "letter" else " ").join(drawn)
