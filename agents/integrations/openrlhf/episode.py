"""One episode played line by line, with what OpenRLHF wants to know of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from agents.integrations.openrlhf.label import Label
from reason_env.rewards import RewardTerms
from reason_env.tokens import GIVE_UP


class End(Enum):
    """What ended a line."""

    NEWLINE = "newline"
    EOS = "eos"
    """The model stopped writing: it gives up, unless the line itself ends the episode."""
    LIMIT = "limit"
    """It had as many tokens as `LineEpisode.limit` allows."""
    CONTEXT = "context"
    """The trainer's `max_len` left no room for more."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line as the model wrote it.

    Attributes:
        text: without the newline or special tokens.
        tokens: how many tokens it took, the one that ended it included.
    """

    text: str
    tokens: int
    end: End = End.NEWLINE


class LineEpisode:
    """An episode from its beginning; rewards, tokens and endings are those of `rollout`.

    Attributes:
        env: at the point reached.
        terms: the reward terms so far, unweighted.
        terminated: whether it ended by its own rules (not by a budget).
        solved: whether the goal was reached.
        steps: lines written.
    """

    def __init__(self, label: Label) -> None:
        self.env = label.start()
        self.prompt: str = self.env.episode.text
        self.terms = RewardTerms()
        self.terminated = False
        self._cut = False
        self._line_tokens = label.line_tokens

    @property
    def over(self) -> bool:
        return self._cut or self.env.episode.stopped

    @property
    def solved(self) -> bool:
        return self.terms.outcome > 0

    @property
    def limit(self) -> int:
        """Tokens that the next line may have."""
        room = self.env.max_tokens - self.env.episode.tokens
        return room if self._line_tokens is None else min(self._line_tokens, room)

    def write(self, line: Line) -> tuple[float, str]:
        """Play one line.

        Returns:
            Its reward, and what the environment wrote in reply.
        """
        if line.end in (End.LIMIT, End.CONTEXT):
            return self._break_off(line), ""
        reward, feedback = 0.0, ""
        if line.text or line.end is End.NEWLINE:
            reward, feedback = self._step(line.text)
        if line.end is End.EOS and not self.over:
            given_up, _ = self._step(GIVE_UP)
            reward += given_up
        return reward, feedback

    def _break_off(self, line: Line) -> float:
        """A line that was never ended: it truncates the episode where a budget ended it. Else the
        model has written on past what a line may have, and has given up."""
        spent = self.env.episode.tokens + line.tokens >= self.env.max_tokens
        reward = 0.0
        if line.end is End.LIMIT and not spent:
            reward, _ = self._step(GIVE_UP)
        self._cut = True
        return reward

    def _step(self, text: str) -> tuple[float, str]:
        _, reward, self.terminated, _, info = self.env.step(text)
        self.terms += RewardTerms(**info["terms"])
        return float(reward), info["feedback"]

    def logs(self) -> dict[str, float]:
        """Numbers for the trainer's log; the keys are the same in every episode."""
        terms = {f"env_{name}": value for name, value in self.terms.to_json().items()}
        return {
            **terms,
            "env_lines": float(self.env.episode.steps),
            "env_terminated": float(self.terminated),
        }
