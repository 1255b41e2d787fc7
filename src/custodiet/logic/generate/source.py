"""A proved problem within the ranges of a configuration: its shape, its size, the individuals that it is about."""

from __future__ import annotations

from custodiet.errors import CustodietError
from custodiet.logic.generate.chains import min_premises
from custodiet.logic.generate.config import GenerateConfig, least_premises
from custodiet.logic.generate.datalog import draw_datalog
from custodiet.logic.generate.draws import Draws
from custodiet.logic.generate.equality import say_equal
from custodiet.logic.generate.lift import lift_problem, sorts_can_be_told
from custodiet.logic.generate.problem import Problem, certify_problem, draw_propositional
from custodiet.logic.generate.syllogisms import draw_syllogistic

__all__ = ["draw_problem"]

_SORTS = ("person", "city", "book")
_MAX_ATTEMPTS = 100


def draw_problem(config: GenerateConfig, draws: Draws, logic: str) -> Problem:
    """A proved problem in a logic, of a shape within the configuration's ranges.

    Depth and number of premises are drawn first and evenly, and goal form, so that labels are balanced within each of their
    combinations: a problem gives each label as often as any other.

    Returns:
        The problem; it has a companion if its goal is compound, unless it speaks of equality.

    Raises:
        CustodietError: none was found, or two engines disagree.
    """
    if logic == "syllogistic":
        return _draw_syllogistic(config, draws)
    if logic == "datalog":
        return _draw_datalog(config, draws)
    fitting = [one for one in config.goal_forms if min_premises(config.depth[0], one) <= config.premises[1]]
    # The literal of a compound goal is asked too, by the companion, where literals are wanted.
    form = draws.pick([one for one in fitting if one != "literal"] or fitting)
    most_steps = config.premises[1] - min_premises(0, form)
    depth = draws.between(config.depth[0], min(config.depth[1], most_steps))
    least = max(config.premises[0], min_premises(depth, form))
    roomy = min(config.premises[1], 2 * depth + 2 + (form != "literal"))  # room for chains to both answers
    num_premises = draws.between(max(least, roomy), config.premises[1])
    num_equalities = 0
    if logic == "relational" and num_premises >= min_premises(depth, form) + 2:
        num_equalities = draws.pick((0, 0, 1, 2))  # two names for one individual, and two that are not
    for _ in range(_MAX_ATTEMPTS):
        problem = draw_propositional(
            draws,
            depth=depth,
            num_premises=num_premises - num_equalities,
            goal_form=form,
            distractors=config.distractors,
            contrary=min(config.contrary, num_premises),
            certify=logic == "propositional",
        )
        if logic == "propositional":
            return problem
        if logic == "monadic":
            sorts: tuple[str, ...] = ("",)
        else:
            num_places = draws.between(2, 3)
            sorts = tuple(draws.pick(_SORTS) for _ in range(num_places)) if draws.chance(0.5) else ("",) * num_places
        lifted = lift_problem(draws, problem, logic, sorts=sorts)
        if lifted is not None and num_equalities:
            lifted = say_equal(draws, lifted, len(sorts), num_equalities - 1)
        if lifted is not None and sorts_can_be_told(lifted) and certify_problem(lifted):
            return lifted
    raise CustodietError(f"no {logic} problem of depth {depth} was found in {_MAX_ATTEMPTS} tries")


def _draw_syllogistic(config: GenerateConfig, draws: Draws) -> Problem:
    depth, num_premises = _draw_size(config, draws, "syllogistic")
    return draw_syllogistic(
        draws,
        depth=depth,
        num_premises=num_premises,
        distractors=config.distractors,
        contrary=config.contrary,
        existential_import=config.existential_import,
    )


def _draw_datalog(config: GenerateConfig, draws: Draws) -> Problem:
    depth, num_premises = _draw_size(config, draws, "datalog")
    return draw_datalog(
        draws, depth=depth, num_premises=num_premises, distractors=config.distractors, contrary=config.contrary
    )


def _draw_size(config: GenerateConfig, draws: Draws, logic: str) -> tuple[int, int]:
    """A depth within the ranges that fits, and a number of premises that has room for it."""
    fitting = [one for one in range(*_inclusive(config.depth)) if least_premises(logic, one) <= config.premises[1]]
    depth = draws.pick(fitting)
    return depth, draws.between(max(config.premises[0], least_premises(logic, depth)), config.premises[1])


def _inclusive(bounds: tuple[int, int]) -> tuple[int, int]:
    return bounds[0], bounds[1] + 1
