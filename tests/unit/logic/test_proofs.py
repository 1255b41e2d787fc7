"""The text of proofs: what is written is read back; what is not a line says which one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custodiet.errors import FormulaError
from custodiet.logic.notation import parse_formula
from custodiet.logic.proofs import Step, format_proof, format_step, read_proof, read_step, step_from_json, step_to_json

FORMULAS = [parse_formula(one) for one in ("p", "~p | (q & false)", "a != b", "forall x in dog: exists y: R(x, y)")]
RULES = [None, "premise", "modus ponens", "universal de morgan", "closed world"]
STEPS = st.builds(
    Step,
    st.integers(0, 999_999),
    st.sampled_from(FORMULAS),
    st.sampled_from(RULES),
    st.lists(st.integers(0, 999_999), max_size=5).map(tuple),
)


@given(st.lists(STEPS, max_size=6))
def test_what_is_written_is_read_back(steps):
    assert read_proof(format_proof(steps)) == tuple(steps)
    assert [step_from_json(step_to_json(one)) for one in steps] == steps


def test_the_forms_of_a_line():
    p = parse_formula("p")
    assert read_step("3. p [modus ponens: 1, 2]") == Step(3, p, "modus ponens", (1, 2))
    assert read_step(" 3.  p  [Modus  Ponens:1,2] ") == Step(3, p, "modus ponens", (1, 2))
    assert read_step("3. p [1, 2]") == Step(3, p, None, (1, 2))
    assert read_step("3. p []") == Step(3, p)
    assert read_step("3. p [premise]") == Step(3, p, "premise")
    assert format_step(Step(3, p, None, (1,)), "It rains") == "3. It rains [1]"
    assert read_step("3. It rains [1]", lambda text: parse_formula(text[3])).formula == parse_formula("r")


@pytest.mark.parametrize("line", [
    "p [premise]", "1 p [premise]", "1. p", "1. p [premise", "1. p [modus ponens 1]", "1. p [modus ponens:]", "1. p [1 2]",
    "1. p [1,]", "1. p [1, 2, x]", "-1. p [premise]", "1.p [premise]", "1. p [premise] so", "1. p [a] [b]", "1. p [: 1]",
    "1. [premise]", "1. p & [premise]", "1. p & q | r [premise]", "1. P(x) [premise]", "9999999. p [premise]",
])  # fmt: skip
def test_a_line_that_is_none_is_named(line):
    with pytest.raises(FormulaError, match="line 3 of the proof: cannot read the"):
        read_proof(f"1. p [premise]\n\n{line}\n")


@pytest.mark.parametrize("data", [
    None, [], {}, {"number": 1}, {"number": True, "formula": "p"}, {"number": 1, "formula": 3},
    {"number": 1, "formula": "p", "cites": "1"}, {"number": 1, "formula": "p", "cites": [True]},
    {"number": 1, "formula": "p", "rule": 2},
])  # fmt: skip
def test_json_that_is_no_step(data):
    with pytest.raises(FormulaError, match="cannot read a step"):
        step_from_json(data)
