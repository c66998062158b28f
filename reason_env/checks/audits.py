"""Audits of what a family claims: its expert, its potential, its shaping, its problems.

Each plays a sample and raises `ConformanceError` where a claim does not hold; what it returns is
the measured figure.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from reason_env.checks.conformance import ConformanceError, corrupt_last_number
from reason_env.checks.exploits import expert_lines
from reason_env.env import ReasonEnv
from reason_env.problem import Problem, State
from reason_env.rewards import RewardConfig
from reason_env.splits import draw
from reason_env.task import Task, potential_at
from reason_env.tokenizer import TOKENIZER
from reason_env.tokens import EpisodeEnv


@dataclass(frozen=True, slots=True)
class LevelFacts:
    """What the problems of one level are like.

    Attributes:
        draws: problems drawn.
        distinct: how many of them differ in canonical form.
        duplicates: share of draws that repeat an earlier one, in [0, 1].
        lines: mean length of an expert's solution, in lines.
        most_lines: the longest.
        tokens: mean length of an expert's solution, in tokens of the built-in tokenizer.
        prompt_tokens: mean length of the compact prompt, in tokens.
    """

    draws: int
    distinct: int
    duplicates: float
    lines: float
    most_lines: int
    tokens: float
    prompt_tokens: float


def audit_problems(task: Task, level: int, draws: int = 1000, seed: int = 0) -> LevelFacts:
    """Count duplicates among problems as they are drawn (splits left aside), and measure lengths
    on the first 50."""
    rng = np.random.default_rng([seed, level])
    drawn = [task.generate(rng, level) for _ in range(draws)]
    distinct = len({task.canonical(problem) for problem in drawn})
    solutions = [expert_lines(task, problem, rng) for problem in drawn[:50]]
    lengths = [len(solution) for solution in solutions]
    tokens = [sum(len(TOKENIZER.encode(line)) + 1 for line in lines) for lines in solutions]
    prompts = [len(TOKENIZER.encode(task.prompt(problem, "compact"))) for problem in drawn[:50]]
    return LevelFacts(
        draws=draws,
        distinct=distinct,
        duplicates=1 - distinct / draws,
        lines=float(np.mean(lengths)),
        most_lines=max(lengths),
        tokens=float(np.mean(tokens)),
        prompt_tokens=float(np.mean(prompts)),
    )


def audit_expert(task: Task, level: int, problems: int = 200, seed: int = 0) -> list[int]:
    """The expert scores 1 on every problem, within the default budgets.

    Returns:
        Lines of each solution.

    Raises:
        ConformanceError: it does not; the message shows the problem.
    """
    rng = np.random.default_rng([seed, level])
    env = EpisodeEnv(task, level=level)
    lengths = []
    for _ in range(problems):
        problem = draw(task, rng, level, "train")
        lines = expert_lines(task, problem, rng)
        env.reset(options={"problem": problem})
        *_, info = env.step("".join(line + "\n" for line in lines))
        if info["terms"]["outcome"] != 1.0:
            raise ConformanceError(
                f"{task.name} level {level}: the expert does not solve {problem.data!r:.200} "
                f"within {env.max_steps} lines and {env.max_tokens} tokens: "
                f"{info['reason'] or lines[-1:]}"
            )
        lengths.append(len(lines))
    return lengths


def audit_potential(task: Task, problem: Problem, most_states: int = 3000) -> int:
    """The potential agrees with exhaustive search: in every state that legal steps lead to, it is
    `potential_at` the length of a shortest way to the goal, and 0 where there is no way.

    Args:
        task: the family.
        problem: of a small instance.
        most_states: larger instances are left alone.

    Returns:
        How many states were compared; 0 if there are more than `most_states`.

    Raises:
        ConformanceError: the first state in which they differ.
    """
    start = task.initial(problem)
    parents: dict[State, set[State]] = {start: set()}
    solved: list[State] = []
    waiting = deque([start])
    while waiting:
        state = waiting.popleft()
        if task.is_solved(problem, state):
            solved.append(state)
            continue
        for line in task.legal_steps(problem, state):
            following = task.step(problem, state, line).state
            if following not in parents:
                if len(parents) >= most_states:
                    return 0
                parents[following] = set()
                waiting.append(following)
            parents[following].add(state)
    distances = dict.fromkeys(solved, 0)
    waiting = deque(solved)
    while waiting:
        state = waiting.popleft()
        for parent in parents[state]:
            if parent not in distances:
                distances[parent] = distances[state] + 1
                waiting.append(parent)
    for state in parents:
        stated, found = task.potential(problem, state), potential_at(distances.get(state))
        if not math.isclose(stated, found, abs_tol=1e-12):
            raise ConformanceError(
                f"{task.name} {problem.data!r:.200}: the potential of {state} is {stated}, "
                f"exhaustive search finds {found}"
            )
    return len(parents)


def audit_shaping(task: Task, level: int, problems: int = 10, seed: int = 0) -> int:
    """With gamma 1, shaping adds the same constant to the return of every complete episode from
    one start (Ng, Harada and Russell, 1999): experts', wrong ones, wandering ones.

    Returns:
        How many complete episodes were compared.

    Raises:
        ConformanceError: two episodes of one problem differ.
    """
    rng = np.random.default_rng([seed, level])
    env = ReasonEnv(task, level=level, on_invalid="feedback", reward=RewardConfig(shaping=1.0))
    complete = 0
    for _ in range(problems):
        problem = draw(task, rng, level, "train")
        for wandering in (0, 2, 5):
            env.reset(options={"problem": problem})
            start = env.potential()
            shaping = _wander(env, rng, wandering)
            if shaping is None:
                continue
            complete += 1
            if not math.isclose(shaping, -start, abs_tol=1e-9):
                raise ConformanceError(
                    f"{task.name} level {level}: shaping adds {shaping} to an episode of "
                    f"{problem.data!r:.200}, expected {-start}: {env.episode.text!r}"
                )
    return complete


def random_state(task: Task, level: int, rng: np.random.Generator) -> tuple[Problem, State]:
    """A fresh problem, and a state that a random legal walk of 0 to 5 lines leads to."""
    problem = draw(task, rng, level, "train")
    state = task.initial(problem)
    for _ in range(int(rng.integers(6))):
        steps = [] if task.is_solved(problem, state) else task.legal_steps(problem, state)
        if not steps:
            break
        state = task.step(problem, state, steps[int(rng.integers(len(steps)))]).state
    return problem, state


def _wander(env: ReasonEnv, rng: np.random.Generator, lines: int) -> float | None:
    """Play so many lines of all sorts, then the expert's, or give up.

    Returns:
        The sum of the shaping terms; None where the budget ended the episode.
    """
    total = 0.0
    while True:
        legal = env.legal_lines()
        if lines > 0 and legal:
            any_legal = legal[int(rng.integers(len(legal)))]
            options = [any_legal, corrupt_last_number(any_legal), "undo", "check: dead", "hm"]
            line = options[int(rng.integers(len(options)))]
        else:
            line = env.expert_line(rng) or "answer:"
        lines -= 1
        _, _, terminated, truncated, info = env.step(line)
        total += info["terms"]["shaping"]
        if terminated:
            return total
        if truncated:
            return None
