"""Policy gradients on verifier and process rewards: proximal policy optimisation with a critic, and
its critic-free relatives.

One update: sample episodes of fresh problems, estimate advantages over the agent's tokens, and take
a few clipped steps, held to a reference policy. Process rewards sit on the token that ends their
line. Critic and policy share the network up to the value head, which alone may be fitted first
(`critic_warmup`).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from agents.learning.advantages import ESTIMATORS
from agents.learning.critic import fit_critic
from agents.learning.groups import Sampling, sample_groups
from agents.learning.kl_control import KLControl
from agents.learning.optimizers import Optimizer
from agents.learning.policy_update import learn
from agents.learning.ppo_config import PPOConfig, check_ppo
from agents.learning.run import train
from agents.learning.trajectory import Trajectory
from agents.models.hf import HFModel
from reason_env.splits import stream_seed

__all__ = ["PPOConfig", "ppo"]


def ppo(model: HFModel, config: PPOConfig, folder: Path) -> HFModel:
    """Policy gradients, PPO with a critic by default, in place; writes the run to `folder`.

    The reference policy is the model as it comes in. With a critic it gets a value head if it has
    none; without one it loses the one that it has, which would no longer fit.

    Raises:
        ValueError: a setting out of its range.
        FileExistsError: the folder holds another run.
        DivergedError: a loss or a gradient was not finite.
    """
    check_ppo(config)
    reference = None if config.optimizer.lora else copy.deepcopy(model)
    if ESTIMATORS[config.estimator].critic:
        model.add_value_head()
    else:
        model.value_head = None
    per_update = config.epochs * -(-config.problems * config.samples // config.minibatch)
    optimizer = Optimizer(model, config.optimizer, config.updates * per_update)
    control = KLControl(config.kl_weight, config.kl_target, config.kl_horizon)
    sampling = sampling_of(config)

    def update(number: int) -> dict[str, float]:
        seed = stream_seed("ppo", config.seed, number)
        chosen, everything = sample_groups(model, sampling, seed)
        row = summary(everything)
        if config.filter_rounds:
            row["groups"] = len(chosen) // config.samples
        row["kl_weight"] = control.weight
        if number < config.critic_warmup:
            row |= fit_critic(model, config, everything)
        elif chosen:
            first = number * per_update
            row |= learn(model, reference, optimizer, config, chosen, first, seed, control.weight)
            control.update(row["kl"], len(chosen))
        return row

    train(
        folder,
        "ppo",
        config,
        model,
        optimizer,
        config.updates,
        update,
        save_every=20,
        carried=control,
    )
    return model


def sampling_of(config: PPOConfig) -> Sampling:
    """How the configuration samples."""
    return Sampling(
        config.envs,
        config.reward,
        config.problems,
        config.samples,
        config.temperature,
        config.filter_rounds,
        config.overlong_buffer,
        config.overlong_penalty,
        config.truncation,
    )


def summary(trajectories: Sequence[Trajectory]) -> dict[str, float]:
    """What sampled episodes were like: means per episode. `outcome`, `validity` and `shaping` are
    the reward's terms, unweighted; `length` is in the agent's tokens."""
    terms = [t.terms for t in trajectories]
    return {
        "solved": float(np.mean([t.solved for t in trajectories])),
        "reward": float(np.mean([sum(t.rewards) for t in trajectories])),
        "outcome": float(np.mean([term.outcome for term in terms])),
        "validity": float(np.mean([term.validity for term in terms])),
        "shaping": float(np.mean([term.shaping for term in terms])),
        "length": float(np.mean([sum(t.actions) for t in trajectories])),
        "truncated": float(np.mean([t.truncated for t in trajectories])),
    }
