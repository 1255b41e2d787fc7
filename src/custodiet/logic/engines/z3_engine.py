"""Every fragment by z3, with its own quantifiers and uninterpreted sorts: a second opinion on the other engines.

Formulas are handed over as SMT-LIB text, which z3 reads by itself. Names get prefixes, so that none is a word of SMT-LIB.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from typing import Any

from custodiet.errors import CustodietError, FormulaError
from custodiet.logic.engines.optional import load
from custodiet.logic.formulas import (
    And,
    Atom,
    Equal,
    Exists,
    Falsum,
    ForAll,
    Formula,
    Iff,
    Implies,
    Not,
    Or,
    is_variable,
)
from custodiet.logic.fragments import Signature, signature_of
from custodiet.logic.semantics import Decision, Model, element_names, label_of

__all__ = ["Z3Problem", "decide_by_z3"]

NAME = "z3"


class Z3Problem:
    """Premises in a z3 solver, to which many goals are put.

    Args:
        premises: closed formulas of first-order logic without functions, many-sorted, with equality.
        signature: of premises and goals.
        timeout_ms: for each question.

    Raises:
        MissingExtraError: z3-solver is not installed.
    """

    engine = NAME

    def __init__(self, premises: Sequence[Formula], signature: Signature, *, timeout_ms: int = 20_000) -> None:
        self._z3: Any = load("z3", "z3-solver")
        self.signature = signature
        self._solver = self._z3.SimpleSolver()
        self._solver.set("timeout", timeout_ms)
        self._timeout_ms = timeout_ms
        self._goals: dict[Formula, tuple[Any, Any]] = {}
        self._solver.from_string(_declarations(signature) + "".join([f"(assert {_smt(one)})" for one in premises]))

    def _ways(self, goal: Formula) -> tuple[Any, Any]:
        """A proposition under which the goal holds, and one under which it does not."""
        found = self._goals.get(goal)
        if found is None:
            true, false = f"w_{len(self._goals)}", f"o_{len(self._goals)}"
            text = _smt(goal)
            self._solver.from_string(
                f"(declare-const {true} Bool)(declare-const {false} Bool)"
                f"(assert (=> {true} {text}))(assert (=> {false} (not {text})))"
            )
            found = self._goals[goal] = (self._z3.Bool(true), self._z3.Bool(false))
        return found

    def _possible(self, way: Any) -> bool:
        answer = self._solver.check(way)
        if answer == self._z3.unknown:
            raise CustodietError(
                "z3 did not decide",
                expected=f"an answer within {self._timeout_ms} ms",
                got=self._solver.reason_unknown(),
            )
        return answer == self._z3.sat

    def label(self, goal: Formula) -> str:
        """The label of one goal.

        Raises:
            CustodietError: z3 did not decide in time.
        """
        true, false = self._ways(goal)
        return label_of(self._possible(true), self._possible(false))

    def decide(self, goal: Formula) -> Decision:
        """The label of one goal, with a model for each way that it can be.

        Raises:
            CustodietError: z3 did not decide in time.
        """
        models = [self._model() if self._possible(way) else None for way in self._ways(goal)]
        return Decision(label_of(models[0] is not None, models[1] is not None), models[0], models[1], (NAME,))

    def _model(self) -> Model:
        """The solver's structure; what it leaves open is false, or the first individual."""
        found = self._solver.model()
        declared = {str(one.name()): one for one in found.decls()}
        universes: dict[str, list[Any]] = {sort: [] for sort in self.signature.sorts}
        for sort in found.sorts():
            if (name := str(sort.name())[2:]) in universes:
                universes[name] = list(found.get_universe(sort) or [])
        for name, sorts in self.signature.predicates.items():
            for i, sort in enumerate(sorts):
                if not universes[sort] and f"p_{name}" in declared:  # said only of all: any one individual will do
                    universes[sort] = [self._z3.FreshConst(declared[f"p_{name}"].domain(i))]
        sizes = {sort: max(1, len(values)) for sort, values in universes.items()}
        names = iter(element_names(sum(sizes.values()), self.signature.constants))
        domains = {sort: tuple([next(names) for _ in range(size)]) for sort, size in sizes.items()}
        constants = {}
        for name, sort in self.signature.constants.items():
            place = 0
            if f"c_{name}" in declared and universes[sort]:
                value = found.eval(declared[f"c_{name}"](), model_completion=True)
                place = next(i for i, one in enumerate(universes[sort]) if one.eq(value))
            constants[name] = domains[sort][place]
        true = []
        for name, sorts in self.signature.predicates.items():
            predicate = declared.get(f"p_{name}")
            if predicate is not None:
                for args in product(*[zip(domains[sort], universes[sort], strict=True) for sort in sorts]):
                    value = found.eval(predicate(*[value for _, value in args]), model_completion=True)
                    if self._z3.is_true(value):
                        true.append(Atom(name, tuple([one for one, _ in args])))
        return Model(domains, constants, frozenset(true))


def _declarations(signature: Signature) -> str:
    sorts = [f"(declare-sort s_{sort} 0)" for sort in signature.sorts]
    constants = [f"(declare-const c_{name} s_{sort})" for name, sort in signature.constants.items()]
    predicates = [
        f"(declare-fun p_{name} ({' '.join([f's_{sort}' for sort in args])}) Bool)"
        for name, args in signature.predicates.items()
    ]
    return "".join([*sorts, *constants, *predicates])


@lru_cache(maxsize=1 << 13)
def _smt(formula: Formula) -> str:
    """The formula in SMT-LIB."""
    if isinstance(formula, Atom):
        name = f"p_{formula.predicate}"
        return f"({name} {' '.join(map(_term, formula.args))})" if formula.args else name
    if isinstance(formula, Not):
        return f"(not {_smt(formula.body)})"
    if isinstance(formula, And):
        return f"(and {' '.join(map(_smt, formula.parts))})"
    if isinstance(formula, Or):
        return f"(or {' '.join(map(_smt, formula.parts))})"
    if isinstance(formula, Implies):
        return f"(=> {_smt(formula.left)} {_smt(formula.right)})"
    if isinstance(formula, Iff):
        return f"(= {_smt(formula.left)} {_smt(formula.right)})"
    if isinstance(formula, Equal):
        return f"(= {_term(formula.left)} {_term(formula.right)})"
    if isinstance(formula, (ForAll, Exists)):
        word = "forall" if isinstance(formula, ForAll) else "exists"
        return f"({word} ((v_{formula.variable} s_{formula.sort})) {_smt(formula.body)})"
    if isinstance(formula, Falsum):
        return "false"
    raise FormulaError("not a formula", got=repr(formula))


def _term(term: str) -> str:
    return f"v_{term}" if is_variable(term) else f"c_{term}"


def decide_by_z3(
    premises: Sequence[Formula],
    goal: Formula,
    *,
    models: bool = True,
    signature: Signature | None = None,
    timeout_ms: int = 20_000,
) -> Decision:
    """Decide what the premises say about the goal.

    Args:
        premises: closed formulas of first-order logic without functions, many-sorted, with equality.
        goal: one more.
        models: whether to give the two structures too.
        signature: of all, if it is known (it tells sorts that the formulas do not).
        timeout_ms: for each of the two questions.

    Returns:
        The label and, unless switched off, a model with and one without the goal, where there are such.

    Raises:
        CustodietError: z3 did not decide in time (outside of the fragments of this package it need not).
        FormulaError: names used in two ways.
        MissingExtraError: z3-solver is not installed.
    """
    problem = Z3Problem(premises, signature or signature_of([*premises, goal]), timeout_ms=timeout_ms)
    return problem.decide(goal) if models else Decision(problem.label(goal), engines=(NAME,))
