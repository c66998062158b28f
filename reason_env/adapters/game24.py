"""Game24: the 1,362 puzzles of the game of 24 as Countdown problems.

An episode (level 1, the easiest puzzle):

    6 4 1 1 -> 24
    1 * 1 = 1
    4 * 1 = 4
    6 * 4 = 24

Puzzles and their rank by human solving time are those of 4nums.com, as published with Tree of
Thoughts (Yao et al., 2023, arXiv 2305.10601; `data/game24.csv`, MIT licence). Levels are quarters
of the ranks. The 100 puzzles of ranks 901 to 1000, on which that paper reports, are always test
problems; the content decides for the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np

from reason_env.problem import Problem
from reason_env.splits import SPLITS, split_of
from reason_env.tasks.countdown import Countdown

FILE = Path(__file__).parent / "data" / "game24.csv"
TARGET = 24
PAPER_RANKS = range(901, 1001)


class Game24(Countdown):
    """See the module's text. All that is not about where problems come from is Countdown's."""

    name: ClassVar[str] = "Game24"
    levels: ClassVar[range] = range(1, 5)

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        of_level = [problem for split in SPLITS for problem in self.pool(level, split)]
        return of_level[int(rng.integers(len(of_level)))]

    def pool(self, level: int, split: str) -> Sequence[Problem]:
        return _pool(level, split)

    def home(self, problem: Problem) -> str | None:
        return "test" if self.canonical(problem) in _paper_puzzles() else None


@lru_cache(maxsize=1)
def _puzzles() -> dict[int, Problem]:
    """All puzzles by rank, from 1."""
    rows = FILE.read_text(encoding="utf-8").splitlines()[1:]
    puzzles = {}
    for row in rows:
        rank, _, numbers = row.partition(",")
        data = (tuple(sorted(map(int, numbers.split()), reverse=True)), TARGET)
        level = 1 + 4 * (int(rank) - 1) // len(rows)
        puzzles[int(rank)] = Problem(Game24.name, level, data)
    return puzzles


@lru_cache(maxsize=16)
def _pool(level: int, split: str) -> tuple[Problem, ...]:
    task = Game24()
    return tuple(
        problem
        for problem in _puzzles().values()
        if problem.level == level and split_of(task, problem) == split
    )


@lru_cache(maxsize=1)
def _paper_puzzles() -> frozenset[str]:
    task = Game24()
    return frozenset(task.canonical(_puzzles()[rank]) for rank in PAPER_RANKS)
