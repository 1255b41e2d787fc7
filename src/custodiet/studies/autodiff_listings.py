"""What study `autodiff` shows: one small program, its generated derivative, and the tape of the same call."""

from __future__ import annotations

import inspect
from typing import Any

from custodiet.autodiff.api import grad
from custodiet.autodiff.engine import reverse_call
from custodiet.records.study import Listing

__all__ = ["decay", "make_listings"]

ARGUMENTS = (0.1, 2.0)


def decay(rate, level):
    """A reaction of second order until 1 is left."""
    while level > 1.0:
        level = level - rate * level * level
    return level


def make_listings() -> list[Listing]:
    """The three texts."""
    rate, level = ARGUMENTS
    gradient = grad(decay, argnums=(0, 1))
    shown = ", ".join(f"{one:.6g}" for one in gradient(*ARGUMENTS))
    call = f"grad(decay, argnums=(0, 1))({rate}, {level})"
    return [
        Listing(title="The program", text=f"{inspect.getsource(decay)}\n\n>>> {call}\n({shown})"),
        Listing(title=f"The tape of {call}", text=_tape_text()),
        Listing(title="The generated derivative (grad(decay).source)", text=gradient.source_for(*ARGUMENTS)),
    ]


def _tape_text() -> str:
    """One line per entry: its place, and the partial derivatives in the places that it was computed from."""
    traces: list[Any] = []
    entries: list[Any] = []

    def keep(trace: Any) -> None:
        traces.append(trace)
        entries.append(trace.entries)

    record = reverse_call(decay, ARGUMENTS, {}, (0, 1), on_trace=keep)
    names = dict(zip(record.in_places, ("rate", "level"), strict=True))
    lines = []
    for place, entry in enumerate(entries[0]):
        if place in names:
            lines.append(f"{place:>3}  {names[place]}")
        elif isinstance(entry, tuple):
            parts = [f"d/d[{entry[at]}] = {entry[at + 1]:.6g}" for at in (0, 2) if entry[at]]
            lines.append(f"{place:>3}  {',  '.join(parts)}")
    (result,) = record.places
    lines += ["", f"The result is [{result}]. Back, place by place:", "  adjoint[a] += d/d[a] * adjoint[place]"]
    return "\n".join(lines)
