"""The sentences of a formula's shape: made once per shape, then filled with phrases.

A shape is a formula in which every symbol is a number: the place of the symbol in the order of reading. It is a tree of
plain tuples:

    ("atom", symbol, terms)  ("equal", left, right, sort)  ("falsum",)  ("not", body)  ("and", parts)  ("or", parts)
    ("implies", left, right)  ("iff", left, right)  ("forall", variable, sort, body)  ("exists", variable, sort, body)

Terms are numbers (constants) or variables by their canonical names; a sort is the number of its noun.

The grammar that the sentences follow is that of `parsing.py`. Three sets of strings are made for each shape:

- `closed`: clauses to which nothing can be attached that would be read into them ("Rex is a wumpus", "no dax is red").
  Only these may stand beside an infix word ("A if B", "A and B").
- `clauses`: sentences that may stand anywhere. Every shape has some, since each connective and quantifier has a prefix
  form with a fixed number of operands ("both A and B", "if A, then B", "for every person X, A"), which makes nesting
  unambiguous as in Polish notation.
- `sentences`: what may stand alone.

Slots are written `<symbol.form>` until the end.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from custodiet.errors import FormulaError
from custodiet.logic.english.lexicon import A_KIND, EVERY_ONE, KIND
from custodiet.logic.english.predication import IFF, Shape, is_literal, joined_by, literal_texts, slot
from custodiet.logic.english.quantified import (
    every_clauses,
    introduced_literals,
    none_clauses,
    not_every_clauses,
    some_clauses,
)

__all__ = ["MAX_FORMS", "MAX_LEVELS", "MAX_OPERANDS", "Shape", "Template", "number_word", "templates_of"]

MAX_FORMS = 24  # sentences per shape
MAX_OPERANDS = 999
MAX_LEVELS = 140  # connectives and quantifiers below each other

_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


class Template(NamedTuple):
    """A sentence with `%s` for each slot, and the (symbol, form) of each slot."""

    text: str
    slots: tuple[tuple[int, int], ...]


def number_word(count: int) -> str:
    """2 to 12 in words, more in digits."""
    return _WORDS[count - 2] if 2 <= count <= 12 else str(count)


def templates_of(shape: Shape) -> tuple[Template, ...]:
    """The sentences of a shape, at most `MAX_FORMS`, the most natural ones first.

    Raises:
        FormulaError: more levels or operands than a sentence can have.
    """
    if _levels(shape) > MAX_LEVELS:
        raise FormulaError("a formula too deep to be said", expected=f"at most {MAX_LEVELS} levels", got=_levels(shape))
    made = []
    for text in _thin(sentences(shape), MAX_FORMS):
        slots = tuple((int(symbol), int(form)) for symbol, form in re.findall(r"<(\d+)\.(\d+)>", text))
        text = re.sub(r"<\d+\.\d+>", "%s", text) + "."
        made.append(Template(text[0].upper() + text[1:], slots))
    return tuple(made)


def _levels(shape: Shape) -> int:
    """How many connectives and quantifiers stand below each other."""
    deepest, stack = 0, [(shape, 0)]
    while stack:
        (tag, *rest), level = stack.pop()
        deepest = max(deepest, level)
        if tag not in ("atom", "equal", "falsum"):
            below = rest[0] if tag in ("and", "or") else rest[2:] if tag in ("forall", "exists") else rest
            stack.extend((one, level + 1) for one in below)
    return deepest


def _thin(texts: list[str], most: int) -> list[str]:
    """At most so many, spread over the list."""
    return texts if len(texts) <= most else [texts[at * len(texts) // most] for at in range(most)]


def _fill(patterns: list[str], *parts: list[str]) -> list[str]:
    """Every pattern with every part in some combination; not the product, which grows without end.

    Parts take turns with their own step each, so that two parts of the same length are not always at the same place.
    """
    turns = max(map(len, parts))
    if len(parts) > 1 and turns > 1:
        turns += 1
    texts: dict[str, None] = {}
    for turn in range(turns):
        chosen = [one[(turn * (1 + at)) % len(one)] for at, one in enumerate(parts)]
        for pattern in patterns:
            texts[pattern.format(*chosen)] = None
    return _thin(list(texts), MAX_FORMS)


# --- clauses -----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def closed(shape: Shape) -> list[str]:
    """Clauses into which nothing that follows can be read; empty if there is none."""
    tag = shape[0]
    if is_literal(shape):
        return literal_texts(shape)
    if tag == "forall":
        return every_clauses(shape)[0]
    if tag == "exists":
        return some_clauses(shape)[0]
    if tag == "not":
        return not_every_clauses(shape[1]) if shape[1][0] == "forall" else none_clauses(shape[1])[0]
    return ["a contradiction holds", "there is a contradiction"] if tag == "falsum" else []


@lru_cache(maxsize=512)
def clauses(shape: Shape) -> list[str]:
    """Clauses that may stand anywhere; never empty."""
    tag = shape[0]
    texts = closed(shape)
    if tag == "not":
        return texts or _denied(shape[1])
    if tag in ("and", "or"):
        return _joined(shape)
    if tag == "implies":
        return _implied(shape)
    if tag == "iff":
        return _equivalent(shape)
    return texts or _quantified(shape)


def _denied(body: Shape) -> list[str]:
    texts = _fill(["it is not the case that {0}", "it is false that {0}"], clauses(body))
    if body[0] in ("and", "or") and len(body[1]) == 2:
        pattern = "not both {0} and {1}" if body[0] == "and" else "neither {0} nor {1}"
        texts = _fill([pattern], *map(clauses, body[1])) + texts
    return _thin(texts, MAX_FORMS)


def _joined(shape: Shape) -> list[str]:
    """A conjunction or disjunction in its prefix forms, of any clauses."""
    tag, parts = shape
    if len(parts) > MAX_OPERANDS:
        raise FormulaError("a formula too wide to be said", expected=f"at most {MAX_OPERANDS} operands", got=len(parts))
    count = number_word(len(parts))
    listed = "; ".join(f"{{{at}}}" for at in range(len(parts) - 1)) + f"; {tag} {{{len(parts) - 1}}}"
    if tag == "or":
        openings = [f"at least one of these {count} holds: ", f"one or more of these {count} hold: "]
    elif len(parts) == 2:
        openings = ["both of these hold: ", "each of these two holds: "]
    else:
        openings = [f"all {count} of these hold: ", f"each of these {count} holds: "]
    patterns = [f"{one}{listed}" for one in openings]
    if len(parts) == 2:
        short = "both {0} and {1}" if tag == "and" else "either {0} or {1}"
        patterns = [short] if _bare(shape, commas=True) else [short, *patterns]
    return _fill(patterns, *map(clauses, parts))


def _implied(shape: Shape) -> list[str]:
    """A conditional that may stand anywhere."""
    _, left, right = shape
    before = _bare(left, commas=True) or clauses(left)
    before = [one for one in before if not one.startswith("if ")] or before
    texts = _fill(["if {0}, then {1}"], before, clauses(right))
    if _plain(left) and _simple(right):
        texts = texts + _fill(["it holds that {0} only if {1}"], _plain(left), _simple(right))
    return texts


def _equivalent(shape: Shape) -> list[str]:
    """An equivalence that may stand anywhere."""
    _, left, right = shape
    if not _plain(left):
        left, right = right, left
    if _plain(left) and closed(right):
        return _fill([f"it holds that {{0}} {one} {{1}}" for one in IFF], _plain(left), closed(right))
    openings = (
        "these two are equivalent",
        "these two are true or false together",
        "these two have the same truth value",
    )
    return _fill([f"{one}: {{0}}; and {{1}}" for one in openings], clauses(left), clauses(right))


def _plain(shape: Shape) -> list[str]:
    """Clauses that may stand before an infix word: "some dax is red or ..." could go on within the dax's predicate."""
    return closed(shape) if shape[0] == "falsum" or is_literal(shape) else []


def _bare(shape: Shape, *, commas: bool) -> list[str]:
    """Closed clauses joined without brackets, for places that are closed on both sides; empty if there are none.

    Without a comma between them the first one is plain.
    """
    if shape[0] not in ("and", "or"):
        return closed(shape)
    parts = [closed(one) for one in shape[1]]
    if not all(parts) or (len(parts) > 2 and not commas):
        return []
    if len(parts) == 2 and not _plain(shape[1][0]):
        if not _plain(shape[1][1]):
            return []
        parts.reverse()
    return _fill([joined_by([f"{{{at}}}" for at in range(len(parts))], shape[0])], *parts)


def _quantified(shape: Shape) -> list[str]:
    """A quantifier with its variable spelled out."""
    tag, x, sort, body = shape
    if tag == "exists":
        named = f"{slot(sort, KIND)} {x.upper()}"
        patterns = [f"there is {slot(sort, A_KIND)} {x.upper()} such that {{0}}", f"for at least one {named}, {{0}}",
                    f"for some {named}, {{0}}"]  # fmt: skip
        return _fill(patterns, clauses(body))
    prefixes, inner = _prefixes(shape)
    return _fill([f"{one}, {{0}}" for one in prefixes], clauses(inner))


def _prefixes(shape: Shape) -> tuple[list[str], Shape]:
    """As "for every person X and every city Y" for all quantifiers that stand in a row, and what is below them."""
    named: list[tuple[int, str]] = []
    while shape[0] == "forall" and (not named or not closed(shape)):
        named.append((shape[2], shape[1].upper()))
        shape = shape[3]
    joined = [f"{slot(sort, EVERY_ONE)} {x}" for sort, x in named]
    texts = [f"for {joined[0] if len(joined) == 1 else joined_by(joined, 'and')}"]
    texts += [", ".join(f"for {word} {slot(sort, KIND)} {x}" for sort, x in named) for word in ("every", "each")]
    return (texts[1:] if len(named) == 1 else texts), shape


# --- sentences -----------------------------------------------------------------------------------------------------


def sentences(shape: Shape) -> list[str]:
    """Sentences that stand alone, the most natural ones first; never empty."""
    tag = shape[0]
    if tag == "implies":
        texts = _conditional(shape)
    elif tag == "iff":
        texts = _equivalence(shape)
    elif tag in ("and", "or"):
        texts = _junction(shape)
    elif tag == "not":
        texts = closed(shape) + none_clauses(shape[1])[1]
        texts += _denied(shape[1]) if len(texts) < 3 or is_literal(shape) else []
    elif tag in ("forall", "exists"):
        texts = [one for kind in (every_clauses if tag == "forall" else some_clauses)(shape) for one in kind]
        if tag == "forall" and not texts:
            texts = _ruled(shape)
        if len(texts) < 3:
            texts += _quantified(shape)[:3]
    else:
        texts = closed(shape)
    return list(dict.fromkeys(texts)) or clauses(shape)


def _simple(shape: Shape) -> list[str]:
    """Clauses that end a sentence well after an infix word; empty where the reader would lose the thread."""
    if shape[0] == "not" and not closed(shape):
        shape = shape[1]
        return [] if not _simple(shape) else _denied(shape)
    if shape[0] in ("and", "or"):
        return clauses(shape) if all(closed(one) for one in shape[1]) else []
    return closed(shape)


def _conditional(shape: Shape) -> list[str]:
    _, before, after = shape
    texts = [one for one in clauses(shape) if one.startswith("if ")]
    bare = _bare(before, commas=False)
    if bare:
        texts = texts + _fill(["whenever {0}, {1}"], bare, clauses(after))
    if _plain(after) and _simple(before):
        texts = texts + _fill(["{1} if {0}", "{1} whenever {0}"], _simple(before), _plain(after))
    if _plain(before) and _simple(after):
        texts = texts + _fill(["{0} only if {1}"], _plain(before), _simple(after))
    if closed(before) and _simple(after):
        texts = texts + _fill(["that {0} implies that {1}"], closed(before), _simple(after))
    if not bare:
        wide = [one for one in clauses(before) if not one.startswith("if ")] or clauses(before)
        texts = texts + _fill(["whenever {0}, {1}", "in every case in which {0}, {1}"], wide, clauses(after))
    elif not closed(after):
        texts = texts + _fill(["in every case in which {0}, {1}"], bare, clauses(after))
    return _turns(texts)


def _equivalence(shape: Shape) -> list[str]:
    _, left, right = shape
    if not _plain(left) or not _simple(right):
        left, right = right, left
    if not _plain(left) or not _simple(right):
        return clauses(shape)
    return _fill([f"{{0}} {one} {{1}}" for one in IFF], _plain(left), _simple(right))


def _junction(shape: Shape) -> list[str]:
    tag, parts = shape
    texts = clauses(shape)
    if not all(map(closed, parts)):
        return texts
    true = _fill([joined_by([f"it is true that {{{at}}}" for at in range(len(parts))], tag)], *map(closed, parts))
    bare = _bare(shape, commas=True)
    if tag == "and" and len(parts) == 2:
        return _turns(bare + _fill(["{0}, and also {1}"], *map(closed, parts)) + (texts if bare else texts + true))
    if not bare:
        return _turns(texts + true)
    if tag == "or":
        return _turns(
            bare + _fill(["{0}, or both", "either {0}, or both"] if len(parts) == 2 else ["either {0}"], bare) + texts
        )
    return _turns(bare + true + texts)


def _turns(texts: list[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _ruled(shape: Shape) -> list[str]:
    """Universal sentences over named variables: "if a person X likes a person Y, then Y admires X"."""
    prefixes, inner = _prefixes(shape)
    texts = _fill([f"{one}, {{0}}" for one in prefixes[:1]], sentences(inner))
    variables: dict[str, int] = {}
    body = shape
    while body[0] == "forall":
        variables[body[1]] = body[2]
        body = body[3]
    if body[0] != "implies":
        return texts
    parts = body[1][1] if body[1][0] == "and" else (body[1],)
    said = introduced_literals(parts, variables)
    if said is None:
        return texts
    patterns = ["if {0}, then {1}"] + (["whenever {0}, {1}"] if len(parts) < 3 else [])
    before = said[0] if len(parts) == 1 else joined_by(said, "and")
    return _fill(patterns, [before], clauses(body[2])) + texts
