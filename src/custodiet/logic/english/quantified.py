"""Quantified clauses in which no variable is spelled out: "every dax is red", "no one who likes Rex is tall".

Each function gives the clauses of a shape, empty if it has none of this kind; a pair is those that are closed and those
that only stand alone. What people read in two ways is not among them: "every dax is not red" (all or some are not), "if
something avoids Rex, then it is red" (which one is red).
"""

from __future__ import annotations

from custodiet.logic.english.lexicon import (
    A_KIND,
    A_KIND_WHO,
    A_NOUN,
    A_NOUN_WHO,
    ANY_WHO,
    BY,
    DENIED,
    EACH,
    EVERY,
    EVERY_WHO,
    IT,
    KIND,
    KIND_WHO,
    KINDS,
    NONE,
    NONE_WHO,
    NOT_BY,
    NOUN,
    NOUN_WHO,
    NOUNS,
    ONE,
    SAID,
    SOME,
    SOME_WHO,
    TO,
)
from custodiet.logic.english.predication import (
    IFF,
    Shape,
    grouped_predicate,
    is_literal,
    joined_by,
    literal_texts,
    noun_first,
    noun_of,
    plural_predicate,
    predicate_of,
    relative_clause,
    signed,
    slot,
    term_text,
)

__all__ = ["every_clauses", "introduced_literals", "none_clauses", "not_every_clauses", "some_clauses"]


def every_clauses(shape: Shape) -> tuple[list[str], list[str]]:
    """Universal clauses: closed ones, and those that only stand alone."""
    _, x, sort, body = shape
    if body[0] == "implies":
        return _every_such(x, sort, body[1], body[2])
    if body[0] == "iff":
        first, second = (predicate_of(one, x) for one in body[1:])
        if first is None or second is None:
            return [], []
        if not _names_no_one(body[1]):
            return [], []
        return [], [f"{slot(sort, A_KIND)} {first} {word} {slot(sort, IT)} {second}" for word in IFF]
    said = grouped_predicate(body, x)
    if said is None:
        return [], []
    if body[0] == "not":  # "everyone is not kind" would have two readings
        denied = predicate_of(body[1], x)
        return [f"{slot(sort, NONE)} {denied}", f"not one {slot(sort, KIND)} {denied}"], []
    texts = [f"{slot(sort, EVERY)} {said}", f"{slot(sort, EACH)} {said}"]
    many = plural_predicate(body, x)
    if many is not None:
        texts.append(f"all {slot(sort, KINDS)} {many}")
    return texts, []


def _every_such(x: str, sort: int, such: Shape, then: Shape) -> tuple[list[str], list[str]]:
    """`forall x: such -> then`."""
    which, said = relative_clause(such, x), grouped_predicate(then, x)
    if which is None or said is None:
        return [], []
    heads = []  # what the sentence is about, without its determiner
    noun = noun_of(such, x)
    if noun is not None:
        heads.append(slot(noun, NOUN))
    elif such[0] == "and" and len(such[1]) == 2:
        head, others = noun_first(such[1], x)
        if head is not None:
            heads.append(f"{slot(head, NOUN_WHO)} {predicate_of(others[0], x)}")
    if then[0] == "not":  # "every dax is not red" would have two readings
        denied = predicate_of(then[1], x)
        texts = [f"{word} {one} {denied}" for one in heads for word in ("no", "not one")]
        texts += [f"{slot(sort, NONE_WHO)} {which} {denied}", f"not one {slot(sort, KIND_WHO)} {which} {denied}"]
        stand_alone = []
    else:
        texts = [f"{word} {one} {said}" for one in heads for word in ("every", "each")]
        many = plural_predicate(then, x)
        if noun is not None and many is not None:
            texts.append(f"all {slot(noun, NOUNS)} {many}")
        texts.append(f"{slot(sort, EVERY_WHO)} {which} {said}")
        stand_alone = [f"any {slot(noun, NOUN)} {said}"] if noun is not None else []
    stand_alone.append(f"{slot(sort, ANY_WHO)} {which} {said}")
    someone, it = f"{slot(sort, ONE)} {which}", slot(sort, IT)
    if not _names_no_one(such):  # "it" could be the one that is named
        parts = such[1] if such[0] == "and" else (such,)
        introduced = None if such[0] == "or" else introduced_literals(parts, {x: sort})
        if introduced is None:
            return texts, stand_alone
        someone = introduced[0] if len(parts) == 1 else joined_by(introduced, "and")
        it = x.upper()
        if then[0] in ("and", "or"):
            return texts, stand_alone
    stand_alone.append(f"if {someone}, then {it} {said}")
    if such[0] not in ("and", "or") or len(such[1]) == 2:
        stand_alone.append(f"whenever {someone}, {it} {said}")
    return texts, stand_alone


def _names_no_one(shape: Shape) -> bool:
    """Whether it says nothing of others than x, so that a pronoun after it can only be x."""
    parts = shape[1] if shape[0] in ("and", "or") else (shape,)
    return all(one[0] == "atom" and len(one[2]) == 1 for one in (signed(part)[1] for part in parts))


def some_clauses(shape: Shape) -> tuple[list[str], list[str]]:
    """Existential clauses: closed ones, and those that only stand alone."""
    _, x, sort, body = shape
    if body[0] == "and":
        return _some_such(x, sort, body[1])
    said = grouped_predicate(body, x)
    if said is None:
        return [], []
    texts = [f"at least one {slot(sort, KIND)} {said}"]
    if is_literal(body):
        texts.append(f"there is {slot(sort, A_KIND_WHO)} {said}")
    noun = noun_of(body, x)
    if noun is not None:
        texts.append(f"there is {slot(noun, A_NOUN)}")
    return texts, [f"{slot(sort, SOME)} {said}"]


def _some_such(x: str, sort: int, parts: tuple[Shape, ...]) -> tuple[list[str], list[str]]:
    """`exists x: part & part ...`."""
    which = relative_clause(("and", parts), x)
    if which is None:
        return [], []
    texts = []
    if len(parts) == 2:
        noun, others = noun_first(parts, x)
        if noun is not None:
            said = predicate_of(others[0], x)
            texts += [f"some {slot(noun, NOUN)} {said}", f"there is {slot(noun, A_NOUN_WHO)} {said}",
                      f"at least one {slot(noun, NOUN)} {said}"]  # fmt: skip
        else:
            first, second = (predicate_of(one, x) for one in parts)
            texts += [f"{slot(sort, SOME_WHO)} {first} {second}",
                      f"at least one {slot(sort, KIND_WHO)} {first} {second}"]  # fmt: skip
    stand_alone = [f"there is {slot(sort, A_KIND_WHO)} {which}"]
    if len(parts) > 2:
        stand_alone += [f"{slot(sort, SOME)} {which}", f"at least one {slot(sort, KIND)} {which}"]
    return texts, stand_alone


def not_every_clauses(shape: Shape) -> list[str]:
    """`~forall x: ...`, of something that is not denied: "not everyone is not kind" would puzzle people."""
    _, x, sort, body = shape
    if (body[2] if body[0] == "implies" else body)[0] == "not":
        return []
    if body[0] == "implies":
        which, said = relative_clause(body[1], x), predicate_of(body[2], x)
        if which is None or said is None:
            return []
        texts = [f"not {slot(sort, EVERY_WHO)} {which} {said}"]
        noun, many = noun_of(body[1], x), plural_predicate(body[2], x)
        if noun is not None:
            texts.insert(0, f"not every {slot(noun, NOUN)} {said}")
            if many is not None:
                texts.append(f"not all {slot(noun, NOUNS)} {many}")
        return texts
    said, many = predicate_of(body, x), plural_predicate(body, x)
    if said is None:
        return []
    return [f"not {slot(sort, EVERY)} {said}", *([f"not all {slot(sort, KINDS)} {many}"] if many else [])]


def none_clauses(shape: Shape) -> tuple[list[str], list[str]]:
    """`~exists x: ...`."""
    if shape[0] != "exists":
        return [], []
    _, x, sort, body = shape
    which = relative_clause(body, x)
    if which is None or body[0] == "or":
        return [], []
    if body[0] != "and":
        noun = noun_of(body, x)
        texts = [f"there is no {slot(sort, KIND_WHO)} {which}"]
        return ([f"there is no {slot(noun, NOUN)}", *texts] if noun is not None else texts), []
    noun, others = noun_first(body[1], x)
    texts = []
    if noun is not None and len(others) == 1:
        texts.append(f"there is no {slot(noun, NOUN_WHO)} {predicate_of(others[0], x)}")
    return texts, [f"there is no {slot(sort, KIND_WHO)} {which}"]


def introduced_literals(parts: tuple[Shape, ...], variables: dict[str, int]) -> list[str] | None:
    """The literals, with each variable introduced where it is first named; None unless that is in their order."""
    waiting = list(variables)
    said: list[str] = []

    def name(term: int | str) -> str:
        if isinstance(term, str) and term in waiting:
            if term != waiting[0] or not positive:
                raise LookupError
            waiting.pop(0)
            return f"{slot(variables[term], A_KIND)} {term.upper()}"
        return term_text(term)

    for part in sorted(parts, key=lambda one: one[0] == "not"):  # what is denied comes after what is said
        positive, atom = signed(part)
        if atom[0] not in ("atom", "equal"):
            return None
        try:
            if atom[0] == "equal":
                if any(term in waiting for term in atom[1:3]):
                    return None
                said.append(literal_texts(part)[0])
                continue
            _, symbol, terms = atom
            form = SAID if positive else DENIED
            if len(terms) == 2 and terms[0] in waiting[1:] and terms[1] == waiting[0]:
                by = slot(symbol, BY if positive else NOT_BY)
                said.append(f"{name(terms[1])} {by} {name(terms[0])}")
            elif not terms:
                said.append(slot(symbol, form))
            else:
                text = f"{name(terms[0])} {slot(symbol, form)}"
                text += f" {name(terms[1])}" if len(terms) > 1 else ""
                said.append(text + (f" {slot(symbol, TO)} {name(terms[2])}" if len(terms) > 2 else ""))
        except LookupError:
            return None
    return None if waiting else said
