"""Runs on a Ray cluster: the same bytes as here, whoever dies."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.runner import run_suite

SCRIPT = Path(__file__).with_name("ray_runs.py")


def test_a_cluster_whose_workers_die(tmp_path):
    """One test, since a cluster takes a while to start."""
    root = str(Path(__file__).parents[2])
    paths = os.pathsep.join([root, str(SCRIPT.parent)])
    done = subprocess.run(
        [sys.executable, SCRIPT, tmp_path],
        env={**os.environ, "PYTHONPATH": paths, "RAY_USAGE_STATS_ENABLED": "0"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["nodes"] == 3
    # Workers that are killed lose nothing.
    assert found["dying_workers"] == {"deaths": 2, "errors": 0, "same": True}
    # A chunk that kills its workers ends the run with the others on record.
    doomed = found["a_chunk_that_kills"]
    assert "Workers died 3 times while playing the same 2 episodes" in doomed["told"]
    assert doomed["ahead"] > 0
    assert doomed["same"]
    # Searches with a model, and their trees.
    assert found["a_model"]["same"]
    assert "HFModel cannot travel to other machines" in found["a_model"]["told"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"workers": 2}, "workers=2 is for the executor ray"),
        ({"executor": "rey"}, "Did you mean 'ray'"),
        ({"executor": "ray", "workers": 0}, "workers must be 1 or more"),
    ],
)
def test_settings_that_are_for_clusters(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        run_suite("smoke", tmp_path / "run", agent="random", **arguments)
    assert not (tmp_path / "run").exists()
