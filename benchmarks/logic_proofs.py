"""Random valid proofs that use every rule of the kernel, for the proof by mutation.

A proof grows line by line: a builder puts down the lines that an instance of its rule needs, as premises where no line at
hand will do, and then the line that follows. Nothing here looks at the kernel.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace

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
    complement,
    instantiate,
)
from custodiet.logic.mutations import Proof
from custodiet.logic.notation import parse_formula
from custodiet.logic.proofs import Step

_SIGNATURE = (
    "forall x in dog: (P(x) & Q(x) & S(x) & R(x, x)) -> (x = a1 | x = a2 | x = a3 | P(x))",
    "forall x in cat: (K(x) & L(x) & M(x) & T(x, x)) -> (x = b1 | x = b2 | K(x))",
)
LANGUAGES = ("propositional", "monadic", "relational", "sorted", "datalog")


class Maker:
    """The lines of one proof while it grows."""

    def __init__(self, rng: random.Random, language: str) -> None:
        self.rng, self.language = rng, language
        self.lines: list[Step] = []
        self.premises: list[Formula] = []
        self.number_of: dict[Formula, int] = {}
        self.sorts = ("dog", "cat") if language == "sorted" else ("",)
        self.fresh = 0
        if language == "sorted":  # premises, or a distractor, settle the sorts of all names
            self.premises += [parse_formula(one) for one in _SIGNATURE]

    # --- material

    def constant(self, sort: str) -> str:
        return self.rng.choice(("b1", "b2") if sort == "cat" else ("a1", "a2", "a3"))

    def new_constant(self) -> str:
        self.fresh += 1
        return f"c{self.fresh}"

    def atom(self, term: str | None = None, sort: str = "") -> Formula:
        """An atom; about `term` of a sort where one is given."""
        if self.language == "propositional":
            return Atom(self.rng.choice("pqrst"))
        if sort not in self.sorts:
            sort = self.rng.choice(self.sorts)
        if term is None:
            term = self.constant(sort)
        unary, binary = ("PQS", "R") if sort != "cat" else ("KLM", "T")
        if self.language == "monadic" or self.rng.random() < 0.6:
            return Atom(self.rng.choice(unary), (term,))
        other = self.constant(sort)
        if self.rng.random() < 0.15:
            return Equal(term, other)
        pair = (term, other) if self.rng.random() < 0.5 else (other, term)
        return Atom(binary, pair)

    def literal(self, term: str | None = None, sort: str = "") -> Formula:
        atom = self.atom(term, sort)
        return Not(atom) if self.rng.random() < 0.35 else atom

    def formula(self, term: str | None = None, sort: str = "") -> Formula:
        kind = self.rng.random()
        if kind < 0.7:
            return self.literal(term, sort)
        made = self.rng.choice([And, Or, Implies, Iff])
        return made(self.literal(term, sort), self.literal(term, sort))

    # --- lines

    def add(self, formula: Formula, rule: str | None, *cites: int) -> int:
        self.lines.append(Step(len(self.lines) + 1, formula, rule, tuple(cites)))
        self.number_of.setdefault(formula, len(self.lines))
        return len(self.lines)

    def premise(self, formula: Formula) -> int:
        """The line of a premise, which is put down unless it stands there already."""
        for step in self.lines:
            if step.formula == formula and step.rule == "premise":
                return step.number
        self.premises.append(formula)
        return self.add(formula, "premise")

    def stated(self, formula: Formula) -> int:
        """The line of a formula that is among the premises already."""
        return self.number_of.get(formula) or self.add(formula, "premise")

    def shuffled(self, *numbers: int) -> list[int]:
        return self.rng.sample(numbers, len(numbers))

    def said(self, number: int) -> Formula:
        return self.lines[number - 1].formula


def _junction(made: type, parts: list[Formula], rng: random.Random) -> Formula:
    return made(*rng.sample(parts, len(parts)))


# ----------------------------------------------------------------------------- propositional rules: `at` is the line to use


def _propositional(m: Maker, rule: str, facts: list[Formula], end: Formula, at: dict[Formula, int]) -> int:
    """Put down what is not there as premises and then the conclusion."""
    numbers = [at.get(one) or m.premise(one) for one in facts]
    return m.add(end, rule, *m.shuffled(*numbers))


def schema(m: Maker, rule: str, a: Formula, new: Callable[[], Formula]) -> tuple[list[Formula], Formula]:
    """Premises and conclusion of an instance of a propositional rule, the first of them about `a` where it may be."""
    rng, b, c, d = m.rng, new(), new(), new()
    some = [b, c, d][: rng.choice([1, 1, 2])]
    match rule:
        case "modus ponens":
            return [a, Implies(a, b)], b
        case "modus tollens":
            return [a, Implies(b, complement(a))], complement(b)
        case "transitivity":
            return [Implies(a, b), Implies(b, c)], Implies(a, c)
        case "disjunctive syllogism":
            return [a, _junction(Or, [complement(a), *some], rng)], some[0] if len(some) == 1 else _junction(
                Or, some, rng
            )
        case "addition":
            return [a], _junction(Or, [a, *some], rng)
        case "simplification":
            return [_junction(And, [a, *some], rng)], rng.choice([a, *some])
        case "conjunction":
            return [a, *some], _junction(And, [a, *some], rng)
        case "resolution":
            while b == a or c == complement(a):
                b, c = new(), new()
            rest = list(dict.fromkeys([b, c]))
            return [Or(a, b), Or(complement(a), c)], rest[0] if len(rest) == 1 else _junction(Or, rest, rng)
        case "disjunction elimination":
            return [_junction(Or, [a, b], rng), Implies(a, c), Implies(b, c)], c
        case "constructive dilemma":
            return [Or(a, b), Implies(a, c), Implies(b, d)], _junction(Or, [c, d], rng)
        case "biconditional introduction":
            return [Implies(a, b), Implies(b, a)], Iff(a, b)
        case "biconditional elimination":
            iff = Iff(a, b) if rng.random() < 0.5 else Iff(b, a)
            return rng.choice([([iff], Implies(a, b)), ([iff], Implies(b, a)), ([iff, a], b),
                               ([iff, complement(a)], complement(b))])  # fmt: skip
        case "double negation":
            return rng.choice([([a], Not(Not(a))), ([Not(Not(a))], a)])
        case "contraposition":
            return [Implies(a, b)], Implies(complement(b), complement(a))
        case "de morgan":
            parts = [a, *some]
            one, other = rng.choice([(And, Or), (Or, And)])
            left, right = Not(one(*parts)), other(*map(complement, rng.sample(parts, len(parts))))
            return rng.choice([([left], right), ([right], left)])
        case "material implication":
            pairs = [
                (Implies(a, b), _junction(Or, [complement(a), b], rng)),
                (Not(Implies(a, b)), And(a, complement(b))),
            ]
            left, right = rng.choice(pairs)
            return rng.choice([([left], right), ([right], left)])
        case "contradiction":
            return [a, Not(a)], FALSUM
        case "explosion":
            return [FALSUM], b
        case "repetition":
            return [_junction(And, [a, b], rng)], And(b, a)
        case "conditional weakening":
            return rng.choice([([a], Implies(b, a)), ([a], Implies(complement(a), b))])
        case "absurdity":
            return rng.choice([([Implies(a, FALSUM)], complement(a)), ([Implies(a, complement(a))], complement(a)),
                               ([Implies(a, b), Implies(a, Not(b))], complement(a))])  # fmt: skip
    raise ValueError(rule)


PROPOSITIONAL = (
    "modus ponens", "modus tollens", "transitivity", "disjunctive syllogism", "addition", "simplification", "conjunction",
    "resolution", "disjunction elimination", "constructive dilemma", "biconditional introduction",
    "biconditional elimination", "double negation", "contraposition", "de morgan", "material implication", "contradiction",
    "explosion", "repetition", "conditional weakening", "absurdity",
)  # fmt: skip


def plain(m: Maker, at: int, rule: str) -> int:
    facts, end = schema(m, rule, m.said(at), m.formula)
    return _propositional(m, rule, facts, end, {m.said(at): at})


# ------------------------------------------------------------------------------------------------------------ discharging


def conditional_proof(m: Maker, at: int) -> int:
    case = m.formula()
    assumed = m.add(case, "assumption")
    both = m.add(And(m.said(at), case), "conjunction", at, assumed)
    end = (
        plain(m, both, m.rng.choice(["addition", "modus ponens", "double negation"])) if m.rng.random() < 0.7 else both
    )
    return m.add(Implies(case, m.said(end)), "conditional proof", assumed, end)


def reductio(m: Maker, at: int) -> int:
    case = m.literal()
    if m.rng.random() < 0.2:
        link = m.premise(Implies(case, complement(case)))
        assumed = m.add(case, "assumption")
        against = m.add(complement(case), "modus ponens", link, assumed)
        return m.add(complement(case), "reductio", assumed, against)
    link = m.premise(Implies(case, complement(m.said(at))))
    assumed = m.add(case, "assumption")
    against = m.add(complement(m.said(at)), "modus ponens", link, assumed)
    if m.rng.random() < 0.3:
        return m.add(complement(case), "reductio", *m.shuffled(assumed, at, against))
    false = m.add(FALSUM, "contradiction", *m.shuffled(at, against))
    return m.add(complement(case), "reductio", assumed, false)


def case_split(m: Maker, at: int) -> int:
    said = m.said(at)
    split = at if isinstance(said, Or) else m.premise(Or(m.literal(), m.literal()))
    end = Or(m.literal(), m.literal())
    cites = [split]
    for case in m.said(split).parts:  # type: ignore[attr-defined]
        assumed = m.add(case, "assumption")
        one = m.rng.choice(end.parts)
        link = m.premise(Implies(case, one))
        reached = m.add(one, "modus ponens", link, assumed)
        cites += [assumed, m.add(end, "addition", reached)]
    return m.add(end, "case split", *cites)


# ------------------------------------------------------------------------------------------- quantifiers, lifts, equality


def _sort(m: Maker) -> str:
    return m.rng.choice(m.sorts)


def _about(m: Maker, sort: str) -> Callable[[], Formula]:
    """Formulas about the variable x of a sort, each of which says something of it."""
    return lambda: m.formula("x", sort)


def instantiation(m: Maker, at: int) -> int:
    sort = _sort(m)
    body = m.formula("x", sort)
    if m.language in ("relational", "sorted") and m.rng.random() < 0.3:
        name = "T" if sort == "cat" else "R"
        every = ForAll("x", ForAll("y", Implies(body, Atom(name, ("x", "y"))), sort), sort)
        terms = {"x": m.constant(sort), "y": m.constant(sort)}
        return m.add(instantiate(every.body.body, terms), "universal instantiation", m.premise(every))  # type: ignore
    every = ForAll("x", body, sort)
    return m.add(instantiate(body, {"x": m.constant(sort)}), "universal instantiation", m.premise(every))


def generalization(m: Maker, at: int) -> int:
    sort = _sort(m)
    constant = m.new_constant()
    facts, end = schema(m, m.rng.choice(["modus ponens", "conjunction", "addition", "transitivity"]), m.literal("x", sort),
                        _about(m, sort))  # fmt: skip
    numbers = [m.add(instantiate(one, {"x": constant}), "universal instantiation", m.premise(ForAll("x", one, sort)))
               for one in facts]  # fmt: skip
    reached = m.add(instantiate(end, {"x": constant}), None, *numbers)
    variable = m.rng.choice(["x", "y"])
    return m.add(ForAll(variable, instantiate(end, {"x": variable}), sort), "universal generalization", reached)


def existence(m: Maker, at: int) -> int:
    sort = _sort(m)
    body = m.formula("x", sort)
    fact = m.premise(instantiate(body, {"x": m.constant(sort)}))
    return m.add(Exists("x", body, sort), "existential generalization", fact)


def elimination(m: Maker, at: int) -> int:
    sort = _sort(m)
    body, more = m.literal("x", sort), m.literal("x", sort)
    some = m.premise(Exists("x", body, sort))
    every = m.premise(ForAll("x", Implies(body, more), sort))
    constant = m.new_constant()
    assumed = m.add(instantiate(body, {"x": constant}), "assumption")
    rule = m.add(instantiate(Implies(body, more), {"x": constant}), "universal instantiation", every)
    both = m.add(instantiate(more, {"x": constant}), "modus ponens", *m.shuffled(rule, assumed))
    if m.rng.random() < 0.5:  # with something about somebody else, on which the result then rests
        other = m.premise(m.literal(m.constant(sort), sort))
        both = m.add(And(m.said(both), m.said(other)), "conjunction", both, other)
        more = And(more, m.said(other))
    reached = m.add(Exists("z", instantiate(more, {"x": "z"}), sort), "existential generalization", both)
    return m.add(m.said(reached), "existential elimination", some, assumed, reached)


def quantifier_negation(m: Maker, at: int) -> int:
    sort = _sort(m)
    body = m.formula("x", sort)
    one, other = m.rng.choice([(ForAll, Exists), (Exists, ForAll)])
    pair = [Not(one("x", body, sort)), other("x", complement(body), sort)]
    m.rng.shuffle(pair)
    return m.add(pair[1], "quantifier negation", m.premise(pair[0]))


def lifted(m: Maker, at: int) -> int:
    sort = _sort(m)
    rule = m.rng.choice(PROPOSITIONAL)
    facts, end = schema(m, rule, m.formula("x", sort), _about(m, sort))
    if m.rng.random() < 0.5:
        numbers = [m.premise(ForAll("x", one, sort)) for one in facts]
        return m.add(ForAll("x", end, sort), f"universal {rule}", *m.shuffled(*numbers))
    place = m.rng.randrange(len(facts))
    made = [(Exists if where == place else ForAll)("x", one, sort) for where, one in enumerate(facts)]
    return m.add(Exists("x", end, sort), f"existential {rule}", *m.shuffled(*map(m.premise, made)))


def equality(m: Maker, at: int) -> int:
    sort = _sort(m)
    one, other = m.rng.sample(("b1", "b2") if sort == "cat" else ("a1", "a2", "a3"), 2)
    kind = m.rng.random()
    if kind < 0.25:
        same = m.add(Equal(one, one), "reflexivity")
        return m.add(Exists("x", Equal("x", one), sort), "existential generalization", same)
    if kind < 0.5:
        pair = [Equal(one, other), Equal(other, one)]
        negated = m.rng.random() < 0.5
        fact, end = map(Not, pair) if negated else pair
        return m.add(end, "symmetry", m.premise(fact))
    fact = m.formula(one, sort)
    return m.add(
        instantiate(fact, {one: other}), "substitution", *m.shuffled(m.premise(Equal(one, other)), m.premise(fact))
    )


# --------------------------------------------------------------------------------------------------------------- programs


def program(rng: random.Random) -> Proof:
    """A stratified program and a proof of one literal from it."""
    m = Maker(rng, "datalog")
    facts = {Atom(rng.choice("PQ"), (rng.choice("abc"),)) for _ in range(4)}
    facts |= {Atom("R", (rng.choice("abc"), rng.choice("abc"))) for _ in range(3)}
    x, y = "x", "y"
    rules = [
        ForAll(x, Implies(And(Atom("P", (x,)), Not(Atom("Q", (x,)))), Atom("S", (x,)))),
        ForAll(x, ForAll(y, Implies(And(Atom("R", (x, y)), Atom("Q", (y,))), Atom("T", (x,))))),
        ForAll(x, ForAll(y, Implies(And(Atom("R", (x, y)), Not(Atom("S", (x,)))), Atom("U", (y, x))))),
        ForAll(x, Implies(And(Atom("T", (x,)), Not(Atom("U", (x, x)))), Atom("V", (x,)))),
    ]
    used = rng.sample(range(4), rng.randint(2, 4))
    rules = [one for place, one in enumerate(rules) if place in used]
    m.premises = [*sorted(facts), *rules]
    known = dict.fromkeys(facts, 0)
    names = "abc"
    for rule in rules:  # they are in the order of their strata
        variables, body = [], rule
        while isinstance(body, ForAll):
            variables.append(body.variable)
            body = body.body
        for values in ([a] if len(variables) == 1 else [a, b] for a in names for b in names):
            terms = dict(zip(variables, values, strict=True))
            literals = [instantiate(one, terms) for one in body.left.parts]  # type: ignore[attr-defined]
            head = instantiate(body.right, terms)  # type: ignore[attr-defined]
            holds = all((one.body not in known) if isinstance(one, Not) else one in known for one in literals)
            if holds and head not in known:
                cites = [m.stated(rule)]
                for one in literals:
                    if isinstance(one, Not):
                        cites.append(m.number_of.get(one) or m.add(one, "closed world"))
                    else:
                        cites.append(known[one] or m.stated(one))
                known[head] = m.add(head, "rule application", *m.shuffled(*cites))
    if not m.lines or rng.random() < 0.2:
        absent = [Atom("P", (one,)) for one in names if Atom("P", (one,)) not in known]
        if absent:
            m.add(Not(rng.choice(absent)), "closed world")
        else:
            m.stated(rules[0] if rng.random() < 0.5 else sorted(facts)[0])
    return Proof(tuple(m.lines), tuple(m.premises), m.lines[-1].formula, "datalog")


# ------------------------------------------------------------------------------------------------------------------ all


def random_proof(rng: random.Random, language: str, unnamed: float = 0.1) -> Proof:
    """One proof in a language, three to about fifteen lines, of which that share names no rule."""
    if language == "datalog":
        return program(rng)
    m = Maker(rng, language)
    at = m.premise(m.formula())
    special = [conditional_proof, reductio, case_split]
    if language != "propositional":
        special += [instantiation, generalization, existence, elimination, quantifier_negation, lifted, lifted]
    if language in ("relational", "sorted"):
        special += [equality, equality]
    for _ in range(rng.randint(1, 3)):
        if rng.random() < (0.3 if language == "propositional" else 0.7):
            made = rng.choice(special)(m, at)
        else:
            made = plain(m, at, rng.choice(PROPOSITIONAL))
        if made != at and rng.random() < 0.3:
            made = m.add(And(m.said(at), m.said(made)), "conjunction", at, made)
        at = made
    steps = [replace(one, rule=None) if one.rule not in ("premise", "assumption") and rng.random() < unnamed else one
             for one in m.lines]  # fmt: skip
    goal = steps[-1].formula
    if rng.random() < 0.2 and goal != FALSUM:
        goal = complement(goal)
    elif goal == FALSUM:
        goal = m.formula()
    logic = "relational" if language == "sorted" else language
    return Proof(tuple(steps), tuple(m.premises), goal, logic)


def random_proofs(seed: int) -> Iterator[Proof]:
    """Proofs of all languages in turn, without end."""
    rng = random.Random(seed)
    while True:
        for language in LANGUAGES:
            yield random_proof(rng, language)
