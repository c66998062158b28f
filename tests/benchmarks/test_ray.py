"""Runs on a Ray cluster: the same bytes as here, whoever dies."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.runner import run_suite

SCRIPT = Path(__file__).with_name("ray_runs.py")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    root = str(Path(__file__).parents[2])
    paths = os.pathsep.join([root, str(SCRIPT.parent)])
    done = subprocess.run(
        [sys.executable, SCRIPT, tmp_path_factory.mktemp("ray")],
        env={**os.environ, "PYTHONPATH": paths, "RAY_USAGE_STATS_ENABLED": "0"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_workers_that_are_killed_lose_nothing(found):
    assert found["nodes"] == 3
    assert found["dying_workers"] == {"deaths": 3, "errors": 0, "same": True}


def test_a_chunk_that_kills_its_workers_ends_the_run_with_the_others_on_record(found):
    doomed = found["a_chunk_that_kills"]
    assert "Workers died 3 times while playing the same 2 episodes" in doomed["told"]
    assert doomed["ahead"] > 0
    assert doomed["same"]


def test_searches_with_a_model_and_their_trees(found):
    assert found["a_model"]["same"]
    assert "HFModel cannot travel to other machines" in found["a_model"]["told"]


def test_settings_that_are_for_clusters(tmp_path):
    for arguments, message in (
        ({"workers": 2}, "workers=2 is for the executor ray"),
        ({"executor": "rey"}, "Did you mean 'ray'"),
        ({"executor": "ray", "workers": 0}, "workers must be 1 or more"),
    ):
        with pytest.raises(ValueError, match=message):
            run_suite("smoke", tmp_path / "run", agent="random", **arguments)
    assert not (tmp_path / "run").exists()
