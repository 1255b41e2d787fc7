"""Rules by which one ground atom leads to another, with the facts that they take beside it.

A step is made from what is said of individuals; its rule says the same of all, with a variable for each of them. So a
rule joins where two atoms share an individual, and is safe as long as every individual of its head is in its body.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from custodiet.logic.formulas import And, Atom, ForAll, Formula, Implies, Not, instantiate
from custodiet.logic.generate.draws import Draws

__all__ = ["Names", "Step", "general", "lead_on"]

_VARIABLES = ("x", "y", "z", "u", "v", "w")


class Names(NamedTuple):
    """Where new names come from."""

    predicate: Callable[[], str]
    constant: Callable[[], str]


class Step(NamedTuple):
    """What a step states, what it comes to, and what kind of step it is."""

    premises: list[Formula]
    atom: Atom
    kind: str


def general(body: Sequence[Formula], head: Formula, *, keep: Collection[str] = ()) -> Formula:
    """The rule that has a variable for each term of a body and a head, but for the constants that it is to keep."""
    terms: dict[str, str] = {}
    for one in (*body, head):
        atom = one.body if isinstance(one, Not) else one
        assert isinstance(atom, Atom)
        for term in atom.args:
            if term not in keep:
                terms.setdefault(term, _VARIABLES[len(terms)])
    whole: Formula = Implies(body[0] if len(body) == 1 else And(*body), head)
    whole = instantiate(whole, terms)
    for variable in reversed(terms.values()):
        whole = ForAll(variable, whole)
    return whole


def lead_on(draws: Draws, names: Names, known: Atom, predicate: str | None, spare: int, *, stay: bool) -> Step:
    """One more step from a true atom.

    Args:
        draws: random choices.
        names: of new predicates and constants.
        known: the atom, of one or two arguments.
        predicate: of the atom that follows; None for a new one.
        spare: how many premises beside the rule it may state.
        stay: whether what follows must be said of the same individuals in the same order.

    Returns:
        The step. What it says is false is false as long as nothing else is said of the predicates that it introduces.
    """
    name = predicate or names.predicate()
    at = draws.random()
    if spare >= 3 and at < 0.15:
        return _denied_by_rule(draws, names, known, name)
    if at < 0.35:
        return _denied(draws, names, known, name, spare)
    if spare >= 1 and at < 0.7:
        return _joined(draws, names, known, name, stay)
    args = known.args if stay else draws.pick(_views(known.args))
    following = Atom(name, args)
    return Step([general([known], following)], following, "plain" if set(args) == set(known.args) else "projection")


def _views(args: tuple[str, ...]) -> list[tuple[str, ...]]:
    """What may be said of some of these individuals."""
    if len(args) == 1:
        return [args]
    return [args, args[::-1], args[:1], args[1:]]


def _joined(draws: Draws, names: Names, known: Atom, name: str, stay: bool) -> Step:
    """With a fact about an individual of the known atom, and maybe another one."""
    shared = known.args[-1] if draws.random() < 0.7 else known.args[0]
    if draws.random() < 0.35:
        fact = Atom(names.predicate(), (shared,))
        args = known.args
        kind = "side condition"
    else:
        new = names.constant()
        pair = (shared, new) if draws.random() < 0.6 else (new, shared)
        fact = Atom(names.predicate(), pair)
        if draws.random() < 0.2:  # a rule about this one individual
            following = Atom(name, known.args)
            return Step([general([known, fact], following, keep=(new,)), fact], following, "rule with a name")
        other = next((one for one in known.args if one != shared), shared)
        args = known.args if stay else draws.pick([(new,), (other, new), (new, other), known.args])
        kind = "join"
    body: list[Formula] = [known, fact]
    draws.shuffle(body)
    following = Atom(name, args)
    return Step([general(body, following), fact], following, kind)


def _denied(draws: Draws, names: Names, known: Atom, name: str, spare: int) -> Step:
    """With a condition that is met because nothing says otherwise; maybe it is said of somebody else."""
    absent = Atom(names.predicate(), draws.pick(_views(known.args)))
    following = Atom(name, known.args)
    premises = [general([known, Not(absent)], following)]
    if spare >= 1 and draws.random() < 0.6:
        premises.append(Atom(absent.predicate, tuple([names.constant() for _ in absent.args])))
    return Step(premises, following, "negation")


def _denied_by_rule(draws: Draws, names: Names, known: Atom, name: str) -> Step:
    """With a condition that a rule would break if another condition did not stop that rule."""
    of = (draws.pick(known.args),)
    absent, start, stop = Atom(names.predicate(), of), Atom(names.predicate(), of), Atom(names.predicate(), of)
    following = Atom(name, known.args)
    premises = [general([known, Not(absent)], following), general([start, Not(stop)], absent), start, stop]
    return Step(premises, following, "negation of negation")
