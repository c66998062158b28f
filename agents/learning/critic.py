"""A critic for what a policy earns now, before the policy moves: value pretraining (Yuan et al.,
"What's behind PPO's collapse in long-CoT?", arXiv 2503.01491), of the head alone.

A value head that comes from elsewhere, such as from expert iteration, says what was earned there.
Under other rewards it is wrong from the start, and truncated episodes, which are paid what it says
of their last state, then teach the policy to stall.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from agents.learning.advantages import estimate
from agents.learning.forward import hidden_states
from agents.learning.ppo_config import PPOConfig
from agents.learning.trajectory import Trajectory, collate
from agents.models.hf import HFModel

_RIDGE = 1e-3
"""Penalty of the regression, in mean variances of the features."""


@torch.no_grad()
def fit_critic(
    model: HFModel, config: PPOConfig, trajectories: Sequence[Trajectory]
) -> dict[str, float]:
    """Fit the value head to the returns of episodes, in closed form (ridge regression); the network
    below it, which it shares with the policy, stays as it is.

    Args:
        model: has a value head.
        config: for the discount and the largest reward.
        trajectories: those that did not terminate are left out: nobody knows what else they would
            have earned.

    Returns:
        `explained_variance`: the share of the returns' variance that the head explains on these
        episodes now, at most 1; or nothing where no episode has ended and the head stays what it
        was.
    """
    assert model.value_head is not None
    ended = [trajectory for trajectory in trajectories if trajectory.terminated]
    if not ended:
        return {}
    batch = collate(ended)
    _, returns = estimate(
        "reinforce",
        batch.rewards,
        batch.actions,
        gamma=config.gamma,
        clip=config.reward_clip or None,
    )
    features, targets = [], []
    for rows in torch.arange(len(batch)).split(config.minibatch):
        part = batch.rows(rows)
        features.append(hidden_states(model, part)[:, :-1][part.actions[:, 1:]].double())
        targets.append(returns[rows, : part.ids.shape[1]][part.actions].double())
    x, y = torch.cat(features), torch.cat(targets)
    centred, relative = x - x.mean(0), y - y.mean()
    covariance = centred.T @ centred
    penalty = _RIDGE * covariance.diagonal().mean().clamp(min=1e-12)
    weight = torch.linalg.solve(
        covariance + penalty * torch.eye(len(covariance), dtype=x.dtype), centred.T @ relative
    )
    model.value_head.weight.copy_(weight[None])
    model.value_head.bias.copy_(y.mean() - x.mean(0) @ weight)
    unexplained = (relative - centred @ weight).square().mean()
    return {"explained_variance": float(1 - unexplained / (relative.square().mean() + 1e-8))}
