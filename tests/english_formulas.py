"""Formulas of each fragment for the tests of the controlled English: all small ones, and random large ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

from hypothesis import strategies as st

from custodiet.logic.english.signature import Signature
from custodiet.logic.formulas import (
    FALSUM,
    And,
    Atom,
    Equal,
    Exists,
    ForAll,
    Formula,
    Iff,
    Implies,
    Not,
    Or,
)

PROPOSITIONAL = Signature.make(dict.fromkeys("pqrs", ()))
MONADIC = Signature.make({"P": ("",), "Q": ("",), "R": ("",), "S": ("",)}, {"a": "", "b": "", "c": ""})
RELATIONAL = Signature.make(
    {
        "P": ("person",), "Q": ("person",), "C": ("city",), "D": ("city",), "L": ("person", "person"),
        "V": ("person", "city"), "N": ("city", "city"), "T": ("person", "person", "city"), "p": (),
    },
    {"a": "person", "b": "person", "c": "city", "d": "city"},
)  # fmt: skip
UNSORTED = Signature.make(
    {"P": ("",), "Q": ("",), "L": ("", ""), "M": ("", ""), "T": ("", "", "")}, {"a": "", "b": "", "c": ""}
)
SIGNATURES = {
    "propositional": PROPOSITIONAL, "monadic": MONADIC, "relational": RELATIONAL, "unsorted": UNSORTED,
}  # fmt: skip


def compounds(smaller: Callable[[int], list[Formula]], size: int) -> Iterator[Formula]:
    """Formulas with `size` connectives over `smaller(k)`, those with k; operands of three only at the smallest sizes."""
    for one in smaller(size - 1):
        yield Not(one)
    for left in range(size):
        for first, second in product(smaller(left), smaller(size - 1 - left)):
            yield And(first, second)
            yield Or(first, second)
            yield Implies(first, second)
            yield Iff(first, second)
    if size == 1:
        for parts in product(smaller(0), repeat=3):
            yield And(*parts)
            yield Or(*parts)


def all_formulas(leaves: list[Formula], most: int) -> list[Formula]:
    """Every formula with at most so many connectives over some leaves."""
    by_size: list[list[Formula]] = [list(leaves)]
    for size in range(1, most + 1):
        by_size.append(list(dict.fromkeys(compounds(lambda at: by_size[at], size))))
    return [one for layer in by_size for one in layer]


def all_quantified(bodies: list[Formula], variable: str, sort: str) -> list[Formula]:
    """Every body below each quantifier."""
    return [made(variable, body, sort) for body in bodies for made in (ForAll, Exists)]


@st.composite
def formulas(draw: st.DrawFn, signature: Signature, depth: int = 4, scope: tuple[tuple[str, str], ...] = ()) -> Formula:
    """A random closed formula over a signature, quantifiers nested as they come."""
    sorts = [one for one in signature.sorts if any(sort == one for sort in signature.constants.values())]
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return draw(literals(signature, scope))
    kind = draw(st.sampled_from(["not", "and", "or", "implies", "iff", *(["forall", "exists"] * 2 if sorts else [])]))
    if kind in ("forall", "exists"):
        variable, sort = f"{draw(st.sampled_from('uvwxyz'))}{len(scope)}", draw(st.sampled_from(sorts))
        body = draw(formulas(signature, depth - 1, (*scope, (variable, sort))))
        return (ForAll if kind == "forall" else Exists)(variable, body, sort)
    parts = [draw(formulas(signature, depth - 1, scope)) for _ in range(1 if kind == "not" else 2)]
    if kind == "not":
        return Not(parts[0])
    if kind in ("implies", "iff"):
        return (Implies if kind == "implies" else Iff)(*parts)
    extra = draw(st.lists(literals(signature, scope), max_size=3))
    return (And if kind == "and" else Or)(*parts, *extra)


@st.composite
def literals(draw: st.DrawFn, signature: Signature, scope: tuple[tuple[str, str], ...]) -> Formula:
    """A random literal over a signature and the variables in scope; seldom `false`."""
    terms: dict[str, list[str]] = {}
    for name, sort in (*signature.constants.items(), *scope):
        terms.setdefault(sort, []).append(name)
    which = draw(st.integers(0, 9))
    if which == 0:
        return FALSUM
    if which == 1 and terms:
        names = terms[draw(st.sampled_from(sorted(terms)))]
        atom: Formula = Equal(draw(st.sampled_from(names)), draw(st.sampled_from(names)))
    else:
        predicate = draw(st.sampled_from(sorted(signature.predicates)))
        args = [draw(st.sampled_from(terms[sort])) for sort in signature.predicates[predicate]]
        atom = Atom(predicate, tuple(args))
    return Not(atom) if draw(st.booleans()) else atom
