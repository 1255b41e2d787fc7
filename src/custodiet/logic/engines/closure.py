"""Datalog with stratified negation: the perfect model by forward chaining, with depths and derivations.

Facts are ground atoms; rules are `forall x: forall y: body -> head`, the body a literal or a conjunction of literals.
What is not derived is false (closed world), different constants name different individuals (unique names).

Negation is stratified if no predicate depends on its own negation; then predicates come in layers, each negating only
lower ones, and chaining layer by layer gives the one perfect model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from custodiet.errors import FormulaError
from custodiet.logic.formulas import And, Atom, ForAll, Formula, Implies, Not, instantiate, is_variable
from custodiet.logic.notation import format_formula
from custodiet.logic.semantics import CONTRADICTED, ENTAILED, Decision, Model, element_names

__all__ = ["Closure", "Derivation", "Program", "Rule", "decide_by_closure", "parse_rule"]

NAME = "closure"


class Rule(NamedTuple):
    """`positives and none of negatives -> head`, for all values of the variables; a fact has an empty body."""

    head: Atom
    positives: tuple[Atom, ...]
    negatives: tuple[Atom, ...]
    variables: tuple[str, ...]


class Derivation(NamedTuple):
    """One application of a premise: the 0-based number of it, what it gave, and the ground body."""

    premise: int
    head: Atom
    positives: tuple[Atom, ...]
    negatives: tuple[Atom, ...]


@lru_cache(maxsize=1 << 13)
def parse_rule(formula: Formula) -> Rule:
    """The fact or the rule that a formula is.

    Raises:
        FormulaError: it is neither, or not safe: a variable of the head or of a negated literal is in no positive one.
    """
    variables: list[str] = []
    one = formula
    while isinstance(one, ForAll):
        if one.sort:
            raise FormulaError(f"it has the sort {one.sort}", expected="variables without sorts")
        variables.append(one.variable)
        one = one.body
    if isinstance(one, Implies):
        body = one.left.parts if isinstance(one.left, And) else (one.left,)
        head = one.right
    else:
        body, head = (), one
    if not isinstance(head, Atom):
        raise FormulaError("what it concludes is no atom", expected="a fact, or body -> head", got=format_formula(head))
    positives = [part for part in body if isinstance(part, Atom)]
    negatives = [part.body for part in body if isinstance(part, Not) and isinstance(part.body, Atom)]
    if len(positives) + len(negatives) != len(body):
        wrong = next(one for one in body if not isinstance(one.body if isinstance(one, Not) else one, Atom))
        raise FormulaError(
            "a part of its body is no literal", expected="atoms and negated atoms", got=format_formula(wrong)
        )
    bound = {term for atom in positives for term in atom.args}
    for atom, where in [(head, "its head"), *[(atom, f"~{format_formula(atom)}") for atom in negatives]]:
        for term in atom.args:
            if is_variable(term) and term not in bound:
                raise FormulaError(
                    f"the variable {term} of {where} is in no positive literal of the body",
                    hint="Such a rule is not safe: it would speak of everything there is.",
                )
    return Rule(head, tuple(positives), tuple(negatives), tuple(variables))


class Program:
    """Facts and rules, checked.

    Args:
        premises: facts and rules.
        goal: a ground literal, or None.

    Raises:
        FormulaError: a premise that is neither fact nor safe rule, a predicate with two numbers of arguments, a predicate
            that depends on its own negation, or a goal that is no ground literal.
    """

    def __init__(self, premises: Sequence[Formula], goal: Formula | None = None) -> None:
        self.rules: tuple[Rule, ...] = tuple(self._parsed(i, one) for i, one in enumerate(premises, start=1))
        self.goal = goal
        self.predicates: dict[str, int] = {}
        constants: dict[str, None] = {}
        goal_atom = goal.body if isinstance(goal, Not) else goal
        if goal_atom is not None and (not isinstance(goal_atom, Atom) or any(map(is_variable, goal_atom.args))):
            raise FormulaError(
                "the goal is no ground literal of datalog", expected="an atom or a negated one", got=repr(goal)
            )
        goals = [] if goal_atom is None else [goal_atom]
        for atom in (*[atom for rule in self.rules for atom in (rule.head, *rule.positives, *rule.negatives)], *goals):
            arity = self.predicates.setdefault(atom.predicate, len(atom.args))
            if arity != len(atom.args):
                raise FormulaError(
                    f"the predicate {atom.predicate} is used with two numbers of arguments",
                    expected=arity,
                    got=len(atom.args),
                )
            constants.update((term, None) for term in atom.args if not is_variable(term))
        self.constants = tuple(constants)
        self.strata = self._strata()

    @staticmethod
    def _parsed(number: int, formula: Formula) -> Rule:
        try:
            return parse_rule(formula)
        except FormulaError as error:
            raise FormulaError(f"premise {number}, {format_formula(formula)}, is not datalog: {error}") from error

    def _strata(self) -> dict[str, int]:
        """Predicate -> layer: not below the predicates that it uses, above those that it negates."""
        below: dict[str, dict[str, bool]] = {name: {} for name in self.predicates}  # uses, and whether negated
        for rule in self.rules:
            uses = below[rule.head.predicate]
            for atom in rule.positives:
                uses.setdefault(atom.predicate, False)
            for atom in rule.negatives:
                uses[atom.predicate] = True
        strata = dict.fromkeys(self.predicates, 0)
        for _ in range(len(strata) + 1):
            raised = False
            for name, uses in below.items():
                least = max([strata[one] + negated for one, negated in uses.items()], default=0)
                if least > strata[name]:
                    strata[name] = least
                    raised = True
            if not raised:
                return strata
        for name, uses in below.items():
            for one, negated in uses.items():
                if negated and (path := _path(below, one, name)):
                    steps = " uses ".join(path)
                    raise FormulaError(
                        f"the predicate {name} depends on its own negation: {name} negates {steps}",
                        expected="stratified negation",
                    )
        raise AssertionError("layers grow without end only along a cycle through a negation")

    def closure(self) -> Closure:
        """The perfect model, with every derivation."""
        return Closure(self)


def _path(below: dict[str, dict[str, bool]], start: str, end: str) -> list[str]:
    """Predicates from one to another along what they use; [] if there is no way."""
    came: dict[str, str] = {start: ""}
    queue = [start]
    for one in queue:
        if one == end:
            path = [one]
            while came[path[-1]]:
                path.append(came[path[-1]])
            return path[::-1]
        for other in below[one]:
            if other not in came:
                came[other] = one
                queue.append(other)
    return []


class Closure:
    """The perfect model of a program.

    Attributes:
        depths: true atom -> least number of rule applications one above the other that prove it; a fact has 0. Negated
            atoms count 0: they rest on the program as a whole.
        derivations: true atom -> every application of a premise that gives it, facts included.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.derivations: dict[Atom, list[Derivation]] = {}
        self._seen: set[Derivation] = set()
        self._index: dict[tuple[str, int, str], list[Atom]] = {}  # predicate, argument's number, value -> true atoms
        self._relations: dict[str, list[Atom]] = {name: [] for name in program.predicates}
        layers: dict[int, list[int]] = {}
        for number, rule in enumerate(program.rules):
            layers.setdefault(program.strata[rule.head.predicate], []).append(number)
        for layer in sorted(layers):
            self._chain(layers[layer])
        self.depths = self._depths()

    def _chain(self, numbers: list[int]) -> None:
        """Apply the rules of one layer until nothing is new: all atoms first, then with each new atom."""
        new: list[Atom] = []
        using: dict[str, list[tuple[int, int]]] = {}
        for number in numbers:
            for place, wanted in enumerate(self.program.rules[number].positives):
                using.setdefault(wanted.predicate, []).append((number, place))
            self._apply(number, None, None, new)
        for atom in new:  # grows while it is read
            for number, place in using.get(atom.predicate, ()):
                self._apply(number, place, atom, new)

    def _apply(self, number: int, place: int | None, atom: Atom | None, new: list[Atom]) -> None:
        """Every application of a rule, the positive literal at `place` being `atom`."""
        rule = self.program.rules[number]
        bindings: dict[str, str] = {}
        rest = list(rule.positives)
        if place is not None and atom is not None:
            found = _matched(rest.pop(place), atom, bindings)
            if found is None:
                return
            bindings = found
        for full in list(self._joined(rest, bindings)):
            negatives = tuple([_ground(one, full) for one in rule.negatives])
            if any(one in self.derivations for one in negatives):
                continue
            made = Derivation(
                number, _ground(rule.head, full), tuple([_ground(one, full) for one in rule.positives]), negatives
            )
            if made in self._seen:
                continue
            self._seen.add(made)
            known = self.derivations.get(made.head)
            if known is not None:
                known.append(made)
                continue
            self.derivations[made.head] = [made]
            new.append(made.head)
            self._relations[made.head.predicate].append(made.head)
            for i, term in enumerate(made.head.args):
                self._index.setdefault((made.head.predicate, i, term), []).append(made.head)

    def _joined(self, rest: list[Atom], bindings: dict[str, str]) -> Iterator[dict[str, str]]:
        """Every way to make all of the atoms true."""
        if not rest:
            yield bindings
            return
        best: list[Atom] | None = None
        at = 0
        for k, wanted in enumerate(rest):
            found = self._candidates(wanted, bindings)
            if best is None or len(found) < len(best):
                best, at = found, k
        if not best:
            return
        wanted, others = rest[at], rest[:at] + rest[at + 1 :]
        for one in best:
            extended = _matched(wanted, one, bindings)
            if extended is not None:
                yield from self._joined(others, extended)

    def _candidates(self, wanted: Atom, bindings: dict[str, str]) -> list[Atom]:
        """True atoms that may be the wanted one: the fewest that an index gives."""
        best = self._relations[wanted.predicate]
        for i, term in enumerate(wanted.args):
            value = bindings.get(term, "") if is_variable(term) else term
            if value:
                found = self._index.get((wanted.predicate, i, value), [])
                if len(found) < len(best):
                    best = found
        return best

    def _depths(self) -> dict[Atom, int]:
        """Least depths, by ascending depth: an application fires when the last atom of its body is reached."""
        waiting: dict[Atom, list[Derivation]] = {}
        missing: dict[Derivation, int] = {}
        depths: dict[Atom, int] = {}
        level: list[Atom] = []
        next_level: list[Atom] = []
        for made in self._seen:
            body = set(made.positives)
            missing[made] = len(body)
            for atom in body:
                waiting.setdefault(atom, []).append(made)
            if not body:
                (level if self._is_fact(made) else next_level).append(made.head)
        depth = 0
        while level or next_level:
            for atom in level:
                if atom in depths:
                    continue
                depths[atom] = depth
                for made in waiting.get(atom, ()):
                    missing[made] -= 1
                    if not missing[made]:
                        next_level.append(made.head)
            level, next_level = next_level, []
            depth += 1
        return {atom: depths[atom] for atom in self.derivations}

    def _is_fact(self, made: Derivation) -> bool:
        return not made.positives and not made.negatives

    def holds(self, literal: Formula) -> bool:
        """Whether a ground literal is true in the perfect model."""
        return literal.body not in self.derivations if isinstance(literal, Not) else literal in self.derivations

    def proof(self, atom: Atom) -> list[Derivation]:
        """A proof of least depth: applications, each after those that its body needs, the atom's last.

        Raises:
            FormulaError: the atom is not true.
        """
        if atom not in self.depths:
            raise FormulaError("there is no proof of what is not derived", got=format_formula(atom))
        done: dict[Atom, Derivation] = {}

        def prove(one: Atom) -> None:
            if one in done:
                return
            best = min(self.derivations[one], key=self._order)
            for part in best.positives:
                prove(part)
            done[one] = best

        prove(atom)
        return list(done.values())

    def _order(self, made: Derivation) -> tuple[int, int, Derivation]:
        deepest = max([self.depths[one] for one in made.positives], default=-1 if self._is_fact(made) else 0)
        return (deepest, len(made.positives) + len(made.negatives), made)

    def model(self) -> Model:
        """The perfect model; each constant names itself."""
        names = self.program.constants
        individuals = bool(names) or any(self.program.predicates.values())
        domain = names or element_names(1)
        return Model(
            {"": domain} if individuals else {}, dict(zip(names, names, strict=True)), frozenset(self.derivations)
        )


def _matched(wanted: Atom, atom: Atom, bindings: dict[str, str]) -> dict[str, str] | None:
    """Bindings under which the wanted atom is the ground one; None if there are none."""
    extended = bindings
    for term, value in zip(wanted.args, atom.args, strict=True):
        if not is_variable(term):
            if term != value:
                return None
        elif (known := extended.get(term)) is None:
            if extended is bindings:
                extended = dict(bindings)
            extended[term] = value
        elif known != value:
            return None
    return extended


def _ground(atom: Atom, bindings: dict[str, str]) -> Atom:
    found = instantiate(atom, bindings)
    assert isinstance(found, Atom)
    return found


def decide_by_closure(premises: Iterable[Formula], goal: Formula, *, models: bool = True) -> Decision:
    """Decide what a program says about a goal.

    Args:
        premises: facts and rules.
        goal: a ground literal.
        models: whether to give the perfect model too.

    Returns:
        `entailed` with the perfect model as `with_goal`, or `contradicted` with it as `without_goal`.

    Raises:
        FormulaError: see `Program`.
    """
    closure = Program(tuple(premises), goal).closure()
    model = closure.model() if models else None
    if closure.holds(goal):
        return Decision(ENTAILED, model, None, (NAME,))
    return Decision(CONTRADICTED, None, model, (NAME,))
