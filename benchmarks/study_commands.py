"""Commands of `reason-bench` that study search and reward models, on `record_commands`' app."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.record_commands import app

__all__ = ["app"]


@app.command()
def overoptimization(
    suite: Annotated[str, typer.Argument(help="Name (see `list`) or path of a JSON file.")],
    model: Annotated[str, typer.Option(help="The policy: folder of a saved model, or a hub id.")],
    out: Annotated[Path, typer.Option(help="Folder; the same command resumes it.")],
    reward_model: Annotated[
        str | None,
        typer.Option(help="Serves `prm` and `value`. [default: the policy's own heads]"),
    ] = None,
    guide: Annotated[
        str, typer.Option(help="Scores the samples: prm, value, policy, or a weighted sum.")
    ] = "prm",
    samples: Annotated[int, typer.Option(help="Whole solutions of each problem: largest N.")] = 256,
    limit: Annotated[
        int | None, typer.Option(help="At most so many problems of each entry of the suite.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the samples; problems do not depend on it.")] = 0,
    title: Annotated[
        str, typer.Option(help="The report's heading.")
    ] = "Best of N under a learned reward model",
) -> None:
    """Best of N under a learned reward model: where does picking harder make answers worse?"""
    from benchmarks.overoptimization import overoptimization as study_of

    study = study_of(
        suite,
        out,
        model=model,
        reward_model=reward_model,
        guide=guide,
        samples=samples,
        limit=limit,
        seed=seed,
        title=title,
    )
    typer.echo(study.verdict)
    typer.echo(f"Study: {out / 'overoptimization.md'}")


@app.command()
def sweep(
    suite: Annotated[str, typer.Argument(help="Name (see `list`) or path of a JSON file.")],
    model: Annotated[str, typer.Option(help="Folder of a saved model, or a hub id.")],
    out: Annotated[Path, typer.Option(help="Folder; the same command resumes it.")],
    reward_model: Annotated[
        str | None,
        typer.Option(help="Model that serves the guides value and prm. [default: the model]"),
    ] = None,
    guide: Annotated[
        str | None,
        typer.Option(help="Who values what the searches find. [default: the best open guide]"),
    ] = None,
    strategies: Annotated[
        str | None, typer.Option(help="Such as beam,mcts; greedy is always run. [default: all]")
    ] = None,
    multiples: Annotated[
        str, typer.Option(help="Budgets, in tokens of a greedy answer.")
    ] = "1,2,4,8,16,32,64",
    limit: Annotated[
        int | None, typer.Option(help="At most so many episodes of each entry of the suite.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all sampling; problems do not depend on it.")] = 0,
    chunk: Annotated[
        int, typer.Option(help="Problems searched at once; changes only the speed.")
    ] = 64,
) -> None:
    """Accuracy against generated tokens: all strategies at the same budgets, and a picture."""
    from benchmarks.sweep import parse_multiples
    from benchmarks.sweep import sweep as run_sweep

    swept = run_sweep(
        suite,
        out,
        model=model,
        reward_model=reward_model,
        guide=guide,
        strategies=None if strategies is None else [n.strip() for n in strategies.split(",")],
        multiples=parse_multiples(multiples),
        limit=limit,
        seed=seed,
        chunk=chunk,
        say=typer.echo,
    )
    typer.echo(f"{len(swept.points)} points; a greedy answer takes {swept.unit} tokens")
    typer.echo(f"Sweep: {out / 'sweep.md'}")


@app.command()
def behaviours(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, such as before and after.")],
) -> None:
    """The behaviours of a reasoner in what runs have written, and whether they were right."""
    from benchmarks.behaviours import describe

    typer.echo(describe(runs))


@app.command()
def roadmap(
    out: Annotated[
        Path, typer.Option(help="Folder; the same command resumes it, as one with more seeds does.")
    ] = Path("runs/roadmap"),
    full: Annotated[bool, typer.Option("--full", help="Three training seeds, not one.")] = False,
    seeds: Annotated[int | None, typer.Option(help="So many training seeds.")] = None,
    limit: Annotated[
        int | None, typer.Option(help="At most so many problems of each family.")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(help="Stages made side by side, sharing the cores. [default: one a core]"),
    ] = None,
) -> None:
    """The roadmap's claims, measured: search and learning, rewards, data, parameters, critics."""
    from benchmarks.roadmap import run_roadmap, sized
    from benchmarks.roadmap_plan import PLAN

    if full and seeds is not None:
        raise ValueError(f"--full is --seeds 3, received --seeds {seeds} too: name one of them")
    plan = sized(PLAN, 3 if full else seeds, limit)
    words = ["reason-bench roadmap", *(["--full"] if full else [])]
    words += [f"--seeds {seeds}"] if seeds else []
    words += [f"--limit {limit}"] if limit else []
    command = " ".join([*words, f"--out {out}"])
    processes = (os.cpu_count() or 1) if jobs is None else jobs
    report = run_roadmap(plan, out, command, typer.echo, processes)
    typer.echo(f"Roadmap: {report}")


@app.command()
def regret(
    runs: Annotated[list[Path], typer.Argument(help="Run folders.")],
) -> None:
    """What the lines of runs lost against the exact optimal value, and where."""
    from benchmarks.regret import describe

    typer.echo(describe(runs))


@app.command(name="reward-quality")
def reward_quality(
    model: Annotated[str, typer.Argument(help="The reward model: folder of a checkpoint.")],
    env: Annotated[str, typer.Option(help="What to judge: Countdown-v0:level=1,feedback=state")],
    out: Annotated[Path, typer.Option(help="Folder for reward_quality.json, .md and .png.")],
    policy: Annotated[
        str | None,
        typer.Option(help="Visits the states; a trained reward model hardly can. [default: MODEL]"),
    ] = None,
    problems: Annotated[int, typer.Option(help="Distinct problems of the split.")] = 300,
    split: Annotated[str, typer.Option(help="train, dev or test.")] = "test",
    samples: Annotated[int, typer.Option(help="Rollouts of each problem.")] = 4,
    temperature: Annotated[float, typer.Option(help="Of the rollouts.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Of problems and rollouts.")] = 0,
) -> None:
    """A reward model against the exact potential: accuracy, calibration, AUC."""
    from benchmarks.reward_quality import reward_quality as study_of
    from benchmarks.reward_report import describe

    study = study_of(
        model,
        env,
        out,
        policy=policy,
        problems=problems,
        split=split,
        samples=samples,
        temperature=temperature,
        seed=seed,
    )
    for line in describe(study):
        typer.echo(line)
    typer.echo(f"Study: {out / 'reward_quality.md'}")


@app.command()
def baselines(
    out: Annotated[Path, typer.Option(help="Folder; the same command resumes it.")] = Path(
        "runs/baselines"
    ),
    limit: Annotated[
        int | None, typer.Option(help="At most so many episodes of each entry of a suite.")
    ] = None,
) -> None:
    """Numbers to compare with, on every suite: random, expert, tiny models before and after."""
    from benchmarks.baselines import plan, run_baselines

    typer.echo(f"Baselines: {run_baselines(plan(limit), out, typer.echo)}")
