"""Variants of an item whose label is the same, proved again: what a reader of logic must not care about.

| kind | what changes |
| --- | --- |
| renaming | the symbols; in English the words they stand for, the form of each sentence kept |
| premise-order | the order of the premises |
| double-negation | one premise says the same under two negations |
| contraposition | one conditional `A -> B` becomes `~B -> ~A`, under its quantifiers |
| irrelevant-premise | one more premise, on symbols that occur nowhere else |
| language | the notation of formulas becomes controlled English, or the other way round |

Two engines decide each variant again, English is read back and compared, and the prompt is the item's own with the
premises and the conclusion exchanged; where the language changes, so does what the prompt says about how to read it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from custodiet.errors import CustodietError, FormulaError, InputError, UsageError
from custodiet.logic.engines.decide import certify
from custodiet.logic.english.canonical import canonical_form
from custodiet.logic.english.prompts import reading_notes
from custodiet.logic.english.reading import read
from custodiet.logic.english.rendering import num_forms, render, render_form
from custodiet.logic.english.signature import Signature
from custodiet.logic.english.vocabulary import KINDS, Vocabulary, draw_vocabulary
from custodiet.logic.formulas import (
    And,
    Atom,
    Equal,
    Exists,
    ForAll,
    Formula,
    Iff,
    Implies,
    Not,
    Or,
    complement,
    constants_of,
    is_variable,
    predicates_of,
    subformulas,
)
from custodiet.logic.fragments import signature_of
from custodiet.logic.generate.draws import Draws
from custodiet.logic.notation import format_formula, parse_formula

__all__ = ["METAMORPHIC_KINDS", "make_variant", "make_variants"]

_MAX_DRAWS = 40
_OF_THE_ITEM = ("proof", "support", "support_unique", "counter_models", "implicit_premises")
_NEGATED = ("propositional", "syllogistic", "monadic", "relational")  # Datalog has no negation of rules
_WORDS = {"in", "forall", "exists", "false", "not", "and", "or"}


@dataclass(frozen=True, slots=True)
class _Problem:
    """An item's formulas with the text of each."""

    logic: str
    premises: tuple[Formula, ...]
    texts: tuple[str, ...]
    goal: Formula
    goal_text: str
    vocabulary: Vocabulary | None
    implicit: tuple[Formula, ...] = ()

    @property
    def formulas(self) -> list[Formula]:
        return [*self.premises, self.goal]

    @property
    def notes(self) -> str:
        """What the prompt says about how to read the sentences."""
        everything = [part for one in self.formulas for part in subformulas(one)]
        return reading_notes(
            self.logic, notation=self.vocabulary is None, existential_import=bool(self.implicit),
            has_names=any(constants_of(one) for one in self.formulas),
            has_equality=any(isinstance(one, Equal) for one in everything),
        )  # fmt: skip

    def sorts(self) -> Signature:
        """The predicates and constants with their sorts."""
        if self.vocabulary is not None:
            return self.vocabulary.signature
        known = signature_of([*self.formulas, *self.implicit])
        return Signature.make(dict(known.predicates), dict(known.constants))


def make_variants(item: Mapping[str, Any], *, seed: int) -> dict[str, dict[str, Any] | None]:
    """All variants of an item, by kind; None where an item has none of a kind. See `make_variant`."""
    return {kind: make_variant(item, kind, seed=seed) for kind in METAMORPHIC_KINDS}


def make_variant(item: Mapping[str, Any], kind: str, *, seed: int) -> dict[str, Any] | None:
    """A variant of an item, with the same label.

    Args:
        item: of the task `entailment`, as `custodiet logic generate` writes it.
        kind: one of `METAMORPHIC_KINDS`.
        seed: of the choices; the item's id and the kind are mixed in.

    Returns:
        The item with another prompt, premises, goal and vocabulary; `id` is ``<id>/<kind>``, and what no longer holds of
        it (proof, support, counter-models) is left out. None where the item has no such variant: there is no conditional
        to turn, the logic has no such form, or the prompt is not made of the premises and the goal.

    Raises:
        UsageError: no such kind.
        InputError: not an item.
        CustodietError: two engines disagree, or the label is another one: a defect.
    """
    if kind not in METAMORPHIC_KINDS:
        raise UsageError("no such kind of variant", expected=", ".join(METAMORPHIC_KINDS), got=kind)
    try:
        problem = _read_problem(item)
        label, prompt, name = item["label"], item["prompt"], str(item["id"])
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError("not an item of a data set", got=f"{type(error).__name__}: {error}") from None
    made = _KINDS[kind](problem, Draws(seed, "metamorphic", name, kind))
    if made is None:
        return None
    text = _rewritten(prompt, problem, made)
    if text is None:
        return None
    _check(made, label, name, kind)
    implicit = [{"formula": format_formula(one), "text": _plainly(one, made.vocabulary)} for one in made.implicit]
    return {
        **{key: value for key, value in item.items() if key not in _OF_THE_ITEM},
        **({"implicit_premises": implicit} if implicit else {}),
        "id": f"{name}/{kind}",
        "language": "logic" if made.vocabulary is None else "english",
        "prompt": text,
        "premises": [
            {"formula": format_formula(one), "text": said} for one, said in zip(made.premises, made.texts, strict=True)
        ],
        "goal": {"formula": format_formula(made.goal), "text": made.goal_text},
        "vocabulary": None if made.vocabulary is None else made.vocabulary.to_json(),
        "variant": kind,
        "variant_of": name,
    }  # fmt: skip


def _read_problem(item: Mapping[str, Any]) -> _Problem:
    premises = tuple([parse_formula(one["formula"]) for one in item["premises"]])
    texts = tuple([one.get("text") or one["formula"] for one in item["premises"]])
    goal = parse_formula(item["goal"]["formula"])
    vocabulary = Vocabulary.from_json(item["vocabulary"]) if item.get("vocabulary") else None
    said = item["goal"].get("text") or item["goal"]["formula"]
    implicit = tuple([parse_formula(one["formula"]) for one in item.get("implicit_premises") or ()])
    return _Problem(item["logic"], premises, texts, goal, said, vocabulary, implicit)


def _check(made: _Problem, label: str, name: str, kind: str) -> None:
    """The label again by two engines, from what the text says."""
    if made.vocabulary is not None:
        for formula, text in zip(made.formulas, [*made.texts, made.goal_text], strict=True):
            if read(text, made.vocabulary) != canonical_form(formula):
                raise CustodietError(f"item {name}: the variant {kind} is read as another formula", got=text)
    constants = None if made.logic in ("propositional", "datalog") else dict(made.sorts().constants)
    found = certify(made.logic, (*made.premises, *made.implicit), made.goal, models=False, constants=constants).label
    if found != label:
        raise CustodietError(
            f"item {name}: the variant {kind} is {found}, the item is said to be {label}",
            hint="Either the item's label is wrong (`custodiet logic audit-labels`), or this is a defect of custodiet.",
        )


def _rewritten(prompt: str, old: _Problem, new: _Problem) -> str | None:
    """The prompt with the numbered premises and the line of the conclusion exchanged."""
    listed = _listing(old.texts)
    if prompt.count(listed) != 1:
        return None
    before, after = prompt.split(listed)
    goal = re.compile(rf"^((?:.*: )?){re.escape(old.goal_text)}$", re.MULTILINE)
    if len(goal.findall(after)) != 1:
        return None
    after = goal.sub(lambda found: found[1] + new.goal_text, after)
    if (old.vocabulary is None) is not (new.vocabulary is None):
        after = after.replace(old.notes, new.notes)
    return before + _listing(new.texts) + after


def _listing(texts: Sequence[str]) -> str:
    return "\n".join([f"{place}. {text}" for place, text in enumerate(texts, start=1)])


def _say(formula: Formula, vocabulary: Vocabulary | None, draws: Draws) -> str:
    return format_formula(formula) if vocabulary is None else render(formula, vocabulary, draws.below)


def _plainly(formula: Formula, vocabulary: Vocabulary | None) -> str:
    return format_formula(formula) if vocabulary is None else render_form(formula, vocabulary, 0)


# ----------------------------------------------------------------------------------------------------------------- kinds


def _premise_order(problem: _Problem, draws: Draws) -> _Problem | None:
    order = list(range(len(problem.premises)))
    if len(set(problem.texts)) < 2:
        return None
    while [problem.texts[place] for place in order] == list(problem.texts):
        draws.shuffle(order)
    return replace(
        problem,
        premises=tuple([problem.premises[place] for place in order]),
        texts=tuple([problem.texts[place] for place in order]),
    )


def _with_premise(problem: _Problem, place: int, formula: Formula, draws: Draws) -> _Problem:
    premises, texts = list(problem.premises), list(problem.texts)
    premises[place], texts[place] = formula, _say(formula, problem.vocabulary, draws)
    return replace(problem, premises=tuple(premises), texts=tuple(texts))


def _double_negation(problem: _Problem, draws: Draws) -> _Problem | None:
    if problem.logic not in _NEGATED or problem.logic == "syllogistic" or not problem.premises:
        return None
    place = draws.below(len(problem.premises))
    return _with_premise(problem, place, Not(Not(problem.premises[place])), draws)


def _contraposition(problem: _Problem, draws: Draws) -> _Problem | None:
    if problem.logic not in _NEGATED or problem.logic == "syllogistic":
        return None
    turned = {place: made for place, one in enumerate(problem.premises) if (made := _turned(one)) is not None}
    if not turned:
        return None
    place = draws.pick(list(turned))
    return _with_premise(problem, place, turned[place], draws)


def _turned(formula: Formula) -> Formula | None:
    """`A -> B` as `~B -> ~A`, below quantifiers that reach over all of it."""
    if isinstance(formula, Implies):
        return Implies(complement(formula.right), complement(formula.left))
    if isinstance(formula, (ForAll, Exists)):
        body = _turned(formula.body)
        return None if body is None else type(formula)(formula.variable, body, formula.sort)
    return None


def _renaming(problem: _Problem, draws: Draws) -> _Problem | None:
    if problem.vocabulary is not None:
        old = problem.vocabulary
        kind = old.kind if old.kind in KINDS else "nonce"
        new = draw_vocabulary(kind, old.signature, draws.below)

        def again(formula: Formula, text: str) -> str:
            forms = [form for form in range(num_forms(formula, old)) if render_form(formula, old, form) == text]
            return render_form(formula, new, forms[0]) if forms else render(formula, new, draws.below)

        texts = [again(one, text) for one, text in zip(problem.premises, problem.texts, strict=True)]
        return replace(problem, texts=tuple(texts), goal_text=again(problem.goal, problem.goal_text), vocabulary=new)
    taken = _names_in(problem.formulas)
    everything = [*problem.formulas, *problem.implicit]
    predicates = {name: arity for one in everything for name, arity in predicates_of(one).items()}
    constants = list(dict.fromkeys(name for one in problem.formulas for name in constants_of(one)))
    names = {}
    for name in [*predicates, *constants]:
        names[name] = _fresh_name(name[0].isupper(), taken, draws)
    premises = [_renamed(one, names) for one in problem.premises]
    goal = _renamed(problem.goal, names)
    return replace(
        problem,
        premises=tuple(premises),
        texts=tuple([format_formula(one) for one in premises]),
        goal=goal,
        goal_text=format_formula(goal),
        implicit=tuple([_renamed(one, names) for one in problem.implicit]),
    )


def _names_in(formulas: Sequence[Formula]) -> set[str]:
    return {name for one in formulas for name in (*predicates_of(one), *constants_of(one))}


def _fresh_name(upper: bool, taken: set[str], draws: Draws) -> str:
    """A name that is not in `taken`, which grows by it; short ones first."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVW" if upper else "abcdefghijklmnopqrst"
    for size in range(1, 1000):
        options = [letter + (str(number) if number else "") for letter in letters for number in range(size)]
        left = [one for one in options if one not in taken and one not in _WORDS and not is_variable(one)]
        if len(left) >= 4 or size > 50:
            name = draws.pick(left)
            taken.add(name)
            return name
    raise CustodietError("no name is left")


def _renamed(formula: Formula, names: Mapping[str, str]) -> Formula:
    """A formula with other names for predicates and constants."""
    if isinstance(formula, Atom):
        return Atom(names[formula.predicate], tuple([names.get(one, one) for one in formula.args]))
    if isinstance(formula, Equal):
        return Equal(names.get(formula.left, formula.left), names.get(formula.right, formula.right))
    if isinstance(formula, Not):
        return Not(_renamed(formula.body, names))
    if isinstance(formula, (And, Or)):
        return type(formula)(*[_renamed(one, names) for one in formula.parts])
    if isinstance(formula, (Implies, Iff)):
        return type(formula)(_renamed(formula.left, names), _renamed(formula.right, names))
    if isinstance(formula, (ForAll, Exists)):
        return type(formula)(formula.variable, _renamed(formula.body, names), formula.sort)
    return formula


def _irrelevant_premise(problem: _Problem, draws: Draws) -> _Problem | None:
    known = problem.sorts()
    taken = _names_in(problem.formulas) | set(known.predicates) | set(known.constants)
    is_propositional = problem.logic == "propositional"
    first, second = (_fresh_name(not is_propositional, taken, draws) for _ in range(2))
    sort = "" if is_propositional else draws.pick(list(known.sorts or ("",)))
    if is_propositional:
        extra: Formula = Implies(Atom(first), Atom(second))
    else:
        extra = ForAll("x", Implies(Atom(first, ("x",)), Atom(second, ("x",))), sort)
    vocabulary = problem.vocabulary
    if vocabulary is not None:
        vocabulary = _extended(vocabulary, dict.fromkeys((first, second), () if is_propositional else (sort,)), draws)
        if vocabulary is None:
            return None
    place = draws.below(len(problem.premises) + 1)
    premises, texts = list(problem.premises), list(problem.texts)
    premises.insert(place, extra)
    texts.insert(place, _say(extra, vocabulary, draws))
    implicit = problem.implicit
    if implicit:  # the new kinds are mentioned, so they have members too
        implicit += (Exists("x", Atom(first, ("x",)), sort), Exists("x", Atom(second, ("x",)), sort))
    return replace(problem, premises=tuple(premises), texts=tuple(texts), vocabulary=vocabulary, implicit=implicit)


def _extended(vocabulary: Vocabulary, new: dict[str, tuple[str, ...]], draws: Draws) -> Vocabulary | None:
    """The vocabulary with words for more predicates, the old words kept."""
    old = vocabulary.signature
    kind = vocabulary.kind if vocabulary.kind in KINDS else "nonce"
    signature = Signature.make({**old.predicates, **new}, dict(old.constants))
    for _ in range(_MAX_DRAWS):
        drawn = draw_vocabulary(kind, Signature.make(new, {}), draws.below)
        made = Vocabulary(vocabulary.kind, signature, {**drawn.entries, **vocabulary.entries})
        try:
            made.check()
        except InputError:  # a word that is taken
            continue
        return made
    return None


def _language(problem: _Problem, draws: Draws) -> _Problem | None:
    if problem.vocabulary is not None:
        texts = tuple([format_formula(one) for one in problem.premises])
        return replace(problem, texts=texts, goal_text=format_formula(problem.goal), vocabulary=None)
    try:
        vocabulary = draw_vocabulary("nonce", problem.sorts(), draws.below)
        texts = tuple([render(one, vocabulary, draws.below) for one in problem.premises])
        said = render(problem.goal, vocabulary, draws.below)
    except FormulaError:  # a form that the controlled English does not have
        return None
    return replace(problem, texts=texts, goal_text=said, vocabulary=vocabulary)


_KINDS: dict[str, Callable[[_Problem, Draws], _Problem | None]] = {
    "renaming": _renaming,
    "premise-order": _premise_order,
    "double-negation": _double_negation,
    "contraposition": _contraposition,
    "irrelevant-premise": _irrelevant_premise,
    "language": _language,
}
METAMORPHIC_KINDS = tuple(_KINDS)
"""The names of the kinds."""
