"""Finished runs on the smoke suite, and bundles of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.runner import run_suite
from leaderboards.bundle import Submitter, pack


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Run folders of the built-in agents."""
    folder = tmp_path_factory.mktemp("runs")
    for agent in ("expert", "random"):
        run_suite("smoke", folder / agent, agent=agent, progress=False)
    return {agent: folder / agent for agent in ("expert", "random")}


@pytest.fixture(scope="session")
def bundles(runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Bundle archives of those runs."""
    folder = tmp_path_factory.mktemp("bundles")
    return {
        agent: pack(run, folder / f"{agent}.tar.gz", Submitter("Ada Lovelace", notes="as is"))
        for agent, run in runs.items()
    }
