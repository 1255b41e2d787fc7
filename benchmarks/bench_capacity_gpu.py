"""The published capacity table on a GPU: wall time and slope, in both precisions.

``run`` trains both tables. ``python -m benchmarks.bench_capacity_gpu RECORD.json ...`` makes the rows, and the dated files, from
records that ``custodiet capacity-table`` wrote elsewhere, one precision each.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.table import Row, as_markdown, as_object, judge, write_results

if TYPE_CHECKING:
    from collections.abc import Sequence

    from custodiet.records.capacity_table import CapacityTableRecord

BUDGET_S = 600.0
BANDS = {"bfloat16": (3.3, 3.7), "float32": (3.6, 3.9)}
"""precision -> where the slope is expected, bits per parameter"""
PROMISE = "the number of steps is fixed from the measured time of a step, so that the table fits its budget"


def run() -> list[Row]:
    """The rows of this benchmark."""
    import torch

    if not torch.cuda.is_available():
        return rows_of([], why="not measured: torch sees no CUDA device here")
    from custodiet.memorization.capacity.table import capacity_table, table_config

    records = []
    with tempfile.TemporaryDirectory() as name:
        for precision in ("bfloat16", "float32"):
            config = table_config(precision=precision, device="cuda", budget_s=BUDGET_S)
            records.append(capacity_table(config, out=Path(name) / precision))
    return rows_of(records)


def rows_of(records: Sequence[CapacityTableRecord], *, why: str = "not measured") -> list[Row]:
    """Rows from the tables at hand; a precision without a table has a row without a value, and `why`."""
    by_precision = {record.precision: record for record in records}
    return [_wall_row(records, why), *(_slope_row(name, by_precision.get(name), why) for name in BANDS)]


def _wall_row(records: Sequence[CapacityTableRecord], why: str) -> Row:
    slowest = max(records, key=lambda one: one.elapsed_s, default=None)
    ours = None if slowest is None else slowest.elapsed_s
    return Row(
        name="capacity_table_wall_s",
        kind="absolute",
        ours=ours,
        unit="s",
        input="six cells 1x32 to 4x256, three models each" if slowest is None else _input(slowest),
        bar=BUDGET_S,
        better="lower",
        holds=None if ours is None else judge(ours, BUDGET_S, "lower"),
        reason=why if slowest is None else PROMISE,
    )


def _slope_row(precision: str, record: CapacityTableRecord | None, why: str) -> Row:
    low, high = BANDS[precision]
    found = None if record is None else record.slope_bits_per_param
    reason = why
    if record is not None and found is not None:
        reason = (
            f"interval {_show(found.low)} to {_show(found.high)} over {found.num} cells; mean over cells "
            f"{_show(record.mean_bits_per_param.value)}, published {record.published_mean_bits_per_param}"
        )
    ours = None if found is None else found.value
    return Row(
        name=f"capacity_table_slope_{precision}",
        kind="absolute",
        ours=ours,
        unit="bits per parameter",
        input="six cells 1x32 to 4x256, three models each" if record is None else _input(record),
        bar=low,
        better="higher",
        holds=None if ours is None else low <= ours <= high,
        reason=f"expected {low} to {high}; {reason}",
    )


def _input(record: CapacityTableRecord) -> str:
    cells = ", ".join(f"{cell.cell} ({cell.num_models} models, {cell.num_steps:,} steps)" for cell in record.cells)
    return f"{record.precision} on {record.environment.device}: {cells}"


def _show(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"


def main() -> int:
    """Rows from records that are named, or from training where none is."""
    from custodiet.records.capacity_table import CapacityTableRecord

    rows = rows_of([CapacityTableRecord.load(Path(one)) for one in sys.argv[1:]]) if sys.argv[1:] else run()
    found = as_object("capacity_gpu", rows)
    for path in write_results(found):
        print(path, file=sys.stderr)
    print(as_markdown(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
