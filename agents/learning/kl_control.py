"""How much leaving the reference policy costs: a fixed weight, or one that steers to a target."""

from __future__ import annotations

_MOST = 0.2


class KLControl:
    """The weight of the KL divergence (Ziegler et al., "Fine-tuning language models from human
    preferences", 2019, section 2.2).

    Args:
        weight: at the start.
        target: divergence per token, nats, to steer to; 0: the weight stays.
        horizon: episodes over which the weight is corrected.
    """

    def __init__(self, weight: float, target: float = 0.0, horizon: float = 10_000.0) -> None:
        self.weight = weight
        self.target = target
        self.horizon = horizon

    def update(self, kl: float, episodes: int) -> None:
        """Raise the weight where the divergence was above its target, lower it where below: by at
        most a fifth for every `horizon` episodes.

        Args:
            kl: mean divergence of the episodes just learned from.
            episodes: how many these were.
        """
        if self.target:
            error = max(-_MOST, min(_MOST, kl / self.target - 1))
            self.weight *= 1 + error * episodes / self.horizon

    def state_dict(self) -> dict[str, float]:
        return {"weight": self.weight}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self.weight = state["weight"]
