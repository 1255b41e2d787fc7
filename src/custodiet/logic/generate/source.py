"""A proved problem within the ranges of a configuration: its shape, its size, the individuals that it is about."""

from __future__ import annotations

from custodiet.errors import CustodietError
from custodiet.logic.generate.chains import min_premises
from custodiet.logic.generate.config import GenerateConfig
from custodiet.logic.generate.draws import Draws
from custodiet.logic.generate.lift import lift_problem
from custodiet.logic.generate.problem import Problem, certify_problem, draw_propositional

__all__ = ["draw_problem"]

_SORTS = ("person", "city", "book")
_MAX_ATTEMPTS = 100


def draw_problem(config: GenerateConfig, draws: Draws, logic: str) -> Problem:
    """A proved problem in a logic, of a shape within the configuration's ranges.

    Depth and number of premises are drawn first and evenly, and goal form, so that labels are balanced within each of their
    combinations: a problem gives each label as often as any other.

    Raises:
        CustodietError: none was found, or two engines disagree.
    """
    form = draws.pick([one for one in config.goal_forms if min_premises(config.depth[0], one) <= config.premises[1]])
    most_steps = config.premises[1] - min_premises(0, form)
    depth = draws.between(config.depth[0], min(config.depth[1], most_steps))
    least = max(config.premises[0], min_premises(depth, form))
    roomy = min(config.premises[1], 2 * depth + 2 + (form != "literal"))  # room for chains to both answers
    num_premises = draws.between(max(least, roomy), config.premises[1])
    for _ in range(_MAX_ATTEMPTS):
        problem = draw_propositional(
            draws,
            depth=depth,
            num_premises=num_premises,
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
        if lifted is not None and certify_problem(lifted):
            return lifted
    raise CustodietError(f"no {logic} problem of depth {depth} was found in {_MAX_ATTEMPTS} tries")
