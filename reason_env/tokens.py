"""The same decision process at other granularities: one token, or the whole text, per action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from reason_env import lines
from reason_env.env import Judged, ReasonEnv
from reason_env.problem import Kind, Verdict
from reason_env.rewards import RewardTerms
from reason_env.tokenizer import CHARSET, EOS, PAD, Tokenizer

GIVE_UP = "answer:"
"""The line that an agent which stops writing has in effect written: an empty answer."""


def lines_of(tokens: Sequence[int], tokenizer: Tokenizer) -> list[tuple[str, tuple[int, ...]]]:
    """What tokens up to a newline or `<eos>` come to at step granularity.

    Args:
        tokens: of one line, ended by the newline or by `<eos>`.

    Returns:
        The lines to step through, each with its token ids: one, and after `<eos>` also `GIVE_UP`
        (alone where nothing else was written).
    """
    ids = tuple(tokens)
    if ids[-1] != EOS:
        return [(tokenizer.decode(ids).removesuffix("\n"), ids)]
    line = tokenizer.decode(ids)
    return [*([(line, ids[:-1])] if line else []), (GIVE_UP, (EOS,))]


class TokenEnv(ReasonEnv):
    """Token granularity: a line's reward comes with the newline that ends it, 0 before.

    Actions are `Discrete(vocabulary)`. `<eos>` ends the line and then, if that did not end it,
    the episode, as an empty answer does. Other specials stand for no text and cost a token.

    Observations are `tokens`, int32 of shape (context,): prompt, own tokens and feedback from
    index 0 on, then `<pad>`; and `length`, how many of them count.
    """

    def _make_spaces(self) -> None:
        size = len(self.tokenizer)
        room = self.task.room
        prompt_room = room.verbose if self.prompt_style == "verbose" else room.compact
        feedback_room = room.feedback * self.max_steps if self._gives_feedback() else 0
        self.context = prompt_room + self.max_tokens + feedback_room
        self.action_space = spaces.Discrete(size)
        self.observation_space = spaces.Dict(
            tokens=spaces.Box(0, size - 1, (self.context,), np.int32),
            length=spaces.Discrete(self.context + 1),
        )

    def _gives_feedback(self) -> bool:
        return self.feedback != "none" or self.on_invalid == "feedback"

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        _, info = super().reset(seed=seed, options=options)
        prompt = self.tokenizer.encode(self.episode.text)
        self._episode = replace(self.episode, context=tuple(prompt))
        return self._observation(), info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Write one token.

        Raises:
            ValueError: the action is not a token id.
        """
        if not self.action_space.contains(action):
            raise ValueError(
                f"A token action is an id in 0..{len(self.tokenizer) - 1}, received {action!r}"
            )
        if self.episode.stopped:
            raise gymnasium.error.ResetNeeded("The episode is over: call reset()")
        token = int(action)
        self._episode = replace(
            self.episode,
            context=(*self.episode.context, token),
            tokens=self.episode.tokens + 1,
        )
        text = self.tokenizer.text_of(token)
        if token == EOS:
            written = [self.episode.line] if self.episode.line else []
            judged = self._write_all([*written, GIVE_UP])
        elif text == "\n":
            judged = self._write_all([self.episode.line])
        else:
            judged = self._continue(text)
        return self._result(judged)

    def action_masks(self) -> NDArray[np.bool_]:
        """Tokens that can continue a legal step, bool of shape (vocabulary,) (the sb3-contrib
        convention). Where the unfinished line starts no legal step: only the newline. All tokens
        where the task has no steps (`Task.has_steps`)."""
        if not self.task.has_steps:
            return np.ones(len(self.tokenizer), dtype=np.bool_)
        mask = np.zeros(len(self.tokenizer), dtype=np.bool_)
        written = self.tokenizer.encode(self.episode.line)
        for step in self.legal_lines():
            wanted = self.tokenizer.encode(step + "\n")
            if len(wanted) > len(written) and wanted[: len(written)] == written:
                mask[wanted[len(written)]] = True
        if not mask.any():
            mask[self.tokenizer.encode("\n")] = True
        return mask

    def _continue(self, text: str) -> Judged:
        """Add text to the unfinished line."""
        episode = self.episode
        spent = episode.tokens >= self.max_tokens
        reason = "cut by the token budget" if spent else "unfinished line"
        self._episode = replace(
            episode,
            line=episode.line + text,
            text=episode.text + (episode.line + text if spent else ""),
            steps=episode.steps + spent,
            stopped=spent,
        )
        verdict = Verdict(Kind.THOUGHT, True, episode.state, reason)
        return Judged(RewardTerms(), verdict, "", False, spent)

    def _write_all(self, written: list[str]) -> Judged:
        """Judge finished lines, whose tokens are counted already, until the episode is over."""
        judged = self._write_lines([(line, 0) for line in written])
        feedback = tuple(self.tokenizer.encode(judged.feedback))
        self._episode = replace(self.episode, context=self.episode.context + feedback)
        return judged

    def _observation(self) -> dict[str, Any]:
        # An overlong context keeps its end, which is what comes next to be continued.
        kept = self.episode.context[-self.context :]
        tokens = np.full(self.context, PAD, dtype=np.int32)
        tokens[: len(kept)] = kept
        return {"tokens": tokens, "length": len(kept)}


class EpisodeEnv(ReasonEnv):
    """Episode granularity: one action is the whole text, and every episode has one step.

    Lines are judged in turn until one ends the episode; what follows is ignored. A text that ends
    before the episode does counts as given up (an empty answer). `info["feedback"]` has what the
    environment would have said between the lines.
    """

    def _make_spaces(self) -> None:
        super()._make_spaces()
        self.action_space = self._text_action_space(CHARSET)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Write the whole text.

        Raises:
            TypeError: the action is not a string.
        """
        if not isinstance(action, str):
            raise TypeError(f"An episode action is a string, received {type(action).__name__}")
        text = lines.normalise(action)
        # No text is no line, not an empty one.
        written = text.removesuffix("\n").split("\n") if text else []
        counted = [(line, self._tokens(line)) for line in written]
        return self._result(self._write_lines([*counted, (GIVE_UP, 0)]))
