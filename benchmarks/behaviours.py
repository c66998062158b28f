"""Behaviours of a reasoner in what runs have written: how often, and whether rightly.

Every recorded line is played again; `agents.behaviours` says what counts. `check:` claims are
decided by the exact potential.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agents.behaviours import BEHAVIOURS, Behaviour, observe
from benchmarks.metrics import bootstrap, wilson
from benchmarks.records import EpisodeRecord
from benchmarks.run_folder import Run, load_run
from benchmarks.suite import make_env
from benchmarks.tables import Cells, percent

NOTE = (
    "Share of episodes that show a behaviour; of the claims and `check:` lines, the share that is "
    "true. (`agents/behaviours.py` says what counts.)"
)


def episode_behaviours(episode: EpisodeRecord) -> dict[str, Behaviour]:
    """The behaviours of a recorded episode."""
    env = make_env(episode.env, episode.kwargs)
    env.reset(seed=episode.seed)
    return observe(env, episode.actions)


def behaviour_cells(runs: Sequence[Run]) -> Cells:
    """A row for each run."""
    header = ["stage", "strategy", *BEHAVIOURS, "claims true", "checks true"]
    return Cells(header, [_row(run) for run in runs], left=2)


def behaviour_table(runs: Sequence[Run]) -> str:
    """The same as a Markdown table."""
    return behaviour_cells(runs).markdown()


def _row(run: Run) -> list[str]:
    found = [episode_behaviours(episode) for episode in run.episodes]
    shown = [percent(bootstrap([one[name].right > 0 for one in found])) for name in BEHAVIOURS]
    return [run.stage, run.strategy, *shown, _share(found, "completion"), _share(found, "checks")]


def _share(found: Sequence[dict[str, Behaviour]], name: str) -> str:
    tried = sum(one[name].tried for one in found)
    right = sum(one[name].right for one in found)
    return f"{percent(wilson(right, tried))} of {tried}" if tried else "none"


def describe(folders: Sequence[str | Path]) -> str:
    """The table of run folders, with what its columns mean."""
    return f"{behaviour_table([load_run(folder) for folder in folders])}\n{NOTE}\n"
