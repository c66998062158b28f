"""Agents that act through plain `env.step`, and two that come with the package.

An agent is anything with `reset(seed)` and `act(observation)`: a script, a human at a prompt, a
stable-baselines3 policy. `reason-bench run SUITE --agent my_package.my_module:make` scores it,
where `make()` gives the agent.

An agent that also has `attach(env)` is handed the environment itself. It can then read more than
an agent is told, so its runs are in the oracle division.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np

from reason_env import ReasonEnv
from reason_env.errors import choose
from reason_env.tokens import GIVE_UP


class Agent(Protocol):
    """What the runner plays with. After `reset` nothing of earlier episodes may matter."""

    def reset(self, seed: int) -> None:
        """A new episode begins; all randomness in it follows from the seed."""

    def act(self, observation: Any) -> Any:
        """The next action, at the environment's granularity."""


@runtime_checkable
class EnvAgent(Protocol):
    """An agent that reads the environment."""

    def attach(self, env: ReasonEnv) -> None:
        """The environment that the next episodes are played in."""


class _Insider:
    """What the two agents below have in common: an environment to read and a random stream."""

    def __init__(self) -> None:
        self._env: ReasonEnv | None = None
        self._rng = np.random.default_rng(0)

    def attach(self, env: ReasonEnv) -> None:
        self._env = env

    def reset(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    @property
    def env(self) -> ReasonEnv:
        if self._env is None:
            raise RuntimeError(f"{type(self).__name__} reads the environment: call attach(env)")
        return self._env


class RandomLegalAgent(_Insider):
    """Draws among the legal lines: the floor that every other agent should be above."""

    def act(self, observation: Any) -> str:
        legal = self.env.legal_lines()
        return legal[int(self._rng.integers(len(legal)))] if legal else GIVE_UP


class ExpertAgent(_Insider):
    """Walks a shortest way to the goal: the ceiling."""

    def act(self, observation: Any) -> str:
        line = self.env.expert_line(self._rng)
        return GIVE_UP if line is None else line


AGENTS: dict[str, Callable[[], Agent]] = {"random": RandomLegalAgent, "expert": ExpertAgent}


def load_agent(name: str) -> Agent:
    """An agent by name, or from `package.module:make`.

    Raises:
        ValueError: no such name, module or function, or what it makes is not an agent.
    """
    if ":" not in name:
        return AGENTS[choose(name, AGENTS, "agent (or package.module:make)")]()
    module_name, _, attribute = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # A broken import inside the module is its author's to see.
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise ValueError(f"Agent {name!r}: there is no module {error.name!r}") from error
    make = getattr(module, choose(attribute, _callables(module), f"function of {module_name}"))
    agent = make()
    for method in ("reset", "act"):
        if not callable(getattr(agent, method, None)):
            raise ValueError(
                f"Agent {name!r}: {attribute}() gave {type(agent).__name__}, which has no "
                f"method {method}()"
            )
    return cast(Agent, agent)


def _callables(module: Any) -> list[str]:
    return [name for name, value in vars(module).items() if callable(value)]
