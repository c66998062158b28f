"""Trajectories: who wrote which token, where rewards sit, and what is trained on."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from toys import doors

from agents.learning import forward as forward_module
from agents.learning.demonstrations import demonstrate
from agents.learning.forward import forward
from agents.learning.rollout import replay, rollout
from agents.learning.trajectory import Recorder, collate
from agents.models.scripted import ScriptedModel
from agents.search import load_strategy, run_searches
from reason_env.tokenizer import BOS, EOS, PAD, TOKENIZER

NEWLINE = TOKENIZER.newline
SPEC = "Countdown-v0:feedback=state,on_invalid=feedback"


@pytest.fixture
def episodes(make_envs):
    """Aimless demonstrations, with feedback after every line."""
    rng = np.random.default_rng(0)
    envs = make_envs(6, SPEC, reward="shaped", max_steps=3)
    return [demonstrate(env, rng, 0.3) for env in envs]


def played(env, lines):
    recorder = Recorder(env)
    for line in lines:
        recorder.play([*TOKENIZER.encode(line), NEWLINE])
    return recorder.trajectory()


def test_token_by_token(make_envs):
    [env] = make_envs(1, SPEC, reward="shaped")
    lines = ["44 - 9", "35 - 1", "35 - 5"]
    trajectory = played(env, lines)
    text = "44 9 5 -> 30\n44 - 9\n> 35 5 -> 30\n35 - 1\n> wrong: 1 is not among the numbers left\n"
    text += "35 - 5\n"
    assert trajectory.tokens == (BOS, *TOKENIZER.encode(text))
    own = [t for t, acted in zip(trajectory.tokens, trajectory.actions, strict=True) if acted]
    assert own == TOKENIZER.encode("44 - 9\n35 - 1\n35 - 5\n")
    assert trajectory.solved
    assert trajectory.terminated


@pytest.mark.parametrize("reward", ["outcome", "process", "shaped"])
def test_rewards_sit_on_the_token_that_ends_their_line(make_envs, reward):
    lines = ["hm", "44 - 9", "35 - 1", "check: dead", "35 - 5"]
    [env], [again] = (make_envs(1, SPEC, reward=reward) for _ in range(2))
    trajectory = played(env, lines)
    paid = iter([again.step(line)[1] for line in lines])
    for token, acted, earned in zip(
        trajectory.tokens, trajectory.actions, trajectory.rewards, strict=True
    ):
        if acted and token == NEWLINE:
            assert earned == next(paid)
        else:
            assert earned == 0
    assert next(paid, None) is None


def test_giving_up_is_paid_on_its_own_token(make_envs):
    [env] = make_envs(1, SPEC, reward="process")
    recorder = Recorder(env)
    recorder.play([*TOKENIZER.encode("44 - 1"), EOS])
    trajectory = recorder.trajectory()
    assert trajectory.rewards[-1] == 0 or trajectory.tokens[-1] != EOS
    assert trajectory.terminated
    assert not trajectory.solved
    assert sum(trajectory.rewards) == -0.5


def test_truncated_is_not_terminated():
    trajectory = played(doors("LLL", max_steps=2), ["L", "L"])
    assert (trajectory.terminated, trajectory.solved) == (False, False)
    trajectory = played(doors("LL"), ["L", "L"])
    assert (trajectory.terminated, trajectory.solved) == (True, True)
    trajectory = played(doors("RR"), ["L", "L"])
    assert (trajectory.terminated, trajectory.solved) == (False, False)


def test_a_line_that_never_ends_gives_up():
    """It ends the episode and pays as giving up does: else endless lines would be worth what the
    critic believes of states that nothing ever follows."""
    endless = ScriptedModel(lambda text, seed: "L" * 99)
    [trajectory] = rollout(endless, [doors("LL", reward="shaped")], 0, line_tokens=5)
    assert trajectory.tokens == (BOS, *TOKENIZER.encode("L L\nLLLLL"))
    assert (trajectory.terminated, trajectory.solved) == (True, False)
    assert trajectory.rewards[-1] == doors("LL", reward="shaped").step("answer:")[1] < 0
    assert not any(trajectory.rewards[:-1])
    assert sum(trajectory.actions) == 5


def test_the_budget_truncates_an_unfinished_line():
    endless = ScriptedModel(lambda text, seed: "L" * 99)
    [trajectory] = rollout(endless, [doors("LL", max_tokens=9)], 0, line_tokens=50)
    assert (trajectory.terminated, any(trajectory.rewards)) == (False, False)
    assert sum(trajectory.actions) == 9


def test_rollouts_are_what_the_environment_says(trained, make_envs):
    for trajectory, env in zip(
        rollout(trained, make_envs(8, reward="process"), seed=3), make_envs(8), strict=True
    ):
        assert trajectory.tokens[0] == BOS
        text = TOKENIZER.decode(trajectory.tokens)
        assert text.startswith(env.episode.text)
        lines = text.removeprefix(env.episode.text).split("\n")
        for line in lines:
            if not line.startswith("> ") and not env.episode.stopped and line:
                env.step(line)
        assert env.episode.text.startswith(text[: len(env.episode.text)])


def test_rollouts_do_not_depend_on_their_neighbours(trained, make_envs):
    """Each row has its own stream, named by its place."""
    together = rollout(trained, make_envs(5), seed=3)
    assert rollout(trained, make_envs(3), seed=3) == together[:3]
    assert rollout(trained, make_envs(5), seed=4) != together


def test_replaying_what_was_found(make_envs):
    table = {"": {"44 - 9": 1.0}, "44 - 9\n> 35 5 -> 30\n": {"35 - 5": 1.0}}
    [found] = run_searches(ScriptedModel.table(table), make_envs(1), load_strategy("greedy"), [0])
    trajectory = replay(make_envs(1)[0], found.tokens)
    assert trajectory.solved
    assert sum(trajectory.actions) == sum(map(len, found.tokens))


def test_demonstrations(make_envs):
    rng = np.random.default_rng(1)
    experts = [demonstrate(env, rng, 1.0) for env in make_envs(20)]
    assert all(trajectory.solved for trajectory in experts)
    aimless = [demonstrate(env, rng, 0.0) for env in make_envs(60)]
    assert 0 <= sum(trajectory.solved for trajectory in aimless) < 30
    # Aimless, yet never wrong: who has no line left gives up.
    for trajectory in aimless:
        assert trajectory.solved or trajectory.tokens[-1] == EOS
    first, second = (demonstrate(make_envs(1)[0], np.random.default_rng(7), 0.5) for _ in range(2))
    assert first.tokens == second.tokens


def test_collate(episodes):
    batch = collate(episodes)
    assert len(batch) == 6
    for i, trajectory in enumerate(episodes):
        length = len(trajectory.tokens)
        assert batch.ids[i, :length].tolist() == list(trajectory.tokens)
        assert batch.actions[i, :length].tolist() == list(trajectory.actions)
        assert (batch.ids[i, length:] == PAD).all()
        assert not batch.actions[i, length:].any()
        assert batch.attention[i].sum() == length
    part = batch.rows(torch.tensor([3, 1]))
    assert part.ids.shape[1] == max(len(episodes[i].tokens) for i in (3, 1))
    assert torch.equal(part.rewards[1], batch.rewards[1, : part.ids.shape[1]])
    with pytest.raises(ValueError, match="no trajectories"):
        collate([])


# -- What is trained on ------------------------------------------------------------------------


@pytest.mark.parametrize(("fast", "near"), [(False, 1e-4), (True, 0.15)])
def test_logprobs_are_of_the_agents_tokens(trained, episodes, monkeypatch, fast, near):
    """In float32, and in bfloat16 as processors compute that are fast with it."""
    monkeypatch.setattr(forward_module, "fast_bfloat16", lambda: fast)
    batch = collate(episodes)
    out = forward(trained, batch)
    own = [
        [int(t) for t, acted in zip(e.tokens, e.actions, strict=True) if acted] for e in episodes
    ]
    assert len(out.logprobs) == sum(map(len, own)) == int(batch.actions.sum())
    start = 0
    for episode, tokens in zip(episodes, own, strict=True):
        ids = torch.tensor([episode.tokens])
        with torch.no_grad():
            logprobs = trained.network(ids).logits[0].log_softmax(-1)
        places = [i for i, acted in enumerate(episode.actions) if acted]
        expected = torch.stack([logprobs[i - 1, episode.tokens[i]] for i in places])
        torch.testing.assert_close(
            out.logprobs[start : start + len(tokens)].detach(), expected, atol=near, rtol=near / 3
        )
        start += len(tokens)


def test_the_gradient_comes_from_the_agents_tokens_only(trained, episodes, monkeypatch):
    """Through the last hidden states: those that predict prompt, feedback or padding get none."""
    batch = collate(episodes)
    hidden = trained.hidden
    kept = []

    def keeping(ids, attention):
        states = hidden(ids, attention)
        states.retain_grad()
        kept.append(states)
        return states

    monkeypatch.setattr(trained, "hidden", keeping)
    (-forward(trained, batch).logprobs.mean()).backward()
    touched = kept[0].grad.abs().sum(-1) > 0
    predicts_action = torch.zeros_like(batch.actions)
    predicts_action[:, :-1] = batch.actions[:, 1:]
    assert torch.equal(touched, predicts_action)


def test_the_environments_last_words_change_nothing(trained, make_envs):
    """Feedback that no action follows is neither a target nor read."""
    [env] = make_envs(1, SPEC, max_steps=1)
    episode = played(env, ["44 - 9"])
    length = max(i for i, acted in enumerate(episode.actions) if acted) + 1
    other = [*episode.tokens[:length], *[77] * (len(episode.tokens) - length)]
    changed = replace(episode, tokens=tuple(other))
    assert changed.tokens != episode.tokens
    losses, gradients = [], []
    for one in (episode, changed):
        model = copy.deepcopy(trained)
        loss = -forward(model, collate([one])).logprobs.mean()
        loss.backward()
        losses.append(loss.item())
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    assert losses[0] == losses[1]
    assert torch.equal(*gradients)


def test_padding_changes_nothing(trained, episodes):
    """A row's numbers are the same beside a longer one."""
    short, long = sorted(episodes, key=lambda e: len(e.tokens))[:: len(episodes) - 1]
    assert len(short.tokens) < len(long.tokens)
    alone = forward(trained, collate([short]))
    together = forward(trained, collate([short, long]))
    count = sum(short.actions)
    torch.testing.assert_close(together.logprobs[:count], alone.logprobs, atol=0.05, rtol=0.02)


def test_values_stand_before_their_token_and_after_the_end(make_tiny, episodes):
    model = make_tiny(values=True)
    [episode] = episodes[:1]
    out = forward(model, collate([episode]))
    places = [i for i, acted in enumerate(episode.actions) if acted]
    expected = model.values([episode.tokens[1:i] for i in places])
    assert out.values.tolist() == pytest.approx(expected, abs=0.05)
    assert out.final.tolist() == pytest.approx(model.values([episode.tokens[1:]]), abs=0.05)
