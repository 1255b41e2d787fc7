"""Reverse mode by recording: the tape.

The tape is a list. An operation on numbers is a tuple `(place of a, d/da, place of b, d/db)`, a common one on arrays a
list of the same four or of three (`array_fast`); anything else is a small object that knows how to hand its cotangent
on. Place 0 is nobody's. `sweep` goes back over it.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from custodiet.autodiff.arrays import TracedArray
from custodiet.autodiff.core import Trace, fail, operands, run_primal, traced
from custodiet.autodiff.floats import TracedFloat
from custodiet.autodiff.rules.core import Rule, dtype_of, scale, shape_of, unbroadcast
from custodiet.autodiff.rules.indexing import freeze_index, index_add, is_advanced, winning_writes
from custodiet.autodiff.sweep import ZERO, Sweep, writable

__all__ = ["ReverseTrace"]

_BIG = 4096


_STOPPING = threading.Lock()


class _Stopped(list[Any]):
    def __init__(self, error: type[BaseException]) -> None:
        super().__init__()
        self.error = error

    def append(self, item: Any) -> None:
        raise self.error


class _Closed(list[Any]):
    def append(self, item: Any) -> None:
        fail(
            "a traced value was used after the derivative that it belonged to was finished",
            hint="Return what is needed from the function (has_aux=True) instead of keeping it in an object.",
        )


def _ghost(x: Any) -> Any:
    """Shape and dtype of an array whose values no rule reads, without its memory."""
    if isinstance(x, np.ndarray) and not traced(x) and x.size > _BIG:
        return np.broadcast_to(np.zeros((), x.dtype), x.shape)
    return x


_OUT = 1 << 60
_NEEDS: dict[str, tuple[Rule, tuple[int, ...]]] = {}


def _needs(rule: Rule) -> tuple[int, ...]:
    """Per argument, a bit set of the values that its vjp reads: bit k for argument k, `_OUT` for the result."""
    known = _NEEDS.get(rule.name)
    if known is None or known[0] is not rule:
        sets = tuple(sum(_OUT if one == "out" else 1 << int(one) for one in said) for said in rule.reads)
        known = _NEEDS[rule.name] = (rule, sets)
    return known[1]


def _held(one: Any, trace: Trace, needed: bool) -> Any:
    """An operand one level further out, safe against later writes if a rule will read it."""
    kind = type(one)
    if kind is TracedArray:
        t = one.t
        if t is trace or t is None:
            return one.keep() if needed else one._v
        return one.snapshot()
    if kind is TracedFloat:
        return one.v if one.t is trace else one
    if isinstance(one, np.ndarray) and not traced(one):
        if isinstance(one, (np.ma.MaskedArray, np.matrix)):
            fail(f"{kind.__name__} is not differentiated", hint="Use plain arrays, and np.where with a mask.")
        if needed and one.flags["W"]:
            return one.copy()  # the caller may change it before the sweep back
    return one


class _Node:
    """A primitive: its rule, the values that the rule may read, and the places of its operands."""

    __slots__ = ("args", "kwargs", "out", "parents", "rule")

    def __init__(self, rule: Rule, args: Any, kwargs: Any, out: Any, parents: Any) -> None:
        self.rule = rule
        self.args = args
        self.kwargs = kwargs
        self.out = out
        self.parents = parents

    def pull(self, g: Any, sweep: Sweep, place: int) -> None:
        rule = self.rule
        for k, parent in self.parents:
            if rule.variadic:
                c = rule.vjps[0](g, self.out, k, *self.args, **self.kwargs)  # type: ignore[misc]
            else:
                c = rule.vjps[k](g, self.out, *self.args, **self.kwargs)  # type: ignore[misc]
            sweep.add(parent, c)


class _Sum:
    """A number computed from many numbers."""

    __slots__ = ("parents",)

    def __init__(self, parents: Any) -> None:
        self.parents = parents

    def pull(self, g: Any, sweep: Sweep, place: int) -> None:
        for parent, d in self.parents:
            sweep.add(parent, scale(g, d))


class _Get:
    """`x[key]`."""

    __slots__ = ("advanced", "dtype", "key", "parent", "shape")

    def __init__(self, parent: int, key: Any, shape: tuple[int, ...], dtype: Any, advanced: bool) -> None:
        self.parent = parent
        self.key = key
        self.shape = shape
        self.dtype = dtype
        self.advanced = advanced

    def pull(self, g: Any, sweep: Sweep, place: int) -> None:
        buffer = sweep.buffer(self.parent, self.shape, self.dtype, g)
        if not self.advanced:
            buffer[self.key] += g
        elif type(buffer) is np.ndarray:
            np.add.at(buffer, self.key, g)
        else:
            sweep.adjoint[self.parent] = buffer + index_add(g, self.shape, self.key)


class _Set:
    """`x[key] = value`: the version after the write."""

    __slots__ = ("base", "key", "like", "value", "won")

    def __init__(self, base: int, key: Any, value: int, like: Any, won: Any) -> None:
        self.base = base
        self.key = key
        self.value = value
        self.like = like
        self.won = won

    def pull(self, g: Any, sweep: Sweep, place: int) -> None:
        if not isinstance(g, np.ndarray):
            g = writable(g)
        elif not sweep.own[place]:
            g = g.copy()
        sweep.adjoint[place] = ZERO
        if self.value:
            part = g[self.key]
            part = part.copy() if isinstance(part, np.ndarray) else part  # also a view without axes
            if self.won is not None:
                part = np.where(self.won, part, 0.0)
            sweep.add(self.value, unbroadcast(part, self.like))
        if self.base:
            g[self.key] = 0.0
            if sweep.adjoint[self.base] is ZERO:
                sweep.adjoint[self.base] = g
                sweep.own[self.base] = 1
            else:
                sweep.add(self.base, g)


class _Part:
    """One of several results of a primitive."""

    __slots__ = ("count", "index", "parent")

    def __init__(self, parent: int, index: int, count: int) -> None:
        self.parent = parent
        self.index = index
        self.count = count

    def pull(self, g: Any, sweep: Sweep, place: int) -> None:
        now = sweep.adjoint[self.parent]
        parts = [ZERO] * self.count if now is ZERO else now
        parts[self.index] = g if parts[self.index] is ZERO else parts[self.index] + g
        sweep.adjoint[self.parent] = parts


class _Many:
    """A primitive with several results: fills in zeros for those without a cotangent, then goes on as a node."""

    __slots__ = ("node", "outs")

    def __init__(self, node: Any, outs: Any) -> None:
        self.node = node
        self.outs = outs

    def pull(self, g: Any, sweep: Sweep, place: int) -> None:
        full = [
            (np.zeros(shape_of(o), dtype_of(o)) if shape_of(o) else 0.0) if c is ZERO else c
            for c, o in zip(g, self.outs, strict=True)
        ]
        self.node.pull(tuple(full), sweep, place)


class _Call:
    """A function with a derivative of its own (custom_vjp, checkpoint): `back(g)` gives one cotangent per parent."""

    __slots__ = ("back", "parents")

    def __init__(self, back: Any, parents: Any) -> None:
        self.back = back
        self.parents = parents

    def pull(self, g: Any, sweep: Sweep, place: int) -> None:
        for parent, c in zip(self.parents, self.back(g), strict=True):
            if parent and c is not None:
                sweep.add(parent, c)


class ReverseTrace(Trace):
    """A tape."""

    __slots__ = ("custom", "entries", "spaces")

    def __init__(self) -> None:
        super().__init__()
        self.spaces: dict[Any, Any] = {}
        """(shape, dtype) -> what `array_fast` knows its arrays by"""
        self.custom = False
        """a derivative written by the user is on the tape: it must not see what an unguarded sweep may spoil"""
        self.entries: list[Any] = [None]

    def lift(self, value: Any) -> Any:
        """A new independent variable with this value."""
        place = self.push(None)
        if isinstance(value, np.ndarray):
            handle = TracedArray(value, place, self)
            if type(value) is TracedArray:
                handle.v = value.snapshot()
            handle.shared = True
            return handle
        return TracedFloat(value, place, self)

    def push(self, entry: Any) -> int:
        """Append an entry; its place."""
        place = len(self.entries)
        self.entries.append(entry)
        return place

    def close(self) -> None:
        """No more recording: whoever still holds a value of this tape gets a clear error.

        Raises:
            BaseException: the tape was stopped, and the program went on as if it had not been told.
        """
        with _STOPPING:
            entries = self.entries
            if isinstance(entries, _Stopped):
                raise entries.error
            self.entries = _Closed(entries)

    def stop(self, error: type[BaseException]) -> None:
        """The next operation that is recorded raises `error`; may be called from another thread, also when all is recorded."""
        with _STOPPING:
            if not isinstance(self.entries, _Closed):
                self.entries = _Stopped(error)

    def wrap(self, out: Any, place: int) -> Any:
        """A result at a place."""
        if isinstance(out, np.ndarray):
            return TracedArray(out, place, self)
        return TracedFloat(out, place, self)

    def scalar(self, out: Any, args: tuple[Any, ...], partials: tuple[Any, ...]) -> Any:
        pairs = []
        for one, d in zip(args, partials, strict=False):
            if getattr(one, "t", None) is self and traced(one):
                if d is None:
                    fail("not differentiable in that argument", hint="Pass a plain value: stop_gradient(x).")
                pairs.append((one.i, d))
        if len(pairs) == 1:
            (a, da), b, db = pairs[0], 0, 0.0
        elif len(pairs) == 2:
            (a, da), (b, db) = pairs
        else:
            return TracedFloat(out, self.push(_Sum(tuple(pairs))), self)
        return TracedFloat(out, self.push((a, da, b, db)), self)

    def getitem(self, handle: TracedArray, key: Any) -> Any:
        """`handle[key]`."""
        out = handle.v[key]
        advanced = is_advanced(key)
        place = self.push(
            _Get(handle.i, freeze_index(key) if advanced else key, handle.v.shape, handle.v.dtype, advanced)
        )
        return self.wrap(out, place)

    def store(self, handle: TracedArray, key: Any, value: Any) -> None:
        if handle.t is self:
            base, below = handle.i, handle.v
        elif handle.t is None:
            base, below = 0, handle.v
        else:
            base, below = 0, TracedArray(handle.v, handle.i, handle.t)
            below.shared = handle.shared
        value_place, like, inner = 0, None, value
        if traced(value) and value.t is self:
            value_place, inner = value.i, value.v
            like = _ghost(inner)
        if type(below) is np.ndarray and traced(inner):
            below = TracedArray(below, 0, None)
        below[key] = inner
        won = winning_writes(shape_of(below), key) if value_place else None
        frozen = freeze_index(key)
        handle.v, handle.t = below, self
        handle.i = self.push(_Set(base, frozen, value_place, like, won))

    def process(self, rule: Rule, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        values = operands(rule, args)
        parents, arrays = [], False
        read = _OUT | ~0 if rule.variadic else 0
        needs = _needs(rule)
        for k, one in enumerate(values):
            kind = type(one)
            if kind is TracedArray:
                arrays = True
            elif kind is not TracedFloat:
                arrays = arrays or isinstance(one, np.ndarray)
                continue
            if one.t is self:
                if rule.variadic:
                    parents.append((k, one.i))
                    continue
                if k >= len(rule.vjps) or rule.vjps[k] is None:
                    fail(f"{rule.name} is not differentiable in argument {k}", hint="Pass stop_gradient(x) there.")
                parents.append((k, one.i))
                read |= needs[k]
        kept = tuple([_held(one, self, bool(read >> k & 1)) for k, one in enumerate(values)])
        if rule.variadic:
            kept = (*args[: rule.spread], *kept) if rule.spread else (list(kept), *args[1:])
        out = run_primal(rule, kept, kwargs)
        if not arrays and not rule.variadic and not isinstance(out, (np.ndarray, tuple)):
            return self._number(rule, out, kept, kwargs, parents)
        return self._record(rule, out, kept, kwargs, parents, read)

    def _number(self, rule: Rule, out: Any, args: Any, kwargs: Any, parents: Any) -> Any:
        """A primitive of numbers: take its partial derivatives now."""
        with np.errstate(all="ignore"):
            pairs = tuple((place, rule.vjps[k](1.0, out, *args, **kwargs)) for k, place in parents)  # type: ignore[misc]
        if len(pairs) == 1:
            return TracedFloat(out, self.push((*pairs[0], 0, 0.0)), self)
        if len(pairs) == 2:
            return TracedFloat(out, self.push((*pairs[0], *pairs[1])), self)
        return TracedFloat(out, self.push(_Sum(pairs)), self)

    def _record(self, rule: Rule, out: Any, args: Any, kwargs: Any, parents: Any, read: int) -> Any:
        if not rule.variadic:
            args = tuple([one if read >> k & 1 else _ghost(one) for k, one in enumerate(args)])
        if isinstance(out, tuple):
            place = self.push(_Many(_Node(rule, args, kwargs, tuple(out), parents), tuple(out)))
            parts = [self.wrap(one, self.push(_Part(place, k, len(out)))) for k, one in enumerate(out)]
            for one in parts:
                if one._is_array_:
                    one.shared = True
            return type(out)(*parts) if hasattr(out, "_fields") else tuple(parts)
        keep_out = bool(read & _OUT)
        result = self.wrap(out, self.push(_Node(rule, args, kwargs, out if keep_out else _ghost(out), parents)))
        if keep_out and result._is_array_:
            result.shared = True
        return result

    def call_many(self, outs: list[Any], parents: list[Any], back: Any) -> list[Any]:
        """Results whose cotangents go to `parents` (traced values or plain ones) through `back(cotangents)`."""
        self.custom = True
        places = [one.i if traced(one) and one.t is self else 0 for one in parents]
        place = self.push(_Many(_Call(back, places), tuple(outs)))
        made = [self.wrap(one, self.push(_Part(place, k, len(outs)))) for k, one in enumerate(outs)]
        for one in made:
            if one._is_array_:
                one.shared = True
        return made
