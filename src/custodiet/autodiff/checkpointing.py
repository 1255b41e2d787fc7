"""Loops whose tape is too long to keep: binomial checkpointing (revolve).

`checkpointed_loop` keeps at most `snapshots` states and runs parts of the loop again on the way back. With c snapshots
and r repetitions beta(c, r) = (c + r)! / (c! r!) steps can be reversed, and l steps need r l - beta(c + 1, r - 1)
forward steps besides the l that are taped (Griewank and Walther 2000, ACM TOMS 26, Algorithm 799), r being the smallest
number with beta(c, r) >= l. The schedule here takes exactly that many.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from custodiet.autodiff.core import top_of, traced
from custodiet.autodiff.custom import call_on_tape, lower_nest
from custodiet.autodiff.engine import reached, reverse_call
from custodiet.autodiff.pytree import flatten, flatten_differentiable, same_structure
from custodiet.autodiff.tape import ReverseTrace
from custodiet.errors import DifferentiationError

__all__ = ["checkpointed_loop", "num_forward_steps", "revolve"]

Action = tuple[str, int, int]


def _beta(snapshots: int, repeats: int) -> int:
    return math.comb(snapshots + repeats, snapshots) if repeats >= 0 and snapshots >= 0 else 0


def _repeats(num_steps: int, snapshots: int) -> int:
    r = 0
    while _beta(snapshots, r) < num_steps:
        r += 1
    return r


def num_forward_steps(num_steps: int, snapshots: int) -> int:
    """Forward steps that reversing a loop takes, besides the taped ones: r l - beta(c + 1, r - 1)."""
    r = _repeats(num_steps, snapshots)
    return r * num_steps - _beta(snapshots + 1, r - 1)


def _split(num_steps: int, snapshots: int) -> int:
    """How far to go before the next snapshot."""
    r = _repeats(num_steps, snapshots)
    low = max(_beta(snapshots, r - 2), num_steps - _beta(snapshots - 1, r), 1)
    return min(low, num_steps - 1)


def revolve(num_steps: int, snapshots: int) -> Iterator[Action]:
    """The schedule, as actions on one current state and a stack of snapshots; snapshot 0 is taken at the start.

    Yields:
        ("restore", at, at): take the top snapshot, which is state `at`; ("advance", a, b): run steps a .. b - 1;
        ("keep", at, at): push the current state; ("tape", k, k + 1): run step k on a tape and carry the cotangent back
        through it; ("drop", at, at): pop the top snapshot.
    """
    stack, end, current = [0], num_steps, 0
    while end > 0:
        top = stack[-1]
        if current != top:
            yield ("restore", top, top)
            current = top
        free = snapshots - len(stack)
        if end - top == 1 or free == 0:
            if end - 1 > top:
                yield ("advance", top, end - 1)
            yield ("tape", end - 1, end)
            end -= 1
            current = -1
            if end == top:
                stack.pop()
                yield ("drop", top, top)
            continue
        reach = top + _split(end - top, free + 1)
        yield ("advance", top, reach)
        yield ("keep", reach, reach)
        stack.append(reach)
        current = reach


class _Loop:
    """One differentiated loop: the plain values it runs on, and its way back."""

    def __init__(
        self, step: Any, num_steps: int, snapshots: int, state: Any, args: tuple[Any, ...], moving: list[int]
    ) -> None:
        self.step = step
        self.num_steps = num_steps
        self.snapshots = snapshots
        self.start = state
        self.args = args
        self.moving = moving
        self.plain = not any(map(traced, flatten((state, args))[0]))
        self.first: tuple[Iterator[Action], list[Any], Any] | None = None

    def advance(self, state: Any, first: int, last: int) -> Any:
        for k in range(first, last):
            state = self.step(k, state, *self.args) if self.plain else reached(self.step, (k, state, *self.args), {})
        return state

    def tape(self, state: Any, k: int) -> Any:
        record = reverse_call(self.step, (k, state, *self.args), {}, (1, *(2 + j for j in self.moving)))
        same_structure(flatten(state)[1], record.out_structure, "the state that step returned")
        return record

    def until_tape(self, actions: Iterator[Action], stack: list[Any]) -> Any:
        """Follow the schedule up to the next taped step."""
        current: Any = _copied(stack[-1]) if stack else None
        for kind, a, b in actions:
            if kind == "restore":
                current = _copied(stack[-1])
            elif kind == "advance":
                current = self.advance(current, a, b)
            elif kind == "keep":
                stack.append(_copied(current))
            elif kind == "drop":
                stack.pop()
            else:
                return self.tape(current, a)
        return None

    def begin(self) -> tuple[Iterator[Action], list[Any], Any]:
        actions = revolve(self.num_steps, self.snapshots)
        stack = [_copied(self.start)]
        return actions, stack, self.until_tape(actions, stack)

    def back(self, cotangents: list[Any]) -> tuple[list[Any], list[list[Any]]]:
        """Cotangents of the initial state's leaves, and of the leaves of every moving argument."""
        actions, stack, record = self.first or self.begin()
        self.first = None
        totals: list[list[Any]] = [[] for _ in self.moving]
        while record is not None:
            nests = record.rebuild(record.back(cotangents))
            cotangents = flatten(nests[0])[0]
            for j, nest in enumerate(nests[1:]):
                leaves = flatten(nest)[0]
                totals[j] = [a + b for a, b in zip(totals[j], leaves, strict=True)] if totals[j] else leaves
            record = self.until_tape(actions, stack)
        return cotangents, totals


def _copied(tree: Any) -> Any:
    leaves, structure = flatten(tree)
    return structure.build([one.copy() if isinstance(one, np.ndarray) else one for one in leaves])


def checkpointed_loop(step: Callable[..., Any], state: Any, num_steps: int, *args: Any, snapshots: int = 20) -> Any:
    """`for k in range(num_steps): state = step(k, state, *args)`, differentiable with the memory of a few states.

    Args:
        step: takes the number of the step, the state and the extra arguments; returns the next state, a nest of floats
            and floating arrays like `state`. Whatever is differentiated must be among its arguments.
        state: the initial state.
        num_steps: at least 0.
        args: extra arguments, the same for every step; differentiable where they are floats, arrays or nests of them.
        snapshots: states kept at once, the initial one included; at least 1.

    Returns:
        The state after the last step. In reverse mode one step's tape exists at a time, and
        `num_forward_steps(num_steps, snapshots)` forward steps are taken besides the taped ones.

    Raises:
        DifferentiationError: num_steps or snapshots out of range, a step that uses traced values of its surroundings,
            or a step that changes the structure of the state.
    """
    if num_steps < 0 or snapshots < 1:
        raise DifferentiationError(
            "checkpointed_loop needs num_steps >= 0 and snapshots >= 1", got=(num_steps, snapshots)
        )
    leaves, _ = flatten((state, args))
    top = top_of(leaves)
    if num_steps == 0:
        return state
    if not isinstance(top, ReverseTrace):
        for k in range(num_steps):
            state = step(k, state, *args) if top is None else reached(step, (k, state, *args), {})
        return state
    flatten_differentiable(state, "state")
    moving = [j for j, one in enumerate(args) if any(traced(x) and x.t is top for x in flatten(one)[0])]
    for j in moving:
        flatten_differentiable(args[j], f"args[{j}]")
    loop = _Loop(step, num_steps, snapshots, lower_nest(state, top), lower_nest(args, top), moving)
    loop.first = loop.begin()
    parents = flatten(state)[0] + [x for j in moving for x in flatten(args[j])[0]]

    def back(cotangents: list[Any]) -> list[Any]:
        first, totals = loop.back(cotangents)
        return first + [x for one in totals for x in one]

    return call_on_tape(top, loop.first[2].value, parents, back, "checkpointed_loop")
