"""MaskablePPO learns countdown by tokens: 10 % before, 35 or 40 % after three minutes on a core.

    python -m agents.integrations.stable_baselines3.example --out runs/sb3.zip

Training draws problems of the train split, the success rates are of the dev split. Before training,
sampling is luck: a walk among legal tokens. The saved model plays in the benchmark too, on a suite
of `reason_env/Countdown-v0` with the settings trained on (`level` 1, `feedback` state):

    SB3_MODEL=runs/sb3.zip reason-bench run SUITE.json \\
        --agent agents.integrations.stable_baselines3:masked_agent
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from agents.integrations.stable_baselines3 import make_env, policy_kwargs, success_rate
from reason_env.errors import require

SPEC = "Countdown-v0:level=1,feedback=state"


def build(seed: int = 0, environments: int = 32) -> Any:
    """An untrained `MaskablePPO` on countdown with shaped rewards."""
    made = partial(make_env, SPEC, reward="shaped")
    make_vec_env = require("stable_baselines3.common.env_util", "sb3").make_vec_env
    return require("sb3_contrib", "sb3").MaskablePPO(
        "MlpPolicy",
        make_vec_env(made, n_envs=environments),
        gamma=1.0,  # as the shaping is discounted
        learning_rate=2e-3,
        n_steps=64,
        batch_size=256,
        n_epochs=2,
        ent_coef=0.01,
        policy_kwargs=policy_kwargs(width=32, layers=2, heads=4),
        seed=seed,
        device="cpu",
    )


def report(when: str, model: Any, episodes: int) -> None:
    """Print success rates with their standard errors."""
    rates = [success_rate(model, SPEC, "dev", episodes, deterministic=d) for d in (False, True)]
    shown = [f"{rate:.1%} +- {math.sqrt(rate * (1 - rate) / episodes):.1%}" for rate in rates]
    print(f"{when}: sampled {shown[0]}, greedy {shown[1]} of {episodes} dev problems", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="MaskablePPO learns countdown.")
    parser.add_argument("--steps", type=int, default=150_000, help="tokens to train on")
    parser.add_argument("--episodes", type=int, default=300, help="dev problems for each rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", help="where to save the model (.zip)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # a model this small loses by sharing its work
    model = build(options.seed)
    report("before", model, options.episodes)
    started = time.monotonic()
    model.learn(options.steps)
    print(f"trained on {model.num_timesteps} tokens in {time.monotonic() - started:.0f} s")
    report("after", model, options.episodes)
    if options.out:
        Path(options.out).parent.mkdir(parents=True, exist_ok=True)
        model.save(options.out)
        print(f"saved {options.out}")


if __name__ == "__main__":
    main()
