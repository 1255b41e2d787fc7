"""Numbers that a problem has without being understood: counts, overlaps, positions, lengths.

Each function maps a `View` to a list of numbers whose length is the same for every problem.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from custodiet.logic.shortcuts.columns import Problem
from custodiet.logic.shortcuts.tokens import CATEGORIES, Token, is_notation, split_sentences, tokenize

__all__ = [
    "FORMS", "Sentence", "View", "length_features", "look_at", "overlap_features", "position_features",
    "structural_features",
]  # fmt: skip

FORMS = ("literal", "not", "and", "or", "if", "iff", "all", "none", "some")
TRACKED = 3
"""symbols of the hypothesis that overlap and position look at one by one"""
_SIDES = {"all", "if", "iff", "none"}


@dataclass(slots=True)
class Sentence:
    """One premise or the hypothesis."""

    tokens: list[Token]
    num_characters: int
    counts: list[int]
    """tokens of each of `CATEGORIES`"""
    form: str
    """one of `FORMS`"""
    occurrences: list[tuple[str, bool, int]] = field(default_factory=list)
    """symbols in order: text, whether a negation stands before it, side (-1 antecedent, 1 consequent, 0 neither)"""


@dataclass(slots=True)
class View:
    """A problem, taken apart."""

    notation: bool
    prompt: list[Token]
    num_prompt_characters: int
    premises: list[Sentence]
    hypothesis: Sentence | None
    split_from_prompt: bool
    """whether `premises` are the sentences of the prompt, because nothing better is known"""


def look_at(problem: Problem) -> View:
    """Take a problem apart; where it has no premises of its own, the sentences of its prompt stand for them."""
    own = problem.premises is not None
    texts = problem.premises if problem.premises is not None else tuple(split_sentences(problem.prompt or ""))
    shown = [*texts, *([problem.hypothesis] if problem.hypothesis else [])]
    notation = is_notation(shown)
    prompt = problem.prompt if problem.prompt is not None else "\n".join(shown)
    return View(
        notation=notation,
        prompt=tokenize(prompt, notation=notation),
        num_prompt_characters=len(prompt),
        premises=[_sentence(one, notation) for one in texts],
        hypothesis=_sentence(problem.hypothesis, notation) if problem.hypothesis else None,
        split_from_prompt=not own,
    )


def _sentence(text: str, notation: bool) -> Sentence:
    tokens = tokenize(text, notation=notation)
    found = [one.category for one in tokens]
    counts = [found.count(name) for name in CATEGORIES]
    sentence = Sentence(tokens, len(text), counts, _form(dict(zip(CATEGORIES, counts, strict=True))))
    sentence.occurrences = _occurrences(tokens, sentence.form)
    return sentence


def _form(has: dict[str, int]) -> str:
    if has["iff"]:
        return "iff"
    for form in ("all", "none", "some"):
        if has[form]:
            return form
    if has["if"] or has["unless"] or (has["only"] and not has["be"]):
        return "if"
    for form in ("or", "and", "not"):
        if has[form]:
            return form
    return "literal"


def _occurrences(tokens: list[Token], form: str) -> list[tuple[str, bool, int]]:
    """The symbols with their polarity and side; a negation reaches to the next symbol."""
    turn, swapped = _turn(tokens) if form in _SIDES else (None, False)
    found: list[tuple[str, bool, int]] = []
    negated = form == "none"
    for place, token in enumerate(tokens):
        if token.category == "not":
            negated = not negated
        elif token.category == "symbol":
            side = 0 if turn is None else (1 if place > turn else -1)
            found.append((token.text, negated, -side if swapped else side))
            negated = False
    return found


def _turn(tokens: list[Token]) -> tuple[int | None, bool]:
    """Where the antecedent ends, and whether it stands second ("A, if B")."""
    names = [one.category for one in tokens]
    texts = [one.text for one in tokens]
    for sign in ("<->", "->", "then"):
        if sign in texts:
            return texts.index(sign), False
    if "if" in names:
        at = names.index("if")
        before = any(one == "symbol" for one in names[:at])
        if before:
            return at, not (at > 0 and names[at - 1] == "only")
        return (names.index("comma", at), False) if "comma" in names[at:] else (None, False)
    if "unless" in names:
        return names.index("unless"), True
    for name in ("iff", "be"):
        if name in names:
            return names.index(name), False
    symbols = [place for place, one in enumerate(names) if one == "symbol"]
    return (symbols[0], False) if len(symbols) > 1 else (None, False)


def structural_features(view: View) -> list[float]:
    """Counts of connectives, quantifiers, negations, forms and lengths; form of the hypothesis; parities."""
    premises, goal = view.premises, view.hypothesis
    total = [sum(column) for column in zip(*[one.counts for one in premises], strict=True)] or [0] * len(CATEGORIES)
    own = goal.counts if goal else [0] * len(CATEGORIES)
    forms = [one.form for one in premises]
    negative = [one.form for one in premises if one.counts[0]]
    sizes = [len(one.tokens) for one in premises] or [0]
    symbols = [name for one in premises for name, _, _ in one.occurrences]
    goal_symbols = [name for name, _, _ in goal.occurrences] if goal else []
    consequents = [no for one in premises for _, no, side in one.occurrences if side == 1]
    antecedents = [no for one in premises for _, no, side in one.occurrences if side == -1]
    return [
        *total,
        *own,
        *[forms.count(one) for one in FORMS],
        *[negative.count(one) for one in FORMS],
        *[float(goal is not None and goal.form == one) for one in FORMS],
        len(premises),
        sum(sizes),
        max(sizes),
        min(sizes),
        len(goal.tokens) if goal else 0,
        len(symbols),
        len(set(symbols)),
        len(goal_symbols),
        len(set(goal_symbols)),
        max((symbols.count(one) for one in set(symbols)), default=0),
        sum(symbols.count(one) == 1 for one in set(symbols)),
        total[0] % 2,
        own[0] % 2,
        (total[0] + own[0]) % 2,
        sum(consequents),
        sum(antecedents),
        len(consequents),
        len(antecedents),
    ]


def overlap_features(view: View) -> list[float]:
    """How the symbols of the hypothesis occur in the premises: how often, on which side, how often negated, alone."""
    goal, premises = view.hypothesis, view.premises
    if goal is None:
        return [0.0] * (10 * TRACKED + 12)
    names = list(dict.fromkeys(name for name, _, _ in goal.occurrences))
    sign = {name: no for name, no, _ in reversed(goal.occurrences)}
    found: list[float] = []
    for index in range(TRACKED):
        if index >= len(names):
            found += [-1.0] * 10
            continue
        name = names[index]
        hits = [(one, no, side) for one in premises for text, no, side in one.occurrences if text == name]
        sides = [side for _, _, side in hits]
        alone = [no for one, no, _ in hits if one.form in ("literal", "not")]
        found += [
            float(sign[name]),
            len(hits),
            len({id(one) for one, _, _ in hits}),
            sides.count(-1),
            sides.count(1),
            sum(no for _, no, _ in hits),
            sum(no == sign[name] for _, no, side in hits if side == 1),
            sum(no == sign[name] for _, no, side in hits if side == -1),
            sum(no == sign[name] for no in alone),
            sum(no != sign[name] for no in alone),
        ]
    mine = {name for name, _, _ in goal.occurrences}
    sets = [{name for name, _, _ in one.occurrences} for one in premises]
    shared = [len(mine & one) for one in sets]
    text = [one.text for one in goal.tokens if one.category != "not"]
    same = [one for one in premises if [two.text for two in one.tokens if two.category != "not"] == text]
    return [
        *found,
        len(mine),
        sum(any(name in one for one in sets) for name in mine),
        sum(not any(name in one for one in sets) for name in mine),
        sum(one > 0 for one in shared),
        max(shared, default=0),
        sum(shared),
        max((len(mine & one) / len(mine | one) for one in sets if mine | one), default=0.0),
        sum(one.counts[0] == goal.counts[0] for one in same),
        sum(one.counts[0] != goal.counts[0] for one in same),
        sum(one == len(mine) for one in shared),
        goal.counts[0],
        sum(len(one.occurrences) for one in premises) / max(1, len(set().union(*sets) if sets else ())),
    ]


def position_features(view: View) -> list[float]:
    """Where in the list of premises the symbols of the hypothesis stand, and where the premises of each form."""
    premises, goal = view.premises, view.hypothesis
    num = len(premises)
    sets = [{name for name, _, _ in one.occurrences} for one in premises]
    names = list(dict.fromkeys(name for name, _, _ in goal.occurrences)) if goal else []
    shared = [len(set(names) & one) for one in sets]

    def places(chosen: Sequence[int]) -> list[float]:
        """First from the start, last from the end, relative first."""
        return [chosen[0], num - 1 - chosen[-1], chosen[0] / num] if chosen else [-1.0, -1.0, -1.0]

    top = max(shared, default=0)
    found = [
        *places([at for at, one in enumerate(shared) if one]),
        *places([at for at, one in enumerate(shared) if one == top and top]),
        *places([at for at, one in enumerate(premises) if one.counts[0]]),
        float(num),
    ]
    for index in range(TRACKED):
        found += places([at for at, one in enumerate(sets) if index < len(names) and names[index] in one])
    for form in FORMS:
        chosen = [at for at, one in enumerate(premises) if one.form == form]
        found += [chosen[0] if chosen else -1.0, num - 1 - chosen[-1] if chosen else -1.0]
    sizes = [len(one.tokens) for one in premises]
    found += [sizes.index(max(sizes)), sizes.index(min(sizes))] if sizes else [-1.0, -1.0]
    order = [min((at for at, one in enumerate(sets) if name in one), default=-1) for name in names[:TRACKED]]
    found.append(float(order == sorted(order)))
    return found


def length_features(view: View) -> list[float]:
    """Characters, words and sentences, and how they are spread."""
    sizes = [len(one.tokens) for one in view.premises] or [0]
    characters = [one.num_characters for one in view.premises] or [0]
    mean = sum(sizes) / len(sizes)
    goal = view.hypothesis
    return [
        view.num_prompt_characters,
        len(view.prompt),
        len(view.premises),
        sum(characters),
        sum(sizes),
        mean,
        max(sizes),
        min(sizes),
        sum((one - mean) ** 2 for one in sizes) / len(sizes),
        goal.num_characters if goal else 0,
        len(goal.tokens) if goal else 0,
        sizes[0],
        sizes[-1],
        sum(characters) / max(1, sum(sizes)),
    ]
