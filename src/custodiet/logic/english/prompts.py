"""The words around a problem: the question, what its labels are called, and what a reader must be told to have the same
logic in mind. Each piece has a few fixed wordings, all of the same meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from custodiet.errors import UsageError

__all__ = [
    "ASKED",
    "CLOSED_WORLD",
    "LABELS",
    "NOTES",
    "Question",
    "entailment_prompt",
    "note",
    "numbered",
    "reading_notes",
]

LABELS = ("entailed", "contradicted", "unknown")

NOTES: dict[str, tuple[str, ...]] = {
    "inclusive or": (
        'The word "or" leaves room for both.',
        'Wherever "or" is used, both sides may be true.',
        '"A or B" means that at least one of the two is true, and maybe both.',
    ),
    "existential import": (
        "Every kind that is mentioned has at least one member.",
        "There is at least one individual of each kind that is mentioned.",
        "Take it that none of the kinds that are mentioned is empty.",
    ),
    "no existential import": (
        "A kind that is mentioned may have no members.",
        "It is not given that there is an individual of each kind that is mentioned.",
        "Do not take it for granted that the kinds that are mentioned have members.",
    ),
    "closed world": (
        "What does not follow from the facts and rules is false. Different names stand for different individuals.",
        "Everything that is true follows from the facts and rules; all else is false. No individual has two names.",
        "If something cannot be derived from the facts and rules, it is false. Two names never stand for one individual.",
    ),
    "names may coincide": (
        "Two names may stand for one individual.",
        "Different names do not have to stand for different individuals.",
        "One individual may have several names.",
    ),
    "only the premises": (
        "Use only what is stated, not what you know of the world.",
        "Rely on the statements alone; what is true elsewhere does not count.",
        "Judge by the statements only, whatever the world is like.",
    ),
    "knights and knaves": (
        "Every inhabitant of the island is either a knight or a knave. Knights say only what is true, and knaves say only what is false.",
        "Everyone here is a knight or a knave, and no one is both. What a knight says is true; what a knave says is false.",
        "Each person here is a knight, whose every claim is true, or a knave, whose every claim is false.",
    ),
}
"""What a reader has to be told -> wordings."""

CLOSED_WORLD = ("datalog",)
"""logics in which everything that is not derived is false"""
_WITHOUT_OR = ("syllogistic", "datalog")
_SIGNS = "~ is not, & is and, | is or (maybe both), -> is if ... then, <-> is if and only if."
ASKED = {
    2: "Is the conclusion entailed by the premises or contradicted by them? Answer with one word: entailed or contradicted.",
    3: "Is the conclusion entailed by the premises, contradicted by them, or unknown? "
    "Answer with one word: entailed, contradicted or unknown.",
}
"""number of labels -> the question of the task entailment"""

_HEADINGS = ("Premises:", "Given:", "Suppose that all of this is true:")
_GOALS = ("Statement: {0}", "Claim: {0}", "Consider this statement: {0}")
_QUESTIONS = (
    (
        "Does the statement follow from the premises, does its negation follow, or neither?",
        {"entailed": "it follows", "contradicted": "its negation follows", "unknown": "neither"},
    ),
    (
        "Given what is stated above, is this true, false, or unknown?",
        {"entailed": "true", "contradicted": "false", "unknown": "unknown"},
    ),
    (
        "Is this proved, disproved, or left open by the statements above?",
        {"entailed": "proved", "contradicted": "disproved", "unknown": "left open"},
    ),
)


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt and what its answers are called.

    Args:
        text: the whole prompt.
        words: label -> the words that are asked for, in the order of `LABELS`.
    """

    text: str
    words: dict[str, str]

    @property
    def choices(self) -> list[str]:
        """The words of the answers, in the order of `LABELS`."""
        return list(self.words.values())


def note(about: str, choose: Callable[[int], int]) -> str:
    """One of the wordings of what a reader has to be told.

    Args:
        about: a key of `NOTES`.
        choose: number of options -> index.

    Raises:
        UsageError: there is no such note.
    """
    if about not in NOTES:
        raise UsageError("no such note", expected=", ".join(NOTES), got=repr(about))
    return NOTES[about][choose(len(NOTES[about]))]


def reading_notes(logic: str, *, notation: bool, existential_import: bool, has_names: bool, has_equality: bool) -> str:
    """What a reader must be told to have the same logic in mind.

    Args:
        logic: of the problem.
        notation: whether it is given in formulas, not in English.
        existential_import: whether each kind of a syllogistic problem has a member.
        has_names: whether individuals have names.
        has_equality: whether the premises or the goal speak of identity.
    """
    if notation:
        told = [_SIGNS]
    else:
        told = [NOTES["inclusive or"][2]] if logic not in _WITHOUT_OR else []
        told.append(NOTES["only the premises"][0])
    if logic == "syllogistic":
        told.append(NOTES["existential import" if existential_import else "no existential import"][0])
    elif logic in CLOSED_WORLD:
        told.append(NOTES["closed world"][0])
    elif has_names and (not notation or has_equality):
        told.append(NOTES["names may coincide"][0])
    return " ".join(told)


def numbered(lines: Sequence[str]) -> str:
    """Lines with their numbers from 1, one below the other."""
    return "\n".join([f"{at}. {line}" for at, line in enumerate(lines, start=1)])


def entailment_prompt(
    premises: Sequence[str], goal: str, choose: Callable[[int], int], *, notes: Sequence[str] = ("inclusive or",)
) -> Question:
    """The question whether a goal is entailed, contradicted or neither.

    Args:
        premises: sentences (or formulas), in the order in which they are numbered.
        goal: a sentence or a formula.
        choose: number of options -> index; called for each note, then for the heading, the goal and the question.
        notes: keys of `NOTES`, told before the premises.

    Returns:
        The prompt, and the words by which it asks for each label.
    """
    told = " ".join([note(one, choose) for one in notes])
    heading = _HEADINGS[choose(len(_HEADINGS))]
    claim = _GOALS[choose(len(_GOALS))].format(goal)
    question, words = _QUESTIONS[choose(len(_QUESTIONS))]
    quoted = [f'"{one}"' for one in words.values()]
    asked = f"{question} Answer {quoted[0]}, {quoted[1]}, or {quoted[2]}."
    parts = [f"{heading}\n{numbered(premises)}", claim, asked]
    return Question("\n\n".join([told, *parts] if told else parts), dict(words))
