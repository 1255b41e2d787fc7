"""How fast problems are made: with text, every certificate and JSON, per core, and what more workers and items cost."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.table import Row, absolute_row, ratio_row
from custodiet.logic.generate.config import MATRIX, GenerateConfig
from custodiet.logic.generate.draws import Draws
from custodiet.logic.generate.items import ITEMS_PER_PROBLEM
from custodiet.logic.generate.source import draw_problem
from custodiet.logic.generate.stream import rows_of_problems

ROOT = Path(__file__).parents[1]
NUM_TIMED = 300  # problems
FIVE_TYPES = GenerateConfig(num=1, tasks=("logicinference",), logics=("propositional", "monadic"))
KNIGHTS = GenerateConfig(num=1, tasks=("knights-knaves",))
THEIR_SIZE = GenerateConfig(num=1, premises=(2, 4), depth=(1, 2))
"""premises as many as reasoning-gym's propositional_logic has by default"""
BARS = {"propositional": 3000.0, "monadic": 3000.0, "relational": 500.0}


def items_per_second(config: GenerateConfig, first: int = 0, num: int = NUM_TIMED) -> float:
    """Items of a configuration in a second of this process's CPU time."""
    start = time.process_time()
    rows_of_problems(config, range(first, first + num))
    return num * ITEMS_PER_PROBLEM / (time.process_time() - start)


def rate_rows(num: int = NUM_TIMED) -> list[Row]:
    """Items per second in each logic, of the five LogicInference types and of knights and knaves, best of five.

    Args:
        num: problems in each of the five turns.
    """
    everything = "labels, proofs, supports, models, JSON"
    usual = f"entailment, English, nonce words, 8-16 premises, depth 1-5; {everything}"
    wanted = [(logic, GenerateConfig(num=1, logics=(logic,)), BARS.get(logic), usual) for logic in MATRIX["entailment"]]
    wanted.append(("logicinference", FIVE_TYPES, 5000.0, f"the five types in their mix; {everything}"))
    wanted.append(("knights_knaves", KNIGHTS, None, f"knights and knaves, default settings; {everything}"))
    rows = []
    for name, config, bar, input in wanted:
        items_per_second(config, num=20)
        best = max(items_per_second(config, first=turn * num, num=num) for turn in range(5))
        rows.append(
            absolute_row(
                f"items_per_second_{name}",
                best,
                unit="items/s",
                input=input,
                bar=bar,
                better="higher",
                reason="process CPU time of one core, best of five",
            )
        )
    return rows


def five_types_per_second(turn: int, num: int = NUM_TIMED) -> float:
    """Items of the five LogicInference types in a second of CPU time; each turn has its own problems."""
    return items_per_second(FIVE_TYPES, first=turn * num, num=num)


def peer_rows(num: int = 100, num_peer: int = 600) -> list[Row]:
    """Against reasoning-gym's generators, alternating in this process; its items carry no certificates.

    Args:
        num: problems of ours in each turn.
        num_peer: entries of the peer in each turn.
    """
    try:
        import reasoning_gym
        from reasoning_gym import create_dataset
    except ImportError:
        return [
            _missing(name, "reasoning-gym is not installed")
            for name in (
                "rate_vs_reasoning_gym_propositional",
                "rate_vs_reasoning_gym_propositional_2_4_premises",
                "rate_vs_reasoning_gym_knights",
            )
        ]
    version = f"reasoning-gym {getattr(reasoning_gym, '__version__', '?')}"

    def theirs(name: str, seed: int) -> float:
        data = create_dataset(name, seed=seed, size=num_peer)
        start = time.process_time()
        for index in range(num_peer):
            data[index]
        return num_peer / (time.process_time() - start)

    vacuous = "23 % of its items have contradictory premises"
    pairs = (
        ("rate_vs_reasoning_gym_propositional", "propositional_logic", GenerateConfig(num=1), 1.0,
         f"ours with 8-16 premises, its own with 2-4; {vacuous}"),
        ("rate_vs_reasoning_gym_propositional_2_4_premises", "propositional_logic", THEIR_SIZE, 1.0,
         f"2-4 premises both; {vacuous}"),
        ("rate_vs_reasoning_gym_knights", "knights_knaves", KNIGHTS, 2.0, "default settings of both"),
    )  # fmt: skip
    rows = []
    for name, peer, config, bar, reason in pairs:
        items_per_second(config, num=20)
        measured = [(items_per_second(config, first=turn * num, num=num), theirs(peer, turn)) for turn in range(5)]
        rows.append(
            ratio_row(
                name,
                [one for one, _ in measured],
                [one for _, one in measured],
                unit="items/s",
                peer_version=version,
                input=f"{peer}; ours with certificates",
                bar=bar,
                better="higher",
                reason=reason,
            )
        )
    return rows


def _missing(name: str, why: str) -> Row:
    return Row(
        name=name, kind="ratio", ours=None, unit="items/s", input="-", bar=None, better="higher", holds=None, reason=why
    )


def worker_row(num: int = 100_000) -> Row:
    """Wall time of one worker over that of two."""
    ratios = []
    for turn in range(3):
        one, two = (_generate(num, workers, turn)[0] for workers in (1, 2))
        ratios.append(one / two)
    return absolute_row(
        "two_workers_speedup",
        statistics.median(ratios),
        unit="times",
        input=f"{num:,} items, start of the processes included, median of {len(ratios)}",
        bar=1.7,
        better="higher",
        threads=2,
        reason="wall time; the bytes are the same",
    )


def memory_row(num: int = 1_000_000) -> Row:
    """Peak memory of all processes that make a million items."""
    elapsed_s, peak_mib = _generate(num, 2, 0)
    return absolute_row(
        "peak_rss_mib_1m_items",
        peak_mib,
        unit="MiB",
        input=f"{num:,} items as JSONL, 2 workers, {elapsed_s:.0f} s",
        bar=300.0,
        better="lower",
        threads=2,
        reason="the largest process; what is kept does not grow with the number of items",
    )


def _generate(num: int, workers: int, seed: int) -> tuple[float, float]:
    """Wall seconds and peak MiB of `custodiet logic generate`."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "custodiet", "logic", "generate", "--num", str(num), "--seed", str(seed)]
        command += ["--workers", str(workers), "--out", f"{folder}/items.jsonl", "--quiet", "--json"]
        code = (
            "import resource, subprocess; "
            f"subprocess.run({command!r}, check=True, stdout=subprocess.DEVNULL); "
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        start = time.perf_counter()
        found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
        return time.perf_counter() - start, json.loads(found.stdout) / 1024


def latency_row(num: int = 200) -> Row:
    """The slowest of the deepest problems over the usual time of a shallow one."""
    deep = _times(GenerateConfig(num=1, depth=(12, 12), premises=(64, 64)), num)
    shallow = _times(GenerateConfig(num=1, depth=(3, 3)), num)
    p99, median = sorted(deep)[int(0.99 * num)], statistics.median(shallow)
    return absolute_row(
        "p99_depth_12_over_median_depth_3",
        p99 / median,
        unit="times",
        input=f"{num} propositional problems of 64 premises and depth 12; of 8-16 premises and depth 3",
        bar=20.0,
        better="lower",
        reason=f"p99 {p99 * 1e3:.1f} ms, median {median * 1e3:.2f} ms: no search stalls",
    )


def _times(config: GenerateConfig, num: int) -> list[float]:
    found = []
    for number in range(num + 10):
        start = time.process_time()
        draw_problem(config, Draws(0, "latency", number), "propositional")
        found.append(time.process_time() - start)
    return found[10:]
