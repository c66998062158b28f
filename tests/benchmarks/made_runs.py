"""Runs made in memory, for tests of statistics."""

from functools import cache
from pathlib import Path

from benchmarks.records import LEDGER, EpisodeRecord, Manifest
from benchmarks.run_folder import Run
from benchmarks.sides import Side


@cache
def episode(
    problem, solved, status="ok", tokens=10, env="reason_env/Countdown-v0", level=1, index=0
):
    return EpisodeRecord(
        index=index,
        env=env,
        kwargs={"level": level},
        seed=0,
        problem=str(problem),
        actions=(),
        tokens=(),
        terms={},
        reward=0.0,
        solved=bool(solved),
        status=status,
        error=None,
        ledger={**dict.fromkeys(LEDGER, 0), "generated_tokens": tokens},
        division="open",
    )


def run(solved, seed=0, model="m", templates=1, tokens=10, errors=0, folder="a", **changes):
    """A run of as many problems as `solved` has outcomes; neighbours are of different templates."""
    episodes = tuple(
        episode(
            f"p{i:04}",
            outcome,
            "error" if i < errors else "ok",
            tokens,
            f"reason_env/Env{i % templates}-v0",
            index=i,
        )
        for i, outcome in enumerate(solved)
    )
    config = {
        "suite": {"name": "made", "budget_tokens": 64},
        "suite_hash": "h",
        "limit": None,
        "model_digest": model,
        "strategy": "sample",
        "options": {},
        "agent": None,
        "budget_tokens": 64,
        "seed": seed,
        **changes,
    }
    manifest = Manifest(config, "", None, len(episodes), {}, status="done")
    return Run(Path(f"{folder}-{seed}-{model}"), manifest, episodes)


def side(*rows, models=None, **settings):
    """A side of a run for each row of outcomes; seeds differ, models only if they are named."""
    models = models or ["m"] * len(rows)
    return Side(
        tuple(
            run(row, seed=seed, model=model, **settings)
            for seed, (row, model) in enumerate(zip(rows, models))
        )
    )
