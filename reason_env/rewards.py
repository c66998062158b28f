"""Reward design: terms that stay separate, and how they are weighted.

- outcome: 1 when the episode ends solved, else 0;
- validity: -1 for a wrong claim or a false `check:`, else 0 (there is no bonus for a right one:
  it could be farmed by repeating harmless claims);
- shaping: `gamma * phi(s') - phi(s)` with phi of a terminal state taken as 0, so that optimal
  policies do not change (Ng, Harada and Russell, "Policy invariance under reward
  transformations", 1999).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from reason_env.errors import choose


@dataclass(frozen=True, slots=True)
class RewardTerms:
    """The parts of one reward, unweighted."""

    outcome: float = 0.0
    validity: float = 0.0
    shaping: float = 0.0

    def __add__(self, other: RewardTerms) -> RewardTerms:
        return RewardTerms(
            self.outcome + other.outcome,
            self.validity + other.validity,
            self.shaping + other.shaping,
        )

    def to_json(self) -> dict[str, float]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RewardConfig:
    """Weights of the terms, and the discount that shaping uses."""

    outcome: float = 1.0
    validity: float = 0.0
    shaping: float = 0.0
    gamma: float = 1.0

    def weigh(self, terms: RewardTerms) -> float:
        """The reward of a step."""
        return (
            self.outcome * terms.outcome
            + self.validity * terms.validity
            + self.shaping * terms.shaping
        )


PRESETS = {
    "outcome": RewardConfig(),
    "process": RewardConfig(validity=0.5),
    "shaped": RewardConfig(validity=0.5, shaping=1.0),
}


def reward_config(value: str | RewardConfig | dict[str, float]) -> RewardConfig:
    """A preset by name, a configuration, or its fields as a dict.

    Raises:
        ValueError: an unknown preset or field, naming the nearest.
    """
    if isinstance(value, RewardConfig):
        return value
    if isinstance(value, dict):
        for key in value:
            choose(key, [field.name for field in fields(RewardConfig)], "reward term")
        return RewardConfig(**value)
    return PRESETS[choose(value, PRESETS, "reward preset")]
