"""Random problems for the tests of the engines, and the slow definitions they are held against."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence

from custodiet.logic.formulas import (
    FALSUM,
    And,
    Atom,
    Equal,
    Exists,
    ForAll,
    Formula,
    Iff,
    Implies,
    Not,
    Or,
    atoms_of,
)
from custodiet.logic.semantics import Decision, Model, evaluate, label_of


def random_formula(rng: random.Random, leaves: Sequence[Formula], depth: int = 2) -> Formula:
    """A Boolean combination of leaves."""
    choice = rng.random()
    if depth == 0 or choice < 0.15:
        leaf = FALSUM if rng.random() < 0.03 else rng.choice(leaves)
        return leaf if rng.random() < 0.5 else Not(leaf)
    if choice < 0.25:
        return Not(random_formula(rng, leaves, depth - 1))
    kind = rng.choice([And, Or, Or, Implies, Implies, Iff])
    num = 2 if kind in (Implies, Iff) else rng.randint(2, 3)
    return kind(*[random_formula(rng, leaves, depth - 1) for _ in range(num)])


def propositional_problem(rng: random.Random, num_atoms: int, num_premises: int) -> tuple[list[Formula], Formula]:
    leaves = [Atom(f"p{i}") for i in range(num_atoms)]
    made = [random_formula(rng, leaves, rng.randint(1, 3)) for _ in range(num_premises + 1)]
    return made[1:], made[0]


def all_assignments(formulas: Sequence[Formula]) -> Iterator[Model]:
    """Every truth assignment to the atoms, as they are listed."""
    atoms = list(dict.fromkeys(atom for one in formulas for atom in atoms_of(one)))
    for values in itertools.product((False, True), repeat=len(atoms)):
        yield Model({}, {}, frozenset(atom for atom, value in zip(atoms, values, strict=True) if value))


def all_structures(
    predicates: dict[str, tuple[str, ...]], constants: dict[str, str], sizes: dict[str, int]
) -> Iterator[Model]:
    """Every structure with domains of these sizes: predicate -> sorts of its arguments, constant -> its sort."""
    numbers = itertools.count(1)
    domains = {sort: tuple(f"i{next(numbers)}" for _ in range(size)) for sort, size in sizes.items()}
    atoms = [
        Atom(name, args)
        for name, sorts in predicates.items()
        for args in itertools.product(*[domains[s] for s in sorts])
    ]
    for named in itertools.product(*[domains[sort] for sort in constants.values()]):
        for values in itertools.product((False, True), repeat=len(atoms)):
            true = frozenset(atom for atom, value in zip(atoms, values, strict=True) if value)
            yield Model(domains, dict(zip(constants, named, strict=True)), true)


def label_by(models: Iterator[Model], premises: Sequence[Formula], goal: Formula) -> str:
    """The label by looking at every model."""
    seen = {evaluate(model, goal) for model in models if all(evaluate(model, one) for one in premises)}
    return label_of(True in seen, False in seen)


def check_models(decision: Decision, premises: Sequence[Formula], goal: Formula) -> None:
    """The models that come with a decision are what they are said to be, and stand where the label says."""
    assert decision.label == label_of(decision.with_goal is not None, decision.without_goal is not None)
    for model, value in ((decision.with_goal, True), (decision.without_goal, False)):
        if model is not None:
            assert all(evaluate(model, one) for one in premises)
            assert evaluate(model, goal) is value


def monadic_formula(rng: random.Random, predicates: Sequence[str], constants: Sequence[str]) -> Formula:
    """A Boolean combination of one-variable quantified formulas and ground atoms; constants also below quantifiers."""
    ground = [Atom(p, (c,)) for p in predicates for c in constants]
    open_atoms = [Atom(p, ("x",)) for p in predicates]

    def leaf() -> Formula:
        if rng.random() < 0.4 and ground:
            return rng.choice(ground)
        mixed = [*open_atoms, rng.choice(ground)] if ground and rng.random() < 0.2 else open_atoms
        kind = rng.choice([ForAll, Exists])
        body = Implies(random_formula(rng, mixed, 1), random_formula(rng, mixed, 1))
        return kind("x", body if kind is ForAll else random_formula(rng, mixed, 2))

    return random_formula(rng, [leaf() for _ in range(3)], rng.randint(0, 2))


def relational_formula(
    rng: random.Random, predicates: dict[str, tuple[str, ...]], constants: dict[str, str], *, depth: int = 2
) -> Formula:
    """A formula that may be of Bernays-Schönfinkel logic or not: two layers of quantifiers over a Boolean combination."""
    sorts = sorted({sort for one in predicates.values() for sort in one} | set(constants.values()))
    numbers = itertools.count()

    def literals(bound: dict[str, str]) -> list[Formula]:
        terms = {sort: [one for one, of in {**constants, **bound}.items() if of == sort] for sort in sorts}
        made: list[Formula] = [
            Atom(name, tuple(rng.choice(terms[sort]) for sort in args))
            for name, args in predicates.items()
            for _ in range(2)
            if all(terms[sort] for sort in args)
        ]
        sort = rng.choice(sorts)
        if terms[sort] and rng.random() < 0.7:
            made.append(Equal(rng.choice(terms[sort]), rng.choice(terms[sort])))
        return made or [FALSUM]

    def block(bound: dict[str, str], layers: int) -> Formula:
        if layers == 0 or rng.random() < 0.2:
            return random_formula(rng, literals(bound), rng.randint(0, depth))
        kind = rng.choice([ForAll, Exists])
        new = {f"x{next(numbers)}": rng.choice(sorts) for _ in range(rng.choice([1, 1, 2]))}
        inner = {**bound, **new}
        body = block(inner, layers - 1)
        if rng.random() < 0.5:
            body = rng.choice([And, Or, Implies])(random_formula(rng, literals(inner), 1), body)
        for variable, sort in new.items():
            body = kind(variable, body, sort)
        return body

    made = [block({}, rng.choice([0, 1, 1, 2])) for _ in range(rng.choice([1, 1, 2]))]
    return made[0] if len(made) == 1 else rng.choice([And, Or, Implies, Iff])(*made)
