"""How deep does a small model reason that was trained to depth 3? A GPT from scratch, tested to depth 8.

A problem has three chains of d conditionals, one to the goal, one to its negation, one elsewhere, and states where one of
them begins: nothing but following that chain tells the label. Literals are single tokens. A training text gives the
label at once, writes the premises of the chain before the label, or only recites all premises in another order, which
teaches to look up before there is anything to reason about; the first two are tested, by scoring the labels and by
letting the model write. Names, signs and orders are drawn anew for every training text; they are symmetries of the
problem, and two engines certify each form of it, and every item that is tested.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any, Literal

import numpy as np

from custodiet.base.rng import derive_seed, numpy_rng
from custodiet.errors import CustodietError, UsageError
from custodiet.logic.engines.decide import certify
from custodiet.logic.evaluation import Item, answer_items, ask_by_choices, ask_by_text, read_items
from custodiet.logic.evaluation_record import AskedModel, make_record
from custodiet.logic.formulas import Atom, Formula, Implies, Not, complement
from custodiet.logic.notation import format_formula
from custodiet.records.base import Environment, Measurement
from custodiet.records.files import sha256_file, write_text_atomic
from custodiet.records.logic_evaluation import ItemsFile, LogicEvaluationRecord
from custodiet.records.run_folder import RunFolder

__all__ = ["LogicDepthConfig", "LogicDepthResult", "Problem", "draw_problem", "run_logic_depth"]

Progress = Callable[[str, float, float, str], None]
NAMES = tuple(
    letter + digit for digit in ("", "1") for letter in "abcdeghijklmnopqrs"
)  # no t, f, u: labels in small letters
WORDS = ("T", "F", "U")
LABELS = ("entailed", "contradicted", "unknown")
CUES = {"direct": "=", "chain": ":"}
RECITE = ","
LEARNED = 0.9


@dataclass(frozen=True, kw_only=True)
class LogicDepthConfig:
    """The study, fully described; the defaults take minutes on two cores."""

    seed: int = 0
    trained_depths: tuple[int, ...] = (1, 2, 3)
    tested_depths: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8)
    num_problems: int = 60
    """tested at each depth; each gives six items"""
    num_steps: int = 2500
    direct_share: float = 0.15
    """of the training texts give the label at once"""
    recited_share: float = 0.15
    """of the training texts recite the premises"""
    batch_rows: int = 64
    width: int = 64
    num_layers: int = 3
    num_heads: int = 4
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    num_threads: int = 1
    """two on cores that others use take ten times as long"""

    def __post_init__(self) -> None:
        deepest = max(*self.trained_depths, *self.tested_depths)
        if min(*self.trained_depths, *self.tested_depths) < 1 or 3 * deepest + 2 > len(NAMES):
            raise UsageError("depths of the study", expected=f"1 to {(len(NAMES) - 2) // 3}", got=deepest)

    @property
    def context_length(self) -> int:
        """Tokens of the longest text: four for each conditional, of the premises or of a chain, and what is around them."""
        return max(16 * max(*self.trained_depths, *self.tested_depths), 24 * max(self.trained_depths)) + 24

    def stage(self, step: int) -> tuple[tuple[int, ...], float]:
        """The depths that are trained at a step, and the share of the free context in which texts begin, 0 to 1.

        First the least depth, from the beginning of the context; then one more; then all. Texts begin farther and
        farther in, so that the places of longer ones are not new to the model.
        """
        done, depths = step / self.num_steps, tuple(sorted(self.trained_depths))
        kept = depths[:1] if done < 0.3 else depths[:2] if done < 0.4 else depths
        return kept, min(1.0, max(0.0, (done - 0.3) / 0.5))


@dataclass(frozen=True)
class LogicDepthResult:
    """What the model came to.

    Args:
        records: way of answering -> record, as saved in the folders `direct` and `chain` of the run.
        learned: way of answering -> whether each trained depth is answered rightly at least 9 times in 10.
        elapsed_s: of all.
        train_s: of the training alone.
        loss_nats: mean over the last hundred steps, per token of an answer.
    """

    records: dict[str, LogicEvaluationRecord]
    learned: dict[str, bool]
    elapsed_s: float
    train_s: float
    loss_nats: float

    @property
    def best_way(self) -> str:
        """The way of answering that is right more often."""
        return max(self.records, key=lambda way: self.records[way].accuracy.value or 0.0)

    def survival(self, way: str) -> Measurement:
        """The rate r of ``acc = c + (1 - c) r^d`` over the tested depths; no value where not learned."""
        if not self.learned[way]:
            return Measurement.missing("not learned: below 0.9 at a trained depth")
        found = self.records[way].survival
        return Measurement.missing("one depth makes no curve") if found is None else found.per_step


# --------------------------------------------------------------------------------------------------------------- problems


@dataclass(frozen=True, slots=True)
class Problem:
    """One question: premises in the order of their statement, the chain from the stated literal, and the label."""

    premises: tuple[Formula, ...]
    goal: Formula
    chain: tuple[Formula, ...]
    label: str

    def prompt(self) -> str:
        """The premises and the question, every literal and sign a token."""
        return "".join(_said(one) for one in self.premises) + "?" + _literal(self.goal)

    def answer(self, way: str) -> str:
        """What follows the cue: the label, or the premises of the chain and on a new line the label."""
        word = WORDS[LABELS.index(self.label)]
        if way == "direct":
            return word
        literals = [next(one for one in self.premises if not isinstance(one, Implies)), *self.chain]
        used = [literals[0], *[Implies(a, b) for a, b in zip(literals, literals[1:], strict=False)]]
        return "".join(_said(one) for one in used) + f"\n{word}"

    def recited(self, order: Sequence[int]) -> str:
        """All premises in another order; no answer at all."""
        return "".join(_said(self.premises[place]) for place in order)


def _literal(formula: Formula) -> str:
    return format_formula(formula)


def _said(premise: Formula) -> str:
    if isinstance(premise, Implies):
        return f"{_literal(premise.left)}>{_literal(premise.right)};"
    return f"!{_literal(premise)};"


def draw_problem(rng: np.random.Generator, depth: int) -> list[Problem]:
    """The six questions of one problem: three beginnings times the goal and its negation, each with its own order.

    Args:
        rng: all choices.
        depth: conditionals of each chain.
    """
    names = iter(rng.permutation(len(NAMES)).tolist())
    signs = rng.integers(0, 2, len(NAMES))

    def fresh() -> Formula:
        place = next(names)
        atom = Atom(NAMES[place])
        return Not(atom) if signs[place] else atom

    goal = fresh()
    chains = [(*[fresh() for _ in range(depth)], end) for end in (goal, complement(goal), fresh())]
    rules = [Implies(a, b) for chain in chains for a, b in zip(chain, chain[1:], strict=False)]
    found = []
    for which, chain in enumerate(chains):
        for asked in (goal, complement(goal)):
            stated = [*rules, chain[0]]
            order = rng.permutation(len(stated)).tolist()
            label = LABELS[2] if which == 2 else LABELS[int(chain[-1] != asked)]
            found.append(Problem(tuple([stated[place] for place in order]), asked, chain[1:], label))
    return found


def _certified(problem: Problem) -> Problem:
    found = certify("propositional", problem.premises, problem.goal, models=False).label
    if found != problem.label:
        raise CustodietError(f"a problem of the study is {found}, not {problem.label}", hint="This is a defect.")
    return problem


def _write_items(config: LogicDepthConfig, path: Path) -> None:
    rng = numpy_rng(config.seed, "logic depth", "test")
    lines = []
    for depth in config.tested_depths:
        for number in range(config.num_problems):
            group = f"{depth}-{number}"
            problems = [_certified(one) for one in draw_problem(rng, depth)]
            for place, one in enumerate(problems):
                same_goal = [f"{group}-{other}" for other in range(place % 2, len(problems), 2) if other != place]
                lines.append({
                    "id": f"{group}-{place}", "task": "entailment", "logic": "propositional", "language": "logic",
                    "prompt": one.prompt(), "answer": WORDS[LABELS.index(one.label)], "choices": list(WORDS),
                    "label": one.label, "premises": [{"formula": format_formula(p)} for p in one.premises],
                    "goal": {"formula": format_formula(one.goal)}, "cell": {"depth": depth}, "group": group,
                    "twins": same_goal,
                })  # fmt: skip
    write_text_atomic(path, "".join(json.dumps(one) + "\n" for one in lines))


# --------------------------------------------------------------------------------------------------------------- training


def _tokenizer() -> Any:
    import tokenizers
    from tokenizers import Regex, decoders, models, pre_tokenizers

    from custodiet.data.tokenizer import BOS_TOKEN, Tokenizer

    signs = [BOS_TOKEN, "!", ">", ";", "?", "=", ":", ",", "\n", *WORDS]
    words = [*signs, *[sign + name for name in NAMES for sign in ("", "~")]]
    inner = tokenizers.Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token=BOS_TOKEN))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex(r"~?[a-z][0-9]?|[!>;?=:,\nTFU]"), "isolated")  # type: ignore[assignment]
    inner.decoder = decoders.Fuse()  # type: ignore[assignment]
    inner.add_special_tokens([BOS_TOKEN])
    return Tokenizer(inner)


def _batches(config: LogicDepthConfig, codec: Any, context_length: int) -> Iterator[Any]:
    """Batches without end; in the loss is what follows the cue, the end of the text among it."""
    from custodiet.train.batches import Batch

    rng = numpy_rng(config.seed, "logic depth", "train")
    for step in count():
        depths, spread = config.stage(step)
        texts, starts = [], []
        while len(texts) < config.batch_rows:
            depth = depths[int(rng.integers(len(depths)))]
            for one in draw_problem(rng, depth):
                drawn = rng.random()
                if drawn < config.recited_share:
                    texts.append((one.prompt() + RECITE, one.recited(rng.permutation(len(one.premises)).tolist())))
                    continue
                way = "direct" if drawn < config.recited_share + config.direct_share else "chain"
                texts.append((one.prompt() + CUES[way], one.answer(way)))
        del texts[config.batch_rows :]
        prompts, answers = codec.encode([a for a, _ in texts]), codec.encode([b for _, b in texts])
        rows = [np.concatenate([[codec.bos_id], a, b, [codec.bos_id]]) for a, b in zip(prompts, answers, strict=True)]
        starts = [len(a) + 1 for a in prompts]
        longest = max(len(one) for one in rows)
        tokens_BT = np.full((len(rows), longest), codec.bos_id, dtype=np.int64)
        valid_BT, keep_BT = (np.zeros((len(rows), longest), dtype=bool) for _ in range(2))
        for at, (row, start) in enumerate(zip(rows, starts, strict=True)):
            tokens_BT[at, : len(row)] = row
            valid_BT[at, 1 : len(row)] = True
            keep_BT[at, start : len(row)] = True
        farthest = int(spread * (context_length - longest))
        position_BT = np.arange(longest) + rng.integers(0, farthest + 1, len(rows))[:, None]
        yield Batch(tokens_BT=tokens_BT, valid_BT=valid_BT, keep_BT=keep_BT, position_BT=position_BT)


def _waves(num_places: int, width: int) -> np.ndarray:
    """Sines and cosines from which the table of places begins: one place back is the same turn everywhere."""
    half = -(-width // 2)
    angles = np.arange(num_places)[:, None] * 300.0 ** (-np.arange(half) / half)
    return (0.05 * np.concatenate([np.sin(angles), np.cos(angles)], axis=1)[:, :width]).astype(np.float32)


def _train(config: LogicDepthConfig, codec: Any, folder: Path, on_progress: Progress) -> float:
    import torch

    from custodiet.nn.export import save_hf_directory
    from custodiet.nn.gpt import GPT, GPTConfig
    from custodiet.optim.adamw import FlatAdamW
    from custodiet.optim.schedules import Schedule
    from custodiet.train.loop import Trainer

    sizes = GPTConfig(
        vocab_size=codec.vocab_size, context_length=config.context_length, width=config.width,
        num_layers=config.num_layers, num_heads=config.num_heads,
    )  # fmt: skip
    for depth in config.trained_depths:  # the forms of which the training texts are instances
        for one in draw_problem(numpy_rng(config.seed, "logic depth", "forms", depth), depth):
            _certified(one)
    threads = torch.get_num_threads()
    torch.set_num_threads(config.num_threads)
    try:
        model = GPT(sizes, seed=derive_seed(config.seed, "logic depth", "init"))
        with torch.no_grad():
            model.position_embedding.weight.copy_(torch.from_numpy(_waves(config.context_length, config.width)))
        optimizer = FlatAdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=config.weight_decay, clip_norm=1.0)
        schedule = Schedule(
            peak=config.learning_rate, num_steps=config.num_steps, warmup_steps=min(100, config.num_steps // 10),
            kind="linear", final_share=0.05,
        )  # fmt: skip
        trainer = Trainer(model, optimizer, schedule)
        losses = []
        for batch in _batches(config, codec, config.context_length):
            losses.append(trainer.step([batch]).kept_loss_nats)
            recent = float(np.mean(losses[-100:]))
            on_progress("train to depth", trainer.num_steps_done, config.num_steps, f"loss {recent:.3f} nats")
            if trainer.num_steps_done == config.num_steps:
                break
    finally:
        torch.set_num_threads(threads)
    save_hf_directory(model, folder, tokenizer=codec)
    return float(np.mean(losses[-100:]))


# ---------------------------------------------------------------------------------------------------------------- testing


def run_logic_depth(
    config: LogicDepthConfig,
    folder: Path,
    *,
    on_progress: Progress = lambda task, done, total, note: None,
    command: str = "",
) -> LogicDepthResult:
    """Train, test both ways of answering, and save a record of each.

    Args:
        config: the study.
        folder: gets `items.jsonl`, the model, and the runs `direct` and `chain`.
        on_progress: called with (task, done, total, note).
        command: as it was typed.

    Returns:
        The records, and whether the trained depths were learned at all.
    """
    started = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    items_path = folder / "items.jsonl"
    _write_items(config, items_path)
    codec = _tokenizer()
    loss = _train(config, codec, folder / "model", on_progress)
    train_s = time.monotonic() - started
    records = {way: _test(config, way, folder, items_path, on_progress, command) for way in ("direct", "chain")}
    learned = {way: _is_learned(record, config.trained_depths) for way, record in records.items()}
    return LogicDepthResult(records, learned, time.monotonic() - started, train_s, loss)


def _is_learned(record: LogicEvaluationRecord, depths: Sequence[int]) -> bool:
    trained = {str(one) for one in depths}
    shares = [one.accuracy.value or 0.0 for one in record.by["depth"] if one.value in trained]
    return len(shares) == len(trained) and min(shares) >= LEARNED


def way_of_asking(
    config: LogicDepthConfig, way: str, loaded: Any
) -> tuple[Literal["choices", "answer"], int | None, Callable[[Sequence[Item]], list[dict[str, Any]]]]:
    """Mode of the evaluation, most tokens of an answer, and what asks: by scoring labels, or by letting the model write."""
    from custodiet.nn.answering import LocalChoiceScorer, LocalTextGenerator

    if way == "direct":
        return "choices", None, ask_by_choices(LocalChoiceScorer.of(loaded), lambda text: text, CUES[way])
    max_tokens = 4 * max(config.tested_depths) + 8
    generator = LocalTextGenerator.of(loaded, max_tokens=max_tokens)
    return "answer", max_tokens, ask_by_text(generator, lambda text: text, CUES[way], proof=False)


def _test(
    config: LogicDepthConfig, way: str, folder: Path, items_path: Path, on_progress: Progress, command: str
) -> LogicEvaluationRecord:
    import torch

    from custodiet.nn.loading import load_model

    started = time.monotonic()
    run = RunFolder.create(folder / way, "logic-evaluate")
    loaded = load_model(folder / "model", device="cpu", dtype="float32")
    mode, max_tokens, ask = way_of_asking(config, way, loaded)
    items, left_out, num = read_items(items_path, mode=mode)
    run.begin({"job": "logic-evaluate", "study": "logic depth", "way": way, **asdict(config)})
    rows = answer_items(
        items, ask, run.path / "answers.jsonl", batch_size=192,
        on_progress=lambda task, *rest: on_progress(f"{task}, {way}", *rest),
    )  # fmt: skip
    here = Environment.here(
        torch=str(torch.__version__), device="cpu", dtype=loaded.dtype, num_threads=torch.get_num_threads(),
        instruction_set=torch.backends.cpu.get_cpu_capability(),
    )  # fmt: skip
    trained = f"{min(config.trained_depths)} to {max(config.trained_depths)}"
    record = make_record(
        rows,
        AskedModel(
            name=f"GPT trained on depth {trained}", description=loaded.description, sha256=loaded.identity_sha256,
            environment=here,
        ),
        ItemsFile(path=items_path.name, sha256=sha256_file(items_path), num_items=num, num_asked=len(items)),
        title=f"Trained on depth {trained}, " + ("label at once" if way == "direct" else "chain before label"),
        mode=mode,
        cue=CUES[way],
        max_tokens=max_tokens,
        seed=config.seed,
        started=started,
        command=command,
        left_out=left_out,
        not_tested=["other sizes, more training, and other forms of premises than conditionals between literals"],
    )  # fmt: skip
    record.save(run.record_json)
    headline = None if record.accuracy.value is None else f"{record.accuracy.value:.1%} right"
    run.finish("done", title=record.title, headline=headline)
    return record
