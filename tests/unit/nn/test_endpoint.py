"""Endpoints: a server on this machine that speaks the interface, fails on command, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from custodiet.errors import EndpointError, UsageError
from custodiet.nn.endpoint import Endpoint, EndpointChoiceScorer, EndpointTextGenerator


class FakeServer:
    """Answers from a list of (status, headers, object) first, then from a function of path and payload."""

    def __init__(self, answer):
        self.answer, self.failures, self.asked, self.headers = answer, [], [], []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.asked.append((self.path, payload))
                outer.headers.append(dict(self.headers))
                status, headers, body = (
                    outer.failures.pop(0) if outer.failures else (200, {}, outer.answer(self.path, payload))
                )
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(data))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def chat(path, payload):
    prompt = payload["messages"][0]["content"] if "chat" in path else payload["prompt"]
    text = f"Answer: {len(prompt)}"
    return {"choices": [{"message": {"content": text}} if "chat" in path else {"text": text}]}


def echo(path, payload):
    """One token per word with its space; the log-probability of a token is minus its length."""
    text = payload["prompt"]
    tokens, offsets = [], []
    at = 0
    for piece in text.replace(" ", "\0 ").split("\0"):
        tokens.append(piece)
        offsets.append(at)
        at += len(piece)
    logprobs = [None, *[-float(len(one)) for one in tokens[1:]]]
    tokens, offsets, logprobs = [*tokens, " more"], [*offsets, at], [*logprobs, -0.5]
    told = {"tokens": tokens, "token_logprobs": logprobs, "text_offset": offsets}
    return {"choices": [{"text": text + " more", "logprobs": told}]}


@pytest.fixture
def serve():
    servers = []

    def start(answer):
        servers.append(FakeServer(answer))
        return servers[-1]

    yield start
    for one in servers:
        one.close()


def endpoint(server, **more):
    waits: list[float] = []
    return Endpoint(url=server.url, model="m", sleep=waits.append, **more), waits


@pytest.mark.parametrize("is_chat", [True, False])
def test_text(serve, is_chat):
    server = serve(chat)
    where, _ = endpoint(server, key="secret")
    writer = EndpointTextGenerator(where, max_tokens=7, chat=is_chat, stop=["\n\n"])
    assert writer.generate_text(["abc", "abcde"]) == ["Answer: 3", "Answer: 5"]
    path, payload = server.asked[0]
    assert path == ("/v1/chat/completions" if is_chat else "/v1/completions")
    assert (payload["model"], payload["temperature"], payload["max_tokens"], payload["stop"]) == ("m", 0, 7, ["\n\n"])
    assert server.headers[0]["Authorization"] == "Bearer secret"
    assert "secret" not in repr(where)


def test_choices(serve):
    server = serve(echo)
    found = EndpointChoiceScorer(endpoint(server)[0]).score_choices(["one two"], [[" yes", " of course"]])[0]
    assert found is not None
    assert found.logprob_C.tolist() == [-4.0, -3.0 - 7.0]
    assert found.num_tokens_C.tolist() == [1, 2]


def test_a_token_across_the_border_counts_for_the_choice(serve):
    server = serve(echo)
    found = EndpointChoiceScorer(endpoint(server)[0]).score_choices(["one tw"], [["o", "elve"]])[0]
    assert found is not None
    assert found.logprob_C.tolist() == [-4.0, -7.0]


def test_what_passes_is_tried_again_and_the_server_may_say_when(serve):
    server = serve(chat)
    server.failures = [
        (503, {}, {"error": {"message": "busy"}}),
        (429, {"Retry-After": "9"}, b"slow down"),
        (200, {}, b"{"),
    ]
    where, waits = endpoint(server)
    assert EndpointTextGenerator(where, max_tokens=1).generate_text(["abc"]) == ["Answer: 3"]
    assert len(server.asked) == 4
    assert 0.5 <= waits[0] <= 1.0 and waits[1] == 9.0 and 2.0 <= waits[2] <= 4.0


def test_what_does_not_pass_is_one_line(serve):
    server = serve(chat)
    where, waits = endpoint(server)
    server.failures = [(401, {}, {"error": {"message": "no such\nkey"}})]
    with pytest.raises(EndpointError, match="answered 401: no such key$") as told:
        EndpointTextGenerator(where, max_tokens=1).generate_text(["a"])
    assert told.value.status == 401 and waits == []
    server.failures = [(500, {}, b"")] * 6
    with pytest.raises(EndpointError, match=r"answered 500: no reason \(after 6 tries\).*--resume"):
        EndpointTextGenerator(where, max_tokens=1).generate_text(["a"])
    assert len(waits) == 5


def test_redirects_do_not_get_the_key(serve):
    other, server = serve(chat), serve(chat)
    server.failures = [(302, {"Location": f"{other.url}/chat/completions"}, b"")]
    with pytest.raises(EndpointError, match="answered 302"):
        EndpointTextGenerator(endpoint(server, key="k")[0], max_tokens=1).generate_text(["a"])
    assert other.asked == []


def test_nobody_there():
    server = FakeServer(chat)
    server.close()
    with pytest.raises(EndpointError, match=r"cannot be reached .*\(after 2 tries\)"):
        EndpointTextGenerator(endpoint(server, num_tries=2)[0], max_tokens=1).generate_text(["a"])


def test_too_long_is_no_failure(serve):
    server = serve(chat)
    server.failures = [(400, {}, {"error": {"message": "This model's maximum context length is 8 tokens"}})]
    assert EndpointTextGenerator(endpoint(server)[0], max_tokens=1).generate_text(["a", "bc"]) == [None, "Answer: 2"]


@pytest.mark.parametrize(
    "body", [{}, {"choices": []}, {"choices": [{"text": "x"}]}, {"choices": [{"text": "ab", "logprobs": None}]}]
)
def test_other_forms_are_refused(serve, body):
    server = serve(lambda path, payload: body)
    with pytest.raises(EndpointError, match="--mode answer"):
        EndpointChoiceScorer(endpoint(server)[0]).score_choices(["a"], [["b", "c"]])
    with pytest.raises(EndpointError, match="another form"):
        EndpointTextGenerator(endpoint(server)[0], max_tokens=1).generate_text(["a"])


@pytest.mark.parametrize("url", ["ftp://x/v1", "localhost:8000", "http://user:pw@x/v1", "http://x/v1?key=1"])
def test_urls(url):
    with pytest.raises(UsageError):
        Endpoint(url=url, model="m")
    with pytest.raises(UsageError, match="header"):
        Endpoint(url="http://x", model="m", key="a\nb")
