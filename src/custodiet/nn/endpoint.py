"""Models behind an OpenAI-compatible HTTP endpoint, as the protocols `ChoiceScorer` and `TextGenerator`; no torch.

Text is asked of ``/chat/completions`` or ``/completions``. Choices need the log-probabilities of a given text, which the
second returns where the server supports ``echo`` with ``logprobs`` (as do vLLM, llama.cpp and others; most hosted services
do not). Redirects are not followed, since the key would go with them.
"""

from __future__ import annotations

import http.client
import json
import random
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.message import Message
from typing import IO, Any

import numpy as np

from custodiet.base.protocols import ChoiceScores
from custodiet.errors import EndpointError, UsageError

__all__ = ["Endpoint", "EndpointChoiceScorer", "EndpointTextGenerator"]

_AGAIN = {408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529}
_LONGEST_WAIT_S = 60.0
_TOO_LONG = ("context length", "context_length", "maximum context", "too long", "context size")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:  # type: ignore[override]
        return None


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a model is asked, and how patiently.

    Args:
        url: base URL, such as ``http://127.0.0.1:8000/v1``.
        model: name of the model there.
        key: sent as a bearer token; None: no key.
        timeout_s: longest wait for one answer.
        num_tries: how often a request is sent that fails for reasons that pass.
        first_wait_s: before the second try; each next wait is twice as long, and up to half of it is random.
        sleep: waits that many seconds.

    Raises:
        UsageError: the URL is none.
    """

    url: str
    model: str
    key: str | None = None
    timeout_s: float = 120.0
    num_tries: int = 6
    first_wait_s: float = 1.0
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        parts = urllib.parse.urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise UsageError("not the URL of an endpoint", expected="http(s)://HOST[:PORT]/v1", got=self.url)
        if parts.username or parts.password or parts.query:
            raise UsageError(
                "the URL of an endpoint must not hold a key",
                hint="Put it into an environment variable (--api-key-env).",
            )
        if self.key is not None and not (self.key.isascii() and self.key.isprintable()):
            raise UsageError("the key of the endpoint holds characters that no header can hold")

    def __repr__(self) -> str:
        return f"Endpoint({self.url!r}, model={self.model!r})"  # never the key

    def post(self, path: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Send one request; try again while the failure may pass.

        Args:
            path: below the base URL.
            payload: the JSON object to send.

        Returns:
            The JSON object that came back.

        Raises:
            EndpointError: the last failure, in one line; `status` is its HTTP status, where there was an answer.
        """
        wait_s, failure = self.first_wait_s, EndpointError("no request was sent")
        for left in range(self.num_tries, 0, -1):
            try:
                return self._post_once(path, payload)
            except EndpointError as error:
                failure = error
                if not error.may_pass:
                    raise
            if left > 1:
                self.sleep(min(_LONGEST_WAIT_S, max(failure.retry_after_s, wait_s * (0.5 + 0.5 * random.random()))))
                wait_s *= 2
        raise EndpointError(
            f"{failure} (after {self.num_tries} tries)",
            status=failure.status,
            hint="What was answered is kept; run the same command with --resume.",
        )

    def _post_once(self, path: str, payload: dict[str, Any]) -> dict[str, Any]:
        where = f"{self.url.rstrip('/')}/{path}"
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.key is not None:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(where, data=json.dumps(payload).encode(), headers=headers, method="POST")
        try:
            with urllib.request.build_opener(_NoRedirects).open(request, timeout=self.timeout_s) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                told = error.read(2000).decode("utf-8", "replace")
            raise EndpointError(
                f"{where} answered {error.code}: {_told(told)}",
                status=error.code,
                may_pass=error.code in _AGAIN,
                retry_after_s=_seconds(error.headers.get("Retry-After")),
                too_long=error.code in (400, 413, 422) and any(one in told.lower() for one in _TOO_LONG),
            ) from None
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            reason = getattr(error, "reason", None) or error
            raise EndpointError(f"{where} cannot be reached ({reason})", may_pass=True) from None
        except ValueError as error:
            raise EndpointError(f"{where} answered with something that is not JSON ({error})", may_pass=True) from None
        if not isinstance(found, dict):
            raise EndpointError(f"{where} answered with something that is not a JSON object")
        return found


def _told(text: str) -> str:
    """What a server says went wrong, on one line."""
    try:
        error = json.loads(text)["error"]
        text = error["message"] if isinstance(error, dict) else str(error)
    except (ValueError, KeyError, TypeError):
        pass
    return " ".join(str(text).split())[:300] or "no reason"


def _seconds(header: str | None) -> float:
    try:
        return min(_LONGEST_WAIT_S, max(0.0, float(header or 0)))
    except ValueError:  # a date
        return 0.0


class EndpointTextGenerator:
    """Greedy text from an endpoint (temperature 0), one request for each prompt.

    Args:
        endpoint: where to ask.
        max_tokens: most tokens to write.
        chat: ask ``/chat/completions``, else ``/completions``.
        stop: texts that end an answer; at most four, as the interface has it.
    """

    def __init__(self, endpoint: Endpoint, *, max_tokens: int, chat: bool = True, stop: Sequence[str] = ()) -> None:
        self.endpoint, self.max_tokens, self.chat, self.stop = endpoint, max_tokens, chat, list(stop)

    def generate_text(self, prompts: Sequence[str]) -> list[str | None]:
        """See `custodiet.base.protocols.TextGenerator`; None where the server says that a prompt is too long.

        Raises:
            EndpointError: there is no answer, or it is of another form.
        """
        return [self._one(prompt) for prompt in prompts]

    def _one(self, prompt: str) -> str | None:
        payload: dict[str, Any] = {"model": self.endpoint.model, "max_tokens": self.max_tokens, "temperature": 0}
        payload |= {"messages": [{"role": "user", "content": prompt}]} if self.chat else {"prompt": prompt}
        if self.stop:
            payload["stop"] = self.stop
        try:
            found = self.endpoint.post("chat/completions" if self.chat else "completions", payload)
        except EndpointError as error:
            if error.too_long:
                return None
            raise
        try:
            choice = found["choices"][0]
            text = choice["message"]["content"] if self.chat else choice["text"]
        except (KeyError, IndexError, TypeError):
            raise EndpointError(
                f"{self.endpoint.url} answered in another form than OpenAI's", got=json.dumps(found)[:200]
            ) from None
        return "" if text is None else str(text)  # null: a refusal, or nothing but hidden thought


class EndpointChoiceScorer:
    """Log-probabilities of choices from an endpoint that echoes a text with those of its tokens.

    Args:
        endpoint: where to ask.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    def score_choices(self, prompts: Sequence[str], choices: Sequence[Sequence[str]]) -> list[ChoiceScores | None]:
        """See `custodiet.base.protocols.ChoiceScorer`.

        A token that holds the end of the prompt and the beginning of a choice counts for the choice.

        Raises:
            EndpointError: there is no answer, or it holds no log-probabilities of the text that was sent.
        """
        return [self._one(prompt, some) for prompt, some in zip(prompts, choices, strict=True)]

    def _one(self, prompt: str, choices: Sequence[str]) -> ChoiceScores | None:
        scored = []
        for choice in choices:
            try:
                scored.append(self._echoed(prompt, choice))
            except EndpointError as error:
                if error.too_long:
                    return None
                raise
        return ChoiceScores(
            logprob_C=np.array([one for one, _ in scored]), num_tokens_C=np.array([num for _, num in scored])
        )

    def _echoed(self, prompt: str, choice: str) -> tuple[float, int]:
        text = prompt + choice
        payload = {"model": self.endpoint.model, "prompt": text, "max_tokens": 1, "temperature": 0, "echo": True,
                   "logprobs": 1}  # fmt: skip
        found = self.endpoint.post("completions", payload)
        try:
            told = found["choices"][0]["logprobs"]
            tokens, logprobs = told["tokens"], told["token_logprobs"]
            offsets = told.get("text_offset") or np.cumsum([0, *[len(one) for one in tokens]])[:-1].tolist()
            ends = [*offsets[1:], max(len(text) + 1, int(offsets[-1]) + len(tokens[-1]))]
            mine = [
                value
                for start, end, value in zip(offsets, ends, logprobs, strict=True)
                if end > len(prompt) and start < len(text)
            ]
            if (
                not mine
                or any(value is None for value in mine)
                or not str(found["choices"][0]["text"]).startswith(text)
            ):
                raise ValueError
        except (KeyError, IndexError, TypeError, ValueError):
            raise EndpointError(
                f"{self.endpoint.url} does not return the log-probabilities of a given text",
                expected="/completions with echo and logprobs",
                hint="Evaluate it with --mode answer.",
            ) from None
        return float(sum(mine)), len(mine)
