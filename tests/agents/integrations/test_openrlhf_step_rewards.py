"""Step rewards in OpenRLHF's own samples generator and experience maker."""

import asyncio
import itertools
import sys
from types import ModuleType, SimpleNamespace

import cloudpickle
import pytest
import torch
from openrlhf_wheel import openrlhf_module

from agents.integrations.openrlhf.prompts import problems
from agents.integrations.openrlhf.step_rewards import KEY, subclasses
from agents.integrations.openrlhf.train import install
from agents.learning.advantages import gae
from agents.learning.specs import EnvSpec
from agents.learning.trajectory import Recorder
from agents.models.export import fast_tokenizer
from reason_env.tokenizer import EOS, PAD, TOKENIZER

openrlhf_module("openrlhf.utils.agent")
from agents.integrations.openrlhf.agent import AgentExecutor  # noqa: E402

experience_module = openrlhf_module("openrlhf.trainer.ppo_utils.experience")
Experience = experience_module.Experience
BaseMaker = openrlhf_module("openrlhf.trainer.ppo_utils.experience_maker").RemoteExperienceMaker
BaseGenerator = openrlhf_module("openrlhf.trainer.ppo_utils.samples_generator").SamplesGenerator
Generator, Maker = subclasses(BaseGenerator, BaseMaker)

GROUPED = ("rloo", "reinforce_baseline", "group_norm", "dr_grpo", "flash_reinforce")
ESTIMATORS = ("gae", "reinforce", *GROUPED)


def maker(cls, estimator, gamma=1.0, lambd=1.0, samples=4, kl=0.1, micro_batch=3, **reward):
    advantage = SimpleNamespace(
        estimator=estimator, gamma=gamma, lambd=lambd, no_std_norm=False, is_correction_level="off"
    )
    args = SimpleNamespace(
        rollout=SimpleNamespace(
            n_samples_per_prompt=samples, max_new_tokens=20, micro_batch_size=micro_batch
        ),
        reward=SimpleNamespace(clip_range=(-10, 10), overlong_penalty_factor=1.0, **reward),
        algo=SimpleNamespace(advantage=advantage),
        train=SimpleNamespace(dynamic_batch_enable=False),
    )
    strategy = SimpleNamespace(args=args)
    kl_ctl = SimpleNamespace(value=kl)
    return cls(None, None, None, None, kl_ctl, strategy, SimpleNamespace(pad_token_id=PAD))


def masks(turns, seed=0, batch=8, size=24):
    """Action masks (B, A): prompt, that many turns of agent and environment, padding."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.zeros(batch, size, dtype=torch.long)
    for row in mask:
        place = int(torch.randint(1, 4, (1,), generator=generator))
        for _ in range(turns):
            end = place + int(torch.randint(1, 5, (1,), generator=generator))
            row[place:end] = 1
            place = end + int(torch.randint(1, 3, (1,), generator=generator))
    return mask


def experiences(mask, steps, seed=0):
    """Two micro-batches of hand-made experiences, with values and KL of any size."""
    generator = torch.Generator().manual_seed(seed)
    batch = []
    for rows in torch.arange(len(mask)).split(5):
        part = mask[rows]
        rewards = steps[rows].sum(1)
        batch.append(
            Experience(
                index=rows.tolist(),
                action_mask=part,
                rewards=rewards,
                values=torch.randn(part.shape, generator=generator),
                kl=torch.randn(part.shape, generator=generator) * part,
                response_length=part.sum(1).float(),
                truncated=torch.arange(len(rows)) % 2 == 0,
                info={"reward": rewards.clone(), KEY: steps[rows]},
            )
        )
    return batch


def last_actions(mask):
    return mask.shape[1] - 1 - mask.flip(1).argmax(1)


def line_ends(mask):
    """The last token of each turn."""
    following = torch.cat([mask[:, 1:], torch.zeros_like(mask[:, :1])], 1)
    return (mask == 1) & (following == 0)


def on_actions(batch, name):
    return torch.cat([getattr(e, name)[e.action_mask == 1] for e in batch])


def plain(batch):
    for experience in batch:
        experience.info.pop(KEY)
    return batch


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(
    "reward", [{}, {"overlong_buffer_len": 18.0}, {"stop_properly_penalty_coef": 0.3}]
)
@pytest.mark.parametrize("turns", [1, 3])
def test_all_on_the_last_token_is_openrlhf_itself(estimator, reward, turns):
    mask = masks(turns)
    totals = torch.linspace(-15, 12, len(mask)).roll(3)  # beyond the clip range too
    steps = torch.zeros(mask.shape).scatter(1, last_actions(mask)[:, None], totals[:, None])
    theirs = maker(BaseMaker, estimator, **reward).compute_advantages_and_returns(
        plain(experiences(mask, steps))
    )
    ours = maker(Maker, estimator, **reward).compute_advantages_and_returns(
        experiences(mask, steps)
    )
    for name in ("advantages", "returns"):
        torch.testing.assert_close(
            on_actions(ours, name), on_actions(theirs, name), rtol=1e-6, atol=1e-6
        )
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.info.keys() == other.info.keys()
        for key, value in other.info.items():
            torch.testing.assert_close(mine.info[key], value)


@pytest.mark.parametrize(("gamma", "lambd"), [(0.9, 1.0), (1.0, 0.8), (0.95, 0.9)])
@pytest.mark.parametrize("estimator", ["gae", "reinforce"])
def test_without_feedback_discounts_are_openrlhfs_too(estimator, gamma, lambd):
    mask = masks(turns=1)
    totals = torch.linspace(-2, 1, len(mask))
    steps = torch.zeros(mask.shape).scatter(1, last_actions(mask)[:, None], totals[:, None])
    theirs, ours = (
        on_actions(maker(cls, estimator, gamma, lambd).compute_advantages_and_returns(batch), name)
        for cls, batch in [
            (BaseMaker, plain(experiences(mask, steps))),
            (Maker, experiences(mask, steps)),
        ]
        for name in ["returns"]
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


def step_rewards(mask, seed=4):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(mask.shape, generator=generator) * line_ends(mask)


def returns_to_go(rewards, mask, gamma=1.0):
    """By a plain loop over the agent's own tokens."""
    rows = []
    for row, acted in zip(rewards.tolist(), mask.tolist(), strict=True):
        own = [r for r, a in zip(row, acted, strict=True) if a]
        rows += [sum(gamma**k * r for k, r in enumerate(own[start:])) for start in range(len(own))]
    return torch.tensor(rows)


@pytest.mark.parametrize("gamma", [1.0, 0.9])
def test_reinforce_returns_are_the_rewards_to_go(gamma):
    mask = masks(turns=3)
    steps = step_rewards(mask)
    batch = experiences(mask, steps)
    paid = steps - 0.1 * torch.cat([e.kl for e in batch])
    done = maker(Maker, "reinforce", gamma).compute_advantages_and_returns(batch)
    expected = returns_to_go(paid, mask, gamma)
    torch.testing.assert_close(on_actions(done, "returns"), expected)
    whitened = (expected - expected.mean()) / expected.std(unbiased=False)
    torch.testing.assert_close(on_actions(done, "advantages"), whitened)


@pytest.mark.parametrize(("gamma", "lambd"), [(1.0, 1.0), (1.0, 0.8), (0.95, 0.9)])
def test_gae_is_ours(gamma, lambd):
    mask = masks(turns=3)
    steps = step_rewards(mask)
    batch = experiences(mask, steps)
    values = torch.cat([e.values for e in batch])
    paid = steps - 0.1 * torch.cat([e.kl for e in batch])
    acted = mask == 1
    _, expected = gae(paid, values, acted, torch.zeros(len(mask)), gamma, lambd)
    done = maker(Maker, "gae", gamma, lambd).compute_advantages_and_returns(batch)
    torch.testing.assert_close(on_actions(done, "returns"), expected[acted])
    theirs = maker(BaseMaker, "gae", gamma, lambd).compute_advantages_and_returns(
        plain(experiences(mask, steps))
    )
    assert (on_actions(theirs, "returns") - expected[acted]).abs().max() > 0.1


@pytest.mark.parametrize("estimator", GROUPED)
def test_groups_compare_sums(estimator):
    """From a token on: what the rest earned, less the baseline of the whole sum."""
    mask = masks(turns=3)
    steps = step_rewards(mask)
    sums = steps.sum(1)
    groups = sums.view(-1, 4)
    means = groups.mean(1, keepdim=True).expand(-1, 4).flatten()
    scale = torch.ones(len(mask))
    baseline = means
    if estimator == "rloo":
        baseline = (means * 4 - sums) / 3
    elif estimator == "group_norm":
        scale = 1 / groups.std(1, keepdim=True).expand(-1, 4).flatten()
    elif estimator == "flash_reinforce":
        baseline = sums.mean().expand(len(mask))
    to_go = returns_to_go(steps, mask)
    lengths = mask.sum(1)
    expected = (to_go - baseline.repeat_interleave(lengths)) * scale.repeat_interleave(lengths)
    done = maker(Maker, estimator, kl=0.0).compute_advantages_and_returns(experiences(mask, steps))
    torch.testing.assert_close(on_actions(done, "returns"), expected, rtol=1e-4, atol=1e-5)


def test_two_samples_by_hand():
    mask = torch.tensor([[0, 1, 1, 0, 1], [1, 0, 1, 1, 0]])
    steps = torch.tensor([[0.0, 0.0, -0.5, 0.0, 1.0], [0.25, 0.0, 0.0, 0.5, 0.0]])
    batch = experiences(mask, steps)
    [done] = maker(Maker, "dr_grpo", kl=0.0, samples=2).compute_advantages_and_returns(batch)
    # Sums 0.5 and 0.75, mean 0.625.
    assert done.advantages.tolist() == [
        [0.0, -0.125, -0.125, 0.0, 0.375],
        [0.125, 0.0, -0.125, -0.125, 0.0],
    ]


def test_experiences_of_other_agents_are_refused():
    mask = masks(1)
    with pytest.raises(ValueError, match="without 'step_rewards'"):
        maker(Maker, "gae").compute_advantages_and_returns(
            plain(experiences(mask, step_rewards(mask)))
        )
    response = {"observation_tokens": [1, 2], "action_ranges": [(1, 2)], "rollout_log_probs": None}
    generator = Generator(SimpleNamespace(args=None), None, None, None, [])
    with pytest.raises(ValueError, match=r"agents\.integrations\.openrlhf\.agent"):
        generator._process_response_into_experience(
            {**response, "reward": 1.0, "prompt": "", "label": ""}
        )


# -- From the agent on -------------------------------------------------------------------------


class Writer:
    """An engine that writes these lines, then gives up."""

    def __init__(self, lines):
        self.lines = iter(lines)

    async def generate(self, prompt_token_ids, sampling_params, multi_modal_data=None):
        line = next(self.lines, None)
        tokens = [EOS] if line is None else TOKENIZER.encode(line + "\n")
        completion = SimpleNamespace(
            token_ids=tokens,
            text="" if line is None else line + "\n",
            finish_reason="stop",
            logprobs=None,
        )
        return SimpleNamespace(outputs=[completion])


@pytest.fixture(scope="module")
def played():
    """Responses of the agent to scripted lines, and our own trajectories."""
    spec = EnvSpec.parse("Countdown-v0:level=2,feedback=state,on_invalid=feedback")
    rows = [row for row in problems([spec], 4, 0, reward="shaped") for _ in range(2)]
    params = SimpleNamespace(max_tokens=None, logprobs=None)
    responses, trajectories = [], []
    for number, row in enumerate(rows):
        env = row.label.start()
        legal = list(env.legal_lines())
        lines = ["1 + 1 = 3", legal[0], "hm", "undo", legal[-1]][number % 3 : 3 + number % 3]
        responses.append(
            asyncio.run(
                AgentExecutor().execute(
                    row.prompt, str(row.label), params, 500, fast_tokenizer(), Writer(lines)
                )
            )
        )
        recorder = Recorder(env)
        for line in lines:
            if not recorder.over:
                recorder.play(TOKENIZER.encode(line + "\n"))
        if not recorder.over:
            recorder.play([EOS])
        trajectories.append(recorder.trajectory())
    return responses, trajectories


def test_from_the_agent_to_the_trainer(played):
    responses, trajectories = played
    generator = Generator(SimpleNamespace(args=None), None, None, None, [])
    samples = [generator._process_response_into_experience(r, max_len=500) for r in responses]
    for sample, trajectory in zip(samples, trajectories, strict=True):
        assert sample.info[KEY].shape == sample.action_mask.shape
        assert sample.info[KEY][0].tolist() == pytest.approx(trajectory.rewards[1:])
    estimator = maker(Maker, "reinforce", samples=2, kl=0.0, micro_batch=3)
    batch = estimator.split_rollout_samples(samples)
    for part in batch:
        part.kl = torch.zeros(part.action_mask.shape)
    done = estimator.compute_advantages_and_returns(batch)
    expected = []
    for trajectory in trajectories:
        following = list(itertools.accumulate(reversed(trajectory.rewards)))[::-1]
        expected += [f for f, acted in zip(following, trajectory.actions) if acted]
    torch.testing.assert_close(on_actions(done, "returns"), torch.tensor(expected))
    # And on through OpenRLHF's buffers, which take numbers alone.
    items = [item for part in done for item in experience_module.split_experience_batch(part)]
    items = experience_module.remove_padding_in_sequences(items)
    joined = experience_module.make_experience_batch(items)
    assert KEY not in joined.info
    for value in joined.info.values():
        torch.tensor(value, dtype=torch.float)
    torch.testing.assert_close(joined.returns[joined.action_mask == 1], torch.tensor(expected))


def test_sequences_are_cut_alike(played):
    responses, _ = played
    generator = Generator(SimpleNamespace(args=None), None, None, None, [])
    sample = generator._process_response_into_experience(responses[0], max_len=20)
    assert sample.info[KEY].shape == sample.action_mask.shape == (1, 19)


# -- In other processes ------------------------------------------------------------------------


class Remote:
    """What Ray makes of a class: the name in its module is no longer the class itself."""

    def __init__(self, wrapped):
        self.wrapped = wrapped


def remote(*args, **options):
    return Remote(*args) if args else Remote


@pytest.fixture
def trainers(monkeypatch):
    """OpenRLHF's modules of trainers, with stand-ins for what only a training machine has."""
    openrlhf_module("openrlhf.utils.logging_utils")
    stand_ins = {
        "ray": {"remote": remote},
        "ray.util": {},
        "ray.util.queue": {"Queue": object},
        "openrlhf.trainer.ray.launcher": {"RayActorGroup": object},
        "openrlhf.trainer.ray.vllm_engine": {"batch_vllm_engine_call": print},
    }
    for name, content in stand_ins.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    for package, name in [("datasets", "PromptDataset"), ("utils.deepspeed", "DeepspeedStrategy")]:
        monkeypatch.setattr(sys.modules[f"openrlhf.{package}"], name, object, raising=False)
    names = [f"openrlhf.trainer.{name}" for name in ("ppo_trainer", "ppo_trainer_async")]
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield [openrlhf_module(name) for name in names]
    for name in names:
        sys.modules.pop(name, None)


def test_trainers_take_the_classes_to_other_processes(trainers, monkeypatch):
    plain, with_async = trainers
    actors = {
        "trainer": lambda: plain.PPOTrainer.wrapped,
        "sampler": lambda: with_async.GenerateSamplesActor.wrapped,
        "learner": lambda: with_async.TrainingActor.wrapped,
    }

    def sent_classes():
        return {name: cloudpickle.dumps(actor()) for name, actor in actors.items()}

    def used(pickled):
        """The two classes that each actor makes, where it arrives."""
        found = set()
        # In one process, a class would be found again and not made anew.
        monkeypatch.setattr(cloudpickle.cloudpickle, "_DYNAMIC_CLASS_TRACKER_BY_ID", {})
        for actor in map(cloudpickle.loads, pickled.values()):
            for cls in (cls for cls in actor.__mro__ if "__init__" in vars(cls)):
                names = getattr(cls.__init__, "__globals__", {})
                found |= {
                    (cls.__name__, name, names[name].__name__)
                    for name in ("SamplesGenerator", "RemoteExperienceMaker")
                    if names and name in cls.__init__.__code__.co_names
                }
        return found

    before = sent_classes()
    install(trainers, cloudpickle.register_pickle_by_value)
    after = sent_classes()
    for module in trainers:
        cloudpickle.unregister_pickle_by_value(module)
        # There, the modules are OpenRLHF's own.
        for name, own in (
            ("SamplesGenerator", BaseGenerator),
            ("RemoteExperienceMaker", BaseMaker),
        ):
            if hasattr(module, name):
                setattr(module, name, own)
    generators = {"PPOTrainer", "GenerateSamplesActor"}
    assert used(before) == {
        *((name, "SamplesGenerator", "SamplesGenerator") for name in generators),
        ("BasePPOTrainer", "RemoteExperienceMaker", "RemoteExperienceMaker"),
    }
    assert used(after) == {
        *((name, "SamplesGenerator", "StepRewardSamplesGenerator") for name in generators),
        ("BasePPOTrainer", "RemoteExperienceMaker", "StepRewardExperienceMaker"),
    }

    [learner] = [cls for cls in cloudpickle.loads(after["learner"]).__mro__ if "Base" in str(cls)]
    args = maker(Maker, "gae").args
    args.algo.kl = SimpleNamespace(target=None, init_coef=0.1)
    args.logger = SimpleNamespace(wandb=SimpleNamespace(key=None), tensorboard_dir=None)
    args.ckpt = SimpleNamespace()
    there = learner(SimpleNamespace(args=args), *[None] * 6).experience_maker
    mask = masks(2)
    got = there.compute_advantages_and_returns(experiences(mask, step_rewards(mask)))
    here = maker(Maker, "gae").compute_advantages_and_returns(experiences(mask, step_rewards(mask)))
    torch.testing.assert_close(on_actions(got, "advantages"), on_actions(here, "advantages"))
