"""LogicInference itself, where somebody has it: its own driver's function, with its own settings, in its own process.

The folder is `logic_inference_dataset` of the repository google-research/google-research. Nothing of it is here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.table import Row, ratio_row
from custodiet.base.workers import ONE_THREAD

NUM_PROBLEMS = 100
_PER_PROBLEM = 40  # as in its driver: 200,000 examples of 5,000 problems
_CODE = """
import contextlib, io, json, random, sys, time
folder, num_problems, num_examples, seed = sys.argv[1], *map(int, sys.argv[2:])
sys.path.insert(0, folder)
import rules, splits
with contextlib.redirect_stdout(io.StringIO()):
    rules.precompute_rules()
    random.seed(seed)
    start = time.process_time()
    parts = splits.generate_training_and_test_sets_iid(
        num_problems, 25, num_examples, 0.9,
        length_distribution=[0.425, 0.3, 0.2, 0.05, 0.025], answer_at_the_end=True)
    elapsed_s = time.process_time() - start
print(json.dumps([sum(map(len, parts)), elapsed_s]))
"""


class PeerError(Exception):
    """The folder does not hold the peer, or it fails."""


def peer_items_per_second(folder: Path, num_problems: int = NUM_PROBLEMS, seed: int = 0) -> float:
    """Examples of LogicInference in a second of CPU time, its rules precomputed before.

    Raises:
        PeerError: the folder is not that of the peer, or the program fails.
    """
    missing = [name for name in ("rules.py", "splits.py") if not (folder / name).is_file()]
    if missing:
        raise PeerError(f"{folder} has no {' and no '.join(missing)}")
    done = subprocess.run(
        [sys.executable, "-c", _CODE, str(folder.resolve()), str(num_problems), str(num_problems * _PER_PROBLEM), str(seed)],
        capture_output=True, text=True, env={**os.environ, **ONE_THREAD},
    )  # fmt: skip
    if done.returncode:
        raise PeerError(f"LogicInference fails: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    num, elapsed_s = json.loads(done.stdout.splitlines()[-1])
    return num / elapsed_s


def peer_row(ours: list[float], folder: Path | None, num_problems: int = NUM_PROBLEMS) -> Row:
    """Our five types over theirs; without the folder the row says so and holds nothing.

    Args:
        ours: items per second, one for each turn.
        folder: where LogicInference lies, if it does.
        num_problems: of the peer, in each turn.
    """
    try:
        if folder is None:
            raise PeerError("not given: --peer-dir FOLDER")
        theirs = [peer_items_per_second(folder, num_problems, seed) for seed in range(len(ours))]
    except PeerError as error:
        return Row(
            name="rate_vs_logicinference", kind="ratio", ours=None, unit="items/s", input="-", bar=10.0, better="higher",
            holds=None, reason=str(error),
        )  # fmt: skip
    return ratio_row(
        "rate_vs_logicinference",
        ours,
        theirs,
        unit="items/s",
        peer_version="LogicInference, IID split of its driver",
        input=f"the five types, ours with certificates; {num_problems} problems of theirs, {_PER_PROBLEM} examples each",
        bar=10.0,
        better="higher",
        reason="CPU time, rules precomputed, no files written",
    )
