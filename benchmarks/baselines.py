"""Numbers to compare with: built-in baselines on every suite, and how to make them again.

- `random`: a random legal line each time, the floor; where only answers are checked there are no
  legal lines, and it gives up.
- `expert`: a shortest way to the goal, the ceiling (oracle division); of other people's problems it
  knows the gold answer where there is one.
- `initialised`: a model of a million parameters, cloned from an expert's demonstrations of all
  native families at level 1; higher levels and other people's problems it never saw.
- `expert-iteration`: the same after expert iteration on those environments: searches that see the
  exact value of every state, on train problems. Its value head guides its own searches.
- `ppo`: `initialised` after PPO on those environments, paid for nothing but solved train problems.

Killed and called again, it goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.learning.expert_iteration import ExpertIterationConfig, expert_iteration
from agents.learning.optimizers import OptimizerConfig
from agents.learning.ppo import PPOConfig, ppo
from agents.learning.run import MODEL
from agents.learning.sft import SFTConfig, sft
from agents.learning.specs import EnvSpec
from agents.models.hf import HFModel
from agents.models.tiny import TinyConfig, tiny_model
from benchmarks.metrics import families, summarise
from benchmarks.run_folder import Run
from benchmarks.runner import run_suite
from benchmarks.suite import Resolved, load_suite, resolve
from benchmarks.tables import percent, table

REPORT = "BASELINES.md"
AGENTS = ("random", "expert")
INITIALISED, SEARCHED, PPO = MODELS = ("initialised", "expert-iteration", "ppo")


@dataclass(frozen=True, slots=True)
class Scored:
    """A suite, and what is scored on it: the agents, and the models with these strategies.

    Attributes:
        limit: at most so many episodes of each of the suite's entries.
    """

    suite: str
    strategies: tuple[str, ...] = ()
    limit: int | None = None

    @property
    def name(self) -> str:
        """Of its section and its folder."""
        return self.suite if self.limit is None else f"{self.suite}-first-{self.limit}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is trained, and where it is scored.

    Attributes:
        limit: at most so many episodes of each entry of any suite.
    """

    suites: tuple[Scored, ...]
    tiny: TinyConfig
    sft: SFTConfig
    search: ExpertIterationConfig
    ppo: PPOConfig
    limit: int | None = None


def plan(limit: int | None = None) -> Plan:
    """The published baselines."""
    envs = tuple(
        EnvSpec(
            entry.env.removeprefix("reason_env/"),
            tuple((key, value) for key, value in entry.kwargs.items() if key != "split"),
        )
        for entry in load_suite("core-v1").entries
        if entry.kwargs["level"] == 1
    )
    micro = 30  # episodes of like length at a time: some families' are four times as long
    return Plan(
        suites=(
            Scored("smoke", ("greedy", "mcts")),
            Scored("core-v1", ("greedy", "mcts")),
            Scored("hard-v1", ("greedy", "mcts")),
            Scored("math-v1", ("greedy",)),
            Scored("rg-v1"),
            # Strange to the models, who write to the end of every limit: seconds for each.
            Scored("rg-v1", ("greedy",), limit=1),
        ),
        tiny=TinyConfig(),
        sft=SFTConfig(
            envs,
            expert_share=1.0,
            steps=2000,
            batch=120,
            optimizer=OptimizerConfig(micro_batch=micro),
        ),
        search=ExpertIterationConfig(
            envs,
            rounds=10,
            problems=480,
            budget_tokens=256,
            optimizer=OptimizerConfig(lr=5e-4, warmup=10, micro_batch=micro),
        ),
        ppo=PPOConfig(
            envs,
            reward="outcome",
            estimator="rloo",
            updates=200,
            problems=80,
            samples=4,
            minibatch=160,
            optimizer=OptimizerConfig(
                lr=1e-4, muon=False, warmup=10, weight_decay=0.0, micro_batch=micro
            ),
        ),
        limit=limit,
    )


def train(plan: Plan, out: Path) -> dict[str, str]:
    """Train the models, or go on with it; gives their folders."""
    models = {name: str(out / name / MODEL) for name in MODELS}
    sft(HFModel(tiny_model(plan.tiny)), plan.sft, out / INITIALISED)
    expert_iteration(HFModel.load(models[INITIALISED]), plan.search, out / SEARCHED)
    ppo(HFModel.load(models[INITIALISED]), plan.ppo, out / PPO)
    return models


def run_baselines(plan: Plan, out: Path, say: Callable[[str], None] = print) -> Path:
    """Train, score and report.

    Args:
        out: folder of everything.
        say: told of each run once it is done.

    Returns:
        The report.
    """
    models = train(plan, out)
    runs: dict[str, list[Run]] = {}
    for scored in plan.suites:
        problems = resolve(load_suite(scored.suite), scored.limit or plan.limit)
        runs[scored.name] = []
        for run in _score(scored, problems, out / "scores" / scored.name, models):
            runs[scored.name].append(run)
            say(f"{scored.name}: {run.name} {percent(summarise(run.episodes).wilson)}")
    report = out / REPORT
    report.write_text(_report(plan, runs), encoding="utf-8")
    return report


def _score(scored: Scored, problems: Resolved, out: Path, models: dict[str, str]) -> Iterator[Run]:
    for agent in AGENTS:
        yield run_suite(problems, out / agent, agent=agent, label=agent, progress=False)
    for name, model in models.items():
        for strategy in scored.strategies:
            yield run_suite(
                problems,
                out / f"{name}-{strategy}",
                model=model,
                strategy=strategy,
                label=name,
                chunk=16,  # prompts of thousands of tokens among them
                progress=False,
            )


def _report(plan: Plan, runs: dict[str, list[Run]]) -> str:
    parts = [
        "# Baselines",
        "Made by `reason-bench baselines`. Per cent solved, Wilson's 95 % intervals; errors and "
        "episodes that were not finished count as not solved. Tokens: all that were generated, a "
        "problem, discarded candidates included. `expert` reads the verifier (oracle division).",
        f"The models have {plan.tiny.layers} layers of width {plan.tiny.width}. `{INITIALISED}`: "
        f"{plan.sft.steps} steps of {plan.sft.batch} demonstrations, {plan.sft.expert_share:.0%} "
        f"of their lines an expert's. `{SEARCHED}`: then {plan.search.rounds} rounds of "
        f"{plan.search.problems} problems, searched with {plan.search.budget_tokens} tokens each. "
        f"`{PPO}`: {INITIALISED}, then {plan.ppo.updates} updates of PPO ({plan.ppo.estimator}), "
        f"each on {plan.ppo.samples} samples of {plan.ppo.problems} problems, paid for solving "
        f"them. All on train problems of the {len(plan.sft.envs)} families of core-v1 at level 1; "
        "nothing was tuned on any suite.",
    ]
    for name, scored in runs.items():
        config = scored[0].manifest.config
        limited = f", limited to {config['limit']} an entry" if config["limit"] else ""
        parts += [
            f"## {name}",
            f"{scored[0].manifest.episodes} problems{limited}, budget "
            f"{config['suite']['budget_tokens']} tokens a problem, suite hash "
            f"`{config['suite_hash'][:16]}`.",
            _table(scored),
            _by_family(scored),
        ]
    manifest = next(iter(runs.values()))[0].manifest
    hardware = manifest.environment["hardware"]
    parts.append(f"Hardware: {hardware['cpu']}, {hardware['cores']} cores.")
    return "\n\n".join(parts) + "\n"


def _table(runs: Sequence[Run]) -> str:
    header = ["baseline", "played by", "solved", "accuracy [95 % Wilson]", "tokens", "errors"]
    rows = []
    for run in runs:
        summary = summarise(run.episodes)
        rows.append(
            [
                run.stage,
                run.strategy,
                f"{summary.solved} of {summary.episodes}",
                percent(summary.wilson),
                f"{summary.tokens:.1f}",
                str(summary.errors),
            ]
        )
    return table(header, rows, left=2)


def _by_family(runs: Sequence[Run]) -> str:
    """Per cent solved in each family, levels together."""
    names = [
        run.stage if run.stage == run.strategy else f"{run.stage}, {run.strategy}" for run in runs
    ]
    solved: dict[str, list[str]] = {}
    for run in runs:
        groups: dict[str, list[bool]] = {}
        for name, episodes in families(run.episodes).items():
            family = name.rpartition(", level")[0]
            groups.setdefault(family, []).extend(episode.solved for episode in episodes)
        for family, right in groups.items():
            solved.setdefault(family, []).append(f"{100 * sum(right) / len(right):.0f}")
    return table(["family", *names], [[family, *cells] for family, cells in solved.items()])
