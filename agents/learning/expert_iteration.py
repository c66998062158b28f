"""Expert iteration: search against the verifier, clone what was found, repeat
(Anthony, Tian and Barber, "Thinking fast and slow with deep learning and tree search", 2017).

Unless its weight is 0, a value head learns the states of the search trees, many of which lead
nowhere, which no cloned solution could show. That makes the guide `value` for searches that may not
read the verifier. Its targets are the exact potentials; or, where all that may be known is how
episodes end, what came of the way on which the state was seen.

Every round draws fresh problems of the train split: cloning the same few solutions again and again
overfits, so the search goes on to new problems rather than to more solutions of the old ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from agents.learning.config import check_config
from agents.learning.forward import forward
from agents.learning.losses import token_weights
from agents.learning.optimizers import Optimizer, OptimizerConfig
from agents.learning.rollout import replay, some_ways
from agents.learning.run import train
from agents.learning.searching import search_problems
from agents.learning.specs import EnvSpec
from agents.learning.trajectory import Batch, Trajectory, collate
from agents.models.hf import HFModel
from reason_env.splits import stream_seed
from reason_env.task import DISCOUNT


@dataclass(frozen=True, slots=True)
class ExpertIterationConfig:
    """What `reason-train expert-iteration` takes."""

    envs: tuple[EnvSpec, ...] = field(metadata={"help": "environments, in equal shares"})
    rounds: int = field(default=20, metadata={"help": "rounds of search and cloning"})
    problems: int = field(default=512, metadata={"help": "fresh problems per round"})
    epochs: int = field(default=2, metadata={"help": "passes over a round's solutions"})
    minibatch: int = field(default=64, metadata={"help": "solutions per gradient step"})
    simulations: int = field(default=32, metadata={"help": "of the tree search, per problem"})
    branch: int = field(default=2, metadata={"help": "lines drawn per widening"})
    budget_tokens: int = field(default=128, metadata={"help": "generated tokens per problem"})
    leaves: int = field(
        default=1, metadata={"help": "ways of each tree to learn values from", "least": 0}
    )
    value_weight: float = field(
        default=1.0, metadata={"help": "of the value head's loss; 0: no value head"}
    )
    values: str = field(
        default="exact",
        metadata={
            "help": "what it learns: exact potentials, or the outcome of the way",
            "choices": ("exact", "outcome"),
        },
    )
    guide: str = field(default="oracle", metadata={"help": "who values the tree's nodes"})
    seed: int = field(default=0, metadata={"help": "of problems and searches", "least": 0})
    optimizer: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(lr=5e-4, warmup=10))


def expert_iteration(model: HFModel, config: ExpertIterationConfig, folder: Path) -> HFModel:
    """Expert iteration: search, clone what was found, repeat; in place, writes to `folder`.

    Raises:
        ValueError: an option of the search out of its range.
        FileExistsError: the folder holds another run.
    """
    check_config(config)
    if config.value_weight:
        model.add_value_head()
    else:
        # One that is not learned no longer fits once the network below it has moved.
        model.value_head = None
    # How many steps a round takes differs with what is found: the schedule runs over the most.
    most = config.epochs * -(-config.problems * (1 + config.leaves) // config.minibatch)
    optimizer = Optimizer(model, config.optimizer, config.rounds * most)

    def one_round(number: int) -> dict[str, float]:
        seed = stream_seed("expert_iteration", config.seed, number)
        rng = np.random.default_rng(seed)
        lessons: list[Trajectory] = []
        solved = spent = 0
        for env, root, found in search_problems(model, config, seed):
            spent += found.ledger.generated_tokens
            env.restore(root)
            solution = replay(env, found.tokens)
            if solution.solved:
                solved += 1
                lessons.append(solution)
            for way in some_ways(found.tree, config.leaves, rng):
                env.restore(root)
                lessons.append(_without_actions(replay(env, way)))
        row = {"found": solved / config.problems, "tokens_per_problem": spent / config.problems}
        if not lessons:
            return row
        if config.values == "outcome":
            lessons = [by_outcome(lesson) for lesson in lessons]
        return {**row, **_learn(model, optimizer, collate(lessons), config, number * most, rng)}

    train(
        folder, "expert_iteration", config, model, optimizer, config.rounds, one_round, save_every=5
    )
    return model


def by_outcome(trajectory: Trajectory) -> Trajectory:
    """The trajectory with what came of it in place of its states' potentials: where it was solved,
    `DISCOUNT` to the power of the lines that were still to come, else 0."""
    worth = [math.nan] * len(trajectory.tokens)
    for left, visit in enumerate(reversed(trajectory.visits)):
        worth[visit.place] = DISCOUNT**left if trajectory.solved else 0.0
    return replace(trajectory, potentials=tuple(worth))


def _without_actions(trajectory: Trajectory) -> Trajectory:
    """For its values alone: nothing of it is cloned."""
    return replace(trajectory, actions=(False,) * len(trajectory.actions))


def _learn(
    model: HFModel,
    optimizer: Optimizer,
    batch: Batch,
    config: ExpertIterationConfig,
    first_step: int,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Clone the solutions and fit the values, for some epochs."""
    rows: list[NDArray[np.float64]] = []
    for _ in range(config.epochs):
        for chosen in torch.from_numpy(rng.permutation(len(batch))).split(config.minibatch):
            weights = token_weights(batch.actions[chosen])
            states = (~batch.potentials[chosen].isnan()).sum()
            losses = np.zeros(2)
            for micro in optimizer.micro_batches(torch.arange(len(chosen)), batch.lengths[chosen]):
                part = batch.rows(chosen[micro])
                counts = weights[micro, : part.ids.shape[1]][part.actions]
                out = forward(model, part)
                # A part may happen to have no solution to clone.
                clone = -(out.logprobs * counts).sum()
                targets = part.potentials[~part.potentials.isnan()]
                value = ((out.states - targets) ** 2).sum() / states
                optimizer.backward(clone + config.value_weight * value, part)
                losses += clone.item(), value.item()
            optimizer.step(first_step + len(rows))
            rows.append(losses)
    clone_loss, value_error = np.mean(rows, axis=0)
    row = {"loss": clone_loss, "steps": len(rows)}
    return {**row, "value_error": value_error} if model.has_values else row
