"""Rows of the five types of LogicInference: six for each number, a problem serving several numbers under other names.

Proofs and certificates are a problem's; names, vocabulary, order of premises, type and target are a row's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from custodiet.logic.english.rendering import render
from custodiet.logic.english.signature import Signature
from custodiet.logic.english.vocabulary import Vocabulary, draw_vocabulary
from custodiet.logic.formulas import FALSUM, Formula
from custodiet.logic.generate.config import GenerateConfig
from custodiet.logic.generate.draws import Draws
from custodiet.logic.generate.inference.problem import InferenceProblem, Target, draw_inference_problem
from custodiet.logic.generate.inference.schemas import VARIABLE, Inference, unordered
from custodiet.logic.generate.inference.texts import (
    ANYTHING,
    NOTHING,
    Words,
    chain_answer,
    chain_prompt,
    step_answer,
    step_prompt,
    template_of,
)
from custodiet.logic.generate.row_text import COUNTED, RowText, split_of
from custodiet.logic.semantics import ENTAILED, INCONSISTENT, Model

__all__ = ["LENGTH_THRESHOLD", "PREFIX", "ROWS_PER_NUMBER", "TYPES", "inference_rows"]

PREFIX = "logicinference"
TYPES = {"1": 0.5, "2a": 1.0, "2b": 0.75, "3a": 1.0, "3b": 0.75}
"""Type -> weight in the mix, as in the original"""
ROWS_PER_NUMBER = 6
_NUMBERS_PER_PROBLEM = 6
_CONTRADICTORY_EVERY = 12  # problems: one in so many is contradictory, in the original at most one in ten
LENGTH_THRESHOLD = 4
"""Premises: more are in the test split of the scheme `length`"""
_DEPTH_THRESHOLD = 2
_YES, _PREMISE = 0.45, 0.05  # shares; contradictory premises, which give yes to everything, make it even
_COMPOUND = 0.15  # how often the negation of a compound is asked, for one target that is unrelated
_SUFFIX = 0.33
_PROPOSITIONS = "pqrst"  # u and w are variables
_PREDICATES = "PQRSTUW"
_CONSTANTS = "abcdefghij"
_VARIABLES = "xyz"
NOTHING_FOLLOWS = "nothing"
_ENCODE = json.JSONEncoder(ensure_ascii=False).encode


def inference_rows(config: GenerateConfig, number: int, place: int, turn: int, task: str, logic: str) -> list[RowText]:
    """Six rows as JSON text.

    Args:
        config: the data set.
        number: of the six, in the whole data set.
        place: of the task and logic among the configuration's.
        turn: how many sixes of this task and logic come before.
        task: `logicinference`, or with `-` and one type.
        logic: `propositional` or `monadic`.

    Raises:
        CustodietError: engines disagree, the kernel rejects a proof, or no problem was found; a defect, or too few
            premises for the depth.
    """
    kind = task[len(PREFIX) + 1 :]
    index = turn // _NUMBERS_PER_PROBLEM
    problem = _problem(config.seed, config.depth, config.premises[1], logic, kind != "1", place, index)
    draws = Draws(config.seed, PREFIX, "rows", place, turn)
    lines = []
    for row in range(ROWS_PER_NUMBER):
        item = ROWS_PER_NUMBER * number + row
        made = _Row(config, draws, problem, kind or _draw_type(draws, problem)).fields()
        name = f"{config.seed}-{item}"
        fields = {
            "id": name,
            "seed": config.seed,
            "index": item,
            "task": task,
            "logic": logic,
            **made,
            "group": f"{config.seed}-{PREFIX}-{place}-{index}",
            "split": _split(config.split_scheme, name, problem),
        }
        lines.append(RowText(_ENCODE(fields), tuple([fields[one] for one in COUNTED])))
    return lines


@lru_cache(maxsize=64)
def _problem(
    seed: int, depth: tuple[int, int], max_premises: int, logic: str, fallacies: bool, place: int, index: int
) -> InferenceProblem:
    draws = Draws(seed, PREFIX, "problem", place, index)
    contradictory = index % _CONTRADICTORY_EVERY == _CONTRADICTORY_EVERY - 1
    return draw_inference_problem(
        draws,
        depth=depth,
        max_premises=max_premises,
        logic=logic,
        fallacies=fallacies,
        contradictory=contradictory,
    )


def _draw_type(draws: Draws, problem: InferenceProblem) -> str:
    types = [one for one in TYPES if one != "1" or "inference" in problem.by_kind]
    return draws.weighted(types, [TYPES[one] for one in types])


def _split(scheme: str, name: str, problem: InferenceProblem) -> str:
    if scheme == "iid":
        return split_of(blake2b(name.encode(), digest_size=8).hexdigest())
    if scheme == "length":
        return "train" if len(problem.premises) <= LENGTH_THRESHOLD else "test"
    if scheme == "depth":
        if problem.depth <= _DEPTH_THRESHOLD:
            return "train"
        # what is built deeper but was not proved to need it is in neither of the two
        return "test" if max([one.least for one in problem.targets]) > _DEPTH_THRESHOLD else "validation"
    return split_of(problem.outline)


class _Row:
    """One row in the making."""

    def __init__(self, config: GenerateConfig, draws: Draws, problem: InferenceProblem, kind: str) -> None:
        self.config, self.draws, self.problem, self.kind = config, draws, problem, kind
        self.english = kind in ("1", "2b", "3b")
        order = list(range(len(problem.premises)))
        draws.shuffle(order)
        self.order = order
        self.premises = [problem.premises[one] for one in order]
        self.consequences = problem.consequences if kind[0] == "2" and problem.consistent else []
        self.target = None if kind[0] == "2" else self._target()
        self.names = self._canonical_names() if self.english else self._drawn_names()
        self.vocabulary: Vocabulary | None = None
        self._sentences: dict[Formula, str] = {}
        self._openings: tuple[str, ...] = ()
        if self.english:
            self._draw_vocabulary()
        self.words = Words(self.english, self.text, self._within)

    def _target(self) -> Target:
        draws, by_kind = self.draws, self.problem.by_kind
        if self.kind == "1":
            return draws.pick(by_kind["inference"])
        if not self.problem.consistent:
            return draws.pick(by_kind.get("contradiction" if draws.chance(0.5) else "inference", by_kind["inference"]))
        if draws.chance(_PREMISE):
            return draws.pick(by_kind["premise"])
        if "inference" not in by_kind:
            return draws.pick(by_kind["unrelated"])
        alike = self.problem.alike()
        if alike:  # the form of a target tells nothing by itself
            follows, others = draws.pick(alike)
            return draws.pick(follows if draws.chance(_YES) else others)
        if draws.chance(_YES):
            return draws.pick(by_kind["inference"])
        # the negation of a compound is refuted or asked in vain, but hardly ever follows: a hint, so it is kept rare
        refuted = draws.pick(by_kind["contradiction"])
        weight = 1.0 if _is_plain(refuted.formula) else _COMPOUND
        if "unrelated" not in by_kind or draws.chance(weight / (1.0 + weight)):
            return refuted
        return draws.pick(by_kind["unrelated"])

    # --- names -------------------------------------------------------------------------------------------------------

    def _formulas(self) -> list[Formula]:
        """All that the row says, in the order of reading."""
        told = [*self.premises, *[one.formula for one in self.consequences]]
        if self.target is not None:
            told += [self.target.formula, *[one.formula for one in self.target.proof]]
        return told

    def _symbols(self) -> list[str]:
        found: dict[str, None] = {}
        for one in self._formulas():
            found.update(dict.fromkeys(template_of(one).symbols))
        return list(found)

    def _canonical_names(self) -> dict[str, str]:
        """p, q, ... P, Q, ... a, b, ... in the order in which symbols are read."""
        names = {VARIABLE: VARIABLE}
        counts = {"p": 0, "P": 0, "a": 0}
        for one in self._symbols():
            if one != VARIABLE:
                letters = {"p": _PROPOSITIONS, "P": _PREDICATES, "a": _CONSTANTS}[one[0]]
                round_, letter = divmod(counts[one[0]], len(letters))
                names[one] = letters[letter] + (f"_{round_}" if round_ else "")
                counts[one[0]] += 1
        return names

    def _drawn_names(self) -> dict[str, str]:
        draws = self.draws
        names: dict[str, str] = {}
        used = set()
        for one in self._symbols():
            if one == VARIABLE:
                names[one] = draws.pick(_VARIABLES)
                continue
            letters = {"p": _PROPOSITIONS, "P": _PREDICATES, "a": _CONSTANTS}[one[0]]
            while True:
                name = draws.pick(letters) + (f"_{draws.between(1, 9)}" if draws.chance(_SUFFIX) else "")
                if name not in used:
                    break
            used.add(name)
            names[one] = name
        return names

    def _draw_vocabulary(self) -> None:
        symbols = [one for one in self.names if one != VARIABLE]
        predicates = {one: () if one[0] == "p" else ("",) for one in sorted(symbols) if one[0] != "a"}
        constants = {one: "" for one in sorted(symbols) if one[0] == "a"}
        signature = Signature.make(predicates, constants)
        self.vocabulary = draw_vocabulary(self.config.vocabulary, signature, self.draws.below)
        self._openings = tuple([f"{self.vocabulary.phrases[one][0]} " for one in constants])

    # --- texts -------------------------------------------------------------------------------------------------------

    def plain(self, formula: Formula) -> str:
        """The formula in the notation of this package, in the row's names."""
        template = template_of(formula)
        names = self.names
        return template.plain % tuple([names[one] for one in template.symbols])

    def compat(self, formula: Formula) -> str:
        """The formula in LogicInference's notation."""
        template = template_of(formula)
        names = self.names
        return template.compat % tuple([names[one] for one in template.symbols])

    def text(self, formula: Formula) -> str:
        """The formula as the row says it; a sentence, once chosen, stays."""
        if self.vocabulary is None:
            return self.compat(formula)
        found = self._sentences.get(formula)
        if found is None:
            found = self._sentences[formula] = render(formula, self.vocabulary, self.draws.below)
        return found

    def _within(self, formula: Formula) -> str:
        text = self.text(formula)
        if self.vocabulary is None:
            return text
        return text[:-1] if text.startswith(self._openings) else text[0].lower() + text[1:-1]

    def _both(self, formula: Formula) -> dict[str, str]:
        return {"formula": self.plain(formula), "text": self.text(formula)}

    # --- the row -----------------------------------------------------------------------------------------------------

    def fields(self) -> dict[str, Any]:
        """What the row holds, but for its number."""
        named = False if self.kind == "1" else self.draws.chance(0.5)
        if self.kind == "1":
            told = self._translation()
        elif self.kind[0] == "2":
            told = self._step(named)
        else:
            told = self._chain(named)
        prompt, answer, label, suffix, verdict = told
        target = self.target
        rows: dict[str, Any] = {
            "language": "english" if self.english else "logic",
            "prompt": prompt,
            "answer": answer,
            "choices": None,
            "label": label,
            "premises": [self._both(one) for one in self.premises],
            "goal": None if target is None else self._both(target.formula),
        }
        return rows | self._evidence(target) | {
            "vocabulary": self._vocabulary_json(),
            "inference_type": self.kind,
            "sub_type": self.kind + suffix,
            "named_rules": named,
            "answer_position": "end" if self.config.answer_position == "end" else "beginning",
            "verdict": verdict,
        }  # fmt: skip

    def _translation(self) -> tuple[str, str, str, str, None]:
        goal = self._goal().formula
        premises = ". ".join(map(self.compat, self.premises))
        prompt = (
            "Translate the following inference to logic notation: "
            f"{self.words.listed(self.premises)} Therefore {self._within(goal)}."
        )
        return prompt, f"{premises}. Therefore {self.compat(goal)}.", self._goal().label, "", None

    def _step(self, named: bool) -> tuple[str, str, str, str, None]:
        prompt = step_prompt(self.words, self.premises, named)
        if not self.problem.consistent:
            return prompt, ANYTHING, INCONSISTENT, "-cont", None
        if not self.consequences:
            return prompt, NOTHING, NOTHING_FOLLOWS, "-empty", None
        told = self.consequences if named else _each_once(self.consequences)
        return prompt, step_answer(self.words, told, named), ENTAILED, "", None

    def _chain(self, named: bool) -> tuple[str, str, str, str, str]:
        target = self._goal()
        at_end = self.config.answer_position == "end"
        answer, suffix, verdict = chain_answer(self.words, target, named=named, at_end=at_end)
        return chain_prompt(self.words, self.premises, target.formula, named), answer, target.label, suffix, verdict

    def _goal(self) -> Target:
        if self.target is None:
            raise RuntimeError("a row of type 2 has no target")
        return self.target

    def _evidence(self, target: Target | None) -> dict[str, Any]:
        """The proof and what else stands behind the label; of type 2 each consequence is a rule's."""
        problem = self.problem
        new_places = {old: new for new, old in enumerate(self.order, start=1)}
        form = "none" if target is None else target.formula[0]
        made: dict[str, Any] = {
            "proof": [] if target is None else self._proof(target),
            "support": [] if target is None else sorted([new_places[one] for one in target.support]),
            "support_unique": True if target is not None and target.unique else None,
            "depth": _depth(target),
            "counter_models": [] if target is None else [self._model(one) for one in target.models],
            "skeleton": problem.skeleton_of(FALSUM if target is None else target.formula),
            "outline": problem.outline,
            "twins": [],
            "cell": {"depth": problem.depth, "premises": len(self.premises), "goal_form": form},
            "certificates": [*problem.engines, *_checks(target)],
            "distractors": {},
        }
        if target is None:
            made["consequences"] = [{**self._both(one.formula), "rule": one.rule} for one in self.consequences]
        return made

    def _proof(self, target: Target) -> list[dict[str, Any]]:
        places = {one: place for place, one in enumerate(self.premises, start=1)}
        lines = []
        for step in target.proof:
            line: dict[str, Any] = {
                "number": step.number,
                "formula": self.plain(step.formula),
                "rule": step.rule,
                "cites": list(step.cites),
                "text": self.text(step.formula),
            }
            if step.rule == "premise":
                line["premise"] = places[step.formula]
            lines.append(line)
        return lines

    def _model(self, model: Model) -> dict[str, Any]:
        """A structure in the row's names."""
        names = self.names
        told = model.to_json()
        if "constants" in told:
            told["constants"] = {names.get(one, one): element for one, element in told["constants"].items()}
        told["true"] = [names.get(name, name) + rest for name, rest in map(_head, told["true"])]
        return told

    def _vocabulary_json(self) -> dict[str, Any] | None:
        if self.vocabulary is None:
            return None
        told = self.vocabulary.to_json()
        told["symbols"] = {self.names[one]: entry for one, entry in told["symbols"].items()}
        return told


def _is_plain(formula: Formula) -> bool:
    """Whether it is a literal, maybe below a quantifier."""
    body = formula[3] if formula[0] in ("forall", "exists") else formula
    return body[0] == "atom" or (body[0] == "not" and body[1][0] == "atom")


def _head(atom: str) -> tuple[str, str]:
    """The predicate of an atom's text, and what follows it."""
    name, bracket, rest = atom.partition("(")
    return name, bracket + rest


def _each_once(consequences: Sequence[Inference]) -> list[Inference]:
    found: dict[Formula, Inference] = {}
    for one in consequences:
        found.setdefault(unordered(one.formula), one)
    return list(found.values())


def _depth(target: Target | None) -> dict[str, int] | None:
    if target is None or not (target.proof and target.support):
        return None
    return {"at_least": target.least, "at_most": len(target.chain)}


def _checks(target: Target | None) -> list[str]:
    if target is None:
        return []
    return ["kernel"] if target.proof else ["evaluated counter-models"]
