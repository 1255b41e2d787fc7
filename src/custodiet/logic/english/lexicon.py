"""Words and the phrases made of them: what a symbol sounds like in each place of a sentence.

An `Entry` is what one symbol of a signature stands for. Its `words` (strings, kept in files) decide its `forms`: the
phrases that templates pick by number, and its `lexemes`: the same phrases with the kind that the reader sees them as.
Two places may take the same phrase; two kinds never share one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from custodiet.errors import InputError

__all__ = ["Entry", "article", "entry_of", "plural"]

# Numbers of the forms, as the templates use them.
SAID, DENIED = 0, 1  # propositions: sentences; predicates: what is said of the first argument, and its negation
NOUN, NOUN_WHO, A_NOUN, A_NOUN_WHO, NOUNS, ARE, ARE_NOT = 2, 3, 4, 5, 6, 7, 8  # predicates of one argument
BY, NOT_BY = 2, 3  # of two: said of the second argument ("is liked by")
TO = 2  # of three: before the third argument
# Sorts.
KIND, KIND_WHO, A_KIND, A_KIND_WHO, KINDS = 0, 1, 2, 3, 4
EVERY, EVERY_WHO, EVERY_ONE, EACH = 5, 6, 7, 8  # "everyone", "everyone who", "every person", "each person"
SOME, SOME_WHO, NONE, NONE_WHO, ANY_WHO = 9, 10, 11, 12, 13
ONE, IT, SAME, NOT_SAME = 14, 15, 16, 17  # "if someone ..., then that person", "is the same person as"

_SOUNDED_H = ("hour", "honest", "honor", "heir")
_SOUNDED_YOU_OR_W = ("uni", "use", "usu", "uti", "eu", "one", "once", "ubi", "ura")


def article(phrase: str) -> str:
    """The phrase with "a" or "an" before it, by its first sound."""
    if phrase[0] in "bcdfgjklmnpqrstvwxyz":
        return f"a {phrase}"
    low = phrase.lower()
    vowel = (low[0] in "aeiou" and not low.startswith(_SOUNDED_YOU_OR_W)) or low.startswith(_SOUNDED_H)
    vowel = vowel or low.startswith(("unin", "unim"))
    return f"{'an' if vowel else 'a'} {phrase}"


_IRREGULAR = {
    "person": "people", "man": "men", "woman": "women", "child": "children", "wolf": "wolves", "knife": "knives",
    "leaf": "leaves", "mouse": "mice", "goose": "geese", "tooth": "teeth", "foot": "feet", "loaf": "loaves",
    "shelf": "shelves", "thief": "thieves", "potato": "potatoes", "tomato": "tomatoes", "volcano": "volcanoes", "torpedo": "torpedoes",
    "hero": "heroes", "echo": "echoes", "calf": "calves", "ox": "oxen",
}  # fmt: skip


def plural(noun: str) -> str:
    """The plural of an English or invented noun; of a phrase, the plural of its last word."""
    head, _, last = noun.rpartition(" ")
    if last in _IRREGULAR:
        last = _IRREGULAR[last]
    elif last.endswith(("s", "x", "z", "ch", "sh")):
        last += "es"
    elif last.endswith("y") and last[-2:-1] not in "aeiou":
        last = last[:-1] + "ies"
    elif last.endswith("man"):
        last = last[:-3] + "men"
    else:
        last += "s"
    return f"{head} {last}" if head else last


class Entry(NamedTuple):
    """What one symbol stands for.

    Args:
        category: proposition, noun, adjective, verb, relation, ternary, name or sort.
        words: the words that decide everything else; with the category they are what files keep.
        forms: phrases by the number of the place in which they stand.
    """

    category: str
    words: tuple[str, ...]
    forms: tuple[str, ...]

    @staticmethod
    def noun(noun: str, nouns: str, kind: str) -> Entry:
        """`entry_of("noun", ...)` for words of which there are more than are worth keeping."""
        return Entry("noun", (noun, nouns, kind), _noun(noun, nouns, kind))

    def gloss(self) -> str:
        """The phrase that stands for the symbol in a glossary."""
        return f"{self.forms[SAID]} ... {self.forms[TO]}" if self.category == "ternary" else self.forms[SAID]

    def lexemes(self) -> Iterator[tuple[str, str]]:
        """The phrases with the kinds that the reader sees them as."""
        if self.category == "sort":
            yield from _sort_lexemes(self.words[0])
        for form, kind in _LEXEMES.get(self.category, ()):
            yield self.forms[form], kind


_UNARY = ("V+", "V-", "N", "Nr", "aN", "aNr", "Ns", "Vs+", "Vs-")
_LEXEMES = {
    "proposition": ((SAID, "S+"), (DENIED, "S-")),
    "noun": tuple(enumerate(_UNARY)),
    "adjective": tuple(enumerate(_UNARY)),
    # "person who plays chess" is read as a sort with a relative clause, so it is no lexeme of its own
    "verb": ((SAID, "V+"), (DENIED, "V-"), (NOUNS, "Ns"), (ARE, "Vs+"), (ARE_NOT, "Vs-")),
    "relation": ((SAID, "R+"), (DENIED, "R-"), (BY, "Q+"), (NOT_BY, "Q-")),
    "ternary": ((SAID, "T+"), (DENIED, "T-"), (TO, "t")),
    "name": ((SAID, "c"),),
}


def _who(kind: str) -> str:
    return "who" if kind == "person" else "that"


def _noun(noun: str, nouns: str, kind: str) -> tuple[str, ...]:
    a, who = article(noun), _who(kind)
    return (
        f"is {a}", f"is not {a}", noun, f"{noun} {who}", a, f"{a} {who}", nouns, f"are {nouns}", f"are not {nouns}",
    )  # fmt: skip


def _adjective(word: str, kind: str) -> tuple[str, ...]:
    noun, nouns, who = f"{word} {kind}", f"{word} {plural(kind)}", _who(kind)
    a = article(noun)
    return (
        f"is {word}", f"is not {word}", noun, f"{noun} {who}", a, f"{a} {who}", nouns, f"are {word}", f"are not {word}",
    )  # fmt: skip


def _verb(base: str, third: str, kind: str) -> tuple[str, ...]:
    noun, nouns = f"{kind} {_who(kind)} {third}", f"{plural(kind)} {_who(kind)} {base}"
    a = article(noun)
    return (third, f"does not {base}", noun, f"{noun} and", a, f"{a} and", nouns, base, f"do not {base}")


def _given(*phrases: str) -> tuple[str, ...]:
    return phrases


_PRONOUNS = {
    "person": ("everyone", "someone", "no one", "anyone", "that person"),
    "thing": ("everything", "something", "nothing", "anything", "it"),
}


def _pronouns(kind: str) -> tuple[str, str, str, str, str]:
    return _PRONOUNS.get(kind) or (f"every {kind}", f"some {kind}", f"no {kind}", f"any {kind}", f"that {kind}")


def _sort(kind: str) -> tuple[str, ...]:
    who, a = _who(kind), article(kind)
    every, some, none, anything, it = _pronouns(kind)
    return (
        kind, f"{kind} {who}", a, f"{a} {who}", plural(kind), every, f"{every} {who}", f"every {kind}", f"each {kind}",
        some, f"{some} {who}", none, f"{none} {who}", f"{anything} {who}", some if kind in _PRONOUNS else a, it,
        f"is the same {kind} as", f"is not the same {kind} as",
    )  # fmt: skip


def _sort_lexemes(kind: str) -> Iterator[tuple[str, str]]:
    who = _who(kind)
    every, some, none, anything, it = _pronouns(kind)
    yield from ((it, "it"), (plural(kind), "kinds"))
    yield from ((f"is the same {kind} as", "same"), (f"is not the same {kind} as", "not same"))
    for phrase, name in (
        (kind, "kind"), (article(kind), "a kind"), (every, "every kind"), (f"every {kind}", "every kind"),
        (f"each {kind}", "every kind"), (some, "some kind"), (f"some {kind}", "some kind"), (none, "no kind"),
        (f"no {kind}", "no kind"), (anything, ""), (f"any {kind}", ""),
    ):  # fmt: skip
        yield f"{phrase} {who}", f"{name or 'any kind'} who"
        if name:
            yield phrase, name


_MAKERS: dict[str, tuple[Callable[..., tuple[str, ...]], int]] = {
    "proposition": (_given, 2), "noun": (_noun, 3), "adjective": (_adjective, 2), "verb": (_verb, 3),
    "relation": (_given, 4), "ternary": (_given, 3), "name": (_given, 1), "sort": (_sort, 1),
}  # fmt: skip


@lru_cache(maxsize=1 << 14)
def entry_of(category: str, *words: str) -> Entry:
    """The entry that a category and its words decide.

    Args:
        category: `proposition` (sentence, its negation); `noun` (singular, plural, noun of the sort); `adjective`
            (word, noun of the sort); `verb` (base form, third person, noun of the sort); `relation` (said of the first
            argument, its negation, said of the second one, its negation); `ternary` (before the second argument,
            its negation, before the third); `name` (name); `sort` (noun).
        words: as many as the category takes.

    Raises:
        InputError: an unknown category or a wrong number of words.
    """
    if category not in _MAKERS:
        raise InputError("a word of an unknown category", expected=", ".join(_MAKERS), got=repr(category))
    maker, count = _MAKERS[category]
    if len(words) != count or not all(words):
        raise InputError(f"wrong number of words for the category {category}", expected=count, got=len(words))
    return Entry(category, words, maker(*words))
