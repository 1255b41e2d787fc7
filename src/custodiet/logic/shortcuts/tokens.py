"""Words and signs of a problem, in English or in notation, and what an attacker that cannot reason may know of each.

A token is a *function word* (connectives, quantifiers, negations, articles, ...; in notation the signs), a *variable*, or
a *symbol*: a content word, a name or a predicate. Symbols are compared without their endings, so that "wumpuses" and
"wumpus" are one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

__all__ = ["CATEGORIES", "Token", "is_notation", "split_sentences", "tokenize"]

_TOKEN = re.compile(r"<->|<=>|->|=>|!=|[~&|()=:,.?!;¬∧∨→↔⇒⇔∀∃⊥≠]|[^\W\d]\w*(?:['’][^\W\d]+)?|\d+")
_SIGNS = {
    "¬": "~", "∧": "&", "∨": "|", "→": "->", "⇒": "->", "=>": "->", "↔": "<->", "⇔": "<->", "<=>": "<->",
    "∀": "forall", "∃": "exists", "⊥": "false", "≠": "!=",
}  # fmt: skip
_NOTATION = re.compile(r"<->|<=>|->|=>|[~&|¬∧∨→↔⇒⇔∀∃]|\b(?:forall|exists)\b|\b[A-Za-z]\w*\([a-z]\w*(?:, ?[a-z]\w*)*\)")
_VARIABLE = re.compile(r"[u-z](?:_?\d+)?\Z")
_SENTENCE = re.compile(r"(?<=[.?!;])\s+|\s*\n+\s*")
_NUMBERED = re.compile(r"(?:\(?\d+[.):]|[-*•])\s+")

CATEGORIES = ("not", "and", "or", "if", "then", "iff", "only", "unless", "all", "some", "none", "equal", "be", "comma")
_CATEGORY = {
    word: name
    for name, words in {
        "not": "~ != not never cannot isn't aren't doesn't don't didn't won't can't wasn't weren't false untrue neither nor "
        "without fails fail impossible hardly",
        "and": "& and both but",
        "or": "| or either",
        "if": "-> if whenever provided implies imply when assuming suppose",
        "then": "then",
        "iff": "<-> iff exactly equivalent precisely",
        "only": "only",
        "unless": "unless",
        "all": "forall all every each any everything everyone everybody anything anyone anybody always whatever whoever",
        "some": "exists some something someone somebody there least one sometimes",
        "none": "no nothing noone nobody none",
        "equal": "= same identical equals",
        "be": "is are was were be been being",
        "comma": ",",
    }.items()
    for word in words.split()
}
_OTHER = """
a an the this that these those it its he him his she her hers they them their we us our you your i my who whom
whose which what where how why do does did done has have had having will would shall should can could may might
must of in on at by for from to with as into onto over under between about after before during than so such
because since although though while also too very just let's let case true fact follow follows following therefore
hence thus infer inferred conclude concluded conclusion premise premises given statement statements thing things
others other another yes uncertain unknown know known holds hold possible necessarily else otherwise
"""
_OTHER_FUNCTION_WORDS = frozenset(_OTHER.split())
_KEYWORDS = frozenset({"forall", "exists", "false", "true", "not", "and", "or", "in"})


class Token(NamedTuple):
    """A token as attackers see it."""

    text: str
    """the word or sign; a symbol without its ending"""
    category: str
    """one of `CATEGORIES`, or "symbol", "variable", "other" """


def is_notation(texts: Sequence[str]) -> bool:
    """Whether a problem is written in formulas: one of its texts holds a sign of logic or a predicate with arguments."""
    return any(_NOTATION.search(one) for one in texts)


def split_sentences(text: str) -> list[str]:
    """The sentences or numbered lines of a paragraph, numbers and bullets left out."""
    parts = [_NUMBERED.sub("", one, count=1) if _NUMBERED.match(one) else one for one in _SENTENCE.split(text.strip())]
    return [one for one in parts if re.search(r"\w", one) and not re.fullmatch(r"\(?\d+[.):]?", one)]


def tokenize(text: str, *, notation: bool) -> list[Token]:
    """The tokens of a text.

    Args:
        text: English or formulas.
        notation: whether the problem is written in formulas; then names keep their case and single letters are symbols.
    """
    kind = _in_notation if notation else _in_english
    return [kind(one) for one in _TOKEN.findall(text)]


@lru_cache(maxsize=1 << 16)
def _in_notation(raw: str) -> Token:
    token = _SIGNS.get(raw, raw)
    if not (token[0].isalpha() or token[0] == "_") or token in _KEYWORDS:
        return Token(token, _CATEGORY.get(token, "other"))
    if _VARIABLE.match(token):
        return Token("var", "variable")
    low = token.lower()
    if len(token) > 1 and (low in _CATEGORY or low in _OTHER_FUNCTION_WORDS):  # words around the formulas
        return Token(low, _CATEGORY.get(low, "other"))
    return Token(token, "symbol")


@lru_cache(maxsize=1 << 16)
def _in_english(raw: str) -> Token:
    low = _SIGNS.get(raw, raw).lower().replace("’", "'")
    if low in _CATEGORY:
        return Token(low, _CATEGORY[low])
    if low.endswith("n't"):
        return Token(low, "not")
    if low in _OTHER_FUNCTION_WORDS or not low[0].isalpha():
        return Token(low, "other")
    return Token(_stem(low), "symbol")


def _stem(word: str) -> str:
    """Without the ending of a plural, of a third person, or of a genitive."""
    word = word.removesuffix("'s").removesuffix("'")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "shes", "ches", "xes", "zes", "uses")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word
