"""Losses: pure functions over the agent's tokens, shared by all trainers.

They give one number per token, or per pair; `token_weights` says how those add up to the loss.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn.functional import logsigmoid

_LOG_RATIO_LIMIT = 20.0
_KL_LIMIT = 10.0
_IMPORTANCE_LIMIT = 10.0

AGGREGATIONS = ("token", "sequence")


def token_weights(actions: torch.Tensor, aggregation: str = "token") -> torch.Tensor:
    """What each token counts in a loss, so that `(loss * weights).sum()` is its mean.

    Taken over a whole minibatch, and then cut into micro-batches, the weights make the gradients
    that those add up to the minibatch's own, however uneven the lengths are.

    Args:
        actions: bool (B, T).
        aggregation: `token`, the mean over all tokens (DAPO: Yu et al., 2025); or `sequence`, the
            mean over episodes of the mean over each one's tokens, episodes without any left out
            (GRPO: Shao et al., 2024).

    Returns:
        (B, T), 0 at other than action tokens; the sum is 1 where there is any.
    """
    acted = actions.float()
    lengths = acted.sum(-1, keepdim=True)
    if aggregation == "token":
        return acted / lengths.sum().clamp(min=1)
    return acted / lengths.clamp(min=1) / (lengths > 0).sum().clamp(min=1)


# -- Policy ------------------------------------------------------------------------------------


def token_ratio(
    logprobs: torch.Tensor, old_logprobs: torch.Tensor, rows: torch.Tensor
) -> torch.Tensor:
    """How much likelier each token has become (Schulman et al., "Proximal policy optimization
    algorithms", 2017).

    Args:
        logprobs: of the taken tokens under the policy, (N,).
        old_logprobs: under the policy that took them, (N,).
        rows: episode of each token, int64 (N,); not used.

    Returns:
        (N,).
    """
    return (logprobs - old_logprobs).clamp(-_LOG_RATIO_LIMIT, _LOG_RATIO_LIMIT).exp()


def sequence_ratio(
    logprobs: torch.Tensor, old_logprobs: torch.Tensor, rows: torch.Tensor
) -> torch.Tensor:
    """The geometric mean over its episode's tokens of how much likelier each has become (Zheng et
    al., "Group sequence policy optimization", 2025, eq. 7). Arguments and shape as `token_ratio`.
    """
    changes = logprobs - old_logprobs
    if not len(rows):
        return changes
    nothing = changes.new_zeros(int(rows.max()) + 1)
    sums = nothing.index_add(0, rows, changes)
    lengths = nothing.index_add(0, rows, torch.ones_like(changes))
    means = sums / lengths.clamp(min=1)
    return means.clamp(-_LOG_RATIO_LIMIT, _LOG_RATIO_LIMIT).exp()[rows]


POLICY_LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "ppo": token_ratio,
    "gspo": sequence_ratio,
}
"""Policy losses by name; they differ in the ratio that is clipped."""


def policy_loss(
    ratio: torch.Tensor,
    advantages: torch.Tensor,
    clip_low: float = 0.2,
    clip_high: float = 0.2,
    dual_clip: float | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """PPO's clipped objective (Schulman et al., 2017, eq. 7), negated, with the second bound of
    dual clip on request (Ye et al., "Mastering complex control in MOBA games", 2020, eq. 5).

    Args:
        ratio: of each token, (N,).
        advantages: (N,).
        clip_low, clip_high: how far the ratio may fall below, and rise above, 1.
        dual_clip: where the advantage is negative, the loss is at most so many times its size;
            above 1.

    Returns:
        The loss of each token, and whether clipping decided it, both (N,).
    """
    plain = ratio * advantages
    clipped = ratio.clamp(1 - clip_low, 1 + clip_high) * advantages
    objective = torch.minimum(plain, clipped)
    if dual_clip is not None:
        bounded = torch.maximum(objective, dual_clip * advantages)
        objective = torch.where(advantages < 0, bounded, objective)
    return -objective, clipped < plain


def entropy(logits: torch.Tensor) -> torch.Tensor:
    """Entropy of the next-token distributions, nats, (N,); logits (N, V)."""
    logprobs = logits.log_softmax(-1)
    return -(logprobs.exp() * logprobs).sum(-1)


# -- Critic ------------------------------------------------------------------------------------


def value_loss(
    values: torch.Tensor,
    old_values: torch.Tensor,
    returns: torch.Tensor,
    clip: float | None = 0.2,
) -> torch.Tensor:
    """Half the larger of the plain and the clipped squared error of each token, (N,).

    Args:
        values: of the critic now, (N,).
        old_values: when the rollout was made, (N,).
        returns: targets, (N,).
        clip: how far a value may leave the old one; None: as far as it likes.
    """
    error = (values - returns) ** 2
    if clip is not None:
        clipped = old_values + (values - old_values).clamp(-clip, clip)
        error = torch.maximum(error, (clipped - returns) ** 2)
    return 0.5 * error


# -- Reference policy --------------------------------------------------------------------------


def _k1(log_ratio: torch.Tensor) -> torch.Tensor:
    return log_ratio


def _k2(log_ratio: torch.Tensor) -> torch.Tensor:
    return 0.5 * log_ratio**2


def _k3(log_ratio: torch.Tensor) -> torch.Tensor:
    # Below -10 the estimate is past its limit anyway, and its gradient would overflow.
    log_ratio = log_ratio.clamp(min=-_KL_LIMIT)
    return (-log_ratio).exp() - 1 + log_ratio


KL_ESTIMATORS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "k1": _k1,
    "k2": _k2,
    "k3": _k3,
}
"""Estimates of KL(policy || reference) from the log-ratio of tokens that the policy took."""


def kl_estimate(
    logprobs: torch.Tensor, reference: torch.Tensor, estimator: str = "k3"
) -> torch.Tensor:
    """KL(policy || reference) as estimated from each token that the policy took (Schulman,
    "Approximating KL divergence", 2020): with r = log pi - log ref, `k1` is r, which is unbiased;
    `k2` is r^2 / 2, whose gradient is unbiased; `k3` is exp(-r) - 1 + r, which is unbiased and
    never negative. Kept within 10 of 0.

    Args:
        logprobs, reference: of the tokens under the policy and the reference, (N,).

    Returns:
        (N,).
    """
    return KL_ESTIMATORS[estimator](logprobs - reference).clamp(-_KL_LIMIT, _KL_LIMIT)


def kl_loss(
    logprobs: torch.Tensor,
    reference: torch.Tensor,
    old_logprobs: torch.Tensor,
    estimator: str = "k3",
    unbiased: bool = False,
) -> torch.Tensor:
    """The same, to be minimised.

    Args:
        old_logprobs: under the policy that took the tokens, (N,).
        unbiased: whether the gradient is that of the divergence itself, whatever the estimator:
            that of `k2`, weighted by how much likelier the token has become (at most 10). Else it
            is that of the estimator: on average 0 for `k1`, that of KL(policy || reference) for
            `k2`, and that of KL(reference || policy) for `k3`.

    Returns:
        (N,).
    """
    estimate = kl_estimate(logprobs, reference, estimator)
    if not unbiased:
        return estimate
    importance = (logprobs - old_logprobs).exp().clamp(max=_IMPORTANCE_LIMIT).detach()
    path = importance * _k2(logprobs - reference)
    return estimate.detach() + path - path.detach()


# -- Preferences -------------------------------------------------------------------------------


def dpo_loss(
    chosen: torch.Tensor,
    rejected: torch.Tensor,
    reference_chosen: torch.Tensor,
    reference_rejected: torch.Tensor,
    beta: float,
    smoothing: float = 0.0,
    ipo: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Direct preference optimisation (Rafailov et al., 2023, eq. 7).

    Args:
        chosen, rejected: log-probabilities of both sides under the policy, (P,).
        reference_chosen, reference_rejected: under the reference, (P,).
        beta: how strongly the policy is held to the reference.
        smoothing: probability that a pair is the wrong way round (conservative DPO: Mitchell,
            2023), in [0, 0.5).
        ipo: the squared loss of identity preference optimisation instead (Azar et al., 2023,
            eq. 17).

    Returns:
        The loss of each pair, and by how much the implicit reward of the chosen side is above that
        of the rejected one, both (P,).
    """
    margin = (chosen - rejected) - (reference_chosen - reference_rejected)
    if ipo:
        loss = (margin - 1 / (2 * beta)) ** 2
    else:
        right, wrong = logsigmoid(beta * margin), logsigmoid(-beta * margin)
        loss = -(1 - smoothing) * right - smoothing * wrong
    return loss, beta * margin
