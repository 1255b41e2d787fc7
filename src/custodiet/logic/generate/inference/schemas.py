"""The 66 rule entries of LogicInference as schemas: matched forwards on premises, and backwards on a conclusion.

A schema's letters stand for literals. A propositional rule R speaks of ground literals; "universal R" has every premise
and the conclusion below `forall x`, "existential R" one premise and the conclusion below `exists x` and the others below
`forall x`. Fifteen of the seventeen propositional entries are valid, and one that is missed there is added, so that
"all that follows in one step" is all. Two are kept as lures only: they say what does not follow, and even that is proved
before it is used.

Reference: Ontañón, Ainslie, Cvicek, Fisher 2022, "LogicInference", arXiv 2203.15099. There letters stand for atoms, with
exceptions, operands have an order, and the lures are steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple, cast

from custodiet.logic.formulas import Atom, Exists, ForAll, Formula, Not, complement, instantiate, operands
from custodiet.logic.notation import parse_formula

__all__ = [
    "ENTRIES",
    "FALLACIES",
    "GENERALIZATION",
    "INSTANTIATION",
    "LURES",
    "PROPOSITIONAL",
    "VARIABLE",
    "Entry",
    "Inference",
    "Rule",
    "backward",
    "instance",
    "one_step",
    "results",
    "unordered",
]

VARIABLE = "x"
Binding = dict[str, Formula]


@dataclass(frozen=True, slots=True)
class Rule:
    """A propositional rule over the letters p, q, r.

    Args:
        name: as proofs cite it.
        premises: schemas.
        conclusions: schemas; each follows (or, in a lure, seems to).
    """

    name: str
    premises: tuple[Formula, ...]
    conclusions: tuple[Formula, ...]


class Entry(NamedTuple):
    """A rule in one of its forms.

    Args:
        name: with "universal" or "existential".
        rule: the propositional rule.
        mode: "" for ground literals, "universal", or "existential".
        exists_at: which premise is existential; -1 if none is.
    """

    name: str
    rule: Rule
    mode: str
    exists_at: int


class Inference(NamedTuple):
    """An instance of a rule.

    Args:
        formula: the conclusion.
        rule: the rule's name.
        sources: the premises of the instance.
    """

    formula: Formula
    rule: str
    sources: tuple[Formula, ...]


def _rule(name: str, premises: str, conclusions: str) -> Rule:
    def parsed(text: str) -> tuple[Formula, ...]:
        return tuple([parse_formula(one) for one in text.split(";")])

    return Rule(name, parsed(premises), parsed(conclusions))


PROPOSITIONAL = (
    _rule("modus ponens", "p -> q; p", "q"),
    _rule("modus tollens", "p -> q; ~q", "~p"),
    _rule("modus tollens", "p -> ~q; q", "~p"),
    _rule("transitivity", "p -> q; q -> r", "p -> r"),
    _rule("disjunctive syllogism", "p | q; ~p", "q"),
    _rule("addition", "p", "p | q"),
    _rule("simplification", "p & q", "p; q"),
    _rule("conjunction", "p; q", "p & q"),
    _rule("resolution", "p | q; ~p | r", "q | r"),
    _rule("disjunction elimination", "p -> r; q -> r; p | q", "r"),
    _rule("biconditional introduction", "p -> q; q -> p", "p <-> q"),
    _rule("biconditional elimination", "p <-> q", "p -> q"),
    _rule("biconditional elimination", "p <-> q", "q -> p"),
    _rule("biconditional elimination", "p <-> q; ~p", "~q"),
    _rule("biconditional elimination", "p <-> q; ~q", "~p"),
    _rule("biconditional elimination", "p <-> q; p", "q"),  # not among LogicInference's entries
)
FALLACIES = (
    _rule("incorrect modus tollens", "p -> q; q", "p"),
    _rule("rewriting", "p | ~q", "p -> q"),  # q -> p follows; this does not
)
_MORE_LURES = (
    _rule("denying the antecedent", "p -> q; ~p", "~q"),
    _rule("exclusive or", "p | q; p", "~q"),
    _rule("converse", "p -> q", "q -> p"),
    _rule("inverse", "p -> q", "~p -> ~q"),
    _rule("one side of a disjunction", "p | q", "p; q"),
    _rule("one side of a conditional", "p -> q", "p; q"),
    _rule("one side of an equivalence", "p <-> q", "p; q"),
)
INSTANTIATION = "universal instantiation"
GENERALIZATION = "existential generalization"


def _forms(rule: Rule) -> list[Entry]:
    forms = [Entry(rule.name, rule, "", -1), Entry(f"universal {rule.name}", rule, "universal", -1)]
    return forms + [Entry(f"existential {rule.name}", rule, "existential", at) for at in range(len(rule.premises))]


ENTRIES = tuple(chain.from_iterable(map(_forms, PROPOSITIONAL)))
"""The valid ones but for instantiation and generalization"""
LURES = tuple(chain.from_iterable(map(_forms, FALLACIES + _MORE_LURES)))
_OPENS = {"addition", "universal addition", "existential addition"}  # a letter of the conclusion stands in no premise


def _lifted(entry: Entry, body: Formula, place: int) -> Formula:
    """A body below the quantifier that it has as premise number `place` of the entry; -1 for the conclusion."""
    if not entry.mode:
        return body
    if entry.mode == "existential" and place in (entry.exists_at, -1):
        return Exists(VARIABLE, body)
    return ForAll(VARIABLE, body)


def _filled(schema: Formula, binding: Binding) -> Formula:
    kind: Any = type(schema)
    if kind is Atom:
        return binding[schema[1]]
    if kind is Not:
        return complement(binding[schema[1][1]])
    if kind.__name__ in ("And", "Or"):
        return kind(*[_filled(one, binding) for one in schema[1]])
    return kind(_filled(schema[1], binding), _filled(schema[2], binding))


def _matches(schema: Formula, body: Formula, binding: Binding) -> Iterator[Binding]:
    """Every way to extend a binding so that the schema becomes the body, up to the order of operands of &, | and <->."""
    kind = schema[0]
    if kind == "atom" or kind == "not":
        shown = body[1] if body[0] == "not" else body
        if shown[0] != "atom":
            return
        letter, literal = (schema[1], body) if kind == "atom" else (schema[1][1], complement(body))
        known = binding.get(letter)
        if known is None:
            if literal not in binding.values():
                yield {**binding, letter: literal}
        elif known == literal:
            yield binding
        return
    if body[0] != kind:
        return
    left, right = operands(schema)
    first, second = operands(body)
    for one in _matches(left, first, binding):
        yield from _matches(right, second, one)
    if kind != "implies":
        for one in _matches(left, second, binding):
            yield from _matches(right, first, one)


def unordered(formula: Formula) -> Formula:
    """The formula with the operands of &, | and <-> sorted."""
    kind, made = formula[0], cast(Any, type(formula))
    if kind == "and" or kind == "or":
        return made(*sorted(map(unordered, formula[1])))
    if kind == "iff":
        return made(*sorted(map(unordered, formula[1:])))
    if kind == "implies":
        return made(unordered(formula[1]), unordered(formula[2]))
    if kind == "not":
        return Not(unordered(formula[1]))
    if kind == "forall" or kind == "exists":
        return made(formula[1], unordered(formula[3]), formula[2])
    return formula


# --- forwards ------------------------------------------------------------------------------------------------------


def _group(formula: Formula) -> tuple[str, str]:
    """The quantifier of a formula and the kind of what is below it, literals being one kind."""
    quantifier = formula[0] if formula[0] in ("forall", "exists") else ""
    body = formula[3] if quantifier else formula
    return quantifier, _kind(body)


def _kind(body: Formula) -> str:
    return "literal" if body[0] in ("atom", "not") and (body[0] == "atom" or body[1][0] == "atom") else body[0]


_QUANTIFIERS = {"": "", "universal": "forall", "existential": "forall"}


def _wanted(entry: Entry) -> tuple[tuple[str, str], ...]:
    return tuple(
        [
            ("exists" if place == entry.exists_at else _QUANTIFIERS[entry.mode], _kind(schema))
            for place, schema in enumerate(entry.rule.premises)
        ]
    )


_WANTED = {entry: _wanted(entry) for entry in (*ENTRIES, *LURES)}


def results(entries: Sequence[Entry], premises: Sequence[Formula]) -> Iterator[Inference]:
    """What the entries give from premises, all ways, the same thing maybe more than once."""
    groups: dict[tuple[str, str], list[tuple[Formula, Formula]]] = {}
    for one in premises:
        group = _group(one)
        groups.setdefault(group, []).append((one, one[3] if group[0] else one))
    for entry in entries:
        wanted = _WANTED[entry]
        if all(one in groups for one in wanted):
            yield from _applied(entry, [groups[one] for one in wanted], {}, ())


def _applied(
    entry: Entry, groups: list[list[tuple[Formula, Formula]]], binding: Binding, used: tuple[Formula, ...]
) -> Iterator[Inference]:
    place = len(used)
    if place == len(groups):
        for schema in entry.rule.conclusions:
            yield Inference(_lifted(entry, _filled(schema, binding), -1), entry.name, used)
        return
    for whole, body in groups[place]:
        for one in _matches(entry.rule.premises[place], body, binding):
            yield from _applied(entry, groups, one, (*used, whole))


_CLOSED = tuple([entry for entry in ENTRIES if entry.name not in _OPENS])


def one_step(premises: Sequence[Formula]) -> list[Inference]:
    """Every consequence of one step, but for addition and instantiation, which bring in what the premises do not have.

    Args:
        premises: each once.

    Returns:
        Each conclusion once for each rule that gives it, up to the order of operands, and none that is a premise.
    """
    stated = {unordered(one) for one in premises}
    found: dict[tuple[Formula, str], Inference] = {}
    for one in chain(results(_CLOSED, premises), _generalized(premises)):
        key = unordered(one.formula)
        if key not in stated:
            found.setdefault((key, one.rule), one)
    return list(found.values())


def _generalized(premises: Sequence[Formula]) -> Iterator[Inference]:
    for one in premises:
        atom = one[1] if one[0] == "not" else one
        if atom[0] == "atom" and atom[2]:
            yield Inference(Exists(VARIABLE, instantiate(one, {atom[2][0]: VARIABLE})), GENERALIZATION, (one,))


# --- backwards -----------------------------------------------------------------------------------------------------

Candidate = tuple[Any, ...]  # (entry, binding) or (name of a quantifier rule, premise)


def backward(formula: Formula, constants: Sequence[str]) -> list[Candidate]:
    """The rules that can conclude a formula, each with what is known of its letters.

    Args:
        formula: a conclusion.
        constants: of which an existential generalization may speak.
    """
    quantifier, kind = _group(formula)
    body = formula[3] if quantifier else formula
    mode = {"": "", "forall": "universal", "exists": "existential"}[quantifier]
    found: list[Candidate] = []
    for entry in _BY_CONCLUSION.get((mode, kind), ()):
        for schema in entry.rule.conclusions:
            if _kind(schema) == kind:
                found += [(entry, one) for one in _matches(schema, body, {})]
    if kind == "literal":
        atom = body[1] if body[0] == "not" else body
        if not quantifier and atom[2]:
            found.append((INSTANTIATION, ForAll(VARIABLE, instantiate(body, {atom[2][0]: VARIABLE}))))
        if quantifier == "exists":
            found += [(GENERALIZATION, instantiate(body, {VARIABLE: one})) for one in constants]
    return found


_BY_CONCLUSION: dict[tuple[str, str], list[Entry]] = {}
for _entry in ENTRIES:
    for _made in {_kind(one) for one in _entry.rule.conclusions}:
        _BY_CONCLUSION.setdefault((_entry.mode, _made), []).append(_entry)


def instance(entry: Entry, binding: Binding, fresh: Callable[[], Formula]) -> tuple[list[Formula], list[Formula]]:
    """The premises and the conclusions of an entry whose letters are bound.

    Args:
        entry: a rule in one form.
        binding: literals for letters.
        fresh: makes a literal for a letter that is not bound.
    """
    binding = dict(binding)
    for schema in (*entry.rule.premises, *entry.rule.conclusions):
        for letter in _letters(schema):
            if letter not in binding:
                binding[letter] = fresh()
    premises = [_lifted(entry, _filled(one, binding), place) for place, one in enumerate(entry.rule.premises)]
    return premises, [_lifted(entry, _filled(one, binding), -1) for one in entry.rule.conclusions]


def _letters(schema: Formula) -> list[str]:
    if schema[0] == "atom":
        return [schema[1]]
    return list(chain.from_iterable(map(_letters, operands(schema))))
