"""``python -m benchmarks NAME [--json]``: run one benchmark, or ``all``."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

from benchmarks.table import Row, as_markdown, as_object, write_results

NAMES = ("extraction", "training", "start", "memory", "bits", "audit", "autodiff", "logic")
PARTS = ("logic_mutants",)
"""what another benchmark runs too"""


def main() -> int:
    """Run, print, and write the dated results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=(*NAMES, *PARTS, "all"))
    parser.add_argument("--json", action="store_true", help="print one JSON object per benchmark and no table")
    parser.add_argument("--no-write", action="store_true", help="leave benchmarks/results/ alone")
    parser.add_argument("--peer-dir", type=Path, help="logic: folder of LogicInference, which is then timed too")
    parser.add_argument("--part", help="logic: one part only, whose results have a name of their own")
    parser.add_argument(
        "--small", action="store_true", help="logic: sizes that only show that every row works; not kept"
    )
    options = parser.parse_args()
    if options.name not in ("logic", "all") and (options.peer_dir or options.part or options.small):
        parser.error("--peer-dir, --part and --small are options of the benchmark logic")
    rows: list[Row] = []
    for name in NAMES if options.name == "all" else (options.name,):
        print(f"{name} ...", file=sys.stderr, flush=True)
        rows += _run(name, options)
    found = as_object(f"{options.name}-{options.part}" if options.part else options.name, rows)
    if not (options.no_write or options.small):
        for path in write_results(found):
            print(path, file=sys.stderr)
    print(json.dumps(found, indent=2) if options.json else as_markdown(found))
    return 0


def _run(name: str, options: argparse.Namespace) -> list[Row]:
    bench = importlib.import_module(f"benchmarks.bench_{name}")
    if name != "logic":
        return bench.run()
    return bench.run(options.peer_dir, bench.SMALL if options.small else bench.FULL, options.part)


if __name__ == "__main__":
    sys.exit(main())
