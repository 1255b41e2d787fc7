"""The solvers that are not part of the base install, loaded when first needed."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

from custodiet.errors import MissingExtraError

__all__ = ["load"]


@cache
def load(module: str, package: str) -> Any:
    """The module of an optional package.

    Args:
        module: its name in Python, such as `pysat.solvers`.
        package: its name for pip.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"this needs the package {package}, which is not installed", hint="Run: pip install 'custodiet[logic]'"
        ) from error
