"""Runs on a local Ray cluster of three nodes, whose workers die: a script for test_ray.py.

    python ray_runs.py FOLDER

Prints one line of JSON. Ray's own warnings and threads stay out of pytest this way.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import ray
from ray.cluster_utils import Cluster

from agents.agent import RandomLegalAgent
from agents.models.hf import HFModel
from agents.models.tiny import TinyConfig, tiny_model
from benchmarks.run_folder import AHEAD, EPISODES, TREES
from benchmarks.runner import run_suite
from benchmarks.suite import Suite, resolve

if __name__ == "__main__":
    os.environ["RAY_RUNS_ROOT"] = sys.argv[1]  # workers inherit it
ROOT = Path(os.environ["RAY_RUNS_ROOT"])
ENTRY = {"env": "reason_env/Countdown-v0", "kwargs": {"level": 1, "split": "dev"}, "episodes": 24}
SUITE = {"name": "few", "version": 1, "seed": 0, "budget_tokens": 40, "entries": [ENTRY]}


class Mortal(RandomLegalAgent):
    """Kills its own process, once for each of two kinds of episodes."""

    def reset(self, seed):
        super().reset(seed)
        mark = ROOT / f"killed-{seed % 4}"
        if seed % 4 < 2 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


class Doomed(RandomLegalAgent):
    """Kills its process whenever it meets one certain episode."""

    def reset(self, seed):
        super().reset(seed)
        if seed == int((ROOT / "doom").read_text()):
            time.sleep(0.5)  # the others get on meanwhile
            os.kill(os.getpid(), signal.SIGKILL)


def play(out, agent, problems=None, **arguments):
    return run_suite(
        problems or resolve(Suite.from_json(SUITE)),
        ROOT / out,
        progress=False,
        **{"agent": agent and f"ray_runs:{agent}", "chunk": 2, **arguments},
    )


def same(one, two, *names):
    return all((ROOT / one / n).read_bytes() == (ROOT / two / n).read_bytes() for n in names)


def dying_workers():
    """Workers killed in mid-run lose nothing."""
    for number in range(2):
        (ROOT / f"killed-{number}").touch()
    play("agent-here", "Mortal")
    for number in range(2):
        (ROOT / f"killed-{number}").unlink()
    run = play("agent-ray", "Mortal", executor="ray", workers=2)
    deaths = len(list(ROOT.glob("killed-*")))
    return {
        "deaths": deaths,
        "errors": run.manifest.errors,
        "same": same("agent-here", "agent-ray", EPISODES),
    }


def a_chunk_that_kills():
    """It ends the run with what was finished on record, and another go completes it."""
    from benchmarks.preparation import search_seed

    problems = resolve(Suite.from_json(SUITE))
    (ROOT / "doom").write_text(str(search_seed(0, problems.items[0])))
    try:
        play("doomed", "Doomed", executor="ray", workers=2)
        told = ""
    except ValueError as error:
        told = str(error)
    ahead = (ROOT / "doomed" / AHEAD).read_bytes().count(b"\n")
    (ROOT / "doom").write_text("-1")
    play("doomed", "Doomed")
    play("doomed-here", "Doomed")
    return {"told": told, "ahead": ahead, "same": same("doomed", "doomed-here", EPISODES)}


def a_model():
    """Searches with weights from the disk, trees and all; a model in memory cannot travel."""
    folder = ROOT / "model"
    HFModel(tiny_model(TinyConfig(layers=1, width=16, heads=2))).save(folder)
    search = {"agent": None, "model": folder, "strategy": "mcts", "options": {"simulations": 3}}
    play("model-here", **search, chunk=4)
    play("model-ray", **search, chunk=5, executor="ray", workers=2)
    try:
        play("object", **{**search, "model": HFModel.load(str(folder))}, executor="ray")
        told = ""
    except ValueError as error:
        told = str(error)
    return {"same": same("model-here", "model-ray", EPISODES, TREES), "told": told}


if __name__ == "__main__":
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    os.environ["RAY_ADDRESS"] = cluster.address
    sys.path.insert(0, str(Path(__file__).parent))
    ray.init(logging_level="ERROR", log_to_driver=False)
    nodes = len(ray.nodes())
    actions = (dying_workers, a_chunk_that_kills, a_model)
    found = {"nodes": nodes, **{action.__name__: action() for action in actions}}
    ray.shutdown()
    cluster.shutdown()
    print(json.dumps(found))
