"""Expert iteration: search against the verifier, clone what was found, repeat
(Anthony, Tian and Barber, "Thinking fast and slow with deep learning and tree search", 2017).

Every round draws fresh problems of the train split: cloning the same few solutions again and again
overfits, so the search goes on to new problems rather than to more solutions of the old ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from agents.learning.forward import forward
from agents.learning.optimizers import Optimizer, OptimizerConfig
from agents.learning.rollout import replay
from agents.learning.run import train
from agents.learning.specs import EnvSpec
from agents.learning.trajectory import Batch, collate
from agents.models.hf import HFModel
from agents.search import load_strategy, run_searches
from reason_env.splits import stream_seed


@dataclass(frozen=True, slots=True)
class ExpertIterationConfig:
    """What `reason-train expert-iteration` takes."""

    envs: tuple[EnvSpec, ...] = field(metadata={"help": "environments, in equal shares"})
    rounds: int = field(default=20, metadata={"help": "rounds of search and cloning"})
    problems: int = field(default=512, metadata={"help": "fresh problems per round"})
    epochs: int = field(default=2, metadata={"help": "passes over a round's solutions"})
    minibatch: int = field(default=64, metadata={"help": "solutions per gradient step"})
    simulations: int = field(default=16, metadata={"help": "of the tree search, per problem"})
    branch: int = field(default=4, metadata={"help": "lines drawn per widening"})
    budget_tokens: int = field(default=160, metadata={"help": "generated tokens per problem"})
    guide: str = field(default="oracle", metadata={"help": "who values the tree's nodes"})
    temperature: float = field(default=1.0, metadata={"help": "of the drawn lines"})
    seed: int = field(default=0, metadata={"help": "of problems and searches"})
    optimizer: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(lr=5e-4, warmup=10))


def expert_iteration(model: HFModel, config: ExpertIterationConfig, folder: Path) -> HFModel:
    """Expert iteration: search, clone what was found, repeat; in place, writes to `folder`.

    Raises:
        ValueError: an option of the search out of its range.
        FileExistsError: the folder holds another run.
    """
    strategy = load_strategy(
        "mcts",
        simulations=config.simulations,
        branch=config.branch,
        temperature=config.temperature,
    )
    # Numbers of steps differ with what is found: the schedule runs over the most there can be.
    most = config.epochs * -(-config.problems // config.minibatch)
    optimizer = Optimizer(model, config.optimizer, config.rounds * most)

    def one_round(number: int) -> dict[str, float]:
        seed = stream_seed("expert_iteration", config.seed, number)
        envs = []
        for problem in range(config.problems):
            env = config.envs[problem % len(config.envs)].make(split="train")
            env.reset(seed=stream_seed(seed, problem))
            envs.append(env)
        roots = [env.snapshot() for env in envs]
        seeds = [stream_seed(seed, problem, 0) for problem in range(config.problems)]
        found = run_searches(
            model, envs, strategy, seeds, config.budget_tokens, guide=config.guide, line_tokens=32
        )
        solutions = []
        for env, root, result in zip(envs, roots, found):
            env.restore(root)
            trajectory = replay(env, result)
            if trajectory.solved:
                solutions.append(trajectory)
        spent = sum(result.ledger.generated_tokens for result in found)
        row = {
            "found": len(solutions) / config.problems,
            "tokens_per_problem": spent / config.problems,
        }
        if not solutions:
            return row
        rng = np.random.default_rng(seed)
        return {**row, **_clone(model, optimizer, collate(solutions), config, number * most, rng)}

    train(
        folder, "expert_iteration", config, model, optimizer, config.rounds, one_round, save_every=5
    )
    return model


def _clone(
    model: HFModel,
    optimizer: Optimizer,
    batch: Batch,
    config: ExpertIterationConfig,
    first_step: int,
    rng: np.random.Generator,
) -> dict[str, float]:
    losses: list[float] = []
    for _ in range(config.epochs):
        order: Sequence[torch.Tensor] = torch.from_numpy(rng.permutation(len(batch))).split(
            config.minibatch
        )
        for chosen in order:
            loss = -forward(model, batch.rows(chosen)).logprobs.mean()
            loss.backward()
            optimizer.step(first_step + len(losses))
            losses.append(loss.item())
    return {"loss": float(np.mean(losses)), "steps": len(losses)}
