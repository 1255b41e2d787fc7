"""How many steps each fit of a table gets: fixed before training, because the schedule must know its end."""

from __future__ import annotations

from collections.abc import Mapping

from custodiet.errors import UsageError
from custodiet.memorization.capacity.device_fit import CellCost

__all__ = ["MIN_STEPS", "plan_steps", "time_shares"]

MIN_STEPS = 50
SAFETY = 0.93
"""share of the time that is planned: steps slow down when a device gets warm or is shared"""
CLOSING_S = 2.0
"""left for the record and the report"""
SHARE_POWER = 0.75


def time_shares(num_params: Mapping[str, int]) -> dict[str, float]:
    """Cell -> share of the training time, as the power 3/4 of its parameters.

    A doubling of the steps brings about as many bits per parameter in every cell, so that time goes by what a cell weighs
    in the result: all alike in the mean over cells, the square of the size in the slope. The power lies between.
    """
    weights = {cell: num**SHARE_POWER for cell, num in num_params.items()}
    return {cell: weight / sum(weights.values()) for cell, weight in weights.items()}


def plan_steps(
    costs: Mapping[str, CellCost], shares: Mapping[str, float], *, budget_s: float, spent_s: float
) -> dict[str, int]:
    """Cell -> number of steps that its share of the time pays for.

    Args:
        costs: what a step of each cell takes, and what comes on top of its steps.
        shares: of the training time, summing to one.
        budget_s: wall time of the whole table.
        spent_s: what is gone already.

    Raises:
        UsageError: a cell gets fewer than 50 steps.
    """
    fixed_s = spent_s + CLOSING_S + sum(cost.fixed_s for cost in costs.values())
    training_s = SAFETY * max(0.0, budget_s - fixed_s)
    steps = {cell: int(shares[cell] * training_s / cost.step_s) for cell, cost in costs.items()}
    short = max(costs, key=lambda cell: costs[cell].step_s / shares[cell])
    if steps[short] < MIN_STEPS:
        needed_s = fixed_s + MIN_STEPS * costs[short].step_s / shares[short] / SAFETY
        raise UsageError(
            f"--budget-s is too small: cell {short}, whose steps take {costs[short].step_s:.3g} s, would get {steps[short]}",
            expected=f"at least {MIN_STEPS} steps, that is --budget-s {1.1 * needed_s:.0f}",
            got=f"{budget_s:g} s, {fixed_s:.0f} of them for building and evaluating",
            hint="Give more time, or take fewer --cells or --num-models.",
        )
    return steps
