"""One policy-gradient update: from sampled episodes to a few clipped steps.

Old log-probabilities, values and the reference's log-probabilities are computed part by part, in
the very shapes of the gradient steps, so the ratio of the first step is exactly 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from agents.learning.advantages import ESTIMATORS, estimate
from agents.learning.forward import forward
from agents.learning.losses import (
    POLICY_LOSSES,
    entropy,
    kl_estimate,
    kl_loss,
    policy_loss,
    token_weights,
    value_loss,
)
from agents.learning.optimizers import Optimizer
from agents.learning.ppo_config import PPOConfig
from agents.learning.trajectory import Batch, Trajectory, collate
from agents.models.hf import HFModel
from agents.models.lora import without_adapters


def learn(
    model: HFModel,
    reference: HFModel | None,
    optimizer: Optimizer,
    config: PPOConfig,
    trajectories: Sequence[Trajectory],
    first_step: int,
    seed: int,
    kl_weight: float | None = None,
) -> dict[str, float]:
    """One update on a rollout.

    Args:
        reference: policy that the KL divergence is measured from; None: the model without its
            adapters.
        trajectories: those of one problem side by side.
        first_step: number of the first gradient step, for the learning rate.
        seed: of the order of the minibatches.
        kl_weight: in place of the configuration's.

    Returns:
        Means over the gradient steps of loss parts, entropy (nats), ratio, clip fraction and norm;
        and of the rollout the KL divergence per token and, with a critic, what share of the
        returns' variance it explained.
    """
    weight = config.kl_weight if kl_weight is None else kl_weight
    batch = collate(trajectories)
    rng = np.random.default_rng(seed)
    minibatches = _shuffled(len(batch), config.minibatch, rng)
    parts = [
        part for rows in minibatches for part in optimizer.micro_batches(rows, batch.lengths[rows])
    ]
    old_logprobs, old_values, bootstrap = evaluate_policy(model, batch, parts, config.temperature)
    with as_reference(model, reference) as policy:
        reference_logprobs, _, _ = evaluate_policy(policy, batch, parts, config.temperature)
    divergence = torch.where(
        batch.actions, kl_estimate(old_logprobs, reference_logprobs, config.kl_estimator), 0.0
    )
    estimator = ESTIMATORS[config.estimator]
    advantages, returns = estimate(
        config.estimator,
        batch.rewards,
        batch.actions,
        samples=config.samples,
        penalties=weight * divergence if config.kl_in == "reward" else None,
        values=old_values,
        bootstrap=bootstrap,
        gamma=config.gamma,
        lam=config.lam,
        clip=config.reward_clip or None,
    )
    steps: list[dict[str, float]] = []
    for epoch in range(config.epochs):
        if epoch:
            minibatches = _shuffled(len(batch), config.minibatch, rng)
        for rows in minibatches:
            counts = torch.zeros(batch.actions.shape)
            counts[rows] = token_weights(batch.actions[rows], _aggregation(config))
            said: list[dict[str, float]] = []
            for chosen in optimizer.micro_batches(rows, batch.lengths[rows]):
                part = batch.rows(chosen)
                tables = (old_logprobs, old_values, advantages, returns, reference_logprobs, counts)
                loss, row = _loss(model, config, part, [_of(t, chosen, part) for t in tables])
                if config.kl_in == "loss":
                    loss = loss + weight * row.pop("kl_loss")
                optimizer.backward(loss, part)
                said.append({key: float(value.detach()) for key, value in row.items()})
            step = {key: sum(row[key] for row in said) for key in said[0]}
            step["ratio_deviation"] = max(row["ratio_deviation"] for row in said)
            step["gradient_norm"] = optimizer.step(first_step + len(steps))
            steps.append(step)
    means = {key: float(np.mean([step[key] for step in steps])) for key in steps[0]}
    means["kl"] = float(divergence[batch.actions].mean())
    if estimator.critic:
        unexplained = (returns - old_values)[batch.actions].var()
        means["explained_variance"] = float(1 - unexplained / (returns[batch.actions].var() + 1e-8))
    return {**means, "first_ratio_deviation": steps[0]["ratio_deviation"]}


def _loss(
    model: HFModel, config: PPOConfig, part: Batch, tokens: Sequence[torch.Tensor]
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The loss of a part but for the KL divergence, and what to log of it, summed with the tokens'
    weights. `tokens` are the tables of `learn`, each (N,)."""
    old_logprobs, old_values, advantages, returns, reference, counts = tokens
    out = forward(model, part, config.temperature)
    episodes = part.actions.nonzero()[:, 0]
    ratio = POLICY_LOSSES[config.loss](out.logprobs, old_logprobs, episodes)
    surrogate, clipped = policy_loss(
        ratio, advantages, config.clip_low, config.clip_high, config.dual_clip or None
    )
    row = {
        "policy_loss": (surrogate * counts).sum(),
        "entropy": (entropy(out.logits) * counts).sum(),
        "ratio": (ratio * counts).sum(),
        "clipped": (clipped * counts).sum(),
        "ratio_deviation": (ratio - 1).abs().max(),
    }
    loss = row["policy_loss"] - config.entropy_weight * row["entropy"]
    if ESTIMATORS[config.estimator].critic:
        errors = value_loss(out.values, old_values, returns, config.value_clip or None)
        row["value_loss"] = (errors * counts).sum()
        loss = loss + config.value_weight * row["value_loss"]
    if config.kl_in == "loss":
        divergences = kl_loss(
            out.logprobs, reference, old_logprobs, config.kl_estimator, config.kl_unbiased
        )
        row["kl_loss"] = (divergences * counts).sum()
    return loss, row


def _aggregation(config: PPOConfig) -> str:
    # A ratio that an episode's tokens share is one number of that episode.
    return "sequence" if config.loss == "gspo" else config.aggregation


def _of(table: torch.Tensor, chosen: torch.Tensor, part: Batch) -> torch.Tensor:
    """(B, T) of the batch to (N,) of a part's action tokens."""
    return table[chosen, : part.ids.shape[1]][part.actions]


@contextmanager
def as_reference(model: HFModel, reference: HFModel | None) -> Iterator[HFModel]:
    """The reference policy; where it is None, the model without its adapters."""
    if reference is None:
        with without_adapters(model.network):
            yield model
    else:
        yield reference


@torch.no_grad()
def evaluate_policy(
    model: HFModel, batch: Batch, parts: Sequence[torch.Tensor], temperature: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Log-probabilities and values of a batch's action tokens, and the value after its end.

    Args:
        parts: row indices that together are the batch.
        temperature: at which the tokens were sampled.

    Returns:
        Log-probabilities and values, (B, T), 0 at other than action tokens; bootstrap values (B,),
        0 where the episode terminated.
    """
    logprobs = torch.zeros(batch.ids.shape)
    values = torch.zeros(batch.ids.shape)
    bootstrap = torch.zeros(len(batch))
    for chosen in parts:
        part = batch.rows(chosen)
        out = forward(model, part, temperature)
        width = part.ids.shape[1]
        for full, found in ((logprobs, out.logprobs), (values, out.values)):
            rows = torch.zeros(part.ids.shape)
            rows[part.actions] = found
            full[chosen, :width] = rows
        bootstrap[chosen] = torch.where(part.terminated, 0.0, out.final)
    return logprobs, values, bootstrap


def _shuffled(rows: int, size: int, rng: np.random.Generator) -> tuple[torch.Tensor, ...]:
    return torch.from_numpy(rng.permutation(rows)).split(size)
