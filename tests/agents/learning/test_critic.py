"""The critic's warm-up: the head alone, by least squares, on what is known."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from toys import ENV

from agents.learning.advantages import returns_to_go
from agents.learning.critic import fit_critic
from agents.learning.forward import forward, hidden_states
from agents.learning.groups import sample_groups
from agents.learning.ppo import PPOConfig, ppo, sampling_of
from agents.learning.trajectory import collate

CONFIG = PPOConfig((ENV,), reward="process", updates=2, problems=24, samples=2, critic_warmup=1)


@pytest.fixture
def episodes(trained):
    return sample_groups(trained, sampling_of(CONFIG), 0)[1]


def fitted(trained, config, episodes):
    model = copy.deepcopy(trained)
    model.add_value_head()
    return model, fit_critic(model, config, episodes)


def weights(model):
    return {name: tensor.clone() for name, tensor in model.network.state_dict().items()}


def test_it_is_least_squares(trained, episodes):
    """The penalty is small: numpy's fit without one explains hardly more."""
    model, row = fitted(trained, CONFIG, episodes)
    batch = collate([episode for episode in episodes if episode.terminated])
    with torch.no_grad():
        x = hidden_states(model, batch)[:, :-1][batch.actions[:, 1:]].double().numpy()
        y = returns_to_go(batch.rewards, batch.actions)[batch.actions].double().numpy()
        said = forward(model, batch).values.double().numpy()
    assert said.mean() == pytest.approx(y.mean(), abs=1e-5)
    explained = 1 - np.mean((y - said) ** 2) / y.var()
    assert row["explained_variance"] == pytest.approx(explained, abs=1e-4)
    ones = np.column_stack([x, np.ones(len(x))])
    best = ones @ np.linalg.lstsq(ones, y, rcond=None)[0]
    assert explained <= 1 - np.mean((y - best) ** 2) / y.var() + 1e-6
    assert explained > 0.1


def test_the_policy_stays(trained, episodes):
    before = weights(trained)
    model, _ = fitted(trained, CONFIG, episodes)
    after = weights(model)
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_truncated_episodes_say_nothing(trained, episodes):
    cut = [replace(e, terminated=False, rewards=tuple(99.0 for _ in e.rewards)) for e in episodes]
    alone, row = fitted(trained, CONFIG, episodes)
    beside, same = fitted(trained, CONFIG, [*episodes, *cut])
    assert torch.equal(alone.value_head.weight, beside.value_head.weight)
    assert row == same
    model, nothing = fitted(trained, CONFIG, cut)
    assert nothing == {}
    assert not model.value_head.weight.any()


def test_rewards_that_never_differ(trained, episodes):
    """An even return is told by the bias alone, and nothing is left to explain."""
    even = [replace(e, rewards=(*([0.0] * (len(e.rewards) - 1)), 1.0)) for e in episodes]
    model, row = fitted(trained, CONFIG, even)
    assert row["explained_variance"] == 1
    assert model.value_head.bias.item() == pytest.approx(1, abs=1e-6)


def test_updates_begin_after_it(trained, tmp_path, monkeypatch):
    seen = []

    def watched(model, *arguments):
        seen.append(weights(model))
        return fit_critic(model, *arguments)

    monkeypatch.setattr("agents.learning.ppo.fit_critic", watched)
    model = ppo(copy.deepcopy(trained), CONFIG, tmp_path / "run")
    start = weights(trained)
    assert len(seen) == 1
    assert all(torch.equal(tensor, start[name]) for name, tensor in seen[0].items())
    assert any(not torch.equal(tensor, start[name]) for name, tensor in weights(model).items())
