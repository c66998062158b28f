"""The trainers learn: each solves a toy in seconds, by margins that luck cannot reach."""

import copy
import json
from dataclasses import replace

import pytest
from toys import ENV, DoorsSpec, doors

from agents.learning.expert_iteration import ExpertIterationConfig, by_outcome, expert_iteration
from agents.learning.groups import sample_groups
from agents.learning.optimizers import OptimizerConfig
from agents.learning.policy_update import learn
from agents.learning.ppo import PPOConfig, ppo, sampling_of
from agents.learning.rollout import rollout
from agents.learning.sft import SFTConfig, sft
from agents.learning.specs import EnvSpec
from agents.learning.trajectory import Recorder
from agents.models.hf import HFModel
from agents.models.tiny import tiny_model

FAST = OptimizerConfig(lr=1e-2, warmup=5)


def solved(model, spec, count=200):
    """Share of sampled episodes that reach the goal, of problems that come from other seeds."""
    envs = [spec.make() for _ in range(count)]
    for seed, env in enumerate(envs):
        env.reset(seed=10_000 + seed)
    return sum(t.solved for t in rollout(model, envs, seed=1)) / count


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_sft_learns_what_it_is_shown(make_tiny, tmp_path):
    config = SFTConfig((DoorsSpec(1),), 1.0, steps=150, batch=32, workers=0, optimizer=FAST)
    model = sft(make_tiny(), config, tmp_path)
    assert solved(model, DoorsSpec(1)) > 0.97
    losses = [row["loss"] for row in metrics(tmp_path)]
    assert losses[0] > 5
    assert losses[-1] < 0.1


def test_sft_is_as_good_as_its_demonstrations(aimless):
    """Left or right by chance: 0.5, to within five standard deviations of 200 episodes."""
    assert 0.3 < solved(aimless, DoorsSpec(1)) < 0.7


@pytest.mark.parametrize("reward", ["outcome", "process", "shaped"])
def test_ppo_finds_the_door(aimless, tmp_path, reward):
    """From one in two to nine in ten and more, under every preset."""
    optimizer = OptimizerConfig(lr=3e-3, muon=False, warmup=3)
    config = PPOConfig(
        (DoorsSpec(1),), reward, 25, problems=32, samples=4, minibatch=64, optimizer=optimizer
    )
    model = ppo(copy.deepcopy(aimless), config, tmp_path)
    rows = metrics(tmp_path)
    assert rows[0]["solved"] < 0.7
    assert solved(model, DoorsSpec(1)) > 0.85
    assert rows[-1]["reward"] > rows[0]["reward"] + 0.2


@pytest.mark.parametrize(
    "options",
    [
        {"estimator": "reinforce"},
        {"estimator": "reinforce_baseline"},
        {"estimator": "rloo"},
        {"estimator": "grpo"},
        {"estimator": "dr_grpo", "aggregation": "sequence"},
        {"estimator": "grpo", "loss": "gspo", "filter_rounds": 1},
        {"kl_in": "reward", "kl_estimator": "k1", "dual_clip": 3.0, "clip_high": 0.28},
    ],
    ids=str,
)
def test_its_relatives_find_it_too(aimless, tmp_path, options):
    optimizer = OptimizerConfig(lr=3e-3, muon=False, warmup=3)
    config = PPOConfig(
        (DoorsSpec(1),),
        updates=25,
        problems=32,
        samples=4,
        minibatch=64,
        optimizer=optimizer,
        **options,
    )
    model = ppo(copy.deepcopy(aimless), config, tmp_path)
    assert metrics(tmp_path)[0]["solved"] < 0.7
    assert solved(model, DoorsSpec(1)) > 0.85


def test_expert_iteration_finds_the_door(aimless, tmp_path):
    config = ExpertIterationConfig(
        (DoorsSpec(1),), 6, problems=32, epochs=4, minibatch=16, simulations=8, optimizer=FAST
    )
    model = expert_iteration(copy.deepcopy(aimless), config, tmp_path)
    rows = metrics(tmp_path)
    assert all(row["found"] > 0.9 for row in rows)
    assert solved(model, DoorsSpec(1)) > 0.85


def test_values_of_outcomes_by_hand():
    """Discounted by the lines to come where the goal was reached, 0 where it was not; exact values
    at the same places, which know better."""
    for way, worth in (("RL", [0.81, 0.9, 1.0]), ("RR", [0.0, 0.0, 0.0])):
        recorder = Recorder(doors("RL"))
        for door in way:
            recorder.play(recorder.env.tokenizer.encode(f"{door}\n"))
        exact = recorder.trajectory()
        found = by_outcome(exact)
        places = [i for i, value in enumerate(exact.potentials) if value == value]
        assert [found.potentials[i] for i in places] == pytest.approx(worth)
        assert sum(value == value for value in found.potentials) == 3
        assert exact.potentials[places[0]] == pytest.approx(0.81)
        assert replace(found, potentials=()) == replace(exact, potentials=())


def test_expert_iteration_needs_no_potentials(aimless, tmp_path):
    """From how episodes end alone: a policy that finds the door, and values of what it sees."""
    config = ExpertIterationConfig(
        (DoorsSpec(1),),
        6,
        problems=32,
        epochs=4,
        minibatch=16,
        simulations=8,
        guide="public",
        values="outcome",
        optimizer=FAST,
    )
    model = expert_iteration(copy.deepcopy(aimless), config, tmp_path)
    rows = metrics(tmp_path)
    assert rows[-1]["value_error"] < 0.5 * rows[0]["value_error"]
    assert solved(model, DoorsSpec(1)) > 0.85


def test_without_values_there_is_no_value_head(trained, tmp_path):
    trained.add_value_head()
    config = ExpertIterationConfig(
        (ENV,), rounds=1, problems=4, minibatch=4, simulations=4, value_weight=0.0
    )
    assert not expert_iteration(trained, config, tmp_path).has_values
    assert "value_error" not in metrics(tmp_path)[0]


# -- PPO's first minibatch ---------------------------------------------------------------------


def test_the_first_ratio_is_exactly_one(trained, tmp_path):
    """Nothing has moved when the first minibatch is seen: policy, shapes and precision are those
    that the old log-probabilities came from."""
    config = PPOConfig((ENV,), updates=4, problems=16, samples=2, epochs=2, minibatch=8)
    ppo(copy.deepcopy(trained), config, tmp_path)
    rows = metrics(tmp_path)
    assert [row["first_ratio_deviation"] for row in rows] == [0.0] * 4
    # And it does move: the number is not zero by mistake.
    assert min(row["ratio_deviation"] for row in rows) > 0
    assert rows[0]["kl"] < rows[-1]["kl"]


def test_nothing_to_learn_moves_nothing_but_by_chance_of_whitening(trained):
    """Episodes that all earn nothing, and a critic that says nothing: no gradient at all."""
    config = PPOConfig((DoorsSpec(1),), problems=4, samples=2, minibatch=8, kl_weight=0.0)
    model, reference = copy.deepcopy(trained), copy.deepcopy(trained)
    model.add_value_head()
    trajectories, _ = sample_groups(model, sampling_of(config), seed=0)
    assert not any(any(t.rewards) for t in trajectories)

    class Still:
        """An optimizer that only looks."""

        def micro_batches(self, rows, lengths):
            return (rows,)

        def backward(self, loss, batch):
            loss.backward()

        def step(self, number):
            return max(float(p.grad.abs().max()) for p in model.parameters() if p.grad is not None)

    row = learn(model, reference, Still(), config, trajectories, 0, 0)
    assert row["gradient_norm"] == 0.0
    assert row["policy_loss"] == 0.0


def test_the_reference_is_left_alone(trained, tmp_path):
    before = trained.digest
    config = PPOConfig((ENV,), updates=1, problems=4, minibatch=4)
    ppo(copy.deepcopy(trained), config, tmp_path)
    assert trained.digest == before
    assert not trained.has_values


# -- Minutes ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch's own compiler warns of torch's own code
@pytest.mark.parametrize("trainer", ["sft", "ppo"])
def test_compiled_training_is_the_same_but_for_rounding(trained, tmp_path, trainer):
    found = []
    for compiled in (False, True):
        optimizer = OptimizerConfig(lr=1e-3, muon=False, compile=compiled)
        folder = tmp_path / str(compiled)
        if trainer == "sft":
            sft(
                copy.deepcopy(trained),
                SFTConfig((ENV,), steps=5, batch=8, workers=0, optimizer=optimizer),
                folder,
            )
        else:
            config = PPOConfig((ENV,), updates=2, problems=8, minibatch=8, optimizer=optimizer)
            ppo(copy.deepcopy(trained), config, folder)
        found.append(metrics(folder))
    for plain, compiled in zip(*found, strict=True):
        for key in plain.keys() - {"seconds"}:
            assert compiled[key] == pytest.approx(plain[key], rel=0.05, abs=0.05), key


@pytest.mark.slow
def test_countdown_improves(tmp_path):
    """The tiny model on the real thing: cloned for minutes, it gains fifteen points by eight rounds
    of expert iteration, and keeps ten of them at the least through fifteen updates of PPO. (Over
    300 problems ten points are three standard errors.)"""
    spec = EnvSpec.parse("Countdown-v0:level=1,feedback=state")
    start = HFModel(tiny_model())
    model = sft(start, SFTConfig((spec,), 0.25, steps=400, workers=0), tmp_path / "sft")

    def accuracy():
        envs = [spec.make(split="dev") for _ in range(300)]
        for seed, env in enumerate(envs):
            env.reset(seed=seed)
        return sum(t.solved for t in rollout(model, envs, seed=1)) / 300

    before = accuracy()
    expert_iteration(
        model, ExpertIterationConfig((spec,), rounds=8, problems=512), tmp_path / "search"
    )
    searched = accuracy()
    ppo(model, PPOConfig((spec,), updates=15, problems=128), tmp_path / "ppo")
    after = accuracy()
    assert searched > before + 0.15, (before, searched)
    assert after > before + 0.1, (before, after)
