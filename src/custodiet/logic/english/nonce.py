"""Invented words, by rule and without end: the word of a number, of a category that its ending tells.

A word is onset, vowel, middle and ending; numbers beyond those combinations put further syllables before it. No two
numbers of a category have one word (vowels are single letters, the other parts have none), and no word belongs to two
categories, since the sets of endings are disjoint. Plurals and verb forms are made by the rules of English.
"""

from __future__ import annotations

from functools import lru_cache

from custodiet.errors import UsageError

__all__ = ["NUM_SHORT", "nonce_word"]


def _parts(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_ONSETS = (*_parts("b bl d dr f fl g gr h j k kl m n p pl r s sk sn t tr v vr w y z"), "")
_VOWELS = "aeiou"
_MIDDLES = _parts("bb ld lf lk lm lv mb mp nd ng nk nt nz pl rb rd rf rg rk rm rn rp rv rz sk sp v z")
_ENDINGS = {
    "noun": ("us", "op", "ax", "im", "og", "ud", "ek"),
    "adjective": ("oid", "ulf", "arn", "ibe"),
    "verb": ("ob", "ip", "ung", "eb"),
    "name": ("ath", "iel", "eus", "oro", "ena"),
    "place": ("ondor", "avel", "umar"),
}
# Stems that are, or begin, real words with these endings, or that nobody wants to read; the middle that replaces theirs.
_AVOIDED = {
    "fung": "zz", "rump": "zz", "gramp": "zz", "nimb": "zz", "ind": "zz", "hind": "zz", "talm": "zz", "turn": "zz",
    "turd": "ff", "ang": "ff", "ov": "ff", "av": "zz", "kunt": "zz", "wank": "zz", "naz": "ff",
}  # fmt: skip
_STEP = 7919  # neighbors in number should not be neighbors in sound; prime and coprime to the number of combinations

NUM_SHORT = {
    category: len(_ONSETS) * len(_VOWELS) * len(_MIDDLES) * len(endings) for category, endings in _ENDINGS.items()
}
"""Words of two syllables (places: three) by category; `nonce_word` goes on beyond them."""


@lru_cache(maxsize=1 << 17)
def nonce_word(category: str, number: int) -> str:
    """An invented word.

    Args:
        category: noun, adjective, verb, name or place.
        number: from 0, without end.

    Returns:
        A word in small letters. The same word is never given for another number or category.

    Raises:
        UsageError: an unknown category or a negative number.
    """
    if category not in _ENDINGS or number < 0:
        raise UsageError(
            "no such invented word", expected=f"{', '.join(_ENDINGS)} and a number >= 0", got=(category, number)
        )
    size = NUM_SHORT[category]
    rest, number = divmod(number, size)
    number = number * _STEP % size
    endings = _ENDINGS[category]
    number, ending = divmod(number, len(endings))
    number, middle = divmod(number, len(_MIDDLES))
    onset, vowel = divmod(number, len(_VOWELS))
    start = f"{_ONSETS[onset]}{_VOWELS[vowel]}"
    word = f"{start}{_AVOIDED.get(start + _MIDDLES[middle], _MIDDLES[middle])}{endings[ending]}"
    while rest:
        rest, syllable = divmod(rest - 1, (len(_ONSETS) - 1) * len(_VOWELS))
        onset, vowel = divmod(syllable, len(_VOWELS))
        word = f"{_ONSETS[onset]}{_VOWELS[vowel]}{'l' if word[0] in _VOWELS else ''}{word}"
    return word
