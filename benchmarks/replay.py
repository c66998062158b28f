"""Scores come from here only: recorded lines, played again through the environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.suite import make_env, problem_hash
from reason_env import ReasonEnv, RewardTerms


class ReplayError(ValueError):
    """The lines cannot have been played like that; the message says why."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an episode was worth.

    Attributes:
        problem: `problem_hash` of the problem that the seed drew.
        terms: unweighted reward terms, summed over the lines.
        reward: weighted rewards, summed over the lines.
        solved: whether the episode ended with the goal reached or the right answer given.
        ended: `terminated`, `truncated`, or `unfinished`: the lines stop before the episode does.
            An unfinished episode counts as not solved.
        tokens: tokens the agent wrote, as the environment counts them.
    """

    problem: str
    terms: RewardTerms
    reward: float
    solved: bool
    ended: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Step:
    """What came of one line.

    Attributes:
        terms: unweighted reward terms.
        reward: weighted.
        info: as `env.step` gives it: `kind`, `valid`, `reason`, `feedback`.
        ended: `terminated`, `truncated`, or `unfinished`.
    """

    terms: RewardTerms
    reward: float
    info: Mapping[str, Any]
    ended: str


def replay(env_id: str, kwargs: Mapping[str, Any], seed: int, actions: Sequence[str]) -> Outcome:
    """Play recorded lines from a seed (see `play`).

    Args:
        env_id, kwargs, seed: as in `benchmarks.suite.Item`. To judge someone else's records take
            them from the suite, never from the records.

    Raises:
        ReplayError: see `play`.
        ValueError: an unknown environment or keyword argument.
    """
    env = make_env(env_id, kwargs)
    env.reset(seed=seed)
    return play(env, actions)


def play(env: ReasonEnv, actions: Sequence[str]) -> Outcome:
    """Play lines through an environment that has just been reset.

    Raises:
        ReplayError: see `steps`.
    """
    problem = problem_hash(env.episode.problem)
    terms, reward = RewardTerms(), 0.0
    ended = "unfinished"
    for step in steps(env, actions):
        terms += step.terms
        reward += step.reward
        ended = step.ended
    return Outcome(problem, terms, reward, terms.outcome == 1.0, ended, env.episode.tokens)


def steps(env: ReasonEnv, actions: Sequence[str]) -> Iterator[Step]:
    """Play lines one by one; the environment stands after a line when its step is given.

    Raises:
        ReplayError: a line that is not a string or has a newline, or lines after the end.
    """
    ended = "unfinished"
    for number, action in enumerate(actions):
        if ended != "unfinished":
            raise ReplayError(
                f"{len(actions) - number} of {len(actions)} lines come after the episode "
                f"{ended} at line {number}"
            )
        if not isinstance(action, str) or "\n" in action:
            raise ReplayError(f"Line {number + 1} is not one line of text: {str(action)[:80]!r}")
        _, paid, terminated, truncated, info = env.step(action)
        if terminated or truncated:
            ended = "terminated" if terminated else "truncated"
        yield Step(RewardTerms(**info["terms"]), float(paid), info, ended)
