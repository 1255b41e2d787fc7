"""The room `logic`: are labels and proofs right, can labels be guessed, and how fast is all of it?

Every bar has a row. The full sizes take about an hour on one quiet core; `SMALL` makes every row in a minute or two, and
says nothing but that it works.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import bench_logic_mutants, logic_peer, logic_rates
from benchmarks.logic_english import NUM_ITEMS, NUM_Z3, english_rows
from benchmarks.table import Row, absolute_row
from custodiet.logic.generate.config import GenerateConfig
from custodiet.logic.generate.stream import generate_data_set
from custodiet.logic.shortcuts.audit import audit_shortcuts_of_file

MAX_EXCESS_POINTS = 2.0


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much of everything."""

    num_english: int = NUM_ITEMS
    num_z3: int = NUM_Z3
    """of each logic"""
    num_mutants: int = bench_logic_mutants.NUM_PER_KIND
    num_oracle: int = bench_logic_mutants.NUM_Z3
    """lines of mutants whose verdict z3 is asked for"""
    num_kernel: int = 2_000
    """proofs in each language that the kernel is timed with"""
    num_attacked: int = 20_000
    num_control: int = 6_000
    num_timed: int = logic_rates.NUM_TIMED
    """problems"""
    num_peer: int = 600
    """entries of reasoning-gym in each turn"""
    num_peer_problems: int = logic_peer.NUM_PROBLEMS
    num_for_workers: int = 100_000
    num_in_memory: int = 1_000_000
    num_latencies: int = 200


FULL = Sizes()
SMALL = Sizes(
    num_english=120, num_z3=24, num_mutants=4, num_oracle=10, num_kernel=20, num_attacked=120, num_control=150, num_timed=4,
    num_peer=20, num_peer_problems=2, num_for_workers=2_400, num_in_memory=2_400, num_latencies=3,
)  # fmt: skip


def run(peer_dir: Path | None = None, sizes: Sizes = FULL, only: str | None = None) -> list[Row]:
    """The rows, one part after another.

    Args:
        peer_dir: folder of LogicInference; without it that row has no value.
        sizes: how much of everything.
        only: name of one part.

    Raises:
        KeyError: there is no such part.
    """
    found: list[Row] = []
    for name in PARTS if only is None else (only,):
        found += PARTS[name](sizes, peer_dir)
        print(f"  {name}: " + "; ".join(f"{one.name} {one.ours}" for one in found[-3:]), flush=True)
    return found


def _english(sizes: Sizes, peer_dir: Path | None) -> list[Row]:
    return english_rows(sizes.num_english, sizes.num_z3)


def _mutants(sizes: Sizes, peer_dir: Path | None) -> list[Row]:
    return bench_logic_mutants.run(sizes.num_mutants, sizes.num_oracle, sizes.num_kernel)


def _shortcuts(sizes: Sizes, peer_dir: Path | None) -> list[Row]:
    return [
        attacked_row("shortcut_excess_points", GenerateConfig(num=sizes.num_attacked, seed=2), MAX_EXCESS_POINTS),
        replace(
            attacked_row(
                "shortcut_excess_points_without_balance",
                GenerateConfig(num=sizes.num_control, seed=2, balanced=False),
                None,
            ),
            reason="the control: the same rules without balance",
        ),
    ]


def attacked_row(name: str, config: GenerateConfig, bar: float | None) -> Row:
    """Points of the strongest attacker over the majority; judged by the value, the interval is told."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "items.jsonl"
        generate_data_set(config, path)
        record = audit_shortcuts_of_file(path)
    excess = record.strongest.excess_points
    by_name = ", ".join(f"{one.name} {one.excess_points.value:+.1f}" for one in record.attackers)
    return absolute_row(
        name,
        excess.value if excess.value is not None else float("inf"),
        unit="points",
        input=f"{record.num_problems:,} items of the default data, three labels, {len(record.attackers)} attackers",
        bar=bar,
        better="lower",
        reason=f"{record.strongest.attacker}, [{excess.low:.1f}, {excess.high:.1f}] over all attackers at once; {by_name}; "
        f"on shuffled labels {record.control.excess_points.value:+.1f}",
    )


def _rates(sizes: Sizes, peer_dir: Path | None) -> list[Row]:
    return logic_rates.rate_rows(sizes.num_timed)


def _peers(sizes: Sizes, peer_dir: Path | None) -> list[Row]:
    ours = [logic_rates.five_types_per_second(turn, sizes.num_timed) for turn in range(5)]
    return [
        *logic_rates.peer_rows(sizes.num_timed, sizes.num_peer),
        logic_peer.peer_row(ours, peer_dir, sizes.num_peer_problems),
    ]


def _workers(sizes: Sizes, peer_dir: Path | None) -> list[Row]:
    return [logic_rates.worker_row(sizes.num_for_workers)]


def _memory(sizes: Sizes, peer_dir: Path | None) -> list[Row]:
    return [logic_rates.memory_row(sizes.num_in_memory)]


def _latency(sizes: Sizes, peer_dir: Path | None) -> list[Row]:
    return [logic_rates.latency_row(sizes.num_latencies)]


PARTS: dict[str, Callable[[Sizes, Path | None], list[Row]]] = {
    "rates": _rates,
    "peers": _peers,
    "workers": _workers,
    "latency": _latency,
    "memory": _memory,
    "shortcuts": _shortcuts,
    "mutants": _mutants,
    "english": _english,
}
"""name -> what makes its rows; speed first, while the machine is cool"""
