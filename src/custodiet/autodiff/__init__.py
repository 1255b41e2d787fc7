"""Derivatives of plain Python programs: forward, reverse, of any order; imports no torch.

Every public name is resolved on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from custodiet.autodiff.api import explain, grad, hvp, jvp, stop_gradient, value_and_grad, vjp
    from custodiet.autodiff.batching import vmap
    from custodiet.autodiff.checking import CheckReport, check
    from custodiet.autodiff.checkpointing import checkpointed_loop
    from custodiet.autodiff.custom import checkpoint, custom_jvp, custom_vjp
    from custodiet.autodiff.dispatch import CompilerDefectWarning
    from custodiet.autodiff.jacobians import hessian, jacobian
    from custodiet.autodiff.stand_ins import math, numpy

_HOME = {
    "CheckReport": "custodiet.autodiff.checking",
    "CompilerDefectWarning": "custodiet.autodiff.dispatch",
    "check": "custodiet.autodiff.checking",
    "checkpoint": "custodiet.autodiff.custom",
    "checkpointed_loop": "custodiet.autodiff.checkpointing",
    "custom_jvp": "custodiet.autodiff.custom",
    "custom_vjp": "custodiet.autodiff.custom",
    "explain": "custodiet.autodiff.api",
    "grad": "custodiet.autodiff.api",
    "hessian": "custodiet.autodiff.jacobians",
    "hvp": "custodiet.autodiff.api",
    "jacobian": "custodiet.autodiff.jacobians",
    "jvp": "custodiet.autodiff.api",
    "math": "custodiet.autodiff.stand_ins",
    "numpy": "custodiet.autodiff.stand_ins",
    "stop_gradient": "custodiet.autodiff.api",
    "value_and_grad": "custodiet.autodiff.api",
    "vjp": "custodiet.autodiff.api",
    "vmap": "custodiet.autodiff.batching",
}

__all__ = [
    "CheckReport",
    "CompilerDefectWarning",
    "check",
    "checkpoint",
    "checkpointed_loop",
    "custom_jvp",
    "custom_vjp",
    "explain",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "math",
    "numpy",
    "stop_gradient",
    "value_and_grad",
    "vjp",
    "vmap",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'custodiet.autodiff' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
