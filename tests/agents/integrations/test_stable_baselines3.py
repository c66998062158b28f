"""The bridge to stable-baselines3: its own checks, masks and truncation; policies that learn, are
saved, and play in our harness as they do in theirs."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from gymnasium import spaces
from toys import ENV, OpenDoors

pytest.importorskip("stable_baselines3")
pytest.importorskip("sb3_contrib")
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv

from agents.agent import EnvAgent, load_agent
from agents.integrations.stable_baselines3 import (
    CausalTransformer,
    MaskedPolicyAgent,
    PolicyAgent,
    TokenRow,
    load_policy,
    make_env,
    make_eval_env,
    policy_kwargs,
    success_rate,
)
from agents.integrations.stable_baselines3.agents import MODEL_VARIABLE
from agents.integrations.stable_baselines3.environments import NOTHING, token_row
from agents.learning.specs import EnvSpec
from reason_env import TokenEnv
from reason_env.errors import MissingExtra
from reason_env.splits import stream_seed
from reason_env.tokenizer import EOS, PAD, TOKENIZER
from reason_env.tokens import GIVE_UP

SPEC = str(ENV)
SMALL = policy_kwargs(width=16, layers=2, heads=2)


def doors_env(level=2, **kwargs):
    return TokenRow(TokenEnv(OpenDoors(), level=level, max_steps=level + 2, **kwargs))


def doors_model(algorithm=MaskablePPO, seed=0, n_envs=2, level=2, **kwargs):
    kwargs = {"n_steps": 16, "batch_size": 32, "policy_kwargs": SMALL, "gamma": 1.0, **kwargs}
    envs = DummyVecEnv([lambda: doors_env(level)] * n_envs)
    return algorithm("MlpPolicy", envs, seed=seed, device="cpu", **kwargs)


def parameters(model):
    return {name: value.clone() for name, value in model.policy.state_dict().items()}


# -- Environments ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec",
    [
        SPEC,
        "reason_env/Countdown-Token-v0:level=3",
        "Arithmetic-v0:on_invalid=feedback",
        "KnightsKnaves-v0",
        "Sudoku-v0:level=1,feedback=state",
        "Hanoi-v0:prompt=verbose",
    ],
)
def test_the_checker_of_stable_baselines3_has_no_complaint(spec):
    check_env(make_env(spec), warn=True, skip_render_check=False)


def test_a_row_is_what_the_token_environment_shows():
    env = make_env(SPEC)
    row, _ = env.reset(seed=3)
    plain = EnvSpec.parse(SPEC).make()
    plain.reset(seed=3)
    expected = TOKENIZER.encode(plain.episode.text)
    assert row.dtype == np.int32
    assert row[: len(expected)].tolist() == expected
    assert (row[len(expected) :] == NOTHING).all()
    # A `<pad>` that the agent writes is a token like any other.
    row, reward, terminated, truncated, info = env.step(PAD)
    assert row[: len(expected) + 2].tolist() == [*expected, PAD, NOTHING]
    assert (reward, terminated, truncated, "is_success" in info) == (0.0, False, False, False)


def test_an_overlong_row_keeps_its_end():
    assert token_row([5, 6, 7], 2).tolist() == [6, 7]
    assert token_row([5], 3).tolist() == [5, NOTHING, NOTHING]


def test_specs_and_overrides():
    env = make_env("Countdown-v0:level=1", level=2, reward="shaped").unwrapped
    assert type(env) is TokenEnv
    assert (env.level, env.split, env.reward.shaping) == (2, "train", 1.0)
    assert make_env(ENV).unwrapped.feedback == "state"
    assert make_eval_env(SPEC).unwrapped.split == "dev"
    assert make_eval_env(SPEC + ",split=train", "test").unwrapped.split == "test"


@pytest.mark.parametrize(
    ("spec", "overrides", "message"),
    [
        (SPEC, {"split": "dev"}, "train split only, received split=dev"),
        (SPEC + ",split=test", {}, "train split only, received split=test"),
        ("Contdown-v0", {}, "Countdown"),
        (SPEC, {"levle": 1}, "Did you mean 'level'"),
        ("Countdown-Episode-v0", {}, "step granularity"),
    ],
)
def test_refuses(spec, overrides, message):
    with pytest.raises(ValueError, match=message):
        make_env(spec, **overrides)


def test_refuses_other_environments():
    with pytest.raises(TypeError, match=r"received ReasonEnv; make_env"):
        TokenRow(EnvSpec.parse(SPEC).make())
    with pytest.raises(ValueError, match="rows of token ids"):
        PPO("MlpPolicy", "CartPole-v1", policy_kwargs=SMALL, device="cpu")
    with pytest.raises(ValueError, match="multiple of heads"):
        CausalTransformer(make_env(SPEC).observation_space, width=9, layers=1, heads=2)


def test_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    for name in [name for name in sys.modules if name.startswith("agents.integrations.stable_")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingExtra, match=r"reason-env\[sb3\]"):
        __import__("agents.integrations.stable_baselines3")


@pytest.mark.parametrize("kind", [DummyVecEnv, SubprocVecEnv])
def test_masks_through_vector_environments(kind):
    envs = kind([lambda: make_env(SPEC), lambda: make_env(SPEC)])
    try:
        envs.seed(5)
        rows = envs.reset()
        assert is_masking_supported(envs)
        masks = get_action_masks(envs)
        alone = [make_env(SPEC), make_env(SPEC)]
        for index, env in enumerate(alone):
            assert (env.reset(seed=5 + index)[0] == rows[index]).all()
            assert (env.unwrapped.action_masks() == masks[index]).all()
        # A mask belongs to the unfinished line.
        rows, *_ = envs.step(masks.argmax(-1))
        for env, mask in zip(alone, masks):
            env.step(mask.argmax())
        assert (get_action_masks(envs) == [env.unwrapped.action_masks() for env in alone]).all()
    finally:
        envs.close()


def test_where_no_legal_step_is_left_the_mask_gives_up():
    env = doors_env(level=1, feedback="none")
    env.reset(seed=0)
    wrong = {"L": "R", "R": "L"}[env.unwrapped.episode.problem.data]
    # A task that goes on behind the last door, although no step is left.
    env.unwrapped.task.step = lambda problem, state, line: super(OpenDoors, OpenDoors()).step(
        problem, state, line
    )
    for token in TOKENIZER.encode(wrong):
        env.step(token)
    assert env.action_masks().nonzero()[0].tolist() == [TOKENIZER.newline]
    _, _, terminated, truncated, _ = env.step(TOKENIZER.newline)
    assert not terminated
    assert not truncated
    assert env.action_masks().nonzero()[0].tolist() == [EOS]
    _, reward, terminated, _, info = env.step(EOS)
    assert (reward, terminated, info["is_success"]) == (0.0, True, False)


def test_success_is_reported_when_the_episode_ends():
    env = doors_env(level=1)
    env.reset(seed=0)
    way = env.unwrapped.episode.problem.data
    infos = [env.step(token)[4] for token in TOKENIZER.encode(way + "\n")]
    assert infos[-1]["is_success"] is True
    assert all("is_success" not in info for info in infos[:-1])


# -- Truncation ------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", [PPO, MaskablePPO])
def test_truncation_bootstraps_and_termination_does_not(algorithm):
    """What stable-baselines3 puts into its buffer: the critic's value of the last row, discounted,
    is added where the token budget cut the episode, and nowhere else."""

    class Keep(BaseCallback):
        def _on_step(self):
            infos = [dict(info) for info in self.locals["infos"]]
            kept.append((self.locals["rewards"].copy(), self.locals["dones"].copy(), infos))
            return True

    kept = []
    # Two doors take four tokens, a wrong turn ends the episode after two, and babble never does.
    env = DummyVecEnv([lambda: doors_env(max_tokens=3)] * 2)
    model = algorithm(
        "MlpPolicy", env, n_steps=32, batch_size=64, gamma=0.9, policy_kwargs=SMALL, seed=0
    )
    torch.nn.init.normal_(model.policy.value_net.weight, std=0.02)
    torch.nn.init.constant_(model.policy.value_net.bias, 2.0)
    _, callback = model._setup_learn(64, Keep())
    model.collect_rollouts(model.env, callback, model.rollout_buffer, 32)
    ends = {True: 0, False: 0}
    for place, (rewards, dones, infos) in enumerate(kept):
        for index in range(2):
            bonus = 0.0
            if dones[index]:
                cut = infos[index]["TimeLimit.truncated"]
                ends[cut] += 1
                last = infos[index]["terminal_observation"]
                if cut:
                    assert (last != NOTHING).sum() == len(TOKENIZER.encode("L R\n")) + 3
                    with torch.no_grad():
                        value = model.policy.predict_values(torch.as_tensor(last)[None])
                    bonus = 0.9 * float(value)
                    assert bonus > 0.5
            stored = model.rollout_buffer.rewards[place, index]
            assert stored == pytest.approx(rewards[index] + bonus, abs=1e-5)
    assert ends[True] > 0
    assert ends[False] > 0 or algorithm is PPO


# -- Features --------------------------------------------------------------------------------


@pytest.fixture
def extractor():
    torch.manual_seed(0)
    space = spaces.Box(NOTHING, len(TOKENIZER) - 1, (24,), np.int32)
    return CausalTransformer(space, width=16, layers=3, heads=2).eval()


def features(extractor, *rows, context=24):
    stacked = np.stack([token_row(row, context) for row in rows])
    with torch.no_grad():
        return extractor(torch.as_tensor(stacked).float())


def test_features_ignore_padding_and_neighbours(extractor):
    short, long = [7, 8, PAD], list(range(20, 40))
    alone = features(extractor, short)
    assert alone.shape == (1, 16)
    torch.testing.assert_close(features(extractor, short, context=3), alone)
    torch.testing.assert_close(features(extractor, short, context=10), alone)
    torch.testing.assert_close(features(extractor, long, short)[1:], alone)
    # An agent's own `<pad>` counts.
    assert (features(extractor, short[:-1]) - alone).abs().max() > 1e-3


def test_features_are_those_of_a_causal_transformer(extractor):
    """Every hidden state computed at once, with a plain triangular mask."""
    row = [5, 9, 5, 300, 12, 9]
    with torch.no_grad():
        places = torch.arange(len(row))
        hidden = (extractor.embedding(torch.tensor(row)) + extractor.position(places))[None]
        for block in extractor.blocks:
            query, keys = block.before_attention(hidden), block.before_attention(hidden)
            keys, values = block.key_value(keys).chunk(2, -1)
            mixed = []
            for head in torch.arange(16).split(8):
                scores = block.query(query)[..., head] @ keys[..., head].transpose(1, 2) / 8**0.5
                scores = scores.masked_fill(places > places[:, None], -torch.inf)
                mixed.append(scores.softmax(-1) @ values[..., head])
            hidden = hidden + block.attended(torch.cat(mixed, -1))
            hidden = hidden + block.feed(block.before_feed(hidden))
        hidden = extractor.norm(hidden)[0]
    prefixes = [row[: end + 1] for end in range(len(row))]
    torch.testing.assert_close(features(extractor, *prefixes), hidden)


def test_features_depend_on_every_token_and_its_place(extractor):
    row = [5, 9, 300, 12]
    base = features(extractor, row)
    for index in range(len(row)):
        changed = [*row[:index], 77, *row[index + 1 :]]
        assert (features(extractor, changed) - base).abs().max() > 1e-3
    assert (features(extractor, [9, 5, 300, 12]) - base).abs().max() > 1e-3


# -- Training --------------------------------------------------------------------------------


def test_a_masked_policy_writes_legal_tokens_only():
    """In training, where it samples, and when it is asked for an action."""
    seen = []

    class Watch(BaseCallback):
        def _on_step(self):
            masks, actions = self.locals["action_masks"], self.locals["actions"]
            seen.extend(masks[np.arange(len(actions)), actions])
            assert masks.sum() < 0.1 * masks.size
            return True

    envs = DummyVecEnv([lambda: make_env(SPEC)] * 4)
    model = MaskablePPO(
        "MlpPolicy", envs, n_steps=32, batch_size=64, n_epochs=2, policy_kwargs=SMALL, seed=0
    )
    model.learn(256, callback=Watch())
    assert len(seen) == 256
    assert all(seen)
    env = make_env(SPEC)
    row, _ = env.reset(seed=0)
    mask = np.zeros(len(TOKENIZER), dtype=bool)
    mask[[11, 500]] = True
    drawn = {int(model.predict(row, action_masks=mask)[0]) for _ in range(100)}
    assert drawn == {11, 500}


@pytest.mark.parametrize("algorithm", [PPO, MaskablePPO])
def test_same_seed_same_parameters(algorithm):
    runs = [parameters(doors_model(algorithm, seed).learn(64)) for seed in (1, 1, 2)]
    start = parameters(doors_model(algorithm, 1))
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in start)
    assert not all(torch.equal(runs[0][name], runs[2][name]) for name in start)
    assert not any(
        torch.equal(runs[0][name], start[name])
        for name in ("features_extractor.embedding.weight", "action_net.weight")
    )


def test_it_learns_to_read_the_way():
    """Two doors, each left or right as the prompt says: luck opens both for one in four."""
    model = doors_model(n_envs=16, learning_rate=3e-3, batch_size=128, n_epochs=4, ent_coef=0.01)

    def solved_ways():
        env, solved = doors_env(), 0
        for way in ("LL", "LR", "RL", "RR"):
            seed = next(s for s in range(99) if env.reset(seed=s) and way_of(env) == way)
            row, _ = env.reset(seed=seed)
            done = False
            while not done:
                action, _ = model.predict(row, deterministic=True, action_masks=env.action_masks())
                row, _, terminated, truncated, info = env.step(action)
                done = terminated or truncated
            solved += info["is_success"]
        return solved

    assert solved_ways() <= 2
    model.learn(4_000)
    assert solved_ways() == 4


def way_of(env):
    return env.unwrapped.episode.problem.data


# -- Saved models and agents -----------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Models that have seen a little of countdown, by algorithm, and their files."""
    folder = tmp_path_factory.mktemp("sb3")
    models = {}
    for algorithm in (PPO, MaskablePPO):
        envs = DummyVecEnv([lambda: make_env(SPEC, max_tokens=24)] * 2)
        model = algorithm("MlpPolicy", envs, n_steps=16, batch_size=32, policy_kwargs=SMALL, seed=0)
        # Decided enough for argmax to mean something and for rounding not to change it; unmasked,
        # it writes lines of thoughts that end, and gives up now and then.
        written = [*TOKENIZER.encode("abcdefgh + \n"), EOS]
        torch.nn.init.normal_(model.policy.action_net.weight, std=1.0)
        torch.nn.init.constant_(model.policy.action_net.bias, -100.0)
        with torch.no_grad():
            model.policy.action_net.bias[written] = 0.0
        model.save(folder / algorithm.__name__)
        models[algorithm.__name__] = (model, folder / f"{algorithm.__name__}.zip")
    return models


@pytest.mark.parametrize("name", ["PPO", "MaskablePPO"])
def test_a_saved_model_acts_the_same(saved, name):
    model, path = saved[name]
    loaded = load_policy(path)
    assert type(loaded) is type(model)
    rng = np.random.default_rng(0)
    context = model.observation_space.shape[0]
    rows = [token_row(rng.integers(len(TOKENIZER), size=8), context) for _ in range(40)]
    rows = np.stack(rows)
    actions, _ = model.predict(rows, deterministic=True)
    assert len(set(actions.tolist())) > 2
    assert (loaded.predict(rows, deterministic=True)[0] == actions).all()
    with pytest.raises(FileNotFoundError):
        load_policy(path.with_name("no_such_model.zip"))


def played_by_tokens(model, seed, masked):
    """The text and the token ids of an episode at token granularity."""
    env = make_env(SPEC, max_tokens=24)
    row, _ = env.reset(seed=seed)
    done = False
    while not done:
        options = {"action_masks": env.action_masks()} if masked else {}
        action, _ = model.predict(row, deterministic=True, **options)
        row, _, terminated, truncated, info = env.step(action)
        done = terminated or truncated
    return env.unwrapped.episode, terminated, info["terms"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("PPO", PolicyAgent), ("MaskablePPO", PolicyAgent), ("MaskablePPO", MaskedPolicyAgent)],
)
def test_an_agent_plays_as_the_policy_does_token_by_token(saved, name, kind):
    model, path = saved[name]
    masked = kind is MaskedPolicyAgent
    player = kind(path, line_tokens=32)
    assert isinstance(player, EnvAgent) == masked
    lines = set()
    for seed in range(12):
        env = EnvSpec.parse(SPEC).make(max_tokens=24)
        observation, _ = env.reset(seed=seed)
        prompt = observation
        if masked:
            player.attach(env)
        player.reset(seed)
        done = False
        while not done:
            observation, _, terminated, truncated, info = env.step(player.act(observation))
            done = terminated or truncated
        episode, _, terms = played_by_tokens(model, seed, masked)
        assert info["terms"]["outcome"] == terms["outcome"]
        # Giving up is a token there and a line here; a line that the budget cuts is given up here.
        assert finished(observation) == finished(episode.text)
        lines.add(observation.removeprefix(prompt))
    assert len(lines) > 3


def finished(text):
    return text[: text.rfind("\n") + 1].removesuffix(GIVE_UP + "\n")


class Writes:
    """Stands for a model: writes tokens in turn."""

    observation_space = spaces.Box(NOTHING, len(TOKENIZER) - 1, (64,), np.int32)

    def __init__(self, tokens):
        self.tokens = list(tokens)
        self.rows = []

    def predict(self, row, deterministic=True):
        self.rows.append([int(token) for token in row if token != NOTHING])
        return np.array(self.tokens[(len(self.rows) - 1) % len(self.tokens)]), None


def test_an_agent_goes_on_from_the_tokens_that_it_wrote():
    one, two, newline = TOKENIZER.encode("1 2\n")[0], TOKENIZER.encode("2")[0], TOKENIZER.newline
    model = Writes([one, two, PAD, newline, one, EOS])  # `12` in two tokens, and a `<pad>`
    player = PolicyAgent(model)
    player.reset(0)
    prompt, feedback = "a: ", "> fine\n"
    assert player.act(prompt) == "12"
    observation = f"{prompt}12\n{feedback}"
    assert player.act(observation) == "1"
    expected = [*TOKENIZER.encode(prompt), one, two, PAD, newline, *TOKENIZER.encode(feedback)]
    assert model.rows[4] == expected
    assert model.rows[5] == [*expected, one]
    # `<eos>` ends the line, and then the episode.
    assert player.act(f"{observation}1\n") == GIVE_UP
    assert len(model.rows) == 6
    player.reset(1)
    player.act("b: ")
    assert model.rows[6] == TOKENIZER.encode("b: ")


def test_an_agent_gives_up_a_line_without_end():
    model = Writes(TOKENIZER.encode("7"))
    player = PolicyAgent(model, line_tokens=5)
    assert player.act("a: ") == GIVE_UP
    assert len(model.rows) == 5


def test_sampling_follows_from_the_seed_of_the_episode():
    model = MaskablePPO("MlpPolicy", make_env(SPEC), n_steps=16, policy_kwargs=SMALL, batch_size=16)
    player = MaskedPolicyAgent(model, deterministic=False)

    def line(seed):
        env = EnvSpec.parse(SPEC).make()
        observation, _ = env.reset(seed=0)
        player.attach(env)
        player.reset(seed)
        return player.act(observation)

    before = torch.get_rng_state()
    first = [line(seed) for seed in range(8)]
    assert first == [line(seed) for seed in range(8)]
    assert len(set(first)) > 1
    assert torch.equal(torch.get_rng_state(), before)


def test_agents_say_what_they_need(saved, monkeypatch):
    with pytest.raises(ValueError, match="takes no masks"):
        MaskedPolicyAgent(saved["PPO"][0])
    with pytest.raises(RuntimeError, match=r"attach\(env\)"):
        MaskedPolicyAgent(saved["MaskablePPO"][0]).act("1 2 -> 3\n")
    other = SimpleNamespace(observation_space=spaces.Box(0, 1, (4,)))
    with pytest.raises(ValueError, match="make_env"):
        PolicyAgent(other)
    monkeypatch.delenv(MODEL_VARIABLE, raising=False)
    with pytest.raises(ValueError, match="Set SB3_MODEL"):
        load_agent("agents.integrations.stable_baselines3:agent")


def test_the_runner_scores_a_saved_model(saved, monkeypatch, tmp_path):
    from benchmarks.runner import run_suite
    from benchmarks.suite import Entry, Suite

    kwargs = {"level": 1, "split": "test", "feedback": "state"}
    suite = Suite("sb3", 1, 0, (Entry("reason_env/Countdown-v0", kwargs, 3),))
    monkeypatch.setenv(MODEL_VARIABLE, str(saved["MaskablePPO"][1]))
    for make, division in (("agent", "open"), ("masked_agent", "oracle")):
        name = f"agents.integrations.stable_baselines3:{make}"
        run = run_suite(suite, tmp_path / make, agent=name, progress=False)
        assert [record.error for record in run.episodes] == [None] * 3
        assert {record.division for record in run.episodes} == {division}
    # Legal lines only: no claim is wrong.
    assert all(record.terms["validity"] == 0 for record in run.episodes)
    assert all(record.actions for record in run.episodes)


def test_success_rate_is_that_of_the_played_episodes():
    class Expert:
        """Knows the way, and every third time takes the other one."""

        def predict(self, rows, deterministic, action_masks):
            return [int(mask.nonzero()[0][-1]) for mask in action_masks], None

    rate = success_rate(Expert(), SPEC, episodes=40)
    solved = 0
    for index in range(40):
        env = make_eval_env(SPEC)
        env.reset(seed=stream_seed("sb3", 0, index))
        done = False
        while not done:
            _, _, *ends, info = env.step(int(env.action_masks().nonzero()[0][-1]))
            done = any(ends)
        solved += info["is_success"]
    assert rate == solved / 40
    assert 0 < rate < 1
