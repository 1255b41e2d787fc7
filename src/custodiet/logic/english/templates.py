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
from custodiet.logic.english.lexicon import (
    A_KIND,
    A_KIND_WHO,
    A_NOUN,
    A_NOUN_WHO,
    ANY_WHO,
    ARE,
    BY,
    DENIED,
    EACH,
    EVERY,
    EVERY_ONE,
    EVERY_WHO,
    IT,
    KIND,
    KIND_WHO,
    KINDS,
    NONE,
    NONE_WHO,
    NOT_BY,
    NOT_SAME,
    NOUN,
    NOUN_WHO,
    NOUNS,
    SAID,
    SAME,
    SOME,
    SOME_WHO,
    TO,
)

__all__ = ["MAX_FORMS", "MAX_OPERANDS", "Shape", "Template", "number_word", "templates_of"]

MAX_FORMS = 24  # sentences per shape
MAX_OPERANDS = 999

Shape = tuple
_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_IFF = ("if and only if", "exactly when", "just in case")


class Template(NamedTuple):
    """A sentence with `%s` for each slot, and the (symbol, form) of each slot."""

    text: str
    slots: tuple[tuple[int, int], ...]


def number_word(count: int) -> str:
    """2 to 12 in words, more in digits."""
    return _WORDS[count - 2] if 2 <= count <= 12 else str(count)


def templates_of(shape: Shape) -> tuple[Template, ...]:
    """The sentences of a shape, at most `MAX_FORMS`, the most natural ones first."""
    made = []
    for text in _thin(sentences(shape), MAX_FORMS):
        slots = tuple((int(symbol), int(form)) for symbol, form in re.findall(r"<(\d+)\.(\d+)>", text))
        text = re.sub(r"<\d+\.\d+>", "%s", text) + "."
        made.append(Template(text[0].upper() + text[1:], slots))
    return tuple(made)


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


def _slot(symbol: int, form: int) -> str:
    return f"<{symbol}.{form}>"


def _term(term: int | str) -> str:
    return term.upper() if isinstance(term, str) else _slot(term, 0)


def _listed(texts: list[str], word: str) -> str:
    """As in "a and b" or "a, b, and c"."""
    return f"{texts[0]} {word} {texts[1]}" if len(texts) == 2 else f"{', '.join(texts[:-1])}, {word} {texts[-1]}"


# --- what is said of one individual ------------------------------------------------------------------------------


def _split(shape: Shape) -> tuple[bool, Shape]:
    """Whether it is not negated, and what is below the negation."""
    return (False, shape[1]) if shape[0] == "not" else (True, shape)


def _is_literal(shape: Shape) -> bool:
    return _split(shape)[1][0] in ("atom", "equal")


def _said(shape: Shape, x: int | str) -> str | None:
    """A literal as a predicate of the term x: "is a wumpus", "likes Rex", "is not liked by Rex", "is not Rex"."""
    positive, atom = _split(shape)
    if atom[0] == "equal":
        _, left, right, _ = atom
        other = right if left == x else left
        if x not in (left, right) or other == x:
            return None
        return f"is{'' if positive else ' not'} {_term(other)}"
    if atom[0] != "atom":
        return None
    _, symbol, terms = atom
    if terms.count(x) != 1:
        return None
    if len(terms) == 1:
        return _slot(symbol, SAID if positive else DENIED)
    if terms[0] == x:
        said = f"{_slot(symbol, SAID if positive else DENIED)} {_term(terms[1])}"
        return said if len(terms) == 2 else f"{said} {_slot(symbol, TO)} {_term(terms[2])}"
    return f"{_slot(symbol, BY if positive else NOT_BY)} {_term(terms[0])}" if len(terms) == 2 else None


def _said_plural(shape: Shape, x: str) -> str | None:
    noun = _noun_of(shape, x)
    return None if noun is None else _slot(noun, ARE)


def _said_group(shape: Shape, x: str) -> str | None:
    """A literal, or two in brackets: "both is red and likes Rex", "either is red or likes Rex"."""
    if shape[0] in ("and", "or") and len(shape[1]) == 2:
        first, second = (_said(one, x) for one in shape[1])
        if first is None or second is None:
            return None
        return f"both {first} and {second}" if shape[0] == "and" else f"either {first} or {second}"
    return _said(shape, x)


def _said_list(shape: Shape, x: str) -> str | None:
    """Literals as in a relative clause: "is red", "is red and likes Rex", "is red, is not big, or likes Rex"."""
    if shape[0] not in ("and", "or"):
        return _said(shape, x)
    texts = [_said(one, x) for one in shape[1]]
    return None if None in texts else _listed([one for one in texts if one is not None], shape[0])


def _noun_of(shape: Shape, x: str) -> int | None:
    """The predicate that a shape says of x, if it says that and no more."""
    return shape[1] if shape[0] == "atom" and shape[2] == (x,) else None


def _noun_first(parts: tuple[Shape, ...], x: str) -> tuple[int | None, list[Shape]]:
    """The first predicate among the parts that can be a noun, and the other parts."""
    for at, one in enumerate(parts):
        noun = _noun_of(one, x)
        if noun is not None:
            return noun, [*parts[:at], *parts[at + 1 :]]
    return None, list(parts)


# --- clauses -----------------------------------------------------------------------------------------------------


def _literal(shape: Shape) -> list[str]:
    """A literal without "it is not the case"."""
    positive, atom = _split(shape)
    if atom[0] == "equal":
        _, left, right, sort = atom
        neg = "" if positive else " not"
        same = _slot(sort, SAME if positive else NOT_SAME)
        return [f"{_term(left)} is{neg} {_term(right)}", f"{_term(left)} {same} {_term(right)}",
                f"{_term(left)} is{neg} identical to {_term(right)}"]  # fmt: skip
    _, symbol, terms = atom
    said = _slot(symbol, SAID if positive else DENIED)
    if not terms:
        return [said]
    if len(terms) == 1:
        return [f"{_term(terms[0])} {said}"]
    text = f"{_term(terms[0])} {said} {_term(terms[1])}"
    if len(terms) == 2:
        return [text, f"{_term(terms[1])} {_slot(symbol, BY if positive else NOT_BY)} {_term(terms[0])}"]
    return [f"{text} {_slot(symbol, TO)} {_term(terms[2])}"]


@lru_cache(maxsize=512)
def closed(shape: Shape) -> list[str]:
    """Clauses into which nothing that follows can be read; empty if there is none."""
    tag = shape[0]
    if _is_literal(shape):
        return _literal(shape)
    if tag == "forall":
        return _every(shape)[0]
    if tag == "exists":
        return _some(shape)[0]
    if tag == "not":
        return _not_every(shape[1]) if shape[1][0] == "forall" else _none(shape[1])[0]
    return ["a contradiction holds", "there is a contradiction"] if tag == "falsum" else []


@lru_cache(maxsize=512)
def clauses(shape: Shape) -> list[str]:
    """Clauses that may stand anywhere; never empty."""
    tag = shape[0]
    texts = closed(shape)
    if tag == "not":
        return texts + _denied(shape[1])
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
        openings = ["both of these hold: "]
    else:
        openings = [f"all {count} of these hold: ", f"each of these {count} holds: "]
    patterns = [f"{one}{listed}" for one in openings]
    if len(parts) == 2:
        patterns = [
            "both {0} and {1}" if tag == "and" else "either {0} or {1}",
            *(patterns[:1] if _deep(shape) else []),
        ]
    return _fill(patterns, *map(clauses, parts))


def _deep(shape: Shape) -> bool:
    """Whether an operand is more than a closed clause."""
    return not all(map(closed, shape[1]))


def _implied(shape: Shape) -> list[str]:
    """A conditional that may stand anywhere."""
    _, left, right = shape
    before = _bare(left, commas=True) or clauses(left)
    before = [one for one in before if not one.startswith("if ")] or before
    texts = _fill(["if {0}, then {1}"], before, clauses(right))
    if closed(left) and _simple(right):
        texts = texts + _fill(["it holds that {0} only if {1}"], closed(left), _simple(right))
    return texts


def _equivalent(shape: Shape) -> list[str]:
    """An equivalence that may stand anywhere."""
    _, left, right = shape
    if closed(left) and closed(right):
        return _fill([f"it holds that {{0}} {one} {{1}}" for one in _IFF], closed(left), closed(right))
    openings = ("these two are equivalent", "these two are true or false together", "these two agree")
    return _fill([f"{one}: {{0}}; and {{1}}" for one in openings], clauses(left), clauses(right))


def _bare(shape: Shape, *, commas: bool) -> list[str]:
    """Closed clauses joined without brackets, for places that are closed on both sides; empty if there are none."""
    if shape[0] not in ("and", "or"):
        return closed(shape)
    parts = [closed(one) for one in shape[1]]
    if not all(parts) or (len(parts) > 2 and not commas):
        return []
    return _fill([_listed([f"{{{at}}}" for at in range(len(parts))], shape[0])], *parts)


def _quantified(shape: Shape) -> list[str]:
    """A quantifier with its variable spelled out."""
    tag, x, sort, body = shape
    if tag == "exists":
        named = f"{_slot(sort, KIND)} {x.upper()}"
        patterns = [f"there is {_slot(sort, A_KIND)} {x.upper()} such that {{0}}", f"for at least one {named}, {{0}}",
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
    joined = [f"{_slot(sort, EVERY_ONE)} {x}" for sort, x in named]
    texts = [f"for {joined[0] if len(joined) == 1 else _listed(joined, 'and')}"]
    texts += [", ".join(f"for {word} {_slot(sort, KIND)} {x}" for sort, x in named) for word in ("every", "each")]
    return (texts[1:] if len(named) == 1 else texts), shape


# --- quantified clauses without a spelled variable -----------------------------------------------------------------


def _every(shape: Shape) -> tuple[list[str], list[str]]:
    """Universal clauses: closed ones, and those that only stand alone."""
    _, x, sort, body = shape
    if body[0] == "implies":
        return _every_such(x, sort, body[1], body[2])
    if body[0] == "iff":
        first, second = (_said(one, x) for one in body[1:])
        if first is None or second is None:
            return [], []
        return [], [f"{_slot(sort, A_KIND)} {first} {word} {_slot(sort, IT)} {second}" for word in _IFF]
    said = _said_group(body, x)
    if said is None:
        return [], []
    if body[0] == "not":  # "everyone is not kind" would have two readings
        denied = _said(body[1], x)
        return [f"{_slot(sort, NONE)} {denied}", f"not one {_slot(sort, KIND)} {denied}"], []
    texts = [f"{_slot(sort, EVERY)} {said}", f"{_slot(sort, EACH)} {said}"]
    many = _said_plural(body, x)
    if many is not None:
        texts.append(f"all {_slot(sort, KINDS)} {many}")
    return texts, []


def _every_such(x: str, sort: int, such: Shape, then: Shape) -> tuple[list[str], list[str]]:
    """`forall x: such -> then`."""
    which, said = _said_list(such, x), _said_group(then, x)
    if which is None or said is None:
        return [], []
    heads = []  # what the sentence is about, without its determiner
    noun = _noun_of(such, x)
    if noun is not None:
        heads.append(_slot(noun, NOUN))
    elif such[0] == "and" and len(such[1]) == 2:
        head, others = _noun_first(such[1], x)
        if head is not None:
            heads.append(f"{_slot(head, NOUN_WHO)} {_said(others[0], x)}")
    if then[0] == "not":  # "every dax is not red" would have two readings
        denied = _said(then[1], x)
        texts = [f"{word} {one} {denied}" for one in heads for word in ("no", "not one")]
        texts += [f"{_slot(sort, NONE_WHO)} {which} {denied}", f"not one {_slot(sort, KIND_WHO)} {which} {denied}"]
        stand_alone = []
    else:
        texts = [f"{word} {one} {said}" for one in heads for word in ("every", "each")]
        many = _said_plural(then, x)
        if noun is not None and many is not None:
            texts.append(f"all {_slot(noun, NOUNS)} {many}")
        texts.append(f"{_slot(sort, EVERY_WHO)} {which} {said}")
        stand_alone = [f"any {_slot(noun, NOUN)} {said}"] if noun is not None else []
    stand_alone += [
        f"{_slot(sort, ANY_WHO)} {which} {said}",
        f"if {_slot(sort, SOME)} {which}, then {_slot(sort, IT)} {said}",
    ]
    if such[0] not in ("and", "or") or len(such[1]) == 2:
        stand_alone.append(f"whenever {_slot(sort, SOME)} {which}, {_slot(sort, IT)} {said}")
    return texts, stand_alone


def _some(shape: Shape) -> tuple[list[str], list[str]]:
    """Existential clauses: closed ones, and those that only stand alone."""
    _, x, sort, body = shape
    if body[0] == "and":
        return _some_such(x, sort, body[1])
    said = _said_group(body, x)
    if said is None:
        return [], []
    texts = [f"at least one {_slot(sort, KIND)} {said}"]
    if _is_literal(body):
        texts.append(f"there is {_slot(sort, A_KIND_WHO)} {said}")
    noun = _noun_of(body, x)
    if noun is not None:
        texts.append(f"there is {_slot(noun, A_NOUN)}")
    return texts, [f"{_slot(sort, SOME)} {said}"]


def _some_such(x: str, sort: int, parts: tuple[Shape, ...]) -> tuple[list[str], list[str]]:
    """`exists x: part & part ...`."""
    which = _said_list(("and", parts), x)
    if which is None:
        return [], []
    texts = []
    if len(parts) == 2:
        noun, others = _noun_first(parts, x)
        if noun is not None:
            said = _said(others[0], x)
            texts += [f"some {_slot(noun, NOUN)} {said}", f"there is {_slot(noun, A_NOUN_WHO)} {said}",
                      f"at least one {_slot(noun, NOUN)} {said}"]  # fmt: skip
        else:
            first, second = (_said(one, x) for one in parts)
            texts += [f"{_slot(sort, SOME_WHO)} {first} {second}",
                      f"at least one {_slot(sort, KIND_WHO)} {first} {second}"]  # fmt: skip
    stand_alone = [f"there is {_slot(sort, A_KIND_WHO)} {which}"]
    if len(parts) > 2:
        stand_alone += [f"{_slot(sort, SOME)} {which}", f"at least one {_slot(sort, KIND)} {which}"]
    return texts, stand_alone


def _not_every(shape: Shape) -> list[str]:
    """`~forall x: ...`, of something that is not denied: "not everyone is not kind" would puzzle people."""
    _, x, sort, body = shape
    if (body[2] if body[0] == "implies" else body)[0] == "not":
        return []
    if body[0] == "implies":
        which, said = _said_list(body[1], x), _said(body[2], x)
        if which is None or said is None:
            return []
        texts = [f"not {_slot(sort, EVERY_WHO)} {which} {said}"]
        noun, many = _noun_of(body[1], x), _said_plural(body[2], x)
        if noun is not None:
            texts.insert(0, f"not every {_slot(noun, NOUN)} {said}")
            if many is not None:
                texts.append(f"not all {_slot(noun, NOUNS)} {many}")
        return texts
    said, many = _said(body, x), _said_plural(body, x)
    if said is None:
        return []
    return [f"not {_slot(sort, EVERY)} {said}", *([f"not all {_slot(sort, KINDS)} {many}"] if many else [])]


def _none(shape: Shape) -> tuple[list[str], list[str]]:
    """`~exists x: ...`."""
    if shape[0] != "exists":
        return [], []
    _, x, sort, body = shape
    which = _said_list(body, x)
    if which is None or body[0] == "or":
        return [], []
    if body[0] != "and":
        noun = _noun_of(body, x)
        texts = [f"there is no {_slot(sort, KIND_WHO)} {which}"]
        return ([f"there is no {_slot(noun, NOUN)}", *texts] if noun is not None else texts), []
    noun, others = _noun_first(body[1], x)
    texts = []
    if noun is not None and len(others) == 1:
        texts.append(f"there is no {_slot(noun, NOUN_WHO)} {_said(others[0], x)}")
    return texts, [f"there is no {_slot(sort, KIND_WHO)} {which}"]


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
        texts = closed(shape) + _none(shape[1])[1]
        texts += _denied(shape[1]) if len(texts) < 3 or _is_literal(shape) else []
    elif tag in ("forall", "exists"):
        texts = [one for kind in (_every if tag == "forall" else _some)(shape) for one in kind]
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
    if closed(after) and _simple(before):
        texts = texts + _fill(["{1} if {0}", "{1} whenever {0}"], _simple(before), closed(after))
    if closed(before) and _simple(after):
        texts = texts + _fill(["{0} only if {1}", "that {0} implies that {1}"], closed(before), _simple(after))
    if not bare:
        wide = [one for one in clauses(before) if not one.startswith("if ")] or clauses(before)
        texts = texts + _fill(["whenever {0}, {1}", "in every case in which {0}, {1}"], wide, clauses(after))
    elif not closed(after):
        texts = texts + _fill(["in every case in which {0}, {1}"], bare, clauses(after))
    return _turns(texts)


def _equivalence(shape: Shape) -> list[str]:
    _, left, right = shape
    if not closed(left) or not _simple(right):
        left, right = right, left
    if not closed(left) or not _simple(right):
        return clauses(shape)
    return _fill([f"{{0}} {one} {{1}}" for one in _IFF], closed(left), _simple(right))


def _junction(shape: Shape) -> list[str]:
    tag, parts = shape
    texts = clauses(shape)
    true = _listed([f"it is true that {{{at}}}" for at in range(len(parts))], tag)
    if _deep(shape):
        return texts + _fill([true], *map(clauses, parts))
    bare = _bare(shape, commas=True)
    if tag == "or":
        bare = bare + _fill(["{0}, or both", "either {0}, or both"] if len(parts) == 2 else ["either {0}"], bare)
    elif len(parts) == 2:
        bare = bare + _fill(["{0}, and also {1}"], *map(closed, parts))
    else:
        bare = bare + _fill([true], *map(closed, parts))
    return _turns(bare + texts)


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
    said = _introduced(parts, variables)
    if said is None:
        return texts
    patterns = ["if {0}, then {1}"] + (["whenever {0}, {1}"] if len(parts) < 3 else [])
    before = said[0] if len(parts) == 1 else _listed(said, "and")
    return _fill(patterns, [before], clauses(body[2])) + texts


def _introduced(parts: tuple[Shape, ...], variables: dict[str, int]) -> list[str] | None:
    """The literals, with each variable introduced where it is first named; None unless that is in their order."""
    waiting = list(variables)
    said: list[str] = []

    def name(term: int | str) -> str:
        if isinstance(term, str) and term in waiting:
            if term != waiting[0] or not positive:
                raise LookupError
            waiting.pop(0)
            return f"{_slot(variables[term], A_KIND)} {term.upper()}"
        return _term(term)

    for part in sorted(parts, key=lambda one: one[0] == "not"):  # what is denied comes after what is said
        positive, atom = _split(part)
        if atom[0] not in ("atom", "equal"):
            return None
        try:
            if atom[0] == "equal":
                if any(term in waiting for term in atom[1:3]):
                    return None
                said.append(_literal(part)[0])
                continue
            _, symbol, terms = atom
            form = SAID if positive else DENIED
            if len(terms) == 2 and terms[0] in waiting[1:] and terms[1] == waiting[0]:
                by = _slot(symbol, BY if positive else NOT_BY)
                said.append(f"{name(terms[1])} {by} {name(terms[0])}")
            elif not terms:
                said.append(_slot(symbol, form))
            else:
                text = f"{name(terms[0])} {_slot(symbol, form)}"
                text += f" {name(terms[1])}" if len(terms) > 1 else ""
                said.append(text + (f" {_slot(symbol, TO)} {name(terms[2])}" if len(terms) > 2 else ""))
        except LookupError:
            return None
    return None if waiting else said
