"""Fingerprints that do not see names and order: of an item (`skeleton`) and of all twins of it (`outline`).

Names of predicates and constants are replaced by colors, refined until they tell apart what can be told apart by how a
symbol is used (color refinement, Weisfeiler and Leman 1968, on formulas instead of graphs). Two items that differ by
renaming, by the order of premises or by the order of operands of `&`, `|`, `<->`, `=` have the same skeleton. The
converse holds but for symbols that refinement cannot tell apart; then two different items may share a skeleton, which
is the safe side when splits are made disjoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from custodiet.logic.formulas import Atom, Equal, Formula, Not, is_literal, is_variable

__all__ = ["Coloring", "outline", "skeleton"]

_MAX_ROUNDS = 6
_MARK = -1
Code = Any  # nested tuples of strings and integers


class Coloring:
    """The symbols of compound premises and of a goal, told apart by their use.

    Args:
        premises: of any logic; literals are left for `skeleton`, so that a coloring serves all versions of a problem.
        goal: its outer negations are left for `skeleton` too.
        literals: whether literals are looked at all the same; then a coloring serves these premises alone, and tells
            apart constants that only facts mention.
    """

    __slots__ = ("_base", "_codes", "_colors", "_goal", "_literals", "_symbols")

    def __init__(self, premises: Sequence[Formula], goal: Formula, *, literals: bool = False) -> None:
        self._symbols: dict[str, int] = {}
        self._literals = literals
        self._codes = [self._code(one, {}) for one in premises if literals or not is_literal(one)]
        self._goal = self._code(_bare(goal)[0], {})
        self._colors = self._refine()
        self._base = (sorted([_colored(one, self._colors) for one in self._codes]), _colored(self._goal, self._colors))

    def _number(self, symbol: str) -> int:
        return self._symbols.setdefault(symbol, len(self._symbols))

    def _code(self, formula: Formula, bound: dict[str, str]) -> Code:
        """The formula with numbers for symbols; a bound variable is told by how many quantifiers are above its own."""
        kind = formula[0]
        if kind == "atom":
            return (kind, self._number(formula[1]), *[self._term(one, bound) for one in formula[2]])
        if kind == "not":
            return (kind, self._code(formula[1], bound))
        if kind in ("and", "or"):
            return (kind, *[self._code(one, bound) for one in formula[1]])
        if kind in ("implies", "iff"):
            return (kind, self._code(formula[1], bound), self._code(formula[2], bound))
        if kind == "equal":
            return (kind, self._term(formula[1], bound), self._term(formula[2], bound))
        if kind in ("forall", "exists"):
            inner = {**bound, formula[1]: f"#{len(bound)}"}
            return (kind, f"in {formula[2]}", self._code(formula[3], inner))
        return (kind,)

    def _term(self, term: str, bound: dict[str, str]) -> Code:
        return bound[term] if is_variable(term) else self._number(f"@{term}")

    def _refine(self) -> list[int]:
        num = len(self._symbols)
        everything = [*self._codes, ("goal", self._goal)]
        uses: list[list[Code]] = [[] for _ in range(num)]
        for code in everything:
            for symbol in set(_symbols_in(code)):
                uses[symbol].append(code)
        colors = [0] * num
        shared = num > 1
        for _ in range(_MAX_ROUNDS):
            if not shared:
                break
            counts = [0] * num
            for color in colors:
                counts[color] += 1
            keys = []
            for symbol, codes in enumerate(uses):
                if counts[colors[symbol]] == 1:
                    keys.append((colors[symbol],))
                    continue
                color = colors[symbol]
                colors[symbol] = _MARK
                keys.append((color, *sorted([_colored(one, colors) for one in codes])))
                colors[symbol] = color
            ranks = {key: rank for rank, key in enumerate(sorted(set(keys)))}
            new = [ranks[key] for key in keys]
            shared = len(ranks) < num and len(ranks) > len(set(colors))
            colors = new
        return colors

    def _color(self, symbol: str) -> int:
        """The color of a symbol (constants begin with @); -1 for one that no compound formula has."""
        number = self._symbols.get(symbol)
        return -1 if number is None else self._colors[number]

    def skeleton(self, premises: Sequence[Formula], goal: Formula) -> str:
        """The fingerprint of an item whose compound premises and goal, up to its negations, are these."""
        literals = [] if self._literals else sorted([self._literal(one) for one in premises if is_literal(one)])
        return _digest((self._base, _bare(goal)[1], literals))

    def _literal(self, formula: Formula) -> Code:
        body, negations = _bare(formula)
        terms = body[1:3] if isinstance(body, Equal) else body[2]
        colors = tuple([self._color(f"@{one}") for one in terms])
        if isinstance(body, Equal):
            colors = tuple(sorted(colors))
            return (negations, body[0], -1, *colors)
        return (negations, body[0], self._color(body[1]), *colors)


def skeleton(premises: Sequence[Formula], goal: Formula) -> str:
    """The fingerprint of an item: 16 hexadecimal digits that renaming and reordering do not change."""
    return Coloring(premises, goal).skeleton(premises, goal)


def outline(premises: Sequence[Formula], goal: Formula) -> str:
    """A coarser fingerprint that twins share, as do all items of one skeleton: the shapes alone.

    Which symbols stand where is not seen, nor are the signs of literal premises and of the goal. Splits that are made by it
    keep twins together and are disjoint by skeleton.
    """
    shapes = sorted([_shape(_bare(one)[0] if is_literal(one) else one) for one in premises])
    return _digest((shapes, _shape(_bare(goal)[0])))


def _bare(formula: Formula) -> tuple[Formula, int]:
    """A formula without its outer negations, and whether their number is odd."""
    negations = 0
    while isinstance(formula, Not):
        formula = formula.body
        negations ^= 1
    return formula, negations


def _symbols_in(code: Code) -> list[int]:
    if isinstance(code, int):
        return [code]
    return [] if isinstance(code, str) else [symbol for one in code for symbol in _symbols_in(one)]


def _colored(code: Code, colors: list[int]) -> Code:
    """A code with colors for symbols, and the operands of symmetric connectives in order."""
    kind = code[0]
    if kind == "atom":
        return (kind, *[("", colors[one]) if isinstance(one, int) else (one, 0) for one in code[1:]])
    if kind == "not" or kind == "implies" or kind == "goal":
        return (kind, *[_colored(one, colors) for one in code[1:]])
    if kind in ("and", "or", "iff"):
        return (kind, *sorted([_colored(one, colors) for one in code[1:]]))
    if kind == "equal":
        return (kind, *sorted([("", colors[one]) if isinstance(one, int) else (one, 0) for one in code[1:]]))
    if kind in ("forall", "exists"):
        return (kind, code[1], _colored(code[2], colors))
    return code


def _shape(formula: Formula) -> Code:
    kind = formula[0]
    if isinstance(formula, (Atom, Equal)):
        return (kind,)
    if kind in ("and", "or"):
        return (kind, *sorted([_shape(one) for one in formula[1]]))
    if kind == "iff":
        return (kind, *sorted([_shape(formula[1]), _shape(formula[2])]))
    if kind == "implies":
        return (kind, _shape(formula[1]), _shape(formula[2]))
    if kind == "not":
        return (kind, _shape(formula[1]))
    if kind in ("forall", "exists"):
        return (kind, f"in {formula[2]}", _shape(formula[3]))
    return (kind,)


def _digest(code: Code) -> str:
    return blake2b(repr(code).encode(), digest_size=8).hexdigest()
