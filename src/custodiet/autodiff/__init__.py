"""Derivatives of plain Python programs: forward, reverse, of any order; imports no torch.

Every public name is resolved on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "explain": "custodiet.autodiff.api",
    "grad": "custodiet.autodiff.api",
    "hvp": "custodiet.autodiff.api",
    "jvp": "custodiet.autodiff.api",
    "math": "custodiet.autodiff.stand_ins",
    "numpy": "custodiet.autodiff.stand_ins",
    "stop_gradient": "custodiet.autodiff.api",
    "value_and_grad": "custodiet.autodiff.api",
    "vjp": "custodiet.autodiff.api",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'custodiet.autodiff' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
