"""Direct preference optimisation on pairs of sibling lines from search trees.

Each update searches fresh problems of the train split. Where a node's children differ in what the
search found them to be worth, its best line is preferred to its worst, after the same lines before
(Rafailov et al., "Direct preference optimization", 2023; line by line from tree search as in Xie et
al., "Monte Carlo tree search boosts reasoning via iterative preference learning", 2024). No reward
is modelled and nothing is sampled from the policy but the search. The preferred line is cloned
beside, without which both sides may become less likely (Pang et al., "Iterative reasoning
preference optimization", 2024).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from agents.learning.config import check_config
from agents.learning.forward import forward
from agents.learning.losses import dpo_loss
from agents.learning.optimizers import Optimizer, OptimizerConfig
from agents.learning.policy_update import as_reference, evaluate_policy
from agents.learning.rollout import replay
from agents.learning.run import train
from agents.learning.searching import search_problems
from agents.learning.specs import EnvSpec
from agents.learning.trajectory import Batch, Trajectory, collate, line_tokens
from agents.models.hf import HFModel
from agents.search.tree import Tree
from reason_env.env import ReasonEnv, Snapshot
from reason_env.splits import stream_seed


@dataclass(frozen=True, slots=True)
class DPOConfig:
    """What `reason-train dpo` takes."""

    envs: tuple[EnvSpec, ...] = field(metadata={"help": "environments, in equal shares"})
    updates: int = field(default=20, metadata={"help": "rounds of search and learning"})
    problems: int = field(default=256, metadata={"help": "fresh problems per update"})
    simulations: int = field(default=32, metadata={"help": "of the tree search, per problem"})
    branch: int = field(default=2, metadata={"help": "lines drawn per widening"})
    budget_tokens: int = field(default=128, metadata={"help": "generated tokens per problem"})
    guide: str = field(default="oracle", metadata={"help": "who values the tree's nodes"})
    margin: float = field(default=0.1, metadata={"help": "least difference in worth of a pair"})
    beta: float = field(default=0.1, metadata={"help": "how strongly the reference holds"})
    smoothing: float = field(
        default=0.0, metadata={"help": "chance that a pair is the wrong way round, below 0.5"}
    )
    ipo: bool = field(default=False, metadata={"help": "the squared loss of IPO instead"})
    clone_weight: float = field(
        default=1.0, metadata={"help": "of cloning the preferred line beside; 0: plain DPO"}
    )
    epochs: int = field(default=1, metadata={"help": "passes over an update's pairs"})
    minibatch: int = field(default=64, metadata={"help": "pairs per gradient step"})
    seed: int = field(default=0, metadata={"help": "of problems and searches", "least": 0})
    optimizer: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(lr=5e-4, warmup=10))


def dpo(model: HFModel, config: DPOConfig, folder: Path) -> HFModel:
    """Direct preference optimisation on sibling lines of search trees, in place.

    Writes the run to `folder`. The reference policy is the model as it comes in. A value head that
    no guide asks is taken away: it would no longer fit.

    Raises:
        ValueError: a setting out of its range.
        FileExistsError: the folder holds another run.
        DivergedError: a loss or a gradient was not finite.
    """
    _check(config)
    reference = None if config.optimizer.lora else copy.deepcopy(model)
    if "value" not in config.guide:
        model.value_head = None
    # How many pairs the trees of an update have differs: the schedule runs over a pair a problem.
    most = config.epochs * -(-config.problems // config.minibatch)
    optimizer = Optimizer(model, config.optimizer, config.updates * most)

    def update(number: int) -> dict[str, float]:
        seed = stream_seed("dpo", config.seed, number)
        sides: list[Trajectory] = []
        for env, root, found in search_problems(model, config, seed):
            if found.tree is not None:
                for pair in sibling_pairs(found.tree, config.margin):
                    sides += (last_line(env, root, found.tree, node) for node in pair)
        row: dict[str, float] = {"pairs": len(sides) / 2}
        if sides:
            rng = np.random.default_rng(stream_seed(seed, "order"))
            row |= _learn(model, reference, optimizer, config, sides, number * most, rng)
        return row

    train(folder, "dpo", config, model, optimizer, config.updates, update, save_every=5)
    return model


def _check(config: DPOConfig) -> None:
    check_config(config)
    if not config.smoothing < 0.5:
        raise ValueError(f"smoothing must be below 0.5, received {config.smoothing}")
    if not config.beta:
        raise ValueError("beta must be above 0: at 0 no pair would matter")


def sibling_pairs(tree: Tree, margin: float) -> list[tuple[int, int]]:
    """The best and the worst child of every node whose children differ.

    Args:
        margin: least difference between what they are worth: the reward of the line and the mean
            return from there on that the search saw.

    Returns:
        Indices of the better and the worse node, in the tree's order.
    """
    families: dict[int, list[int]] = {}
    for index, node in enumerate(tree.nodes):
        if node.parent >= 0 and node.line:
            families.setdefault(node.parent, []).append(index)
    pairs = []
    for children in families.values():
        worth = {i: tree.nodes[i].reward + tree.nodes[i].mean for i in children}
        best, worst = max(children, key=worth.__getitem__), min(children, key=worth.__getitem__)
        different = tree.nodes[best].line != tree.nodes[worst].line
        if different and worth[best] - worth[worst] >= max(margin, 1e-9):
            pairs.append((best, worst))
    return pairs


def last_line(env: ReasonEnv, root: Snapshot, tree: Tree, index: int) -> Trajectory:
    """The way to a node, of which only what was written since its parent counts as the agent's."""
    way = [line_tokens(line) for line in tree.way(index)]
    before = len(tree.way(tree.nodes[index].parent))
    env.restore(root)
    shared = len(replay(env, way[:before]).tokens)
    env.restore(root)
    whole = replay(env, way)
    actions = (acted and i >= shared for i, acted in enumerate(whole.actions))
    return replace(whole, actions=tuple(actions))


def _learn(
    model: HFModel,
    reference: HFModel | None,
    optimizer: Optimizer,
    config: DPOConfig,
    sides: Sequence[Trajectory],
    first_step: int,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Learn from pairs, given as better and worse in turn.

    Returns:
        Means over the gradient steps: loss, how often the better side has the higher implicit
        reward, by how much it has, and the cloning loss (nats per token).
    """
    batch = collate(sides)
    everything = torch.arange(len(batch))
    with as_reference(model, reference) as policy:
        parts = everything.split(2 * config.minibatch)
        held, _, _ = evaluate_policy(policy, batch, parts)
    held = held.sum(-1)
    rows: list[NDArray[np.float64]] = []
    for _ in range(config.epochs):
        for chosen in torch.from_numpy(rng.permutation(len(batch) // 2)).split(config.minibatch):
            sums = np.zeros(4)
            for micro in optimizer.micro_batches(chosen, batch.lengths[2 * chosen]):
                index = torch.stack([2 * micro, 2 * micro + 1], dim=1).flatten()
                part = batch.rows(index)
                said, cloning = _of_sides(model, part)
                loss, margin = dpo_loss(
                    said[::2],
                    said[1::2],
                    held[index][::2],
                    held[index][1::2],
                    config.beta,
                    config.smoothing,
                    config.ipo,
                )
                share = 1 / len(chosen)
                total = (loss.sum() + config.clone_weight * cloning.sum()) * share
                optimizer.backward(total, part)
                found = (loss, (margin > 0).float(), margin, cloning)
                sums += [float(x.detach().sum()) * share for x in found]
            optimizer.step(first_step + len(rows))
            rows.append(sums)
    return dict(zip(("loss", "accuracy", "margin", "clone_loss"), np.mean(rows, axis=0)))


def _of_sides(model: HFModel, part: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probability of each row's action tokens, (2 P,), and the mean negative one of a token of
    the better rows, which are every other, (P,)."""
    logprobs = forward(model, part).logprobs
    rows = part.actions.nonzero()[:, 0]
    sums = torch.zeros(len(part)).index_add(0, rows, logprobs)
    lengths = part.actions.sum(-1)
    return sums, -(sums / lengths.clamp(min=1))[::2]
