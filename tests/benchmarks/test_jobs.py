"""Jobs run once what they need is there, in one process or several."""

import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.jobs import run_jobs

NEEDS = {"a": set(), "b": {"a"}, "c": {"a"}, "d": {"b", "c"}}


def mark(folder, key):
    """Fails where what the key needs is not there."""
    assert all((folder / needed).exists() for needed in NEEDS[key])
    (folder / key).write_text(str(os.getpid()))


def fail(folder, key):
    mark(folder, key)
    if key == "b":
        raise ValueError("no b today")


def sleep(folder, key):
    mark(folder, key)
    time.sleep(600)


@pytest.mark.parametrize("processes", [1, 2])
def test_order(tmp_path, processes):
    done = []
    run_jobs(NEEDS, functools.partial(mark, tmp_path), processes, done.append)
    assert sorted(done) == list("abcd")
    assert (done[0], done[-1]) == ("a", "d")
    here = {(tmp_path / key).read_text() == str(os.getpid()) for key in NEEDS}
    assert here == {processes == 1}


@pytest.mark.parametrize("processes", [1, 2])
def test_what_a_job_raises_stops_the_rest(tmp_path, processes):
    with pytest.raises(ValueError, match="no b today"):
        run_jobs(NEEDS, functools.partial(fail, tmp_path), processes, lambda _: None)
    assert not (tmp_path / "d").exists()


def test_no_process():
    with pytest.raises(ValueError, match="jobs must be 1 or more, received 0"):
        run_jobs(NEEDS, print, 0, print)


def test_processes_end_with_the_one_they_work_for(tmp_path):
    """A killed run leaves nobody behind who writes into the folder of the one that resumes it."""
    code = (
        "import functools, pathlib, sys\n"
        "from benchmarks.jobs import run_jobs\n"
        "from tests.benchmarks.test_jobs import sleep\n"
        "if __name__ == '__main__':\n"
        "    job = functools.partial(sleep, pathlib.Path(sys.argv[1]))\n"
        "    run_jobs({'a': set()}, job, 2, print)\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    root = Path(__file__).parents[2]
    env = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen([sys.executable, script, tmp_path], env=env) as process:
        worker = int(_wait_for(lambda: (tmp_path / "a").exists() and (tmp_path / "a").read_text()))
        process.send_signal(signal.SIGKILL)
    _wait_for(lambda: not _alive(worker))


def _alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return state.rsplit(")", 1)[1].split()[0] != "Z"


def _wait_for(what):
    """What it says, once it says anything; a minute is more than it takes."""
    for _ in range(600):
        said = what()
        if said:
            return said
        time.sleep(0.1)
    raise AssertionError("waited for a minute in vain")
