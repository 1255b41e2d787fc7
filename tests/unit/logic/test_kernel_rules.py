"""Each rule: instances, in any order of operands and lines, and near misses."""

import pytest

from custodiet.logic.kernel_rules import RULES, is_instance_of
from custodiet.logic.notation import parse_formula

INSTANCES = """
modus ponens: p -> q, p |- q
modus ponens: p & q, q & p -> r | s |- s | r
modus tollens: p -> q, ~q |- ~p
modus tollens: p -> ~q, q |- ~p
modus tollens: ~p -> q, ~q |- p
transitivity: p -> q, q -> r |- p -> r
transitivity: q -> r, p -> q |- p -> r
disjunctive syllogism: p | q, ~p |- q
disjunctive syllogism: ~p, q | p |- q
disjunctive syllogism: ~p | q, p |- q
disjunctive syllogism: p | q | r, ~q |- r | p
disjunctive syllogism: p | q | r, ~r, ~p |- q
addition: p |- q | p
addition: p | q |- q | r | p
simplification: p & q |- q
simplification: p & q & r |- r & p
conjunction: p, q |- q & p
conjunction: p, q, r |- r & p & q
resolution: p | q, ~p | r |- q | r
resolution: p | q, ~p | q |- q
resolution: p | q | s, r | ~q |- r | s | p
resolution: p, ~p |- false
disjunction elimination: p | q, p -> r, q -> r |- r
disjunction elimination: q -> r, s -> r, p -> r, p | q | s |- r
constructive dilemma: p | q, p -> r, q -> s |- s | r
biconditional introduction: p -> q, q -> p |- p <-> q
biconditional introduction: p -> q, q -> p |- q <-> p
biconditional elimination: p <-> q |- p -> q
biconditional elimination: p <-> q |- q -> p
biconditional elimination: p <-> q, q |- p
biconditional elimination: p, p <-> q |- q
biconditional elimination: p <-> q, ~p |- ~q
double negation: ~~p |- p
double negation: p | q |- ~~(q | p)
contraposition: p -> q |- ~q -> ~p
contraposition: ~p -> q |- ~q -> p
de morgan: ~(p & q) |- ~q | ~p
de morgan: ~p & q & ~r |- ~(p | ~q | r)
de morgan: ~(p | q) |- ~p & ~q
de morgan: ~p | ~q |- ~(p & q)
material implication: p -> q |- q | ~p
material implication: p | ~q |- q -> p
material implication: ~(p -> q) |- p & ~q
material implication: ~q & p |- ~(p -> q)
contradiction: p, ~p |- false
explosion: false |- p
repetition: p & q |- q & p
repetition: p <-> q |- q <-> p
conditional weakening: q |- p -> q
conditional weakening: ~p |- p -> q
conditional weakening: p |- ~p -> q
absurdity: p -> false |- ~p
absurdity: ~p -> p |- p
absurdity: p -> q, p -> ~q |- ~p
universal modus ponens: forall x: P(x) -> Q(x), forall y: P(y) |- forall z: Q(z)
universal de morgan: forall x: ~(P(x) & Q(x)) |- forall x: ~Q(x) | ~P(x)
universal transitivity: forall x: forall y: R(x, y) -> S(y, x), forall x: forall y: S(y, x) -> p |- forall x: forall y: R(x, y) -> p
universal repetition: forall x in dog: P(x) |- forall y in dog: P(y)
existential modus ponens: exists x: P(x), forall x: P(x) -> Q(x) |- exists x: Q(x)
existential modus ponens: forall x: P(x), exists z: P(z) -> Q(z) |- exists y: Q(y)
existential simplification: exists x: P(x) & Q(x) |- exists x: Q(x)
universal instantiation: forall x: P(x) -> Q(x) |- P(a) -> Q(a)
universal instantiation: forall x: P(x) & R(x, b) |- R(a, b) & P(a)
universal instantiation: forall x: forall y: R(x, y) |- R(a, a)
universal instantiation: forall x: forall y: R(x, y) |- forall z: R(b, z)
universal instantiation: forall x: p |- p
existential generalization: R(a, a) |- exists x: R(x, a)
existential generalization: R(a, b) |- exists x: exists y: R(x, y)
existential generalization: a = b |- exists x: x = b
quantifier negation: ~(forall x: P(x)) |- exists y: ~P(y)
quantifier negation: ~(exists x: ~P(x)) |- forall x: P(x)
quantifier negation: forall x: ~P(x) |- ~(exists x: P(x))
quantifier negation: forall x: P(x) |- ~(exists x: ~P(x))
reflexivity: |- a = a
symmetry: a = b |- b = a
symmetry: a != b |- b != a
substitution: a = b, R(a, a) |- R(b, a)
substitution: R(c, a), b = a |- R(c, b)
substitution: a = b, forall x: R(x, a) & P(a) |- forall x: R(x, b) & P(a)
substitution: a = b, b = c |- c = a
rule application: forall x: forall y: R(x, y) & ~P(x) -> Q(y), R(a, b), ~P(a) |- Q(b)
rule application: R(a, b), R(b, c), forall x: forall y: forall z: R(x, y) & R(y, z) -> R(x, z) |- R(a, c)
rule application: forall x: forall y: R(x, y) & R(y, x) -> P(x), R(a, a) |- P(a)
rule application: P(a) -> Q(a), P(a) |- Q(a)
"""

NEAR_MISSES = """
modus ponens: p -> q, q |- p
modus ponens: p -> q, p |- ~~q
modus ponens: p -> q |- q
modus tollens: p -> q, ~p |- ~q
modus tollens: p -> q, q |- p
incorrect modus tollens: p -> q, q |- p
transitivity: p -> q, q -> r |- r -> p
transitivity: p -> q, r -> q |- p -> r
disjunctive syllogism: p | q, p |- ~q
disjunctive syllogism: p | q, ~p, ~q |- false
disjunctive syllogism: p | q |- p | q
disjunctive syllogism: p | q |- q
disjunctive syllogism: p | q | r, ~p |- q
addition: p & q |- p & q & r
addition: p | q |- p
simplification: p | q |- p
simplification: p |- p & q
conjunction: p, q |- p | q
conjunction: p, q |- p & q & r
resolution: p | q, p | r |- q | r
resolution: p | q, ~p | ~q |- false
disjunction elimination: p | q, p -> r |- r
disjunction elimination: p | q, p -> r, p -> r |- r
constructive dilemma: p | q, p -> r, q -> s |- r & s
biconditional introduction: p -> q, p -> q |- p <-> q
biconditional elimination: p <-> q, p |- ~q
biconditional elimination: p -> q |- q -> p
double negation: ~p |- p
contraposition: p -> q |- ~p -> ~q
contraposition: p -> q |- q -> p
de morgan: ~(p & q) |- ~p & ~q
de morgan: ~(p | q) |- ~p
de morgan: ~(p & q & r) |- ~p | ~q
material implication: p -> q |- p | ~q
material implication: ~(p -> q) |- p & q
contradiction: p, q |- false
contradiction: p, ~p |- q
explosion: p |- q
repetition: p |- ~~p
conditional weakening: p |- p -> q
absurdity: p -> q |- ~p
absurdity: p -> q, r -> ~q |- ~p
universal modus ponens: exists x: P(x), forall x: P(x) -> Q(x) |- forall x: Q(x)
universal repetition: forall x in dog: P(x) |- forall x in cat: P(x)
universal disjunctive syllogism: forall x: P(x) | Q(x) |- forall x: Q(x)
universal universal instantiation: forall x: forall y: R(x, y) |- forall x: R(x, a)
existential conjunction: exists x: P(x), exists x: Q(x) |- exists x: P(x) & Q(x)
existential modus ponens: forall x: P(x), forall x: P(x) -> Q(x) |- exists x: Q(x)
universal repetition: forall x: exists y: R(x, y) |- forall x: exists y: R(y, x)
universal repetition: forall y: exists x: R(x, y) |- forall x: exists y: R(x, y)
universal instantiation: forall x: R(x, x) |- R(a, b)
universal instantiation: exists x: P(x) |- P(a)
universal instantiation: forall x: exists y: R(x, y) |- exists y: R(y, y)
universal instantiation: forall x in dog: exists y in dog: P(x) |- exists y in cat: P(a)
existential generalization: P(a) |- forall x: P(x)
existential generalization: R(a, b) |- exists x: R(x, x)
existential generalization: exists x: P(x) |- P(a)
quantifier negation: ~(forall x: P(x)) |- forall x: ~P(x)
quantifier negation: ~(forall x: P(x)) |- exists x: P(x)
quantifier negation: ~(forall x in dog: P(x)) |- exists x in cat: ~P(x)
reflexivity: |- a = b
symmetry: a = b |- a = c
substitution: a = b, R(a, c) |- R(c, b)
substitution: a = b, P(c) |- P(a)
substitution: a != b, P(a) |- P(b)
rule application: forall x: P(x) -> Q(x), P(a) |- Q(b)
rule application: forall x: P(x) & R(x, x) -> Q(x), P(a) |- Q(a)
rule application: forall x: P(x) & ~S(x) -> Q(x), P(a), S(a) |- Q(a)
rule application: forall x: P(x) -> Q(x), P(a), P(b) |- Q(a)
rule application: forall x: P(x) -> Q(x), Q(a) |- P(a)
"""


def read(text):
    for line in text.strip().splitlines():
        rule, sequent = line.split(": ", 1)
        given, end = sequent.split("|- ", 1)
        formulas = []
        for piece in given.split(","):  # a comma inside parentheses is no end of a formula
            if formulas and formulas[-1].count("(") > formulas[-1].count(")"):
                formulas[-1] += "," + piece
            elif piece.strip():
                formulas.append(piece)
        yield pytest.param(rule, [parse_formula(one) for one in formulas], parse_formula(end), id=line)


@pytest.mark.parametrize(("rule", "given", "end"), list(read(INSTANCES)))
def test_instances(rule, given, end):
    assert is_instance_of(rule, given, end)
    assert is_instance_of(rule, given[::-1], end)


@pytest.mark.parametrize(("rule", "given", "end"), list(read(NEAR_MISSES)))
def test_near_misses(rule, given, end):
    assert not is_instance_of(rule, given, end)


def test_every_rule_has_an_instance_and_a_near_miss():
    for text in (INSTANCES, NEAR_MISSES):
        assert set(RULES) <= {one.values[0] for one in read(text)}
