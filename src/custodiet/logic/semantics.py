"""What formulas mean: finite structures, truth in them, and what a decision about premises and a goal is.

Classical and two-valued. Every sort has at least one individual, and two constants may name the same one. A predicate
is true of exactly the tuples that a `Model` lists. The structures that engines return are of this kind, so any claim
"this does not follow" can be checked by `evaluate` alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from custodiet.errors import FormulaError
from custodiet.logic.formulas import And, Atom, Equal, Exists, Falsum, ForAll, Formula, Iff, Implies, Not, Or
from custodiet.logic.notation import format_formula

__all__ = [
    "CONTRADICTED",
    "ENTAILED",
    "INCONSISTENT",
    "UNKNOWN",
    "Decision",
    "Model",
    "element_names",
    "evaluate",
    "label_of",
]

ENTAILED = "entailed"
CONTRADICTED = "contradicted"
UNKNOWN = "unknown"
INCONSISTENT = "inconsistent"

_NAME = r"[A-Za-z][A-Za-z0-9_]*"
_GROUND_ATOM = re.compile(rf"({_NAME})(?:\(({_NAME}(?:, *{_NAME})*)\))?\Z")


@dataclass(frozen=True, slots=True)
class Model:
    """A finite structure.

    Args:
        domains: sort -> names of its individuals, at least one; no individual has two sorts. Empty for propositions.
        constants: constant -> the individual that it names.
        true_atoms: the atoms, said of individuals (not of constants), that are true; all others are false.
    """

    domains: Mapping[str, tuple[str, ...]]
    constants: Mapping[str, str]
    true_atoms: frozenset[Atom]

    def to_json(self) -> dict[str, Any]:
        """`{"domains": {sort: [individual]}, "constants": {constant: individual}, "true": [atom]}`, in a fixed order.

        `domains` and `constants` are left out where they are empty.
        """
        made: dict[str, Any] = {}
        if self.domains:
            made["domains"] = {sort: list(names) for sort, names in self.domains.items()}
        if self.constants:
            made["constants"] = dict(self.constants)
        made["true"] = [format_formula(one) for one in sorted(self.true_atoms)]
        return made

    @staticmethod
    def from_json(data: object) -> Model:
        """The model that `to_json` wrote, or one that somebody else wrote in that form.

        Raises:
            FormulaError: a key, a type or a name is wrong, a sort is empty, an individual has two sorts or none.
        """
        if not isinstance(data, Mapping) or not set(data) <= {"domains", "constants", "true"} or "true" not in data:
            raise _bad_model("keys true and, where there are individuals, domains and constants", data)
        domains_in, constants_in, true_in = data.get("domains", {}), data.get("constants", {}), data["true"]
        if not isinstance(domains_in, Mapping) or not isinstance(constants_in, Mapping) or not _is_names(true_in):
            raise _bad_model("domains and constants as objects, true as a list of atoms", data)
        domains: dict[str, tuple[str, ...]] = {}
        sort_of: dict[str, str] = {}
        for sort, names in domains_in.items():
            if not isinstance(sort, str) or not _is_names(names) or not names:
                raise _bad_model("a list of one or more individuals for each sort", {sort: names})
            domains[sort] = tuple(names)
            for name in names:
                if name in sort_of:
                    raise _bad_model("each individual once, in one sort", name)
                sort_of[name] = sort
        for constant, individual in constants_in.items():
            if not isinstance(constant, str) or individual not in sort_of:
                raise _bad_model("constants that name individuals of the domains", f"{constant}: {individual}")
        return Model(domains, dict(constants_in), frozenset(_ground_atom(one, sort_of) for one in true_in))


def _is_names(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value)


def _bad_model(expected: str, got: object) -> FormulaError:
    return FormulaError("cannot read the model", expected=expected, got=repr(got))


def _ground_atom(text: str, sort_of: Mapping[str, str]) -> Atom:
    found = _GROUND_ATOM.match(text.strip())
    if found is None:
        raise _bad_model("atoms such as p or R(e1, e2)", text)
    args = tuple(one.strip() for one in found[2].split(",")) if found[2] else ()
    for one in args:
        if one not in sort_of:
            raise _bad_model("atoms said of individuals of the domains", text)
    return Atom(found[1], args)


@dataclass(frozen=True, slots=True)
class Decision:
    """What an engine found out about premises and a goal.

    Args:
        label: `entailed` (the goal is true wherever the premises are), `contradicted` (false wherever they are),
            `unknown` (neither), or `inconsistent` (the premises are true nowhere).
        with_goal: a structure where the premises and the goal are true; None where there is none.
        without_goal: one where the premises are true and the goal is not; None where there is none.
        engines: the engines that found it.
    """

    label: str
    with_goal: Model | None = None
    without_goal: Model | None = None
    engines: tuple[str, ...] = ()


def label_of(with_goal: bool, without_goal: bool) -> str:
    """The label, from whether the premises can be true with the goal and whether they can be true without it."""
    if with_goal:
        return UNKNOWN if without_goal else ENTAILED
    return CONTRADICTED if without_goal else INCONSISTENT


def element_names(num: int, constants: Iterable[str] = ()) -> tuple[str, ...]:
    """Names for individuals, `e1` ... (`d1` ..., `c1` ... where constants are called so), none a constant's name."""
    taken = set(constants)
    for letter in "edcbaklmn":
        names = tuple([f"{letter}{number}" for number in range(1, num + 1)])
        if taken.isdisjoint(names):
            return names
    return tuple([f"element{number}_{len(max(taken, key=len))}" for number in range(1, num + 1)])


def evaluate(model: Model, formula: Formula) -> bool:
    """Whether the formula is true in the structure, by the definition of truth.

    Args:
        model: a finite structure.
        formula: a closed formula.

    Returns:
        Its truth value. A predicate that the structure does not mention is false of everything.

    Raises:
        FormulaError: a constant or a sort that the structure does not have, or a free variable.
    """
    try:
        return _truth(formula, model, dict(model.constants))
    except KeyError as error:
        raise FormulaError(
            f"the model does not say what {error.args[0]} names",
            expected="a constant of the model or a bound variable",
            got=", ".join(model.constants) or "no constants",
        ) from None


def _truth(formula: Formula, model: Model, named: dict[str, str]) -> bool:
    """Truth where constants, and variables bound further out, name what `named` says."""
    kind = type(formula)
    if kind is Atom:
        args = formula[2]
        if not args:
            return formula in model.true_atoms
        return (formula[0], formula[1], tuple([named[one] for one in args])) in model.true_atoms
    if kind is Not:
        return not _truth(formula[1], model, named)
    if kind is Implies:
        return not _truth(formula[1], model, named) or _truth(formula[2], model, named)
    if kind is And or kind is Or:
        decisive = kind is Or  # one part with this value decides
        for one in formula[1]:
            if _truth(one, model, named) is decisive:
                return decisive
        return not decisive
    if kind is Iff:
        return _truth(formula[1], model, named) is _truth(formula[2], model, named)
    if kind is Equal:
        return named[formula[1]] == named[formula[2]]
    if kind is ForAll or kind is Exists:
        _, variable, sort, body = formula
        domain = model.domains.get(sort)
        if not domain:
            raise FormulaError(
                f"the model has no individuals of the sort {sort!r} of {format_formula(formula)}",
                expected="a domain for each sort",
                got=sorted(model.domains),
            )
        decisive = kind is Exists
        inner = dict(named)
        for one in domain:
            inner[variable] = one
            if _truth(body, model, inner) is decisive:
                return decisive
        return not decisive
    if kind is Falsum:
        return False
    raise FormulaError("not a formula", got=repr(formula))
