"""What a server says, as tokens of ours.

A budget counts this project's tokens whatever the model, so that budgets compare across models and
a verifier can count again. So a server's text is normalised as the environment does it, encoded
with our tokenizer, and cut at its line's end and at its limit. What was generated besides (hidden
reasoning, more lines than were asked for) is charged too, up to the limit: that many tokens were
asked for, and a line that comes after them is beyond what was paid, hence cut.

How a line ended is not always told: servers leave the stop sequence out of the text. Where nothing
says that the model ended its text there (`<eos>`), a line was ended by its newline, and where
there is no line at all, it was the end.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

from agents.models.base import Completion
from agents.models.server_client import Junk
from reason_env import lines
from reason_env.tokenizer import EOS, TOKENIZER

UNKNOWN_LINES = 1024
"""A line of unknown likelihood counts as one of so many that are equally likely: what a search
makes of its lines' likelihoods is then even, and it always takes more lines to be possible."""

_MOST = 1e9
"""No token count and no log-probability is beyond it."""

Interface = Literal["completions", "chat"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's answer, checked.

    Attributes:
        text: what was written.
        cut: whether its token limit ended it.
        filtered: whether a content filter did.
        ended: whether the model ended its text itself (True), or a newline did (False); None: the
            server does not say.
        pieces: the server's own tokens as text, with their natural log-probabilities; None: it
            gives none.
        prompt_tokens, completion_tokens: as the server counts them; None: it does not.
        hidden_tokens: of the completion, what is not in the text, as far as the server says.
    """

    text: str
    cut: bool = False
    filtered: bool = False
    ended: bool | None = None
    pieces: tuple[tuple[str, float], ...] | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    hidden_tokens: int = 0


def read_answer(value: Any, interface: Interface) -> Answer:
    """Check a parsed answer.

    Raises:
        Junk: says what is wrong with it.
    """
    choices = value.get("choices") if isinstance(value, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise Junk(f"no choices: {value!r:.80}")
    choice = choices[0]
    if interface == "chat":
        message = choice.get("message")
        text = message.get("content") if isinstance(message, dict) else 0
        text = "" if text is None else text  # nothing but reasoning, or a call of a tool
    else:
        text = choice.get("text")
    if not isinstance(text, str):
        raise Junk(f"no text: {choice!r:.80}")
    finish = choice.get("finish_reason")
    if finish not in ("stop", "length", "content_filter", "tool_calls"):
        raise Junk(f"finish_reason {finish!r:.40}")
    usage = value.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    pieces = _pieces(choice.get("logprobs"), interface)
    details = usage.get("completion_tokens_details")
    hidden = _count(details, "reasoning_tokens") if isinstance(details, dict) else None
    return Answer(
        text=text,
        cut=finish == "length",
        filtered=finish == "content_filter",
        ended=_ended(choice, text, pieces),
        pieces=pieces,
        prompt_tokens=_count(usage, "prompt_tokens"),
        completion_tokens=_count(usage, "completion_tokens"),
        hidden_tokens=hidden or 0,
    )


def _ended(
    choice: Mapping[str, Any], text: str, pieces: Sequence[tuple[str, float]] | None
) -> bool | None:
    """vLLM names the stop in `stop_reason`, SGLang in `matched_stop`: a text, or the number of a
    token that ends texts. (Null is no word: others send it always.) With log-probabilities the
    token behind the text tells as well."""
    for key in ("stop_reason", "matched_stop"):
        said = choice.get(key)
        if isinstance(said, str | int):
            return not isinstance(said, str)
    written = "".join(piece for piece, _ in pieces or ())
    if written.startswith(text) and len(written) > len(text):
        return "\n" not in written[len(text) :]
    return None


def _pieces(value: Any, interface: Interface) -> tuple[tuple[str, float], ...] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise Junk(f"logprobs {value!r:.60}")
    if interface == "chat":
        rows = value.get("content")
        if rows is None:
            return None
        pairs = [(row.get("token"), row.get("logprob")) for row in _dicts(rows)]
    else:
        tokens, numbers = value.get("tokens"), value.get("token_logprobs")
        if tokens is None or numbers is None:
            return None
        if not isinstance(tokens, list) or not isinstance(numbers, list):
            raise Junk(f"logprobs {value!r:.60}")
        if len(tokens) != len(numbers):
            raise Junk(f"{len(tokens)} tokens with {len(numbers)} logprobs")
        pairs = list(zip(tokens, numbers))
    return tuple(_piece(token, number) for token, number in pairs)


def _piece(token: Any, number: Any) -> tuple[str, float]:
    real = isinstance(number, int | float) and not isinstance(number, bool)
    if not isinstance(token, str) or not real or not -_MOST < number < _MOST:
        raise Junk(f"a token {token!r:.40} with logprob {number!r:.40}")
    return token, min(0.0, float(number))


def _dicts(rows: Any) -> list[dict[str, Any]]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Junk(f"logprobs {rows!r:.60}")
    return rows


def _count(usage: Mapping[str, Any], key: str) -> int | None:
    number = usage.get(key)
    if isinstance(number, int) and not isinstance(number, bool) and 0 <= number < _MOST:
        return number
    return None


def completion_of(answer: Answer, limit: int, interface: Interface) -> Completion:
    """The next line in an answer.

    Args:
        limit: most tokens that the line may take and be charged, 1 or more.
    """
    start, stop, line_ended = _find_line(answer.text, interface)
    ids = TOKENIZER.encode(_normal(answer.text[start:stop]))
    done = line_ended or not answer.cut
    if done:
        given_up = not line_ended and _gave_up(answer, bool(ids), interface)
        ids = [*ids, EOS if given_up else TOKENIZER.newline]
    written = len(TOKENIZER.encode(_normal(answer.text)))
    reported = answer.completion_tokens or 0
    hidden = max(answer.hidden_tokens, reported - written - 1)
    room = max(0, limit - max(0, hidden))
    stopped = done and len(ids) <= room
    tokens = tuple(ids[:room])
    logprobs = _aligned(answer, start, stop, len(ids))[: len(tokens)]
    return Completion(
        tokens=tokens,
        logprobs=tuple(logprobs),
        complements=tuple(_others(logprob) for logprob in logprobs),
        stopped=stopped,
        spent=min(limit, max(len(ids), written, reported)),
    )


def _gave_up(answer: Answer, wrote: bool, interface: Interface) -> bool:
    """Whether the end of a text is that of the solution: in a chat each message has an end."""
    if interface == "chat":
        return not wrote
    return answer.ended is True or (not wrote and answer.ended is None)


def is_blank(answer: Answer) -> bool:
    """Whether a chat's answer holds no line, though the model was not at its limit."""
    start, stop, _ = _find_line(answer.text, "chat")
    return start == stop and not answer.cut


def _find_line(text: str, interface: Interface) -> tuple[int, int, bool]:
    """Where the next line is in a text, and whether a newline ended it.

    In a chat's text it is the first that is not empty and no Markdown fence, without the spaces
    and backticks around it.
    """
    start = 0
    while True:
        end = text.find("\n", start)
        last = end < 0
        end = len(text) if last else end
        if interface == "completions":
            return start, end, not last
        line = text[start:end].strip()
        if line and not line.startswith("```"):
            bare = line[1:-1].strip() if line[0] == line[-1] == "`" and len(line) > 2 else line
            first = text.index(bare, start)
            return first, first + len(bare), not last
        if last:
            return end, end, False
        start = end + 1


def _normal(text: str) -> str:
    return lines.normalise(text).replace(lines.OUTSIDE, "?")


def _aligned(answer: Answer, start: int, stop: int, size: int) -> list[float]:
    """A log-probability for each of a line's tokens, its end included: that of each of the
    server's tokens on the first of ours that it covers, 0 on the others.

    Args:
        start, stop: the line's place in the text.
        size: tokens of ours, the line's end included where it has one.
    """
    if not size:
        return []
    numbers = [0.0] * size
    if answer.pieces is None:
        numbers[0] = -math.log(UNKNOWN_LINES)
        return numbers
    line = answer.text[start:stop]
    ids = TOKENIZER.encode(_normal(line))
    begins = [0, *accumulate(len(TOKENIZER.text_of(token)) for token in ids)]
    if not "".join(piece for piece, _ in answer.pieces).startswith(answer.text[:stop]):
        # Pieces of characters, which are shown otherwise: only their sum can be told.
        numbers[0] = math.fsum(number for _, number in answer.pieces)
        return numbers
    place = 0
    for piece, number in answer.pieces:
        before, place = place, place + len(piece)
        if before >= stop:
            # The line's end. What comes after it is another's.
            if size > len(ids):
                numbers[len(ids)] += number
            break
        if place > start or before >= start:
            offset = len(_normal(line[: max(0, before - start)]))
            numbers[min(bisect_right(begins, offset) - 1, len(ids) - 1)] += number
    return numbers


def _others(logprob: float) -> float:
    """Log-probability of all that is not so likely."""
    return math.log(-math.expm1(logprob)) if logprob < 0 else -math.inf
