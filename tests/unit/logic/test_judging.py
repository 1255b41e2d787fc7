"""What is said about answers: labels in prose, chains, invented premises, skipped steps, counter-models."""

import json

import pytest

from custodiet.errors import FormulaError
from custodiet.logic.judging import judge_answer, read_answer
from custodiet.logic.notation import parse_formula

PREMISES = ["p -> q", "q -> r", "p", "s | t"]
VALID = """1. p -> q [premise]
2. p [premise]
3. q [modus ponens: 1, 2]
4. q -> r [premise]
5. r [modus ponens: 4, 3]
"""


def judge(text, *, goal="r", label="entailed", premises=PREMISES, logic="propositional", **options):
    return judge_answer(
        text, [parse_formula(one) for one in premises], parse_formula(goal), label, logic=logic, **options
    )


def label_in(text, **options):
    return read_answer(text, [], parse_formula("p"), logic="propositional", **options).label


def test_a_right_answer_with_its_chain():
    found = judge(f"Let us see.\n\n{VALID}\nAnswer: entailed.", reference_steps=2)
    assert (found.label, found.label_right, found.chain, found.conclusion) == ("entailed", True, "valid", "entailed")
    assert found.well_named and found.first_bad is None
    assert (found.num_steps, found.num_premises, found.hallucinated_premise_rate) == (5, 3, 0.0)
    assert found.steps_over_reference == 0
    assert not found.right_answer_wrong_chain and not found.valid_chain_wrong_answer
    assert json.loads(json.dumps(found.to_json()))["first_bad"] is None


@pytest.mark.parametrize("text", [
    "**Answer:** entailed", "Answer: **Entailed**.", "The answer is entailed", "Final answer: entailed", "entailed", "  `entailed`",
    "Answer: unknown? No.\nAnswer: entailed", "> Answer = entailed!", "unknown\nLabel: entailed", "Verdict - entailed",
])  # fmt: skip
def test_labels_in_prose(text):
    assert label_in(text) == "entailed"


@pytest.mark.parametrize("text", [
    "", "It is entailed or unknown", "Answer: not entailed", "Answer: entailed or unknown", "The goal is not entailed.",
    "1. entailed [premise]", "Answer: entailment", "Conclusion: p",
])  # fmt: skip
def test_no_label(text):
    assert label_in(text) is None


def test_labels_under_other_words():
    choices = {"it follows": "entailed", "its negation follows": "contradicted", "neither": "unknown"}
    assert label_in("Answer: it follows.", choices=choices) == "entailed"
    assert label_in("Answer: its negation follows", choices=choices) == "contradicted"
    assert label_in("Neither.", choices=choices) == "unknown"


def test_any_valid_proof_in_any_order_and_form_passes():
    other = """Step 10. q -> r [premise]
    - **20.** p -> q [premise]
    30) p -> r [transitivity: 20, 10]
    40. p [premise]
    50. r [30, 40]
    """
    found = judge(other + "Answer: entailed", reference_steps=2)
    assert found.chain == "valid" and found.well_named
    longer = VALID + "6. r | s [addition: 5]\n7. r [repetition: 5]\nentailed"
    assert judge(longer, reference_steps=2).steps_over_reference == 2
    bare = "1. p -> q\n2. q -> r\n3. p\n4. q [1, 3]\n5. r [2, 4]\nentailed"
    assert judge(bare).chain == "valid"


def test_a_right_answer_with_a_wrong_chain():
    found = judge(
        "1. q -> r [premise]\n2. r -> q [premise]\n3. q [premise]\n4. r [modus ponens: 1, 3]\nAnswer: entailed"
    )
    assert found.right_answer_wrong_chain and found.chain == "wrong" and found.conclusion is None
    assert (found.first_bad.number, found.first_bad.kind) == (2, "invented premise")
    assert (found.num_premises, found.num_invented, found.hallucinated_premise_rate) == (3, 2, 2 / 3)
    assert found.steps_over_reference is None


def test_a_valid_chain_with_a_wrong_answer():
    for ending in ("Answer: unknown", "Answer: contradicted", ""):
        found = judge(VALID + ending)
        assert found.valid_chain_wrong_answer and not found.label_right and found.conclusion == "entailed"


def test_skipped_steps_are_told_from_false_ones():
    found = judge("1. p [premise]\n2. r [modus ponens: 1]\nentailed")
    assert (found.first_bad.number, found.first_bad.kind, found.num_skipped) == (2, "skipped", 1)
    found = judge("1. p [premise]\n2. s [modus ponens: 1]\n3. r [1]\nentailed")
    assert (found.first_bad.number, found.first_bad.kind, found.num_skipped) == (2, "not valid", 1)
    assert (
        judge("1. p [assumption]\n2. r [1]\n3. p -> r [conditional proof: 1, 2]\nentailed", goal="p -> r").num_skipped
        == 1
    )


def test_misnamed_steps_are_valid():
    found = judge(VALID.replace("modus ponens: 4, 3", "modus tollens: 4, 3") + "entailed")
    assert found.chain == "valid" and found.well_named is False and found.num_misnamed == 1


def test_common_words_for_premises_and_assumptions():
    found = judge(
        VALID.replace("[premise]", "[given]") + "6. s [assume]\n7. s -> s [conditional proof: 6, 6]\n8. r [5]\nentailed"
    )
    assert found.chain == "valid" and found.well_named and found.num_premises == 3


def test_lines_that_do_not_fit_the_sorts_are_wrong():
    premises = ["forall x in dog: P(x)", "exists x in cat: Q(x)"]
    text = "1. forall x in cat: P(x) [premise]\n2. exists x in dog: P(x) & Q(x) [1]\n3. P(a) & p [1, 2]\nentailed"
    found = judge(text, premises=premises, goal="exists x in dog: P(x)", logic="relational")
    assert found.chain == "wrong" and found.first_bad.kind == "language" and found.num_skipped == 0


def test_unreadable_steps_are_counted_apart_from_wrong_ones():
    found = judge("1. p -> q [premise]\n2. p and then some [premise]\n3. q [modus ponens: 1, 2]\nAnswer: entailed")
    assert found.chain == "unreadable" and found.num_unreadable == 1
    assert (found.first_bad.number, found.first_bad.kind) == (2, "unreadable")
    assert found.right_answer_wrong_chain
    found = judge("1. p -> q [premise]\n2. r [modus ponens: 1]\n3. hm?? [2]\n4. r [repetition: 2]\nAnswer: entailed")
    assert found.chain == "wrong" and found.num_unreadable == 1 and found.first_bad.number == 2


def test_whoever_starts_over_is_judged_by_the_last_attempt():
    wrong = "1. r [premise]\nWait, that is not given.\n"
    assert judge(wrong + VALID + "entailed").chain == "valid"
    assert judge(VALID + "Let me redo this.\n" + wrong + "entailed").chain == "wrong"
    listed = "The premises are\n1. p -> q\n2. q -> r\n3. p\n\nProof\n"
    assert judge(listed + VALID + "To sum up:\n1. it works\n2. done\nentailed").chain == "valid"
    assert judge(listed + "entailed").chain == "none"


def test_no_chain_and_no_answer():
    found = judge("I do not know.")
    assert (found.label, found.chain, found.num_steps, found.well_named) == (None, "none", 0, None)
    assert not found.right_answer_wrong_chain and not found.valid_chain_wrong_answer
    found = judge("Answer: entailed")
    assert found.label_right and found.chain == "none" and not found.right_answer_wrong_chain


@pytest.mark.parametrize(("text", "chain", "shown"), [
    ("Model 1: p; q; r; s\nModel 2: p; q; r; t", "valid", (True, True)),
    ("Model 1: p, q, r, s\n**Model 2:** p, q, r, t, ~s", "valid", (True, True)),
    ('{"true": ["p", "q", "r", "s"]} and {"true": ["p", "q", "r", "t"]}', "valid", (True, True)),
    ("Model 1: p; q; r; s", "wrong", (True, False)),
    ("Model 1: p; q; r; s\nModel 2: p; t", "wrong", (True, False)),
    ("Model 1: nothing", "wrong", (False, False)),
    ("Model 1: p; q; r; s\nModel 2: p | q", "unreadable", (True, False)),
    ("Model 1: p; ~p; q; r; s", "unreadable", (False, False)),
    ('{"true": ["p", 3]}', "unreadable", (False, False)),
    ("unknown", "none", (None, None)),
])  # fmt: skip
def test_counter_models(text, chain, shown):
    found = judge(text + "\nAnswer: unknown", goal="s", label="unknown")
    assert found.chain == chain and (found.model_with_goal, found.model_without_goal) == shown
    assert found.label_right and found.right_answer_wrong_chain is (chain in ("wrong", "unreadable"))


def test_counter_models_with_individuals():
    premises, goal = ["forall x in dog: P(x) | Q(x)", "P(rex)", "exists x in cat: S(x)", "S(tom)"], "Q(rex)"
    options = {"premises": premises, "goal": goal, "label": "unknown", "logic": "relational"}
    assert judge("Model A: P(rex); S(tom)\nModel B: P(rex), Q(rex), S(tom)\nunknown", **options).chain == "valid"
    assert judge("Model A: P(rex); S(tom)\nModel B: Q(rex); S(tom)\nunknown", **options).chain == "wrong"
    models = [{"domains": {"dog": ["e1"], "cat": ["e2"]}, "constants": {"rex": "e1", "tom": "e2"},
               "true": ["P(e1)", "S(e2)", *more]} for more in ([], ["Q(e1)"])]  # fmt: skip
    assert judge("\n".join(map(json.dumps, models)) + "\nunknown", **options).chain == "valid"
    del models[0]["constants"]["rex"]
    assert judge("\n".join(map(json.dumps, models)) + "\nunknown", **options).chain == "wrong"


def test_sentences_are_read_by_whom_the_caller_gives():
    sentences = {"If it rains, it pours.": "p -> q", "It rains.": "p", "It pours.": "q"}

    def read(text):
        if text not in sentences:
            raise FormulaError("no such sentence", got=repr(text))
        return parse_formula(sentences[text])

    text = """1. If it rains, it pours. [premise]
    2. It rains. [premise]
    3. It pours. [modus ponens: 1, 2]
    Answer: entailed"""
    assert judge(text, goal="q", read_sentence=read).chain == "valid"
    assert judge(text, goal="q").chain == "unreadable"
    assert judge(text.replace("It pours. [", "q ["), goal="q", read_sentence=read).chain == "valid"
    found = judge(text.replace("It pours. [", "It snows. ["), goal="q", read_sentence=read)
    assert found.chain == "unreadable" and "no such sentence" in found.first_bad.message


def test_programs():
    premises = ["P(a)", "forall x: P(x) & ~Q(x) -> R(x)", "forall x: R(x) -> S(x)"]
    options = {"premises": premises, "goal": "S(a)", "logic": "datalog"}
    assert judge("1. P(a) [premise]\n2. S(a) [1]\nentailed", **options).first_bad.kind == "skipped"
    assert judge("1. P(a) [premise]\n2. S(b) [1]\nentailed", **options).first_bad.kind == "not valid"


def test_a_problem_that_is_none():
    with pytest.raises(FormulaError, match="no such label"):
        judge(VALID, label="yes")
    with pytest.raises(FormulaError, match="no such logic"):
        judge(VALID, logic="modal")


@pytest.mark.parametrize("text", [
    "Answer: entailed\nAnswer: entailed or contradicted", "Answer: unknown\nFinal answer: it depends",
    "Answer: entailed, contradicted", "**Answer**: entailed / unknown", "entailed\n**Answer:** see above",
])  # fmt: skip
def test_an_answer_of_several_labels_is_none(text):
    assert label_in(text) is None


def test_the_last_of_several_labels_counts():
    assert label_in("Answer: unknown\nAnswer: (contradicted)") == "contradicted"
    assert label_in("Answer: contradicted\nThat is what the answer is about.") == "contradicted"


def test_only_the_last_two_counter_models_count():
    guesses = "\n".join(
        f"Model {at}: {said}" for at, said in enumerate(("p; q; r; s", "p; q; r; t", "p", "q"), start=1)
    )
    found = judge(guesses + "\nAnswer: unknown", goal="s", label="unknown")
    assert found.chain == "wrong" and found.num_models == 2
    again = "Model 1: p\nModel 2: t\nNo.\nModel 1: p; q; r; s\nModel 2: p; q; r; t\nAnswer: unknown"
    assert judge(again, goal="s", label="unknown").chain == "valid"


def test_a_chain_of_one_leap_is_valid_but_not_step_by_step():
    leap = "1. p -> q [premise]\n2. q -> r [premise]\n3. p [premise]\n4. r [1, 2, 3]\nAnswer: entailed"
    found = judge(leap)
    assert found.chain == "valid" and not found.step_by_step and found.num_leaps == 1
    assert judge(leap.replace("[1, 2, 3]", "[modus ponens: 1, 2, 3]")).num_leaps == 1
    bare = judge(VALID.replace("modus ponens: ", "") + "entailed")
    assert bare.step_by_step and bare.num_leaps == 0
    assert judge(VALID.replace("modus ponens", "addition") + "entailed").step_by_step  # misnamed, yet one rule a line
    assert not judge(VALID.replace("5. r", "5. s") + "entailed").step_by_step
    lifted = "1. forall x: P(x) -> Q(x) [premise]\n2. forall x: ~Q(x) -> ~P(x) [1]\nentailed"
    options = {"premises": ["forall x: P(x) -> Q(x)"], "goal": "forall x: ~Q(x) -> ~P(x)", "logic": "monadic"}
    assert judge(lifted, **options).step_by_step


BAD = {
    "cites a later line": "1. p [premise]\n2. r [3]\n3. r [2]\nentailed",
    "cites itself": "1. p [premise]\n2. r [2]\nentailed",
    "cites a premise's number in the problem": "5. r [1, 2, 3]\nentailed",
    "the same number twice": "1. p [premise]\n2. p -> r [premise]\n2. r [1, 2]\nentailed",
    "numbers that fall": "1. p [premise]\n3. p -> r [1]\n2. r [1, 3]\nentailed",
    "open assumption": "1. r [assumption]\n2. r [repetition: 1]\nentailed",
    "goal as a premise": "1. r [premise]\nentailed",
    "other digits": "１. p [premise]\n２. r [premise]\nentailed",
    "a letter that looks alike": "1. р [premise]\n2. r [modus ponens: 1]\nentailed",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_no_trick_makes_a_chain_valid(text):
    assert judge(text).chain != "valid"


_M = 300_000
HUGE = {
    "blanks": " " * _M,
    "blanks after a cue": "answer" + " " * _M + "x",
    "marks after a cue": ("answer" + "!" * 9000 + "x\n") * 30,
    "cues": ("answer is " * 900 + "\n") * 30,
    "model of blanks": "model" + " " * _M,
    "models": "Model 1: p; q\n" * (_M // 14),
    "blanks in a step": "1. p" + " " * _M + "[",
    "blanks in a reason": "1. p [a" + " " * _M + "!]",
    "citations": "1. p [" + "1, " * (_M // 3) + "1]",
    "braces": "{" * _M,
    "braces and quotes": ('{"' * 4500 + "\n") * 30,
    "nested objects": '{"true": ' * (_M // 9),
    "parentheses": "1. " + "(" * 4000 + "p" + ")" * 4000 + " [premise]",
    "negations": "1. " + "~" * 9000 + "p []",
    "long line": "1. " + "p & " * _M + "p [premise]",
    "lines": "\n".join(f"{at}. p -> q [premise]" for at in range(1, 10_001)),
    "bad lines": "\n".join(f"{at}. r & s [conjunction: {at - 1}]" for at in range(1, 10_001)),
    "separators": "\u2028" * _M,
    "nothing": "\0" * _M,
    "half a character": "1. \ud800 [premise]\nAnswer: \udfff",
}  # fmt: skip


@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE)
def test_no_answer_is_too_much(text):
    found = judge(text)
    assert found.chain != "valid" and found.label is None
    assert found.num_steps <= 1001


def test_what_is_too_long_is_unreadable():
    numbered = "\n".join(f"{at}. p [premise]" for at in range(1, 1002)) + "\n1002. r [premise]\nentailed"
    found = judge(numbered)
    assert found.chain == "unreadable" and "more than 1,000 lines" in found.first_bad.message
    found = judge("1. p [" + ", ".join(map(str, range(1, 300))) + "]\nentailed")
    assert found.chain == "unreadable" and "cites 299 lines" in found.first_bad.message
    found = judge("1. " + "p & " * 5000 + "p []\nentailed")
    assert found.chain == "unreadable" and "20,0" in found.first_bad.message


def test_a_rule_with_a_body_that_fits_in_too_many_ways_is_not_tried_for_ever():
    names = [f"x{at}" for at in range(1, 16)]
    body = " & ".join(f"P({one}, {other})" for one, other in zip(names, names[1:], strict=False))
    rule = "".join(f"forall {one}: " for one in names) + f"({body} & Q(x15) -> R(x1))"
    facts = [f"P({one}, {other})" for one in "abcd" for other in "abcd"]
    lines = [rule, *facts]
    text = "\n".join(f"{at}. {line} [premise]" for at, line in enumerate(lines, start=1))
    cites = ", ".join(map(str, range(1, len(lines) + 1)))
    found = judge(
        f"{text}\n99. R(a) [rule application: {cites}]\nentailed", premises=lines, goal="R(a)", logic="monadic"
    )
    assert found.chain == "wrong" and found.first_bad.number == 99


def test_structures_of_too_many_individuals_are_unreadable():
    options = {"premises": ["forall x: forall y: forall z: R(x, y) & R(y, z) -> R(x, z)"], "goal": "R(a, b)",
               "label": "unknown", "logic": "relational"}  # fmt: skip
    many = json.dumps(
        {"domains": {"": [f"e{at}" for at in range(1, 1200)]}, "constants": {"a": "e1", "b": "e2"}, "true": []}
    )
    few = json.dumps({"domains": {"": ["e1", "e2"]}, "constants": {"a": "e1", "b": "e2"}, "true": ["R(e1, e2)"]})
    assert judge(f"{many}\n{few}\nAnswer: unknown", **options).chain == "unreadable"
    assert judge(f"{many.replace('e1199', 'e0')}\nAnswer: unknown", **options).chain == "unreadable"
    assert judge("Model 1: R(a, b)\nModel 2: R(b, a)\nAnswer: unknown", **options).chain == "valid"
