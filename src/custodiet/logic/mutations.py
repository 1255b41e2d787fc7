"""Mutations of proofs: twenty-five kinds of small damage, most of which make a proof wrong, some of which do not.

Whoever judges proofs can be tested with them; `custodiet.logic.damage` says which mutants are wrong for certain.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from custodiet.errors import FormulaError
from custodiet.logic.formulas import (
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
    complement,
    constants_of,
    instantiate,
    is_variable,
    operands,
    subformulas,
)
from custodiet.logic.fragments import signature_of
from custodiet.logic.notation import parse_formula
from custodiet.logic.proofs import Step, step_from_json

__all__ = ["MUTATIONS", "Mutation", "Proof", "mutants_of", "proof_of_item"]


@dataclass(frozen=True)
class Proof:
    """A proof, what it may use, and what it is to prove; `logic` as the kernel names it."""

    steps: tuple[Step, ...]
    premises: tuple[Formula, ...]
    goal: Formula
    logic: str


def proof_of_item(item: Mapping[str, Any]) -> Proof:
    """The proof of an item that `custodiet logic generate` wrote, as `mutants_of` takes it."""
    return Proof(
        tuple(map(step_from_json, item["proof"])),
        tuple(parse_formula(one["formula"]) for one in item["premises"]),
        parse_formula(item["goal"]["formula"]),
        item["logic"],
    )


Mutation = Callable[[Proof, random.Random], Proof | None]
_NO_RULE = ("premise", "assumption")


def with_operands(formula: Formula, parts: list[Formula]) -> Formula:
    """The formula with other formulas directly below its root."""
    if isinstance(formula, (ForAll, Exists)):
        return type(formula)(formula.variable, parts[0], formula.sort)
    return type(formula)(*parts) if parts else formula


def changed_somewhere(
    formula: Formula, rng: random.Random, change: Callable[[Formula], Formula | None]
) -> Formula | None:
    """The formula with one subformula, drawn among those that `change` can change, changed; None if there is none."""
    places = [place for place, one in enumerate(subformulas(formula)) if change(one) is not None]
    if not places:
        return None
    aim, seen = rng.choice(places), -1

    def walk(one: Formula) -> Formula:
        nonlocal seen
        seen += 1
        if seen == aim:
            seen += sum(1 for _ in subformulas(one)) - 1
            made = change(one)
            assert made is not None
            return made
        return with_operands(one, [walk(part) for part in operands(one)])

    return walk(formula)


def _on_a_formula(change: Callable[[Formula, random.Random], Formula | None]) -> Mutation:
    """A mutation of the formula of one line that is not a premise, or of any line if all are."""

    def mutation(proof: Proof, rng: random.Random) -> Proof | None:
        for place in rng.sample(range(len(proof.steps)), len(proof.steps)):
            formula = change(proof.steps[place].formula, rng)
            if formula is not None and formula != proof.steps[place].formula:
                return _with_line(proof, place, formula=formula)
        return None

    return mutation


def _below(change: Callable[[Formula, random.Random], Formula | None]) -> Mutation:
    """The same, somewhere inside the formula."""

    def deep(formula: Formula, rng: random.Random) -> Formula | None:
        seed = rng.random()
        return changed_somewhere(formula, rng, lambda one: change(one, random.Random(seed)))

    return _on_a_formula(deep)


def _with_line(proof: Proof, place: int, **changes) -> Proof:
    steps = list(proof.steps)
    steps[place] = replace(steps[place], **changes)
    return replace(proof, steps=tuple(steps))


def _places(proof: Proof, wanted: Callable[[Step], bool]) -> list[int]:
    return [place for place, step in enumerate(proof.steps) if wanted(step)]


def _a_place(proof: Proof, rng: random.Random, wanted: Callable[[Step], bool]) -> int | None:
    places = _places(proof, wanted)
    return rng.choice(places) if places else None


def drop_line(proof: Proof, rng: random.Random) -> Proof:
    place = rng.randrange(len(proof.steps))
    return replace(proof, steps=proof.steps[:place] + proof.steps[place + 1 :])


def drop_premise(proof: Proof, rng: random.Random) -> Proof | None:
    """The line stays, the premise is not given."""
    used = [
        one for one in proof.premises if any(step.formula == one and step.rule == "premise" for step in proof.steps)
    ]
    if not used:
        return None
    gone = rng.choice(used)
    return replace(proof, premises=tuple(one for one in proof.premises if one != gone))


def wrong_citation(proof: Proof, rng: random.Random) -> Proof | None:
    place = _a_place(proof, rng, lambda step: bool(step.cites) and step.number > 2)
    if place is None:
        return None
    step = proof.steps[place]
    at, earlier = rng.randrange(len(step.cites)), [one.number for one in proof.steps[:place]]
    cites = list(step.cites)
    cites[at] = rng.choice([one for one in earlier if one != cites[at]] or earlier)
    return _with_line(proof, place, cites=tuple(cites))


def drop_citation(proof: Proof, rng: random.Random) -> Proof | None:
    place = _a_place(proof, rng, lambda step: bool(step.cites))
    if place is None:
        return None
    cites = list(proof.steps[place].cites)
    del cites[rng.randrange(len(cites))]
    return _with_line(proof, place, cites=tuple(cites))


def _cite(later: bool) -> Mutation:
    def mutation(proof: Proof, rng: random.Random) -> Proof | None:
        places = _places(proof, lambda step: bool(step.cites))
        place = rng.choice([one for one in places if not later or one + 1 < len(proof.steps)] or [-1])
        if place < 0:
            return None
        number = rng.choice(proof.steps[place + 1 :]).number if later else proof.steps[place].number
        cites = list(proof.steps[place].cites)
        if rng.random() < 0.5:
            cites[rng.randrange(len(cites))] = number
        else:
            cites.append(number)
        return _with_line(proof, place, cites=tuple(cites))

    return mutation


def _swapped(one: Formula, rng: random.Random) -> Formula | None:
    if isinstance(one, (And, Or)):
        return (Or if isinstance(one, And) else And)(*one.parts)
    if isinstance(one, (Implies, Iff)):
        return rng.choice([made for made in (Implies, Iff, And, Or) if not isinstance(one, made)])(one.left, one.right)
    return None


def _turned(one: Formula, rng: random.Random) -> Formula | None:
    return Implies(one.right, one.left) if isinstance(one, Implies) and one.left != one.right else None


def _flipped(one: Formula, rng: random.Random) -> Formula | None:
    return complement(one)


def _requantified(one: Formula, rng: random.Random) -> Formula | None:
    if isinstance(one, (ForAll, Exists)):
        return (Exists if isinstance(one, ForAll) else ForAll)(one.variable, one.body, one.sort)
    return None


def _renamed_atom(one: Formula, rng: random.Random) -> Formula | None:
    if not isinstance(one, Atom):
        return None
    names = "pqrst" if not one.args else "RT" if len(one.args) == 2 else "PQS" if one.predicate in "PQS" else "KLMUV"
    return Atom(rng.choice([name for name in names if name != one.predicate]), one.args)


def _renamed_constant(one: Formula, rng: random.Random) -> Formula | None:
    terms = one.args if isinstance(one, Atom) else (one.left, one.right) if isinstance(one, Equal) else ()
    here = [place for place, term in enumerate(terms) if not is_variable(term)]
    if not here:
        return None
    place = rng.choice(here)
    name = rng.choice([name for name in ("a1", "a2", "b1", "c1", "c2", "a", "b") if name != terms[place]])
    terms = (*terms[:place], name, *terms[place + 1 :])
    return Atom(one.predicate, terms) if isinstance(one, Atom) else Equal(*terms)


def _swapped_terms(one: Formula, rng: random.Random) -> Formula | None:
    if isinstance(one, Atom) and len(one.args) == 2 and one.args[0] != one.args[1]:
        return Atom(one.predicate, one.args[::-1])
    return None


def _weakened(formula: Formula, rng: random.Random) -> Formula | None:
    """A disjunct more, or a conjunct less."""
    if isinstance(formula, And) and rng.random() < 0.7:
        parts = list(formula.parts)
        del parts[rng.randrange(len(parts))]
        return parts[0] if len(parts) == 1 else And(*parts)
    return None if isinstance(formula, (ForAll, Exists)) else Or(formula, _some_part(formula, rng))


def _strengthened(formula: Formula, rng: random.Random) -> Formula | None:
    """A conjunct more, or a disjunct less."""
    if isinstance(formula, Or) and rng.random() < 0.7:
        parts = list(formula.parts)
        del parts[rng.randrange(len(parts))]
        return parts[0] if len(parts) == 1 else Or(*parts)
    return None if isinstance(formula, (ForAll, Exists)) else And(formula, _some_part(formula, rng))


def _some_part(formula: Formula, rng: random.Random) -> Formula:
    atoms = [one for one in subformulas(formula) if isinstance(one, (Atom, Equal))]
    closed = [one for one in atoms if not any(map(is_variable, one[2] if isinstance(one, Atom) else one[1:]))]
    return complement(rng.choice(closed)) if closed else Not(formula)


def wrong_rule(proof: Proof, rng: random.Random) -> Proof | None:
    place = _a_place(proof, rng, lambda step: step.rule not in _NO_RULE)
    names = ["modus ponens", "conjunction", "reductio", "conditional proof", "universal generalization", "resolution",
             "case split", "existential elimination", "repetition", "closed world", "modus morons"]  # fmt: skip
    return None if place is None else _with_line(proof, place, rule=rng.choice(names))


def premise_for_assumption(proof: Proof, rng: random.Random) -> Proof | None:
    """An assumption is called a premise or a premise an assumption."""
    place = _a_place(proof, rng, lambda step: step.rule in _NO_RULE)
    if place is None:
        return None
    other = "premise" if proof.steps[place].rule == "assumption" else "assumption"
    return _with_line(proof, place, rule=other)


def leak_assumption(proof: Proof, rng: random.Random) -> Proof | None:
    """A line that discharged an assumption says instead what was shown under it; or the goal is an open line."""
    rules = ("conditional proof", "reductio", "case split", "existential elimination")
    place = _a_place(proof, rng, lambda step: step.rule in rules)
    if place is None:
        open_lines = _places(proof, lambda step: step.rule == "assumption")
        if not open_lines:
            place = _a_place(proof, rng, lambda step: step.rule == "premise")
            if place is None:
                return None
            return replace(_with_line(proof, place, rule="assumption"), goal=proof.steps[-1].formula)
        place = rng.choice(open_lines)
        return replace(proof, steps=proof.steps[: place + 1], goal=proof.steps[place].formula)
    step = proof.steps[place]
    last = next(one for one in proof.steps if one.number == step.cites[-1])
    kind = rng.random()
    if kind < 0.4:
        steps = (*proof.steps[:place], Step(step.number, last.formula, "repetition", (last.number,)))
        return replace(proof, steps=steps, goal=last.formula)
    if kind < 0.7 and isinstance(step.formula, Implies):
        return _with_line(proof, place, cites=step.cites[1:], rule="conditional weakening")
    case = next(one for one in proof.steps if one.number == step.cites[-2])
    both = Step(step.number + 1, And(step.formula, case.formula), "conjunction", (step.number, case.number))
    return replace(proof, steps=(*proof.steps[: place + 1], both), goal=both.formula)


def wrong_eigenvariable(proof: Proof, rng: random.Random) -> Proof | None:
    """A constant that stood for anything becomes one that a premise, the formula or the result speaks of."""
    names = sorted({name for step in proof.steps for name in constants_of(step.formula)})
    fresh = [name for name in names if name.startswith("c")]
    others = [name for name in names if not name.startswith("c")]
    if not fresh or not others or proof.logic == "datalog":
        return None
    old, new = rng.choice(fresh), rng.choice(others)
    first = next(place for place, step in enumerate(proof.steps) if old in constants_of(step.formula))
    alone = rng.random() < 0.3  # now and then in one line only
    places = [rng.randrange(first, len(proof.steps))] if alone else range(first, len(proof.steps))
    steps = [replace(step, formula=instantiate(step.formula, {old: new})) if place in places else step
             for place, step in enumerate(proof.steps)]  # fmt: skip
    return replace(proof, steps=tuple(steps), goal=instantiate(proof.goal, {old: new}))


def generalized_constant(proof: Proof, rng: random.Random) -> Proof | None:
    """The last line said of everything, for a constant that it may rest on."""
    last = proof.steps[-1]
    names = constants_of(last.formula)
    bound = {one.variable for one in subformulas(last.formula) if isinstance(one, (ForAll, Exists))}
    if not names or "u" in bound or proof.logic == "datalog":
        return None
    name = rng.choice(names)
    every = ForAll("u", instantiate(last.formula, {name: "u"}), _sort_of(name, proof))
    steps = (*proof.steps, Step(last.number + 1, every, "universal generalization", (last.number,)))
    return replace(proof, steps=steps, goal=every)


def _sort_of(name: str, proof: Proof) -> str:
    """The sort of a constant; none where the formulas do not tell it."""
    try:
        known = signature_of([*proof.premises, proof.goal, *[step.formula for step in proof.steps]])
    except FormulaError:
        return ""
    return known.constants.get(name, "")


def invent_premise(proof: Proof, rng: random.Random) -> Proof:
    """A line that was derived is called a premise; or one more premise is used."""
    place = _a_place(proof, rng, lambda step: step.rule not in _NO_RULE)
    if place is not None and rng.random() < 0.6:
        return _with_line(proof, place, rule="premise", cites=())
    last = proof.steps[-1]
    new = Step(last.number + 1, complement(proof.goal) if rng.random() < 0.5 else proof.goal, "premise")
    return replace(proof, steps=(*proof.steps, new))


def wrong_goal(proof: Proof, rng: random.Random) -> Proof:
    choices = [step.formula for step in proof.steps] + [Or(proof.goal, proof.goal), And(proof.goal, Not(proof.goal))]
    return replace(proof, goal=rng.choice(choices))


def duplicate_number(proof: Proof, rng: random.Random) -> Proof | None:
    if len(proof.steps) < 2:
        return None
    place = rng.randrange(1, len(proof.steps))
    return _with_line(proof, place, number=rng.choice(proof.steps[:place]).number)


def swap_lines(proof: Proof, rng: random.Random) -> Proof | None:
    """Two lines change places; their numbers stay where they were or go with them."""
    if len(proof.steps) < 2:
        return None
    place = rng.randrange(len(proof.steps) - 1)
    one, two = proof.steps[place : place + 2]
    if rng.random() < 0.5:
        one, two = replace(one, number=two.number), replace(two, number=one.number)
    return replace(proof, steps=(*proof.steps[:place], two, one, *proof.steps[place + 2 :]))


def truncate(proof: Proof, rng: random.Random) -> Proof:
    """The proof ends early, maybe before its first line."""
    return replace(proof, steps=proof.steps[: rng.randrange(len(proof.steps))])


MUTATIONS: dict[str, Mutation] = {
    "drop a line": drop_line,
    "drop a premise": drop_premise,
    "cite another line": wrong_citation,
    "drop a citation": drop_citation,
    "cite a later line": _cite(later=True),
    "cite itself": _cite(later=False),
    "flip a polarity": _below(_flipped),
    "swap a connective": _below(_swapped),
    "swap the sides of ->": _below(_turned),
    "swap a quantifier": _below(_requantified),
    "rename an atom": _below(_renamed_atom),
    "rename a constant": _below(_renamed_constant),
    "swap two terms": _below(_swapped_terms),
    "weaken": _on_a_formula(_weakened),
    "strengthen": _on_a_formula(_strengthened),
    "name another rule": wrong_rule,
    "premise for assumption": premise_for_assumption,
    "leak an assumption": leak_assumption,
    "wrong eigenvariable": wrong_eigenvariable,
    "generalize a constant": generalized_constant,
    "invent a premise": invent_premise,
    "wrong goal": wrong_goal,
    "duplicate a number": duplicate_number,
    "swap two lines": swap_lines,
    "end early": truncate,
}


def mutants_of(proof: Proof, rng: random.Random) -> Iterator[tuple[str, Proof]]:
    """One mutant of each kind that the proof allows, with the kind's name."""
    for kind, mutation in MUTATIONS.items():
        mutant = mutation(proof, rng)
        if mutant is not None and mutant != proof:
            yield kind, mutant
