"""The sweep back over a tape.

Adjoints of arrays are buffers. One that the sweep made and nobody else holds is its own: what comes later is added to it
in place, and reading and writing single elements updates it, so that a loop over elements costs what its steps cost. A
cotangent that was handed in, or that several places got (the two operands of a sum), is never written to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from custodiet.autodiff.arrays import TracedArray, cell_of
from custodiet.autodiff.core import traced
from custodiet.autodiff.rules.core import primal_of, scale

if TYPE_CHECKING:
    from custodiet.autodiff.tape import ReverseTrace

__all__ = ["MINUS", "ONE", "ZERO", "Sweep", "pull", "writable"]

ZERO = 0.0
"""The very object that says "no cotangent has come" (compared by identity)."""
ONE = float("1")
"""The very object that hands a cotangent on as it is (compared by identity; any other 1.0 multiplies)."""
MINUS = float("-1")
"""The same for a cotangent that changes its sign."""


def writable(number: Any) -> Any:
    """The adjoint of an array without axes, which came as a number."""
    return cell_of(number) if traced(number) else np.array(number)


class Sweep:
    """Adjoints during one sweep; `own[i]` where the buffer of place i may be changed in place."""

    __slots__ = ("adjoint", "guarded", "own")

    def __init__(self, size: int, guarded: bool) -> None:
        self.guarded = guarded
        self.adjoint: list[Any] = [ZERO] * size
        self.own = bytearray(size)

    def add(self, place: int, c: Any) -> None:
        now = self.adjoint[place]
        if now is ZERO:
            self.adjoint[place] = c
        elif self.own[place] and type(now) is np.ndarray and type(c) is np.ndarray and now.shape == c.shape:
            now += c
        else:
            self.adjoint[place] = now + c
            self.own[place] = 1

    def take(self, place: int, c: Any) -> None:
        """Add a plain array that nobody else holds."""
        now = self.adjoint[place]
        if now is ZERO:
            self.adjoint[place] = c
            self.own[place] = 1
        elif self.own[place] and type(now) is np.ndarray and now.shape == c.shape:
            now += c
        else:
            self.adjoint[place] = now + c
            self.own[place] = 1

    def buffer(self, place: int, shape: tuple[int, ...], dtype: Any, like: Any) -> Any:
        """The adjoint of an array as something to write into."""
        now = self.adjoint[place]
        if now is ZERO:
            now = np.zeros(shape, dtype)
        elif not isinstance(now, np.ndarray):
            now = writable(now)
        elif not self.own[place] or type(now) is not np.ndarray:
            now = now.copy()
        if type(now) is np.ndarray and traced(like):
            now = TracedArray(now, 0, None)
        self.adjoint[place] = now
        self.own[place] = 1
        return now

    def step(self, entry: list[Any], g: Any) -> None:
        """Hand on the cotangent of an operation on arrays, whatever it is and with the guard of `scale`."""
        if len(entry) == 3:
            a, slope, read = entry
            d, b, e = slope(read), 0, ZERO
        else:
            a, d, b, e = entry
        for parent, by in ((a, d), (b, e)):
            if not parent:
                continue
            if by is ONE:
                self.add(parent, g)
            elif type(g) is np.ndarray:
                self.take(parent, scale(g, by))
            else:
                self.add(parent, scale(g, by))


def pull(trace: ReverseTrace, seeds: list[tuple[int, Any]], wanted: list[int]) -> list[Any]:
    """Sweep back over a tape.

    Args:
        seeds: (place, cotangent) of the results; a place may occur more than once.
        wanted: places of the independent variables.

    Returns:
        One cotangent per wanted place; 0.0 where nothing came.
    """
    with np.errstate(all="ignore"):
        if not trace.custom:
            got = _sweep(trace, seeds, wanted, False)
            if all(map(_is_finite, got)):
                return got
        return _sweep(trace, seeds, wanted, True)


def _is_finite(g: Any) -> bool:
    plain = primal_of(g)
    total = plain.sum() if isinstance(plain, np.ndarray) else plain
    return total - total == 0.0


def _sweep(trace: ReverseTrace, seeds: list[tuple[int, Any]], wanted: list[int], guarded: bool) -> list[Any]:
    """One sweep back.

    Unguarded, numbers and the common array operations multiply without looking for a zero that met an infinity.
    Whatever that spoils stays NaN or is dropped on its way, so that it shows in the result, and then the guarded sweep
    is made. The rules themselves are always guarded. Both are written out here: a call per operation would cost more
    than what the call does.
    """
    entries = trace.entries
    start = max((place for place, _ in seeds), default=0)
    sweep = Sweep(max(start, *wanted, 0) + 1 if wanted else start + 1, guarded)
    adjoint, own = sweep.adjoint, sweep.own
    array, one, minus = np.ndarray, ONE, MINUS
    for place, g in seeds:
        if place:
            sweep.add(place, g)
    for place in range(start, 0, -1):
        g = adjoint[place]
        if g is ZERO:
            continue
        entry = entries[place]
        kind = type(entry)
        if kind is tuple:
            a, da, b, db = entry
            if not guarded and (type(g) is float or not traced(g)):
                if not g:
                    continue
                adjoint[a] += g * da
                if b:
                    adjoint[b] += g * db
            else:
                sweep.add(a, scale(g, da))
                if b:
                    sweep.add(b, scale(g, db))
        elif kind is list:
            adjoint[place] = ZERO
            if guarded or type(g) is not array:
                sweep.step(entry, g)
                continue
            if len(entry) == 3:
                a, slope, read = entry
                c = slope(read)
                c *= g
                mine, b, db = 1, 0, one
            else:
                a, da, b, db = entry
                if da is one:
                    c, mine = g, not b and own[place]
                else:
                    c, mine = -g if da is minus else g * da, 1
            while a:
                now = adjoint[a]
                if now is ZERO:
                    adjoint[a] = c
                    own[a] = mine
                elif own[a] and type(now) is array and now.shape == c.shape:
                    now += c
                else:
                    adjoint[a] = now + c
                    own[a] = 1
                a, b = b, 0
                if a:
                    if db is one:
                        c, mine = g, 0
                    else:
                        c, mine = -g if db is minus else g * db, 1
        elif entry is not None:
            entry.pull(g, sweep, place)
            adjoint[place] = ZERO
    return [adjoint[place] for place in wanted]
