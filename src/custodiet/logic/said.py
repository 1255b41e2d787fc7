"""The answer in a text: the word that the last line which gives one gives.

`custodiet logic export` copies this file into the tasks that it writes, so that a label is read the same way where
custodiet is not installed: it imports nothing of ours.
"""

import re
from collections.abc import Collection, Sequence

__all__ = ["CUES", "MARKS", "MAX_LINE", "MODEL", "STEP", "last_word", "said_word"]

MAX_LINE = 10_000
"""characters; a longer line gives no answer"""
MARKS = " \t*_`\"'“”.!\\#>-()"
CUES = ("answer", "label", "verdict", "conclusion")
STEP = re.compile(r"[ >*\-#]*(?:step )?([0-9]{1,6})[.)]\** (.*)\Z", re.IGNORECASE)
"""a numbered line, its blanks single"""
MODEL = re.compile(
    r"[ >*\-#]*(?:counter-?model|model|situation|assignment) ?[0-9A-Za-z]?\** ?:\** ?(.*)\Z", re.IGNORECASE
)
"""a line that describes a counter-model, its blanks single"""
_ANSWER = re.compile(r"[\W_]{0,20}(?:final )?answer\W{0,10}:", re.IGNORECASE)


def last_word(text: str, words: Collection[str]) -> str | None:
    """The answer that a text gives.

    Args:
        text: numbered lines and counter-models in it give no answer.
        words: what can be answered, in lower case.

    Returns:
        The word of the last line that gives one; None if there is none, or if a later line begins with `Answer:` and says
        something else, such as two of them.
    """
    said = None
    for given in text.splitlines():
        line = " ".join(given.split()) if len(given) <= MAX_LINE else ""
        if line and not STEP.match(line) and not MODEL.match(line):
            found = said_word(line, words)
            said = found if found is not None else None if _ANSWER.match(line) else said
    return said


def said_word(line: str, words: Collection[str], cues: Sequence[str] = CUES, *, fold: bool = True) -> str | None:
    """The word that a line gives as its answer, in time that grows with the line's length only.

    Args:
        line: such as `**Answer:** it follows.`, or the word alone.
        words: what can be said; in lower case where `fold`.
        cues: what stands before the word if anything does, maybe with "is" between; their case is no matter.
        fold: whether the case of the words is no matter either.
    """
    line = line.strip(MARKS)
    line = line.lower() if fold else line
    for word in sorted(words, key=len, reverse=True):
        if line == word:
            return word
        if line.endswith(word) and not _is_wordly(line[-len(word) - 1]):
            head = _without_marks(line[: -len(word)]).lower()
            for before in (head, _without_marks(head[:-2]) if head.endswith("is") else ""):
                cue = next((one for one in cues if before.endswith(one)), None)
                if cue is not None and not _is_wordly(before[: -len(cue)][-1:]):
                    return word
    return None


def _without_marks(text: str) -> str:
    end = len(text)
    while end and not _is_wordly(text[end - 1]):
        end -= 1
    return text[:end]


def _is_wordly(letter: str) -> bool:
    return letter.isalnum() or letter == "_"
