"""Hand-written rows in the formats of others, with what they claim and whether it is right."""

LOGICINFERENCE = [
    # inputs, targets, says, outcome
    (
        "Consider the following premises. forall x_1: P(x_1) -> Q(x_1). P(a). Can we infer Q(a) from them? "
        "If possible, name the inference rules being used at each step.",
        "We can infer Q(a) via the universal modus ponens rule. Therefore, the answer is yes.",
        "entailed",
        "right",
    ),
    ("Consider the following premises. p -> q. ~q. Can we infer ~p from them? ", "Yes.", "entailed", "right"),
    (
        "Consider the following premises. p. q. Can we infer p -> q from them? ",
        "We cannot infer that from the premises. Therefore the answer is no.",
        "not entailed",
        "wrong",
    ),
    (
        "Consider the following premises. p or q. ~p. Can we infer ~q from them? ",
        "That contradicts the premises. Therefore the answer is no.",
        "contradicted",
        "right",
    ),
    (
        "Consider the following premises. p -> (q and r). p. Can we infer ~r from them? ",
        " From p -> (q and r), p we can infer q and r. Finally, from q and r we can infer r, which contradicts ~r."
        " Therefore, the answer is no.",
        "contradicted",
        "right",
    ),
    (
        "Consider the following premises. p. q. Can we infer r from them? ",
        "No, we cannot infer that from the premises.",
        "not entailed",
        "right",
    ),
    (
        "Consider the following premises. exists y: ~P(y). forall y: P(y). Can we infer Q(b) from them? ",
        "The premises are contradictory and we can infer anything from them. Therefore, the answer is yes.",
        "inconsistent",
        "right",
    ),
    (
        "Consider the following premises. p <-> q. p. ~q. Can we infer r from them? ",
        "We cannot infer that from the premises. Therefore the answer is no.",
        "not entailed",
        "inconsistent premises",
    ),
    (
        "What can be inferred from the following premises in a single inference step (ignoring inferences that add new "
        "predicates or constants)? Name the inference rule being used: p -> q. q -> r.",
        "p -> r can be inferred via the transitivity rule.",
        "entailed",
        "right",
    ),
    (
        "What can be inferred from the following premises in a single inference step (ignoring inferences that add new "
        "predicates or constants)? p and q. q -> r.",
        "p. q. r.",
        "entailed",
        "right",
    ),
    (
        "Translate the following inference to logic notation: If it rains, then Mary is sad. It is raining. Therefore Mary is sad.",
        "p -> q. p. Therefore q.",
        "entailed",
        "right",
    ),
]
_IN_ENGLISH = "Consider the following premises. {} Can we infer the following from them? {}{}"
_NAMING = "If we can, name the inference rule being used: "
_ONE_STEP = (
    "What can be inferred from the following premises in a single inference step (ignoring inferences that add new predicates "
    "or constants)? "
)
LOGICINFERENCE_ENGLISH = [
    # inputs, targets, says, outcome, kind
    (
        _IN_ENGLISH.format("It is raining or it is late. It is not late.", "", "It is raining."),
        "Yes.",
        "entailed",
        "right",
        "3b",
    ),
    (
        _IN_ENGLISH.format(
            "For all x, if x were a sailor, then x is writing a letter. There is at least one x for which x is a sailor.",
            _NAMING,
            "There is at least one x for which x will write a letter.",
        ),
        "We can infer this via the existential modus ponens rule. Therefore, the answer is yes.",
        "entailed",
        "right",
        "3b",
    ),
    (
        _IN_ENGLISH.format("If Karen plays squash, then it is windy. Karen is playing squash.", "", "It is not windy."),
        "That contradicts the premises. Therefore the answer is no.",
        "contradicted",
        "right",
        "3b",
    ),
    (
        _IN_ENGLISH.format(
            "Susan is not cooking. It is sunny.", "", "The fact that it is sunny does not imply that Susan is cooking."
        ),
        "We cannot infer that from the premises. Therefore the answer is no.",
        "not entailed",
        "wrong",
        "3b",
    ),
    (
        _IN_ENGLISH.format("Neither it is cold nor David is running.", "", "If David goes running, then it is cold."),
        "No, we cannot infer that from the premises.",
        "not entailed",
        "wrong",
        "3b",
    ),
    (
        _IN_ENGLISH.format("Either Linda is rich or it is late are not true. Linda is rich.", "", "It is late."),
        "That contradicts the premises. Therefore the answer is no.",
        "contradicted",
        "right",
        "3b",
    ),
    (
        _IN_ENGLISH.format("Some poets are sailors.", "", "There is at least one y for which y is a poet."),
        "Yes.",
        "entailed",
        "right",
        "3b",
    ),
    (
        _IN_ENGLISH.format("Some poets will take a plane. For all x, x is not taking a plane.", "", "It is snowing."),
        "The premises are contradictory and we can infer anything from them. Therefore, the answer is yes.",
        "inconsistent",
        "right",
        "3b",
    ),
    (
        _ONE_STEP + "If it snows, then John is bored. It is snowing. John is bored if and only if John is sad.",
        "John is bored. If John were bored, then John is sad. If John were sad, then John is bored.",
        "entailed",
        "right",
        "2b",
    ),
    (
        _ONE_STEP
        + "Name the inference rule being used: If it snows, then John drives a car. John is not driving a car.",
        "It is not snowing can be inferred via the modus tollens rule.",
        "entailed",
        "right",
        "2b",
    ),
    (
        _ONE_STEP + "It is overcast. If is not true that it is overcast if and only if Thomas is a nurse.",
        "Thomas is a nurse.",
        "entailed",
        "wrong",
        "2b",
    ),
    (
        _ONE_STEP + "It will be cold. It is not cold.",
        "Since the premises are contradictory, we can infer anything from them.",
        "inconsistent",
        "right",
        "2b",
    ),
]
LOGICINFERENCE_UNREADABLE = [
    (
        "Consider the following premises. It is raining or it is late and it is cold. Can we infer the following from them? "
        "It is cold.",
        "Yes.",
        "English",
    ),
    (
        "What can be inferred from the following premises in a single inference step (ignoring inferences that add new "
        "predicates or constants)? p. q -> r.",
        "Nothing can be inferred from these premises.",
        "no consequence",
    ),
    (
        "What can be inferred from the following premises in a single inference step (ignoring inferences that add new "
        "predicates or constants)? Mary is sad. If Mary were sad, then it is late and it is cold.",
        "It is late.",
        "English",
    ),
    ("Consider the following premises. p. q. Can we infer r from them? ", "Perhaps.", "neither yes nor no"),
    ("Consider the following premises. P(x). q. Can we infer r from them? ", "Yes.", "cannot be read"),
    ("Translate the following inference to logic notation: A. Therefore B.", "p.", "without a conclusion"),
]

PRONTOQA = {
    "example1": {
        "in_context_example0": {
            "question": "Every wumpus is a yumpus. Yumpuses are not bright. Each yumpus is a numpus. Max is a wumpus.",
            "query": "True or false: Max is bright.",
            "chain_of_thought": ["Max is a wumpus."],
            "answer": "False",
        },
        "test_example": {
            "question": "Zumpuses are large. Every impus is a zumpus. No tumpus is large. Rex is an impus.",
            "query": "True or false: Rex is not a tumpus.",
            "chain_of_thought": [],
            "answer": "True",
        },
    },
    "example2": {
        "test_example": {
            "question": "Everything that is a lempus, a jelgit, and shy is a boompus. Sally is a lempus. Sally is a jelgit. "
            "Sally is shy.",
            "query": "Prove: Sally is a boompus.",
            "chain_of_thought": [],
        }
    },
    "example3": {
        "test_example": {  # wrong: the rule points the other way
            "question": "Each cat is a carnivore. Fae is a carnivore.",
            "query": "True or false: Fae is a cat.",
            "answer": "True",
        }
    },
}
PRONTOQA_PASSED_ON = {
    "id": "ProntoQA_7",
    "context": "Jompuses are nervous. Every wooden rompus is not a jompus. Wren is a jompus.",
    "question": "Is the following statement true or false? Wren is not nervous.",
    "options": ["A) True", "B) False"],
    "answer": "B",
}

_PROPOSITIONAL = "Here is the question:\nGiven:\n{}What can we conclude from the above statements?"
_SYLLOGISM = "Consider these statements:\n1. {}\n2. {}\n\nDoes it logically follow that:\n{}?\n(Answer Yes or No)"
_ISLAND = (
    "A very special island is inhabited only by sages and fools. Sages always tell the truth, and fools always lie. "
    'You meet {}. {} So who is a sage and who is a fool? (Format your answer like: "...")'
)
REASONING_GYM = [
    # question, answer, example answer, says, outcome
    (_PROPOSITIONAL.format("1. (P → ¬Q)\n.2. P\n."), None, "¬Q", "entailed", "right"),
    (_PROPOSITIONAL.format("1. (P ∨ (Q ↔ R))\n.2. ¬P\n."), None, "(Q ∧ R)", "entailed", "wrong"),
    (_PROPOSITIONAL.format("1. (P ∧ Q)\n.2. ¬Q\n."), None, "P", "entailed", "inconsistent premises"),
    (
        _SYLLOGISM.format("All bees are ants", "All ants are cats", "All bees are cats"),
        "Yes",
        None,
        "entailed",
        "right",
    ),
    (
        _SYLLOGISM.format("All bees are ants", "Some ants are not cats", "Some bees are not cats"),
        "Yes",
        None,
        "entailed",
        "wrong",
    ),
    (
        _SYLLOGISM.format("All bees are ants", "No ants are fish", "Some bees are not fish"),
        "Yes",
        None,
        "entailed",
        "only with assumption",
    ),
    (
        _SYLLOGISM.format("All bees are ants", "No ants are fish", "Some bees are not fish"),
        "No",
        None,
        "not entailed",
        "only without assumption",
    ),
    (
        _SYLLOGISM.format("Some bees are ants", "No ants are fish", "No bees are fish"),
        "No",
        None,
        "not entailed",
        "right",
    ),
    (
        _ISLAND.format(
            "2 inhabitants: Ava, and Noah",
            'Ava said that Noah is a fool. As Noah put it, "if Noah is a sage then Ava is a fool".',
        ),
        "Ava is a fool, and Noah is a sage.",
        None,
        "entailed",
        "right",
    ),
    (
        _ISLAND.format(
            "3 inhabitants: Mia, Jack, and Ella",
            'In Mia\'s words: "it is not the case that (Jack is a sage and Ella is a sage)". "Mia is a fool or Ella is a fool,"'
            ' Jack claimed. Ella said, "Jack is a sage and (Mia is a fool or Jack is a sage)."',
        ),
        "Mia is a fool, Jack is a fool, and Ella is a sage.",
        None,
        "entailed",
        "wrong",
    ),
]
REASONING_GYM_UNREADABLE = [
    (_PROPOSITIONAL.format("1. (P → )\n."), None, "Q", "formula"),
    (_PROPOSITIONAL.format("1. P\n."), None, None, "no answer"),
    (_SYLLOGISM.format("All bees are ants", "Few ants are cats", "All bees are cats"), "Yes", None, "another form"),
    (
        _SYLLOGISM.format("All bees are ants", "All ants are cats", "All bees are cats"),
        "Maybe",
        None,
        "neither yes nor no",
    ),
    (
        _ISLAND.format("2 inhabitants: Ava, and Noah", "Ava shrugged."),
        "Ava is a fool, and Noah is a sage.",
        None,
        "another form",
    ),
]
