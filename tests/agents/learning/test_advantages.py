"""GAE against hand values, a plain loop and its definition; whitening."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents.learning.advantages import gae, whiten


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
