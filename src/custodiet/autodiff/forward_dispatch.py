"""Which path a forward derivative takes: native tangents from the second call of a function on, or at once where it runs long."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from custodiet.autodiff.compiler.entry import Trapped, read_program, signature_of
from custodiet.autodiff.compiler.forward_entry import CompiledTangent, compile_tangent
from custodiet.autodiff.compiler.frontend import Declined
from custodiet.autodiff.compiler.verify import copied
from custodiet.autodiff.compiler.verify_forward import verify_tangent
from custodiet.autodiff.core import traced
from custodiet.autodiff.dispatch import Crashed, State, tell_defect
from custodiet.autodiff.pytree import flatten
from custodiet.errors import DifferentiationError

__all__ = ["Forward", "native_forward", "runs_long", "state_of"]

LONG_S = 2e-3
"""a program that takes CPython longer is compiled at its first call: the interpreted path takes a hundred times as long"""
NUM_STATES = 256
_STATES: OrderedDict[int, tuple[Callable[..., Any], State]] = OrderedDict()
_LOCK = threading.Lock()


class Forward:
    """Results and derivatives of one native call.

    Attributes:
        values: leaves of the result.
        changes: of each its derivative, (*shape, K).
        entry: what made them; `entry.build` nests leaves as the function does.
    """

    __slots__ = ("changes", "entry", "values")

    def __init__(self, entry: CompiledTangent, values: list[Any], changes: list[NDArray[np.float64]]) -> None:
        self.entry, self.values, self.changes = entry, values, changes


def state_of(f: Callable[..., Any]) -> State:
    """What is kept for a function that has no wrapper of ours; of the least recently used ones nothing is."""
    with _LOCK:
        found = _STATES.get(id(f))
        if found is None:
            found = (f, State())  # holds the function, so that no other gets its id
            _STATES[id(f)] = found
            if len(_STATES) > NUM_STATES:
                _STATES.popitem(last=False)
        else:
            _STATES.move_to_end(id(f))
        return found[1]


def native_forward(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    places: tuple[int, ...],
    seeds: NDArray[np.float64] | None,
    mode: str,
    state: State,
    *,
    write_back: bool = False,
) -> Forward | None:
    """Run a function with tangents in native code; None where the interpreted path has to do it.

    Args:
        f: the function.
        args: its arguments.
        places: which are differentiated.
        seeds: directions (N, K), a row for each number in the differentiated arguments; None: the identity.
        mode: "auto" starts interpreted; "compile" compiles at once, or raises.
        state: what is kept between calls.
        write_back: arguments that the program writes into are changed, as in CPython.

    Raises:
        DifferentiationError: mode is "compile" and the function cannot be; the derivative differs from CPython's.
    """
    key = (signature_of(args), places, "forward")
    entry = state.compiled.get(key)
    if isinstance(entry, CompiledTangent) and not entry.still_valid():
        entry = None
    if entry is None:
        if any(traced(leaf) for leaf in flatten(args)[0]):
            return None
        if mode == "auto" and key not in state.seen:
            state.seen.add(key)
            if not runs_long(f, args, places):
                return None
        entry = state.compiled[key] = _compiled(f, args, places)
    if isinstance(entry, CompiledTangent):
        try:
            return _checked(f, entry, args, places, seeds, write_back)
        except Trapped:
            return None  # the interpreted path raises what CPython raises
        except Declined as declined:
            entry = state.compiled[key] = declined
    tell_defect(f, entry)
    if mode == "compile":
        name = getattr(f, "__name__", repr(f))
        raise DifferentiationError(f"{name} cannot be compiled: {entry}", hint='mode="auto" interprets it.') from None
    return None


def _compiled(f: Callable[..., Any], args: tuple[Any, ...], places: tuple[int, ...]) -> CompiledTangent | Declined:
    try:
        return compile_tangent(f, args, places)
    except Declined as declined:
        return declined
    except RecursionError:
        return Declined("its expressions nest deeper than the compiler can follow")
    except Exception as error:
        return Crashed(error)


def _checked(
    f: Callable[..., Any], entry: CompiledTangent, args: tuple[Any, ...], places: tuple[int, ...],
    seeds: NDArray[np.float64] | None, write_back: bool,
) -> Forward:  # fmt: skip
    checked = entry.verified_once and entry.verified == entry.all_blocks
    unknown = write_back and entry.writes and not checked
    before = copied(args) if unknown else args
    values, changes, entered = entry(args, seeds, write_back=write_back, with_values=not entry.only_changes)
    fresh = entered & ~entry.verified
    if fresh or not entry.verified_once:
        if entry.only_changes:
            values, _, _ = entry(before, seeds)
        after = args if write_back else None
        if verify_tangent(f, entry, before, after, places, seeds, values, changes, entry.where(fresh)):
            entry.verified |= entered
            entry.verified_once = True
    return Forward(entry, values, changes)


def runs_long(f: Callable[..., Any], args: tuple[Any, ...], places: tuple[int, ...]) -> bool:
    """Whether CPython alone needs so long that the first call is compiled; what cannot be compiled is not run."""
    try:
        read_program(f, args, places)
    except Declined:
        return False
    except Exception:  # a defect, which compiling tells
        return True
    begun = time.perf_counter()
    try:
        f(*copied(args))
    except Exception:  # the interpreted path raises it again, with its own message
        return False
    return time.perf_counter() - begun > LONG_S
