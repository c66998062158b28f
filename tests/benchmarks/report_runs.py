"""Run folders to report on: a scripted reasoner with a search, and lines as a test wants them."""

import json
from functools import cache

import numpy as np

from agents.models.scripted import ScriptedModel
from benchmarks.environment import capture
from benchmarks.players import Played
from benchmarks.records import LEDGER, Manifest
from benchmarks.runner import execute, run_suite
from benchmarks.suite import Suite, make_env, resolve

NODE = {
    "parent": -1,
    "line": "",
    "prior": 1.0,
    "reward": 0.0,
    "value": 0.0,
    "visits": 2,
    "mean": 0.0,
    "done": False,
    "merged": -1,
}
"""A node of a tree as JSON."""
SHAPED = {"split": "test", "reward": "shaped"}
SUITE = Suite.from_json(
    {
        "name": "mixed",
        "version": 1,
        "seed": 0,
        "budget_tokens": 256,
        "description": "Three families, easy levels.",
        "entries": [
            {
                "env": "reason_env/Countdown-v0",
                "kwargs": {"level": 1, "feedback": "state", **SHAPED},
                "episodes": 12,
            },
            {"env": "reason_env/Arithmetic-v0", "kwargs": {"level": 1, **SHAPED}, "episodes": 8},
            {
                "env": "reason_env/WaterJugs-v0",
                "kwargs": {"level": 1, "on_invalid": "feedback", **SHAPED},
                "episodes": 6,
            },
        ],
    }
)


@cache
def problems():
    return resolve(SUITE)


def reset(item):
    env = make_env(item.env, item.kwargs)
    env.reset(seed=item.seed)
    return env


def reasoner(skill):
    """Writes an expert's line with that probability, else another legal one, a wrong one or a
    thought."""
    envs = {env.episode.text: env for env in map(reset, problems().items)}

    def script(text, seed):
        prompt = next(prompt for prompt in envs if text.startswith(prompt))
        env = envs[prompt]
        episode = env.episode
        for line in text[len(prompt) :].splitlines():
            if not line.startswith("> ") and not episode.stopped:
                episode = env.follow(episode, line).episode
        problem, state = episode.problem, episode.state
        expert = env.task.expert_step(problem, state, np.random.default_rng(0))
        legal = [line for line in env.task.legal_steps(problem, state) if line != expert][:4]
        weights = {"1 + 1 = 3": 0.1, "hm, let me see": 0.1, "undo": 0.05}
        weights |= dict.fromkeys(map(env.short, legal), (1 - skill) / max(1, len(legal)))
        if expert is not None:
            weights[env.short(expert)] = skill
        total = sum(weights.values())
        return {line: weight / total for line, weight in weights.items()}

    return ScriptedModel(script, name=f"reasoner {skill}")


def searched(folder, strategy, skill, label, budget=None, trees=False, **options):
    """A run of the reasoner, with all trees that its search has grown if they are wanted."""
    run_suite(
        problems(), folder, model=reasoner(skill), strategy=strategy, options=options, label=label,
        budget_tokens=budget, trees=100 if trees else 0, progress=False,
    )  # fmt: skip
    return folder


def write_trees(folder, trees):
    text = "".join(json.dumps({"index": i, "tree": tree}) + "\n" for i, tree in trees.items())
    (folder / "trees.jsonl").write_text(text)


def written(folder, lines, error=None, label="written"):
    """A run whose episodes have the lines that `lines(item)` gives, as far as they are played."""

    def player(items, seeds):
        found = []
        for item in items:
            env, kept = reset(item), []
            for line in lines(item):
                if not env.episode.stopped:
                    env.step(line)
                    kept.append(line)
            failed = error(item) if error else None
            ledger = {**dict.fromkeys(LEDGER, 0), "generated_tokens": 99}
            found.append(Played(tuple(kept), ((1,),) * len(kept), ledger, False, failed))
        return found

    suite = problems()
    config = {"suite": suite.suite.to_json(), "suite_hash": suite.hash, "seed": 0, "limit": None}
    config |= {"strategy": "greedy", "options": {}, "agent": None, "budget_tokens": 256}
    manifest = Manifest(
        {**config, "model_digest": "ab" * 32}, label, "m", len(suite.items), capture()
    )
    execute(suite, player, folder, manifest, progress=False)
    return folder


def forge(folder, index, **changes):
    """Change what a recorded episode says."""
    path = folder / "episodes.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[index] |= changes
    path.write_text("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows))
