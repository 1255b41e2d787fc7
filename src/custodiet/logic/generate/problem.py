"""A three-way problem in propositional logic, proved: versions of one sentence, one goal, one label for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from custodiet.errors import CustodietError
from custodiet.logic.engines.element_types import MAX_PREDICATES, types_of
from custodiet.logic.engines.grounding import GroundProblem
from custodiet.logic.engines.sat import SatProblem
from custodiet.logic.engines.truth_table import MAX_ATOMS, Table, column_label, conjunction, rests, row_in
from custodiet.logic.formulas import Atom, Equal, Formula, atoms_of, complement, constants_of, is_literal, subformulas
from custodiet.logic.fragments import Signature
from custodiet.logic.generate.chains import Frame, draw_frame
from custodiet.logic.generate.distractors import Witnesses, draw_distractors
from custodiet.logic.generate.draws import Draws
from custodiet.logic.generate.steps import Line
from custodiet.logic.minimal import propagation_rounds
from custodiet.logic.semantics import CONTRADICTED, ENTAILED, INCONSISTENT, UNKNOWN, Decision, Model, evaluate, label_of

__all__ = ["Problem", "Version", "certify_problem", "draw_propositional", "signature_of_problem"]

_LETTERS = "abcdefghijklmnopqrst"  # u to z are variables
_MAX_ATTEMPTS = 200


@dataclass(slots=True)
class Version:
    """What one sentence of the switch makes of the goal.

    Args:
        switch: the sentence.
        label: of the goal.
        lines: the proof of the goal or of its complement; empty for `unknown`.
        support: 0-based places of the premises that the proof needs: each is in every support, so it is the only one.
        models: for `unknown` one where the goal is true and one where it is false.
        depth: rounds of one-premise inference (`minimal.propagation_rounds`), in syllogistic problems about a member of
            the subject, of which what is said of the subject is known; in Datalog of rules. None if cases are needed, for
            `unknown`, and for what is not derived.
        opposite_lines: the proof where the question is the goal's opposite; None where `lines` serves both.
        num_renamings: lines of the proof that put one name for another; each may take a round more.
    """

    switch: Formula
    label: str
    lines: list[Line]
    support: tuple[int, ...]
    models: tuple[Model, Model] | None
    depth: int | None
    opposite_lines: list[Line] | None = None
    num_renamings: int = 0


@dataclass(slots=True)
class Problem:
    """Premises with one place that has three versions, and a goal.

    Args:
        logic: the logic's name.
        premises: of version 0; the switch stands at `switch_at`.
        switch_at: 0-based place.
        goal: the question.
        versions: goal follows, goal is refuted, and, where the logic can leave it open, neither.
        num_steps: steps of the chains as drawn.
        goal_form: one of `chains.GOAL_FORMS`, or the pair of forms that a syllogistic problem asks.
        step_kinds: of the chains.
        distractors: kind -> how many.
        frame: the premises that belong to the chains, live or dead.
        predicates: predicate -> sorts of its arguments.
        constants: constant -> sort, those of proofs included.
        opposite: what is asked where the goal is turned around; its complement if there is nothing better.
        implicit: premises that hold without being stated.
        sibling: the same premises with another goal, which holds in the versions where this one does not.
        companion: the same premises with the literal that the compound goal is made of; labels alike.
        engines: names of those that found every label; where there is one, the second opinion is the kernel's on the proof,
            and that of the definition of truth on both models.
    """

    logic: str
    premises: list[Formula]
    switch_at: int
    goal: Formula
    versions: tuple[Version, ...]
    num_steps: int
    goal_form: str
    step_kinds: list[str]
    distractors: dict[str, int]
    frame: frozenset[Formula]
    predicates: dict[str, tuple[str, ...]]
    constants: dict[str, str] = field(default_factory=dict)
    opposite: Formula | None = None
    implicit: tuple[Formula, ...] = ()
    sibling: Problem | None = None
    companion: Problem | None = None
    engines: tuple[str, ...] = ()
    rejected: int = field(default=0)

    @property
    def has_equality(self) -> bool:
        """Whether a premise speaks of equality."""
        return self.logic == "relational" and any(
            isinstance(one, Equal) for premise in self.premises for one in subformulas(premise)
        )

    def premises_of(self, version: int) -> list[Formula]:
        """The premises with the switch of a version."""
        premises = list(self.premises)
        premises[self.switch_at] = self.versions[version].switch
        return premises


def draw_propositional(
    draws: Draws,
    *,
    depth: int,
    num_premises: int,
    goal_form: str,
    distractors: Sequence[str],
    contrary: int,
    certify: bool = True,
) -> Problem:
    """Draw a problem and prove it.

    Args:
        draws: random choices.
        depth: steps from the switch to the goal.
        num_premises: at least `chains.min_premises(depth, goal_form)`.
        goal_form: one of `chains.GOAL_FORMS`.
        distractors: kinds of premises that lead nowhere.
        contrary: premises that would decide the goal if something held that cannot be known.
        certify: whether to decide the labels by engines; without, the problem is to be lifted and certified then.

    Returns:
        The problem; every label was found by two engines, every premise of a support is in all supports.

    Raises:
        CustodietError: two engines disagree, or no problem of that shape was found.
    """
    for attempt in range(_MAX_ATTEMPTS):
        found = _attempt(draws, depth, num_premises, goal_form, distractors, contrary, certify)
        if found is not None:
            found.rejected = attempt
            return found
    raise CustodietError(
        f"no problem of depth {depth} with {num_premises} premises was found in {_MAX_ATTEMPTS} tries",
        hint="Allow more premises or more kinds of distractors.",
    )


def _attempt(
    draws: Draws,
    depth: int,
    num_premises: int,
    goal_form: str,
    distractors: Sequence[str],
    contrary: int,
    certify: bool,
) -> Problem | None:
    names = [
        f"{letter}{round_}" if round_ else letter for round_ in range(1 + num_premises // 12) for letter in _LETTERS
    ]
    draws.shuffle(names)

    def fresh_atom() -> Atom:
        return Atom(names.pop())

    room = num_premises - draws.between(0, max(0, num_premises // 3))
    frame = draw_frame(
        draws,
        fresh_atom,
        depth=depth,
        max_premises=max(room, 1 + depth + (goal_form != "literal")),
        goal_form=goal_form,
    )
    atoms = _atoms_in_order(frame)
    witnesses = _find_witnesses(draws, frame, atoms)
    if witnesses is None:
        return None
    leaves = {atom for one in frame.switch for atom in atoms_of(one)}
    premises = list(frame.premises)
    extra = num_premises - 1 - len(premises)
    counts: dict[str, int] = {}
    if extra:
        added = draw_distractors(
            draws,
            fresh_atom,
            witnesses,
            num=extra,
            kinds=distractors,
            contrary=contrary,
            goal=frame.goal,
            stated=[*premises, *frame.switch],
            untouched=leaves,
            rules=[one for one in premises if not is_literal(one) and leaves.isdisjoint(atoms_of(one))] or [frame.goal],
            max_new_atoms=max(2, extra // 2),
        )
        if len(added) < extra:
            return None
        for kind, formula in added:
            premises.append(formula)
            counts[kind] = counts.get(kind, 0) + 1
    premises.append(frame.switch[0])
    draws.shuffle(premises)
    return _prove(frame, premises, goal_form, counts, witnesses, certify)


def _atoms_in_order(frame: Frame) -> list[Atom]:
    found: dict[Atom, None] = {}
    for one in (*frame.switch, *frame.premises, frame.goal):
        found.update(dict.fromkeys(atoms_of(one)))
    return list(found)


def _support_of(lines: list[Line], stated: set[Formula]) -> list[Formula]:
    """The premises that a proof cites, each once."""
    return list(dict.fromkeys(one for line in lines for one in line.sources if one in stated))


def _find_witnesses(draws: Draws, frame: Frame, atoms: list[Atom]) -> Witnesses | None:
    """Models that show of each version what must stay so; None if the frame is not what it should be."""
    if len(atoms) <= MAX_ATOMS:
        rows = _witness_rows(draws, frame, atoms)
        if rows is None:
            return None
        values: dict[Formula, int] = {}
        for i, atom in enumerate(atoms):
            value = 0
            for j, row in enumerate(rows):
                value |= (row >> i & 1) << j
            values[atom] = value
        return Witnesses(len(rows), values, draws)
    models = _witness_models(frame)
    if models is None:
        return None
    values = {atom: sum(1 << j for j, model in enumerate(models) if atom in model.true_atoms) for atom in atoms}
    return Witnesses(len(models), values, draws)


def _witness_rows(draws: Draws, frame: Frame, atoms: list[Atom]) -> list[int] | None:
    table = Table(atoms)
    full = table.full
    column = table.column
    columns = [column(one) for one in frame.premises]
    true_goal = column(frame.goal)
    places = {one: i for i, one in enumerate(frame.premises)}
    rows: list[int] = []

    def random_row(where: int) -> int:
        return row_in(where, int(draws.random() * table.num_rows))

    for version, wanted in ((0, true_goal), (1, full ^ true_goal)):
        switch = frame.switch[version]
        everything = [*columns, column(switch)]
        without = rests(everything, full)
        whole = without[-1] & everything[-1]
        if not whole or whole & ~wanted:
            return None
        rows.append(random_row(whole))
        for one in _support_of(frame.lines[version], {*places, switch}):
            spared = without[places.get(one, -1)] & (full ^ wanted)
            if not spared:
                return None
            rows.append(random_row(spared))
    whole = column(frame.switch[2])
    for one in columns:
        whole &= one
    for wanted in (true_goal, full ^ true_goal):
        if not whole & wanted:
            return None
        rows.append(random_row(whole & wanted))
    return rows


def _witness_models(frame: Frame) -> list[Model] | None:
    num = len(frame.premises)
    places = {one: place for place, one in enumerate([*frame.premises, *frame.switch])}
    models: list[Model] = []
    with SatProblem([*frame.premises, *frame.switch], selectable=True) as problem:
        for version, wanted in ((0, frame.goal), (1, complement(frame.goal))):
            everything = [*range(num), num + version]
            whole = problem.decide(wanted, everything)
            if whole.label != ENTAILED or whole.with_goal is None:
                return None
            models.append(whole.with_goal)
            for needed in _support_of(frame.lines[version], {*frame.premises, frame.switch[version]}):
                spared = [one for one in everything if one != places[needed]]
                model = problem.decide(wanted, spared).without_goal
                if model is None:
                    return None
                models.append(model)
        neither = problem.decide(frame.goal, [*range(num), num + 2])
    if neither.label != UNKNOWN or neither.with_goal is None or neither.without_goal is None:
        return None
    return [*models, neither.with_goal, neither.without_goal]


def _prove(
    frame: Frame,
    premises: list[Formula],
    goal_form: str,
    counts: dict[str, int],
    witnesses: Witnesses,
    certify: bool,
) -> Problem | None:
    """Decide every version by two engines; None if a version is not what the frame promised."""
    switch_at = premises.index(frame.switch[0])
    common = premises[:switch_at] + premises[switch_at + 1 :]
    goals = [frame.goal] if frame.literal is None else [frame.goal, frame.literal]
    models: list[tuple[Model, Model] | None] = [None] * len(goals)
    engines: tuple[str, ...] = ()
    if certify:
        table = Table(list(witnesses.values)) if len(witnesses.values) <= MAX_ATOMS else None  # type: ignore[arg-type]
        engines = ("minisat22",) if table is None else ("truth_table", "minisat22")
        with SatProblem([*common, *frame.switch], selectable=True) as solver:
            for place, goal in enumerate(goals):
                decisions = _decisions(solver, len(common), goal)
                labels = [one.label for one in decisions]
                if table is not None:  # else the kernel's proof (`items.cases_of`) is the second opinion
                    _make_sure(labels, _labels_by_table(table, common, frame.switch, goal))
                if labels != [ENTAILED, CONTRADICTED, UNKNOWN]:
                    return None
                for decision, switch in zip(decisions, frame.switch, strict=True):
                    _check_models(decision, [*common, switch], goal)
                models[place] = _models_of(decisions[2])
    depths: list[int | None] = []
    for switch in frame.switch[:2]:
        premises[switch_at] = switch
        depths.append(propagation_rounds(premises, frame.goal))
    premises[switch_at] = frame.switch[0]
    problem = Problem(
        "propositional",
        premises,
        switch_at,
        frame.goal,
        _versions(frame.switch, frame.lines, premises, switch_at, depths, models[0]),
        frame.num_steps,
        goal_form,
        frame.kinds,
        counts,
        frozenset(frame.premises),
        {atom[1]: () for atom in witnesses.values},
        engines=engines,
    )
    if frame.literal is not None:
        sooner = [None if one is None else one - 1 for one in depths]  # a compound goal is put together last
        versions = _versions(frame.switch, frame.literal_lines, premises, switch_at, sooner, models[1])
        problem.companion = replace(problem, goal=frame.literal, goal_form="literal", versions=versions)
    return problem


def _versions(
    switches: tuple[Formula, ...],
    lines: tuple[list[Line], list[Line]],
    premises: list[Formula],
    switch_at: int,
    depths: list[int | None],
    models: tuple[Model, Model] | None,
) -> tuple[Version, ...]:
    """What each switch makes of a goal with these proofs."""
    versions = []
    for index, label in enumerate((ENTAILED, CONTRADICTED)):
        places = {one: place for place, one in enumerate(premises)}
        del places[premises[switch_at]]
        places[switches[index]] = switch_at
        cited = {one for line in lines[index] for one in line.sources}
        support = tuple(sorted([places[one] for one in cited if one in places]))
        versions.append(Version(switches[index], label, lines[index], support, None, depths[index]))
    return (*versions, Version(switches[2], UNKNOWN, [], (), models, None))


def _make_sure(labels: list[str], others: list[str]) -> None:
    if labels != others:
        raise CustodietError(f"engines disagree: {labels}, {others}", hint="This is a defect; please report it.")


def _labels_by_table(table: Table, common: list[Formula], switches: Sequence[Formula], goal: Formula) -> list[str]:
    """The label of each version by truth tables."""
    whole = conjunction(table.columns(common), table.full)
    column = table.column(goal)
    return [column_label(whole & table.column(switch), column) for switch in switches]


def _decisions(
    problem: SatProblem | GroundProblem, num_common: int, goal: Formula, with_models: Sequence[str] = ()
) -> list[Decision]:
    """What each version says of the goal, where a problem's premises are the common ones and then the three switches.

    Models are given for all versions, or only for those that should have these labels.
    """
    found = []
    for version, label in enumerate((ENTAILED, CONTRADICTED, UNKNOWN)):
        stated = [*range(num_common), num_common + version]
        if with_models and label not in with_models:
            found.append(Decision(problem.label(goal, stated), engines=(problem.engine,)))
        else:
            found.append(problem.decide(goal, stated))
    return found


def _check_models(decision: Decision, premises: Sequence[Formula], goal: Formula) -> None:
    """Make sure, by the definition of truth, that each model is one; so the premises are consistent."""
    for model, value in ((decision.with_goal, True), (decision.without_goal, False)):
        if model is None:
            continue
        if evaluate(model, goal) is not value or any(not evaluate(model, one) for one in premises):
            raise CustodietError("a model is none", hint="This is a defect; please report it.")


def _models_of(decision: Decision) -> tuple[Model, Model] | None:
    """The two models of what is unknown."""
    if decision.with_goal is None or decision.without_goal is None:
        return None
    return decision.with_goal, decision.without_goal


def certify_problem(problem: Problem) -> bool:
    """Decide every version of a lifted problem by grounding and a solver, and keep the models.

    The second engine is that of element types for monadic problems of few enough predicates. Elsewhere it is the kernel,
    which accepts a proof of all that is settled (`items.cases_of`), and the evaluation of both models of what is not.

    Returns:
        Whether every label is what the propositional problem promised.

    Raises:
        CustodietError: two engines disagree.
    """
    common = [*problem.implicit, *problem.premises[: problem.switch_at], *problem.premises[problem.switch_at + 1 :]]
    switches = [version.switch for version in problem.versions]
    asked = [problem] if problem.companion is None else [problem, problem.companion]
    signature = signature_of_problem(problem)
    by_types = problem.logic in ("syllogistic", "monadic") and len(problem.predicates) <= MAX_PREDICATES
    goals = [one.goal for one in asked]
    with GroundProblem([*common, *switches], goals, signature=signature, selectable=True) as ground:
        found = [_decisions(ground, len(common), goal, (UNKNOWN,) if by_types else ()) for goal in goals]
    second = _labels_by_types(common, switches, goals) if by_types else []
    for place, (one, decisions) in enumerate(zip(asked, found, strict=True)):
        labels = [decision.label for decision in decisions]
        one.engines = (*decisions[0].engines, *(["element_types"] if by_types else []))
        if by_types:
            _make_sure(labels, second[place])
        if labels != [version.label for version in one.versions]:
            return False
        for version, decision in zip(one.versions, decisions, strict=True):
            version.models = _models_of(decision)
            _check_models(decision, [*common, version.switch], one.goal)
    return True


def signature_of_problem(problem: Problem) -> Signature:
    """The names of the problem's formulas, with their sorts."""
    formulas = (*problem.implicit, *problem.premises, *[one.switch for one in problem.versions], problem.goal)
    stated = {name for one in formulas for name in constants_of(one)}
    sorts = tuple(dict.fromkeys([sort for places in problem.predicates.values() for sort in places]))
    constants = {name: sort for name, sort in problem.constants.items() if name in stated}
    return Signature(problem.predicates, constants, sorts)


def _labels_by_types(common: list[Formula], switches: list[Formula], goals: list[Formula]) -> list[list[str]]:
    """For each goal the label of each version by element types."""
    types = types_of([*common, *switches, *goals])
    demands = types.combined([types.constraint(one) for one in common])
    if demands is None:
        return [[INCONSISTENT] * len(switches)] * len(goals)
    stated = [types.constraint(one) for one in switches]
    labels = []
    for goal in goals:
        asked = (types.constraint(goal), types.constraint(goal, False))
        labels.append([label_of(*[types.solve([demands, one, way]) is not None for way in asked]) for one in stated])
    return labels
