"""From propositions to individuals: a problem of propositional logic said of somebody, of everybody, or of pairs.

Every atom becomes a predicate of one or more of a few places; a rule is said of all individuals, a fact of those that the
problem is about. Whatever was shown by assignments stays shown: the structure with one individual, of which an atom is
true as it is in the assignment, makes `forall`, `exists` and every instance of a premise as true as the premise was.
So the witnesses of `distractors.py` stay witnesses, and what a proof needs is only that rules are instantiated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from custodiet.logic.formulas import (
    FALSUM,
    And,
    Atom,
    Exists,
    ForAll,
    Formula,
    Iff,
    Implies,
    Not,
    Or,
    atoms_of,
    complement,
    instantiate,
    is_literal,
)
from custodiet.logic.generate.draws import Draws
from custodiet.logic.generate.problem import Problem
from custodiet.logic.generate.steps import Line

__all__ = ["Lift", "lift_problem", "sorts_can_be_told"]

_VARIABLES = ("x", "y", "z")
_PREDICATES = "ABCDEFGHIJKLMNOPQRST"
_CONSTANTS = "abcdefghijklmnopqrst"
_PLACES_OF_PAIRS = ((0, 1), (1, 0), (0, 1), (1, 0), (0,), (1,))
_PLACES_OF_TRIPLES = (*_PLACES_OF_PAIRS, (0, 2), (2, 0), (1, 2), (2, 1), (2,))


class Lift:
    """Which predicate an atom becomes, and of which places it is said.

    Args:
        draws: random choices.
        atoms: of the propositional problem.
        num_places: 1 for unary predicates, 2 or 3 for relations as well.
        sorts: the sort of each place, "" in a language without sorts.
    """

    def __init__(self, draws: Draws, atoms: Sequence[Atom], num_places: int, sorts: Sequence[str]) -> None:
        names = [
            f"{_PREDICATES[at % 20]}{at // 20 or ''}" for at in range(len(atoms))
        ]  # the same ones for the same number:
        draws.shuffle(names)  # what was worked out for a formula is met again
        options = {1: ((0,),), 2: _PLACES_OF_PAIRS, 3: _PLACES_OF_TRIPLES}[num_places]
        self.sorts = tuple(sorts)
        self.num_places = num_places
        self._shapes = {atom: (names.pop(), draws.pick(options)) for atom in atoms}
        self._said: dict[tuple[str, ...], dict[Formula, Formula]] = {}

    def pattern(self, formula: Formula) -> Formula:
        """The formula with predicates, said of the places' variables."""
        return self.said_of(formula, _VARIABLES)

    def said_of(self, formula: Formula, individuals: Sequence[str]) -> Formula:
        """The formula said of these individuals, one for each place."""
        key = tuple(individuals)
        known = self._said.get(key)
        if known is None:
            known = self._said[key] = {}
        return self._say(formula, key, known)

    def _say(self, formula: Formula, individuals: tuple[str, ...], known: dict[Formula, Formula]) -> Formula:
        found = known.get(formula)
        if found is not None:
            return found
        kind = formula[0]
        if kind == "atom":
            predicate, places = self._shapes[formula]  # type: ignore[index]
            found = Atom(predicate, tuple([individuals[one] for one in places]))
        elif kind == "not":
            found = Not(self._say(formula[1], individuals, known))
        elif kind == "implies" or kind == "iff":
            left = self._say(formula[1], individuals, known)
            found = (Implies if kind == "implies" else Iff)(left, self._say(formula[2], individuals, known))
        elif kind == "and" or kind == "or":
            found = (And if kind == "and" else Or)(*[self._say(one, individuals, known) for one in formula[1]])
        else:
            found = FALSUM
        known[formula] = found
        return found

    def predicates(self) -> dict[str, tuple[str, ...]]:
        """Predicate -> sorts of its arguments."""
        return {name: tuple([self.sorts[one] for one in places]) for name, places in self._shapes.values()}

    def variables_of(self, formula: Formula) -> list[str]:
        """The variables of a pattern, in the order in which they are read."""
        if self.num_places == 1:
            return list(_VARIABLES[:1])
        used: dict[str, None] = {}
        for atom in atoms_of(self.pattern(formula)):
            used.update(dict.fromkeys(atom.args))
        return list(used)

    def of_all(self, formula: Formula) -> Formula:
        """The formula said of all individuals."""
        return self._closed(ForAll, formula)

    def of_some(self, formula: Formula) -> Formula:
        """The formula said of some individuals."""
        return self._closed(Exists, formula)

    def _closed(self, quantifier: type[ForAll] | type[Exists], formula: Formula) -> Formula:
        found = self.pattern(formula)
        for variable in reversed(self.variables_of(formula)):
            found = quantifier(variable, found, self.sorts[_VARIABLES.index(variable)])
        return found

    def instances(self, formula: Formula, individuals: Sequence[str]) -> list[Line]:
        """The lines from the formula said of all to the formula said of these individuals, a variable at a time."""
        lines = []
        whole = self.of_all(formula)
        terms: dict[str, str] = dict(zip(_VARIABLES, individuals, strict=False))
        while isinstance(whole, ForAll):
            part = instantiate(whole.body, {whole.variable: terms[whole.variable]})
            lines.append(Line(part, "universal instantiation", (whole,)))
            whole = part
        return lines


def lift_problem(draws: Draws, problem: Problem, logic: str, *, sorts: Sequence[str] = ("",)) -> Problem | None:
    """Say a propositional problem of individuals.

    Args:
        draws: random choices.
        problem: of propositional logic.
        logic: `monadic` or `relational`.
        sorts: one for each place: one place for `monadic`, two or three for `relational`.

    Returns:
        The problem with new premises, goal and proofs; labels, supports and depths stay what they were. Its `models` are
        left out: whoever certifies the lifted problem finds new ones. None if two premises became one.
    """
    atoms: dict[Atom, None] = {}
    for one in (*problem.premises, *[version.switch for version in problem.versions], problem.goal):
        atoms.update(dict.fromkeys(atoms_of(one)))
    num_places = len(sorts)
    lift = Lift(draws, list(atoms), num_places, sorts)
    constants = list(_CONSTANTS[: draws.between(2, 3) * num_places])
    draws.shuffle(constants)
    subjects, others = constants[:num_places], constants[num_places:]
    general = logic == "monadic" and draws.random() < 0.25  # about everybody instead of somebody

    stated: dict[Formula, Formula] = {}
    of_all: set[Formula] = set()
    switches = {version.switch for version in problem.versions}
    for one in (*problem.premises, *switches):
        if one in stated:
            continue
        if one in problem.frame or one in switches:
            everybody = general or (not is_literal(one) and draws.random() < 0.85)
            stated[one] = lift.of_all(one) if everybody else lift.said_of(one, subjects)
            if everybody:
                of_all.add(one)
        else:
            stated[one] = _distractor(draws, lift, one, subjects, others)

    def said_so(one: Problem) -> dict[str, Any]:
        """Goal and versions of the problem or its companion."""
        goal, ending = _goal(draws, lift, one.goal, subjects, general)
        versions = []
        for index, version in enumerate(one.versions):
            lines: list[Line] = []
            if version.lines:
                for cited in dict.fromkeys(source for line in version.lines for source in line.sources):
                    if cited in of_all:
                        lines.extend(lift.instances(cited, subjects))
                for formula, rule, sources in version.lines:
                    said = tuple([lift.said_of(source, subjects) for source in sources])
                    lines.append(Line(lift.said_of(formula, subjects), rule, said))
                lines.extend(ending(index))
            versions.append(replace(version, switch=stated[version.switch], lines=lines, models=None))
        return {"goal": goal, "versions": tuple(versions)}

    premises = [stated[one] for one in problem.premises]
    if len(set(premises)) < len(premises):
        return None
    lifted = replace(
        problem,
        logic=logic,
        premises=premises,
        frame=frozenset([stated[one] for one in problem.frame]),
        predicates=lift.predicates(),
        constants=dict(zip([*subjects, *others], list(sorts) * 3, strict=False)),
        engines=(),
        companion=None,
        **said_so(problem),
    )
    if problem.companion is not None:
        form = problem.companion.goal_form
        lifted.companion = replace(lifted, goal_form=form, **said_so(problem.companion))
    return lifted


def sorts_can_be_told(problem: Problem) -> bool:
    """Whether something is said of each constant that is also said of all, or some, individuals of a sort."""
    if not any(problem.constants.values()):
        return True
    common = problem.premises[: problem.switch_at] + problem.premises[problem.switch_at + 1 :]
    return all(_sorts_can_be_told([*common, one.switch, problem.goal]) for one in problem.versions)


def _sorts_can_be_told(formulas: Sequence[Formula]) -> bool:
    told: set[str] = set()
    asked: dict[str, set[str]] = {}
    for one in formulas:
        if isinstance(one, (ForAll, Exists)):
            told.update([atom.predicate for atom in atoms_of(one)])
        else:
            for atom in atoms_of(one):
                for term in atom.args:
                    asked.setdefault(term, set()).add(atom.predicate)
    return all(not told.isdisjoint(predicates) for predicates in asked.values())


def _distractor(draws: Draws, lift: Lift, formula: Formula, subjects: Sequence[str], others: Sequence[str]) -> Formula:
    at = draws.random()
    if is_literal(formula):
        at = 0.3 + 0.6 * at
    if at < 0.5:
        return lift.of_all(formula)
    if at < 0.65:
        return lift.said_of(formula, subjects)
    if at < 0.92 or lift.num_places > 1:
        start = draws.below(len(others) // lift.num_places) * lift.num_places
        return lift.said_of(formula, others[start : start + lift.num_places])
    return lift.of_some(formula)


def _goal(draws: Draws, lift: Lift, goal: Formula, subjects: Sequence[str], general: bool):
    """The lifted goal, and what ends the proofs of versions 0 and 1."""
    one = lift.said_of(goal, subjects)
    if not general:
        return one, lambda index: ()
    negated = complement(one)
    variable = _VARIABLES[0]
    body, opposite = lift.pattern(goal), complement(lift.pattern(goal))
    if draws.random() < 0.5:
        every = ForAll(variable, body, lift.sorts[0])
        pair = (one, negated) if isinstance(negated, Not) and negated.body == one else (negated, one)

        def for_all(index: int) -> tuple[Line, ...]:
            if index == 0:
                return (Line(every, "universal generalization", (one,)),)
            return (
                Line(every, "assumption", ()),
                Line(one, "universal instantiation", (every,)),
                Line(FALSUM, "contradiction", pair),
                Line(Not(every), "reductio", (every, FALSUM)),
            )

        return every, for_all
    some = Exists(variable, body, lift.sorts[0])
    none = ForAll(variable, opposite, lift.sorts[0])

    def exists(index: int) -> tuple[Line, ...]:
        if index == 0:
            return (Line(some, "existential generalization", (one,)),)
        return (
            Line(none, "universal generalization", (negated,)),
            Line(Not(some), "quantifier negation", (none,)),
        )

    return some, exists
