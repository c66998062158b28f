"""Bridge to stable-baselines3 and sb3-contrib: `PPO` and `MaskablePPO` on token ids.

    from sb3_contrib import MaskablePPO
    from stable_baselines3.common.env_util import make_vec_env

    spec = "Countdown-v0:level=1,feedback=state"
    envs = make_vec_env(lambda: make_env(spec, reward="shaped"), n_envs=32)
    model = MaskablePPO(
        "MlpPolicy", envs, gamma=1.0, learning_rate=2e-3, n_steps=64, batch_size=256, n_epochs=2,
        policy_kwargs=policy_kwargs(width=32, layers=2, heads=4),
    )
    model.learn(150_000).save("runs/sb3.zip")
    print(success_rate(model, spec, split="dev"))

and from the command line, on a suite with the settings trained on (feedback above all),

    SB3_MODEL=runs/sb3.zip reason-bench run SUITE \\
        --agent agents.integrations.stable_baselines3:masked_agent

The environment is the one of the `-Token-` id. Its observation becomes one row of token ids, since
stable-baselines3 would make a one-hot vector of `length` and hand all of a Dict to an extractor of
its own; `"MlpPolicy"` is its name for any policy over such a row, and what reads the row is the
transformer of `policy_kwargs`. Rewards are those of `gamma=1.0`: a smaller discount of PPO's own
would shape towards something else than the goal (`reason_env.rewards`).

Stable-baselines3 seeds its environments with seed, seed + 1, ...: take seeds that are further
apart than there are environments, or the runs share problems.

Inside this package `import stable_baselines3` still means stable-baselines3 itself.
"""

from agents.integrations.stable_baselines3.agents import (
    MaskedPolicyAgent,
    PolicyAgent,
    agent,
    load_policy,
    masked_agent,
)
from agents.integrations.stable_baselines3.environments import (
    TokenRow,
    make_env,
    make_eval_env,
    success_rate,
)
from agents.integrations.stable_baselines3.policy import CausalTransformer, policy_kwargs

__all__ = [
    "CausalTransformer",
    "MaskedPolicyAgent",
    "PolicyAgent",
    "TokenRow",
    "agent",
    "load_policy",
    "make_env",
    "make_eval_env",
    "masked_agent",
    "policy_kwargs",
    "success_rate",
]
