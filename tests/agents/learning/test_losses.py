"""Losses against hand values, and their gradients against finite differences."""

import math

import pytest
import torch

from agents.learning.losses import entropy, kl_k3, policy_loss, value_loss


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
    loss, ratios = policy_loss(new, old, torch.tensor([advantage], dtype=torch.float64))
    assert loss.item() == pytest.approx(expected)
    assert ratios.tolist() == pytest.approx([ratio])
    loss.backward()
    # Where it pushes, the gradient is that of -ratio * advantage.
    assert new.grad.item() == pytest.approx(-ratio * advantage if pushes else 0.0)


def test_losses_are_token_means():
    old, advantages = torch.zeros(4), torch.tensor([1.0, -1.0, 2.0, 0.0])
    assert policy_loss(torch.zeros(4), old, advantages)[0].item() == pytest.approx(-0.5)
    values, returns = torch.tensor([0.0, 0.0]), torch.tensor([1.0, 3.0])
    assert value_loss(values, values, returns).item() == pytest.approx(0.5 * (1 + 9) / 2)


def test_absurd_ratios_stay_finite():
    new = numbers(0.0, -500.0)
    loss, ratio = policy_loss(new, torch.tensor([-500.0, 0.0]), torch.tensor([-1.0, -1.0]))
    assert torch.isfinite(loss)
    assert torch.isfinite(ratio).all()


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


def test_kl_by_hand_and_on_average():
    assert kl_k3(numbers(-1.0), numbers(-1.0)).item() == 0
    assert kl_k3(numbers(-1.0), numbers(-2.0)).item() == pytest.approx(math.exp(-1) - 1 + 1)
    # Averaged over the policy's own tokens it is the divergence itself.
    policy = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    reference = torch.tensor([0.2, 0.2, 0.6], dtype=torch.float64)
    estimate = sum(
        p * kl_k3(p.log()[None], r.log()[None]) for p, r in zip(policy, reference, strict=True)
    )
    torch.testing.assert_close(estimate, (policy * (policy / reference).log()).sum())


def test_entropy_by_hand():
    assert entropy(torch.zeros(3, 8)).item() == pytest.approx(math.log(8))
    certain = torch.tensor([[100.0, 0.0, 0.0]])
    assert entropy(certain).item() == pytest.approx(0, abs=1e-6)
    half = entropy(torch.cat([torch.zeros(1, 3), certain])).item()
    assert half == pytest.approx(math.log(3) / 2)


def test_gradients():
    """Finite differences, away from the kinks of the clipping."""
    new, old = numbers(-1.0, -0.4, -2.0, -0.7), torch.tensor([-1.1, -1.0, -1.2, -0.75]).double()
    advantages = torch.tensor([1.0, 0.5, -0.3, -2.0]).double()
    assert torch.autograd.gradcheck(lambda x: policy_loss(x, old, advantages)[0], new)
    assert torch.autograd.gradcheck(lambda x: value_loss(x, old, advantages), new)
    assert torch.autograd.gradcheck(lambda x: kl_k3(x, old), new)
    logits = torch.linspace(-1, 2, 12).double().view(3, 4).requires_grad_()
    assert torch.autograd.gradcheck(entropy, logits)
