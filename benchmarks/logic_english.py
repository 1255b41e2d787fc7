"""Items proved again from their English: a million by SAT or clingo, thousands by z3, and how few can be wrong."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from benchmarks.table import Row, absolute_row
from custodiet.logic.generate.config import MATRIX, GenerateConfig
from custodiet.logic.generate.items import ITEMS_PER_PROBLEM
from custodiet.logic.generate.rows import problem_rows
from custodiet.logic.label_audit import error_share
from custodiet.logic.reproving import Reproof, reprove

NUM_ITEMS = 1_000_000
NUM_Z3 = 4_200  # of each logic
WEIGHTS = {"propositional": 10, "syllogistic": 2, "monadic": 5, "relational": 1, "datalog": 2}
"""logic -> its share of the million; the costly ones get less"""
_AT_ONCE = 200  # problems


def shares_of(num: int, logics: tuple[str, ...] = MATRIX["entailment"]) -> dict[str, int]:
    """Items of each logic, in whole problems, that come to `num` at least."""
    total = sum(WEIGHTS.get(one, 1) for one in logics)
    return {one: ITEMS_PER_PROBLEM * -(-num * WEIGHTS.get(one, 1) // (total * ITEMS_PER_PROBLEM)) for one in logics}


def emitted_rows(logic: str, num: int, seed: int, first: int = 0) -> Iterator[dict[str, Any]]:
    """Items as whoever reads the file has them."""
    config = GenerateConfig(num=1, seed=seed, logics=(logic,))
    for number in range(first, first + num // ITEMS_PER_PROBLEM):
        for row in problem_rows(config, number):
            yield json.loads(row.text)


def prove_again(nums: Mapping[str, int], engine: Literal["sat", "z3"], seed: int) -> dict[str, Reproof]:
    """Logic -> what came of its items."""
    found = {}
    for logic, num in nums.items():
        total, done, begin = Reproof(), 0, time.perf_counter()
        while done < num:
            lot = min(num - done, _AT_ONCE * ITEMS_PER_PROBLEM)
            total.add(reprove(emitted_rows(logic, lot, seed, first=done // ITEMS_PER_PROBLEM), engine=engine))
            done += lot
        found[logic] = total
        print(f"  {engine} {logic}: {total.num:,} items, {total.num_faults} faults, "
              f"{time.perf_counter() - begin:.0f} s", flush=True)  # fmt: skip
    return found


def english_rows(num: int = NUM_ITEMS, num_z3: int = NUM_Z3, seed: int = 1) -> list[Row]:
    """A row for SAT, with clingo for Datalog, over all logics together, and one for z3 in each logic."""
    by_sat = prove_again(shares_of(num), "sat", seed)
    rows = [_row("label_errors_from_english_sat", by_sat, "")]
    whole = -(-num_z3 // ITEMS_PER_PROBLEM) * ITEMS_PER_PROBLEM
    logics = [one for one in MATRIX["entailment"] if one != "datalog"]  # whose second engine is clingo, above
    for logic, found in prove_again(dict.fromkeys(logics, whole), "z3", seed + 1).items():
        rows.append(_row(f"label_errors_from_english_z3_{logic}", {logic: found}, ""))
    return rows


def _row(name: str, found: Mapping[str, Reproof], note: str) -> Row:
    num = sum(one.num for one in found.values())
    faults = sum(one.num_faults for one in found.values())
    engines: dict[str, int] = {}
    for one in found.values():
        for engine, times in one.engines.items():
            engines[engine] = engines.get(engine, 0) + times
    decided = ", ".join(f"{engine} {times:,}" for engine, times in engines.items())
    first = next((fault for one in found.values() for fault in one.faults), None)
    told = "" if first is None else f"; first: {first.item} says {first.label}, found {first.found}"
    return absolute_row(
        name,
        faults,
        unit="items",
        kind="count",
        input=f"{num:,} items, premises and conclusion read from the prompt: "
        + ", ".join(f"{logic} {one.num:,}" for logic, one in found.items()),
        bar=0,
        better="lower",
        reason=f"decided by {decided}; true share at most {error_share(faults, num).high:.2g}, with 95 %{told}{note}",
    )
