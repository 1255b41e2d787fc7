"""What is said of one individual: literals as clauses, as predicates, and as parts of noun phrases.

A shape is described in `templates.py`. Slots are written `<symbol.form>` until a template is made.
"""

from __future__ import annotations

from custodiet.logic.english.lexicon import ARE, BY, DENIED, NOT_BY, NOT_SAME, SAID, SAME, TO

__all__ = [
    "IFF", "Shape", "grouped_predicate", "is_literal", "joined_by", "literal_texts", "noun_first", "noun_of", "plural_predicate",
    "predicate_of", "relative_clause", "signed", "slot", "term_text",
]  # fmt: skip

Shape = tuple
IFF = ("if and only if", "exactly when", "precisely if")


def slot(symbol: int, form: int) -> str:
    """The place of a phrase: of which symbol, and in which form."""
    return f"<{symbol}.{form}>"


def term_text(term: int | str) -> str:
    """A constant's slot, or a variable as it is written: X."""
    return term.upper() if isinstance(term, str) else slot(term, 0)


def joined_by(texts: list[str], word: str) -> str:
    """As in "a and b" or "a, b, and c"."""
    return f"{texts[0]} {word} {texts[1]}" if len(texts) == 2 else f"{', '.join(texts[:-1])}, {word} {texts[-1]}"


def signed(shape: Shape) -> tuple[bool, Shape]:
    """Whether it is not negated, and what is below the negation."""
    return (False, shape[1]) if shape[0] == "not" else (True, shape)


def is_literal(shape: Shape) -> bool:
    """Whether it is an atom or an equality, or the negation of one."""
    return signed(shape)[1][0] in ("atom", "equal")


def predicate_of(shape: Shape, x: int | str) -> str | None:
    """A literal as a predicate of the term x: "is a wumpus", "likes Rex", "is not liked by Rex", "is not Rex"."""
    positive, atom = signed(shape)
    if atom[0] == "equal":
        _, left, right, _ = atom
        other = right if left == x else left
        if x not in (left, right) or other == x:
            return None
        return f"is{'' if positive else ' not'} {term_text(other)}"
    if atom[0] != "atom":
        return None
    _, symbol, terms = atom
    if terms.count(x) != 1:
        return None
    if len(terms) == 1:
        return slot(symbol, SAID if positive else DENIED)
    if terms[0] == x:
        said = f"{slot(symbol, SAID if positive else DENIED)} {term_text(terms[1])}"
        return said if len(terms) == 2 else f"{said} {slot(symbol, TO)} {term_text(terms[2])}"
    return f"{slot(symbol, BY if positive else NOT_BY)} {term_text(terms[0])}" if len(terms) == 2 else None


def plural_predicate(shape: Shape, x: str) -> str | None:
    """What is said of all x in the plural, for a predicate of one argument that is not negated."""
    noun = noun_of(shape, x)
    return None if noun is None else slot(noun, ARE)


def grouped_predicate(shape: Shape, x: str) -> str | None:
    """A literal, or two in brackets: "both is red and likes Rex", "either is red or likes Rex"."""
    if shape[0] in ("and", "or") and len(shape[1]) == 2:
        first, second = (predicate_of(one, x) for one in shape[1])
        if first is None or second is None:
            return None
        return f"both {first} and {second}" if shape[0] == "and" else f"either {first} or {second}"
    return predicate_of(shape, x)


def relative_clause(shape: Shape, x: str) -> str | None:
    """Literals as in a relative clause: "is red", "is red and likes Rex", "is red, is not big, or likes Rex"."""
    if shape[0] not in ("and", "or"):
        return predicate_of(shape, x)
    texts = [predicate_of(one, x) for one in shape[1]]
    return None if None in texts else joined_by([one for one in texts if one is not None], shape[0])


def noun_of(shape: Shape, x: str) -> int | None:
    """The predicate that a shape says of x, if it says that and no more."""
    return shape[1] if shape[0] == "atom" and shape[2] == (x,) else None


def noun_first(parts: tuple[Shape, ...], x: str) -> tuple[int | None, list[Shape]]:
    """The first predicate among the parts that can be a noun, and the other parts."""
    for at, one in enumerate(parts):
        noun = noun_of(one, x)
        if noun is not None:
            return noun, [*parts[:at], *parts[at + 1 :]]
    return None, list(parts)


def literal_texts(shape: Shape) -> list[str]:
    """A literal without "it is not the case"."""
    positive, atom = signed(shape)
    if atom[0] == "equal":
        _, left, right, sort = atom
        neg = "" if positive else " not"
        same = slot(sort, SAME if positive else NOT_SAME)
        return [f"{term_text(left)} is{neg} {term_text(right)}", f"{term_text(left)} {same} {term_text(right)}",
                f"{term_text(left)} is{neg} identical to {term_text(right)}"]  # fmt: skip
    _, symbol, terms = atom
    said = slot(symbol, SAID if positive else DENIED)
    if not terms:
        return [said]
    if len(terms) == 1:
        return [f"{term_text(terms[0])} {said}"]
    text = f"{term_text(terms[0])} {said} {term_text(terms[1])}"
    if len(terms) == 2:
        return [text, f"{term_text(terms[1])} {slot(symbol, BY if positive else NOT_BY)} {term_text(terms[0])}"]
    return [f"{text} {slot(symbol, TO)} {term_text(terms[2])}"]
