"""The notation of formulas, strict both ways: what is printed is read back as the same tree, and nothing is guessed.

    formula    = iff
    iff        = implies [ "<->" implies ]
    implies    = junction [ "->" junction ]
    junction   = unary { "&" unary } | unary { "|" unary }        (mixed only with parentheses)
    unary      = "~" unary | quantified | "(" formula ")" | atom
    quantified = ("forall" | "exists") variable [ "in" sort ] ":" formula     (reaches as far as it can)
    atom       = name [ "(" term { "," term } ")" ] | term ("=" | "!=") term | "false"

`->` and `<->` do not chain: `p -> q -> r` is an error that asks for parentheses. The signs of textbooks
(¬ ∧ ∨ → ↔ ∀ ∃ ⊥ ≠) and the words `not`, `and`, `or` are read too; the printer writes the ASCII signs.
"""

from __future__ import annotations

import re

from custodiet.errors import FormulaError
from custodiet.logic.formulas import (
    FALSUM,
    And,
    Atom,
    Equal,
    Exists,
    Falsum,
    ForAll,
    Formula,
    Iff,
    Implies,
    Not,
    Or,
    is_variable,
)

__all__ = ["format_formula", "parse_formula"]

_TOKEN = re.compile(r"\s*(<->|->|!=|[~&|()=:,¬∧∨→↔∀∃⊥≠]|[A-Za-z][A-Za-z0-9_]*)")
_SAME = {
    "¬": "~", "∧": "&", "∨": "|", "→": "->", "↔": "<->", "∀": "forall", "∃": "exists", "⊥": "false", "≠": "!=",
    "not": "~", "and": "&", "or": "|",
}  # fmt: skip
_RESERVED = {"forall", "exists", "in", "false"}
_MAX_DEPTH = 100  # levels of parentheses; each takes four frames of Python's stack


def format_formula(formula: Formula) -> str:
    """The formula in the notation above, with the parentheses that it needs and no others."""
    if isinstance(formula, Atom):
        return f"{formula.predicate}({', '.join(formula.args)})" if formula.args else formula.predicate
    if isinstance(formula, Not):
        body = formula.body
        if isinstance(body, Equal):
            return f"{body.left} != {body.right}"
        return "~" + _operand(body)
    if isinstance(formula, And):
        return " & ".join([_operand(one) for one in formula.parts])
    if isinstance(formula, Or):
        return " | ".join([_operand(one) for one in formula.parts])
    if isinstance(formula, (Implies, Iff)):
        sign = "->" if isinstance(formula, Implies) else "<->"
        return f"{_side(formula.left)} {sign} {_side(formula.right)}"
    if isinstance(formula, Equal):
        return f"{formula.left} = {formula.right}"
    if isinstance(formula, (ForAll, Exists)):
        word = "forall" if isinstance(formula, ForAll) else "exists"
        sort = f" in {formula.sort}" if formula.sort else ""
        return f"{word} {formula.variable}{sort}: {format_formula(formula.body)}"
    return "false"


def _operand(formula: Formula) -> str:
    """Below `~`, `&` and `|`."""
    if isinstance(formula, Atom):
        return format_formula(formula)
    bare = isinstance(formula, Falsum) or (isinstance(formula, Not) and not isinstance(formula.body, Equal))
    return format_formula(formula) if bare else f"({format_formula(formula)})"


def _side(formula: Formula) -> str:
    """Below `->` and `<->`."""
    bare = not isinstance(formula, (Implies, Iff, ForAll, Exists))
    return format_formula(formula) if bare else f"({format_formula(formula)})"


def parse_formula(text: str) -> Formula:
    """Read one closed formula.

    Args:
        text: a formula in the notation above.

    Returns:
        The tree.

    Raises:
        FormulaError: it cannot be read, or could be read in two ways, or a variable is free or bound twice; says where.
    """
    return _Parser(text).formula()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, int]] = []
        at = 0
        end = len(text.rstrip())
        while at < end:
            found = _TOKEN.match(text, at)
            if found is None:
                start = at + len(text[at:]) - len(text[at:].lstrip())
                raise self.error("a formula", repr(text[start]), start)
            self.tokens.append((_SAME.get(found[1], found[1]), found.start(1)))
            at = found.end()
        self.tokens.append(("", end))
        self.at = 0
        self.depth = 0
        self.bound: list[str] = []
        self.arities: dict[str, int] = {}

    def error(self, expected: str, got: str, position: int) -> FormulaError:
        return FormulaError(
            f"cannot read the formula {self.text.strip()!r} at character {position + 1}",
            expected=expected,
            got=got,
            hint="Notation: ~ & | -> <-> forall x: exists x: a = b false, with parentheses wherever two readings exist.",
        )

    def fail(self, expected: str) -> FormulaError:
        token, position = self.tokens[self.at]
        return self.error(expected, repr(token) if token else "the end", position)

    def take(self) -> str:
        token = self.tokens[self.at][0]
        self.at += 1
        return token

    def peek(self) -> str:
        return self.tokens[self.at][0]

    def expect(self, token: str) -> None:
        if self.peek() != token:
            raise self.fail(repr(token))
        self.at += 1

    def formula(self) -> Formula:
        found = self.iff()
        if self.peek():
            raise self.fail("the end of the formula")
        return found

    def iff(self) -> Formula:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.error(f"at most {_MAX_DEPTH} levels", "more", self.tokens[self.at][1])
        left = self.implies()
        if self.peek() == "<->":
            self.take()
            left = Iff(left, self.implies())
            if self.peek() in ("<->", "->"):
                raise self.fail("parentheses around one of the two connectives")
        self.depth -= 1
        return left

    def implies(self) -> Formula:
        left = self.junction()
        if self.peek() != "->":
            return left
        self.take()
        found = Implies(left, self.junction())
        if self.peek() in ("<->", "->"):
            raise self.fail("parentheses around one of the two connectives")
        return found

    def junction(self) -> Formula:
        first = self.unary()
        sign = self.peek()
        if sign not in ("&", "|"):
            return first
        parts = [first]
        while self.peek() == sign:
            self.take()
            parts.append(self.unary())
        if self.peek() in ("&", "|"):
            raise self.fail("parentheses where & and | meet")
        return And(*parts) if sign == "&" else Or(*parts)

    def unary(self) -> Formula:
        token = self.peek()
        if token == "~":
            signs = 0
            while self.peek() == "~":
                self.take()
                signs += 1
            if signs > _MAX_DEPTH:
                raise self.error(f"at most {_MAX_DEPTH} levels", "more", self.tokens[self.at][1])
            found = self.unary()
            for _ in range(signs):
                found = Not(found)
            return found
        if token == "(":
            self.take()
            found = self.iff()
            self.expect(")")
            return found
        if token in ("forall", "exists"):
            return self.quantified()
        return self.atom()

    def quantified(self) -> Formula:
        made = ForAll if self.take() == "forall" else Exists
        variable = self.peek()
        if not is_variable(variable):
            raise self.fail("a variable: a letter from u to z, maybe with digits")
        if variable in self.bound:
            raise self.fail("a variable that is not bound already")
        self.take()
        sort = ""
        if self.peek() == "in":
            self.take()
            sort = self.name("the name of a sort")
        self.expect(":")
        self.bound.append(variable)
        body = self.iff()
        self.bound.pop()
        return made(variable, body, sort)

    def atom(self) -> Formula:
        token = self.peek()
        if token == "false":
            self.take()
            return FALSUM
        start = self.at
        name = self.name("an atom, ~, a quantifier or (")
        if self.peek() in ("=", "!="):
            self.at = start
            left = self.term()
            sign = self.take()
            equal = Equal(left, self.term())
            return equal if sign == "=" else Not(equal)
        args: list[str] = []
        if self.peek() == "(":
            self.take()
            args.append(self.term())
            while self.peek() == ",":
                self.take()
                args.append(self.term())
            self.expect(")")
        if is_variable(name) and not args and name in self.bound:
            self.at = start
            raise self.fail("a formula, not a variable")
        if self.arities.setdefault(name, len(args)) != len(args):
            self.at = start
            raise self.fail(f"{name} with {self.arities[name]} arguments, as before")
        return Atom(name, tuple(args))

    def term(self) -> str:
        name = self.peek()
        if is_variable(name) and name not in self.bound:
            raise self.fail("a constant or a bound variable")
        name = self.name("a term")
        if not name[0].islower():
            self.at -= 1
            raise self.fail("a term in lower case")
        return name

    def name(self, what: str) -> str:
        token = self.peek()
        if not token or not token[0].isalpha() or token in _RESERVED:
            raise self.fail(what)
        return self.take()
