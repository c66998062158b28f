"""How a server is asked: how often, how long, how much at once."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from reason_env.errors import choose

INTERFACES = ("auto", "completions", "chat")


def backoff(tries: int) -> float:
    """Seconds to wait after so many tries: 0.5, 1, 2, ... up to 30, of which a random half may be
    left out, so that requests that failed together do not come again together."""
    return min(30.0, 0.5 * 2.0 ** (tries - 1)) * random.uniform(0.5, 1.0)


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """How a server is asked; changes what comes of a run only through `interface`."""

    concurrency: int = field(default=16, metadata={"help": "requests under way at once"})
    requests_per_minute: float | None = field(
        default=None, metadata={"help": "most requests sent in a minute, evenly spread"}
    )
    timeout: float = field(default=120.0, metadata={"help": "seconds until an answer is whole"})
    retries: int = field(default=6, metadata={"help": "more tries of a request that failed"})
    interface: str = field(
        default="auto",
        metadata={
            "help": "completions, chat, or auto: completions if the server has them",
            "choices": INTERFACES,
        },
    )
    prices: str | None = field(
        default=None, metadata={"help": "JSON table of prices, in place of the one that is here"}
    )
    backoff: Callable[[int], float] = field(
        default=backoff, metadata={"help": "seconds to wait after so many tries"}
    )

    def __post_init__(self) -> None:
        for name, least in (("concurrency", 1), ("retries", 0)):
            number = getattr(self, name)
            if isinstance(number, bool) or not isinstance(number, int) or number < least:
                raise ValueError(
                    f"{name} must be a whole number of {least} or more, received {number!r}"
                )
        for name in ("requests_per_minute", "timeout"):
            number = getattr(self, name)
            if number is not None and not 0 < number < float("inf"):
                raise ValueError(f"{name} must be above 0, received {number!r}")
        choose(self.interface, INTERFACES, "interface")
