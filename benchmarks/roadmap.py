"""The roadmap experiment: are its claims true of what is built here, and at what size?

`reason-bench roadmap` trains the stages of `roadmap_plan`, scores them all on one suite of unseen
problems of three families, and writes `ROADMAP.md`. Killed and called again, it goes on where it
was; so it does with more seeds. Stages that do not need one another can be made side by side.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from agents.learning.expert_iteration import ExpertIterationConfig, expert_iteration
from agents.learning.ppo import ppo
from agents.learning.run import MODEL
from agents.learning.sft import SFTConfig, sft
from agents.models.hf import HFModel
from agents.models.tiny import tiny_model
from benchmarks.jobs import run_jobs
from benchmarks.roadmap_plan import Config, Plan, Stage, stages_of
from benchmarks.roadmap_report import write_roadmap
from benchmarks.roadmap_scores import Scores
from benchmarks.run_folder import load_run
from benchmarks.runner import run_suite
from benchmarks.suite import Resolved, load_suite, resolve


def run_roadmap(
    plan: Plan, out: Path, command: str, say: Callable[[str], None] = print, jobs: int = 1
) -> Path:
    """Train, score and report.

    Args:
        out: folder; a folder for each seed is made below it.
        command: that does it again, for the report.
        say: told of each stage once it is trained and scored.
        jobs: processes that share the stages.

    Returns:
        The report.
    """
    stages = {
        (seed, name): stage
        for seed in plan.seeds
        for name, stage in stages_of(plan, seed, out / f"seed-{seed}").items()
    }
    needs = {
        (seed, name): {(seed, needed) for needed in stage.needs}
        for (seed, name), stage in stages.items()
    }
    count = itertools.count(1)
    run_jobs(
        needs,
        functools.partial(_make, plan, out),
        jobs,
        lambda key: say(f"{next(count)} of {len(stages)}: seed {key[0]}, {stages[key].label}"),
    )
    scores = Scores(plan.seeds)
    for (seed, name), stage in stages.items():
        for strategy in stage.strategies:
            run = load_run(_scored(out / f"seed-{seed}", name, strategy))
            scores.add(seed, name, strategy, run)
    return write_roadmap(plan, scores, out, command)


def _make(plan: Plan, out: Path, key: tuple[int, str]) -> None:
    """Train and score a stage of a seed."""
    seed, name = key
    root = out / f"seed-{seed}"
    stage = stages_of(plan, seed, root)[name]
    train_stage(root, name, stage, seed)
    for strategy in stage.strategies:
        run_suite(
            _problems(plan.suite, plan.limit),
            _scored(root, name, strategy),
            model=str(root / name / MODEL),
            strategy=strategy,
            label=stage.label,
            chunk=128,
            progress=False,
        )


@functools.cache
def _problems(suite: str, limit: int | None) -> Resolved:
    """Drawn once in each process."""
    return resolve(load_suite(suite), limit)


def _scored(root: Path, name: str, strategy: str) -> Path:
    """Folder of a stage's run of the suite."""
    return root / "scores" / f"{name}-{strategy}"


def train_stage(root: Path, name: str, stage: Stage, seed: int) -> None:
    """Train a stage into its folder, or do nothing where that is done."""
    if stage.start is None:
        model = HFModel(tiny_model(stage.shape, seed))
    else:
        model = HFModel.load(str(root / stage.start / MODEL))
    _train(model, stage.config(), root / name)


def _train(model: HFModel, config: Config, folder: Path) -> None:
    if isinstance(config, SFTConfig):
        sft(model, config, folder)
    elif isinstance(config, ExpertIterationConfig):
        expert_iteration(model, config, folder)
    else:
        ppo(model, config, folder)


def sized(plan: Plan, seeds: int | None, limit: int | None) -> Plan:
    """The plan with another number of seeds, or of problems of each family."""
    if seeds is not None and seeds < 1:
        raise ValueError(f"seeds must be 1 or more, received {seeds}")
    return replace(
        plan,
        seeds=plan.seeds if seeds is None else tuple(range(seeds)),
        limit=plan.limit if limit is None else limit,
    )
