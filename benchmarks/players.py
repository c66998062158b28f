"""Who plays the episodes: a language model with a search strategy, or an agent."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.agent import Agent, EnvAgent, load_agent
from agents.models.server_address import shown_address
from benchmarks.records import LEDGER
from benchmarks.suite import Item, Suite
from reason_env import ReasonEnv, lines

if TYPE_CHECKING:
    from agents.models import LanguageModel
    from agents.models.server_config import ServerConfig
    from agents.search.tree import Tree


@dataclass(frozen=True, slots=True)
class Played:
    """What one episode's player did; fields as in `benchmarks.records.EpisodeRecord`.

    Attributes:
        tree: the search tree, where the strategy grew one.
    """

    actions: tuple[str, ...]
    tokens: tuple[tuple[int, ...], ...]
    ledger: Mapping[str, int]
    oracle: bool
    error: str | None = None
    tree: Tree | None = None


Player = Callable[[Sequence[Item], Sequence[int]], list[Played]]
"""Plays items, each with a seed of its own. How they are grouped must not matter."""


@dataclass(frozen=True, slots=True)
class PlayerSpec:
    """Everything it takes to make a player, here or on another machine.

    Attributes:
        model: directory or hub id, or a model loaded already (not for another machine); either
            this or `agent`.
        strategy, options: how the model searches.
        budget_tokens: generated tokens per problem; None: no limit.
        guide: who values what the search finds; None: the best open one.
        reward_model: serves the guides `value` and `prm`; None: the model itself.
        agent: `random`, `expert` or `package.module:make`.
        prompt: how problems are put, `compact` or `verbose`; None: as the suite has it.
        server: how the model's server is asked, if it is behind one.
        line_tokens: most tokens of a line, which is cut there; None: the search's default.
    """

    model: str | Path | LanguageModel | None = None
    strategy: str = "greedy"
    options: Mapping[str, Any] = field(default_factory=dict)
    budget_tokens: int | None = None
    guide: str | None = None
    reward_model: str | Path | LanguageModel | None = None
    agent: str | None = None
    prompt: str | None = None
    server: ServerConfig | None = None
    line_tokens: int | None = None

    def within(self, suite: Suite) -> PlayerSpec:
        """With the suite's limits, if it is a model's and has none of its own."""
        if self.agent is not None:
            return self
        budget = suite.budget_tokens if self.budget_tokens is None else self.budget_tokens
        line = suite.line_tokens if self.line_tokens is None else self.line_tokens
        return replace(self, budget_tokens=budget, line_tokens=line)

    def build(self) -> Searcher | AgentPlayer:
        """Load what plays."""
        if self.agent is not None:
            return AgentPlayer(load_agent(self.agent), self.prompt)
        assert self.model is not None
        critic = None if self.reward_model is None else load_writer(self.reward_model)
        return Searcher(
            load_writer(self.model, self.server),
            self.strategy,
            self.options,
            self.budget_tokens,
            self.guide,
            critic,
            self.prompt,
            self.line_tokens,
        )


@dataclass(frozen=True, slots=True)
class Searcher:
    """A language model that searches, many problems at once (see `agents.search.run_searches`)."""

    model: LanguageModel
    strategy: str
    options: Mapping[str, Any]
    budget_tokens: int | None
    guide: str | None = None
    reward_model: LanguageModel | None = None
    prompt: str | None = None
    line_tokens: int | None = None

    def check(self, items: Sequence[Item]) -> None:
        """Refuse settings with which the items cannot be searched, before any work.

        Raises:
            ValueError: a strategy, option or guide that cannot serve, or a budget of tokens within
                which none of the items could be answered.
        """
        from agents.search import check_budget, check_searches, load_strategy

        kinds = {(item.env, json.dumps(item.kwargs)): item for item in items}
        search = load_strategy(self.strategy, **self.options)
        envs = [item.start(prompt=self.prompt) for item in kinds.values()]
        check_searches(self.model, envs, search, self.budget_tokens, self.guide, self.reward_model)
        if self.budget_tokens is not None:
            check_budget((item.start() for item in items), self.budget_tokens)

    def __call__(self, items: Sequence[Item], seeds: Sequence[int]) -> list[Played]:
        from agents.search import LINE_TOKENS, load_strategy, run_searches

        found = run_searches(
            self.model,
            [item.start(prompt=self.prompt) for item in items],
            load_strategy(self.strategy, **self.options),
            seeds,
            self.budget_tokens,
            self.guide,
            line_tokens=self.line_tokens or LINE_TOKENS,
            reward_model=self.reward_model,
            refuse_short=False,  # `check` has asked that of the whole suite
        )
        return [
            Played(f.actions, f.tokens, f.ledger.to_json(), f.oracle, f.error, f.tree)
            for f in found
        ]


def load_writer(
    model: str | Path | LanguageModel, server: ServerConfig | None = None
) -> LanguageModel:
    """The model of a folder, hub id or server; one that is loaded already stays as it is.

    Args:
        server: how a server is asked.

    Raises:
        ValueError: `server` is given, and the model is not behind one.
    """
    if not isinstance(model, str | Path):
        if server is not None:
            raise ValueError("Settings of a server are given to the model that is loaded already")
        return model
    from agents.models import load_model

    return load_model(str(model), server)


def source_of(model: object) -> str | None:
    """Where a model is loaded from, as it may be recorded; None: given as an object, or not at
    all."""
    return shown_address(str(model)) if isinstance(model, str | Path) else None


def defaults_of(strategy: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The strategy's options that were not given: a changed default is another run."""
    from agents.search import load_strategy

    parameters = inspect.signature(load_strategy(strategy, **options)).parameters
    return {
        name: parameter.default
        for name, parameter in parameters.items()
        if name not in options and isinstance(parameter.default, str | int | float | None)
    }


@dataclass(frozen=True, slots=True)
class AgentPlayer:
    """An agent through plain `env.step`."""

    agent: Agent
    prompt: str | None = None

    def __call__(self, items: Sequence[Item], seeds: Sequence[int]) -> list[Played]:
        return [
            _play_agent(self.agent, item.start(prompt=self.prompt), seed)
            for item, seed in zip(items, seeds)
        ]


def _play_agent(agent: Agent, env: ReasonEnv, seed: int) -> Played:
    observation = env.episode.text
    actions: list[str] = []
    error = None
    try:
        if isinstance(agent, EnvAgent):
            agent.attach(env)
        agent.reset(seed)
        done = False
        while not done:
            action = agent.act(observation)
            observation, _, terminated, truncated, _ = env.step(action)
            actions.append(action)
            done = terminated or truncated
    except Exception as problem:  # whatever a user's agent does costs its own episode only
        error = describe(problem)
    tokens = tuple(_tokens(env, action) for action in actions)
    ledger = dict.fromkeys(LEDGER, 0)
    ledger["generated_tokens"] = sum(map(len, tokens))
    ledger["env_steps"] = len(actions)
    return Played(tuple(actions), tokens, ledger, isinstance(agent, EnvAgent), error)


def describe(error: Exception) -> str:
    """An exception as a record can hold it: the same for equal runs, so without addresses."""
    return re.sub(r"0x[0-9a-f]+", "0x...", f"{type(error).__name__}: {error}")[:500]


def _tokens(env: ReasonEnv, action: str) -> tuple[int, ...]:
    shown = lines.normalise(action).replace(lines.OUTSIDE, "?")
    return tuple(env.tokenizer.encode(shown + "\n"))
