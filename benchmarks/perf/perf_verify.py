"""Verifying a bundle of the whole of core-v1: 2,040 episodes drawn again and played again."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.runner import run_suite
from leaderboards.bundle import Submitter, pack
from leaderboards.verify import verify


@pytest.mark.benchmark(group="leaderboard: verify core-v1")
def test_verify(benchmark: Any, tmp_path: Path) -> None:
    run_suite("core-v1", tmp_path / "run", agent="random", progress=False)
    bundle = pack(tmp_path / "run", tmp_path / "bundle.tar.gz", Submitter("Ada Lovelace"))
    benchmark.pedantic(verify, (bundle,), rounds=2)
