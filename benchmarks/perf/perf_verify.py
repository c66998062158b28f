"""`reason-board verify` on the whole of core-v1: 2,040 episodes drawn again and played again."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.runner import run_suite


def board(*words: object) -> None:
    # As a command: nothing in benchmarks imports from leaderboards.
    command = [sys.executable, "-m", "leaderboards.cli", *map(str, words)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


@pytest.mark.benchmark(group="leaderboard: verify core-v1")
def test_verify(benchmark: Any, tmp_path: Path) -> None:
    run_suite("core-v1", tmp_path / "run", agent="random", progress=False)
    board("pack", tmp_path / "run", tmp_path / "bundle.tar.gz", "--name", "Ada Lovelace")
    benchmark.pedantic(board, ("verify", tmp_path / "bundle.tar.gz"), rounds=2)
