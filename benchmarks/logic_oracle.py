"""An oracle for proofs that shares no code with the kernel: who is right about a mutant, it or the kernel?

What a line rests on is computed anew with sets; whether a formula follows is asked of a SAT solver that looks for a finite
structure, without Skolem constants: a set of exists*forall* formulas that is true somewhere is true in a structure with
no more individuals of a sort than it has constants and existentials of that sort. Formulas outside go to z3, programs
to clingo. The kernel names bound variables, sorts terms and searches in other ways.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

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
    constants_of,
    instantiate,
    operands,
    subformulas,
)
from custodiet.logic.mutations import Proof

# -------------------------------------------------------------------------------------------------------- formulas


def shape(formula: Formula, bound: tuple[str, ...] = ()) -> str:
    """A text that two formulas share if they differ in the order of operands and the names of bound variables only."""

    def term(name: str) -> str:
        return f"@{bound.index(name)}" if name in bound else name

    match formula:
        case Atom():
            return f"{formula.predicate}({','.join(map(term, formula.args))})"
        case Equal():
            return "{}={}".format(*sorted([term(formula.left), term(formula.right)]))
        case And() | Or():
            sign = "&" if isinstance(formula, And) else "|"
            return "(" + sign.join(sorted(shape(one, bound) for one in formula.parts)) + ")"
        case Iff():
            return "<->{}{}".format(*sorted([f"[{shape(one, bound)}]" for one in (formula.left, formula.right)]))
        case ForAll() | Exists():
            return f"{type(formula).__name__}:{formula.sort}[{shape(formula.body, (*bound, formula.variable))}]"
    return f"{type(formula).__name__}[{';'.join(shape(one, bound) for one in operands(formula))}]"


def _links(formula: Formula, bound: dict[str, str]) -> Iterable[set[tuple]]:
    """Names and places that must have one sort."""
    if isinstance(formula, (ForAll, Exists)):
        yield from _links(formula.body, {**bound, formula.variable: formula.sort})
        return
    if isinstance(formula, (Atom, Equal)):
        terms = formula.args if isinstance(formula, Atom) else (formula.left, formula.right)
        keys = [("sort", bound[one]) if one in bound else ("constant", one) for one in terms]
        if isinstance(formula, Equal):
            yield set(keys)
        else:
            for place, key in enumerate(keys):
                yield {key, ("place", formula.predicate, len(keys), place)}
    for one in operands(formula):
        yield from _links(one, bound)


def _classes(formulas: Iterable[Formula]) -> list[set[tuple]]:
    classes: list[set[tuple]] = []
    for formula in formulas:
        for link in _links(formula, {}):
            joined = set(link)
            for one in [one for one in classes if one & joined]:
                classes.remove(one)
                joined |= one
            classes.append(joined)
    return classes


def _sorts(one: set[tuple]) -> set[tuple]:
    return {key for key in one if key[0] == "sort"}


class Signature:
    """The sorts of a proof's names; `fits` tells whether every name has one and the lines leave those of the premises."""

    def __init__(self, proof: Proof) -> None:
        ground = [*proof.premises, proof.goal]
        formulas = [*ground, *(one.formula for one in proof.steps)]
        self.sort_of: dict[str, str] = {}
        self.fits = True
        many = any(isinstance(one, (ForAll, Exists)) and one.sort for f in formulas for one in subformulas(f))
        if not many:
            return
        plain = not any(isinstance(one, (ForAll, Exists)) and one.sort for f in ground for one in subformulas(f))
        before, after = _classes(ground), _classes(formulas)
        for number, one in enumerate(after):
            inside = [old for old in before if old & one]
            new_sort = bool(_sorts(one)) and any(not _sorts(old) for old in inside)
            if len(_sorts(one)) > 1 or len(inside) > 1 or new_sort:
                self.fits = False
            name = next((key[1] for key in _sorts(one)), f"nameless {number}")
            self.sort_of |= {key[1]: name for key in one if key[0] == "constant"}
        self.fits = self.fits and not plain


# ------------------------------------------------------------------------------------------------- finite structures


class _Outside(Exception):
    """An existential below a universal."""


def _existentials(formula: Formula, positive: bool, inside: bool, sorts: list[str]) -> None:
    match formula:
        case Not():
            _existentials(formula.body, not positive, inside, sorts)
        case Implies():
            _existentials(formula.left, not positive, inside, sorts)
            _existentials(formula.right, positive, inside, sorts)
        case Iff():
            for side in (formula.left, formula.right):
                _existentials(side, True, inside, sorts)
                _existentials(side, False, inside, sorts)
        case ForAll() | Exists():
            universal = isinstance(formula, ForAll) is positive
            if not universal:
                if inside:
                    raise _Outside
                sorts.append(formula.sort)
            _existentials(formula.body, positive, inside or universal, sorts)
        case _:
            for one in operands(formula):
                _existentials(one, positive, inside, sorts)


def satisfiable(formulas: Sequence[Formula], sort_of: dict[str, str]) -> bool:
    """Whether closed formulas are true together in some structure; `_Outside` if the bound on its size does not hold."""
    needed: list[str] = []
    for one in formulas:
        _existentials(one, True, False, needed)
    constants = list(dict.fromkeys(name for one in formulas for name in constants_of(one)))
    every = [part for one in formulas for part in subformulas(one)]
    sorts = list(dict.fromkeys([*(sort_of.get(name, "") for name in constants),
                                *(one.sort for one in every if isinstance(one, (ForAll, Exists)))]))  # fmt: skip
    most = [max(1, needed.count(s) + sum(sort_of.get(name, "") == s for name in constants)) for s in sorts]
    equality = any(isinstance(one, Equal) for one in every)
    sizes = itertools.product(*[range(1, size + 1) for size in most]) if equality else [tuple(most)]
    return any(_Encoding(dict(zip(sorts, size, strict=True)), constants, sort_of).solve(formulas) for size in sizes)


class _Encoding:
    """The clauses that say: the formulas are true in a structure with these numbers of individuals."""

    def __init__(self, sizes: dict[str, int], constants: list[str], sort_of: dict[str, str]) -> None:
        self.variables: dict[object, int] = {}
        self.clauses: list[list[int]] = []
        self.true = self.variable("true")
        self.clauses.append([self.true])
        self.domain = {sort: [(sort, number) for number in range(size)] for sort, size in sizes.items()}
        self.values = {name: self.domain[sort_of.get(name, "")] for name in constants}
        for name, values in self.values.items():
            self.clauses.append([self.variable((name, one)) for one in values])
            self.clauses += [[-self.variable((name, a)), -self.variable((name, b))]
                             for a, b in itertools.combinations(values, 2)]  # fmt: skip

    def variable(self, key: object) -> int:
        return self.variables.setdefault(key, len(self.variables) + 1)

    def denotations(self, term: str, bound: dict[str, tuple]) -> list[tuple[list[int], tuple]]:
        """What a term may name, and the literals that are false if it does."""
        if term in bound:
            return [([], bound[term])]
        return [([-self.variable((term, one))], one) for one in self.values[term]]

    def literal(self, formula: Formula, bound: dict[str, tuple]) -> int:
        """A literal that is true exactly if the formula is."""
        match formula:
            case Falsum():
                return -self.true
            case Not():
                return -self.literal(formula.body, bound)
            case And():
                return -self.any_of([-self.literal(one, bound) for one in formula.parts])
            case Or():
                return self.any_of([self.literal(one, bound) for one in formula.parts])
            case Implies():
                return self.any_of([-self.literal(formula.left, bound), self.literal(formula.right, bound)])
            case Iff():
                a, b = self.literal(formula.left, bound), self.literal(formula.right, bound)
                made = self.variable(("iff", a, b))
                self.clauses += [[-made, -a, b], [-made, a, -b], [made, a, b], [made, -a, -b]]
                return made
            case ForAll() | Exists():
                sign = -1 if isinstance(formula, ForAll) else 1
                return sign * self.any_of([sign * self.literal(formula.body, {**bound, formula.variable: one})
                                           for one in self.domain[formula.sort]])  # fmt: skip
        terms = formula.args if isinstance(formula, Atom) else (formula[1], formula[2])
        if not terms:
            return self.variable(("atom", formula.predicate))  # type: ignore[attr-defined]
        choices = list(itertools.product(*[self.denotations(one, bound) for one in terms]))
        made = self.variable(
            ("said", formula[1] if isinstance(formula, Atom) else "=", tuple(bound.get(one, one) for one in terms))
        )
        for choice in choices:
            unless = [literal for literals, _ in choice for literal in literals]
            named = tuple(one for _, one in choice)
            if isinstance(formula, Equal):
                self.clauses.append([*unless, made if named[0] == named[1] else -made])
            else:
                fact = self.variable(("fact", formula[1], named))
                self.clauses += [[*unless, -made, fact], [*unless, made, -fact]]
        return made

    def any_of(self, literals: list[int]) -> int:
        if len(literals) == 1:
            return literals[0]
        made = self.variable(("or", tuple(literals)))
        self.clauses += [[-made, *literals], *([made, -one] for one in literals)]
        return made

    def solve(self, formulas: Sequence[Formula]) -> bool:
        from pysat.solvers import Solver

        self.clauses += [[self.literal(one, {})] for one in formulas]
        with Solver("minisat22", bootstrap_with=self.clauses) as solver:
            return bool(solver.solve())


# -------------------------------------------------------------------------------------------------------- z3, clingo


def z3_satisfiable(formulas: Sequence[Formula], sort_of: dict[str, str], timeout_ms: int = 2000) -> bool | None:
    """The same by z3, for any closed formulas; None where it does not know."""
    import z3

    context = z3.Context()
    sorts: dict[str, z3.SortRef] = {}

    def sort(name: str) -> z3.SortRef:
        return sorts.setdefault(name, z3.DeclareSort(f"sort {name}", context))

    def term(name: str, bound: dict[str, z3.ExprRef]) -> z3.ExprRef:
        return bound[name] if name in bound else z3.Const(name, sort(sort_of.get(name, "")))

    def made(formula: Formula, bound: dict[str, z3.ExprRef]) -> z3.BoolRef:
        match formula:
            case Falsum():
                return z3.BoolVal(False, context)
            case Equal():
                return term(formula.left, bound) == term(formula.right, bound)
            case Atom():
                args = [term(one, bound) for one in formula.args]
                if not args:
                    return z3.Bool(formula.predicate, context)
                name = f"{formula.predicate}/{len(args)}"
                return z3.Function(name, *[one.sort() for one in args], z3.BoolSort(context))(*args)
            case ForAll() | Exists():
                variable = z3.Const(f"{formula.variable}!{len(bound)}", sort(formula.sort))
                quantify = z3.ForAll if isinstance(formula, ForAll) else z3.Exists
                return quantify([variable], made(formula.body, {**bound, formula.variable: variable}))
        parts = [made(one, bound) for one in operands(formula)]
        match formula:
            case Not():
                return z3.Not(parts[0])
            case And():
                return z3.And(parts)
            case Or():
                return z3.Or(parts)
            case Implies():
                return z3.Implies(*parts)
        return parts[0] == parts[1]

    solver = z3.SolverFor("UF", ctx=context)
    solver.set("timeout", timeout_ms)
    solver.add([made(one, {}) for one in formulas])
    return {"sat": True, "unsat": False}.get(str(solver.check()))


def stable_model(program: Sequence[Formula]) -> frozenset[Formula]:
    """The atoms of a stratified program's one stable model, by clingo."""
    import clingo

    def text(one: Formula) -> str:
        if isinstance(one, Not):
            return "not " + text(one.body)
        args = ",".join(name.upper() if name in "xyz" else name for name in one.args)  # type: ignore[attr-defined]
        return f"p_{one.predicate}({args})"  # type: ignore[attr-defined]

    control = clingo.Control(["--warn=none"])
    for one in program:
        while isinstance(one, ForAll):
            one = one.body
        if isinstance(one, Implies):
            body = one.left.parts if isinstance(one.left, And) else (one.left,)
            control.add("base", [], f"{text(one.right)} :- {', '.join(map(text, body))}.")
        else:
            control.add("base", [], f"{text(one)}.")
    control.ground([("base", [])])
    found: list[frozenset[Formula]] = []
    control.solve(on_model=lambda model: found.append(frozenset(
        Atom(one.name[2:], tuple(map(str, one.arguments))) for one in model.symbols(atoms=True))))  # fmt: skip
    (only,) = found
    return only


# -------------------------------------------------------------------------------------------------------------- proofs


class Oracle:
    """Answers about proofs, and remembers those about formulas."""

    def __init__(self) -> None:
        self.known: dict[object, bool | None] = {}
        self.models: dict[tuple, frozenset[Formula]] = {}
        self.num_z3 = 0

    def follows(self, given: Sequence[Formula], end: Formula, sort_of: dict[str, str]) -> bool | None:
        """Whether `end` is true wherever `given` is; None where nobody knows."""
        names = {name for one in (*given, end) for name in constants_of(one)}
        sorts = tuple(sorted((name, sort_of[name]) for name in names if name in sort_of))
        key = (frozenset(map(shape, given)), shape(end), sorts)
        if key not in self.known:
            formulas = [*given, Not(end)]
            try:
                found: bool | None = satisfiable(formulas, sort_of)
            except _Outside:
                self.num_z3 += 1
                found = z3_satisfiable(formulas, sort_of)
            self.known[key] = None if found is None else not found
        return self.known[key]

    def model(self, premises: tuple[Formula, ...]) -> frozenset[Formula]:
        if premises not in self.models:
            self.models[premises] = stable_model(premises)
        return self.models[premises]

    def is_true(self, proof: Proof) -> bool | None:
        """Whether what the last line says is so: the goal, its negation, or that the premises are inconsistent."""
        last, sort_of = proof.steps[-1].formula, Signature(proof).sort_of
        if proof.logic == "datalog" and isinstance(last.body if isinstance(last, Not) else last, Atom):
            body = last.body if isinstance(last, Not) else last
            return (body in self.model(proof.premises)) is not isinstance(last, Not)
        return self.follows(proof.premises, last, sort_of)

    def valid(self, proof: Proof) -> bool | None:
        """Whether it proves its goal, the goal's negation or inconsistency; None where a line could not be decided."""
        numbers = [one.number for one in proof.steps]
        if not numbers or numbers[0] < 1 or any(a >= b for a, b in itertools.pairwise(numbers)):
            return False
        signature = Signature(proof)
        if not signature.fits:
            return False
        lines = _Lines(self, proof, signature.sort_of)
        verdicts = [lines.add(one) for one in proof.steps]
        last, goal = proof.steps[-1].formula, proof.goal
        ends = {shape(goal), shape(Not(goal)), "Falsum[]"} | ({shape(goal.body)} if isinstance(goal, Not) else set())
        if False in verdicts or shape(last) not in ends or lines.rests[numbers[-1]] & lines.assumed:
            return False
        return None if None in verdicts else True


class _Lines:
    def __init__(self, oracle: Oracle, proof: Proof, sort_of: dict[str, str]) -> None:
        self.oracle, self.proof, self.sort_of = oracle, proof, sort_of
        self.premises = {shape(one) for one in proof.premises}
        self.formula: dict[int, Formula] = {}
        self.rests: dict[int, frozenset[int]] = {}
        self.assumed: set[int] = set()

    def add(self, step) -> bool | None:
        verdict, rests = self.judged(step)
        self.formula[step.number] = step.formula
        self.rests[step.number] = rests
        return verdict

    def judged(self, step) -> tuple[bool | None, frozenset[int]]:
        itself = frozenset([step.number])
        if any(one not in self.formula for one in step.cites):
            return False, itself
        if step.rule == "assumption":
            self.assumed.add(step.number)
            return not step.cites, itself
        given = shape(step.formula) in self.premises
        if step.rule == "premise":
            return given and not step.cites, itself
        if given and not step.cites:
            return True, itself
        readings = list(self.readings(step.formula, step.cites))
        if readings:
            return True, min(readings, key=lambda rests: len(rests & self.assumed))
        negated = isinstance(step.formula, Not) and isinstance(step.formula.body, Atom)
        closed = self.proof.logic == "datalog" and not step.cites and negated
        if closed and step.formula.body not in self.oracle.model(self.proof.premises):
            return True, itself
        below = frozenset().union(*[self.rests[one] for one in step.cites])
        return self.oracle.follows([self.formula[one] for one in step.cites], step.formula, self.sort_of), below

    def names(self, lines: Iterable[int]) -> set[str]:
        return {name for one in lines for name in constants_of(self.formula[one])}

    def readings(self, end: Formula, cites: tuple[int, ...]) -> Iterable[frozenset[int]]:
        """What the line rests on, for each way in which it discharges or generalizes."""
        same = shape(end)
        said = {one: shape(self.formula[one]) for one in cites}
        if len(cites) == 1 and isinstance(end, ForAll):
            for constant in self.witnesses(end, said[cites[0]]):
                if constant not in self.names(self.rests[cites[0]]) | set(constants_of(end)):
                    yield self.rests[cites[0]]
        for case, *lines in itertools.permutations(cites) if len(cites) in (2, 3) else ():
            if case not in self.assumed:
                continue
            below = frozenset().union(*[self.rests[one] for one in lines]) - {case}
            if isinstance(end, Implies) and [said[case], *map(said.get, lines)] == [shape(end.left), shape(end.right)]:
                yield below
            texts = {said[one] for one in cites}
            absurd = "Falsum[]" in texts or any(f"Not[{one}]" in texts for one in texts)
            if absurd and (same == f"Not[{said[case]}]" or said[case] == f"Not[{same}]"):
                yield below
        for some, case, line in itertools.permutations(cites) if len(cites) == 3 else ():
            exists, others = self.formula[some], self.rests[line] - {case}
            if case in self.assumed and isinstance(exists, Exists) and said[line] == same:
                for constant in self.witnesses(exists, said[case]):
                    if constant not in self.names(others) | set(constants_of(exists)) | set(constants_of(end)):
                        yield self.rests[some] | others
        split = self.formula[cites[0]] if len(cites) >= 5 and len(cites) % 2 else None
        if isinstance(split, Or):
            cases, lines = cites[1::2], cites[2::2]
            covered = sorted(said[one] for one in cases) == sorted(map(shape, split.parts))
            if covered and self.assumed.issuperset(cases) and all(said[one] == same for one in lines):
                left = [self.rests[line] - {case} for case, line in zip(cases, lines, strict=True)]
                yield self.rests[cites[0]].union(*left)

    def witnesses(self, quantified, said: str) -> Iterable[str | None]:
        """The constants that make the body of a quantifier what a line says; None if it does not speak of anybody."""
        names = {name for one in self.formula.values() for name in constants_of(one)}
        for constant in (None, *sorted(names)):
            terms = {} if constant is None else {quantified.variable: constant}
            if shape(instantiate(quantified.body, terms)) == said:
                yield constant
