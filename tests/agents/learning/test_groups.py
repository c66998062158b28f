"""Groups of episodes: which are sampled anew, and what a budget that ends costs."""

import copy
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from toys import ENV, DoorsSpec

from agents.learning.advantages import gae
from agents.learning.critic import fit_critic
from agents.learning.groups import Sampling, has_signal, sample_groups
from agents.learning.policy_update import evaluate_policy
from agents.learning.ppo import PPOConfig, ppo, sampling_of, summary
from agents.learning.specs import EnvSpec
from agents.learning.trajectory import Trajectory, collate
from reason_env.rewards import reward_config


def totals(trajectories, samples):
    earned = [sum(trajectory.rewards) for trajectory in trajectories]
    return [earned[i : i + samples] for i in range(0, len(earned), samples)]


def test_groups_without_signal_are_replaced(trained):
    """What is kept has a signal; what was dropped was sampled for, by other problems; and without
    the filter all is kept."""
    sampling = Sampling((ENV,), "process", problems=6, samples=4, filter_rounds=40)
    kept, everything = sample_groups(trained, sampling, seed=1)
    assert len(kept) == 24
    assert len(everything) > 24
    assert all(max(group) > min(group) for group in totals(kept, 4))
    dropped = [t for t in everything if t not in kept]
    assert len(dropped) == len(everything) - 24
    assert all(max(group) == min(group) for group in totals(dropped, 4))
    prompts = [t.tokens[: t.actions.index(True)] for t in everything[::4]]
    assert len(set(prompts)) == len(prompts)
    plain, same = sample_groups(trained, replace(sampling, filter_rounds=0), seed=1)
    assert plain == same == everything[:24]


def test_no_signal_at_all(trained, tmp_path):
    """Nobody goes through the door: nothing is learned, and the log says so."""
    config = PPOConfig((DoorsSpec(1),), updates=2, problems=3, filter_rounds=2, minibatch=4)
    before = copy.deepcopy(trained).network.state_dict()
    model = ppo(trained, config, tmp_path)
    rows = [json.loads(row) for row in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["groups"] for row in rows] == [0, 0]
    assert "kl" not in rows[0]
    for name, tensor in model.network.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_overlong_episodes_pay(trained):
    limit = ENV.make().max_tokens
    buffer = limit - 4
    sampling = Sampling((ENV,), "outcome", 8, 2, overlong_buffer=buffer, overlong_penalty=0.5)
    paid, _ = sample_groups(trained, sampling, seed=2)
    free, _ = sample_groups(trained, replace(sampling, overlong_buffer=0), seed=2)
    costs = []
    for one, other in zip(paid, free, strict=True):
        assert one.tokens == other.tokens
        difference = np.subtract(other.rewards, one.rewards)
        length = sum(one.actions)
        cost = 0.5 * min(max(0, length - 4), buffer) / buffer
        assert difference.sum() == pytest.approx(cost)
        last = max(i for i, acted in enumerate(one.actions) if acted)
        assert difference[last] == pytest.approx(cost)
        costs.append(cost)
    assert max(costs) > 0


@pytest.mark.parametrize("reward", ["outcome", "process", "shaped"])
def test_a_spent_budget_may_be_an_end(trained, reward):
    """Nothing follows it, and its potential is taken back: shaping pays -phi of the first state
    for every episode, however it ended."""
    short = EnvSpec.parse("Countdown-v0:feedback=state,max_steps=2,max_tokens=12")
    sampling = Sampling((short,), reward, 24, 2)
    went_on, _ = sample_groups(trained, sampling, seed=2)
    over, _ = sample_groups(trained, replace(sampling, truncation="end"), seed=2)
    took_back = set()
    for one, other in zip(went_on, over, strict=True):
        assert (one.tokens, one.truncated) == (other.tokens, other.truncated)
        assert one.terminated == (not one.truncated)
        assert other.terminated
        assert other.terms.shaping == pytest.approx(-next(p for p in one.potentials if p == p))
        assert sum(other.rewards) == pytest.approx(reward_config(reward).weigh(other.terms))
        changed = np.flatnonzero(np.subtract(other.rewards, one.rewards))
        assert set(changed) <= {max(i for i, acted in enumerate(one.actions) if acted)}
        took_back.add((one.truncated, bool(changed.size)))
    # Only what shaping paid is taken back, and only where the budget was spent.
    assert {(False, False), (True, reward == "shaped")} <= took_back
    assert (False, True) not in took_back
    assert reward == "shaped" or (True, True) not in took_back
    assert summary(over)["truncated"] == summary(went_on)["truncated"] > 0


def test_an_end_is_worth_nothing_to_the_critic(trained):
    """A critic that promises much makes a spent budget pay, unless it is the end."""
    learned = {}
    for truncation in ("bootstrap", "end"):
        model = copy.deepcopy(trained)
        model.add_value_head()
        with torch.no_grad():
            model.value_head.weight.zero_()
            model.value_head.bias.fill_(5.0)
        config = PPOConfig(
            (EnvSpec.parse("Countdown-v0:feedback=state,max_steps=1"),),
            reward="outcome",
            problems=8,
            truncation=truncation,
            lam=1.0,
        )
        episodes, _ = sample_groups(model, sampling_of(config), seed=1)
        cut = [episode for episode in episodes if episode.truncated]
        batch = collate(cut)
        _, values, bootstrap = evaluate_policy(model, batch, [torch.arange(len(batch))])
        learned[truncation] = gae(batch.rewards, values, batch.actions, bootstrap, lam=1.0)[1]
        # It may be fitted to what is known: to nothing that was cut, or to everything.
        assert bool(fit_critic(model, config, cut)) == (truncation == "end")
    assert torch.allclose(learned["bootstrap"][batch.actions], torch.tensor(5.0))
    assert not learned["end"].any()


def test_signal():
    chosen = sample_like([1.0, 0.5])
    assert has_signal(chosen)
    assert not has_signal(sample_like([0.1 + 0.2, 0.3]))


def sample_like(rewards):
    nan = math.nan
    return [
        Trajectory((1, 2), (False, True), (0.0, reward), (nan, nan), True, False)
        for reward in rewards
    ]
