"""The kernel: proofs that hold, and every way of cheating that we know."""

import ast
from pathlib import Path

import pytest

from custodiet.errors import FormulaError
from custodiet.logic import kernel, kernel_rules, kernel_search
from custodiet.logic.formulas import Atom, Exists, ForAll, Iff, Not, Or
from custodiet.logic.kernel import check_proof, follows
from custodiet.logic.notation import parse_formula
from custodiet.logic.proofs import Step, read_proof


def check(text, goal, premises=None, logic="relational"):
    steps = read_proof(text)
    if premises is None:
        premises = [one.formula for one in steps if one.rule == "premise"]
    else:
        premises = [parse_formula(one) for one in premises]
    return check_proof(steps, premises, parse_formula(goal), logic=logic)


def kinds(verdict):
    return [(one.number, one.kind) for one in verdict.problems]


def read_cases(text):
    """`## name ## goal ## problems`, and below it the lines of the proof."""
    found = {}
    for block in text.strip().split("\n\n"):
        head, _, lines = block.partition("\n")
        name, goal, *problems = head.removeprefix("## ").split(" ## ")
        expected = [one.split(" ", 1) for one in problems[0].split("; ")] if problems else []
        found[name] = (lines, goal, [(None if number == "-" else int(number), kind) for number, kind in expected])
    return found


GOOD = read_cases("""
## modus ponens ## q
1. p -> q [premise]
2. p [premise]
3. q [modus ponens: 1, 2]

## unnamed ## q
1. p -> q [premise]
2. p [premise]
3. q [1, 2]

## conditional proof ## p -> p & q
1. q [premise]
2. p [assumption]
3. p & q [conjunction: 1, 2]
4. p -> p & q [conditional proof: 2, 3]

## of itself ## p -> p
2. p [assumption]
4. p -> p [conditional proof: 2, 2]

## vacuous ## p -> q
1. q [premise]
2. p [assumption]
3. p -> q [conditional proof: 2, 1]

## reductio ## ~p
1. p -> q [premise]
2. ~q [premise]
3. p [assumption]
4. q [1, 3]
5. false [contradiction: 2, 4]
6. ~p [reductio: 3, 5]

## reductio, negated ## p
1. ~~p [premise]
2. ~p [assumption]
3. false [1, 2]
4. p [reductio: 2, 3]

## reductio from two opposites ## ~p
1. p -> q & r [premise]
2. ~(r & q) [premise]
3. p [assumption]
4. q & r [modus ponens: 1, 3]
5. ~p [reductio: 3, 2, 4]

## reductio from its own opposite ## ~p
1. p -> ~p [premise]
2. p [assumption]
3. ~p [modus ponens: 1, 2]
4. ~p [reductio: 2, 3]

## what discharges by its structure, whatever its name ## false
1. false [premise]
2. ~false [assumption]
3. false [contradiction: 1, 2]

## a substitution that discharges ## b != a
1. a != b [premise]
2. a = b [assumption]
3. b != a [substitution: 2, 1]

## case split ## q | p
1. p | q [premise]
2. p [assumption]
3. q | p [addition: 2]
4. q [assumption]
5. p | q [addition: 4]
6. p | q [case split: 1, 4, 5, 2, 3]

## existential elimination ## exists x: P(x)
1. exists x: P(x) & Q(x) [premise]
2. P(c) & Q(c) [assumption]
3. P(c) [simplification: 2]
4. exists y: P(y) [existential generalization: 3]
5. exists y: P(y) [existential elimination: 1, 2, 4]

## constant of an unrelated premise ## exists x: P(x)
1. exists x: P(x) [premise]
2. Q(c) [premise]
3. P(c) [assumption]
4. exists y: P(y) [3]
5. exists y: P(y) [existential elimination: 1, 3, 4]

## universal generalization ## forall x: Q(x)
1. forall x: P(x) -> Q(x) [premise]
2. forall x: P(x) [premise]
3. P(c) [universal instantiation: 2]
4. P(c) -> Q(c) [universal instantiation: 1]
5. Q(c) [modus ponens: 3, 4]
6. forall y: Q(y) [universal generalization: 5]

## after its discharge ## forall x: P(x) -> P(x)
1. c = c [reflexivity]
2. P(c) [assumption]
3. P(c) -> P(c) [conditional proof: 2, 2]
4. forall x: P(x) -> P(x) [universal generalization: 3]

## sorts ## exists x in dog: P(x)
1. forall x in dog: P(x) [premise]
2. P(rex) [universal instantiation: 1]
3. exists x in dog: P(x) [2]

## goal by its negation ## ~p
1. p [premise]

## inconsistent ## q
1. p [premise]
2. ~p [premise]
3. false [contradiction: 1, 2]

## operands in another order ## r | (p & q)
1. (q & p) | r [premise]

## a tautology from nothing ## p | ~p
1. p | ~p []

## a premise without its name ## p | q
1. p []
2. p | q [addition: 1]
""")


@pytest.mark.parametrize("name", GOOD)
def test_proofs_that_hold(name):
    text, goal, _ = GOOD[name]
    verdict = check(text, goal, ["p"] if "without its name" in name else None)
    assert verdict.valid and verdict.well_named and verdict.problems == ()
    assert verdict.conclusion == {"goal by its negation": "contradicted", "inconsistent": "inconsistent"}.get(
        name, "entailed"
    )


@pytest.mark.parametrize("name", GOOD)
def test_names_of_rules_are_not_needed_and_wrong_ones_are_told_apart(name):
    text, goal, _ = GOOD[name]
    premises = [one.formula for one in read_proof(text) if one.rule == "premise"] or [parse_formula("p")]
    steps = read_proof(text)
    for rule in (None, "explosion"):
        renamed = [one if one.rule in ("premise", "assumption") or not one.rule else
                   Step(one.number, one.formula, rule, one.cites) for one in steps]  # fmt: skip
        verdict = check_proof(renamed, premises, parse_formula(goal), logic="relational")
        assert verdict.valid
        assert verdict.well_named is (renamed == list(steps) or rule is None)


BAD = read_cases("""
## empty ## p ## - empty

## affirming the consequent ## p ## 3 not valid
1. p -> q [premise]
2. q [premise]
3. p [modus ponens: 1, 2]

## skipped ## q ## 3 not valid
1. p -> q [premise]
2. p [premise]
3. q [1]

## circular ## p ## 1 citation
1. p [modus ponens: 2]
2. p [repetition: 1]

## of itself ## p ## 1 citation
1. p [repetition: 1]

## forward ## p ## 2 citation
1. p [premise]
2. q | p [addition: 3]
3. p [repetition: 1]

## of no line ## p ## 2 citation
1. p [premise]
2. p [repetition: 7]

## repeated number ## q ## 1 number; 2 not valid
1. p [premise]
1. q [premise]
2. q [repetition: 1]

## numbers out of order ## q ## 1 number
2. p [premise]
1. q [premise]

## number zero ## p ## 0 number
0. p [premise]

## goal under an assumption ## p ## 1 open assumption
1. p [assumption]

## assumption used after its discharge ## p & (p -> p) ## 3 open assumption
1. p [assumption]
2. p -> p [conditional proof: 1, 1]
3. p & (p -> p) [conjunction: 1, 2]

## another assumption stays open ## p -> p & q ## 4 open assumption
1. p [assumption]
2. q [assumption]
3. p & q [conjunction: 1, 2]
4. p -> p & q [conditional proof: 1, 3]

## discharge of what is not assumed ## p -> q ## 3 misnamed; 3 open assumption
1. p -> q [premise]
2. q [assumption]
3. p -> q [conditional proof: 1, 2]

## discharge of a derived line ## p -> p & p ## 4 misnamed; 4 open assumption
1. p & q [assumption]
2. p [simplification: 1]
3. p & p [conjunction: 2, 2]
4. p -> p & p [conditional proof: 2, 3]

## reductio from opposites of another assumption ## ~p ## 5 open assumption
1. q [premise]
2. p [assumption]
3. r [assumption]
4. ~r [assumption]
5. ~p [reductio: 2, 3, 4]

## reductio without an opposite ## ~p ## 3 not valid; 3 open assumption
1. q [premise]
2. p [assumption]
3. ~p [reductio: 2, 1]

## case without its assumption ## r | p ## 6 misnamed; 6 open assumption
1. p | q [premise]
2. p [assumption]
3. r | p [addition: 2]
4. q [assumption]
5. r | q [addition: 4]
6. r | p [case split: 1, 2, 3, 4, 5]

## one case for two ## p ## 3 misnamed; 3 open assumption
1. p | q [premise]
2. p [assumption]
3. p [case split: 1, 2, 2, 2, 2]

## result of the other case ## p & q ## 5 open assumption
1. p | q [premise]
2. p [assumption]
3. q [assumption]
4. p & q [2, 3]
5. p & q [case split: 1, 2, 4, 3, 4]

## constant in the result ## P(c) ## 3 misnamed; 3 open assumption
1. exists x: P(x) [premise]
2. P(c) [assumption]
3. P(c) [existential elimination: 1, 2, 2]

## constant of a premise in use ## exists x: P(x) & Q(x) ## 6 misnamed; 6 open assumption
1. exists x: P(x) [premise]
2. Q(c) [premise]
3. P(c) [assumption]
4. P(c) & Q(c) [conjunction: 2, 3]
5. exists x: P(x) & Q(x) [existential generalization: 4]
6. exists x: P(x) & Q(x) [existential elimination: 1, 3, 5]

## constant of the existential ## exists x: R(x, x) ## 4 misnamed; 4 open assumption
1. exists x: R(x, c) [premise]
2. R(c, c) [assumption]
3. exists x: R(x, x) [existential generalization: 2]
4. exists x: R(x, x) [existential elimination: 1, 2, 3]

## generalization over a premise ## forall x: P(x) ## 2 not valid
1. P(c) [premise]
2. forall x: P(x) [universal generalization: 1]

## generalization over an assumption ## P(c) -> (forall x: P(x)) ## 2 not valid
1. P(c) [assumption]
2. forall x: P(x) [universal generalization: 1]
3. P(c) -> (forall x: P(x)) [conditional proof: 1, 2]

## generalization of some places ## forall x: R(x, c) ## 3 not valid
1. forall x: R(x, x) [premise]
2. R(c, c) [1]
3. forall x: R(x, c) [universal generalization: 2]

## generalization over two constants ## forall x: R(x, x) -> P(x) ## 3 not valid
1. forall x: forall y: R(x, y) -> P(x) [premise]
2. R(c, d) -> P(c) [1]
3. forall x: R(x, x) -> P(x) [universal generalization: 2]

## a variable captured ## exists y: R(y, y) ## 2 undecided
1. forall x: exists y: R(x, y) [premise]
2. exists y: R(y, y) [universal instantiation: 1]

## instance of another sort ## P(rex) ## 4 language; 4 not the goal
1. forall x in dog: P(x) [premise]
2. exists x in cat: Q(x) [premise]
3. Q(tom) [premise]
4. P(tom) [universal instantiation: 1]

## a sort of nobody ## P(a) | ~P(a) ## 2 language; 2 not the goal
1. P(a) [premise]
2. exists x in dog: P(x) [existential generalization: 1]

## not the goal ## q ## 2 not the goal
1. p & q [premise]
2. p [simplification: 1]

## the goal in between ## q ## 3 not the goal
1. p & q [premise]
2. q [1]
3. p [1]

## citing from an assumption ## p ## 2 citation; 2 not the goal; 2 open assumption
1. p [premise]
2. q [assumption: 1]

## citing from a premise ## p ## 2 citation
1. p [premise]
2. p [premise: 1]

## a closed world without a program ## ~q ## 2 not valid
1. p [premise]
2. ~q [closed world]

## denying the antecedent by another name ## q ## 3 not valid
1. p -> q [premise]
2. ~p [premise]
3. ~q [modus tollens: 1, 2]
""")


@pytest.mark.parametrize("name", BAD)
def test_proofs_that_do_not_hold(name):
    text, goal, expected = BAD[name]
    verdict = check(text, goal)
    assert kinds(verdict) == expected
    assert verdict.valid is all(kind == "misnamed" for _, kind in expected)


def test_an_invented_premise_is_told_from_one_in_another_form():
    premises = ["forall x: P(x) & Q(x)", "a = b"]
    assert check("1. forall y: Q(y) & P(y) [premise]\n2. b = a [premise]", "a = b", premises).valid
    verdict = check("1. forall y: Q(y) | P(y) [premise]\n2. a = b [premise]", "a = b", premises)
    assert kinds(verdict) == [(1, "invented premise")]
    assert "forall y: Q(y) | P(y)" in str(verdict.first_bad)


def test_a_premise_by_another_name_is_valid_but_misnamed():
    verdict = check("1. p [fact]\n2. p | q [addition: 1]", "p | q", ["p"])
    assert verdict.valid and kinds(verdict) == [(1, "misnamed")]


def test_open_and_rebinding_formulas_are_no_formulas():
    x = ForAll("x", Atom("P", ("y",)))
    assert kinds(check_proof([Step(1, x, "premise")], [x], x, logic="relational")) == [(1, "language")]
    twice = ForAll("x", Exists("x", Atom("P", ("x",))))
    assert kinds(check_proof([Step(1, twice, "premise")], [twice], twice, logic="relational")) == [(1, "language")]
    p = Atom("P", ("a",))
    assert kinds(check_proof([Step(1, p, "premise")], [p], p, logic="propositional")) == [(1, "language")]


def test_a_step_cannot_choose_the_sort_of_a_premise():
    premises = ["forall x in dog: P(x)", "Q(a)"]
    assert kinds(check("1. forall x in dog: P(x) [premise]\n2. P(a) [1]", "Q(a)", premises))[0] == (2, "language")
    assert check("1. forall x in dog: P(x) [premise]\n2. P(a) [1]", "P(a)", premises).valid
    with pytest.raises(FormulaError, match="sorts clash"):
        check("1. Q(a) [premise]", "Q(a)", ["forall x in dog: P(x)", "forall x in cat: P(x)"])
    with pytest.raises(FormulaError, match="no such logic"):
        check("1. p [premise]", "p", logic="modal")


PROGRAM = [
    "P(a)",
    "Q(b)",
    "forall x: P(x) & ~Q(x) -> R(x)",
    "forall x: ~R(x) & Q(x) -> S(x)",
    "forall x: S(x) -> T(x, x)",
]


def test_the_closed_world_of_a_program():
    text = """1. forall x: P(x) & ~Q(x) -> R(x) [premise]
    2. P(a) [premise]
    3. ~Q(a) [closed world]
    4. R(a) [rule application: 1, 2, 3]"""
    verdict = check(text, "R(a)", PROGRAM, logic="datalog")
    assert verdict.valid and verdict.well_named
    assert check("1. ~R(b) [closed world]\n2. Q(b) [premise]\n3. forall x: ~R(x) & Q(x) -> S(x) [premise]\n4. S(b) [1, 2, 3]", "S(b)",
                 PROGRAM, logic="datalog").valid  # fmt: skip
    assert check("1. ~T(a, b) []", "T(a, b)", PROGRAM, logic="datalog").conclusion == "contradicted"
    for wrong in ("~P(a)", "~R(a)", "~S(b)", "~T(b, b)", "P(b)"):
        assert kinds(check(f"1. {wrong} [closed world]", wrong, PROGRAM, logic="datalog")) == [(1, "not valid")]
    assert kinds(check("1. ~R(b) [closed world]", "~R(b)", PROGRAM)) == [(1, "not valid")]  # not classically
    generalized = "1. ~P(c) [closed world]\n2. forall x: ~P(x) [universal generalization: 1]"
    assert kinds(check(generalized, "~P(c)", PROGRAM, logic="datalog"))[0] == (2, "not valid")


@pytest.mark.parametrize(("program", "why"), [
    (["P(a)", "forall x: P(x) & ~Q(x) -> Q(x)"], "stratified"),
    (["P(a)", "forall x: ~P(x) -> Q(x)"], "safe"),
    (["P(a)", "forall x: P(x) -> ~Q(x)"], "program"),
    (["P(a) | Q(a)"], "program"),
])  # fmt: skip
def test_a_closed_world_needs_a_program(program, why):
    with pytest.raises(FormulaError, match=why):
        check("1. ~R(a) [closed world]", "~R(a)", program, logic="datalog")


@pytest.mark.parametrize(("given", "end", "expected"), [
    (["a = b", "b = c", "R(a, c)"], "R(c, a)", True),
    (["forall x: x = a", "P(a)"], "forall y: P(y)", True),
    (["forall x: x = a | x = b", "P(a)"], "forall y: P(y)", False),
    (["exists x: forall y: R(x, y)"], "forall y: exists x: R(x, y)", True),
    (["forall y: exists x: R(x, y)"], "exists x: forall y: R(x, y)", None),
    (["forall x: P(x) -> (exists y: Q(y))", "exists x: P(x)"], "exists x: Q(x)", True),
    (["forall x in dog: P(x)"], "exists x in dog: P(x)", True),
    (["forall x in dog: P(x)", "exists x in cat: Q(x)"], "exists x in dog: P(x)", True),
    ([], "(exists x: P(x)) | (forall x: ~P(x))", True),
    (["forall x: exists y: R(x, y)", "(forall z: exists y: R(z, y)) -> p"], "p", True),
    (["forall x: exists y: R(x, y)"], "p", None),
    (["exists x: P(x) & a = b"], "exists x: b = a & P(x)", True),
    (["p <-> q", "q <-> r"], "p <-> r", True),
    (["p <-> q", "q <-> r"], "p <-> ~r", False),
    (["false"], "p", True),
    ([], "false", False),
    ([], "~false", True),
])  # fmt: skip
def test_what_follows(given, end, expected):
    assert follows([parse_formula(one) for one in given], parse_formula(end)) is expected


def test_a_search_too_long_is_undecided():
    atoms = [Atom(f"p{i}") for i in range(40)]
    chain = atoms[0]
    for one in atoms[1:]:
        chain = Iff(chain, one)
    assert follows([], Or(chain, Not(chain))) is None


def test_the_kernel_imports_formulas_and_notation_only():
    allowed = {"custodiet.logic.formulas", "custodiet.logic.notation", "custodiet.errors", "custodiet.logic.proofs",
               "custodiet.logic.kernel_rules", "custodiet.logic.kernel_search"}  # fmt: skip
    for module in (kernel, kernel_rules, kernel_search):
        text = Path(module.__file__).read_text()
        assert len(text.splitlines()) < 400
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("custodiet"):
                assert node.module in allowed
