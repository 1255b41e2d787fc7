"""Fingerprints that do not see names and order: of an item (`skeleton`) and of all twins of it (`outline`).

Names of predicates and constants are replaced by colors, refined until they tell apart what can be told apart by how a
symbol is used (color refinement, Weisfeiler and Leman 1968, on formulas instead of graphs). Two items that differ by
renaming, by the order of premises or by the order of operands of `&`, `|`, `<->`, `=` have the same skeleton. The
converse holds but for symbols that refinement cannot tell apart; then two different items may share a skeleton, which
is the safe side when splits are made disjoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from typing import Any

from custodiet.logic.formulas import Atom, Equal, Formula, Not, is_literal, is_variable

__all__ = ["Coloring", "outline", "skeleton"]

_MAX_ROUNDS = 6
_M = (1 << 64) - 1
_A, _B, _C = 0x9E3779B97F4A7C15, 0xD1342543DE82EF95, 0xAF251AF3B0F025B5  # odd, without pattern
_LEAF, _IMPLIES, _MANY, _NOT, _BOUND = range(5)
Code = Any  # nested tuples of strings and integers


def _mix(one: int, other: int) -> int:
    """A number of 64 bits that depends on both, and on which is which."""
    mixed = (one * _A + other * _B + _C) & _M
    mixed = (mixed ^ mixed >> 29) * _B & _M
    return mixed ^ mixed >> 32


@cache
def _named(name: str) -> int:
    """A number for a kind of node or a sort."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")


_SIGNS = (_named("literal"), _named("negated literal"))
_SIDES = (_named("if"), _named("then"))
_PREMISE, _GOAL, _INVERSE, _EQUATED = (_named(one) for one in ("premise", "goal", "not", "equated"))
_CONNECTIVES = {one: _named(one) for one in ("and", "or", "iff")}
_PLACES = [_named(f"place {place}") for place in range(16)]
_VARIABLES = [_named(f"variable {place}") for place in range(16)]
_FALSUM = _named("falsum")


class Coloring:
    """The symbols of compound premises and of a goal, told apart by their use.

    A symbol's color is a number of 64 bits. In each round it takes in where the symbol stands: the way down to it in each
    formula, with the colors of all that stands beside. Sums stand for multisets, so that order is not seen.

    Args:
        premises: of any logic. Literals do not color: they are looked at when everything has its color.
        goal: its outer negations are left for `skeleton`.
        literals: whether literals color like all others; that tells apart constants that only facts mention.
    """

    __slots__ = ("_base", "_colors", "_loose", "_nodes", "_roots", "_symbols")

    def __init__(self, premises: Sequence[Formula], goal: Formula, *, literals: bool = False) -> None:
        self._symbols: dict[str, int] = {}
        self._nodes: list[tuple[int, int, Any]] = []  # kind, a number that is its own, parts; parts stand before wholes
        self._roots = [(self._node(one, {}), _PREMISE) for one in premises if literals or not is_literal(one)]
        self._roots.append((self._node(_bare(goal)[0], {}), _GOAL))
        self._colors = [1] * len(self._symbols)
        self._base = self._refine()
        self._loose = 0 if literals else sum([self._value(one, {}) for one in premises if is_literal(one)])

    def _number(self, symbol: str) -> int:
        return self._symbols.setdefault(symbol, len(self._symbols))

    def _node(self, formula: Formula, bound: dict[str, int]) -> int:
        """Note the formula and all below it; its number."""
        kind = formula[0]
        node: tuple[int, int, Any]
        if kind == "atom":
            node = self._leaf(formula, 0, bound)
        elif kind == "not":
            body = formula[1]
            inside = body[0]
            if inside == "atom" or inside == "equal":
                node = self._leaf(body, 1, bound)
            else:
                node = (_NOT, _INVERSE, self._node(body, bound))
        elif kind == "implies":
            node = (_IMPLIES, 0, (self._node(formula[1], bound), self._node(formula[2], bound)))
        elif kind in ("and", "or"):
            node = (_MANY, _CONNECTIVES[kind], [self._node(one, bound) for one in formula[1]])
        elif kind == "iff":
            node = (_MANY, _CONNECTIVES[kind], [self._node(formula[1], bound), self._node(formula[2], bound)])
        elif kind == "equal":
            node = self._leaf(formula, 0, bound)
        elif kind in ("forall", "exists"):
            inner = self._node(formula[3], {**bound, formula[1]: len(bound)})
            node = (_BOUND, _named(f"{kind} in {formula[2]}"), inner)
        else:
            node = (_MANY, _FALSUM, [])
        self._nodes.append(node)
        return len(self._nodes) - 1

    def _leaf(self, formula: Formula, sign: int, bound: dict[str, int]) -> tuple[int, int, Any]:
        """A literal: its sign, the number of its predicate (-1 for equality), its terms (variables: -1, -2, ...)."""
        equal = formula[0] == "equal"
        terms = formula[1:3] if equal else formula[2]
        numbers = tuple([-1 - bound[one] if is_variable(one) else self._number(f"@{one}") for one in terms])
        return (_LEAF, _SIGNS[sign], (-1 if equal else self._number(formula[1]), numbers))

    def _term(self, number: int) -> int:
        return self._colors[number] if number >= 0 else _VARIABLES[-1 - number]

    def _refine(self) -> int:
        """Color until no round tells more symbols apart; a number for all formulas, whatever their order."""
        num_colors = 0
        values: list[int] = []
        for _ in range(_MAX_ROUNDS):
            values = self._values()
            seen = self._seen(values)
            self._colors = [_mix(color, at) for color, at in zip(self._colors, seen, strict=True)]
            distinct = len(set(self._colors))
            if distinct in (num_colors, len(self._colors)):
                break
            num_colors = distinct
        total = sum([_mix(values[root], tag) for root, tag in self._roots])
        return _mix(total & _M, sum([_mix(color, color) for color in self._colors]) & _M)

    def _values(self) -> list[int]:
        """A number for each node: what stands there, with colors for symbols."""
        values: list[int] = []
        colors = self._colors
        for kind, own, parts in self._nodes:
            if kind == _LEAF:
                predicate, terms = parts
                value = _mix(own, colors[predicate]) if predicate >= 0 else own
                if terms:
                    value = _mix(value, _joined([self._term(one) for one in terms], predicate < 0))
            elif kind == _IMPLIES:
                value = _mix(values[parts[0]], values[parts[1]])
            elif kind == _MANY:
                value = _mix(own, sum([_mix(values[one], own) for one in parts]) & _M)
            else:
                value = _mix(own, values[parts])
            values.append(value)
        return values

    def _seen(self, values: list[int]) -> list[int]:
        """For each symbol a number for all the places where it stands."""
        nodes = self._nodes
        ways = [0] * len(nodes)  # down to each node
        for root, tag in self._roots:
            ways[root] = tag
        seen = [0] * len(self._colors)
        for place in range(len(nodes) - 1, -1, -1):
            kind, own, parts = nodes[place]
            way = ways[place]
            if kind == _LEAF:
                predicate, terms = parts
                here = _mix(way, values[place]) if terms else _mix(way, own)
                if predicate >= 0:
                    seen[predicate] += here
                for at, term in enumerate(terms):
                    if term >= 0:
                        seen[term] += _mix(here, _PLACES[at] if predicate >= 0 else _EQUATED)
            elif kind == _IMPLIES:
                left, right = parts
                ways[left] = _mix(_mix(way, _SIDES[0]), values[right])
                ways[right] = _mix(_mix(way, _SIDES[1]), values[left])
            elif kind == _MANY:
                inside = [_mix(values[one], own) for one in parts]
                total = sum(inside)
                way = _mix(way, own)
                for one, value in zip(parts, inside, strict=True):
                    ways[one] = _mix(way, total - value & _M)
            else:
                ways[parts] = _mix(way, own)
        return [one & _M for one in seen]

    def skeleton(self, goal: Formula, others: Sequence[Formula] = ()) -> str:
        """The fingerprint of an item.

        Args:
            goal: the one that was colored, or its negation.
            others: further premises, which do not color.
        """
        loose = self._loose + sum([self._value(one, {}) for one in others])
        return f"{_mix(_mix(self._base, _SIGNS[_bare(goal)[1]]), loose & _M):016x}"

    def _value(self, formula: Formula, bound: dict[str, int]) -> int:
        """A number for a formula, 0 standing for symbols without a color."""
        kind = formula[0]
        if kind == "not":
            body = formula[1]
            if body[0] == "atom" or body[0] == "equal":
                return self._literal(body, 1, bound)
            return _mix(_INVERSE, self._value(body, bound))
        if kind == "atom" or kind == "equal":
            return self._literal(formula, 0, bound)
        if kind == "implies":
            return _mix(self._value(formula[1], bound), self._value(formula[2], bound))
        if kind in ("and", "or", "iff"):
            own = _CONNECTIVES[kind]
            parts = formula[1:] if kind == "iff" else formula[1]
            return _mix(own, sum([_mix(self._value(one, bound), own) for one in parts]) & _M)
        if kind in ("forall", "exists"):
            return _mix(_named(f"{kind} in {formula[2]}"), self._value(formula[3], {**bound, formula[1]: len(bound)}))
        return _mix(_FALSUM, 0)  # a connective without parts

    def _literal(self, body: Formula, sign: int, bound: dict[str, int]) -> int:
        equal = body[0] == "equal"
        terms = body[1:3] if equal else body[2]
        value = _SIGNS[sign] if equal else _mix(_SIGNS[sign], self._color(body[1]))
        if not terms:
            return value
        colors = [_VARIABLES[bound[one]] if one in bound else self._color(f"@{one}") for one in terms]
        return _mix(value, _joined(colors, equal))

    def _color(self, symbol: str) -> int:
        """The color of a symbol (constants begin with @); 0 for one that no compound formula has."""
        number = self._symbols.get(symbol)
        return 0 if number is None else self._colors[number]


def _joined(colors: list[int], equal: bool) -> int:
    """A number for the terms of a predicate, or for the two of an equality, in whichever order."""
    if equal:
        return sum([_mix(one, _EQUATED) for one in colors]) & _M
    total = 0
    for one in colors:
        total = _mix(total, one)
    return total


def skeleton(premises: Sequence[Formula], goal: Formula) -> str:
    """The fingerprint of an item: 16 hexadecimal digits that renaming and reordering do not change."""
    return Coloring(premises, goal).skeleton(goal)


def outline(premises: Sequence[Formula], goal: Formula | None = None) -> str:
    """A coarser fingerprint that twins share, as do all items of one skeleton: the shapes alone.

    Which symbols stand where is not seen, nor are the signs of literal premises and of the goal. Splits that are made by it
    keep twins together and are disjoint by skeleton; without a goal, also those that share the premises.
    """
    shapes = sorted([_shape(_bare(one)[0] if is_literal(one) else one) for one in premises])
    return _digest((shapes, None if goal is None else _shape(_bare(goal)[0])))


def _bare(formula: Formula) -> tuple[Formula, int]:
    """A formula without its outer negations, and whether their number is odd."""
    negations = 0
    while isinstance(formula, Not):
        formula = formula.body
        negations ^= 1
    return formula, negations


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
