"""Searches of fresh problems, to learn from what they find."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from agents.learning.specs import EnvSpec
from agents.models.hf import HFModel
from agents.search import load_strategy, run_searches
from agents.search.scheduler import Found
from reason_env.env import ReasonEnv, Snapshot
from reason_env.splits import stream_seed

LINE_TOKENS = 32
"""A line that is not ended within so many tokens is given up."""


class SearchConfig(Protocol):
    """Fields that the configurations of trainers which search have in common.

    Attributes:
        envs: problems come from these in turn.
        problems: how many are searched.
        simulations, branch: of the tree search.
        budget_tokens: generated tokens per problem.
        guide: who values the trees' nodes.
    """

    @property
    def envs(self) -> Sequence[EnvSpec]: ...
    @property
    def problems(self) -> int: ...
    @property
    def simulations(self) -> int: ...
    @property
    def branch(self) -> int: ...
    @property
    def budget_tokens(self) -> int: ...
    @property
    def guide(self) -> str: ...


class Searched(NamedTuple):
    """A problem that was searched.

    Attributes:
        env: restore it to `root` to play what was found.
    """

    env: ReasonEnv
    root: Snapshot
    found: Found


def search_problems(model: HFModel, config: SearchConfig, seed: int) -> list[Searched]:
    """Search fresh problems of the train split by MCTS.

    Args:
        seed: of problems and searches.
    """
    envs = [config.envs[i % len(config.envs)].make(split="train") for i in range(config.problems)]
    for problem, env in enumerate(envs):
        env.reset(seed=stream_seed(seed, problem))
    roots = [env.snapshot() for env in envs]
    found = run_searches(
        model,
        envs,
        load_strategy("mcts", simulations=config.simulations, branch=config.branch),
        [stream_seed(seed, problem, 0) for problem in range(config.problems)],
        config.budget_tokens,
        guide=config.guide,
        line_tokens=LINE_TOKENS,
    )
    return [Searched(*row) for row in zip(envs, roots, found, strict=True)]
