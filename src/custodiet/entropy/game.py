"""The state of Shannon's guessing game, whoever plays it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from custodiet.base.rng import numpy_rng
from custodiet.entropy.english import ALPHABET
from custodiet.entropy.guessing import letter_ids
from custodiet.errors import TooFewSamplesError, UsageError

__all__ = ["GuessingGame"]

FEWEST_BEFORE = 100
"""letters before the first that is asked for, where the text has them: Shannon's longest context"""


class GuessingGame:
    """Guess the next letter until it is right, then the one after.

    Args:
        text: any text; it is read in the alphabet of 27.
        num_letters: letters to guess at most.
        seed: seed of the place where the game starts.

    Raises:
        TooFewSamplesError: the text has fewer than 2 letters.
        UsageError: `num_letters` is below 1.
    """

    def __init__(self, text: str, *, num_letters: int, seed: int) -> None:
        if num_letters < 1:
            raise UsageError("--num-letters is too small", expected="at least 1", got=num_letters)
        self.ids = letter_ids(text)
        if len(self.ids) < 2:
            raise TooFewSamplesError("the text is too short for the game", expected="2 letters", got=len(self.ids))
        self.num_letters = min(num_letters, len(self.ids) - 1)
        last = len(self.ids) - self.num_letters
        first = min(FEWEST_BEFORE, last)
        self.start = int(numpy_rng(seed, "guessing-game").integers(first, last + 1))
        self._by_frequency = np.argsort(-np.bincount(self.ids, minlength=len(ALPHABET)), kind="stable").tolist()
        self._ranks: list[int] = []
        self.tried: set[str] = set()

    @property
    def ranks(self) -> NDArray[np.int64]:
        """Guesses that each letter took so far."""
        return np.array(self._ranks, dtype=np.int64)

    @property
    def over(self) -> bool:
        """Whether every letter has been guessed."""
        return len(self._ranks) == self.num_letters

    @property
    def next_letter(self) -> str:
        """The letter that is asked for."""
        return ALPHABET[int(self.ids[self.start + len(self._ranks)])]

    def shown(self, num: int) -> str:
        """The last `num` letters before the one that is asked for."""
        end = self.start + len(self._ranks)
        return "".join(ALPHABET[token] for token in self.ids[max(0, end - num) : end].tolist())

    def guess(self, letter: str) -> bool:
        """Try a letter; one that was tried before costs nothing and is wrong again.

        Raises:
            UsageError: not one letter of the alphabet.
        """
        if len(letter) != 1 or letter not in ALPHABET:
            raise UsageError("a guess is one letter", expected="a to z or the space", got=repr(letter))
        if letter != self.next_letter:
            self.tried.add(letter)
            return False
        self._ranks.append(len(self.tried) + 1)
        self.tried = set()
        return True

    def give_up(self) -> str:
        """Reveal the letter; it counts as if the letters left were guessed in the order of their frequency in the text."""
        letter = self.next_letter
        for token in self._by_frequency:
            if ALPHABET[token] not in self.tried and self.guess(ALPHABET[token]):
                break
        return letter
