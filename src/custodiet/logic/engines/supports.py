"""Minimal sets of premises that entail a goal, for any engine that answers "do these premises entail it?"."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Supports", "all_supports_by", "minimal_support_by", "necessary_by"]

Entails = Callable[[Sequence[int]], bool]


@dataclass(frozen=True, slots=True)
class Supports:
    """Minimal sets of premises that entail a goal.

    Args:
        sets: each as 0-based numbers of premises in ascending order; shortest first, then by number.
        complete: whether these are all; False if the search met its budget.
        necessary: the premises that stand in every support, found by leaving out one at a time (also if incomplete).
    """

    sets: tuple[tuple[int, ...], ...]
    complete: bool
    necessary: tuple[int, ...]


def minimal_support_by(entails: Entails, numbers: Iterable[int]) -> tuple[int, ...] | None:
    """One support among these premises, by leaving out each that can be, the last first.

    Args:
        entails: whether the premises with these 0-based numbers entail the goal.
        numbers: the premises to choose from.

    Returns:
        Numbers in ascending order; None if all together do not entail the goal.
    """
    kept = sorted(numbers)
    if not entails(kept):
        return None
    for one in kept[::-1]:
        fewer = [other for other in kept if other != one]
        if entails(fewer):
            kept = fewer
    return tuple(kept)


def necessary_by(entails: Entails, num: int) -> tuple[int, ...]:
    """The premises, of `num`, without which the others do not entail the goal (which all together do)."""
    return tuple([one for one in range(num) if not entails([other for other in range(num) if other != one])])


def all_supports_by(
    minimal: Callable[[Sequence[int]], tuple[int, ...] | None], necessary: Iterable[int], num: int, *, budget: int = 500
) -> Supports:
    """Every support: whoever is not yet found lacks a premise of one that is.

    Args:
        minimal: one support among the premises with these numbers, None if there is none.
        necessary: the premises that every support has.
        num: how many premises there are.
        budget: sets of premises looked at; beyond it the answer is incomplete.

    Returns:
        The supports; none if the premises do not entail the goal.

    Reference:
        Reiter 1987, "A theory of diagnosis from first principles": the tree of sets that avoid what was found. There the
        hitting sets are wanted, here the conflicts.
    """
    needed = frozenset(necessary)
    found: dict[tuple[int, ...], None] = {}
    everything = frozenset(range(num))
    waiting = [everything]
    seen = {everything}
    complete = True
    while waiting:
        budget -= 1
        if budget < 0:
            complete = False
            break
        allowed = waiting.pop()
        support = next((one for one in found if allowed.issuperset(one)), None) or minimal(sorted(allowed))
        if support is None:
            continue
        found[support] = None
        for one in support:
            smaller = allowed - {one}
            if one not in needed and smaller not in seen:
                seen.add(smaller)
                waiting.append(smaller)
    return Supports(
        tuple(sorted(found, key=lambda one: (len(one), one))), complete, tuple(sorted(needed)) if found else ()
    )
