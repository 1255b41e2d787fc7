"""Problems whose labels are drawn at random, with or without a planted shortcut; nothing in them follows from anything."""

import random

from custodiet.logic.shortcuts.columns import Problem

SYLLABLES = ["bu", "ka", "lo", "mi", "ne", "po", "ru", "sa", "ti", "vo", "we", "zi", "fa", "go", "hu", "je"]
LABELS = ("entailed", "contradicted", "unknown")


def name(rng):
    return "".join(rng.choice(SYLLABLES) for _ in range(3)).capitalize()


def literal(rng, who, *, notation, negative=None):
    no = rng.random() < 0.4 if negative is None else negative
    if notation:
        return f"~{who}" if no else who
    return f"{who} is not glad" if no else f"{who} is glad"


def compound(rng, names, *, notation):
    left, right = (literal(rng, who, notation=notation) for who in rng.sample(names, 2))
    sign = rng.choice(("or", "if", "and"))
    if notation:
        return f"{left} {({'or': '|', 'if': '->', 'and': '&'})[sign]} {right}"
    return (f"If {left}, then {right}" if sign == "if" else f"{left} {sign} {right}") + "."


def make_problems(num, seed, *, plant=None, strength=0.8, notation=False, labels=LABELS):
    """`plant`: negation, count, word, position, order; it agrees with the label with probability `strength`."""
    rng = random.Random(seed)
    found = []
    for _ in range(num):
        label = rng.choice(labels)
        told = label if rng.random() < strength else rng.choice(labels)  # what the shortcut says
        names = [name(rng) for _ in range(7)] if not notation else rng.sample("pqrstabcdefg", 7)
        goal_name, *others = names
        size = 6 if plant != "count" else 5 + labels.index(told) + rng.randint(0, 1)
        premises = [compound(rng, others, notation=notation) for _ in range(size)]
        key = literal(rng, goal_name, notation=notation, negative=False)
        other = literal(rng, others[0], notation=notation)
        sentence = f"{key} -> {other}" if notation else f"If {key}, then {other}."
        if plant == "order":  # all have the same words; the label says on which side the goal stands
            left, right = (key, literal(rng, others[0], notation=notation, negative=False))[
                :: 1 if told == labels[0] else -1
            ]
            sentence = f"{left} -> {right}" if notation else f"If {left}, then {right}."
        place = (0, size // 2, size)[labels.index(told)] if plant == "position" else rng.randint(0, size)
        premises.insert(place, sentence)
        if plant == "word":
            word = "Surely" if told == labels[0] else rng.choice(("Truly", "Mostly", "Nearly"))
            premises.append(word if notation else f"{word} this is all.")
        negative = told == labels[1] if plant == "negation" else rng.random() < 0.5
        hypothesis = literal(rng, goal_name, notation=notation, negative=negative) + ("" if notation else ".")
        prompt = " ".join([*premises, "Does it follow?", hypothesis])
        found.append(Problem(label, prompt, tuple(premises), hypothesis, None))
    return found
