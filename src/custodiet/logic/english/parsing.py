"""The grammar of the controlled English, over kinds of lexemes: each sequence has one tree or is refused.

    sentence    = "for every" NOUN VAR { "and every" NOUN VAR } "," sentence
                | "if" bare ", then" clause | ("whenever" | "in every case in which") bare "," clause
                | ("if" SOMEONE list ", then" | "whenever" SOMEONE list ",") IT group
                | "that" clause "implies that" clause | A-NOUN said iff IT said | SOMEONE list
                | "any" N group | ANYONE-WHO list group | true "and" true | true { "," true } ", or" true ...
                | "either" clause { "," clause } ", or" clause | "either" clause "or" clause ", or both"
                | clause [ ("if" | "whenever" | "only if" | iff) clause | junction ]
    true        = "it is true that" clause
    bare        = clause [ ("and" | "or") clause | { "," clause } (", and" | ", or") clause ]
    clause      = literal | ("it is not the case that" | "it is false that") clause
                | "both" clause "and" clause | "either" clause "or" clause | "neither" clause "nor" clause
                | "not both" clause "and" clause | "all 3 of these hold:" clause { ";" clause } "; and" clause ...
                | "if" bare ", then" clause | "it holds that" clause (iff | "only if") clause
                | "for every" NOUN VAR { ... } "," clause | "there is" A-NOUN VAR "such that" clause
                | quantified
    quantified  = "every" N group | "no" N said | "some" N said | "not every" N said | "all" Ns VPs | "there is" ...
    literal     = S | term said
    said        = VP | R term | is-R-by term | T term to term | ("is" | "is the same person as" ...) term
    group       = said | "both" said "and" said | "either" said "or" said
    list        = said | said ("and" | "or") said | said "," said { "," said } (", and" | ", or") said

Every choice is made by the next lexeme (or the one after it), so no sequence has two trees. Beside an infix word only
clauses are taken that are closed (literals and `quantified`): others would be ambiguous to people.
In the antecedent of a sentence, "a person X" introduces a variable for the whole sentence.
"""

from __future__ import annotations

from collections.abc import Callable

from custodiet.logic.english.canonical import canonical_variable

__all__ = ["ParseFailure", "Parser", "Tree"]

# A tree is like a shape of `templates.py`, with places of lexemes for symbols. A sort is ("kind", place of its noun) or
# ("of", place of a predicate that is said of it).
Tree = tuple
Term = int | str

_SAID = {
    "V+", "V-", "R+", "R-", "Q+", "Q-", "T+", "T-", "is", "is not", "is identical to", "is not identical to", "same", "not same",
}  # fmt: skip
_DENYING = {"V-", "R-", "Q-", "T-", "is not", "is not identical to", "not same", "Vs-"}
_LETTERS = ("X", "Y", "Z", "U", "V", "W")
_IFF = ("if and only if", "exactly when", "just in case")
_MAX_DEPTH = 150


class ParseFailure(Exception):
    """Where a sequence of kinds cannot be read on, and what could stand there."""

    def __init__(self, at: int, expected: str) -> None:
        super().__init__(expected)
        self.at = at
        self.expected = expected


def _variable_text(kind: str) -> bool:
    return kind[:1] in _LETTERS and (len(kind) == 1 or kind[1:].isdigit())


class Parser:
    """Reads one sequence of kinds.

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
        self.closed = False

    def parse(self) -> Tree:
        """The tree of the whole sequence; raises ParseFailure."""
        tree = self.sentence()
        if self.kinds[self.at]:
            raise self.fail("the end of the sentence")
        return tree

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

    # --- sentences

    def sentence(self) -> Tree:
        kind, after = self.kinds[self.at], self.kinds[self.at + 1]
        if kind == "for every":
            return self.prefixed(self.sentence)
        if kind in ("if", "whenever") and after == "some kind":
            return self.generic_rule()
        if kind in ("if", "whenever", "in every case in which"):
            return self.rule()
        if kind == "that":
            self.take()
            left = self.clause()
            self.expect("implies that")
            return ("implies", left, self.clause())
        if kind == "a kind" and not _variable_text(after):
            return self.generic_equivalence()
        if kind == "some kind":
            sort, x = ("kind", self.take()), self.variable()
            return ("exists", x, sort, self.group(x) if self.kinds[self.at] in ("both", "either") else self.all_of(x))
        if kind == "any":
            self.take()
            return self.every_noun(self.said_of_all)
        if kind == "any kind who":
            return self.every_kind_who(self.group)  # "anyone who is kind is not a baker" has one reading
        if kind == "it is true that":
            return self.truths()
        if kind == "either":
            return self.either()
        return self.infix(self.clause())

    def prefixed(self, inner: Callable[[], Tree]) -> Tree:
        """As in "for every person X, every person Y, and every city Z, ..."."""
        self.expect("for every")
        bound, before = [], dict(self.named)
        sort = ("kind", self.expect("kind"))
        bound.append((self.bind(), sort))
        while self.kinds[self.at + 1] == "every kind" and _variable_text(self.kinds[self.at + 2]):
            if not self.next_is(",", ", and", "and"):
                raise self.fail('","')
            sort = ("kind", self.take())
            bound.append((self.bind(), sort))
        return self.quantified("forall", bound, before, inner)

    def quantified(
        self, tag: str, bound: list[tuple[str, tuple[str, int]]], before: dict[str, str], inner: Callable[[], Tree]
    ) -> Tree:
        """What follows a prefix: a comma and what the variables are bound in."""
        self.expect(",")
        body = inner()
        self.named = before
        self.level -= len(bound)
        for x, sort in reversed(bound):
            body = (tag, x, sort, body)
        self.closed = False
        return body

    def bind(self) -> str:
        """A variable that is named for the first time."""
        text = self.kinds[self.at]
        if not _variable_text(text):
            raise self.fail("a variable: X, Y, Z, ...")
        if text in self.named:
            raise self.fail("a variable that is not in use")
        self.take()
        self.named[text] = x = canonical_variable(self.level)
        self.level += 1
        return x

    def rule(self) -> Tree:
        """As in "if A, then B", "whenever A, B", with variables introduced in A or without."""
        before = dict(self.named)
        self.introduced = introduced = []
        if self.next_is("if"):
            left = self.bare(commas=True)
            self.expect(", then")
        else:
            self.take()
            left = self.bare(commas=False)
            self.expect(",")
        self.introduced = None
        tree: Tree = ("implies", left, self.clause())
        for x, sort in reversed(introduced):
            tree = ("forall", x, sort, tree)
        self.named = before
        self.level -= len(introduced)
        return tree

    def generic_rule(self) -> Tree:
        """As in "if something is red, then it is big"."""
        end = ", then" if self.kinds[self.take()] == "if" else ","
        sort, x = ("kind", self.take()), self.variable()
        such = self.listed(x)
        self.expect(end)
        self.expect("it")
        return ("forall", x, sort, ("implies", such, self.group(x)))

    def generic_equivalence(self) -> Tree:
        sort, x = ("kind", self.take()), self.variable()
        first = self.said(x)
        self.expect(*_IFF)
        self.expect("it")
        return ("forall", x, sort, ("iff", first, self.said(x)))

    def truths(self) -> Tree:
        """As in "it is true that A, it is true that B, and it is true that C"."""
        parts, last = [], ""
        while True:
            self.expect("it is true that")
            parts.append(self.clause())
            if last:
                break
            word = self.kinds[self.expect(*(("and", "or", ",") if len(parts) == 1 else (",", ", and", ", or")))]
            last = word.removeprefix(", ") if word != "," else ""
        return (last, tuple(parts))

    def either(self) -> Tree:
        """As in "either A or B", "either A or B, or both", "either A, B, or C"."""
        start = self.take()
        first = self.clause()
        if self.kinds[self.at] == ",":
            parts = [first]
            self.check_closed(start)
            while self.next_is(","):
                parts.append(self.closed_clause())
            self.expect(", or")
            return ("or", (*parts, self.closed_clause()))
        self.expect("or")
        tree: Tree = ("or", (first, self.clause()))
        if self.next_is(", or both"):
            return tree
        self.closed = False
        return self.infix(tree)

    def infix(self, first: Tree) -> Tree:
        """What follows the first clause of a sentence."""
        kind = self.kinds[self.at]
        if not kind or kind not in ("if", "whenever", "only if", "and", "or", ",", ", and also", *_IFF):
            return first
        self.check_closed(self.at)
        if kind in ("and", "or", ","):
            tree = self.junction(first, commas=True)
            if tree[0] == "or" and len(tree[1]) == 2:
                self.next_is(", or both")
            return tree
        self.take()
        if kind == ", and also":
            return ("and", (first, self.closed_clause()))
        second = self.clause()
        if kind in ("if", "whenever"):
            return ("implies", second, first)
        return ("implies" if kind == "only if" else "iff", first, second)

    def check_closed(self, at: int) -> None:
        if not self.closed:
            raise ParseFailure(at, "the end of the sentence, or a simple clause before this word")

    def closed_clause(self) -> Tree:
        start = self.at
        tree = self.clause()
        if not self.closed:
            raise ParseFailure(start, "a simple clause: what is said of one individual, or a quantified one")
        return tree

    def bare(self, *, commas: bool) -> Tree:
        first = self.clause()
        if self.kinds[self.at] in ("and", "or") or (commas and self.kinds[self.at] == ","):
            self.check_closed(self.at)
            return self.junction(first, commas=commas)
        return first

    def junction(self, first: Tree, *, commas: bool) -> Tree:
        """Closed clauses without brackets: "A and B", "A, B, and C"."""
        kind = self.kinds[self.at]
        if kind in ("and", "or"):
            self.take()
            return (kind, (first, self.closed_clause()))
        parts = [first]
        while commas and self.next_is(","):
            parts.append(self.closed_clause())
        last = self.expect(", and", ", or")
        return (self.kinds[last][2:], (*parts, self.closed_clause()))

    # --- clauses

    def clause(self) -> Tree:
        """A clause; `self.closed` tells afterwards whether it is closed."""
        kind = self.kinds[self.at]
        literal = kind in ("S+", "S-", "c", "a kind") or _variable_text(kind)
        if literal:
            tree = self.literal()
            self.closed = True
            return tree
        outer, self.introduced = self.introduced, None
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.fail(f"at most {_MAX_DEPTH} levels")
        reader = _QUANTIFIED.get(kind)
        if reader is not None:
            self.closed = True
            tree = reader(self)  # sets closed to False where it is not
        else:
            tree = self.compound(kind)
            self.closed = kind in ("a contradiction holds", "there is a contradiction")
        self.depth -= 1
        self.introduced = outer
        return tree

    def compound(self, kind: str) -> Tree:
        if kind == "if":
            self.take()
            left = self.bare(commas=True)
            self.expect(", then")
            return ("implies", left, self.clause())
        if kind == "for every":
            return self.prefixed(self.clause)
        if kind == "for some":
            self.take()
            before, sort = dict(self.named), ("kind", self.expect("kind"))
            return self.quantified("exists", [(self.bind(), sort)], before, self.clause)
        if kind not in _COMPOUND and kind[:4] not in ("all ", "one "):
            raise self.fail("a clause")
        self.take()
        if kind in ("it is not the case that", "it is false that"):
            return ("not", self.clause())
        if kind in ("a contradiction holds", "there is a contradiction"):
            return ("falsum",)
        first = self.clause()
        if kind == "it holds that":
            word = self.kinds[self.expect(*_IFF, "only if")]
            return ("implies" if word == "only if" else "iff", first, self.clause())
        if kind in _BRACKETS:
            tag, word = _BRACKETS[kind]
            self.expect(word)
            tree: Tree = (tag, first, self.clause()) if tag == "iff" else (tag, (first, self.clause()))
            return ("not", tree) if kind == "neither" else tree
        parts = [first]
        count = int(kind.rpartition(" ")[2])
        while len(parts) < count - 1:
            self.expect(";")
            parts.append(self.clause())
        word = "and" if kind.startswith("all") else "or"
        self.expect(f"; {word}")
        return (word, (*parts, self.clause()))

    def literal(self) -> Tree:
        kind = self.kinds[self.at]
        if kind in ("S+", "S-"):
            atom: Tree = ("atom", self.take(), ())
            return atom if kind == "S+" else ("not", atom)
        return self.said(self.term())

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
        if kind not in _SAID:
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
        return ("not", tree) if kind in _DENYING else tree

    def said_of_all(self, x: Term) -> Tree:
        """A group that is not a negation: "every dax is not red" has two readings."""
        if self.kinds[self.at] in _DENYING:
            raise self.fail('something without a negation; "no ..." or "not every ..." say which one is meant')
        return self.group(x)

    def said_plainly(self, x: Term) -> Tree:
        """One thing that is not denied."""
        if self.kinds[self.at] not in _SAID:
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
        if self.kinds[self.at + 1] not in _SAID:
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

    # --- quantified clauses

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
        if self.kinds[self.at] in _DENYING:
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
        if self.kinds[self.at] in _DENYING:
            self.said_of_all(x)
        said: Tree = ("atom", self.expect("Vs+"), (x,))
        if self.kinds[at] == "kinds":
            return ("forall", x, ("kind", at), said)
        return ("forall", x, ("of", at), ("implies", ("atom", at, (x,)), said))

    def negated(self) -> Tree:
        self.take()
        kind = self.kinds[self.at]
        if kind == "both":
            tree = ("not", self.compound("both"))
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


_QUANTIFIED = {
    "every": Parser.every, "every kind": Parser.every_kind, "every kind who": Parser.every_kind_who, "no": Parser.no,
    "no kind": Parser.no_kind, "no kind who": Parser.no_kind_who, "all": Parser.all, "not": Parser.negated,
    "some": Parser.some, "some kind who": Parser.some_kind_who, "at least one": Parser.at_least_one,
    "there is": Parser.there_is, "there is no": Parser.there_is_no,
}  # fmt: skip
_BRACKETS = {
    "both": ("and", "and"), "either": ("or", "or"), "neither": ("or", "nor"), "both of these hold :": ("and", "; and"),
    "these two are equivalent :": ("iff", "; and"), "these two are true or false together :": ("iff", "; and"),
    "these two agree :": ("iff", "; and"),
}  # fmt: skip
_COMPOUND = {
    "it is not the case that", "it is false that", "a contradiction holds", "there is a contradiction", "it holds that",
    *_BRACKETS,
}  # fmt: skip
