"""A loaded model that answers: whole choices scored after a prompt, and text written after it.

Shape suffixes: B rows, T positions, C choices, Q targets.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from custodiet.base.protocols import ChoiceScores, NextTokenPredictor, PositionScorer, TokenCodec
from custodiet.errors import UsageError
from custodiet.nn.loading import LoadedModel

__all__ = ["LocalChoiceScorer", "LocalTextGenerator"]

Ints = NDArray[np.int64]


class LocalChoiceScorer:
    """Log-probabilities of choices; behind the protocol `ChoiceScorer`.

    Prompt and choice are tokenized as one text, so that a choice has the tokens that a reader of that text would see.
    What is scored begins at the first token in which a choice's text differs from the prompt's own tokens, at the same
    place for all choices of a prompt. Choices whose tokens differ in the last one only are read once for all of them.

    Args:
        scorer: the model.
        codec: its tokenizer.
        batch_tokens: tokens per forward pass, padding included.
    """

    def __init__(self, scorer: PositionScorer, codec: TokenCodec, *, batch_tokens: int = 16384) -> None:
        self.scorer, self.codec, self.batch_tokens = scorer, codec, batch_tokens

    @classmethod
    def of(cls, model: LoadedModel, *, batch_tokens: int = 16384) -> LocalChoiceScorer:
        """The scorer of a loaded model.

        Raises:
            UsageError: the model is of a kind that cannot score chosen places.
        """
        if not isinstance(model.scorer, PositionScorer):
            raise UsageError(f"{model.name} cannot score choices", hint="Evaluate it with --mode answer.")
        return cls(model.scorer, model.codec, batch_tokens=batch_tokens)

    def score_choices(self, prompts: Sequence[str], choices: Sequence[Sequence[str]]) -> list[ChoiceScores | None]:
        """See `custodiet.base.protocols.ChoiceScorer`."""
        told = [len(one) for one in choices]
        flat = [prompt + choice for prompt, some in zip(prompts, choices, strict=True) for choice in some]
        encoded = self.codec.encode([*prompts, *flat])
        contexts, wholes = encoded[: len(prompts)], encoded[len(prompts) :]
        rows: dict[tuple[int, ...], int] = {}
        targets: list[tuple[int, int, int, int]] = []  # row, position, target, choice
        fits = [True] * len(prompts)
        at = 0
        for prompt, num in enumerate(told):
            mine = [self._with_bos(one) for one in wholes[at : at + num]]
            start = min([_shared(self._with_bos(contexts[prompt]), one) for one in mine], default=0)
            start = max(1, min([start, *[len(one) - 1 for one in mine]]))
            fits[prompt] = all(1 < len(one) <= self.scorer.context_length + 1 for one in mine)
            for choice, tokens in enumerate(mine if fits[prompt] else [], start=at):
                row = rows.setdefault(tuple(tokens[:-1].tolist()), len(rows))
                targets += [(row, place - 1, int(tokens[place]), choice) for place in range(start, len(tokens))]
            at += num
        logprobs, counts = np.zeros(len(flat)), np.zeros(len(flat), dtype=np.int64)
        self._score(list(rows), targets, logprobs, counts)
        found: list[ChoiceScores | None] = []
        ends = np.cumsum(told)
        for fit, end, num in zip(fits, ends.tolist(), told, strict=True):
            scores = ChoiceScores(logprob_C=logprobs[end - num : end], num_tokens_C=counts[end - num : end])
            found.append(scores if fit else None)
        return found

    def _with_bos(self, tokens: Ints) -> Ints:
        return tokens if self.codec.bos_id is None else np.concatenate([[self.codec.bos_id], tokens])

    def _score(
        self, rows: list[tuple[int, ...]], targets: list[tuple[int, int, int, int]], logprobs: NDArray[np.float64],
        counts: Ints,
    ) -> None:  # fmt: skip
        """Add up the log-probabilities of the targets of each choice, rows of like length together."""
        by_row: list[list[tuple[int, int, int, int]]] = [[] for _ in rows]
        for one in targets:
            by_row[one[0]].append(one)
        order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
        start = 0
        while start < len(order):
            end = start + 1
            while end < len(order) and (end + 1 - start) * len(rows[order[end]]) <= self.batch_tokens:
                end += 1
            some = order[start:end]
            tokens_BT = np.zeros((len(some), len(rows[some[-1]])), dtype=np.int64)
            for place, row in enumerate(some):
                tokens_BT[place, : len(rows[row])] = rows[row]
            wanted = [(place, *one[1:]) for place, row in enumerate(some) for one in by_row[row]]
            rows_Q, positions_Q, targets_Q, choices_Q = np.array(wanted, dtype=np.int64).T
            np.add.at(logprobs, choices_Q, self.scorer.score_positions(tokens_BT, rows_Q, positions_Q, targets_Q))
            np.add.at(counts, choices_Q, 1)
            start = end


def _shared(a: Ints, b: Ints) -> int:
    """How many tokens two texts have in common from their beginning."""
    num = min(len(a), len(b))
    differ = np.flatnonzero(a[:num] != b[:num])
    return int(differ[0]) if len(differ) else num


class LocalTextGenerator:
    """Greedy text with cached decoding; behind the protocol `TextGenerator`.

    Prompts of equal length in tokens are decoded together. A text ends with one of the model's own end tokens, at a stop
    text, or after `max_tokens`.

    Args:
        predictor: the model.
        codec: its tokenizer.
        end_ids: tokens that end a text.
        max_tokens: most tokens to write.
        stop: texts that end an answer; neither they nor what follows is given.
        max_batch: most prompts at once.
    """

    def __init__(
        self,
        predictor: NextTokenPredictor,
        codec: TokenCodec,
        *,
        end_ids: frozenset[int],
        max_tokens: int,
        stop: Sequence[str] = (),
        max_batch: int = 16,
    ) -> None:
        self.predictor, self.codec, self.end_ids = predictor, codec, end_ids
        self.max_tokens, self.stop = max_tokens, tuple(stop)
        self.max_batch = min(max_batch, predictor.max_batch or max_batch)

    @classmethod
    def of(cls, model: LoadedModel, *, max_tokens: int, stop: Sequence[str] = ()) -> LocalTextGenerator:
        """The generator of a loaded model."""
        return cls(model.predictor, model.codec, end_ids=model.end_ids, max_tokens=max_tokens, stop=stop)

    def generate_text(self, prompts: Sequence[str]) -> list[str | None]:
        """See `custodiet.base.protocols.TextGenerator`; None where prompt and `max_tokens` exceed the context."""
        encoded = self.codec.encode(prompts)
        window = self.predictor.window_tokens
        taken = 0 if self.codec.bos_id is None else 1
        by_length: dict[int, list[int]] = {}
        for index, tokens in enumerate(encoded):
            if window is None or taken + len(tokens) + self.max_tokens - 1 <= window:
                by_length.setdefault(len(tokens), []).append(index)
        found: list[str | None] = [None] * len(prompts)
        for _, some in sorted(by_length.items()):
            for start in range(0, len(some), self.max_batch):
                group = some[start : start + self.max_batch]
                for index, text in zip(group, self._decode(np.stack([encoded[one] for one in group])), strict=True):
                    found[index] = text
        return found

    def _decode(self, prompts_BT: Ints) -> list[str]:
        written: list[list[int]] = [[] for _ in prompts_BT]
        texts: list[str | None] = [None] * len(prompts_BT)
        logits_BV = self.predictor.begin(prompts_BT)
        for place in range(self.max_tokens):
            chosen_B = np.asarray(logits_BV.argmax(axis=1), dtype=np.int64)
            for row, token in enumerate(chosen_B.tolist()):
                if texts[row] is not None:
                    continue
                if token in self.end_ids:
                    texts[row] = self.codec.decode(written[row])
                    continue
                written[row].append(token)
                if self.stop:
                    texts[row] = self._stopped(self.codec.decode(written[row]))
            if all(text is not None for text in texts) or place + 1 == self.max_tokens:
                break
            logits_BV = self.predictor.step(chosen_B)
        return [
            self.codec.decode(tokens) if text is None else text for tokens, text in zip(written, texts, strict=True)
        ]

    def _stopped(self, text: str) -> str | None:
        places = [place for place in (text.find(one) for one in self.stop) if place >= 0]
        return text[: min(places)] if places else None
