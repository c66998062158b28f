"""Advantage estimators: pure functions of rewards and values, in one table for all trainers.

| estimator | advantage of a token | whitened |
|---|---|---|
| `gae` | generalised advantage estimate, from a critic | yes |
| `reinforce` | return from the token on, discounted | yes |
| `reinforce_baseline` | the same, less the group's mean total | yes |
| `rloo` | the same, less the mean total of the group's other episodes | no |
| `grpo` | less the group's mean total, in standard deviations of the totals | no |
| `dr_grpo` | less the group's mean total | no |

A group is the episodes of one problem, and a total what one of them earned. Rewards may be on any
action token: on the last (outcome), on those that end a line (process), or on all of them. What
was earned before a token is never in its advantage. Where an episode earns once, at its end, the
estimators are those of OpenRLHF 0.11, digit by digit.

Only `gae` knows what a truncated episode might still have earned; the others take what it has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

_LEAST_VARIANCE = 1e-8
_LEAST_DEVIATION = 1e-6
"""Spread of a group's totals below which they are equal but for rounding, which must not be
divided by."""


@dataclass(frozen=True, slots=True)
class Estimator:
    """An entry of the table.

    Attributes:
        baseline: of each episode's total and by what to divide (`None`: it has no group), from
            totals (groups, samples); both (groups, samples).
        critic: whether it needs values.
        whitened: whether its advantages are whitened over the whole batch.
        discounts: whether it takes a discount below 1.
    """

    baseline: Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]] | None = None
    critic: bool = False
    whitened: bool = False
    discounts: bool = False

    @property
    def grouped(self) -> bool:
        """Whether it compares the episodes of one problem, of which it needs two or more."""
        return self.baseline is not None


def _mean(totals: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return totals.mean(-1, keepdim=True).expand_as(totals), torch.ones_like(totals)


def _mean_of_others(totals: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    others = (totals.sum(-1, keepdim=True) - totals) / (totals.shape[-1] - 1)
    return others, torch.ones_like(totals)


def _standardised(totals: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    deviation = totals.std(-1, keepdim=True)
    equal = deviation < _LEAST_DEVIATION
    divisor = torch.where(equal, torch.ones_like(deviation), deviation + 1e-9)
    return _mean(totals)[0], divisor.expand_as(totals)


ESTIMATORS = {
    "gae": Estimator(critic=True, whitened=True, discounts=True),
    "reinforce": Estimator(whitened=True, discounts=True),
    "reinforce_baseline": Estimator(_mean, whitened=True),
    "rloo": Estimator(_mean_of_others),
    "grpo": Estimator(_standardised),
    "dr_grpo": Estimator(_mean),
}
"""Williams, "Simple statistical gradient-following algorithms", 1992 (`reinforce`); Hu et al.,
"REINFORCE++", 2025 (`reinforce_baseline`); Kool, van Hoof and Welling, "Buy 4 REINFORCE samples,
get a baseline for free!", 2019 and Ahmadian et al., "Back to basics", 2024 (`rloo`); Shao et al.,
"DeepSeekMath", 2024 (`grpo`); Liu et al., "Understanding R1-Zero-like training", 2025
(`dr_grpo`)."""


def estimate(
    name: str,
    rewards: torch.Tensor,
    actions: torch.Tensor,
    samples: int = 1,
    penalties: torch.Tensor | None = None,
    values: torch.Tensor | None = None,
    bootstrap: torch.Tensor | None = None,
    gamma: float = 1.0,
    lam: float = 0.95,
    clip: float | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Advantages by an estimator of the table.

    The order is that of OpenRLHF: baseline of the group, clipping, penalties, returns, whitening.
    Baselines know nothing of the penalties.

    Args:
        rewards: (B, T); what stands at other than action tokens is ignored.
        actions: bool (B, T).
        samples: episodes of each problem, which stand in adjacent rows.
        penalties: to be subtracted from the rewards, such as a KL divergence per token, (B, T).
        values, bootstrap: for `gae`, which see.
        gamma: discount per action token, in [0, 1]; 1 for the estimators with groups.
        lam: of `gae`.
        clip: rewards are kept within so much of 0; with a group, returns less their baseline.

    Returns:
        Advantages, and returns that a critic may learn, both (B, T), 0 at other than action tokens.
    """
    estimator = ESTIMATORS[name]
    nothing = torch.zeros_like(rewards)
    penalties = nothing if penalties is None else penalties
    if estimator.baseline is not None:
        totals = torch.where(actions, rewards, nothing).sum(-1).view(-1, samples)
        baseline, divisor = (t.reshape(-1, 1) for t in estimator.baseline(totals))
        relative = _clipped((returns_to_go(rewards, actions) - baseline) / divisor, clip)
        returns = torch.where(actions, relative - returns_to_go(penalties, actions), nothing)
        advantages = returns
    elif estimator.critic:
        assert values is not None
        assert bootstrap is not None
        net = _clipped(rewards, clip) - penalties
        advantages, returns = gae(net, values, actions, bootstrap, gamma, lam)
    else:
        advantages = returns = returns_to_go(_clipped(rewards, clip) - penalties, actions, gamma)
    return (whiten(advantages, actions) if estimator.whitened else advantages), returns


def _clipped(values: torch.Tensor, clip: float | None) -> torch.Tensor:
    return values if clip is None else values.clamp(-clip, clip)


def returns_to_go(rewards: torch.Tensor, actions: torch.Tensor, gamma: float = 1.0) -> torch.Tensor:
    """What is earned from each action token on.

    Args:
        rewards: (B, T); what stands at other than action tokens is ignored.
        actions: bool (B, T).
        gamma: discount per action token, in [0, 1]: what the environment wrote is no time.

    Returns:
        (B, T), 0 at other than action tokens.
    """
    returns = torch.zeros_like(rewards)
    following = torch.zeros_like(rewards[:, 0])
    for t in reversed(range(rewards.shape[1])):
        acted = actions[:, t]
        following = torch.where(acted, rewards[:, t] + gamma * following, following)
        returns[:, t] = torch.where(acted, following, returns[:, t])
    return returns


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
    if not len(chosen):
        return torch.zeros_like(values)
    deviation = chosen.var(unbiased=False).clamp(min=_LEAST_VARIANCE).sqrt()
    return torch.where(mask, (values - chosen.mean()) / deviation, torch.zeros_like(values))
