"""Train language models and find out what the training put into them.

Every public name is resolved on first use, so that importing the package imports neither torch nor NumPy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from custodiet._version import __version__

if TYPE_CHECKING:
    from custodiet.base.protocols import Generator, TargetScorer, TargetScores, TokenCodec
    from custodiet.base.stats import Estimate
    from custodiet.errors import CustodietError
    from custodiet.memorization.capacity.sweep import capacity
    from custodiet.memorization.forecast import forecast
    from custodiet.memorization.run import audit
    from custodiet.nn.compression import CompressionResult, compress, decompress
    from custodiet.nn.goldfish import GoldfishLoss, goldfish_mask
    from custodiet.nn.loading import LoadedModel, load_model
    from custodiet.records.audit import AuditRecord
    from custodiet.records.study import StudyRecord
    from custodiet.records.train import TrainRecord
    from custodiet.report.html import render_html
    from custodiet.report.markdown import render_markdown
    from custodiet.train.config import TrainConfig
    from custodiet.train.run import train

_HOME = {
    "AuditRecord": "custodiet.records.audit",
    "CompressionResult": "custodiet.nn.compression",
    "CustodietError": "custodiet.errors",
    "Estimate": "custodiet.base.stats",
    "Generator": "custodiet.base.protocols",
    "GoldfishLoss": "custodiet.nn.goldfish",
    "LoadedModel": "custodiet.nn.loading",
    "StudyRecord": "custodiet.records.study",
    "TargetScorer": "custodiet.base.protocols",
    "TargetScores": "custodiet.base.protocols",
    "TokenCodec": "custodiet.base.protocols",
    "TrainConfig": "custodiet.train.config",
    "TrainRecord": "custodiet.records.train",
    "audit": "custodiet.memorization.run",
    "capacity": "custodiet.memorization.capacity.sweep",
    "compress": "custodiet.nn.compression",
    "decompress": "custodiet.nn.compression",
    "forecast": "custodiet.memorization.forecast",
    "goldfish_mask": "custodiet.nn.goldfish",
    "load_model": "custodiet.nn.loading",
    "render_html": "custodiet.report.html",
    "render_markdown": "custodiet.report.markdown",
}

__all__ = [
    "AuditRecord",
    "CompressionResult",
    "CustodietError",
    "Estimate",
    "Generator",
    "GoldfishLoss",
    "LoadedModel",
    "StudyRecord",
    "TargetScorer",
    "TargetScores",
    "TokenCodec",
    "TrainConfig",
    "TrainRecord",
    "__version__",
    "audit",
    "capacity",
    "compress",
    "decompress",
    "forecast",
    "goldfish_mask",
    "load_model",
    "render_html",
    "render_markdown",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "train":  # the room is callable: see custodiet/train/__init__.py
        return import_module("custodiet.train")
    if name not in _HOME:
        raise AttributeError(f"module 'custodiet' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
