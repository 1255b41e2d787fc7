"""A problem of LogicInference: premises from which one chain of rules leads to a conclusion, and targets, each proved.

The chain is built backwards: a rule is taken, then premises are replaced, one after another, by those of a rule that
concludes them. No premise can be left out (but in problems made from a fallacy), and in every ground of a label two
engines agree. A contradictory problem holds what its own chain refutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from custodiet.errors import CustodietError
from custodiet.logic.canonical import outline
from custodiet.logic.formulas import FALSUM, Atom, Exists, ForAll, Formula, Not, atoms_of, complement
from custodiet.logic.generate.draws import Draws
from custodiet.logic.generate.inference.prover import MAX_SYMBOLS, Prover, certified
from custodiet.logic.generate.inference.schemas import (
    ENTRIES,
    FALLACIES,
    GENERALIZATION,
    INSTANTIATION,
    LURES,
    VARIABLE,
    Entry,
    Inference,
    backward,
    instance,
    one_step,
    results,
    unordered,
)
from custodiet.logic.generate.inference.targets import KINDS, InferenceProblem, Target
from custodiet.logic.kernel import check_proof
from custodiet.logic.proofs import Step, format_proof
from custodiet.logic.semantics import CONTRADICTED, ENTAILED, INCONSISTENT, UNKNOWN

__all__ = ["KINDS", "InferenceProblem", "Target", "draw_inference_problem", "opposite_of"]

LENGTH_WEIGHTS = (0.425, 0.3, 0.2, 0.05, 0.025)
"""Of one rule to five; more rules are as likely as five."""
_FALLACIES = 0.12
_MAX_ATTEMPTS = 4000
_MAX_UNRELATED = 3
_GROUND, _UNIVERSAL, _EXISTENTIAL = (
    tuple([one for one in ENTRIES if one.mode == mode]) for mode in ("", "universal", "existential")
)


class _FullError(Exception):
    """There is no room for one more symbol."""


class _Symbols:
    """Fresh literals: propositions p1, p2 ...; predicates P1, P2 ... of the constants a1, a2 ... or of the variable."""

    def __init__(self, draws: Draws, about: bool) -> None:
        self.draws = draws
        self.about = about  # whether ground literals of the first rule say something of somebody
        self.num_propositions = self.num_predicates = 0

    def atom(self, term: str) -> Atom:
        """A new atom; a proposition where there is no term."""
        if self.num_propositions + self.num_predicates >= MAX_SYMBOLS:
            raise _FullError
        if term:
            self.num_predicates += 1
            return Atom(f"P{self.num_predicates}", (term,))
        self.num_propositions += 1
        return Atom(f"p{self.num_propositions}")

    def literal(self, term: str, negative: float) -> Formula:
        """A literal of a new atom."""
        atom = self.atom(term)
        return Not(atom) if self.draws.chance(negative) else atom


@dataclass(slots=True)
class _Draft:
    """What a chain looks like before anything is proved."""

    premises: list[Formula]
    steps: list[Inference]  # deepest first
    conclusions: list[Formula]
    lures: list[Formula]  # what a fallacy would conclude


def draw_inference_problem(
    draws: Draws,
    *,
    depth: tuple[int, int],
    max_premises: int,
    logic: str,
    fallacies: bool = True,
    contradictory: bool = False,
) -> InferenceProblem:
    """Draw a problem and prove it.

    Args:
        draws: random choices.
        depth: least and most steps of the chain.
        max_premises: more are not used.
        logic: `propositional`, or `monadic` for LogicInference's own mix.
        fallacies: whether a problem may be made from a fallacy, so that perhaps nothing follows from it.
        contradictory: whether the premises contradict each other.

    Raises:
        CustodietError: no problem was found, two engines disagree, or the kernel rejects a proof.
    """
    lengths = range(depth[0], depth[1] + 1)
    weights = [LENGTH_WEIGHTS[min(one, len(LENGTH_WEIGHTS)) - 1] for one in lengths]
    length = draws.weighted(lengths, weights)
    fallacy = not contradictory and fallacies and draws.chance(_FALLACIES)
    for _ in range(_MAX_ATTEMPTS):
        symbols = _Symbols(draws, logic != "propositional" and draws.chance(0.5))
        try:
            draft = _draft(draws, symbols, length, logic, contradictory, fallacy)
        except _FullError:
            continue
        if draft is None or len(draft.premises) > max_premises:
            continue
        made = _proved(draws, symbols, draft, contradictory)
        if made is not None:
            return made
    raise CustodietError(
        f"no problem with a chain of {length} steps and at most {max_premises} premises was found",
        hint="Allow more premises or a shorter chain.",
    )


# --- building --------------------------------------------------------------------------------------------------------


def _draft(
    draws: Draws, symbols: _Symbols, length: int, logic: str, contradictory: bool, fallacy: bool
) -> _Draft | None:
    draft = _first_rule(draws, symbols, logic, fallacy)
    if contradictory:
        draft.premises.append(opposite_of(draft.conclusions[0]))
    stated = set(map(unordered, [*draft.premises, *draft.conclusions]))
    if len(stated) < len(draft.premises) + len(draft.conclusions):
        return None
    for _ in range(8 * length):
        if len(draft.steps) + fallacy == length:
            return draft
        _extend(draws, symbols, draft, stated, logic)
    return draft if len(draft.steps) + fallacy == length else None


def _first_rule(draws: Draws, symbols: _Symbols, logic: str, fallacy: bool) -> _Draft:
    term = "a1" if symbols.about else ""
    if fallacy:
        names = {one.name for one in FALLACIES}
        entries = [one for one in LURES if one.rule.name in names and (logic != "propositional" or not one.mode)]
    elif logic == "propositional" or draws.chance(0.5):
        entries = _GROUND
    else:
        number = draws.below(len(ENTRIES) + 2)
        if number >= len(ENTRIES):
            literal = symbols.literal("a1", 0.5)
            lifted = _about_all(literal)
            if number == len(ENTRIES):
                found = Inference(literal, INSTANTIATION, (ForAll(VARIABLE, lifted),))
            else:
                found = Inference(Exists(VARIABLE, lifted), GENERALIZATION, (literal,))
            return _Draft([*found.sources], [found], [found.formula], [])
        entries = _UNIVERSAL if draws.chance(0.5) else _EXISTENTIAL  # as often, though they are fewer
    entry: Entry = draws.pick(entries)
    if entry.mode:
        term = VARIABLE
    premises, conclusions = instance(entry, {}, lambda: symbols.literal(term, 0.35))
    if fallacy:
        return _Draft(premises, [], [], conclusions)
    step = Inference(conclusions[0], entry.name, tuple(premises))
    return _Draft(premises, [step], conclusions, [])


def _about_all(literal: Formula) -> Formula:
    """A ground literal with the variable in place of its constant."""
    if isinstance(literal, Not):
        return Not(Atom(literal.body[1], (VARIABLE,)))
    return Atom(literal[1], (VARIABLE,))


def _extend(draws: Draws, symbols: _Symbols, draft: _Draft, stated: set[Formula], logic: str) -> None:
    """Put the premises of a rule in place of a premise that it concludes; nothing is done if something is said twice."""
    premise = draws.pick(draft.premises)
    candidates = backward(premise, ("a1", "a2") if logic != "propositional" else ())
    if logic == "propositional":
        candidates = [one for one in candidates if isinstance(one[0], Entry)]
    if not candidates:
        return
    chosen = draws.pick(candidates)
    before = symbols.num_propositions, symbols.num_predicates
    if isinstance(chosen[0], Entry):
        entry, binding = chosen
        terms = {one[2] for one in atoms_of(premise)}
        about = VARIABLE if entry.mode else next(iter(terms), ("",))[0] if () not in terms else ""
        if about and not entry.mode and draws.chance(0.3):
            about = ""
        try:
            premises, _ = instance(entry, binding, lambda: symbols.literal(about, 0.2))
        except _FullError:  # another rule may need fewer
            premises = [premise]
        step = Inference(premise, entry.name, tuple(premises))
    else:
        premises = [chosen[1]]
        step = Inference(premise, chosen[0], (chosen[1],))
    new = set(map(unordered, premises))
    if len(new) < len(premises) or not stated.isdisjoint(new):
        symbols.num_propositions, symbols.num_predicates = before
        return
    stated |= new
    draft.premises.remove(premise)
    draft.premises += premises
    draft.steps.insert(0, step)


def opposite_of(formula: Formula) -> Formula:
    """A formula that is true where this one is false, its negation being below its quantifier."""
    if isinstance(formula, ForAll):
        return Exists(formula.variable, complement(formula.body))
    if isinstance(formula, Exists):
        return ForAll(formula.variable, complement(formula.body))
    return complement(formula)


# --- proving ---------------------------------------------------------------------------------------------------------


def _proved(draws: Draws, symbols: _Symbols, draft: _Draft, contradictory: bool) -> InferenceProblem | None:
    premises = draft.premises
    draws.shuffle(premises)
    derived = [*draft.conclusions, *[one.formula for one in draft.steps]]
    first = Prover(premises, derived)
    if first.consistent() is contradictory:
        return None
    everything = tuple(range(len(premises)))
    if draft.conclusions and not contradictory and any(first.needed(one) != everything for one in draft.conclusions):
        return None
    pool = _pool(draws, symbols, draft)
    prover = Prover(premises, [*derived, *pool])
    if contradictory:
        targets = _contradictory_targets(draft, pool)
    else:
        targets = _following(prover, draft)
        unrelated = [one for one in pool if prover.label(one) == UNKNOWN][:_MAX_UNRELATED]
        if not unrelated and draft.lures:
            return None
        targets += [Target(one, "unrelated", UNKNOWN) for one in unrelated]
    consequences = one_step(premises)
    if not contradictory:
        targets += [
            Target(
                one,
                "premise",
                ENTAILED,
                (),
                (place,),
                prover.needed(one) == (place,),
                0,
                (),
                (Step(1, one, "premise"),),
            )
            for place, one in enumerate(premises)
        ]
    engine = _certify(prover, targets, consequences)
    logic = "propositional" if prover.propositional else "monadic"
    for one in targets:
        _finish(one, premises, consequences, logic)
    made = InferenceProblem(
        premises, not contradictory, len(draft.steps), consequences, targets, prover.propositional,
        (prover.engine, engine), outline(premises, FALSUM),
    )  # fmt: skip
    for one in targets:
        made.by_kind.setdefault(one.kind, []).append(one)
    return made


def _certify(prover: Prover, targets: list[Target], consequences: list[Inference]) -> str:
    """Have the second engine decide all that an answer may say; its name."""
    labels = {one.formula: prover.label(one.formula) for one in targets}
    labels |= {one.formula: prover.label(one.formula) for one in consequences}
    for one in targets:
        if labels[one.formula] != one.label:
            raise CustodietError(f"a target is {labels[one.formula]}, not {one.label}", hint="This is a defect.")
    follows = (ENTAILED, INCONSISTENT)
    if any(labels[one.formula] not in follows for one in consequences):
        raise CustodietError("a rule's conclusion does not follow", hint="This is a defect; please report it.")
    engine, models = certified(prover.premises, labels, propositional=prover.propositional)
    for one in targets:
        one.models = models.get(one.formula, ())
    return engine


def _chain_to(formula: Formula, steps: Sequence[Inference]) -> tuple[Inference, ...]:
    """The steps that lead to a formula, in their order."""
    wanted = {formula}
    found = []
    for step in reversed(steps):
        if step.formula in wanted:
            found.append(step)
            wanted.update(step.sources)
    return tuple(found[::-1])


def _following(prover: Prover, draft: _Draft) -> list[Target]:
    """Targets that follow and their opposites, which are refuted."""
    chains: list[tuple[Inference, ...]] = []
    if draft.conclusions:
        last = draft.steps[-1]
        chains += [(*draft.steps[:-1], last._replace(formula=one)) for one in draft.conclusions]
    else:
        chains += [_chain_to(one.formula, draft.steps) for one in draft.steps[::-1]][:2]
    targets = []
    places = {one: place for place, one in enumerate(prover.premises)}
    for chain in chains:
        formula = chain[-1].formula
        support = tuple(sorted({places[one] for step in chain for one in step.sources if one in places}))
        if prover.needed(formula) != support:
            continue
        targets.append(Target(formula, "inference", ENTAILED, chain, support, True))
        targets.append(Target(opposite_of(formula), "contradiction", CONTRADICTED, chain, support, True))
    return targets


def _contradictory_targets(draft: _Draft, pool: list[Formula]) -> list[Target]:
    goal = draft.conclusions[0]
    chain = _chain_to(goal, draft.steps)
    against = opposite_of(goal)
    targets = [Target(goal, "inference", INCONSISTENT, chain)]
    targets += [Target(one, "contradiction", INCONSISTENT) for one in (against, *pool[:_MAX_UNRELATED])]
    proof = [*draft.steps]
    if isinstance(goal, (ForAll, Exists)):
        proof.append(Inference(Not(against), "quantifier negation", (goal,)))
        goal = Not(against)
    proof.append(Inference(FALSUM, "contradiction", (goal, against)))
    numbered = _numbered(proof, draft.premises)
    for one in targets:
        one.proof = numbered
    return [one for one in targets if unordered(one.formula) not in set(map(unordered, draft.premises))]


def _finish(target: Target, premises: list[Formula], consequences: list[Inference], logic: str) -> None:
    """The bound on the depth, and the proof, checked by the kernel."""
    if target.kind in ("inference", "contradiction") and target.label != INCONSISTENT:
        goal = target.chain[-1].formula
        lines = [*target.chain]
        if target.kind == "contradiction" and isinstance(goal, (ForAll, Exists)):
            lines.append(Inference(Not(target.formula), "quantifier negation", (goal,)))
        target.proof = _numbered(lines, premises)
        near = len(target.chain) == 1 or _is_near(goal, premises, consequences)
        target.least = 1 if near else max(2, len(target.support) // 2)  # no rule makes one of more than three
    if target.proof and target.kind != "premise":
        verdict = check_proof(target.proof, premises, target.formula, logic=logic)
        if verdict.problems or verdict.conclusion != target.label:
            told = verdict.problems[0].message if verdict.problems else f"it proves {verdict.conclusion}"
            raise CustodietError(
                f"the kernel rejects a proof: {told}\n{format_proof(target.proof)}",
                hint="This is a defect; please report it.",
            )


def _is_near(goal: Formula, premises: list[Formula], consequences: list[Inference]) -> bool:
    """Whether some rule gives the goal at once."""
    key = unordered(goal)
    if any(unordered(one.formula) == key for one in consequences):
        return True
    inner = goal.body if isinstance(goal, (ForAll, Exists)) else goal
    if inner[0] == "or":
        lifted: Any = type(goal)
        parts = [one if inner is goal else lifted(VARIABLE, one) for one in inner[1]]
        if any(one in premises for one in parts):
            return True
    literal = inner[1] if inner[0] == "not" else inner
    return inner is goal and literal[0] == "atom" and bool(literal[2]) and (
        ForAll(VARIABLE, _about_all(goal)) in premises
    )  # fmt: skip


def _numbered(lines: Sequence[Inference], premises: Sequence[Formula]) -> tuple[Step, ...]:
    """A proof with its lines numbered, the premises that it cites first."""
    cited = {one for line in lines for one in line.sources}
    steps = [Step(number, one, "premise") for number, one in enumerate([one for one in premises if one in cited], 1)]
    numbers = {one.formula: one.number for one in steps}
    for formula, rule, sources in lines:
        steps.append(Step(len(steps) + 1, formula, rule, tuple([numbers[one] for one in sources])))
        numbers[formula] = len(steps)
    return tuple(steps)


# --- targets that do not follow ------------------------------------------------------------------------------------


def _pool(draws: Draws, symbols: _Symbols, draft: _Draft) -> list[Formula]:
    """Formulas that look like what follows and may not: what fallacies give, and what follows with a literal changed."""
    known = [*draft.premises, *[one.formula for one in draft.steps]]
    taken = set(map(unordered, known))
    lures = list(dict.fromkeys([one.formula for one in results(LURES, known)]))
    draws.shuffle(lures)
    goals = draft.conclusions or draft.lures
    changed = []
    for goal in goals:
        for one in (goal, opposite_of(goal), goal):
            changed.append(_changed(draws, symbols, one, known))
    draws.shuffle(changed)
    pool: list[Formula] = list(draft.lures)
    while lures or changed:
        source = changed if changed and (not lures or draws.chance(0.6)) else lures
        pool.append(source.pop())
    found: dict[Formula, Formula] = {}
    for one in pool:
        key = unordered(one)
        if key not in taken:
            found.setdefault(key, one)
    return list(found.values())[:8]


def _changed(draws: Draws, symbols: _Symbols, formula: Formula, known: list[Formula]) -> Formula:
    """The formula with one atom replaced by another of the problem or a new one, or with one literal flipped."""
    atoms = atoms_of(formula)
    old = draws.pick(atoms)
    if draws.chance(0.3) and len(atoms) > 1:
        return _replaced(formula, old, Not(old))
    ground = old[2] != (VARIABLE,)
    others = dict.fromkeys(
        [one for other in known for one in atoms_of(other) if (one[2] != (VARIABLE,)) is ground and one not in atoms]
    )
    body = formula[3] if formula[0] in ("forall", "exists") else formula
    if body[0] == "or" and (not others or draws.chance(0.3)):
        # a name that the premises do not have: as addition gives one, so that it tells nothing by itself
        try:
            return _replaced(formula, old, symbols.atom(old[2][0] if old[2] else ""))
        except _FullError:
            pass
    return _replaced(formula, old, draws.pick([*others])) if others else complement(formula)


def _replaced(formula: Formula, old: Formula, new: Formula) -> Formula:
    if formula == old:
        return new
    kind, made = formula[0], cast(Any, type(formula))
    if kind == "not":
        return complement(_replaced(formula[1], old, new))
    if kind == "and" or kind == "or":
        return made(*[_replaced(one, old, new) for one in formula[1]])
    if kind == "implies" or kind == "iff":
        return made(_replaced(formula[1], old, new), _replaced(formula[2], old, new))
    if kind == "forall" or kind == "exists":
        return made(formula[1], _replaced(formula[3], old, new))
    return formula
