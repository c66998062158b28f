"""LanguageModel behind any OpenAI-compatible server: vLLM, `transformers serve`, hosted ones.

    model = ServerModel("http://localhost:8000/v1#my-model")

What differs from a model on disk:

- a server gives no guarantee that the same request has the same answer, not at temperature 0 and
  not with a seed: batches, other versions and other weights under one name all change it. `digest`
  therefore stands for the model's name and how it is asked, and not for weights;
- budgets count our tokens, and what was generated besides (see `server_answers`);
- where the server gives no log-probabilities, a line counts as one of 1024 equally likely ones, so
  that a tree search's priors are even, and the guide `policy` is refused;
- a server cannot sample without replacement. A line that is among `without` is drawn again, up to
  `REDRAWS` times and within the row's limit, and what was drawn in vain is charged. What comes
  back all the same counts as it does everywhere: there is no other line to be had;
- sampling settings other than the temperature (top_p, penalties) are the server's own;
- a chat model is asked as `server_requests` says. An answer without a line in it (a fence of
  Markdown, an empty line) is asked for once more, to its end.

The key comes from OPENAI_API_KEY; it is neither recorded nor printed.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from agents.models.base import Completion, Tokens
from agents.models.prices import find_price, load_prices
from agents.models.server_address import Address
from agents.models.server_answers import (
    Answer,
    Interface,
    completion_of,
    is_blank,
    read_answer,
)
from agents.models.server_client import (
    Client,
    Junk,
    Refused,
    Sleep,
)
from agents.models.server_config import ServerConfig
from agents.models.server_probe import find_dialect, only_model
from agents.models.server_requests import request_body
from reason_env.splits import numbered_seed
from reason_env.tokenizer import EOS, TOKENIZER, Tokenizer

REDRAWS = 3
_PROBE = "1 + 1 ="
_ID = re.compile(r"\b(?:[A-Za-z]+[-_])?[0-9a-fA-F][0-9a-fA-F-]{15,}\b")


class _Row(NamedTuple):
    text: str
    limit: int
    temperature: float
    seed: int
    known: frozenset[tuple[int, ...]]


class ServerModel:
    """See `LanguageModel` for the methods, and the module's text for what differs.

    Making one asks the server which model it has, where the URL names none, and by a request of
    one token what it can do; that request is in `usage` too.

    Args:
        url: `http(s)://HOST[:PORT]/v1[#MODEL]`.
        config: how it is asked.
        sleep: waits for so many seconds (tests do not).

    Attributes:
        name: of the model, as requests name it.
        url: where it is, without passwords.

    Raises:
        MissingExtra: openai is not installed (extra `server`).
        ServerError: the server is not there, refuses, or lacks the model; says what to do.
        ValueError: not an address, or no price table.
    """

    has_values = False
    has_rewards = False

    def __init__(
        self,
        url: str,
        config: ServerConfig | None = None,
        tokenizer: Tokenizer = TOKENIZER,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.config = config or ServerConfig()
        self.tokenizer = tokenizer
        address = Address.parse(url)
        prices = load_prices(self.config.prices)
        self.url = address.shown
        self._client = Client(address, self.config, sleep)
        self._prompt_tokens = self._completion_tokens = self._uncounted = 0
        with self._client.open():
            self.name = address.name or only_model(self._client)
            self._dialect = find_dialect(
                self._client, self.name, self.config.interface, self._counted
            )
        self._price = find_price(prices, self.name, address.host)

    @property
    def interface(self) -> Interface:
        """`completions` or `chat`."""
        return self._dialect.interface

    @property
    def has_logprobs(self) -> bool:
        return self._dialect.logprobs

    @property
    def prompt_style(self) -> str | None:
        """A chat model needs the rules told, a model that continues text may know them."""
        return "verbose" if self.interface == "chat" else None

    @property
    def digest(self) -> str:
        """sha256 of the model's name and of how it is asked: of what decides a run as far as this
        side goes. The weights behind the name are not known."""
        said = {
            "server model": self.name,
            "interface": self.interface,
            "logprobs": self.has_logprobs,
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def usage(self) -> dict[str, Any]:
        """What it has cost so far, by the server's own count; JSON-able.

        `requests` were sent, `retries` of them again, `refused` of them were refused for good.
        `uncounted` answers came without their numbers of tokens; with any of these, or without a
        known price, `cost` is None.
        """
        traffic, cost = self._client.traffic, None
        if self._price is not None and not self._uncounted:
            cost = self._price.cost(self._prompt_tokens, self._completion_tokens)
        return {
            "server": self.url,
            "model": self.name,
            "interface": self.interface,
            "requests": traffic.requests,
            "retries": traffic.retries,
            "refused": traffic.refused,
            "prompt_tokens": self._prompt_tokens,
            "completion_tokens": self._completion_tokens,
            "uncounted": self._uncounted,
            "cost": cost,
            "price": None if self._price is None else self._price.to_json(),
        }

    @contextmanager
    def remembering(self) -> Iterator[None]:
        with self._client.open():
            yield

    def generate(
        self,
        prefixes: Sequence[Tokens],
        *,
        stop: Collection[int],
        temperature: float,
        max_tokens: Sequence[int],
        seeds: Sequence[int],
        without: Sequence[Sequence[Completion]] | None = None,
    ) -> list[Completion]:
        if without is not None and temperature != 1:
            raise ValueError(f"without= needs temperature 1, received {temperature}")
        if set(stop) != {self.tokenizer.newline, EOS}:
            raise ValueError(
                f"A server writes up to a newline or <eos>, and no other stop; received {set(stop)}"
            )
        rows = []
        known = without or [()] * len(prefixes)
        for prefix, limit, seed, drawn in zip(prefixes, max_tokens, seeds, known, strict=True):
            lines = frozenset(completion.tokens for completion in drawn)
            rows.append(_Row(self.tokenizer.decode(prefix), limit, temperature, seed, lines))
        return self._client.all(self._line, rows)

    def logprobs(
        self, prefixes: Sequence[Tokens], continuations: Sequence[Tokens]
    ) -> list[tuple[float, ...]]:
        raise ValueError("A server says how likely its own lines are, and of no others")

    def values(self, prefixes: Sequence[Tokens]) -> list[float]:
        raise ValueError("A model behind a server has no value head; choose another guide")

    def rewards(self, prefixes: Sequence[Tokens]) -> list[float]:
        raise ValueError("A model behind a server has no process reward head; choose another guide")

    # -- One line ------------------------------------------------------------------------------

    async def _line(self, row: _Row) -> Completion:
        """Draw a line, and again where that may bring another."""
        spent, stop = 0, True
        line = Completion((), (), (), False)
        for draw in range(1 + REDRAWS):
            seed = row.seed if draw == 0 else numbered_seed(row.seed, draw)
            try:
                answer = await self._ask(row, row.limit - spent, seed, stop)
            except Refused as refusal:
                return replace(line, spent=spent, failed=_ID.sub("...", str(refusal)))
            if answer.filtered:
                return replace(line, spent=spent, failed="cut by the server's content filter")
            line = completion_of(answer, row.limit - spent, self.interface)
            spent += line.spent
            blank = self.interface == "chat" and stop and is_blank(answer)
            if spent >= row.limit or not (blank or line.tokens in row.known):
                break
            stop = stop and not blank
        return replace(line, spent=spent)

    async def _ask(self, row: _Row, limit: int, seed: int, stop: bool) -> Answer:
        dialect = self._dialect
        body = request_body(dialect, self.name, row.text, limit, row.temperature, seed, stop)

        def read(value: Any) -> Answer:
            answer = self._counted(value, dialect.interface)
            if dialect.logprobs and answer.pieces is None and answer.text:
                raise Junk("no log-probabilities, which it gave at first")
            return answer

        return await self._client.ask(dialect.interface, body, read)

    def _counted(self, value: Any, interface: Interface) -> Answer:
        """Check an answer and count its tokens.

        Raises:
            Junk: it is none.
        """
        answer = read_answer(value, interface)
        if answer.prompt_tokens is None or answer.completion_tokens is None:
            self._uncounted += 1
        self._prompt_tokens += answer.prompt_tokens or 0
        self._completion_tokens += answer.completion_tokens or 0
        return answer
