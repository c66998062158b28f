"""An OpenAI-compatible server in a thread, which plays Countdown by a hash of its prompt, or does
what servers should not do.

    with ScriptedServer(faults=["500", "cut"]) as server:
        model = ServerModel(server.url, ...)
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from reason_env.tokenizer import TOKENIZER

NAME = "scripted-1"
_PROBLEM = re.compile(r"^(\d+(?: \d+)+) -> \d+$", re.MULTILINE)
_RULES = re.compile(r"^Reach \d+ from the numbers ([\d, ]+)\.$", re.MULTILINE)
_STEP = re.compile(r"^(-?\d+) ([-+*]) (-?\d+) = (-?\d+)$", re.MULTILINE)


def play(prompt: str, seed: int) -> str:
    """The next line: two of the numbers left, chosen by a hash; nothing where one is left."""
    given = _PROBLEM.search(prompt) or _RULES.search(prompt)
    if given is None:
        return "hm"
    numbers = [int(number) for number in re.findall(r"\d+", given[1])]
    for left, _, right, result in _STEP.findall(prompt[given.end() :]):
        for used in (int(left), int(right)):
            if used in numbers:
                numbers.remove(used)
        numbers.append(int(result))
    if len(numbers) < 2:
        return ""
    digest = hashlib.sha256(f"{seed} {prompt}".encode()).digest()
    a = numbers.pop(digest[0] % len(numbers))
    b = numbers.pop(digest[1] % len(numbers))
    sign = "+-*"[digest[2] % 3]
    return f"{a} {sign} {b} = {({'+': a + b, '-': a - b, '*': a * b})[sign]}"


class ScriptedServer:
    """See the module's text.

    Args:
        write: the next line from the prompt and the seed (0 at temperature 0).
        faults: what to do in place of an answer, one request after the other; see `_FAULTS`.
        forever: a fault that never ends.
        logprobs: whether it gives log-probabilities.
        chat, completions: the interfaces that it has.
        obedient: whether it minds the limit and the stop.
        usage: whether it counts tokens.
        models: names that it lists.
        refuse: HTTP status and error for some requests' bodies, or None.
        alter: changes an answer before it is sent.

    Attributes:
        requests: path, body and headers (in lower case) of each, in order, faults included.
        answered: bodies of those that got a good answer.
    """

    def __init__(
        self,
        write: Callable[[str, int], str] = play,
        faults: Iterable[str] = (),
        forever: str | None = None,
        logprobs: bool = False,
        chat: bool = True,
        completions: bool = True,
        obedient: bool = True,
        usage: bool = True,
        models: tuple[str, ...] = (NAME,),
        refuse: Callable[[dict[str, Any]], tuple[int, dict[str, Any]] | None] = lambda body: None,
        alter: Callable[[dict[str, Any]], Any] = lambda answer: answer,
    ) -> None:
        self.write, self.faults, self.forever = write, list(faults), forever
        self.logprobs, self.chat, self.completions = logprobs, chat, completions
        self.obedient, self.usage, self.models = obedient, usage, models
        self.refuse, self.alter = refuse, alter
        self.requests: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.answered: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self.over = threading.Event()

    def __enter__(self) -> ScriptedServer:
        handler = type("Handler", (_Handler,), {"script": self})
        self._http = _Http(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def next_fault(self) -> str | None:
        with self._lock:
            return self.faults.pop(0) if self.faults else self.forever

    def answer(self, body: dict[str, Any]) -> tuple[int, Any]:
        """Status and JSON for a request."""
        refusal = self.refuse(body)
        if refusal is not None:
            return refusal
        chat = "messages" in body
        prompt = body["messages"][-1]["content"] if chat else body["prompt"]
        line = self.write(prompt, body.get("seed", 0) if body["temperature"] else 0)
        text = line if self.obedient else f"{line}\nand more\n" + "and on and on\n" * 100
        finish, limit = "stop", body.get("max_tokens", body.get("max_completion_tokens"))
        if self.obedient:
            if "stop" in body:
                text = text.partition("\n")[0]
            ids = TOKENIZER.encode(text)
            if len(ids) >= limit:
                text, finish = TOKENIZER.decode(ids[:limit]), "length"
        choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
        if chat:
            choice["message"] = {"role": "assistant", "content": text}
        else:
            choice["text"] = text
        if self.logprobs and "logprobs" in body:
            pieces = [text[i : i + 3] for i in range(0, len(text), 3)]
            pieces += {"length": [], "stop": ["\n" if line else "</s>"]}[finish]
            choice["logprobs"] = (
                {"content": [{"token": piece, "logprob": -0.25} for piece in pieces]}
                if chat
                else {"tokens": pieces, "token_logprobs": [-0.25] * len(pieces)}
            )
        value: dict[str, Any] = {"id": "1", "model": body["model"], "choices": [choice]}
        if self.usage:
            read, wrote = len(prompt) // 4, len(TOKENIZER.encode(text)) + 1
            value["usage"] = {"prompt_tokens": read, "completion_tokens": wrote}
        return 200, self.alter(value)


class _Http(ThreadingHTTPServer):
    # Else the sixth of several connections that come at once is dropped or reset.
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """A client that has gone is no news."""


class _Handler(BaseHTTPRequestHandler):
    script: ScriptedServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a body waits 40 ms for its headers' receipt

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.script.requests.append(
            (self.path, {}, {k.lower(): v for k, v in self.headers.items()})
        )
        if not self._misbehave():
            self._send(200, {"data": [{"id": name} for name in self.script.models]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.script.requests.append(
            (self.path, body, {k.lower(): v for k, v in self.headers.items()})
        )
        if self._misbehave():
            return
        path = self.path.partition("?")[0]
        served = {
            "/v1/completions": self.script.completions,
            "/v1/chat/completions": self.script.chat,
        }
        if not served.get(path) or body["model"] not in self.script.models:
            self._send(404, {"error": {"message": f"no {path} for {body['model']}"}})
            return
        status, value = self.script.answer(body)
        if status == 200:
            self.script.answered.append(body)
        self._send(status, value)

    def _note(self, body: dict[str, Any]) -> None:
        headers = {name.lower(): said for name, said in self.headers.items()}
        self.script.requests.append((self.path, body, headers))

    def _misbehave(self) -> bool:
        fault = self.script.next_fault()
        if fault is not None:
            _FAULTS[fault](self)
        return fault is not None

    def _send(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        text = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        for name, said in (headers or {}).items():
            self.send_header(name, said)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def silence(self) -> None:
        self.script.over.wait(30)
        self.close_connection = True

    def drip(self) -> None:
        """A byte now and then: never so long without one that a read would time out."""
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        try:
            while not self.script.over.wait(0.05):
                self.wfile.write(b" ")
        except OSError:
            pass
        self.close_connection = True

    def hang_up(self) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def cut(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b'{"choices": [{"text": "1 + ')
        self.wfile.flush()
        self.hang_up()


def _status(status: int, **headers: str) -> Callable[[_Handler], None]:
    named = {name.replace("_", "-"): said for name, said in headers.items()}
    return lambda handler: handler._send(
        status, {"error": {"message": f"said {status}", "code": None}}, named
    )


def _body(value: Any) -> Callable[[_Handler], None]:
    return lambda handler: handler._send(200, value)


_CHOICE = {"text": "1 + 1 = 2", "message": {"content": "1 + 1 = 2"}, "finish_reason": "stop"}
_FAULTS: dict[str, Callable[[_Handler], None]] = {
    "silence": _Handler.silence,
    "drip": _Handler.drip,
    "hang up": _Handler.hang_up,
    "cut": _Handler.cut,
    **{str(status): _status(status) for status in (401, 403, 404, 408, 409, 425, 500, 502, 503)},
    "429": _status(429, Retry_After="0"),
    "429 minute": _status(429, Retry_After="60"),
    "429 long": _status(429, Retry_After="86400"),
    "html": _body(b"<html><body>Bad gateway</body></html>"),
    "empty": _body(b""),
    "half": _body(b'{"choices": [{"text": '),
    "no object": _body([]),
    "no choices": _body({"choices": []}),
    "null choices": _body({"choices": None}),
    "text a number": _body({"choices": [{**_CHOICE, "text": 5, "message": {"content": 5}}]}),
    "no text": _body({"choices": [{"finish_reason": "stop"}]}),
    "no finish": _body({"choices": [{**_CHOICE, "finish_reason": None}]}),
    "odd logprobs": _body({"choices": [{**_CHOICE, "logprobs": [1, 2]}]}),
    "deep": _body(b"[" * 100_000),
}
PASSING = sorted(set(_FAULTS) - {"401", "403", "404", "429 minute", "429 long"})
"""Faults after which it is right to ask again."""
SLOW = ("silence", "drip")
QUICK = sorted(set(PASSING) - set(SLOW))
"""Those that take no time."""
