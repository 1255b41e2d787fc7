"""Bits: n-gram models, the studies on capacity and cross-entropy, the arithmetic coder, the capacity table where there is a GPU."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.bench_capacity_gpu import run as capacity_table_rows
from benchmarks.bits_coder import coder_rows
from benchmarks.bits_ngram import ngram_rows
from benchmarks.bits_studies import study_rows
from benchmarks.table import Row


def run() -> list[Row]:
    """The rows of this benchmark."""
    with tempfile.TemporaryDirectory() as name:
        rows = study_rows(Path(name))
        rows += coder_rows(Path(name) / "cross-entropy")
    return rows + ngram_rows() + capacity_table_rows()
