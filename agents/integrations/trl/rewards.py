"""Reward functions: what the environment pays for a text."""

from __future__ import annotations

import copy
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from agents.integrations.trl.prompts import PROBLEM, begun
from reason_env import lines
from reason_env.rewards import RewardConfig, RewardTerms, reward_config
from reason_env.tokenizer import EOS, TOKENIZER

WRITTEN = "written_ids"
"""What `rollout_function` adds: the token ids that the agent wrote, without the feedback."""
TERMS = ("outcome", "validity", "shaping")


@dataclass(frozen=True)
class EnvReward:
    """A reward function for `reward_funcs=`; make it with `reward_function`.

    Attributes:
        name: what TRL logs it by.
        weights: of the reward terms.
        eos: token ids that end a completion; None: every completion counts as ended.
    """

    name: str
    weights: RewardConfig
    eos: frozenset[int] | None = None

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        completion_ids: Sequence[Sequence[int]] | None = None,
        **columns: Any,
    ) -> list[float]:
        """The environment's return of each completion.

        Args:
            prompts: texts, or lists of messages.
            completions: likewise; whatever they hold is judged.
            completion_ids: their token ids, by which `eos` tells whether one was cut.
            columns: those of the data set; `problem` is needed.

        Raises:
            ValueError: a problem is not ours, or not that of its prompt.
        """
        if PROBLEM not in columns:
            raise ValueError(
                f"The data set has no column {PROBLEM!r}, only {sorted(columns)}: make it with "
                "prompt_dataset, and leave remove_unused_columns=False"
            )
        texts = [_text_of(completion, ("assistant",)) for completion in completions]
        ended = [True] * len(texts)
        if WRITTEN in columns:
            texts = [TOKENIZER.decode(ids) for ids in columns[WRITTEN]]
            ended = [ids[-1] in (EOS, TOKENIZER.newline) for ids in columns[WRITTEN]]
        elif self.eos is not None and completion_ids is not None:
            ended = [len(ids) > 0 and ids[-1] in self.eos for ids in completion_ids]
        gamma = self.weights.gamma
        for problem, prompt in zip(columns[PROBLEM], prompts, strict=True):
            expected = begun(problem, "Episode", gamma).episode.text
            shown = _text_of(prompt)
            if expected.strip() not in shown:
                raise ValueError(
                    f"The problem is {expected!r:.200}, received the prompt {shown!r:.200}: make "
                    "the data set anew, with this version of reason-env"
                )
        return [
            self.weights.weigh(_terms(*row, gamma))
            for row in zip(columns[PROBLEM], texts, ended, strict=True)
        ]


def reward_function(
    reward: str | RewardConfig | dict[str, float] = "process",
    eos: int | Collection[int] | None = None,
    name: str | None = None,
) -> EnvReward:
    """What the environment pays for a text.

    A completion that `max_completion_length` cut has an unfinished line. With `eos` it is known
    by its last token, and that line is not verified: `answer: 1`, cut from `answer: 12`, earns
    nothing. Where the environment's own token budget is not spent, the model has given up, as in
    our own rollouts. Without `eos`, the last line counts as ended.

    Args:
        reward: preset (`outcome`, `process`, `shaped`), `RewardConfig`, or its fields as a dict.
        eos: id or ids of the tokens that end a completion: `tokenizer.eos_token_id`, or
            `trainer.eos_token_ids` where the model has several.
        name: in TRL's log; by default `process_reward` and so on, `env_reward` for own weights.

    Raises:
        ValueError: an unknown preset or term, naming the nearest.
    """
    weights = reward_config(reward)
    if name is None:
        name = f"{reward}_reward" if isinstance(reward, str) else "env_reward"
    ids = [eos] if isinstance(eos, int) else eos
    return EnvReward(name, weights, None if ids is None else frozenset(ids))


def term_functions(
    reward: str | RewardConfig | dict[str, float] = "process",
    eos: int | Collection[int] | None = None,
) -> tuple[list[EnvReward], list[float]]:
    """`reward_function` in its parts, each of which TRL then logs.

    Returns:
        The functions `outcome`, `validity` and `shaping`, unweighted, for `reward_funcs=`, and
        their weights for `GRPOConfig(reward_weights=...)`.

    Raises:
        ValueError: an unknown preset or term, naming the nearest.
    """
    weights = reward_config(reward)
    none = dict.fromkeys(TERMS, 0.0)
    functions = [
        reward_function(RewardConfig(**{**none, term: 1.0}, gamma=weights.gamma), eos, term)
        for term in TERMS
    ]
    return functions, [getattr(weights, term) for term in TERMS]


@lru_cache(maxsize=4096)  # `term_functions` ask thrice for every text
def _terms(problem: str, text: str, ended: bool, gamma: float) -> RewardTerms:
    """The episode's reward terms, unweighted."""
    env = copy.copy(begun(problem, "Episode", gamma))
    if not ended:
        plain = lines.normalise(text).replace(lines.OUTSIDE, "?")
        # A line that spends the budget is cut there, unverified, by the environment itself.
        if len(env.tokenizer.encode(plain)) < env.max_tokens:
            text = text[: text.rfind("\n") + 1]
    _, _, _, _, info = env.step(text)
    return RewardTerms(**info["terms"])


def _text_of(written: Any, roles: Collection[str] = ()) -> str:
    """The text of a prompt or a completion: of a conversation, its messages' contents.

    Args:
        written: text, or list of messages.
        roles: whose messages count; all, if empty.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(written, str):
        return written
    if not isinstance(written, list):
        raise TypeError(f"Expected a text or a list of messages, received {written!r:.200}")
    texts = []
    for message in written:
        content = message.get("content") or ""
        if not isinstance(content, str):  # parts, such as {"type": "text", "text": ...}
            parts = [part.get("text") for part in content if isinstance(part, dict)]
            content = "".join(part for part in parts if isinstance(part, str))
        if not roles or message.get("role", "assistant") in roles:
            texts.append(content)
    return "\n".join(texts)
