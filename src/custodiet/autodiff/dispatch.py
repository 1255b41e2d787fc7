"""Which path a derivative takes: the one seam between the public functions and the engines behind them."""

from __future__ import annotations

import threading
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from custodiet.autodiff.compiler.entry import CompiledGradient, Trapped, compile_gradient, signature_of
from custodiet.autodiff.compiler.fast_call import make_fast_call
from custodiet.autodiff.compiler.frontend import Declined
from custodiet.autodiff.compiler.verify import copied, verify_gradient
from custodiet.autodiff.core import traced
from custodiet.autodiff.engine import check_argnums, reverse_call
from custodiet.autodiff.pytree import flatten
from custodiet.autodiff.rules.core import primal_of
from custodiet.errors import DifferentiationError

__all__ = [
    "MODES", "CompilerDefectWarning", "Crashed", "Explanation", "State", "explain_call", "run_value_and_grad", "scalar_result",
    "tell_defect",
]  # fmt: skip

MODES = ("auto", "compile", "trace")
HOT_AFTER_S = 0.2
"""a first call that is still on the tape then is compiled meanwhile"""


class CompilerDefectWarning(RuntimeWarning):
    """The compiler failed on a program in a way that it should not; the derivative is the tape's, and right."""


class Crashed(Declined):
    """A program that the compiler failed on."""

    def __init__(self, error: Exception) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        where = f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
        super().__init__(f"compiler defect{where}: {type(error).__name__}: {error}")
        self.told = False


def tell_defect(f: Callable[..., Any], declined: Any) -> None:
    """Warn, once per program and types, where the compiler failed rather than declined."""
    if isinstance(declined, Crashed) and not declined.told:
        declined.told = True
        warnings.warn(
            f"{_name(f)} ran on the tape: {declined}. Please report the program.", CompilerDefectWarning, stacklevel=4
        )


class TapeStopped(BaseException):
    """Thrown into a recording that compiled code will replace; no user's `except Exception` catches it."""


@dataclass
class State:
    """What one wrapped function keeps between calls; compiled code is cached here."""

    calls: int = 0
    compiled: dict[Any, Any] = field(default_factory=dict)
    """signature -> CompiledGradient, or the reason why there is none"""
    seen: set[Any] = field(default_factory=set)
    fast: Callable[[tuple[Any, ...]], Any] | None = None
    """the short way for the last compiled signature"""
    fast_for: Any = None
    wide: bool = False
    """a Jacobian that had far more inputs than results"""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The path that a call takes and why."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def check_mode(mode: str) -> None:
    """Raise for a mode that does not exist."""
    if mode not in MODES:
        raise DifferentiationError("mode is not one of the modes", expected=MODES, got=mode)


def scalar_result(value: Any, f: Callable[..., Any]) -> None:
    """Raise unless a function returned one float."""
    plain = primal_of(value) if traced(value) else value
    if isinstance(plain, (float, np.floating)):
        return
    if isinstance(plain, np.ndarray) and plain.shape == () and plain.dtype.kind == "f":
        return
    got = f"an array of shape {plain.shape}" if isinstance(plain, np.ndarray) else type(plain).__name__
    name = getattr(f, "__name__", "the function")
    if isinstance(plain, np.ndarray):
        hint = "Return a single number, such as its sum, or use jacobian."
    elif isinstance(plain, tuple):
        hint = "With a second result that is not differentiated, pass has_aux=True."
    else:
        hint = "Return a float."
    raise DifferentiationError(
        f"{name} did not return a number that can be differentiated", expected="a float", got=got, hint=hint
    )


def run_value_and_grad(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    argnums: int | tuple[int, ...],
    has_aux: bool,
    mode: str,
    state: State,
) -> tuple[Any, Any]:
    """Value and gradient of one call.

    Returns:
        (value or (value, aux), gradient); the gradient in the nest of the argument, a tuple where argnums is one.
    """
    state.calls += 1
    if state.fast is not None and not kwargs:
        found = state.fast(args)
        if found is not None:
            return found
    check_mode(mode)
    places = check_argnums(argnums, args)
    if mode != "trace" and not kwargs and not any(map(_is_traced, args)):
        found = _run_compiled(f, args, places, has_aux, mode, state)
        if found is not None:
            value, gradients = found
            single = isinstance(argnums, int)
            if not has_aux:
                _take_short_way(args, places, state, single)
            return value, gradients[0] if single else tuple(gradients)
    elif mode == "compile" and kwargs:
        raise DifferentiationError('mode="compile" takes positional arguments', got=sorted(kwargs))
    return _run_tape(f, args, kwargs, argnums, places, has_aux, None)


def _take_short_way(args: tuple[Any, ...], places: tuple[int, ...], state: State, single: bool) -> None:
    """Have the next call with such arguments go to the compiled code at once."""
    entry = state.compiled.get((signature_of(args), places, False))
    if isinstance(entry, CompiledGradient) and entry.verified_once and entry is not state.fast_for:
        state.fast, state.fast_for = make_fast_call(entry, args, single), entry


def _run_tape(
    f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], argnums: int | tuple[int, ...],
    places: tuple[int, ...], has_aux: bool, on_trace: Callable[[Any], None] | None,
) -> tuple[Any, Any]:  # fmt: skip
    record = reverse_call(f, args, kwargs, places, has_aux, on_trace=on_trace)
    scalar_result(record.value, f)
    one = primal_of(record.value)
    seed: Any = 1.0 if isinstance(one, float) and not isinstance(one, np.floating) else np.ones_like(one)[()]
    if isinstance(one, np.ndarray):
        seed = np.ones_like(one)
    gradients = record.rebuild(record.back([seed]))
    value = (record.value, record.aux) if has_aux else record.value
    return value, gradients[0] if isinstance(argnums, int) else gradients


def _is_traced(value: Any) -> bool:
    if isinstance(value, float | int | np.ndarray):
        return traced(value)
    return any(traced(leaf) for leaf in flatten(value)[0])


def _run_compiled(
    f: Callable[..., Any], args: tuple[Any, ...], places: tuple[int, ...], has_aux: bool, mode: str, state: State
) -> tuple[Any, list[Any]] | None:
    """Through native code; None where the tape has to do it."""
    key = (signature_of(args), places, has_aux)
    entry = state.compiled.get(key)
    if isinstance(entry, CompiledGradient) and not entry.still_valid():
        entry = state.compiled[key] = None
    if entry is None:
        if mode == "auto" and key not in state.seen:
            state.seen.add(key)
            return _first_call(f, args, places, has_aux, state, key)
        entry = state.compiled[key] = _compiled(f, args, places, has_aux)
    if isinstance(entry, Declined):
        tell_defect(f, entry)
        if mode == "compile":
            hint = 'mode="auto" takes the tape.'
            raise DifferentiationError(f"{_name(f)} cannot be compiled: {entry}", hint=hint) from None
        return None
    try:
        return _call_checked(f, entry, args, places, has_aux)
    except Trapped:
        return None  # the tape raises what CPython raises


def _compiled(
    f: Callable[..., Any], args: tuple[Any, ...], places: tuple[int, ...], has_aux: bool
) -> CompiledGradient | Declined:
    """Compile, or the reason why not."""
    try:
        return compile_gradient(f, args, places, has_aux=has_aux)
    except Declined as declined:
        return declined
    except RecursionError:
        return Declined("its expressions nest deeper than the compiler can follow")
    except (
        Exception
    ) as error:  # a defect of the compiler is no reason to fail, and none to be silent: see `tell_defect`
        return Crashed(error)


def _first_call(
    f: Callable[..., Any], args: tuple[Any, ...], places: tuple[int, ...], has_aux: bool, state: State, key: Any
) -> tuple[Any, list[Any]] | None:
    """The tape, unless it runs long: then a second thread compiles meanwhile, and the tape stops once that is done."""
    traces: list[Any] = []
    done = threading.Event()

    def compile_meanwhile() -> None:
        found = _compiled(f, args, places, has_aux)
        state.compiled[key] = found
        if isinstance(found, CompiledGradient) and traces and not done.is_set():
            traces[0].stop(TapeStopped)

    timer = threading.Timer(HOT_AFTER_S, compile_meanwhile)
    timer.daemon = True
    timer.start()
    try:
        value, gradients = _run_tape(f, args, {}, places, places, has_aux, traces.append)
        return value, list(gradients)
    except TapeStopped:
        entry = state.compiled[key]
        try:
            return _call_checked(f, entry, args, places, has_aux)
        except Trapped:
            return None
    finally:
        done.set()
        timer.cancel()


def _call_checked(
    f: Callable[..., Any], entry: CompiledGradient, args: tuple[Any, ...], places: tuple[int, ...], has_aux: bool
) -> tuple[Any, list[Any]]:
    checked = entry.verified_once and entry.verified == entry.all_blocks
    before = copied(args) if entry.writes and not checked else args
    value, gradients, entered = entry(args)
    if entered & ~entry.verified or not entry.verified_once:
        plain = value[0] if has_aux else value
        scalar_result(plain, f)
        if verify_gradient(f, before, args, places, has_aux, value, gradients, entry.where(entered & ~entry.verified)):
            entry.verified |= entered
            entry.verified_once = True
    return value, gradients


def _name(f: Callable[..., Any]) -> str:
    return getattr(f, "__name__", repr(f))


def explain_call(f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], mode: str) -> Explanation:
    """The path that `grad(f, mode=mode)(*args)` takes and why."""
    check_mode(mode)
    if mode == "trace":
        return Explanation(path="trace", reason='mode="trace" was asked for')
    if kwargs:
        return Explanation(path="trace", reason="keyword arguments are not compiled")
    if any(map(_is_traced, args)):
        return Explanation(path="trace", reason="an outer derivative follows the arguments")
    places = tuple(place for place, one in enumerate(args) if _has_floats(one))
    found = _compiled(f, args, places, False)
    if isinstance(found, Declined):
        tell_defect(f, found)
        return Explanation(path="trace", reason=str(found))
    reason = f"compiled for {len(found.program.params)} numbers and arrays, {found.num_blocks} basic blocks"
    if mode == "auto":
        reason += "; from the second call on, or once the first one runs long"
    return Explanation(path="compile", reason=reason)


def _has_floats(value: Any) -> bool:
    try:
        leaves = flatten(value)[0]
    except DifferentiationError:
        return False
    return any(isinstance(one, float) or (isinstance(one, np.ndarray) and one.dtype.kind == "f") for one in leaves)
