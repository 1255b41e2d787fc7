"""Formulas into sentences: a template per shape, made once, then filled.

A formula's *plan* (its templates and its symbols in the order of reading) depends on the signature only and is kept with
it, so the sentence of a formula that was met before costs one look-up, one choice and one `%`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from custodiet.errors import FormulaError
from custodiet.logic.english.canonical import canonical_variable
from custodiet.logic.english.signature import Signature
from custodiet.logic.english.templates import Shape, Template, templates_of
from custodiet.logic.english.vocabulary import Vocabulary
from custodiet.logic.formulas import Formula

__all__ = ["Choose", "num_forms", "render", "render_all", "render_form"]

Choose = Callable[[int], int]
"""Number of options -> index of the one to take, in [0, number)."""

_MAX_PLANS = 1 << 15  # of all signatures together; when there are more, all are forgotten
_MAX_SHAPES = 1 << 12
_KEPT: list[dict] = []  # the plans of the signatures that have some
_NUM_KEPT = [0]
_SHAPES: dict[Shape, tuple[Template, ...]] = {}


def render(formula: Formula, vocabulary: Vocabulary, choose: Choose) -> str:
    """A sentence for a formula.

    Args:
        formula: a closed formula over the vocabulary's signature.
        vocabulary: what the symbols stand for.
        choose: takes one of the sentences that the formula has; called once, with their number.

    Returns:
        One sentence with a capital and a period. `read` gives back the canonical form of the formula.

    Raises:
        FormulaError: a symbol that the signature does not have, or an argument of another sort than it says.
    """
    return _say(vocabulary, (formula,), choose)[0]


def render_all(formulas: Iterable[Formula], vocabulary: Vocabulary, choose: Choose) -> list[str]:
    """A sentence for each of many formulas; `choose` is called once for each, in their order. See `render`."""
    return _say(vocabulary, formulas, choose)


def _say(vocabulary: Vocabulary, formulas: Iterable[Formula], choose: Choose) -> list[str]:
    signature, phrases = vocabulary.signature, vocabulary.phrases
    plans = signature.plans
    texts = []
    for formula in formulas:
        plan = plans.get(formula) or _plan(formula, signature)
        at = choose(len(plan.filled))
        filled = plan.filled[at] or plan.fill(at)
        text = filled[0] % tuple([phrases[symbol][form] for symbol, form in filled[1]])
        texts.append(text[0].upper() + text[1:] if filled[2] else text)
    return texts


def num_forms(formula: Formula, vocabulary: Vocabulary) -> int:
    """How many sentences a formula has."""
    return len((vocabulary.signature.plans.get(formula) or _plan(formula, vocabulary.signature)).filled)


def render_form(formula: Formula, vocabulary: Vocabulary, form: int) -> str:
    """The sentence of a formula in one of its forms, counted from 0 up to `num_forms`."""
    return _say(vocabulary, (formula,), lambda num: form)[0]


class _Plan:
    """The templates of a formula, and its symbols; a template meets the symbols when it is first used."""

    __slots__ = ("filled", "symbols", "templates")

    def __init__(self, templates: tuple[Template, ...], symbols: list[str]) -> None:
        self.templates = templates
        self.symbols = symbols
        self.filled: list[_Filled | None] = [None] * len(templates)

    def fill(self, at: int) -> _Filled:
        """Text, (symbol, form) of each slot, and whether the sentence begins with a slot."""
        text, slots = self.templates[at]
        filled = self.filled[at] = (text, tuple([(self.symbols[at], form) for at, form in slots]), text[0] == "%")
        return filled


_Filled = tuple[str, tuple[tuple[str, int], ...], bool]


def _plan(formula: Formula, signature: Signature) -> _Plan:
    symbols: list[str] = []
    shape = _shape(formula, signature, {}, symbols)
    templates = _SHAPES.get(shape)
    if templates is None:
        if len(_SHAPES) >= _MAX_SHAPES:
            _SHAPES.clear()
        templates = _SHAPES[shape] = templates_of(shape)
    _NUM_KEPT[0] += 1
    if _NUM_KEPT[0] > _MAX_PLANS:
        for plans in _KEPT:
            plans.clear()
        _KEPT.clear()
        _NUM_KEPT[0] = 1
    if not signature.plans:
        _KEPT.append(signature.plans)
    plan = signature.plans[formula] = _Plan(templates, symbols)
    return plan


def _shape(formula: Formula, signature: Signature, scope: Mapping[str, tuple[str, str]], symbols: list[str]) -> Shape:
    """The shape of a formula; its symbols are appended in the order of reading."""
    tag = formula[0]
    if tag == "atom":
        _, predicate, args = formula
        sorts = signature.predicates.get(predicate)
        if sorts is None or len(sorts) != len(args):
            raise FormulaError(
                f"{predicate} with {len(args)} arguments is not of the vocabulary",
                expected=", ".join(f"{name}/{len(one)}" for name, one in signature.predicates.items()),
            )
        symbols.append(predicate)
        place = len(symbols) - 1
        return (
            tag,
            place,
            tuple([_term(one, sort, signature, scope, symbols) for one, sort in zip(args, sorts, strict=True)]),
        )
    if tag == "not":
        return (tag, _shape(formula[1], signature, scope, symbols))
    if tag in ("and", "or"):
        return (tag, tuple([_shape(one, signature, scope, symbols) for one in formula[1]]))
    if tag in ("implies", "iff"):
        return (tag, _shape(formula[1], signature, scope, symbols), _shape(formula[2], signature, scope, symbols))
    if tag in ("forall", "exists"):
        _, variable, sort, body = formula
        if sort not in signature.sorts:
            raise FormulaError(
                "a sort that is not of the vocabulary", expected=", ".join(map(repr, signature.sorts)), got=repr(sort)
            )
        name = canonical_variable(len(scope))
        symbols.append(f"@{sort}")
        place = len(symbols) - 1
        return (tag, name, place, _shape(body, signature, {**scope, variable: (name, sort)}, symbols))
    if tag == "equal":
        _, left, right = formula
        sort = scope[left][1] if left in scope else signature.constants.get(left, "")
        terms = [_term(one, sort, signature, scope, symbols) for one in (left, right)]
        symbols.append(f"@{sort}")
        return (tag, *terms, len(symbols) - 1)
    return ("falsum",)


def _term(
    term: str, sort: str, signature: Signature, scope: Mapping[str, tuple[str, str]], symbols: list[str]
) -> int | str:
    bound = scope.get(term)
    if bound is not None:
        if bound[1] != sort:
            raise FormulaError(f"the variable {term} is of another sort here", expected=repr(sort), got=repr(bound[1]))
        return bound[0]
    known = signature.constants.get(term)
    if known is None:
        raise FormulaError(
            f"{term} is not of the vocabulary", expected=f"a constant: {', '.join(signature.constants) or 'none'}"
        )
    if known != sort:
        raise FormulaError(f"the constant {term} is of another sort here", expected=repr(sort), got=repr(known))
    symbols.append(term)
    return len(symbols) - 1
