"""The grammar of the controlled English, over kinds of lexemes: each sequence has one tree or is refused.

    sentence    = "for every" NOUN VAR { "and every" NOUN VAR } "," sentence
                | "if" bare ", then" clause | ("whenever" | "in every case in which") bare "," clause
                | ("if" SOMEONE list ", then" | "whenever" SOMEONE list ",") IT group
                | "that" clause "implies that" clause | A-NOUN said iff IT said | SOMEONE list
                | "any" N group | ANYONE-WHO list group | true "and" true | true { "," true } ", or" true ...
                | "either" clause { "," clause } ", or" clause | "either" clause "or" clause ", or both"
                | clause [ ("if" | "whenever" | "only if" | iff) clause | junction ]
    true        = "it is true that" closed
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

Every choice is made by the next lexeme (or the one after it), so no sequence has two trees. Between commas only clauses
are taken that are closed (literals and `quantified`), and before an infix word only literals: people would read others in
two ways ("some dax is red or ..." may go on about the dax; "every dax is not red" may be said of some).
In the antecedent of a sentence, "a person X" introduces a variable for the whole sentence.
"""

from __future__ import annotations

from collections.abc import Callable

from custodiet.logic.english.parsing_parts import (
    QUANTIFIED,
    ParseFailure,
    PartParser,
    Term,
    Tree,
    is_variable_text,
)
from custodiet.logic.english.predication import IFF
from custodiet.logic.english.templates import MAX_LEVELS

__all__ = ["ParseFailure", "Parser", "Tree"]

_MAX_DEPTH = MAX_LEVELS + 10


class Parser(PartParser):
    """Reads one sequence of kinds.

    Args:
        kinds: the kinds of a sentence's lexemes, without the period.
    """

    def parse(self) -> Tree:
        """The tree of the whole sequence; raises ParseFailure."""
        tree = self.sentence()
        if self.kinds[self.at]:
            raise self.fail("the end of the sentence")
        return tree

    # --- sentences

    def sentence(self) -> Tree:
        kind, after = self.kinds[self.at], self.kinds[self.at + 1]
        if kind == "for every":
            return self.prefixed(self.sentence)
        if kind in ("if", "whenever") and (
            after == "some kind" or (after == "a kind" and not is_variable_text(self.kinds[self.at + 2]))
        ):
            return self.generic_rule()
        if kind in ("if", "whenever", "in every case in which"):
            return self.rule()
        if kind == "that":
            self.take()
            left = self.clause()
            self.expect("implies that")
            return ("implies", left, self.clause())
        if kind == "a kind" and not is_variable_text(after):
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
        while self.kinds[self.at + 1] == "every kind" and is_variable_text(self.kinds[self.at + 2]):
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
        such = self.nameless(self.listed)(x)
        self.expect(end)
        self.expect("it")
        return ("forall", x, sort, ("implies", such, self.group(x)))

    def generic_equivalence(self) -> Tree:
        sort, x = ("kind", self.take()), self.variable()
        first = self.nameless(self.said)(x)
        self.expect(*IFF)
        self.expect("it")
        return ("forall", x, sort, ("iff", first, self.said(x)))

    def nameless(self, reader: Callable[[Term], Tree]) -> Callable[[Term], Tree]:
        """Reads what names no one: after "if something avoids Rex" the word "it" could be Rex."""

        def read(x: Term) -> Tree:
            start = self.at
            tree = reader(x)
            if any(kind not in ("V+", "V-", "and", "or", ",", ", and", ", or") for kind in self.kinds[start : self.at]):
                raise ParseFailure(start, 'what names no one else before a pronoun; or a variable, "if a person X ..."')
            return tree

        return read

    def truths(self) -> Tree:
        """As in "it is true that A, it is true that B, and it is true that C"."""
        parts, last = [], ""
        while True:
            self.expect("it is true that")
            parts.append(self.closed_clause())
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
        if not kind or kind not in ("if", "whenever", "only if", "and", "or", ",", ", and also", *IFF):
            return first
        if kind in (",", ", and also"):
            self.check_closed(self.at)
        else:
            self.check_plain(self.at)
        if kind in ("and", "or", ","):
            tree = self.junction(first, "the end of the sentence")
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

    def check_plain(self, at: int) -> None:
        if not self.plain:
            raise ParseFailure(at, "the end of the sentence, or before this word what is said of one individual")

    def closed_clause(self) -> Tree:
        start = self.at
        tree = self.clause()
        if not self.closed:
            raise ParseFailure(start, "a simple clause: what is said of one individual, or a quantified one")
        return tree

    def bare(self, *, commas: bool) -> Tree:
        first = self.clause()
        if self.kinds[self.at] in ("and", "or") or (commas and self.kinds[self.at] == ","):
            if self.kinds[self.at] == ",":
                self.check_closed(self.at)
            else:
                self.check_plain(self.at)
            return self.junction(first, '", then"')
        return first

    def junction(self, first: Tree, end: str) -> Tree:
        """Closed clauses without brackets: "A and B", "A, B, and C"; `end` is what could follow the first one."""
        kind = self.kinds[self.at]
        if kind in ("and", "or"):
            self.take()
            return (kind, (first, self.closed_clause()))
        start, parts = self.at, [first]
        while self.next_is(","):
            parts.append(self.closed_clause())
        if self.kinds[self.at] not in (", and", ", or"):
            raise ParseFailure(start, f'{end}, or a list that ends with ", and" or ", or"')
        last = self.take()
        return (self.kinds[last][2:], (*parts, self.closed_clause()))

    # --- clauses

    def clause(self) -> Tree:
        """A clause; `self.closed` tells afterwards whether it is closed."""
        kind = self.kinds[self.at]
        literal = kind in ("S+", "S-", "c", "a kind") or is_variable_text(kind)
        if literal:
            tree = self.literal()
            self.closed = self.plain = True
            return tree
        outer, self.introduced = self.introduced, None
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.fail(f"at most {_MAX_DEPTH} levels")
        reader = QUANTIFIED.get(kind)
        if reader is not None:
            self.closed = True
            tree = reader(self)  # sets closed to False where it is not
            self.plain = False
        else:
            tree = self.compound(kind)
            self.closed = self.plain = kind in ("a contradiction holds", "there is a contradiction")
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
            self.check_plain(self.at)
            word = self.kinds[self.expect(*IFF, "only if")]
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


_BRACKETS = {
    "both": ("and", "and"), "either": ("or", "or"), "neither": ("or", "nor"), "both of these hold :": ("and", "; and"),
    "these two are equivalent :": ("iff", "; and"), "these two are true or false together :": ("iff", "; and"),
    "these two have the same truth value :": ("iff", "; and"),
}  # fmt: skip
_COMPOUND = {
    "it is not the case that", "it is false that", "a contradiction holds", "there is a contradiction", "it holds that",
    *_BRACKETS,
}  # fmt: skip
