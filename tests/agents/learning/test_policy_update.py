"""The policy-gradient update: its whole loss against finite differences, and its parts against the
whole."""

import copy
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from toys import ENV
from transformers import LlamaConfig, LlamaForCausalLM

from agents.learning import forward as forward_module
from agents.learning import policy_update
from agents.learning.advantages import ESTIMATORS
from agents.learning.groups import sample_groups
from agents.learning.losses import token_weights
from agents.learning.optimizers import Optimizer, OptimizerConfig
from agents.learning.policy_update import learn
from agents.learning.ppo import PPOConfig, ppo, sampling_of
from agents.learning.trajectory import Batch
from agents.models.hf import HFModel

STILL = OptimizerConfig(lr=0.0, muon=False, warmup=0, weight_decay=0.0)


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


# -- The whole loss ----------------------------------------------------------------------------


def two_token_model():
    """A language of two tokens, in double precision."""
    shape = LlamaConfig(
        vocab_size=2,
        hidden_size=4,
        intermediate_size=6,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        tie_word_embeddings=False,
        # A padding token would have no gradient of its own.
        pad_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = LlamaForCausalLM(shape).double()
        model = HFModel(network)
        model.add_value_head()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
    return model


def two_token_batch(generator):
    """Two episodes with a prompt, tokens of the environment between the actions, and padding."""
    actions = torch.tensor([[0, 1, 0, 1, 1], [0, 1, 1, 0, 0]], dtype=torch.bool)
    attention = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    nothing = torch.full((2, 5), math.nan)
    return Batch(
        torch.randint(2, (2, 5), generator=generator) * attention,
        attention,
        actions,
        torch.zeros(2, 5),
        nothing,
        torch.tensor([True, True]),
        nothing,
    )


VARIANTS = [
    {},
    {"kl_weight": 0.3, "kl_estimator": "k2", "entropy_weight": 0.2, "value_clip": 0.0},
    {"loss": "gspo", "clip_low": 0.05, "clip_high": 0.1},
    {"aggregation": "sequence", "dual_clip": 1.5, "temperature": 0.7},
    {"estimator": "rloo", "kl_in": "reward"},
]


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_gradient_of_the_whole_loss(changes, seed):
    """Every parameter of the network and the critic, by central differences."""
    g = torch.Generator().manual_seed(seed)
    config = PPOConfig((ENV,), **{"kl_weight": 0.5, "entropy_weight": 0.1, **changes})
    model, batch = two_token_model(), two_token_batch(g)
    n = int(batch.actions.sum())
    logprobs, values, _ = policy_update.evaluate_policy(model, batch, [torch.arange(2)])

    def near(tensor):
        """Some within and some beyond the clip range, and none at its edge."""
        moves = torch.tensor([-0.5, -0.1, 0.1, 0.5]).double()
        return tensor[batch.actions].double() + moves[torch.randint(4, (n,), generator=g)]

    tables = (
        near(logprobs),
        near(values),
        torch.randn(n, generator=g).double(),
        torch.randn(n, generator=g).double(),
        near(logprobs),
        token_weights(batch.actions, config.aggregation)[batch.actions],
    )

    def loss():
        value, row = policy_update._loss(model, config, batch, tables)
        return value + config.kl_weight * row["kl_loss"] if "kl_loss" in row else value

    parameters = model.parameters()
    gradients = torch.autograd.grad(loss(), parameters, allow_unused=True)
    # The network's scores are float32, so that steps must not be too small.
    step, found, expected = 1e-3, [], []
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            flat = parameter.view(-1)
            for i in range(len(flat)):
                middle = float(flat[i])
                sides = []
                for side in (step, -step):
                    flat[i] = middle + side
                    sides.append(float(loss()))
                flat[i] = middle
                expected.append((sides[0] - sides[1]) / (2 * step))
                found.append(0.0 if gradient is None else float(gradient.view(-1)[i]))
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert np.abs(found).max() > 0.05


# -- Its parts ---------------------------------------------------------------------------------


class Gradients(Optimizer):
    """Takes no step and keeps what it would have been."""

    def step(self, step):
        self.found = [None if p.grad is None else p.grad.clone() for p in self.parameters]
        return super().step(step)


@pytest.mark.parametrize("aggregation", ["token", "sequence"])
@pytest.mark.parametrize("estimator", ["gae", "grpo"])
def test_micro_batches_add_up(trained, monkeypatch, aggregation, estimator):
    """Episodes of very different lengths, in parts of three or all at once."""
    # Not in bfloat16, where the shapes of the parts alone would show.
    monkeypatch.setattr(forward_module, "fast_bfloat16", lambda: False)
    config = PPOConfig(
        (ENV,), problems=4, samples=2, minibatch=8, aggregation=aggregation, estimator=estimator
    )
    trained.add_value_head()
    chosen, _ = sample_groups(trained, sampling_of(config), seed=3)
    assert len({sum(trajectory.actions) for trajectory in chosen}) > 1
    found = []
    for size in (0, 3):
        model = copy.deepcopy(trained)
        optimizer = Gradients(model, replace(STILL, micro_batch=size), 1)
        row = learn(model, copy.deepcopy(trained), optimizer, config, chosen, 0, 0)
        found.append((optimizer.found, row))
    (whole, row), (parts, other) = found
    for one, two in zip(whole, parts, strict=True):
        assert (one is None) == (two is None)
        if one is not None:
            torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-6)
    assert other == pytest.approx(row, abs=1e-5)


@pytest.mark.parametrize("loss", ["ppo", "gspo"])
def test_gspo_counts_episodes_alike(trained, loss):
    """Whatever the aggregation; the losses of tokens depend on it where lengths differ."""
    trained.add_value_head()
    found = []
    for aggregation in ("token", "sequence"):
        config = PPOConfig((ENV,), problems=4, minibatch=8, loss=loss, aggregation=aggregation)
        chosen, _ = sample_groups(trained, sampling_of(config), seed=3)
        optimizer = Optimizer(copy.deepcopy(trained), STILL, 1)
        row = learn(copy.deepcopy(trained), trained, optimizer, config, chosen, 0, 0)
        found.append(row["policy_loss"])
    assert (found[0] == pytest.approx(found[1], abs=1e-9)) == (loss == "gspo")


@pytest.mark.parametrize("temperature", [0.7, 1.5])
def test_ratios_at_a_temperature(trained, tmp_path, temperature):
    config = PPOConfig(
        (ENV,), updates=2, problems=8, minibatch=8, temperature=temperature, epochs=2
    )
    ppo(copy.deepcopy(trained), config, tmp_path)
    for row in metrics(tmp_path):
        assert row["first_ratio_deviation"] == 0
        assert row["ratio_deviation"] > 0
        assert row["ratio"] == pytest.approx(1, abs=0.1)


def test_what_is_logged(trained, tmp_path):
    """Every update has all of it, and a critic's part only where there is one."""
    common = {"solved", "reward", "outcome", "validity", "shaping", "length", "truncated"}
    common |= {"policy_loss", "entropy", "ratio", "clipped", "kl", "kl_weight", "gradient_norm"}
    for name in ("gae", "rloo"):
        config = PPOConfig((ENV,), updates=2, problems=4, minibatch=8, estimator=name)
        ppo(copy.deepcopy(trained), config, tmp_path / name)
        for row in metrics(tmp_path / name):
            critic = {"value_loss", "explained_variance"} & row.keys()
            assert len(critic) == 2 * ESTIMATORS[name].critic
            assert common <= row.keys()
            assert all(math.isfinite(value) for value in row.values())
            assert row["reward"] == pytest.approx(row["outcome"] + 0.5 * row["validity"])
    assert not HFModel.load(str(tmp_path / "rloo/model")).has_values


def test_a_critic_that_no_longer_fits_is_taken_away(trained, tmp_path):
    trained.add_value_head()
    config = PPOConfig((ENV,), updates=1, problems=4, minibatch=8, estimator="rloo")
    assert not ppo(trained, config, tmp_path).has_values


# -- The KL divergence -------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["loss", "reward"])
def test_the_reference_holds(trained, tmp_path, where):
    """The more it costs to leave the reference, the less far one gets."""
    optimizer = OptimizerConfig(lr=1e-3, muon=False, warmup=0, weight_decay=0.0)
    reached = []
    for weight in (0.0, 3.0):
        config = PPOConfig(
            (ENV,),
            updates=8,
            problems=32,
            minibatch=16,
            kl_weight=weight,
            kl_in=where,
            optimizer=optimizer,
        )
        ppo(copy.deepcopy(trained), config, tmp_path / str(weight))
        reached.append(metrics(tmp_path / str(weight))[-1]["kl"])
    assert 0 < reached[1] < 0.3 * reached[0]


def test_the_weight_is_steered(trained, tmp_path):
    """Down while the divergence is below its target, up where it is above."""
    optimizer = OptimizerConfig(lr=3e-3, muon=False, warmup=0, weight_decay=0.0)
    for target, rises in ((100.0, False), (1e-5, True)):
        config = PPOConfig(
            (ENV,),
            updates=4,
            problems=8,
            minibatch=16,
            kl_target=target,
            kl_horizon=32,
            optimizer=optimizer,
        )
        ppo(copy.deepcopy(trained), config, tmp_path / str(target))
        rows = metrics(tmp_path / str(target))
        assert rows[0]["kl_weight"] == 0.01
        assert (rows[-1]["kl_weight"] > 0.01) == rises
