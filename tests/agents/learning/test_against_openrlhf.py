"""Our losses and estimators against OpenRLHF's own code, on random tensors, to 1e-6.

What we do otherwise on purpose is not here: it has closed-form tests of its own in
`test_advantages.py` (environment tokens that are no time, the bootstrap at truncation, rewards on
many tokens, groups that are equal but for rounding).
"""

from types import SimpleNamespace

import pytest
import torch
from openrlhf_wheel import openrlhf_module

from agents.learning.advantages import ESTIMATORS, estimate
from agents.learning.groups import overlong_penalty
from agents.learning.kl_control import KLControl
from agents.learning.losses import (
    POLICY_LOSSES,
    dpo_loss,
    entropy,
    kl_estimate,
    kl_loss,
    policy_loss,
    token_weights,
    value_loss,
)

B, T = 6, 9
SEEDS = pytest.mark.parametrize("seed", range(5))


def close(ours, theirs):
    torch.testing.assert_close(ours.double(), theirs.double(), rtol=1e-6, atol=1e-6)


def normal(generator, *shape):
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def holes(generator):
    """A mask with gaps, and one row without any action."""
    mask = torch.rand((B, T), generator=generator) < 0.6
    mask[:, 0] = True
    mask[3] = False
    return mask


def responses(generator):
    """A mask of responses of different lengths, padded on the right."""
    lengths = torch.randint(1, T + 1, (B,), generator=generator)
    return torch.arange(T) < lengths[:, None]


# -- Losses ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def losses():
    return openrlhf_module("openrlhf.models.loss")


@pytest.fixture(scope="module")
def utils():
    return openrlhf_module("openrlhf.models.utils")


@SEEDS
@pytest.mark.parametrize("dual", [None, 1.5, 3.0])
@pytest.mark.parametrize(
    ("kind", "aggregation"), [("ppo", "token"), ("ppo", "sequence"), ("gspo", "sequence")]
)
def test_policy_loss(losses, seed, dual, aggregation, kind):
    """Value, gradient and clip fraction. (GSPO is averaged over sequences, there and here.)"""
    assert kind in POLICY_LOSSES
    g = torch.Generator().manual_seed(seed)
    old, advantages, mask = normal(g, B, T), normal(g, B, T), holes(g)
    new = (old + 0.4 * normal(g, B, T)).requires_grad_()
    theirs = losses.PolicyLoss(0.2, 0.3, dual, aggregation == "token", kind)
    loss, clipped, *_ = theirs(new, old, advantages, mask.double())
    (gradient,) = torch.autograd.grad(loss, new)
    flat = new[mask]
    ratio = POLICY_LOSSES[kind](flat, old[mask], mask.nonzero()[:, 0])
    ours, was_clipped = policy_loss(ratio, advantages[mask], 0.2, 0.3, dual)
    total = (ours * token_weights(mask, aggregation)[mask]).sum()
    close(total, loss)
    close(torch.autograd.grad(total, new)[0], gradient)
    close(was_clipped.double().mean(), clipped)


@SEEDS
@pytest.mark.parametrize("clip", [None, 0.2, 0.5])
@pytest.mark.parametrize("aggregation", ["token", "sequence"])
def test_value_loss(losses, seed, clip, aggregation):
    g = torch.Generator().manual_seed(seed)
    old, returns, mask = normal(g, B, T), normal(g, B, T), holes(g)
    new = (old + 0.5 * normal(g, B, T)).requires_grad_()
    theirs = losses.ValueLoss(clip, aggregation == "token")(new, old, returns, mask.double())
    ours = value_loss(new[mask], old[mask], returns[mask], clip)
    total = (ours * token_weights(mask, aggregation)[mask]).sum()
    close(total, theirs)
    close(torch.autograd.grad(total, new)[0], torch.autograd.grad(theirs, new)[0])


@SEEDS
@pytest.mark.parametrize("unbiased", [False, True])
@pytest.mark.parametrize("estimator", ["k1", "k2", "k3"])
def test_kl(utils, seed, estimator, unbiased):
    """Value and gradient, far from the reference too, where all are cut off."""
    g = torch.Generator().manual_seed(seed)
    # There all is computed in float32.
    reference, old = normal(g, 40).float(), normal(g, 40).float()
    new = (reference + 4 * normal(g, 40).float()).requires_grad_()
    theirs = utils.compute_approx_kl(new, reference, old, estimator, unbiased)
    ours = kl_loss(new, reference, old, estimator, unbiased)
    close(ours, theirs)
    if not unbiased:
        close(kl_estimate(new, reference, estimator), theirs)
    gradients = [torch.autograd.grad(x.sum(), new)[0] for x in (ours, theirs)]
    close(*gradients)


@SEEDS
@pytest.mark.parametrize(("smoothing", "ipo"), [(0.0, False), (0.1, False), (0.0, True)])
def test_dpo(losses, seed, smoothing, ipo):
    g = torch.Generator().manual_seed(seed)
    sides = [normal(g, 7) for _ in range(4)]
    theirs, chosen, rejected = losses.DPOLoss(0.3, smoothing, ipo)(*sides)
    ours, margin = dpo_loss(*sides, 0.3, smoothing, ipo)
    close(ours.mean(), theirs)
    close(margin, chosen - rejected)


@SEEDS
def test_entropy(utils, seed):
    logits = 3 * normal(torch.Generator().manual_seed(seed), 5, 11)
    close(entropy(logits), utils.compute_entropy(logits))


@SEEDS
def test_logprobs_at_a_temperature(utils, seed):
    """`forward` divides the logits by it before the softmax."""
    g = torch.Generator().manual_seed(seed)
    logits, taken = normal(g, 5, 11), torch.randint(11, (5,), generator=g)
    theirs = utils.log_probs_from_logits(logits.clone(), taken, temperature=0.7)
    close((logits / 0.7).log_softmax(-1).gather(-1, taken[:, None])[:, 0], theirs)


# -- Advantages --------------------------------------------------------------------------------

NAMES = {"grpo": "group_norm"}
"""What an estimator is called there, where that differs."""
SAMPLES = 3


def theirs_of(name, rewards, mask, values, kl, kl_weight, gamma=1.0, lam=0.95, clip=None):
    """Advantages and returns by OpenRLHF's experience maker, in two experiences whose rows are out
    of order, as balancing leaves them."""
    module = openrlhf_module("openrlhf.trainer.ppo_utils.experience_maker")
    advantage = SimpleNamespace(
        estimator=NAMES.get(name, name), gamma=gamma, lambd=lam, no_std_norm=False
    )
    arguments = SimpleNamespace(
        rollout=SimpleNamespace(n_samples_per_prompt=SAMPLES),
        algo=SimpleNamespace(advantage=advantage),
        reward=SimpleNamespace(clip_range=None if clip is None else (-clip, clip)),
    )
    maker = module.RemoteExperienceMaker(
        None,
        None,
        None,
        None,
        SimpleNamespace(value=kl_weight),
        SimpleNamespace(args=arguments),
        None,
    )
    order = [[4, 0, 2], [1, 5, 3]]
    experiences = [
        module.Experience(
            index=rows,
            rewards=rewards[rows].clone(),
            kl=kl[rows].clone(),
            action_mask=mask[rows].double(),
            values=values[rows].clone(),
            info={},
        )
        for rows in order
    ]
    maker.compute_advantages_and_returns(experiences)
    found = [torch.zeros(B, T, dtype=torch.float64) for _ in range(2)]
    for experience, rows in zip(experiences, order, strict=True):
        found[0][rows] = experience.advantages.double()
        found[1][rows] = experience.returns.double()
    return [torch.where(mask, x, 0.0) for x in found]


def at_the_end(rewards, mask):
    """Rewards of episodes, (B,), on their last actions, (B, T)."""
    last = T - 1 - mask.long().flip(-1).argmax(-1)
    return torch.zeros(B, T, dtype=rewards.dtype).scatter(1, last[:, None], rewards[:, None])


@SEEDS
@pytest.mark.parametrize("kl_weight", [0.0, 0.3])
@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_advantages(seed, name, kl_weight):
    """Groups, the KL in the reward, clipped rewards, returns and whitening, in that order."""
    g = torch.Generator().manual_seed(seed)
    rewards, values, mask = 2 * normal(g, B), normal(g, B, T), responses(g)
    kl = torch.where(mask, normal(g, B, T).abs(), 0.0)
    gamma = 0.9 if ESTIMATORS[name].discounts else 1.0
    theirs = theirs_of(name, rewards, mask, values, kl, kl_weight, gamma, 0.8, clip=1.5)
    ours = estimate(
        name,
        at_the_end(rewards, mask),
        mask,
        SAMPLES,
        kl_weight * kl,
        values,
        torch.zeros(B, dtype=torch.float64),
        gamma,
        0.8,
        clip=1.5,
    )
    close(ours[0], theirs[0])
    close(ours[1], theirs[1])


@SEEDS
@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_advantages_between_feedback(seed, name):
    """Tokens of the environment between the actions: equal where nothing is discounted."""
    g = torch.Generator().manual_seed(seed)
    rewards, values, mask = normal(g, B), normal(g, B, T), holes(g)
    mask[3, 2:5] = True
    nothing = torch.zeros(B, T, dtype=torch.float64)
    theirs, _ = theirs_of(name, rewards, mask, values, nothing, 0.0, 1.0, 1.0)
    bootstrap = torch.zeros(B, dtype=torch.float64)
    ours, _ = estimate(
        name,
        at_the_end(rewards, mask),
        mask,
        SAMPLES,
        values=values,
        bootstrap=bootstrap,
        gamma=1.0,
        lam=1.0,
    )
    close(ours, theirs)


# -- Control of KL and length ------------------------------------------------------------------


def test_adaptive_kl():
    controllers = openrlhf_module("openrlhf.trainer.ppo_utils.kl_controller")
    theirs, ours = controllers.AdaptiveKLController(0.1, 0.05, 1000), KLControl(0.1, 0.05, 1000)
    fixed = KLControl(0.1)
    for kl in (0.0, 0.02, 0.05, 0.055, 0.2, 3.0):
        theirs.update(kl, 64)
        ours.update(kl, 64)
        fixed.update(kl, 64)
        assert ours.weight == pytest.approx(theirs.value, rel=1e-12)
    assert fixed.weight == 0.1


@pytest.mark.parametrize("buffer", [1, 4, 16])
def test_overlong(buffer):
    """There the length counts what the environment wrote too; here there is none of it."""
    module = openrlhf_module("openrlhf.trainer.ppo_utils.length_penalty")
    lengths = torch.arange(1, 21)
    experience = SimpleNamespace(rewards=torch.zeros(20).double(), response_length=lengths)
    module.apply_overlong_penalty([experience], 16, buffer, 0.5)
    ours = [-overlong_penalty(int(length), 16, buffer, 0.5) for length in lengths]
    assert ours == pytest.approx(experience.rewards.tolist())
