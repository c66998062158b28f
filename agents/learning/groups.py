"""Groups of episodes to learn from: several samples of each fresh problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agents.learning.rollout import rollout
from agents.learning.specs import EnvSpec
from agents.learning.trajectory import Trajectory
from agents.models.base import LanguageModel
from reason_env.env import ReasonEnv
from reason_env.rewards import RewardTerms
from reason_env.splits import stream_seed

_EQUAL = 1e-6
"""Totals that differ by less are equal but for rounding."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How episodes are sampled.

    Attributes:
        envs: problems come from these in turn.
        reward: preset.
        problems: groups that are wanted.
        samples: episodes of each problem.
        temperature: of the policy.
        filter_rounds: how often groups without signal, whose episodes all earned the same, are
            dropped and others sampled in their place (dynamic sampling: Yu et al., "DAPO", 2025,
            section 3.2); 0: all are kept.
        overlong_buffer: how many tokens before the episode's budget of tokens a penalty sets in,
            0: none; and `overlong_penalty`, what it has grown to where the budget is spent (DAPO,
            eq. 13).
        truncation: `bootstrap`, a critic says what truncated episodes would still have earned; or
            `end`, nothing (see `ended`).
    """

    envs: tuple[EnvSpec, ...]
    reward: str
    problems: int
    samples: int
    temperature: float = 1.0
    filter_rounds: int = 0
    overlong_buffer: int = 0
    overlong_penalty: float = 1.0
    truncation: str = "bootstrap"


def sample_groups(
    model: LanguageModel, sampling: Sampling, seed: int
) -> tuple[list[Trajectory], list[Trajectory]]:
    """Sample episodes of fresh problems of the train split.

    Returns:
        The episodes to learn from, those of a problem side by side; and all that were sampled.
        Where too few groups have a signal after the last round, there are fewer to learn from.
    """
    kept: list[Trajectory] = []
    everything: list[Trajectory] = []
    first = 0
    for attempt in range(1 + sampling.filter_rounds):
        wanted = sampling.problems - len(kept) // sampling.samples
        if not wanted:
            break
        rows = stream_seed(seed, "round", attempt) if attempt else seed
        found = _sample(model, sampling, seed, rows, range(first, first + wanted))
        first += wanted
        everything += found
        for start in range(0, len(found), sampling.samples):
            group = found[start : start + sampling.samples]
            if not sampling.filter_rounds or has_signal(group):
                kept += group
    return kept, everything


def has_signal(group: Sequence[Trajectory]) -> bool:
    """Whether the episodes of a problem earned different totals."""
    totals = [sum(trajectory.rewards) for trajectory in group]
    return max(totals) - min(totals) > _EQUAL


def overlong_penalty(length: int, limit: int, buffer: int, most: float) -> float:
    """What an episode of so many tokens loses: nothing up to `limit - buffer`, from there on
    linearly more, `most` at the limit."""
    if not buffer:
        return 0.0
    return most * min(max(0, length - (limit - buffer)), buffer) / buffer


def _sample(
    model: LanguageModel, sampling: Sampling, seed: int, rows: int, problems: range
) -> list[Trajectory]:
    envs = []
    for problem in problems:
        spec = sampling.envs[problem % len(sampling.envs)]
        for _ in range(sampling.samples):
            env = spec.make(split="train", reward=sampling.reward)
            env.reset(seed=stream_seed(seed, problem))
            envs.append(env)
    found = rollout(model, envs, rows, sampling.temperature)
    if sampling.truncation == "end":
        found = [ended(episode, env) for episode, env in zip(found, envs, strict=True)]
    return [
        _paid(
            trajectory,
            -overlong_penalty(
                sum(trajectory.actions),
                env.max_tokens,
                sampling.overlong_buffer,
                sampling.overlong_penalty,
            ),
        )
        for env, trajectory in zip(envs, found, strict=True)
    ]


def ended(trajectory: Trajectory, env: ReasonEnv) -> Trajectory:
    """The trajectory with a spent budget as an end like any other, after which nothing is earned;
    one that was not truncated stays as it is.

    That is right where the budget is part of the task, as it is of all that is scored here: an
    episode that could go on for ever would never have to dare an answer (Pardo et al., "Time limits
    in reinforcement learning", 2018, section 2). As at any end, the potential is 0: what shaping
    has paid for the last state is taken back.

    Args:
        env: that it was played in, as it was left.
    """
    if not trajectory.truncated:
        return trajectory
    taken = RewardTerms(shaping=-env.potential())
    terms = trajectory.terms + taken
    return replace(_paid(trajectory, env.reward.weigh(taken)), terminated=True, terms=terms)


def _paid(trajectory: Trajectory, amount: float) -> Trajectory:
    """The trajectory with so much more on the agent's last token."""
    if not amount:
        return trajectory
    rewards = list(trajectory.rewards)
    rewards[max(i for i, acted in enumerate(trajectory.actions) if acted)] += amount
    return replace(trajectory, rewards=tuple(rewards))
