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


GOOD = {
    "modus ponens": ("1. p -> q [premise]\n2. p [premise]\n3. q [modus ponens: 1, 2]", "q"),
    "unnamed": ("1. p -> q [premise]\n2. p [premise]\n3. q [1, 2]", "q"),
    "conditional proof": ("1. q [premise]\n2. p [assumption]\n3. p & q [conjunction: 1, 2]\n4. p -> p & q [conditional proof: 2, 3]",
                          "p -> p & q"),
    "of itself": ("2. p [assumption]\n4. p -> p [conditional proof: 2, 2]", "p -> p"),
    "vacuous": ("1. q [premise]\n2. p [assumption]\n3. p -> q [conditional proof: 2, 1]", "p -> q"),
    "reductio": ("1. p -> q [premise]\n2. ~q [premise]\n3. p [assumption]\n4. q [1, 3]\n5. false [contradiction: 2, 4]\n6. ~p [reductio: 3, 5]",
                 "~p"),
    "reductio, negated": ("1. ~~p [premise]\n2. ~p [assumption]\n3. false [1, 2]\n4. p [reductio: 2, 3]", "p"),
    "case split": ("1. p | q [premise]\n2. p [assumption]\n3. q | p [addition: 2]\n4. q [assumption]\n5. p | q [addition: 4]\n"
                   "6. p | q [case split: 1, 4, 5, 2, 3]", "q | p"),
    "existential elimination": ("1. exists x: P(x) & Q(x) [premise]\n2. P(c) & Q(c) [assumption]\n3. P(c) [simplification: 2]\n"
                                "4. exists y: P(y) [existential generalization: 3]\n5. exists y: P(y) [existential elimination: 1, 2, 4]",
                                "exists x: P(x)"),
    "constant of an unrelated premise": ("1. exists x: P(x) [premise]\n2. Q(c) [premise]\n3. P(c) [assumption]\n"
                                         "4. exists y: P(y) [3]\n5. exists y: P(y) [existential elimination: 1, 3, 4]", "exists x: P(x)"),
    "universal generalization": ("1. forall x: P(x) -> Q(x) [premise]\n2. forall x: P(x) [premise]\n3. P(c) [universal instantiation: 2]\n"
                                 "4. P(c) -> Q(c) [universal instantiation: 1]\n5. Q(c) [modus ponens: 3, 4]\n"
                                 "6. forall y: Q(y) [universal generalization: 5]", "forall x: Q(x)"),
    "after its discharge": ("1. c = c [reflexivity]\n2. P(c) [assumption]\n3. P(c) -> P(c) [conditional proof: 2, 2]\n"
                            "4. forall x: P(x) -> P(x) [universal generalization: 3]", "forall x: P(x) -> P(x)"),
    "sorts": ("1. forall x in dog: P(x) [premise]\n2. P(rex) [universal instantiation: 1]\n3. exists x in dog: P(x) [2]", "exists x in dog: P(x)"),
    "goal by its negation": ("1. p [premise]", "~p"),
    "inconsistent": ("1. p [premise]\n2. ~p [premise]\n3. false [contradiction: 1, 2]", "q"),
    "operands in another order": ("1. (q & p) | r [premise]", "r | (p & q)"),
    "a tautology from nothing": ("1. p | ~p []", "p | ~p"),
    "a premise without its name": ("1. p []\n2. p | q [addition: 1]", "p | q"),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_proofs_that_hold(name):
    text, goal = GOOD[name]
    verdict = check(text, goal, ["p"] if "without its name" in name else None)
    assert verdict.valid and verdict.well_named and verdict.problems == ()
    assert verdict.conclusion == {"goal by its negation": "contradicted", "inconsistent": "inconsistent"}.get(
        name, "entailed"
    )


@pytest.mark.parametrize("name", GOOD)
def test_names_of_rules_are_not_needed_and_wrong_ones_are_told_apart(name):
    text, goal = GOOD[name]
    premises = [one.formula for one in read_proof(text) if one.rule == "premise"] or [parse_formula("p")]
    steps = read_proof(text)
    for rule in (None, "explosion"):
        renamed = [one if one.rule in ("premise", "assumption") or not one.rule else
                   Step(one.number, one.formula, rule, one.cites) for one in steps]  # fmt: skip
        verdict = check_proof(renamed, premises, parse_formula(goal), logic="relational")
        assert verdict.valid
        assert verdict.well_named is (renamed == list(steps) or rule is None)


BAD = {
    "empty": ("", "p", [(None, "empty")]),
    "affirming the consequent": ("1. p -> q [premise]\n2. q [premise]\n3. p [modus ponens: 1, 2]", "p", [(3, "not valid")]),
    "skipped": ("1. p -> q [premise]\n2. p [premise]\n3. q [1]", "q", [(3, "not valid")]),
    "circular": ("1. p [modus ponens: 2]\n2. p [repetition: 1]", "p", [(1, "citation")]),
    "of itself": ("1. p [repetition: 1]", "p", [(1, "citation")]),
    "forward": ("1. p [premise]\n2. q | p [addition: 3]\n3. p [repetition: 1]", "p", [(2, "citation")]),
    "of no line": ("1. p [premise]\n2. p [repetition: 7]", "p", [(2, "citation")]),
    "repeated number": ("1. p [premise]\n1. q [premise]\n2. q [repetition: 1]", "q", [(1, "number"), (2, "not valid")]),
    "numbers out of order": ("2. p [premise]\n1. q [premise]", "q", [(1, "number")]),
    "number zero": ("0. p [premise]", "p", [(0, "number")]),
    "goal under an assumption": ("1. p [assumption]", "p", [(1, "open assumption")]),
    "assumption used after its discharge": (
        "1. p [assumption]\n2. p -> p [conditional proof: 1, 1]\n3. p & (p -> p) [conjunction: 1, 2]", "p & (p -> p)",
        [(3, "open assumption")]),
    "another assumption stays open": (
        "1. p [assumption]\n2. q [assumption]\n3. p & q [conjunction: 1, 2]\n4. p -> p & q [conditional proof: 1, 3]", "p -> p & q",
        [(4, "open assumption")]),
    "discharge of what is not assumed": (
        "1. p -> q [premise]\n2. q [assumption]\n3. p -> q [conditional proof: 1, 2]", "p -> q", [(3, "misnamed"), (3, "open assumption")]),
    "discharge of a derived line": (
        "1. p & q [assumption]\n2. p [simplification: 1]\n3. p & p [conjunction: 2, 2]\n4. p -> p & p [conditional proof: 2, 3]",
        "p -> p & p", [(4, "misnamed"), (4, "open assumption")]),
    "case without its assumption": (
        "1. p | q [premise]\n2. p [assumption]\n3. r | p [addition: 2]\n4. q [assumption]\n5. r | q [addition: 4]\n"
        "6. r | p [case split: 1, 2, 3, 4, 5]", "r | p", [(6, "misnamed"), (6, "open assumption")]),
    "one case for two": (
        "1. p | q [premise]\n2. p [assumption]\n3. p [case split: 1, 2, 2, 2, 2]", "p", [(3, "misnamed"), (3, "open assumption")]),
    "result of the other case": (
        "1. p | q [premise]\n2. p [assumption]\n3. q [assumption]\n4. p & q [2, 3]\n5. p & q [case split: 1, 2, 4, 3, 4]", "p & q",
        [(5, "open assumption")]),
    "constant in the result": (
        "1. exists x: P(x) [premise]\n2. P(c) [assumption]\n3. P(c) [existential elimination: 1, 2, 2]", "P(c)",
        [(3, "misnamed"), (3, "open assumption")]),
    "constant of a premise in use": (
        "1. exists x: P(x) [premise]\n2. Q(c) [premise]\n3. P(c) [assumption]\n4. P(c) & Q(c) [conjunction: 2, 3]\n"
        "5. exists x: P(x) & Q(x) [existential generalization: 4]\n6. exists x: P(x) & Q(x) [existential elimination: 1, 3, 5]",
        "exists x: P(x) & Q(x)", [(6, "misnamed"), (6, "open assumption")]),
    "constant of the existential": (
        "1. exists x: R(x, c) [premise]\n2. R(c, c) [assumption]\n3. exists x: R(x, x) [existential generalization: 2]\n"
        "4. exists x: R(x, x) [existential elimination: 1, 2, 3]", "exists x: R(x, x)", [(4, "misnamed"), (4, "open assumption")]),
    "generalization over a premise": (
        "1. P(c) [premise]\n2. forall x: P(x) [universal generalization: 1]", "forall x: P(x)", [(2, "not valid")]),
    "generalization over an assumption": (
        "1. P(c) [assumption]\n2. forall x: P(x) [universal generalization: 1]\n3. P(c) -> (forall x: P(x)) [conditional proof: 1, 2]",
        "P(c) -> (forall x: P(x))", [(2, "not valid")]),
    "generalization of some places": (
        "1. forall x: R(x, x) [premise]\n2. R(c, c) [1]\n3. forall x: R(x, c) [universal generalization: 2]", "forall x: R(x, c)",
        [(3, "not valid")]),
    "generalization over two constants": (
        "1. forall x: forall y: R(x, y) -> P(x) [premise]\n2. R(c, d) -> P(c) [1]\n3. forall x: R(x, x) -> P(x) [universal generalization: 2]",
        "forall x: R(x, x) -> P(x)", [(3, "not valid")]),
    "a variable captured": (
        "1. forall x: exists y: R(x, y) [premise]\n2. exists y: R(y, y) [universal instantiation: 1]", "exists y: R(y, y)",
        [(2, "undecided")]),
    "instance of another sort": (
        "1. forall x in dog: P(x) [premise]\n2. exists x in cat: Q(x) [premise]\n3. Q(tom) [premise]\n4. P(tom) [universal instantiation: 1]",
        "P(rex)", [(4, "language"), (4, "not the goal")]),
    "a sort of nobody": (
        "1. P(a) [premise]\n2. exists x in dog: P(x) [existential generalization: 1]", "P(a) | ~P(a)",
        [(2, "language"), (2, "not the goal")]),
    "not the goal": ("1. p & q [premise]\n2. p [simplification: 1]", "q", [(2, "not the goal")]),
    "the goal in between": ("1. p & q [premise]\n2. q [1]\n3. p [1]", "q", [(3, "not the goal")]),
    "citing from an assumption": ("1. p [premise]\n2. q [assumption: 1]", "p", [(2, "citation"), (2, "not the goal"), (2, "open assumption")]),
    "citing from a premise": ("1. p [premise]\n2. p [premise: 1]", "p", [(2, "citation")]),
    "a closed world without a program": ("1. p [premise]\n2. ~q [closed world]", "~q", [(2, "not valid")]),
    "denying the antecedent by another name": ("1. p -> q [premise]\n2. ~p [premise]\n3. ~q [modus tollens: 1, 2]", "q", [(3, "not valid")]),
}  # fmt: skip


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
