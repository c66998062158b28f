"""The main job, end to end: a tiny language model, made here from nothing, learns to reason.

`make quickstart` runs the short recipe and `make reproduce` (`--full`) the long one:

1. initialise: clone demonstrations, of which only a quarter of the lines are an expert's;
2. search and learn: expert iteration with MCTS against the verifier, then PPO;
3. control: the initialised model, given the same extra seconds of supervised training on more of
   the same demonstrations instead;
4. score all of them on test problems that none has seen, with and without search;
5. report with pictures, then pack, verify and render a leaderboard entry.

Killed and called again, it goes on where it was.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from agents.learning.expert_iteration import ExpertIterationConfig, expert_iteration
from agents.learning.ppo import PPOConfig, ppo
from agents.learning.run import MODEL
from agents.learning.sft import SFTConfig, sft
from agents.learning.specs import EnvSpec
from agents.models.hf import HFModel
from agents.models.tiny import TinyConfig, tiny_model
from benchmarks.compute import seconds_of, steps_for
from benchmarks.metrics import Estimate, families, summarise
from benchmarks.paired import pair
from benchmarks.report import write_report
from benchmarks.run_folder import Run
from benchmarks.runner import run_suite

COUNTDOWN = EnvSpec.parse("Countdown-v0:level=1,feedback=state")
COUNTDOWN_2 = EnvSpec.parse("Countdown-v0:level=2,feedback=state")


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is trained and how it is scored. Tuned on train and dev problems only.

    Attributes:
        name: of the run folder, below `runs/`.
        suite: scored at the end.
    """

    name: str
    suite: str
    tiny: TinyConfig
    sft: SFTConfig
    search: ExpertIterationConfig
    ppo: PPOConfig


QUICK = Recipe(
    name="quickstart",
    suite="quickstart",
    tiny=TinyConfig(),
    sft=SFTConfig((COUNTDOWN,), expert_share=0.25, steps=600),
    search=ExpertIterationConfig((COUNTDOWN,), rounds=12),
    ppo=PPOConfig((COUNTDOWN,), updates=40),
)
FULL = Recipe(
    name="reproduce",
    suite="reproduce",
    tiny=TinyConfig(),
    sft=SFTConfig((COUNTDOWN, COUNTDOWN_2), expert_share=0.25, steps=1000),
    search=ExpertIterationConfig((COUNTDOWN, COUNTDOWN_2), rounds=30),
    ppo=PPOConfig((COUNTDOWN, COUNTDOWN_2), updates=60),
)

STAGES = {
    "sft": "initialised",
    "search": "expert iteration",
    "ppo": "trained (then PPO)",
    "control": "control: more SFT",
}
"""Run folders of the stages, and what they are called in tables."""


def run_recipe(recipe: Recipe, root: Path) -> Path:
    """Train, score and report.

    Args:
        root: run folder; everything is written below it.

    Returns:
        The report.
    """
    console = Console()
    started = time.monotonic()

    def say(text: str) -> None:
        console.print(f"[bold]{text}[/bold]  [dim]{time.monotonic() - started:.0f} s[/dim]")

    folders = {name: root / name for name in STAGES}
    say("1/5  Initialise: clone demonstrations, a quarter of their lines an expert's")
    sft(HFModel(tiny_model(recipe.tiny)), recipe.sft, folders["sft"])
    say("2/5  Search and learn: expert iteration with MCTS, then PPO")
    expert_iteration(_load(folders["sft"]), recipe.search, folders["search"])
    ppo(_load(folders["search"]), recipe.ppo, folders["ppo"])
    say("3/5  Control: the same extra seconds of supervised training instead")
    sft(_load(folders["sft"]), _control(recipe, folders), folders["control"])
    say("4/5  Score on unseen problems")
    runs = _score(recipe, root, folders)
    say("5/5  Report and leaderboard entry")
    report = write_report(
        [run.folder for run in runs],
        root / "report",
        curves={
            "SFT": folders["sft"],
            "expert iteration": folders["search"],
            "PPO": folders["ppo"],
            "control": folders["control"],
        },
        keys=["loss", "found", "value_error", "solved", "kl", "entropy"],
        title=f"{recipe.name}: a tiny model learns to reason",
        notes=_notes(recipe, runs, folders),
    )
    board = _enter(root, _find(runs, "ppo", "mcts"))
    _show(console, runs)
    say("Done.")
    trained = folders["ppo"] / MODEL
    for line in (
        f"Report            {report}",
        f"Leaderboard page  {board}",
        f"Trained model     {trained}",
        "Try next",
        f"  reason-bench run {recipe.suite} --model {trained} --strategy mcts "
        "--budget-tokens 320 --out runs/more-search",
        f"  tensorboard --logdir {root}",
        "  make reproduce",
    ):
        console.print(line, soft_wrap=True, highlight=False)
    return report


def _load(folder: Path) -> HFModel:
    return HFModel.load(str(folder / MODEL))


def _extra(folders: dict[str, Path]) -> list[Path]:
    """The training runs that search and learning took."""
    return [folders["search"], folders["ppo"]]


def _control(recipe: Recipe, folders: dict[str, Path]) -> SFTConfig:
    """As many more supervised steps as the seconds of search and learning would have paid for."""
    control = steps_for(recipe.sft, folders["sft"], seconds_of(*_extra(folders)))
    return replace(control, first_batch=recipe.sft.steps)


def _score(recipe: Recipe, root: Path, folders: dict[str, Path]) -> list[Run]:
    """All stages with all strategies, each under the suite's one budget of tokens."""
    return [
        run_suite(
            recipe.suite,
            root / "scores" / f"{key}-{strategy}",
            model=str(folders[key] / MODEL),
            strategy=strategy,
            label=label,
            chunk=128,
        )
        for key, label in STAGES.items()
        for strategy in ("greedy", "sample", "best_of_n", "mcts")
    ]


def _find(runs: list[Run], stage: str, strategy: str) -> Run:
    return next(run for run in runs if run.folder.name == f"{stage}-{strategy}")


def _notes(recipe: Recipe, runs: list[Run], folders: dict[str, Path]) -> str:
    """What the report says first: the claims, with their paired intervals."""
    before, after, control = (_find(runs, key, "greedy") for key in ("sft", "ppo", "control"))
    lines = [
        f"A Llama-type model of {recipe.tiny.layers} layers and width {recipe.tiny.width}, trained "
        f"from nothing on {', '.join(f'`{spec}`' for spec in recipe.sft.envs)}; "
        f"{recipe.sft.expert_share:.0%} of the demonstrated lines are an expert's, the others "
        "merely legal. All scores are on problems of the test split; all differences are paired.",
        "",
        f"- Search and learning: greedy accuracy {_difference(before, after)}.",
        f"- Control, the same extra {seconds_of(*_extra(folders)):.0f} s of "
        f"supervised training on more of the same demonstrations: {_difference(before, control)}.",
        "- MCTS against best-of-8, trained model, equal budget: "
        f"{_difference(_find(runs, 'ppo', 'best_of_n'), _find(runs, 'ppo', 'mcts'))}.",
    ]
    names = list(families(after.episodes))
    if len(names) > 1:
        lines += ["", "Greedy, family by family:", ""]
        for name in names:
            first, last = (families(run.episodes)[name] for run in (before, after))
            difference = pair(first, last).difference
            lines.append(
                f"- {name}: {summarise(first).accuracy.value:.1%} to "
                f"{summarise(last).accuracy.value:.1%}, {_points(difference)}"
            )
    return "\n".join(lines)


def _difference(first: Run, second: Run) -> str:
    a, b = (summarise(run.episodes).accuracy.value for run in (first, second))
    return f"{a:.1%} to {b:.1%}, {_points(pair(first.episodes, second.episodes).difference)}"


def _points(difference: Estimate) -> str:
    value, low, high = (100 * x for x in (difference.value, difference.low, difference.high))
    return f"**{value:+.1f} points**, 95 % interval [{low:+.1f}, {high:+.1f}]"


def _enter(root: Path, run: Run) -> Path:
    """Pack, verify and render the entry by the command line, as a submitter would."""
    bundle, entries, board = root / "bundle.tar.gz", root / "entries", root / "board"
    for old in (bundle, entries, board):
        # Made from the run folder alone, so made anew whenever the recipe is run again.
        if old.is_dir():
            shutil.rmtree(old)
        old.unlink(missing_ok=True)
    commands = [
        ["pack", run.folder, bundle, "--name", "reason-env", "--notes", f"make {root.name}"],
        ["verify", bundle],
        ["add", bundle, "--entries", entries],
        ["render", board, "--entries", entries],
    ]
    for command in commands:
        words = [str(word) for word in command]
        print("$ reason-board", *words, flush=True)
        subprocess.run([sys.executable, "-m", "leaderboards.cli", *words], check=True)
    return board / "index.html"


def _show(console: Console, runs: list[Run]) -> None:
    table = Table(title="Accuracy on unseen problems, ± half a 95 % interval")
    strategies = list(dict.fromkeys(run.strategy for run in runs))
    table.add_column("stage")
    for strategy in strategies:
        table.add_column(strategy, justify="right")
    for stage in STAGES:
        cells = []
        for run in runs:
            if run.folder.name.startswith(f"{stage}-"):
                a = summarise(run.episodes).accuracy
                half = 50 * (a.high - a.low)
                cells.append(f"{a.value:.1%} ±{half:.1f}")
        table.add_row(STAGES[stage], *cells)
    console.print(table)


def main() -> None:
    """Console entry: `python -m benchmarks.quickstart [--full] [--out FOLDER]`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--full", action="store_true", help="the long recipe of `make reproduce`")
    parser.add_argument("--out", type=Path, help="run folder (default: runs/<recipe>)")
    arguments = parser.parse_args()
    recipe = FULL if arguments.full else QUICK
    try:
        run_recipe(recipe, arguments.out or Path("runs") / recipe.name)
    except (ValueError, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
