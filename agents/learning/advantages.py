"""Advantage estimators: pure functions of rewards and values, shared by all trainers."""

from __future__ import annotations

import torch


def gae(
    rewards: torch.Tensor,
    values: torch.Tensor,
    actions: torch.Tensor,
    bootstrap: torch.Tensor,
    gamma: float = 1.0,
    lam: float = 0.95,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Generalised advantage estimation over the agent's tokens (Schulman et al., "High-dimensional
    continuous control using generalized advantage estimation", 2016, eq. 16).

    Tokens that the environment wrote are stepped over: they are neither actions nor time. (Going
    through them with value 0, as some trainers do, is exact only at gamma = lam = 1.)

    Args:
        rewards: (B, T); what stands at other than action tokens is ignored.
        values: (B, T); value of the state before the token at the same place was written.
        actions: bool (B, T).
        bootstrap: (B,); value of the state after the last action: 0 where the episode terminated,
            the critic's value where it was truncated.
        gamma: discount per action token, in [0, 1].
        lam: in [0, 1].

    Returns:
        Advantages and returns (advantage + value), both (B, T), 0 at other than action tokens.
    """
    advantages = torch.zeros_like(values)
    following_value = bootstrap.to(values)
    following_advantage = torch.zeros_like(following_value)
    for t in reversed(range(values.shape[1])):
        delta = rewards[:, t] + gamma * following_value - values[:, t]
        advantage = delta + gamma * lam * following_advantage
        acted = actions[:, t]
        advantages[:, t] = torch.where(acted, advantage, advantages[:, t])
        following_advantage = torch.where(acted, advantage, following_advantage)
        following_value = torch.where(acted, values[:, t], following_value)
    returns = torch.where(actions, advantages + values, torch.zeros_like(values))
    return advantages, returns


def whiten(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean 0 and standard deviation 1 over the masked entries of the whole batch, 0 elsewhere.

    Args:
        values: (B, T).
        mask: bool (B, T).
    """
    chosen = values[mask]
    scaled = (values - chosen.mean()) / (chosen.std(unbiased=False) + 1e-8)
    return torch.where(mask, scaled, torch.zeros_like(values))
