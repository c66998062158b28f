"""Scores of the roadmap's stages over training seeds and problems."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics import Estimate, bootstrap_grid, families
from benchmarks.run_folder import Run

Score = tuple[str, str]
"""A stage and the strategy that it was scored with."""


class Scores:
    """Which problems each stage solved, seed by seed.

    Args:
        seeds: of training, in the order of the rows.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        self._seeds = seeds
        self._runs: dict[tuple[int, str, str], Run] = {}

    def add(self, seed: int, stage: str, strategy: str, run: Run) -> None:
        """Take a run of the suite in."""
        self._runs[seed, stage, strategy] = run

    @property
    def families(self) -> list[str]:
        """Families of the suite, in its order."""
        return list(families(next(iter(self._runs.values())).episodes))

    def runs(self, score: Score) -> list[Run]:
        """A run for each seed."""
        return [self._runs[seed, *score] for seed in self._seeds]

    def solved(self, score: Score, family: str | None = None) -> NDArray[np.float64]:
        """Which problems were solved, (seeds, problems)."""
        rows = []
        for run in self.runs(score):
            chosen = families(run.episodes)[family] if family else run.episodes
            rows.append([float(episode.solved) for episode in chosen])
        return np.array(rows)

    def accuracy(self, score: Score, family: str | None = None) -> Estimate:
        """Share of problems solved, over seeds and problems."""
        return bootstrap_grid(self.solved(score, family))

    def difference(self, first: Score, second: Score, family: str | None = None) -> Estimate:
        """Accuracy of the second less that of the first: paired on seeds and problems."""
        return bootstrap_grid(self.solved(second, family) - self.solved(first, family))
