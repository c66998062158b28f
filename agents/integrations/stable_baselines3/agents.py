"""Trained models of stable-baselines3 as agents of ours (`agents.agent.Agent`)."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agents.integrations.stable_baselines3.environments import legal_tokens, takes_masks, token_row
from agents.integrations.stable_baselines3.policy import row_shape
from reason_env.env import ReasonEnv
from reason_env.errors import require
from reason_env.splits import stream_seed
from reason_env.tokenizer import EOS, TOKENIZER
from reason_env.tokens import GIVE_UP, TokenEnv, lines_of

MODEL_VARIABLE = "SB3_MODEL"
"""The environment variable with the path of the model that `agent` and `masked_agent` play."""


def load_policy(path: str | Path) -> Any:
    """A saved `PPO` or `MaskablePPO`, on the CPU.

    The file holds pickled Python, as stable-baselines3 saves it: load your own files only.

    Raises:
        FileNotFoundError: there is no such file.
    """
    saved = require("stable_baselines3.common.save_util", "sb3").load_from_zip_file
    data, _, _ = saved(path, device="cpu")
    maskable = require("sb3_contrib.common.maskable.policies", "sb3").MaskableActorCriticPolicy
    if issubclass(data["policy_class"], maskable):
        return require("sb3_contrib", "sb3").MaskablePPO.load(path, device="cpu")
    return require("stable_baselines3", "sb3").PPO.load(path, device="cpu")


class PolicyAgent:
    """Plays a trained model line by line (`agents.agent.Agent`), from the text alone.

    It goes on from the very tokens that it wrote, and plays as it would at token granularity, but
    that the environment counts a line's tokens as its tokenizer cuts the text.

    Args:
        model: a loaded model, or the path of a saved one.
        deterministic: take the likeliest token; else sample, with the seed of `reset`.
        line_tokens: a line that has not ended after so many is given up.

    Raises:
        ValueError: the model was not trained on environments of `make_env`.
    """

    def __init__(self, model: Any, deterministic: bool = True, line_tokens: int = 256) -> None:
        self._model = load_policy(model) if isinstance(model, str | Path) else model
        self._context, _ = row_shape(self._model.observation_space)
        self._deterministic = deterministic
        self._line_tokens = line_tokens
        self.reset(0)

    def reset(self, seed: int) -> None:
        self._seed = seed
        self._seen = ""
        self._tokens: list[int] = []
        self._lines: list[str] = []

    def act(self, observation: str) -> str:
        if not self._lines:
            self._write(observation)
        return self._lines.pop(0)

    def _write(self, observation: str) -> None:
        """Write a line, or a last one and what giving up comes to."""
        if not observation.startswith(self._seen):
            self._seen, self._tokens = "", []
        self._tokens += TOKENIZER.encode(observation[len(self._seen) :])
        written: list[int] = []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream_seed("sb3", self._seed, len(self._tokens)))
            while not written or written[-1] not in (TOKENIZER.newline, EOS):
                if len(written) >= self._line_tokens:
                    self._lines = [GIVE_UP]
                    return
                written.append(self._next([*self._tokens, *written], TOKENIZER.decode(written)))
        self._lines = [line for line, _ in lines_of(written, TOKENIZER)]
        self._tokens += written
        self._seen = observation + TOKENIZER.decode(written)

    def _next(self, tokens: list[int], line: str) -> int:
        """The token that the model writes next, into that unfinished line."""
        masks = self._masks(line)
        options = {} if masks is None else {"action_masks": masks}
        row = token_row(tokens, self._context)
        action, _ = self._model.predict(row, deterministic=self._deterministic, **options)
        return int(action)

    def _masks(self, line: str) -> NDArray[np.bool_] | None:
        return None


class MaskedPolicyAgent(PolicyAgent):
    """The same with masks, for `MaskablePPO`: they are read from the environment, so that its runs
    are in the oracle division."""

    def __init__(self, model: Any, deterministic: bool = True, line_tokens: int = 256) -> None:
        super().__init__(model, deterministic, line_tokens)
        if not takes_masks(self._model):
            raise ValueError(
                f"{type(self._model).__name__} takes no masks: train MaskablePPO, or play it as "
                "a PolicyAgent"
            )
        self._env: ReasonEnv | None = None

    def attach(self, env: ReasonEnv) -> None:
        self._env = env
        self._twin = TokenEnv(env.task, env.level, feedback=env.feedback, tokenizer=env.tokenizer)

    def _masks(self, line: str) -> NDArray[np.bool_]:
        if self._env is None:
            raise RuntimeError(f"{type(self).__name__} reads the environment: call attach(env)")
        here = self._env.snapshot()
        self._twin.restore(replace(here, episode=replace(here.episode, line=line)))
        return legal_tokens(self._twin)


def agent() -> PolicyAgent:
    """The model at `SB3_MODEL`, for `reason-bench run --agent`."""
    return PolicyAgent(_model_path())


def masked_agent() -> MaskedPolicyAgent:
    """The model at `SB3_MODEL`, with masks, for `reason-bench run --agent`."""
    return MaskedPolicyAgent(_model_path())


def _model_path() -> str:
    if not os.environ.get(MODEL_VARIABLE):
        raise ValueError(f"Set {MODEL_VARIABLE} to the path of the model (.zip) that is to play")
    return os.environ[MODEL_VARIABLE]
