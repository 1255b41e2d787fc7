"""Sentences into formulas, strictly: what the grammar does not have is refused, with the place and what could stand there."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from custodiet.logic.english.canonical import sort_operands
from custodiet.logic.english.lexicon import TO
from custodiet.logic.english.lexing import Lexeme, Lexer
from custodiet.logic.english.parsing import ParseFailure, Parser, Tree
from custodiet.logic.english.vocabulary import Vocabulary
from custodiet.logic.formulas import FALSUM, And, Atom, Equal, Exists, ForAll, Formula, Iff, Implies, Not, Or

__all__ = ["read", "read_all"]

_TREES: dict[tuple[str, ...], Tree] = {}
_MAX_TREES = 1 << 14
_MAX_LEXEMES = 4000
_ACCEPTED = (
    "A.", "A and B.", "A, B, and C.", "Both A and B.", "A or B, or both.", "Either A or B.", "If A, then B.", "A if B.",
    "A only if B.", "Whenever A, B.", "That A implies that B.", "A if and only if B.", "It is not the case that A.",
    "Neither A nor B.", "Not both A and B.", "It holds that A only if B.", "It is true that A and it is true that B.",
    "Every N is B.", "No N is B.", "Some N is B.", "Not every N is B.", "All Ns are Bs.", "There is a N.",
    "There is a N that is B.", "There is no N that is B.", "At least one N is B.", "Everyone who is A is B.",
    "If someone is A, then that person is B.", "If something is A, then it is B.", "For every person X, A.",
    "There is a person X such that A.", "For every person X and every person Y, if A, then B.",
    "If a person X likes a person Y, then Y admires X.", "All three of these hold: A; B; and C.",
    "At least one of these three holds: A; B; or C.",
)  # fmt: skip


def read(sentence: str, vocabulary: Vocabulary) -> Formula:
    """The formula of a sentence.

    Args:
        sentence: one sentence of the controlled English; its first letter may be small, its period may not be missing.
        vocabulary: what the symbols stand for.

    Returns:
        The formula in its canonical form (see `canonical_form`).

    Raises:
        FormulaError: a word that is unknown, a sentence that the grammar does not have, or an individual of the wrong
            sort; says at which character, what was expected, and the nearest form that is accepted.
    """
    lexemes = vocabulary.lexer.lexemes(sentence)
    kinds = tuple([one.kind for one in lexemes])
    tree = _TREES.get(kinds)
    if tree is None:
        tree = _parsed(sentence, kinds, lexemes)
    builder = _Builder(sentence, lexemes, vocabulary)
    formula = builder.formula(tree)
    return sort_operands(formula) if builder.has_order else formula


def read_all(sentences: Iterable[str], vocabulary: Vocabulary) -> list[Formula]:
    """The formulas of sentences, in their order. See `read`."""
    return [read(one, vocabulary) for one in sentences]


def _parsed(sentence: str, kinds: tuple[str, ...], lexemes: list[Lexeme]) -> Tree:
    if len(kinds) > _MAX_LEXEMES:
        raise Lexer.error(sentence, 0, f"at most {_MAX_LEXEMES} phrases", str(len(kinds)))
    try:
        tree = Parser(kinds).parse()
    except ParseFailure as failure:
        got = lexemes[failure.at] if failure.at < len(lexemes) else None
        position = got.at if got else len(sentence.rstrip()) - 1
        raise Lexer.error(
            sentence, position, failure.expected, repr(got.text) if got else "the end", _nearest(lexemes)
        ) from None
    if len(_TREES) >= _MAX_TREES:
        _TREES.clear()
    _TREES[kinds] = tree
    return tree


def _nearest(lexemes: list[Lexeme]) -> str:
    """The accepted form that looks most like a sentence, its content taken out."""
    letters = iter("ABCDEFGHIJ")
    words = [one.text if not one.symbol or one.symbol[0] == "@" else next(letters, "A") for one in lexemes]
    text = " ".join(words).replace(" ,", ",")
    best = max(_ACCEPTED, key=lambda one: difflib.SequenceMatcher(None, text.lower(), one.lower()).ratio())
    return f"Nearest accepted form: {best!r}"


class _Builder:
    """Puts the symbols of the lexemes into a tree."""

    def __init__(self, sentence: str, lexemes: list[Lexeme], vocabulary: Vocabulary) -> None:
        self.sentence = sentence
        self.lexemes = lexemes
        self.vocabulary = vocabulary
        self.signature = vocabulary.signature
        self.scope: dict[str, str] = {}
        self.has_order = False

    def formula(self, tree: Tree) -> Formula:
        tag = tree[0]
        if tag == "atom":
            return self.atom(tree)
        if tag == "not":
            return Not(self.formula(tree[1]))
        if tag == "implies":
            return Implies(self.formula(tree[1]), self.formula(tree[2]))
        if tag in ("and", "or"):
            self.has_order = True
            return (And if tag == "and" else Or)(*[self.formula(one) for one in tree[1]])
        if tag == "iff":
            self.has_order = True
            return Iff(self.formula(tree[1]), self.formula(tree[2]))
        if tag in ("forall", "exists"):
            _, x, (where, place), body = tree
            symbol = self.lexemes[place].symbol
            sort = symbol[1:] if where == "kind" else self.signature.predicates[symbol][0]
            outer = self.scope
            self.scope = {**outer, x: sort}
            made = (ForAll if tag == "forall" else Exists)(x, self.formula(body), sort)
            self.scope = outer
            return made
        if tag == "equal":
            return self.equal(tree)
        return FALSUM

    def atom(self, tree: Tree) -> Formula:
        lexemes = self.lexemes
        place, terms = tree[1], tree[2]
        predicate = lexemes[place].symbol
        if len(terms) == 4:
            to = lexemes[terms[3][1]]
            wanted = self.vocabulary.phrases[predicate][TO]
            if to.text != wanted:
                raise Lexer.error(self.sentence, to.at, repr(wanted), repr(to.text))
            terms = terms[:3]
        args = tuple([lexemes[one].symbol if one.__class__ is int else one for one in terms])
        if self.signature.is_sorted:
            for term, arg, sort in zip(terms, args, self.signature.predicates[predicate], strict=True):
                self.check(term, arg, sort, place)
        return Atom(predicate, args)

    def equal(self, tree: Tree) -> Formula:
        self.has_order = True
        _, left, right, noun = tree
        names = [self.lexemes[one].symbol if one.__class__ is int else one for one in (left, right)]
        constants: Mapping[str, str] = self.signature.constants
        sort = self.lexemes[noun[1]].symbol[1:] if noun else self.scope.get(names[0], constants.get(names[0], ""))
        at = noun[1] if noun else (right if right.__class__ is int else left if left.__class__ is int else 0)
        self.check(left, names[0], sort, at)
        self.check(right, names[1], sort, at)
        return Equal(*names)

    def check(self, term: int | str, name: str, sort: str, place: int) -> None:
        found = self.scope[name] if isinstance(term, str) else self.signature.constants[name]
        if found != sort:
            at = self.lexemes[term if isinstance(term, int) else place].at
            nouns = [self.vocabulary.phrases[f"@{one}"][0] for one in (sort, found)]
            raise Lexer.error(
                self.sentence, at, f"something of the kind {nouns[0]!r}", f"something of the kind {nouns[1]!r}"
            )
