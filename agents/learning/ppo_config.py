"""What `reason-train ppo` takes, and which of it makes no sense together."""

from __future__ import annotations

from dataclasses import dataclass, field

from agents.learning.advantages import ESTIMATORS
from agents.learning.config import check_config
from agents.learning.losses import AGGREGATIONS, KL_ESTIMATORS, POLICY_LOSSES
from agents.learning.optimizers import OptimizerConfig
from agents.learning.specs import EnvSpec


@dataclass(frozen=True, slots=True)
class PPOConfig:
    """What `reason-train ppo` takes."""

    envs: tuple[EnvSpec, ...] = field(metadata={"help": "environments, in equal shares"})
    reward: str = field(default="process", metadata={"help": "preset: outcome, process, shaped"})
    updates: int = field(default=100, metadata={"help": "rounds of rollout and learning"})
    problems: int = field(default=256, metadata={"help": "fresh problems per update"})
    samples: int = field(default=2, metadata={"help": "episodes per problem: a group"})
    temperature: float = field(default=1.0, metadata={"help": "of the sampled episodes"})
    epochs: int = field(default=1, metadata={"help": "passes over each rollout"})
    minibatch: int = field(default=128, metadata={"help": "episodes per gradient step"})
    estimator: str = field(
        default="gae",
        metadata={"help": "of advantages: " + ", ".join(ESTIMATORS), "choices": tuple(ESTIMATORS)},
    )
    gamma: float = field(default=1.0, metadata={"help": "discount per token", "most": 1})
    lam: float = field(default=0.95, metadata={"help": "lambda of GAE", "most": 1})
    truncation: str = field(
        default="bootstrap",
        metadata={
            "help": "a spent budget: a critic says what would have followed, or it is the end",
            "choices": ("bootstrap", "end"),
        },
    )
    loss: str = field(
        default="ppo",
        metadata={"help": "ppo, or gspo: one ratio an episode", "choices": tuple(POLICY_LOSSES)},
    )
    aggregation: str = field(
        default="token",
        metadata={"help": "mean over tokens, or sequence: over episodes", "choices": AGGREGATIONS},
    )
    clip_low: float = field(default=0.2, metadata={"help": "how far a ratio may fall below 1"})
    clip_high: float = field(default=0.2, metadata={"help": "how far it may rise above 1"})
    dual_clip: float = field(default=0.0, metadata={"help": "dual clip, above 1; 0: none"})
    value_clip: float = field(default=0.2, metadata={"help": "of the critic's loss; 0: none"})
    value_weight: float = field(default=0.5, metadata={"help": "of the critic's loss"})
    critic_warmup: int = field(
        default=0,
        metadata={"help": "updates at the start that fit the critic's head alone", "least": 0},
    )
    reward_clip: float = field(default=10.0, metadata={"help": "largest reward; 0: no limit"})
    kl_weight: float = field(default=0.01, metadata={"help": "of the KL to the reference"})
    kl_estimator: str = field(
        default="k3", metadata={"help": "k1, k2 or k3", "choices": tuple(KL_ESTIMATORS)}
    )
    kl_in: str = field(
        default="loss",
        metadata={
            "help": "whether it is in the loss or in the reward",
            "choices": ("loss", "reward"),
        },
    )
    kl_unbiased: bool = field(
        default=False, metadata={"help": "in the loss, with the divergence's own gradient"}
    )
    kl_target: float = field(
        default=0.0, metadata={"help": "KL per token that the weight is steered to; 0: it stays"}
    )
    kl_horizon: float = field(default=10_000.0, metadata={"help": "episodes that takes"})
    entropy_weight: float = field(default=0.0, metadata={"help": "of the entropy bonus"})
    filter_rounds: int = field(
        default=0,
        metadata={"help": "rounds of sampling in place of groups without signal", "least": 0},
    )
    overlong_buffer: int = field(
        default=0,
        metadata={"help": "tokens before the budget's end that cost; 0: none", "least": 0},
    )
    overlong_penalty: float = field(default=1.0, metadata={"help": "what they cost at its end"})
    seed: int = field(default=0, metadata={"help": "of problems and samples", "least": 0})
    optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(lr=1e-4, muon=False, warmup=10, weight_decay=0.0)
    )


def check_ppo(config: PPOConfig) -> None:
    """Refuse what no run could follow, before any work starts.

    Raises:
        ValueError: names the setting, what it must be and what it is.
    """
    check_config(config)
    estimator = ESTIMATORS[config.estimator]
    if config.samples < 2 and (estimator.grouped or config.filter_rounds):
        why = f"estimator={config.estimator}" if estimator.grouped else "filter_rounds"
        raise ValueError(
            f"{why} compares the episodes of one problem, so samples must be 2 or more, received "
            f"{config.samples}: raise it, or use estimator=gae or reinforce without filter_rounds"
        )
    if config.critic_warmup and not estimator.critic:
        raise ValueError(
            f"critic_warmup fits a critic, and estimator={config.estimator} has none: leave it at "
            "0, or use estimator=gae"
        )
    if config.critic_warmup >= config.updates:
        raise ValueError(
            f"critic_warmup must leave updates for the policy: below {config.updates}, received "
            f"{config.critic_warmup}"
        )
    if config.gamma != 1 and not estimator.discounts:
        raise ValueError(
            f"estimator={config.estimator} does not discount: gamma must be 1, received "
            f"{config.gamma}; gae and reinforce do"
        )
    if config.dual_clip and config.dual_clip <= 1:
        raise ValueError(f"dual_clip must be above 1, or 0 for none, received {config.dual_clip}")
    if not config.temperature:
        raise ValueError("temperature must be above 0: the likeliest lines alone teach nothing")
    if config.kl_in == "loss" and config.kl_estimator == "k1" and not config.kl_unbiased:
        raise ValueError(
            "kl_estimator=k1 has no gradient on average when it is in the loss: use k2 or k3, "
            "kl_unbiased, or kl_in=reward"
        )
    if config.kl_target and not config.kl_weight:
        raise ValueError(
            f"kl_target={config.kl_target} steers by multiplying kl_weight, which is 0: raise it"
        )
    for spec in config.envs:
        limit = spec.make(split="train", reward=config.reward).max_tokens
        if config.overlong_buffer > limit:
            raise ValueError(
                f"overlong_buffer must be at most max_tokens of {spec}, {limit}, received "
                f"{config.overlong_buffer}"
            )
