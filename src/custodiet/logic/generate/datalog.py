"""Problems of Datalog: what a program makes true of two atoms, when one of its facts has one argument or another.

    switch       chains about k or l                joint rules             chains on
    R(a, k)      First(k) ──▶ ... ──▶ Left(k)       R & Left   ──▶ P ──▶ ... ──▶ goal
    R(a, l)      Other(l) ──▶ ... ──▶ Right(l)      R & Right  ──▶ Q ──▶ ... ──▶ other goal

With the first switch the one goal is derived and the other is not, with the second the other way round. Both are asked,
each and its negation, so whatever is stated, and whatever is asked, is true as often as false. A joint rule may ask for
the absence of the other side instead (`R & ~Right`), so that what is not derived counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from custodiet.errors import CustodietError, FormulaError
from custodiet.logic.engines.clingo_engine import decide_by_clingo
from custodiet.logic.engines.closure import Closure, Derivation, Program, Rule, parse_rule
from custodiet.logic.formulas import Atom, Formula, Not, constants_of, is_variable, predicates_of
from custodiet.logic.generate.datalog_distractors import draw_candidate
from custodiet.logic.generate.datalog_steps import Names, general, lead_on
from custodiet.logic.generate.draws import Draws
from custodiet.logic.generate.problem import Problem, Version
from custodiet.logic.generate.steps import Line
from custodiet.logic.semantics import CONTRADICTED, ENTAILED

__all__ = ["draw_datalog"]

_PREDICATES = "ABCDEFGHIJKLMNOPQRST"
_CONSTANTS = "abcdefghijklmnopqrst"
_MAX_ATTEMPTS = 200
_TRIES = 30


class _Frame(NamedTuple):
    """The switch's two facts, all other premises, the two goals, and the kinds of the steps to them."""

    switch: tuple[Atom, Atom]
    premises: list[Formula]
    goals: tuple[Atom, Atom]
    kinds: list[str]


class _Proved(NamedTuple):
    """What follows from a version: all of it, and the one proof of the goal that it has."""

    closure: Closure
    proof: list[Derivation]


def draw_datalog(draws: Draws, *, depth: int, num_premises: int, distractors: Sequence[str], contrary: int) -> Problem:
    """Draw a problem and prove it.

    Args:
        draws: random choices.
        depth: rules one after another from the facts to a goal; a negated condition counts as known.
        num_premises: at least `config.least_premises("datalog", depth)`.
        distractors: kinds of premises that lead nowhere.
        contrary: rules that would prove a goal if something held that does not.

    Returns:
        The problem of the one goal; its `sibling` is that of the other. Two engines agree on everything that is true in
        either version; each goal has one proof, and no premise of it can be spared.

    Raises:
        CustodietError: two engines disagree, or no problem of that shape was found.
    """
    for attempt in range(_MAX_ATTEMPTS):
        found = _attempt(draws, depth, num_premises, distractors, contrary)
        if found is not None:
            found.rejected = attempt
            return found
    raise CustodietError(
        f"no problem of Datalog of depth {depth} with {num_premises} premises was found in {_MAX_ATTEMPTS} tries",
        hint="Allow more premises or more kinds of distractors.",
    )


def _attempt(draws: Draws, depth: int, num_premises: int, distractors: Sequence[str], contrary: int) -> Problem | None:
    rounds = 1 + num_premises // 5
    names = Names(draws.names(_PREDICATES, rounds).__next__, draws.names(_CONSTANTS, rounds).__next__)
    room = num_premises - draws.between(0, max(0, (num_premises - 2 * depth - 3) * 2 // 3))
    frame = _draw_frame(draws, names, depth, room)
    found = _proofs(frame, frame.premises)
    if found is None:
        return None
    extra = num_premises - 1 - len(frame.premises)
    added = _distractors(draws, names, frame, found, extra, distractors, contrary)
    if len(added) < extra:
        return None
    counts: dict[str, int] = {}
    for kind, _ in added:
        counts[kind] = counts.get(kind, 0) + 1
    premises: list[Formula] = [*frame.premises, *[one for _, one in added], frame.switch[0]]
    draws.shuffle(premises)
    return _certified(frame, premises, depth, counts)


def _draw_frame(draws: Draws, names: Names, depth: int, room: int) -> _Frame:
    spare = room - 2 * depth - 3
    before = draws.between(max(0, depth // 2 - 1), depth - 1)  # rules about k or l; then a joint one; then the rest
    subject, sides = names.constant(), (names.constant(), names.constant())
    relation = names.predicate()
    turned = draws.random() < 0.5
    switch = tuple([Atom(relation, (one, subject) if turned else (subject, one)) for one in sides])
    premises: list[Formula] = []
    kinds: list[str] = []
    reached: list[Atom] = []
    for side in sides:
        atom = Atom(names.predicate(), (side,))
        premises.append(atom)
        for _ in range(before):
            step = lead_on(draws, names, atom, None, spare, stay=True)
            spare -= len(step.premises) - 1
            premises.extend(step.premises)
            kinds.append(step.kind)
            atom = step.atom
        reached.append(atom)
    goals = []
    for place in range(2):
        side = sides[place]
        here, there = reached[place], Atom(reached[1 - place].predicate, (side,))
        kind = draws.weighted(("presence", "presence and absence", "absence"), (3.0, 1.0, 1.0))
        condition = {"presence": [here], "absence": [Not(there)]}.get(kind, [here, Not(there)])
        kinds.append(kind)
        atom = Atom(names.predicate(), (subject,))
        premises.append(general([switch[place], *condition], atom))
        for _ in range(depth - 1 - before):
            step = lead_on(draws, names, atom, None, spare, stay=False)
            spare -= len(step.premises) - 1
            premises.extend(step.premises)
            kinds.append(step.kind)
            atom = step.atom
        goals.append(atom)
    return _Frame((switch[0], switch[1]), premises, (goals[0], goals[1]), kinds)


def _proofs(frame: _Frame, others: Sequence[Formula]) -> tuple[_Proved, _Proved] | None:
    """What follows with either switch; None if not exactly its own goal does, or by more than one proof."""
    found = []
    for place in range(2):
        try:
            closure = Program([*others, frame.switch[place]]).closure()
        except FormulaError:  # negation that is not stratified
            return None
        goal, other = frame.goals[place], frame.goals[1 - place]
        if not closure.holds(goal) or closure.holds(other):
            return None
        proof = closure.proof(goal)
        if any(len(closure.derivations[one.head]) > 1 for one in proof):
            return None
        found.append(_Proved(closure, proof))
    return found[0], found[1]


def _distractors(
    draws: Draws,
    names: Names,
    frame: _Frame,
    proved: tuple[_Proved, _Proved],
    num: int,
    kinds: Sequence[str],
    contrary: int,
) -> list[tuple[str, Formula]]:
    """Facts and rules after which each goal has the proof that it had, and the other switch still gives none."""
    untouched = {frame.switch[0].predicate}
    spoken_of = {term for one in frame.switch for term in one.args}
    arities = {
        name: arity for one in frame.premises for name, arity in predicates_of(one).items() if name not in untouched
    }
    constants = [
        one for one in dict.fromkeys(name for f in frame.premises for name in constants_of(f)) if one not in spoken_of
    ]
    while len(constants) < 3:
        constants.append(names.constant())
    subject = next(iter(set(frame.switch[0].args) & set(frame.switch[1].args)))
    constants.append(subject)
    mine = [one for one in frame.premises if not (isinstance(one, Atom) and not spoken_of.isdisjoint(one.args))]
    premises = list(frame.premises)
    seen = {*premises, *frame.switch}
    derivations = [{_key(one) for one in each.proof} for each in proved]
    found: list[tuple[str, Formula]] = []

    def harmless(more: Sequence[Formula]) -> bool:
        now = _proofs(frame, [*premises, *more])
        return now is not None and all(
            {_key(one) for one in each.proof} == old for each, old in zip(now, derivations, strict=True)
        )

    for _ in range(_TRIES):
        batch: dict[Formula, str] = {}
        left = max(0, min(contrary, num) - sum([kind == "contrary" for kind, _ in found]))
        for number in range(num - len(found)):
            kind = "contrary" if number < left else draws.pick(kinds)
            one = draw_candidate(
                draws, names, kind, arities=arities, constants=constants, frame=mine, goals=frame.goals
            )
            if one is not None and one not in seen:
                batch[one] = kind
        if len(batch) > 1 and harmless(list(batch)):
            taken = list(batch)
        else:
            taken = []
            for one in batch:
                if harmless([*taken, one]):
                    taken.append(one)
        for one in taken:
            seen.add(one)
            premises.append(one)
            found.append((batch[one], one))
            arities.update(predicates_of(one))
        if len(found) == num:
            break
    return found


def _key(made: Derivation) -> tuple:
    return made[1:]


def _certified(frame: _Frame, premises: list[Formula], depth: int, counts: dict[str, int]) -> Problem | None:
    """The problem of the first goal, with that of the second beside it; None if a premise of a proof can be spared."""
    switch_at = premises.index(frame.switch[0])
    versions: tuple[list[Version], list[Version]] = ([], [])
    for place in range(2):
        here = list(premises)
        here[switch_at] = frame.switch[place]
        program = Program(here)
        closure = program.closure()
        _compare(here, closure, frame.goals[place])
        goal = frame.goals[place]
        proof = closure.proof(goal)
        support = tuple(sorted({one.premise for one in proof}))
        if not _has_one_proof_at_most(here, goal) and not all(_is_needed(here, one, goal) for one in support):
            return None
        lines = _lines(here, proof)
        absent: Formula = Not(frame.goals[1 - place])
        versions[place].append(Version(here[switch_at], ENTAILED, lines, support, None, closure.depths[goal]))
        closed = [Line(absent, "closed world", ())]
        versions[1 - place].append(Version(here[switch_at], CONTRADICTED, closed, (), None, None))
    predicates = {name: ("",) * arity for one in premises for name, arity in predicates_of(one).items()}
    constants = dict.fromkeys([name for one in (*premises, *frame.switch) for name in constants_of(one)], "")
    problems = [
        Problem(
            "datalog",
            premises,
            switch_at,
            frame.goals[place],
            tuple(versions[place]),
            depth,
            "literal",
            frame.kinds,
            counts,
            frozenset(frame.premises),
            predicates,
            constants,
            engines=("closure", "clingo"),
        )
        for place in range(2)
    ]
    problems[0].sibling = problems[1]
    return problems[0]


def _compare(premises: Sequence[Formula], closure: Closure, goal: Formula) -> None:
    """Make sure that clingo finds the same atoms true."""
    model = decide_by_clingo(premises, goal).with_goal
    true = None if model is None else model.true_atoms
    if true != frozenset(closure.derivations):
        raise CustodietError("engines disagree about a program", hint="This is a defect; please report it.")


def _has_one_proof_at_most(premises: Sequence[Formula], goal: Atom) -> bool:
    """Whether the goal has one proof even if nothing stands in the way of a rule; then each premise of it is needed."""
    rules = [parse_rule(one) for one in premises]
    eased = [
        general([*rule.positives], rule.head, keep=_constants_in(rule)) if rule.negatives else one
        for rule, one in zip(rules, premises, strict=True)
    ]
    if len(set(eased)) < len(eased):
        return False
    closure = Program(eased).closure()
    return all(len(closure.derivations[one.head]) == 1 for one in closure.proof(goal))


def _constants_in(rule: Rule) -> list[str]:
    return [term for one in (rule.head, *rule.positives) for term in one.args if not is_variable(term)]


def _is_needed(premises: Sequence[Formula], place: int, goal: Atom) -> bool:
    return goal not in Program([*premises[:place], *premises[place + 1 :]]).closure().derivations


def _lines(premises: Sequence[Formula], proof: Sequence[Derivation]) -> list[Line]:
    """The applications of rules, in order, each after what it takes for false."""
    lines: list[Line] = []
    told: set[Formula] = set()
    for made in proof:
        if not made.positives and not made.negatives:
            continue
        denied = [Not(one) for one in made.negatives]
        lines.extend([Line(one, "closed world", ()) for one in denied if one not in told])
        told.update(denied)
        lines.append(Line(made.head, "rule application", (premises[made.premise], *made.positives, *denied)))
    return lines
