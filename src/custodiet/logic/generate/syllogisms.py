"""Syllogistic problems: whether every S is P, no S is P, some S is P or some S is not P.

    switch           chains
    S is K+     ──▶ every K+ is ... ──▶ P
    S is K-     ──▶ every K- is ... ──▶ not P       (one E among the A, maybe with A statements about P behind it)
    S is K0     ──▶ ... ─╳─▶ ... ──▶ P or not P     (one statement turned the wrong way or said of some: the middle
                                                     is not distributed)

The switch is one A statement about S with three versions. A goal and its opposite (A and O, E and I) are both asked, so
each form of goal comes with each label. Of S a premise says that there is one, as a refutation of a universal goal and
a proof of a particular one need that; with existential import it is said of every kind, beside the premises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from custodiet.errors import CustodietError
from custodiet.logic.formulas import Atom, Formula, Implies, Not
from custodiet.logic.generate.draws import Draws
from custodiet.logic.generate.problem import Problem, Version, certify_problem
from custodiet.logic.generate.statements import Individuals, Statement, kinds_of
from custodiet.logic.generate.syllogism_proofs import prove
from custodiet.logic.minimal import propagation_rounds
from custodiet.logic.semantics import CONTRADICTED, ENTAILED, UNKNOWN

__all__ = ["draw_syllogistic"]

_LETTERS = "ABCDEFGHIJKLMNOPQRST"
_MAX_ATTEMPTS = 200
_TRIES = 40
_OPPOSITES = {"A": "O", "O": "A", "E": "I", "I": "E"}
Fresh = Callable[[], str]


def draw_syllogistic(
    draws: Draws,
    *,
    depth: int,
    num_premises: int,
    distractors: Sequence[str],
    contrary: int,
    existential_import: bool,
) -> Problem:
    """Draw a problem and prove it.

    Args:
        draws: random choices.
        depth: statements between the switch and the goal's predicate, at least 1.
        num_premises: at least `config.least_premises("syllogistic", depth)`.
        distractors: kinds of premises that lead nowhere.
        contrary: premises that say something of the goal's predicate and a kind of which nothing is known.
        existential_import: whether every kind has a member without being said to.

    Returns:
        The problem; its labels were found by two engines, and each premise of a support is in all supports.

    Raises:
        CustodietError: two engines disagree, or no problem of that shape was found.
    """
    for attempt in range(_MAX_ATTEMPTS):
        found = _attempt(draws, depth, num_premises, distractors, contrary, existential_import)
        if found is not None and certify_problem(found):
            found.rejected = attempt
            return found
    raise CustodietError(
        f"no syllogistic problem of depth {depth} with {num_premises} premises was found in {_MAX_ATTEMPTS} tries",
        hint="Allow more premises or more kinds of distractors.",
    )


def _attempt(
    draws: Draws,
    depth: int,
    num_premises: int,
    distractors: Sequence[str],
    contrary: int,
    existential_import: bool,
) -> Problem | None:
    fresh = draws.names(_LETTERS, 1 + num_premises // 9).__next__
    subject, predicate = fresh(), fresh()
    leaves = [fresh(), fresh(), fresh()]
    spare = num_premises - 2 * depth - 3 + existential_import
    dead = min(depth, 1 + spare)
    chains = [
        _chain(draws, fresh, leaves[0], predicate, depth, positive=True),
        _chain(draws, fresh, leaves[1], predicate, depth, positive=False),
        _broken(draws, fresh, leaves[2], predicate, dead),
    ]
    switches = [Statement("A", subject, one) for one in leaves]
    member = Statement("X", subject, "") if existential_import else _member(draws, fresh, subject)

    form = draws.pick("AEIO")
    turned = form in "EI" and draws.random() < 0.5
    goal = Statement(form, predicate, subject) if turned else Statement(form, subject, predicate)
    opposite = Statement(_OPPOSITES[form], *goal[1:])
    proving = 0 if form in "AI" else 1  # which chain proves the goal; the other refutes it
    order = (proving, 1 - proving, 2)

    needs_member = [(order[version] == proving) is (form in "IO") for version in range(2)]
    individuals = _individuals(subject, predicate, switches, chains, None if existential_import else member)
    if individuals is None:
        return None
    stated = [one for chain in chains for one in chain] + ([] if existential_import else [member])
    if existential_import and not all(
        individuals.state(Statement("X", kind, "")) for kind in kinds_of([*switches, *stated]) if kind != subject
    ):
        return None
    extra = num_premises - 1 - len(stated)
    added = _distractors(
        draws,
        fresh,
        individuals,
        num=extra,
        kinds=distractors,
        contrary=contrary,
        stated=[*stated, *switches],
        leaves=leaves,
        about=(subject, predicate),
        existential_import=existential_import,
    )
    if len(added) < extra or not individuals.hold():
        return None
    counts: dict[str, int] = {}
    for name, _ in added:
        counts[name] = counts.get(name, 0) + 1
    statements = [*stated, *[one for _, one in added], switches[order[0]]]
    draws.shuffle(statements)
    switch_at = statements.index(switches[order[0]])
    premises = [one.formula() for one in statements]
    versions = []
    for version, label in enumerate((ENTAILED, CONTRADICTED, UNKNOWN)):
        which = order[version]
        switch = switches[which]
        here = [*statements]
        here[switch_at] = switch
        lines, opposite_lines, support, rounds = [], None, (), None
        if version < 2:
            chain = [switch, *chains[which]]
            lines = prove(chain, which == 0, goal, subject, predicate, member)
            opposite_lines = prove(chain, which == 0, opposite, subject, predicate, member)
            needed = [*chain, member] if needs_member[version] and not existential_import else chain
            support = tuple(sorted([here.index(one) for one in needed]))
            rounds = _rounds(here, subject, predicate)
        versions.append(Version(switch.formula(), label, lines, support, None, rounds, opposite_lines))
    kinds = kinds_of([*statements, *switches])
    return Problem(
        "syllogistic",
        premises,
        switch_at,
        goal.formula(),
        tuple(versions),
        depth,
        "A/O" if form in "AO" else "E/I",
        ["syllogism"] * depth,
        counts,
        frozenset([one.formula() for one in stated]),
        dict.fromkeys(kinds, ("",)),
        {"c": ""},
        opposite=opposite.formula(),
        implicit=tuple([Statement("X", kind, "").formula() for kind in sorted(kinds)] if existential_import else []),
    )


def _chain(draws: Draws, fresh: Fresh, leaf: str, predicate: str, length: int, *, positive: bool) -> list[Statement]:
    """Statements that lead from a leaf to the predicate or to its absence; the first is about every member of the leaf."""
    forward = length if positive else 0 if length == 1 else draws.between(1, length - 1)
    backward = 0 if positive else length - 1 - forward
    statements = []
    here = leaf
    for step in range(forward):
        following = predicate if positive and step == length - 1 else fresh()
        statements.append(Statement("A", here, following))
        here = following
    if positive:
        return statements
    there = predicate
    behind = []
    for _ in range(backward):
        following = fresh()
        behind.append(Statement("A", there, following))
        there = following
    turned = length > 1 and draws.random() < 0.5
    statements.append(Statement("E", there, here) if turned else Statement("E", here, there))
    return [*statements, *behind]


def _broken(draws: Draws, fresh: Fresh, leaf: str, predicate: str, length: int) -> list[Statement]:
    """A chain like the others, one statement of which does not lead on; the leaf's own does if there are two or more."""
    if length == 1:
        at = draws.below(3)
        return [Statement("AIO"[at], leaf, predicate if at else fresh())]
    statements = _chain(draws, fresh, leaf, predicate, length, positive=draws.random() < 0.5)
    place = draws.between(1, length - 1)
    form, subject, other = statements[place]
    if form == "E":
        statements[place] = Statement("O", subject, other)
    elif draws.random() < 0.6:
        statements[place] = Statement("A", other, subject)
    else:
        statements[place] = Statement("I", subject, other)
    return statements


def _member(draws: Draws, fresh: Fresh, subject: str) -> Statement:
    """A statement by which the subject has a member."""
    at = draws.below(4)
    if at == 0:
        return Statement("X", subject, "")
    if at == 1:
        return Statement("I", fresh(), subject)
    return Statement("I" if at == 2 else "O", subject, fresh())


def _individuals(
    subject: str,
    predicate: str,
    switches: Sequence[Statement],
    chains: Sequence[Sequence[Statement]],
    member: Statement | None,
) -> Individuals | None:
    """For each version a member of the subject that shows that the premises are consistent; one for each premise of a
    support that shows that it cannot be spared; two that show that the third version leaves the goal open. None if the
    frame is not what it should be. (That the premise `member` cannot be spared is shown by there being none.)
    """
    told = (
        [] if member is None else [one for one in member[1:] if one and not (member.form == "O" and one == member[2])]
    )
    lacking = [member.predicate] if member is not None and member.form == "O" else []
    found = Individuals(subject)
    exempt: dict[Statement, int] = {}
    of_version = [0, 0, 0]

    def place(version: int, has_predicate: bool | None) -> int:
        more = [predicate] if has_predicate else []
        less = [predicate] if has_predicate is False else []
        bit = 1 << found.place([subject, *told, *more], [*lacking, *less])
        of_version[version] |= bit
        return bit

    for version in (0, 1):
        place(version, None)
        for one in (switches[version], *chains[version]):
            exempt[one] = place(version, version == 1)
    place(2, True)
    place(2, False)
    everyone = (1 << found.num) - 1
    for version, switch in enumerate(switches):
        if not found.state(switch, exempt.get(switch, 0) | (everyone & ~of_version[version])):
            return None
    for chain in chains:
        for one in chain:
            if not found.state(one, exempt.get(one, 0)):
                return None
    return found


def _distractors(
    draws: Draws,
    fresh: Fresh,
    individuals: Individuals,
    *,
    num: int,
    kinds: Sequence[str],
    contrary: int,
    stated: Sequence[Statement],
    leaves: Sequence[str],
    about: tuple[str, str],
    existential_import: bool,
) -> list[tuple[str, Statement]]:
    """Statements that change nothing about what follows, each with the kind of distractor that it is."""
    seen = {one.said() for one in stated}
    pool = [one for one in kinds_of(stated) if one not in leaves]
    rules = [one for one in stated if one.predicate and one.subject not in leaves and one.predicate not in leaves]
    ends = [about[0]]
    found: list[tuple[str, Statement]] = []
    left = max(2, num // 2)  # kinds that may be new

    for number in range(num):
        for _ in range(_TRIES):
            name = "contrary" if number < contrary else draws.pick(kinds)
            new = fresh() if left and (name in ("contrary", "dead-end") or draws.random() < 0.3) else None
            other = new or draws.pick(pool)
            if name == "contrary":
                form = draws.pick("AAEE")
                turned = form == "E" and draws.random() < 0.5
                one = Statement(form, about[1], other) if turned else Statement(form, other, about[1])
            elif name == "near-miss":
                one = _near_miss(draws, draws.pick(rules or [Statement("A", *about)]), other)
            elif name == "dead-end":
                one = Statement(draws.pick("AAAAEIO"), draws.pick(ends if draws.random() < 0.5 else pool), other)
            else:
                one = Statement(draws.pick("AAAEIO"), draws.pick(pool), draws.pick(pool))
            if one.subject != one.predicate and one.said() not in seen and individuals.state(one):
                used = new is not None and new in one[1:]
                if used and existential_import and not individuals.state(Statement("X", other, "")):
                    return []
                if used:
                    left -= 1
                    pool.append(other)
                if name == "dead-end" and one.form == "A":
                    ends.append(other)
                seen.add(one.said())
                found.append((name, one))
                break
    return found


def _near_miss(draws: Draws, rule: Statement, other: str) -> Statement:
    """A statement of the frame with another kind, of another form, or turned."""
    form, subject, predicate = rule
    at = draws.random()
    if at < 0.3:
        return Statement(form, other, predicate)
    if at < 0.6:
        return Statement(form, subject, other)
    if at < 0.75:
        return Statement(form, predicate, subject)
    return Statement(draws.pick([one for one in "AEIO" if one != form]), subject, predicate)


def _rounds(statements: Sequence[Statement], subject: str, predicate: str) -> int | None:
    """Rounds of one-premise inference about a member of the subject, after those of what is said of the subject itself."""
    known: list[Formula] = [Atom(subject)]
    for form, first, second in statements:
        if form in "AE":
            known.append(Implies(Atom(first), Atom(second) if form == "A" else Not(Atom(second))))
    found = propagation_rounds(known, Atom(predicate))
    return None if found is None else found - 1
