"""The negative control: the same rules without what makes labels hard to guess.

Of a proved problem only the chain to one answer stays, and the premises that lead nowhere. What would lead to the other
answer, and the chain with a broken link, are left out, and each item is of a problem of its own: "contradicted" is then
the negation of what follows, and "unknown" is a fact that begins nothing. This is how generators make three labels that
do not balance them; an audit that finds nothing here would find nothing anywhere.

Whatever was proved of the problem stays proved: what follows rests on premises that stay, and what was left open, with
its two models, stays open when less is said. Each item is decided again all the same.
"""

from __future__ import annotations

from dataclasses import replace

from custodiet.errors import CustodietError
from custodiet.logic.engines.decide import certify
from custodiet.logic.generate.draws import Draws
from custodiet.logic.generate.items import LABELS, Case, cases_of
from custodiet.logic.generate.problem import Problem
from custodiet.logic.minimal import propagation_rounds

__all__ = ["unbalanced_case"]


def unbalanced_case(draws: Draws, problem: Problem) -> tuple[Problem, Case]:
    """A problem without its balance, and one question about it.

    Args:
        draws: random choices; each label is as likely as another.
        problem: of propositional logic, as `draw_propositional` gives it.

    Raises:
        CustodietError: an engine finds another label; a defect.
    """
    first, _, open_ = problem.versions
    kept = [
        place
        for place, one in enumerate(problem.premises)
        if place in first.support or place == problem.switch_at or one not in problem.frame
    ]
    places = {old: new for new, old in enumerate(kept)}
    premises = [problem.premises[place] for place in kept]
    version = replace(
        first,
        support=tuple([places[one] for one in first.support]),
        depth=propagation_rounds(premises, problem.goal),
    )
    reduced = replace(problem, premises=premises, switch_at=places[problem.switch_at], versions=(version, open_))
    label = draws.pick(LABELS)
    case = draws.pick([one for one in cases_of(draws, reduced) if one.label == label])
    decision = certify("propositional", case.premises, case.goal, models=False)
    if decision.label != label:
        raise CustodietError(
            f"an item of the control is {decision.label}, not {label}", hint="This is a defect; please report it."
        )
    reduced.engines = decision.engines
    return reduced, case
