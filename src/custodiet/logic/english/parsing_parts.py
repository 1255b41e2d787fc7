"""The lower half of the grammar: terms, what is said of them, and quantified clauses without spelled variables.

The grammar is written down in `parsing.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from custodiet.logic.english.canonical import canonical_variable

__all__ = [
    "DENYING_KINDS",
    "QUANTIFIED",
    "SAID_KINDS",
    "ParseFailure",
    "PartParser",
    "Term",
    "Tree",
    "is_variable_text",
]

# A tree is like a shape of `templates.py`, with places of lexemes for symbols. A sort is ("kind", place of its noun) or
# ("of", place of a predicate that is said of it).
Tree = tuple
Term = int | str

SAID_KINDS = {
    "V+", "V-", "R+", "R-", "Q+", "Q-", "T+", "T-", "is", "is not", "is identical to", "is not identical to", "same", "not same",
}  # fmt: skip
DENYING_KINDS = {"V-", "R-", "Q-", "T-", "is not", "is not identical to", "not same", "Vs-"}
_LETTERS = ("X", "Y", "Z", "U", "V", "W")


class ParseFailure(Exception):
    """Where a sequence of kinds cannot be read on, and what could stand there."""

    def __init__(self, at: int, expected: str) -> None:
        super().__init__(expected)
        self.at = at
        self.expected = expected


def is_variable_text(kind: str) -> bool:
    """Whether a kind is that of a variable: X, Y, Z, U, V, W, maybe with digits."""
    return kind[:1] in _LETTERS and (len(kind) == 1 or kind[1:].isdigit())


class PartParser(ABC):
    """Reads the parts of clauses.

    Args:
        kinds: the kinds of a sentence's lexemes, without the period.
    """

    def __init__(self, kinds: tuple[str, ...]) -> None:
        self.kinds = (*kinds, "", "", "")
        self.at = 0
        self.level = 0
        self.depth = 0
        self.named: dict[str, str] = {}
        self.introduced: list[tuple[str, tuple[str, int]]] | None = None
        self.closed = False  # whether the clause that was read last is closed, and whether it is plain
        self.plain = False

    @abstractmethod
    def clause(self) -> Tree:
        """A clause, by the upper half of the grammar; `self.closed` and `self.plain` tell afterwards what it was."""

    def fail(self, expected: str) -> ParseFailure:
        return ParseFailure(self.at, expected)

    def take(self) -> int:
        self.at += 1
        return self.at - 1

    def next_is(self, *kinds: str) -> bool:
        """Whether the next lexeme is one of these; takes it if so."""
        if self.kinds[self.at] in kinds:
            self.at += 1
            return True
        return False

    def expect(self, *kinds: str) -> int:
        if self.kinds[self.at] not in kinds:
            raise self.fail(" or ".join(f'"{one}"' for one in kinds))
        return self.take()

    def bind(self) -> str:
        """A variable that is named for the first time."""
        text = self.kinds[self.at]
        if not is_variable_text(text):
            raise self.fail("a variable: X, Y, Z, ...")
        if text in self.named:
            raise self.fail("a variable that is not in use")
        self.take()
        self.named[text] = x = canonical_variable(self.level)
        self.level += 1
        return x

    def term(self) -> Term:
        """A name, a variable, or "a person X" where variables are introduced."""
        kind = self.kinds[self.at]
        if kind == "c":
            return self.take()
        if kind == "a kind":
            if self.introduced is None:
                raise self.fail("a name or a variable; only the antecedent of a sentence introduces variables")
            sort = ("kind", self.take())
            x = self.bind()
            self.introduced.append((x, sort))
            return x
        if kind not in self.named:
            raise self.fail("a name, or a variable that has been introduced")
        self.take()
        return self.named[kind]

    def said(self, subject: Term) -> Tree:
        """What is said of a term."""
        kind = self.kinds[self.at]
        if kind not in SAID_KINDS:
            raise self.fail("what is said of it")
        at = self.take()
        if kind[0] == "V":
            tree: Tree = ("atom", at, (subject,))
        elif kind[0] == "R":
            tree = ("atom", at, (subject, self.term()))
        elif kind[0] == "Q":
            tree = ("atom", at, (self.term(), subject))
        elif kind[0] == "T":
            second = self.term()
            to = self.expect("t")
            tree = ("atom", at, (subject, second, self.term(), ("to", to)))
        else:
            tree = ("equal", subject, self.term(), ("kind", at) if kind in ("same", "not same") else None)
        return ("not", tree) if kind in DENYING_KINDS else tree

    def said_of_all(self, x: Term) -> Tree:
        """A group that is not a negation: "every dax is not red" has two readings."""
        if self.kinds[self.at] in DENYING_KINDS:
            raise self.fail('something without a negation; "no ..." or "not every ..." say which one is meant')
        return self.group(x)

    def said_plainly(self, x: Term) -> Tree:
        """One thing that is not denied."""
        if self.kinds[self.at] not in SAID_KINDS:
            raise self.fail("what is said of it")
        return self.said_of_all(x)

    def group(self, x: Term) -> Tree:
        for word, tag, joint in (("both", "and", "and"), ("either", "or", "or")):
            if self.next_is(word):
                first = self.said(x)
                self.expect(joint)
                return (tag, (first, self.said(x)))
        return self.said(x)

    def listed(self, x: Term) -> Tree:
        first = self.said(x)
        if self.kinds[self.at + 1] not in SAID_KINDS:
            return first
        if self.next_is("and"):
            return ("and", (first, self.said(x)))
        if self.next_is("or"):
            return ("or", (first, self.said(x)))
        if self.kinds[self.at] != ",":
            return first
        parts = [first]
        while self.next_is(","):
            parts.append(self.said(x))
        last = self.expect(", and", ", or")
        if len(parts) < 2:
            raise self.fail("another part before the last one")
        return (self.kinds[last][2:], (*parts, self.said(x)))

    def all_of(self, x: Term) -> Tree:
        """A list whose word is "and"."""
        start = self.at
        tree = self.listed(x)
        if tree[0] == "or":
            raise ParseFailure(start, '"either ... or ..." or a list with "and"')
        return tree

    def variable(self) -> str:
        return canonical_variable(self.level)

    def noun(self) -> tuple[Tree, tuple[str, int], str]:
        """What is said by "wumpus" or "wumpus that is red", its sort, and the variable."""
        at = self.expect("N", "Nr")
        x = self.variable()
        atom: Tree = ("atom", at, (x,))
        if self.kinds[at] == "N":
            return atom, ("of", at), x
        return ("and", (atom, self.said(x))), ("of", at), x

    def every(self) -> Tree:
        self.take()
        return self.every_noun(self.said_of_all)

    def every_noun(self, then: Callable[[Term], Tree]) -> Tree:
        such, sort, x = self.noun()
        return ("forall", x, sort, ("implies", such, then(x)))

    def every_kind(self) -> Tree:
        sort, x = ("kind", self.take()), self.variable()
        return ("forall", x, sort, self.said_of_all(x))

    def every_kind_who(self, then: Callable[[Term], Tree] | None = None) -> Tree:
        sort, x = ("kind", self.take()), self.variable()
        such = self.listed(x)
        return ("forall", x, sort, ("implies", such, (then or self.said_of_all)(x)))

    def no(self) -> Tree:
        """As in "no dax ...", "not one dax ...", "not one city ..."."""
        self.take()
        kind = self.kinds[self.at]
        if kind == "kind":
            return self.no_kind()
        return self.no_kind_who() if kind == "kind who" else self.every_noun(self.denied)

    def denied(self, x: Term) -> Tree:
        if self.kinds[self.at] in DENYING_KINDS:
            raise self.fail("something without a negation after the negative beginning")
        return ("not", self.said(x))

    def no_kind(self) -> Tree:
        sort, x = ("kind", self.take()), self.variable()
        return ("forall", x, sort, self.denied(x))

    def no_kind_who(self) -> Tree:
        return self.every_kind_who(self.denied)

    def all(self) -> Tree:
        self.take()
        at = self.expect("Ns", "kinds")
        x = self.variable()
        if self.kinds[self.at] in DENYING_KINDS:
            self.said_of_all(x)
        said: Tree = ("atom", self.expect("Vs+"), (x,))
        if self.kinds[at] == "kinds":
            return ("forall", x, ("kind", at), said)
        return ("forall", x, ("of", at), ("implies", ("atom", at, (x,)), said))

    def negated(self) -> Tree:
        self.take()
        kind = self.kinds[self.at]
        if kind == "both":
            self.take()
            first = self.clause()
            self.expect("and")
            tree: Tree = ("not", ("and", (first, self.clause())))
            self.closed = False
            return tree
        if kind == "every":
            self.take()
            return ("not", self.every_noun(self.said_plainly))
        if kind == "every kind":
            sort, x = ("kind", self.take()), self.variable()
            return ("not", ("forall", x, sort, self.said_plainly(x)))
        if kind == "every kind who":
            return ("not", self.every_kind_who(self.said_plainly))
        if kind == "all":
            return ("not", self.all())
        raise self.fail('"both", "every", "all"')

    def some(self) -> Tree:
        self.take()
        return self.some_noun()

    def some_noun(self) -> Tree:
        at, x = self.expect("N"), self.variable()
        return ("exists", x, ("of", at), ("and", (("atom", at, (x,)), self.said(x))))

    def some_kind_who(self) -> Tree:
        sort, x = ("kind", self.take()), self.variable()
        return ("exists", x, sort, ("and", (self.said(x), self.said(x))))

    def at_least_one(self) -> Tree:
        self.take()
        kind = self.kinds[self.at]
        if kind == "N":
            return self.some_noun()
        if kind == "kind who":
            return self.some_kind_who()
        sort, x = ("kind", self.expect("kind")), self.variable()
        if self.kinds[self.at] in ("both", "either"):
            return ("exists", x, sort, self.group(x))
        return ("exists", x, sort, self.all_of(x))

    def there_is(self) -> Tree:
        self.take()
        kind, at, x = self.kinds[self.at], self.at, self.variable()
        if kind in ("aN", "aNr"):
            self.take()
            atom: Tree = ("atom", at, (x,))
            return ("exists", x, ("of", at), atom if kind == "aN" else ("and", (atom, self.said(x))))
        if kind == "a kind who":
            self.take()
            return ("exists", x, ("kind", at), self.all_of(x))
        self.expect("a kind")
        before = dict(self.named)
        x = self.bind()
        self.expect("such that")
        body = self.clause()
        self.named = before
        self.level -= 1
        self.closed = False
        return ("exists", x, ("kind", at), body)

    def there_is_no(self) -> Tree:
        self.take()
        if self.kinds[self.at] == "kind who":
            sort, x = ("kind", self.take()), self.variable()
            return ("not", ("exists", x, sort, self.all_of(x)))
        such, sort, x = self.noun()
        return ("not", ("exists", x, sort, such))


QUANTIFIED = {
    "every": PartParser.every, "every kind": PartParser.every_kind, "every kind who": PartParser.every_kind_who, "no": PartParser.no,
    "no kind": PartParser.no_kind, "no kind who": PartParser.no_kind_who, "all": PartParser.all, "not": PartParser.negated,
    "some": PartParser.some, "some kind who": PartParser.some_kind_who, "at least one": PartParser.at_least_one,
    "there is": PartParser.there_is, "there is no": PartParser.there_is_no,
}  # fmt: skip
