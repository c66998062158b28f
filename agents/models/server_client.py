"""Requests to an OpenAI-compatible server: paced, timed, and repeated where that may help.

- No connection, no answer in time, one that is cut short or is none (HTML, no choices), and HTTP
  408, 409, 425, 429 and 5xx may pass: the request is sent again after a while, and not before
  `Retry-After`, where the server says that; until then no other is sent either.
- When the retries of one request are spent, the run stops (`ServerError`): a server that is down
  must not cost hundreds of episodes.
- HTTP 400, 413 and 422 (a context that is too long, a content filter) are the request's own affair
  (`Refused`). That a request suits the server at all is found out before a run.
- All other statuses (401, 403, 404) stop the run at once, with what to do.

The retries are ours, and the client's own are off: it knows no answer that is junk.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar

from agents.models.server_address import Address
from reason_env.errors import require

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal
    from openai import APIStatusError, AsyncOpenAI

    from agents.models.server_config import ServerConfig

A = TypeVar("A")
T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]

_AGAIN = {408, 409, 425, 429}
_OWN_AFFAIR = {400, 413, 422}
_LONGEST_WAIT = 600.0
"""Seconds: a server that asks for a longer one (as for a day's quota) ends the run at once."""
_KEY_LENGTH = 16
GOES_ON = "Nothing recorded is lost: the same command goes on where it stopped."


class ServerError(OSError):
    """A server that a run cannot go on with; the message says what happened and what to do."""


class Refused(Exception):
    """The server refused one request for good.

    Attributes:
        status: HTTP status.
        parameter: the one that it does not take, where it says so.
    """

    def __init__(self, message: str, status: int, parameter: str | None) -> None:
        super().__init__(message)
        self.status = status
        self.parameter = parameter


class Junk(ValueError):
    """An answer that is none: to be asked for again."""


class _Passing(Exception):
    """Something that may pass.

    Attributes:
        wait: seconds, where the server said how many.
    """

    def __init__(self, what: str, wait: float | None = None) -> None:
        super().__init__(what)
        self.wait = wait


@dataclass(slots=True)
class Traffic:
    """What went over the line.

    Attributes:
        requests: sent, retries included.
        retries: how many of them were sent again.
        refused: how many the server refused for good.
    """

    requests: int = 0
    retries: int = 0
    refused: int = 0


class Client:
    """One server. `open` connects; all requests are sent from one event loop, in a thread of its
    own, so that it works within a notebook's loop too.

    Args:
        sleep: waits for so many seconds (tests do not).
    """

    def __init__(
        self, address: Address, config: ServerConfig, sleep: Sleep = asyncio.sleep
    ) -> None:
        require("openai", "server")
        self.address = address
        self.traffic = Traffic()
        self._config = config
        self._sleep = sleep
        self._key = os.environ.get("OPENAI_API_KEY", "").strip()
        self._secrets = tuple(s for s in (self._key, *address.secrets) if len(s) > 3)
        self._spacing = 60 / config.requests_per_minute if config.requests_per_minute else 0.0
        self._next = -float("inf")
        self._portal: BlockingPortal | None = None
        self._openai: AsyncOpenAI | None = None
        self._slots = asyncio.Semaphore(config.concurrency)

    @contextmanager
    def open(self) -> Iterator[None]:
        """Stay connected; within itself it changes nothing."""
        if self._portal is not None:
            yield
            return
        from anyio.from_thread import start_blocking_portal

        with (
            start_blocking_portal() as portal,
            portal.wrap_async_context_manager(self._connected()),
        ):
            self._portal = portal
            try:
                yield
            finally:
                self._portal = None

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[None]:
        from openai import AsyncOpenAI

        self._slots = asyncio.Semaphore(self._config.concurrency)
        self._openai = AsyncOpenAI(
            api_key=self._key or "none",
            base_url=self.address.base,
            default_query=dict(self.address.query),
            timeout=self._config.timeout,
            max_retries=0,
        )
        async with self._openai:
            yield
        self._openai = None

    def all(self, job: Callable[[A], Awaitable[T]], items: Sequence[A]) -> list[T]:
        """What a job, which asks this client, gives for each item, in order; the first that fails
        ends all.

        Raises:
            ServerError, Refused: see the module's text.
        """
        with self.open():
            assert self._portal is not None
            return self._portal.call(_together, job, items)

    async def ask(self, path: str, body: dict[str, Any], read: Callable[[Any], T]) -> T:
        """One answer.

        Args:
            path: `completions`, `chat`, or `models`.
            body: the request's parameters.
            read: takes what it needs from the parsed answer, and raises `Junk` if that is not
                there.

        Raises:
            ServerError, Refused: see the module's text.
        """
        tries = 0
        while True:
            try:
                async with self._slots:
                    await self._turn()
                    self.traffic.requests += 1
                    return read(await self._send(path, body))
            except _Passing as passing:
                what, wait = str(passing), passing.wait
            except Junk as junk:
                what, wait = self.hide(f"an answer that is none ({junk})"), None
            tries += 1
            if tries > self._config.retries or (wait is not None and wait > _LONGEST_WAIT):
                asked = "" if wait is None else f", which asks to wait {wait:.0f} s"
                raise ServerError(
                    f"{self.address.shown} does not serve: {what} (try {tries} of "
                    f"{self._config.retries + 1}{asked}). {GOES_ON}"
                )
            self.traffic.retries += 1
            if wait:
                # Said to all of us, and not to this request alone.
                self._next = max(self._next, time.monotonic() + wait)
            await self._sleep(self._config.backoff(tries))

    async def _turn(self) -> None:
        """Wait until a request may be sent: they are spread evenly over a minute, where only so
        many are allowed."""
        now = time.monotonic()
        start = max(now, self._next)
        self._next = start + self._spacing
        if start > now:
            await self._sleep(start - now)

    async def _send(self, path: str, body: dict[str, Any]) -> Any:
        """The parsed JSON of one answer."""
        import openai

        assert self._openai is not None
        calls: dict[str, Callable[..., Awaitable[Any]]] = {
            "completions": self._openai.completions.with_raw_response.create,
            "chat": self._openai.chat.completions.with_raw_response.create,
            "models": self._openai.models.with_raw_response.list,
        }
        try:
            # The client's own timeout starts anew with every byte.
            async with asyncio.timeout(self._config.timeout):
                response = await calls[path](**body)
        except (TimeoutError, openai.APITimeoutError):
            raise _Passing(f"no answer within {self._config.timeout:g} s") from None
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            raise _Passing(self.hide(f"{type(cause).__name__}: {cause}")) from None
        except openai.APIStatusError as error:
            raise self._judged(error) from None
        try:
            return json.loads(self._without_secrets(response.content.decode()))
        except (ValueError, RecursionError):
            shown = self._without_secrets(response.content.decode(errors="replace"))
            raise Junk(f"no JSON: {shown[:60]!r}") from None

    def _judged(self, error: APIStatusError) -> Exception:
        """What an HTTP status means for the run."""
        status = error.status_code
        said = self.hide(_message(error)) or "without a word"
        what = f"HTTP {status}: {said}"
        if status in _AGAIN or (status >= 500 and status != 501):
            return _Passing(what, _retry_after(error.response.headers))
        if status in _OWN_AFFAIR:
            self.traffic.refused += 1
            parameter = getattr(error, "param", None)
            return Refused(what, status, parameter if isinstance(parameter, str) else None)
        fix = {
            401: "set OPENAI_API_KEY to a key of this server",
            402: "the account behind the key has to be paid for",
            403: "this key may not use the model: use another key or model",
            404: "is the model's name right (#NAME), and does the address end in /v1?",
            405: "does the address end in /v1?",
        }.get(status, "this request will not be served")
        error_type = NotServed if status in (404, 405, 501) else ServerError
        return error_type(f"{self.address.shown} refused with {what}. To do: {fix}. {GOES_ON}")

    def hide(self, text: str) -> str:
        """A text without the key and the address's secrets, in one line of at most 300
        characters."""
        for secret in self._secrets:
            text = text.replace(secret, "[hidden]")
        return " ".join(text.split())[:300]

    def _without_secrets(self, text: str) -> str:
        """An answer as it came, but for a key that it repeats: a line may be published. (What is
        shorter than keys are, such as `EMPTY`, is no secret, and may be part of a good line.)"""
        for secret in self._secrets:
            if len(secret) >= _KEY_LENGTH:
                text = text.replace(secret, "[hidden]")
        return text


class NotServed(ServerError):
    """The server does not have this interface, or not for this model."""


async def _together(job: Callable[[A], Awaitable[T]], items: Sequence[A]) -> list[T]:
    async def done(item: A) -> T:
        return await job(item)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(done(item)) for item in items]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


def _message(error: APIStatusError) -> str:
    """What the server said, as far as it is text."""
    body = error.body
    for key in ("error", "message", "detail"):
        if isinstance(body, dict) and key in body:
            body = body[key]
    return body if isinstance(body, str) else "" if body is None else json.dumps(body)


def _retry_after(headers: Any) -> float | None:
    """Seconds that `Retry-After` asks for (a number, or a date); None: it is not there or says
    nothing."""
    said = headers.get("retry-after", "")
    try:
        seconds = float(said)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(said).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return max(0.0, seconds) if seconds == seconds else None
