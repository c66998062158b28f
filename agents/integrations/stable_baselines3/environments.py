"""Environments of token ids in one row, as stable-baselines3 takes them, and scores on them."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray

from agents.learning.config import check_config
from agents.learning.specs import EnvSpec
from reason_env.splits import stream_seed
from reason_env.tokenizer import EOS
from reason_env.tokens import TokenEnv

NOTHING = -1
"""Fills a row behind its tokens. (`<pad>`, 0, is a token that an agent may write.)"""


def token_row(tokens: Sequence[int] | NDArray[np.integer], context: int) -> NDArray[np.int32]:
    """Token ids and then `NOTHING`, int32 (context,); of too many tokens the last ones."""
    kept = tokens[-context:]
    row = np.full(context, NOTHING, dtype=np.int32)
    row[: len(kept)] = kept
    return row


class TokenRow(gymnasium.Wrapper):
    """A token environment whose observation is one row: `Box(-1, vocabulary - 1, (context,))`.

    At the end of an episode `info["is_success"]` says whether it was solved: stable-baselines3
    logs it as `rollout/success_rate`.

    Args:
        env: of a `-Token-` id.

    Raises:
        TypeError: an environment of another granularity.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        if not isinstance(env.unwrapped, TokenEnv):
            raise TypeError(
                f"Expected a token environment (reason_env/NAME-Token-v0), received "
                f"{type(env.unwrapped).__name__}; make_env(...) makes one"
            )
        self._tokens: TokenEnv = env.unwrapped
        most = len(self._tokens.tokenizer) - 1
        self.observation_space = spaces.Box(NOTHING, most, (self._tokens.context,), np.int32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(seed=seed, options=options)
        return self._row(observation), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        if terminated or truncated:
            info["is_success"] = info["terms"]["outcome"] > 0
        return self._row(observation), reward, terminated, truncated, info

    def action_masks(self) -> NDArray[np.bool_]:
        """Tokens that can continue a legal step, bool (vocabulary,) (see `legal_tokens`)."""
        return legal_tokens(self._tokens)

    def _row(self, observation: dict[str, Any]) -> NDArray[np.int32]:
        row = observation["tokens"].copy()
        row[observation["length"] :] = NOTHING
        return row


def legal_tokens(env: TokenEnv) -> NDArray[np.bool_]:
    """`env.action_masks()`; and `<eos>` alone, which gives up, where no legal step is left.

    The mask of the environment has the newline there. An agent that is held to it would write
    empty lines until its budget is spent, and stable-baselines3 would pay it what its critic thinks
    of the state after them.
    """
    mask = env.action_masks()
    if not env.episode.line and mask[env.tokenizer.newline] and mask.sum() == 1:
        mask[env.tokenizer.newline] = False
        mask[EOS] = True
    return mask


@dataclass(frozen=True, slots=True)
class _Training:
    """What `check_config` asks of environments to train on."""

    envs: tuple[EnvSpec, ...]


def make_env(spec: EnvSpec | str, **overrides: Any) -> TokenRow:
    """An environment to train on with stable-baselines3.

    Args:
        spec: such as `Countdown-v0:level=1,feedback=state`; the id with or without `-Token`.
        overrides: keyword arguments that win over the spec's own.

    Raises:
        ValueError: another split than train, or no such id, argument or value.
    """
    spec = _merged(spec, overrides)
    check_config(_Training((spec,)))
    return TokenRow(spec.make_at("Token"))


def make_eval_env(spec: EnvSpec | str, split: str = "dev", **overrides: Any) -> TokenRow:
    """An environment for `EvalCallback` and its like: as `make_env`, of any split."""
    return TokenRow(_merged(spec, {**overrides, "split": split}).make_at("Token"))


def _merged(spec: EnvSpec | str, overrides: dict[str, Any]) -> EnvSpec:
    """The spec of step granularity, which says what is wrong with an id or an argument."""
    spec = EnvSpec.parse(spec) if isinstance(spec, str) else spec
    kwargs = {**dict(spec.kwargs), **overrides}
    return EnvSpec(spec.id.replace("-Token-", "-"), tuple(kwargs.items()))


def success_rate(
    model: Any,
    spec: EnvSpec | str,
    split: str = "dev",
    episodes: int = 300,
    seed: int = 0,
    deterministic: bool = True,
) -> float:
    """Share of episodes that a trained model solves, in 0..1; with masks if it takes them.

    Args:
        model: of stable-baselines3 or sb3-contrib.
        spec: as for `make_env`.
        episodes: played side by side, each on a problem drawn with a seed of its own.
        seed: of problems and, unless `deterministic`, of the sampled tokens.
    """
    envs = [make_eval_env(spec, split) for _ in range(episodes)]
    rows = [env.reset(seed=stream_seed("sb3", seed, i))[0] for i, env in enumerate(envs)]
    masked = takes_masks(model)
    playing, solved = list(range(episodes)), 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        while playing:
            masks = [envs[i].action_masks() for i in playing] if masked else None
            options = {} if masks is None else {"action_masks": np.stack(masks)}
            now = np.stack([rows[i] for i in playing])
            actions, _ = model.predict(now, deterministic=deterministic, **options)
            going = []
            for i, action in zip(playing, actions):
                rows[i], _, terminated, truncated, info = envs[i].step(action)
                if terminated or truncated:
                    solved += info["is_success"]
                else:
                    going.append(i)
            playing = going
    return solved / episodes


def takes_masks(model: Any) -> bool:
    """Whether a model is one of sb3-contrib's that are played with masks."""
    return "action_masks" in inspect.signature(model.predict).parameters
