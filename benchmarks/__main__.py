"""``python -m benchmarks NAME [--json]``: run one benchmark, or ``all``."""

from __future__ import annotations

import argparse
import importlib
import json
import sys

from benchmarks.table import as_markdown, as_object, write_results

NAMES = ("extraction", "training", "start", "memory", "bits", "audit", "autodiff", "logic_mutants")


def main() -> int:
    """Run, print, and write the dated results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=(*NAMES, "all"))
    parser.add_argument("--json", action="store_true", help="print one JSON object per benchmark and no table")
    parser.add_argument("--no-write", action="store_true", help="leave benchmarks/results/ alone")
    options = parser.parse_args()
    rows = []
    for name in NAMES if options.name == "all" else (options.name,):
        print(f"{name} ...", file=sys.stderr, flush=True)
        rows += importlib.import_module(f"benchmarks.bench_{name}").run()
    found = as_object(options.name, rows)
    if not options.no_write:
        for path in write_results(found):
            print(path, file=sys.stderr)
    print(json.dumps(found, indent=2) if options.json else as_markdown(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
