"""Random choices for the generator: the same on every version of Python, and cheap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import TypeVar

from custodiet.base.rng import python_rng

__all__ = ["Draws"]

T = TypeVar("T")


class Draws:
    """Choices from one named stream; built on `random.random()` alone, whose sequence Python keeps.

    Args:
        seed: the seed of the data set.
        path: names of the stream.
    """

    __slots__ = ("random",)

    def __init__(self, seed: int, *path: str | int) -> None:
        self.random = python_rng(seed, *path).random

    def below(self, num: int) -> int:
        """An integer in [0, num)."""
        return int(self.random() * num)

    def between(self, low: int, high: int) -> int:
        """An integer in [low, high]."""
        return low + int(self.random() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.random() < probability

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, each as likely as another."""
        return options[int(self.random() * len(options))]

    def shuffle(self, items: list) -> None:
        """Put a list into random order, in place (Fisher-Yates)."""
        draw = self.random
        for index in range(len(items) - 1, 0, -1):
            other = int(draw() * (index + 1))
            items[index], items[other] = items[other], items[index]

    def names(self, letters: str, rounds: int) -> Iterator[str]:
        """Names without end, each once: the letters with so many numbers in random order, then with further numbers."""
        mixed = [f"{letter}{turn}" if turn else letter for turn in range(rounds) for letter in letters]
        self.shuffle(mixed)
        yield from mixed
        for turn in count(rounds):
            yield from [f"{letter}{turn}" for letter in letters]

    def sample(self, options: Sequence[T], num: int) -> list[T]:
        """That many different options, in random order."""
        left = list(options)
        draw = self.random
        for index in range(num):
            other = index + int(draw() * (len(left) - index))
            left[index], left[other] = left[other], left[index]
        return left[:num]

    def weighted(self, options: Sequence[T], weights: Sequence[float]) -> T:
        """One of the options, as likely as its weight says."""
        at = self.random() * sum(weights)
        for option, weight in zip(options, weights, strict=True):
            at -= weight
            if at < 0.0:
                return option
        return options[-1]
