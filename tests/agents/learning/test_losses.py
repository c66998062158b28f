"""Losses against hand values, and their gradients against finite differences."""

import math

import pytest
import torch

from agents.learning.losses import (
    AGGREGATIONS,
    dpo_loss,
    entropy,
    kl_estimate,
    kl_loss,
    policy_loss,
    sequence_ratio,
    token_ratio,
    token_weights,
    value_loss,
)


def numbers(*values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize(
    ("ratio", "advantage", "expected", "pushes"),
    [
        (1.0, 2.0, -2.0, True),
        (1.1, 2.0, -2.2, True),
        (1.5, 2.0, -2.4, False),  # better already: not pushed further
        (0.5, 2.0, -1.0, True),  # fell too far: pulled back
        (1.5, -2.0, 3.0, True),
        (0.5, -2.0, 1.6, False),
        (0.9, -2.0, 1.8, True),
    ],
)
def test_policy_loss_by_hand(ratio, advantage, expected, pushes):
    old = torch.tensor([-1.0], dtype=torch.float64)
    new = numbers(-1.0 + math.log(ratio))
    ratios = token_ratio(new, old, torch.zeros(1, dtype=torch.long))
    loss, clipped = policy_loss(ratios, torch.tensor([advantage], dtype=torch.float64))
    assert loss.item() == pytest.approx(expected)
    assert ratios.tolist() == pytest.approx([ratio])
    assert clipped.item() != pushes
    loss.sum().backward()
    # Where it pushes, the gradient is that of -ratio * advantage.
    assert new.grad.item() == pytest.approx(-ratio * advantage if pushes else 0.0)


@pytest.mark.parametrize(
    ("ratio", "advantage", "low", "high", "dual", "expected"),
    [
        (1.5, 2.0, 0.2, 0.4, None, -2.8),  # may rise further than it may fall
        (0.5, -2.0, 0.4, 0.2, None, 1.2),
        (5.0, -2.0, 0.2, 0.2, None, 10.0),  # a bad line that became likely: without limit ...
        (5.0, -2.0, 0.2, 0.2, 3.0, 6.0),  # ... or at most three times the advantage
        (2.0, -2.0, 0.2, 0.2, 3.0, 4.0),
        (5.0, 2.0, 0.2, 0.2, 3.0, -2.4),  # good ones are not concerned
    ],
)
def test_clipping_by_hand(ratio, advantage, low, high, dual, expected):
    loss, _ = policy_loss(torch.tensor([ratio]), torch.tensor([advantage]), low, high, dual)
    assert loss.item() == pytest.approx(expected)


def test_gspo_by_hand():
    """An episode of two tokens and one of one: each token carries its episode's geometric mean."""
    new, old = numbers(-1.0, -2.0, -0.5), torch.tensor([-1.2, -1.0, -0.5]).double()
    rows = torch.tensor([0, 0, 2])
    ratio = sequence_ratio(new, old, rows)
    assert ratio.tolist() == pytest.approx([math.exp(-0.4)] * 2 + [1.0])
    # Both tokens share in what the episode's ratio moves.
    ratio[0].backward()
    assert new.grad.tolist() == pytest.approx([math.exp(-0.4) / 2] * 2 + [0.0])
    assert sequence_ratio(torch.zeros(0), torch.zeros(0), torch.zeros(0).long()).shape == (0,)


def test_weights_by_hand():
    actions = torch.tensor([[True, True, False, True], [False, False, True, False], [False] * 4])
    torch.testing.assert_close(token_weights(actions), actions / 4)
    by_episode = token_weights(actions, "sequence")
    torch.testing.assert_close(by_episode[0], torch.tensor([1, 1, 0, 1]) / 6)
    torch.testing.assert_close(by_episode[1], torch.tensor([0, 0, 0.5, 0]))
    assert not by_episode[2].any()
    for aggregation in AGGREGATIONS:
        assert token_weights(actions, aggregation).sum().item() == pytest.approx(1)
        assert not token_weights(actions[2:], aggregation).any()


def test_absurd_ratios_stay_finite():
    new, old = numbers(0.0, -500.0), torch.tensor([-500.0, 0.0])
    for ratio_of in (token_ratio, sequence_ratio):
        ratio = ratio_of(new, old, torch.tensor([0, 1]))
        loss, _ = policy_loss(ratio, torch.tensor([-1.0, -1.0]))
        assert torch.isfinite(loss).all()
        assert torch.isfinite(ratio).all()
    for estimator in ("k1", "k2", "k3"):
        for unbiased in (False, True):
            fresh = numbers(0.0, -500.0)
            loss = kl_loss(fresh, old, old, estimator, unbiased)
            loss.sum().backward()
            assert torch.isfinite(loss).all()
            assert torch.isfinite(fresh.grad).all()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.1, 0.5 * 0.9**2),
        (0.5, 0.5 * 0.8**2),  # moved more than the clip: judged as if it had moved 0.2
        (-0.5, 0.5 * 1.5**2),  # moved away: judged as it is
        (1.9, 0.5 * 0.9**2),
    ],
)
def test_value_loss_by_hand(value, expected):
    old, target = torch.tensor([0.0]), torch.tensor([1.0])
    assert value_loss(torch.tensor([value]), old, target).item() == pytest.approx(expected)


def test_value_loss_without_clip():
    assert value_loss(numbers(3.0), numbers(0.0), numbers(1.0), None).item() == pytest.approx(2)


@pytest.mark.parametrize(
    ("estimator", "expected"), [("k1", 1.0), ("k2", 0.5), ("k3", math.exp(-1) - 1 + 1)]
)
def test_kl_by_hand(estimator, expected):
    assert kl_estimate(numbers(-1.0), numbers(-1.0), estimator).item() == 0
    assert kl_estimate(numbers(-1.0), numbers(-2.0), estimator).item() == pytest.approx(expected)
    assert abs(kl_estimate(numbers(-50.0), numbers(-1.0), estimator).item()) == 10


POLICY = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
REFERENCE = torch.tensor([0.2, 0.2, 0.6], dtype=torch.float64)


@pytest.mark.parametrize("estimator", ["k1", "k3"])
def test_kl_on_average(estimator):
    """Averaged over the policy's own tokens, k1 and k3 are the divergence itself."""
    estimate = (POLICY * kl_estimate(POLICY.log(), REFERENCE.log(), estimator)).sum()
    torch.testing.assert_close(estimate, (POLICY * (POLICY / REFERENCE).log()).sum())


@pytest.mark.parametrize(
    ("estimator", "unbiased", "right"),
    [
        ("k1", False, "none"),
        ("k2", False, "policy"),
        ("k3", False, "reference"),
        ("k1", True, "policy"),
        ("k2", True, "policy"),
        ("k3", True, "policy"),
    ],
)
def test_gradient_of_the_kl_loss_on_average(estimator, unbiased, right):
    """Averaged over the policy's tokens: k2's gradient is that of KL(policy || reference), as is
    that of all in the unbiased form; k3's is that of KL(reference || policy), k1's is nothing."""
    logits = POLICY.log().clone().requires_grad_()

    def gradient(loss):
        return torch.autograd.grad(loss, logits)[0]

    logprobs = logits.log_softmax(-1)
    loss = kl_loss(logprobs, REFERENCE.log(), POLICY.log(), estimator, unbiased)
    found = gradient((POLICY * loss).sum())
    logprobs = logits.log_softmax(-1)
    expected = {
        "none": torch.zeros(3).double(),
        "policy": gradient((logprobs.exp() * (logprobs - REFERENCE.log())).sum()),
        "reference": gradient(-(REFERENCE * logits.log_softmax(-1)).sum()),
    }
    torch.testing.assert_close(found, expected[right])


def test_unbiased_kl_of_old_tokens():
    """Tokens that an older policy took count as much as they have become likelier."""
    old = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
    logits = POLICY.log().clone().requires_grad_()
    loss = kl_loss(logits.log_softmax(-1), REFERENCE.log(), old.log(), "k3", unbiased=True)
    (found,) = torch.autograd.grad((old * loss).sum(), logits)
    logprobs = logits.log_softmax(-1)
    divergence = (logprobs.exp() * (logprobs - REFERENCE.log())).sum()
    torch.testing.assert_close(found, torch.autograd.grad(divergence, logits)[0])


def test_entropy_by_hand():
    assert entropy(torch.zeros(3, 8)).tolist() == pytest.approx([math.log(8)] * 3)
    certain = torch.tensor([[100.0, 0.0, 0.0]])
    assert entropy(certain).item() == pytest.approx(0, abs=1e-6)


def test_dpo_by_hand():
    """The policy prefers the chosen side by 1 more than the reference does."""
    sides = numbers(-1.0), numbers(-3.0), numbers(-2.0), numbers(-3.0)
    loss, margin = dpo_loss(*sides, beta=0.5)
    assert margin.item() == pytest.approx(0.5)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-0.5)))
    smoothed, _ = dpo_loss(*sides, beta=0.5, smoothing=0.1)
    both = 0.9 * math.log(1 + math.exp(-0.5)) + 0.1 * math.log(1 + math.exp(0.5))
    assert smoothed.item() == pytest.approx(both)
    squared, _ = dpo_loss(*sides, beta=0.5, ipo=True)
    assert squared.item() == pytest.approx((1 - 1 / (2 * 0.5)) ** 2)


def test_gradients():
    """Finite differences, away from the kinks of the clipping."""
    new, old = numbers(-1.0, -0.4, -2.0, -0.7), torch.tensor([-1.1, -1.0, -1.2, -0.75]).double()
    advantages = torch.tensor([1.0, 0.5, -0.3, -2.0]).double()
    rows = torch.tensor([0, 0, 1, 1])
    for ratio_of in (token_ratio, sequence_ratio):
        assert torch.autograd.gradcheck(
            lambda x: policy_loss(ratio_of(x, old, rows), advantages, 0.2, 0.3, 2.5)[0],  # noqa: B023
            new,
        )
    assert torch.autograd.gradcheck(lambda x: value_loss(x, old, advantages), new)
    for estimator in ("k1", "k2", "k3"):
        assert torch.autograd.gradcheck(lambda x: kl_loss(x, old, old, estimator), new)  # noqa: B023
    for ipo in (False, True):
        assert torch.autograd.gradcheck(
            lambda x: dpo_loss(x, old, advantages, -old, 0.3, ipo=ipo)[0],  # noqa: B023
            new,
        )
    logits = torch.linspace(-1, 2, 12).double().view(3, 4).requires_grad_()
    assert torch.autograd.gradcheck(entropy, logits)
