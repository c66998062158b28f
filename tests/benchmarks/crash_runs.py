"""Runs a suite in forked children, which are cheap to kill: a script for test_reliability.py.

    python crash_runs.py FOLDER WHAT

Prints one line of JSON. Children are forked from a process that has loaded everything already, so
that kills fall on the run itself and not on a second of imports.
"""

import json
import os
import random
import resource
import signal
import sys
import time
from pathlib import Path

from agents.agent import RandomLegalAgent
from benchmarks import runner
from benchmarks.players import AgentPlayer
from benchmarks.records import Manifest
from benchmarks.run_folder import EPISODES, load_run
from benchmarks.runner import execute
from benchmarks.suite import Suite, resolve

ENTRY = {"env": "reason_env/Countdown-v0", "kwargs": {"level": 1, "split": "dev"}, "episodes": 40}
SUITE = Suite.from_json({"name": "forty", "version": 1, "seed": 0, "entries": [ENTRY]})
PROBLEMS = resolve(SUITE)


class Slow(RandomLegalAgent):
    def act(self, observation):
        time.sleep(0.001)
        return super().act(observation)


def out_of_order(player):
    """Workers side by side finish as it happens: here always the last chunk first."""

    def run(chunks, trees):
        for chunk in reversed(chunks):
            yield runner.local(player)([chunk], trees).__next__()

    return run


def play(folder, executor=None):
    config = {"suite": SUITE.to_json(), "suite_hash": PROBLEMS.hash, "seed": 0, "strategy": None}
    config |= {"agent": "slow", "options": {}, "budget_tokens": None, "limit": None}
    manifest = Manifest(config, "", None, len(PROBLEMS.items), {"commit": "c"})
    player = AgentPlayer(Slow())
    return execute(PROBLEMS, player, folder, manifest, 3, False, executor and executor(player))


def fork(action):
    """The child's pid; it ends with what `action` returns, or with 99 and a traceback."""
    pid = os.fork()
    if pid:
        return pid
    status = 99
    try:
        status = action() or 0
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(status)


def wait(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def kills(root):
    """Kill 50 times at random points; every run that gets through is as one in one go."""
    whole = play(root / "whole")
    expected = (root / "whole" / EPISODES).read_bytes()
    started = time.monotonic()
    wait(fork(lambda: play(root / "timed") and 0))
    duration = time.monotonic() - started
    rng = random.Random(0)
    killed = finished = 0
    found = []
    while killed < 50:
        folder = root / f"run-{finished}"
        pid = fork(lambda f=folder, n=finished: play(f, out_of_order if n % 2 else None) and 0)
        time.sleep(rng.uniform(0, 0.5 * duration))
        os.kill(pid, signal.SIGKILL)
        code = wait(pid)
        if code == -signal.SIGKILL:
            killed += 1
            continue
        run = load_run(folder)
        same = (folder / EPISODES).read_bytes() == expected
        same &= run.manifest.ledger == whole.manifest.ledger
        found.append([code, same, sorted(p.name for p in folder.iterdir())])
        finished += 1
    last = root / f"run-{finished}"
    play(last)
    found.append([0, (last / EPISODES).read_bytes() == expected, sorted(os.listdir(last))])
    return {"killed": killed, "runs": found}


def disk_full(root):
    """A limit on the size of files is a disk that takes no more: writes stop in mid-line."""
    play(root / "whole")
    expected = (root / "whole" / EPISODES).read_bytes()
    codes = []
    for size in (len(expected) // 3, len(expected) // 2, len(expected) - 1):
        pid = fork(lambda s=size: limited(root / "run", s))
        codes.append([wait(pid), (root / "run" / EPISODES).stat().st_size <= size])
    play(root / "run")
    return {"codes": codes, "same": (root / "run" / EPISODES).read_bytes() == expected}


def limited(folder, size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        play(folder)
    except OSError as error:
        return 7 if "too large" in str(error) else 8
    return 0


def read_only(root):
    folder = root / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    root.chmod(0o755)

    def action():
        if os.getuid() == 0:
            os.setuid(65534)  # whom permissions hold for
        try:
            play(folder / "run")
        except PermissionError as error:
            return 7 if str(folder / "run") in str(error) else 8
        return 0

    return {"code": wait(fork(action)), "left": os.listdir(folder)}


def two_at_once(root):
    """The second is refused while the first goes on, and does no harm."""
    play(root / "whole")
    first = fork(lambda: play(root / "run") and 0)
    deadline = time.monotonic() + 60
    while not (root / "run" / "run.json").exists() and time.monotonic() < deadline:
        time.sleep(0.001)

    def second():
        try:
            play(root / "run")
        except ValueError as error:
            return 7 if "Another process is running" in str(error) else 8
        return 0

    codes = [wait(fork(second)), wait(first)]
    same = (root / "run" / EPISODES).read_bytes() == (root / "whole" / EPISODES).read_bytes()
    return {"codes": codes, "same": same}


def clock(root):
    """Wall clocks that jump, also backwards, change nothing."""
    play(root / "whole")
    rng = random.Random(1)

    def action():
        time.time = lambda: rng.uniform(-1e9, 2e9)
        time.time_ns = lambda: int(1e9 * time.time())
        return 0 if play(root / "run").manifest.seconds >= 0 else 8

    code = wait(fork(action))
    same = (root / "run" / EPISODES).read_bytes() == (root / "whole" / EPISODES).read_bytes()
    return {"code": code, "same": same}


if __name__ == "__main__":
    actions = {f.__name__: f for f in (kills, disk_full, read_only, two_at_once, clock)}
    print(json.dumps(actions[sys.argv[2]](Path(sys.argv[1]))))
