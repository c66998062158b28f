"""Proximal policy optimisation with a critic, on verifier and process rewards.

One update: sample episodes of fresh problems, value every state with the critic, subtract the
penalty for leaving the reference policy, estimate advantages over the agent's tokens, and take a
few clipped steps. Process rewards sit on the token that ends their line. Critic and policy share
the network up to the value head.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from agents.learning.advantages import gae, whiten
from agents.learning.config import check_config
from agents.learning.forward import forward
from agents.learning.losses import entropy, kl_k3, policy_loss, value_loss
from agents.learning.optimizers import Optimizer, OptimizerConfig
from agents.learning.rollout import rollout
from agents.learning.run import train
from agents.learning.specs import EnvSpec
from agents.learning.trajectory import Batch, Trajectory, collate
from agents.models.hf import HFModel
from reason_env.splits import stream_seed


@dataclass(frozen=True, slots=True)
class PPOConfig:
    """What `reason-train ppo` takes."""

    envs: tuple[EnvSpec, ...] = field(metadata={"help": "environments, in equal shares"})
    reward: str = field(default="process", metadata={"help": "preset: outcome, process, shaped"})
    updates: int = field(default=100, metadata={"help": "rounds of rollout and learning"})
    problems: int = field(default=256, metadata={"help": "fresh problems per update"})
    samples: int = field(default=2, metadata={"help": "episodes per problem"})
    epochs: int = field(default=1, metadata={"help": "passes over each rollout"})
    minibatch: int = field(default=128, metadata={"help": "episodes per gradient step"})
    gamma: float = field(default=1.0, metadata={"help": "discount per token"})
    lam: float = field(default=0.95, metadata={"help": "lambda of GAE"})
    clip: float = field(default=0.2, metadata={"help": "PPO's clip range"})
    value_weight: float = field(default=0.5, metadata={"help": "of the critic's loss"})
    kl_weight: float = field(default=0.01, metadata={"help": "of the KL to the reference"})
    entropy_weight: float = field(default=0.0, metadata={"help": "of the entropy bonus"})
    seed: int = field(default=0, metadata={"help": "of problems and samples"})
    optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(lr=1e-4, muon=False, warmup=10, weight_decay=0.0)
    )


def ppo(model: HFModel, config: PPOConfig, folder: Path) -> HFModel:
    """Proximal policy optimisation with a critic, in place; writes the run to `folder`.

    The reference policy is the model as it comes in; it gets a value head if it has none.

    Raises:
        ValueError: a setting out of its range.
        FileExistsError: the folder holds another run.
    """
    check_config(config)
    reference = copy.deepcopy(model)
    model.add_value_head()
    per_update = config.epochs * -(-config.problems * config.samples // config.minibatch)
    optimizer = Optimizer(model, config.optimizer, config.updates * per_update)

    def update(number: int) -> dict[str, float]:
        seed = stream_seed("ppo", config.seed, number)
        trajectories = sample_episodes(model, config, seed)
        return {
            **_summary(trajectories),
            **learn(model, reference, optimizer, config, trajectories, number * per_update, seed),
        }

    train(folder, "ppo", config, model, optimizer, config.updates, update, save_every=20)
    return model


def sample_episodes(model: HFModel, config: PPOConfig, seed: int) -> list[Trajectory]:
    """`config.samples` episodes of each of `config.problems` fresh problems."""
    envs = []
    for problem in range(config.problems):
        spec = config.envs[problem % len(config.envs)]
        for _ in range(config.samples):
            env = spec.make(split="train", reward=config.reward)
            env.reset(seed=stream_seed(seed, problem))
            envs.append(env)
    return rollout(model, envs, seed)


def learn(
    model: HFModel,
    reference: HFModel,
    optimizer: Optimizer,
    config: PPOConfig,
    trajectories: list[Trajectory],
    first_step: int,
    seed: int,
) -> dict[str, float]:
    """One PPO update on a rollout.

    Returns:
        Means over the gradient steps of loss parts, KL, ratio and clip fraction.
    """
    batch = collate(trajectories)
    rng = np.random.default_rng(seed)
    parts = _shuffled(len(batch), config.minibatch, rng)
    old_logprobs, old_values, bootstrap = evaluate_policy(model, batch, parts)
    reference_logprobs, _, _ = evaluate_policy(reference, batch, parts)
    advantages, returns = gae(
        batch.rewards, old_values, batch.actions, bootstrap, config.gamma, config.lam
    )
    advantages = whiten(advantages, batch.actions)
    rows: list[dict[str, float]] = []
    for epoch in range(config.epochs):
        if epoch:
            parts = _shuffled(len(batch), config.minibatch, rng)
        for chosen in parts:
            part = batch.rows(chosen)

            def of_part(full: torch.Tensor) -> torch.Tensor:
                """(B, T) of the batch to (N,) of this part's action tokens."""
                return full[chosen, : part.ids.shape[1]][part.actions]  # noqa: B023

            out = forward(model, part)
            policy, ratio = policy_loss(
                out.logprobs, of_part(old_logprobs), of_part(advantages), config.clip
            )
            critic = value_loss(out.values, of_part(old_values), of_part(returns), config.clip)
            kl = kl_k3(out.logprobs, of_part(reference_logprobs))
            uncertainty = entropy(out.logits)
            loss = (
                policy
                + config.value_weight * critic
                + config.kl_weight * kl
                - config.entropy_weight * uncertainty
            )
            loss.backward()
            norm = optimizer.step(first_step + len(rows))
            rows.append(
                {
                    "policy_loss": policy.item(),
                    "value_loss": critic.item(),
                    "kl": kl.item(),
                    "entropy": uncertainty.item(),
                    "clipped": ((ratio - 1).abs() > config.clip).float().mean().item(),
                    "ratio_deviation": (ratio - 1).abs().max().item(),
                    "gradient_norm": norm,
                }
            )
    unexplained = (returns - old_values)[batch.actions].var()
    explained = 1 - unexplained / (returns[batch.actions].var() + 1e-8)
    means = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
    return {
        **means,
        "explained_variance": explained.item(),
        "first_ratio_deviation": rows[0]["ratio_deviation"],
    }


@torch.no_grad()
def evaluate_policy(
    model: HFModel, batch: Batch, parts: Sequence[torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Log-probabilities and values of a batch's action tokens, and the value after its end.

    Computed part by part as the gradient steps will, in the same shapes and precision: so the
    ratio of the first step is exactly 1.

    Args:
        parts: row indices that together are the batch.

    Returns:
        Log-probabilities and values, (B, T), 0 at other than action tokens; bootstrap values (B,),
        0 where the episode terminated.
    """
    logprobs = torch.zeros(batch.ids.shape)
    values = torch.zeros(batch.ids.shape)
    bootstrap = torch.zeros(len(batch))
    for chosen in parts:
        part = batch.rows(chosen)
        out = forward(model, part)
        width = part.ids.shape[1]
        for full, found in ((logprobs, out.logprobs), (values, out.values)):
            rows = torch.zeros(part.ids.shape)
            rows[part.actions] = found
            full[chosen, :width] = rows
        bootstrap[chosen] = torch.where(part.terminated, 0.0, out.final)
    return logprobs, values, bootstrap


def _shuffled(rows: int, size: int, rng: np.random.Generator) -> tuple[torch.Tensor, ...]:
    return torch.from_numpy(rng.permutation(rows)).split(size)


def _summary(trajectories: Sequence[Trajectory]) -> dict[str, float]:
    """What the sampled episodes were like: means per episode."""
    return {
        "solved": float(np.mean([t.solved for t in trajectories])),
        "reward": float(np.mean([sum(t.rewards) for t in trajectories])),
        "length": float(np.mean([sum(t.actions) for t in trajectories])),
    }
