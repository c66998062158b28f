"""What `reason-bench roadmap` trains and asks: stages, as data, in the order they are made in.

Every stage but the first goes on from another. What some of them get depends on what the others
took: a control gets their seconds, expert data as many solutions as search found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from agents.learning.expert_iteration import ExpertIterationConfig
from agents.learning.optimizers import OptimizerConfig
from agents.learning.ppo import PPOConfig
from agents.learning.sft import SFTConfig
from agents.learning.specs import EnvSpec
from agents.models.tiny import TinyConfig
from benchmarks.compute import rows_of, seconds_of, steps_for

FAMILIES = (
    EnvSpec.parse("Countdown-v0:level=1,feedback=state"),
    # No room for a line that leads away: with more, every legal line solves it in the end, and all
    # that there is to learn are sums.
    EnvSpec.parse("LinearEquation-v0:level=1,feedback=state,max_steps=3,max_tokens=48"),
    EnvSpec.parse("GraphPath-v0:level=1,feedback=state"),
)
ESTIMATORS = ("reinforce_baseline", "rloo", "grpo", "dr_grpo")
REWARDS = ("outcome", "process", "shaped")
GREEDY, SAMPLE, SEARCH = "greedy", "sample", "mcts"
"""Strategies that stages are scored with."""
LINE = ("initialised", "searched", "trained")
"""The main line: policy initialisation, search, learning."""
STARTS = {"": "searched", "early-": "initialised"}
"""What rewards and estimators are compared from, by prefix of the stages' names."""

Config = SFTConfig | ExpertIterationConfig | PPOConfig


@dataclass(frozen=True, slots=True)
class Plan:
    """The sizes of everything. Tuned on train and dev problems only.

    Attributes:
        suite: that all stages are scored on.
        limit: at most so many problems of each family; None: all.
        seeds: of training; each is the whole experiment over again.
        tiny, large: shapes of the models; the large one has four times the parameters.
        sft, search, ppo: the main line.
        choice: PPO's, for what compares rewards and estimators.
    """

    suite: str
    limit: int | None
    seeds: tuple[int, ...]
    tiny: TinyConfig
    large: TinyConfig
    sft: SFTConfig
    search: ExpertIterationConfig
    ppo: PPOConfig
    choice: PPOConfig


# Sixteen episodes of like length at a time: those of one family are twice as long as another's.
_SFT = OptimizerConfig(micro_batch=16)
_SEARCH = OptimizerConfig(lr=5e-4, warmup=10, micro_batch=16)
_PPO = OptimizerConfig(lr=1e-4, muon=False, warmup=10, weight_decay=0.0, micro_batch=16)
PLAN = Plan(
    suite="roadmap",
    limit=None,
    seeds=(0,),
    tiny=TinyConfig(),
    large=TinyConfig(layers=5, width=240, heads=6),
    sft=SFTConfig(FAMILIES, expert_share=0.1, steps=400, optimizer=_SFT),
    # Search sees the verifier at the end of episodes and nothing else: no potential, no expert.
    search=ExpertIterationConfig(
        FAMILIES,
        rounds=30,
        problems=384,
        guide="public",
        values="outcome",
        budget_tokens=256,
        optimizer=_SEARCH,
    ),
    # The critic comes from expert iteration, which paid for other things.
    ppo=PPOConfig(
        FAMILIES, reward="outcome", updates=80, problems=192, critic_warmup=1, optimizer=_PPO
    ),
    choice=PPOConfig(FAMILIES, updates=20, problems=96, samples=4, critic_warmup=1, optimizer=_PPO),
)


@dataclass(frozen=True, slots=True)
class Stage:
    """A model of the experiment.

    Attributes:
        label: in tables.
        start: stage that it goes on from; None: an untrained model of the shape `shape`.
        config: what it is trained with, known once the stages before it are there.
        strategies: that it is scored with.
        reads: stages, beside `start`, that `config` must find done.
    """

    label: str
    start: str | None
    config: Callable[[], Config]
    shape: TinyConfig = field(default_factory=TinyConfig)
    strategies: tuple[str, ...] = (GREEDY,)
    reads: tuple[str, ...] = ()

    @property
    def needs(self) -> set[str]:
        """Stages that must be done before this one."""
        return {*self.reads, *([self.start] if self.start else [])}


def stages_of(plan: Plan, seed: int, root: Path) -> dict[str, Stage]:
    """The stages of one seed, whose run folders are below `root`.

    Args:
        seed: of models, demonstrations, searches and samples.
    """
    sft, search = replace(plan.sft, seed=seed), replace(plan.search, seed=seed)
    choice = replace(plan.choice, seed=seed)

    def control() -> SFTConfig:
        extra = seconds_of(root / "searched", root / "trained")
        return replace(steps_for(sft, root / "initialised", extra), first_batch=sft.steps)

    def expert_data() -> SFTConfig:
        """As many solutions of an expert as search found, with the same passes and optimizer."""
        found = sum(row["found"] for row in rows_of(root / "searched")) * search.problems
        batches = -(-round(found) // search.minibatch)
        return replace(
            sft,
            expert_share=1.0,
            steps=max(1, search.epochs * batches),
            passes=search.epochs,
            batch=search.minibatch,
            first_batch=sft.steps,
            optimizer=search.optimizer,
        )

    def large_long() -> SFTConfig:
        return steps_for(sft, root / "large", seconds_of(*(root / name for name in LINE)))

    start, both, all_three = "initialised", (GREEDY, SEARCH), (GREEDY, SAMPLE, SEARCH)
    stages = {
        "initialised": Stage("initialised", None, lambda: sft, plan.tiny, all_three),
        "searched": Stage("expert iteration", start, lambda: search, strategies=all_three),
        "trained": Stage(
            "then PPO", "searched", lambda: replace(plan.ppo, seed=seed), strategies=all_three
        ),
        "control": Stage("control: more SFT", start, control, strategies=both, reads=LINE),
        "expert-data": Stage("expert data", start, expert_data, reads=("searched",)),
        "large": Stage("4x parameters", None, lambda: sft, plan.large, both),
        "large-long": Stage(
            "4x, equal compute", None, large_long, plan.large, both, reads=(*LINE, "large")
        ),
    }
    for prefix, begin in STARTS.items():
        when = ", early" if prefix else ""
        for reward in REWARDS:
            config = replace(choice, reward=reward)
            stages[f"{prefix}reward-{reward}"] = _choice(f"{reward} reward{when}", begin, config)
        for name in ESTIMATORS:
            config = replace(choice, estimator=name, reward="outcome", critic_warmup=0)
            stages[f"{prefix}estimator-{name}"] = _choice(f"{name}{when}", begin, config)
    return stages


def _choice(label: str, start: str, config: PPOConfig) -> Stage:
    # Sampled too: that is what policy gradients raise.
    return Stage(label, start, lambda: config, strategies=(GREEDY, SAMPLE))
