"""Supports from a yes-or-no engine, against those that truth tables find and against every subset."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

from custodiet.logic.engines.element_types import types_of
from custodiet.logic.engines.supports import all_supports_by, minimal_support_by, necessary_by
from custodiet.logic.engines.truth_table import all_supports, decide_by_table, table_of
from custodiet.logic.notation import parse_formula
from tests.unit.logic.random_formulas import monadic_formula, propositional_problem


def test_agree_with_truth_tables() -> None:
    rng = random.Random(71)
    several = 0
    for _ in range(300):
        premises, goal = propositional_problem(rng, 5, rng.randint(1, 7))

        def entails(numbers: Sequence[int], premises=premises, goal=goal) -> bool:
            label = decide_by_table([premises[i] for i in numbers], goal, models=False).label
            return label in ("entailed", "inconsistent")

        table = table_of([*premises, goal])
        wanted = all_supports(table.columns(premises), table.column(goal), table.full)
        num = len(premises)
        one = minimal_support_by(entails, range(num))
        assert (one is None) is not bool(wanted.sets)
        if one is None:
            continue
        assert one in wanted.sets
        found = all_supports_by(lambda numbers: minimal_support_by(entails, numbers), necessary_by(entails, num), num)
        assert found == wanted
        several += len(found.sets) > 1
    assert several > 30


def test_of_element_types_by_every_subset() -> None:
    rng = random.Random(72)
    entailed = 0
    while entailed < 40:
        goal, *premises = [monadic_formula(rng, list("PQR"), list("ab")) for _ in range(6)]
        types = types_of([goal, *premises])
        demands, denial = [types.constraint(one) for one in premises], types.constraint(goal, False)

        def entails(numbers: Sequence[int], types=types, demands=demands, denial=denial) -> bool:
            return types.solve([*[demands[i] for i in numbers], denial]) is None

        if not entails(range(5)):
            continue
        entailed += 1
        subsets = [one for size in range(6) for one in itertools.combinations(range(5), size) if entails(one)]
        minimal = [one for one in subsets if not any(set(other) < set(one) for other in subsets)]
        found = all_supports_by(lambda numbers: minimal_support_by(entails, numbers), necessary_by(entails, 5), 5)
        assert list(found.sets) == minimal
        assert found.complete


def test_a_search_over_its_budget_says_so() -> None:
    texts = ["p0"] + [text for i in range(6) for text in (f"p{i} -> p{i + 1}", f"~p{i + 1} -> ~p{i}")]
    premises, goal = [parse_formula(one) for one in texts], parse_formula("p6")

    def entails(numbers: Sequence[int]) -> bool:
        return decide_by_table([premises[i] for i in numbers], goal, models=False).label == "entailed"

    necessary = necessary_by(entails, len(premises))
    assert necessary == (0,)
    some = all_supports_by(lambda numbers: minimal_support_by(entails, numbers), necessary, len(premises), budget=20)
    assert not some.complete
    assert 0 < len(some.sets) < 64
    assert some.necessary == (0,)
