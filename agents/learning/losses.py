"""Losses: pure functions over the agent's tokens, shared by all trainers. All are token means."""

from __future__ import annotations

import torch

_LOG_RATIO_LIMIT = 20.0


def policy_loss(
    logprobs: torch.Tensor,
    old_logprobs: torch.Tensor,
    advantages: torch.Tensor,
    clip: float = 0.2,
) -> tuple[torch.Tensor, torch.Tensor]:
    """PPO's clipped objective (Schulman et al., "Proximal policy optimization algorithms", 2017,
    eq. 7), negated.

    Args:
        logprobs: of the taken tokens under the policy, (N,).
        old_logprobs: under the policy that took them, (N,).
        advantages: (N,).
        clip: how far the ratio may leave 1.

    Returns:
        The loss and the ratio of each token, (N,).
    """
    ratio = (logprobs - old_logprobs).clamp(-_LOG_RATIO_LIMIT, _LOG_RATIO_LIMIT).exp()
    clipped = ratio.clamp(1 - clip, 1 + clip)
    return -torch.minimum(ratio * advantages, clipped * advantages).mean(), ratio


def value_loss(
    values: torch.Tensor, old_values: torch.Tensor, returns: torch.Tensor, clip: float = 0.2
) -> torch.Tensor:
    """Half the larger of the plain and the clipped squared error.

    Args:
        values: of the critic now, (N,).
        old_values: when the rollout was made, (N,).
        returns: targets, (N,).
        clip: how far a value may leave the old one.
    """
    clipped = old_values + (values - old_values).clamp(-clip, clip)
    return 0.5 * torch.maximum((values - returns) ** 2, (clipped - returns) ** 2).mean()


def kl_k3(logprobs: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Estimate of KL(policy || reference) from tokens that the policy took: exp(-r) - 1 + r with
    r = log pi - log ref (Schulman, "Approximating KL divergence", 2020), mean over (N,)."""
    r = (logprobs - reference).clamp(-_LOG_RATIO_LIMIT, _LOG_RATIO_LIMIT)
    return ((-r).exp() - 1 + r).mean()


def entropy(logits: torch.Tensor) -> torch.Tensor:
    """Mean entropy of the next-token distributions, nats; logits (N, V)."""
    logprobs = logits.log_softmax(-1)
    return -(logprobs.exp() * logprobs).sum(-1).mean()
