"""What is to be generated: the options, what they may be, and which tasks exist in which logic."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from custodiet.errors import UsageError
from custodiet.logic.generate.chains import GOAL_FORMS, min_premises

__all__ = [
    "ANSWER_POSITIONS",
    "DISTRACTOR_KINDS",
    "ENGLISH_TASKS",
    "LANGUAGES",
    "LOGICS",
    "MATRIX",
    "SPLIT_SCHEMES",
    "VOCABULARIES",
    "GenerateConfig",
    "least_premises",
]

LOGICS = ("propositional", "syllogistic", "monadic", "relational", "datalog")
LANGUAGES = ("logic", "english", "both")
VOCABULARIES = ("nonce", "neutral", "counterfactual")
DISTRACTOR_KINDS = ("near-miss", "dead-end", "same-vocabulary")
_PROVED = (
    "entailment",
    "premise-selection",
    "proof-completion",
    "bad-step",
    "missing-premise",
    "consistency",
)
_LOGICINFERENCE = ("logicinference", *[f"logicinference-{one}" for one in ("1", "2a", "2b", "3a", "3b")])
_KNIGHTS = ("knights-knaves", "knights-knaves-three-way")
ENGLISH_TASKS = ("formalize", "verbalize")
"""Tasks that are in English whatever the language of a data set."""
SPLIT_SCHEMES = ("ood", "iid", "length", "depth")
ANSWER_POSITIONS = ("end", "beginning")
MATRIX: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_PROVED, LOGICS),
    "consistency": LOGICS[:-1],  # no program of Datalog contradicts itself
    "counter-model": LOGICS[:-1],  # in a closed world there is one situation
    **dict.fromkeys(ENGLISH_TASKS, LOGICS),
    **dict.fromkeys(_LOGICINFERENCE, ("propositional", "monadic")),
    **dict.fromkeys(_KNIGHTS, ("propositional",)),
}
"""task -> the logics in which it exists"""
_MAX_DEPTH, _MAX_PREMISES = 12, 64


@dataclass(frozen=True, kw_only=True)
class GenerateConfig:
    """A data set, fully described: the same configuration and version give the same bytes.

    Args:
        num: how many items.
        seed: of every choice.
        tasks: names of `MATRIX`, as often as one another.
        logics: names of `LOGICS`, as often as one another.
        depth: least and most steps of a chain.
        premises: least and most premises.
        distractors: kinds of `DISTRACTOR_KINDS`.
        contrary: premises per problem that lead to the goal or its negation from what cannot be known.
        vocabulary: of English.
        language: `logic`, `english`, or `both`: each problem in one of the two, by chance (`ENGLISH_TASKS`: in English).
        goal_forms: names of `chains.GOAL_FORMS`; with `literal` and others, every compound goal is asked and its literal too.
            Syllogistic goals and those of Datalog have their own.
        existential_import: whether every kind of a syllogistic problem has a member without being said to.
        split_scheme: `ood`: disjoint by the shapes of premises. For the LogicInference tasks also `iid` (by item, as that
            data set has it: renamed copies of a problem in several splits), `length` (training has at most four premises)
            and `depth` (training has chains of at most two steps, testing needs more, proved; the rest is validation).
        answer_position: of the LogicInference tasks: `end` or `beginning`. These tasks take from `depth` the steps of
            their chains and from `premises` the upper bound; they have no distractors.
        balanced: False makes a control, never data: propositional problems with the chain to one answer only, and the
            labels from different problems. Its labels are as proved as any, and can be guessed (see `generate.control`).

    Raises:
        UsageError: a value that does not exist, a task that does not exist in a logic, or a depth that does not fit.
    """

    num: int
    seed: int = 0
    tasks: tuple[str, ...] = ("entailment",)
    logics: tuple[str, ...] = ("propositional",)
    depth: tuple[int, int] = (1, 5)
    premises: tuple[int, int] = (8, 16)
    distractors: tuple[str, ...] = DISTRACTOR_KINDS
    contrary: int = 1
    vocabulary: str = "nonce"
    language: str = "english"
    goal_forms: tuple[str, ...] = GOAL_FORMS
    existential_import: bool = False
    split_scheme: str = "ood"
    answer_position: str = "end"
    balanced: bool = True

    def __post_init__(self) -> None:
        if self.num < 1:
            raise UsageError("--num", expected="at least 1", got=self.num)
        _known("--tasks", self.tasks, MATRIX)
        _known("--logic", self.logics, LOGICS)
        _known("--distractors", self.distractors, DISTRACTOR_KINDS)
        _known("--vocabulary", (self.vocabulary,), VOCABULARIES)
        _known("--language", (self.language,), LANGUAGES)
        _known("--goal-forms", self.goal_forms, GOAL_FORMS)
        _known("--split", (self.split_scheme,), SPLIT_SCHEMES)
        _known("--answer", (self.answer_position,), ANSWER_POSITIONS)
        if self.split_scheme != "ood" and not set(self.tasks) <= set(_LOGICINFERENCE):
            raise UsageError(
                f"--split {self.split_scheme} is for LogicInference tasks only",
                expected=", ".join(_LOGICINFERENCE),
                got=", ".join(self.tasks),
            )
        english = [one for one in self.tasks if one in ENGLISH_TASKS]
        if english and self.language == "logic":
            raise UsageError(
                f"task {english[0]} is about English", expected="--language english or both", got="--language logic"
            )
        if not self.balanced and (self.tasks, self.logics) != (("entailment",), ("propositional",)):
            raise UsageError(
                "without balance there is only the task entailment in propositional logic",
                got=f"{', '.join(self.tasks)} in {', '.join(self.logics)}",
            )
        for task in self.tasks:
            for logic in self.logics:
                if logic not in MATRIX[task]:
                    raise UsageError(
                        f"task {task} does not exist in {logic} logic",
                        expected=" or ".join(MATRIX[task]),
                        got=logic,
                        hint="`custodiet logic tasks` prints which task exists in which logic.",
                    )
        _range("--depth", self.depth, 1, _MAX_DEPTH)
        _range("--premises", self.premises, 2, _MAX_PREMISES)
        if not 0 <= self.contrary <= self.premises[1]:
            raise UsageError("--distractors contrary:K", expected=f"0 to {self.premises[1]}", got=self.contrary)
        if set(self.goal_forms) != set(GOAL_FORMS) and {"syllogistic", "datalog"}.issuperset(self.logics):
            raise UsageError(
                "--goal-forms is about propositional, monadic and relational problems", got=", ".join(self.logics)
            )
        if self.existential_import and "syllogistic" not in self.logics:
            raise UsageError(
                "--existential-import is about syllogistic problems",
                expected="--logic syllogistic",
                got=", ".join(self.logics),
            )
        for logic in self.logics:
            least = least_premises(logic, self.depth[0])
            if least > self.premises[1]:
                raise UsageError(
                    f"a chain of {self.depth[0]} steps does not fit into {self.premises[1]} premises of {logic} logic",
                    expected=f"--premises up to {least} or more",
                    got=self.premises[1],
                    hint="Lower --depth or raise --premises.",
                )
        fitting = [form for form in self.goal_forms if min_premises(self.depth[0], form) <= self.premises[1]]
        if not fitting:
            raise UsageError(
                f"goals of the form {', '.join(self.goal_forms)} do not fit into {self.premises[1]} premises",
                hint="Raise --premises or add the form `literal`.",
            )

    def to_json(self) -> dict[str, Any]:
        """The configuration as plain data."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


def least_premises(logic: str, depth: int, goal_form: str = "literal") -> int:
    """The fewest premises of a problem with chains of that many steps (in syllogistic logic one more than with
    existential import).
    """
    if logic in ("syllogistic", "datalog"):
        return 2 * depth + 3  # a switch, a chain to each answer, and two more: see the frames of these logics
    return min_premises(depth, goal_form)


def _known(option: str, values: tuple[str, ...], options: Any) -> None:
    if not values:
        raise UsageError(option, expected="one or more of " + ", ".join(options), got="none")
    for one in values:
        if one not in options:
            raise UsageError(f"{option}: no such value", expected="one of " + ", ".join(options), got=one)
    if len(set(values)) < len(values):
        raise UsageError(f"{option}: a value is given twice", got=", ".join(values))


def _range(option: str, bounds: tuple[int, int], least: int, most: int) -> None:
    low, high = bounds
    if not least <= low <= high <= most:
        raise UsageError(option, expected=f"LOW-HIGH within {least}-{most}", got=f"{low}-{high}")
