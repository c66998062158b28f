"""Labels of the states that trajectories pass: what a process reward model and a value head learn.

| labels | process reward: is the goal still in reach, was the last line right | value |
|---|---|---|
| `exact` | 1 where the potential is above 0, else 0 | the potential |
| `monte_carlo` | share of the policy's samples from there that reach the goal | their mean worth |

An episode that is over is labelled by its outcome under both: 1 solved, else 0, also where its
budget ran out with the goal still in reach. So is what a search writes after a wrong claim that a
private verifier did not tell it of.

The exact labels read the verifier and the potential. Under `on_invalid="feedback"`, where a wrong
claim leaves the state as it was, its process label is 0 and its value the potential. (Budgets are
not looked at: a goal three lines away counts as in reach when two lines are left.)

The Monte Carlo labels read outcomes only, as in Wang et al., "Math-Shepherd: verify and reinforce
LLMs step-by-step without human annotations", 2024, section 3.3: the *soft* label is the share of
samples that reach the goal, the *hard* one whether any does. They are about the policy that
sampled: a goal in reach that it never finds is labelled 0.

A way to the goal of d lines is worth 0.9**d in both kinds of values, which therefore are in the
same units: the optimal policy's value (exact) and the sampling policy's (Monte Carlo).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from agents.learning.rollout import Start, play_out
from agents.learning.trajectory import Trajectory
from agents.models.base import LanguageModel
from reason_env.env import ReasonEnv
from reason_env.task import potential_at

LABELS = ("exact", "monte_carlo")


def exact(trajectory: Trajectory) -> Trajectory:
    """The trajectory with `potentials` and `process` as in the module's text."""
    values, process = [], []
    for visit in trajectory.visits:
        known = visit.solved
        value = trajectory.potentials[visit.place] if known is None else float(known)
        values.append(value)
        process.append(float(visit.right and value > 0))
    return _labelled(trajectory, values, process)


def monte_carlo(
    policy: LanguageModel,
    envs: Sequence[ReasonEnv],
    trajectories: Sequence[Trajectory],
    seed: int,
    rollouts: int = 8,
    temperature: float = 1.0,
    hard: bool = False,
    line_tokens: int = 32,
) -> list[Trajectory]:
    """The trajectories with `potentials` and `process` estimated; all samples in lock-step.

    A state that several trajectories pass is sampled from once.

    Args:
        envs: of each trajectory; they stay as they are.
        seed: of the samples.
        rollouts: samples from each state.
        hard: whether the process label is 1 where any sample reaches the goal, else 0.
    """
    numbers: dict[tuple[object, ...], int] = {}
    starts: list[Start] = []
    for env, trajectory in zip(envs, trajectories, strict=True):
        for visit in trajectory.visits:
            key = _key(env, trajectory, visit.place)
            if visit.solved is None and key not in numbers:
                numbers[key] = len(starts)
                starts.append(Start(env, trajectory.tokens[1 : visit.place + 1], visit.episode))
    samples = [start for start in starts for _ in range(rollouts)]
    lines = play_out(policy, samples, seed, temperature, line_tokens)
    labelled = []
    for env, trajectory in zip(envs, trajectories):
        values, process = [], []
        for visit in trajectory.visits:
            if visit.solved is not None:
                values.append(float(visit.solved))
                process.append(float(visit.solved))
                continue
            number = numbers[_key(env, trajectory, visit.place)]
            mine = lines[number * rollouts : (number + 1) * rollouts]
            share = sum(needed is not None for needed in mine) / rollouts
            values.append(sum(map(potential_at, mine)) / rollouts)
            process.append(float(share > 0) if hard else share)
        labelled.append(_labelled(trajectory, values, process))
    return labelled


def _key(env: ReasonEnv, trajectory: Trajectory, place: int) -> tuple[object, ...]:
    """Equal for one state of one problem. (Two problems may read alike and have other answers.)"""
    settings = (env.feedback, env.on_invalid, env.max_steps, env.max_tokens)
    return settings, trajectory.visits[0].episode.problem, trajectory.tokens[: place + 1]


def _labelled(
    trajectory: Trajectory, values: Sequence[float], process: Sequence[float]
) -> Trajectory:
    """The numbers at the last tokens of the states, NaN in between."""
    places = {visit.place: i for i, visit in enumerate(trajectory.visits)}
    spread = [
        tuple(
            numbers[places[at]] if at in places else math.nan
            for at in range(len(trajectory.tokens))
        )
        for numbers in (values, process)
    ]
    return replace(trajectory, potentials=spread[0], process=spread[1])
