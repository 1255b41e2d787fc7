"""Vocabularies: what the symbols of a signature stand for, drawn by seed or read from a file.

Three kinds are drawn. `nonce`: invented words, so that nothing is known about them. `neutral`: everyday words, chosen so
that what is true of the world does not bear on a problem. `counterfactual`: everyday categories of which no one can be
another ("every whale is a bird") and propositions that are never true ("snow is black").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from custodiet.errors import InputError, UsageError
from custodiet.logic.english import words
from custodiet.logic.english.lexicon import Entry, entry_of, plural
from custodiet.logic.english.lexing import Lexer, is_grammar, words_of
from custodiet.logic.english.nonce import NUM_SHORT, nonce_word
from custodiet.logic.english.signature import Signature

__all__ = ["KINDS", "Vocabulary", "draw_vocabulary"]

KINDS = ("nonce", "neutral", "counterfactual")
_PEOPLE = ("person",)


class Vocabulary:
    """What the symbols of a signature stand for; all that `render` and `read` need.

    Args:
        kind: nonce, neutral, counterfactual, or a name of your own.
        signature: the symbols.
        entries: symbol -> entry; "@sort" -> entry of the sort's noun.

    Attributes:
        phrases: symbol -> its phrases by the number of the place in which they stand.
    """

    __slots__ = ("_lexer", "entries", "kind", "phrases", "signature")

    def __init__(self, kind: str, signature: Signature, entries: Mapping[str, Entry]) -> None:
        self.kind = kind
        self.signature = signature
        self.entries = dict(entries)
        self.phrases = {symbol: entry.forms for symbol, entry in self.entries.items()}
        self._lexer: Lexer | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(tuple(self.entries.items()))

    @property
    def lexer(self) -> Lexer:
        """Splits sentences into the phrases of this vocabulary; made when it is first needed."""
        if self._lexer is None:
            self._lexer = Lexer(
                (phrase, kind, symbol) for symbol, entry in self.entries.items() for phrase, kind in entry.lexemes()
            )
        return self._lexer

    def glossary(self) -> dict[str, str]:
        """Symbol -> the phrase that says what it stands for ("is a wumpus", "Rex", "likes")."""
        return {symbol: entry.gloss() for symbol, entry in self.entries.items() if symbol[0] != "@"}

    def to_json(self) -> dict[str, Any]:
        """The vocabulary as JSON values; `from_json` gives it back."""
        sorts = {symbol[1:]: entry.words[0] for symbol, entry in self.entries.items() if symbol[0] == "@"}
        symbols = {
            symbol: {
                "category": entry.category,
                "words": list(entry.words),
                "sorts": list(self.signature.predicates[symbol])
                if symbol in self.signature.predicates
                else [self.signature.constants[symbol]],
            }
            for symbol, entry in self.entries.items()
            if symbol[0] != "@"
        }
        return {"kind": self.kind, "sorts": sorts, "symbols": symbols}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Vocabulary:
        """A vocabulary from its JSON values, its own or anyone's.

        Args:
            data: `kind`, `sorts` (sort -> noun) and `symbols` (symbol -> `category`, `words`, `sorts`); see `entry_of`.

        Raises:
            InputError: values of another shape, or phrases with which sentences could be read in two ways.
        """
        try:
            entries = {symbol: entry_of(one["category"], *one["words"]) for symbol, one in data["symbols"].items()}
            entries |= {f"@{sort}": entry_of("sort", noun) for sort, noun in data["sorts"].items()}
            names = {symbol: one["sorts"][0] for symbol, one in data["symbols"].items() if one["category"] == "name"}
            predicates = {symbol: one["sorts"] for symbol, one in data["symbols"].items() if symbol not in names}
            kind = str(data["kind"])
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise InputError(
                "a vocabulary that cannot be used", expected="kind, sorts and symbols", got=repr(error)
            ) from None
        vocabulary = Vocabulary(kind, Signature.make(predicates, names), entries)
        vocabulary.check()
        return vocabulary

    def check(self) -> None:
        """Whether every phrase has one reading.

        Raises:
            InputError: an entry of a category that does not fit its symbol, a sort without a noun, a phrase that two
                symbols share, that is a phrase of the grammar, or with which a phrase of another symbol begins.
        """
        arity_of = {"proposition": 0, "noun": 1, "adjective": 1, "verb": 1, "relation": 2, "ternary": 3}
        for symbol, sorts in self.signature.predicates.items():
            if arity_of.get(self.entries[symbol].category) != len(sorts):
                raise InputError(
                    f"{symbol} has {len(sorts)} arguments", expected="a category of that many",
                    got=self.entries[symbol].category,
                )  # fmt: skip
        missing = [sort for sort in self.signature.sorts if f"@{sort}" not in self.entries]
        if missing:
            raise InputError("a sort without a noun", expected="a noun for each sort", got=repr(missing[0]))
        owner: dict[str, str] = {}
        for symbol, entry in self.entries.items():
            for phrase, kind in entry.lexemes():
                if kind != "t" and owner.setdefault(phrase, symbol) != symbol:
                    raise InputError(f"{phrase!r} stands for two symbols", got=f"{owner[phrase]} and {symbol}")
                if is_grammar(phrase) or phrase != " ".join(words_of(phrase)) or set(phrase) & set(",;:."):
                    raise InputError(
                        f"{phrase!r} cannot stand for {symbol}", expected="words that the grammar has no use for"
                    )
        for phrase, symbol in owner.items():
            parts = phrase.split(" ")
            for size in range(1, len(parts)):
                other = owner.get(" ".join(parts[:size]), symbol)
                if other != symbol and "@" not in (other[0], symbol[0]):
                    raise InputError(
                        f"{phrase!r} ({symbol}) begins with {' '.join(parts[:size])!r} ({other})",
                        expected="phrases none of which begins another",
                    )


# --- drawing -------------------------------------------------------------------------------------------------------


class _Deck:
    """Numbers drawn without being put back, at the cost of those drawn only."""

    __slots__ = ("left", "moved", "name")

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.left = size
        self.moved: dict[int, int] = {}

    def draw(self, choose: Callable[[int], int]) -> int:
        if not self.left:
            raise UsageError(
                f"the vocabulary has no more words: {self.name}", hint="Use the vocabulary nonce, which has no end."
            )
        at = choose(self.left)
        self.left -= 1
        taken = self.moved.get(at, at)
        self.moved[at] = self.moved.get(self.left, self.left)
        return taken


class _Source:
    """Draws the entries of one vocabulary."""

    def __init__(self, kind: str, choose: Callable[[int], int]) -> None:
        self.kind = kind
        self.choose = choose
        self.decks: dict[str, _Deck] = {}
        self.used: dict[str, set[int]] = {}
        self.verbs: set[str] = set()

    def draw(self, name: str, size: int) -> int:
        deck = self.decks.get(name)
        if deck is None:
            deck = self.decks[name] = _Deck(name, size)
        return deck.draw(self.choose)

    def pick(self, name: str, options: tuple) -> Any:
        return options[self.draw(name, len(options))]

    def invented(self, category: str) -> str:
        """An invented word that the vocabulary does not have yet."""
        used = self.used.setdefault(category, set())
        size = NUM_SHORT[category]
        number = self.choose(size)
        while number in used:  # words by the thousand would make this slow, so longer ones join in
            number = number + size if len(used) * 2 > size else self.choose(size)
        used.add(number)
        return nonce_word(category, number)

    def sort(self, sort: str) -> Entry:
        if sort:
            return entry_of("sort", sort.replace("_", " "))
        return entry_of("sort", "person" if self.kind == "neutral" else "thing")

    def name(self, noun: str) -> Entry:
        if self.kind == "nonce":
            return entry_of("name", self.invented("place" if noun == "city" else "name").capitalize())
        lists = {"city": words.CITIES, "book": words.BOOKS}
        return entry_of(
            "name", self.pick(f"names of {noun if noun in lists else 'people'}", lists.get(noun, words.NAMES))
        )

    def proposition(self) -> Entry:
        if self.kind == "nonce":
            subject, predicate = f"the {self.invented('noun')}", self.invented("adjective")
            return Entry("proposition", *2 * ((f"{subject} is {predicate}", f"{subject} is not {predicate}"),))
        if self.kind == "counterfactual":
            half = len(words.ABSURDITIES) // 2  # two for each subject
            subject, predicate = words.ABSURDITIES[2 * self.draw("absurdities", half) + self.choose(2)]
        elif (self.choose(2) or self.is_over("states")) and not self.is_over("who"):
            return self.doing()
        else:
            subject, predicate = self.pick("states", words.STATES)
        return entry_of("proposition", f"{subject} is {predicate}", f"{subject} is not {predicate}")

    def is_over(self, name: str) -> bool:
        """Whether nothing is left to be drawn."""
        return name in self.decks and not self.decks[name].left

    def doing(self) -> Entry:
        profession = self.pick("who", words.PROFESSIONS)
        base, third = words.ACTIVITIES[self.choose(len(words.ACTIVITIES))]
        return entry_of("proposition", f"the {profession} {third}", f"the {profession} does not {base}")

    def unary(self, noun: str) -> Entry:
        if self.kind == "nonce":
            if self.choose(3):
                word = self.invented("noun")
                return Entry.noun(word, f"{word}es" if word[-1] in "sx" else f"{word}s", noun)
            return entry_of("adjective", self.invented("adjective"), noun)
        if self.kind == "counterfactual":
            word = self.pick("categories", words.CATEGORIES)
            return entry_of("noun", word, plural(word), noun)
        if noun in _PEOPLE:
            which = self.choose(3)
            if which == 0:
                word = self.pick("professions", words.PROFESSIONS)
                return entry_of("noun", word, plural(word), noun)
            if which == 1:
                return entry_of("adjective", self.pick("adjectives", words.ADJECTIVES), noun)
            return entry_of("verb", *self.pick("activities", words.ACTIVITIES), noun)
        if self.choose(2):
            return entry_of("adjective", self.pick("qualities", words.QUALITIES), noun)
        word = self.pick("types", words.TYPES)
        return entry_of("noun", word, plural(word), noun)

    def relation(self, subject: str, object_: str) -> Entry:
        if self.kind == "nonce":
            base = self.invented("verb")
            done = f"{base}bed" if base.endswith("b") else f"{base}ped" if base.endswith("p") else f"{base}ed"
        else:
            animate = self.kind == "counterfactual" or (subject in _PEOPLE and object_ in _PEOPLE)
            name = "deeds" if animate else "regards" if subject in _PEOPLE else "links"
            base, done = self.pick(name, {"deeds": words.DEEDS, "regards": words.REGARDS, "links": words.LINKS}[name])
            while base in self.verbs:
                base, done = self.pick(name, words.DEEDS if name == "deeds" else words.REGARDS)
            self.verbs.add(base)
        return entry_of("relation", _third(base), f"does not {base}", f"is {done} by", f"is not {done} by")

    def ternary(self) -> Entry:
        if self.kind == "nonce":
            base, to = self.invented("verb"), ("to", "with", "from")[self.choose(3)]
        else:
            base, to = self.pick("giving", words.GIVING)
        return entry_of("ternary", _third(base), f"does not {base}", to)


def _third(base: str) -> str:
    """The third person of a verb."""
    if base.endswith(("s", "x", "z", "ch", "sh")):
        return f"{base}es"
    return f"{base[:-1]}ies" if base.endswith("y") and base[-2] not in "aeiou" else f"{base}s"


def draw_vocabulary(kind: str, signature: Signature, choose: Callable[[int], int]) -> Vocabulary:
    """Draw what the symbols of a signature stand for.

    Args:
        kind: nonce, neutral or counterfactual.
        signature: the symbols. A sort's name is its noun; the sort "" is "person" in neutral vocabularies, else "thing".
        choose: number of options -> index; all that is random comes from it, in an order that the signature decides.

    Raises:
        UsageError: an unknown kind, or more symbols than the kind has words (200 propositions in neutral ones, 78 in
            counterfactual ones, about 45 predicates of two arguments; nonce vocabularies never lack any).
    """
    if kind not in KINDS:
        raise UsageError("no such vocabulary", expected=", ".join(KINDS), got=repr(kind))
    source = _Source(kind, choose)
    entries = {f"@{sort}": source.sort(sort) for sort in signature.sorts}
    nouns = {sort: entries[f"@{sort}"].words[0] for sort in signature.sorts}
    for symbol, sorts in signature.predicates.items():
        if not sorts:
            entries[symbol] = source.proposition()
        elif len(sorts) == 1:
            entries[symbol] = source.unary(nouns[sorts[0]])
        elif len(sorts) == 2:
            entries[symbol] = source.relation(nouns[sorts[0]], nouns[sorts[1]])
        else:
            entries[symbol] = source.ternary()
    for symbol, sort in signature.constants.items():
        entries[symbol] = source.name(nouns[sort])
    return Vocabulary(kind, signature, entries)
