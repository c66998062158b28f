"""The reward model: a value head and a process reward head that guide searches.

A copy of a policy's network learns, all of it, to judge states: how likely it is that the goal is
still in reach and the last line right (process reward), and what return is to be expected (value).
`agents.learning.step_labels` says what the labels are. Each round, the policy as it came in, which
stays as it is, makes states on fresh problems of the train split:

- `rollouts`: episodes sampled from it, the states that best-of-n and votes have to tell apart;
- `search`: ways of the trees of an MCTS, the states that a tree search asks about.

Where a verifier is private, both write on after a wrong claim, as every search does, which is not
told of it: the guide has to know those states too.

Departures from Lightman et al., "Let's verify step by step", 2023, and from Math-Shepherd: the
label sits on the last token of the line *and of what the environment wrote in reply*, which is
where a guide reads; and classes are not balanced. Weighting the rarer one would move the base rate
that the head learns, and with it every probability: a calibrated head is worth more to a search
that weighs nodes of different problems than a higher accuracy on the rarer class. For the same
reason a state counts as often as it is visited.

The result judges and no longer writes: its network has moved away from the policy's. Give it to a
search as `reward_model` beside the policy.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from agents.learning.config import check_config
from agents.learning.forward import forward
from agents.learning.optimizers import Optimizer, OptimizerConfig
from agents.learning.rollout import replay, rollout, some_ways
from agents.learning.run import train
from agents.learning.specs import EnvSpec
from agents.learning.step_labels import LABELS, exact, monte_carlo
from agents.learning.trajectory import Batch, Trajectory, collate
from agents.models.base import LanguageModel
from agents.models.hf import HFModel
from agents.search import check_budget, load_strategy, run_searches
from agents.search.guides import check_guide
from reason_env.env import ReasonEnv
from reason_env.splits import stream_seed

STATES = ("rollouts", "search", "both")


@dataclass(frozen=True, slots=True)
class RewardModelConfig:
    """What `reason-train reward-model` takes."""

    envs: tuple[EnvSpec, ...] = field(metadata={"help": "environments, in equal shares"})
    labels: str = field(
        default="exact", metadata={"help": "exact or monte_carlo", "choices": tuple(LABELS)}
    )
    states: str = field(
        default="both", metadata={"help": "from rollouts, search or both", "choices": STATES}
    )
    rounds: int = field(default=30, metadata={"help": "rounds of making states and learning"})
    problems: int = field(default=256, metadata={"help": "fresh problems per round"})
    samples: int = field(default=4, metadata={"help": "rollouts per problem"})
    temperature: float = field(default=1.0, metadata={"help": "of all rollouts"})
    simulations: int = field(default=16, metadata={"help": "of the tree search, per problem"})
    branch: int = field(default=2, metadata={"help": "lines drawn per widening"})
    budget_tokens: int = field(default=96, metadata={"help": "of the search, per problem"})
    ways: int = field(default=4, metadata={"help": "ways of each tree to learn from"})
    guide: str = field(default="policy", metadata={"help": "who values the tree's nodes"})
    rollouts: int = field(default=8, metadata={"help": "samples per state (monte_carlo)"})
    hard: bool = field(default=False, metadata={"help": "any sample solved: 1 (monte_carlo)"})
    line_tokens: int = field(default=32, metadata={"help": "most tokens of one line"})
    epochs: int = field(default=1, metadata={"help": "passes over a round's states"})
    minibatch: int = field(default=128, metadata={"help": "trajectories per gradient step"})
    value_weight: float = field(default=1.0, metadata={"help": "of the value head's loss"})
    seed: int = field(
        default=0, metadata={"help": "of problems, rollouts and searches", "least": 0}
    )
    optimizer: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(lr=1e-3, warmup=10))


def reward_model(model: HFModel, config: RewardModelConfig, folder: Path) -> HFModel:
    """Reward model: a value head and a process reward head; in place, writes to `folder`.

    The policy that makes the states is the model as it comes in. Heads that it has are gone on
    from.

    Raises:
        ValueError: a setting out of its range, a guide that cannot serve, or exact labels where
            only answers are verified.
        FileExistsError: the folder holds another run.
    """
    _check(model, config)
    policy = copy.deepcopy(model)
    model.add_value_head()
    model.add_reward_head()
    per_problem = _uses(config, "rollouts") * config.samples + _uses(config, "search") * config.ways
    # How many ways the trees of a round have differs: the schedule runs over the most.
    most = config.epochs * -(-config.problems * per_problem // config.minibatch)
    optimizer = Optimizer(model, config.optimizer, config.rounds * most)

    def one_round(number: int) -> dict[str, float]:
        seed = stream_seed("reward_model", config.seed, number)
        lessons = make_lessons(policy, config, seed)
        if not lessons:
            raise ValueError(
                f"The policy's searches found no line in {config.problems} problems, so there is "
                f"nothing to learn from with states={config.states}, budget_tokens="
                f"{config.budget_tokens}, line_tokens={config.line_tokens}: train the policy first "
                "(reason-train sft), raise these, or use states=rollouts"
            )
        rng = np.random.default_rng(stream_seed(seed, "order"))
        return learn(model, optimizer, config, collate(lessons), number * most, rng)

    train(folder, "reward_model", config, model, optimizer, config.rounds, one_round, save_every=5)
    return model


def _uses(config: RewardModelConfig, states: str) -> bool:
    return config.states in (states, "both")


def _check(model: HFModel, config: RewardModelConfig) -> None:
    """Refuse what cannot be done, before any work starts."""
    check_config(config)
    for number, spec in enumerate(config.envs):
        env = spec.make(split="train")
        if config.labels == "exact" and not env.task.has_steps:
            raise ValueError(
                f"labels=exact needs a task whose lines are verified, and of {env.task.name} only "
                "the answers are: use labels=monte_carlo"
            )
        if _uses(config, "search"):
            check_guide(config.guide, model, env)
            env.reset(seed=stream_seed("reward_model", config.seed, "check", number))
            check_budget([env], config.budget_tokens)


def make_lessons(policy: LanguageModel, config: RewardModelConfig, seed: int) -> list[Trajectory]:
    """Labelled trajectories of the policy on fresh problems of the train split.

    Args:
        seed: of problems, rollouts, searches and labels.
    """
    envs: list[ReasonEnv] = []
    lessons: list[Trajectory] = []
    if _uses(config, "rollouts"):
        envs += _problems(config, seed, config.samples)
        lessons += rollout(
            policy,
            envs,
            stream_seed(seed, "rollouts"),
            config.temperature,
            config.line_tokens,
            blind=True,
        )
    if _uses(config, "search"):
        for env, way in _search(policy, config, seed):
            envs.append(env)
            lessons.append(way)
    if config.labels == "exact":
        labelled = [exact(lesson) for lesson in lessons]
    else:
        labelled = monte_carlo(
            policy,
            envs,
            lessons,
            stream_seed(seed, "labels"),
            config.rollouts,
            config.temperature,
            config.hard,
            config.line_tokens,
        )
    # They are judged and not cloned.
    return [replace(lesson, actions=(False,) * len(lesson.actions)) for lesson in labelled]


def _problems(config: RewardModelConfig, seed: int, copies: int = 1) -> list[ReasonEnv]:
    """Environments at fresh problems, `copies` in a row at each."""
    envs = []
    for problem in range(config.problems):
        for _ in range(copies):
            env = config.envs[problem % len(config.envs)].make(split="train")
            env.reset(seed=stream_seed(seed, "problem", problem))
            envs.append(env)
    return envs


def _search(
    policy: LanguageModel, config: RewardModelConfig, seed: int
) -> Iterator[tuple[ReasonEnv, Trajectory]]:
    """Ways of the trees of a search of each problem, with the environments they were played in."""
    strategy = load_strategy("mcts", simulations=config.simulations, branch=config.branch)
    envs = _problems(config, seed)
    roots = [env.snapshot() for env in envs]
    found = run_searches(
        policy,
        envs,
        strategy,
        [stream_seed(seed, "search", problem) for problem in range(config.problems)],
        config.budget_tokens,
        guide=config.guide,
        line_tokens=config.line_tokens,
    )
    rng = np.random.default_rng(stream_seed(seed, "ways"))
    for env, root, result in zip(envs, roots, found):
        for way in some_ways(result.tree, config.ways, rng):
            env.restore(root)
            yield env, replay(env, way)


def learn(
    model: HFModel,
    optimizer: Optimizer,
    config: RewardModelConfig,
    batch: Batch,
    first_step: int,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Fit both heads, and the network below them, to a round's labels.

    Returns:
        Means over the states of the first pass, each seen before it was learned from: cross
        entropy (nats) and accuracy at 1/2 of the process reward, error of the value (squared), and
        mean process label. Then how many states and gradient steps there were.
    """
    rows: list[tuple[float, ...]] = []
    steps = 0
    for epoch in range(config.epochs):
        for chosen in torch.from_numpy(rng.permutation(len(batch))).split(config.minibatch):
            count = int((~batch.potentials[chosen].isnan()).sum())
            sums = np.zeros(4)
            for micro in optimizer.micro_batches(chosen, batch.lengths[chosen]):
                part = batch.rows(micro)
                states = ~part.potentials.isnan()
                values, labels = part.potentials[states], part.process[states]
                out = forward(model, part)
                loss = binary_cross_entropy_with_logits(out.process, labels, reduction="sum")
                error = ((out.states - values) ** 2).sum()
                optimizer.backward((loss + config.value_weight * error) / count, part)
                right = ((out.process > 0) == (labels > 0.5)).float().sum()
                sums += loss.item(), right.item(), error.item(), labels.sum().item()
            optimizer.step(first_step + steps)
            steps += 1
            if epoch == 0:
                rows.append((count, *(sums / count)))
    counts, *columns = np.array(rows).T
    names = ("loss", "accuracy", "value_error", "positive")
    means = {
        name: float(np.average(column, weights=counts)) for name, column in zip(names, columns)
    }
    return {**means, "states": counts.sum(), "steps": steps}
