"""From a sentence to lexemes: the longest phrase that is known, from left to right.

Phrases are those of the grammar (below) and those of a vocabulary's entries. Which words a sentence has is thereby
decided before its grammar is, and the grammar sees kinds of lexemes only: how a sequence of kinds is read does not
depend on the vocabulary.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import NamedTuple

from custodiet.errors import FormulaError
from custodiet.logic.english.canonical import canonical_variable
from custodiet.logic.english.templates import MAX_LEVELS, MAX_OPERANDS, number_word

__all__ = ["Lexeme", "Lexer", "is_grammar", "words_of"]

GRAMMAR = (
    "it is not the case that", "it is false that", "it holds that", "it is true that", "if", ", then", "only if",
    "whenever", "that", "implies that", "in every case in which", "if and only if", "exactly when", "precisely if",
    "both", "either", "neither", "nor", "and", "or", ", and", ", or", ", or both", ", and also", ",", ";", "; and",
    "; or", "not", "both of these hold :", "these two are equivalent :", "these two are true or false together :",
    "these two have the same truth value :", "every", "each", "all", "any", "no", "some", "at least one", "not one", "there is",
    "there is no", "for every", "for each", "for at least one", "for some", "such that", "is", "is not",
    "is identical to", "is not identical to", "a contradiction holds", "there is a contradiction",
)  # fmt: skip
_WORD = re.compile(r"[^\s,;:.]+|[,;:.]")


class Lexeme(NamedTuple):
    """A phrase with its kind, its symbol ("" for the words of the grammar) and where it begins in the sentence."""

    kind: str
    symbol: str
    at: int
    text: str


def _grammar() -> dict[str, tuple[str, str]]:
    table = {one: (one, "") for one in GRAMMAR}
    table |= {
        "each": ("every", ""),
        "for each": ("for every", ""),
        "for at least one": ("for some", ""),
        "not one": ("no", ""),
    }
    for count in range(2, MAX_OPERANDS + 1):
        word = number_word(count)
        table[f"all {word} of these hold :"] = table[f"each of these {word} holds :"] = (f"all {count}", "")
        table[f"at least one of these {word} holds :"] = (f"one of {count}", "")
        table[f"one or more of these {word} hold :"] = (f"one of {count}", "")
    for level in range(MAX_LEVELS + 1):
        name = canonical_variable(level).upper()
        table[name] = (name, "")
    return table


def _lengths(phrases: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """First word -> numbers of words of the phrases that begin with it, the largest first."""
    found: dict[str, set[int]] = {}
    for phrase in phrases:
        words = phrase.split(" ")
        found.setdefault(words[0], set()).add(len(words))
    return {word: tuple(sorted(sizes, reverse=True)) for word, sizes in found.items()}


_TABLE = _grammar()
_LENGTHS = _lengths(_TABLE)


def words_of(text: str) -> list[str]:
    """The words and punctuation marks of a text."""
    return _WORD.findall(text)


def is_grammar(phrase: str) -> bool:
    """Whether a phrase is one of the grammar's own."""
    return phrase in _TABLE


class Lexer:
    """The phrases of one vocabulary.

    Args:
        lexemes: (phrase, kind, symbol) of every entry.
    """

    def __init__(self, lexemes: Iterable[tuple[str, str, str]]) -> None:
        self._table: dict[str, tuple[str, str]] = {}
        self._lengths: dict[str, tuple[int, ...]] = {}
        for phrase, kind, symbol in lexemes:
            self._table[phrase] = (kind, symbol)
            first, size = phrase.split(" ", 1)[0], phrase.count(" ") + 1
            known = self._lengths.get(first) or _LENGTHS.get(first, ())
            if size not in known:
                known = tuple(sorted((*known, size), reverse=True))
            self._lengths[first] = known

    def lexemes(self, sentence: str) -> list[Lexeme]:
        """The lexemes of a sentence that ends with a period; the first letter may be of either case.

        Raises:
            FormulaError: no period, or a word that is neither of the grammar nor of the vocabulary.
        """
        found = [(one.group(), one.start()) for one in _WORD.finditer(sentence)]
        if not found or found[-1][0] != ".":
            raise self.error(sentence, len(sentence.rstrip()), "a period at the end", "none")
        words = [word for word, _ in found]
        words.pop()
        lexemes: list[Lexeme] = []
        at, end = 0, len(words)
        while at < end:
            size, phrase, hit = self._longest(words, at, words[at], 0)
            if at == 0:  # its first letter may be of either case
                other = self._longest(words, 0, words[0][0].swapcase() + words[0][1:], size)
                size, phrase, hit = other if other[2] is not None else (size, phrase, hit)
            if hit is None:
                raise self._unknown(sentence, words, at, found[at][1])
            lexemes.append(Lexeme(hit[0], hit[1], found[at][1], phrase))
            at += size
        return lexemes

    def _longest(
        self, words: list[str], at: int, first: str, more_than: int
    ) -> tuple[int, str, tuple[str, str] | None]:
        """The longest phrase that begins at a word: its number of words, the phrase, its kind and symbol."""
        for size in self._lengths.get(first) or _LENGTHS.get(first, ()):
            if size <= more_than or at + size > len(words):
                continue
            phrase = first if size == 1 else " ".join([first, *words[at + 1 : at + size]])
            hit = self._table.get(phrase) or _TABLE.get(phrase)
            if hit is not None:
                return size, phrase, hit
        return 0, "", None

    def _unknown(self, sentence: str, words: list[str], at: int, position: int) -> FormulaError:
        rest = " ".join(words[at : at + 5])
        starts = (at, at - 1) if at else (at,)  # the word before may belong to it: "is kund"
        known = [*self._table, *GRAMMAR]
        sizes = {phrase.count(" ") + 1 for phrase in known}
        near: list[tuple[float, str]] = []
        for size in sizes:
            fits = [one for one in known if one.count(" ") + 1 == size]
            for text in (" ".join(words[start : start + size]) for start in starts[:size]):
                for one in difflib.get_close_matches(text, fits, n=1, cutoff=0.5):
                    near.append((difflib.SequenceMatcher(None, text, one).ratio(), one))
        hint = f"Nearest known words: {max(near)[1]!r}." if near else "Use the words of the problem."
        return self.error(sentence, position, "words of the controlled English or of this vocabulary", repr(rest), hint)

    @staticmethod
    def error(sentence: str, position: int, expected: str, got: str, hint: str | None = None) -> FormulaError:
        """The error for a sentence, at a character; of a long sentence the surroundings are shown."""
        shown = sentence.strip()
        if len(shown) > 240:
            start = max(0, position - 120)
            shown = f"{'...' if start else ''}{sentence[start : position + 120].strip()}..."
        return FormulaError(
            f"cannot read the sentence {shown!r} at character {position + 1}",
            expected=expected, got=got, hint=hint,
        )  # fmt: skip
