r"""Search regret: what episodes lost against the exact optimal value, line by line.

The value. Reward 1 at the goal, discount g = 0.9 a line (`reason_env.task.DISCOUNT`): the best that
can be had from a state whose goal is d legal steps away is g**d, which is the task's potential, 1
at the goal and 0 where it is out of reach. `undo` is a line too, so after claims that led through
the states h_1, ..., h_n to s the best is

    V(s) = max(potential(s), max over k of g**k * potential(h_(n + 1 - k))),

to take back k claims and go on from there (a claim and its undo are two lines for nothing, so no
other mixture is better). What is left of the episode's budget is not in it.

The regret of line t, from s_t to s_(t+1), counted from t = 0, is what it takes from that value:

    r_t = g**t * (V(s_t) - g * V(s_(t+1))).

It is 0 for a line on a shortest way and never below 0 for a legal step, a thought or an undo, since
V(s) >= g * V(s') for all of them. It telescopes: in r_0 + ... + r_(T-1) each -g**(t+1) * V(s_(t+1))
meets the +g**(t+1) * V(s_(t+1)) of the next line, and V(s_0) - g**T * V(s_T) is left. An episode
that a line ended is worth V(s_T) = 1 if it is solved and 0 if not; in one that stopped otherwise
(budget spent, given up) nothing more is paid, and what there still was to gain, g**T * V(s_T), is
the regret of not finishing. So for every episode, whatever was written,

    total = V(s_0) - g**T * solved,

and total / V(s_0), the *normalised* regret, is 0 for a shortest solution, 1 without a solution.

What lost it. After the last line that left the goal in reach, V is set to 0: the line after it is
*fatal*. It is charged all that there was, and the lines that follow nothing, although `undo`, which
was not used, could have saved most. The sum stays the same. A fatal line is a `dead end` (a valid
claim), or a `wrong line` (a wrong claim or answer that ended the episode). Other lines that lose
are `detour`s: longer than need be, thoughts, dead ends that were taken back.

A claim that does several legal steps at once, and a right answer with no derivation before it, win
where a family takes them (equations, value tasks): r_t is below 0, a `shortcut`, and is shown as
such. Only the answer of a task without `has_steps` is verified: nothing there can lose.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.metrics import Estimate, bootstrap, wilson
from benchmarks.records import EpisodeRecord
from benchmarks.replay import ReplayError
from benchmarks.run_folder import Run, load_run
from benchmarks.suite import make_env, problem_hash
from benchmarks.tables import percent, table
from reason_env import ReasonEnv
from reason_env.env import Episode
from reason_env.task import DISCOUNT

LOSSES = ("dead end", "wrong line", "detour", "not finished")
SHORTCUT = "shortcut"
_EXACT = 1e-12
"""Regret nearer to 0 than that is the rounding of floats."""


class NoPotential(ValueError):
    """Only the answer is verified, so that no line can be said to lose anything."""


@dataclass(frozen=True, slots=True)
class EpisodeRegret:
    """What one episode lost.

    Attributes:
        start: optimal value at the start, V(s_0), above 0.
        lines: regret of each line, discounted to the start.
        rest: regret of not finishing, discounted likewise.
        solved: whether it ended at the goal.
        fatal: number of the fatal line, from 1; None if no line was.
        ended: whether that line ended the episode.
    """

    start: float
    lines: tuple[float, ...]
    rest: float
    solved: bool
    fatal: int | None
    ended: bool

    @property
    def total(self) -> float:
        """V(s_0) - 0.9**T * solved, up to rounding."""
        return sum(self.lines) + self.rest

    @property
    def normalised(self) -> float:
        """Share of the optimal value that was lost: at most 1, below 0 after shortcuts."""
        return self.total / self.start

    def parts(self) -> dict[str, float]:
        """Normalised regret by what lost it: `LOSSES`, and `SHORTCUT`, which is 0 or less."""
        parts = dict.fromkeys((*LOSSES, SHORTCUT), 0.0)
        for number, regret in enumerate(self.lines, start=1):
            if number == self.fatal:
                kind = "wrong line" if self.ended else "dead end"
            else:
                kind = "detour" if regret >= 0 else SHORTCUT
            parts[kind] += regret / self.start
        parts["not finished"] = self.rest / self.start
        return parts


@dataclass(frozen=True, slots=True)
class RunRegret:
    """What the episodes of a run lost.

    Attributes:
        episodes: how many were judged; the others' families are in `left_out`.
        accuracy: fraction of them solved, with Wilson's interval.
        regret: mean normalised regret, with its bootstrap interval.
        parts: mean of `EpisodeRegret.parts`; they add up to the mean regret.
        fatal: fatal lines by their number, from 1.
        left_out: families of which only the answer is verified.
    """

    episodes: int
    accuracy: Estimate
    regret: Estimate
    parts: Mapping[str, float]
    fatal: Mapping[int, int]
    left_out: tuple[str, ...]

    def share(self, loss: str) -> float:
        """Share of all losses (shortcuts are none) that is due to one of `LOSSES`, in [0, 1]."""
        lost = sum(self.parts[name] for name in LOSSES)
        return self.parts[loss] / lost if lost > _EXACT else 0.0

    def to_json(self) -> dict[str, Any]:
        return {
            "episodes": self.episodes,
            "value": self.regret.value,
            "low": self.regret.low,
            "high": self.regret.high,
            "parts": dict(self.parts),
            "fatal_lines": {str(line): count for line, count in sorted(self.fatal.items())},
            "left_out": list(self.left_out),
        }


def optimal_value(env: ReasonEnv, episode: Episode) -> float:
    """V of a point in an episode that goes on (see the module's text), in [0, 1]."""
    problem = episode.problem
    best = env.task.potential(problem, episode.state)
    for back, state in enumerate(reversed(episode.history), start=1):
        # The states taken back to are the more discounted the further back they lie.
        if DISCOUNT**back > best:
            best = max(best, DISCOUNT**back * env.task.potential(problem, state))
    return best


def episode_regret(env: ReasonEnv, actions: Sequence[str]) -> EpisodeRegret:
    """Play lines in an environment that has just been reset, and say what they lost.

    Raises:
        NoPotential: the task verifies answers only.
        ReplayError: lines after the end of the episode.
    """
    task, episode = env.task, env.episode
    if not task.has_steps:
        raise NoPotential(
            f"Only the answers of {task.name} are verified: it has no potential to take regret from"
        )
    values = [optimal_value(env, episode)]
    reached = 0
    solved = terminated = False
    for number, action in enumerate(actions, start=1):
        if episode.stopped:
            raise ReplayError(f"Line {number} of {len(actions)} comes after the episode's end")
        followed = env.follow(episode, action)
        episode, terminated, solved = followed.episode, followed.terminated, followed.solved
        values.append(float(solved) if terminated else optimal_value(env, episode))
        # The state before a wrong claim stands after it as well: only what is not over counts.
        if solved or (not terminated and task.potential(episode.problem, episode.state) > 0):
            reached = number
    last = len(actions)
    fatal = reached + 1 if reached < last else None
    values[reached + 1 :] = [0.0] * (last - reached)
    lines = (
        DISCOUNT**t * (before - DISCOUNT * after)
        for t, (before, after) in enumerate(pairwise(values))
    )
    return EpisodeRegret(
        start=values[0],
        lines=tuple(0.0 if abs(regret) < _EXACT else regret for regret in lines),
        rest=0.0 if terminated else DISCOUNT**last * values[last],
        solved=solved,
        fatal=fatal,
        ended=terminated and fatal == last,
    )


def run_regret(run: Run) -> RunRegret:
    """What a run's episodes lost.

    An episode with an error has no lines: it was not finished.

    Raises:
        NoPotential: the suite has no family of which lines are verified.
        ValueError: an episode that is not of this version's environments.
    """
    judged: list[EpisodeRegret] = []
    left_out: dict[str, None] = {}
    envs: dict[str, ReasonEnv] = {}
    for record in run.episodes:
        key = json.dumps([record.env, record.kwargs], sort_keys=True)
        env = envs.setdefault(key, make_env(record.env, record.kwargs))
        if env.task.has_steps:
            judged.append(_judge(run, env, record))
        else:
            left_out[env.task.name] = None
    if not judged:
        raise NoPotential(
            f"{run.folder}: only the answers of {', '.join(left_out)} are verified, so there is no "
            "potential to take regret from; a suite of families of our own has one"
        )
    parts = [episode.parts() for episode in judged]
    return RunRegret(
        episodes=len(judged),
        accuracy=wilson(sum(episode.solved for episode in judged), len(judged)),
        regret=bootstrap([episode.normalised for episode in judged]),
        parts={
            name: sum(part[name] for part in parts) / len(parts) for name in (*LOSSES, SHORTCUT)
        },
        fatal=Counter(episode.fatal for episode in judged if episode.fatal is not None),
        left_out=tuple(left_out),
    )


HEADER = (
    "run",
    "accuracy [95 % Wilson]",
    "regret [95 % bootstrap]",
    "dead ends",
    "wrong lines",
    "detours",
    "not finished",
    "shortcuts",
    "fatal at line 1",
    "2",
    "3",
    "4",
    "5+",
)


def describe(folders: Sequence[str | Path]) -> str:
    """A Markdown table of runs, a row each, and what has to be said about it.

    Raises:
        NoPotential, ValueError: see `run_regret`.
    """
    rows, notes = [], []
    for folder in folders:
        run = load_run(folder)
        found = run_regret(run)
        early = [found.fatal.get(line, 0) for line in range(1, 5)]
        rows.append(
            [
                run.name,
                percent(found.accuracy),
                show_regret(found.regret),
                *(f"{found.parts[loss]:.3f} ({found.share(loss):.0%})" for loss in LOSSES),
                f"{found.parts[SHORTCUT]:.3f}",
                *map(str, early),
                str(sum(found.fatal.values()) - sum(early)),
            ]
        )
        if found.left_out:
            notes.append(
                f"{run.name}: {len(run.episodes) - found.episodes} of {len(run.episodes)} episodes "
                f"are left out, since only the answer is verified: {', '.join(found.left_out)}"
            )
    notes.append(
        "Regret: share of the exact optimal value (0.9 to the lines needed) that the chosen lines "
        "lost, mean over problems; its parts add up to it, with their shares of all losses. The "
        "last columns count the lines after which the goal was out of reach for good."
    )
    return table(HEADER, rows) + "".join(f"\n{note}\n" for note in notes)


def show_regret(regret: Estimate) -> str:
    """A normalised regret and its interval: `0.412 [0.371, 0.455]`."""
    return f"{regret.value:.3f} [{regret.low:.3f}, {regret.high:.3f}]"


def _judge(run: Run, env: ReasonEnv, record: EpisodeRecord) -> EpisodeRegret:
    env.reset(seed=record.seed)
    if problem_hash(env.episode.problem) != record.problem:
        raise ValueError(
            f"{run.folder}: the environment asks something else than episode {record.index} "
            f"answers ({record.env}, seed {record.seed}): another version played it"
        )
    return episode_regret(env, record.actions)
