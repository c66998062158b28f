"""Real kills, a disk that is full, folders that cannot be written, wall clocks that jump."""

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("crash_runs.py")


def crash(folder, what):
    """What the script found; it runs apart, since it forks."""
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, SCRIPT, folder, what],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_fifty_kills_at_random_points(tmp_path):
    found = crash(tmp_path, "kills")
    assert found["killed"] == 50
    assert len(found["runs"]) > 5
    assert all(run == [0, True, ["episodes.jsonl", "run.json"]] for run in found["runs"])


def test_a_full_disk_stops_a_run_which_goes_on_later(tmp_path):
    found = crash(tmp_path, "disk_full")
    assert found == {"codes": [[7, True]] * 3, "same": True}


def test_a_folder_that_cannot_be_written(tmp_path):
    # Whoever may not write there may still look: pytest's own folders are closed to others.
    for folder in (tmp_path, *tmp_path.parents):
        if folder.owner() == tmp_path.owner() and len(folder.parts) > 2:
            folder.chmod(folder.stat().st_mode | 0o055)
    assert crash(tmp_path, "read_only") == {"code": 7, "left": []}


def test_two_processes_on_one_folder(tmp_path):
    assert crash(tmp_path, "two_at_once") == {"codes": [7, 0], "same": True}


def test_clocks_that_jump(tmp_path):
    assert crash(tmp_path, "clock") == {"code": 0, "same": True}
