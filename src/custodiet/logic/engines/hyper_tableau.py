"""Bernays-Schönfinkel logic by hyper tableaux: forward chaining that splits where a conclusion is a disjunction.

A clause `not A or not B or C or D` is read as the rule `A and B -> C or D`. True atoms are chained as in Datalog; a rule
with one conclusion adds it, one with none closes the branch, one with several is split when nothing else is left. Equal
names are merged. What is not derived is false, so most of the ground instances that grounding would list are never made.
No SAT solver takes part, nor any code of `grounding` and `sat`: this is the engine that they are checked by.

Reference: Baumgartner, Furbach and Niemelä 1996, "Hyper tableaux"; Motik, Shearer and Horrocks 2009, "Hypertableau
reasoning for description logics", for merging. Here the names are finitely many, and a split tells each later way that
the earlier ones are false.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from custodiet.errors import FormulaError
from custodiet.logic.formulas import And, Atom, Equal, Exists, Falsum, ForAll, Formula, Iff, Implies, Not, Or
from custodiet.logic.fragments import Signature, signature_of
from custodiet.logic.notation import format_formula
from custodiet.logic.semantics import Decision, Model, element_names, label_of

__all__ = ["decide_by_tableau"]

NAME = "hyper_tableau"
_LONGEST = 16  # clauses that a disjunction may become without names for its parts

Term = str | int  # a name; a variable's number; -1 - k for the new name k of a formula
Claim = tuple[str, tuple[Term, ...]]  # predicate (or "=") and terms
Ground = tuple[str, tuple[str, ...]]
Literals = tuple[tuple[bool, str, tuple[Term, ...]], ...]


class _Rule(NamedTuple):
    body: tuple[Claim, ...]
    same: tuple[tuple[Term, Term], ...]  # names that must be equal for the rule to apply
    head: tuple[Claim, ...]
    open: tuple[int, ...]  # variables that the body does not bind


class _Rules(NamedTuple):
    rules: tuple[_Rule, ...]
    sorts: tuple[str, ...]  # of variables
    new: tuple[str, ...]  # sorts of new names


class _Reader:
    """Rules of one formula."""

    def __init__(self) -> None:
        self.sorts: list[str] = []
        self.new: list[str] = []
        self.num_named = 0
        self.extra: list[Literals] = []

    def read(self, formula: Formula, sign: bool, terms: dict[str, Term]) -> list[Literals]:
        if isinstance(formula, Not):
            return self.read(formula.body, not sign, terms)
        if isinstance(formula, Atom):
            return [((sign, formula.predicate, tuple([terms.get(one, one) for one in formula.args])),)]
        if isinstance(formula, Equal):
            return [((sign, "=", (terms.get(formula.left, formula.left), terms.get(formula.right, formula.right))),)]
        if isinstance(formula, Falsum):
            return [()] if sign else []
        if isinstance(formula, Iff):
            left, right = self.both_ways(formula.left, terms), self.both_ways(formula.right, terms)
            return self.either([left[1], right[0] if sign else right[1]], terms) + self.either(
                [left[0], right[1] if sign else right[0]], terms
            )
        if isinstance(formula, (ForAll, Exists)):
            if isinstance(formula, ForAll) is sign:
                self.sorts.append(formula.sort)
                return self.read(formula.body, sign, {**terms, formula.variable: len(self.sorts) - 1})
            self.new.append(formula.sort)
            found = self.read(formula.body, sign, {**terms, formula.variable: -len(self.new)})
            if any(_is_variable(one) and one in terms.values() for one in _terms(found)):
                raise FormulaError(
                    f"what {format_formula(formula)} says to exist depends on what is said of all",
                    expected="a formula of Bernays-Schönfinkel logic",
                )
            return found
        if isinstance(formula, Implies):
            parts = [(formula.left, not sign), (formula.right, sign)]
            conjunction = not sign
        elif isinstance(formula, (And, Or)):
            parts = [(one, sign) for one in formula.parts]
            conjunction = isinstance(formula, And) is sign
        else:
            raise FormulaError("not a formula", got=repr(formula))
        found = [self.read(one, way, terms) for one, way in parts]
        return [clause for one in found for clause in one] if conjunction else self.either(found, terms)

    def both_ways(self, formula: Formula, terms: dict[str, Term]) -> tuple[list[Literals], list[Literals]]:
        """Clauses of a formula and of its negation; one literal each, by a name, if they are many."""
        yes, no = self.read(formula, True, terms), self.read(formula, False, terms)
        if len(yes) * len(no) <= 4:
            return yes, no
        return [(self.named(yes, terms),)], [(self.named(no, terms),)]

    def either(self, parts: list[list[Literals]], terms: dict[str, Term]) -> list[Literals]:
        outer = set(terms.values())
        found: list[Literals] = [()]
        for part in sorted(parts, key=len):
            inner = any(_is_variable(one) and one not in outer for one in _terms(part))
            if len(part) > 1 and (inner or len(found) * len(part) > _LONGEST):
                part = [(self.named(part, terms),)]
            found = [left + right for left in found for right in part]
        return found

    def named(self, clauses: list[Literals], terms: dict[str, Term]) -> tuple[bool, str, tuple[Term, ...]]:
        """A literal that implies the clauses, said of the variables that are bound outside of them."""
        outer = set(terms.values())
        args = tuple(dict.fromkeys(one for one in _terms(clauses) if _is_variable(one) and one in outer))
        name = f"{self.num_named}"
        self.num_named += 1
        self.extra += [((False, name, args), *clause) for clause in clauses]
        return (True, name, args)


def _is_variable(term: Term) -> bool:
    return isinstance(term, int) and term >= 0


def _terms(clauses: Sequence[Literals]) -> Iterator[Term]:
    return (term for clause in clauses for _, _, terms in clause for term in terms)


@lru_cache(maxsize=1 << 13)
def _rules_of(formula: Formula, sign: bool) -> _Rules:
    reader = _Reader()
    clauses = reader.read(formula, sign, {})
    rules = [rule for one in (*clauses, *reader.extra) if (rule := _rule(one)) is not None]
    return _Rules(tuple(rules), tuple(reader.sorts), tuple(reader.new))


def _rule(clause: Literals) -> _Rule | None:
    """The clause as a rule, variables that must be equal to something put away; None if it is true anyway."""
    literals = list(dict.fromkeys(clause))
    same: list[tuple[Term, Term]] = []
    while True:
        equality = next((one for one in literals if one[1] == "=" and not one[0]), None)
        if equality is None:
            break
        literals.remove(equality)
        left, right = equality[2]
        if not _is_variable(left):
            left, right = right, left
        if _is_variable(left):
            literals = [
                (sign, name, tuple([right if one == left else one for one in args])) for sign, name, args in literals
            ]
        elif left != right:
            same.append((left, right))
    body = tuple([(name, args) for sign, name, args in literals if not sign])
    head = tuple([(name, args) for sign, name, args in literals if sign])
    if any(name == "=" and args[0] == args[1] for name, args in head) or set(body) & set(head):
        return None
    bound = {term for _, args in body for term in args}
    free = dict.fromkeys(term for _, args in head for term in args if isinstance(term, int) and term >= 0)
    return _Rule(body, tuple(same), head, tuple([one for one in free if one not in bound]))


class _Spent(Exception):
    """The budget is."""


class _Branch:
    """Atoms known to be true, claims known to be false, and the name that each name is merged into."""

    __slots__ = ("facts", "false", "merges", "names", "queue", "splits")

    def __init__(self, names: dict[str, str]) -> None:
        self.facts: dict[str, dict[tuple[str, ...], None]] = {}  # not sets, whose order changes from run to run
        self.false: set[Ground] = set()
        self.names = names
        self.queue: list[Ground] = []
        self.splits: dict[tuple[Ground, ...], None] = {}
        self.merges: list[tuple[str, str]] = []

    def copy(self) -> _Branch:
        made = _Branch(dict(self.names))
        made.facts = {name: dict(known) for name, known in self.facts.items()}
        made.false = set(self.false)
        made.queue = list(self.queue)
        made.splits = dict(self.splits)
        return made

    def add(self, claim: Ground) -> None:
        name, args = claim
        if name == "=":
            self.merges.append((args[0], args[1]))
            return
        known = self.facts.setdefault(name, {})
        if args not in known:
            known[args] = None
            self.queue.append(claim)

    def holds(self, claim: Ground) -> bool:
        name, args = claim
        return args[0] == args[1] if name == "=" else args in self.facts.get(name, ())

    def merge(self) -> bool:
        """Carry out the merges; False if something is then both true and false."""
        for left, right in self.merges:
            left, right = sorted((self.names[left], self.names[right]))
            if left != right:
                self.names = {name: left if one == right else one for name, one in self.names.items()}
        self.merges = []
        names = self.names
        self.facts = {
            name: dict.fromkeys(tuple([names[one] for one in args]) for args in known)
            for name, known in self.facts.items()
        }
        self.false = {_claim(name, tuple([names[one] for one in args])) for name, args in self.false}
        self.queue = [(name, args) for name, known in self.facts.items() for args in known]
        self.splits = {}
        return not any(self.holds(one) for one in self.false)


def _claim(name: str, args: tuple[str, ...]) -> Ground:
    return (name, tuple(sorted(args))) if name == "=" else (name, args)


class _Search:
    """The rules of one problem over its names."""

    def __init__(self, domains: dict[str, list[str]], budget: int) -> None:
        self.domains = domains
        self.budget = budget
        self.rules: list[tuple[_Rule, tuple[str, ...]]] = []  # with the sorts of variables
        self.using: dict[str, list[tuple[int, int]]] = {}  # predicate -> rules and places in their bodies

    def add(self, rules: _Rules, new: Sequence[str], tag: str) -> range:
        """Add a formula's rules, with names for what it says to exist; the numbers of the rules."""
        start = len(self.rules)

        def renamed(claim: Claim) -> Claim:
            name, args = claim
            name = f"{tag}{name}" if name[0].isdigit() else name  # names of parts are each formula's own
            return (name, tuple([new[-1 - one] if isinstance(one, int) and one < 0 else one for one in args]))

        for rule in rules.rules:
            number = len(self.rules)
            body = tuple([renamed(one) for one in rule.body])
            same = tuple([renamed(("=", one))[1] for one in rule.same])
            self.rules.append((rule._replace(body=body, same=same, head=tuple(map(renamed, rule.head))), rules.sorts))  # type: ignore[arg-type]
            for place, (name, _) in enumerate(body):
                self.using.setdefault(name, []).append((number, place))
        return range(start, len(self.rules))

    def start(self, branch: _Branch, numbers: range) -> bool:
        """Apply these rules to what is known; False if that closes the branch."""
        for number in numbers:
            body = self.rules[number][0].body
            if not self._apply(branch, number, self._matches(branch, list(body), {})):
                return False
        return True

    def close(self, branch: _Branch) -> bool:
        """Chain until nothing but splits is left; False if the branch is closed."""
        while branch.queue or branch.merges:
            if branch.merges:
                if not branch.merge() or not self.start(branch, range(len(self.rules))):
                    return False
                continue
            name, args = branch.queue.pop()
            for number, place in self.using.get(name, ()):
                body = list(self.rules[number][0].body)
                bound = _matched(body.pop(place)[1], args, {}, branch.names)
                if bound is not None and not self._apply(branch, number, self._matches(branch, body, bound)):
                    return False
        return True

    def _matches(self, branch: _Branch, body: list[Claim], bound: dict[int, str]) -> Iterator[dict[int, str]]:
        """Every way to make the body true."""
        if not body:
            yield bound
            return
        (name, terms), *rest = body
        for args in branch.facts.get(name, ()):
            found = _matched(terms, args, bound, branch.names)
            if found is not None:
                yield from self._matches(branch, rest, found)

    def _apply(self, branch: _Branch, number: int, matches: Iterator[dict[int, str]]) -> bool:
        rule, sorts = self.rules[number]
        names = branch.names
        if any(names[left] != names[right] for left, right in rule.same):  # type: ignore[index]
            return True
        for bound in list(matches):
            ways: Iterator[tuple[str, ...]] = iter([()])
            if rule.open:
                ways = product(*[dict.fromkeys(names[one] for one in self.domains[sorts[k]]) for k in rule.open])
            for values in ways:
                self.budget -= 1
                if self.budget < 0:
                    raise _Spent
                if rule.open:
                    bound = {**bound, **dict(zip(rule.open, values, strict=True))}
                if not self._conclude(branch, rule.head, bound):
                    return False
        return True

    def _conclude(self, branch: _Branch, head: tuple[Claim, ...], bound: dict[int, str]) -> bool:
        names = branch.names
        claims: list[Ground] = []
        for name, terms in head:
            args = tuple([bound[one] if isinstance(one, int) else names[one] for one in terms])
            claim = _claim(name, args) if name == "=" else (name, args)
            if branch.holds(claim):
                return True
            if claim not in branch.false and claim not in claims:
                claims.append(claim)
        if len(claims) == 1:
            branch.add(claims[0])
        elif claims:
            branch.splits[tuple(claims)] = None
        return bool(claims)

    def solve(self, branch: _Branch) -> _Branch | None:
        """A branch in which every rule holds; None if all are closed."""
        while True:
            if not self.close(branch):
                return None
            best: list[Ground] | None = None
            self.budget -= len(branch.splits) // 8  # looking at a split again is some tenth of an application
            splits, branch.splits = branch.splits, {}
            for claims in splits:
                if any(map(branch.holds, claims)):
                    continue
                left = [one for one in claims if one not in branch.false]
                if not left:
                    return None
                if len(left) == 1:
                    branch.add(left[0])
                    best = []
                    continue
                branch.splits[tuple(left)] = None
                if best is None or (best and len(left) < len(best)):
                    best = left
            if best is None:
                return branch
            if best:
                break
        for i, claim in enumerate(best):
            way = branch.copy()
            way.false.update(best[:i])
            way.add(claim)
            found = self.solve(way)
            if found is not None:
                return found
        return None


def _matched(
    terms: tuple[Term, ...], args: tuple[str, ...], bound: dict[int, str], names: dict[str, str]
) -> dict[int, str] | None:
    extended = bound
    for term, value in zip(terms, args, strict=True):
        if isinstance(term, str):
            if names[term] != value:
                return None
            continue
        known = extended.get(term)
        if known is None:
            if extended is bound:
                extended = dict(bound)
            extended[term] = value
        elif known != value:
            return None
    return extended


def decide_by_tableau(
    premises: Sequence[Formula],
    goal: Formula,
    *,
    models: bool = True,
    signature: Signature | None = None,
    budget: int = 50_000,
) -> Decision | None:
    """Decide what the premises say about the goal.

    Args:
        premises: closed formulas, with sorts and equality, whose "some" does not depend on an "all"; also propositional.
        goal: one more; its negation must be of that kind too.
        models: whether to give the two structures too.
        signature: of all, if it is known (it tells sorts that the formulas do not).
        budget: applications of rules (a few microseconds each).

    Returns:
        The label and, unless switched off, a model with and one without the goal, where there are such; None if the
        budget is spent.

    Raises:
        FormulaError: outside that fragment, or names used in two ways.
    """
    signature = signature_of([*premises, goal]) if signature is None else signature
    given = [_rules_of(one, True) for one in premises]
    goals = (_rules_of(goal, True), _rules_of(goal, False))
    domains: dict[str, list[str]] = {sort: [] for sort in signature.sorts}
    for name, sort in signature.constants.items():
        domains[sort].append(name)
    new: list[list[str]] = []
    for one in (*given, *goals):
        new.append([f"{len(new)}.{k}" for k in range(len(one.new))])
        for name, sort in zip(new[-1], one.new, strict=True):
            domains[sort].append(name)
    for sort, names in domains.items():
        if not names:
            names.append(f".{sort}")
    search = _Search(domains, budget)
    trunk = _Branch({name: name for names in domains.values() for name in names})
    for i, one in enumerate(given):
        search.add(one, new[i], f"{i}.")
    found: list[Model | bool | None] = [None, None]
    try:
        if search.start(trunk, range(len(search.rules))) and search.close(trunk):
            for way in (0, 1):
                found[way] = _tried(search, trunk, goals[way], new[len(given) + way], signature, models)
    except _Spent:
        return None
    label = label_of(found[0] is not None, found[1] is not None)
    structures = [one if isinstance(one, Model) else None for one in found]
    return Decision(label, structures[0], structures[1], (NAME,))


def _tried(
    search: _Search, trunk: _Branch, goal: _Rules, new: Sequence[str], signature: Signature, models: bool
) -> Model | bool | None:
    """A structure (or True) where the premises' branch can be extended by one side of the goal; None if it cannot."""
    rules, using = list(search.rules), {name: list(places) for name, places in search.using.items()}
    branch = trunk.copy()
    numbers = search.add(goal, new, "goal.")
    solved = search.solve(branch) if search.start(branch, numbers) else None
    search.rules, search.using = rules, using
    if solved is None or not models:
        return None if solved is None else True
    kept = {sort: dict.fromkeys(solved.names[one] for one in names) for sort, names in search.domains.items()}
    names = iter(element_names(sum(map(len, kept.values())), signature.constants))
    element = {one: next(names) for firsts in kept.values() for one in firsts}
    return Model(
        {sort: tuple([element[one] for one in firsts]) for sort, firsts in kept.items()},
        {name: element[solved.names[name]] for name in signature.constants},
        frozenset(
            [
                Atom(name, tuple([element[one] for one in args]))
                for name, known in solved.facts.items()
                if name in signature.predicates
                for args in known
            ]
        ),
    )
