"""Estimators against hand values, plain loops and their definitions; whitening."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents.learning.advantages import ESTIMATORS, estimate, gae, returns_to_go, whiten


def row(*values):
    return torch.tensor([values], dtype=torch.float64)


def test_by_hand():
    """Two actions, then the end. delta_1 = 1 - 0.5; delta_0 = 0 + 0.9 * 0.5 - 0.25."""
    actions = torch.tensor([[True, True]])
    advantages, returns = gae(
        row(0.0, 1.0), row(0.25, 0.5), actions, torch.zeros(1), gamma=0.9, lam=0.8
    )
    second = 0.5
    first = 0.9 * 0.5 - 0.25 + 0.9 * 0.8 * second
    torch.testing.assert_close(advantages, row(first, second))
    torch.testing.assert_close(returns, row(first + 0.25, 1.0))


def test_truncation_bootstraps_and_termination_does_not():
    """The same episode, cut off in a state worth 2 or really over."""
    rewards, values = torch.zeros(2, 1), torch.full((2, 1), 0.5)
    actions = torch.ones(2, 1, dtype=torch.bool)
    advantages, returns = gae(rewards, values, actions, torch.tensor([2.0, 0.0]), gamma=0.9)
    torch.testing.assert_close(advantages, torch.tensor([[1.8 - 0.5], [-0.5]]))
    torch.testing.assert_close(returns, torch.tensor([[1.8], [0.0]]))


def test_tokens_of_the_environment_are_no_time():
    """Prompt, action, two feedback tokens, action, padding: as if the two actions were all. What
    stands at the other places does not matter."""
    actions = torch.tensor([[False, True, False, False, True, False]])
    rewards, values = row(9, 0.5, 9, 9, 1, 9), row(7, 0.1, 7, 7, 0.2, 7)
    advantages, returns = gae(rewards, values, actions, torch.tensor([0.4]), gamma=0.9, lam=0.5)
    alone, alone_returns = gae(
        row(0.5, 1),
        row(0.1, 0.2),
        torch.ones(1, 2, dtype=torch.bool),
        torch.tensor([0.4]),
        0.9,
        0.5,
    )
    torch.testing.assert_close(advantages[actions], alone[0])
    torch.testing.assert_close(returns[actions], alone_returns[0])
    assert not advantages[~actions].any()
    assert not returns[~actions].any()


def plain_loop(rewards, values, bootstrap, gamma, lam):
    """The textbook loop over one episode of actions only."""
    advantages = [0.0] * len(rewards)
    running = 0.0
    for t in range(len(rewards) - 1, -1, -1):
        following = bootstrap if t == len(rewards) - 1 else values[t + 1]
        running = rewards[t] + gamma * following - values[t] + gamma * lam * running
        advantages[t] = running
    return advantages


NUMBERS = st.floats(-3, 3)
ROWS = st.lists(
    st.tuples(st.lists(st.tuples(st.booleans(), NUMBERS, NUMBERS), max_size=12), NUMBERS),
    min_size=1,
    max_size=4,
)


@given(ROWS, st.floats(0, 1), st.floats(0, 1))
def test_agrees_with_a_plain_loop(rows, gamma, lam):
    length = max(len(tokens) for tokens, _ in rows)
    padded = [[*tokens, *[(False, 5.0, 5.0)] * (length - len(tokens))] for tokens, _ in rows]
    shape = (len(rows), length)
    actions, rewards, values = (
        torch.tensor([[token[i] for token in tokens] for tokens in padded], dtype=dtype).view(shape)
        for i, dtype in enumerate((torch.bool, torch.float64, torch.float64))
    )
    bootstrap = torch.tensor([last for _, last in rows], dtype=torch.float64)
    advantages, returns = gae(rewards, values, actions, bootstrap, gamma, lam)
    for i, (tokens, last) in enumerate(rows):
        acted = [token for token in tokens if token[0]]
        expected = plain_loop([r for _, r, _ in acted], [v for _, _, v in acted], last, gamma, lam)
        assert advantages[i][actions[i]].tolist() == pytest.approx(expected, abs=1e-9)
        targets = [advantage + v for advantage, (_, _, v) in zip(expected, acted, strict=True)]
        assert returns[i][actions[i]].tolist() == pytest.approx(targets, abs=1e-9)


def test_one_is_the_whole_return_and_zero_the_next_step():
    rewards, values = row(0.1, 0.2, 0.3), row(1.0, 2.0, 3.0)
    actions = torch.ones(1, 3, dtype=torch.bool)
    whole, _ = gae(rewards, values, actions, torch.tensor([4.0]), 1.0, 1.0)
    torch.testing.assert_close(whole, row(4.6 - 1, 4.5 - 2, 4.3 - 3))
    step, _ = gae(rewards, values, actions, torch.tensor([4.0]), 1.0, 0.0)
    torch.testing.assert_close(step, row(0.1 + 2 - 1, 0.2 + 3 - 2, 0.3 + 4 - 3))


def test_whiten():
    mask = torch.tensor([[True, False, True], [True, True, False]])
    values = torch.tensor([[1.0, 100.0, 2.0], [3.0, 6.0, -100.0]])
    white = whiten(values, mask)
    torch.testing.assert_close(white[mask].mean(), torch.tensor(0.0))
    torch.testing.assert_close(white[mask].std(unbiased=False), torch.tensor(1.0))
    torch.testing.assert_close(white[0, 0], torch.tensor(-2 / 3.5**0.5))
    assert not white[~mask].any()
    # Where all are equal nothing blows up.
    assert not whiten(torch.ones(1, 3), torch.ones(1, 3, dtype=torch.bool)).any()


# -- Without a critic --------------------------------------------------------------------------

GROUPED = [name for name, estimator in ESTIMATORS.items() if estimator.grouped]
ALL = torch.ones(4, 2, dtype=torch.bool)
# Two groups of two episodes of two tokens, each of which earns.
EARNED = torch.tensor([[1.0, 2.0], [0.0, 1.0], [4.0, 4.0], [0.0, 2.0]], dtype=torch.float64)


def test_returns_to_go_by_hand():
    """Prompt, action, feedback, two actions, padding."""
    actions = torch.tensor([[False, True, False, True, True, False]])
    returns = returns_to_go(row(9, 1, 9, 2, 4, 9), actions, gamma=0.5)
    torch.testing.assert_close(returns, row(0, 1 + 0.5 * 4, 0, 2 + 0.5 * 4, 4, 0))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Totals 3 and 1; 8 and 2.
        ("dr_grpo", [[3 - 2, 2 - 2], [1 - 2, 1 - 2], [8 - 5, 4 - 5], [2 - 5, 2 - 5]]),
        ("rloo", [[3 - 1, 2 - 1], [1 - 3, 1 - 3], [8 - 2, 4 - 2], [2 - 8, 2 - 8]]),
        (
            "grpo",
            [
                [1 / 2**0.5, 0],
                [-1 / 2**0.5, -1 / 2**0.5],
                [3 / 18**0.5, -1 / 18**0.5],
                [-3 / 18**0.5, -3 / 18**0.5],
            ],
        ),
    ],
)
def test_groups_by_hand(name, expected):
    """Process rewards on every token: what is earned from the token on, less the baseline of the
    totals. A group knows nothing of the other."""
    advantages, returns = estimate(name, EARNED, ALL, samples=2)
    torch.testing.assert_close(advantages, torch.tensor(expected).double())
    torch.testing.assert_close(returns, advantages)
    alone, _ = estimate(name, EARNED[2:], ALL[2:], samples=2)
    torch.testing.assert_close(advantages[2:], alone)


def test_reinforce_baseline_is_the_whitened_dr_grpo():
    plain, _ = estimate("dr_grpo", EARNED, ALL, samples=2)
    whitened, returns = estimate("reinforce_baseline", EARNED, ALL, samples=2)
    torch.testing.assert_close(whitened, whiten(plain, ALL))
    torch.testing.assert_close(returns, plain)


def test_reinforce_discounts():
    advantages, returns = estimate("reinforce", EARNED, ALL, gamma=0.5)
    torch.testing.assert_close(returns[0], torch.tensor([2.0, 2.0]).double())
    torch.testing.assert_close(advantages, whiten(returns, ALL))


@pytest.mark.parametrize("name", GROUPED)
def test_groups_that_are_equal_but_for_rounding(name):
    """The same parts in another order add up to not quite the same: nothing may be made of it."""
    parts = [[0.1, 0.3, 0.5], [0.1, 0.5, 0.3], [0.3, 0.5, 0.1]]
    rewards = torch.tensor(parts, dtype=torch.float32)
    assert len(set(rewards.sum(-1).tolist())) > 1
    advantages, returns = estimate(name, rewards, torch.ones(3, 3, dtype=torch.bool), samples=3)
    assert returns[:, 0].abs().max() < 1e-6
    assert returns.abs().max() < 1  # what is still to be earned, not divided by a rounding error
    if not ESTIMATORS[name].whitened:
        assert torch.equal(advantages, returns)


@pytest.mark.parametrize("name", list(ESTIMATORS))
@given(st.integers(0, 10_000))
def test_what_the_environment_wrote_changes_nothing(name, seed):
    """Feedback between the actions, with anything at its places: as if it were not there."""
    g = torch.Generator().manual_seed(seed)
    rewards, values, penalties = torch.randn((3, 4, 3), generator=g, dtype=torch.float64)
    bootstrap = torch.randn(4, generator=g, dtype=torch.float64)
    gamma = 0.9 if ESTIMATORS[name].discounts else 1.0
    dense = torch.ones(4, 3, dtype=torch.bool)
    spread = torch.tensor([0, 1, 0, 0, 1, 1, 0], dtype=torch.bool).expand(4, 7)

    def spaced(table):
        return torch.full((4, 7), 7.0).double().masked_scatter(spread, table)

    def found(actions, *tables):
        r, p, v = tables
        return estimate(name, r, actions, 2, p, v, bootstrap, gamma, 0.7, clip=1.0)

    expected = found(dense, rewards, penalties, values)
    spaced_out = found(spread, spaced(rewards), spaced(penalties), spaced(values))
    for ours, alone in zip(spaced_out, expected, strict=True):
        torch.testing.assert_close(ours[spread].view(4, 3), alone)
        assert not ours[~spread].any()


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_only_a_critic_knows_what_a_truncated_episode_might_have_earned(name):
    values = torch.zeros(4, 2).double()
    found = [
        estimate(name, EARNED, ALL, 2, values=values, bootstrap=torch.full((4,), b).double())[1]
        for b in (0.0, 5.0)
    ]
    assert torch.equal(*found) != ESTIMATORS[name].critic


@pytest.mark.parametrize("name", ["reinforce", "rloo", "dr_grpo"])
def test_policy_gradient_on_average(name):
    """Over all pairs of episodes of a policy of two lines, the mean of advantage times score is the
    gradient of the expected reward: exactly for rloo, in the same direction for the others (dr_grpo
    by (n - 1) / n; reinforce before it is whitened)."""
    policy = torch.tensor([0.3, 0.7], dtype=torch.float64)
    earns = torch.tensor([1.0, 0.25], dtype=torch.float64)
    score = torch.eye(2, dtype=torch.float64) - policy
    gradient = torch.zeros(2, dtype=torch.float64)
    for first in range(2):
        for second in range(2):
            pair = torch.tensor([first, second])
            rewards, actions = earns[pair][:, None], torch.ones(2, 1, dtype=torch.bool)
            advantages = estimate(name, rewards, actions, samples=2)[1][:, 0]
            chance = policy[first] * policy[second]
            gradient += chance * (advantages[:, None] * score[pair]).mean(0)
    truth = policy * (earns - (policy * earns).sum())
    torch.testing.assert_close(gradient, truth * (0.5 if name == "dr_grpo" else 1.0))


def test_penalties_are_no_business_of_the_baseline():
    penalties = torch.tensor([[0.5, 0.25]] + [[0.0, 0.0]] * 3).double()
    plain, _ = estimate("rloo", EARNED, ALL, 2)
    charged, _ = estimate("rloo", EARNED, ALL, 2, penalties)
    torch.testing.assert_close(charged[0], plain[0] - torch.tensor([0.75, 0.25]).double())
    torch.testing.assert_close(charged[1:], plain[1:])


def test_clipping_comes_before_penalties():
    penalties = torch.full((4, 2), 0.5).double()
    advantages, _ = estimate("rloo", EARNED, ALL, 2, penalties, clip=1.5)
    torch.testing.assert_close(advantages[2], torch.tensor([1.5 - 1.0, 1.5 - 0.5]).double())
    _, returns = estimate("reinforce", EARNED, ALL, clip=1.5)
    torch.testing.assert_close(returns[2], torch.tensor([3.0, 1.5]).double())
