"""The form up to which a formula survives the way into English and back.

Two formulas have the same canonical form if and only if one becomes the other by reordering the operands of `&`, `|`,
`<->` and `=` and by renaming bound variables. Nothing else is identified: no double negation is removed, nothing is
flattened, no repeated operand is dropped, no quantifiers are exchanged.
"""

from __future__ import annotations

from custodiet.logic.formulas import And, Atom, Equal, Exists, ForAll, Formula, Iff, Implies, Not, Or

__all__ = ["canonical_form", "canonical_variable", "sort_operands"]

_LETTERS = "xyzuvw"
_NAMES = tuple(letter + digits for digits in ["", *map(str, range(1, 20))] for letter in _LETTERS)


def canonical_variable(level: int) -> str:
    """The name of a variable that is bound below `level` other quantifiers: x, y, z, u, v, w, x1, y1, ..."""
    if level < len(_NAMES):
        return _NAMES[level]
    return f"{_LETTERS[level % 6]}{level // 6}"


def canonical_form(formula: Formula) -> Formula:
    """The same formula with bound variables named by their depth and the operands of `&`, `|`, `<->`, `=` sorted.

    Args:
        formula: any formula in which each variable is bound by exactly one quantifier above it.

    Returns:
        The representative of the formulas that differ from it in these two ways only. Variables are named first, by
        the number of quantifiers above theirs, so that names do not depend on the order of operands; then operands are
        sorted from the leaves up, as tuples.
    """
    return _canonical(formula, {})


def _canonical(formula: Formula, names: dict[str, str]) -> Formula:
    if isinstance(formula, Atom):
        return Atom(formula.predicate, tuple([names.get(one, one) for one in formula.args])) if names else formula
    if isinstance(formula, Not):
        return Not(_canonical(formula.body, names))
    if isinstance(formula, (And, Or)):
        return type(formula)(*sorted([_canonical(one, names) for one in formula.parts]))
    if isinstance(formula, Implies):
        return Implies(_canonical(formula.left, names), _canonical(formula.right, names))
    if isinstance(formula, Iff):
        return Iff(*sorted([_canonical(formula.left, names), _canonical(formula.right, names)]))
    if isinstance(formula, (ForAll, Exists)):
        name = canonical_variable(len(names))
        return type(formula)(name, _canonical(formula.body, {**names, formula.variable: name}), formula.sort)
    if isinstance(formula, Equal):
        return Equal(*sorted([names.get(formula.left, formula.left), names.get(formula.right, formula.right)]))
    return formula


def sort_operands(formula: Formula) -> Formula:
    """The canonical form of a formula whose bound variables already have their canonical names."""
    if isinstance(formula, Atom):
        return formula
    if isinstance(formula, Not):
        return Not(sort_operands(formula.body))
    if isinstance(formula, (And, Or)):
        return type(formula)(*sorted([sort_operands(one) for one in formula.parts]))
    if isinstance(formula, Implies):
        return Implies(sort_operands(formula.left), sort_operands(formula.right))
    if isinstance(formula, Iff):
        return Iff(*sorted([sort_operands(formula.left), sort_operands(formula.right)]))
    if isinstance(formula, (ForAll, Exists)):
        return type(formula)(formula.variable, sort_operands(formula.body), formula.sort)
    if isinstance(formula, Equal):
        return Equal(*sorted([formula.left, formula.right]))
    return formula
