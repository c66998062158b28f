"""What is asked of a server: the parameters of a request, and how a chat is laid out.

Through `completions` a model is given the text so far, and goes on with it. Through `chat` it gets
one message of the user, which asks for the next line, with the problem and its rules (the
environment's verbose prompt, whatever the suite's) and the lines so far:

    Solve the problem below line by line. [...]

    Reach 39 from the numbers 20, 7, 3.
    [...]
    Write one step a line, exactly in the form: 25 * 3 = 75
    20 - 7 = 13
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from agents.models.server_answers import Interface
from agents.models.server_client import Refused

CHAT_INSTRUCTION = (
    "Solve the problem below line by line. First comes the problem with its rules; after them come "
    "the lines that have been written so far, if there are any. A line that begins with `> ` is a "
    "reply to the line before it, and nothing to write yourself. Reply with the one line that "
    "comes next, in the form that the rules ask for, and with nothing else: no explanation, no "
    "Markdown, no second line."
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a server takes; found out at the start.

    Attributes:
        interface: `completions` or `chat`.
        logprobs: whether to ask for log-probabilities.
        seed: whether to send a seed.
        stop: whether to send the newline as a stop sequence.
        limit: the name of the token limit.
    """

    interface: Interface
    logprobs: bool = True
    seed: bool = True
    stop: bool = True
    limit: str = "max_tokens"

    def without(self, refusal: Refused) -> Dialect | None:
        """The dialect to try next, after a refusal; None: there is no other.

        What the server names is left out, else the log-probabilities, then the seed. Nobody can do
        without the token limit and the temperature.
        """
        named = refusal.parameter
        if named == "max_tokens" and self.limit == "max_tokens" and self.interface == "chat":
            return replace(self, limit="max_completion_tokens")
        if self.logprobs and named in (None, "logprobs", "top_logprobs"):
            return replace(self, logprobs=False)
        if self.seed and named in (None, "seed"):
            return replace(self, seed=False)
        if self.stop and named in (None, "stop"):
            return replace(self, stop=False)
        return None


def request_body(
    dialect: Dialect,
    model: str,
    text: str,
    max_tokens: int,
    temperature: float,
    seed: int,
    stop: bool = True,
) -> dict[str, Any]:
    """A request for the next line of a text.

    Args:
        seed: of the row; servers take 31 bits of it.
        stop: whether a newline ends it, if the dialect has that.
    """
    body: dict[str, Any] = {
        "model": model,
        dialect.limit: max_tokens,
        "temperature": temperature,
    }
    if dialect.interface == "chat":
        content = f"{CHAT_INSTRUCTION}\n\n{text}"
        body["messages"] = [{"role": "user", "content": content}]
    else:
        body["prompt"] = text
    if dialect.stop and stop:
        body["stop"] = ["\n"]
    if dialect.seed:
        body["seed"] = seed % 2**31
    if dialect.logprobs:
        body["logprobs"] = True if dialect.interface == "chat" else 1
    return body
